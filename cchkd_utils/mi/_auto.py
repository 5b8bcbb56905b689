"""The default estimator: a few models of the dependence, the data choose among them.

Continuous y:

1. dx + dy <= 3: a Student-t copula, or KSG on normal scores (consistent and nearly unbiased
   there) where the two differ significantly.
2. Data near a low-dimensional sheet (hidden layers: many units, few factors): `_manifold`.
3. Else a Student-t copula (the Gaussian is its limit) with its bias subtracted, unless one of two
   richer models explains held-out rows significantly better: canonical variates of nonlinear
   features followed by KSG (`_codes`), or a mixture of Gaussian clusters (`_mixture`).

Class labels: held-out cross-entropy bounds H(Y) - CE, or k-NN where that is significantly more
(`_labels`).

Failure modes. Dependence that is neither elliptical, nor clustered, nor carried by the nonlinear
features of `_codes` is missed in more than a few dimensions: the estimate is then too low. Heavy
ties outside a low-dimensional sheet are treated as continuous. More than n / 8 directions per
side are reduced to the leading n / 8, which can lose information carried by small variances.
"""

from __future__ import annotations

import numpy as np

from ._cca import full_rank
from ._codes import codes_pointwise
from ._copula import choose_dof, copula_pointwise, fit_copula, gaussian_ranks, scores, uniform_ranks
from ._evaluate import disjoint_folds, info_nce_rows
from ._knn import ksg_pointwise
from ._labels import labels_pointwise
from ._manifold import intrinsic_dimension, is_sheet, manifold_pointwise
from ._mixture import best_mixture, mixture_pointwise

LOW_DIMENSIONS = 3
MIN_GAIN = 0.01  # nats; below, the simpler model stays
MIN_Z = 4.0  # standard errors; at 3 a richer model wins by chance in one case of thirty


def auto_pointwise(x, y, discrete: bool, seed: int = 0, groups=None):
    """Row-wise terms `[n]` of the default estimator and notes on what was used.

    Parameters
    ----------
    x : ndarray
        `[n, dx]`.
    y : ndarray
        `[n, dy]`, or class codes `[n]` with `discrete`.
    discrete : bool
        `y` holds class codes.
    seed : int
        Of folds and simulations.
    groups : ndarray, optional
        Class codes `[n]` that may explain clusters in x and y.
    """
    if discrete:
        return labels_pointwise(x, y, seed)
    if x.shape[1] + y.shape[1] <= LOW_DIMENSIONS:
        return _few_dimensions(x, y)
    px, py = _leading(full_rank(x), x), _leading(full_rank(y), y)
    ix, iy = intrinsic_dimension(x), intrinsic_dimension(y)
    if is_sheet(px, ix) or is_sheet(py, iy):
        return manifold_pointwise(x, y, ix, iy, seed)
    return _choose(_columns(x, px), _columns(y, py), seed, groups)


def _few_dimensions(x, y):
    """KSG, unless the less noisy copula agrees with it (a specification test; Hausman 1978)."""
    ux, uy = uniform_ranks(x), uniform_ranks(y)
    dof = choose_dof(np.hstack([ux, uy]))
    knn = ksg_pointwise(gaussian_ranks(x), gaussian_ranks(y))
    values = copula_pointwise(ux, uy, dof)
    gap = knn - values
    if abs(gap.mean()) > MIN_Z * gap.std() / np.sqrt(len(gap)):
        return knn, ("ksg on normal scores",)
    return values, (_copula_name(dof),)


def _copula_name(dof: float) -> str:
    if np.isinf(dof):
        return "Gaussian copula"
    return f"Student-t copula, {dof:g} degrees of freedom"


def _leading(principal, a):
    return principal[:, : max(2, len(a) // 8)]


def _columns(a, principal):
    """The given columns where they are independent; else the principal ones."""
    return a if a.shape[1] == principal.shape[1] else principal


def _choose(x, y, seed, groups):
    ux, uy = uniform_ranks(x), uniform_ranks(y)
    dof = choose_dof(np.hstack([ux, uy]))
    values, notes = copula_pointwise(ux, uy, dof), (_copula_name(dof),)
    base = _held_out_copula(ux, uy, dof, seed)
    mixture = best_mixture(x, y, seed, groups)
    if mixture is not None:
        bound = _held_out_copula(ux, uy, dof, seed, bound=True).mean()
        if mixture.bound.mean() > bound:
            values, notes = mixture_pointwise(x, y, mixture, seed), (mixture.name,)
            base = np.maximum(base.mean(), mixture.bound.mean()) - base.mean() + base
    found = codes_pointwise(x, y, seed)
    if found is not None and _beats(found.held_out, base):
        return found.values, (f"ksg on {found.pairs} nonlinear canonical variates",)
    return values, notes


def _beats(candidate, incumbent) -> bool:
    gain = candidate - incumbent
    return gain.mean() > max(MIN_GAIN, MIN_Z * gain.std() / np.sqrt(len(gain)))


def _held_out_copula(ux, uy, dof, seed, *, bound=False):
    """Held-out log ratios, or InfoNCE rows, of the copula restricted to significant pairs."""
    values, sx, sy = np.empty(len(ux)), scores(ux, dof), scores(uy, dof)
    for train, test in disjoint_folds(len(ux), seed):
        model = fit_copula(ux[train], uy[train], dof, truncate=True)
        a, b = model.coordinates(sx[test], sy[test])
        ratio = model.log_ratio(a, b, pairs=bound)
        values[test] = info_nce_rows(ratio) if bound else ratio
    return values
