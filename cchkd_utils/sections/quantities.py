"""What several sections compute: scores of predictions, points of a grid, exact informations."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax, ndtr, xlogy
from scipy.stats import norm, rankdata

from cchkd_utils.gaussian import JointGaussian, block_mi
from cchkd_utils.results import intervals

METRICS = ("accuracy", "weighted F1", "AUC")


def scores(logits: ArrayLike, labels: ArrayLike) -> dict[str, NDArray]:
    """Score logits [..., n, k] of classes [n] by each of `METRICS`, [...].

    F1 weighs classes by their rows. AUC: mean over classes of one against the rest, on
    probabilities; a class without rows, or with all of them, is left out.
    """
    logits, labels = np.asarray(logits, float), np.asarray(labels)
    n, k = logits.shape[-2:]
    is_class = labels[:, None] == np.arange(k)  # [n, k]
    said = logits.argmax(-1)[..., None] == np.arange(k)  # [..., n, k]
    sizes = is_class.sum(axis=0)
    hit = (said & is_class).sum(axis=-2)
    f1 = 2 * hit / np.maximum(said.sum(axis=-2) + sizes, 1)
    # Mann and Whitney: the mean rank of a class's rows among all, scaled to [0, 1]
    there = (sizes > 0) & (sizes < n)
    own = sizes[there]
    ranks = rankdata(log_softmax(logits, axis=-1)[..., there], axis=-2)
    above = (ranks * is_class[:, there]).sum(axis=-2) - own * (own + 1) / 2
    auc = (above / (own * (n - own))).mean(axis=-1)
    return {"accuracy": hit.sum(axis=-1) / n, "weighted F1": f1 @ sizes / n, "AUC": auc}


def influences(logits: ArrayLike, labels: ArrayLike) -> dict[str, NDArray]:
    """Influence of each row [..., n] on each of `scores`: their mean is 0.

    A score is a function of the distribution of the rows; these are its derivatives.
    """
    logits, labels = np.asarray(logits, float), np.asarray(labels)
    n, k = logits.shape[-2:]
    is_class = labels[:, None] == np.arange(k)
    said = logits.argmax(-1)[..., None] == np.arange(k)
    hit = said & is_class
    right = hit.any(axis=-1).astype(float)
    # F1 of a class is 2 h / (q + s): shares of rows that are hits, are said to be, and are of it
    h, q, s = (a.mean(axis=-2)[..., None, :] for a in (hit, said, is_class))
    total = np.maximum(q + s, 1e-12)
    f1 = 2 * h / total
    moved = f1 * (is_class - s) + s * (2 * (hit - h) - f1 * (said - q + is_class - s)) / total
    there = np.flatnonzero((s.ravel() > 0) & (s.ravel() < 1))
    p = log_softmax(logits, axis=-1)
    placed = np.zeros(logits.shape[:-1])
    for c in there:
        own = is_class[:, c]
        ranks = rankdata(p[..., c], axis=-1)
        within = np.empty_like(ranks)
        within[..., own] = rankdata(p[..., own, c], axis=-1)
        within[..., ~own] = rankdata(p[..., ~own, c], axis=-1)
        below = ranks - within  # rows of the other side that are below
        m, share = own.sum(), own.mean()
        placed += np.where(own, below / (n - m) / share, (1 - below / m) / (1 - share))
        auc = below[..., own].mean(axis=-1, keepdims=True) / (n - m)
        placed -= auc * np.where(own, 1 / share, 1 / (1 - share))
    return {
        "accuracy": right - right.mean(axis=-1, keepdims=True),
        "weighted F1": moved.sum(axis=-1),
        "AUC": placed / max(len(there), 1),
    }


def scores_and_influences(logits: ArrayLike, labels: ArrayLike) -> dict[str, tuple]:
    """Pair `scores` with `influences`, by metric."""
    own, moved = scores(logits, labels), influences(logits, labels)
    return {name: (own[name], moved[name]) for name in METRICS}


def over_folds(
    before: ArrayLike, after: ArrayLike, labels: NDArray, held_out: Sequence[NDArray],
    units: NDArray, repeats: Sequence[int], measured: Callable = scores_and_influences,
) -> dict[str, tuple[NDArray, NDArray, NDArray, int]]:  # fmt: skip
    """Score logits of each fold on the rows it held out, before and after distillation.

    `before` [folds, n, k] and `after` [..., folds, n, k]; `units` [n] and `repeats` [folds] as in
    `intervals.over_units`; `measured` as `scores_and_influences`. By metric: both scores [folds]
    and [..., folds], the standard error of the mean gain over units [...], and how many units
    there are.
    """
    folds = list(enumerate(held_out))
    old, new = (
        [measured(z[..., i, rows, :], labels[rows]) for i, rows in folds]
        for z in (np.asarray(before), np.asarray(after))
    )
    out = {}
    for name in old[0]:
        first, second = (np.stack([fold[name][0] for fold in side], -1) for side in (old, new))
        moved = [b[name][1] - a[name][1] for a, b in zip(old, new)]
        out[name] = (
            first, second, *intervals.over_units(moved, held_out, units, second - first, repeats)
        )  # fmt: skip
    return out


def regression_scores(predictions: ArrayLike, targets: ArrayLike) -> dict[str, float]:
    """Score predictions [n] of real targets [n]: ``mae`` and ``correlation`` (0 of a constant)."""
    a, b = np.asarray(predictions, float), np.asarray(targets, float)
    varies = a.std() > 0 and b.std() > 0
    correlation = float(np.corrcoef(a, b)[0, 1]) if varies else 0.0
    return {"mae": float(abs(a - b).mean()), "correlation": correlation}


def nearest(values: Iterable[float], wanted: float) -> float:
    """Return the value nearest to `wanted`; of two equally near ones, the smaller."""
    return min(values, key=lambda value: (abs(value - wanted), value))


def near(table: pd.DataFrame, **wanted: float) -> pd.DataFrame:
    """Return the rows whose columns have the values of the table that are nearest to `wanted`."""
    for column, value in wanted.items():
        table = table[table[column] == nearest(table[column].unique(), value)]
    return table


def crossing(knob: ArrayLike, gain: ArrayLike) -> float:
    """Return where a gain [m] first rises through 0 as the knob [m] grows, linearly; or nan."""
    x, y = np.asarray(knob, float), np.asarray(gain, float)
    rises = np.flatnonzero((y[:-1] < 0) & (y[1:] >= 0))
    if not rises.size:
        return float("nan")
    i = rises[0]
    return float(x[i] - y[i] * (x[i + 1] - x[i]) / (y[i + 1] - y[i]))


def crossing_interval(
    knob: ArrayLike, gains: ArrayLike, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Crossing of the mean of `gains` [s, m], and its 95 % interval by bootstrap over s seeds.

    Bootstrap samples that do not cross are left out.
    """
    gains = np.asarray(gains, float)
    picks = rng.integers(len(gains), size=(2000, len(gains)))
    crossings = np.array([crossing(knob, gains[rows].mean(axis=0)) for rows in picks])
    crossings = crossings[np.isfinite(crossings)]
    low, high = np.percentile(crossings, [2.5, 97.5]) if crossings.size else (np.nan, np.nan)
    return crossing(knob, gains.mean(axis=0)), float(low), float(high)


def exact_verdict(teacher_student: float, student_label: float) -> dict[str, object]:
    """Return the criterion's columns where both informations (nats) are known exactly."""
    gap = teacher_student - student_label
    return {
        "estimator": "exact", "mi_teacher_student": teacher_student,
        "mi_student_label": student_label, "gap": gap, "gap_lo": gap, "gap_hi": gap,
        "p_wrong": 0.0 if gap else 0.5,
        "decision": "distil" if gap > 0 else "do not distil" if gap < 0 else "undecided",
    }  # fmt: skip


def exact_case(
    model: JointGaussian, h1: list[int] | None = None, h2: list[int] | None = None
) -> dict[str, object]:
    """Return `exact_verdict` and the exact rivals of a linear teacher and its linear student.

    `h1`, `h2`: coordinates of (x1, x2) that are the representations. Default: the predictions.
    """
    weights = np.zeros((3, len(model.cov)))  # of t, s and y
    weights[0, : model.p1], weights[1, model.p1 : -1] = model.w1, model.student_weights
    weights[2, -1] = 1
    moments = weights @ model.cov @ weights.T
    cov, y = (moments, [2]) if h1 is None else (model.cov, [len(model.cov) - 1])
    h1, h2 = ([0], [1]) if h1 is None else (h1, h2)
    cross, own_1, own_2 = (
        np.linalg.norm(cov[np.ix_(*pair)]) for pair in ((h1, h2), (h1, h1), (h2, h2))
    )
    empty = own_1 == 0  # a constant teacher: nothing to know
    shared = 0.0 if empty else block_mi(cov, h1, h2)
    return exact_verdict(shared, block_mi(cov, h2, y)) | {
        "teacher R2": float((2 * moments[0, 2] - moments[0, 0]) / moments[2, 2]),
        "linear CKA": 0.0 if empty else float(cross**2 / (own_1 * own_2)),
        "residual alignment": model.residual_alignment,
        "I(teacher; label | student)": 0.0 if empty else block_mi(cov, h1, h2 + y) - shared,
    }


def exact_given_label(model: JointGaussian, h1: list[int], h2: list[int]) -> tuple[float, float]:
    """Return I(H1;H2|Y) and I(H2;Y|H1), nats, whose difference is the gap.

    `h1`, `h2`: coordinates of (x1, x2) that are the representations.
    """
    y = [len(model.cov) - 1]
    of_teacher = block_mi(model.cov, h1, y)
    shared = block_mi(model.cov, h1, h2 + y) - of_teacher
    return shared, block_mi(model.cov, h1 + h2, y) - of_teacher


def class_probabilities(rho: float, s: ArrayLike, edges: ArrayLike = (0.0,)) -> NDArray:
    """P(class | s) [n, k] of standard normal s [n] and z, correlation rho; `edges` cut z."""
    if not -1 < rho < 1:
        raise ValueError(f"rho is {rho}: choose a correlation strictly between -1 and 1")
    ends = np.concatenate([[-np.inf], edges, [np.inf]])
    return np.diff(ndtr((ends - rho * np.asarray(s)[:, None]) / np.sqrt(1 - rho**2)), axis=1)


def class_information(rho: float, edges: ArrayLike = (0.0,)) -> float:
    """I(s; class) in nats of `class_probabilities`, where the classes are equally probable."""
    s = np.linspace(-8, 8, 2001)
    p = class_probabilities(rho, s, edges)
    entropy, weight = -xlogy(p, p).sum(axis=1), norm.pdf(s)
    return float(np.log(p.shape[1]) - (entropy * weight).sum() / weight.sum())
