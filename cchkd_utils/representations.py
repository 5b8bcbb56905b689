"""Representations from a file that somebody else wrote: read without trusting it.

An ``.npz`` file is a zip of ``.npy`` members. Each member's header is checked before any memory is
taken for its numbers, pickled objects are refused, and a member that does not hold what its header
says is refused too.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np

REQUIRED = ("teacher", "student", "labels")
OPTIONAL = ("teacher_logits", "student_logits")
MAX_BYTES = 4 << 30  # of one array, unpacked; 10^5 rows of 4096 float64 units are 3.3 GB
MAX_RATIO = 200  # unpacked to packed; hidden layers, zeros included, stay far below
SMALL = 64 << 20  # below this many bytes the ratio does not matter

Arrays = dict[str, np.ndarray]


def read(path: Path | str) -> Arrays:
    """Read the arrays that `cchkd_utils.criterion.assess` takes, by name.

    Parameters
    ----------
    path : file written by ``numpy.savez`` with `teacher` [n, d1], `student` [n, d2], `labels` [n]
        (or [n, p]) and, if wanted, `teacher_logits` and `student_logits`. Other arrays in it are
        not looked at.

    Raises
    ------
    ValueError
        One line that names the file and says what to do: no such file, not an ``.npz``, damaged,
        an array missing, pickled objects, not numbers, too large, or of another length.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: there is no such file; write it with numpy.savez")
    try:
        with zipfile.ZipFile(path) as archive:
            held = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            if missing := [name for name in REQUIRED if name not in held]:
                raise ValueError(_lacks(missing, held))
            wanted = [name for name in (*REQUIRED, *OPTIONAL) if name in held]
            arrays = {name: _read_member(archive, held[name], name) for name in wanted}
        _check_lengths(arrays)
    except zipfile.BadZipFile:
        message = "not a whole .npz file; write it again with numpy.savez"
        raise ValueError(f"{path}: {message}") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return arrays


def _lacks(missing: list[str], held: dict) -> str:
    there = ", ".join(sorted(held)[:8]) or "nothing"
    return (
        f"lacks {', '.join(missing)} (it holds {there}); "
        "save with numpy.savez(file, teacher=..., student=..., labels=...)"
    )


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> np.ndarray:
    damaged = f"{name} is damaged; write the file again with numpy.savez"
    try:
        with archive.open(info) as member:
            shape, dtype = _read_header(member, name)
            _check_dtype(dtype, name)
            size = math.prod(shape) * dtype.itemsize
            _check_size(size, info, name)
            if info.file_size != member.tell() + size:
                raise ValueError(damaged)
        with archive.open(info) as member:  # from its start; reading to the end checks the CRC
            return np.lib.format.read_array(member, allow_pickle=False)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError):
        raise ValueError(damaged) from None
    except (RuntimeError, NotImplementedError):  # a password, an unknown compression
        message = f"{name} cannot be unpacked; write the file again with numpy.savez"
        raise ValueError(message) from None


def _read_header(member: IO[bytes], name: str) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type that a member declares; nothing is allocated yet."""
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    try:
        shape, _, dtype = readers[np.lib.format.read_magic(member)](member)
    except (ValueError, KeyError):
        raise ValueError(f"{name} is not an array; write the file with numpy.savez") from None
    if any(length < 0 for length in shape):
        raise ValueError(f"{name} declares the impossible shape {shape}")
    return shape, dtype


def _check_dtype(dtype: np.dtype, name: str) -> None:
    if dtype.hasobject:
        raise ValueError(
            f"{name} holds pickled Python objects, which can run code and are not read; "
            f"save it as plain numbers: numpy.asarray({name}, dtype=float)"
        )
    allowed = "fiubUS" if name == "labels" else "fiub"  # names of classes may be text
    if dtype.kind not in allowed:
        raise ValueError(f"{name} is of type {dtype}, not numbers; save real numbers [n, d]")


def _check_size(size: int, info: zipfile.ZipInfo, name: str) -> None:
    if size > MAX_BYTES:
        raise ValueError(
            f"{name} would need {size / 1e9:.3g} GB; at most {MAX_BYTES / 1e9:.1f} GB are read: "
            "save fewer rows, or float32"
        )
    if info.file_size > SMALL and info.file_size > MAX_RATIO * max(info.compress_size, 1):
        raise ValueError(
            f"{name} unpacks to {info.file_size / max(info.compress_size, 1):.0f} times its size, "
            "as a zip bomb does; write it with numpy.savez, uncompressed"
        )


def _check_lengths(arrays: Arrays) -> None:
    if scalars := [name for name, array in arrays.items() if array.ndim == 0]:
        raise ValueError(f"{', '.join(scalars)} has no rows; save one row per sample")
    if len({len(array) for array in arrays.values()}) > 1:
        lengths = ", ".join(f"{name} {len(array)}" for name, array in arrays.items())
        raise ValueError(
            f"the arrays differ in their number of rows ({lengths}); "
            "all must hold the same samples in the same order"
        )


def finite(value: object) -> object:
    """Return `value` (dicts, numbers, text) with None for NaN and inf, which JSON does not have."""
    if isinstance(value, dict):
        return {key: finite(one) for key, one in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
