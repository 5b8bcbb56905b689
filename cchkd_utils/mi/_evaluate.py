"""Held-out evaluation shared by the models behind `auto`."""

from __future__ import annotations

import numpy as np

from ._cca import folds


def disjoint_folds(n: int, seed: int, k: int = 3):
    """Yield (train, test) row numbers; the test sets are disjoint and cover all rows."""
    for test in folds(n, k, seed):
        yield np.setdiff1d(np.arange(n), test), test


def info_nce_rows(pairs: np.ndarray) -> np.ndarray:
    """Row-wise terms `[m]` of the symmetric InfoNCE bound of finite log ratios `[m, m]`.

    van den Oord et al. (2018), eq. 4, averaged over both directions; at most ln m.
    """
    both = _log_sum_exp(pairs, 1) + _log_sum_exp(pairs, 0)
    return np.diag(pairs) - 0.5 * both + np.log(len(pairs))


def _log_sum_exp(a, axis):
    """As `scipy.special.logsumexp` for finite numbers, in half its time."""
    top = a.max(axis, keepdims=True)
    return np.log(np.exp(a - top).sum(axis)) + top.squeeze(axis)
