"""Part of `auto`, for hidden layers: many units, few factors. Canonical codes, then KSG."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from .base import Pointwise
from .copula import fit_normal
from .knn import TREE_DIMS, ksg_rows, squared_distances
from .mixture import best_cluster_count, fit_clusters

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
        squared = squared_distances(a, slice(0, len(a)))
        distance = np.sqrt(np.partition(squared, range(k + 1), axis=1)[:, 1 : k + 1])
    logs = np.log(distance[:, -1:] / np.maximum(distance[:, :-1], 1e-300))
    return float((k - 2) / logs.sum(1).mean())


def is_sheet(principal: np.ndarray, dimension: float) -> bool:
    """Whether rows of numerical rank `principal.shape[1]` lie near a sheet of few dimensions."""
    rank = principal.shape[1]
    return rank >= 6 and dimension <= MAX_SHEET and rank > SHEET_RATIO * np.ceil(dimension)


def _main_components(a: np.ndarray) -> np.ndarray:
    """Standardised principal components that carry `VARIANCE_KEPT` of the variance of `[n, d]`."""
    u, s, _ = np.linalg.svd(a - a.mean(0), full_matrices=False)
    k = int(np.searchsorted(np.cumsum(s**2) / np.sum(s**2), VARIANCE_KEPT)) + 1
    return u[:, : min(k, len(a) // 20)] * np.sqrt(len(a))


def canonical_codes(x, y, dim_x: float, dim_y: float, seed: int) -> Pointwise:
    """Information of rows near sheets of `dim_x` and `dim_y` dimensions, through linear codes.

    The units are a rich basis of functions of the few factors, so the leading canonical variates
    of their principal components follow the shared factors. As many are kept as the smaller
    sheet has dimensions. KSG measures them; its bias is found by simulating from Gaussian
    clusters fitted to the same codes (same n, same dimension) and subtracted, together with the
    first-order gain of fitting the variates on the same rows, r (dx + dy - r) / 2n.
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
    bias = ksg_rows(sa, sb).mean() - fitted.log_ratio(sa, sb).mean()
    fit_gain = r * (dx + dy - r) / (2.0 * n)
    note = f"ksg on {r} canonical codes, bias {bias:.3f} subtracted"
    return Pointwise(ksg_rows(a, b) - bias - fit_gain, (note,), rows_chose_codes=True)
