"""Scores of criteria, on tables whose truth is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cchkd_utils import results
from cchkd_utils.sections import cells as cellular
from cchkd_utils.sections.does_it_predict import study

pytestmark = pytest.mark.slow

LAMS = (0.2, 0.5)
SEEDS = cellular.Section("s", "00_x", "x", "accuracy", "experiment == 'x'", 16)


def joined(**options):
    return cellular.cells(SEEDS, *tables(**options), "ksg")


def tables(seeds=8, conditions=12, slope=0.1, noise=0.02, seed=0):
    """Gap from -0.3 to 0.3 by condition; the gain follows it with the given slope."""
    rng, rows, verdicts = np.random.default_rng(seed), [], []
    for i, gap in enumerate(np.linspace(-0.3, 0.3, conditions)):
        for s in range(seeds):
            case = dict(dataset="d", kind="real", teacher="a", student="b")
            case |= dict(condition=f"c{i}", knob=float(i), seed=s)
            for lam in LAMS:
                gain = slope * gap * lam + noise * rng.standard_normal()
                row = case | dict(experiment="x", n_train=9, lam=lam, weight=lam, temperature=1.0)
                before = {"baseline": 0.7, "distilled": 0.7 + gain}
                rows.append(results.result(**row, metric="accuracy", **before))
            estimated = gap + 0.02 * rng.standard_normal()
            verdicts.append(
                case
                | dict(estimator="ksg", mi_teacher_student=0.5 + gap, mi_student_label=0.5)
                | dict(gap=estimated, gap_lo=estimated - 0.08, gap_hi=estimated + 0.08)
                | {"p_wrong": 0.01 if abs(estimated) > 0.1 else 0.3, "took": 0.1}
                | {"decision": decide(estimated), "linear CKA": rng.random()}
                | {"teacher accuracy": 0.8 + gap, "residual alignment": -gap}
            )
    return results.check(rows), results.check(verdicts, "verdicts")


def decide(gap):
    return "undecided" if abs(gap) <= 0.1 else "distil" if gap > 0 else "do not distil"


def test_cells_join_one_row_per_lambda_and_say_what_happened():
    cells = joined()
    assert len(cells) == 12 * len(LAMS) and cells["cluster"].nunique() == 12
    assert (cells["repeats"] == 8).all()
    ends = cells[cells["lam"] == 0.5].set_index("condition").loc[["c0", "c11"]]
    assert ends["decision"].tolist() == ["do not distil", "distil"]
    assert ends["gain"].iloc[0] < 0 < ends["gain"].iloc[1]
    assert cells["percent"].to_numpy() == pytest.approx(100 * cells["gain"].to_numpy())
    assert ends["p_distil"].to_numpy() == pytest.approx([0.01, 0.99])


def test_overlapping_folds_resolve_less():
    free = joined()
    rows, verdicts = tables()
    rows = rows.assign(gain_sd=np.nan, n_folds=5, n_units=100, unit_stderr=rows["gain"].std())
    folds = cellular.cells(SEEDS, rows, verdicts, "ksg")
    assert len(cellular.resolved(folds)) < len(cellular.resolved(free))
    same = folds.merge(free, on=cellular.CELL, suffixes=("", "_free"), validate="one_to_one")
    assert same["gain"].to_numpy() == pytest.approx(same["gain_free"].to_numpy())


@pytest.mark.parametrize(("metric", "estimator"), [("mse", "ksg"), ("accuracy", "mine")])
def test_nothing_to_join_is_said(metric, estimator):
    with pytest.raises(ValueError, match="no row has the"):
        cellular.cells(replace(SEEDS, metric=metric), *tables(seeds=2), estimator)


def test_scores_find_the_criterion_that_foretells():
    cells = joined(slope=0.4)
    counted = study.hits(cells)
    assert counted["right"] == 1.0 and 0.3 < counted["always"] < 0.7
    assert counted["right_hi"] == 1.0  # few clusters, all right: not sure for that
    assert counted["right_lo"] == pytest.approx(0.025 ** (1 / counted["clusters"]))
    assert 0 < counted["decided"] <= counted["resolved"] <= counted["cells"]
    table = study.compare({"s": cells}).set_index("score")
    assert table.loc["gap", "auc"] > 0.99 and table.loc["residual alignment", "auc"] < 0.01
    noise = table.loc["linear CKA"]
    assert noise["auc_lo"] < 0.5 < noise["auc_hi"] and noise["auc_hi"] - noise["auc_lo"] > 0.2
    rho, low, high = study.rank_correlation(cells)
    assert 0.75 < low <= rho <= high
    score = study.brier(cells)
    assert score["brier"] < 0.1 < score["reference"] <= 0.25
    shares = study.outcome_by_decision(cells)
    assert shares.loc["distil", "hurts"] == 0 and shares["cells"].sum() == len(cells)


def test_scores_compare_within_a_dataset_only():
    """A shift between datasets, which says nothing about the sign, must not help a score."""
    cells = joined(slope=0.4)
    shifted = cells.assign(dataset="e", gap=cells["gap"] + 5, cluster=cells["cluster"] + "e")
    both = pd.concat([cells, shifted])
    assert study.auc(both, "gap")[0] == pytest.approx(study.auc(cells, "gap")[0])
    pooled = both.assign(dataset="all")
    assert study.auc(pooled, "gap")[0] < study.auc(cells, "gap")[0]


def test_no_resolved_cell_gives_nan_not_an_error():
    cells = joined(seeds=2, slope=0.0)
    none = cells.assign(outcome="unresolved")
    assert np.isnan(study.auc(none, "gap")[0])
    assert np.isnan(study.hits(none)["right"])
    assert np.isnan(study.brier(none)["brier"])


def test_a_bent_response_is_told_from_a_line():
    cells = joined(slope=0.4, noise=0.001)
    bent = cells.assign(percent=np.where(cells["gap"] > 0, 0.0, cells["gap"] * 100))
    shape = study.shape_of_response(bent)
    assert shape["monotone"] > shape["line"] + 0.05
    straight = study.shape_of_response(cells.assign(percent=cells["gap"]))
    assert straight["line"] > 0.999
    few = cells[cells["condition"].isin(["c0", "c1", "c2"])]
    assert np.isnan(study.shape_of_response(few)["line"])
