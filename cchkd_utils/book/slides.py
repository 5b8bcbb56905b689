"""Slides of a notebook's run: one HTML file with everything in it, for use with the network off.

A heading starts a slide, code and each of its outputs get their own under the same heading, code
hidden on the page stays hidden. JupyterLab's slide type of a cell (``slide``, ``skip``, ``-`` to go
on) overrules.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from importlib import metadata
from pathlib import Path
from string import Template
from typing import Any

import nbformat

from cchkd_utils import runner
from cchkd_utils.book import handouts
from cchkd_utils.book.myst import plain_markdown

# Cells that slides leave out, and those whose code they hide; where a heading starts a slide.
SKIPPED = {"remove-cell", "parameters", "injected-parameters", "solution", "exercise"}
HIDDEN = {"hide-input", "remove-input", "hide-cell"}
SECTION = re.compile(r"(?m)^(?=#{1,2} )")


def write(
    names: Iterable[str], folder: Path | str, *, preset: str = "book", force: bool = False
) -> list[Path]:
    """Write the slides of notebooks from their runs at `preset`, which are made where missing.

    Parameters and errors as in `handouts.student`; `runner.RunError` when a notebook fails.
    """
    notebooks = handouts.chosen(names)
    handouts.check([f"{path.stem}.slides.html" for path in notebooks], folder, force)
    runs = {path.stem: runner.run(path.stem, preset=preset) for path in notebooks}
    pages = {f"{stem}.slides.html": slides_page(run) for stem, run in runs.items()}
    return handouts.write(pages, folder, force)


def slides_page(run: runner.Run) -> str:
    """Return the slides of a run as HTML."""
    cells = nbformat.read(run.notebook, as_version=4).cells
    deck, foot = [*split(cells)], "{notebook} · preset {preset} · {kind} data".format(**run.record)
    title = deck[0][0]["source"].splitlines()[0].lstrip("# ")
    return page(title, [(f'<div class="body">{html(cells)}</div>', foot) for cells in deck])


def html(cells: list[dict[str, Any]]) -> str:
    """Return cells as HTML."""
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(
        template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True
    )
    plain = {"metadata": {}, "nbformat": 4, "nbformat_minor": 4}  # a format without random ids
    return exporter.from_notebook_node(nbformat.from_dict(plain | {"cells": cells}))[0]


def markdown(text: str) -> dict[str, Any]:
    """Return text as a cell."""
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def page(title: str, deck: list[tuple[str, str]]) -> str:
    """Return slides, each its HTML and what its foot says, as a file that needs no other."""
    from pygments.formatters import HtmlFormatter

    sections = [
        f'<section aria-label="slide {n} of {len(deck)}">\n{slide}\n'
        f"<footer>{escape(foot)} · {n} / {len(deck)}</footer>\n</section>"
        for n, (slide, foot) in enumerate(deck, 1)
    ]
    template = Template(Path(__file__).with_name("slides.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=escape(title),
        highlight=HtmlFormatter(style="friendly").get_style_defs(".highlight"),
        slides="\n".join(sections),
        mathjax=mathjax(),
    )


def mathjax() -> str:
    """Return MathJax, that of sphinx-mathjax-offline, as the text of a script."""
    files = metadata.files("sphinx-mathjax-offline") or []
    (script,) = (file for file in files if file.name == "tex-svg-full.js")
    return script.read_text().replace("</script", "<\\/script")


def split(cells: Iterable[Mapping[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Split a run's cells into slides, each a list of cells to show, under its heading."""
    now: list[dict[str, Any]] = []
    heading = ""  # of the section; a slide without one of its own repeats it
    for cell in cells:
        kind = cell["metadata"].get("slideshow", {}).get("slide_type", "")
        if kind in ("skip", "notes") or SKIPPED & set(cell["metadata"].get("tags", [])):
            continue
        for starts, part in _parts(cell):
            forced = kind in ("slide", "subslide")
            if now and (forced or (starts and kind != "-" and not _bare(now))):
                yield now
                now = []
            words = part["source"] if part["cell_type"] == "markdown" else ""
            if not (now or words.startswith("#")) and heading:
                now.append(markdown(f"## {heading}"))
            heading = [heading, *re.findall("(?m)^#+ (.*)", words)][-1]
            now.append(part)
    if now and not _bare(now):
        yield now


def _bare(slide: list[dict[str, Any]]) -> bool:
    """Say whether a slide is a heading and nothing else."""
    return len(slide) == 1 and bool(re.fullmatch("#.*", slide[0]["source"].strip()))


def _parts(cell: Mapping[str, Any]) -> Iterator[tuple[bool, dict[str, Any]]]:
    """Split a cell into what fits a slide; say of each part whether it starts a new one."""
    if cell["cell_type"] == "markdown":
        for text in filter(str.strip, SECTION.split(plain_markdown(cell["source"]))):
            yield text.startswith("#"), markdown(text)
        return
    code = {"cell_type": "code", "metadata": {}, "execution_count": None}
    if not HIDDEN & set(cell["metadata"].get("tags", [])):
        yield True, code | {"source": cell["source"], "outputs": []}
    unseen = {"transient": {"remove_source": True}}
    for output in cell["outputs"]:
        if output.get("name") != "stderr":
            shown = code | {"metadata": unseen, "source": "", "outputs": [output]}
            yield output["output_type"] != "stream", shown
