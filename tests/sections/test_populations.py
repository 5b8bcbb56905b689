"""The populations have the gap they claim."""

import numpy as np
import pytest
from random_tasks import markov

from cchkd_utils.gaussian import block_mi
from cchkd_utils.mi import estimate
from cchkd_utils.sections.estimators import populations
from cchkd_utils.sections.estimators.populations import POPULATIONS

pytestmark = pytest.mark.slow


def sample_information(a, b):
    """I of two blocks of jointly normal columns, from their sample covariance."""
    both = np.column_stack([a, b])
    first, last = np.split(np.arange(both.shape[1]), [np.shape(a)[1]])
    return block_mi(np.cov(both, rowvar=False), first, last)


@pytest.mark.parametrize("draw", [populations.one_direction, populations.several_directions])
@pytest.mark.parametrize(("gap", "d"), [(-0.3, 2), (0.25, 6)])
def test_normal_populations(draw, gap, d):
    h1, h2, y, said = draw(gap, d, 200_000, np.random.default_rng(d))
    assert said == gap and h1.shape == h2.shape == (200_000, d)
    estimated = sample_information(h1, h2) - sample_information(h2, y)
    assert estimated == pytest.approx(gap, abs=0.01)  # about three standard errors


@pytest.mark.parametrize("draw", POPULATIONS["4-class"])
@pytest.mark.parametrize("gap", [-0.3, 0.3])
def test_class_populations(draw, gap):
    """In 2 dimensions ksg is nearly unbiased: an estimate that knows nothing of the classes."""
    h1, h2, y, said = draw(gap, 2, 8000, np.random.default_rng(1))
    assert said == pytest.approx(gap, abs=0.02) and set(y) == {0, 1, 2, 3}
    estimated = estimate(h1, h2, "ksg").nats - estimate(h2, y, "ksg", discrete_y=True).nats
    assert estimated == pytest.approx(said, abs=0.06)


def test_bent_axes_keep_the_gap():
    h1, h2, y, said = populations.bent_axes(0.2, 2, 8000, np.random.default_rng(3))
    estimated = estimate(h1, h2, "ksg").nats - estimate(h2, y, "ksg").nats
    assert estimated == pytest.approx(said, abs=0.08)


def test_markov_gaps_are_not_positive():
    gaps = [markov(4, 100, np.random.default_rng(i))[-1] for i in range(5)]
    assert -1.4 < min(gaps) < -0.01 and max(gaps) < 0.01


@pytest.mark.filterwarnings("ignore:.*constant columns")  # dead units
@pytest.mark.parametrize(
    ("draw", "gap"), [(populations.rectified_layers, 0.2), (populations.random_layers, 0)]
)
def test_hidden_layers(draw, gap):
    """The truth is that of the few coordinates behind the units, which are many and rectified."""
    h1, h2, y, said = draw(gap, 64, 500, np.random.default_rng(2))
    assert h1.shape == h2.shape == (500, 64) and (h1 >= 0).all() and (h1 == 0).any()
    if draw is populations.rectified_layers:
        assert said == pytest.approx(gap, abs=0.02) and set(y) == {0, 1, 2, 3}
    estimated = estimate(h1, h2).nats - estimate(h2, y, discrete_y=True).nats
    assert estimated == pytest.approx(said, abs=0.3)
