"""Notebooks for a class: without the solutions of their exercises, or with them.

A cell tagged ``solution`` belongs to the teacher. What is left runs as it is, wherever
``cchkd_utils`` is installed. The book's markdown (MyST) becomes what JupyterLab, Colab and slides
can show: directives are bold titles, roles their text, links into the book lead to the repository.
"""

import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from cchkd_utils import paths, runner

ANSWER = "# Your answer\n"
GATE = re.compile(r"\{solution(-start|-end)?\}")
END = re.compile(r"[`:]{3,}(\{solution-end\})?")
FENCE = re.compile(r"^(?P<fence>:{3,}|`{3,})\s*\{(?P<name>[\w:-]+)\}\s*(?P<title>.*)$")
ROLE = re.compile(r"\{(?P<name>[\w:]+)\}`(?P<text>[^`]+)`")
LINK = re.compile(r"(?<!\!)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
EQUATION = re.compile(r"^\$\$[ \t]*\(([\w-]+)\)[ \t]*$", re.MULTILINE)
WORDS = {"exercise": "Exercise", "solution-start": "Solution", "solution": "Solution"}


class ExportError(runner.RunError):
    """What cannot be exported, or not to there."""


def student(names: Iterable[str], folder: Path | str, *, force: bool = False) -> list[Path]:
    """Write notebooks without solutions; below each exercise, an empty cell for the answer.

    `names` are notebooks by number or name, none means all.

    Raises
    ------
    ExportError
        When the folder cannot be used, a file is there already, or a cell without the tag holds
        a solution; nothing is written then.
    """
    return _write(names, folder, force, keep_solutions=False)


def solutions(names: Iterable[str], folder: Path | str, *, force: bool = False) -> list[Path]:
    """Write notebooks with their solutions; parameters and errors as in `student`."""
    return _write(names, folder, force, keep_solutions=True)


def _write(
    names: Iterable[str], folder: Path | str, force: bool, *, keep_solutions: bool
) -> list[Path]:
    contents = {}
    for path in [runner.find_notebook(name) for name in names] or runner.notebooks():
        notebook = nbformat.read(path, as_version=4)
        notebook.cells = [*_handed_out(notebook.cells, path.stem, keep_solutions)]
        contents[f"{path.stem}.ipynb"] = nbformat.writes(notebook) + "\n"
    return write(contents, folder, force=force)


def _handed_out(
    cells: Iterable[NotebookNode], name: str, keep_solutions: bool
) -> Iterator[NotebookNode]:
    """Give the cells of a handout, readable without the book."""
    number = 0  # of the exercise that a cell belongs to
    for cell in cells:
        tags = cell.metadata.get("tags", [])
        number += "exercise" in tags
        if not keep_solutions:
            if "solution" in tags:
                continue
            if GATE.search(cell.source):
                raise ExportError(f"{name}: a cell holds a solution but not the tag 'solution'")
        if cell.cell_type == "markdown":
            if not END.sub("", cell.source).strip():
                continue
            cell.source = plain_markdown(cell.source, number=number)
        yield cell
        if "exercise" in tags and not keep_solutions:
            yield new_code_cell(ANSWER, id=f"answer-{number}")


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


def plain_markdown(source: str, *, folder: str = "notebooks", number: int | None = None) -> str:
    """Return a cell's markdown without directives, roles and relative links.

    Links start from `folder`; `number` is that of the exercise, where the cell holds one.
    """
    lines, open_fences, options = [], [], False
    for line in source.splitlines():
        if opened := FENCE.match(line.strip()):
            open_fences.append(opened["fence"])
            lines.append(_heading(opened, number))
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
    return LINK.sub(lambda link: _link(link["text"], link["target"], folder), text).strip()


def _heading(opened: re.Match, number: int | None) -> str:
    name, title = opened["name"], opened["title"].strip()
    if name not in WORDS:
        return f"**{title}**\n" if title and name not in {"math", "image", "figure"} else ""
    told = f"{WORDS[name]} {number}" if number else WORDS[name]
    return f"**{told}{f': {title}' if name == 'exercise' and title else ''}**\n"


def _role(name: str, text: str) -> str:
    if name.startswith("cite"):
        told = ", ".join(_author_year(key.strip()) for key in text.split(","))
        return told if name == "cite:t" else f"({told})"
    shown = re.sub(r"\s*<[^>]*>$", "", text)
    return "(the equation in the book)" if name == "eq" else shown


def _author_year(key: str) -> str:
    """Say "Author et al. year" for a key of the book's bibliography."""
    entries = (paths.ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    entry = re.search(rf"@\w+\{{{re.escape(key)},(.*?)\n\}}", entries, re.DOTALL)
    if not entry:
        raise ValueError(f"no entry '{key}' in book/references.bib")
    names = re.search(r"author\s*=\s*\{(.*?)\},?\s*\n\s*\w+\s*=", entry[1], re.DOTALL)[1]
    authors = re.split(r"\s+and\s+", names)
    year = re.search(r"year\s*=\s*\{?(\d{4})", entry[1])[1]
    first = re.sub(r"[{}\\\"]", "", authors[0].split(",")[0])
    return f"{first} {'et al. ' * (len(authors) > 1)}{year}"


def _link(text: str, target: str, folder: str) -> str:
    if re.match(r"[a-z]+:|#", target):
        return f"[{text}]({target})"
    where = posixpath.normpath(posixpath.join(folder, target.partition("#")[0]))
    config = yaml.safe_load((paths.ROOT / "_config.yml").read_text(encoding="utf-8"))
    site = f"{config['repository']['url']}/blob/{config['repository']['branch']}/{where}"
    return f"[{text or _title(paths.ROOT / where)}]({site})"


def _title(page: Path) -> str:
    """Return the first heading of a page, or its name where it is not there yet."""
    heading = page.is_file() and re.search(r"(?m)^\s*\"?# ([^\"\\\n]+)", page.read_text("utf-8"))
    return heading[1].strip() if heading else page.stem
