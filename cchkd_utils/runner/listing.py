"""What runs and sweeps of a notebook there are, and how long runs took."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from cchkd_utils import paths
from cchkd_utils.runner import folders, identity
from cchkd_utils.runner.cluster import check_where
from cchkd_utils.runner.grid import axes
from cchkd_utils.runner.machine import default_workers
from cchkd_utils.runner.parameters import ParameterError
from cchkd_utils.runner.plans import Plan, find_notebook, settle
from cchkd_utils.runner.progress import clock, setting, text
from cchkd_utils.runner.sweep import plan_sweep

CODE = ("source", "modules", "lock", "python", "recorded")
RECORD = {"hash": str, "finished": str, "preset": str}  # what is read of any record, of a run,
RUN = RECORD | {"parameters": dict, "parts": dict, "seconds": int | float}  # and of a sweep
SWEEP = RECORD | {"axes": dict, "points": int, "failed": int}


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
    for record in _records(paths.runs_root() / path.stem, RUN):
        values = record["parameters"]
        if preset not in (None, record["preset"]):
            continue
        if all(name in values and values[name] in some for name, some in wanted.items()):
            current = all(record["parts"].get(name) == now[name] for name in CODE)
            found.append(Listed(paths.runs_root() / path.stem / record["hash"], record, current))
    return sorted(found, key=lambda one: one.record["finished"])


def list_sweeps(
    notebook: str, filters: Mapping[str, Any] | None = None, preset: str | None = None
) -> list[dict[str, Any]]:
    """List the records of the sweeps of a notebook, the latest last.

    With `filters`, those that have one of the values on an axis; see `list_runs`.
    """
    path = find_notebook(notebook)
    wanted = axes(path, filters or {})
    found = [
        record
        for record in _records(paths.runs_root() / path.stem / "sweeps", SWEEP)
        if preset in (None, record["preset"])
        and all(any(v in some for v in record["axes"].get(k, [])) for k, some in wanted.items())
    ]
    return sorted(found, key=lambda record: record["finished"])


def _records(folder: Path, fields: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for path in folder.glob("[0-9a-f]*/run.json"):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # damaged: a run would be made again
            continue
        known = isinstance(record, dict) and all(
            isinstance(record.get(name), kind) for name, kind in fields.items()
        )
        if known and record["hash"] == path.parent.name:
            yield record


def overview(
    notebook: str, filters: Mapping[str, Any] | None = None, preset: str | None = None
) -> str:
    """Write a line per run and per sweep that is there; for the parameters see `list_runs`."""
    path = find_notebook(notebook)
    runs = list_runs(notebook, filters, preset)
    bases = {name: _preset(path, name) for name in {one.record["preset"] for one in runs}}
    lines = []
    for one in runs:
        base = bases[one.record["preset"]]
        values = one.record["parameters"].items()
        changed = {k: v for k, v in values if k != "preset" and v != base.get(k)}
        state = "" if one.current else "  (older sources)"
        lines.append(_line(one.record, f"{one.record['seconds']:7.1f} s", changed) + state)
    count = len(lines)
    for record in list_sweeps(notebook, filters, preset):
        size = f"{record['points']:>3} points"
        swept = {k: ",".join(map(text, v)) for k, v in record["axes"].items()}
        missing = f"  ({record['failed']} failed)" if record["failed"] else ""
        lines.append(_line(record, size, swept) + missing)
    folder = paths.runs_root() / path.stem
    return "\n".join([*lines, f"{count} runs, {len(lines) - count} sweeps in {folder}"])


def _preset(path: Path, name: str) -> dict[str, Any]:
    """Return the values of a preset as it is now; of one that is gone, none."""
    try:
        return settle(path, name, {})
    except ParameterError:
        return {}


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
    scheduler: str | None = None,
) -> str:
    """Write a line per point of a sweep, which are there already, and how long the rest takes."""
    check_where(workers, scheduler)
    plans = plan_sweep(notebook, grid, preset=preset, threads=threads)
    there = [folders.finished(plan.folder) is not None for plan in plans]
    lines = [
        f"{'reused ' if old else 'to run '} {setting(plan.given) or '(the preset as it is)'}"
        for plan, old in zip(plans, there)
    ]
    missing = [plan for plan, old in zip(plans, there) if not old]
    total = f"{len(plans)} points: {len(plans) - len(missing)} reused, {len(missing)} to run"
    if missing:
        at_a_time = 1 if scheduler else min(workers or default_workers(plans), len(missing))
        how = "if one by one" if scheduler else f"{at_a_time} at a time"
        seconds = estimate(missing, at_a_time)
        time = "no earlier run tells how long" if seconds is None else f"about {clock(seconds)}"
        total += f"; {time}, {how}"
    return "\n".join([*lines, total])


def estimate(plans: list[Plan], workers: int) -> float | None:
    """Return the seconds that runs of one notebook should take, from the median of earlier ones.

    None when one of their presets was never run.
    """
    total = 0.0
    for preset, count in Counter(plan.values["preset"] for plan in plans).items():
        seconds = [one.record["seconds"] for one in list_runs(str(plans[0].notebook), None, preset)]
        if not seconds:
            return None
        total += count * median(seconds)
    return total / len(plans) * -(-len(plans) // workers)
