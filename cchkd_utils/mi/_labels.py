"""I(X;Y) for class labels: cross-entropy bounds and k-NN, the data choose."""

from __future__ import annotations

import warnings

import numpy as np

from ._cca import folds, full_rank, lda_log_posterior
from ._copula import gaussian_ranks
from ._knn import ross_pointwise
from ._manifold import intrinsic_dimension

FOLDS = 5
KNN_DIMENSION = 6.5  # beyond, k-NN in the full space is biased low
MIN_GAIN = 0.01  # nats
MIN_Z = 1.0  # standard errors by which a richer classifier must win; its folds correct its bias
# At 3, k-NN won by chance in one case of ten: it is 0.01 nats high on Gaussian classes, and rows
# that share neighbours vary together, so that its spread is larger than they tell.
KNN_MIN_Z = 6.0
SMALLEST = 2e-9  # probability; a class unseen in training gets this


def labels_pointwise(x: np.ndarray, codes: np.ndarray, seed: int = 0):
    """Row-wise terms `[n]` of I(X;Y) and notes.

    Candidates: linear discriminant; multinomial logistic regression on the discriminants, their
    squares and products; Ross's k-NN where x has few (intrinsic) dimensions. The classifiers'
    terms are ln p(y|x) - ln p(y) with in-sample and held-out values mixed so that their biases,
    c/n and -c/m, cancel. A later candidate replaces an earlier one where it is significantly more
    on the same rows: all of them err to the low side.
    """
    principal = full_rank(x)[:, : max(2, len(x) // 8)]
    best, note = _balanced(_lda, principal, codes, seed), "linear discriminant, H(Y) - CE"
    values = _balanced(_curved, principal, codes, seed)
    if _beats(values, best):
        best, note = values, "curved discriminant, H(Y) - CE"
    if intrinsic_dimension(x) <= KNN_DIMENSION:
        flat = x.shape[1] <= KNN_DIMENSION
        values = ross_pointwise(gaussian_ranks(x) if flat else (x - x.mean(0)) / x.std(), codes)
        if _beats(values, best, KNN_MIN_Z):
            best, note = values, "k-NN (Ross)"
    return best, (note,)


def _beats(candidate, incumbent, min_z: float = MIN_Z) -> bool:
    gain = candidate - incumbent
    return gain.mean() > max(MIN_GAIN, min_z * gain.std() / np.sqrt(len(gain)))


def _balanced(model, x, codes, seed):
    n, prior = len(x), np.bincount(codes) / len(codes)
    rows = np.arange(n)
    inside = model(x, codes, x, len(prior))[rows, codes]
    outside = np.empty(n)
    for test in folds(n, FOLDS, seed):
        train = np.setdiff1d(rows, test)
        log_p = model(x[train], codes[train], x[test], len(prior))
        outside[test] = log_p[np.arange(len(test)), codes[test]]
    share = (FOLDS - 1) / FOLDS
    return (inside + share * outside) / (1.0 + share) - np.log(prior[codes])


def _lda(x, codes, x_new, n_classes):
    return lda_log_posterior(x, codes, x_new, n_classes)


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
