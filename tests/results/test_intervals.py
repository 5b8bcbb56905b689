"""Intervals over units and over repeated folds, against simulation."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from cchkd_utils.results import intervals


@pytest.mark.slow
def test_interval_over_units_covers_and_the_naive_one_does_not():
    rng = np.random.default_rng(0)
    units = np.repeat(np.arange(40), 10)
    covered = {"units": 0, "rows": 0}
    for trial in range(200):
        values = rng.standard_normal(40)[units] + rng.standard_normal(400)
        for name, groups in {"units": units, "rows": np.arange(400)}.items():
            _, low, high = intervals.cluster_bootstrap(
                lambda rows, x=values: x[rows].mean(), groups, draws=200, seed=trial
            )
            covered[name] += low <= 0 <= high
    assert covered["units"] >= 175 and covered["rows"] <= 130


@pytest.mark.slow
@pytest.mark.parametrize(("units", "least"), [(5, 0.88), (8, 0.91), (30, 0.91)])
def test_few_units_have_wide_intervals(units, least):
    """The plain percentile interval covers .78 at 4 and .89 at 8 units."""
    rng, hits = np.random.default_rng(3), 0
    for _ in range(300):
        values = rng.standard_normal(units)
        _, low, high = intervals.cluster_interval(
            lambda rows, x=values: x[rows].mean(), np.arange(units)
        )
        hits += low <= 0 <= high
    assert least <= hits / 300 <= 0.985


def test_standard_error_over_units_is_that_of_a_mean_and_counts_repeats():
    """Without training, of units with rows in folds of equal size: sqrt(variance / units)."""
    rng = np.random.default_rng(0)
    units = np.repeat(np.arange(40), 5)
    values = rng.normal(size=40)[units] + 0.1 * rng.normal(size=200)
    order = [np.flatnonzero(np.isin(units, part)) for part in np.split(rng.permutation(40), 5)]
    means = np.array([values[rows].mean() for rows in order])
    moved = [values[rows] - values[rows].mean() for rows in order]
    stderr, n = intervals.over_units(moved, order, units, means, np.zeros(5))
    by_unit = np.array([values[units == u].mean() for u in range(40)])
    within = np.concatenate(
        [by_unit[np.unique(units[rows])] - values[rows].mean() for rows in order]
    )
    assert n == 40 and stderr == pytest.approx(np.sqrt((within**2).sum() / 40 / 39))
    again = [order, moved, means, np.repeat([0, 1], 5)]
    twice = [[*a, *a] for a in again[:3]]
    same, _ = intervals.over_units(twice[1], twice[0], units, twice[2], again[3])
    assert same == pytest.approx(stderr)  # the same repeat again tells nothing new
    shifted, _ = intervals.over_units(twice[1], twice[0], units, [*means, *(means + 1)], again[3])
    assert shifted == pytest.approx(np.sqrt(stderr**2 + 0.25))


def test_rows_with_a_standard_error_over_units_take_it():
    row = {"lam": 0.5, "gain": [0.1, 0.2], "baseline": 0.5, "n_folds": 5}
    frame = pd.DataFrame(row).assign(unit_stderr=0.01, n_units=100)
    (cell,) = intervals.summarise(frame, ["lam"]).to_dict("records")
    assert cell["gain_hi"] - cell["gain"] == pytest.approx(1.146 * 1.984 * 0.01, rel=1e-3)
    assert cell["outcome"] == "helps" and cell["folds_lo"] < 0.02 < cell["gain_lo"]
    alone = intervals.summarise(frame.drop(columns=intervals.UNITS), ["lam"])
    assert alone["outcome"].tolist() == ["unresolved"]


def test_several_statistics_at_once_and_draws_without_a_value():
    def both(rows):
        return [rows.mean(), np.nan if rows.max() < 9 else 1.0]

    value, low, high = intervals.cluster_bootstrap(both, np.arange(10), draws=50)
    assert value == pytest.approx([4.5, 1.0])
    assert low[0] < 4.5 < high[0] and low[1] == high[1] == 1.0


def test_repeated_folds_widen_by_the_shared_rows():
    gains = np.random.default_rng(1).normal(0.02, 0.05, 50)
    mean, low, high = intervals.repeated_folds(gains, 1 / 5)
    naive = gains.std(ddof=1) / np.sqrt(50)
    assert (high - low) / (2 * 2.0096 * naive) == pytest.approx(np.sqrt(1 + 50 / 4), rel=1e-3)
    assert mean == pytest.approx(gains.mean())


@pytest.mark.parametrize(("gains", "share"), [([0.1], 0.2), ([0.1, 0.2], 0.0), ([0.1, 0.2], 1.0)])
def test_no_interval_from_too_little(gains, share):
    with pytest.raises(ValueError, match="no interval"):
        intervals.repeated_folds(gains, share)
    with pytest.raises(ValueError, match="at least two"):
        intervals.cluster_bootstrap(np.mean, ["a", "a"])


def test_outcome():
    outcomes = intervals.outcome([0.1, -0.2, -0.1], [0.2, -0.1, 0.1])
    assert outcomes.tolist() == ["helps", "hurts", "unresolved"]


def test_cautious_ends_from_means_and_spreads_equal_those_from_every_fold():
    gains = np.random.default_rng(0).standard_normal((4, 5))  # repeats x folds
    columns = {"pair": "a", "n_folds": 5, "unit_stderr": 1.0, "n_units": 9}
    single = pd.DataFrame({"gain": gains.ravel()})
    repeats = pd.DataFrame({"gain": gains.mean(1), "gain_sd": gains.std(1, ddof=1), "n_repeats": 1})
    whole = {"gain": [gains.mean()], "gain_sd": gains.std(ddof=1), "n_repeats": 4}
    for frame in (single, repeats, pd.DataFrame(whole)):
        (row,) = intervals.summarise(frame.assign(**columns), ["pair"]).to_dict("records")
        expected = intervals.repeated_folds(gains.ravel(), 1 / 5)
        assert (row["gain"], row["folds_lo"], row["folds_hi"]) == pytest.approx(expected)


def gains(*values):
    return pd.DataFrame({"condition": "one", "gain": values})


def test_intervals_over_seeds_cover_and_outcomes_follow_from_them():
    rng = np.random.default_rng(1)
    covered = []
    for _ in range(400):
        row = intervals.summarise(gains(*rng.normal(0, 1, 5)), ["condition"]).iloc[0]
        covered.append(row["gain_lo"] <= 0 <= row["gain_hi"])
        expected = (
            "helps" if row["gain_lo"] > 0 else "hurts" if row["gain_hi"] < 0 else "unresolved"
        )
        assert row["outcome"] == expected
    assert 0.92 <= np.mean(covered) <= 0.98  # 95 % nominal, binomial s.e. 0.011


def test_one_repeat_has_no_interval_and_is_unresolved():
    row = intervals.summarise(gains(0.1), ["condition"]).iloc[0]
    assert np.isnan(row["gain_lo"]) and row["outcome"] == "unresolved" and row["repeats"] == 1


def test_rank_correlation_is_spearmans_ties_and_repeats_included():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 6, 40), rng.integers(0, 4, 40)
    rows = rng.integers(40, size=40)
    for drawn in (np.arange(40), rows):
        value, _, _ = intervals.rank_correlation(x[drawn], y[drawn], np.arange(40), draws=2)
        assert value == pytest.approx(spearmanr(x[drawn], y[drawn]).statistic)

    def drawn_again(rows):
        return spearmanr(x[rows], y[rows]).statistic

    units = np.repeat(np.arange(10), 4)
    wanted = intervals.cluster_interval(drawn_again, units, draws=50)
    assert intervals.rank_correlation(x, y, units, draws=50) == pytest.approx(wanted)
    assert np.isnan(intervals.rank_correlation(x, 0 * y, units, draws=5)).all()
