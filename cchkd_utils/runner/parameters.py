"""The ``parameters`` cell of a notebook: what it takes, and whether a value is allowed.

One line of the cell declares one parameter::

    lam: list[float] = [0.2, 0.5]  # distillation weight; in [0, inf)
    data: str = "embedded"  # which data; one of: embedded, real

The comment may go on in the line below. A ``list`` parameter also takes a single value.
"""

import ast
import bisect
import difflib
import io
import json
import math
import re
import reprlib
import tokenize
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ELEMENTS = {"int": int, "float": float, "str": str, "bool": bool}
NOUNS = {"int": "a whole number", "float": "a number", "str": "text", "bool": "true or false"}
INTERVAL = re.compile(r"in ([\[(])\s*([^,\s]+)\s*,\s*([^\])\s]+)\s*([\])])$")
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
    def type(self) -> str:
        """The declared type, as written in the notebook."""
        return f"list[{self.element}]" if self.many else self.element

    def parse(self, text: str) -> Any:
        """Read a value typed on a command line, and check it."""
        if not self.many:
            return self.check(self._parse_one(text.strip()))
        inner = _unwrap(text.strip(), "[", "]")
        return self.check([self._parse_one(part.strip()) for part in inner.split(",")])

    def check(self, value: Any) -> Any:
        """Return `value` in canonical form, or raise `ParameterError`."""
        value = getattr(value, "tolist", lambda: value)()  # numpy values to plain Python
        if not self.many:
            return self._check_one(value)
        values = list(value) if isinstance(value, list | tuple) else [value]
        if not values:
            raise ParameterError(f"{self.name} is empty; give at least one value")
        values = [self._check_one(entry) for entry in values]
        if len(set(values)) < len(values):
            raise ParameterError(f"{self.name} names a value twice: {values}")
        return values

    def _wrong_type(self, value: Any) -> ParameterError:
        noun = NOUNS[self.element] + (" or a list of them" if self.many else "")
        ends = LIKE_A_RANGE.fullmatch(value) if isinstance(value, str) else None
        hint = f"; in a sweep a range is written {ends[1]}..{ends[2]}" if ends else ""
        return ParameterError(f"{self.name} must be {noun}, not {reprlib.repr(value)}{hint}")

    def _parse_one(self, text: str) -> Any:
        if self.element == "str":
            return _unwrap(_unwrap(text, "'", "'"), '"', '"')
        if self.element == "bool":
            if text.lower() not in {"true", "false"}:
                raise self._wrong_type(text)
            return text.lower() == "true"
        try:
            return ELEMENTS[self.element](text)
        except ValueError:
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
            raise ParameterError(
                f"{self.name} = {reprlib.repr(value)} is out of range: must be {self.allowed}"
            )
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
    parameters = [
        _declaration(node, " ".join(comments[i]), notebook.name) for i, node in enumerate(lines)
    ]
    return {parameter.name: parameter for parameter in parameters}


def _declaration(node: ast.stmt, comment: str, where: str) -> Parameter:
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
    return replace(parameter, default=parameter.check(ast.literal_eval(node.value)))


def canonical(
    notebook: Path, known: Mapping[str, Parameter], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the values `given` for the parameters `known`, checked and in one form.

    Text is read as from a command line.
    """
    values = {}
    try:
        for name, value in given.items():
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                hint = f"; did you mean '{close[0]}'?" if close else ""
                names = ", ".join(known)
                raise ParameterError(f"no parameter {name!r}{hint} (parameters: {names})")
            parameter = known[name]
            read = parameter.parse if isinstance(value, str) else parameter.check
            values[name] = read(value)
    except ParameterError as error:
        raise ParameterError(f"{notebook.stem}: {error}") from None
    return values
