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

from cchkd_utils.runner import runs
from cchkd_utils.runner.cluster import check_where, default_workers, run_many
from cchkd_utils.runner.execute import Run, RunError
from cchkd_utils.runner.parameters import grid_points
from cchkd_utils.runner.runs import Plan, plan_points


@dataclass(frozen=True)
class Sweep:
    folder: Path
    done: int
    reused: int
    failed: list[tuple[dict[str, Any], str]]  # points and their errors


def plan_sweep(
    notebook: str, grid: Mapping[str, Any], *, preset: str = "book", threads: int = 1
) -> list[Plan]:
    """Check every point of a grid; see `sweep`."""
    return plan_points(notebook, grid_points(notebook, grid), preset=preset, threads=threads)


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
    grid : values per parameter: lists, or text as typed (``0..9``)
    workers : side by side on this machine; by default one per core (divided by the runs'
        threads), or one per GPU
    scheduler : address of another Dask scheduler instead, ``tcp://host:port``

    Raises
    ------
    ParameterError, FileNotFoundError, OSError
        Before anything starts: for a bad point, missing data, a folder that cannot be written.
    SchedulerError
        When there is no scheduler or worker at the address given.
    """
    plans = plan_sweep(notebook, grid, preset=preset, threads=threads)
    check_where(workers, scheduler)
    with runs.workplace(plans[0].folder.with_name("sweep")) as part:
        (part / "probe").write_bytes(b"0" * 4096)  # find out before hours are spent
    outcomes: dict[int, Run | RunError] = {}
    progress = Progress(min(workers or default_workers(plans), len(plans)))
    try:
        for position, outcome in run_many(plans, workers=workers, scheduler=scheduler):
            outcomes[position] = outcome
            is_run = isinstance(outcome, Run)
            if not (is_run and outcome.reused):
                word = f"done in {outcome.record['seconds']:.1f} s" if is_run else "failed"
                progress.add(plans[position].given, word, len(plans) - len(outcomes))
    finally:
        runs.clear_killed(plans[0].folder.parent)  # what a killed worker left
    ended = [(plan, outcomes[position]) for position, plan in enumerate(plans)]
    made = [(plan, run) for plan, run in ended if isinstance(run, Run)]
    failures = [_failure(plan, error) for plan, error in ended if isinstance(error, RunError)]
    reused = sum(run.reused for _, run in made)
    failed = [(failure["parameters"], failure["error"]) for failure in failures]
    return Sweep(_file(plans, made, failures, preset), len(made) - reused, reused, failed)


class Progress:
    """Counts the points that have to run; a terminal gets one line that renews itself.

    The rate is taken after each worker's first point: until then libraries are imported.
    """

    def __init__(self, workers: int = 1, stream: TextIO | None = None) -> None:
        self._ended, self._workers, self._stream = 0, workers, stream or sys.stderr
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
        ends = "\n"
        if self._stream.isatty():
            line, ends = "\r\x1b[K" + line[:119], "\n" * (left == 0)
        print(line, end=ends, file=self._stream, flush=True)


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


def _file(
    plans: Sequence[Plan], made: list[tuple[Plan, Run]], failures: list[dict[str, Any]], preset: str
) -> Path:
    """Write the sweep's folder, unless it is there and holds just these runs."""
    names = hashlib.sha256(" ".join([*plans[0].given, *(p.key for p in plans)]).encode())
    folder = plans[0].folder.parent / "sweeps" / names.hexdigest()[:16]
    content = [run.record["files"] for _, run in made], [failure["error"] for failure in failures]
    state = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    if (known := runs.finished(folder)) and known["state"] == state:
        return folder
    swept = {
        name: [*{repr(plan.given[name]): plan.given[name] for plan in plans}.values()]
        for name in plans[0].given
    }
    record = {
        "notebook": plans[0].notebook.stem,
        "hash": folder.name,
        "preset": preset,
        "axes": swept,
        "points": len(plans),
        "failed": len(failures),
        "state": state,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with runs.workplace(folder) as part:
        record["tables"] = _join(made, part)
        if failures:
            lines = json.dumps(failures, indent=1) + "\n"
            (part / "failures.json").write_text(lines, encoding="utf-8")
        runs.file_run(part, folder, record, replace=True)
    return folder


def _failure(plan: Plan, error: RunError) -> dict[str, Any]:
    kept = runs.failed_notebook(plan.folder)
    where = str(kept) if kept.exists() else None
    return {"hash": plan.key, "parameters": plan.given, "error": str(error), "notebook": where}


def _join(made: Sequence[tuple[Plan, Run]], folder: Path) -> list[str]:
    """Write the tables of all runs, one below the other; return their names.

    A swept parameter becomes a column of all tables; where one has a column of this name that
    says something else, it is called ``point_<name>``.
    """
    import pandas as pd

    from cchkd_utils import results

    tables = {}
    for table in results.TABLES:
        parts = [
            (plan.given, results.read(run.folder / f"{table}.csv", table))
            for plan, run in made
            if table in run.record["tables"]
        ]
        if parts:
            tables[table] = parts
    taken = {
        name
        for parts in tables.values()
        for point, rows in parts
        for name, value in point.items()
        if name in rows and not set(rows[name].dropna()) <= set(_listed(value))
    }
    lists = {n for plan, _ in made for n, value in plan.given.items() if len(_listed(value)) > 1}
    for table, parts in tables.items():
        frames = []
        for point, rows in parts:
            new = {}
            for name, value in point.items():
                column = f"point_{name}" if name in taken else name
                if column not in rows:
                    new[column] = text(value) if name in lists else _listed(value)[0]
            frames.append(rows.assign(**new))
        frame = pd.concat(frames, ignore_index=True)
        results.write(frame, folder / f"{table}.csv")
        frame.to_parquet(folder / f"{table}.parquet", index=False)
    return [*tables]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
