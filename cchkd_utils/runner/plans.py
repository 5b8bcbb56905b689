"""A checked run before it starts, and the hash that says what it is made of.

Same hash, same results. It covers the notebook's source, its parameters, the files of
``cchkd_utils`` that it imports (followed through their own imports), the lock file, the Python
version, the thread count, and what ``presets.yml`` declares: the content of the real data and of
the recorded tables that the notebook reads, and the runs that it needs.
"""

import ast
import functools
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cchkd_utils import paths
from cchkd_utils.runner.folders import digest
from cchkd_utils.runner.parameters import ParameterError, canonical, declared
from cchkd_utils.runner.presets import find_notebook, read_presets, settle

PACKAGE = "cchkd_utils"
FUNCTION = re.compile(rf"({PACKAGE}(?:\.\w+)+):\w+")  # "module:function", as registries name one


@dataclass(frozen=True)
class Plan:
    """A run to make: checked, and with the hash under which it will be filed."""

    notebook: Path
    given: dict[str, Any]  # in canonical form
    values: dict[str, Any]  # of every parameter
    parts: dict[str, Any]  # what else the hash is made of: see `sources`
    folder: Path
    data: Path  # folder of the real data
    needs: tuple["Plan", ...] = ()  # runs whose tables the notebook reads; made first

    @property
    def key(self) -> str:
        """The run's hash."""
        return self.folder.name

    def chain(self) -> "tuple[Plan, ...]":
        """Return the runs that this one needs, each after those it needs itself, and this one."""
        return (*(plan for need in self.needs for plan in need.chain()), self)

    def is_current(self) -> bool:
        """Say whether sources and data are still those of the hash."""
        here = {name: self.data / name for name in self.parts["data"]}
        threads, needs = self.parts["threads"], self.parts["needs"]
        try:
            parts = sources(self.notebook, threads, here, needs)
        except (OSError, ValueError):  # gone, or half-edited
            return False
        return fingerprint(parts, self.values) == self.key


def plan(
    notebook: str, given: Mapping[str, Any] | None = None, *, preset: str = "book", threads: int = 1
) -> Plan:
    """Check one run; for the parameters and errors see `run`."""
    return plan_points(notebook, [dict(given or {})], preset=preset, threads=threads)[0]


def plan_points(
    notebook: str, points: list[dict[str, Any]], *, preset: str, threads: int
) -> list[Plan]:
    """Check many runs of one notebook, each with its own parameters; see `run`."""
    path = find_notebook(notebook)
    known = declared(path)
    bases = {name: settle(path, name, {}) for name in {p.get("preset", preset) for p in points}}
    settled = [
        bases[point.get("preset", preset)] | canonical(path, known, point) for point in points
    ]
    common = {}  # what points share, by data and preset
    plans = []
    for point, values in zip(points, settled):
        kind = values.get("data"), values["preset"]
        if kind not in common:
            common[kind] = _needs_and_parts(path, *kind, threads)
        needs, parts = common[kind]
        folder = paths.runs_root() / path.stem / fingerprint(parts, values)
        given = {name: values[name] for name in point}
        plans.append(Plan(path, given, values, parts, folder, paths.data_root(), needs))
    return plans


def _needs_and_parts(
    path: Path, data: str | None, preset: str, threads: int
) -> tuple[tuple[Plan, ...], dict[str, Any]]:
    """Plan the runs that a notebook needs, at the same preset and data; say what it is made of."""
    presets, needs = read_presets(), []
    for name in presets["needs"].get(path.stem, []):
        given = {"data": data} if data and "data" in declared(find_notebook(name)) else {}
        needs.append(plan(name, given, preset=preset, threads=threads))
    files = data_files(presets["files"].get(path.stem, []) if data == "real" else [])
    keys = {need.notebook.stem: need.key for need in needs}
    return tuple(needs), sources(path, threads, files, keys)


def sources(
    notebook: Path, threads: int, data: Mapping[str, Path], needs: Mapping[str, str]
) -> dict[str, Any]:
    """Return all that a run is made of except its parameters; `needs` are hashes of runs."""
    return {
        "notebook": notebook.stem,
        "source": source(notebook),
        "modules": {p.relative_to(paths.ROOT).as_posix(): digest(p) for p in imports(notebook)[0]},
        "lock": digest(paths.LOCK),
        "python": "{}.{}".format(*sys.version_info),
        "threads": threads,
        "data": {name: _data_digest(path) for name, path in data.items()},
        "reads": {path.name: digest(path) for path in recorded_files(notebook.stem)},
        "needs": dict(needs),
    }


def fingerprint(parts: Mapping[str, Any], parameters: Mapping[str, Any]) -> str:
    """Return a run's hash, 16 hex digits, from its `sources` and its parameters."""
    text = json.dumps({**parts, "parameters": dict(parameters)}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def source(notebook: Path) -> str:
    """Return the SHA-256 of a notebook's cells, blind to outputs and editor metadata."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    kept = [[c["cell_type"], "".join(c["source"]), c["metadata"].get("tags", [])] for c in cells]
    return hashlib.sha256(json.dumps(kept).encode()).hexdigest()


def imports(notebook: Path) -> tuple[list[Path], list[str]]:
    """List our files and the modules of other packages that a notebook imports, through ours too.

    `ParameterError` when the notebook, or one of the files, is no Python.
    """
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
    plain = [line for line in code.splitlines() if not line.lstrip().startswith(("%", "!"))]
    todo, files, foreign = list(_imports("\n".join(plain), "", notebook)), set(), set()
    while todo:
        name = todo.pop()
        if name.partition(".")[0] != PACKAGE:
            foreign.add(name)
            continue
        path = _file(name)
        if path is None or path in files:
            continue
        files.add(path)
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        todo += _imports(path.read_text(encoding="utf-8"), package, path)
    return sorted(files), sorted(foreign)


def _file(name: str) -> Path | None:
    stem = paths.ROOT.joinpath(*name.split("."))
    options = (stem.with_suffix(".py"), stem / "__init__.py")
    return next((path for path in options if path.is_file()), None)


def _imports(code: str, package: str, path: Path) -> frozenset[str]:
    try:
        return _imported(code, package)
    except SyntaxError as error:
        text = (error.text or "").strip()
        raise ParameterError(f"{path.name} is not Python: {error.msg}: {text}") from None


@functools.cache  # a worker asks for each of its points, of files that stay the same
def _imported(code: str, package: str) -> frozenset[str]:
    """Return every dotted name that `code` may import, or names as "module:function"."""
    imported = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parent = package.split(".")[: 1 - node.level or None] if node.level else []
            base = ".".join([*parent, *filter(None, [node.module])])
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            named = FUNCTION.fullmatch(node.value)
            names = [named[1]] if named else []
        else:
            continue
        for name in names:
            parts = name.split(".")
            imported |= {".".join(parts[: i + 1]) for i in range(len(parts))}
    return frozenset(imported)


def recorded_files(notebook: str) -> list[Path]:
    """List the recorded tables that a notebook reads, as ``reads`` of ``presets.yml`` declares.

    A name stands for ``<name>.csv`` and, where there is one, ``<name>_verdicts.csv``.
    """
    files = []
    for name in read_presets()["reads"].get(notebook, []):
        table = paths.RECORDED / f"{name}.csv"
        if not table.is_file():
            raise FileNotFoundError(f"{notebook} reads {table}, which is not there")
        verdicts = table.with_name(f"{name}_verdicts.csv")
        files += [table, verdicts] if verdicts.is_file() else [table]
    return files


def data_files(patterns: Iterable[str]) -> dict[str, Path]:
    """Find the real data a notebook reads, by patterns relative to the data folder."""
    root, files = paths.data_root(), {}
    for pattern in patterns:
        matches = sorted(path for path in root.glob(pattern) if path.is_file())
        if not matches:
            raise FileNotFoundError(
                f"data=real needs {root / pattern}, which is not there; put the files there, "
                "or set CCHKD_DATA to the folder that holds them"
            )
        files |= {path.relative_to(root).as_posix(): path for path in matches}
    return files


def _data_digest(path: Path) -> str:
    """Return the SHA-256 of a file that may be large, which each point of a sweep asks for."""
    now = path.stat()
    return _remembered_digest(path, now.st_size, now.st_mtime_ns, now.st_ino)


@functools.cache
def _remembered_digest(path: Path, *_state: int) -> str:
    return digest(path)
