"""The page book/theory.md: every formula by simulation, every corollary, every printed number."""

import contextlib
import io
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cchkd_utils.gaussian import JointGaussian, admissible_g, block_mi, q_for_gap

THEORY = Path(__file__).parents[2] / "book" / "theory.md"
MAIN = (0.6, 0.8, 0.7)  # (r, q, g) of the worked table


def random_model(seed, p1=3, p2=5):
    """Draw a model with no structure: full covariance, v* not collinear with w*."""
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((p1 + p2 + 1, p1 + p2 + 8))
    return JointGaussian.from_covariance(root @ root.T / 10, p1, p2, rng.standard_normal(p1))


def random_correlations(rng):
    """Draw an admissible (r, q, g), uniform in r, q and in g given both."""
    r, q = rng.uniform(0.05, 0.99), rng.uniform(-0.99, 0.99)
    low, high = admissible_g(r, q)
    return r, q, low + (high - low) * rng.uniform(0.001, 0.999)


def assert_mean(samples, expected, sigmas=3.0):
    """Assert that the mean over axis 0 lies within so many standard errors of `expected`."""
    stderr = samples.std(axis=0, ddof=1) / np.sqrt(len(samples))
    off = np.abs(samples.mean(axis=0) - expected)
    # The constant: a student that copies a constant teacher has no spread, only rounding.
    assert np.all(off < sigmas * stderr + 1e-12), f"off by {off}, standard errors {stderr}"


def test_page_prints_what_its_code_computes():
    blocks = re.findall(r"```python\n(.*?)```\n+.*?```text\n(.*?)```", THEORY.read_text(), re.S)
    assert len(blocks) >= 2
    for code, printed in blocks:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(code, str(THEORY), "exec"), {})
        assert out.getvalue() == printed


@pytest.mark.parametrize(
    ("model", "n"),
    [
        (JointGaussian.from_correlations(*MAIN, p=20, p1=1), 40),
        (JointGaussian.from_correlations(*MAIN, p=20, teacher_sd="calibrated", rotate=1), 200),
        (JointGaussian.from_correlations(0.6, 0.8, 0.9, p=10, teacher_sd=3), 60),
        (JointGaussian.from_correlations(0.6, 0.0, 0.0, p=30, teacher_sd=0), 60),
        (JointGaussian.from_correlations(0.5, -0.4, 0.3, p=1), 8),
        (random_model(1), 20),
        (random_model(2), 100),
    ],
    ids=["small-n", "calibrated", "rescaled", "zero", "p=1", "general", "general-n=100"],
)
def test_exact_risk_agrees_with_fitted_students(model, n):
    lam = np.array([0, 0.05, 0.3, 1, 4, np.inf])
    risks = model.simulate_risk(n, lam, draws=600, rng=np.random.default_rng(10))
    assert_mean(risks, model.risk(n, lam))
    # The change itself, on the same draws: a far sharper check than the two risks.
    assert_mean(risks[:, 1:] - risks[:, :1], (model.risk(n, lam) - model.risk(n, 0))[1:])


def test_exact_risk_agrees_at_the_papers_dimension():
    model = JointGaussian.from_correlations(*MAIN, p=100, p1=1)
    lam = [0.1, 1.0]
    risks = model.simulate_risk(200, [0, *lam], 200, np.random.default_rng(3))
    baseline = model.risk(200, 0)
    assert_mean(risks[:, 1:] - risks[:, :1], baseline * model.relative_change(200, lam))


def test_simulated_student_minimises_the_distillation_objective():
    model, n, lam = random_model(3), 17, 0.7
    simulated = model.simulate_risk(n, lam, draws=1, rng=np.random.default_rng(5))[0, 0]
    x1, x2, y = model.sample(n, np.random.default_rng(5))
    rows = np.vstack([x2, np.sqrt(lam) * x2])
    target = np.concatenate([y, np.sqrt(lam) * (x1 @ model.w1)])
    w = np.linalg.lstsq(rows, target, rcond=None)[0]  # the objective as one stacked regression
    quadratic = np.concatenate([np.zeros(model.p1), -w, [1.0]])
    assert_allclose(simulated, quadratic @ model.cov @ quadratic, rtol=1e-10)


def test_slope_is_the_derivative_and_agrees_with_simulation():
    model, n, h = random_model(4), 30, 1e-4
    slope = model.risk_slope(n)
    assert_allclose((model.risk(n, h) - model.risk(n, 0)) / h, slope, rtol=1e-2)
    risks = model.simulate_risk(n, [0, h], 1000, np.random.default_rng(6))
    assert_mean((risks[:, 1] - risks[:, 0]) / h, (model.risk(n, h) - model.risk(n, 0)) / h)


def test_undistilled_risk_is_the_finite_sample_one():
    model = random_model(5)
    n, p = 23, model.p2
    assert_allclose(model.risk(n, 0), model.sigma2 * (n - 1) / (n - p - 1))
    assert_allclose(model.risk(np.inf, 0), model.sigma2)


@pytest.mark.parametrize("seed", range(8))
def test_best_and_largest_helpful_weight(seed):
    model = random_model(seed)
    n = np.array([8, 12, 40, 400])
    best, largest = model.best_lambda(n), model.largest_helpful_lambda(n)
    m = np.linspace(0, 1, 20001)[:-1]
    risks = model.risk(n[:, None], m / (1 - m))
    for i in range(len(n)):
        assert model.risk(n[i], best[i]) <= risks[i].min() + 1e-12
        helps = risks[i] < model.risk(n[i], 0) - 1e-13
        assert_allclose(helps[1:], (m / (1 - m) < largest[i])[1:])


def test_best_gain_has_its_closed_form():
    model = JointGaussian.from_correlations(*MAIN, p=100)
    n, kappa = 1000, 100 / 899
    a = model.sigma2 - model.c
    gain = kappa**2 * a**2 / (model.delta + kappa * (model.sigma2 - 2 * model.c + model.tau2))
    assert_allclose(model.risk(n, 0) - model.risk(n, model.best_lambda(n)), gain)


def test_simulation_changes_sign_at_the_largest_helpful_weight():
    model = JointGaussian.from_correlations(*MAIN, p=10, p1=1)
    n = 100
    largest = model.largest_helpful_lambda(n)
    assert 0 < largest < np.inf
    risks = model.simulate_risk(
        n, [0, largest / 3, largest, 3 * largest], 4000, np.random.default_rng(7)
    )
    change = risks[:, 1:] - risks[:, :1]
    z = change.mean(0) / (change.std(0) / np.sqrt(len(change)))
    assert z[0] < -3 and abs(z[1]) < 3 and z[2] > 3


def test_largest_helpful_weight_at_large_n():
    model, n = JointGaussian.from_correlations(*MAIN, p=100), 10**8
    limit = 2 * 100 * model.residual_alignment / (n * model.delta)
    assert_allclose(model.largest_helpful_lambda(n), limit, rtol=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_population_never_gains(seed):
    model = random_model(seed)
    lam = np.array([0.01, 1, 100, np.inf])
    assert np.all(model.risk(np.inf, lam) >= model.risk(np.inf, 0))
    assert model.best_lambda(np.inf) == 0
    assert model.risk_slope(np.inf) == 0


def test_samples_have_the_models_moments():
    model = random_model(6)
    x1, x2, y = model.sample(20_000, np.random.default_rng(8))
    rows = np.column_stack([x1, x2, y])
    products = rows[:, :, None] * rows[:, None, :]
    assert_mean(products.reshape(len(rows), -1), model.cov.ravel(), sigmas=4)
    t, s = x1 @ model.w1, x2 @ model.student_weights
    e, u = y - s, t - x2 @ model.teacher_projection
    moments = np.column_stack([(y - t) * e, e**2, u**2, e * u, (t - u - s) ** 2])
    names = (model.residual_alignment, model.sigma2, model.tau2, model.c, model.delta)
    assert_mean(moments, np.array(names))
    r, q, g = model.correlations
    assert_allclose(np.corrcoef([s, t, y])[[0, 1, 2], [2, 0, 1]], [r, q, g], atol=0.03)


@pytest.mark.parametrize("seed", range(5))
def test_residual_alignment_is_sigma2_minus_c(seed):
    model = random_model(seed)
    assert_allclose(model.residual_alignment, model.sigma2 - model.c, atol=1e-10)


def test_information_is_that_of_the_predictions():
    model = random_model(9)
    zeros = np.zeros
    t = np.concatenate([model.w1, zeros(model.p2 + 1)])
    s = np.concatenate([zeros(model.p1), model.student_weights, [0]])
    y = np.eye(len(model.cov))[-1]
    basis = np.stack([t, s, y])
    cov = basis @ model.cov @ basis.T
    assert_allclose(model.mi_teacher_student, block_mi(cov, 0, 1))
    assert_allclose(model.mi_student_label, block_mi(cov, 1, 2))
    # s is sufficient: x2 as a whole tells no more of y.
    x2 = np.arange(model.p1, model.p1 + model.p2)
    assert_allclose(model.mi_student_label, block_mi(model.cov, x2, len(model.cov) - 1))


def test_units_of_the_inputs_do_not_matter():
    model = random_model(11)
    units = np.array([1e4, 1, 1e-4, 1e3, 1, 1e-3, 1, 1, 1])
    scaled = JointGaussian.from_covariance(
        model.cov * np.outer(units, units), 3, 5, model.w1 / units[:3]
    )
    assert_allclose(scaled.risk(20, [0, 1, 3]), model.risk(20, [0, 1, 3]), rtol=1e-8)
    assert_allclose(scaled.gap, model.gap, rtol=1e-8)


def test_criterion_with_scale_condition_is_sufficient():
    rng = np.random.default_rng(12)
    held = 0
    for _ in range(3000):
        r, q, g = random_correlations(rng)
        sd = rng.uniform(0.05, 3)
        model = JointGaussian.from_correlations(r, q, g, p=1, teacher_sd=sd)
        if model.gap > np.log(sd):  # scale-corrected: (1/2) ln(Var t / Var y)
            held += 1
            assert model.residual_alignment > 0
    assert held > 500


def test_sufficiency_holds_without_collinearity():
    held = 0
    for seed in range(300):
        model = random_model(seed, p1=2, p2=2)
        var_t = model.w1 @ model.cov[:2, :2] @ model.w1
        if model.gap > 0.5 * np.log(var_t / model.cov[-1, -1]):
            held += 1
            assert model.residual_alignment > 0
    assert held > 30


def test_scale_corrected_threshold_cannot_be_lowered():
    r, sd, margin = 0.6, 1.5, 1e-3
    q = q_for_gap(np.log(sd) - margin, r)
    _, high = admissible_g(r, q)
    model = JointGaussian.from_correlations(r, q, high - 1e-9, p=1, teacher_sd=sd)
    assert model.residual_alignment < 0


def test_shared_nuisance_moves_the_gap_of_the_representations_only():
    gaps, risks = [], []
    for nuisance in (0.0, 0.9):
        model = JointGaussian.from_correlations(0.6, 0.2, 0.3, p=4, nuisance=nuisance, rotate=0)
        x1, x2, y = np.arange(4), np.arange(4, 8), 8
        gaps.append(block_mi(model.cov, x1, x2) - block_mi(model.cov, x2, y))
        risks.append(model.risk(50, 1.0))
        assert round(model.gap, 2) == -0.20
    assert [round(gap, 2) for gap in gaps] == [-0.20, 0.63]
    assert_allclose(risks[0], risks[1])


@pytest.mark.parametrize("seed", range(3))
def test_gap_rewards_label_irrelevant_content(seed):
    cov = random_model(seed).cov
    h1, h2, y = np.arange(3), np.arange(3, 8), np.array([8])

    def conditional(given):
        return cov - cov[:, given] @ np.linalg.solve(cov[np.ix_(given, given)], cov[given])

    left = block_mi(cov, h1, h2) - block_mi(cov, h2, y)
    right = block_mi(conditional(y), h1, h2) - block_mi(conditional(h1), h2, y)
    assert_allclose(left, right)


def test_exercises_of_the_page():
    model = JointGaussian.from_correlations(*MAIN, p=100)
    assert abs(model.relative_change(2901, 1.0)) < 1e-12
    assert model.relative_change(2900, 1.0) < 0 < model.relative_change(2902, 1.0)
    empty = JointGaussian.from_correlations(0.6, 0, 0, p=36, teacher_sd=0)
    boundary = 64 + 37  # kappa = r^2 / (1 - r^2)
    assert np.isinf(empty.largest_helpful_lambda(boundary - 1))
    assert np.isfinite(empty.largest_helpful_lambda(boundary + 1))
    assert np.isfinite(empty.best_lambda([40, 10**4])).all()


def test_markov_pairing_never_passes():
    rng = np.random.default_rng(13)
    for r, g in rng.uniform(0.01, 0.99, (200, 2)):
        model = JointGaussian.from_correlations(r, r * g, g, p=1)  # t independent of s given y
        assert model.gap < 0
