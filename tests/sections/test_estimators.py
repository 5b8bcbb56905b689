"""The samplers share what they claim, and the tables of notebook 07 count rightly."""

import numpy as np
import pandas as pd
import pytest

from cchkd_utils import results
from cchkd_utils.gaussian import block_mi
from cchkd_utils.sections.estimators import study

pytestmark = pytest.mark.slow


def sample_information(*blocks):
    """I of two blocks of jointly normal columns, from their sample covariance."""
    columns = np.hstack([b.reshape(len(b), -1) for b in blocks])
    first, last = np.split(np.arange(columns.shape[1]), [blocks[0].shape[1]])
    return block_mi(np.cov(columns, rowvar=False), first, last)


def test_shared_pairs_share_what_they_say():
    rng = np.random.default_rng(0)
    for d in (1, 4):
        task = study.shared_pairs(d, nats=1.3)
        x, y = task.sample(100_000, rng)
        assert task.nats == pytest.approx(1.3)
        assert sample_information(x, y) == pytest.approx(1.3, abs=0.02)
        assert not np.isclose(np.corrcoef(x[:, 0], y[:, 0])[0, 1], np.sqrt(-np.expm1(-2.6 / d)))


def test_copies_are_copies_of_whole_rows():
    seen = {}

    def catch(name, x, y, *_):
        seen.update(x=x, y=y)
        return []

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study, "measure", catch)
        study.measure_copies(0.25, 400, ["ksg"], seed=0)
    rows = np.hstack([seen["x"], seen["y"]])
    _, counts = np.unique(rows, axis=0, return_counts=True)
    assert len(rows) == 400 and counts.max() == 2 and (counts == 2).sum() == 100


def test_measurements_are_rows_of_the_estimates_table():
    rows = study.measure_networks(1, 300, ["ksg", "gaussian"], seed=3)
    table = results.check(rows, "estimates")
    assert set(table["y"]) == {"continuous", "classes"} and len(table) == 4
    assert (table["dim"] == 64).all() and table.groupby("task")["true_mi"].nunique().eq(1).all()
    few = study.measure_networks(1, 100, ["ksg", "gaussian"], seed=3)
    assert [row["method"] for row in few if row["y"] == "continuous"] == ["ksg"]
    low, high = (
        results.check(study.measure_classes(spread, 4, 300, ["ksg"], 0), "estimates").iloc[0]
        for spread in (0.0, 6.0)
    )
    assert low["true_mi"] == pytest.approx(0.0, abs=1e-9)
    assert high["true_mi"] == pytest.approx(np.log(4), abs=0.01)


@pytest.mark.parametrize("name", study.SPOILT)
def test_the_truth_of_spoilt_rows(name):
    (row,) = study.measure_spoilt(name, 1000, ["auto"], 0)
    assert row["nats"] == pytest.approx(row["true_mi"], abs=0.45)  # wild cells cost a fifth


def verdicts(gaps, trues, p_wrong, half=0.1):
    gaps = np.array(gaps, float)
    return pd.DataFrame(
        {"gap": gaps, "gap_lo": gaps - half, "gap_hi": gaps + half, "knob": trues}
        | {"p_wrong": p_wrong, "estimator": "ksg"}
    )


def test_coverage_counts_and_has_an_interval():
    frame = verdicts([0.2] * 10, [0.25] * 9 + [0.31], [0.01] * 10)
    (cell,) = study.coverage(frame, ["estimator"]).to_dict("records")
    assert (cell["trials"], cell["coverage"]) == (10, 0.9)
    assert (cell["low"], cell["high"]) == pytest.approx((0.55498, 0.99747), abs=1e-5)  # exact table
    assert cell["bias"] == pytest.approx(0.2 - 0.256)


def test_reliability_puts_said_beside_happened():
    p_wrong = [0.0, 0.01, 0.3, 0.4, 0.5, 0.4]
    frame = verdicts([0.1] * 6, [0.1, 0.1, -0.1, 0.1, -0.1, 0.1], p_wrong)
    table = study.reliability(frame)
    assert table["said"].tolist() == pytest.approx([0.005, 0.4])
    assert table["wrong"].tolist() == pytest.approx([0.0, 0.5])
    assert table["trials"].sum() == 6


def test_bits_turn_the_sign_in_a_wedge_only():
    shared, label = [0.6, 0.75, 0.4, 1.1], [0.7, 0.7, 0.7, 1.5]
    assert study.flips_in_bits(shared, label).tolist() == [True, False, False, True]


# --- what was recorded -------------------------------------------------------------------------


def errors_of_layers():
    keys = ["part", "quantity", "truth_nats", "estimate_nats", "name", "seed"]
    values = [
        ["hidden layers", "I(H1;H2)", 1.0, 0.9, "a", 1],
        ["hidden layers", "I(H2;Y)", 0.5, 0.5, "a", 1],
        ["hidden layers", "I(H1;H2)", 1.0, 0.2, "a", 2],
        ["hidden layers", "I(H2;Y)", 0.5, 0.5, "a", 2],
        ["hidden layers", "I(H1;H2)", 1.0, 1.0, "b", 1],
        ["hidden layers", "I(H2;Y)", 0.9, 1.1, "b", 1],
    ]
    table = pd.DataFrame(values, columns=keys).assign(method="auto", n=10, seconds=1.0)
    return table.assign(error_nats=table["estimate_nats"] - table["truth_nats"])


def test_signs_count_clear_gaps_only():
    assert study.signs_of_layers(errors_of_layers()) == (1, 2)


def test_accuracy_by_quantity():
    table = study.accuracy(errors_of_layers()).set_index("quantity")
    assert table.loc["I(H1;H2)", "mean error"] == pytest.approx(0.3)
    assert table.loc["I(H1;H2)", "worst"] == pytest.approx(0.8)
    assert table.loc["I(H2;Y)", "bias"] == pytest.approx(0.2 / 3)


MEASURED = {"part": "estimator", "what": "ksg", "beside": "p", "n": 9, "d": 1, "mb": None}


def test_ratios_are_of_median_seconds():
    runs = [(1.0, 6.0), (2.0, 3.0), (9.0, 9.0)]
    rows = [MEASURED | {"seconds": ours, "beside_seconds": its, "error_nats": 0.1,
                        "beside_error_nats": 0.3} for ours, its in runs]  # fmt: skip
    (row,) = study.ratios(pd.DataFrame(rows)).to_dict("records")
    assert row["times faster"] == pytest.approx(3.0) and row["runs"] == 3
    assert (row["least"], row["most"]) == (1.0, 6.0)
    assert row["error"] == pytest.approx(0.1) and row["its error"] == pytest.approx(0.3)


def test_the_exponent_of_growth_is_that_of_a_power():
    rows = [MEASURED | {"part": "growth", "n": n, "seconds": n**0.5 + off, "mb": 3.0 * n}
            for n in (100, 10_000) for off in (0.0, 0.0, 5.0)]  # fmt: skip
    table = study.growth(pd.DataFrame(rows)).set_index("rows")
    assert table.loc[10_000, "exponent of time"] == 0.5
    assert table.loc[10_000, "exponent of memory"] == 1.0


def test_what_is_recorded_meets_its_own_counts():
    trials, cells = study.recorded("calibration_trials"), study.recorded("calibration")
    held = (trials["gap_lo_nats"] <= trials["true_gap_nats"]) & (
        trials["true_gap_nats"] <= trials["gap_hi_nats"]
    )
    keys = ["part", "estimator", "labels", "d", "n"]
    share = held.groupby([trials[k] for k in keys]).mean()
    np.testing.assert_allclose(
        share[list(zip(*(cells[k] for k in keys)))], cells["coverage"], atol=1e-4
    )
    signs = study.reliability_of_signs()
    kept = trials[(trials["part"] == "coverage") & (trials["d"] <= 16)]
    assert signs["trials"].sum() == (kept["estimator"] == "auto").sum() > 0
    accuracy = study.recorded("estimators")
    np.testing.assert_allclose(
        accuracy["estimate_nats"] - accuracy["truth_nats"], accuracy["error_nats"], atol=1e-4
    )
