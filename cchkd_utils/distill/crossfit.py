"""Cross-fitting: folds of equal training size, and soft labels from teachers that did not see them.

A teacher scored on the rows it was trained on knows their labels: where rows are few its soft
labels become the hard ones, and distillation repeats what the student has. Cross-fitted soft labels
come from teachers trained on the other folds of the same training rows.
"""

import warnings
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from cchkd_utils.distill import Member, train_ensemble
from cchkd_utils.distill.training import stream

TOGETHER = 60  # networks trained at once: bounds memory, and fills one chunk of the ensemble


def folds(
    labels: ArrayLike, n_folds: int, *, seed: int = 0, groups: ArrayLike | None = None
) -> tuple[NDArray, list[NDArray]]:
    """Split rows into folds: training rows [n_folds, m], shuffled, and held-out rows of each fold.

    Classes (integers, strings) are stratified; rows of one of the `groups` (the independent unit
    of each row, e.g. its video) stay in one fold. Training parts are trimmed to the smallest; the
    held-out ones are together all rows, each once. ValueError for more folds than rows or groups.
    """
    labels = np.asarray(labels)
    n_units = len(labels) if groups is None else len(np.unique(groups))
    if not 2 <= n_folds <= n_units:
        raise ValueError(f"n_folds is {n_folds}: choose from 2 to the {n_units} independent units")
    continuous = labels.dtype.kind == "f"
    plain, grouped = (KFold, GroupKFold) if continuous else (StratifiedKFold, StratifiedGroupKFold)
    kind = plain if groups is None else grouped
    splitter = kind(n_folds, shuffle=True, random_state=stream(seed, 2) % 2**32)
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
    """Outputs [e, n, k] for every training row, from networks trained on the other folds of these.

    Use them as `teacher` of `train_ensemble`: logits (in regression k = 1) in the order of
    `members` and of the rows of their dataset.

    Parameters
    ----------
    x, y, groups : array [d, n, ...], [d, n] and [d, n]
        Training rows of d datasets (outer folds, say); groups as in `folds`.
    members : sequence of Member
        Teachers to cross-fit. Those of equal seed and dataset split their rows alike.
    prepare : callable (x [m, ...], y [m]) -> callable (x) -> array, optional
        Fits what depends on data (feature selection, scaling) on the inner training rows and
        returns the transform, which must give the same number of features in every fold.
    **options
        Of `train_ensemble`; no teacher.
    """
    x, y = np.asarray(x), np.asarray(y)
    out = None
    together = max(1, TOGETHER // n_folds)
    for first in range(0, len(members), together):
        inner = []
        for member in members[first : first + together]:
            own_x, own_y = x[member.data], y[member.data]
            units = None if groups is None else groups[member.data]
            for rows, held in zip(*folds(own_y, n_folds, seed=member.seed, groups=units)):
                prepared = prepare(own_x[rows], own_y[rows])(own_x) if prepare else own_x
                inner.append((prepared, own_y, rows, held, member.seed))
        inputs, labels, train, test, seeds = zip(*inner)
        size = min(map(len, train))  # groups may make the members' folds differ
        networks = train_ensemble(
            model,
            np.stack([a[rows[:size]] for a, rows in zip(inputs, train)]),
            np.stack([a[rows[:size]] for a, rows in zip(labels, train)]),
            [Member(seed, data=i) for i, seed in enumerate(seeds)],
            **options,
        )
        outputs = networks.predict(np.stack(inputs))
        if out is None:
            out = np.empty((len(members), *outputs.shape[1:]), np.float32)
        for i, held in enumerate(test):
            out[first + i // n_folds, held] = outputs[i, held]
    return out
