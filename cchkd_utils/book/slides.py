"""A notebook's run as slides: one HTML file with everything in it, shown with the network off.

A heading starts a slide, code and each of its outputs get their own, code hidden on the page stays
hidden. JupyterLab's slide type of a cell (``slide``, ``skip``, ``-`` to go on) overrules.
nbconvert turns cells into HTML; MathJax comes from the package sphinx-mathjax-offline.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from importlib import metadata
from pathlib import Path
from string import Template
from typing import Any

from cchkd_utils import runner
from cchkd_utils.book import handouts

SKIPPED = {"remove-cell", "parameters", "injected-parameters", "solution", "exercise"}
HIDDEN = {"hide-input", "remove-input", "hide-cell"}
SECTION = re.compile(r"(?m)^(?=#{1,2} )")


def slides(
    names: Iterable[str], folder: Path | str, *, preset: str = "book", force: bool = False
) -> list[Path]:
    """Write the slides of notebooks, one HTML file each, from their runs at `preset`.

    A run that is there is reused; one that is missing is made.

    Raises
    ------
    runner.RunError
        When a notebook fails, the folder cannot be used or a file is there already; nothing is
        written then.
    """
    notebooks = [runner.find_notebook(name) for name in names] or runner.notebooks()
    handouts.check([f"{path.stem}.slides.html" for path in notebooks], folder, force=force)
    runs = [runner.run(path.stem, preset=preset) for path in notebooks]
    contents = {f"{run.record['notebook']}.slides.html": page(run) for run in runs}
    return handouts.write(contents, folder, force=force)


def page(run: runner.Run) -> str:
    """Return the slides of one run as an HTML page."""
    import nbformat
    from pygments.formatters import HtmlFormatter

    notebook = nbformat.read(run.notebook, as_version=4)
    deck = list(split(notebook["cells"]))
    title = deck[0][0]["source"].splitlines()[0].lstrip("# ")
    record = run.record
    foot = f"{record['notebook']} · preset {record['preset']} · {record['kind']} data"
    sections = [
        f'<section aria-label="slide {n} of {len(deck)}">\n{_html(cells)}\n'
        f"<footer>{escape(foot)} · {n} / {len(deck)}</footer>\n</section>"
        for n, cells in enumerate(deck, 1)
    ]
    template = Template(Path(__file__).with_name("slides.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=escape(title),
        highlight=HtmlFormatter(style="friendly").get_style_defs(".highlight"),
        slides="\n".join(sections),
        mathjax=_mathjax(),
    )


def split(cells: Iterable[Mapping[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Split a run's cells into slides, each a list of cells to show."""
    now: list[dict[str, Any]] = []
    for cell in cells:
        kind = cell["metadata"].get("slideshow", {}).get("slide_type", "")
        if kind in ("skip", "notes") or SKIPPED & set(cell["metadata"].get("tags", [])):
            continue
        for starts, part in _parts(cell):
            forced = kind in ("slide", "subslide")
            if now and (forced or (starts and kind != "-" and not _bare_heading(now))):
                yield now
                now = []
            now.append(part)
    if now:
        yield now


def _bare_heading(cells: list[dict[str, Any]]) -> bool:
    (source, *more) = cells[0]["source"].strip().splitlines() or [""]
    return len(cells) == 1 and source.startswith("#") and not more


def _parts(cell: Mapping[str, Any]) -> Iterator[tuple[bool, dict[str, Any]]]:
    """Split one cell into what fits a slide; say of each part whether it starts a new one."""
    if cell["cell_type"] == "markdown":
        for text in filter(str.strip, SECTION.split(handouts.plain_markdown(cell["source"]))):
            yield text.startswith("#"), {"cell_type": "markdown", "metadata": {}, "source": text}
        return
    code = {"cell_type": "code", "metadata": {}, "execution_count": None}
    if not HIDDEN & set(cell["metadata"].get("tags", [])):
        yield True, code | {"source": cell["source"], "outputs": []}
    unseen = {"transient": {"remove_source": True}}
    for output in cell["outputs"]:
        if output.get("name") != "stderr":
            shown = code | {"metadata": unseen, "source": "", "outputs": [output]}
            yield output["output_type"] != "stream", shown


def _html(cells: list[dict[str, Any]]) -> str:
    import nbformat
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(template_name="basic", exclude_input_prompt=True)
    exporter.exclude_output_prompt = True
    content = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    body, _ = exporter.from_notebook_node(nbformat.from_dict(content))
    return body


def _mathjax() -> str:
    """Return MathJax with its glyphs as one script, from the installed package."""
    (script,) = [
        file
        for file in metadata.files("sphinx-mathjax-offline") or []
        if file.name == "tex-svg-full.js"
    ]
    return script.locate().read_text(encoding="utf-8").replace("</script", "<\\/script")
