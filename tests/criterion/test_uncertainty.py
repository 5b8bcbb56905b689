"""The standard error of the gap: over units, and where rows also chose what is measured."""

import numpy as np
import pytest

from cchkd_utils.criterion import assess
from cchkd_utils.criterion.uncertainty import paired_stderr, subsampled_stderr
from cchkd_utils.sections.estimators.populations import rectified_layers

QUICK = {"rivals": False, "checks": False}


def test_rows_of_one_unit_count_once():
    """Every row four times: the error is that of the rows without their copies."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 300))
    four, units = np.repeat(np.stack([a, b]), 4, axis=1), np.repeat(np.arange(300), 4)
    plain = paired_stderr(a, b)
    assert paired_stderr(*four, units) == pytest.approx(plain, rel=1e-9)
    assert paired_stderr(*four) == pytest.approx(plain / 2, rel=0.01)
    assert paired_stderr(a, b, np.arange(300)) == pytest.approx(plain, rel=1e-9)


def test_what_both_sides_share_leaves_the_error_of_their_difference():
    rng = np.random.default_rng(0)
    a = rng.standard_normal(400)
    b = a + 0.1 * rng.standard_normal(400)
    assert paired_stderr(a, b) == pytest.approx(np.std(a - b, ddof=1) / 20, rel=1e-9)


def test_subsamples_hold_whole_units_and_give_the_error_of_a_mean():
    rng = np.random.default_rng(0)
    units = np.repeat(np.arange(200), 5)
    values = rng.standard_normal(200)[units]
    seen = []

    def mean(rows):
        seen.append(rows)
        return values[rows].mean()

    stderr = subsampled_stderr(mean, units, 400, 0)
    assert stderr == pytest.approx(values[::5].std() / np.sqrt(200), rel=0.1)
    assert all((np.bincount(units[rows], minlength=200) % 5 == 0).all() for rows in seen)
    assert all(len(rows) == 500 for rows in seen)


def test_units_widen_the_interval_of_a_verdict():
    rng = np.random.default_rng(1)
    h1, h2 = rng.standard_normal((2, 100, 3))
    h1[:, 0], y = h2[:, 0] + 0.5 * h1[:, 0], (h2[:, 1] > 0).astype(int)
    units = np.repeat([f"video {i}" for i in range(100)], 4)
    rows = np.repeat(np.arange(100), 4)
    noise = 1e-3 * rng.standard_normal((2, 400, 3))  # else distances would be zero
    given = h1[rows] + noise[0], h2[rows] + noise[1], y[rows]
    by_row = assess(*given, estimator="gaussian", **QUICK)
    by_unit = assess(*given, estimator="gaussian", units=units, **QUICK)
    assert by_unit.gap == by_row.gap
    assert by_unit.stderr == pytest.approx(2 * by_row.stderr, rel=0.1)
    halves = assess(*given, estimator="gaussian", units=units, n_subsamples=60, **QUICK)
    assert halves.stderr == pytest.approx(by_unit.stderr, rel=0.35)


@pytest.mark.parametrize(
    ("units", "message"),
    [
        (np.zeros((80, 2)), r"units has shape \(80, 2\)"),
        (np.arange(79), "units has 79 rows and labels has 80"),
        (np.zeros(80), "one unit only"),
        ([None] * 80, "units is missing"),
        ([np.nan] + [1.0] * 79, "units is missing"),
    ],
)
def test_units_that_fit_nothing_are_refused(units, message):
    h = np.random.default_rng(0).standard_normal((80, 2))
    with pytest.raises(ValueError, match=message):
        assess(h, h[::-1], h[:, 0], units=units, **QUICK)


def test_what_the_model_may_miss_widens_the_interval_on_its_side():
    """Factors may be off both ways; the spread of the rows does not show it."""
    h1, h2, y, gap = rectified_layers(0.2, 64, 400, np.random.default_rng(3))
    h1, h2 = (h[:, np.ptp(h, axis=0) > 0] for h in (h1, h2))
    verdict = assess(h1, h2, y, **QUICK)
    shared = verdict.estimates["teacher_student"]
    assert "factors" in " ".join(shared.notes) and shared.low_by > 0 < shared.high_by
    half = 1.645 * verdict.stderr
    lo, hi = verdict.ci
    assert lo == pytest.approx(verdict.gap - half - shared.high_by, abs=1e-3)
    assert hi == pytest.approx(verdict.gap + half + shared.low_by, abs=1e-3)
    assert lo < gap < hi


def test_a_rare_class_that_subsamples_lack_is_no_error():
    h1, h2, _y, _ = rectified_layers(0.2, 64, 400, np.random.default_rng(3))
    h1, h2 = (h[:, np.ptp(h, axis=0) > 0] for h in (h1, h2))
    rare = (np.arange(400) == 7).astype(int)
    assert np.isfinite(assess(h1, h2, rare, **QUICK).stderr)
