"""Data frames on a page: names in the header row, real minus signs, no column that only counts."""

import re
from html import escape

import pandas as pd

MINUS = re.compile(r"(?<![^>\s\[(±])-(?=[\d.])")
TOGETHER = re.compile(  # an interval, a number and its unit, a symbol and its value
    r"(?<=,) (?=[^\[\]<>]*\])|(?<=[\d.]) (?=±|%|nats?\b|points?\b|px\b)"
    r"|(?<=[λTγκ]) (?=[=<>≈])|(?<=[=<>≈±]) (?=[−\d.½])"
)


def typeset() -> None:
    """Show every data frame of the running notebook by `html`; outside of one, do nothing."""
    from IPython import get_ipython

    if shell := get_ipython():
        shell.display_formatter.formatters["text/html"].for_type(pd.DataFrame, html)


def html(frame: pd.DataFrame) -> str:
    """Return a data frame as an HTML table for readers.

    An index without name that only counts rows is left out. Names of the index stand in the last
    header row, not below it. Intervals do not break over lines; missing values are dashes.
    """
    counts = isinstance(frame.index, pd.RangeIndex) and frame.index.name is None
    names = [] if counts else [str(name or "") for name in frame.index.names]
    plain = frame.rename_axis(index=[None] * frame.index.nlevels)
    if any(names):
        plain = plain.rename_axis(columns=[*frame.columns.names[:-1], None])
    plain.index = plain.index.map(_short)
    with pd.option_context("display.max_colwidth", None):
        text = plain.to_html(border=0, index=not counts, na_rep="–", justify="left")
    head, end, body = text.partition("</thead>")
    above, row, last = head.rpartition("<tr")
    for name in names if any(names) else ():
        last = last.replace("<th></th>", f"<th>{escape(name)}</th>", 1)
    return together(minus(above + row + last + end + body))


def minus(text: str) -> str:
    """Write the hyphens before numbers as minus signs; dates and names keep theirs."""
    return MINUS.sub("−", text)


def together(text: str) -> str:
    """Keep intervals, numbers with their units and symbols with their values on one line."""
    return TOGETHER.sub("\N{NO-BREAK SPACE}", text)


def _short(label):
    """Write whole numbers of an index without decimals, and what is missing as a dash."""
    if isinstance(label, tuple):
        return tuple(map(_short, label))
    if isinstance(label, float):
        return "–" if label != label else str(int(label)) if label.is_integer() else str(label)
    return label


def judged_by(verdicts: pd.DataFrame) -> str:
    """Say which version's verdict judged recorded tables: later ones may decide otherwise."""
    versions = sorted({version.rpartition(".")[0] for version in verdicts["version"]})
    return f"Judged by version {' and '.join(versions)} of the verdict."


def pair_names(table: pd.DataFrame) -> pd.Series:
    """Return "BRCA: cnv → mrna" for each row."""
    cohort = table["dataset"].str.removeprefix("TCGA-")
    return cohort + ": " + table["teacher"] + " → " + table["student"]
