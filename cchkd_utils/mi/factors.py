"""Part of `auto`: the few factors behind many units, from the order of each unit's values alone.

A layer of increasing units, `h_j = f_j(w_j . z)`, has the rank of z once each unit is undone. To
undo them, principal components and isotonic regressions take turns (nonmetric principal
components: Kruskal & Shepard 1974).
"""

from __future__ import annotations

import hashlib

import numpy as np

from .copula import gaussian_ranks
from .normal import standardised

MIN_UNITS, MAX_FACTORS = 6, 24
ROWS_PER_FACTOR = 20
OUTLIERS = 0.02  # of the cells of a unit: those that fit worst do not count
UNEXPLAINED = 2e-4  # of the variance, where the factors are there
ITERATIONS, PATIENCE = 60, 4
# With few units per factor steps can be fitted to anything: they no longer resemble the scores.
# (Median correlation on layers: .84 and more; on Gaussian, Student and clustered rows: .21.)
RESEMBLANCE = 0.5
REMEMBERED = 32  # arrays, by their content
_remembered: dict[bytes, np.ndarray | None] = {}


def factors(a: np.ndarray) -> np.ndarray | None:
    """White factors `[n, k]` that reproduce all units of `[n, d]`, k at most d / 2; None if none.

    They depend on the ranks within each unit only; ties may part, a few cells may be outliers.
    The last few arrays are remembered: a verdict meets each of its two layers several times.
    """
    key = hashlib.blake2b(np.ascontiguousarray(a), key=str(a.shape).encode()).digest()
    try:
        return _remembered[key]
    except KeyError:
        white = _factors(a)
    if white is not None:
        white.setflags(write=False)
    while len(_remembered) >= REMEMBERED:
        _remembered.pop(next(iter(_remembered), key), None)  # the oldest
    _remembered[key] = white
    return white


def _factors(a):
    most = min(a.shape[1] // 2, len(a) // ROWS_PER_FACTOR, MAX_FACTORS)
    if a.shape[1] < MIN_UNITS:  # two nearly equal columns are one factor and a small difference
        return None
    units = _Units(a)
    fitted = units.fit(most) if most else None
    too_few = 0
    while fitted is not None and most - too_few > 1:  # the smallest number that does
        middle = (too_few + most) // 2
        fewer = units.fit(middle)
        if fewer is None:
            too_few = middle
        else:
            most, fitted = middle, fewer
    return fitted


class _Units:
    """The scores, order and ties of the units, `[d, n]`: a unit is one piece of memory."""

    def __init__(self, a):
        self.scores = np.ascontiguousarray(standardised(gaussian_ranks(a)).T)
        self.order = np.argsort(a.T, axis=1, kind="stable")
        ascending = np.take_along_axis(a.T, self.order, 1)
        self.level = np.zeros(ascending.shape, int)
        np.cumsum(np.diff(ascending, axis=1) > 0, axis=1, out=self.level[:, 1:])
        self.tied = np.flatnonzero(self.level[:, -1] + 1 < len(a))

    def fit(self, k):
        """White factors `[n, k]`, or None as soon as they will not explain the units."""
        fixed = self.scores.copy()  # the units undone, outliers replaced by what others say
        value, unexplained = fixed.copy(), []  # the units undone
        for left in range(ITERATIONS)[::-1]:
            axes = np.linalg.eigh(fixed @ fixed.T)[1][:, -k:]
            unexplained.append(self._undo(axes @ (axes.T @ fixed), value, fixed))
            if unexplained[-1] < UNEXPLAINED:
                return self._white(fixed.T @ axes) if self._resemble(fixed) else None
            if len(unexplained) > PATIENCE:
                rate = (unexplained[-1] / unexplained[-1 - PATIENCE]) ** (1 / PATIENCE)
                if unexplained[-1] * rate**left > UNEXPLAINED:
                    return None
        return None

    def _undo(self, target, value, fixed):
        """Fit each unit to its `target` in its order; return the share of variance that is left."""
        from scipy.optimize import isotonic_regression  # .2 s, once

        order, n, tied = self.order, target.shape[1], self.tied
        if len(tied):  # equal values may have come from different ones
            order = order.copy()
            wanted = np.take_along_axis(target[tied], order[tied], 1)
            within = wanted - wanted.min(1, keepdims=True)
            within /= 2 * within.max(1, keepdims=True) + 1e-300
            by_target = np.argsort(self.level[tied] + within, axis=1, kind="stable")
            order[tied] = np.take_along_axis(order[tied], by_target, 1)
        wanted = np.take_along_axis(target, order, 1)
        trusted = n - int(OUTLIERS * n)
        off = np.abs(np.take_along_axis(value, order, 1) - wanted)
        worst = np.argpartition(off, trusted - 1, axis=1)[:, trusted:]
        weights = np.ones(wanted.shape)
        np.put_along_axis(weights, worst, 1e-6, 1)
        pairs = zip(wanted, weights)
        undone = np.array([isotonic_regression(row, weights=w).x for row, w in pairs])
        repaired = np.where(weights < 1.0, wanted, undone)
        mean = repaired.mean(1, keepdims=True)
        scale = np.maximum(repaired.std(1, keepdims=True), 1e-9)
        np.put_along_axis(value, order, (undone - mean) / scale, 1)
        np.put_along_axis(fixed, order, (repaired - mean) / scale, 1)
        left = ((repaired - wanted) ** 2).mean(1) / np.maximum(wanted.var(1), 1e-12)
        return left.mean()

    def _resemble(self, undone):
        return np.median((undone * self.scores).mean(1)) > RESEMBLANCE

    @staticmethod
    def _white(z):
        return np.linalg.qr(z - z.mean(0))[0] * np.sqrt(len(z))
