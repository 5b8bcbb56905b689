"""Exercises with gated solutions, as the notebooks hold them, rendered with warnings as errors."""

import json
import re

import pytest

from cchkd_utils import paths
from cchkd_utils.book import build

pytestmark = pytest.mark.slow

ASKED = ":::{{exercise}} Title {0}\n:label: ex-throwaway-{0}\n\nWhat is ${0} + {0}$?\n:::"
START = "```{{solution-start}} ex-throwaway-{0}\n:class: dropdown\n```"
END = "```{solution-end}\n```"


def cells():
    text = "# Page\n\n{ref}`ex-throwaway-2` comes second.\n\n## Exercises"
    yield {"cell_type": "markdown", "metadata": {}, "source": text}
    for number in (1, 2):
        for source, tag in ((ASKED, "exercise"), (START, "solution")):
            cell = {"cell_type": "markdown", "metadata": {"tags": [tag]}}
            yield cell | {"source": source.format(number)}
        printed = {"output_type": "stream", "name": "stdout", "text": f"answer-{number}\n"}
        cell = {"cell_type": "code", "metadata": {"tags": ["solution"]}, "execution_count": 1}
        yield cell | {"source": f"{number} + {number}", "outputs": [printed]}
        yield {"cell_type": "markdown", "metadata": {"tags": ["solution"]}, "source": END}


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    """Render one notebook with the book's own configuration."""
    folder = tmp_path_factory.mktemp("exercises")
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"cells": list(cells()), "metadata": kernel, "nbformat": 4, "nbformat_minor": 4}
    names = ["_config.yml", "book/references.bib", "book/_static/book.css", "book/_static/book.js"]
    files = {name: (paths.ROOT / name).read_bytes() for name in names}
    files |= {"_toc.yml": b"format: jb-book\nroot: page\n"}
    state = build.stage(files | {"page.ipynb": json.dumps(notebook).encode()}, folder / "src")
    build._render(folder / "src", folder, state)
    return (folder / "_build" / "html" / "page.html").read_text(encoding="utf-8")


def test_exercises_are_numbered_in_order_and_can_be_linked(html):
    box = r'<div class="exercise admonition" id="ex-throwaway-\d">\s*<p[^>]*title">(.*?)</p>'
    boxes = re.findall(box, html, re.DOTALL)
    titles = [" ".join(re.sub(r"<[^>]+>", "", text).split()) for text in boxes]
    assert titles == ["Exercise 1 (Title 1)", "Exercise 2 (Title 2)"]
    assert re.search(r'href="#ex-throwaway-2"', html)


def test_solutions_hold_their_code_and_output_in_a_closed_box(html):
    """Its script closes what has the class dropdown."""
    assert "togglebutton.js" in html
    for number in (1, 2):
        _, _, after = html.partition(f'id="ex-throwaway-{number}"')
        opened = re.search(r'<div class="solution dropdown admonition"[^>]*>', after)
        box, depth = after[opened.start() :], 0
        for tag in re.finditer(r"<(/?)div\b", box):
            depth += -1 if tag[1] else 1
            if depth == 0:
                box = box[: tag.start()]
                break
        assert f"answer-{number}" in box and f"answer-{3 - number}" not in box
        assert "solution-end" not in html
