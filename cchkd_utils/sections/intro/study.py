"""The finding on the book's first page: one figure, one paragraph, made from the tables.

Each section counts with its recorded results (``book/results``) where there are any, else with the
tables of this build. ``python -m cchkd_utils.finding`` writes the figure that the README shows.
"""

import hashlib
import io
import sys
from collections.abc import Mapping

import pandas as pd

from cchkd_utils import paths
from cchkd_utils.sections.cells import SECTIONS, Tables, cells, recorded, same_sign
from cchkd_utils.sections.grid import near

FIGURE = paths.ROOT / "book" / "_static" / "finding.svg"
MIDDLE = {"lam": 0.5, "temperature": 2.0}  # of the paper's grids


def collect(
    recorded: Mapping[str, Tables], build: Mapping[str, Tables], estimator: str = "auto"
) -> pd.DataFrame:
    """Return one row per pair and condition: what the criterion said and what distillation did.

    Parameters
    ----------
    recorded, build : notebook to its results and verdicts; recorded ones come first
    estimator : whose verdicts; a section that lacks it counts with the first it has

    Returns
    -------
    DataFrame
        Columns of `sections.cells.cells` at the λ and T nearest to `MIDDLE`; title and source
        ("recorded" or "this build") of the section.

    Raises
    ------
    ValueError
        When no section has tables.
    """
    found = []
    for section in SECTIONS:
        for source, tables in {"recorded": recorded, "this build": build}.items():
            if section.notebook in tables:
                rows, verdicts = tables[section.notebook]
                names = sorted(set(verdicts["estimator"]) - {"exact"})
                chosen = estimator if estimator in names else names[0]
                table = near(cells(section, rows, verdicts, chosen), **MIDDLE)
                found.append(table.assign(title=section.title, source=source))
                break
    if not found:
        raise ValueError("there are no tables: run `cchkd book` first")
    return pd.concat(found, ignore_index=True)


def counts(table: pd.DataFrame) -> dict[tuple[str, str], int]:
    """Count the cells by verdict and outcome."""
    return table.groupby(["decision", "outcome"]).size().to_dict()


def paragraph(table: pd.DataFrame) -> str:
    """Say in words what the figure shows, numbers included."""
    found = counts(table)

    def said(decision: str) -> str:
        parts = [found.get((decision, outcome), 0) for outcome in ("helps", "hurts", "unresolved")]
        if not sum(parts):
            return ""
        return (
            f"It says *{decision}* in **{sum(parts)}**: distillation helps in {parts[0]}, hurts in "
            f"{parts[1]}, and in {parts[2]} the interval holds zero."
        )

    sentences = [
        f"The criterion meets {len(table)} pairs of teacher and student.",
        *filter(None, map(said, ("distil", "do not distil", "undecided"))),
        f"Where the effect is clear, its sign is that of the gap in **{signs(table)}**.",
    ]
    return " ".join(sentences)


def signs(table: pd.DataFrame) -> str:
    """Count how often the sign of the gap is that of the effect, where the effect is clear."""
    same = same_sign(table)
    return f"{same.sum()} of {len(same)}"


def sources(table: pd.DataFrame) -> str:
    """Say of each section which tables it counts with."""
    parts = []
    for _, group in table.groupby("title", sort=False):
        first = group.iloc[0]
        parts.append(f"{first['title']}: {first['source']}, {first['kind']}, {len(group)} pairs")
    return "; ".join(parts)


def alt(table: pd.DataFrame) -> str:
    """Return the figure's alternative text."""
    return (
        "Points of accuracy (or per cent of error) that distillation gains, against the gap of "
        f"mutual information, one panel per experiment ({sources(table)}). "
        + paragraph(table).replace("*", "")
    )


def svg(table: pd.DataFrame, digest: str) -> bytes:
    """Draw the figure; `digest` tells in its metadata which tables it shows."""
    import matplotlib as mpl

    from cchkd_utils.sections.intro import figures as plot

    data = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "finding"}):
        meta = {"Date": None, "Creator": None, "Description": f"recorded tables {digest}"}
        plot.finding(table).savefig(data, format="svg", facecolor="white", metadata=meta)
    return data.getvalue()


def digest() -> str:
    """Return a hash of the recorded tables that the figure can show."""
    total = hashlib.sha256()
    for section in SECTIONS:
        for end in (".csv", "_verdicts.csv"):
            path = paths.RECORDED / f"{section.table}{end}"
            if path.is_file():
                total.update(path.name.encode() + path.read_bytes())
    return total.hexdigest()[:16]


def page(table: pd.DataFrame, ksg: pd.DataFrame) -> str:
    """Return the part of the first page that shows the finding, in MyST.

    `ksg` holds the same cells as judged by one of the paper's estimators.
    """
    estimator = ", ".join(sorted(set(table["estimator"])))
    return f"""\
{paragraph(table)} With `ksg`, one of the paper's estimators, it is {signs(ksg)}.

```{{figure}} _static/finding.svg
:alt: {alt(table)}
:width: 760px
:name: fig-finding

Each point is one teacher with one student. Across: the gap, estimated by `{estimator}`, with
its 90 % interval. Up: what distillation gains, in percentage points of accuracy (Gaussian data:
per cent of the squared error), with its 95 % interval; λ nearest ½, $T$ nearest 2. The shaded half
is where the criterion says *distil*. Sources: {sources(table)}.
```
"""


def staged(kept: Mapping[str, Tables], build: Mapping[str, Tables]) -> dict[str, bytes]:
    """Return the files of the finding, by their names in the book's sources.

    Parameters
    ----------
    kept, build : notebook to its recorded results and verdicts, and to those of this build
    """
    table, ksg = (collect(kept, build, one) for one in ("auto", "ksg"))
    return {
        "book/_static/finding.svg": svg(table, digest()),
        "book/finding.txt": page(table, ksg).encode(),
    }


def main() -> int:
    """Write the README's figure from the recorded results."""
    try:
        FIGURE.write_bytes(svg(collect(recorded(), {}), digest()))
    except (ValueError, OSError) as error:
        print(f"finding: {error}", file=sys.stderr)
        return 1
    print(FIGURE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
