"""Random tasks and layers: repeatable, different by seed, and with the information they claim."""

import numpy as np
import pytest
from random_tasks import KINDS, varied, varied_layers

from cchkd_utils.mi import tasks


def test_the_seed_decides():
    names = [[task.name for task in varied(seed, 20)] for seed in (1, 1, 2)]
    assert names[0] == names[1] != names[2]
    assert len(set(names[0])) == 20


def test_every_kind_gives_finite_rows_and_information():
    for i, task in enumerate(varied(3, 2 * len(KINDS))):
        x, y = task.sample(100, np.random.default_rng(i))
        assert len(x) == len(y) == 100 and np.isfinite(x).all() and np.isfinite(y).all()
        assert 0 < task.nats < 10


def test_information_of_a_correlated_student():
    """Mean log density ratio, from the densities, against the closed form."""
    from scipy.stats import multivariate_t

    task, cov = tasks.student(2, 1, 3.0, 0.6), tasks.pair_cov(2, 1, 1, 0.6)
    x, y = task.sample(200_000, np.random.default_rng(0))
    joint = multivariate_t(np.zeros(3), cov, df=3).logpdf(np.hstack([x, y]))
    alone = multivariate_t(np.zeros(2), np.eye(2), df=3).logpdf(x)
    ratio = joint - alone - multivariate_t(np.zeros(1), np.eye(1), df=3).logpdf(y)
    assert ratio.mean() == pytest.approx(task.nats, abs=0.01)


def test_the_speed_of_a_spiral_changes_the_turn_only():
    a = np.random.default_rng(0).standard_normal((50, 3))
    slow, fast = tasks.spiral(0, 1, 0.5)(a), tasks.spiral(0, 1, 2.0)(a)
    np.testing.assert_allclose((slow**2).sum(1), (fast**2).sum(1))
    np.testing.assert_array_equal(tasks.spiral(0, 1, 0.0)(a), a)
    assert not np.allclose(slow, fast)


def test_layers_have_their_width_and_depth():
    for seed in range(4):
        family = varied_layers(seed, 32)
        h1, h2, y = family.sample(80, np.random.default_rng(0))
        assert h1.shape == h2.shape == (80, 32)
        assert family.depth in (1, 2) and (h1.min() >= 0) == family.relu
        assert y.max() < len(family.means1)
