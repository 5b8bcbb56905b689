"""A sweep: one notebook at every point of a grid, and one tidy table of all points.

Its folder ``<runs>/<notebook>/sweeps/<id>/`` is named by the runs that belong to it.
"""

import hashlib
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from cchkd_utils.runner import folders
from cchkd_utils.runner.cluster import check_where, default_workers, run_many
from cchkd_utils.runner.execute import Run, RunError
from cchkd_utils.runner.grid import grid_points
from cchkd_utils.runner.plans import Plan, plan_points


@dataclass(frozen=True)
class Sweep:
    """A finished grid: its folder, and the points that failed with their errors."""

    folder: Path
    done: int
    reused: int
    failed: list[tuple[dict[str, Any], str]]


def plan_sweep(
    notebook: str, grid: Mapping[str, Any], *, preset: str = "book", threads: int = 1
) -> list[Plan]:
    """Check every point of a grid; see `sweep`."""
    points = grid_points(notebook, grid, preset)
    return plan_points(notebook, points, preset=preset, threads=threads)


def sweep(
    notebook: str,
    grid: Mapping[str, Any],
    *,
    preset: str = "book",
    threads: int = 1,
    workers: int | None = None,
    scheduler: str | None = None,
) -> Sweep:
    """Run a notebook at every point of a grid and join the tables of all points.

    A point that fails is recorded and the rest go on; calling again runs only what is missing.
    The folder holds each table as CSV and parquet, each row with its run's hash, in the order of
    the grid; and ``failures.json`` with parameters, error and kept notebook.

    Parameters
    ----------
    grid : values per parameter: lists, or text as typed (``0..9``); see `read_grid` for a file
    preset, threads : of every run; see `run`
    workers, scheduler : where to run; see `run_many`

    Raises
    ------
    ParameterError, FileNotFoundError, OSError
        Before anything starts: for a bad point, missing data, a folder that cannot be written.
    SchedulerError
        When there is no scheduler or worker at the address given.
    """
    plans = plan_sweep(notebook, grid, preset=preset, threads=threads)
    check_where(workers, scheduler)
    _try_to_write(plans[0].folder.parent)
    outcomes = _outcomes(plans, workers, scheduler)
    failed = [(p.given, str(o)) for p, o in zip(plans, outcomes) if isinstance(o, RunError)]
    reused = [run.reused for run in outcomes if isinstance(run, Run)]
    return Sweep(_file(plans, outcomes, preset), reused.count(False), sum(reused), failed)


class Progress:
    """Counts the points that have to run; those that are there already take no time.

    The rate is taken after each of the `workers` has ended a first point: until then libraries
    are imported. A terminal gets one line that renews itself, a log plain lines.
    """

    def __init__(self, workers: int = 1, stream: TextIO | None = None) -> None:
        self._ended = 0
        self._workers = workers
        self._stream = stream or sys.stderr
        self._started = self._warm = time.monotonic()

    def add(self, given: Mapping[str, Any], word: str, left: int) -> None:
        """Report that a point ended, how (``done in 6 s``, ``failed``), and how many are left."""
        self._ended += 1
        now = time.monotonic()
        if self._ended == self._workers:
            self._warm = now
        spent = clock(now - self._started)
        line = f"[{spent}] {self._ended}/{self._ended + left} {word}: {setting(given)}"
        if self._ended >= 2 * self._workers:
            rate = (self._ended - self._workers) / max(now - self._warm, 1e-9)
            line += f" ({60 * rate:.3g} per minute, {clock(left / rate)} left)"
        if self._stream.isatty():
            line = "\r\x1b[K" + line[:119] + "\n" * (left == 0)
        else:
            line += "\n"
        self._stream.write(line)
        self._stream.flush()


def setting(given: Mapping[str, Any]) -> str:
    """Write parameters as they would be typed."""
    return " ".join(f"{name}={text(value)}" for name, value in given.items())


def text(value: Any) -> str:
    """Write a value as it would be typed as a point of a grid."""
    if isinstance(value, list):
        inner = ",".join(map(text, value))
        return inner if len(value) == 1 else f"[{inner}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def clock(seconds: float) -> str:
    """Write a time: ``8 s``, ``3 min 20 s``, ``2 h 05 min``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _try_to_write(runs: Path) -> None:
    """Find out before hours are spent."""
    with folders.workplace(runs / "sweep") as part:
        (part / "probe").write_bytes(b"0" * 4096)


def _outcomes(
    plans: Sequence[Plan], workers: int | None, scheduler: str | None
) -> list[Run | RunError]:
    outcomes: dict[int, Run | RunError] = {}
    progress = Progress(min(workers or default_workers(plans), len(plans)))
    try:
        for position, outcome in run_many(plans, workers=workers, scheduler=scheduler):
            outcomes[position] = outcome
            word = "failed"
            if isinstance(outcome, Run):
                if outcome.reused:
                    continue
                word = f"done in {outcome.record['seconds']:.1f} s"
            progress.add(plans[position].given, word, len(plans) - len(outcomes))
    finally:
        folders.clear(plans[0].folder.parent)  # what a killed worker left
    return [outcomes[position] for position in range(len(plans))]


def _file(plans: Sequence[Plan], outcomes: Sequence[Run | RunError], preset: str) -> Path:
    """Write the sweep's folder, unless it is there and holds just these runs."""
    names = hashlib.sha256(" ".join([*plans[0].given, *(p.key for p in plans)]).encode())
    folder = plans[0].folder.parent / "sweeps" / names.hexdigest()[:16]
    runs = [(p, outcome) for p, outcome in zip(plans, outcomes) if isinstance(outcome, Run)]
    failures = [_failure(p, o) for p, o in zip(plans, outcomes) if isinstance(o, RunError)]
    made = [run.record["files"] for _, run in runs], [failure["error"] for failure in failures]
    state = hashlib.sha256(json.dumps(made).encode()).hexdigest()
    known = folders.finished(folder)
    if known and known["state"] == state:
        return folder
    record = {
        "notebook": plans[0].notebook.stem,
        "hash": folder.name,
        "preset": preset,
        "axes": {name: _distinct(plan.given[name] for plan in plans) for name in plans[0].given},
        "points": len(plans),
        "failed": len(failures),
        "state": state,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with folders.workplace(folder) as part:
        record["tables"] = _join(runs, part) if runs else []
        if failures:
            lines = json.dumps(failures, indent=1) + "\n"
            (part / "failures.json").write_text(lines, encoding="utf-8")
        folders.file_run(part, folder, record, replace=True)
    return folder


def _distinct(values: Any) -> list[Any]:
    return list({repr(value): value for value in values}.values())


def _failure(plan: Plan, error: RunError) -> dict[str, Any]:
    kept = folders.failed(plan.folder)
    where = str(kept) if kept.exists() else None
    return {"hash": plan.key, "parameters": plan.given, "error": str(error), "notebook": where}


def _join(runs: Sequence[tuple[Plan, Run]], folder: Path) -> list[str]:
    """Write the tables of all runs, one below the other; return their names.

    A swept parameter becomes a column of all tables; where one has a column of this name that
    says something else, it is called ``point_<name>``.
    """
    import pandas as pd

    from cchkd_utils import results

    points = [plan.given for plan, _ in runs]
    tables = {
        table: [
            (i, results.read(run.folder / f"{table}.csv", table))
            for i, (_, run) in enumerate(runs)
            if table in run.record["tables"]
        ]
        for table in results.TABLES
    }
    tables = {table: parts for table, parts in tables.items() if parts}
    taken = {
        name
        for parts in tables.values()
        for i, rows in parts
        for name, value in points[i].items()
        if name in rows and not _says(rows[name], value)
    }
    columns = [
        {f"point_{name}" if name in taken else name: value for name, value in own.items()}
        for own in _columns(points)
    ]
    for table, parts in tables.items():
        frames = [
            rows.assign(**{k: v for k, v in columns[i].items() if k not in rows})
            for i, rows in parts
        ]
        frame = pd.concat(frames, ignore_index=True)
        results.write(frame, folder / f"{table}.csv")
        frame.to_parquet(folder / f"{table}.parquet", index=False)
    return [*tables]


def _says(column: Any, value: Any) -> bool:
    """Say whether a column of a table holds nothing but the value of the point."""
    return set(column.dropna()) <= set(value if isinstance(value, list) else [value])


def _columns(points: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the columns of each point: the value itself, or text where some points are lists."""
    single = {
        name: all(not isinstance(p[name], list) or len(p[name]) == 1 for p in points)
        for name in points[0]
    }
    bare = {True: lambda value: value[0] if isinstance(value, list) else value, False: text}
    return [{name: bare[single[name]](value) for name, value in p.items()} for p in points]
