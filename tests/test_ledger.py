"""The ledger: ten headlines, each measured in tables, none of its numbers typed."""

import re

import pytest

from cchkd_utils import ledger, paths, results
from cchkd_utils.studies import prediction


@pytest.fixture(scope="module")
def recorded():
    return prediction.recorded()


def turned(tables):
    """The same tables with every gain and gap reversed and label informations changed."""
    rows, verdicts = (one.copy() for one in tables)
    rows[["baseline", "distilled"]] = rows[["distilled", "baseline"]].to_numpy()
    rows["gain"] *= -1
    verdicts["gap"] *= -1.5
    verdicts["mi_student_label"] = verdicts["mi_student_label"] / 2 + 0.1
    swapped = {"distil": "do not distil", "do not distil": "distil"}
    verdicts["decision"] = verdicts["decision"].replace(swapped)
    return results.check(rows), results.check(verdicts, "verdicts")


def test_ten_headlines_with_a_claim_each():
    assert [one.number for one in ledger.HEADLINES] == list(range(1, 11))
    assert all(len(one.claim) > 20 and len(one.why) > 20 for one in ledger.HEADLINES)


@pytest.mark.parametrize("headline", ledger.HEADLINES, ids=lambda one: str(one.number))
def test_each_cell_has_numbers_a_grade_and_a_source(headline, recorded):
    name = f"results/{ledger.RECORDED[headline.notebook]}.csv"
    cell = ledger.measure(headline, recorded, name)
    assert cell.grade in ledger.GRADES and re.search(r"\d", cell.text)
    assert "training rows" in cell.text and "repeats" in cell.text
    assert (paths.ROOT / "book" / cell.source).is_file()


@pytest.mark.parametrize("headline", ledger.HEADLINES, ids=lambda one: str(one.number))
def test_other_tables_give_another_cell(headline, recorded):
    """A number that was typed would stay."""
    tables = recorded[headline.notebook]
    assert headline.measure(*tables).text != headline.measure(*turned(tables)).text


def test_a_section_without_tables_is_said_to_be_missing(recorded):
    cell = ledger.measure(ledger.HEADLINES[0], {}, "results/synthetic.csv")
    assert cell.grade == "not testable here"


def test_the_page_names_every_headline_and_both_sources(recorded):
    text = ledger.page(recorded, {})
    for one in ledger.HEADLINES:
        assert one.claim in text
    assert text.count("{download}") == 2 * len(ledger.HEADLINES)
