"""Representations from a file that somebody else wrote; `untrusted.npz` does not trust it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cchkd_utils.untrusted import npz

REQUIRED = ("teacher", "student", "labels")
OPTIONAL = ("teacher_logits", "student_logits", "units")
MISSING = ("", "nan", "None", "NaN", "<NA>", "NaT")  # what numpy and pandas make of no name

Arrays = dict[str, np.ndarray]


def read(path: Path | str) -> Arrays:
    """Read the arrays that `cchkd_utils.criterion.assess` takes, by name.

    The file is written by ``numpy.savez`` with `teacher` [n, d1], `student` [n, d2], `labels` [n]
    (or [n, p]) and, if wanted, `teacher_logits`, `student_logits` and `units` [n]: integers or
    text that name the independent unit of each row (participant, video). Other arrays in it are
    not looked at, and nothing in the file is run. A `ValueError` names it and what to do where it
    is no `.npz`, damaged, too large, pickled, or lacks what is needed.
    """
    arrays = npz.read(path, _wanted, kinds=_kinds)
    try:
        _check(arrays)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return arrays


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
