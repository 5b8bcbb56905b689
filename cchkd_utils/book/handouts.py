"""Notebooks for a class: without the solutions of their exercises, or with them.

A cell tagged ``solution`` belongs to the teacher. What is left runs as it is, wherever
``cchkd_utils`` is installed. Nothing is overwritten unless told.
"""

import copy
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cchkd_utils import runner
from cchkd_utils.book import markdown

ANSWER = "# Your answer\n"
GATE = re.compile(r"\{solution(-start|-end)?\}")


class ExportError(runner.RunError):
    """What cannot be exported, or not to there."""


def student(names: Iterable[str], folder: Path | str, *, force: bool = False) -> list[Path]:
    """Write notebooks without solutions; below each exercise, an empty cell for the answer.

    Parameters
    ----------
    names : notebooks by number or name; none means all
    folder : made where it is not there
    force : overwrite what is there

    Raises
    ------
    ExportError
        When the folder cannot be used, a file is there already, or a cell without the tag holds
        a solution; nothing is written then.
    """
    return _write(names, folder, force, without_solutions)


def solutions(names: Iterable[str], folder: Path | str, *, force: bool = False) -> list[Path]:
    """Write notebooks with their solutions; parameters and errors as in `student`."""
    return _write(names, folder, force, with_solutions)


def without_solutions(notebook: Mapping[str, Any], name: str = "notebook") -> dict[str, Any]:
    """Return a notebook's content without solutions, with room for answers."""
    cells = []
    for number, cell in _numbered(notebook):
        if "solution" in _tags(cell):
            continue
        if GATE.search(_source(cell)):
            raise ExportError(f"{name}: a cell holds a solution but not the tag 'solution'")
        cells.append(_readable(cell, number))
        if "exercise" in _tags(cell):
            cells.append(_answer(number))
    return dict(copy.deepcopy(dict(notebook)), cells=cells)


def with_solutions(notebook: Mapping[str, Any], name: str = "notebook") -> dict[str, Any]:
    """Return a notebook's content with its solutions, directives made readable."""
    cells = [_readable(cell, n) for n, cell in _numbered(notebook) if not _only_end(cell)]
    return dict(copy.deepcopy(dict(notebook)), cells=cells)


def _write(names, folder, force, change) -> list[Path]:
    contents = {}
    for path in [runner.find_notebook(name) for name in names] or runner.notebooks():
        content = change(json.loads(path.read_text(encoding="utf-8")), path.stem)
        contents[f"{path.stem}.ipynb"] = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    return write(contents, folder, force=force)


def check(names: Iterable[str], folder: Path | str, *, force: bool = False) -> Path:
    """Return the folder when files of these names can be written there, else raise."""
    folder = Path(folder).expanduser()
    if os.path.lexists(folder) and not folder.is_dir():
        raise ExportError(f"{folder} is not a folder")
    taken = [name for name in names if os.path.lexists(folder / name)]
    if taken and not force:
        raise ExportError(f"{folder / taken[0]} is there already; --force overwrites it")
    return folder


def write(contents: Mapping[str, str], folder: Path | str, *, force: bool = False) -> list[Path]:
    """Write texts by file name: all of them or, when one is there already, none."""
    folder = check(contents, folder, force=force)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in contents.items():
            part = folder / f".{name}.{os.getpid()}"
            try:
                part.write_text(text, encoding="utf-8")
                part.replace(folder / name)
            finally:
                part.unlink(missing_ok=True)
    except OSError as error:
        raise ExportError(f"cannot write to {folder}: {error.strerror}") from None
    return [folder / name for name in contents]


def _numbered(notebook: Mapping[str, Any]) -> Iterable[tuple[int, Mapping[str, Any]]]:
    """Pair each cell with the number of the exercise it belongs to."""
    number = 0
    for cell in notebook["cells"]:
        number += "exercise" in _tags(cell)
        yield number, cell


def _readable(cell: Mapping[str, Any], number: int) -> dict[str, Any]:
    cell = copy.deepcopy(dict(cell))
    if cell["cell_type"] == "markdown":
        cell["source"] = markdown.plain(_source(cell), number=number)
    return cell


def _answer(number: int) -> dict[str, Any]:
    empty = {"cell_type": "code", "execution_count": None, "outputs": [], "metadata": {}}
    return empty | {"id": f"answer-{number}", "source": ANSWER}


def _only_end(cell: Mapping[str, Any]) -> bool:
    return (
        cell["cell_type"] == "markdown"
        and not re.sub(r"[`:]{3,}(\{solution-end\})?", "", _source(cell)).strip()
    )


def _tags(cell: Mapping[str, Any]) -> list[str]:
    return cell["metadata"].get("tags", [])


def _source(cell: Mapping[str, Any]) -> str:
    return cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
