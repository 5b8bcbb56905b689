"""Many pairs: how rows are split, what is measured, how it is counted; and a reader's own study."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from cchkd_utils import results
from cchkd_utils.book import cli
from cchkd_utils.datasets import pairs
from cchkd_utils.sections.many_pairs import figures, own, study, tables
from cchkd_utils.sections.modalities import Recipe

pytestmark = pytest.mark.slow

RECIPE = Recipe(n_features=10, hidden=(8, 6), epochs=20, device="cpu")


def arrays(n=240, seed=0):
    """Three modalities of two classes: one knows the label, one half of it, one nothing."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    signal = labels[:, None] + 0.5 * rng.normal(size=(n, 1))
    return {
        "good": np.hstack([signal, rng.normal(size=(n, 4))]),
        "fair": np.hstack([signal + rng.normal(size=(n, 1)), rng.normal(size=(n, 3))]),
        "deaf": rng.normal(size=(n, 5)), "labels": labels,
    }  # fmt: skip


@pytest.fixture(scope="module")
def dataset():
    return pairs.assemble("made", arrays())


@pytest.fixture(scope="module")
def cv(dataset):
    return study.splits(dataset, 120, RECIPE, [0, 1, 2])


def test_sizes_leave_half_of_the_rows():
    for n, expected in ((200, [100]), (399, [199]), (554, [100, 277]), (620, [100, 300]),
                        (2000, [100, 300, 1000])):  # fmt: skip
        made = pairs.assemble("made", arrays(n))
        assert study.sizes(made) == expected
    grouped = pairs.assemble("made", arrays(752) | {"groups": np.arange(752) // 25})
    assert study.sizes(grouped) == [300]  # 100 rows would be of four groups


def test_a_split_keeps_classes_in_proportion_and_rows_apart(dataset):
    train, test = study.split(dataset, 120, seed=3)
    assert len(train) == 120 and len(set(train) | set(test)) == len(dataset)
    share = dataset.labels.mean()
    assert abs(dataset.labels[train].mean() - share) < 0.01
    again, fourth = (study.split(dataset, 120, seed=s)[0] for s in (3, 4))
    assert (train == again).all() and set(train) != set(fourth)


def test_no_group_is_on_both_sides():
    made = pairs.assemble("made", arrays() | {"groups": np.arange(240) // 8})
    for seed in range(5):
        train, test = study.split(made, 100, seed)
        assert len(train) == 100 and not set(made.units[train]) & set(made.units[test])


def test_held_out_rows_and_few_groups_are_asked_for(dataset):
    with pytest.raises(ValueError, match="made: 200 of 240 rows to train on"):
        study.splits(dataset, 200, RECIPE, [0, 1])
    few = pairs.assemble("made", arrays() | {"groups": np.arange(240) // 100})
    with pytest.raises(ValueError, match="fewer than 4 groups"):
        study.splits(few, 120, RECIPE, [0, 1])
    large = pairs.assemble("made", arrays() | {"groups": np.maximum(np.arange(240) - 200, 0)})
    with pytest.raises(ValueError, match="a group is too large"):
        study.splits(large, 120, RECIPE, [0, 1, 2])


def test_gains_are_those_of_the_same_students_one_by_one(cv):
    table = results.check([row for pair in study.distil(cv, [0.5], [2.0]) for row in pair])
    assert len(table) == 6 * 2 and table["experiment"].eq("in-sample").all()
    row = table.query("teacher == 'good' and student == 'deaf' and metric == 'accuracy'").iloc[0]
    y, by_hand = cv.dataset.labels, []
    new = cv.students(cv.x["deaf"], cv.soft("good", "in-sample"), [(0.5, 2.0)])[0]
    for i, rows in enumerate(cv.test):
        before = (cv.logits["deaf"][i, rows].argmax(1) == y[rows]).mean()
        by_hand.append((new[i, rows].argmax(1) == y[rows]).mean() - before)
    assert row["gain"] == pytest.approx(np.mean(by_hand), abs=1e-6)
    assert row["n_repeats"] == 3 and row["n_units"] <= 240 and row["unit_stderr"] > 0


@pytest.mark.filterwarnings("ignore:.*constant column")
def test_verdicts_know_what_was_known_before(cv):
    rows = next(study.judge(cv, ["ksg"], 2, [("good", "fair")]))
    table = results.check(rows, "verdicts")
    assert len(table) == 2
    hit = cv.logits["fair"][0, cv.test[0]].argmax(1) == cv.dataset.labels[cv.test[0]]
    assert table["student accuracy"][0] == pytest.approx(hit.mean(), abs=1e-6)
    assert np.isfinite(table["I(teacher; student | label)"][0])
    assert np.isnan(table["I(teacher; student | label)"][1])  # of the first split only


def made_cells(n=60, seed=0):
    """Cells of five sources, whose gain follows one score and not the other."""
    rng = np.random.default_rng(seed)
    gain = rng.normal(size=n)
    parts = []
    for estimator, noise in (("ksg", 2.0), ("auto", 0.3)):
        gap = gain + noise * rng.normal(size=n)
        said = np.where(gap > 0.5, "distil", np.where(gap < -0.5, "do not distil", "undecided"))
        parts.append(pd.DataFrame({
            "estimator": estimator, "gain": gain, "percent": gain, "gap": gap,
            "decision": said,
            "outcome": np.where(gain > 0.3, "helps", np.where(gain < -0.3, "hurts", "unresolved")),
            "dataset": [f"d{i % 5}" for i in range(n)], "source": [f"s{i % 5}" for i in range(n)],
            "teacher": [f"t{i}" for i in range(n)], "student": "s", "condition": "100 rows",
            "lam": 0.5, "temperature": 2.0, "linear CKA": rng.normal(size=n), "n_train": 100,
        }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def test_answers_count_beside_both_constants():
    table = made_cells()
    counted = tables.answers(table)
    own_rows = table[(table["estimator"] == "auto") & (table["outcome"] != "unresolved")]
    right = ((own_rows["gap"] > 0) == (own_rows["outcome"] == "helps")).sum()
    never = (own_rows["outcome"] == "hurts").sum()
    line = counted.loc["auto", "all clear effects"]
    assert line["sign right"].startswith(f"{right} (") and line["never"].startswith(f"{never} (")
    always = len(own_rows) - never
    assert line["always"].startswith(f"{always} (")
    assert line["sign − never"].startswith(f"{100 * (right - never) / len(own_rows):+.0f} [")


def test_ranking_is_that_of_scipy_and_sklearn():
    wide, scores = tables.scored(made_cells())
    assert scores == ["gap, auto", "gap, ksg", "linear CKA"]
    ranked = tables.ranking(wide, scores, "gap, auto")
    clear = wide[wide["outcome"] != "unresolved"]
    for score in scores:
        rho = spearmanr(wide[score], wide["gain"]).statistic
        assert ranked.loc[score, "overall"] == pytest.approx(rho)
        area = roc_auc_score(clear["outcome"] == "helps", clear[score])
        assert ranked.loc[score, "auc"] == pytest.approx(area)
        within = [spearmanr(own_rows[score], own_rows["gain"]).statistic
                  for _, own_rows in wide.groupby("dataset")]  # fmt: skip
        assert ranked.loc[score, "within"] == pytest.approx(np.mean(within))
    assert ranked.loc["gap, auto", "overall_minus"] == 0
    assert ranked.loc["gap, ksg", "overall_minus_hi"] < 0  # plainly worse, and it shows
    assert ranked.loc["gap, ksg", "overall_needed"] < ranked.loc["gap, ksg", "within_needed"] * 50
    assert "[" in tables.report(ranked, "overall").iloc[0, 0]


def test_changes_are_paired():
    low = made_cells().query("estimator == 'auto'")
    high = low.assign(lam=0.8, percent=low["percent"] - 2.0)
    both = pd.concat([low, high])
    assert tables.change(both, "lam")["all"].startswith("-2.0 [-2.0, -2.0], 60 cells")
    told = tables.response(both, "lam")
    assert told.index.tolist() == [0.5, 0.8] and "cells" in told.loc[0.5, "gap > 0"]


def test_sets_that_share_patients_are_one_source():
    assert study.source("pancan") == study.source("TCGA-LIHC") == "TCGA"
    assert study.source("cub") == "cub"


def test_clear_effects_are_framed_in_the_matrix_of_a_study():
    gains = pd.DataFrame({
        "teacher": ["a", "b"], "student": ["b", "a"], "gain": [0.02, -0.01],
        "gain_lo": [0.01, -0.03], "gain_hi": [0.03, 0.01], "outcome": ["helps", "unresolved"],
    })  # fmt: skip
    fig = figures.matrix(gains)
    assert len(fig.axes[0].patches) == 1 and "helps in 1, hurts in 0 of 2" in fig.get_suptitle()


def test_figures_have_titles(cv):
    cells = made_cells().query("estimator == 'auto'").assign(percent=lambda t: t["gain"])
    assert "effects are clear" in figures.pairs(cells).get_suptitle()


@pytest.fixture
def file(tmp_path):
    np.savez(tmp_path / "made.npz", **arrays())
    return tmp_path / "made.npz"


QUICK = ["--seeds", "2", "--n-train", "100"]


def test_a_study_is_the_same_again_and_goes_on_where_it_was(file, tmp_path, capsys, monkeypatch):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert cli.main(["study", str(file), "--out", str(whole), *QUICK]) == 0
    told = capsys.readouterr()
    assert "6 pairs, 100 training rows, seeds 0 to 1" in told.err and "0 s left" in told.err
    original, calls = study.distil, []

    def interrupted(*args, **named):
        for i, pair in enumerate(original(*args, **named)):
            calls.append(i)
            if len(calls) == 3:
                raise KeyboardInterrupt
            yield pair

    monkeypatch.setattr(study, "distil", interrupted)
    assert cli.main(["study", str(file), "--out", str(stopped), *QUICK]) == 130
    kept = results.read(stopped / "results.csv")
    assert len(kept.drop_duplicates(["teacher", "student"])) == 2
    assert (stopped / "study.html").is_file()
    monkeypatch.setattr(study, "distil", original)
    assert cli.main(["study", str(file), "--out", str(stopped), *QUICK]) == 0
    assert "1 of 4: distilled" in capsys.readouterr().err
    for name in own.FILES:
        assert (whole / name).read_bytes() == (stopped / name).read_bytes(), name
    verdicts = results.read(whole / "verdicts.csv", "verdicts")
    assert {"p_help", "gain_forecast"} <= set(verdicts)


def test_a_study_may_be_of_some_pairs_and_prints_json(file, tmp_path, capsys):
    command = ["study", str(file), "--out", str(tmp_path / "o"), *QUICK, "--json"]
    assert cli.main([*command, "--teacher", "good", "--student", "deaf"]) == 0
    (line,) = json.loads(capsys.readouterr().out)
    assert line["teacher"] == "good" and {"gain", "gap", "decision"} <= set(line)
    verdicts = results.read(tmp_path / "o" / "verdicts.csv", "verdicts")
    assert verdicts[["teacher", "student"]].to_numpy().tolist() == [["good", "deaf"]]
    assert cli.main(["study", str(file), "--out", str(tmp_path / "o"), *QUICK]) == 1
    assert "holds another study" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--teacher", "loud"], "no modality loud: it has good, fair, deaf"),
        (["--teacher", "good", "--student", "good"], "no pair is left"),
        (["--n-train", "239"], "239 of 240 rows"),
        (["--seeds", "1"], "at least 2 splits"),
    ],
)
def test_a_study_that_cannot_be_is_refused_in_one_line(file, tmp_path, capsys, words, said):
    assert cli.main(["study", str(file), "--out", str(tmp_path / "o"), *words]) == 1
    lines = [x for x in capsys.readouterr().err.splitlines() if x.startswith("cchkd: ")]
    assert len(lines) == 1 and said in lines[0]


def test_the_page_of_a_study_needs_no_network(file, tmp_path):
    assert cli.main(["study", str(file), "--out", str(tmp_path / "o"), *QUICK]) == 0
    page = (tmp_path / "o" / "study.html").read_text(encoding="utf-8")
    assert not re.findall(r'(?:src|href)\s*=\s*"(?!#|data:)|url\((?!#)', page)
    assert page.count("<svg") == 1 and "good → fair" in page
    for pair in ("good → deaf", "deaf → good"):
        assert pair in page


def test_words_are_kept_from_being_markup(tmp_path):
    named = {"<b>x</b>" if k == "good" else k: v for k, v in arrays().items()}
    np.savez(tmp_path / "odd.npz", **named)
    assert cli.main(["study", str(tmp_path / "odd.npz"), "--out", str(tmp_path / "o"), *QUICK]) == 0
    assert "<b>x" not in (tmp_path / "o" / "study.html").read_text(encoding="utf-8")
