"""Part of `auto`: few canonical codes of each side, linear or nonlinear, measured by KSG."""

from __future__ import annotations

import numpy as np
from numpy.polynomial import Legendre

from .base import Pointwise, folds, info_nce_rows
from .copula import fit_normal, gaussian_ranks, uniform_ranks
from .knn import ksg_rows
from .mixture import best_cluster_count, fit_clusters
from .normal import canonical_log_ratio

NEIGHBOURS, PROBE_ROWS = 10, 1500
SHEET_RATIO = 1.6  # numerical rank over intrinsic dimension
MAX_SHEET = 12  # KSG says nothing beyond
VARIANCE_KEPT = 0.98
VARIANCE_TRUSTED, REPAIRS = 0.9, 4
WILD, WILD_LEAST = 4.0, 0.5  # times the usual residual, and scores: .1-.5 % of clean cells
CLUSTERS = (4, 10)
# KSG's bias is known from fitted clusters only, and linear codes miss some information. Chosen on
# layers and nonlinear maps, where nearly all errors were, but for noise, within these shares.
MISSED, TOO_MUCH = 0.2, 0.2

FOLDS = 3
MAX_DEGREE, MAX_PAIRS = 5, 4
ROWS_PER_FEATURE = 12  # held-out canonical variates degrade quickly below
BOUND_ROWS = 1200


def intrinsic_dimension(a: np.ndarray) -> float:
    """Maximum-likelihood dimension of rows `[n, d]` as given (Levina & Bickel 2004; MacKay's mean).

    With k - 2 in place of k - 1 it is a ninth low, so that rounding up gives the whole number.
    """
    from sklearn.neighbors import NearestNeighbors

    a = np.unique(a[:PROBE_ROWS], axis=0)
    a = a - a.mean(0)  # far from zero, distances would be differences of large numbers
    k = min(NEIGHBOURS, len(a) - 1)
    if k < 3:
        return 0.0
    distance = NearestNeighbors(n_neighbors=k).fit(a).kneighbors()[0]
    logs = np.log(distance[:, -1:] / np.maximum(distance[:, :-1], 1e-300))
    return float((k - 2) / logs.sum(1).mean())


def is_sheet(principal: np.ndarray, dimension: float) -> bool:
    """Whether rows of numerical rank `principal.shape[1]` lie near a sheet of few dimensions."""
    rank = principal.shape[1]
    return rank >= 6 and dimension <= MAX_SHEET and rank > SHEET_RATIO * np.ceil(dimension)


def repaired(a: np.ndarray) -> np.ndarray:
    """Scores `[n, d]` near a sheet, wild cells replaced by what the main components say."""
    a = a - a.mean(0)
    fixed = a
    for _ in range(REPAIRS):
        u, s, vt = _components(fixed, VARIANCE_TRUSTED)
        fitted = fixed.mean(0) + (u * s) @ vt
        rest = np.abs(a - fitted)
        usual = np.quantile(rest, 0.68, axis=0)
        fixed = np.where(rest > WILD * usual + WILD_LEAST, fitted, a)
    return fixed


def _components(a, share):
    """Singular vectors and values of the principal components with this share of the variance."""
    u, s, vt = np.linalg.svd(a - a.mean(0), full_matrices=False)
    k = int(np.searchsorted(np.cumsum(s**2) / np.sum(s**2), share)) + 1
    return u[:, :k], s[:k], vt[:k]


def _main_components(a):
    """Standardised principal components that carry `VARIANCE_KEPT` of the variance of `[n, d]`."""
    return _components(a, VARIANCE_KEPT)[0][:, : len(a) // 20] * np.sqrt(len(a))


def canonical_codes(x, y, dim_x: float, dim_y: float, seed: int) -> Pointwise:
    """Information of rows near sheets of `dim_x` and `dim_y` dimensions, through linear codes.

    The units are a rich basis of functions of the few factors: as many canonical variates as the
    smaller sheet has dimensions follow the shared ones. Subtracted are KSG's bias on rows
    simulated from clusters fitted to the codes, and the first-order gain of fitting on these rows.
    """
    px, py = _main_components(x), _main_components(y)
    n, dx, dy = len(x), px.shape[1], py.shape[1]
    model = fit_normal(np.hstack([px, py]), dx, truncate=True)
    wanted = int(np.ceil(min(dim_x, dim_y, dx, dy)))
    r = min(max(wanted, 1), len(model.rho))
    if r == 0:
        return Pointwise(np.zeros(n), ("no significant canonical correlation",))
    a, b = (variates[:, :r] for variates in model.coordinates(px, py))
    clusters = best_cluster_count(np.hstack([a, b]), seed, CLUSTERS)
    fitted = fit_clusters(a, b, clusters, seed)
    sa, sb = fitted.sample(n, np.random.default_rng(seed))
    bias = float(ksg_rows(sa, sb).mean() - fitted.log_ratio(sa, sb).mean())
    fit_gain = r * (dx + dy - r) / (2.0 * n)
    note = f"ksg on {r} canonical codes, bias {bias:.3f} subtracted"
    values = ksg_rows(a, b) - bias - fit_gain
    nats = max(float(values.mean()), 0.0)
    low_by, high_by = abs(bias) + MISSED * nats, TOO_MUCH * abs(bias)
    return Pointwise(values, (note,), low_by, high_by)


def _features(s, degree):
    """Scores `[n, d]` times polynomials of their radius, for maps that turn with it; squares."""
    u = 2.0 * uniform_ranks((s**2).sum(1, keepdims=True)) - 1.0
    return np.hstack([*(s * Legendre.basis(k)(u) for k in range(degree + 1)), s**2])


def nonlinear_codes(x, y, seed: int) -> tuple[Pointwise | None, np.ndarray | None]:
    """I(X;Y) through held-out codes, without and with KSG's bias; None where none is significant.

    Canonical variates of nonlinear features are learned on two of three folds and measured on the
    third: a lower bound up to KSG's bias, which a Gaussian sample of the same correlations tells.
    """
    sx, sy = gaussian_ranks(x), gaussian_ranks(y)
    width = max(sx.shape[1], sy.shape[1])
    degree = min(MAX_DEGREE, int(2 * len(x) / 3 / ROWS_PER_FEATURE / 2 / width) - 2)
    if degree < 1:
        return None, None
    ex, ey = _features(sx, degree), _features(sy, degree)
    fitted = [(*_fit(ex, ey, train), train, test) for train, test in folds(len(x), FOLDS, seed)]
    ranks = [_best_rank(a[train], b[train], len(rho)) for a, b, rho, train, _ in fitted]
    rank = min(int(np.median(ranks)), *(len(rho) for _, _, rho, *_ in fitted))
    if rank == 0:
        return None, None
    held_out, correction = np.empty(len(x)), np.empty(len(x))
    for a, b, rho, _, test in fitted:
        a, b = gaussian_ranks(a[test, :rank]), gaussian_ranks(b[test, :rank])
        held_out[test] = ksg_rows(a, b)
        correction[test] = _ksg_bias(rho[:rank], len(test), seed)
    note = f"ksg on {rank} nonlinear canonical variates"
    return Pointwise(held_out - correction, (note,)), held_out


def _fit(ex, ey, train):
    """Canonical variates of all rows, learned on `train`, and their correlations."""
    z, dx = np.hstack([ex, ey]), ex.shape[1]
    z = (z - z[train].mean(0)) / z[train].std(0)
    model = fit_normal(z[train], dx, truncate=True, ridge=1e-6)
    return *model.coordinates(z[:, :dx], z[:, dx:]), model.rho


def _best_rank(a, b, available):
    """How many pairs give the best InfoNCE bound on training rows; more are redundant."""
    a, b, best, rank = a[:BOUND_ROWS], b[:BOUND_ROWS], 0.0, 0
    for r in range(1, min(MAX_PAIRS, available) + 1):
        z = gaussian_ranks(np.hstack([a[:, :r], b[:, :r]]))
        model = fit_normal(z, r, truncate=False)
        bound = info_nce_rows(model.pair_ratio, z[:, :r], z[:, r:]).mean()
        if bound > best + 0.005:
            best, rank = bound, r
    return rank


def _ksg_bias(rho, n, seed):
    """Mean KSG error on a Gaussian sample with canonical correlations `rho`."""
    rng = np.random.default_rng(seed + 7)
    a = rng.standard_normal((n, len(rho)))
    b = rho * a + np.sqrt(1 - rho**2) * rng.standard_normal(a.shape)
    return float((ksg_rows(a, b) - canonical_log_ratio(a, b, rho)).mean())
