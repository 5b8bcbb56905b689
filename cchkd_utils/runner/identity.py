"""What a run is made of, as one hash: same hash, same results.

It covers the notebook's source, its parameters, the files of ``cchkd_utils`` that it imports
(followed through their own imports), the lock file, the Python version, the thread count, the
content of the real data that it reads, the recorded tables that it shows and the runs that it
needs.
"""

import ast
import functools
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cchkd_utils import paths
from cchkd_utils.runner.parameters import ParameterError

PACKAGE = "cchkd_utils"
RECORDED = re.compile(r"""\brecorded(?:\.read)?\(\s*["'](\w+)["']""")  # a table read by name


def digest(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _data_digest(path: Path) -> str:
    """Return the SHA-256 of a file that may be large, which each point of a sweep asks for."""
    now = path.stat()
    return _remembered_digest(path, now.st_size, now.st_mtime_ns, now.st_ino)


@functools.cache
def _remembered_digest(path: Path, *_state: int) -> str:
    return digest(path)


def source(notebook: Path) -> str:
    """Return the SHA-256 of a notebook's cells, blind to outputs and editor metadata."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    kept = [[c["cell_type"], "".join(c["source"]), c["metadata"].get("tags", [])] for c in cells]
    return hashlib.sha256(json.dumps(kept).encode()).hexdigest()


def modules(notebook: Path) -> list[Path]:
    """List the files of ``cchkd_utils`` that a notebook imports, directly or not.

    Raises
    ------
    ParameterError
        When the notebook, or one of these files, is no Python.
    """
    return sorted(_files_and_libraries(notebook)[0])


def libraries(notebook: Path) -> list[str]:
    """List the modules of other packages that a notebook imports, directly or through ours."""
    return sorted(_files_and_libraries(notebook)[1])


def _files_and_libraries(notebook: Path) -> tuple[set[Path], set[str]]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
    plain = "\n".join(
        line for line in code.splitlines() if not line.lstrip().startswith(("%", "!"))
    )
    todo, files, others = list(_imports(plain, "", notebook)), set(), set()
    while todo:
        name = todo.pop()
        if name.partition(".")[0] != PACKAGE:
            others.add(name)
            continue
        path = _file(name)
        if path is None or path in files:
            continue
        files.add(path)
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        todo += _imports(path.read_text(encoding="utf-8"), package, path)
    return files, others


def _imports(code: str, package: str, path: Path) -> frozenset[str]:
    try:
        return _imported(code, package)
    except SyntaxError as error:
        text = (error.text or "").strip()
        raise ParameterError(f"{path.name} is not Python: {error.msg}: {text}") from None


def recorded(notebook: Path) -> list[Path]:
    """List the recorded tables that a notebook or its modules read by name."""
    sources = [notebook, *modules(notebook)]
    text = "\n".join(path.read_text(encoding="utf-8").replace('\\"', '"') for path in sources)
    names = set(RECORDED.findall(text))
    stems = {f"{name}{table}" for name in names for table in ("", "_verdicts", "_estimates")}
    return sorted(path for path in paths.RECORDED.glob("*.csv") if path.stem in stems)


@functools.cache  # a worker asks for each of its points, of files that stay the same
def _imported(code: str, package: str) -> frozenset[str]:
    """Return every dotted name that `code` may import, parents included."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parent = package.split(".")[: 1 - node.level or None] if node.level else []
            base = ".".join([*parent, *filter(None, [node.module])])
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            parts = name.split(".")
            found |= {".".join(parts[: i + 1]) for i in range(len(parts))}
    return frozenset(found)


def _file(name: str) -> Path | None:
    stem = paths.ROOT.joinpath(*name.split("."))
    options = (stem.with_suffix(".py"), stem / "__init__.py")
    return next((path for path in options if path.is_file()), None)


def data_files(patterns: Iterable[str]) -> dict[str, Path]:
    """Find the real data a notebook reads, by patterns relative to the data folder.

    Raises
    ------
    FileNotFoundError
        When a pattern matches nothing.
    """
    root = paths.data_root()
    found = {}
    for pattern in patterns:
        matches = sorted(path for path in root.glob(pattern) if path.is_file())
        if not matches:
            raise FileNotFoundError(
                f"data=real needs {root / pattern}, which is not there; put the files there, "
                "or set CCHKD_DATA to the folder that holds them"
            )
        found |= {path.relative_to(root).as_posix(): path for path in matches}
    return found


def sources(
    notebook: Path, threads: int, data: Mapping[str, Path], needs: Mapping[str, str]
) -> dict[str, Any]:
    """Return all that a run is made of except its parameters; `needs` are hashes of runs."""
    return {
        "notebook": notebook.stem,
        "source": source(notebook),
        "modules": {p.relative_to(paths.ROOT).as_posix(): digest(p) for p in modules(notebook)},
        "lock": digest(paths.LOCK),
        "python": "{}.{}".format(*sys.version_info),
        "threads": threads,
        "data": {name: _data_digest(path) for name, path in data.items()},
        "recorded": {path.name: digest(path) for path in recorded(notebook)},
        "needs": dict(needs),
    }


def fingerprint(parts: Mapping[str, Any], parameters: Mapping[str, Any]) -> str:
    """Return a run's hash, 16 hex digits, from its `sources` and its parameters."""
    text = json.dumps({**parts, "parameters": dict(parameters)}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
