"""The lecture's source: its numbers are computed, its figures are there, every slide has notes."""

import json
import re

import pytest

from cchkd_utils import paths, runner
from cchkd_utils.book import cli, deck, handouts
from cchkd_utils.sections import cells
from cchkd_utils.sections.intro import facts, page

TEXT = deck.SOURCE.read_text(encoding="utf-8")
SLIDES = list(deck.parts(TEXT))
# Numbers that are no result: settings, limits, exact or the paper's own, and those of the lecture.
SETTINGS = (
    r"λ = 0\.5|T\$? = 2|T nearest 2|a 90 %|ln 10 = 2\.3|2510\.13182|at n / p = 1\.5|n / p to 30"
    r"|scale, to 3|1 to 3\.5 points|12 to 46|H_?[12]"
)


def test_every_slide_has_a_title_notes_and_something_to_look_at():
    assert 12 <= len(SLIDES) <= 16
    for slide in SLIDES:
        title = slide.splitlines()[0]
        assert re.fullmatch(r"# .{20,80}", deck.FACT.sub("12", title)), title
        assert len(deck.NOTES.findall(slide)) == 1 and slide.count(":::") == 2, title
        assert len(deck.PICTURE.findall(slide)) == 1 or "{{ ledger: table }}" in slide, title
    assert sum(len(deck.NOTES.findall(slide)[0].split()) > 25 for slide in SLIDES) == len(SLIDES)


@pytest.mark.parametrize("slide", SLIDES, ids=lambda slide: slide.splitlines()[0][2:30])
def test_no_number_is_typed(slide):
    words = deck.PICTURE.sub("", deck.FACT.sub("", slide))
    words = re.sub(r"(?s)\$\$.*?\$\$|\$[^$]*\$|^\d\. ", "", re.sub(SETTINGS, "", words), flags=re.M)
    assert re.findall(r"\S*\d\S*", words) == []


@pytest.mark.slow
def test_numbers_are_those_of_the_first_page_and_the_ledger():
    told = facts.facts(cells.recorded())
    assert set(deck.FACT.findall(TEXT)) <= set(told)
    table = page.collect(cells.recorded(), {})
    said = page.paragraph(table)
    for decision in ("distil", "do not distil", "undecided"):
        numbers = [told[f"all: {decision}{end}"] for end in ("", ", helps", ", hurts")]
        sentence = "*{}* in **{}**: distillation helps in {}, hurts in {},"
        assert sentence.format(decision, *numbers) in said
    counted = "Of {} clear effects the sign of the gap is right in {}, “never distil” in {}"
    assert counted.format(*(told[f"all: {n}"] for n in ("clear", "right", "hurts"))) in said
    grades = [int(count) for name, count in told.items() if name.startswith("grade: ")]
    assert sum(grades) == 10 == told["ledger: table"].count("\n") - 1


def test_an_unknown_number_is_refused():
    with pytest.raises(handouts.ExportError, match="no computed page gives 'all: ducks'"):
        deck.fill("{{ all: ducks }}", {"all: pairs": "3"})


def test_figures_are_named_by_the_start_of_one_text(tmp_path):
    shown = {"output_type": "display_data", "data": {"image/png": "QUJD"}}
    outputs = [shown | {"metadata": {"image/png": {"alt": alt}}} for alt in ("a cat", "a cow", "b")]
    content = {"cells": [{"cell_type": "markdown"}, {"outputs": [{"name": "stdout"}, *outputs]}]}
    (tmp_path / "notebook.ipynb").write_text(json.dumps(content))
    run = runner.Run(tmp_path, {"notebook": "01_x"}, True)
    assert deck._figure(run, "a cow") == ("a cow", "png;base64,QUJD")
    for start, count in (("a c", 2), ("c", 0)):
        with pytest.raises(handouts.ExportError, match=f"{count} figures of 01_x .*'{start}'"):
            deck._figure(run, start)


def test_the_deck_is_refused_before_anything_runs(tmp_path, capsys):
    (tmp_path / "deck.html").touch()
    assert cli.main(["export", "--deck", str(tmp_path)]) == 1
    assert "is there already" in capsys.readouterr().err
    assert cli.main(["export", "02", "--deck", str(tmp_path / "new")]) == 1
    assert "name no notebook" in capsys.readouterr().err and not (tmp_path / "new").exists()


def test_the_deck_names_notebooks_of_the_book_and_is_no_page_of_it():
    assert all(
        (paths.NOTEBOOKS / f"{name}.ipynb").is_file() for name in deck.NOTEBOOK.findall(TEXT)
    )
    assert "deck" not in (paths.ROOT / "_toc.yml").read_text()
