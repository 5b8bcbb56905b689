"""What to do: choose λ and T by held-out folds, with the reader's own network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax
from sklearn.model_selection import KFold
from torch import nn

from cchkd_utils.distill import Member, networks, train_ensemble
from cchkd_utils.results import intervals

METRICS = {"classification": ("accuracy", "cross-entropy"), "regression": ("mse",)}


@dataclass(frozen=True)
class Recommendation:
    """The weight and temperature to use, and what they gained on held-out rows.

    `lam` 0: do not distil; no choice gained more than its standard error. `gain` and `ci` are of
    the choice over the undistilled student, above 0 is better: mean over folds and 95 % interval.
    The best of many looks better than it is: judge it again on rows that were not used here.
    `table` has a row per (lam, temperature): score, gain, gain_lo, gain_hi.
    """

    lam: float
    temperature: float
    gain: float
    ci: tuple[float, float]
    metric: str
    table: pd.DataFrame


def recommend(
    teacher: ArrayLike,
    student: ArrayLike,
    labels: ArrayLike,
    *,
    lam: Sequence[float] = (0.2, 0.3, 0.5, 0.7, 0.8),
    temperature: Sequence[float] = (1.0, 2.0, 3.0, 4.0),
    model: Callable[[], nn.Module] | None = None,
    metric: str | None = None,
    folds: int = 5,
    repeats: int = 1,
    seed: int = 0,
    **options,
) -> Recommendation:
    """Choose the weight λ and the temperature T by cross-validation.

    All students of all folds are trained as one ensemble. Those of one fold share their initial
    weights and batches with its undistilled student, so that gains are paired.

    Parameters
    ----------
    teacher : array [n, k] or [n]
        The teacher's logits (or, in regression, predictions) for the student's training rows,
        from a teacher that was not trained on these rows, or cross-fitted: memorised labels would
        only repeat the labels.
    student, labels : array [n, ...] and [n]
        The student's inputs; integers 0..k-1, or real targets for regression.
    lam, temperature : sequences of float
        The grid. Regression has no temperature.
    model : callable () -> torch.nn.Module, optional
        Builds the student. Default: `networks.MLP`.
    metric : {"accuracy", "cross-entropy", "mse"}, optional
        Default: accuracy, in regression mse.
    folds, repeats : int
        Every repeat makes new folds and new initial weights.
    **options
        Of `distill.train_ensemble`: optimizer, lr, epochs, batch_size ...

    Raises
    ------
    ValueError
        Lengths that differ, too few folds or rows, an empty grid, a metric that does not fit.
    """
    teacher, student, labels = (np.asarray(a) for a in (teacher, student, labels))
    lam, temperature = (np.atleast_1d(a).tolist() for a in (lam, temperature))
    task = "classification" if teacher.ndim == 2 and teacher.shape[1] > 1 else "regression"
    metric = metric or METRICS[task][0]
    _check(teacher, student, labels, lam, temperature, task, metric, folds, repeats)
    if task == "classification":
        labels = labels.astype(int)
    else:
        temperature = [1.0]
    grid = [(0.0, 1.0), *product(lam, temperature)]
    if model is None:
        d_in = int(np.prod(student.shape[1:]))
        d_out = teacher.shape[1] if task == "classification" else 1
        model = partial(networks.MLP, d_in, d_out)
    trains, tests = _folds(len(labels), folds, repeats, seed)
    members = [
        Member(seed + i // folds, *setting, data=i, teacher=i if setting[0] else None)
        for i in range(len(trains))
        for setting in grid
    ]
    trained = train_ensemble(
        model, student[trains], labels[trains], members, teacher=teacher[trains], task=task,
        **options,
    )  # fmt: skip
    predictions = trained.predict(student[tests])
    truth = labels[tests].repeat(len(grid), axis=0)
    scores = _score(predictions, truth, metric).reshape(len(trains), len(grid))
    return _choose(scores, grid, metric, 1 / folds)


def _check(teacher, student, labels, lam, temperature, task, metric, folds, repeats):
    if student.ndim < 2:
        raise ValueError("student has one axis: pass inputs [n, d], one row per sample")
    lengths = {"teacher": len(teacher), "student": len(student), "labels": len(labels)}
    if len(set(lengths.values())) > 1:
        text = ", ".join(f"{name} {n}" for name, n in lengths.items())
        raise ValueError(f"rows differ ({text}): pass the same samples in the same order")
    whole = labels.dtype.kind in "biuf" and (labels == np.round(labels)).all()
    if task == "classification" and not whole:
        raise ValueError("labels are not whole numbers: number the classes from 0")
    if repeats < 1:
        raise ValueError(f"repeats is {repeats}: at least 1 is needed")
    if not 2 <= folds <= len(labels) // 2:
        raise ValueError(f"folds is {folds}: choose 2 to {len(labels) // 2} for these rows")
    if not len(lam) or not len(temperature) or 0 in lam:
        raise ValueError("the grid is empty or holds λ = 0, which is the baseline: give λ > 0")
    if metric not in METRICS[task]:
        raise ValueError(f"{task} has no metric {metric!r}: choose {', '.join(METRICS[task])}")


def _folds(n: int, folds: int, repeats: int, seed: int) -> tuple[NDArray, NDArray]:
    """Row numbers [repeats * folds, ...] to train and to test on; n % folds rows sit out."""
    trains, tests = [], []
    for repeat in range(repeats):
        order = np.random.default_rng([seed, repeat]).permutation(n)[: n - n % folds]
        for train, test in KFold(folds).split(order):
            trains.append(order[train])
            tests.append(order[test])
    return np.array(trains), np.array(tests)


def _score(predictions: NDArray, truth: NDArray, metric: str) -> NDArray:
    """Score [e] of every member; more is better."""
    if metric == "mse":
        return -((predictions[..., 0] - truth) ** 2).mean(axis=1)
    if metric == "accuracy":
        return (predictions.argmax(-1) == truth).mean(axis=1)
    log_p = log_softmax(predictions, axis=-1)
    return np.take_along_axis(log_p, truth[..., None], -1)[..., 0].mean(axis=1)


def _choose(scores: NDArray, grid: list, metric: str, test_share: float) -> Recommendation:
    gains = (scores[:, 1:] - scores[:, :1]).T
    rows = [[*at, *intervals.repeated_folds(g, test_share)] for at, g in zip(grid[1:], gains)]
    table = pd.DataFrame(rows, columns=["lam", "temperature", "gain", "gain_lo", "gain_hi"])
    table.insert(2, "score", scores[:, 1:].mean(axis=0) * (-1 if metric != "accuracy" else 1))
    which = table["gain"].idxmax()
    _, one_stderr_below, _ = intervals.repeated_folds(gains[which], test_share, level=0.68)
    if one_stderr_below <= 0:
        return Recommendation(0.0, 1.0, 0.0, (0.0, 0.0), metric, table)
    best = table.loc[which].astype(float)
    ci = (best["gain_lo"], best["gain_hi"])
    return Recommendation(best["lam"], best["temperature"], best["gain"], ci, metric, table)
