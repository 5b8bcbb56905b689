"""Random members of the families in `mi.tasks`: other sizes, tails, windings than the forty.

An estimator that was built while looking at forty tasks is judged on these; so are hidden layers.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from cchkd_utils.mi import tasks
from cchkd_utils.mi.tasks import Representations, Task, normal, transformed
from cchkd_utils.sections.estimators import populations

DIMENSIONS = (2, 3, 4, 5, 8, 12, 25, 50)


def varied(seed: int, count: int = 40) -> list[Task]:
    """Draw `count` tasks, the kinds in turn; the same seed gives the same tasks."""
    rng = np.random.default_rng(seed)
    return [KINDS[i % len(KINDS)](rng) for i in range(count)]


def _correlated(rng, dims=DIMENSIONS) -> Task:
    """Jointly normal, dense or in 1-5 pairs."""
    d = int(rng.choice(dims))
    if rng.random() < 0.4:
        off = float(rng.uniform(0.2, 0.7))
        return normal(tasks.dense_cov(2 * d, off), d, f"Mn {d}x{d} (dense {off:.2f})")
    return _sparse(rng, d)


def _sparse(rng, d) -> Task:
    pairs, rho = int(rng.integers(1, min(d, 5) + 1)), float(rng.uniform(0.5, 0.85))
    return normal(tasks.pair_cov(d, d, pairs, rho), d, f"Mn {d}x{d} ({pairs}-pair {rho:.2f})")


def _one_plus_one(rng) -> Task:
    rho = float(rng.uniform(0.3, 0.9))
    return normal(tasks.pair_cov(1, 1, 1, rho), 1, f"Normal 1x1 ({rho:.2f})")


def _bent(rng) -> Task:
    """Increasing maps of each column."""
    base = _one_plus_one(rng) if rng.random() < 0.25 else _correlated(rng)
    maps = {"Nm CDF": (ndtr,), "Hc": (tasks.half_cube,), "Asinh": (np.arcsinh,)}
    maps["Wiggly"] = tasks.wiggly_x, tasks.wiggly_y
    label = str(rng.choice(list(maps)))
    return transformed(base, label, *maps[label])


def _additive(rng) -> Task:
    return tasks.additive(float(np.exp(rng.uniform(np.log(0.05), np.log(1.5)))))


def _bimodal(rng) -> Task:
    def quantile():
        w = rng.uniform(0.2, 0.8)
        return tasks.mixture_quantile((w, 1 - w), (0.0, rng.uniform(2.0, 6.0)))

    uniform = transformed(_one_plus_one(rng), "Nm CDF", ndtr)
    return transformed(uniform, "Bimodal", quantile(), quantile())


def _rolled(rng) -> Task:
    uniform = transformed(_one_plus_one(rng), "Nm CDF", ndtr)
    return transformed(uniform, "Swiss roll", tasks.swiss_roll, lambda y: y)


def _tailed(rng) -> Task:
    dx = int(rng.integers(1, 6))
    dy = dx if rng.random() < 0.7 else int(rng.integers(1, 6))
    dof = float(rng.choice([1.0, 1.0, 1.5, 2.0, 2.0, 2.5, 3.0, 3.0, 5.0]))
    rho = float(rng.choice([0.0, rng.uniform(0.3, 0.8)]))
    base = tasks.student(dx, dy, dof, rho)
    return base if rng.random() < 0.6 else transformed(base, "Asinh", np.arcsinh)


def _wound(rng) -> Task:
    base, speed = _sparse(rng, int(rng.choice([3, 4, 5, 8, 25]))), float(rng.uniform(0.5, 1.5))
    if rng.random() < 0.4:
        base = transformed(base, "Nm CDF", ndtr)
    wind = tasks.spiral(0, 1, speed), tasks.spiral(1, 2, speed)
    return transformed(base, f"Sp {speed:.2f}", *wind)


KINDS = (
    _correlated,
    _bent,
    _tailed,
    _wound,
    _correlated,
    _additive,
    _tailed,
    _bent,
    _bimodal,
    _rolled,
)


def varied_layers(seed: int, width: int = 64) -> Representations:
    """Hidden layers: 2-10 classes, 1-4 nuisances, one layer or two, three in four with ReLU."""
    rng = np.random.default_rng([99, seed])
    k, m = int(rng.integers(2, 11)), rng.integers(1, 6, 2)
    means = [rng.uniform(0.5, 3.0) * rng.standard_normal((k, int(j))) for j in m]
    shared, rho = int(rng.integers(1, 5)), float(rng.uniform(0.0, 0.9))
    relu, depth = bool(rng.random() < 0.75), int(rng.integers(1, 3))
    return Representations(*means, shared, rho, width, relu, seed + 5000, depth)


def markov(d, n, rng):
    """H1 - Y - H2 with four classes: the gap is at or just below zero."""
    means1 = rng.standard_normal((4, 2)) * rng.uniform(1.0, 6.0)
    means2 = rng.standard_normal((4, 2)) * rng.uniform(1.0, 3.0)
    model = Representations(means1, means2, 0, 0.0)
    both, label = model.truth(rng, populations.TRUTH_ROWS)
    return *populations.embedded(model, d, n, rng), both - label
