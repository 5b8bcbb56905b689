"""The recorded tables are complete, and summarised as counted by hand."""

import numpy as np
import pandas as pd
import pytest

from cchkd_utils.sections.estimators import tables


def rows():
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
    assert tables.signs_of_layers(rows()) == (1, 2)


def test_accuracy_by_quantity():
    table = tables.accuracy(rows()).set_index("quantity")
    assert table.loc["I(H1;H2)", "mean error"] == pytest.approx(0.3)
    assert table.loc["I(H1;H2)", "worst"] == pytest.approx(0.8)
    assert table.loc["I(H2;Y)", "bias"] == pytest.approx(0.2 / 3)


def test_ratios_are_of_mean_seconds():
    same = {"method": "ksg", "peer": "p", "n": 9, "d": 1, "true_nats": 1.0}
    runs = [{"our_seconds": 1.0, "peer_seconds": 6.0}, {"our_seconds": 2.0, "peer_seconds": 3.0}]
    table = pd.DataFrame([same | run | {"our_nats": 0.9, "peer_nats": 1.3} for run in runs])
    (row,) = tables.ratios(table).to_dict("records")
    assert row["times faster"] == pytest.approx(3.0) and row["runs"] == 2
    assert row["our error"] == pytest.approx(0.1) and row["peer error"] == pytest.approx(0.3)


def test_what_is_recorded_meets_its_own_counts():
    trials, cells = tables.recorded("calibration_trials"), tables.recorded("calibration")
    held = (trials["gap_lo_nats"] <= trials["true_gap_nats"]) & (
        trials["true_gap_nats"] <= trials["gap_hi_nats"]
    )
    keys = ["part", "estimator", "labels", "d", "n"]
    share = held.groupby([trials[k] for k in keys]).mean()
    np.testing.assert_allclose(
        share[list(zip(*(cells[k] for k in keys)))], cells["coverage"], atol=1e-4
    )
    signs = tables.reliability_of_signs(trials)
    kept = trials[(trials["part"] == "coverage") & (trials["d"] <= 16)]
    assert signs["trials"].sum() == (kept["estimator"] == "auto").sum() > 0
    accuracy = tables.recorded("estimators")
    np.testing.assert_allclose(
        accuracy["estimate_nats"] - accuracy["truth_nats"], accuracy["error_nats"], atol=1e-4
    )
