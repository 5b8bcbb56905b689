import os

import numpy as np
import pandas as pd
import pytest

from cchkd_utils import paths, results


def row(**changes):
    base = dict(
        experiment="e", dataset="d", kind="real", teacher="a", student="b", condition="c", knob=1,
        n_train=10, seed=0, lam=0.5, weight=0.5, temperature=2, metric="accuracy", baseline=0.7,
        distilled=0.8,
    )  # fmt: skip
    return results.result(**(base | changes))


def verdict(**changes):
    base = dict(
        dataset="d", kind="real", teacher="a", student="b", condition="c", knob=1.0, seed=0,
        estimator="ksg", mi_teacher_student=0.5, mi_student_label=0.1 + 0.2, gap=0.2, gap_lo=0.1,
        gap_hi=0.3, p_wrong=0.0, decision="distil",
    )  # fmt: skip
    return base | changes


def estimate(**changes):
    base = dict(
        task="Normal", kind="simulated", n=500, dim=2, y="continuous", method="ksg", seed=0,
        true_mi=1.0, nats=0.1 + 0.2, stderr=0.05, took=0.4,
    )  # fmt: skip
    return base | changes


@pytest.mark.parametrize(
    ("metric", "sign"), [("accuracy", 1), ("AUC", 1), ("mse", -1), ("mae", -1)]
)
def test_gain_above_zero_is_better_whatever_the_metric(metric, sign):
    assert row(metric=metric)["gain"] == pytest.approx(sign * 0.1)


def test_a_metric_whose_sign_is_unknown_has_no_gain():
    with pytest.raises(ValueError, match="'nll': more or less of it is better"):
        results.result(metric="nll", baseline=1.0, distilled=0.5)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([], "no rows"),
        ([{k: v for k, v in row().items() if k != "seed"}], "lacks the column seed"),
        ([row(seed="first")], "wrong type"),
        ([row(seed=1.7)], "a seed that is not whole"),
        ([row() | {"metric": "F2"}], "unknown metric: F2; say in results.SIGNS"),
        ([row(baseline=np.nan)], "not finite in baseline, gain"),
        ([row(kind="fake")], "kind must be real or simulated"),
        ([row(), row()], "twice"),
        ([row() | {"gain": -0.1}], "gain must be the improvement"),
    ],
)
def test_a_row_that_does_not_fit_is_refused(rows, says):
    with pytest.raises(ValueError, match=says):
        results.check(rows)


def test_an_unknown_decision_is_refused():
    with pytest.raises(ValueError, match="unknown decision: maybe"):
        results.check([verdict(decision="maybe")], "verdicts")


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([estimate(), estimate(nats=0.3)], "gives one task, n, dim, y, method, seed twice"),
        ([estimate(stderr=-0.1)], "a stderr below zero"),
        ([estimate(true_mi=-0.1)], "a true_mi below zero"),
        ([estimate(nats=np.nan)], "not finite in nats"),
        ([estimate(y="bits")], "y must be continuous or classes, not bits"),
        ([estimate(n="many")], "wrong type"),
    ],
)
def test_an_estimate_that_does_not_fit_is_refused(rows, says):
    with pytest.raises(ValueError, match=says):
        results.check(rows, "estimates")


def test_estimates_come_back_and_compare_without_their_time(tmp_path):
    rows = [estimate(seed=0), estimate(seed=0, y="classes")]
    results.write(results.check(rows, "estimates"), tmp_path / "estimates.csv")
    back = results.read(tmp_path / "estimates.csv", "estimates")
    assert back.equals(results.check(rows, "estimates"))
    slower = results.check([row | {"took": 9.0} for row in rows], "estimates")
    assert back.drop(columns=results.VOLATILE, errors="ignore").equals(
        slower.drop(columns=results.VOLATILE, errors="ignore")
    )
    assert not back.equals(slower)


def test_numbers_come_back_exactly_and_columns_in_order(tmp_path):
    rng = np.random.default_rng(0)
    rows = [row(seed=i, baseline=x, distilled=y) for i, (x, y) in enumerate(rng.random((50, 2)))]
    frame = results.check(rows)
    results.write(frame, tmp_path / "results.csv")
    back = results.read(tmp_path / "results.csv")
    assert list(back) == list(results.RESULTS)
    assert back.equals(frame)


def test_rivals_and_provenance_follow_and_can_be_left_out(tmp_path):
    path = tmp_path / "verdicts.csv"
    results.write(results.check([verdict(cka=0.4)], "verdicts"), path)
    stamp = {"git_sha": "0012", "version": "1", "seconds": 2.0, "hash": "9684388352810e31"}
    results.stamp(path, "verdicts", stamp)
    back = results.read(path, "verdicts")
    assert list(back)[-5:] == ["cka", *results.PROVENANCE]
    assert back.iloc[0][["git_sha", "hash"]].tolist() == ["0012", "9684388352810e31"]
    assert list(back.drop(columns=results.PROVENANCE))[-1] == "cka"


def test_save_writes_all_tables_or_none(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CCHKD_RUN_FOLDER", str(tmp_path / "run"))
    with pytest.raises(ValueError, match="unknown decision"):
        results.save([row()], [verdict(decision="?")], "01")
    assert not (tmp_path / "run").exists()
    results.save([row()], [verdict()], "01")
    assert capsys.readouterr().out == "results.csv: 1 rows, verdicts.csv: 1 rows\n"
    assert sorted(os.listdir(tmp_path / "run")) == ["results.csv", "verdicts.csv"]


def test_save_writes_the_tables_a_notebook_has(tmp_path, monkeypatch):
    monkeypatch.setenv("CCHKD_RUN_FOLDER", str(tmp_path / "run"))
    with pytest.raises(ValueError, match="no table to save"):
        results.save(notebook="07")
    with pytest.raises(ValueError, match="the estimates table has no rows"):
        results.save(verdicts=[verdict()], estimates=[], notebook="07")
    assert not (tmp_path / "run").exists()
    results.save(estimates=[estimate()], notebook="07")
    assert os.listdir(tmp_path / "run") == ["estimates.csv"]


def test_a_failed_write_leaves_the_old_table(tmp_path, monkeypatch):
    path = tmp_path / "results.csv"
    results.write(results.check([row()]), path)
    old = path.read_bytes()

    def full(self, part, **_):
        part.write_text("half a ta")
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with pytest.raises(OSError, match="disk full"):
        results.write(results.check([row(seed=1)]), path)
    assert path.read_bytes() == old
    assert os.listdir(tmp_path) == ["results.csv"]


def test_a_rival_that_does_not_apply_stays_a_missing_number(tmp_path):
    rows = [verdict(seed=0) | {"linear CKA": 0.5}, verdict(seed=1)]
    results.write(results.check(rows, "verdicts"), tmp_path / "v.csv")
    column = results.read(tmp_path / "v.csv", "verdicts")["linear CKA"]
    assert column[0] == 0.5 and np.isnan(column[1])


def test_recorded_results_are_both_tables_or_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RECORDED", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no recorded table of x: .*x\.csv is missing"):
        results.recorded("x")
    results.write(results.check([row()]), tmp_path / "x.csv")
    with pytest.raises(FileNotFoundError, match=r"x_verdicts\.csv is missing"):
        results.recorded("x")
    judged = results.check([verdict()], "verdicts")
    results.write(judged, tmp_path / "x_verdicts.csv")
    rows, judged = results.recorded("x")
    assert len(rows) == len(judged) == 1
