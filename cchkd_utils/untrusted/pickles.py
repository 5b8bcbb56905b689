"""Read a pickle that somebody else wrote without running it.

A pickle is a program: ``pickle.load`` calls whatever it names. Here it is only decoded (by the
standard library's ``pickletools``), and a machine of our own builds numbers, text, plain containers
and numpy arrays from it. The functions in `_CALLS` stand for what a file may name, which is never
looked up; whatever else it asks for is refused by its name. Arrays are made from their bytes after
type, shape and size were held against each other: numpy's own unpickling code never sees the file.
"""

import math
import mmap
import pickletools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

_ATOMS = (type(None), bool, int, float, complex, str, bytes, bytearray, np.generic)
_CODE = re.compile(r"[biufc]\d{1,2}|[SU]\d{1,9}|O8?")  # numbers, text, objects
_ROOM = 1 << 20  # bytes that the smallest file may unpack to, beside four times its size
_DAMAGED = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError)


def load(path: Path | str) -> Any:
    """Return what a pickle file of any protocol, by Python 2 or 3, holds, if that is only data.

    That is None, numbers, text, bytes, numpy scalars and arrays (of numbers, text, or of objects
    that are themselves among these), in dicts, lists, tuples and sets. Kinds of dict come back as
    dict, byte strings of Python 2 as Latin-1 text. Arrays are read-only. Else a ValueError of one
    line names the file and what it asks for, or says that it is damaged.
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
    except _Refused as error:
        message = f"{name}: {error}; it was not run. Ask its author for plain arrays (.npz)"
        raise ValueError(message) from None
    except _DAMAGED as error:
        detail = " ".join(str(error).split())[:100]
        message = f"{name}: not a whole pickle ({detail or type(error).__name__}); fetch it again"
        raise ValueError(message) from None


class _Refused(ValueError):
    """The file asks for something that is not data."""


@dataclass(eq=False)
class _Name:
    """A class or function that the file names, one of `_CALLS`; never the thing itself."""

    name: str


@dataclass(eq=False)
class _Pending:
    """An array or a type of numbers that waits for its state (the instruction BUILD)."""

    finish: Callable
    keys: list = field(default_factory=list)


def _key(value: Any) -> Any:
    """Return a key of a dict or set; deep tuples could exhaust the interpreter's own stack."""
    parts = value if type(value) is tuple else (value,)
    if not all(isinstance(part, _ATOMS) for part in parts):
        raise _Refused("it has a key that is neither a number nor text")
    return value


def _encode(machine: Any, text: str, encoding: str) -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise _Refused("it encodes text in an unusual way")
    machine.spend(len(text))
    return text.encode("latin-1")


def _copy(kind: type) -> Callable:
    """Return how a container or byte string is made from a value of its kind."""
    accepted = {bytes: (), bytearray: (bytes,)}.get(kind, (list, tuple))

    def make(machine: Any, *given: Any) -> Any:
        if kind is bytearray and len(given) == 2:
            given = (_encode(machine, *given),)
        if not given:
            return kind()
        (items,) = given
        if type(items) not in accepted:
            raise _Refused(f"it makes a {kind.__name__} in an unusual way")
        machine.spend(len(items) * (1 if kind is bytearray else 64))
        return kind(map(_key, items) if kind in (set, frozenset) else items)

    return make


def _dtype(machine: Any, code: Any, *_: Any) -> _Pending:
    code = code.decode("ascii") if type(code) is bytes else code
    if type(code) is not str or not _CODE.fullmatch(code):
        raise _Refused(f"it holds numbers of the type {ascii(code)[:40]}")
    dtype = np.dtype(code)
    if not dtype.itemsize:
        raise _Refused(f"it holds numbers of the type {code}")

    def finish(_: Any, state: Any) -> np.dtype:
        order = state[1].decode("ascii") if type(state[1]) is bytes else state[1]
        if order not in ("<", ">", "|", "=") or any(state[2:5]):
            raise _Refused("it holds numbers of a type made of several")
        return dtype.newbyteorder(order)

    return _Pending(finish)


def _reconstruct(machine: Any, kind: Any, *_: Any) -> _Pending:
    if not (isinstance(kind, _Name) and kind.name == "numpy.ndarray"):
        raise _Refused("it makes an array of a class other than numpy.ndarray")

    def finish(machine: Any, state: Any) -> np.ndarray:
        _, shape, dtype, fortran, data = state
        return _array(machine, data, dtype, shape, "F" if fortran else "C")

    return _Pending(finish)


def _frombuffer(machine: Any, data, dtype, shape, order, axes=None) -> np.ndarray:
    array = _array(machine, data, dtype, shape, order if axes is None else "C")
    return array if axes is None else array.transpose(axes)


def _ndarray(*_: Any) -> None:
    raise _Refused("it calls numpy.ndarray itself")  # only ever an argument of _reconstruct


def _array(machine: Any, data, dtype, shape, order: str) -> np.ndarray:
    """An array from its declared type and shape, once they fit the bytes that are there."""
    if not isinstance(dtype, np.dtype):
        raise _Refused("it holds an array without a type")
    shape = tuple(shape)
    possible = len(shape) <= 64 and all(type(n) is int and 0 <= n < 1 << 62 for n in shape)
    if not possible or order not in ("C", "F"):
        raise _Refused("it holds an array of an impossible shape")
    size = math.prod(shape)
    if dtype.hasobject:
        return _objects(machine, data, size, shape, order)
    data = _encode(machine, data, "latin1") if type(data) is str else data
    if type(data) not in (bytes, bytearray) or len(data) != size * dtype.itemsize:
        raise _Refused(f"it holds an array whose shape {shape} does not fit its bytes")
    array = np.frombuffer(data, dtype).reshape(shape, order=order)
    array.flags.writeable = False
    return array


def _objects(machine: Any, values, size: int, shape: tuple, order: str) -> np.ndarray:
    if type(values) is not list or len(values) != size:
        raise _Refused(f"it holds an array whose shape {shape} does not fit its objects")
    machine.spend(8 * size)
    array = np.empty(size, object)
    for i, value in enumerate(values):  # one by one: numpy would unpack lists of equal length
        array[i] = value
    return array.reshape(shape, order=order)


_CALLS: dict[str, Callable] = {
    "_codecs.encode": _encode,
    # The items of a dict follow; the factory of a defaultdict is not kept.
    "builtins.dict": lambda *_: {},
    "collections.OrderedDict": lambda *_: {},
    "collections.defaultdict": lambda *_: {},
    **{f"builtins.{k.__name__}": _copy(k) for k in (bytes, bytearray, list, set, frozenset)},
    "builtins.complex": lambda _, real, imag: complex(float(real), float(imag)),
    "numpy.ndarray": _ndarray,
    "numpy.dtype": _dtype,
    "numpy._core.multiarray._reconstruct": _reconstruct,
    "numpy._core.multiarray.scalar": lambda m, dtype, data: _array(m, data, dtype, (), "C")[()],
    "numpy._core.numeric._frombuffer": _frombuffer,
}


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
                raise _Refused(f"it holds the instruction {name}, which is not data")
        (value,) = self.stack
        return value

    def spend(self, size: int) -> None:
        """Count memory taken beyond the file's own bytes: a small file stays small."""
        self.room -= size
        if self.room < 0:
            raise _Refused("it unpacks to many times its size")

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
        if isinstance(self.stack[-1], _Pending):
            self.stack[-1].keys.append(key)

    def extend(self, kind: type, items: list) -> None:
        """Add items to the list, dict or set on top of the stack."""
        target = self.stack[-1]
        if type(target) is not kind:
            raise _Refused(f"it fills a {type(target).__name__.strip('_')} like a {kind.__name__}")
        if kind is list:
            target.extend(items)
        elif kind is dict:
            target.update(_pairs(items))
        else:
            target.update(map(_key, items))

    def name(self, module: Any, name: Any) -> None:
        if type(module) is not str or type(name) is not str:
            raise _Refused("it computes the name of what it wants")
        full = f"{module}.{name}"
        for old, new in (("__builtin__.", "builtins."), ("numpy.core.", "numpy._core.")):
            full = new + full[len(old) :] if full.startswith(old) else full
        if full not in _CALLS:
            shown = ascii(f"{module}.{name}"[:100])
            raise _Refused(f"it names {shown}, which is neither an array nor a plain container")
        self.push(_Name(full))

    def reduce(self) -> None:
        called, arguments = self.take(2)
        if not isinstance(called, _Name) or type(arguments) is not tuple:
            raise _Refused(f"it calls a {type(called).__name__.strip('_')}")
        make = _CALLS[called.name]
        try:
            self.push(make(self, *arguments))
        except _Refused:
            raise
        except _DAMAGED:
            raise _Refused(f"it calls {called.name} in an unusual way") from None

    def build(self) -> None:
        target, state = self.take(2)
        if not isinstance(target, _Pending):
            raise _Refused(f"it sets the state of a {type(target).__name__.strip('_')}")
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
    "FROZENSET": lambda m, _: m.push(frozenset(map(_key, m.take()))),
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
    return [(_key(key), value) for key, value in zip(items[::2], items[1::2])]


def _only_data(value: Any) -> Any:
    """Return `value` if it holds nothing but data: no bare name, nothing unfinished."""
    todo, seen = [value], set()
    while todo:
        part = todo.pop()
        if isinstance(part, _ATOMS) or id(part) in seen:
            continue
        seen.add(id(part))
        if type(part) is np.ndarray:
            todo += part.ravel().tolist() if part.dtype.hasobject else ()
        elif type(part) is dict:
            todo += [*part, *part.values()]
        elif type(part) in (list, tuple, set, frozenset):
            todo += part
        else:
            name = part.name if isinstance(part, _Name) else type(part).__name__.strip("_")
            raise _Refused(f"it holds {name}, which is not data")
    return value
