"""What there is to run, and a checked run before it starts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cchkd_utils import paths
from cchkd_utils.runner import identity
from cchkd_utils.runner.parameters import ParameterError, canonical, declared, resolve


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
        dict(read.get("needs", {}))
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


@dataclass(frozen=True)
class Plan:
    """A run to make: checked, and with the hash under which it will be filed."""

    notebook: Path
    given: dict[str, Any]  # in canonical form
    values: dict[str, Any]  # of every parameter
    parts: dict[str, Any]  # what else the hash is made of: see `identity.sources`
    folder: Path
    data: Path  # folder of the real data
    needs: tuple["Plan", ...] = ()  # runs whose tables the notebook reads; made first

    @property
    def key(self) -> str:
        """The run's hash."""
        return self.folder.name

    def chain(self) -> "tuple[Plan, ...]":
        """Return the runs that this one needs, each after those it needs itself, and this one."""
        return (*(one for need in self.needs for one in need.chain()), self)

    def is_current(self) -> bool:
        """Say whether sources and data are still those of the hash."""
        here = {name: self.data / name for name in self.parts["data"]}
        threads, needs = self.parts["threads"], self.parts["needs"]
        try:
            parts = identity.sources(self.notebook, threads, here, needs)
        except (OSError, ValueError):  # gone, or half-edited
            return False
        return identity.fingerprint(parts, self.values) == self.key


def plan(
    notebook: str, given: Mapping[str, Any] | None = None, *, preset: str = "book", threads: int = 1
) -> Plan:
    """Check one run; for the parameters and errors see `run`."""
    return plan_points(notebook, [dict(given or {})], preset=preset, threads=threads)[0]


def plan_points(
    notebook: str, points: list[dict[str, Any]], *, preset: str, threads: int
) -> list[Plan]:
    """Check many runs of one notebook, each with its own parameters; see `run`."""
    path = find_notebook(notebook)
    known = declared(path)
    bases = {name: settle(path, name, {}) for name in {p.get("preset", preset) for p in points}}
    settled = [
        bases[point.get("preset", preset)] | canonical(path, known, point) for point in points
    ]
    kinds = {(values.get("data"), values["preset"]) for values in settled}
    needs = {kind: _needs(path, *kind, threads) for kind in kinds}
    parts = {kind: _parts(path, kind[0], threads, needs[kind]) for kind in kinds}
    runs = paths.runs_root() / path.stem
    plans = []
    for point, values in zip(points, settled):
        kind = values.get("data"), values["preset"]
        place = runs / identity.fingerprint(parts[kind], values)
        used = {name: values[name] for name in point}
        own = path, used, values, parts[kind], place, paths.data_root(), needs[kind]
        plans.append(Plan(*own))
    return plans


def _parts(path: Path, data: str | None, threads: int, needs: tuple[Plan, ...]) -> dict[str, Any]:
    patterns = read_presets()["files"].get(path.stem, []) if data == "real" else []
    files = identity.data_files(patterns)
    return identity.sources(path, threads, files, {one.notebook.stem: one.key for one in needs})


def _needs(path: Path, data: str | None, preset: str, threads: int) -> tuple[Plan, ...]:
    """Plan the runs that ``needs`` of ``presets.yml`` names, at the same preset and data."""
    found = []
    for name in read_presets().get("needs", {}).get(path.stem, []):
        given = {"data": data} if data and "data" in declared(find_notebook(name)) else {}
        found.append(plan(name, given, preset=preset, threads=threads))
    return tuple(found)
