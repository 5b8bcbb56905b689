"""What runs and sweeps of a notebook there are, and how long runs took."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from cchkd_utils import paths
from cchkd_utils.runner import runs
from cchkd_utils.runner.cluster import check_where, default_workers
from cchkd_utils.runner.parameters import (
    ParameterError,
    axes,
    find_notebook,
    read_presets,
    settle,
)
from cchkd_utils.runner.runs import Plan
from cchkd_utils.runner.sweep import clock, setting, text

CODE = ("source", "modules", "lock", "python", "reads")
RECORD = {"hash": str, "finished": str, "preset": str}  # what is read of any record, of a run,
RUN = RECORD | {"parameters": dict, "parts": dict, "seconds": int | float}  # and of a sweep
SWEEP = RECORD | {"axes": dict, "points": int, "failed": int}


def overview(
    notebook: str, filters: Mapping[str, Any] | None = None, preset: str | None = None
) -> str:
    """Write a line per finished run and per sweep of a notebook, the latest last.

    `filters` has the form of a grid; a sweep is shown that has one of the values on an axis.
    """
    path = find_notebook(notebook)
    folder, wanted = paths.runs_root() / path.stem, axes(path, filters or {})
    try:
        now = runs.sources(path, 1, {}, {})
    except FileNotFoundError:  # a recorded table is gone: no run is of these sources
        now = {}
    bases = {name: _base(path, name) for name in read_presets()["presets"]}
    lines = []
    for record in _records(folder, RUN, preset):
        if not _shows({name: [value] for name, value in record["parameters"].items()}, wanted):
            continue
        own, values = bases.get(record["preset"], {}), record["parameters"].items()
        changed = {k: v for k, v in values if k != "preset" and v != own.get(k)}
        current = all(record["parts"].get(name) == now.get(name) for name in CODE)
        state = "" if current else "  (older sources)"
        lines.append(_line(record, f"{record['seconds']:7.1f} s", changed) + state)
    sweeps = [r for r in _records(folder / "sweeps", SWEEP, preset) if _shows(r["axes"], wanted)]
    count = f"{len(lines)} runs, {len(sweeps)} sweeps in {folder}"
    for record in sweeps:
        swept = {k: ",".join(map(text, v)) for k, v in record["axes"].items()}
        missing = f"  ({record['failed']} failed)" if record["failed"] else ""
        lines.append(_line(record, f"{record['points']:>3} points", swept) + missing)
    return "\n".join([*lines, count])


def _base(path: Path, preset: str) -> dict[str, Any]:
    """Return a preset's values; none where they are not what the notebook takes now."""
    try:
        return settle(path, preset, {})
    except ParameterError:
        return {}


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


def _shows(values: Mapping[str, list[Any]], wanted: Mapping[str, list[Any]]) -> bool:
    return all(
        any(value in allowed for value in values.get(name, [])) for name, allowed in wanted.items()
    )


def _line(record: Mapping[str, Any], size: str, changed: Mapping[str, Any]) -> str:
    when = record["finished"][:16].replace("T", " ")
    return f"{record['hash']}  {when}  {record['preset']:5}  {size:>10}  {setting(changed)}"


def preview(plans: list[Plan], *, workers: int | None = None, scheduler: str | None = None) -> str:
    """Write a line per point of a sweep, which are there already, and how long the rest takes."""
    check_where(workers, scheduler)
    lines, missing = [], []
    for plan in plans:
        there = runs.finished(plan.folder) is not None
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
        earlier = _records(plans[0].folder.parent, RUN, preset)
        if not earlier:
            return None
        total += count * median(record["seconds"] for record in earlier)
    return total / len(plans) * -(-len(plans) // workers)
