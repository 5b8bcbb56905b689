"""`auto` on one task of each family, and on hidden layers with known information."""

import warnings

import numpy as np
import pytest

from cchkd_utils.mi import estimate
from cchkd_utils.mi.tasks import beyond_normal, representations, student

TASKS = {task.name: task for task in beyond_normal()}
FAMILIES = [
    ("Normal 1x1", 0.05),
    ("Uniform 1x1 (noise=0.1)", 0.08),
    ("Swiss roll @ Nm CDF @ Normal 1x1", 0.08),
    ("Mn 25x25 (dense)", 0.08),
    ("Asinh @ St 5x5 (dof=2)", 0.06),
    ("Hc @ Mn 5x5 (2-pair)", 0.08),
    ("Sp @ Mn 3x3 (2-pair)", 0.2),
    ("Sp @ Mn 5x5 (2-pair)", 0.2),
]


def test_there_are_forty_tasks_with_distinct_names():
    assert len(TASKS) == 40


@pytest.mark.parametrize(("name", "tolerance"), FAMILIES)
def test_families(name, tolerance):
    task = TASKS[name]
    x, y = task.sample(3000, np.random.default_rng(3))
    assert estimate(x, y, "auto").nats == pytest.approx(task.nats, abs=tolerance)


def test_independence_is_near_zero():
    x, y = student(5, 5, 30.0).sample(2000, np.random.default_rng(0))
    assert estimate(x, y[::-1], "auto").nats < 0.03


def test_transforms_of_one_side_change_nothing():
    """Strictly increasing maps of single columns leave the ranks, hence the estimate."""
    x, y = TASKS["Mn 3x3 (2-pair)"].sample(1500, np.random.default_rng(1))
    a = estimate(x, y, "auto").nats
    assert estimate(np.exp(x), y**3, "auto").nats == pytest.approx(a, abs=0.05)


@pytest.mark.parametrize("width", [64, 256])
def test_hidden_layers(width):
    for seed in (21, 24):
        family = representations(seed, width)
        both, label = family.truth(np.random.default_rng(0), 50_000)
        h1, h2, y = family.sample(4000, np.random.default_rng(2))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # dead units
            assert estimate(h1, h2, "auto").nats == pytest.approx(both, abs=0.15)
            found = estimate(h2, y, "auto", discrete_y=True).nats
        assert found == pytest.approx(label, abs=0.1)


def test_truth_of_the_samplers():
    """Monte Carlo of the pointwise information against the closed forms of its two parts."""
    family = representations(3)
    both, label = family.truth(np.random.default_rng(0), 100_000)
    nuisance = -0.5 * family.shared * np.log(1 - family.rho**2)
    assert nuisance < both < nuisance + label + 0.05
    assert 0 < label < np.log(len(family.means1))
