"""Representations from files that somebody else wrote; `untrusted` does not trust them."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np

from cchkd_utils import not_installed
from cchkd_utils.untrusted import npz, safetensors

REQUIRED = ("teacher", "student", "labels")
OPTIONAL = ("teacher_logits", "student_logits", "units")
NAMES = (*OPTIONAL, *REQUIRED)  # longer ones first: `teacher_logits` also ends in a name
MISSING = ("", "nan", "None", "NaN", "<NA>", "NaT")  # what numpy and pandas make of no name

Arrays = dict[str, np.ndarray]


def read(path: Path | str, *more: Path | str) -> Arrays:
    """Read the arrays that `cchkd_utils.criterion.assess` takes, by name.

    They are `teacher` [n, d1], `student` [n, d2], `labels` [n] (or [n, p]) and, if wanted,
    `teacher_logits`, `student_logits` and `units` [n]: integers or text that name the independent
    unit of each row (participant, video). A `ValueError` names the file and what to do where it is
    damaged, too large, pickled, or lacks what is needed; nothing in a file is run.

    Parameters
    ----------
    path : path-like
        ``.npz`` or ``.safetensors`` with arrays of these names, others are not looked at; ``.csv``,
        ``.tsv`` or ``.parquet`` with a column per unit, ``teacher_0``, ``student_17``, and
        ``labels``; or a ``.npy`` of one array whose name it ends in: ``val_teacher.npy``.
    *more : path-like
        The other ``.npy`` files.
    """
    files = [Path(name) for name in (path, *more)]
    told = ", ".join(map(str, files))
    if {file.suffix for file in files} == {".npy"}:
        arrays = _npy(files)
    elif more:
        raise ValueError(f"{told}: give one file, or .npy files of teacher, student and labels")
    else:
        reader = READERS.get(files[0].suffix.lower(), _npz)
        arrays = reader(files[0])
    try:
        names = _wanted([*arrays])
        arrays = {name: arrays[name] for name in names}
        _check(arrays)
    except ValueError as error:
        raise ValueError(f"{told}: {error}") from None
    return arrays


def _npz(path):
    return npz.read(path, _wanted, kinds=_kinds)


def _npy(files):
    arrays = {}
    for file in files:
        stem = file.stem.lower()
        name = next((n for n in NAMES if stem == n or stem.endswith(("_" + n, "-" + n))), None)
        if name is None and len(files) == len(REQUIRED):  # in this order, if they do not say
            name = REQUIRED[files.index(file)]
        if name is None or name in arrays:
            raise ValueError(f"{file}: end its name in one of {', '.join(NAMES)}, each once")
        arrays[name] = npz.read_npy(file, name, _kinds(name))
    return arrays


def _table(path):
    """Columns ``teacher_0``, ``teacher.1``, ... of a table as arrays."""
    columns = _parquet(path) if path.suffix.lower() == ".parquet" else _delimited(path)
    parts: dict[str, list] = {}
    for column, values in columns.items():
        name = re.sub(r"[^a-z]*\d*$", "", column.strip().lower())
        name = {"label": "labels", "unit": "units"}.get(name, name)
        if name in NAMES:
            parts.setdefault(name, []).append((column, values))
    arrays = {}
    for name, held in parts.items():
        text = name in ("labels", "units")
        values = [_cells(path, column, cells, text) for column, cells in held]
        arrays[name] = values[0] if text and len(values) == 1 else np.column_stack(values)
    return arrays


def _cells(path, column, cells, text):
    """One column as numbers, or as text where these are allowed and it holds any."""
    try:
        numbers = np.asarray(cells, float)
    except (TypeError, ValueError):
        if text:
            return np.asarray(cells).astype(str)
        for row, cell in enumerate(cells):
            try:
                float(cell)
            except (TypeError, ValueError):
                raise ValueError(
                    f"{path}: column {column}, row {row + 1}: {cell!r} is no number"
                ) from None
        raise
    whole = text and np.isfinite(numbers).all() and (numbers == np.round(numbers)).all()
    exact = whole and "." not in "".join(map(str, cells[:1]))
    return numbers.astype(np.int64) if exact else numbers


def _delimited(path):
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    size = path.stat().st_size if path.is_file() else 0
    if not size:
        raise ValueError(f"{path}: there is no such file, or it is empty")
    if size > npz.MAX_BYTES:
        raise ValueError(f"{path}: {size / 1e9:.1f} GB of text; save an .npz instead")
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            header, *rows = csv.reader(file, delimiter=delimiter)
    except (UnicodeDecodeError, csv.Error, ValueError) as error:
        raise ValueError(f"{path}: not a table of text ({error})") from None
    rows = [row for row in rows if row]
    if bad := [(i, len(row)) for i, row in enumerate(rows, 2) if len(row) != len(header)]:
        raise ValueError(
            f"{path}: line {bad[0][0]}: {bad[0][1]} columns, the header has {len(header)}"
        )
    if len(set(header)) < len(header):
        raise ValueError(f"{path}: a column is named twice")
    return dict(zip(header, zip(*rows))) if rows else {}


def _parquet(path):
    try:
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise not_installed(error) from None
    try:
        table = parquet.read_table(path)
        return {name: table[name].to_pylist() for name in table.column_names}
    except Exception as error:  # pyarrow raises many kinds on damaged files
        reason = " ".join(str(error).split())[:80]
        raise ValueError(f"{path}: not a whole parquet table ({reason})") from None


READERS = {
    ".safetensors": safetensors.read, ".csv": _table, ".tsv": _table, ".parquet": _table,
}  # fmt: skip


def _wanted(held: list[str]) -> list[str]:
    if missing := [name for name in REQUIRED if name not in held]:
        there = ascii(", ".join(sorted(held)[:8]))[1:-1] or "nothing"
        raise ValueError(
            f"lacks {', '.join(missing)} (it holds {there}); "
            "save with numpy.savez(file, teacher=..., student=..., labels=...)"
        )
    return [name for name in (*REQUIRED, *OPTIONAL) if name in held]


def _kinds(name: str) -> str:
    return npz.NUMBERS + npz.TEXT if name in ("labels", "units") else npz.NUMBERS


def _check(arrays: Arrays) -> None:
    if scalars := [name for name, array in arrays.items() if array.ndim == 0]:
        raise ValueError(f"{', '.join(scalars)} has no rows; save one row per sample")
    if len({len(array) for array in arrays.values()}) > 1:
        lengths = ", ".join(f"{name} {len(array)}" for name, array in arrays.items())
        raise ValueError(
            f"the arrays differ in their number of rows ({lengths}); "
            "all must hold the same samples in the same order"
        )
    if (units := arrays.get("units")) is None:
        return
    if units.ndim != 1 or units.dtype.kind not in "iuUS":
        raise ValueError(
            f"units is {units.dtype} {list(units.shape)}; save one integer or text per row [n], "
            "the participant or video it comes from"
        )
    if units.dtype.kind in "iu":
        return
    missing = MISSING if units.dtype.kind == "U" else [name.encode() for name in MISSING]
    if (rows := np.flatnonzero(np.isin(units, missing))).size:
        raise ValueError(
            f"units has no name in {rows.size} rows, row {rows[0]} first; name the unit of every "
            "row, or leave these rows out of all arrays"
        )
