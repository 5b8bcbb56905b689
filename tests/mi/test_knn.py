"""KSG and its form for labels against slow readable references and analytic truth."""

import tracemalloc

import numpy as np
import pytest
from scipy.special import digamma

from cchkd_utils.mi import estimate, knn
from cchkd_utils.mi.knn import ksg_rows, ross_rows


def slow_ksg(x, y, k):
    """Kraskov et al. (2004), eq. 8, from the definition."""
    n, values = len(x), []
    for i in range(n):
        dx, dy = np.abs(x - x[i]).max(1), np.abs(y - y[i]).max(1)
        both = np.delete(np.maximum(dx, dy), i)
        radius = np.sort(both)[k - 1]
        nx, ny = (np.delete(dx, i) < radius).sum(), (np.delete(dy, i) < radius).sum()
        values.append(digamma(k) + digamma(n) - digamma(nx + 1) - digamma(ny + 1))
    return np.array(values)


def slow_ross(x, codes, k):
    """Ross (2014), eq. 4: m counts the neighbours nearer than the k-th of the own class, + 1."""
    n, values = len(x), []
    for i in range(n):
        d = np.abs(x - x[i]).max(1)
        own = np.sort(d[(codes == codes[i]) & (np.arange(n) != i)])
        m = (np.delete(d, i) < own[k - 1]).sum() + 1
        size = (codes == codes[i]).sum()
        values.append(digamma(n) + digamma(k) - digamma(size) - digamma(m))
    return np.array(values)


def normal_pair(n, d, rho, seed=0):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((2, n, d))
    y[:, 0] = rho * x[:, 0] + np.sqrt(1 - rho**2) * y[:, 0]
    return x, y


@pytest.mark.parametrize("d", [1, 2, 4])
def test_ksg_equals_the_definition(d):
    x, y = normal_pair(300, d, 0.8)
    np.testing.assert_allclose(ksg_rows(x, y, 3), slow_ksg(x, y, 3), atol=1e-12)


def test_label_form_equals_the_definition():
    x, y = normal_pair(300, 2, 0.8)
    codes = np.digitize(y[:, 0], [-0.5, 0.7])
    np.testing.assert_allclose(ross_rows(x, codes, 3), slow_ross(x, codes, 3), atol=1e-12)


@pytest.mark.parametrize("d", [1, 2])
def test_ksg_on_gaussians(d):
    x, y = normal_pair(4000, d, 0.8, seed=1)
    ksg = estimate(x, y, "ksg")
    assert ksg.nats == pytest.approx(-0.5 * np.log(1 - 0.64), abs=4 * ksg.stderr)


def test_trees_and_matrix_products_agree_in_one_dimension_per_side():
    """In 1 + 1 dimensions all norms coincide, so both code paths must give the same numbers."""
    x, y = normal_pair(400, 1, 0.7)
    for tree, dense in zip(knn._tree_counts(x, y, 3), knn._dense_counts(x, y, 3)):
        np.testing.assert_array_equal(tree, dense)


def test_duplicated_rows_stay_finite():
    x, y = normal_pair(200, 2, 0.8)
    x, y = np.repeat(x, 6, axis=0), np.repeat(y, 6, axis=0)
    assert np.isfinite(ksg_rows(x, y, 3)).all()


def test_perfectly_separated_labels_give_their_entropy():
    codes = np.arange(600) % 3
    x = 100.0 * codes + np.random.default_rng(0).standard_normal(600)
    assert estimate(x, codes, "ksg", discrete_y=True).nats == pytest.approx(np.log(3), abs=0.01)


def test_bad_options_are_refused():
    x, y = normal_pair(100, 1, 0.5)
    with pytest.raises(ValueError, match="neighbours"):
        estimate(x, y, "ksg", k=100)
    with pytest.raises(ValueError, match="no option"):
        estimate(x, y, "ksg", neighbours=3)


def test_the_memory_for_labels_grows_with_the_rows_not_their_square(monkeypatch):
    """Kept views of the chunks of all-pairs distances kept the chunks: n^2 x 8 bytes."""
    n = 3000
    monkeypatch.setattr(knn, "CHUNK_ELEMENTS", 100_000)
    x, labels = np.random.default_rng(0).standard_normal((n, 16)), np.arange(n) % 2
    tracemalloc.start()
    ross_rows(x, labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.3 * n**2 * 8 / 2  # of the distances within the two classes


@pytest.mark.parametrize("d", [2, 4, 8, 12])
def test_rectified_units_share_nothing_with_what_is_independent_of_them(d):
    """Many rows are as far as the k-th: counting only nearer ones gave .2 nats for 0 (d = 8)."""
    values = {"labels": [], "units": []}
    for seed in range(12):
        rng = np.random.default_rng(seed)
        x, y = np.maximum(rng.standard_normal((2, 300, d)) - 0.5, 0)
        values["labels"].append(ross_rows(x, rng.integers(0, 4, 300)).mean())
        half = d // 2
        values["units"].append(ksg_rows(x[:, :half], y[:, :half]).mean())
    for means in values.values():
        assert abs(np.mean(means)) < 3 * np.std(means) / np.sqrt(12) + 0.01
