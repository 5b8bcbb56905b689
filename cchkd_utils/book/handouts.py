"""What a teacher hands out: notebooks without solutions of their exercises, or with them.

A cell tagged ``solution`` belongs to the teacher. What is left runs as it is, wherever
``cchkd_utils`` is installed, and its markdown is that of `myst.plain_markdown`.

The lab, ``notebooks/lab.py``, is no page and needs no module of the book. Its solutions and hidden
tests stand between nbgrader's delimiters; its cells say what differs from `NBGRADER`.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import takewhile
from pathlib import Path
from textwrap import indent

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from cchkd_utils import paths, runner
from cchkd_utils.book.myst import plain_markdown

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


def nbgrader(names: Iterable[str], folder: Path | str, *, force: bool = False) -> list[Path]:
    """Write a course folder of nbgrader: each notebook an assignment, the lab too.

    Code of the lab is marked by its checks. What is written, and every exercise of the book, waits
    for a person. Parameters and errors as in `student`.
    """
    assignments = _notebooks(names, keep_solutions=True, graded=True)
    sources = {f"source/{Path(name).stem}/{name}": text for name, text in assignments.items()}
    return write({"nbgrader_config.py": CONFIG} | sources, folder, force)


def chosen(names: Iterable[str]) -> list[Path]:
    """Return notebooks by number or name, all for none."""
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
    for path in chosen(name for name in names if name != LAB) if {*names} != {LAB} else []:
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
