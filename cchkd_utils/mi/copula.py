"""Part of `auto`: the Student-t copula, with the Gaussian copula as its limit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, ndtri, stdtrit

from .base import Pointwise
from .normal import canonical_log_ratio, whitening, wishart_bias

DOFS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 10.0, 20.0, np.inf)
EM_STEPS = 12


def uniform_ranks(a: np.ndarray) -> np.ndarray:
    """Ranks of each column of `[n, d]` mapped into (0, 1); ties share their mean rank."""
    from scipy.stats import rankdata  # half a second, once

    return (rankdata(a, axis=0) - 0.5) / len(a)


def gaussian_ranks(a: np.ndarray) -> np.ndarray:
    """Normal scores of each column."""
    return scores(uniform_ranks(a), np.inf)


@dataclass(frozen=True)
class Copula:
    """A t copula; in its canonical coordinates only a_k and b_k are related, by `rho[k]`."""

    project_x: np.ndarray  # scores to white coordinates [dx, dx]
    project_y: np.ndarray  # [dy, dy]
    rho: np.ndarray
    dof: float  # inf: Gaussian

    def coordinates(self, sx: np.ndarray, sy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Whitened canonical coordinates of scores `[n, dx]`, `[n, dy]`."""
        return sx @ self.project_x, sy @ self.project_y

    def pair_ratio(self, sx, sy) -> np.ndarray:
        """`log_ratio` of all pairs of rows `[n, m]`."""
        return self.log_ratio(sx, sy, pairs=True)

    def log_ratio(self, sx, sy, *, pairs: bool = False) -> np.ndarray:
        """Log p(x,y)/p(x)p(y) of scores: of the rows `[n]`, or of all pairs `[n, m]`."""
        (a, b), r = self.coordinates(sx, sy), len(self.rho)
        normal = canonical_log_ratio(a[:, :r], b[:, :r], self.rho, pairs=pairs)
        if np.isinf(self.dof):
            return normal
        qa, qb = (a**2).sum(1), (b**2).sum(1)
        qa = qa[:, None] if pairs else qa
        constant = -0.5 * np.log(1.0 - self.rho**2).sum()
        q = np.maximum(qa + qb - 2.0 * (normal - constant), 0.0)
        dx, dy = a.shape[1], b.shape[1]
        alone = _t_kernel(qa, dx, self.dof) + _t_kernel(qb, dy, self.dof)
        return constant + _t_kernel(q, dx + dy, self.dof) - alone


def _t_kernel(q, d, v):
    """Log density of a t with identity scatter at squared radius q."""
    scale = gammaln(0.5 * (v + d)) - gammaln(0.5 * v) - 0.5 * d * np.log(v * np.pi)
    return scale - 0.5 * (v + d) * np.log1p(q / v)


def scores(u: np.ndarray, dof: float) -> np.ndarray:
    """Quantiles of the t distribution at uniform ranks."""
    if np.isinf(dof):
        return np.ascontiguousarray(ndtri(u))
    # All columns hold the same ranks, and the quantile function of t is slow.
    ranks, at = np.unique(u, return_inverse=True)
    return stdtrit(dof, ranks)[at].reshape(u.shape)


def fit_scatter(u: np.ndarray, dof: float) -> np.ndarray:
    """Maximum-likelihood scatter of a centred t, from uniform ranks: EM (Liu & Rubin 1995)."""
    g, (n, d) = scores(u, np.inf), u.shape
    cov = g.T @ g / n
    if np.isinf(dof):
        return cov
    s = scores(u, dof)
    for _ in range(EM_STEPS):
        cov = (s * ((dof + d) / (dof + _squared_radius(s, cov)))[:, None]).T @ s / n
    return cov


def _squared_radius(s, cov):
    """Mahalanobis radius of rows, squared `[n]`."""
    return ((s @ whitening(cov)) ** 2).sum(1)


def choose_dof(u: np.ndarray) -> float:
    """The degrees of freedom with the largest copula likelihood of ranks `[n, d]`."""
    best, chosen, falls = -np.inf, np.inf, 0
    for dof in DOFS[::-1]:  # until the likelihood has fallen twice: it has one peak
        value, falls = _log_likelihood(u, dof), falls + 1
        if value > best:
            best, chosen, falls = value, dof, 0
        elif falls == 2:
            break
    return chosen


def _log_likelihood(u, dof):
    s, cov = scores(u, dof), fit_scatter(u, dof)
    scale = np.sqrt(np.diag(cov))
    s, cov = s / scale, cov / np.outer(scale, scale)
    d, q = s.shape[1], _squared_radius(s, cov)
    logdet = np.linalg.slogdet(cov)[1]
    if np.isinf(dof):
        return -0.5 * (q + logdet - (s**2).sum(1)).sum()
    return (_t_kernel(q, d, dof) - 0.5 * logdet - _t_kernel(s**2, 1, dof).sum(1)).sum()


def canonical(cov: np.ndarray, dx: int, dof: float, n: int, truncate: bool) -> Copula:
    """Diagonalise a scatter matrix `[dx + dy, dx + dy]` into canonical correlations.

    With `truncate` only correlations above what chance gives on n rows are kept, the edge of
    the null distribution (Wachter 1980), and those are shrunk towards their true size.
    """
    wx, wy = whitening(cov[:dx, :dx]), whitening(cov[dx:, dx:])
    u, rho, vt = np.linalg.svd(wx.T @ cov[:dx, dx:] @ wy)
    rho = np.clip(rho, 0.0, 0.999999)
    if truncate:
        p, q = dx / n, (len(cov) - dx) / n
        edge = (np.sqrt(p * (1 - q)) + np.sqrt(q * (1 - p))) ** 2
        kept = rho[rho**2 > 1.15 * edge + 4.0 / n] ** 2
        # A sample correlation in p + q directions exceeds the true one as an R^2 does.
        adjusted = 1.0 - (1.0 - kept) * (n - 1) / max(n - len(cov) - 1, 1)
        rho = np.sqrt(np.clip(adjusted, 0.0, None))
    return Copula(wx @ u, wy @ vt.T, rho, dof)


def fit_normal(z: np.ndarray, dx: int, *, truncate: bool, ridge: float = 0.0) -> Copula:
    """Canonical correlations of centred rows `[n, dx + dy]` as they are."""
    cov = z.T @ z / len(z) + ridge * np.eye(z.shape[1])
    return canonical(cov, dx, np.inf, len(z), truncate)


def fit_copula(ux, uy, dof: float, *, truncate: bool) -> Copula:
    """Fit a t copula of given `dof` to ranks `[n, dx]`, `[n, dy]`."""
    scatter = fit_scatter(np.hstack([ux, uy]), dof)
    return canonical(scatter, ux.shape[1], dof, len(ux), truncate)


def copula(ux, uy, dof: float) -> Pointwise:
    """Log ratios with the chance part of the fit subtracted."""
    ratio = fit_copula(ux, uy, dof, truncate=False).log_ratio(scores(ux, dof), scores(uy, dof))
    student = f"Student-t copula, {dof:g} degrees of freedom"
    note = "Gaussian copula" if np.isinf(dof) else student
    return Pointwise(ratio - wishart_bias(len(ux), ux.shape[1], uy.shape[1]), (note,))
