"""Gaussian estimators: canonical correlations, and linear discriminants for class labels."""

from __future__ import annotations

import numpy as np
from scipy.special import digamma, logsumexp

RANK_TOLERANCE = 1e-7


def full_rank(a: np.ndarray) -> np.ndarray:
    """Standardise and rotate `a` `[n, d]` to its principal axes, dropping null directions."""
    a = (a - a.mean(0)) / a.std(0)
    u, s, _ = np.linalg.svd(a, full_matrices=False)
    return u[:, s > RANK_TOLERANCE * s[0]] * np.sqrt(len(a))


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


def gaussian_pointwise(x: np.ndarray, y: np.ndarray, seed: int = 0) -> np.ndarray:
    """Row-wise log density ratios of a jointly Gaussian fit; their mean estimates I(X;Y).

    With dx + dy <= n / 3 the canonical correlations of the sample are used and their bias,
    known exactly for Gaussian rows, is subtracted. Beyond, covariances are shrunk
    (Ledoit & Wolf 2004) and the ratio is evaluated on five held-out folds, which keeps the
    estimate finite at any d and biased low.

    Parameters
    ----------
    x, y : ndarray
        `[n, dx]`, `[n, dy]`; collinear columns are allowed.
    seed : int
        Of the folds.

    Returns
    -------
    ndarray
        `[n]`, nats.
    """
    x, y = full_rank(x), full_rank(y)
    n, d = len(x), x.shape[1] + y.shape[1]
    if 3 * d <= n:
        qx, qy = np.linalg.qr(x - x.mean(0))[0], np.linalg.qr(y - y.mean(0))[0]
        u, rho, vt = np.linalg.svd(qx.T @ qy, full_matrices=False)
        rho = np.clip(rho, 0.0, 1.0 - 1e-12)
        scale = np.sqrt(n - 1)
        values = canonical_log_ratio(scale * qx @ u, scale * qy @ vt.T, rho)
        plug_in = -0.5 * np.log1p(-(rho**2)).sum()
        return values - values.mean() + plug_in - wishart_bias(n, x.shape[1], y.shape[1])
    values = np.empty(n)
    for test in folds(n, 5, seed):
        train = np.setdiff1d(np.arange(n), test)
        values[test] = _shrunk_log_ratio(x[train], y[train], x[test], y[test])
    return values


def canonical_log_ratio(a: np.ndarray, b: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """Log ratio of unit-variance canonical pairs `[n, m]` with correlations `[m]`; rows `[n]`."""
    v = 1.0 - rho**2
    quadratic = (2 * rho * a * b - rho**2 * (a**2 + b**2)) / v
    return 0.5 * (quadratic - np.log(v)).sum(axis=1)


def _shrunk_log_ratio(x, y, x_new, y_new):
    from sklearn.covariance import ledoit_wolf

    mean, dx = np.hstack([x.mean(0), y.mean(0)]), x.shape[1]
    cov = ledoit_wolf(np.hstack([x, y]) - mean, assume_centered=True)[0]
    new = np.hstack([x_new, y_new]) - mean
    joint = _log_density(new, cov)
    return (
        joint - _log_density(new[:, :dx], cov[:dx, :dx]) - _log_density(new[:, dx:], cov[dx:, dx:])
    )


def _log_density(z, cov):
    """Zero-mean Gaussian log density without the factor of 2 pi, which cancels in ratios."""
    factor = np.linalg.cholesky(cov)
    white = np.linalg.solve(factor, z.T)
    return -0.5 * (white**2).sum(0) - np.log(np.diag(factor)).sum()


def folds(n: int, k: int, seed: int) -> list[np.ndarray]:
    """Draw k disjoint random sets of row numbers that cover 0..n-1."""
    return [np.sort(part) for part in np.array_split(np.random.default_rng(seed).permutation(n), k)]


def lda_pointwise(x: np.ndarray, codes: np.ndarray, seed: int = 0) -> np.ndarray:
    """Row-wise terms of H(Y) - CE of a linear discriminant on five held-out folds.

    Parameters
    ----------
    x : ndarray
        `[n, d]`.
    codes : ndarray
        `[n]`, classes 0..K-1.
    seed : int
        Of the folds.

    Returns
    -------
    ndarray
        `[n]`, nats. Their mean is a lower bound of I(X;Y) up to sampling error.
    """
    x = full_rank(x)
    prior = np.bincount(codes) / len(codes)
    values = np.empty(len(x))
    for test in folds(len(x), 5, seed):
        train = np.setdiff1d(np.arange(len(x)), test)
        log_p = lda_log_posterior(x[train], codes[train], x[test], len(prior))
        values[test] = log_p[np.arange(len(test)), codes[test]] - np.log(prior[codes[test]])
    return values


def lda_log_posterior(x, codes, x_new, n_classes: int) -> np.ndarray:
    """Log class probabilities `[m, K]` of a linear discriminant with a shrunk covariance."""
    from sklearn.covariance import ledoit_wolf

    count = np.bincount(codes, minlength=n_classes)
    mean = np.vstack([x[codes == c].mean(0) if count[c] else x.mean(0) for c in range(n_classes)])
    # The constant keeps classes without any spread invertible.
    cov = ledoit_wolf(x - mean[codes], assume_centered=True)[0] + 1e-9 * np.eye(x.shape[1])
    white = np.linalg.inv(np.linalg.cholesky(cov)).T
    a, m = x_new @ white, mean @ white
    score = a @ m.T - 0.5 * (m**2).sum(1) + np.log((count + 0.5) / (len(x) + 0.5 * n_classes))
    return score - logsumexp(score, axis=1, keepdims=True)
