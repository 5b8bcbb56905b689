"""Prose as it is staged: first uses of glossary words are links, numbers stay with their units."""

import json
import re
from collections.abc import Mapping

from cchkd_utils.results.readable import together

WORDS = re.compile(r"```\{glossary\}\n(.*?)\n```", re.DOTALL)
FENCE = re.compile(r"\s*(`{3,}|\$\$)")
UNLINKED = re.compile(r"\s*[#|%<:({]")  # titles, tables, comments, HTML, options, labels
KEPT = re.compile(
    r"(\{[\w:-]+\}`[^`]*`|`[^`]*`|\$[^$]*\$|!?\[[^\]]*\]\([^)]*\)|<a .*?</a>|<[^>]*>|\*\*[^*]*\*\*)"
)
VALUE = re.compile(r"\$([A-Za-z])\$ ([=<>]) (\d+(?:\.\d+)?)")  # one formula, which does not break
EVERYDAY = {"cell", "source"}  # pages have others
SOLVED = {"exercise", "solution"}


def link(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the book's sources with each page's first use of a glossary word as a link to it."""
    glossary = files["book/glossary.md"].decode()
    words = re.findall(r"^(\S.*)$", WORDS.search(glossary)[1], re.MULTILINE)
    words = sorted(set(words) - EVERYDAY, key=len, reverse=True)
    forms = {word: _form(word) for word in words}
    out = dict(files)
    for name, content in files.items():
        if name.endswith(".md") and name != "book/glossary.md":
            text = content.decode()
            out[name] = _linked(text, _left(text, forms)).encode()
        elif name.endswith(".ipynb"):
            notebook = json.loads(content)
            prose = [cell for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
            left = _left("".join("".join(cell["source"]) for cell in prose), forms)
            for cell in prose:
                if not SOLVED & set(cell["metadata"].get("tags", [])):
                    cell["source"] = _linked("".join(cell["source"]), left)
            out[name] = (json.dumps(notebook, indent=1, sort_keys=True) + "\n").encode()
    return out


def _form(word: str) -> re.Pattern:
    """What the word looks like in a sentence: in full or short, in the plural, at its start."""
    full, _, short = word.removesuffix(")").partition(" (")
    first = f"[{full[0].lower()}{full[0].upper()}]{re.escape(full[1:])}"
    ends = rf"{first}s?" + (rf"|{re.escape(short)}s?" if short else "")
    return re.compile(rf"(?<![\w-])(?:{ends})(?![\w-])")


def _left(text: str, forms: Mapping[str, re.Pattern]) -> dict[str, re.Pattern]:
    """Leave out the words that the page links itself."""
    own = set(re.findall(r"\{term\}`(?:[^`<]*<)?([^`>]+)>?`", text))
    return {word: form for word, form in forms.items() if word not in own}


def _linked(text: str, left: dict[str, re.Pattern]) -> str:
    lines, fence, html = text.split("\n"), "", False
    for i, line in enumerate(lines):
        html = bool(line.strip()) and (html or line.lstrip().startswith("<"))
        if mark := FENCE.match(line):
            closes = fence and mark[1].startswith(fence) and line.strip() == mark[1]
            one_line = line.count("$$") == 2
            fence = "" if closes or one_line else fence or mark[1]
        elif not fence and not html and not UNLINKED.match(line):
            parts = KEPT.split(VALUE.sub(r"$\1 \2 \3$", line))  # kept ones at odd places
            parts[::2] = map(together, parts[::2])
            for word, form in list(left.items()):
                for j in range(0, len(parts), 2):
                    if hit := form.search(parts[j]):
                        before, after = parts[j][: hit.start()], parts[j][hit.end() :]
                        parts[j : j + 1] = [before, f"{{term}}`{hit[0]} <{word}>`", after]
                        del left[word]
                        break
            lines[i] = "".join(parts)
    return "\n".join(lines)
