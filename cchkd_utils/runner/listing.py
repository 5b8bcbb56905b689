"""What runs and sweeps of a notebook there are, and how long runs took."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from cchkd_utils import paths
from cchkd_utils.runner import folders, identity
from cchkd_utils.runner.cluster import default_workers
from cchkd_utils.runner.grid import axes
from cchkd_utils.runner.plans import find_notebook
from cchkd_utils.runner.progress import clock, setting, text
from cchkd_utils.runner.sweep import plan_sweep

CODE = ("source", "modules", "lock", "python")


@dataclass(frozen=True)
class Listed:
    """A run that is there, and whether it was made by the sources as they are now."""

    folder: Path
    record: dict[str, Any]
    current: bool


def list_runs(
    notebook: str, filters: Mapping[str, Any] | None = None, preset: str | None = None
) -> list[Listed]:
    """List the finished runs of a notebook, the latest last.

    Parameters
    ----------
    notebook : number, name or path of a notebook
    filters : parameters and the values to show, in the form of a sweep's grid: ``blur=0..2``
    preset : show only runs of this preset

    Raises
    ------
    ParameterError
        For a notebook, parameter or value that does not exist.
    """
    path = find_notebook(notebook)
    wanted = axes(path, filters or {})
    now = identity.sources(path, 1, {}, {})
    found = []
    for record in _records(paths.runs_root() / path.stem):
        values = record["parameters"]
        if preset not in (None, record["preset"]):
            continue
        if all(name in values and values[name] in some for name, some in wanted.items()):
            current = all(record["parts"].get(name) == now[name] for name in CODE)
            found.append(Listed(paths.runs_root() / path.stem / record["hash"], record, current))
    return sorted(found, key=lambda one: one.record["finished"])


def list_sweeps(notebook: str) -> list[dict[str, Any]]:
    """List the records of the sweeps of a notebook, the latest last."""
    folder = paths.runs_root() / find_notebook(notebook).stem / "sweeps"
    return sorted(_records(folder), key=lambda record: record["finished"])


def _records(folder: Path) -> Iterator[dict[str, Any]]:
    for path in folder.glob("[0-9a-f]*/run.json"):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            if record["hash"] == path.parent.name and record["finished"] and record["preset"]:
                yield record
        except (OSError, ValueError, TypeError, KeyError):  # damaged: a run would be made again
            continue


def overview(
    notebook: str, filters: Mapping[str, Any] | None = None, preset: str | None = None
) -> str:
    """Write a line per run and per sweep that is there; for the parameters see `list_runs`."""
    lines = []
    for one in list_runs(notebook, filters, preset):
        changed = {k: v for k, v in one.record["changed"].items() if k != "preset"}
        state = "" if one.current else "  (older sources)"
        lines.append(_line(one.record, f"{one.record['seconds']:7.1f} s", changed) + state)
    count = len(lines)
    for record in list_sweeps(notebook) if not filters else []:
        if preset in (None, record["preset"]):
            size = f"{record['points']:>3} points"
            swept = {k: ",".join(map(text, v)) for k, v in record["axes"].items()}
            missing = f"  ({record['failed']} failed)" if record["failed"] else ""
            lines.append(_line(record, size, swept) + missing)
    folder = paths.runs_root() / find_notebook(notebook).stem
    return "\n".join([*lines, f"{count} runs, {len(lines) - count} sweeps in {folder}"])


def _line(record: Mapping[str, Any], size: str, changed: Mapping[str, Any]) -> str:
    when = record["finished"][:16].replace("T", " ")
    return f"{record['hash']}  {when}  {record['preset']:5}  {size:>10}  {setting(changed)}"


def preview(
    notebook: str,
    grid: Mapping[str, Any],
    *,
    preset: str = "book",
    threads: int = 1,
    workers: int | None = None,
) -> str:
    """Write a line per point of a sweep, which are there already, and how long the rest takes."""
    plans = plan_sweep(notebook, grid, preset=preset, threads=threads)
    there = [folders.finished(plan.folder) is not None for plan in plans]
    lines = [
        f"{'reused ' if old else 'to run '} {setting(plan.given) or '(the preset as it is)'}"
        for plan, old in zip(plans, there)
    ]
    missing = there.count(False)
    total = f"{len(plans)} points: {len(plans) - missing} reused, {missing} to run"
    workers = min(workers or default_workers(plans), max(missing, 1))
    if missing:
        seconds = estimate(notebook, preset, missing, workers)
        time = "no earlier run tells how long" if seconds is None else f"about {clock(seconds)}"
        total += f"; {time}, {workers} at a time"
    return "\n".join([*lines, total])


def estimate(notebook: str, preset: str, points: int, workers: int) -> float | None:
    """Return the seconds that `points` runs should take, from the median of earlier ones.

    None when there is no earlier run of this notebook at this preset.
    """
    seconds = [one.record["seconds"] for one in list_runs(notebook, preset=preset)]
    rounds = -(-points // workers)
    return rounds * median(seconds) if seconds else None
