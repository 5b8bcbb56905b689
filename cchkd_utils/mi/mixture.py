"""Part of `auto`: Gaussian clusters with one covariance, for clustered data."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp, ndtr

from .base import Pointwise, folds, info_nce_rows, log_sum_exp
from .copula import canonical, fit_normal, scores, uniform_ranks
from .normal import held_out_bias, standardised, whitening, wishart_bias

CLUSTERS = (2, 4, 8, 12)
MAX_COLUMNS = 40  # unsupervised clustering is hopeless beyond
BOUND_FOLDS, FOLDS = 3, 5
COPULA_STEPS, CHOICE_ROWS = 8, 2000
CHUNK_ROWS = 100  # of all pairs, for all clusters at once
OUTLIER_STEPS, MAX_OUTLIERS = 50, 0.05


@dataclass(frozen=True)
class Clusters:
    """Weights `[K]`, means `[K, d]` and covariance `[d, d]` of z = (x, y)."""

    weights: np.ndarray
    means: np.ndarray
    cov: np.ndarray
    dx: int

    def log_density(self, z: np.ndarray, columns) -> np.ndarray:
        """Log density `[n]` of these columns, up to the powers of 2 pi."""
        root = whitening(self.cov[columns, columns])
        white, centre = z @ root, self.means[:, columns] @ root
        q = (white**2).sum(1)[:, None] + (centre**2).sum(1)[None] - 2.0 * white @ centre.T
        return logsumexp(np.log(self.weights) - 0.5 * q, axis=1) + np.log(np.diag(root)).sum()

    def nearest(self, z: np.ndarray) -> np.ndarray:
        """The likeliest cluster `[n]` of rows."""
        root = whitening(self.cov)
        a, m = z @ root, self.means @ root
        return (a @ m.T - 0.5 * (m**2).sum(1) + np.log(self.weights)).argmax(1)

    def _log_alone(self, x, y):
        return self.log_density(x, slice(0, self.dx)), self.log_density(y, slice(self.dx, None))

    def log_ratio(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Rows' ln p(x,y)/p(x)p(y) `[n]`."""
        lx, ly = self._log_alone(x, y)
        return self.log_density(np.hstack([x, y]), slice(None)) - lx - ly

    def pair_ratio(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The same for all pairs of rows `[n, m]`."""
        root, dx = whitening(self.cov), self.dx
        given_y = [(y - mean[dx:]) @ root[dx:] for mean in self.means]
        joint = np.empty((len(x), len(y)))
        for first in range(0, len(x), CHUNK_ROWS):
            rows, by_cluster = slice(first, first + CHUNK_ROWS), []
            for weight, mean, b in zip(self.weights, self.means, given_y):
                # The white row of a pair is the sum of what x and y give to it.
                a = (x[rows] - mean[:dx]) @ root[:dx]
                q = (a**2).sum(1)[:, None] + (b**2).sum(1) + 2.0 * a @ b.T
                by_cluster.append(np.log(weight) - 0.5 * q)
            joint[rows] = log_sum_exp(np.stack(by_cluster), 0)
        lx, ly = self._log_alone(x, y)
        return joint + np.log(np.diag(root)).sum() - lx[:, None] - ly

    def truncated(self, n: int) -> Clusters:
        """The same with only those within-cluster correlations of x and y beyond chance."""
        cov, dx = self.cov.copy(), self.dx
        model = canonical(cov, dx, np.inf, n, truncate=True)
        px, py = (project[:, : len(model.rho)] for project in (model.project_x, model.project_y))
        cov[:dx, dx:] = cov[:dx, :dx] @ (px * model.rho) @ py.T @ cov[dx:, dx:]
        cov[dx:, :dx] = cov[:dx, dx:].T
        return Clusters(self.weights, self.means, cov, dx)

    def sample(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw (x `[n, dx]`, y `[n, dy]`)."""
        which = rng.choice(len(self.weights), n, p=self.weights / self.weights.sum())
        noise = rng.standard_normal((n, len(self.cov))) @ np.linalg.cholesky(self.cov).T
        return np.hsplit(self.means[which] + noise, [self.dx])


def fit_clusters(
    x, y, clusters: int, seed: int, groups=None, rows=slice(None), start=None
) -> Clusters:
    """Fit to these rows by EM (from clusters `start` `[n]`), or by class: `groups` `[n]`."""
    z = np.hstack([x, y])[rows]
    if groups is None:
        model = _em(z, clusters, seed, start)
        return Clusters(model.weights_, model.means_, model.covariances_, x.shape[1])
    present, codes, counts = np.unique(groups[rows], return_inverse=True, return_counts=True)
    means = np.vstack([z[codes == c].mean(0) for c in range(len(present))])
    residual = z - means[codes]
    cov = residual.T @ residual / (len(z) - len(present))
    return Clusters(counts / len(z), means, cov + 1e-9 * np.eye(len(cov)), x.shape[1])


def _em(z, clusters, seed, start=None, starts=1):
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = GaussianMixture(clusters, covariance_type="tied", random_state=seed, n_init=starts)
        if start is not None and len(np.unique(start)) == clusters:
            model.means_init = np.vstack([z[start == c].mean(0) for c in range(clusters)])
        return model.fit(z)


def best_cluster_count(z: np.ndarray, seed: int, choices) -> int:
    """The number of clusters with the smallest BIC, 1 included."""
    return min((1, *choices), key=lambda k: _em(z, k, seed).bic(z))


def undone(x, y, seed: int, groups=None) -> tuple[np.ndarray, np.ndarray, int]:
    """Columns as they may have been before an increasing map of each, and the number of clusters.

    A Gaussian mixture copula (Tewari, Giering & Raghunathan 2011): ranks become quantiles of the
    mixture's margins, the mixture is fitted to these, and so on. `groups` are the clusters where
    given, else as many as `_cluster_count` finds; 1 leaves normal scores.
    """
    ranks, dx = uniform_ranks(np.hstack([x, y])), x.shape[1]
    z = standardised(scores(ranks, np.inf))
    if groups is None:
        rows = np.sort(np.random.default_rng(seed).permutation(len(x))[:CHOICE_ROWS])
        k = _cluster_count(uniform_ranks(ranks[rows]), dx, seed)
    else:
        k = len(np.unique(groups))
    if k > 1:
        z = _mixture_copula(z, ranks, dx, k, seed, groups)[0]
    return z[:, :dx], z[:, dx:], k


def _cluster_count(ranks, dx, seed):
    """The number of clusters with the best copula likelihood less BIC's penalty, 1 included."""
    start = standardised(scores(ranks, np.inf))
    n, d = start.shape
    single = Clusters(np.ones(1), np.zeros((1, d)), np.cov(start.T), dx)
    best, count = _copula_likelihood(start, single), 1
    for k in CLUSTERS:
        if n < 10 * (k + d):
            break
        value = _copula_likelihood(*_mixture_copula(start, ranks, dx, k, seed))
        value -= 0.5 * (k - 1) * (1 + d) * np.log(n) / n
        if value > best:
            best, count = value, k
    return count


def _mixture_copula(z, ranks, dx, k, seed, groups=None):
    """Quantiles `[n, d]` of the margins of their own mixture, and the mixture."""
    codes = _first_codes(z, dx, k, seed) if groups is None else groups
    for _ in range(COPULA_STEPS):
        model = fit_clusters(z[:, :dx], z[:, dx:], k, seed, groups, start=codes)
        z = standardised(_quantiles(ranks, model))
        if groups is None:
            codes = model.nearest(z)
    return z, fit_clusters(z[:, :dx], z[:, dx:], k, seed, groups, start=codes)


def _first_codes(z, dx, k, seed):
    """Clusters in the few directions that x and y share: all others are noise to them."""
    model = fit_normal(z, dx, truncate=True)
    r = len(model.rho)
    shared = np.hstack([a[:, :r] for a in model.coordinates(z[:, :dx], z[:, dx:])]) if r else z
    return _em(shared, k, seed, starts=2).predict(shared)


def _quantiles(ranks, model):
    out, scale = np.empty_like(ranks), np.sqrt(np.diag(model.cov))
    for j, mean in enumerate(model.means.T):
        line = np.linspace(mean.min() - 5 * scale[j], mean.max() + 5 * scale[j], 2001)
        below = ndtr((line[:, None] - mean) / scale[j]) @ model.weights
        out[:, j] = np.interp(ranks[:, j], below, line)
    return out


def _copula_likelihood(z, model):
    """Mean log density of the rows less that of their columns."""
    columns = [slice(j, j + 1) for j in range(z.shape[1])]
    alone = sum(model.log_density(z[:, j], j).mean() for j in columns)
    return float(model.log_density(z, slice(None)).mean()) - alone


def bounded_clusters(x, y, clusters: int, seed: int, groups=None) -> np.ndarray | None:
    """Held-out InfoNCE rows `[n]` of the mixture; None where there are too few rows."""
    if clusters == 1 or len(x) < 10 * (clusters + x.shape[1] + y.shape[1]):
        return None
    bound = np.empty(len(x))
    for train, test in folds(len(x), BOUND_FOLDS, seed):
        model = fit_clusters(x, y, clusters, seed, groups, train).truncated(len(train))
        bound[test] = info_nce_rows(model.pair_ratio, x[test], y[test])
    return bound


def mixture(x, y, clusters: int, seed: int, groups=None) -> Pointwise:
    """Log ratios: in-sample and held-out fits mixed so that their biases cancel.

    The mean log ratio is too high on a model's own rows, too low on fresh ones (Takeuchi 1976).
    Their proportion is that of Gaussian rows, known exactly; the first-order m / (n + m), m
    training rows of a fold, is 0.1 nats off at dx + dy = 128.
    """
    how = clusters, seed, groups
    inside, outside = fit_clusters(x, y, *how).log_ratio(x, y), np.empty(len(x))
    for train, test in folds(len(x), FOLDS, seed):
        outside[test] = fit_clusters(x, y, *how, train).log_ratio(x[test], y[test])
    rows, dims = len(x), (x.shape[1], y.shape[1])
    too_high = wishart_bias(rows - clusters + 1, *dims)
    too_low = held_out_bias(rows * (FOLDS - 1) // FOLDS - clusters + 1, *dims)
    share = too_low / (too_low - too_high)
    source = "found in the data" if groups is None else "of the classes"
    note = f"mixture of {clusters} Gaussian clusters {source}"
    return Pointwise(_with_outliers(share * inside + (1.0 - share) * outside), (note,))


def _with_outliers(values):
    """Log ratios `[n]` where a few rows hold a wild cell, so that x and y are unrelated there.

    Without them the likeliest share of such rows is 0: under the model E 1/ratio = 1.
    """
    share, ratio = 0.01, np.exp(np.clip(values, -100, 100))
    for _ in range(OUTLIER_STEPS):
        share = min(float((share / ((1 - share) * ratio + share)).mean()), MAX_OUTLIERS)
    return np.log((1 - share) * ratio + share)
