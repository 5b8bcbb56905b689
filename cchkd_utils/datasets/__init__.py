"""One module per section of the book; each ``load`` returns one `Multimodal` value."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

KINDS = ("real", "simulated")
DATA = ("embedded", "real")  # what a loader reads: what comes with the book, or the user's files


@dataclass(frozen=True)
class Multimodal:
    """Paired observations of one set of units by several modalities.

    Row ``i`` of every modality [n, ...], of ``labels`` [n] (integer classes or real targets) and of
    ``ids`` [n], which are unique, belongs to the same unit. ``splits`` names disjoint row numbers,
    such as ``{"train": ..., "test": ...}``. ``kind``, "real" or "simulated", is shown on every row
    and figure; ``provenance`` has sources, licences, seed and options. ``units`` [n] names the
    independent unit (patient, video) of each row; None: each row is its own.

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
    units: np.ndarray | None = None

    def __post_init__(self):
        require_choice("kind", self.kind, KINDS)
        if not self.modalities:
            raise ValueError("no modality given: pass at least one array [n, ...]")
        n = len(self)
        others = {"ids": self.ids} | ({} if self.units is None else {"units": self.units})
        for name, array in {**self.modalities, **others}.items():
            if len(array) != n:
                raise ValueError(f"{name} has {len(array)} rows, labels have {n}: pair them first")
        if len(np.unique(self.ids)) != n:
            raise ValueError("ids repeat: give every unit one row and one id")
        seen = np.zeros(n, dtype=bool)
        for name, rows in self.splits.items():
            rows = np.asarray(rows)
            if rows.ndim != 1 or rows.dtype.kind not in "iu":
                raise ValueError(f"split {name!r} is not a 1-d array of row numbers")
            if rows.size and (rows.min() < 0 or rows.max() >= n):
                raise ValueError(f"split {name!r} names rows outside 0..{n - 1}")
            if len(np.unique(rows)) != len(rows) or seen[rows].any():
                raise ValueError(f"split {name!r} repeats rows: splits must be disjoint")
            seen[rows] = True

    def __len__(self):
        return len(self.labels)

    def take(self, split):
        """Return the modalities, dict of str to [m, ...], and labels [m] of one split."""
        require_choice("split", split, self.splits)
        rows = self.splits[split]
        return {name: x[rows] for name, x in self.modalities.items()}, self.labels[rows]


def train_and_test(n_train, n_test):
    """Return the two splits of rows in order; ValueError where one would be empty."""
    if min(n_train, n_test) < 1:
        raise ValueError(f"n_train={n_train}, n_test={n_test}: draw at least one row of each")
    rows = np.arange(n_train + n_test)
    return {"train": rows[:n_train], "test": rows[n_train:]}


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


def visible(folder, pattern="*"):
    """Return a folder's files, sorted, without those that macOS adds (``._x``)."""
    return sorted(path for path in folder.glob(pattern) if not path.name.startswith("."))


def not_there(missing, held):
    """Return the error for real data that are `missing`; `held` is what lies in the data folder."""
    return FileNotFoundError(
        f'{missing}, set CCHKD_DATA to the folder that holds {held}/, or use data="embedded"'
    )


def write_whole(path, data):
    """Write bytes in one step: a killed write leaves no half file under this name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
