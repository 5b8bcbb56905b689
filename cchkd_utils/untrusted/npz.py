"""Arrays of an ``.npz`` file that somebody else wrote: read without trusting it.

An ``.npz`` file is a zip of ``.npy`` members. Each member's header is checked before any memory is
taken for its numbers, pickled objects are refused, and a member that does not hold what its header
says is refused too.
"""

import math
import tokenize
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from cchkd_utils.untrusted import DAMAGED

MAX_BYTES = 4 << 30  # of one array, unpacked; 10^5 rows of 4096 float64 units are 3.3 GB
MAX_RATIO = 200  # unpacked to packed; hidden layers, zeros included, stay far below
SMALL = 64 << 20  # below this many bytes the ratio does not matter
NUMBERS, TEXT = "fiub", "US"  # kinds of dtypes

_FOREIGN = (RuntimeError, NotImplementedError)  # a password; an unknown compression or version
_HEADER = (  # what numpy's headers raise
    ValueError, LookupError, TypeError, SyntaxError, tokenize.TokenError, RecursionError,
    MemoryError,
)  # fmt: skip


def read(
    path: Path | str,
    choose: Callable[[list[str]], Iterable[str]] = lambda names: names,
    *,
    kinds: Callable[[str], str] = lambda name: NUMBERS + TEXT,
    again: str = "write it again with numpy.savez",
    max_bytes: int = MAX_BYTES,
) -> dict[str, np.ndarray]:
    """Read arrays by name, of at most `max_bytes` each; a ValueError of one line says what to do.

    `choose` turns the names that the file holds into those to read, the others are not looked at;
    `kinds` turns a name into the letters of ``numpy.dtype.kind`` that are allowed for it. `again`
    stands in messages about a damaged file.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: there is no such file; {again}")
    try:
        with zipfile.ZipFile(path) as archive:
            held = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            return {
                name: _member(archive, held[name], name, kinds(name), again, max_bytes)
                for name in choose(list(held))
            }
    except (*DAMAGED, *_FOREIGN):
        raise ValueError(f"{path}: not a whole .npz file; {again}") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def read_npy(path: Path | str, name: str, kinds: str = NUMBERS + TEXT) -> np.ndarray:
    """Read one ``.npy`` file with the same care; `name` stands in messages."""
    path, again = Path(path), "write it again with numpy.save"
    if not path.is_file():
        raise ValueError(f"{path}: there is no such file; {again}")
    try:
        with open(path, "rb") as file:
            shape, dtype = _header(file, name, again)
            size = math.prod(shape) * dtype.itemsize
            _check_type(name, dtype, size, kinds, MAX_BYTES)
            if path.stat().st_size != file.tell() + size:
                raise ValueError(f"{name} is damaged; {again}")
            file.seek(0)
            return np.lib.format.read_array(file, allow_pickle=False)
    except DAMAGED:
        raise ValueError(f"{path}: {name} is damaged; {again}") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _member(archive, info, name: str, kinds: str, again: str, max_bytes: int) -> np.ndarray:
    damaged = f"{name} is damaged; {again}"
    try:
        with archive.open(info) as member:
            shape, dtype = _header(member, name, again)
            size = math.prod(shape) * dtype.itemsize
            _check(info, name, dtype, size, kinds, max_bytes)
            if info.file_size != member.tell() + size:
                raise ValueError(damaged)
        with archive.open(info) as member:  # from its start; reading to the end checks the CRC
            return np.lib.format.read_array(member, allow_pickle=False)
    except DAMAGED:
        raise ValueError(damaged) from None
    except _FOREIGN:
        raise ValueError(f"{name} cannot be unpacked; {again}") from None


def _header(member, name: str, again: str) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type that a member declares; nothing is allocated yet."""
    form = np.lib.format
    readers = {(1, 0): form.read_array_header_1_0, (2, 0): form.read_array_header_2_0}
    try:
        shape, _, dtype = readers[form.read_magic(member)](member)
    except _HEADER:
        raise ValueError(f"{name} is not an array; {again}") from None
    lengths = (*shape, math.prod(shape))
    if any(not 0 <= length < 1 << 62 for length in lengths) or len(shape) > 32:
        raise ValueError(f"{name} declares the impossible shape {shape}; {again}"[:200])
    return shape, dtype


def _check(info: zipfile.ZipInfo, name: str, dtype: np.dtype, size: int, kinds: str, most: int):
    """Refuse what is not of `kinds`, takes more than `most` bytes, or was packed too well."""
    _check_type(name, dtype, size, kinds, most)
    ratio = info.file_size / max(info.compress_size, 1)
    if info.file_size > SMALL and ratio > MAX_RATIO:
        raise ValueError(
            f"{name} unpacks to {ratio:.0f} times its size, as a zip bomb does; "
            "write it with numpy.savez, uncompressed"
        )


def _check_type(name: str, dtype: np.dtype, size: int, kinds: str, most: int):
    if dtype.hasobject:
        raise ValueError(
            f"{name} holds pickled Python objects, which can run code and are not read; "
            f"save it as plain numbers: numpy.asarray({name}, dtype=float)"
        )
    if dtype.kind not in kinds or not dtype.itemsize:
        wanted = "numbers or text" if set(TEXT) & set(kinds) else "numbers"
        raise ValueError(f"{name} is of type {dtype}, not {wanted}; save real numbers [n, d]")
    if size > most:
        raise ValueError(
            f"{name} would need {size / 1e9:.3g} GB; at most {most / 1e9:.1f} GB are read: "
            "save fewer rows, or float32"
        )
