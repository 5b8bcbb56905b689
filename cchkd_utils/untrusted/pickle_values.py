"""What a pickle may ask for: numbers, containers and numpy arrays, each made from data alone.

`pickles` decodes the file and calls these by the names that stand in it; the things of those names
are never looked up. The machine that each is handed counts memory (`spend`). Arrays are made from
their bytes after type, shape and size were held against each other.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

ATOMS = (type(None), bool, int, float, complex, str, bytes, bytearray, np.generic)
_CODE = re.compile(r"[biufc]\d{1,2}|[SU]\d{1,9}|O8?")  # numbers, text, objects


class Refused(ValueError):
    """The file asks for something that is not data."""


class Name:
    """A class or function that the file names, one of `CALLS`; never the thing itself."""

    def __init__(self, name: str):
        self.name = name


class Pending:
    """An array or a type of numbers that waits for its state (the instruction BUILD)."""

    def __init__(self, finish: Callable):
        self.finish, self.keys = finish, []


def key_of(value: Any) -> Any:
    """Return a key of a dict or set; deep tuples could exhaust the interpreter's own stack."""
    parts = value if type(value) is tuple else (value,)
    if not all(isinstance(part, ATOMS) for part in parts):
        raise Refused("it has a key that is neither a number nor text")
    return value


def _encode(machine: Any, text: str, encoding: str) -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise Refused("it encodes text in an unusual way")
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
            raise Refused(f"it makes a {kind.__name__} in an unusual way")
        machine.spend(len(items) * (1 if kind is bytearray else 64))
        return kind(map(key_of, items) if kind in (set, frozenset) else items)

    return make


def _dict(machine: Any, *factory: Any) -> dict:
    """An OrderedDict or a defaultdict; its items follow. The factory is not kept."""
    return {}


def _dtype(machine: Any, code: Any, *_: Any) -> Pending:
    code = code.decode("ascii") if type(code) is bytes else code
    if type(code) is not str or not _CODE.fullmatch(code):
        raise Refused(f"it holds numbers of the type {ascii(code)[:40]}")
    dtype = np.dtype(code)
    if not dtype.itemsize:
        raise Refused(f"it holds numbers of the type {code}")

    def finish(_: Any, state: Any) -> np.dtype:
        order = state[1].decode("ascii") if type(state[1]) is bytes else state[1]
        if order not in ("<", ">", "|", "=") or any(state[2:5]):
            raise Refused("it holds numbers of a type made of several")
        return dtype.newbyteorder(order)

    return Pending(finish)


def _reconstruct(machine: Any, kind: Any, *_: Any) -> Pending:
    if not (isinstance(kind, Name) and kind.name == "numpy.ndarray"):
        raise Refused("it makes an array of a class other than numpy.ndarray")

    def finish(machine: Any, state: Any) -> np.ndarray:
        _, shape, dtype, fortran, data = state
        return _array(machine, data, dtype, shape, "F" if fortran else "C")

    return Pending(finish)


def _frombuffer(machine: Any, data, dtype, shape, order, axes=None) -> np.ndarray:
    if axes is None:
        return _array(machine, data, dtype, shape, order)
    return _array(machine, data, dtype, shape, "C").transpose(axes)


def _ndarray(*_: Any) -> None:
    raise Refused("it calls numpy.ndarray itself")  # only ever an argument of _reconstruct


def _scalar(machine: Any, dtype, data) -> np.generic:
    return _array(machine, data, dtype, (), "C")[()]


def _array(machine: Any, data, dtype, shape, order: str) -> np.ndarray:
    """An array from its declared type and shape, once they fit the bytes that are there."""
    if not isinstance(dtype, np.dtype):
        raise Refused("it holds an array without a type")
    shape = tuple(shape)
    possible = len(shape) <= 64 and all(type(n) is int and 0 <= n < 1 << 62 for n in shape)
    if not possible or order not in ("C", "F"):
        raise Refused("it holds an array of an impossible shape")
    size = math.prod(shape)
    if dtype.hasobject:
        return _objects(machine, data, size, shape, order)
    data = _encode(machine, data, "latin1") if type(data) is str else data
    if type(data) not in (bytes, bytearray) or len(data) != size * dtype.itemsize:
        raise Refused(f"it holds an array whose shape {shape} does not fit its bytes")
    array = np.frombuffer(data, dtype).reshape(shape, order=order)
    array.flags.writeable = False
    return array


def _objects(machine: Any, values, size: int, shape: tuple, order: str) -> np.ndarray:
    if type(values) is not list or len(values) != size:
        raise Refused(f"it holds an array whose shape {shape} does not fit its objects")
    machine.spend(8 * size)
    array = np.empty(size, object)
    for i, value in enumerate(values):  # one by one: numpy would unpack lists of equal length
        array[i] = value
    return array.reshape(shape, order=order)


CALLS: dict[str, Callable] = {
    "_codecs.encode": _encode,
    "collections.OrderedDict": _dict,
    "collections.defaultdict": _dict,
    **{f"builtins.{k.__name__}": _copy(k) for k in (bytes, bytearray, list, set, frozenset)},
    "builtins.dict": _dict,
    "builtins.complex": lambda _, real, imag: complex(float(real), float(imag)),
    "numpy.ndarray": _ndarray,
    "numpy.dtype": _dtype,
    "numpy._core.multiarray._reconstruct": _reconstruct,
    "numpy._core.multiarray.scalar": _scalar,
    "numpy._core.numeric._frombuffer": _frombuffer,
}
