"""The finding on the book's first page: one figure, one paragraph, made from the tables.

Each section counts with its recorded results (``book/results``) where there are any, else with the
tables of this build. ``make figure`` writes the figure that the README shows.
"""

import hashlib
import io
import sys
from collections.abc import Mapping

import matplotlib as mpl
import pandas as pd

from cchkd_utils import paths, results
from cchkd_utils.sections import cells
from cchkd_utils.sections.cells import SECTIONS, Tables, same_sign
from cchkd_utils.sections.intro import figures
from cchkd_utils.sections.quantities import near

FIGURE = paths.ROOT / "book" / "_static" / "finding.svg"
MIDDLE = {"lam": 0.5, "temperature": 2.0}  # of the paper's grids
OUTCOMES = ("helps", "hurts", "unresolved")


def staged(recorded: Mapping[str, Tables], build: Mapping[str, Tables]) -> dict[str, bytes]:
    """Return the finding's figure and text, by their names in the book's sources."""
    by_notebook = cells.by_notebook(recorded)
    auto, ksg = (collect(by_notebook, build, estimator) for estimator in ("auto", "ksg"))
    return {
        "book/_static/finding.svg": svg(auto, digest()),
        "book/finding.txt": page(auto, ksg).encode(),
    }


def collect(
    recorded: Mapping[str, Tables], build: Mapping[str, Tables], estimator: str = "auto"
) -> pd.DataFrame:
    """Return the `cells` of all sections at the λ and T nearest to `MIDDLE`, by one estimator.

    Tables are given by notebook; recorded ones come first, as the column source says. A section
    that lacks the estimator counts with the first it has.
    """
    parts = []
    for section in SECTIONS:
        for source, tables in {"recorded": recorded, "this build": build}.items():
            if section.notebook in tables:
                rows, verdicts = tables[section.notebook]
                names = sorted(set(verdicts["estimator"]) - {"exact"})
                chosen = estimator if estimator in names else names[0]
                table = near(cells.cells(section, rows, verdicts, chosen), **MIDDLE)
                parts.append(table.assign(title=section.title, source=source))
                break
    if not parts:
        raise ValueError("there are no tables: run `cchkd book` first")
    return pd.concat(parts, ignore_index=True)


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


def paragraph(table: pd.DataFrame) -> str:
    """Say in words what the figure shows, numbers included."""
    sentences = [f"The criterion meets {len(table)} pairs of teacher and student."]
    for decision in ("distil", "do not distil", "undecided"):
        outcomes = table.loc[table["decision"] == decision, "outcome"]
        helps, hurts, unresolved = ((outcomes == outcome).sum() for outcome in OUTCOMES)
        if len(outcomes):
            sentences.append(
                f"It says *{decision}* in **{len(outcomes)}**: distillation helps in {helps}, "
                f"hurts in {hurts}, and in {unresolved} the interval holds zero."
            )
    clear = f"Where the effect is clear, its sign is that of the gap in **{signs(table)}**."
    return " ".join([*sentences, clear])


def signs(table: pd.DataFrame) -> str:
    """Count how often the sign of the gap is that of the effect, where the effect is clear."""
    same = same_sign(table)
    return f"{same.sum()} of {len(same)}"


def sources(table: pd.DataFrame) -> str:
    """Say of each section which tables it counts with."""
    return "; ".join(
        f"{title}: {group['source'].iloc[0]}, {group['kind'].iloc[0]}, {len(group)} pairs"
        for title, group in table.groupby("title", sort=False)
    )


def alt(table: pd.DataFrame) -> str:
    """Return the figure's alternative text."""
    return (
        "Points of accuracy (or per cent of error) that distillation gains, against the gap of "
        f"mutual information, one panel per experiment ({sources(table)}). "
        + paragraph(table).replace("*", "")
    )


def svg(table: pd.DataFrame, digest: str) -> bytes:
    """Draw the figure; `digest` tells in its metadata which tables it shows."""
    data = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "finding"}):
        meta = {"Date": None, "Creator": None, "Description": f"recorded tables {digest}"}
        figures.finding(table).savefig(data, format="svg", facecolor="white", metadata=meta)
    return data.getvalue()


def digest() -> str:
    """Return a hash of the recorded tables that the figure can show."""
    total = hashlib.sha256()
    for section in SECTIONS:
        for end in ("", "_verdicts"):
            path = results.recorded_file(f"{section.table}{end}")
            total.update(path.name.encode() + path.read_bytes())
    return total.hexdigest()[:16]


def main() -> int:
    """Write the README's figure from the recorded results."""
    try:
        FIGURE.write_bytes(svg(collect(cells.recorded(), {}), digest()))
    except (ValueError, OSError) as error:
        print(f"finding: {error}", file=sys.stderr)
        return 1
    print(FIGURE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
