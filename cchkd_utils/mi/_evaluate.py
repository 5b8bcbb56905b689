"""Held-out evaluation shared by the models behind `auto`."""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from ._cca import folds


def disjoint_folds(n: int, seed: int, k: int = 3):
    """Yield (train, test) row numbers; the test sets are disjoint and cover all rows."""
    for test in folds(n, k, seed):
        yield np.setdiff1d(np.arange(n), test), test


def info_nce_rows(pairs: np.ndarray) -> np.ndarray:
    """Row-wise terms `[m]` of the symmetric InfoNCE bound of log ratios `[m, m]`.

    van den Oord et al. (2018), eq. 4, averaged over both directions; at most ln m.
    """
    both = logsumexp(pairs, axis=1) + logsumexp(pairs, axis=0)
    return np.diag(pairs) - 0.5 * both + np.log(len(pairs))
