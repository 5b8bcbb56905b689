"""Cross-fitting: folds of equal training size, and soft labels from teachers that did not see them.

A teacher scored on the rows it was trained on knows their labels: where rows are few its soft
labels become the hard ones, and distillation repeats what the student has. Cross-fitted soft labels
come from teachers trained on the other folds of the same training rows.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from cchkd_utils.distill import Member, train_ensemble
from cchkd_utils.distill.stack import stream

TOGETHER = 60  # networks trained at once: bounds memory, and fills one chunk of the ensemble


def folds(
    labels: ArrayLike, n_folds: int, *, seed: int = 0, groups: ArrayLike | None = None
) -> tuple[NDArray, list[NDArray]]:
    """Split rows into folds, with training parts of equal size.

    Classes (integers, strings) are stratified; rows of one group stay in one fold.

    Parameters
    ----------
    labels : array [n]
        Classes, or real targets (float).
    n_folds : int
    seed : int
        Of the split, and of the rows left out to make the training parts equal.
    groups : array [n], optional
        The independent unit of each row, e.g. its video.

    Returns
    -------
    train : ndarray of int [n_folds, m]
        Training rows of each fold, shuffled; the larger ones are trimmed to the smallest.
    test : list of ndarray of int
        Held-out rows of each fold; together all rows, each once.

    Raises
    ------
    ValueError
        For more folds than rows or groups, or fewer than two.
    """
    labels = np.asarray(labels)
    n_units = len(labels) if groups is None else len(np.unique(groups))
    if not 2 <= n_folds <= n_units:
        raise ValueError(f"n_folds is {n_folds}: choose from 2 to the {n_units} independent units")
    continuous = labels.dtype.kind == "f"
    kinds = {
        (True, False): KFold, (True, True): GroupKFold,
        (False, False): StratifiedKFold, (False, True): StratifiedGroupKFold,
    }  # fmt: skip
    splitter = kinds[continuous, groups is not None](
        n_folds, shuffle=True, random_state=stream(seed, 2) % 2**32
    )
    with warnings.catch_warnings():
        # A class with fewer rows than folds is then tested in some folds only.
        warnings.filterwarnings("ignore", message="The least populated class")
        pairs = list(splitter.split(labels, labels, groups))
    smallest = min(len(train) for train, _ in pairs)
    rng = np.random.default_rng([seed, 3])
    train = [rng.permutation(rows)[:smallest] for rows, _ in pairs]
    return np.array(train), [test for _, test in pairs]


def out_of_fold(
    model: Callable,
    x: NDArray,
    y: NDArray,
    members: Sequence[Member],
    *,
    n_folds: int = 5,
    groups: NDArray | None = None,
    prepare: Callable[[NDArray, NDArray], Callable[[NDArray], NDArray]] | None = None,
    **options,
) -> NDArray:
    """Outputs for every training row, from networks trained on the other folds of these rows.

    Parameters
    ----------
    model : callable () -> torch.nn.Module
    x : array [d, n, ...]
        Training rows of d datasets (outer folds, say).
    y : array [d, n]
    members : sequence of Member
        Teachers to cross-fit: the seed and dataset of each. Members of equal seed and dataset
        split their rows alike.
    n_folds : int
        Inner folds; each teacher is trained that often, on a share 1 - 1/n_folds of the rows.
    groups : array [d, n], optional
        The independent unit of each row: never on both sides of an inner fold.
    prepare : callable (x [m, ...], y [m]) -> callable (x) -> array, optional
        Fits what depends on data (feature selection, scaling) on the inner training rows and
        returns the transform, which must give the same number of features in every fold.
    **options
        Of `distill.train_ensemble`; not `teacher`, nor validation arrays.

    Returns
    -------
    ndarray float32 [e, n, k]
        Logits (in regression k = 1) in the order of `members` and of the rows of their dataset:
        use them as `teacher` of `train_ensemble`.

    Raises
    ------
    ValueError
        As `folds` and `train_ensemble`.
    """
    x, y = np.asarray(x), np.asarray(y)
    out = None
    together = max(1, TOGETHER // n_folds)
    for first in range(0, len(members), together):
        parts = []
        for one in members[first : first + together]:
            units = None if groups is None else groups[one.data]
            parts += _inner(x[one.data], y[one.data], one.seed, n_folds, units, prepare)
        size = min(len(part.train) for part in parts)  # groups may make the members' folds differ
        networks = train_ensemble(
            model,
            np.stack([part.x[part.train[:size]] for part in parts]),
            np.stack([part.y[part.train[:size]] for part in parts]),
            [Member(part.seed, data=i) for i, part in enumerate(parts)],
            **options,
        )
        outputs = networks.predict(np.stack([part.x for part in parts]))
        if out is None:
            out = np.empty((len(members), *outputs.shape[1:]), np.float32)
        for i, part in enumerate(parts):
            out[first + i // n_folds, part.test] = outputs[i, part.test]
    return out


@dataclass
class _Part:
    """One inner fold of one teacher: prepared rows, and which of them train and are held out."""

    x: NDArray
    y: NDArray
    train: NDArray
    test: NDArray
    seed: int


def _inner(x, y, seed, n_folds, groups, prepare):
    train, test = folds(y, n_folds, seed=seed, groups=groups)
    return [
        _Part(prepare(x[rows], y[rows])(x) if prepare else x, y, rows, held, seed)
        for rows, held in zip(train, test)
    ]
