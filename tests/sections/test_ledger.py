"""The ledger: ten headlines, each measured in tables, none of its numbers typed."""

import re

import numpy as np
import pytest

from cchkd_utils import paths, results
from cchkd_utils.sections import cells
from cchkd_utils.sections.ledger import headlines, page, runs

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def recorded():
    return cells.recorded()


def shuffled(tables):
    """The same tables with what happened and what was foretold dealt out anew."""
    rng = np.random.default_rng(0)
    rows, verdicts = (table.copy() for table in tables)
    signs = rows["metric"].map(results.SIGNS)  # a loss and a score do not change places
    rows = rows[signs == signs.iloc[0]].reset_index(drop=True)
    measured = [c for c in rows if c in {"baseline", "distilled", "gain", "gain_sd", "unit_stderr"}]
    foretold = ["mi_teacher_student", "mi_student_label", "gap", "gap_lo", "gap_hi", "decision"]
    for frame, names in ((rows, measured), (verdicts, foretold)):
        frame[names] = frame[names].to_numpy()[rng.permutation(len(frame))]
    return results.check(rows), results.check(verdicts, "verdicts")


each = pytest.mark.parametrize("headline", headlines.HEADLINES, ids=lambda h: h.measure.__name__)


def test_ten_headlines_with_a_claim_each():
    assert len(headlines.HEADLINES) == 12
    assert [h.notebook for h in headlines.HEADLINES].count("08_many_pairs") == 2
    assert all(len(h.claim) > 20 and len(h.why) > 20 for h in headlines.HEADLINES)


@each
def test_each_cell_has_numbers_a_grade_and_a_source(headline, recorded):
    cell = page.measure(headline, recorded)
    assert cell.grade in headlines.GRADES and re.search(r"\d", cell.text)
    assert "training rows" in cell.text and "repeats" in cell.text
    source = f"results/{headlines.SECTION[headline.notebook].table}.csv"
    assert (paths.ROOT / "book" / source).is_file()


@each
def test_other_tables_give_another_cell(headline, recorded):
    """A number that was typed would stay."""
    tables = recorded[headline.notebook]
    assert headline.measure(*tables).text != headline.measure(*shuffled(tables)).text


def test_a_section_without_tables_is_said_to_be_missing(recorded):
    cell = page.measure(headlines.HEADLINES[0], {})
    assert cell.grade == "not testable here"


def test_the_page_names_every_headline_and_both_sources(recorded):
    text = page.page(recorded, {})
    for number, headline in enumerate(headlines.HEADLINES, 1):
        assert f"## {number}. {headline.claim}\n" in text
        assert f"_static/results/{headlines.SECTION[headline.notebook].table}.csv" in text
    assert text.count("{download}") == len(headlines.HEADLINES)


def test_every_recorded_table_says_how_it_was_made():
    names = {path.stem.removesuffix("_verdicts") for path in paths.RECORDED.glob("*.csv")}
    assert names - {"calibration_trials"} == set(runs.COMMANDS)
    text = runs.page()
    assert all(f"_static/results/{name}.csv" in text for name in runs.COMMANDS)
    assert "| `cchkd run 04" in text and re.search(r"\| \d+\.\d \| `[0-9a-f]{7}`", text)


def test_noise_that_turns_help_to_harm_is_reproduced():
    rows = [
        results.result(
            experiment="pool", dataset="CMU-MOSEI", kind="simulated", teacher="text",
            student=student,
            condition=f"text, cross-fitted, noise {noise:g}", knob=noise, n_train=9, seed=seed,
            lam=0.5, weight=0.5, temperature=2.0, metric="accuracy", baseline=0.5,
            distilled=0.5 + (0.05 if noise == 0 else -0.05) + 0.001 * seed,
        )
        for student in ("audio", "vision") for noise in (0.0, 4.0) for seed in range(4)
    ]  # fmt: skip
    cell = headlines.noise_crossing(results.check(rows), None)
    assert cell.grade == headlines.REPRODUCED, cell.text
