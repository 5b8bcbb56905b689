"""Covariances of the joint Gaussian model: which are possible, and the information they hold."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_SMALLEST_EIGENVALUE = 1e-12  # of a correlation matrix we still call positive definite


def admissible_g(r: float, q: float) -> tuple[float, float]:
    """Open interval of corr(y, t) that is possible given r = corr(s, y) and q = corr(t, s).

    The three correlations must form a positive definite matrix: (g - qr)^2 < (1 - q^2)(1 - r^2).

    Examples
    --------
    >>> [round(g, 2) for g in admissible_g(r=0.6, q=0.8)]
    [0.0, 0.96]
    """
    half = float(np.sqrt((1 - q**2) * (1 - r**2)))
    return q * r - half, q * r + half


def q_for_gap(gap: ArrayLike, r: ArrayLike) -> NDArray | float:
    """Correlation q = corr(t, s) >= 0 at which I(t;s) - I(s;y) equals `gap` nats.

    `r` is corr(s, y) and broadcasts with `gap`. A `ValueError` where r is outside (0, 1), or `gap`
    would need I(t;s) < 0 or q = 1 in floating point.

    Examples
    --------
    >>> round(float(q_for_gap(0.0, 0.6)), 6)  # a gap of zero: both correlations are equal
    0.6
    """
    gap, r = np.asarray(gap, float), np.asarray(r, float)
    if not np.all((r > 0) & (r < 1)):
        raise ValueError(f"r = corr(s, y) must lie strictly between 0 and 1, got {r}")
    mi_student_label = -0.5 * np.log1p(-(r**2))
    if not np.all(gap >= -mi_student_label):
        raise ValueError(
            f"gap {np.min(gap):g} nats needs I(t;s) < 0; at this r the smallest possible gap is "
            f"{np.max(-mi_student_label):.4g} nats"
        )
    q = np.sqrt(-np.expm1(-2 * (mi_student_label + gap)))
    if not np.all(q < 1):
        raise ValueError(f"gap {np.max(gap):g} nats needs corr(t, s) = 1; choose a smaller gap")
    return q[()]


def block_mi(cov: ArrayLike, a: ArrayLike, b: ArrayLike) -> float:
    """Mutual information in nats between two blocks of coordinates of one Gaussian vector.

    I(A;B) = (log det S_aa + log det S_bb - log det S_ab,ab) / 2, where `a` and `b` hold the
    coordinates, none in both (`ValueError`), and `cov` `[d, d]` is positive definite.

    Examples
    --------
    >>> round(block_mi([[1, 0.6], [0.6, 1]], [0], [1]), 4)  # -ln(1 - .36) / 2
    0.2231
    """
    cov, a, b = np.asarray(cov, float), np.atleast_1d(a), np.atleast_1d(b)
    if np.intersect1d(a, b).size:
        raise ValueError("blocks a and b share a coordinate, so their information is infinite")

    def logdet(index: NDArray) -> float:
        return np.linalg.slogdet(cov[np.ix_(index, index)])[1]

    return float(0.5 * (logdet(a) + logdet(b) - logdet(np.concatenate([a, b]))))


def check_positive_definite(cov: NDArray) -> None:
    """Refuse a covariance that is not finite, symmetric and safely positive definite."""
    if not np.isfinite(cov).all() or not np.allclose(cov, cov.T, rtol=1e-8, atol=1e-12):
        raise ValueError("cov must be finite and symmetric; pass (cov + cov.T) / 2 if it nearly is")
    scale = np.sqrt(np.maximum(np.diag(cov), 0))
    # On the correlation scale, so that the units of the variables do not matter.
    smallest = np.linalg.eigvalsh(cov / np.outer(scale, scale))[0] if scale.all() else 0.0
    if smallest < _SMALLEST_EIGENVALUE:
        raise ValueError(
            f"cov is not positive definite (smallest eigenvalue {smallest:.2g} on the correlation "
            "scale); drop duplicated or constant coordinates"
        )


def check_correlations(r: float, q: float, g: float, teacher_sd: float | str) -> float:
    """Refuse impossible correlations; return the teacher's standard deviation as a number."""
    if not 0 < r < 1:
        raise ValueError(f"r = corr(s, y) must lie strictly between 0 and 1, got {r}")
    if not -1 < q < 1:
        raise ValueError(f"q = corr(t, s) must lie strictly between -1 and 1, got {q}")
    low, high = admissible_g(r, q)
    if not low < g < high:
        raise ValueError(
            f"g = corr(y, t) = {g} is impossible with r={r}, q={q}: choose g strictly between "
            f"{low:.4f} and {high:.4f}"
        )
    if teacher_sd == "calibrated":
        if not g > 0:
            raise ValueError(f"a calibrated teacher has corr(y, t) = sd(t) > 0, got g={g}")
        return g
    if isinstance(teacher_sd, str) or not 0 <= teacher_sd < np.inf:
        raise ValueError(f'teacher_sd must be a number >= 0 or "calibrated", got {teacher_sd!r}')
    return teacher_sd
