"""The risk of the distilled linear student as a parabola in the teacher's share of the label.

The public methods are those of ``gaussian.JointGaussian``; derivation: chapter "theory".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Risk:
    """R(m) - R(0) = m^2 (delta + kappa Var(y - t | x2)) - 2 m kappa (sigma2 - c).

    m = lam / (1 + lam) is the teacher's share, kappa = p / (n - p - 1) the price of few rows.

    Attributes
    ----------
    sigma2, tau2, c, delta : float
        As in `gaussian.JointGaussian`.
    p : int
        Dimension of the student's modality.
    """

    sigma2: float
    tau2: float
    c: float
    delta: float
    p: int

    def kappa(self, n: ArrayLike) -> NDArray:
        """Return kappa; ValueError unless n > p + 1."""
        n = np.asarray(n, float)
        if not np.all(n > self.p + 1):
            raise ValueError(
                f"n must exceed p + 1 = {self.p + 1} for a finite expected risk, got {n.min():g}"
            )
        return self.p / (n - self.p - 1)

    def undistilled(self, n: ArrayLike) -> NDArray:
        """Return R(0)."""
        return self.sigma2 * (1 + self.kappa(n))

    def relative_change(self, n: ArrayLike, lam: ArrayLike) -> NDArray:
        """Return R(lam) / R(0) - 1."""
        kappa, m = self.kappa(n), share(lam)
        change = m**2 * self._curvature(kappa) - 2 * m * kappa * (self.sigma2 - self.c)
        return change / self.undistilled(n)

    def best_share(self, n: ArrayLike) -> NDArray:
        """Return the m at the bottom of the parabola, 0 where it rises from the start."""
        kappa = self.kappa(n)
        gain = np.maximum(kappa * (self.sigma2 - self.c), 0.0)
        return np.divide(gain, self._curvature(kappa), out=np.zeros_like(gain), where=gain > 0)

    def _curvature(self, kappa: NDArray) -> NDArray:
        # Var(y - t | x2) > 0 because cov is positive definite, so this is never 0 for finite n.
        return self.delta + kappa * (self.sigma2 - 2 * self.c + self.tau2)


def share(lam: ArrayLike) -> NDArray:
    """Teacher's share of the mixed label, m = lam / (1 + lam); 1 at lam = inf."""
    lam = np.asarray(lam, float)
    if not np.all(lam >= 0):
        raise ValueError(f"lam must be 0 or positive, got {lam}")
    return np.divide(lam, 1 + lam, out=np.ones_like(lam), where=np.isfinite(lam))


def weight(m: NDArray) -> NDArray | float:
    """The weight lam with lam / (1 + lam) = m; inf from m = 1 on."""
    return np.divide(m, 1 - m, out=np.full_like(m, np.inf), where=m < 1)[()]
