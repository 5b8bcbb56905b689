"""Hidden layers: many units, few factors. Canonical codes, KSG, bias by simulation."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from ._copula import canonical
from ._knn import TREE_DIMS, _squared, ksg_pointwise
from ._mixture import best_cluster_count, fit_clusters

NEIGHBOURS, PROBE_ROWS = 10, 1500
SHEET_RATIO = 1.6  # numerical rank over intrinsic dimension
MAX_SHEET = 12  # KSG says nothing beyond
VARIANCE_KEPT = 0.98
CLUSTERS = (4, 10)


def intrinsic_dimension(a: np.ndarray) -> float:
    """Maximum-likelihood dimension of rows `[n, d]` (Levina & Bickel 2004; MacKay's mean).

    Distances are those of the data as given: whitening would blow the smallest directions up.
    With k - 2 in place of k - 1 it is a ninth low, so that rounding up gives the whole number.
    """
    a = np.unique(a[:PROBE_ROWS], axis=0)
    a = a - a.mean(0)  # far from zero, distances would be differences of large numbers
    k = min(NEIGHBOURS, len(a) - 1)
    if k < 3:
        return 0.0
    if a.shape[1] <= TREE_DIMS:
        distance = cKDTree(a).query(a, k + 1)[0][:, 1:]
    else:
        near = np.partition(_squared(a, slice(0, len(a))), range(k + 1), axis=1)[:, 1 : k + 1]
        distance = np.sqrt(near)
    logs = np.log(distance[:, -1:] / np.maximum(distance[:, :-1], 1e-300))
    return float((k - 2) / logs.sum(1).mean())


def is_sheet(principal: np.ndarray, dimension: float) -> bool:
    """Whether rows of numerical rank `principal.shape[1]` lie near a sheet of few dimensions."""
    rank = principal.shape[1]
    return rank >= 6 and dimension <= MAX_SHEET and rank > SHEET_RATIO * np.ceil(dimension)


def leading_components(a: np.ndarray, kept: float = VARIANCE_KEPT) -> np.ndarray:
    """Standardised principal components that carry `kept` of the variance of `[n, d]`."""
    a = a - a.mean(0)
    u, s, _ = np.linalg.svd(a, full_matrices=False)
    k = int(np.searchsorted(np.cumsum(s**2) / np.sum(s**2), kept)) + 1
    return u[:, : min(k, len(a) // 20)] * np.sqrt(len(a))


def manifold_pointwise(x, y, dim_x: float, dim_y: float, seed: int = 0):
    """Row-wise terms `[n]` for data near low-dimensional sheets, and notes.

    The units are a rich basis of functions of the few factors, so the leading canonical variates
    of their principal components follow the shared factors. As many are kept as the smaller
    sheet has dimensions. KSG measures them; its bias is found by simulating from Gaussian
    clusters fitted to the same codes (same n, same dimension) and subtracted, together with the
    first-order gain of fitting the variates on the same rows, r (dx + dy - r) / 2n.
    """
    px, py = leading_components(x), leading_components(y)
    n, dx, dy = len(x), px.shape[1], py.shape[1]
    z = np.hstack([px, py])
    model = canonical(z.T @ z / n, dx, np.inf, n, truncate=True)
    wanted = int(np.ceil(min(dim_x, dim_y, dx, dy)))
    r = min(max(wanted, 1), len(model.rho))
    if r == 0:
        return np.zeros(n), ("no significant canonical correlation",)
    a, b = model.coordinates(px, py)
    a, b = a[:, :r], b[:, :r]
    values = ksg_pointwise(a, b)
    clusters = best_cluster_count(np.hstack([a, b]), seed, CLUSTERS)
    fitted = fit_clusters(a, b, clusters, seed)
    sa, sb = fitted.sample(n, np.random.default_rng(seed))
    bias = ksg_pointwise(sa, sb).mean() - fitted.log_ratio(sa, sb).mean()
    fit_gain = r * (dx + dy - r) / (2.0 * n)
    return values - bias - fit_gain, (f"ksg on {r} canonical codes, bias {bias:.3f} subtracted",)
