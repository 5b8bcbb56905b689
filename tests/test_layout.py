"""The house: few entries at the top, imports that run downwards, a guide whose paths exist."""

import ast
import re

import pytest

from cchkd_utils import paths

PACKAGE = paths.ROOT / "cchkd_utils"
GUIDE = (paths.ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SHARED = {"results", "paths", "untrusted"}
SUBJECT = {"mi", "gaussian"}
BELOW = {  # part of the package to the parts that it may import
    "paths": set(),
    "untrusted": set(),
    "results": {"paths", "untrusted"},
    "mi": set(),
    "gaussian": set(),
    "criterion": SUBJECT,
    "distill": SUBJECT | SHARED | {"criterion"},
    "datasets": SUBJECT | SHARED,
    "plots": {"results"},
}
BELOW["sections"] = {*BELOW}
BELOW["runner"] = {*BELOW} - {"sections"}
BELOW["book"] = BELOW["runner"] | {"runner"}
ANYWHERE = {("criterion/representations.py", "untrusted")}  # it reads files of users
INSIDE_A_FUNCTION = {
    ("criterion/report.py", "plots"),
    ("distill/recommend.py", "plots"),
    ("book/cli.py", "sections"),
}
FILES = [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"]


def imports(path):
    """Pair each part of the package that a file imports with whether a function does it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    inside = {id(node) for function in functions for node in ast.walk(function)}
    package = ["cchkd_utils", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parent = package[: len(package) + 1 - node.level] if node.level else []
            base = ".".join([*parent, *filter(None, [node.module])])
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        parts = [name.split(".")[1] for name in names if name.startswith("cchkd_utils.")]
        yield from ((part, id(node) in inside) for part in parts if part in BELOW)


def test_the_top_has_at_most_twelve_entries():
    sources = {path.relative_to(PACKAGE).parts[0] for path in PACKAGE.rglob("*.py")}
    entries = [PACKAGE / name for name in sources if name != "__init__.py"]
    assert {path.stem for path in entries} == set(BELOW) and len(entries) <= 12


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_run_downwards(path):
    name = path.relative_to(PACKAGE).as_posix()
    own = name.split("/")[0].removesuffix(".py")
    upwards = {
        part
        for part, is_inside in imports(path)
        if part not in BELOW[own] | {own}
        and (name, part) not in ANYWHERE
        and not (is_inside and (name, part) in INSIDE_A_FUNCTION)
    }
    assert upwards == set()


def test_imports_of_every_form_are_seen(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    path = tmp_path / "mi" / "knn.py"
    path.parent.mkdir()
    path.write_text(
        "import cchkd_utils.plots\nfrom cchkd_utils import __version__, paths\n"
        "from . import tasks\n"
        "def f():\n    from ..criterion.bias import check\n    from cchkd_utils.runner import run\n"
    )
    assert sorted(imports(path)) == [
        ("criterion", True), ("mi", False), ("paths", False), ("plots", False), ("runner", True)
    ]  # fmt: skip


def named(text):
    """List the paths that a text names between backticks; `<name>` and `NN` stand for a reader's.

    A path has a slash, or the ending of a file.
    """
    words = re.findall(r"`([^`\s]+)`", re.sub(r"(?ms)^ *```.*?^ *```$", "", text))
    ends = (".py", ".md", ".yml", ".csv", ".toml", ".lock", ".ipynb", ".cff")
    return [w for w in words if ("/" in w or w.endswith(ends)) and not re.search(r"[<(]|NN", w)]


def test_every_path_of_the_guide_exists():
    known = named(GUIDE)
    assert len(known) > 30
    files = {path.name for path in FILES}  # `study.py` is one of any section
    missing = [name for name in known if not list(paths.ROOT.glob(name.rstrip("/")))]
    assert [name for name in missing if "/" in name or name not in files] == []


def test_a_walk_opens_at_most_six_files():
    _, _, walks = GUIDE.partition("## Five walks")
    walks = re.split(r"(?m)^### ", walks.partition("\n## ")[0])[1:]
    opened = {walk.splitlines()[0]: re.findall(r"(?m)^\d\. `", walk) for walk in walks}
    assert len(opened) == 5
    many = {title for title, files in opened.items() if not 2 <= len(files) <= 6}
    assert many <= {"Add a data set and its notebook"}
