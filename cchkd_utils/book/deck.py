"""The lecture: slides from ``book/deck.md``, with figures of runs and numbers of recorded tables.

A heading starts a slide. ``![start of its alternative text](../notebooks/NN_name.ipynb)`` shows a
figure of that notebook's run, ``{{ name }}`` a number or text of the recorded tables under that
name (``facts`` in ``presets.yml``), ``:::{notes}`` what the speaker says. No picture and no number
is kept in the source.
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

from cchkd_utils import paths, plots, runner
from cchkd_utils.book import explorer, handouts, slides
from cchkd_utils.runner.parameters import named, read_presets

NAME = "deck.html"
SOURCE = paths.ROOT / "book" / "deck.md"
NOTES = re.compile(r"(?ms)^:::\{notes\}\n(.*?)^:::$")
PICTURE = re.compile(r"(?m)^!\[(?P<alt>[^\]]+)\]\((?P<target>[^)]+)\)$")
FACT = re.compile(r"\{\{ (.+?) \}\}")
NOTEBOOK = re.compile(r"\.\./notebooks/(\w+)\.ipynb")


def write(folder: Path | str, *, preset: str = "book", force: bool = False) -> list[Path]:
    """Write the lecture's slides, with figures of runs at `preset`; made where missing.

    `handouts.ExportError` when the source names a figure or number that there is not, or the file
    is there already; `runner.RunError` when a notebook fails. Nothing is written then.
    """
    handouts.check([NAME], folder, force)
    names = sorted(set(NOTEBOOK.findall(SOURCE.read_text(encoding="utf-8"))))
    lecture = page({name: runner.run(name, preset=preset) for name in names})
    return handouts.write({NAME: lecture}, folder, force)


def page(runs: Mapping[str, runner.Run]) -> str:
    """Return the lecture as HTML, with figures of `runs`, by notebook."""
    text = fill(SOURCE.read_text(encoding="utf-8"), named(read_presets()["facts"])())
    deck = [_slide(part, runs) for part in parts(text)]
    return slides.page(text.strip().splitlines()[0].lstrip("# "), deck)


def fill(text: str, facts: Mapping[str, str]) -> str:
    """Put numbers in the place of their names."""
    if unknown := sorted(set(FACT.findall(text)) - set(facts)):
        raise handouts.ExportError(f"{SOURCE.name}: no computed page gives '{unknown[0]}'")
    return FACT.sub(lambda name: facts[name[1]], text)


def parts(text: str) -> Iterator[str]:
    """Split the source into slides."""
    return filter(str.strip, slides.SECTION.split(text))


def _slide(text: str, runs: Mapping[str, runner.Run]) -> tuple:
    """Return a slide's HTML, and what its foot says."""
    notes = slides.html([slides.markdown("".join(NOTES.findall(text)))])
    text, foot, figure = NOTES.sub("", text), "recorded tables", ""
    if shown := PICTURE.search(text):
        text = PICTURE.sub("", text)
        if name := NOTEBOOK.fullmatch(shown["target"]):
            foot = "{notebook} · preset {preset}".format(**runs[name[1]].record)
            figure = _image(*_figure(runs[name[1]], shown["alt"]))
        elif shown["target"].endswith(".html"):
            foot = "exact"
            fits = "body { zoom: .8; }</style>"  # all sliders, at 1280 × 720
            page = explorer.page().decode().replace("</style>", fits, 1)
            vega = f"<script>{plots.vega().decode()}</script>"  # the deck is one file
            page = escape(page.replace('<script src="vega.js"></script>', vega, 1))
            figure = f'<iframe title="{escape(shown["alt"])}" srcdoc="{page}"></iframe>'
        else:
            svg = base64.b64encode((SOURCE.parent / shown["target"]).read_bytes()).decode()
            figure = _image(shown["alt"], f"svg+xml;base64,{svg}")
    title, _, words = text.strip().partition("\n")
    title, words = (slides.html([slides.markdown(part)]) for part in (title, words))
    body = f'<div class="words">{words}</div>' + (figure and f"<figure>{figure}</figure>")
    kind = "body beside" if figure else "body"
    return (
        f'<div class="{kind}">{title}{body}</div>'
        f'<div class="notes" role="note" aria-label="speaker notes">{notes}</div>'
    ), foot


def _image(alt: str, data: str) -> str:
    return f'<img alt="{escape(alt)}" src="data:image/{data}">'


def _figure(run: runner.Run, start: str) -> tuple[str, str]:
    """Return the only figure of a run whose alternative text starts so: that text, its data."""
    cells = json.loads(run.notebook.read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    pictures = [
        (output["metadata"]["image/png"]["alt"], f"png;base64,{output['data']['image/png']}")
        for output in outputs
        if "alt" in output.get("metadata", {}).get("image/png", {})
    ]
    chosen = [picture for picture in pictures if picture[0].startswith(start)]
    if len(chosen) != 1:
        raise handouts.ExportError(
            f"{SOURCE.name}: {len(chosen)} figures of {run.record['notebook']} have an alternative "
            f"text that starts with '{start}'; one is needed"
        )
    return chosen[0]
