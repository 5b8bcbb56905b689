"""The joint Gaussian model of cross-modal distillation, solved exactly.

Teacher modality x1, student modality x2 and label y are jointly Gaussian with mean zero. The
teacher is linear and fixed, t = w1·x1. The student is least squares on x2, distilled with weight
lam: argmin_w  sum (y - w·x2)^2 + lam * sum (w·x2 - t)^2. All information is in nats.

Model, objective and criterion are those of arXiv 2510.13182 (Theorem 1); the exact risk at n rows
and what follows from it is this project's own, derived in the chapter "theory" of the book.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import block_diag

from .covariances import check_correlations, check_positive_definite

_RELATIVE_ZERO = 1e-12  # below this share of Var y, the best linear student counts as constant


@dataclass(frozen=True, eq=False)
class JointGaussian:
    """Joint Gaussian (x1, x2, y), mean zero, with a fixed linear teacher t = w1·x1.

    Build it with :meth:`from_correlations` or :meth:`from_covariance`; both validate.

    Examples
    --------
    >>> world = JointGaussian.from_correlations(r=0.6, q=0.8, g=0.7, p=20)
    >>> round(float(world.gap), 3)
    0.288
    >>> bool(world.risk(100, 0.5) < world.risk(100, 0.0))  # distillation helps with 100 rows
    True
    """

    cov: NDArray  #: Covariance of (x1, x2, y) [p1 + p2 + 1, p1 + p2 + 1]; read-only.
    p1: int  #: Dimension of the teacher's modality.
    p2: int  #: Dimension of the student's modality.
    w1: NDArray  #: Weights of the teacher [p1]; read-only.

    @classmethod
    def from_covariance(
        cls, cov: ArrayLike, p1: int, p2: int, w1: ArrayLike | None = None
    ) -> JointGaussian:
        """Build the model from the covariance `[p1 + p2 + 1, p1 + p2 + 1]` of (x1, x2, y).

        By default the teacher is calibrated, t = E[y | x1]. A `cov` that is not finite, symmetric
        and positive definite, or a wrong shape, is a `ValueError`.
        """
        cov = np.array(cov, float)
        d = p1 + p2 + 1
        if p1 < 1 or p2 < 1:
            raise ValueError(f"p1 and p2 must be at least 1, got p1={p1}, p2={p2}")
        if cov.shape != (d, d):
            raise ValueError(f"cov must be [{d}, {d}] (p1 + p2 + 1), got {list(cov.shape)}")
        check_positive_definite(cov)
        w1 = np.linalg.solve(cov[:p1, :p1], cov[:p1, -1]) if w1 is None else np.array(w1, float)
        if w1.shape != (p1,) or not np.isfinite(w1).all():
            raise ValueError(f"w1 must be [{p1}] (p1) finite numbers, got {list(w1.shape)}")
        cov = (cov + cov.T) / 2
        cov.flags.writeable = w1.flags.writeable = False
        return cls(cov, int(p1), int(p2), w1)

    @classmethod
    def from_correlations(
        cls,
        r: float,
        q: float,
        g: float,
        p: int,
        teacher_sd: float | str = 1.0,
        p1: int | None = None,
        *,
        nuisance: float = 0.0,
        rotate: int | None = None,
    ) -> JointGaussian:
        """Build the model from three correlations; Var y = 1 and E[t|x2] is collinear with s.

        x1 and x2 are standard normal. The first coordinate of x2 carries s, the first of x1 carries
        t; the others are noise. A correlation out of range is a `ValueError`; for g the message
        gives the admissible interval.

        Parameters
        ----------
        r, q, g : float
            corr(s, y) in (0, 1), where s = E[y | x2] is the best linear student; corr(t, s) in
            (-1, 1); corr(y, t), inside ``admissible_g(r, q)``.
        p, p1 : int
            Dimensions of x2 and x1; by default equal.
        teacher_sd : float or "calibrated"
            Standard deviation of t; 0 is the constant teacher (then I(t;s) = 0 whatever q). With
            "calibrated" it is g, so that t = E[y | x1], what a well-trained teacher predicts.
        nuisance : float
            Correlation in (-1, 1) of the second coordinates of x1 and x2: shared content that
            leaves t, s and y untouched. Not 0 needs p, p1 >= 2.
        rotate : int, optional
            Seed of random rotations of x1 and x2, so that no axis is special. None of the exact
            quantities changes.
        """
        p1 = p if p1 is None else p1
        teacher_sd = check_correlations(r, q, g, teacher_sd)
        if p < 1 or p1 < 1:
            raise ValueError(f"p and p1 must be at least 1, got p={p}, p1={p1}")
        if not -1 < nuisance < 1 or (nuisance and min(p, p1) < 2):
            raise ValueError(f"nuisance must lie in (-1, 1) and needs p, p1 >= 2, got {nuisance}")
        cov = np.eye(p1 + p + 1)
        for i, j, value in ((0, p1, q), (0, -1, g), (p1, -1, r)):
            cov[i, j] = cov[j, i] = value
        if nuisance:
            cov[1, p1 + 1] = cov[p1 + 1, 1] = nuisance
        w1 = np.eye(1, p1)[0] * teacher_sd
        if rotate is not None:
            rng = np.random.default_rng(rotate)
            turns = [np.linalg.qr(rng.standard_normal((size, size)))[0] for size in (p1, p)]
            turn = block_diag(*turns, 1.0)  # y stays as it is
            cov, w1 = turn @ cov @ turn.T, turn[:p1, :p1] @ w1
        return cls.from_covariance(cov, p1, p, w1)

    @cached_property
    def student_weights(self) -> NDArray:
        """w* [p2]: weights of the best linear student s = w*·x2 = E[y | x2]."""
        return np.linalg.solve(self._s22, self.cov[self.p1 : -1, -1])

    @cached_property
    def teacher_projection(self) -> NDArray:
        """v* [p2]: weights of E[t | x2] = v*·x2, all of the teacher that x2 can express."""
        return np.linalg.solve(self._s22, self.cov[self.p1 : -1, : self.p1] @ self.w1)

    @cached_property
    def correlations(self) -> tuple[float, float, float]:
        """(r, q, g) = (corr(s, y), corr(t, s), corr(y, t)); 0 where a variable is constant."""
        (var_s, cov_st, _), (_, var_t, cov_ty), (_, _, var_y) = self._cov_sty
        student, teacher = var_s > _RELATIVE_ZERO * var_y, var_t > 0
        r = np.sqrt(var_s / var_y) if student else 0.0
        q = cov_st / np.sqrt(var_t * var_s) if student and teacher else 0.0
        g = cov_ty / np.sqrt(var_t * var_y) if teacher else 0.0
        return float(r), float(q), float(g)

    @cached_property
    def sigma2(self) -> float:
        """Var(y | x2): the risk of the best linear student."""
        return float(self.cov[-1, -1] - self._cov_sty[0, 0])

    @cached_property
    def tau2(self) -> float:
        """Var(t | x2): the part of the teacher that the student cannot express."""
        v = self.teacher_projection
        return float(self._cov_sty[1, 1] - v @ self._s22 @ v)

    @cached_property
    def c(self) -> float:
        """Cov(y, t | x2)."""
        shared = self.teacher_projection @ self._s22 @ self.student_weights
        return float(self._cov_sty[1, 2] - shared)

    @cached_property
    def delta(self) -> float:
        """(v* - w*)' S22 (v* - w*): squared bias of a student that copies the teacher."""
        d = self.teacher_projection - self.student_weights
        return float(d @ self._s22 @ d)

    @cached_property
    def residual_alignment(self) -> float:
        """E[(y - t)(y - s)], equal to sigma2 - c: small-lam distillation helps iff it is > 0."""
        (_, cov_st, cov_sy), (_, _, cov_ty), (_, _, var_y) = self._cov_sty
        return float(var_y - cov_ty - cov_sy + cov_st)

    @property
    def mi_teacher_student(self) -> float:
        """I(t;s) = I(w1·x1; w*·x2) in nats, the left side of the criterion."""
        return float(-0.5 * np.log1p(-(self.correlations[1] ** 2)))

    @property
    def mi_student_label(self) -> float:
        """I(s;y) = I(w*·x2; y) in nats, the right side of the criterion."""
        return float(-0.5 * np.log1p(-(self.correlations[0] ** 2)))

    @property
    def gap(self) -> float:
        """I(t;s) - I(s;y) in nats; the Cross-modal Complementarity Hypothesis holds iff > 0."""
        return self.mi_teacher_student - self.mi_student_label

    def risk(self, n: ArrayLike, lam: ArrayLike) -> NDArray | float:
        """Exact expected squared error E R(lam) on a fresh row, over training sets of n rows.

        `n` may be ``np.inf``, the population, and `lam` too, which copies the teacher; they
        broadcast. A `ValueError` where n <= p2 + 1 (the expectation is infinite or the fit not
        unique) or lam < 0.
        """
        (undistilled, bend, drop), m = self._parabola(n), _share(lam)
        return (undistilled + bend * m**2 - 2 * drop * m)[()]

    def relative_change(self, n: ArrayLike, lam: ArrayLike) -> NDArray | float:
        """R(lam) / R(0) - 1: negative where distillation helps. Arguments as in :meth:`risk`."""
        (undistilled, bend, drop), m = self._parabola(n), _share(lam)
        return ((bend * m**2 - 2 * drop * m) / undistilled)[()]

    def risk_slope(self, n: ArrayLike) -> NDArray | float:
        """dR/dlam at lam = 0, equal to -2 kappa E[(y - t)(y - s)], kappa = p2 / (n - p2 - 1)."""
        return (-2 * self._parabola(n)[2])[()]

    def best_lambda(self, n: ArrayLike) -> NDArray | float:
        """Weight of least expected risk: 0 where no weight helps, inf where copying is best."""
        return _weight(self._best_share(n))

    def largest_helpful_lambda(self, n: ArrayLike) -> NDArray | float:
        """Supremum of the weights that help: 0 where none does, inf where every weight does."""
        return _weight(2 * self._best_share(n))

    def sample(self, n: int, rng: np.random.Generator) -> tuple[NDArray, NDArray, NDArray]:
        """Draw n independent rows: x1 [n, p1], x2 [n, p2], y [n]."""
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        rows = rng.standard_normal((n, len(self.cov))) @ self._cholesky.T
        return rows[:, : self.p1], rows[:, self.p1 : -1], rows[:, -1]

    @cached_property
    def _cholesky(self):
        return np.linalg.cholesky(self.cov)

    def simulate_risk(
        self, n: int, lam: ArrayLike, draws: int, rng: np.random.Generator
    ) -> NDArray:
        """True risks `[draws, k]` of students fitted to fresh training sets of n rows.

        Each draw fits all weights `lam` `[k]`, finite and >= 0, on the same rows; the mean over
        draws estimates ``risk(n, lam)``.
        """
        self._parabola(n)  # refuses too few rows
        m = np.atleast_1d(_share(lam))
        risks = np.empty((draws, m.size))
        for i in range(draws):
            x1, x2, y = self.sample(n, rng)
            # Least squares is linear in the label, so two fits give the student for every lam.
            fit = np.linalg.solve(x2.T @ x2, x2.T @ np.column_stack([y, x1 @ self.w1]))
            error = fit @ np.stack([1 - m, m]) - self.student_weights[:, None]
            risks[i] = self.sigma2 + np.einsum("ik,ij,jk->k", error, self._s22, error)
        return risks

    def _parabola(self, n: ArrayLike) -> tuple[NDArray, NDArray, NDArray]:
        """Return R(0), a and b of R = R(0) + a m^2 - 2 b m in the teacher's share m."""
        n = np.asarray(n, float)
        if not np.all(n > self.p2 + 1):
            raise ValueError(
                f"n must exceed p + 1 = {self.p2 + 1} for a finite expected risk, got {n.min():g}"
            )
        kappa = self.p2 / (n - self.p2 - 1)  # the price of few rows
        # Var(y - t | x2) > 0 because cov is positive definite, so `bend` is > 0 for finite n.
        bend = self.delta + kappa * (self.sigma2 - 2 * self.c + self.tau2)
        return self.sigma2 * (1 + kappa), bend, kappa * (self.sigma2 - self.c)

    def _best_share(self, n: ArrayLike) -> NDArray:
        """Return the m at the bottom of the parabola, 0 where it rises from the start."""
        _, bend, drop = self._parabola(n)
        drop = np.maximum(drop, 0.0)
        return np.divide(drop, bend, out=np.zeros_like(drop), where=drop > 0)

    @property
    def _s22(self) -> NDArray:
        return self.cov[self.p1 : -1, self.p1 : -1]

    @cached_property
    def _cov_sty(self) -> NDArray:
        """Covariance [3, 3] of (s, t, y)."""
        weights = np.zeros((len(self.cov), 3))
        weights[self.p1 : -1, 0] = self.student_weights
        weights[: self.p1, 1] = self.w1
        weights[-1, 2] = 1.0
        return weights.T @ self.cov @ weights


def _share(lam: ArrayLike) -> NDArray:
    """Teacher's share of the mixed label, m = lam / (1 + lam); 1 at lam = inf."""
    lam = np.asarray(lam, float)
    if not np.all(lam >= 0):
        raise ValueError(f"lam must be 0 or positive, got {lam}")
    return np.divide(lam, 1 + lam, out=np.ones_like(lam), where=np.isfinite(lam))


def _weight(m: NDArray) -> NDArray | float:
    """The weight lam with lam / (1 + lam) = m; inf from m = 1 on."""
    return np.divide(m, 1 - m, out=np.full_like(m, np.inf), where=m < 1)[()]
