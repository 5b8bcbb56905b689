"""Verdict beside outcome: who agrees is counted alike in every section."""

import pandas as pd
import pytest

from cchkd_utils.sections.cells import agreement, pooled, tally


@pytest.mark.parametrize(
    ("decision", "outcome", "answer"),
    [
        ("distil", "helps", "agree"),
        ("distil", "hurts", "disagree"),
        ("do not distil", "hurts", "agree"),
        ("do not distil", "helps", "disagree"),
        ("undecided", "helps", "open"),
        ("distil", "unresolved", "open"),
        ("undecided", "unresolved", "open"),
    ],
)
def test_verdict_and_outcome(decision, outcome, answer):
    assert agreement([decision], [outcome]).tolist() == [answer]


def test_a_tie_is_undecided():
    said = ["distil", "do not distil"], ["distil", "distil", "undecided"]
    rows = [{"pair": i, "decision": decision} for i, own in enumerate(said) for decision in own]
    assert pooled(pd.DataFrame(rows), ["pair"], [])["decision"].tolist() == ["undecided", "distil"]


def test_tally_keeps_the_order_of_estimators_and_every_answer():
    table = pd.DataFrame(
        {
            "estimator": ["lmi", "ksg", "lmi"],
            "decision": ["distil", "distil", "undecided"],
            "outcome": ["helps", "hurts", "helps"],
        }
    )
    counts = tally(table)
    assert counts.index.tolist() == ["lmi", "ksg"]
    assert counts.to_numpy().tolist() == [[1, 0, 1], [0, 1, 0]]


def test_pooled_verdicts_are_means_and_what_most_repeats_decided():
    table = pd.DataFrame(
        {
            "pair": ["b", "a", "b", "b"],
            "gap": [1.0, -1.0, 2.0, 6.0],
            "decision": ["distil", "do not distil", "undecided", "distil"],
        }
    )
    means = pooled(table, ["pair"], ["gap"])
    assert means.index.tolist() == ["b", "a"] and means["gap"].tolist() == [3.0, -1.0]
    assert means["decision"].tolist() == ["distil", "do not distil"]
