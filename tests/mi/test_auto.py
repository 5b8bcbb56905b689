"""`auto` on one task of each family, and on hidden layers with known information."""

import warnings

import numpy as np
import pytest

from cchkd_utils.mi import auto, estimate, label_entropy
from cchkd_utils.mi.codes import nonlinear_codes
from cchkd_utils.mi.normal import held_out_bias, wishart_bias
from cchkd_utils.mi.tasks import beyond_normal, representations, student

pytestmark = pytest.mark.slow

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


@pytest.mark.parametrize(("width", "n", "seeds"), [(64, 4000, (21, 24)), (256, 2000, (24,))])
def test_hidden_layers(width, n, seeds):
    for seed in seeds:
        family = representations(seed, width)
        both, label = family.truth(np.random.default_rng(0), 50_000)
        h1, h2, y = family.sample(n, np.random.default_rng(2))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # dead units
            assert estimate(h1, h2, "auto").nats == pytest.approx(both, abs=0.15)
            to_label = estimate(h2, y, "auto", discrete_y=True).nats
        assert to_label == pytest.approx(label, abs=0.1)


def test_truth_of_the_samplers():
    """Monte Carlo of the pointwise information against the closed forms of its two parts."""
    family = representations(3)
    both, label = family.truth(np.random.default_rng(0), 100_000)
    nuisance = -0.5 * family.shared * np.log(1 - family.rho**2)
    assert nuisance < both < nuisance + label + 0.05
    assert 0 < label < np.log(len(family.means1))


def test_bias_of_a_gaussian_fit_inside_and_outside_its_rows():
    """Independent rows, true information 0, against the closed forms."""
    n, d, inside, outside = 120, 8, [], []
    for seed in range(300):
        z, fresh = np.random.default_rng(seed).standard_normal((2, n, 2 * d))
        cov = np.cov(z.T)
        values = [_gaussian_log_ratio(rows - z.mean(0), cov, d).mean() for rows in (z, fresh)]
        inside.append(values[0])
        outside.append(values[1])
    assert np.mean(inside) == pytest.approx(wishart_bias(n, d, d), abs=0.02)
    assert np.mean(outside) == pytest.approx(held_out_bias(n, d, d), abs=0.02)


def _gaussian_log_ratio(z, cov, d):
    def log_density(columns):
        part, rows = cov[columns, columns], z[:, columns]
        return -0.5 * (
            np.einsum("ij,ij->i", rows @ np.linalg.inv(part), rows) + np.linalg.slogdet(part)[1]
        )

    return log_density(slice(None)) - log_density(slice(0, d)) - log_density(slice(d, None))


def test_clusters_in_many_dimensions_are_unbiased():
    """Ninety columns on 1000 rows; mixing the folds to first order only is 0.16 nats low."""
    errors = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        y = rng.integers(4, size=1000)
        x1, x2 = rng.standard_normal((2, 1000, 45))
        x2[:, -1] = 0.7 * x1[:, -1] + np.sqrt(0.51) * x2[:, -1]
        x1[:, 0] += 8.0 * y
        x2[:, 0] += 8.0 * y
        errors.append(estimate(x1, x2, groups=y).nats - np.log(4) + 0.5 * np.log(0.51))
    assert abs(np.mean(errors)) < 0.06


def test_awkward_classes_raise_no_warning():
    """A class of one row, classes without any spread, classes far apart."""
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=300)
    spread = rng.standard_normal((300, 3))
    far = estimate(spread + 100.0 * y[:, None], y, discrete_y=True)
    points = estimate(np.eye(3)[y] * 1.5, y, discrete_y=True)
    assert far.nats == pytest.approx(label_entropy(y), abs=0.01)
    assert points.nats == pytest.approx(label_entropy(y), abs=0.01)
    alone = np.zeros(60, dtype=int)
    alone[7] = 1
    assert estimate(spread[:60], alone, discrete_y=True).nats < 0.1


@pytest.mark.parametrize("seed", [2, 4, 5, 6, 8])
def test_codes_survive_a_fold_without_any_significant_pair(seed):
    """Two columns that mirror each other: in one of the three folds no canonical pair is left."""
    z, e, f = np.random.default_rng(seed).standard_normal((3, 355))
    a, b = z + 0.5 * e, z + 2 * f
    codes, held_out = nonlinear_codes(np.stack([a, -a], 1), np.stack([b, -b], 1), 0)
    assert codes is None or np.isfinite(held_out).all()


@pytest.mark.parametrize(("rows", "noise"), [(400, 0.45), (600, 0.45), (1300, 0.8)])
def test_labels_between_two_models_span_both(rows, noise, monkeypatch):
    """Rings, which a discriminant knows in part: no threshold that rounding might cross."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, rows)
    angle, radius = rng.uniform(0, 2 * np.pi, rows), 1 + y + noise * rng.standard_normal(rows)
    x = np.stack([radius * np.cos(angle), radius * np.sin(2 * angle)], 1)
    both = estimate(x, y, discrete_y=True)
    monkeypatch.setattr(auto, "KNN_DIMENSION", 0.0)
    discriminant, knn = estimate(x, y, discrete_y=True).nats, estimate(x, y, "ksg", discrete_y=True)
    assert discriminant < both.nats < knn.nats
    assert both.nats - both.high_by == pytest.approx(discriminant)
    assert both.nats + both.low_by == pytest.approx(knn.nats)
