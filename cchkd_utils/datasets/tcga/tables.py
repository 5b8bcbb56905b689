"""Tables from outside, read without trusting them: an error names the file, the row, the column."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MAX_BYTES = 2 << 30  # unpacked; the largest published matrix has 166 MB
MAX_LINE = 1 << 24
MISSING = {"", "na", "nan", "null", "[not available]"}
BARCODE = re.compile(
    r"(TCGA-[A-Z0-9]{2}-[A-Z0-9]{4})(?:-(\d{2})[A-Z]?(?:-[A-Z0-9-]*)?)?", re.ASCII | re.I
)


@dataclass(frozen=True)
class Matrix:
    """Measurements [samples, features], float32, nan where missing; names of both axes."""

    values: NDArray
    samples: list[str]
    features: list[str]
    path: Path


def records(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and fields of a delimited text file, plain or gz.

    Raises
    ------
    ValueError
        For a damaged archive, text that is not UTF-8, a line or a file beyond all reason.
    """
    opened = gzip.open if path.suffix == ".gz" else open
    total = 0
    try:
        with opened(path, "rb") as file:
            for number in range(1, MAX_BYTES):
                line = file.readline(MAX_LINE + 1)
                if not line:
                    return
                total += len(line)
                if len(line) > MAX_LINE or total > MAX_BYTES:
                    raise ValueError(f"{path}: line {number}: too long, this is no such table")
                # Spreadsheets put a byte order mark before the first name.
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                yield number, text.rstrip("\r\n").split(delimiter)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path}: damaged or cut-off archive ({error}): fetch it again") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: line {number}: not UTF-8 text") from None


def features_by_samples(path: Path) -> Matrix:
    """Read a tab-separated matrix of features [rows] by samples [columns], as Xena and cBioPortal.

    The columns before the first TCGA barcode name the feature; the first that is not empty counts.
    Rows of one name are averaged, missing cells left out.

    Raises
    ------
    ValueError
        One line with file, row and column: no barcode in the header, a column named twice, rows of
        unequal length, a cell that is neither a number nor missing, no rows.
    """
    lines = records(path, "\t")
    _, header = next(lines, (0, []))
    first = next((i for i, name in enumerate(header) if BARCODE.fullmatch(name)), None)
    if not first:
        raise ValueError(
            f"{path}: the header names no feature column followed by TCGA barcodes "
            f"({len(header)} columns found; they must be separated by tabs)"
        )
    samples = header[first:]
    for column, name in enumerate(samples, first + 1):
        if not BARCODE.fullmatch(name):
            raise ValueError(f"{path}: column {column}: {name[:40]!r} is no TCGA barcode")
    _refuse_repeats(path, header)
    rows: dict[str, list[NDArray]] = {}
    for number, fields in lines:
        if len(fields) != len(header):
            raise ValueError(
                f"{path}: row {number}: {len(fields)} columns, the header has {len(header)}"
            )
        name = next((f for f in fields[:first] if f.lower() not in MISSING), f"row {number}")
        rows.setdefault(name, []).append(_numbers(path, number, fields[first:], samples))
    if not rows:
        raise ValueError(f"{path}: a header and no rows")
    values = np.stack([_mean(same) for same in rows.values()], axis=1)
    return Matrix(values, samples, list(rows), path)


def samples_by_features(path: Path) -> NDArray:
    """Read comma-separated numbers without header or names, float32 [rows, columns].

    Raises
    ------
    ValueError
        As `features_by_samples`.
    """
    rows: list[NDArray] = []
    for number, fields in records(path, ","):
        if rows and len(fields) != len(rows[0]):
            raise ValueError(
                f"{path}: row {number}: {len(fields)} columns, the first row has {len(rows[0])}"
            )
        names = [str(i + 1) for i in range(len(fields))]
        rows.append(_numbers(path, number, fields, names))
    if not rows:
        raise ValueError(f"{path}: empty")
    return np.stack(rows)


def text_table(path: Path) -> list[dict[str, str]]:
    """Read a small tab-separated table of text, lines starting with # left out.

    Raises
    ------
    ValueError
        For a column named twice, rows of unequal length, or no rows.
    """
    lines = ((n, f) for n, f in records(path, "\t") if not f[0].startswith("#"))
    _, header = next(lines, (0, []))
    if len(header) < 2:
        raise ValueError(f"{path}: {len(header)} column in the header: must be separated by tabs")
    _refuse_repeats(path, header)
    rows = []
    for number, fields in lines:
        if len(fields) != len(header):
            raise ValueError(
                f"{path}: row {number}: {len(fields)} columns, the header has {len(header)}"
            )
        rows.append(dict(zip(header, fields)))
    if not rows:
        raise ValueError(f"{path}: a header and no rows")
    return rows


def _refuse_repeats(path, header):
    seen = set()
    for column, name in enumerate(header, 1):
        if name in seen:
            raise ValueError(f"{path}: column {column}: {name[:40]!r} is there twice")
        seen.add(name)


def _numbers(path, number, fields, names):
    """Return fields as float32, nan where missing; the fast way first."""
    try:
        with np.errstate(over="ignore"):  # 1e300 is refused below
            values = np.array(fields, np.float32)
    except ValueError:
        cells = [_number(path, number, f, name) for f, name in zip(fields, names)]
        values = np.array(cells, np.float32)
    if np.isinf(values).any() or any("_" in f for f in fields):  # Python reads 1_0 as 10
        for text, name in zip(fields, names):
            _number(path, number, text, name)
    return values


def _number(path, number, text, column):
    if text.strip().lower() in MISSING:
        return np.nan
    try:
        with np.errstate(over="ignore"):
            value = np.float32(text)
    except ValueError:
        value = np.inf
    if np.isinf(value) or "_" in text:
        raise ValueError(f"{path}: row {number}, column {column}: {text[:40]!r} is no number")
    return value


def _mean(same):
    """Average rows of one feature without the missing cells; nan where all are missing."""
    if len(same) == 1:
        return same[0]
    rows = np.stack(same)
    there = np.isfinite(rows)
    total = np.where(there, rows, 0).sum(axis=0, dtype=np.float64)
    count = there.sum(axis=0)
    return np.where(count, total / np.maximum(count, 1), np.nan).astype(np.float32)
