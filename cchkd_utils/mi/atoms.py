"""Part of `auto`: rows that repeat (a missing modality, padding).

A vector that many rows share is an atom. With A and B the atoms of x and y, 0 for none,
I(X;Y) = I(A;B) + I(A;Y|B) + I(X;B|A) + I(X;Y|A,B) (the chain rule): a table, two informations
about labels, and that of the rows which are atoms on neither side.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .base import Pointwise
from .inputs import MIN_ROWS

LEAST, SHARE = 10, 0.01  # rows of an atom, and share of all rows


def atoms(a: np.ndarray) -> np.ndarray:
    """Codes `[n]`: 0 for rows alone, 1, 2, ... for vectors that many rows of `[n, d]` share."""
    _, which, count = np.unique(row_keys(a), return_inverse=True, return_counts=True)
    many = count >= max(LEAST, SHARE * len(a))
    return np.where(many, np.cumsum(many), 0)[which.reshape(-1)]


def row_keys(a: np.ndarray) -> np.ndarray:
    """One sortable key `[n]` for each row of `[n, d]`."""
    a = np.ascontiguousarray(a + 0.0)  # -0.0 is 0.0
    return a.view([("", a.dtype)] * a.shape[1]).ravel() if a.shape[1] > 1 else a.ravel()


def terms(x, y, codes_x, codes_y, about_labels: Callable, about_rows: Callable) -> Pointwise:
    """Row-wise terms `[n]` of the chain rule; `codes_y` are atoms or, with no row at 0, classes.

    `about_labels(a, codes)` and `about_rows(rows)`, row numbers, return `Pointwise` terms.
    """
    n, notes = len(x), []
    values = _table(codes_x, codes_y)
    alone_x, alone_y = codes_x == 0, codes_y == 0
    for rows, side, codes in ((alone_y, y, codes_x), (alone_x, x, codes_y)):
        values[rows] += _labels(side, codes, rows, about_labels)
    both, low_by, high_by = alone_x & alone_y, 0.0, 0.0
    for name, alone in (("x", alone_x), ("y", alone_y)):
        if alone.sum() < n:
            notes.append(f"{n - alone.sum()} of {n} rows of {name} are identical vectors (atoms)")
    if both.sum() >= MIN_ROWS:
        part = about_rows(np.flatnonzero(both))
        values[both] += part.values
        low_by, high_by = part.low_by * both.mean(), part.high_by * both.mean()
        notes += part.notes
    elif both.any():
        low_by = float(both.mean())  # a nat for each
        notes.append(f"the {both.sum()} rows alone on both sides are too few to tell")
    return Pointwise(values, tuple(notes), low_by, high_by)


def _labels(side, codes, rows, about_labels):
    """Terms of I(label; side) in the rows `[n]` (bool) whose labels occur often enough."""
    out, codes = np.zeros(rows.sum()), codes[rows]
    _, codes, count = np.unique(codes, return_inverse=True, return_counts=True)
    kept = count[codes] >= LEAST
    if kept.sum() >= MIN_ROWS and len(np.unique(codes[kept])) > 1:
        labels = np.unique(codes[kept], return_inverse=True)[1]
        out[kept] = about_labels(side[rows][kept], labels).values
    return out


def _table(a, b):
    """Pointwise information `[n]` of two codes, its bias subtracted (Miller 1955)."""
    a, b = (np.unique(code, return_inverse=True)[1] for code in (a, b))
    joint = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(joint, (a, b), 1.0)
    ratio = joint * len(a) / np.outer(joint.sum(1), joint.sum(0))
    bias = ((joint > 0).sum() - len(joint) - len(joint.T) + 1) / (2 * len(a))
    return np.log(ratio[a, b]) - bias
