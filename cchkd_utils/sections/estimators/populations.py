"""Joint distributions of (H1, H2, Y) with a known gap I(H1;H2) - I(H2;Y): verdicts are judged here.

Each is `population(gap, d, n, rng) -> (H1 [n, d], H2 [n, d], Y [n], true gap)`, nats.
"""

from dataclasses import replace

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr
from scipy.stats import norm

from cchkd_utils.mi.tasks import Representations, half_cube, representations
from cchkd_utils.sections.quantities import class_information

QUARTILES = norm.ppf([0.25, 0.5, 0.75])
TRUTH_ROWS = 100_000  # of the Monte Carlo truths: standard error about 0.003 nats


def rotated(a: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rotate the columns at random, so that no axis is special."""
    q, r = np.linalg.qr(rng.standard_normal((a.shape[1], a.shape[1])))
    return a @ (q * np.sign(np.diag(r)))


def correlation(nats) -> np.ndarray:
    """Correlation of a normal pair that shares `nats`."""
    return np.sqrt(-np.expm1(-2.0 * np.asarray(nats)))


def one_direction(gap, d, n, rng):
    """Jointly normal; H1 and H2 share one direction, Y follows H2; I(H2;Y) in [0.35, 0.7]."""
    label = rng.uniform(0.35, 0.7)
    z1, z2 = _shared_normals(np.array([label + gap]), d, n, rng)
    y = _follow(z2[:, :2] @ rng.dirichlet(np.ones(2)) ** 0.5, correlation(label), rng)
    return rotated(z1, rng), rotated(z2, rng), y, gap


def several_directions(gap, d, n, rng):
    """Jointly normal, up to five shared directions; H1 knows of Y what H2 does not."""
    label = rng.uniform(0.35, 0.9)
    parts = rng.dirichlet(np.ones(rng.integers(1, min(d, 5) + 1))) * (label + gap)
    z1, z2 = _shared_normals(parts, d, n, rng)
    rho = correlation(parts[0])
    beyond = (z1[:, 0] - rho * z2[:, 0]) / np.sqrt(1 - rho**2)  # independent of H2
    a, r = rng.uniform(0, 0.9), correlation(label)
    noise = a * beyond + np.sqrt(1 - a**2) * rng.standard_normal(n)
    w = rng.dirichlet(np.ones(d)) ** 0.5
    return rotated(z1, rng), rotated(z2, rng), r * z2 @ w + np.sqrt(1 - r**2) * noise, gap


def bent_axes(gap, d, n, rng):
    """`several_directions` seen through increasing maps of the columns and of Y."""
    maps = (ndtr, half_cube, np.arcsinh, np.sinh)
    h1, h2, y, gap = several_directions(gap, d, n, rng)
    h1, h2 = (maps[rng.integers(4)](h) for h in (h1, h2))
    return h1, h2, np.exp(y), gap


def quartiles(gap, d, n, rng):
    """Jointly normal H1 and H2; the class is the quarter into which a noisy projection falls."""
    label = rng.uniform(0.35, 0.7)
    parts = rng.dirichlet(np.ones(rng.integers(1, min(d, 3) + 1))) * (label + gap)
    z1, z2 = _shared_normals(parts, d, n, rng)
    r = brentq(lambda r: class_information(r, QUARTILES) - label, 0.01, 0.999)
    y = _follow(z2 @ rng.dirichlet(np.ones(d)) ** 0.5, r, rng)
    return rotated(z1, rng), rotated(z2, rng), np.digitize(y, QUARTILES), gap


def classes_in_a_row(gap, d, n, rng):
    """Four Gaussian classes along a line (and a little beside it); one shared nuisance."""
    m = 1 + (d > 2)
    means = rng.permutation([-1.5, -0.5, 0.5, 1.5])[:, None] * rng.uniform(0.9, 1.4)
    means = np.hstack([means, rng.standard_normal((4, 1))])[:, :m]
    return _classes(means, means, 1, gap, d, n, rng)


def scattered_classes(gap, d, n, rng):
    """Four Gaussian classes anywhere, elsewhere in H1 than in H2; 1-3 shared nuisances."""
    m = int(rng.integers(1, min(d - 1, 4) + 1))
    shared = int(rng.integers(1, min(d - m, 3) + 1))
    return _classes(*_scattered(m, rng), shared, gap, d, n, rng)


def rectified_layers(gap, d, n, rng):
    """`d` rectified units each over two coordinates of scattered classes and 1-2 nuisances."""
    model, gap = _model(*_scattered(2, rng), int(rng.integers(1, 3)), gap, rng)
    model = replace(model, width=d, layer_seed=int(rng.integers(2**31)))
    return *model.sample(n, rng), gap


def random_layers(_gap, d, n, rng):
    """`d` rectified units each of `tasks.representations`: any gap, up to several nats."""
    model = representations(int(rng.integers(2**31)), width=d)
    both, label = model.truth(rng, TRUTH_ROWS)
    return *model.sample(n, rng), both - label


POPULATIONS = {
    "continuous": (one_direction, several_directions, bent_axes),
    "4-class": (classes_in_a_row, scattered_classes, quartiles),
}
LAYERS = {"hidden layers, class": (rectified_layers, random_layers)}  # few factors, many units
UNITS = 64


def _shared_normals(parts, d, n, rng):
    """Standard normals `[n, d]` twice; the k-th columns share parts[k] nats."""
    rho, (z1, z2) = correlation(parts), rng.standard_normal((2, n, d))
    k = len(rho)
    z2[:, :k] = rho * z1[:, :k] + np.sqrt(1 - rho**2) * z2[:, :k]
    return z1, z2


def _follow(a, r, rng):
    return r * a + np.sqrt(1 - r**2) * rng.standard_normal(len(a))


def _scattered(m, rng):
    means1, means2 = rng.standard_normal((2, 4, m)) * rng.uniform(1.0, 2.0)
    while Representations(means1, means2, 0, 0.0).truth(rng, 10_000)[1] < 0.35:
        means2 = 1.2 * means2  # the gap is above minus this information
    return means1, means2


def _classes(means1, means2, shared, gap, d, n, rng):
    model, gap = _model(means1, means2, shared, gap, rng)
    return *embedded(model, d, n, rng), gap


def _model(means1, means2, shared, gap, rng):
    """Shrink the means of H1 until the classes alone share no more than wanted; nuisances add."""
    for scale in (1.2, 0.8, 0.5, 0.3, 0.1):
        both, label = Representations(scale * means1, means2, 1, 0.0).truth(rng, TRUTH_ROWS)
        if both - label < gap:
            break
    rho = float(correlation(max(gap - both + label, 0.0) / shared))
    nuisance = -0.5 * shared * float(np.log1p(-(rho**2)))
    return Representations(scale * means1, means2, shared, rho), both - label + nuisance


def embedded(model, d, n, rng):
    """Latents of the model among independent noise, `[n, d]` each, rotated; and the class."""
    z1, z2, y = model.latents(n, rng)
    noise = rng.standard_normal((2, n, d - z1.shape[1]))
    h1, h2 = (rotated(np.hstack(parts), rng) for parts in zip((z1, z2), noise))
    return h1, h2, y
