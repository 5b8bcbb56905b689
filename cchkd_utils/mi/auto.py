"""The method `auto`, the default: a few models of the dependence, the data choose among them.

1. dx + dy <= 3: a Student-t copula, or KSG on normal scores where the two differ significantly.
2. Near a low-dimensional sheet (hidden layers: many units, few factors): linear `codes`.
3. Else a Student-t copula with its bias subtracted, unless nonlinear `codes` or a `mixture` of
   Gaussian clusters explains held-out rows significantly better.
4. Class labels: held-out bounds H(Y) - CE, or k-NN where that is significantly more.

Failure modes. Dependence that is neither elliptical, nor clustered, nor carried by the features
of `codes` is missed in more than a few dimensions: the estimate is too low. Heavy ties outside a
sheet count as continuous. Of each side only the leading n / 8 directions are used.
"""

from __future__ import annotations

import warnings

import numpy as np

from .base import Pointwise, beats, folds, info_nce_rows
from .codes import canonical_codes, intrinsic_dimension, is_sheet, nonlinear_codes
from .copula import choose_dof, copula, fit_copula, gaussian_ranks, scores, uniform_ranks
from .knn import ksg_rows, ross_rows
from .mixture import bounded_clusters, mixture
from .normal import FOLDS as LABEL_FOLDS
from .normal import held_out_posterior, label_terms, lda, leading, standardised

LOW_DIMENSIONS = 3
FOLDS = 3
MIN_Z = 4.0  # standard errors; at 3 a richer model wins by chance in one case of thirty

KNN_DIMENSION = 6.5  # beyond, k-NN in the full space is biased low
CURVED_MIN_Z = 1.0  # its folds correct the bias of a richer classifier
# At 3, k-NN won by chance in one case of ten: it is 0.01 nats high on Gaussian classes, and rows
# that share neighbours vary together, so that its spread is larger than they tell.
KNN_MIN_Z = 6.0
SMALLEST = 2e-9  # probability; a class unseen in training gets this


def auto(x, y, *, discrete: bool, seed: int, groups=None) -> Pointwise:
    """Terms of the model that the rows choose, and which it was."""
    if discrete:
        return _best_for_labels(x, y, seed)
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
        ratio = model.log_ratio(sx[test], sy[test], pairs=bound)
        values[test] = info_nce_rows(ratio) if bound else ratio
    return values


def _best_for_labels(x, codes, seed):
    """Linear discriminant, or a richer model with significantly more: all err to the low side."""
    principal = leading(x)
    best = _balanced(lda, principal, codes, seed)
    note = "linear discriminant, H(Y) - CE"
    values = _balanced(_curved, principal, codes, seed)
    if beats(values, best, CURVED_MIN_Z):
        best, note = values, "curved discriminant, H(Y) - CE"
    if intrinsic_dimension(x) <= KNN_DIMENSION:
        flat = x.shape[1] <= KNN_DIMENSION
        values = ross_rows(gaussian_ranks(x) if flat else (x - x.mean(0)) / x.std(), codes)
        if beats(values, best, KNN_MIN_Z):
            best, note = values, "k-NN (Ross)"
    return Pointwise(best, (note,))


def _balanced(model, x, codes, seed):
    """In-sample and held-out terms mixed so that their biases, c/n and -c/m, cancel."""
    inside = label_terms(model(x, codes, x, int(codes.max()) + 1), codes)
    outside = label_terms(held_out_posterior(model, x, codes, seed), codes)
    share = (LABEL_FOLDS - 1) / LABEL_FOLDS
    return (inside + share * outside) / (1.0 + share)


def _curved(x, codes, x_new, n_classes):
    """Logistic regression on the leading discriminants (at most 6), squares and products."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    present, p = np.unique(codes), np.zeros((len(x_new), n_classes))
    if len(present) == 1:  # the only row of the other class is held out
        p[:, present] = 1.0
        return np.log(np.maximum(p, SMALLEST))
    few = min(6, x.shape[1], len(present) - 1)
    steps = LinearDiscriminantAnalysis(n_components=few), StandardScaler(), PolynomialFeatures(2)
    model = make_pipeline(*steps, StandardScaler(), LogisticRegression(C=10.0, max_iter=200))
    with warnings.catch_warnings():
        # Unfinished or collinear fits are judged on held-out rows like any other candidate.
        warnings.simplefilter("ignore")
        p[:, present] = model.fit(x, codes).predict_proba(x_new)
    return np.log(np.maximum(p, SMALLEST))
