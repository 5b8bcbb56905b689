"""Part of `auto`: the few factors behind many units, from the order of each unit's values alone.

A layer of increasing units, `h_j = f_j(w_j . z)`, has the rank of z once each unit is undone. To
undo them, principal components and isotonic regressions take turns (nonmetric principal
components: Kruskal & Shepard 1974).
"""

from __future__ import annotations

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


def factors(a: np.ndarray) -> np.ndarray | None:
    """White factors `[n, k]` that reproduce all units of `[n, d]`, k at most d / 2; None if none.

    They depend on the ranks within each unit only; ties may part, a few cells may be outliers.
    """
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
    """The scores, order and ties of the units `[n, d]`."""

    def __init__(self, a):
        self.scores = standardised(gaussian_ranks(a))
        self.order = np.argsort(a, axis=0, kind="stable")
        ascending = np.take_along_axis(a, self.order, 0)
        self.level = np.zeros(a.shape, int)
        np.cumsum(np.diff(ascending, axis=0) > 0, axis=0, out=self.level[1:])

    def fit(self, k):
        """White factors `[n, k]`, or None as soon as they will not explain the units."""
        fixed = self.scores.copy()  # the units undone, outliers replaced by what others say
        value, unexplained = fixed.copy(), []  # the units undone
        for left in range(ITERATIONS)[::-1]:
            axes = np.linalg.eigh(fixed.T @ fixed)[1][:, -k:]
            fitted = fixed @ axes @ axes.T
            unexplained.append(np.mean([
                self._undo(j, fitted[:, j], value, fixed) for j in range(fixed.shape[1])
            ]))  # fmt: skip
            if unexplained[-1] < UNEXPLAINED:
                return self._white(fixed @ axes) if self._resemble(fixed) else None
            if len(unexplained) > PATIENCE:
                rate = (unexplained[-1] / unexplained[-1 - PATIENCE]) ** (1 / PATIENCE)
                if unexplained[-1] * rate**left > UNEXPLAINED:
                    return None
        return None

    def _undo(self, j, target, value, fixed):
        """Fit unit j to its `target` in its order; return the share of variance that is left."""
        from scipy.optimize import isotonic_regression  # .2 s, once

        order, level = self.order[:, j], self.level[:, j]
        if level[-1] + 1 < len(level):  # equal values may have come from different ones
            order = order[np.lexsort((target[order], level))]
        wanted, n = target[order], len(order)
        trusted = n - int(OUTLIERS * n)
        worst = np.argpartition(np.abs(value[order, j] - wanted), trusted - 1)[trusted:]
        weights = np.ones(n)
        weights[worst] = 1e-6
        undone = isotonic_regression(wanted, weights=weights).x
        repaired = undone.copy()
        repaired[worst] = wanted[worst]
        mean, scale = repaired.mean(), max(repaired.std(), 1e-9)
        value[order, j], fixed[order, j] = (undone - mean) / scale, (repaired - mean) / scale
        return ((repaired - wanted) ** 2).mean() / max(wanted.var(), 1e-12)

    def _resemble(self, undone):
        return np.median((undone * self.scores).mean(0)) > RESEMBLANCE

    @staticmethod
    def _white(z):
        return np.linalg.qr(z - z.mean(0))[0] * np.sqrt(len(z))
