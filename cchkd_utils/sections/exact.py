"""Verdicts, rivals and informations that are known, not estimated: those of joint Gaussians."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, xlogy
from scipy.stats import norm

from cchkd_utils.gaussian import JointGaussian, block_mi


def exact_verdict(teacher_student: float, student_label: float) -> dict[str, object]:
    """Return the criterion's columns where both informations (nats) are known exactly."""
    gap = teacher_student - student_label
    return {
        "estimator": "exact",
        "mi_teacher_student": teacher_student,
        "mi_student_label": student_label,
        **dict.fromkeys(["gap", "gap_lo", "gap_hi"], gap),
        "p_wrong": 0.0 if gap else 0.5,
        "decision": "distil" if gap > 0 else "do not distil" if gap < 0 else "undecided",
    }


def exact_case(
    model: JointGaussian, h1: ArrayLike | None = None, h2: ArrayLike | None = None
) -> dict[str, object]:
    """Return `exact_verdict` and the exact rivals of a linear teacher and its linear student.

    `h1` and `h2` are the coordinates of (x1, x2) that are the representations. Default: both
    predictions.
    """
    weights = np.zeros((3, len(model.cov)))  # of t, s and y
    weights[0, : model.p1], weights[1, model.p1 : -1] = model.w1, model.student_weights
    weights[2, -1] = 1
    moments = weights @ model.cov @ weights.T
    cov, y = (moments, [2]) if h1 is None else (model.cov, [len(model.cov) - 1])
    h1, h2 = ([0], [1]) if h1 is None else (list(h1), list(h2))
    empty = not cov[np.ix_(h1, h1)].any()  # a constant teacher: nothing to know
    shared = 0.0 if empty else block_mi(cov, h1, h2)
    return exact_verdict(shared, block_mi(cov, h2, y)) | {
        "teacher R2": float((2 * moments[0, 2] - moments[0, 0]) / moments[2, 2]),
        "linear CKA": 0.0 if empty else _population_cka(cov, h1, h2),
        "residual alignment": model.residual_alignment,
        "I(teacher; label | student)": 0.0 if empty else block_mi(cov, h1, h2 + y) - shared,
    }


def _population_cka(cov: np.ndarray, a: list[int], b: list[int]) -> float:
    cross, own_a, own_b = (np.linalg.norm(cov[np.ix_(*p)]) for p in ((a, b), (a, a), (b, b)))
    return float(cross**2 / (own_a * own_b))


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
