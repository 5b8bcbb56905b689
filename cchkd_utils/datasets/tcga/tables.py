"""Tables from outside, read without trusting them: an error names the file, the row, the column.

`pandas.read_csv` fills up short rows and renames repeated columns, both in silence: lines are
taken apart here, and pandas turns their cells into numbers.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

MAX_BYTES = 2 << 30  # unpacked; the largest published matrix has 166 MB
MAX_LINE = 1 << 24
MISSING = {"", "na", "nan", "null", "[not available]"}
BARCODE = re.compile(
    r"(TCGA-[A-Z0-9]{2}-[A-Z0-9]{4})(?:-(\d{2})[A-Z]?(?:-[A-Z0-9-]*)?)?", re.ASCII | re.I
)


def features_by_samples(path: Path) -> pd.DataFrame:
    """Read a tab-separated matrix, a feature a row, as float32 [samples, features].

    The columns before the first TCGA barcode name the feature; the first that is not empty counts.
    Rows of one name are averaged, missing cells (nan) left out.
    """
    lines = _records(path, "\t")
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
    names, rows = [], []
    for number, fields in lines:
        named = (field for field in fields[:first] if field.lower() not in MISSING)
        names.append(next(named, f"row {number}"))
        rows.append(_numbers(path, number, fields[first:], samples))
    if not rows:
        raise ValueError(f"{path}: a header and no rows")
    table = pd.DataFrame(np.stack(rows), names, samples)
    if not table.index.is_unique:
        table = table.astype(float).groupby(level=0, sort=False).mean().astype(np.float32)
    return table.T


def samples_by_features(path: Path) -> pd.DataFrame:
    """Read comma-separated numbers without header or names, as MOGONET; float32."""
    lines = _records(path, ",", "first row")
    rows = [_numbers(path, number, fields, range(1, 1 + len(fields))) for number, fields in lines]
    if not rows:
        raise ValueError(f"{path}: empty")
    return pd.DataFrame(np.stack(rows))


def text_table(path: Path) -> list[dict[str, str]]:
    """Read a small tab-separated table of text, lines starting with # left out."""
    lines = _records(path, "\t", comment="#")
    _, header = next(lines, (0, []))
    if len(header) < 2:
        raise ValueError(f"{path}: {len(header)} column in the header: must be separated by tabs")
    _refuse_repeats(path, header)
    rows = [dict(zip(header, fields)) for _, fields in lines]
    if not rows:
        raise ValueError(f"{path}: a header and no rows")
    return rows


def _records(
    path: Path, delimiter: str, first: str = "header", comment: str | None = None
) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and fields of a delimited text, plain or gz, with lines of one width."""
    opened = gzip.open if path.suffix == ".gz" else open
    total, width = 0, None
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
                if comment and text.startswith(comment):
                    continue
                fields = text.rstrip("\r\n").split(delimiter)
                width = width or len(fields)
                if len(fields) != width:
                    raise ValueError(
                        f"{path}: row {number}: {len(fields)} columns, the {first} has {width}"
                    )
                yield number, fields
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path}: damaged or cut-off archive ({error}): fetch it again") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: line {number}: not UTF-8 text") from None


def _refuse_repeats(path, header):
    repeated = pd.Index(header).duplicated()
    if repeated.any():
        column = int(repeated.argmax())
        raise ValueError(f"{path}: column {column + 1}: {header[column][:40]!r} is there twice")


def _numbers(path, number, fields, columns):
    with np.errstate(over="ignore"):  # 1e300 is refused below
        values = pd.to_numeric(np.array(fields, object), errors="coerce").astype(np.float32)
    for i in np.flatnonzero(~np.isfinite(values)):
        if np.isinf(values[i]) or fields[i].strip().lower() not in MISSING:
            raise ValueError(
                f"{path}: row {number}, column {columns[i]}: {fields[i][:40]!r} is no number"
            )
    return values
