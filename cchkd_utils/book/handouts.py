"""What a teacher hands out: notebooks without solutions of their exercises, with them, or slides.

A cell tagged ``solution`` belongs to the teacher. What is left runs as it is, wherever
``cchkd_utils`` is installed. The book's markdown (MyST) becomes what JupyterLab, Colab and slides
can show: directives are bold titles, roles their text, links into the book lead to the repository.

The lab, ``notebooks/lab.py``, is no page and needs no module of the book. Its solutions and hidden
tests stand between nbgrader's delimiters; its cells say what differs from `NBGRADER`.

Slides show a notebook's run: one HTML file with everything in it, for use with the network off. A
heading starts a slide, code and each of its outputs get their own under the same heading, code
hidden on the page stays hidden. JupyterLab's slide type of a cell (``slide``, ``skip``, ``-`` to go
on) overrules.
"""

import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from html import escape
from importlib import metadata
from itertools import takewhile
from pathlib import Path
from string import Template
from textwrap import indent
from typing import Any

import nbformat
import yaml
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from cchkd_utils import paths, runner

LAB = "lab"
ANSWER = "# Your answer\n"
POINTS = 3  # of an exercise of the book, marked by a person
NBGRADER = {"grade": False, "locked": False, "schema_version": 3, "solution": False, "task": False}
CONFIG = """\
c = get_config()
c.CourseDirectory.course_id = "distillation"
c.Execute.timeout = 600  # seconds a cell; the lab's longest takes half a minute on one core
"""
# What nbgrader clears: a solution leaves a stub in its place, a hidden test nothing.
REGION = re.compile(
    r"(?ms)^(?P<indent>[ \t]*)### BEGIN (?P<kind>SOLUTION|HIDDEN TESTS)$"
    r".*?### END (?P=kind)(?P<end>\n|\Z)"
)
STUBS = {"code": "# YOUR CODE HERE\nraise NotImplementedError()", "markdown": "YOUR ANSWER HERE"}
GATE = re.compile(r"\{solution(-start|-end)?\}")
END = re.compile(r"[`:]{3,}(\{solution-end\})?")
FENCE = re.compile(r"^(?P<fence>:{3,}|`{3,})\s*\{(?P<name>[\w:-]+)\}\s*(?P<title>.*)$")
ROLE = re.compile(r"\{(?P<name>[\w:]+)\}`(?P<text>[^`]+)`")
LINK = re.compile(r"(?<!\!)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
EQUATION = re.compile(r"^\$\$[ \t]*\(([\w-]+)\)[ \t]*$", re.MULTILINE)
WORDS = {"exercise": "Exercise", "solution-start": "Solution", "solution": "Solution"}
# Cells that slides leave out, and those whose code they hide; where a heading starts a slide.
SKIPPED = {"remove-cell", "parameters", "injected-parameters", "solution", "exercise"}
HIDDEN = {"hide-input", "remove-input", "hide-cell"}
SECTION = re.compile(r"(?m)^(?=#{1,2} )")


class ExportError(runner.RunError):
    """What cannot be exported, or not to there."""


def student(names: Iterable[str], folder: Path | str, *, force: bool = False) -> list[Path]:
    """Write notebooks without solutions; below each exercise, an empty cell for the answer.

    `names` are notebooks by number or name, or `lab`; none means all. `ExportError` when the folder
    cannot be used, a file is there already, or a cell without the tag holds a solution; nothing is
    written then.
    """
    return _write_notebooks(names, folder, force, keep_solutions=False)


def solutions(names: Iterable[str], folder: Path | str, *, force: bool = False) -> list[Path]:
    """Write notebooks with their solutions; parameters and errors as in `student`."""
    return _write_notebooks(names, folder, force, keep_solutions=True)


def slides(
    names: Iterable[str], folder: Path | str, *, preset: str = "book", force: bool = False
) -> list[Path]:
    """Write the slides of notebooks from their runs at `preset`, which are made where missing.

    Parameters and errors as in `student`; `runner.RunError` when a notebook fails.
    """
    notebooks = _chosen(names)
    check([f"{path.stem}.slides.html" for path in notebooks], folder, force)
    runs = {path.stem: runner.run(path.stem, preset=preset) for path in notebooks}
    pages = {f"{stem}.slides.html": slides_page(run) for stem, run in runs.items()}
    return write(pages, folder, force)


def nbgrader(names: Iterable[str], folder: Path | str, *, force: bool = False) -> list[Path]:
    """Write a course folder of nbgrader: each notebook an assignment, the lab too.

    Code of the lab is marked by its checks. What is written, and every exercise of the book, waits
    for a person. Parameters and errors as in `student`.
    """
    assignments = _notebooks(names, keep_solutions=True, graded=True)
    sources = {f"source/{Path(name).stem}/{name}": text for name, text in assignments.items()}
    return write({"nbgrader_config.py": CONFIG} | sources, folder, force)


def _chosen(names: Iterable[str]) -> list[Path]:
    return [runner.find_notebook(name) for name in names] or runner.notebooks()


def _write_notebooks(
    names: Iterable[str], folder: Path | str, force: bool, *, keep_solutions: bool
) -> list[Path]:
    return write(_notebooks(names, keep_solutions=keep_solutions), folder, force)


def _notebooks(
    names: Iterable[str], *, keep_solutions: bool, graded: bool = False
) -> dict[str, str]:
    """Return the handouts, text by file name; the lab comes last."""
    names = [*names]
    contents = {}
    for path in _chosen(name for name in names if name != LAB) if {*names} != {LAB} else []:
        notebook = nbformat.read(path, as_version=4)
        cells = _handed_out(notebook.cells, path.stem, keep_solutions)
        notebook.cells = [*(_assignment(cells) if graded else cells)]
        contents[path.name] = nbformat.writes(notebook) + "\n"
    source = paths.NOTEBOOKS / f"{LAB}.py"
    if LAB in names or (not names and source.is_file()):
        contents[f"{LAB}.ipynb"] = _lab(source, keep_solutions)
    return contents


def _lab(source: Path, keep_solutions: bool) -> str:
    """Return the lab as a notebook with nbgrader's metadata in full."""
    import jupytext

    notebook = jupytext.read(source)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"{LAB}-{number}"
        if told := cell.metadata.get("nbgrader"):
            cell.metadata["nbgrader"] = NBGRADER | told
        if not keep_solutions:
            cell.source = REGION.sub(partial(_stub, cell.cell_type), cell.source).rstrip("\n")
    return nbformat.writes(notebook) + "\n"


def _stub(kind: str, region: re.Match) -> str:
    if region["kind"] != "SOLUTION":
        return ""
    return indent(STUBS[kind], region["indent"]) + region["end"]


def _handed_out(
    cells: Iterable[NotebookNode], name: str, keep_solutions: bool
) -> Iterator[NotebookNode]:
    """Give the cells of a handout, readable without the book."""
    number = 0  # of the exercise that a cell belongs to
    for cell in cells:
        tags = cell.metadata.get("tags", [])
        number += "exercise" in tags
        if GATE.search(cell.source) and "solution" not in tags:
            raise ExportError(f"{name}: a cell holds a solution but not the tag 'solution'")
        if "solution" in tags and not keep_solutions:
            continue
        if cell.cell_type == "markdown":
            if not END.sub("", cell.source).strip():
                continue
            cell.source = plain_markdown(cell.source, number)
        yield cell
        if "exercise" in tags and not keep_solutions:
            yield new_code_cell(ANSWER, id=f"answer-{number}")


def _assignment(cells: Iterable[NotebookNode]) -> Iterator[NotebookNode]:
    """Give the cells with each exercise's solution in a single cell, the one to be marked."""
    number, cells = 0, [*cells]
    kinds = [set(cell.metadata.get("tags", [])) for cell in cells]
    for at, (cell, tags) in enumerate(zip(cells, kinds)):
        if "solution" not in tags:
            yield cell
        if "exercise" in tags:
            number += 1
            name, after = f"answer-{number}", zip(cells[at + 1 :], kinds[at + 1 :])
            solution = [c for c, _ in takewhile(lambda pair: "solution" in pair[1], after)]
            told = [c.source if c.cell_type == "code" else _comment(c.source) for c in solution]
            text = "\n".join([ANSWER + "### BEGIN SOLUTION", *told, "### END SOLUTION"])
            marked = {"grade": True, "solution": True, "grade_id": name, "points": POINTS}
            yield new_code_cell(text, id=name, metadata={"nbgrader": NBGRADER | marked})


def _comment(text: str) -> str:
    return indent(text, "# ", lambda line: True)


def check(names: Iterable[str], folder: Path | str, force: bool) -> Path:
    """Return the folder when files of these names can be written there, else raise."""
    folder = Path(folder).expanduser()
    if os.path.lexists(folder) and not folder.is_dir():
        raise ExportError(f"{folder} is not a folder")
    taken = [name for name in names if os.path.lexists(folder / name)]
    if taken and not force:
        raise ExportError(f"{folder / taken[0]} is there already; --force overwrites it")
    return folder


def write(contents: Mapping[str, str], folder: Path | str, force: bool) -> list[Path]:
    """Write texts by file name: all of them or, when one is there already, none."""
    folder = check(contents, folder, force)
    try:
        for parent in {(folder / name).parent for name in contents}:
            parent.mkdir(parents=True, exist_ok=True)
        for path, text in ((folder / name, text) for name, text in contents.items()):
            part = path.with_name(f".{path.name}.{os.getpid()}")
            try:
                part.write_text(text, encoding="utf-8")
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
    except OSError as error:
        raise ExportError(f"cannot write to {folder}: {error.strerror}") from None
    return [folder / name for name in contents]


def plain_markdown(source: str, number: int | None = None) -> str:
    """Return a notebook cell's markdown without directives, roles and relative links.

    `number` is that of the exercise, where the cell holds one.
    """
    lines, open_fences, options = [], [], False
    for line in source.splitlines():
        if opened := FENCE.match(line.strip()):
            open_fences.append(opened["fence"])
            lines.append(_heading(opened["name"], opened["title"].strip(), number))
            options = True
        elif open_fences and line.strip() == open_fences[-1]:
            open_fences.pop()
        elif options and (re.match(r"\s*:[\w-]+:", line) or not line.strip()):
            continue  # `:label: …` belongs to the directive, not to the text
        else:
            options = False
            lines.append(line)
    text = EQUATION.sub("$$", "\n".join(lines))
    text = ROLE.sub(lambda role: _role(role["name"], role["text"]), text)
    return LINK.sub(lambda link: _link(link["text"], link["target"]), text).strip()


def _heading(name: str, title: str, number: int | None) -> str:
    if name not in WORDS:
        return f"**{title}**\n" if title and name not in {"math", "image", "figure"} else ""
    told = f"{WORDS[name]} {number}" if number else WORDS[name]
    return f"**{told}{f': {title}' if name == 'exercise' and title else ''}**\n"


def _role(name: str, text: str) -> str:
    if name.startswith("cite"):
        told = ", ".join(_author_year(key.strip()) for key in text.split(","))
        return told if name == "cite:t" else f"({told})"
    return "(the equation in the book)" if name == "eq" else re.sub(r"\s*<[^>]*>$", "", text)


def _author_year(key: str) -> str:
    """Say "Author et al. year" for a key of the book's bibliography."""
    from pybtex.database import parse_file

    entries = parse_file(paths.ROOT / "book" / "references.bib").entries
    if key not in entries:
        raise ValueError(f"no entry '{key}' in book/references.bib")
    first, *more = entries[key].persons["author"]
    name = " ".join(map(str, first.rich_last_names))
    return f"{name} {'et al. ' * bool(more)}{entries[key].fields['year']}"


def _link(text: str, target: str) -> str:
    """Point a link that starts from the folder of the notebooks to the repository on the web."""
    if re.match(r"[a-z]+:|#", target):
        return f"[{text}]({target})"
    where = posixpath.normpath(posixpath.join("notebooks", target.partition("#")[0]))
    config = yaml.safe_load((paths.ROOT / "_config.yml").read_text(encoding="utf-8"))
    site = f"{config['repository']['url']}/blob/{config['repository']['branch']}/{where}"
    return f"[{text or _title(paths.ROOT / where)}]({site})"


def _title(page: Path) -> str:
    """Return the first heading of a page, or its name where it is not there yet."""
    heading = page.is_file() and re.search(r"(?m)^\s*\"?# ([^\"\\\n]+)", page.read_text("utf-8"))
    return heading[1].strip() if heading else page.stem


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
