"""What runs and sweeps of a notebook there are, and how long runs took."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from cchkd_utils import paths
from cchkd_utils.runner import folders
from cchkd_utils.runner.cluster import check_where, default_workers
from cchkd_utils.runner.execute import Run
from cchkd_utils.runner.grid import axes
from cchkd_utils.runner.parameters import ParameterError
from cchkd_utils.runner.plans import Plan, sources
from cchkd_utils.runner.presets import find_notebook, settle
from cchkd_utils.runner.sweep import clock, plan_sweep, setting, text

CODE = ("source", "modules", "lock", "python", "reads")
RECORD = {"hash": str, "finished": str, "preset": str}  # what is read of any record, of a run,
RUN = RECORD | {"parameters": dict, "parts": dict, "seconds": int | float}  # and of a sweep
SWEEP = RECORD | {"axes": dict, "points": int, "failed": int}


def list_runs(
    notebook: str, filters: Mapping[str, Any] | None = None, preset: str | None = None
) -> list[Run]:
    """List the finished runs of a notebook, the latest last.

    Parameters
    ----------
    filters : parameters and the values to show, in the form of a sweep's grid: ``blur=0..2``
    preset : show only runs of this preset

    Raises
    ------
    ParameterError
        For a notebook, parameter or value that does not exist.
    """
    path = find_notebook(notebook)
    wanted, folder = axes(path, filters or {}), paths.runs_root() / path.stem
    runs = []
    for record in _records(folder, RUN, preset):
        values = record["parameters"]
        if all(name in values and values[name] in allowed for name, allowed in wanted.items()):
            runs.append(Run(folder / record["hash"], record, reused=True))
    return runs


def list_sweeps(
    notebook: str, filters: Mapping[str, Any] | None = None, preset: str | None = None
) -> list[dict[str, Any]]:
    """List the records of the sweeps of a notebook, the latest last.

    With `filters`, those that have one of the values on an axis; see `list_runs`.
    """
    path = find_notebook(notebook)
    wanted = axes(path, filters or {})
    return [
        record
        for record in _records(paths.runs_root() / path.stem / "sweeps", SWEEP, preset)
        if all(
            any(value in allowed for value in record["axes"].get(name, []))
            for name, allowed in wanted.items()
        )
    ]


def _records(folder: Path, fields: Mapping[str, Any], preset: str | None) -> list[dict[str, Any]]:
    """Read the records that have all `fields`; a damaged one is passed over, and made again."""
    records = []
    for path in folder.glob("[0-9a-f]*/run.json"):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        known = isinstance(record, dict) and all(
            isinstance(record.get(name), kind) for name, kind in fields.items()
        )
        if known and record["hash"] == path.parent.name and preset in (None, record["preset"]):
            records.append(record)
    return sorted(records, key=lambda record: record["finished"])


def overview(
    notebook: str, filters: Mapping[str, Any] | None = None, preset: str | None = None
) -> str:
    """Write a line per run and per sweep that is there; for the parameters see `list_runs`."""
    path = find_notebook(notebook)
    records = [run.record for run in list_runs(notebook, filters, preset)]
    sweeps = list_sweeps(notebook, filters, preset)
    now = sources(path, 1, {}, {})
    presets = {name: _values(path, name) for name in {record["preset"] for record in records}}
    lines = []
    for record in records:
        base, values = presets[record["preset"]], record["parameters"].items()
        changed = {k: v for k, v in values if k != "preset" and v != base.get(k)}
        current = all(record["parts"].get(name) == now[name] for name in CODE)
        state = "" if current else "  (older sources)"
        lines.append(_line(record, f"{record['seconds']:7.1f} s", changed) + state)
    for record in sweeps:
        swept = {k: ",".join(map(text, v)) for k, v in record["axes"].items()}
        missing = f"  ({record['failed']} failed)" if record["failed"] else ""
        lines.append(_line(record, f"{record['points']:>3} points", swept) + missing)
    count = f"{len(records)} runs, {len(sweeps)} sweeps in {paths.runs_root() / path.stem}"
    return "\n".join([*lines, count])


def _values(path: Path, preset: str) -> dict[str, Any]:
    """Return the values of a preset as it is now; of one that is gone, none."""
    try:
        return settle(path, preset, {})
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
    lines, missing = [], []
    for plan in plans:
        there = folders.finished(plan.folder) is not None
        point = setting(plan.given) or "(the preset as it is)"
        lines.append(f"{'reused ' if there else 'to run '} {point}")
        missing += [] if there else [plan]
    total = f"{len(plans)} points: {len(plans) - len(missing)} reused, {len(missing)} to run"
    if missing:
        at_a_time = 1 if scheduler else min(workers or default_workers(plans), len(missing))
        how = "if one by one" if scheduler else f"{at_a_time} at a time"
        seconds = _estimate(missing, at_a_time)
        time = "no earlier run tells how long" if seconds is None else f"about {clock(seconds)}"
        total += f"; {time}, {how}"
    return "\n".join([*lines, total])


def _estimate(plans: list[Plan], workers: int) -> float | None:
    """Return the seconds that runs should take, by earlier ones; None where a preset has none."""
    total = 0.0
    for preset, count in Counter(plan.values["preset"] for plan in plans).items():
        earlier = list_runs(str(plans[0].notebook), None, preset)
        if not earlier:
            return None
        total += count * median(run.record["seconds"] for run in earlier)
    return total / len(plans) * -(-len(plans) // workers)
