"""A checked run before it starts, the hash that says what it is made of, and its folder.

Same hash, same results. It covers the notebook's source, its parameters, the files of
``cchkd_utils`` that it imports (followed through their own imports), the lock file, the Python
version, the thread count, and what ``presets.yml`` declares: the content of the real data and of
the recorded tables that the notebook reads, and the runs that it needs.

The folder appears in one step, when everything in it is there: a killed run leaves nothing that
a later call would mistake for a result.
"""

import ast
import contextlib
import functools
import hashlib
import itertools
import json
import shutil
import sys
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cchkd_utils import paths
from cchkd_utils.runner import parameters
from cchkd_utils.runner.parameters import ParameterError, find_notebook, read_presets

try:
    import fcntl
except ImportError:  # Windows: what a killed run left stays until somebody removes it
    fcntl = None

PACKAGE = "cchkd_utils"
PART = ".part-"
LOCK = ".lock"  # held as long as the process that works in the folder is alive


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
    def key(self) -> str:  # the run's hash
        return self.folder.name

    def chain(self) -> "tuple[Plan, ...]":
        """Return the runs that this one needs, each after those it needs itself, and this one."""
        return (*(plan for need in self.needs for plan in need.chain()), self)

    def is_current(self) -> bool:
        """Say whether sources and data are still those of the hash."""
        try:
            files = {name: paths.data_file(name, self.data) for name in self.parts["data"]}
            parts = sources(self.notebook, self.parts["threads"], files, self.parts["needs"])
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
    known = parameters.declared(path)
    checked = [parameters.canonical(path, known, point) for point in points]
    base = functools.cache(lambda name: parameters.settle(path, name, {}))
    base(preset)  # refused although each point names its own
    settled = [base(given.get("preset", preset)) | given for given in checked]
    shared = functools.cache(functools.partial(_needs_and_parts, path, threads))
    plans = []
    for given, values in zip(checked, settled):
        needs, parts = shared(values.get("data"), values["preset"])
        folder = paths.runs_root() / path.stem / fingerprint(parts, values)
        plans.append(Plan(path, given, values, parts, folder, paths.data_root(), needs))
    return plans


def _needs_and_parts(
    path: Path, threads: int, data: str | None, preset: str
) -> tuple[tuple[Plan, ...], dict[str, Any]]:
    """Plan the runs that a notebook needs, at the same preset and data; say what it is made of."""
    presets, needs = read_presets(), []
    for name in presets["needs"].get(path.stem, []):
        given = (
            {"data": data} if data and "data" in parameters.declared(find_notebook(name)) else {}
        )
        needs.append(plan(name, given, preset=preset, threads=threads))
    files = data_files(presets["files"].get(path.stem, []) if data == "real" else [])
    keys = {need.notebook.stem: need.key for need in needs}
    return tuple(needs), sources(path, threads, files, keys)


def sources(
    notebook: Path, threads: int, data: Mapping[str, Path], needs: Mapping[str, str]
) -> dict[str, Any]:
    """Return all that a run is made of except its parameters; `needs` are hashes of runs."""
    # Of the notebook its cells count, not outputs and editor metadata.
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    kept = [[c["cell_type"], "".join(c["source"]), c["metadata"].get("tags", [])] for c in cells]
    return {
        "notebook": notebook.stem,
        "source": hashlib.sha256(json.dumps(kept).encode()).hexdigest(),
        "modules": {p.relative_to(paths.ROOT).as_posix(): digest(p) for p in imports(notebook)[0]},
        "lock": digest(paths.LOCK),
        "python": "{}.{}".format(*sys.version_info),
        "threads": threads,
        "data": {name: _data_digest(path) for name, path in data.items()},
        "reads": {path.name: digest(path) for path in recorded_files(notebook.stem)},
        "needs": dict(needs),
    }


def fingerprint(parts: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """Return a run's hash, 16 hex digits, from its `sources` and its parameters' values."""
    text = json.dumps({**parts, "parameters": dict(values)}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def imports(notebook: Path) -> tuple[list[Path], list[str]]:
    """List our files and the modules of others that a notebook imports, through ours too."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
    plain = [line for line in code.splitlines() if not line.lstrip().startswith(("%", "!"))]
    todo, files, foreign = list(_imported("\n".join(plain), "", notebook)), set(), set()
    while todo:
        name = todo.pop()
        if name.partition(".")[0] != PACKAGE:
            foreign.add(name)
            continue
        stem = paths.ROOT.joinpath(*name.split("."))
        options = (stem.with_suffix(".py"), stem / "__init__.py")
        path = next((path for path in options if path.is_file()), None)
        if path is None or path in files:
            continue
        files.add(path)
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        todo += _imported(path.read_text(encoding="utf-8"), package, path)
    return sorted(files), sorted(foreign)


@functools.cache  # a worker asks for each of its points, of files that stay the same
def _imported(code: str, package: str, path: Path) -> frozenset[str]:
    """Return every dotted name that `code` may import, or names as "module:function"."""
    try:
        tree = ast.parse(code)
    except SyntaxError as error:
        text = (error.text or "").strip()
        raise ParameterError(f"{path.name} is not Python: {error.msg}: {text}") from None
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parent = package.split(".")[: 1 - node.level or None] if node.level else []
            base = ".".join([*parent, *filter(None, [node.module])])
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            imported.update(itertools.accumulate(name.split("."), "{}.{}".format))
    return frozenset(imported)


def recorded_files(notebook: str) -> list[Path]:
    """List the recorded tables that a notebook reads, and those of verdicts beside them."""
    files = []
    for name in read_presets()["reads"].get(notebook, []):
        table = paths.RECORDED / f"{name}.csv"
        if not table.is_file():
            raise FileNotFoundError(f"{notebook} reads {table}, which is not there")
        verdicts = table.with_name(f"{name}_verdicts.csv")
        files += [table, verdicts] if verdicts.is_file() else [table]
    return files


def data_files(patterns: Iterable[str]) -> dict[str, Path]:
    """Find the real data a notebook reads, by patterns as in `paths.matching`."""
    files: dict[str, Path] = {}
    for pattern in patterns:
        matches = paths.matching(pattern)
        if not matches and ":" not in pattern:  # no package has to be there
            raise FileNotFoundError(
                f"data=real needs {paths.data_root() / pattern}, which is not there; put the files "
                "there, or set CCHKD_DATA to the folder that holds them"
            )
        files |= matches
    return files


def _data_digest(path: Path) -> str:
    """Return the SHA-256 of a file that may be large, which each point of a sweep asks for."""
    now = path.stat()
    return _remembered_digest(path, now.st_size, now.st_mtime_ns, now.st_ino)


_remembered_digest = functools.cache(lambda path, *state: digest(path))


def digest(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def finished(folder: Path) -> dict[str, Any] | None:
    """Return the record of a whole run, or None: every file it names is there, unchanged."""
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        whole = record["hash"] == folder.name and all(
            _is_inside(name) and (folder / name).is_file() and digest(folder / name) == sha
            for name, sha in record["files"].items()
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return record if whole else None


def _is_inside(name: str) -> bool:
    return not Path(name).is_absolute() and ".." not in Path(name).parts


@contextlib.contextmanager
def workplace(folder: Path) -> Iterator[Path]:
    """Give a locked folder beside the final one, and remove it whatever happens."""
    part = folder.parent / f"{PART}{folder.name}-{uuid.uuid4().hex[:8]}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        clear_killed(folder.parent)
        part.mkdir()
    except OSError as error:
        raise type(error)(
            f"{folder.parent} cannot be written ({error.strerror}); set CCHKD_RUNS to a folder "
            "that can"
        ) from None
    new = part / f"{LOCK}-new"  # under its name only when it is held
    try:
        with new.open("w") if fcntl else contextlib.nullcontext() as file:
            if fcntl:
                with contextlib.suppress(OSError):  # a file system without locks: never cleared
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    new.rename(part / LOCK)
                new.unlink(missing_ok=True)
            yield part
    finally:
        _remove(part)


def _remove(part: Path) -> None:
    """Remove a workplace, its lock last: who is killed at it leaves what can be cleared."""
    for attempt in range(20):  # a kernel that is ending may write once more
        time.sleep(0.1 * bool(attempt))
        with contextlib.suppress(OSError):
            for path in part.iterdir():
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                elif path.name != LOCK:
                    path.unlink(missing_ok=True)
            if {path.name for path in part.iterdir()} <= {LOCK}:
                (part / LOCK).unlink(missing_ok=True)
                part.rmdir()
        if not part.exists():
            return


def clear_killed(folder: Path) -> None:
    """Remove the workplaces of runs that were killed, whichever machine they ran on."""
    for lock in folder.glob(f"{PART}*/{LOCK}") if fcntl else ():
        with contextlib.suppress(OSError), lock.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(lock.parent)


def file_run(
    part: Path, folder: Path, record: dict[str, Any], *, replace: bool = False
) -> dict[str, Any]:
    """Complete a run's record and move it to its place; a whole run there stays, unless replaced.

    Returned is the record that lies there.
    """
    if not replace and (there := finished(folder)):
        return there
    (part / LOCK).unlink(missing_ok=True)  # from here on there is nothing to clear
    files = sorted(path for path in part.rglob("*") if path.is_file())
    record = record | {"files": {p.relative_to(part).as_posix(): digest(p) for p in files}}
    text = json.dumps(record, indent=1)
    (part / "run.json").write_text(text + "\n", encoding="utf-8")
    aside = part.with_name(f"{part.name}-old")
    with contextlib.suppress(FileNotFoundError):
        folder.rename(aside)
    try:
        part.rename(folder)
    except OSError:  # the same run, made at the same time by another process, came first
        if there := finished(folder):
            return there
        with contextlib.suppress(OSError):
            aside.rename(folder)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return record


def failed_notebook(folder: Path) -> Path:
    """Return where the notebook of a failed run is kept, apart from the results."""
    return folder.parent / "failed" / f"{folder.name}.ipynb"


def keep_failed(part: Path, folder: Path) -> Path | None:
    """Keep a failed notebook for its reader to look into; None when there is none."""
    kept = failed_notebook(folder)
    kept.parent.mkdir(exist_ok=True)
    try:
        return (part / "notebook.ipynb").replace(kept)
    except FileNotFoundError:
        return None
