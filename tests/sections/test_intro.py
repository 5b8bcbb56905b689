"""The first page's figure and paragraph: counted from tables, current in the README."""

import re

import numpy as np
import pytest

from cchkd_utils import paths, results
from cchkd_utils.book import build
from cchkd_utils.sections.intro import page as study

GAPS = {"clear": 0.5, "harm": 0.3, "noise": -0.2}
EFFECTS = {"clear": 0.05, "harm": -0.05, "noise": 0.0}


def tables(gaps, seeds=6, kind="real"):
    """Return a section whose conditions gain, lose or do neither, at the gaps given."""
    rng = np.random.default_rng(0)
    base = {"dataset": "d", "kind": kind, "teacher": "a", "student": "b", "knob": 0.0}
    rows, verdicts = [], []
    for name, effect in EFFECTS.items():
        for seed in range(seeds):
            here = base | {"condition": f"{name}, cross-fitted", "seed": seed}
            noise = 0.001 * rng.standard_normal() if effect else 0.02 * (-1) ** seed
            for lam in (0.1, 0.5):
                rows.append(results.result(
                    **here, experiment="net", n_train=9, lam=lam, weight=lam, temperature=2.0,
                    metric="accuracy", baseline=0.5, distilled=0.5 + 2 * lam * effect + noise,
                ))  # fmt: skip
            gap = gaps[name]
            verdicts += [
                here | {"estimator": estimator, "mi_teacher_student": 1.0 + gap,
                        "mi_student_label": 1.0, "gap": gap, "gap_lo": gap - 0.1,
                        "gap_hi": gap + 0.1, "p_wrong": 0.0,
                        "decision": "distil" if gap > 0 else "do not distil"}
                for estimator in ("auto", "ksg")
            ]  # fmt: skip
    return results.check(rows), results.check(verdicts, "verdicts")


def test_cells_are_counted_by_verdict_and_outcome():
    judged = tables(GAPS)
    table = study.collect({"03_mosei": judged}, {}).set_index("knob")
    named = dict(zip(table["condition"].str.partition(",")[0], table["outcome"]))
    assert named == {"clear": "helps", "harm": "hurts", "noise": "unresolved"}
    assert sorted(table["percent"]) == pytest.approx([-5.0, 0.0, 5.0], abs=0.15)  # at λ = .5
    said = study.paragraph(table)
    assert (
        "meets 3 cases" in said and "Of 2 clear effects the sign of the gap is right in 1" in said
    )
    assert "“never distil” in 1, “always” in 1" in said
    assert "*distil* in **2**: distillation helps in 1, hurts in 1, and in 0 the" in said
    assert "*do not distil* in **1**: distillation helps in 0, hurts in 0, and in 1" in said


def test_recorded_tables_come_before_this_build():
    high, low = (tables(dict.fromkeys(EFFECTS, gap)) for gap in (0.1, -0.1))
    table = study.collect({"03_mosei": low}, {"03_mosei": high})
    assert set(table["made"]) == {"recorded"} and (table["gap"] < 0).all()
    table = study.collect({}, {"03_mosei": high})
    assert set(table["made"]) == {"this build"} and (table["gap"] > 0).all()
    with pytest.raises(ValueError, match="cchkd book"):
        study.collect({}, {})


def test_the_figure_is_the_same_each_time_and_says_what_it_shows():
    table = study.collect({"03_mosei": tables(dict.fromkeys(EFFECTS, 0.1))}, {})
    first = study.svg(table, "abc")
    assert first == study.svg(table, "abc") and b"recorded tables abc" in first
    page = study.page(table)
    assert "MOSI/MOSEI: recorded, real, 3 cases" in page and ":alt: Points of accuracy" in page
    assert "hollow in\n3 cases" in page  # 150 rows for 32 units


def test_counts_stand_beside_both_constants():
    judged = dict.fromkeys(study.ESTIMATORS, study.collect({"03_mosei": tables(GAPS)}, {}))
    lines = study.counts(judged, judged).splitlines()
    assert lines[2] == "| MOSI/MOSEI | cross-fitted | 2 | 1 | 1 | 1 | 1 | 1 | 1 |"
    assert lines[4].startswith("| all but the hollow marks |  | 0 | 0 |")


def test_the_readme_shows_the_recorded_results():
    """`make figure` draws it anew."""
    readme = (paths.ROOT / "README.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"!\[.{60,}\]\((.+)\)", readme)
    assert paths.ROOT / shown == study.FIGURE
    drawn = study.FIGURE.read_text(encoding="utf-8")
    assert f"recorded tables {study.digest()}" in drawn, "run `make figure`"


def test_bibtex_comes_from_the_citation_file():
    entries = build.bibtex()
    assert re.findall(r"@(\w+)\{", entries) == ["misc", "software"]
    assert "2510.13182" in entries and "{{The CCH companion authors}}" in entries
    assert entries.count("{") == entries.count("}")


def test_one_repeat_has_no_interval():
    single = tables(dict.fromkeys(EFFECTS, 0.1), seeds=1, kind="simulated")
    table = study.collect({}, {"03_mosei": single})
    assert set(table["outcome"]) == {"unresolved"} and table["percent_lo"].isna().all()
