"""Scores of predictions: accuracy, weighted F1 and area under the ROC, of many networks at once."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax
from scipy.stats import rankdata

METRICS = ("accuracy", "weighted F1", "AUC")


def scores(logits: ArrayLike, labels: ArrayLike) -> dict[str, NDArray]:
    """Score logits [..., n, k] of classes [n] by each of `METRICS`, [...].

    Weighted F1: that of each class, weighted by its rows. AUC: mean over classes of one against
    the rest, on probabilities (two classes: the usual AUC); a class without rows, or with all of
    them, is left out of the mean.
    """
    logits, labels = np.asarray(logits, float), np.asarray(labels)
    is_class = labels[:, None] == np.arange(logits.shape[-1])  # [n, k]
    said = logits.argmax(-1)[..., None] == np.arange(logits.shape[-1])  # [..., n, k]
    sizes = is_class.sum(axis=0)
    hit = (said & is_class).sum(axis=-2)
    f1 = 2 * hit / np.maximum(said.sum(axis=-2) + sizes, 1)
    return {
        "accuracy": hit.sum(axis=-1) / len(labels),
        "weighted F1": f1 @ sizes / len(labels),
        "AUC": _auc(log_softmax(logits, axis=-1), is_class, sizes),
    }


def _auc(logp, is_class, sizes):
    """Mann and Whitney: mean rank of a class's rows among all, scaled to [0, 1]."""
    n = len(is_class)
    there = (sizes > 0) & (sizes < n)
    ranks = rankdata(logp[..., there], axis=-2)
    inside, own = is_class[:, there], sizes[there]
    auc = ((ranks * inside).sum(axis=-2) - own * (own + 1) / 2) / (own * (n - own))
    return auc.mean(axis=-1)


def regression_scores(predictions: ArrayLike, targets: ArrayLike) -> dict[str, float]:
    """Score predictions [n] of real targets [n]: ``mae`` and ``correlation`` (0 of a constant)."""
    a, b = np.asarray(predictions, float), np.asarray(targets, float)
    varies = a.std() > 0 and b.std() > 0
    return {
        "mae": float(abs(a - b).mean()),
        "correlation": float(np.corrcoef(a, b)[0, 1]) if varies else 0.0,
    }
