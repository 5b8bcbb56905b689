"""The entry point: what it accepts, refuses, repeats; each method against analytic truth."""

import subprocess
import sys

import numpy as np
import pytest

from cchkd_utils.mi import METHODS, estimate, label_entropy, tasks
from cchkd_utils.mi.normal import held_out_posterior

SQUARE = -np.log(1 - 0.64)  # two pairs of correlation .8


def pairs(n=1500, d=3, seed=0):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((2, n, d))
    y[:, :2] = 0.8 * x[:, :2] + 0.6 * y[:, :2]
    return x, y


def classes(n=1500, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=n)
    x = rng.standard_normal((n, 4))
    x[:, 0] += 1.5 * y
    return x, y


def class_information(n=400_000):
    """I(X;Y) of `classes` by Monte Carlo of the densities."""
    rng = np.random.default_rng(9)
    y = rng.integers(3, size=n)
    x = rng.standard_normal(n) + 1.5 * y
    log_p = -0.5 * (x[:, None] - 1.5 * np.arange(3)) ** 2
    own = log_p[np.arange(n), y]
    return float((own - np.log(np.exp(log_p).mean(1))).mean())


@pytest.mark.parametrize(
    ("method", "tolerance"), [("auto", 0.1), ("gaussian", 0.1), ("ksg", 0.2), ("mine", 0.35)]
)
def test_gaussian_truth(method, tolerance):
    information = estimate(*pairs(), method, **({"epochs": 40} if method == "mine" else {}))
    assert information.nats == pytest.approx(SQUARE, abs=tolerance)
    assert 0.005 < information.stderr < 0.1
    assert information.bits == pytest.approx(information.nats / np.log(2))


def test_lmi_finds_shared_information_and_none_where_there_is_none():
    x, y = pairs(n=1000)
    options = {"width": 64, "epochs": 30}
    assert 0.3 < estimate(x, y, "lmi", **options).nats < 1.3
    assert estimate(x, y[::-1], "lmi", **options).nats < 0.15


@pytest.mark.parametrize("method", ["auto", "ksg", "gaussian", "mine"])
def test_class_labels(method):
    x, y = classes()
    truth = class_information()
    information = estimate(x, y, method, discrete_y=True)
    assert information.nats == pytest.approx(truth, abs=0.1)


@pytest.mark.parametrize("method", METHODS)
def test_never_above_the_label_entropy(method):
    x, y = classes(n=400)
    x[:, 0] += 50.0 * y
    small = {"epochs": 40, "width": 64} if method in ("mine", "lmi") else {}
    information = estimate(x, y, method, discrete_y=True, **small)
    assert information.nats <= label_entropy(y) + 1e-12
    assert information.nats > 0.6


@pytest.mark.parametrize("method", METHODS)
def test_same_seed_same_result(method):
    x, y = pairs(n=300, d=4)
    small = {"epochs": 3, "width": 32} if method in ("mine", "lmi") else {}
    a, b = (estimate(x, y, method, seed=5, **small) for _ in range(2))
    assert a.nats == b.nats
    np.testing.assert_array_equal(a.pointwise, b.pointwise)


def test_gaussian_is_unbiased_in_many_dimensions():
    errors = []
    for seed in range(5):
        x, y = pairs(n=400, d=40, seed=seed)
        errors.append(estimate(x, y, "gaussian").nats - SQUARE)
    assert abs(np.mean(errors)) < 0.12  # the plug-in is off by dx dy / 2n = 2 nats


def test_gaussian_wants_two_rows_for_each_column():
    with pytest.raises(ValueError, match="90 \\+ 90 independent columns in 100 rows"):
        estimate(*pairs(n=100, d=90), "gaussian")
    assert np.isfinite(estimate(*pairs(n=100, d=90)).nats)


def test_light_methods_leave_torch_alone():
    code = (
        "import sys, numpy as np; from cchkd_utils.mi import estimate;"
        "r = np.random.default_rng(0); x = r.normal(size=(200, 2));"
        "[estimate(x, x + r.normal(size=(200, 2)), m) for m in ('ksg', 'gaussian')];"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


GOOD = np.random.default_rng(0).standard_normal((100, 2))


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        (np.where(GOOD > 2, np.nan, GOOD), GOOD, {}, "NaN or inf"),
        (GOOD, np.where(GOOD > 2, np.inf, GOOD), {}, "NaN or inf"),
        (GOOD, GOOD[:-1], {}, "same samples"),
        (GOOD[:30], GOOD[:30], {}, "at least 50"),
        (np.ones((100, 2)), GOOD, {}, "only constant"),
        (GOOD, np.ones(100), {"discrete_y": True}, "one class"),
        (GOOD, np.arange(100) % 3, {}, "discrete_y=True"),
        (GOOD, np.eye(3)[np.arange(100) % 3], {}, "one-hot"),
        (GOOD, np.arange(100), {"discrete_y": True}, "classes in 100 rows"),
        (GOOD, GOOD, {"method": "magic"}, "auto, ksg, gaussian, mine, lmi"),
        (GOOD[:, :, None], GOOD, {}, "axes"),
        (GOOD, np.where(np.arange(100) < 5, np.nan, 1.0), {"discrete_y": True}, "is missing"),
        (GOOD, GOOD, {"discrete_y": True}, "class labels must be"),
        (GOOD, ["a", "b"] * 50, {}, "discrete_y=True"),
        (GOOD, [None, *["a", "b"] * 49, "a"], {"discrete_y": True}, "is missing"),
        (1.0, GOOD, {}, "one row per sample"),
        (GOOD, GOOD[::-1], {"groups": np.arange(99) % 2}, "groups has 99"),
        (GOOD, GOOD, {}, "same in columns 0 and 0"),
        (GOOD, -np.exp(GOOD[:, 1]), {}, "same in columns 1 and 0"),
        (GOOD, 3 * GOOD[:, 0] + GOOD[:, 1], {}, "same up to a linear map"),
    ],
)
def test_bad_input_says_what_to_do(x, y, options, message):
    with pytest.raises(ValueError, match=message):
        estimate(x, y, **options)


def test_constant_columns_are_dropped_with_a_warning():
    dead = np.hstack([GOOD, np.zeros((100, 3))])
    with pytest.warns(UserWarning, match="3 constant columns of 5"):
        information = estimate(dead, GOOD + GOOD[::-1], "gaussian")
    assert information.nats == pytest.approx(estimate(GOOD, GOOD + GOOD[::-1], "gaussian").nats)


@pytest.mark.parametrize("method", ["auto", "ksg", "gaussian"])
@pytest.mark.parametrize("scale", [2.0**500, 2.0**-500])
def test_scales_beyond_the_squares_of_floats_change_nothing(method, scale):
    x, y = pairs(n=300)
    assert estimate(scale * x, y, method).nats == pytest.approx(estimate(x, y, method).nats)


def test_a_shift_changes_nothing():
    """Far from zero, distances were differences of large numbers, and units were lost."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal((500, 2))
    y = z + 0.5 * rng.standard_normal((500, 2))
    x, y = (np.maximum(a @ rng.standard_normal((2, 32)), 0.0) for a in (z, y))
    labels = (z[:, 0] > 0).astype(int)
    for given in ({"y": y}, {"y": labels, "discrete_y": True}):
        here = estimate(x, **given).nats
        assert estimate(x + 1e6, **given).nats == pytest.approx(here, abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["auto", "gaussian", "ksg"])
def test_given_labels_leaves_what_is_not_about_them(method):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 3000)
    nuisance = rng.standard_normal((3000, 1))
    x = np.hstack([2.0 * y[:, None] + rng.standard_normal((3000, 1)), nuisance])
    z = np.hstack([2.0 * y[:, None] + rng.standard_normal((3000, 1)),
                   0.8 * nuisance + 0.6 * rng.standard_normal((3000, 1))])  # fmt: skip
    got = estimate(x, z, method, given=y)
    assert got.nats == pytest.approx(-np.log(0.6), abs=0.12)
    assert estimate(x, z, method, groups=y).nats > got.nats + 0.3
    assert 0 < got.stderr < 0.05 and got.n == 3000 and got.seconds > 0


def test_given_labels_nothing_is_left_of_what_the_labels_explain():
    rng = np.random.default_rng(1)
    y = rng.integers(0, 4, 2000)
    x, z = (rng.standard_normal((2000, 3)) + 2.0 * np.eye(4)[y][:, :3] for _ in range(2))
    assert estimate(x, z, given=y).nats < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 4])
def test_given_labels_hidden_layers_keep_their_shared_nuisance(seed):
    known = tasks.representations(seed)
    h1, h2, y = known.sample(2000, np.random.default_rng(seed))
    truth = -0.5 * np.log1p(-(known.rho**2)) * known.shared
    assert estimate(h1, h2, given=y).nats == pytest.approx(truth, abs=0.12)


def test_given_needs_labels_and_a_continuous_y():
    with pytest.raises(ValueError, match="given"):
        estimate(GOOD, GOOD[::-1] ** 2, given=GOOD[:, 0])
    with pytest.raises(ValueError, match="leave out discrete_y"):
        estimate(GOOD, np.arange(100) % 2, discrete_y=True, given=np.arange(100) % 3)


def test_a_posterior_never_sees_the_rows_that_it_judges():
    x, codes, met = np.arange(60.0)[:, None], np.arange(60) % 3, []

    def model(train, labels, new, n_classes):
        assert not set(train[:, 0]) & set(new[:, 0]) and len(train) == len(labels)
        met.extend(new[:, 0])
        return np.tile(new, n_classes)

    log_p = held_out_posterior(model, x, codes, seed=0)
    assert sorted(met) == list(range(60))  # each row is judged once
    np.testing.assert_array_equal(log_p, np.tile(x, 3))  # and lies in its own place
