"""One run: check, reuse or execute, and file the result under its hash.

A run's folder ``<runs>/<notebook>/<hash>/`` appears in one step, when everything in it is
there. A run that is killed leaves nothing that a later call would mistake for a result.
"""

import contextlib
import os
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
from cchkd_utils.runner import folders, identity
from cchkd_utils.runner.parameters import ParameterError, declared, resolve

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
    if os.sep in name or name.endswith(".ipynb"):
        found = [p for p in notebooks() if p.resolve() == Path(name).resolve()]
    else:
        word = name.zfill(2)  # 2 for 02
        found = [p for p in notebooks() if word in (p.stem, *p.stem.split("_", 1))]
    if len(found) != 1:
        names = ", ".join(path.stem for path in notebooks())
        raise ParameterError(f"there is no notebook {name!r}; there are: {names}")
    return found[0]


def read_presets() -> dict[str, Any]:
    """Read ``notebooks/presets.yml``: the presets, and the files that real data need."""
    try:
        read = yaml.safe_load(paths.PRESETS.read_text(encoding="utf-8"))
        for preset in read["presets"].values():
            for values in preset.values():
                dict(values or {})
        dict(read["files"])
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise ParameterError(f"{paths.PRESETS} is malformed: {reason}") from None
    return read


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
    record = None if force else folders.finished(folder)
    if record:
        return Run(folder, record, reused=True)
    with folders.workplace(folder) as part:
        try:
            record = _execute(path, part, values, key, threads, progress)
        except RunError as error:
            kept = folders.keep_failed(part, folder)
            raise RunError(f"{path.stem}: {error} (notebook kept: {kept})") from None
        folders.file_run(part, folder, record | {"parts": parts})
    return Run(folder, record, reused=False)


def _execute(
    path: Path, part: Path, values: dict[str, Any], key: str, threads: int, progress: bool
) -> dict[str, Any]:
    import papermill  # here, because it costs a second that a reused run need not pay
    from nbclient.exceptions import DeadKernelError

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
                extra_arguments=["--log-level=50"],  # a kernel's farewells are not the user's
            )
        except papermill.PapermillExecutionError as error:
            reason = (str(error.evalue).strip().splitlines() or [""])[0]
            raise RunError(f"cell {error.exec_count}: {error.ename}: {reason}") from None
        except DeadKernelError:
            raise RunError("the kernel died: out of memory, or killed") from None
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
    return record | _tables(part, record)


def _tables(part: Path, record: dict[str, Any]) -> dict[str, Any]:
    """Check and stamp the tables that the notebook wrote; return their names and kind of data."""
    from cchkd_utils import results

    tables = [name for name in results.TABLES if (part / f"{name}.csv").is_file()]
    if not tables:
        raise RunError("no table: the notebook must call results.save")
    kinds = set()
    for table in tables:
        try:
            results.stamp(part / f"{table}.csv", table, record)
        except ValueError as error:
            raise RunError(f"{table}.csv: {error}") from None
        kinds |= set(results.read(part / f"{table}.csv", table)["kind"])
    return {"tables": tables, "kind": "+".join(sorted(kinds))}


def _kernel_config() -> Any:
    """Talk to the kernel through files of the user's own, not through open local ports."""
    from traitlets.config import Config

    return Config({"KernelManager": {"transport": "ipc"}} if os.name == "posix" else {})


@contextlib.contextmanager
def _environment(folder: Path, threads: int) -> Iterator[None]:
    """Set what the kernel inherits: where to write, how many threads, which kernel."""
    count = str(threads)
    wanted = {
        "CCHKD_RUN_FOLDER": str(folder),
        "CCHKD_DATA": str(paths.data_root()),  # absolute: the kernel works in another folder
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
        try:
            done = subprocess.run(
                ["git", "-C", paths.ROOT, *words], capture_output=True, text=True, check=False
            )
        except OSError:  # no git on this machine
            return ""
        return done.stdout.strip() if done.returncode == 0 else ""

    sha = git("rev-parse", "--short=10", "HEAD")
    return (sha + ("+" if git("status", "--porcelain") else "")) or "unknown"
