"""Read a pickle that somebody else wrote without running it.

A pickle is a program: ``pickle.load`` calls whatever it names. Here it is only decoded (by the
standard library's ``pickletools``), and a machine of our own builds numbers, text, plain containers
and numpy arrays from it. The machine can import nothing and call nothing that the file names;
whatever is not data is refused by its name. Arrays are made from their bytes after type, shape and
size were held against each other: numpy's own unpickling code never sees the file.
"""

from __future__ import annotations

import mmap
import pickletools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cchkd_utils.untrusted.pickle_values import ATOMS, CALLS, Name, Pending, Refused, key_of

_ROOM = 1 << 20  # bytes that the smallest file may unpack to, beside four times its size
_DAMAGED = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError)


def load(path: Path | str) -> Any:
    """Return what a pickle file of any protocol, by Python 2 or 3, holds, if that is only data.

    That is None, numbers, text, bytes, numpy scalars and arrays (of numbers, text, or of objects
    that are themselves among these), in dicts, lists, tuples and sets. Kinds of dict come back as
    dict, byte strings of Python 2 as Latin-1 text. Arrays are read-only.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        One line that names the file and what it asks for: a class or function other than those of
        numpy's arrays, an instruction that is not data, an array whose shape does not fit its
        bytes; or that the file is damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    if not path.stat().st_size:
        raise ValueError(f"{path}: the file is empty; fetch it again")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return loads(data, path)  # mapped: a length that the file lies about takes no memory


def loads(data: bytes | mmap.mmap, name: Path | str = "pickle") -> Any:
    """Return what pickled bytes hold, as `load` does; `name` stands in the messages."""
    try:
        return _only_data(_Machine(4 * len(data) + _ROOM).run(data))
    except Refused as error:
        message = f"{name}: {error}; it was not run. Ask its author for plain arrays (.npz)"
        raise ValueError(message) from None
    except _DAMAGED as error:
        detail = " ".join(str(error).split())[:100]
        message = f"{name}: not a whole pickle ({detail or type(error).__name__}); fetch it again"
        raise ValueError(message) from None


class _Machine:
    """The stack machine of the pickle format, without the instructions that run code."""

    def __init__(self, room: int):
        self.stack, self.marks, self.memo, self.room = [], [], {}, room

    def run(self, data) -> Any:
        """Execute a pickle and return the one value it leaves."""
        for opcode, argument, _ in pickletools.genops(data):
            name = opcode.name
            if name in _CONSTANTS:
                self.stack.append(argument)
            elif name in _STEPS:
                _STEPS[name](self, argument)
            elif name not in ("PROTO", "FRAME", "STOP"):
                raise Refused(f"it holds the instruction {name}, which is not data")
        (value,) = self.stack
        return value

    def spend(self, size: int) -> None:
        """Count memory taken beyond the file's own bytes: a small file stays small."""
        self.room -= size
        if self.room < 0:
            raise Refused("it unpacks to many times its size")

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def take(self, count: int | None = None) -> list:
        """Remove and return the last `count` values, or those since the last mark."""
        start = self.marks.pop() if count is None else len(self.stack) - count
        if start < 0:
            raise ValueError("values are missing")
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def put(self, key: int | None) -> None:
        key = len(self.memo) if key is None else key
        self.memo[key] = self.stack[-1]
        if isinstance(self.stack[-1], Pending):
            self.stack[-1].keys.append(key)

    def extend(self, kind: type, items: list) -> None:
        """Add items to the list, dict or set on top of the stack."""
        target = self.stack[-1]
        if type(target) is not kind:
            raise Refused(f"it fills a {type(target).__name__.strip('_')} like a {kind.__name__}")
        if kind is list:
            target.extend(items)
        elif kind is dict:
            target.update(_pairs(items))
        else:
            target.update(map(key_of, items))

    def name(self, module: Any, name: Any) -> None:
        if type(module) is not str or type(name) is not str:
            raise Refused("it computes the name of what it wants")
        full = f"{module}.{name}"
        for old, new in (("__builtin__.", "builtins."), ("numpy.core.", "numpy._core.")):
            full = new + full[len(old) :] if full.startswith(old) else full
        if full not in CALLS:
            shown = ascii(f"{module}.{name}"[:100])
            raise Refused(f"it names {shown}, which is neither an array nor a plain container")
        self.push(Name(full))

    def reduce(self) -> None:
        called, arguments = self.take(2)
        if not isinstance(called, Name) or type(arguments) is not tuple:
            raise Refused(f"it calls a {type(called).__name__.strip('_')}")
        make = CALLS[called.name]
        try:
            self.push(make(self, *arguments))
        except Refused:
            raise
        except _DAMAGED:
            raise Refused(f"it calls {called.name} in an unusual way") from None

    def build(self) -> None:
        target, state = self.take(2)
        if not isinstance(target, Pending):
            raise Refused(f"it sets the state of a {type(target).__name__.strip('_')}")
        value = target.finish(self, state)
        self.memo.update((key, value) for key in target.keys if self.memo[key] is target)
        self.push(value)


_CONSTANTS = set(
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING "
    "UNICODE SHORT_BINUNICODE BINUNICODE BINUNICODE8 SHORT_BINBYTES BINBYTES BINBYTES8 "
    "BYTEARRAY8".split()
)
_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "NONE": lambda m, _: m.push(None),
    "NEWTRUE": lambda m, _: m.push(True),
    "NEWFALSE": lambda m, _: m.push(False),
    "EMPTY_LIST": lambda m, _: m.push([]),
    "EMPTY_TUPLE": lambda m, _: m.push(()),
    "EMPTY_DICT": lambda m, _: m.push({}),
    "EMPTY_SET": lambda m, _: m.push(set()),
    "MARK": lambda m, _: m.marks.append(len(m.stack)),
    "LIST": lambda m, _: m.push(m.take()),
    "TUPLE": lambda m, _: m.push(tuple(m.take())),
    "TUPLE1": lambda m, _: m.push(tuple(m.take(1))),
    "TUPLE2": lambda m, _: m.push(tuple(m.take(2))),
    "TUPLE3": lambda m, _: m.push(tuple(m.take(3))),
    "DICT": lambda m, _: m.push(dict(_pairs(m.take()))),
    "FROZENSET": lambda m, _: m.push(frozenset(map(key_of, m.take()))),
    "APPEND": lambda m, _: m.extend(list, m.take(1)),
    "APPENDS": lambda m, _: m.extend(list, m.take()),
    "SETITEM": lambda m, _: m.extend(dict, m.take(2)),
    "SETITEMS": lambda m, _: m.extend(dict, m.take()),
    "ADDITEMS": lambda m, _: m.extend(set, m.take()),
    "GLOBAL": lambda m, names: m.name(*names.split(" ", 1)),
    "STACK_GLOBAL": lambda m, _: m.name(*m.take(2)),
    "REDUCE": lambda m, _: m.reduce(),
    "BUILD": lambda m, _: m.build(),
    "MEMOIZE": lambda m, _: m.put(None),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _Machine.put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), lambda m, key: m.push(m.memo[key])),
}


def _pairs(items: list) -> list[tuple]:
    if len(items) % 2:
        raise ValueError("a key has no value")
    return [(key_of(key), value) for key, value in zip(items[::2], items[1::2])]


def _only_data(value: Any) -> Any:
    """Return `value` if it holds nothing but data: no bare name, nothing unfinished."""
    todo, seen = [value], set()
    while todo:
        part = todo.pop()
        if isinstance(part, ATOMS) or id(part) in seen:
            continue
        seen.add(id(part))
        if type(part) is np.ndarray:
            todo += part.ravel().tolist() if part.dtype.hasobject else ()
        elif type(part) is dict:
            todo += [*part, *part.values()]
        elif type(part) in (list, tuple, set, frozenset):
            todo += part
        else:
            name = part.name if isinstance(part, Name) else type(part).__name__.strip("_")
            raise Refused(f"it holds {name}, which is not data")
    return value
