"""The jointly normal model: the method `gaussian`, and parts of it that other methods use."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import digamma, logsumexp

from .base import TAILS, Pointwise, folds

FOLDS = 5
RANK_TOLERANCE = 1e-7
SINGULAR = 1e-6  # noise, as a share of the variance, against a singular covariance


def gaussian(x, y, *, discrete: bool, seed: int, groups=None, scores: bool = True) -> Pointwise:
    """Log density ratios of a jointly Gaussian fit, or terms of H(Y) - CE of a discriminant.

    From the sample's canonical correlations, less their bias, known exactly for Gaussian rows.
    Columns become normal scores first; `scores=False`: the textbook estimate, on the values.
    """
    from .copula import gaussian_ranks  # which needs this module

    ready = gaussian_ranks if scores else standardised
    notes = ("on normal scores",) if scores else (TAILS,)
    if discrete:
        posterior = held_out_posterior(lda, full_rank(ready(x)), y, seed)
        terms = label_terms(posterior, y)
        return Pointwise(terms, notes, unseen=float(terms.mean()))
    x, y = full_rank(ready(x)), full_rank(ready(y))
    n, dx, dy = len(x), x.shape[1], y.shape[1]
    if 2 * (dx + dy) > n:
        raise ValueError(
            f"x and y have {dx} + {dy} independent columns in {n} rows; method 'gaussian' needs "
            "two rows for each. Pass fewer columns, such as principal components, or use 'auto'."
        )
    qx, qy = np.linalg.qr(x - x.mean(0))[0], np.linalg.qr(y - y.mean(0))[0]
    u, rho, vt = np.linalg.svd(qx.T @ qy, full_matrices=False)
    rho = np.clip(rho, 0.0, 1.0 - 1e-12)
    scale = np.sqrt(n - 1)
    values = canonical_log_ratio(scale * qx @ u, scale * qy @ vt.T, rho)
    plug_in = -0.5 * np.log1p(-(rho**2)).sum()
    return Pointwise(values - values.mean() + plug_in - wishart_bias(n, dx, dy), notes)


def held_out_posterior(model: Callable, x, codes, seed: int) -> np.ndarray:
    """Log class probabilities `[n, K]` on held-out folds, by `model(x, codes, x_new, K)`."""
    n_classes = int(codes.max()) + 1
    log_p = np.empty((len(x), n_classes))
    for train, test in folds(len(x), FOLDS, seed):
        log_p[test] = model(x[train], codes[train], x[test], n_classes)
    return log_p


def label_terms(log_p, codes) -> np.ndarray:
    """Row-wise terms `[n]` of H(Y) - CE: ln p(y|x) - ln p(y)."""
    prior = np.bincount(codes) / len(codes)
    return log_p[np.arange(len(codes)), codes] - np.log(prior[codes])


def lda(x, codes, x_new, n_classes: int) -> np.ndarray:
    """Log class probabilities `[m, K]` of a linear discriminant with a shrunk covariance."""
    from sklearn.covariance import ledoit_wolf

    count = np.bincount(codes, minlength=n_classes)
    mean = np.vstack([x[codes == c].mean(0) if count[c] else x.mean(0) for c in range(n_classes)])
    # The constant keeps classes without any spread invertible.
    cov = ledoit_wolf(x - mean[codes], assume_centered=True)[0] + 1e-9 * np.eye(x.shape[1])
    white = whitening(cov)
    a, m = x_new @ white, mean @ white
    score = a @ m.T - 0.5 * (m**2).sum(1) + np.log((count + 0.5) / (len(x) + 0.5 * n_classes))
    return score - logsumexp(score, axis=1, keepdims=True)


def whitening(cov: np.ndarray) -> np.ndarray:
    """Return the matrix `[d, d]` that turns rows of covariance `cov` into white ones."""
    try:
        root = np.linalg.cholesky(cov)
    except np.linalg.LinAlgError:  # some columns are copies: a trace of noise parts them
        root = np.linalg.cholesky(cov + SINGULAR * np.diag(np.diag(cov)))
    return np.linalg.inv(root).T


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
    """Bias in nats of the plug-in Gaussian information on n > dx + dy Gaussian rows.

    From E ln|W| of a Wishart matrix with n - 1 degrees of freedom (Anderson 2003, sec. 7.5);
    close to dx * dy / (2n).
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
