"""The method `gaussian`: canonical correlations; linear discriminants for class labels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import logsumexp

from .base import Pointwise
from .held_out import folds
from .mixture import Clusters
from .normal import canonical_log_ratio, full_rank, wishart_bias

FOLDS = 5


def gaussian(x, y, *, discrete: bool, seed: int, groups=None) -> Pointwise:
    """Log density ratios of a jointly Gaussian fit, or terms of H(Y) - CE of a discriminant.

    With dx + dy <= n / 3 the canonical correlations of the sample are used and their bias,
    known exactly for Gaussian rows, is subtracted. Beyond, covariances are shrunk
    (Ledoit & Wolf 2004) and the ratio is evaluated on five held-out folds, which keeps the
    estimate finite at any d and biased low. For class labels the folds make a lower bound.
    """
    if discrete:
        return Pointwise(label_terms(held_out_posterior(lda, full_rank(x), y, seed), y))
    x, y = full_rank(x), full_rank(y)
    n, dx, dy = len(x), x.shape[1], y.shape[1]
    if 3 * (dx + dy) > n:
        values = np.empty(n)
        for train, test in folds(n, FOLDS, seed):
            values[test] = _shrunk_fit(x[train], y[train]).log_ratio(x[test], y[test])
        return Pointwise(values)
    qx, qy = np.linalg.qr(x - x.mean(0))[0], np.linalg.qr(y - y.mean(0))[0]
    u, rho, vt = np.linalg.svd(qx.T @ qy, full_matrices=False)
    rho = np.clip(rho, 0.0, 1.0 - 1e-12)
    scale = np.sqrt(n - 1)
    values = canonical_log_ratio(scale * qx @ u, scale * qy @ vt.T, rho)
    plug_in = -0.5 * np.log1p(-(rho**2)).sum()
    return Pointwise(values - values.mean() + plug_in - wishart_bias(n, dx, dy))


def _shrunk_fit(x, y) -> Clusters:
    from sklearn.covariance import ledoit_wolf

    z = np.hstack([x, y])
    cov = ledoit_wolf(z - z.mean(0), assume_centered=True)[0]
    return Clusters(np.ones(1), z.mean(0, keepdims=True), cov, x.shape[1])


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
    white = np.linalg.inv(np.linalg.cholesky(cov)).T
    a, m = x_new @ white, mean @ white
    score = a @ m.T - 0.5 * (m**2).sum(1) + np.log((count + 0.5) / (len(x) + 0.5 * n_classes))
    return score - logsumexp(score, axis=1, keepdims=True)
