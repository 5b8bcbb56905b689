"""The page "Files this book reads" lists every error of the loaders."""

import ast
import re

import pytest

from cchkd_utils import paths

PAGE = (paths.ROOT / "book" / "files.md").read_text(encoding="utf-8")
PLACES = (
    "datasets/delimited.py", "datasets/mnist_m/*.py", "datasets/mosei/*.py", "datasets/pairs/*.py",
    "datasets/tcga/*.py", "untrusted/*.py",
)  # fmt: skip
DRAWN = ("simulated.py", "recipe.py")  # no files


def template(node):
    """A message as the page writes it: … for what is filled in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(v.value if isinstance(v, ast.Constant) else "…" for v in node.values)
    return "…"


def messages():
    files = [p for place in PLACES for p in sorted((paths.ROOT / "cchkd_utils").glob(place))]
    for path in [path for path in files if path.name not in DRAWN]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
                text = " ".join(template(node.exc.args[0]).split())
                text = text.removeprefix("…: ").removeprefix("… ")
                if len(re.sub(r"[…:;,.() ]", "", text)) > 3:
                    yield text


def test_there_are_messages():
    assert len(set(messages())) > 80


@pytest.mark.parametrize("message", sorted(set(messages())))
def test_the_page_lists_the_message_with_what_to_do(message):
    rows = re.findall(r"^\| (.*) \| (.+) \|$", PAGE.replace("\\", ""), flags=re.MULTILINE)
    advice = [what for text, what in rows if text == message]
    assert advice and len(advice[0]) > 10


def test_the_page_names_what_the_loaders_look_for():
    from cchkd_utils.datasets.tcga import layouts

    names = [n for of in layouts.wanted("BRCA").values() for n in of]
    names += [column for columns in layouts.COLUMNS.values() for column in columns[:1]]
    assert [name for name in names if f"`{name}`" not in PAGE] == []
