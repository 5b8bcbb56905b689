"""Grids of parameters: as typed, or from a YAML file, to a list of points."""

import itertools
import math
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from cchkd_utils.runner.parameters import ParameterError, canonical, declared
from cchkd_utils.runner.presets import find_notebook, settle

NUMBER = r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?"
RANGE = re.compile(rf"({NUMBER})\.\.({NUMBER})(?:\.\.({NUMBER}))?")
COMMA = re.compile(r",(?![^\[]*\])")  # one outside brackets
MOST = 100_000  # points


def read_grid(path: Path | str) -> dict[str, Any]:
    """Read a grid from a YAML file, a name and its values on each line, or `ParameterError`."""
    try:
        written = Path(path).read_text(encoding="utf-8")
        read = yaml.safe_load(written)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ParameterError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(read, dict) or not all(isinstance(name, str) for name in read):
        raise ParameterError(f"{path}: each line must be 'parameter: [value, value]'")
    names = [key.value for key, _ in yaml.compose(written, yaml.SafeLoader).value]
    if twice := [name for name in read if names.count(name) > 1]:
        raise ParameterError(f"{path}: {twice[0]} is there twice")
    return read


def grid_points(
    notebook: str, grid: Mapping[str, Any], preset: str = "book"
) -> list[dict[str, Any]]:
    """Expand a grid to its points: every combination of one value per parameter.

    An axis is a list or array, or text as typed: commas part the points; ``0..9`` and
    ``0..1..0.25`` are ranges that include their end; a list in brackets is one point of a
    parameter that takes a list: ``0.2,[0.2,0.5]``.

    `ParameterError` refuses an empty axis, a value the notebook does not take, a point named
    twice, and more than 100 000 points.
    """
    path = find_notebook(notebook)
    settle(path, preset, {})
    values = axes(path, grid)
    count = math.prod(map(len, values.values()))
    if count > MOST:
        raise ParameterError(f"{path.stem}: the grid has {count} points; at most {MOST} go")
    return [dict(zip(values, point)) for point in itertools.product(*values.values())]


def axes(path: Path, grid: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the values of each parameter of a grid, checked and in canonical form."""
    known = declared(path)
    checked = {}
    for name, values in grid.items():
        axis = _axis(name, values)
        checked[name] = [canonical(path, known, {name: value})[name] for value in axis]
        if len({repr(value) for value in checked[name]}) < len(axis):
            raise ParameterError(f"{path.stem}: the grid names one point twice, in {name}")
    return checked


def _axis(name: str, values: Any) -> list[Any]:
    values = getattr(values, "tolist", lambda: values)()  # of numpy, pandas, torch
    if isinstance(values, str):
        values = [part.strip() for part in COMMA.split(values)]
    elif not isinstance(values, Iterable) or isinstance(values, bytes | Mapping | set | frozenset):
        values = [values]
    parts = [_range(value) if isinstance(value, str) else [value] for value in values]
    values = [*itertools.chain(*parts)]
    if not values:
        raise ParameterError(f"{name} has no value: give at least one")
    return values


def _range(part: str) -> list[str]:
    match = RANGE.fullmatch(part)
    if not match:
        return [part]
    low, high, step = (Decimal(number or 1) for number in match.groups())
    if low > high:
        raise ParameterError(f"{part} is empty: {low} is above {high}")
    if step <= 0:
        raise ParameterError(f"{part} does not end: its step must be above zero")
    if (high - low) / step >= MOST:
        raise ParameterError(f"{part} has more than {MOST} values")
    return [f"{low + i * step:f}" for i in range(int((high - low) / step) + 1)]
