"""The jointly normal model: log ratio of canonical pairs, and the bias of its fit."""

from __future__ import annotations

import numpy as np
from scipy.special import digamma

RANK_TOLERANCE = 1e-7


def standardised(a: np.ndarray) -> np.ndarray:
    """Columns of `[n, d]` with mean 0 and variance 1."""
    return (a - a.mean(0)) / a.std(0)


def full_rank(a: np.ndarray) -> np.ndarray:
    """Standardise and rotate `a` `[n, d]` to its principal axes, dropping null directions."""
    u, s, _ = np.linalg.svd(standardised(a), full_matrices=False)
    return u[:, s > RANK_TOLERANCE * s[0]] * np.sqrt(len(a))


def leading(a: np.ndarray) -> np.ndarray:
    """Return the principal axes of `a` `[n, d]`, at most n / 8 of them."""
    return full_rank(a)[:, : max(2, len(a) // 8)]


def canonical_log_ratio(a, b, rho, *, pairs: bool = False) -> np.ndarray:
    """Log p(a,b)/p(a)p(b) of canonical variates with unit variances and correlations `rho` `[m]`.

    Of the rows of `a`, `b` `[n, m]`: `[n]`; with `pairs` of all pairs of rows: `[n, n']`.
    """
    v = 1.0 - rho**2
    if pairs:
        own_a, own_b = (z**2 @ (rho**2 / v) for z in (a, b))
        quadratic = 2.0 * (a * (rho / v)) @ b.T - own_a[:, None] - own_b
        return 0.5 * (quadratic - np.log(v).sum())
    quadratic = (2 * rho * a * b - rho**2 * (a**2 + b**2)) / v
    return 0.5 * (quadratic - np.log(v)).sum(axis=1)


def wishart_bias(n: int, dx: int, dy: int) -> float:
    """Bias in nats of the plug-in Gaussian information on n Gaussian rows.

    From E ln|W| of a Wishart matrix with n - 1 degrees of freedom (Anderson 2003, sec. 7.5);
    close to dx * dy / (2n). Needs n > dx + dy.
    """

    def half_logdet(d):
        return 0.5 * float(digamma((n - 1 - np.arange(d)) / 2.0).sum())

    return half_logdet(dx) + half_logdet(dy) - half_logdet(dx + dy)


def held_out_bias(n: int, dx: int, dy: int) -> float:
    """Bias in nats, below zero, of a Gaussian fit to n rows evaluated on fresh rows.

    As `wishart_bias`, with E tr W^-1 = d / (n - d - 2); close to -dx * dy / (2n).
    """

    def half_trace(d):
        return 0.5 * (n - 1) * d / (n - d - 2)

    return wishart_bias(n, dx, dy) + half_trace(dx) + half_trace(dy) - half_trace(dx + dy)
