"""The book's markdown (MyST) as JupyterLab, Colab and slides can show it.

Directives are bold titles, roles their text, links into the book lead to the repository.
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
