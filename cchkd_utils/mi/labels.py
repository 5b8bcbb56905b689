"""Part of `auto`: I(X;Y) for class labels by cross-entropy bounds and k-NN, the data choose."""

from __future__ import annotations

import warnings

import numpy as np

from .base import Pointwise
from .cca import FOLDS, held_out_posterior, label_terms, lda
from .copula import gaussian_ranks
from .held_out import beats
from .knn import ross_rows
from .manifold import intrinsic_dimension
from .normal import leading

KNN_DIMENSION = 6.5  # beyond, k-NN in the full space is biased low
MIN_Z = 1.0  # standard errors by which a richer classifier must win; its folds correct its bias
# At 3, k-NN won by chance in one case of ten: it is 0.01 nats high on Gaussian classes, and rows
# that share neighbours vary together, so that its spread is larger than they tell.
KNN_MIN_Z = 6.0
SMALLEST = 2e-9  # probability; a class unseen in training gets this


def best_for_labels(x: np.ndarray, codes: np.ndarray, seed: int) -> Pointwise:
    """Linear discriminant, curved discriminant, or Ross's k-NN in few (intrinsic) dimensions.

    A later candidate replaces an earlier one where it is significantly more on the same rows:
    all of them err to the low side.
    """
    principal = leading(x)
    best = _balanced(lda, principal, codes, seed)
    note = "linear discriminant, H(Y) - CE"
    values = _balanced(_curved, principal, codes, seed)
    if beats(values, best, MIN_Z):
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
    share = (FOLDS - 1) / FOLDS
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
