"""The joint Gaussian model: the worked tables, its constructors, and what it refuses."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cchkd_utils.gaussian import JointGaussian, admissible_g, block_mi, q_for_gap

MAIN = (0.6, 0.8, 0.7)  # (r, q, g) of the worked table


@pytest.mark.parametrize(
    ("n", "largest", "small", "large"),
    [
        (200, np.inf, "-5.6", "-21"),
        (1000, 10.6, "-1.1", "-3.0"),
        (3000, 0.955, "-0.32", "+0.05"),  # 0.95498; the notes we started from print it as 0.96
        (10**4, 0.23, "-0.061", "+1.1"),
        (10**5, 0.021, "+0.04", "+1.5"),
    ],
)
def test_main_table_to_the_digits_given(n, largest, small, large):
    model = JointGaussian.from_correlations(*MAIN, p=100)
    digits = {10.6: 1, 0.955: 3, 0.23: 2, 0.021: 3, np.inf: 0}[largest]
    assert round(model.largest_helpful_lambda(n), digits) == largest
    for lam, text in ((0.1, small), (1.0, large)):
        decimals = len(text.partition(".")[2])
        assert f"{100 * model.relative_change(n, lam):+.{decimals}f}" == text


def test_rescaled_teacher_satisfies_the_criterion_and_hurts_at_every_weight():
    model = JointGaussian.from_correlations(0.6, 0.8, 0.9, p=100, teacher_sd=3)
    n = np.array([102, 200, 1000, 10**4])
    assert model.gap > 0
    assert_allclose(model.largest_helpful_lambda(n), 0)
    lam = np.array([1e-6, 1e-3, 0.1, 1, 10, np.inf])
    assert np.all(model.relative_change(n[:, None], lam) > 0)


@pytest.mark.parametrize(("teacher_sd", "percent"), [(0.0, -31), (0.5, -26)])
def test_empty_or_noise_teacher_fails_the_criterion_and_helps(teacher_sd, percent):
    model = JointGaussian.from_correlations(0.6, 0.0, 0.0, p=100, teacher_sd=teacher_sd)
    assert model.gap < 0
    assert round(100 * model.relative_change(200, 1.0)) == percent


@pytest.mark.parametrize(("g", "n", "helps"), [(0.7, 10**4, True), (0.9, 10**4, False)])
def test_criterion_fails_and_the_effect_has_either_sign(g, n, helps):
    model = JointGaussian.from_correlations(0.6, 0.3, g, p=100)
    assert model.gap < 0
    assert (model.relative_change(n, 1e-3) < 0) == helps
    assert (model.residual_alignment > 0) == helps
    assert (model.largest_helpful_lambda(n) > 0) == helps


def test_collinear_closed_forms():
    r, q, g = MAIN
    sd = 0.5
    model = JointGaussian.from_correlations(r, q, g, p=4, teacher_sd=sd, rotate=2)
    assert_allclose(model.sigma2, 1 - r**2)
    assert_allclose(model.tau2, sd**2 * (1 - q**2))
    assert_allclose(model.c, sd * (g - q * r))
    assert_allclose(model.delta, (sd * q - r) ** 2)
    assert_allclose(model.mi_student_label, -0.5 * np.log(1 - r**2))
    assert_allclose(model.mi_teacher_student, -0.5 * np.log(1 - q**2))


def test_calibrated_teacher_is_the_conditional_mean_and_the_default():
    model = JointGaussian.from_correlations(*MAIN, p=6, teacher_sd="calibrated", rotate=4)
    x1_residual = model.cov[:6, -1] - model.cov[:6, :6] @ model.w1
    assert_allclose(x1_residual, 0, atol=1e-14)
    again = JointGaussian.from_covariance(model.cov, 6, 6)
    assert_allclose(again.w1, model.w1)
    r, q, g = MAIN
    assert_allclose(model.residual_alignment, 1 + g * q * r - g**2 - r**2)


def test_rotation_changes_coordinates_only():
    plain = JointGaussian.from_correlations(*MAIN, p=5, p1=3, nuisance=0.5)
    turned = JointGaussian.from_correlations(*MAIN, p=5, p1=3, nuisance=0.5, rotate=7)
    assert np.abs(turned.student_weights - plain.student_weights).max() > 0.1
    n, lam = np.array([10, 100])[:, None], np.array([0.1, 1, 10])
    assert_allclose(turned.risk(n, lam), plain.risk(n, lam))
    assert_allclose(turned.correlations, plain.correlations)
    assert_allclose(turned.cov[:3, :3], np.eye(3), atol=1e-14)


def test_risk_broadcasts_and_returns_scalars():
    model = JointGaussian.from_correlations(*MAIN, p=10)
    n, lam = np.array([20, 50, 100])[:, None], np.array([0, 0.5])
    table = model.risk(n, lam)
    assert table.shape == (3, 2)
    assert table[1, 1] == model.risk(50, 0.5)
    assert np.ndim(model.risk(50, 0.5)) == 0 and np.ndim(model.best_lambda(50)) == 0
    assert_allclose(table / table[:, :1] - 1, model.relative_change(n, lam), atol=1e-14)


def test_same_seed_same_bits_and_frozen():
    model = JointGaussian.from_correlations(*MAIN, p=3, rotate=5)
    again = JointGaussian.from_correlations(*MAIN, p=3, rotate=5)
    for a, b in zip(
        model.sample(50, np.random.default_rng(1)), again.sample(50, np.random.default_rng(1))
    ):
        assert np.array_equal(a, b)
    with pytest.raises(ValueError, match="read-only"):
        model.cov[0, 0] = 2
    with pytest.raises(AttributeError):
        model.p1 = 4


@pytest.mark.parametrize("gap", [-0.2, 0.0, 0.05, 0.6, 2.0])
def test_q_for_gap_gives_that_gap(gap):
    q = q_for_gap(gap, 0.6)
    g = sum(admissible_g(0.6, q)) / 2
    assert_allclose(JointGaussian.from_correlations(0.6, q, g, p=2).gap, gap, atol=1e-12)
    assert_allclose(q_for_gap([gap, gap + 0.1], 0.6)[0], q)


def test_admissible_interval_is_exact():
    low, high = admissible_g(0.6, 0.8)
    assert_allclose([low, high], [0.0, 0.96], atol=1e-15)
    for g in (low + 1e-6, high - 1e-6):
        JointGaussian.from_correlations(0.6, 0.8, g, p=1)
    with pytest.raises(ValueError, match=r"between 0\.0000 and 0\.9600"):
        JointGaussian.from_correlations(0.6, 0.8, high + 1e-6, p=1)


GOOD = JointGaussian.from_correlations(*MAIN, p=10)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: JointGaussian.from_correlations(0, 0.1, 0.1, 3), "r = corr"),
        (lambda: JointGaussian.from_correlations(0.6, 1, 0.6, 3), "q = corr"),
        (lambda: JointGaussian.from_correlations(0.6, 0.3, np.nan, 3), "is impossible"),
        (lambda: JointGaussian.from_correlations(*MAIN, 3, teacher_sd=-1), "teacher_sd"),
        (lambda: JointGaussian.from_correlations(*MAIN, 3, teacher_sd="big"), "teacher_sd"),
        (lambda: JointGaussian.from_correlations(0.6, 0, -0.1, 3, "calibrated"), "calibrated"),
        (lambda: JointGaussian.from_correlations(*MAIN, 0), "at least 1"),
        (lambda: JointGaussian.from_correlations(*MAIN, 1, nuisance=0.5), "nuisance"),
        (lambda: JointGaussian.from_covariance(np.eye(4), 1, 1), r"must be \[3, 3\]"),
        (lambda: JointGaussian.from_covariance(np.eye(3), 0, 2), "at least 1"),
        (lambda: JointGaussian.from_covariance(np.ones((3, 3)), 1, 1), "positive definite"),
        (lambda: JointGaussian.from_covariance(np.diag([1, 0, 1]), 1, 1), "positive definite"),
        (lambda: JointGaussian.from_covariance(np.tri(3), 1, 1), "symmetric"),
        (lambda: JointGaussian.from_covariance(np.eye(3) * np.nan, 1, 1), "finite"),
        (lambda: JointGaussian.from_covariance(np.eye(3), 1, 1, [1, 2]), "w1 must be"),
        (lambda: GOOD.risk(11, 0.1), "n must exceed p"),
        (lambda: GOOD.best_lambda([20, 5]), "n must exceed p"),
        (lambda: GOOD.risk(100, -0.1), "lam must be"),
        (lambda: GOOD.risk(100, np.nan), "lam must be"),
        (lambda: GOOD.sample(0, np.random.default_rng()), "n must be at least 1"),
        (lambda: q_for_gap(-0.5, 0.6), "smallest possible gap is -0.2231"),
        (lambda: q_for_gap(100, 0.6), "smaller gap"),
        (lambda: q_for_gap(0.1, 1.0), "strictly between"),
        (lambda: block_mi(np.eye(3), [0, 1], [1, 2]), "share a coordinate"),
    ],
)
def test_refusals_are_one_clear_line(call, message):
    with pytest.raises(ValueError, match=message) as error:
        call()
    assert "\n" not in str(error.value)
