"""One run: reuse or execute, and file the result under its hash.

A run's folder ``<runs>/<notebook>/<hash>/`` appears in one step, when everything in it is
there. A run that is killed leaves nothing that a later call would mistake for a result.
"""

import os
import platform
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from itertools import takewhile
from pathlib import Path
from typing import Any

from cchkd_utils import __version__, paths
from cchkd_utils.runner import folders
from cchkd_utils.runner.parameters import declared
from cchkd_utils.runner.plans import Plan, plan

GPU = re.compile(r"\d+|(?:GPU|MIG)-.+")
OUT_OF_MEMORY = {"MemoryError", "OutOfMemoryError"}  # Python's and numpy's, CUDA's
PROFILE = ".ipython"  # in the workplace: IPython's settings, none
VERSIONS = ("torch", "numpy", "scipy", "scikit-learn", "papermill")
_one_at_a_time = threading.Lock()  # papermill changes the folder of the whole process


class RunError(RuntimeError):
    """A notebook that failed; the message names the cell and the kept notebook."""


class KernelError(RunError):
    """A kernel that was killed or had no memory: not the notebook's fault, worth another try."""


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
    threads : of the numerical libraries. Small networks gain nothing from more than one, and
        the run then has the same hash on every machine
    force : run again although the result is there
    progress : show a bar on the console

    Raises
    ------
    ParameterError, FileNotFoundError
        Before anything starts: for a notebook, preset, parameter or value that there is not, and
        for real data or recorded tables that are not there.
    RunError
        When a cell fails; the executed notebook is kept.
    """
    planned = plan(notebook, given, preset=preset, threads=threads)
    record = None if force else folders.finished(planned.folder)
    if record:
        return Run(planned.folder, record, reused=True)
    *first, planned = planned.chain()
    for need in first:
        if not folders.finished(need.folder):
            perform(need, progress)
    return perform(planned, progress, force=force)


def perform(
    planned: Plan,
    progress: bool = False,
    *,
    force: bool = False,
    imports: list[str] | None = None,
    extra: Mapping[str, str] | None = None,
) -> Run:
    """Execute a planned run and file it; one at a time in a process.

    `imports` are modules that the kernel is to have ready (None starts it cold); `extra` is added
    to its environment.
    """
    folder = planned.folder
    with _one_at_a_time, folders.workplace(folder) as part:
        config = _kernel_config(imports, _environment(planned, part) | dict(extra or {}))
        try:
            _check(planned)
            record = _execute(planned, part, config, progress)
            _check(planned)
        except Exception as error:
            kept = folders.keep_failed(part, folder)
            if not isinstance(error, RunError):
                raise
            note = f" (notebook kept: {kept})" if kept else ""
            raise type(error)(f"{planned.notebook.stem}: {error}{note}") from None
        shutil.rmtree(part / PROFILE, ignore_errors=True)
        record = folders.file_run(part, folder, record, replace=force)
    folders.failed(folder).unlink(missing_ok=True)  # it has succeeded since
    return Run(folder, record, reused=False)


def _check(planned: Plan) -> None:
    """Find out, before a run and after it, whether its hash says what it is made of."""
    if not planned.is_current():
        raise RunError("the sources or data changed, or differ on this machine; call again")
    for need in planned.needs:
        if not folders.finished(need.folder):
            raise RunError(f"it needs {need.notebook.stem}, whose run {need.key} is not there")


def _execute(planned: Plan, part: Path, config: Any, progress: bool) -> dict[str, Any]:
    import papermill  # here, because it costs a second that a reused run need not pay
    from nbclient.exceptions import DeadKernelError

    from cchkd_utils.runner.kernels import ENGINE, KernelManager

    path, values = planned.notebook, planned.values
    defaults = {name: p.default for name, p in declared(path).items()}
    changed = {k: v for k, v in values.items() if k == "preset" or v != defaults[k]}
    versions = {name: metadata.version(name) for name in VERSIONS}
    sha = git_sha()
    started = time.monotonic()
    try:
        papermill.execute_notebook(
            path,
            part / "notebook.ipynb",
            parameters=changed,
            engine_name=ENGINE,
            kernel_name="python3",
            cwd=part,
            progress_bar={"desc": path.stem} if progress else False,
            start_timeout=300,  # seconds; a loaded machine is no reason to give up
            config=config,
            kernel_manager_class=KernelManager,
            extra_arguments=["--log-level=50"],  # a kernel's farewells are not the user's
        )
    except papermill.PapermillExecutionError as error:
        reason = (str(error.evalue).strip().splitlines() or [""])[0]
        kind = KernelError if error.ename in OUT_OF_MEMORY else RunError
        raise kind(f"cell {error.exec_count}: {error.ename}: {reason}") from None
    except DeadKernelError:
        raise KernelError("the kernel died: out of memory, or killed") from None
    except RuntimeError as error:
        raise KernelError(f"the kernel did not start: {' '.join(str(error).split())}") from None
    record = {
        "notebook": path.stem,
        "hash": planned.key,
        "preset": values["preset"],
        "parameters": values,
        "changed": changed,
        "threads": planned.parts["threads"],
        "seconds": round(time.monotonic() - started, 1),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "git_sha": sha,
        "version": __version__,
        "versions": versions,
        "machine": f"{platform.system()} {platform.machine()}, {len(visible_gpus())} GPUs",
        "parts": planned.parts | {"parameters": values},
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
            reason = str(error).removeprefix(f"{part / table}.csv: ")
            raise RunError(f"{table}.csv: {reason}") from None
        kinds |= set(results.read(part / f"{table}.csv", table)["kind"])
    return {"tables": tables, "kind": "+".join(sorted(kinds))}


def _kernel_config(imports: list[str] | None, environment: dict[str, str]) -> Any:
    from traitlets.config import Config

    options = {"imports": imports, "environment": environment}
    if os.name == "posix":  # talk through files in the workplace, not through open local ports
        options |= {"transport": "ipc", "connection_file": "kernel.json"}
    return Config({"KernelManager": options})


def _environment(planned: Plan, folder: Path) -> dict[str, str]:
    """Return what the kernel is told: where to read and write, how many threads."""
    count = str(planned.parts["threads"])
    search = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return {
        "CCHKD_RUN_FOLDER": str(folder),
        "CCHKD_NEEDS": os.pathsep.join(str(need.folder) for need in planned.needs),
        "CCHKD_READS": os.pathsep.join(planned.parts["reads"]),
        "CCHKD_RUNS": str(planned.folder.parents[1]),
        "CCHKD_DATA": str(planned.data),  # absolute: the kernel works in another folder
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": os.pathsep.join([str(paths.ROOT), *filter(os.path.isabs, search)]),
        "PYTHONSTARTUP": "",  # the user's own start-up files are no part of the hash
        "IPYTHONDIR": str(folder / PROFILE),
    }


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


def visible_gpus() -> list[str]:
    """List the NVIDIA GPUs that notebooks may use, as ``CUDA_VISIBLE_DEVICES`` names them."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:  # CUDA stops at the first name that is none, such as -1
        return [*takewhile(GPU.fullmatch, (name.strip() for name in chosen.split(",")))]
    return [str(i) for i, _ in enumerate(Path("/proc/driver/nvidia/gpus").glob("*"))]
