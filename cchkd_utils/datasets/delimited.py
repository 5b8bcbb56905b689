"""Delimited text that somebody else wrote, read without trusting it.

`pandas.read_csv` fills up short rows and renames repeated columns, both in silence: lines are
taken apart here, and pandas turns their cells into numbers. An error names the file, the row, the
column.
"""

import gzip
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

MAX_BYTES = 2 << 30  # unpacked; the largest published matrix has 166 MB
MAX_LINE = 1 << 24
MISSING = {"", "na", "nan", "null", "[not available]"}
GZIP = b"\x1f\x8b"


def text_table(path: Path, delimiter: str = "\t") -> list[dict[str, str]]:
    """Read a small table of text, lines starting with # left out."""
    lines = records(path, delimiter, comment="#")
    _, header = next(lines, (0, []))
    if len(header) < 2:
        kind = "tabs" if delimiter == "\t" else "commas"
        raise ValueError(f"{path}: {len(header)} column in the header: must be separated by {kind}")
    refuse_repeats(path, header)
    rows = [dict(zip(header, fields)) for _, fields in lines]
    if not rows:
        raise ValueError(f"{path}: a header and no rows")
    return rows


def samples_by_features(path: Path) -> pd.DataFrame:
    """Read comma-separated numbers without header or names, as MOGONET; float32."""
    lines = records(path, ",", "first row")
    rows = [numbers(path, number, fields, range(1, 1 + len(fields))) for number, fields in lines]
    if not rows:
        raise ValueError(f"{path}: empty")
    return pd.DataFrame(np.stack(rows))


def records(path, delimiter, first="header", comment=None):
    """Yield line number and fields of a delimited text, plain or gz, with lines of one width.

    The content tells whether it is compressed, not the name. Blank lines, quotes around a field,
    and empty fields at the end of all lines are left out.
    """
    with open(path, "rb") as file:
        opened = gzip.open if file.read(2) == GZIP else open
    total, width = 0, None
    try:
        with opened(path, "rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE + 1), b""), 1):
                total += len(line)
                if len(line) > MAX_LINE or total > MAX_BYTES:
                    raise ValueError(f"{path}: line {number}: too long, this is no such table")
                # Spreadsheets put a byte order mark before the first name.
                if number == 1 and line[:2] in (b"\xff\xfe", b"\xfe\xff"):
                    raise ValueError(f"{path}: is UTF-16 text; save it as UTF-8")
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                if not text.strip() or (comment and text.startswith(comment)):
                    continue
                fields = text.rstrip("\r\n").split(delimiter)
                if '"' in text:
                    fields = [_unquoted(field) for field in fields]
                if width is None:
                    while len(fields) > 1 and not fields[-1]:
                        fields.pop()
                    width = len(fields)
                if not any(fields[width:]):  # tabs at the end
                    fields = fields[:width]
                if len(fields) != width:
                    raise ValueError(
                        f"{path}: row {number}: {len(fields)} columns, the {first} has {width}"
                    )
                yield number, fields
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path}: damaged or cut-off archive ({error}): fetch it again") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: line {number}: not UTF-8 text") from None


def _unquoted(field):
    return field[1:-1] if len(field) > 1 and field[0] == field[-1] == '"' else field


def refuse_repeats(path, header):
    repeated = pd.Index(header).duplicated()
    if repeated.any():
        column = int(repeated.argmax())
        raise ValueError(f"{path}: column {column + 1}: {header[column][:40]!r} is there twice")


def numbers(path, number, fields, columns):
    with np.errstate(over="ignore"):  # 1e300 is refused below
        values = pd.to_numeric(np.array(fields, object), errors="coerce").astype(np.float32)
    for i in np.flatnonzero(~np.isfinite(values)):
        if np.isinf(values[i]) or fields[i].strip().lower() not in MISSING:
            raise ValueError(
                f"{path}: row {number}, column {columns[i]}: {fields[i][:40]!r} is no number"
            )
    return values
