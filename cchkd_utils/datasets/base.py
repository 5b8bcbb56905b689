"""The one shape every dataset of the book has, and where real data are looked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

KINDS = ("real", "simulated")


@dataclass(frozen=True)
class Multimodal:
    """Paired observations of one set of units by several modalities.

    Row ``i`` of every modality, of ``labels`` and of ``ids`` belongs to the same unit.

    Parameters
    ----------
    modalities : dict of str to ndarray [n, ...]
        One array per modality.
    labels : ndarray [n]
        Integer classes or real targets.
    ids : ndarray [n]
        Names of the units, unique.
    splits : dict of str to ndarray of int
        Row numbers of each split, e.g. ``{"train": ..., "test": ...}``; disjoint.
    kind : {"real", "simulated"}
        Whether the measurements are real; shown on every row and figure.
    provenance : dict
        Where the data come from: sources, licences, seed and options.

    Raises
    ------
    ValueError
        When lengths differ, ids repeat, splits overlap or leave the range, or `kind` is unknown.
    """

    modalities: Mapping[str, np.ndarray]
    labels: np.ndarray
    ids: np.ndarray
    splits: Mapping[str, np.ndarray]
    kind: str
    provenance: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"kind is {self.kind!r}: choose one of {', '.join(KINDS)}")
        if not self.modalities:
            raise ValueError("no modality given: pass at least one array [n, ...]")
        n = len(self)
        for name, array in {**self.modalities, "labels": self.labels, "ids": self.ids}.items():
            if len(array) != n:
                raise ValueError(f"{name} has {len(array)} rows, labels have {n}: pair them first")
        if len(np.unique(self.ids)) != n:
            raise ValueError("ids repeat: give every unit one row and one id")
        _check_splits(self.splits, n)

    def __len__(self):
        return len(self.labels)

    def take(self, split):
        """Return the rows of one split.

        Parameters
        ----------
        split : str
            A name in ``splits``.

        Returns
        -------
        modalities : dict of str to ndarray [m, ...]
        labels : ndarray [m]

        Raises
        ------
        ValueError
            When there is no such split.
        """
        if split not in self.splits:
            raise ValueError(f"no split {split!r}: choose one of {', '.join(self.splits)}")
        rows = self.splits[split]
        return {name: x[rows] for name, x in self.modalities.items()}, self.labels[rows]


def _check_splits(splits, n):
    seen = np.zeros(n, dtype=bool)
    for name, rows in splits.items():
        rows = np.asarray(rows)
        if rows.ndim != 1 or rows.dtype.kind not in "iu":
            raise ValueError(f"split {name!r} is not a 1-d array of row numbers")
        if rows.size and (rows.min() < 0 or rows.max() >= n):
            raise ValueError(f"split {name!r} names rows outside 0..{n - 1}")
        if len(np.unique(rows)) != len(rows) or seen[rows].any():
            raise ValueError(f"split {name!r} repeats rows: splits must be disjoint")
        seen[rows] = True


def require_choice(name, value, choices):
    """Raise ValueError, naming the choices, unless `value` is one of them."""
    if value not in choices:
        raise ValueError(f"{name} is {value!r}: choose one of {', '.join(choices)}")


def require_count(name, value, available):
    """Return how many rows to use, all `available` for None; ValueError outside 1..available."""
    count = available if value is None else value
    if not 1 <= count <= available:
        raise ValueError(f"{name} is {value}: choose a number from 1 to {available}")
    return int(count)
