"""What must not change an estimate: units, outliers, repeated rows; and what must be refused.

Each method on data of several kinds, under maps that leave the information or nearly so.
"""

import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cchkd_utils.criterion import assess
from cchkd_utils.mi import estimate
from cchkd_utils.mi.atoms import atoms
from cchkd_utils.mi.factors import factors

pytestmark = pytest.mark.slow

N = 500
FEW = settings(max_examples=10, deadline=None, derandomize=True, database=None,
               suppress_health_check=list(HealthCheck))  # fmt: skip


def pairs(rng, d, n=N, rho=0.8):
    """Gaussian rows; two columns of each side correlate."""
    x, y = rng.standard_normal((2, n, d))
    y[:, :2] = rho * x[:, :2] + np.sqrt(1 - rho**2) * y[:, :2]
    return x, y


def heavy(rng, d):
    x, y = pairs(rng, d)
    radius = np.sqrt(rng.chisquare(3, (N, 1)) / 3)
    return x / radius, y / radius


def clustered(rng, d):
    x, y = pairs(rng, d)
    shift = 4.0 * rng.integers(3, size=(N, 1))
    return x + shift, y - shift


def wound(rng, d):
    x, y = pairs(rng, max(d, 2))
    angle = (x**2).mean(1)
    turned = x.copy()
    turned[:, 0] = np.cos(angle) * x[:, 0] - np.sin(angle) * x[:, 1]
    turned[:, 1] = np.sin(angle) * x[:, 0] + np.cos(angle) * x[:, 1]
    return turned, y


def layer(rng, d):
    """`8 d` rectified units on two factors each."""
    x, y = pairs(rng, 2)
    x, y = (np.maximum(z @ rng.standard_normal((2, 8 * d)), 0.0) for z in (x, y))
    return x[:, np.ptp(x, axis=0) > 0], y[:, np.ptp(y, axis=0) > 0]


DATA = (pairs, heavy, clustered, wound, layer)
INCREASING = {
    "scale": lambda z, rng: z * 10.0 ** rng.uniform(-6, 6, z.shape[1]),
    "shift": lambda z, rng: z + rng.uniform(-1000, 1000, z.shape[1]),
    "exp": lambda z, _: np.exp(z),
    "cube": lambda z, _: z**3,
    "sinh": lambda z, _: np.sinh(z),
}
cases = given(
    seed=st.integers(0, 2**31), data=st.sampled_from(DATA), d=st.sampled_from([2, 4, 16]),
    name=st.sampled_from(sorted(INCREASING)), both=st.booleans(),
)  # fmt: skip


def mapped(z, name, rng):
    return INCREASING[name]((z - z.mean(0)) / z.std(0), rng)


@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("method", ["auto", "ksg", "gaussian"])
def test_increasing_maps_of_units_change_nothing(method, labelled):
    @FEW
    @cases
    def check(seed, data, d, name, both):
        rng = np.random.default_rng(seed)
        x, y = data(rng, d)
        if labelled:
            y = (y[:, 0] > np.median(y[:, 0])).astype(int)
        plain = estimate(x, y, method, discrete_y=labelled)
        x, y = mapped(x, name, rng), mapped(y, name, rng) if both and not labelled else y
        again = estimate(x, y, method, discrete_y=labelled)
        assert again.nats == pytest.approx(plain.nats, abs=0.01)

    check()


@pytest.mark.parametrize("method", ["mine", "lmi"])
def test_scales_and_shifts_change_nothing_for_networks(method):
    rng = np.random.default_rng(0)
    x, y = pairs(rng, 4)
    small = {"epochs": 5, "width": 32}
    plain = estimate(x, y, method, **small)
    moved = estimate(x * 10.0 ** rng.uniform(-6, 6, 4) + 3.0, y, method, **small)
    assert moved.nats == pytest.approx(plain.nats, abs=0.01)
    assert any("outliers" in note for note in plain.notes)


def test_half_precision_and_a_few_wild_cells_change_little():
    @FEW
    @given(seed=st.integers(0, 2**31), data=st.sampled_from((pairs, clustered, layer)),
           d=st.sampled_from([2, 4, 16]), size=st.floats(1.0, 1e6))  # fmt: skip
    def check(seed, data, d, size):
        rng = np.random.default_rng(seed)
        x, y = data(rng, d)
        plain = estimate(x, y)
        half = estimate(x.astype(np.float16), y)
        assert half.nats == pytest.approx(plain.nats, abs=0.05 + 2 * plain.stderr)
        wild = rng.random(x.shape) < 0.01
        spoilt = estimate(np.where(wild, size * rng.choice([-1.0, 1.0], x.shape), x), y)
        allowed = 0.12 + 0.06 * plain.nats + 2 * plain.stderr
        assert spoilt.nats == pytest.approx(plain.nats, abs=allowed)

    check()


@pytest.mark.parametrize("d", [2, 4, 16])
def test_rotations_change_little(d):
    rng = np.random.default_rng(d)
    x, y = pairs(rng, d)
    left, right = (np.linalg.qr(rng.standard_normal((d, d)))[0] for _ in range(2))
    plain, turned = estimate(x, y), estimate(x @ (left * np.logspace(0, 2, d)) @ right, y)
    assert turned.nats == pytest.approx(plain.nats, abs=0.1 + 0.1 * plain.nats)


def test_the_verdict_does_not_turn():
    rng = np.random.default_rng(1)
    labels = rng.integers(3, size=1000)
    teacher, student = rng.standard_normal((2, 1000, 4))
    student[:, 1:3] = 0.9 * teacher[:, 1:3] + 0.4 * student[:, 1:3]
    student[:, 0] += labels
    quick = {"rivals": False, "checks": False}
    plain = assess(teacher, student, labels, **quick)
    assert plain.decision == "distil"
    for name in INCREASING:
        again = assess(mapped(teacher, name, rng), mapped(student, name, rng), labels, **quick)
        assert again.decision == "distil"
        assert again.gap == pytest.approx(plain.gap, abs=0.02)


@pytest.mark.parametrize(("d", "share"), [(8, 0.1), (8, 0.4), (32, 0.3)])
@pytest.mark.parametrize("sides", ["teacher", "both"])
def test_repeated_rows_are_atoms(d, share, sides):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 1500, d))
    y = 0.6 * x + 0.8 * y
    missing = (rng.random(1500) < share)[:, None]
    of_rows = -0.5 * d * np.log(1 - 0.36)
    truth = (1 - share) * of_rows
    if sides == "both":
        truth -= share * np.log(share) + (1 - share) * np.log(1 - share)
        y = np.where(missing, 0.0, y)
    information = estimate(np.where(missing, 0.0, x), y)
    assert information.nats == pytest.approx(truth, abs=0.3 + 0.25 * truth)
    assert any(f"{missing.sum()} of 1500 rows of x are identical" in n for n in information.notes)


def test_atoms_are_vectors_that_many_rows_share():
    a = np.random.default_rng(0).standard_normal((200, 3))
    a[:20], a[50:80], a[100:103] = 0.0, 1.0, 2.0
    a[5, 1] = -0.0
    codes = atoms(a)
    assert set(codes[:20]) != {0} and len(set(codes[:20])) == 1
    assert set(codes[50:80]) != {0} and codes[50] != codes[0]
    assert not codes[80:].any()


def test_missing_rows_alone_make_no_teacher():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 1500)
    x, y = rng.standard_normal((2, 1500, 16))
    y += 2.5 * np.eye(3)[labels] @ rng.standard_normal((3, 16))
    missing = (rng.random(1500) < 0.3)[:, None]
    quick = {"rivals": False, "checks": False}
    verdict = assess(np.where(missing, 0, x), np.where(missing, 0, y), labels, **quick)
    assert verdict.decision == "do not distil"


def test_factors_behind_units_are_found_from_ranks():
    rng = np.random.default_rng(0)
    z = rng.standard_normal((800, 3))
    units = z @ rng.standard_normal((3, 40))
    kinds = np.arange(40) % 4
    for kind, bend in enumerate((np.tanh, np.exp, np.cbrt, lambda a: np.maximum(a, 0))):
        units[:, kinds == kind] = bend(units[:, kinds == kind])
    behind = factors(units)
    assert behind.shape == (800, 3)
    white = np.linalg.qr(z - z.mean(0))[0]
    assert np.linalg.svd(white.T @ behind / np.sqrt(800))[1].min() > 0.95
    np.testing.assert_array_equal(factors(np.cbrt(units)), behind)


@pytest.mark.parametrize("data", [pairs, heavy, clustered])
def test_no_factors_where_there_are_none(data):
    assert factors(data(np.random.default_rng(0), 16)[0]) is None


def test_small_directions_count_where_fresh_rows_say_so():
    """Variances that fall like 1/k^2 in a random basis."""
    rng = np.random.default_rng(0)
    d, n = 32, 1000
    x, y = pairs(rng, d, n)
    scale = np.arange(1, d + 1) ** -1.0
    x, y = (z * scale @ np.linalg.qr(rng.standard_normal((d, d)))[0] for z in (x, y))
    assert estimate(x, y).nats == pytest.approx(-np.log(1 - 0.64), abs=0.3)


@pytest.mark.parametrize("k", [4, 10])
def test_the_interval_holds_the_truth_behind_five_hundred_units(k):
    """Neither factors nor a copula of all directions will do: linear codes say what they miss."""
    rng = np.random.default_rng(k)
    rho = np.sqrt(1 - np.exp(-4.0 / k))  # 2 nats
    x = rng.standard_normal((512, k))
    y = rho * x + np.sqrt(1 - rho**2) * rng.standard_normal((512, k))
    x, y = (_two_layers(z, 500, rng) for z in (x, y))
    e = estimate(x, y)
    assert e.low_by > 0 < e.high_by and "codes" in e.notes[0]
    assert e.nats - 1.645 * e.stderr - e.high_by < 2 < e.nats + 1.645 * e.stderr + e.low_by


def _two_layers(z, width, rng):
    hidden = np.tanh(1.5 * z @ rng.standard_normal((z.shape[1], width)) / np.sqrt(z.shape[1]))
    return hidden @ rng.standard_normal((width, width)) / np.sqrt(width)


@pytest.mark.parametrize("method", ["auto", "ksg"])
def test_many_rows_are_sampled_and_said_so(method, monkeypatch):
    from cchkd_utils.mi import auto, knn

    monkeypatch.setattr(auto, "MAX_ROWS", 300)
    monkeypatch.setattr(knn, "MAX_ROWS", 300)
    x, y = pairs(np.random.default_rng(0), 6, 700)
    information = estimate(x, y, method)
    assert np.isfinite(information.pointwise).sum() == 300
    assert information.notes[-1] == "on a random 300 of 700 rows"
    assert information.n == 700


def test_ksg_and_gaussian_keep_their_published_forms():
    x, y = pairs(np.random.default_rng(0), 2)
    for method in ("ksg", "gaussian"):
        plain = estimate(x, y, method, scores=False)
        assert any("outliers" in note for note in plain.notes)
        assert plain.nats == pytest.approx(estimate(x, y, method).nats, abs=0.05)
        spoilt = x.copy()
        spoilt[0] = 1e6
        assert estimate(spoilt, y, method).nats == pytest.approx(plain.nats, abs=0.05)


def test_ksg_says_that_it_is_low_in_many_dimensions():
    x, y = pairs(np.random.default_rng(0), 16, rho=0.9)
    ksg = estimate(x, y, "ksg")
    assert ksg.nats < 1.2 and any("low" in n and "32 dimensions" in n for n in ksg.notes)


def test_no_warning_on_any_of_these():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for data in DATA:
            estimate(*data(np.random.default_rng(0), 4))


def test_units_that_fire_in_one_same_row_are_no_copy():
    """As in hidden layers of two networks that see one odd image; so do a few shared rows."""
    x, y = (np.maximum(np.random.default_rng(seed).normal(size=(3000, 20)), 0) for seed in (0, 1))
    x[:, 3] = y[:, 5] = x[:, 4] = y[:, 9] = 0
    x[17, 3], y[17, 5] = 2, 0.3
    x[[20, 30, 40], 4], y[[20, 30, 40], 9] = (1, 2, 3), (2, 4, 6)
    assert estimate(x, y).nats < 0.05
    y[:, 7] = x @ np.arange(20)  # one unit that is a mixture of all the others'
    with pytest.raises(ValueError, match="up to a linear map"):
        estimate(x, y)
