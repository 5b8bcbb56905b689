"""Cheaper criteria to hold against the mutual-information gap.

Where a rival needs predictions and none are given, a held-out probe on the representations stands
in: a shrunk linear discriminant for classes, ridge regression for targets, five folds.
"""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

from cchkd_utils.mi.base import folds
from cchkd_utils.mi.inputs import as_array
from cchkd_utils.mi.normal import FOLDS, held_out_posterior, lda, leading

RIDGE = 1.0
SMALLEST = 2e-9  # probability, or share of a variance, so that logarithms stay finite


def linear_cka(a: np.ndarray, b: np.ndarray) -> float:
    """Linear centred kernel alignment of `[n, d1]`, `[n, d2]`: Kornblith et al. (2019), eq. 3."""
    a, b = a - a.mean(0), b - b.mean(0)
    cross = np.linalg.norm(a.T @ b) ** 2
    return float(cross / (np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)))


def residual_alignment(target: np.ndarray, teacher: np.ndarray, student: np.ndarray) -> float:
    """E<y - t, y - s> of predictions `[n, K]`.

    Positive where a small weight lowers the risk of the linear Gaussian student (theory page).
    """
    return float(((target - teacher) * (target - student)).sum(1).mean())


def rival_criteria(
    teacher, student, labels, discrete, logits=(None, None), seed=0, classes=None
) -> dict[str, float]:
    """All rivals of one teacher–student pair, by name.

    Of representations `[n, d1]`, `[n, d2]` without constant columns, class codes `[n]` or targets
    `[n, p]`. `logits` are the teacher's and the student's, `[n, K]`, or predictions `[n]` /
    `[n, p]`; `classes` the column of each code in them, where a class has no row, else 0 to K - 1.
    """
    probe = _class_probe if discrete else _target_probe
    place = _places(labels, classes, *logits) if discrete else None
    target = place[labels] if discrete else labels

    def prediction(h, given, name):
        if given is not None:
            return _given(given, target, discrete, name)
        probed = probe(h, labels, seed)
        return probed @ place if discrete else probed

    h1, h2 = leading(teacher), leading(student)
    t = prediction(h1, logits[0], "teacher_logits")
    s = prediction(h2, logits[1], "student_logits")
    alone, joint = probe(h2, labels, seed), probe(leading(np.hstack([h1, h2])), labels, seed)
    return {
        "teacher accuracy" if discrete else "teacher R2": _skill(target, t, discrete),
        "linear CKA": linear_cka(teacher, student),
        "residual alignment": residual_alignment(target, t, s),
        "I(teacher; label | student)": _extra(labels, alone, joint, discrete),
    }


def accuracy(codes: np.ndarray, logits, classes: np.ndarray | None = None) -> float:
    """Share of rows whose largest of `logits` is their class; arguments as in `rival_criteria`."""
    target = _places(codes, classes, logits)[codes]
    return _skill(target, _given(logits, target, True, "logits"), True)


def _places(codes, classes, *given) -> np.ndarray:
    """Return the matrix `[codes, columns]` that puts each class into its column of the logits."""
    k = int(codes.max()) + 1
    width = max((np.shape(logits)[1] for logits in given if np.ndim(logits) == 2), default=k)
    known = classes is not None and len(classes) == k and classes.min() >= 0
    return np.eye(width)[classes] if known and k < width > classes.max() else np.eye(k)


def _given(logits, target, discrete, name):
    a = as_array(logits, name)
    a = a[:, None] if a.ndim == 1 else a
    a = a.astype(float) if a.dtype.kind in "fiubO" else a
    if a.shape != target.shape:
        raise ValueError(f"{name} has shape {a.shape}; {target.shape} is needed to fit the labels.")
    if not np.isfinite(a).all():
        raise ValueError(f"{name} has NaN or inf; remove these rows first.")
    return softmax(a, axis=1) if discrete else a


def _class_probe(h, codes, seed):
    """Held-out class probabilities `[n, K]`."""
    return np.maximum(np.exp(held_out_posterior(lda, h, codes, seed)), SMALLEST)


def _target_probe(h, y, seed):
    """Held-out ridge predictions `[n, p]`."""
    predicted = np.empty_like(y, dtype=float)
    for train, test in folds(len(h), FOLDS, seed):
        centre, mean = h[train].mean(0), y[train].mean(0)
        a = h[train] - centre
        w = np.linalg.solve(a.T @ a + RIDGE * np.eye(a.shape[1]), a.T @ (y[train] - mean))
        predicted[test] = (h[test] - centre) @ w + mean
    return predicted


def _skill(target, prediction, discrete) -> float:
    if discrete:
        return float((target.argmax(1) == prediction.argmax(1)).mean())
    rest = ((target - prediction) ** 2).sum() / ((target - target.mean(0)) ** 2).sum()
    return float(1.0 - rest)


def _extra(labels, alone, joint, discrete) -> float:
    """CE(Y|H2) - CE(Y|H1,H2), or half the log ratio of the squared errors."""
    if discrete:
        rows = np.arange(len(labels))
        return float(np.log(joint[rows, labels] / alone[rows, labels]).mean())
    floor = SMALLEST * labels.var(0)
    errors = [np.maximum(((labels - p) ** 2).mean(0), floor) for p in (alone, joint)]
    return float(0.5 * np.log(errors[0] / errors[1]).sum())
