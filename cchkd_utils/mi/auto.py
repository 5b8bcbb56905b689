"""The method `auto`, the default: a few models of the dependence, the data choose among them.

Continuous y:

1. dx + dy <= 3: a Student-t copula, or KSG on normal scores (consistent and nearly unbiased
   there) where the two differ significantly.
2. Data near a low-dimensional sheet (hidden layers: many units, few factors): `manifold`.
3. Else a Student-t copula (the Gaussian is its limit) with its bias subtracted, unless one of two
   richer models explains held-out rows significantly better: canonical variates of nonlinear
   features followed by KSG (`codes`), or a mixture of Gaussian clusters (`mixture`).

Class labels: held-out cross-entropy bounds H(Y) - CE, or k-NN where that is significantly more
(`labels`).

Failure modes. Dependence that is neither elliptical, nor clustered, nor carried by the nonlinear
features of `codes` is missed in more than a few dimensions: the estimate is then too low. Heavy
ties outside a low-dimensional sheet are treated as continuous. More than n / 8 directions per
side are reduced to the leading n / 8, which can lose information carried by small variances.
"""

from __future__ import annotations

import numpy as np

from .base import Pointwise
from .codes import nonlinear_codes
from .copula import choose_dof, copula, fit_copula, gaussian_ranks, scores, uniform_ranks
from .held_out import beats, folds, info_nce_rows
from .knn import ksg_rows
from .labels import best_for_labels
from .manifold import canonical_codes, intrinsic_dimension, is_sheet
from .mixture import bounded_clusters, mixture
from .normal import leading, standardised

LOW_DIMENSIONS = 3
FOLDS = 3
MIN_Z = 4.0  # standard errors; at 3 a richer model wins by chance in one case of thirty


def auto(x, y, *, discrete: bool, seed: int, groups=None) -> Pointwise:
    """Terms of the model that the rows choose, and which it was."""
    if discrete:
        return best_for_labels(x, y, seed)
    if x.shape[1] + y.shape[1] <= LOW_DIMENSIONS:
        return _few_dimensions(x, y)
    px, py = leading(x), leading(y)
    dim_x, dim_y = intrinsic_dimension(x), intrinsic_dimension(y)
    if is_sheet(px, dim_x) or is_sheet(py, dim_y):
        return canonical_codes(x, y, dim_x, dim_y, seed)
    # Columns that are independent stay as they are; else the principal ones.
    x, y = (p if p.shape[1] < a.shape[1] else a for a, p in ((x, px), (y, py)))
    return _many_dimensions(x, y, seed, groups)


def _ranks(x, y):
    """Uniform ranks of both sides, and the degrees of freedom of their copula."""
    ux, uy = uniform_ranks(x), uniform_ranks(y)
    return ux, uy, choose_dof(np.hstack([ux, uy]))


def _few_dimensions(x, y):
    """KSG, unless the less noisy copula agrees with it (a specification test; Hausman 1978)."""
    smooth = copula(*_ranks(x, y))
    knn = ksg_rows(gaussian_ranks(x), gaussian_ranks(y))
    gap = knn - smooth.values
    if abs(gap.mean()) > MIN_Z * gap.std() / np.sqrt(len(gap)):
        return Pointwise(knn, ("ksg on normal scores",))
    return smooth


def _many_dimensions(x, y, seed, groups):
    """The copula, unless a mixture or nonlinear codes explain held-out rows better."""
    ranks = _ranks(x, y)
    best, base = copula(*ranks), _held_out_copula(*ranks, seed)
    sx, sy = standardised(x), standardised(y)
    clusters, bound = bounded_clusters(sx, sy, seed, groups)
    if bound is not None and bound.mean() > _held_out_copula(*ranks, seed, bound=True).mean():
        best = mixture(sx, sy, clusters, seed, groups)
        base = np.maximum(base.mean(), bound.mean()) - base.mean() + base
    codes, held_out = nonlinear_codes(x, y, seed)
    if codes is not None and beats(held_out, base, MIN_Z):
        return codes
    return best


def _held_out_copula(ux, uy, dof, seed, *, bound=False):
    """Held-out log ratios, or InfoNCE rows, of the copula restricted to significant pairs."""
    values, sx, sy = np.empty(len(ux)), scores(ux, dof), scores(uy, dof)
    for train, test in folds(len(ux), FOLDS, seed):
        model = fit_copula(ux[train], uy[train], dof, truncate=True)
        ratio = model.log_ratio(*model.coordinates(sx[test], sy[test]), pairs=bound)
        values[test] = info_nce_rows(ratio) if bound else ratio
    return values
