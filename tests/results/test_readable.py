"""Data frames on a page: what a reader sees of names, signs, indices and long texts."""

import re

import numpy as np
import pandas as pd
import pytest

from cchkd_utils.results.readable import html, judged_by


def rows(text):
    """Return the cells of an HTML table, row by row."""
    cells = r"<t[hd][^>]*>(.*?)</t[hd]>"
    return [re.findall(cells, row) for row in re.findall(r"<tr.*?</tr>", text, re.DOTALL)]


@pytest.fixture
def frame():
    index = pd.MultiIndex.from_tuples([("a", 0.0), ("a", 1.5)], names=["section", "blur (px)"])
    return pd.DataFrame({"gain": [-1.5, np.nan], "interval": ["-0.3 [-1.2, +0.4]", "x"]}, index)


def test_names_of_the_index_stand_in_the_header_row(frame):
    head, first, second = rows(html(frame))
    assert head == ["section", "blur (px)", "gain", "interval"]
    assert first == ["a", "0", "−1.5", "−0.3 [−1.2,\N{NO-BREAK SPACE}+0.4]"]
    assert second == ["1.5", "–", "x"]  # "a" spans both rows


def test_an_index_that_only_counts_is_left_out(frame):
    assert rows(html(frame.reset_index()))[0] == ["section", "blur (px)", "gain", "interval"]
    named = pd.DataFrame({"x": [1, 2]}, pd.RangeIndex(2, name="fold"))
    assert rows(html(named)) == [["fold", "x"], ["0", "1"], ["1", "2"]]


def test_names_of_upper_column_levels_stay():
    wide = pd.crosstab(
        pd.Series([0.2, 0.5], name="λ"),
        [pd.Series([1.0, 2.0], name="T"), pd.Series(["helps", "hurts"], name="outcome")],
    )
    assert rows(html(wide))[:2] == [["T", "1.0", "2.0"], ["λ", "helps", "hurts"]]


def test_long_text_is_whole_and_markup_is_text():
    text = html(pd.DataFrame({"<b>": ["word " * 40 + "<script>"]}, pd.Index(["r"], name="<i>")))
    assert "word " * 40 + "&lt;script&gt;" in text and "<script>" not in text
    assert "&lt;b&gt;" in text and "&lt;i&gt;" in text


def test_dates_and_names_keep_their_hyphens():
    frame = pd.DataFrame({"when": ["2026-11-24"], "kind": ["in-sample"]})
    assert rows(html(frame))[1] == ["2026-11-24", "in-sample"]


def test_a_notebook_shows_frames_so_and_a_script_does_nothing(monkeypatch, frame):
    import IPython
    from IPython.core.interactiveshell import InteractiveShell

    from cchkd_utils.results import readable

    readable.typeset()
    shell = InteractiveShell()
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    readable.typeset()
    assert shell.display_formatter.format(frame)[0]["text/html"] == html(frame)


def test_labels_of_an_index_lose_no_digit():
    index = pd.Index([1234567.0, 0.12345678, np.nan])
    assert [cells[0] for cells in rows(html(pd.DataFrame({"x": 0}, index)))[1:]] == [
        "1234567",
        "0.12345678",
        "–",
    ]


def test_recorded_verdicts_name_the_versions_that_judged_them():
    table = pd.DataFrame({"version": ["0.2.3", "0.1.0", "0.1.1"]})
    assert judged_by(table) == "Judged by version 0.1 and 0.2 of the verdict."
