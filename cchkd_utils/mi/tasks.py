"""Samplers with known mutual information: what the estimators are measured on.

The forty tasks of the benchmark of Czyż et al. ("Beyond Normal", NeurIPS 2023), written anew from
their definitions, and hidden layers: clusters and a shared nuisance behind an injective layer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp, ndtr

from .normal import canonical_log_ratio


@dataclass(frozen=True)
class Task:
    """A joint distribution: `sample(n, rng) -> (x [n, dx], y [n, dy])`, with I(X;Y) = `nats`."""

    name: str  # as in the benchmark
    nats: float
    sample: Callable[[int, np.random.Generator], tuple[np.ndarray, np.ndarray]]


def _elliptical(cov, dx, dof, name):
    """Student-t around zero, normal at `dof` = inf; the first `dx` coordinates are x."""
    from scipy.stats import multivariate_t

    root = np.linalg.cholesky(cov)

    def sample(n, rng):
        z = rng.standard_normal((n, len(cov))) @ root.T
        if np.isfinite(dof):
            z /= np.sqrt(rng.chisquare(dof, (n, 1)) / dof)
        return z[:, :dx], z[:, dx:]

    parts = cov[:dx, :dx], cov[dx:, dx:], cov
    nats = np.dot([1, 1, -1], [multivariate_t(shape=part, df=dof).entropy() for part in parts])
    return Task(name, float(nats), sample)


def normal(cov: np.ndarray, dx: int, name: str) -> Task:
    """Zero-mean multivariate normal; the first `dx` of its coordinates are x."""
    return _elliptical(cov, dx, np.inf, name)


def student(dx: int, dy: int, dof: float, rho: float = 0.0) -> Task:
    """Multivariate Student-t, dispersion 1 and `rho` between x_1 and y_1."""
    name = f"St {dx}x{dy} (dof={dof:g}{f', rho={rho:.2f}' if rho else ''})"
    return _elliptical(pair_cov(dx, dy, 1, rho), dx, dof, name)


def dense_cov(d: int, off: float = 0.5) -> np.ndarray:
    """Equicorrelation matrix `[d, d]`."""
    return np.eye(d) * (1 - off) + off


def pair_cov(dx: int, dy: int, pairs: int = 2, rho: float = 0.8) -> np.ndarray:
    """Covariance in which x_i and y_i correlate by `rho` for i < pairs, and nothing else does."""
    cov = np.eye(dx + dy)
    for i in range(pairs):
        cov[i, dx + i] = cov[dx + i, i] = rho
    return cov


def additive(epsilon: float) -> Task:
    """X uniform on [0, 1], Y = X + uniform noise on [-epsilon, epsilon]."""

    def sample(n, rng):
        x = rng.uniform(size=(n, 1))
        return x, x + rng.uniform(-epsilon, epsilon, (n, 1))

    nats = 0.25 / epsilon if epsilon > 0.5 else epsilon - np.log(2 * epsilon)
    return Task(f"Uniform 1x1 (noise={epsilon:g})", float(nats), sample)


def transformed(task: Task, label: str, fx: Callable, fy: Callable | None = None) -> Task:
    """The same information seen through injective maps of x and of y."""

    def sample(n, rng):
        x, y = task.sample(n, rng)
        return fx(x), (fy or fx)(y)

    return Task(f"{label} @ {task.name}", task.nats, sample)


def half_cube(a: np.ndarray) -> np.ndarray:
    """Signed power 3/2."""
    return a * np.sqrt(np.abs(a))


def wiggly_x(a: np.ndarray) -> np.ndarray:
    """Increasing map with waves, for x."""
    return a + 0.4 * np.sin(a) + 0.2 * np.sin(1.7 * a + 1) + 0.03 * np.sin(3.3 * a - 2.5)


def wiggly_y(a: np.ndarray) -> np.ndarray:
    """Increasing map with waves, for y."""
    waves = -0.4 * np.sin(0.4 * a) + 0.17 * np.sin(1.3 * a + 3.5) + 0.02 * np.sin(4.3 * a - 2.5)
    return a + waves


def mixture_quantile(weights, means) -> Callable[[np.ndarray], np.ndarray]:
    """Map a uniform variable to a mixture of unit normals."""
    grid = np.linspace(-10, 14, 200_001)
    cdf = sum(w * ndtr(grid - m) for w, m in zip(weights, means))
    return lambda u: np.interp(u, cdf, grid)


def swiss_roll(u: np.ndarray) -> np.ndarray:
    """Roll a uniform variable `[n, 1]` up in the plane `[n, 2]`."""
    t = 1.5 * np.pi * (1 + 2 * u)
    return np.hstack([t * np.cos(t), t * np.sin(t)]) / 21.0


def spiral(i: int, j: int, speed: float = 1.0) -> Callable[[np.ndarray], np.ndarray]:
    """Rotate rows `[n, d]` in the plane (i, j) by the angle `speed` |row|^2 / d."""

    def rotate(a):
        angle = speed * (a**2).sum(1) / a.shape[1]
        out = a.copy()
        out[:, i] = np.cos(angle) * a[:, i] - np.sin(angle) * a[:, j]
        out[:, j] = np.sin(angle) * a[:, i] + np.cos(angle) * a[:, j]
        return out

    return rotate


def beyond_normal() -> list[Task]:
    """The forty tasks of the benchmark, in its order of families."""
    two = normal(pair_cov(1, 1, 1, 0.75), 1, "Normal 1x1")
    uniform = transformed(two, "Nm CDF", ndtr)
    bimodal = (mixture_quantile((0.3, 0.7), (0, 5)), mixture_quantile((0.5, 0.5), (-1, 3)))
    single = [two, uniform, additive(0.1), additive(0.75)]
    single += [transformed(uniform, "Bimodal", *bimodal)]
    single += [transformed(two, "Wiggly", wiggly_x, wiggly_y), transformed(two, "Hc", half_cube)]
    single += [student(1, 1, 1), transformed(student(1, 1, 1), "Asinh", np.arcsinh)]
    single += [transformed(uniform, "Swiss roll", swiss_roll, lambda y: y)]
    sparse = {d: normal(pair_cov(d, d), d, f"Mn {d}x{d} (2-pair)") for d in (2, 3, 5, 25)}
    many = [normal(dense_cov(2 * d), d, f"Mn {d}x{d} (dense)") for d in (2, 3, 5, 25, 50)]
    many += sparse.values()
    tails = [student(d, d, dof) for d, dof in ((2, 1), (2, 2), (3, 2), (3, 3), (5, 2), (5, 3))]
    tails += [transformed(task, "Asinh", np.arcsinh) for task in tails[::2]]
    bent = []
    for d in (3, 5, 25):
        cdf = transformed(sparse[d], "Nm CDF", ndtr)
        bent += [cdf, transformed(sparse[d], "Hc", half_cube)]
        bent += [transformed(t, "Sp", spiral(0, 1), spiral(1, 2)) for t in (sparse[d], cdf)]
    return single + many + tails + bent


@dataclass(frozen=True)
class Representations:
    """Two networks' hidden layers with known informations.

    Given the class, the latents z1, z2 are jointly normal: class means in the first coordinates,
    a shared nuisance in the last ones. H = [ReLU](W z + b) with a tall random W is injective
    almost surely, so I(H1;H2) = I(z1;z2).
    """

    means1: np.ndarray  # of the classes, [K, m1]
    means2: np.ndarray  # [K, m2]
    shared: int  # nuisance coordinates appended to each latent
    rho: float  # their correlation
    width: int = 64  # units of each hidden layer
    relu: bool = True
    layer_seed: int = 0
    depth: int = 1  # layers of the expansion

    def latents(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Draw (z1 `[n, m1 + shared]`, z2 `[n, m2 + shared]`, class `[n]`)."""
        y = rng.integers(len(self.means1), size=n)
        u = rng.standard_normal((n, self.shared))
        v = self.rho * u + np.sqrt(1 - self.rho**2) * rng.standard_normal((n, self.shared))
        z1 = self.means1[y] + rng.standard_normal((n, self.means1.shape[1]))
        z2 = self.means2[y] + rng.standard_normal((n, self.means2.shape[1]))
        return np.hstack([z1, u]), np.hstack([z2, v]), y

    def sample(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Draw (H1 `[n, width]`, H2 `[n, width]`, class `[n]`)."""
        z1, z2, y = self.latents(n, rng)
        layers = np.random.default_rng(self.layer_seed)
        return self._expand(z1, layers), self._expand(z2, layers), y

    def _expand(self, z, layers):
        for _ in range(self.depth):
            z = random_layer(z, self.width, layers)
            z = np.maximum(z, 0.0) if self.relu else z
        return z

    def pointwise(self, z1, z2, y) -> tuple[np.ndarray, np.ndarray]:
        """Pointwise informations `[n]` of latents: teacher with student, student with label."""
        k, m1, m2 = len(self.means1), self.means1.shape[1], self.means2.shape[1]
        a = _unit_log_density(z1[:, :m1], self.means1)
        b = _unit_log_density(z2[:, :m2], self.means2)
        both = logsumexp(a + b, axis=1) - logsumexp(a, axis=1) - logsumexp(b, axis=1) + np.log(k)
        nuisance = canonical_log_ratio(z1[:, m1:], z2[:, m2:], self.rho)
        return both + nuisance, b[np.arange(len(y)), y] - logsumexp(b, axis=1) + np.log(k)

    def truth(self, rng: np.random.Generator, n: int = 200_000) -> tuple[float, float]:
        """(I(H1;H2), I(H2;Y)) in nats, by Monte Carlo of the latent densities."""
        both, label = self.pointwise(*self.latents(n, rng))
        return float(both.mean()), float(label.mean())


def random_layer(z: np.ndarray, width: int, rng: np.random.Generator) -> np.ndarray:
    """`[n, d]` to `[n, width]` by random weights and biases."""
    w = rng.standard_normal((z.shape[1], width)) / np.sqrt(z.shape[1])
    return z @ w + rng.normal(scale=0.5, size=width)


def _unit_log_density(z, means):
    return -0.5 * ((z[:, None] - means[None]) ** 2).sum(-1)


def representations(seed: int, width: int = 64) -> Representations:
    """A random member of the family: 3-10 classes, 1-3 shared nuisance coordinates."""
    rng = np.random.default_rng(seed)
    k, m = int(rng.integers(3, 11)), int(rng.integers(2, 5))
    spread = rng.uniform(0.7, 2.5, size=2)
    means = [s * rng.standard_normal((k, m)) for s in spread]
    rho = float(rng.uniform(0.0, 0.9))
    return Representations(*means, int(rng.integers(1, 4)), rho, width, layer_seed=seed + 1000)
