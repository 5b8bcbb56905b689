"""One run: check, reuse or execute, and file the result under its hash.

A run's folder ``<runs>/<notebook>/<hash>/`` appears in one step, when everything in it is
there. A run that is killed leaves nothing that a later call would mistake for a result.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from cchkd_utils import __version__, paths
from cchkd_utils.runner import identity
from cchkd_utils.runner.parameters import ParameterError, resolve

VERSIONS = ("torch", "numpy", "scipy", "scikit-learn", "papermill")


class RunError(RuntimeError):
    """A notebook that failed while it ran; the message names the cell and the kept notebook."""


@dataclass(frozen=True)
class Run:
    """A finished run: where it lies, what it was, and whether it was there already."""

    folder: Path
    record: dict[str, Any]
    reused: bool

    @property
    def notebook(self) -> Path:
        """The executed notebook."""
        return self.folder / "notebook.ipynb"


def notebooks() -> list[Path]:
    """List the notebooks, in the book's order."""
    return sorted(paths.NOTEBOOKS.glob("[0-9]*.ipynb"))


def find_notebook(name: str) -> Path:
    """Return a notebook by number (``02``), name or path.

    Raises
    ------
    ParameterError
        When there is none; the message lists those there are.
    """
    stem = Path(name).stem
    found = [
        p for p in notebooks() if stem and stem in (p.stem, p.stem.partition("_")[0], p.stem[3:])
    ]
    if len(found) != 1:
        names = ", ".join(path.stem for path in notebooks())
        raise ParameterError(f"there is no notebook {name!r}; there are: {names}")
    return found[0]


def read_presets() -> dict[str, Any]:
    """Read ``notebooks/presets.yml``: the presets, and the files that real data need."""
    return yaml.safe_load(paths.PRESETS.read_text(encoding="utf-8"))


def settle(notebook: Path, preset: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of every parameter of a run; see `parameters.resolve`."""
    presets = read_presets()["presets"]
    if preset not in presets:
        raise ParameterError(f"there is no preset {preset!r}; there are: {', '.join(presets)}")
    named = {**(presets[preset].get(notebook.stem) or {}), "preset": preset}
    return resolve(notebook, named, given)


def run(
    notebook: str,
    given: Mapping[str, Any] | None = None,
    *,
    preset: str = "book",
    threads: int = 1,
    force: bool = False,
    progress: bool = True,
) -> Run:
    """Run a notebook with parameters, or return the same run made earlier.

    Parameters
    ----------
    notebook : number, name or path of a notebook
    given : parameters that differ from the preset's
    preset : smoke, book or paper
    threads : threads of the numerical libraries. One is the default: small networks gain
        nothing from more, and the run then has the same hash on every machine
    force : run again although the result is there
    progress : show a bar on the console

    Raises
    ------
    ParameterError
        Before anything starts, for a notebook, preset or parameter that does not exist or a
        value out of range.
    FileNotFoundError
        Before anything starts, when ``data=real`` and the files are not there.
    RunError
        When a cell fails; the executed notebook is kept.
    """
    path = find_notebook(notebook)
    given = dict(given or {})
    preset = given.pop("preset", preset)
    values = settle(path, preset, given)
    patterns = read_presets()["files"].get(path.stem, []) if values.get("data") == "real" else []
    key, parts = identity.fingerprint(path, values, threads, identity.data_files(patterns))
    folder = paths.runs_root() / path.stem / key
    if not force and is_finished(folder):
        return Run(folder, json.loads((folder / "run.json").read_text()), reused=True)
    with _workplace(folder) as part:
        record = _execute(path, part, values, key, threads, progress)
        record["parts"] = parts
        (part / "run.json").write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
        _file(part, folder)
    return Run(folder, record, reused=False)


def is_finished(folder: Path) -> bool:
    """Say whether a run's folder is whole: its record, notebook and every table it names."""
    if not (folder / "run.json").is_file():
        return False
    tables = json.loads((folder / "run.json").read_text()).get("tables", [])
    files = ["notebook.ipynb", *(f"{table}.csv" for table in tables)]
    return bool(tables) and all((folder / name).is_file() for name in files)


@contextlib.contextmanager
def _workplace(folder: Path) -> Iterator[Path]:
    """Give a folder beside the final one, and remove it whatever happens."""
    stem = f".part-{socket.gethostname()}-"
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f"{stem}*"):  # of runs that were killed
        if not _is_alive(int(left.name.rpartition("-")[2])):
            shutil.rmtree(left, ignore_errors=True)
    part = folder.parent / f"{stem}{folder.name}-{os.getpid()}"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)  # signal 0 only asks
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _file(part: Path, folder: Path) -> None:
    """Move a whole run into its place; an older one of the same hash gives way."""
    if folder.exists():
        shutil.rmtree(folder)
    part.rename(folder)


def _execute(
    path: Path, part: Path, values: dict[str, Any], key: str, threads: int, progress: bool
) -> dict[str, Any]:
    import papermill  # here, because it costs a second that a reused run need not pay

    from cchkd_utils import results
    from cchkd_utils.runner.parameters import declared

    defaults = {name: p.default for name, p in declared(path).items()}
    changed = {k: v for k, v in values.items() if k == "preset" or v != defaults[k]}
    started = time.monotonic()
    with _environment(part, threads):
        try:
            papermill.execute_notebook(
                path,
                part / "notebook.ipynb",
                parameters=changed,
                kernel_name="python3",
                cwd=part,
                progress_bar={"desc": path.stem} if progress else False,
                config=_kernel_config(),
            )
        except papermill.PapermillExecutionError as error:
            raise RunError(_failure(path, part, key, error)) from None
    record = {
        "notebook": path.stem,
        "hash": key,
        "preset": values["preset"],
        "parameters": values,
        "changed": changed,
        "threads": threads,
        "seconds": round(time.monotonic() - started, 1),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "git_sha": git_sha(),
        "version": __version__,
        "versions": {name: metadata.version(name) for name in VERSIONS},
    }
    record["tables"] = [name for name in results.TABLES if (part / f"{name}.csv").is_file()]
    if not record["tables"]:
        kept = _keep(path, part, key)
        raise RunError(f"{path.stem}: no table: it must call results.save (notebook kept: {kept})")
    kinds = set()
    for table in record["tables"]:
        try:
            results.stamp(part / f"{table}.csv", table, record)
        except ValueError as error:
            kept = _keep(path, part, key)
            raise RunError(f"{path.stem}: {table}.csv: {error} (notebook kept: {kept})") from None
        kinds |= set(results.read(part / f"{table}.csv", table)["kind"])
    record["kind"] = "+".join(sorted(kinds))
    return record


def _kernel_config() -> Any:
    """Talk to the kernel through files of the user's own, not through open local ports."""
    from traitlets.config import Config

    return Config({"KernelManager": {"transport": "ipc"}} if os.name == "posix" else {})


def _failure(path: Path, part: Path, key: str, error: Any) -> str:
    kept = _keep(path, part, key)
    lines = str(error.evalue).strip().splitlines() or [""]
    return (
        f"{path.stem}: cell {error.exec_count}: {error.ename}: {lines[0]} (notebook kept: {kept})"
    )


def _keep(path: Path, part: Path, key: str) -> Path:
    """Keep a failed notebook, apart from the results, for its reader to look into."""
    kept = paths.runs_root() / path.stem / "failed" / f"{key}.ipynb"
    kept.parent.mkdir(exist_ok=True)
    (part / "notebook.ipynb").replace(kept)
    return kept


@contextlib.contextmanager
def _environment(folder: Path, threads: int) -> Iterator[None]:
    """Set what the kernel inherits: where to write, how many threads, which kernel."""
    count = str(threads)
    wanted = {
        "CCHKD_RUN_FOLDER": str(folder),
        "JUPYTER_PREFER_ENV_PATH": "1",  # this environment's kernel before the user's
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "PYTHONHASHSEED": "0",
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def git_sha() -> str:
    """Return the commit of the sources, marked ``+`` when files differ from it."""

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", paths.ROOT, *words], capture_output=True, text=True, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    sha = git("rev-parse", "--short=10", "HEAD")
    return (sha + ("+" if git("status", "--porcelain") else "")) or "unknown"
