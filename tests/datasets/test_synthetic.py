"""Simulated data come from the model given, repeat with the seed, and keep their test rows."""

import numpy as np
import pytest

from cchkd_utils.datasets import synthetic


class Chain:
    """x2 is standard normal, x1 = -x2, y = 2 x2 summed: checkable row by row."""

    def sample(self, n, rng):
        x2 = rng.standard_normal((n, 3))
        return -x2, x2, 2 * x2.sum(1)


def test_rows_stay_paired_and_split():
    data = synthetic.load(Chain(), n_train=40, n_test=10)
    train, y = data.take("train")
    test, _ = data.take("test")
    assert train["x1"].shape == (40, 3)
    assert test["x2"].shape == (10, 3)
    assert data.kind == "simulated"
    np.testing.assert_array_equal(train["x1"], -train["x2"])
    np.testing.assert_allclose(y, 2 * train["x2"].sum(1))


def test_test_rows_do_not_depend_on_n_train():
    small, large = (synthetic.load(Chain(), n, 10, seed=5).take("test")[1] for n in (20, 500))
    np.testing.assert_array_equal(small, large)


def test_seeds_differ_and_splits_differ():
    a, b = (synthetic.load(Chain(), 10, 10, seed=s) for s in (0, 1))
    assert not np.allclose(a.labels, b.labels)
    assert not np.allclose(a.take("train")[1], a.take("test")[1])


@pytest.mark.parametrize("counts", [(0, 10), (10, 0)])
def test_empty_split_is_refused(counts):
    with pytest.raises(ValueError, match="draw at least one row"):
        synthetic.load(Chain(), *counts)
