"""Part of `auto`: nonlinear canonical variates, then KSG on the few that matter."""

from __future__ import annotations

import numpy as np
from numpy.polynomial import Legendre

from .base import Pointwise
from .copula import fit_normal, gaussian_ranks, uniform_ranks
from .held_out import folds, info_nce_rows
from .knn import ksg_rows
from .normal import canonical_log_ratio

FOLDS = 3
MAX_DEGREE, MAX_PAIRS = 5, 4
ROWS_PER_FEATURE = 12  # held-out canonical variates degrade quickly below
BOUND_ROWS = 1200


def features(s: np.ndarray, degree: int) -> np.ndarray:
    """Scores `[n, d]`, their products with Legendre polynomials of the radius, and squares.

    Together they span linear maps that turn or stretch with the distance from the centre, and
    even dependence of single coordinates.
    """
    u = 2.0 * uniform_ranks((s**2).sum(1, keepdims=True)) - 1.0
    parts = [s * Legendre.basis(k)(u) for k in range(degree + 1)]
    return np.hstack([*parts, s**2])


def nonlinear_codes(
    x: np.ndarray, y: np.ndarray, seed: int
) -> tuple[Pointwise | None, np.ndarray | None]:
    """I(X;Y) through held-out codes, without and with KSG's bias; None where none is significant.

    Three folds: canonical variates of nonlinear features are learned on two thirds of the rows
    and KSG measures the information of the leading ones on the last third. Data processing
    makes that a lower bound up to KSG's error, which is estimated on a Gaussian sample of the
    same n, dimension and correlations, and subtracted.
    """
    sx, sy = gaussian_ranks(x), gaussian_ranks(y)
    width = max(sx.shape[1], sy.shape[1])
    degree = min(MAX_DEGREE, int(2 * len(x) / 3 / ROWS_PER_FEATURE / 2 / width) - 2)
    if degree < 1:
        return None, None
    ex, ey = features(sx, degree), features(sy, degree)
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


def _best_rank(a, b, available: int) -> int:
    """How many pairs give the best InfoNCE bound on training rows; more are redundant."""
    a, b, best, rank = a[:BOUND_ROWS], b[:BOUND_ROWS], 0.0, 0
    for r in range(1, min(MAX_PAIRS, available) + 1):
        z = gaussian_ranks(np.hstack([a[:, :r], b[:, :r]]))
        model = fit_normal(z, r, truncate=False)
        pairs = model.log_ratio(*model.coordinates(z[:, :r], z[:, r:]), pairs=True)
        bound = info_nce_rows(pairs).mean()
        if bound > best + 0.005:
            best, rank = bound, r
    return rank


def _ksg_bias(rho, n, seed) -> float:
    """Mean KSG error on a Gaussian sample with canonical correlations `rho`."""
    rng = np.random.default_rng(seed + 7)
    a = rng.standard_normal((n, len(rho)))
    b = rho * a + np.sqrt(1 - rho**2) * rng.standard_normal(a.shape)
    return float((ksg_rows(a, b) - canonical_log_ratio(a, b, rho)).mean())
