"""Many runs: side by side in processes of their own, and grids of parameters."""

import hashlib
import itertools
import os
import re
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

from cchkd_utils import paths
from cchkd_utils.runner.execute import Run, RunError, find_notebook, run, settle
from cchkd_utils.runner.parameters import ParameterError

RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)")


@dataclass(frozen=True)
class Job:
    """One run to make: notebook, parameters that differ from the preset's, preset, threads."""

    notebook: str
    given: Mapping[str, Any]
    preset: str = "book"
    threads: int = 1

    def check(self) -> None:
        """Raise `ParameterError` unless the job could start."""
        settle(find_notebook(self.notebook), self.preset, self.given)


@dataclass(frozen=True)
class Sweep:
    """A finished grid: its two tables, and the points that failed with their errors."""

    folder: Path
    done: int
    reused: int
    failed: list[tuple[dict[str, Any], str]]


def run_many(jobs: Sequence[Job], workers: int | None = None) -> Iterator[Run | RunError]:
    """Run jobs side by side and yield each run, or its error, in the order of `jobs`.

    Parameters
    ----------
    jobs : checked before the first one starts
    workers : processes; by default as many as the cores allow with the jobs' threads

    Raises
    ------
    ParameterError
        When one of the jobs could not start; none is started then.
    """
    for job in jobs:
        job.check()
    threads = max((job.threads for job in jobs), default=1)
    workers = workers or max(1, (os.cpu_count() or 1) // threads)
    pool = ProcessPoolExecutor(
        max(1, min(workers, len(jobs))),
        mp_context=get_context("spawn"),
        initializer=_adopt,
        initargs=(paths.NOTEBOOKS, paths.PRESETS),
    )
    try:
        for future in [pool.submit(_run, job) for job in jobs]:
            yield _outcome(future)
    except KeyboardInterrupt:
        for worker in active_children():
            worker.terminate()  # its kernel ends with it
        raise
    finally:
        pool.shutdown(cancel_futures=True)  # those not started; when interrupted there are some


def _adopt(notebooks: Path, presets: Path) -> None:
    """Give a worker the folders of the process that started it, and leave Ctrl-C to that one."""
    paths.NOTEBOOKS, paths.PRESETS = notebooks, presets
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _run(job: Job) -> Run:
    # No bars: those of several notebooks would overwrite each other.
    return run(job.notebook, job.given, preset=job.preset, threads=job.threads, progress=False)


def _outcome(future: Future) -> Run | RunError:
    try:
        return future.result()
    except RunError as error:
        return error
    except (OSError, ValueError) as error:
        return RunError(str(error))
    except BrokenProcessPool:
        return RunError("a worker died (killed, or out of memory); call again to go on")


def grid_points(notebook: str, grid: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Expand a grid to its points: every combination of one value per parameter.

    Values are a list, or text as typed: ``0.2,0.5``, or ``0..9`` for whole numbers.

    Raises
    ------
    ParameterError
        For an empty axis or a value the notebook does not take.
    """
    path = find_notebook(notebook)
    axes = {name: _axis(name, values) for name, values in grid.items()}
    points = [dict(zip(axes, values)) for values in itertools.product(*axes.values())]
    settled = [settle(path, "book", point) for point in points]
    points = [{name: values[name] for name in axes} for values in settled]
    if len({repr(point) for point in points}) < len(points):
        raise ParameterError(f"{path.stem}: the grid names one point twice")
    return points


def _axis(name: str, values: Any) -> list[Any]:
    if isinstance(values, str):
        parts = [part.strip() for part in values.split(",")]
        values = [one for part in parts for one in _range(part)]
    values = list(values) if isinstance(values, list | tuple | range) else [values]
    if not values:
        raise ParameterError(f"{name} has no value: give at least one")
    return values


def _range(part: str) -> list[str]:
    match = RANGE.fullmatch(part)
    if not match:
        return [part]
    low, high = int(match[1]), int(match[2])
    if not low <= high <= low + 99_999:
        raise ParameterError(f"{part} is not a range: the first number must be the smaller one")
    return [str(one) for one in range(low, high + 1)]


def sweep(
    notebook: str,
    grid: Mapping[str, Any],
    *,
    preset: str = "book",
    threads: int = 1,
    workers: int | None = None,
) -> Sweep:
    """Run a notebook at every point of a grid and join the tables of all points.

    A point that fails is reported and the rest go on; calling again runs only what is missing.

    Returns
    -------
    Sweep
        Its folder holds ``results.csv`` and ``verdicts.csv``, each row with its run's hash.

    Raises
    ------
    ParameterError
        Before anything starts, for a bad point.
    """
    jobs = [Job(notebook, point, preset, threads) for point in grid_points(notebook, grid)]
    started, outcomes = time.monotonic(), []
    for job, outcome in zip(jobs, run_many(jobs, workers)):
        outcomes.append(outcome)
        word = "failed" if isinstance(outcome, RunError) else "done"
        setting = " ".join(f"{name}={value}" for name, value in job.given.items())
        spent = time.monotonic() - started
        print(f"[{spent:4.0f} s] {len(outcomes)}/{len(jobs)} {word}: {setting}", flush=True)
    runs = [(job, one) for job, one in zip(jobs, outcomes) if isinstance(one, Run)]
    failed = [(dict(j.given), str(o)) for j, o in zip(jobs, outcomes) if isinstance(o, RunError)]
    folder = _join(find_notebook(notebook).stem, runs) if runs else Path()
    reused = sum(one.reused for _, one in runs)
    return Sweep(folder, len(runs) - reused, reused, failed)


def _join(stem: str, runs: Sequence[tuple[Job, Run]]) -> Path:
    """Write the tables of all runs, one below the other, to a folder named by their hashes.

    A swept parameter that is not a column of the table already becomes one.
    """
    import pandas as pd

    from cchkd_utils import results

    keys = [one.folder.name for _, one in runs]
    name = hashlib.sha256("".join(keys).encode()).hexdigest()[:16]
    folder = paths.runs_root() / stem / "sweeps" / name
    folder.mkdir(parents=True, exist_ok=True)
    for table in runs[0][1].record["tables"]:
        parts = []
        for job, one in runs:
            rows = results.read(one.folder / f"{table}.csv", table)
            swept = {axis: str(value) for axis, value in job.given.items() if axis not in rows}
            parts.append(rows.assign(**swept))
        results.write(pd.concat(parts, ignore_index=True), folder / f"{table}.csv")
    return folder
