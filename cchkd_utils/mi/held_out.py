"""Evaluation on held-out rows: folds, a bound, and when a richer model has won."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def folds(n: int, k: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield k pairs (train, test) of row numbers; the random test sets part the n rows."""
    for test in np.array_split(np.random.default_rng(seed).permutation(n), k):
        test.sort()
        yield np.setdiff1d(np.arange(n), test), test


def beats(candidate, incumbent, min_z: float, min_gain: float = 0.01) -> bool:
    """Whether row-wise terms `[n]` average to significantly more nats than the simpler model's."""
    gain = candidate - incumbent
    return gain.mean() > max(min_gain, min_z * gain.std() / np.sqrt(len(gain)))


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
