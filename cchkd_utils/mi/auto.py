"""The method `auto`, the default: a few models of the dependence, the data choose among them.

1. Beyond `MAX_ROWS` rows a random sample; rows that repeat are `atoms`, taken apart first.
2. dx + dy <= 3: a Student-t copula, or KSG on normal scores where the two differ significantly.
3. Each side becomes the few `factors` behind its units, else the normal scores of these.
4. Near a low-dimensional sheet (two layers and more): linear `codes`, unless a copula of all
   directions keeps on fresh rows what it promises.
5. Else a Student-t copula with its bias subtracted, unless nonlinear `codes` or a `mixture` of
   Gaussian clusters explains held-out rows significantly better.
6. Class labels: held-out bounds H(Y) - CE, or k-NN the more its gain is significant.

Failure modes. Dependence that is neither elliptical, nor clustered, nor carried by the features
of `codes` is missed in more than a few dimensions: the estimate is too low. Heavy ties outside a
sheet count as continuous. Of each side only the leading n / 8 directions are used.
"""

from __future__ import annotations

import warnings

import numpy as np

from .atoms import atoms
from .atoms import terms as mixed_terms
from .base import Pointwise, beats, folds, info_nce_rows, on_a_sample
from .codes import canonical_codes, intrinsic_dimension, is_sheet, nonlinear_codes, repaired
from .copula import DOFS, choose_dof, copula, fit_copula, gaussian_ranks, scores, uniform_ranks
from .factors import factors
from .knn import KNN_DIMENSION, ksg_rows, ross_rows
from .mixture import MAX_COLUMNS, bounded_clusters, mixture, undone
from .normal import FOLDS as LABEL_FOLDS
from .normal import held_out_bias, held_out_posterior, label_terms, lda, leading, standardised

MAX_ROWS = 10_000
LOW_DIMENSIONS = 3
FOLDS = 3
ILL_CONDITIONED = 0.06  # smallest over largest standard deviation of principal components
# Of the information, and nats that may be noise: decaying spectra lose .06 and less, nets .3 and
# more, that is 1.5 nats and more.
MAX_FALL, ANY_FALL = 0.1, 0.3
FACTOR_ERROR = 0.04  # of the information, which their own error costs or adds
MIN_Z = 4.0  # standard errors; at 3 a richer model wins by chance in one case of thirty

CURVED_MIN_Z = 1.0  # its folds correct the bias of a richer classifier
# At 3, k-NN won by chance in one case of ten: it is 0.01 nats high on Gaussian classes, and rows
# that share neighbours vary together, so that its spread is larger than they tell. Up to 9 it is
# weighed in and the interval spans both.
KNN_MIN_Z, KNN_SURE_Z = 3.0, 9.0
SMALLEST = 2e-9  # probability; a class unseen in training gets this


def auto(x, y, *, discrete: bool, seed: int, groups=None) -> Pointwise:
    """Terms of the model that the rows choose, and which it was."""
    if len(x) > MAX_ROWS:
        return on_a_sample(auto, MAX_ROWS, x, y, discrete=discrete, seed=seed, groups=groups)

    def about_labels(a, codes):
        return _best_for_labels(coordinates(live(a)), codes, seed)

    def about_rows(rows):
        hint = None if groups is None else np.unique(groups[rows], return_inverse=True)[1]
        return _continuous(live(x[rows]), live(y[rows]), seed, hint)

    codes_x, codes_y = atoms(x), y + 1 if discrete else atoms(y)
    if not codes_x.any() and (discrete or not codes_y.any()):
        return about_labels(x, y) if discrete else _continuous(x, y, seed, groups)
    return mixed_terms(x, y, codes_x, codes_y, about_labels, about_rows)


def live(a):
    """Columns that still vary among fewer rows."""
    return a[:, np.ptp(a, axis=0) > 0]


def _continuous(x, y, seed, groups):
    if not x.size or not y.size:
        return Pointwise(np.zeros(len(x)), ("constant",))
    if x.shape[1] + y.shape[1] <= LOW_DIMENSIONS:
        return _few_dimensions(x, y)
    behind = [factors(side) for side in (x, y)]
    units = [gaussian_ranks(a) if f is None else f for a, f in zip((x, y), behind)]
    terms = _on_units(x, y, units, seed, groups)
    known = [f"{name} has {f.shape[1]} factors" for name, f in zip("xy", behind) if f is not None]
    if not known:
        return terms
    doubt = FACTOR_ERROR * max(float(terms.values.mean()), 0.0)
    low_by, high_by = terms.low_by + doubt, terms.high_by + doubt
    return terms._replace(notes=(*terms.notes, *known), low_by=low_by, high_by=high_by)


def _on_units(x, y, units, seed, groups):
    """The continuous case on `units`, scores or factors of the values x and y."""
    axes, dims, sheets = _shape(units)
    near = any(sheets)
    if near:
        units = [repaired(a) if sheet else a for a, sheet in zip(units, sheets)]
        axes, dims, _ = _shape(units)
    if near and any(is_sheet(p, intrinsic_dimension(p)) for p in axes):
        return canonical_codes(*units, *dims, seed)
    # Columns that are independent stay as they are; else the principal ones.
    few = [p if p.shape[1] < a.shape[1] else a for a, p in zip(units, axes)]
    for i, side in enumerate((x, y)):
        if _ill_conditioned(units[i]):
            few = _or_principal_axes(few, i, side, seed)
    ranks = _ranks(*few)
    if near:
        kept, holds = _copula_of_fresh_rows(ranks, seed)
        if not holds:
            codes = canonical_codes(*units, *dims, seed)
            more = kept - max(float(codes.values.mean()), 0.0)
            return codes._replace(low_by=max(codes.low_by, more))
    return _many_dimensions(*few, ranks, seed, groups)


def _shape(units):
    """Principal axes and dimension of each side, and whether it lies near a sheet."""
    axes, dims = [leading(a) for a in units], [intrinsic_dimension(a) for a in units]
    return axes, dims, [is_sheet(p, dim) for p, dim in zip(axes, dims)]


def _copula_of_fresh_rows(ranks, seed):
    """What a copula of all directions says on unseen rows, and whether that is what it promised.

    Small directions may be what the sides share, or the noise and bends of a sheet: there a
    copula promises several nats more than it keeps.
    """
    ux, uy, dof = ranks
    too_low = held_out_bias(len(ux) * (FOLDS - 1) // FOLDS, ux.shape[1], uy.shape[1])
    inside = copula(ux, uy, dof).values
    outside = _held_out_copula(ux, uy, dof, seed, truncate=False) - too_low
    fall = inside - outside
    noise = min(2 * fall.std() / np.sqrt(len(fall)), ANY_FALL)
    return float(outside.mean()), fall.mean() < max(MAX_FALL * inside.mean(), noise)


def _bound(x, y, seed):
    """Held-out InfoNCE rows `[n]` of the Gaussian copula."""
    return _held_out_copula(uniform_ranks(x), uniform_ranks(y), np.inf, seed, bound=True)


def coordinates(a):
    """The few factors behind the units `[n, d]`, else their normal scores."""
    behind = factors(a)
    return gaussian_ranks(a) if behind is None else behind


def _or_principal_axes(sides, i, values, seed):
    """`sides` with principal axes of the `values` of side i, unless they say less.

    Ranks are uncertain by about n^-1/2, which covers directions of still less variance.
    """
    pair = list(sides)
    pair[i] = gaussian_ranks(leading(values))
    bound = _bound(*sides, seed)
    return sides if bound.mean() > 0 and beats(bound, _bound(*pair, seed), MIN_Z) else pair


def _ill_conditioned(a):
    s = np.linalg.svd(standardised(a), compute_uv=False)
    return s[-1] < ILL_CONDITIONED * s[0]


def _ranks(x, y):
    """Uniform ranks of both sides, and the degrees of freedom of their copula.

    The likeliest, or a larger number that explains unseen rows better: rows with wild cells are
    the more unlikely the heavier the tails.
    """
    ux, uy = uniform_ranks(x), uniform_ranks(y)
    dof = choose_dof(np.hstack([ux, uy]))
    nats = -np.inf if np.isinf(dof) else copula(ux, uy, dof).values.mean()
    for larger in DOFS[DOFS.index(dof) + 1 :]:
        more = copula(ux, uy, larger).values.mean()
        bounds = (_held_out_copula(ux, uy, v, 0, bound=True) for v in (larger, dof))
        if more < nats or not beats(*bounds, MIN_Z):
            break
        dof, nats = larger, more
    return ux, uy, dof


def _few_dimensions(x, y):
    """KSG, unless the less noisy copula agrees with it (a specification test; Hausman 1978)."""
    smooth = copula(*_ranks(x, y))
    knn = ksg_rows(gaussian_ranks(x), gaussian_ranks(y))
    gap = knn - smooth.values
    if abs(gap.mean()) > MIN_Z * gap.std() / np.sqrt(len(gap)):
        return Pointwise(knn, ("ksg on normal scores",))
    return smooth


def _many_dimensions(x, y, ranks, seed, groups):
    """The copula, unless a mixture or nonlinear codes explain held-out rows better."""
    best, base = copula(*ranks), _held_out_copula(*ranks, seed)
    best, bound = best._replace(unseen=float(base.mean())), None
    if groups is not None or x.shape[1] + y.shape[1] <= MAX_COLUMNS:
        sx, sy, clusters = undone(x, y, seed, groups)
        bound = bounded_clusters(sx, sy, clusters, seed, groups)
    if bound is not None and bound.mean() > _held_out_copula(*ranks, seed, bound=True).mean():
        best = mixture(sx, sy, clusters, seed, groups)
        best = best._replace(unseen=float(bound.mean()))
        base = np.maximum(base.mean(), bound.mean()) - base.mean() + base
    codes, held_out = nonlinear_codes(x, y, seed)
    if codes is not None and beats(held_out, base, MIN_Z):
        return codes
    return best


def _held_out_copula(ux, uy, dof, seed, *, bound=False, truncate=True):
    """Held-out log ratios, or InfoNCE rows, of the copula, of its significant pairs only."""
    values, sx, sy = np.empty(len(ux)), scores(ux, dof), scores(uy, dof)
    for train, test in folds(len(ux), FOLDS, seed):
        model = fit_copula(ux[train], uy[train], dof, truncate=truncate)
        pair = sx[test], sy[test]
        values[test] = info_nce_rows(model.pair_ratio, *pair) if bound else model.log_ratio(*pair)
    return values


def _best_for_labels(x, codes, seed):
    """Linear discriminant, or a richer model with significantly more: all err to the low side."""
    principal = leading(x)
    best, unseen = _balanced(lda, principal, codes, seed)
    note = "linear discriminant, H(Y) - CE"
    values, fresh = _balanced(_curved, principal, codes, seed)
    if beats(values, best, CURVED_MIN_Z):
        best, unseen, note = values, fresh, "curved discriminant, H(Y) - CE"
    if intrinsic_dimension(x) <= KNN_DIMENSION:
        flat = x.shape[1] <= KNN_DIMENSION
        values = ross_rows(gaussian_ranks(x) if flat else (x - x.mean(0)) / x.std(), codes)
        gain = values - best
        z = gain.mean() / max(gain.std() / np.sqrt(len(gain)), 1e-12)
        share = float(np.clip((z - KNN_MIN_Z) / (KNN_SURE_Z - KNN_MIN_Z), 0.0, 1.0))
        if share == 1.0:
            return Pointwise(values, ("k-NN (Ross)",))
        if share > 0.0:  # no threshold, which the last bit of a sum might cross
            note = f"{note}, and {share:.0%} of what k-NN (Ross) adds"
            more = float(gain.mean())
            return Pointwise(best + share * gain, (note,), (1 - share) * more, share * more)
    return Pointwise(best, (note,), unseen=unseen)


def _balanced(model, x, codes, seed):
    """In-sample and held-out terms mixed so that their biases, c/n and -c/m, cancel.

    And the mean of the held-out ones.
    """
    inside = label_terms(model(x, codes, x, int(codes.max()) + 1), codes)
    outside = label_terms(held_out_posterior(model, x, codes, seed), codes)
    share = (LABEL_FOLDS - 1) / LABEL_FOLDS
    return (inside + share * outside) / (1.0 + share), float(outside.mean())


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
