"""The first page's figure and paragraph: counted from tables, current in the README."""

import re

import numpy as np
import pandas as pd
import pytest

from cchkd_utils import citation, finding, paths, resampling, results

EFFECTS = {"clear": 0.05, "harm": -0.05, "noise": 0.0}


def tables(folder, stem, gaps, ends=(".csv", "_verdicts.csv"), seeds=6):
    """Write a section whose conditions gain, lose or do neither, at the gaps given."""
    rng = np.random.default_rng(0)
    base = {"dataset": "d", "kind": "real", "teacher": "a", "student": "b", "knob": 0.0}
    rows, verdicts = [], []
    for name, effect in EFFECTS.items():
        for seed in range(seeds):
            here = base | {"condition": name, "seed": seed}
            noise = 0.001 * rng.standard_normal() if effect else 0.02 * (-1) ** seed
            for lam in (0.1, 0.5):
                rows.append(results.result(
                    **here, experiment="net", n_train=9, lam=lam, weight=lam, temperature=2.0,
                    metric="accuracy", baseline=0.5, distilled=0.5 + 2 * lam * effect + noise,
                ))  # fmt: skip
            gap = gaps[name]
            verdicts += [
                here | {"estimator": one, "mi_teacher_student": 1.0 + gap, "mi_student_label": 1.0,
                        "gap": gap, "gap_lo": gap - 0.1, "gap_hi": gap + 0.1, "p_wrong": 0.0,
                        "decision": "distil" if gap > 0 else "do not distil"}
                for one in ("auto", "ksg")
            ]  # fmt: skip
    folder.mkdir(exist_ok=True)
    results.write(results.check(rows), folder / f"{stem}{ends[0]}")
    results.write(results.check(verdicts, "verdicts"), folder / f"{stem}{ends[1]}")


def test_cells_are_counted_by_verdict_and_outcome(tmp_path):
    tables(tmp_path, "mosi", {"clear": 0.5, "harm": 0.3, "noise": -0.2})
    table = finding.collect(tmp_path, tmp_path / "none")
    assert table.set_index("condition")["outcome"].to_dict() == {
        "clear": "helps", "harm": "hurts", "noise": "unresolved"
    }  # fmt: skip
    wanted = {"clear": 10.0, "harm": -10.0, "noise": 0.0}  # % of the error .5, at λ = .5
    found = table.set_index("condition")["gain"].to_dict()
    assert found == pytest.approx(wanted, abs=0.3)
    said = finding.paragraph(table)
    assert "meets 3 pairs" in said and "in **1 of 2**" in said
    assert "*distil* in **2**: distillation helps in 1, hurts in 1, and in 0 the" in said
    assert "*do not distil* in **1**: distillation helps in 0, hurts in 0, and in 1" in said


def test_folds_widen_the_interval(tmp_path):
    tables(tmp_path, "mosi", dict.fromkeys(EFFECTS, 0.1))
    tables(tmp_path, "mnist_m", dict.fromkeys(EFFECTS, 0.1))
    table = finding.collect(tmp_path, tmp_path)
    wide = (table["gain_hi"] - table["gain_lo"]).groupby(table["section"]).mean()
    assert wide["mosi"] / wide["mnist_m"] == pytest.approx(np.sqrt(1 + 6 * 0.25), rel=0.01)


def test_recorded_tables_come_before_this_build(tmp_path):
    build, recorded = tmp_path / "build", tmp_path / "recorded"
    ends = (".results.csv", ".verdicts.csv")
    tables(build, "02_mnist_m", dict.fromkeys(EFFECTS, 0.1), ends)
    tables(build, "01_synthetic", dict.fromkeys(EFFECTS, 0.1), ends)
    tables(recorded, "mnist_m", dict.fromkeys(EFFECTS, -0.1))
    table = finding.collect(recorded, build)
    assert table.groupby("section")["source"].first().to_dict() == {
        "mnist_m": "recorded", "synthetic": "this build"
    }  # fmt: skip
    assert (table[table["section"] == "mnist_m"]["gap"] < 0).all()
    with pytest.raises(ValueError, match="cchkd book"):
        finding.collect(tmp_path / "none", tmp_path / "none")


def test_the_figure_is_the_same_each_time_and_says_what_it_shows(tmp_path):
    tables(tmp_path, "tcga", dict.fromkeys(EFFECTS, 0.1))
    table = finding.collect(tmp_path, tmp_path)
    first = finding.svg(table, "abc")
    assert first == finding.svg(table, "abc") and b"recorded tables abc" in first
    page = finding.page(table, table)
    assert (
        "it is 1 of 2" in page
        and "cancer: recorded, real, 3 pairs" in page
        and ":alt: Share of the student" in page
    )


def test_the_readme_shows_the_recorded_results():
    """`make figure` draws it anew."""
    readme = (paths.ROOT / "README.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"!\[.{60,}\]\((.+)\)", readme)
    assert paths.ROOT / shown == finding.FIGURE
    drawn = finding.FIGURE.read_text(encoding="utf-8")
    assert f"recorded tables {finding.digest()}" in drawn, "run `make figure`"


def test_bibtex_comes_from_the_citation_file():
    entries = citation.bibtex()
    assert re.findall(r"@(\w+)\{", entries) == ["misc", "software"]
    assert "2510.13182" in entries and "{{The CCH companion authors}}" in entries
    assert entries.count("{") == entries.count("}")


def test_one_repeat_has_no_interval(tmp_path):
    tables(tmp_path, "mosi", dict.fromkeys(EFFECTS, 0.1), seeds=1)
    table = finding.collect(tmp_path, tmp_path)
    assert set(table["outcome"]) == {"unresolved"} and table["gain_lo"].isna().all()
    assert isinstance(table, pd.DataFrame)


def test_rows_that_are_means_over_folds_get_the_interval_of_the_folds():
    folds = np.random.default_rng(0).normal(0.02, 0.01, (4, 5))
    rows = pd.DataFrame({
        "share": 100 * folds.mean(axis=1) / 0.5, "error": 0.5,
        "gain_sd": folds.std(axis=1, ddof=1), "n_folds": 5,
    })  # fmt: skip
    found = finding._gain(rows, finding.Section("x", "y", "z", 0.2))
    mean, low, high = (100 * x / 0.5 for x in resampling.repeated_folds(folds.ravel(), 0.2))
    assert found["gain"] == pytest.approx(mean)
    assert found["gain_hi"] - found["gain_lo"] == pytest.approx(high - low, rel=0.15)
