"""The book's markdown (MyST) as plain markdown: what JupyterLab, Colab and slides can show.

Directives become bold titles, roles their text, and links into the book lead to the repository.
"""

import posixpath
import re
from pathlib import Path

import yaml

from cchkd_utils import paths

FENCE = re.compile(r"^(?P<fence>:{3,}|`{3,})\s*\{(?P<name>[\w:-]+)\}\s*(?P<title>.*)$")
ROLE = re.compile(r"\{(?P<name>[\w:]+)\}`(?P<text>[^`]+)`")
LINK = re.compile(r"(?<!\!)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
EQUATION = re.compile(r"^\$\$[ \t]*\(([\w-]+)\)[ \t]*$", re.MULTILINE)
WORDS = {"exercise": "Exercise", "solution-start": "Solution", "solution": "Solution"}


def plain(source: str, *, folder: str = "notebooks", number: int | None = None) -> str:
    """Return markdown without directives, roles and relative links.

    Parameters
    ----------
    source : markdown of one cell
    folder : folder of the repository that relative links start from
    number : of the exercise, where the cell holds one
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
    """Say (Author et al., year) for a key of the book's bibliography."""
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
    found = page.is_file() and re.search(r"(?m)^\s*\"?# ([^\"\\\n]+)", page.read_text("utf-8"))
    return found[1].strip() if found else page.stem
