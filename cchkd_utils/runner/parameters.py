"""What notebooks there are, the parameters each takes, their presets, and grids of them.

One line of a notebook's ``parameters`` cell declares one parameter::

    lam: list[float] = [0.2, 0.5]  # distillation weight; in [0, inf)
    data: str = "embedded"  # which data; one of: embedded, real

The comment may go on in the line below. A ``list`` parameter also takes a single value.
"""

import ast
import bisect
import difflib
import io
import itertools
import json
import math
import os
import pkgutil
import re
import reprlib
import tokenize
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from cchkd_utils import paths

ELEMENTS = {"int": int, "float": float, "str": str, "bool": bool}
SWITCH = {"true": True, "false": False}
NOUNS = {"int": "a whole number", "float": "a number", "str": "text", "bool": "true or false"}
INTERVAL = re.compile(r"in ([\[(])\s*([^,\s]+)\s*,\s*([^\])\s]+)\s*([\])])$")
NUMBER = r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?"
RANGE = re.compile(rf"({NUMBER})\.\.({NUMBER})(?:\.\.({NUMBER}))?")
COMMA = re.compile(r",(?![^\[]*\])")  # one outside brackets
MOST = 100_000  # points of a grid
BY_NOTEBOOK = ("files", "sources", "download", "needs", "reads")
LIKE_A_RANGE = re.compile(r"(-?\d+(?:\.\d+)?)(?:\.{2,3}|…|-|:)(-?\d+(?:\.\d+)?)")


class ParameterError(ValueError):
    """A parameter that the notebook does not take; the message is one line."""


@dataclass(frozen=True)
class Parameter:
    name: str
    element: str  # int, float, str or bool
    many: bool  # a list (one value is taken as a list of one)
    default: Any
    meaning: str
    allowed: str  # "in [0, 1]", "one of: a, b" or ""

    @property
    def type(self) -> str:  # as written in the notebook
        return f"list[{self.element}]" if self.many else self.element

    def check(self, value: Any) -> Any:
        """Return `value` in canonical form, text read as typed, or raise `ParameterError`."""
        value = getattr(value, "tolist", lambda: value)()  # numpy values to plain Python
        if isinstance(value, str):
            words = _unwrap(value.strip(), "[", "]").split(",") if self.many else [value]
            values = [self._read_one(word.strip()) for word in words]
        else:
            values = list(value) if self.many and isinstance(value, list | tuple) else [value]
        if not values:
            raise ParameterError(f"{self.name} is empty; give at least one value")
        values = [*map(self._check_one, values)]
        if not self.many:
            return values[0]
        if len(set(values)) < len(values):
            raise ParameterError(f"{self.name} names a value twice: {values}")
        return values

    def _wrong_type(self, value: Any) -> ParameterError:
        noun = NOUNS[self.element] + (" or a list of them" if self.many else "")
        ends = LIKE_A_RANGE.fullmatch(value) if isinstance(value, str) else None
        hint = f"; in a sweep a range is written {ends[1]}..{ends[2]}" if ends else ""
        return ParameterError(f"{self.name} must be {noun}, not {reprlib.repr(value)}{hint}")

    def _read_one(self, text: str) -> Any:
        if self.element == "str":
            return _unwrap(_unwrap(text, "'", "'"), '"', '"')
        try:
            if self.element == "bool":
                return SWITCH[text.lower()]
            return ELEMENTS[self.element](text)
        except (KeyError, ValueError):
            raise self._wrong_type(text) from None

    def _check_one(self, value: Any) -> Any:
        kinds = (int, float) if self.element == "float" else (ELEMENTS[self.element],)
        is_bool = isinstance(value, bool)
        if not isinstance(value, kinds) or is_bool != (self.element == "bool"):
            raise self._wrong_type(value)
        if self.element == "float":
            try:
                value = float(value) + 0.0  # -0.0 is 0.0
            except OverflowError:
                raise self._wrong_type(value) from None
            if not math.isfinite(value):
                raise ParameterError(f"{self.name} must be finite, not {value}")
        if not self._is_allowed(value):
            shown = f"{self.name} = {reprlib.repr(value)}"
            raise ParameterError(f"{shown} is out of range: must be {self.allowed}")
        return value

    def _is_allowed(self, value: Any) -> bool:
        if self.allowed.startswith("one of:"):
            return value in [w.strip() for w in self.allowed.removeprefix("one of:").split(",")]
        if match := INTERVAL.match(self.allowed):
            left, low, high, right = match.groups()
            above = value >= float(low) if left == "[" else value > float(low)
            below = value <= float(high) if right == "]" else value < float(high)
            return above and below
        return True


def _unwrap(text: str, left: str, right: str) -> str:
    """Take off a matched pair of brackets or quotes, if there is one."""
    matched = len(text) > 1 and text.startswith(left) and text.endswith(right)
    return text[1:-1] if matched else text


def declared(notebook: Path) -> dict[str, Parameter]:
    """Read the parameters that a notebook declares, in its one cell tagged ``parameters``."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    tagged = [c for c in cells if "parameters" in c["metadata"].get("tags", [])]
    if len(tagged) != 1:
        raise ParameterError(f"{notebook.name}: needs exactly one cell tagged 'parameters'")
    source = "".join(tagged[0]["source"])
    try:
        lines = ast.parse(source).body
    except SyntaxError as error:
        where = f"{notebook.name}: the cell of parameters, line {error.lineno}"
        raise ParameterError(f"{where}, is not Python: {error.msg}") from None
    comments = defaultdict(list)  # of each declaration: on its line, and below
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            above = bisect.bisect_right(lines, token.start[0], key=lambda node: node.lineno)
            comments[above - 1].append(token.string.lstrip("# "))
    read = (_parameter(node, " ".join(comments[i]), notebook.name) for i, node in enumerate(lines))
    return {parameter.name: parameter for parameter in read}


def _parameter(node: ast.stmt, comment: str, where: str) -> Parameter:
    if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value):
        raise ParameterError(f"{where}: line {node.lineno} is not 'name: type = default  # ...'")
    kind = ast.unparse(node.annotation)
    element = kind.removeprefix("list[").removesuffix("]")
    meaning, _, allowed = (part.strip() for part in comment.partition(";"))
    if element not in ELEMENTS:
        raise ParameterError(f"{where}: {node.target.id} has the unknown type {kind}")
    if not meaning or meaning.startswith("one of:") or INTERVAL.match(meaning):
        raise ParameterError(f"{where}: {node.target.id} has no comment '# meaning; range'")
    if allowed and not (allowed.startswith("one of:") or INTERVAL.match(allowed)):
        raise ParameterError(f"{where}: {node.target.id} has the unreadable range {allowed!r}")
    parameter = Parameter(node.target.id, element, kind != element, None, meaning, allowed)
    default = ast.literal_eval(node.value)
    if isinstance(default, str):  # is text as it stands: only what users type is read
        default = parameter._check_one(default)
        return replace(parameter, default=[default] if parameter.many else default)
    return replace(parameter, default=parameter.check(default))


def canonical(
    notebook: Path, known: Mapping[str, Parameter], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the values `given`, checked and in one form; text is read as from a command line."""
    values = {}
    try:
        for name, value in given.items():
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                hint = f"; did you mean '{close[0]}'?" if close else ""
                names = ", ".join(known)
                raise ParameterError(f"no parameter {name!r}{hint} (parameters: {names})")
            values[name] = known[name].check(value)
    except ParameterError as error:
        raise ParameterError(f"{notebook.stem}: {error}") from None
    return values


def notebooks() -> list[Path]:
    """List the notebooks, in the book's order."""
    return sorted(paths.NOTEBOOKS.glob("[0-9]*.ipynb"))


def find_notebook(name: str) -> Path:
    """Return a notebook by number (``02``), name or path; the error lists those there are."""
    if os.sep in name or name.endswith(".ipynb"):
        matches = [p for p in notebooks() if p.resolve() == Path(name).resolve()]
    else:
        word = name.zfill(2)  # 2 for 02
        matches = [p for p in notebooks() if word in (p.stem, *p.stem.split("_", 1))]
    if len(matches) != 1:
        names = ", ".join(path.stem for path in notebooks())
        raise ParameterError(f"there is no notebook {name!r}; there are: {names}")
    return matches[0]


def read_presets() -> dict[str, Any]:
    """Read ``notebooks/presets.yml``: the presets, and what else is declared by notebook."""
    try:
        read = yaml.safe_load(paths.PRESETS.read_text(encoding="utf-8"))
        for preset in read["presets"].values():
            for values in preset.values():
                dict(values or {})
        return read | {name: dict(read.get(name) or {}) for name in BY_NOTEBOOK}
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise ParameterError(f"{paths.PRESETS} is malformed: {reason}") from None


def named(function: str) -> Callable:
    """Import a function that is declared as ``module:function``."""
    try:
        return pkgutil.resolve_name(function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ParameterError(f"{paths.PRESETS} names {function}: {error}") from None


def settle(notebook: Path, preset: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return every parameter's value: the defaults, under the preset's, under those `given`."""
    presets = read_presets()["presets"]
    if preset not in presets:
        raise ParameterError(f"there is no preset {preset!r}; there are: {', '.join(presets)}")
    known = declared(notebook)
    defaults = {name: parameter.default for name, parameter in known.items()}
    chosen = {**(presets[preset].get(notebook.stem) or {}), "preset": preset, **given}
    return defaults | canonical(notebook, known, chosen)


def real_data() -> dict[str, dict[str, int]]:
    """Count the files of the real data that each notebook reads, by pattern."""
    return {
        notebook: {p: len(paths.matching(p)) for p in patterns}
        for notebook, patterns in read_presets()["files"].items()
    }


def download(notebook: str) -> Path:
    """Download the real data of a notebook to the data folder; an error says where to ask."""
    stem, presets = find_notebook(notebook).stem, read_presets()
    if stem not in presets["download"]:
        source = presets["sources"].get(stem, "it reads no real data")
        raise ParameterError(f"{stem}: nothing that `cchkd data` can download: {source}")
    return named(presets["download"][stem])()


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


def grid_points(notebook: str, grid: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Expand a grid to its points: every combination of one value per parameter.

    An axis is a list or array, or text as typed: commas part the points; ``0..9`` and
    ``0..1..0.25`` are ranges that include their end; a list in brackets is one point of a
    parameter that takes a list: ``0.2,[0.2,0.5]``.
    """
    path = find_notebook(notebook)
    values = axes(path, grid)
    count = math.prod(map(len, values.values()))
    if count > MOST:
        raise ParameterError(f"{path.stem}: the grid has {count} points; at most {MOST} go")
    return [dict(zip(values, point)) for point in itertools.product(*values.values())]


def axes(path: Path, grid: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the values of each parameter of a grid, checked and in canonical form."""
    known, checked = declared(path), {}
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
    if not parts:
        raise ParameterError(f"{name} has no value: give at least one")
    return [*itertools.chain(*parts)]


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
