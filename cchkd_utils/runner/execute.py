"""One run: reuse or execute, and file the result under ``<runs>/<notebook>/<hash>/``."""

import errno
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
from functools import partial
from importlib import metadata
from itertools import takewhile
from pathlib import Path
from typing import Any

from cchkd_utils import __version__, paths
from cchkd_utils.runner import runs
from cchkd_utils.runner.parameters import declared
from cchkd_utils.runner.runs import Plan, plan

GPU = re.compile(r"\d+|(?:GPU|MIG)-.+")
OUT_OF_MEMORY = {"MemoryError", "OutOfMemoryError"}  # Python's and numpy's, CUDA's
FULL, FULL_TEXT = (errno.ENOSPC, errno.EDQUOT), os.strerror(errno.ENOSPC)  # of a disk
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
    def notebook(self) -> Path:  # as executed
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
    notebook : number, name or path
    given : parameters that differ from the preset's
    preset : smoke, book or paper
    threads : of the numerical libraries, part of the hash; small networks gain nothing from more
    force : run again although the result is there

    Raises
    ------
    ParameterError, FileNotFoundError
        Before anything starts: for an unknown notebook, preset or parameter, a bad value, and
        real data or recorded tables that are not there.
    RunError
        When a cell fails; the executed notebook is kept.
    """
    planned = plan(notebook, given, preset=preset, threads=threads)
    if not force and (record := runs.finished(planned.folder)):
        return Run(planned.folder, record, reused=True)
    for need in planned.chain()[:-1]:
        if not runs.finished(need.folder):
            perform(need, progress)
    return perform(planned, progress, force=force)


def perform(
    planned: Plan,
    progress: bool = False,
    *,
    force: bool = False,
    imports: list[str] | None = None,
    extra: dict[str, str] | None = None,
) -> Run:
    """Execute a planned run and file it; one at a time in a process.

    The kernel has `imports` ready (None starts it cold) and `extra` in its environment.
    """
    folder = planned.folder
    with _one_at_a_time, runs.workplace(folder) as part:
        kernel = {"imports": imports, "environment": _environment(planned, part) | (extra or {})}
        try:
            _check(planned)
            record = _execute(planned, part, kernel, progress)
            _check(planned)
        except Exception as error:
            if getattr(error, "errno", None) in FULL or FULL_TEXT in str(error):
                raise RunError(
                    f"{planned.notebook.stem}: no space left on the disk of {folder.parents[1]}; "
                    "nothing of this run is kept; make room, or set CCHKD_RUNS to another folder"
                ) from None
            kept = runs.keep_failed(part, folder)
            if not isinstance(error, RunError):
                raise
            note = f" (notebook kept: {kept})" if kept else ""
            raise type(error)(f"{planned.notebook.stem}: {error}{note}") from None
        shutil.rmtree(part / PROFILE, ignore_errors=True)
        record = runs.file_run(part, folder, record, replace=force)
    runs.failed_notebook(folder).unlink(missing_ok=True)  # it has succeeded since
    return Run(folder, record, reused=False)


def _check(planned: Plan) -> None:
    """Find out, before a run and after it, whether its hash says what it is made of."""
    if not planned.is_current():
        raise RunError("the sources or data changed, or differ on this machine; call again")
    for need in planned.needs:
        if not runs.finished(need.folder):
            raise RunError(f"it needs {need.notebook.stem}, whose run {need.key} is not there")


def _execute(planned: Plan, part: Path, kernel: dict[str, Any], progress: bool) -> dict[str, Any]:
    import papermill  # here, because it costs a second that a reused run need not pay
    from nbclient.exceptions import DeadKernelError
    from traitlets.config import Config

    from cchkd_utils.runner.kernels import ENGINE, KernelManager

    path, values = planned.notebook, planned.values
    defaults = {name: p.default for name, p in declared(path).items()}
    changed = {k: v for k, v in values.items() if k == "preset" or v != defaults[k]}
    sha = git_sha()
    if os.name == "posix":  # talk through files in the workplace, not through open local ports
        kernel = kernel | {"transport": "ipc", "connection_file": "kernel.json"}
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
            config=Config({"KernelManager": kernel}),
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
        "versions": {name: metadata.version(name) for name in VERSIONS},
        "machine": f"{platform.system()} {platform.machine()}, {len(visible_gpus())} GPUs",
        "parts": planned.parts | {"parameters": values},
    }
    return record | _tables(part, record)


def _tables(part: Path, record: dict[str, Any]) -> dict[str, Any]:
    """Check and stamp the tables that the notebook wrote; return their names and kind of data."""
    from cchkd_utils import results

    files = {name: part / f"{name}.csv" for name in results.TABLES}
    files = {name: path for name, path in files.items() if path.is_file()}
    if not files:
        raise RunError("no table: the notebook must call results.save")
    kinds = set()
    for name, path in files.items():
        try:
            results.stamp(path, name, record)
        except ValueError as error:
            raise RunError(f"{path.name}: {str(error).removeprefix(f'{path}: ')}") from None
        kinds |= set(results.read(path, name)["kind"])
    return {"tables": [*files], "kind": "+".join(sorted(kinds))}


def _environment(planned: Plan, folder: Path) -> dict[str, str]:
    """Return what the kernel is told: where to read and write, how many threads."""
    threads = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    search = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return {
        "CCHKD_RUN_FOLDER": str(folder),
        "CCHKD_NEEDS": os.pathsep.join(str(need.folder) for need in planned.needs),
        "CCHKD_READS": os.pathsep.join(planned.parts["reads"]),
        "CCHKD_RUNS": str(planned.folder.parents[1]),
        "CCHKD_DATA": str(planned.data),  # absolute: the kernel works in another folder
        **dict.fromkeys(threads, str(planned.parts["threads"])),
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": os.pathsep.join([str(paths.ROOT), *filter(os.path.isabs, search)]),
        "PYTHONSTARTUP": "",  # the user's own start-up files are no part of the hash
        "IPYTHONDIR": str(folder / PROFILE),
    }


def git_sha() -> str:
    """Return the commit of the sources, marked ``+`` when files differ from it.

    A repository around the folder of the sources is another project: "unknown", as without git.
    """
    git = partial(subprocess.check_output, cwd=paths.ROOT, text=True, stderr=subprocess.DEVNULL)
    try:
        top = git(["git", "rev-parse", "--show-toplevel"]).strip()
        if not paths.ROOT.samefile(top):
            return "unknown"
        sha = git(["git", "rev-parse", "--short=10", "HEAD"]).strip()
        return sha + "+" * bool(git(["git", "status", "--porcelain"]))
    except (OSError, subprocess.CalledProcessError):  # no git on this machine, or no repository
        return "unknown"


def visible_gpus() -> list[str]:
    """List the NVIDIA GPUs that notebooks may use, as ``CUDA_VISIBLE_DEVICES`` names them."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:  # CUDA stops at the first name that is none, such as -1
        return [*takewhile(GPU.fullmatch, (name.strip() for name in chosen.split(",")))]
    return [str(i) for i, _ in enumerate(Path("/proc/driver/nvidia/gpus").glob("*"))]
