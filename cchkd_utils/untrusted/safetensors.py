"""Arrays of a ``.safetensors`` file: a JSON header with types and places, then the numbers.

The header is checked before anything is read for it. bfloat16, which numpy lacks, becomes float32.
"""

import json
import math
from pathlib import Path

import numpy as np

from cchkd_utils.untrusted.npz import MAX_BYTES

MAX_HEADER = 100 << 20  # as the format's own library
TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4",
    "I16": "<i2", "I8": "i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip


def read(path: Path | str) -> dict[str, np.ndarray]:
    """Read all arrays by name; a ValueError of one line where the file is not what it says."""
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: there is no such file")
    size = path.stat().st_size
    damaged = f"{path}: not a whole .safetensors file; write it again"
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(MAX_HEADER, size - 8):
            raise ValueError(damaged)
        try:
            header = json.loads(file.read(length))
            entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
            arrays = {
                name: _array(file, entry, 8 + length, size) for name, entry in entries.items()
            }
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            raise ValueError(damaged) from None
    return arrays


def _array(file, entry, start, size):
    kind, shape, (first, last) = entry["dtype"], entry["shape"], entry["data_offsets"]
    dtype = np.dtype(TYPES[kind])
    numbers = [*shape, first, last]
    if any(type(n) is not int or n < 0 for n in numbers) or len(shape) > 32:
        raise ValueError
    n_bytes = math.prod(shape) * dtype.itemsize
    if last - first != n_bytes or start + last > size or n_bytes > MAX_BYTES:
        raise ValueError
    file.seek(start + first)
    array = np.frombuffer(file.read(n_bytes), dtype).reshape(shape)
    if kind == "BF16":  # the upper half of a float32
        array = (array.astype(np.uint32) << 16).view(np.float32)
    return array
