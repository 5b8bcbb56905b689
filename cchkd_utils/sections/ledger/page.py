"""The page of headline results, computed from the tables, so that it cannot go stale."""

from collections.abc import Mapping

from cchkd_utils.results.readable import minus
from cchkd_utils.sections import cells as joined
from cchkd_utils.sections.cells import Tables
from cchkd_utils.sections.ledger import beyond  # noqa: F401, its headlines come last
from cchkd_utils.sections.ledger.headlines import (
    HEADLINES,
    NOT_TESTABLE,
    SECTION,
    Cell,
    Headline,
)

FEWEST_REPEATS = 3  # fewer can only agree or disagree by chance


def staged(build: Mapping[str, Tables]) -> dict[str, bytes]:
    """Return the ledger's text, by its name in the book's sources."""
    return {"book/ledger.txt": page(joined.recorded(), build).encode()}


def page(recorded: Mapping[str, Tables], build: Mapping[str, Tables]) -> str:
    """Return the ledger as MyST: a table of grades, and a block per headline with its sources."""
    lines, blocks = ["| | the paper says | recorded | this build |", "|---|---|---|---|"], []
    for number, result in enumerate(HEADLINES, 1):
        claim, notebook, table = result.claim, result.notebook, SECTION[result.notebook].table
        ours, fresh = measure(result, recorded), measure(result, build)
        lines.append(f"| {number} | {claim} | {ours.grade} | {fresh.grade} |")
        blocks.append(
            f"## {number}. {claim}\n\n"
            f":::{{admonition}} {ours.grade}\n:class: ledger {ours.grade.replace(' ', '-')}\n\n"
            f'**Recorded.** {ours.text} <a href="../_static/results/{table}.csv">table</a>\n\n'
            f"**This build.** {fresh.text} "
            f"{{download}}`table <../notebooks/{notebook}.results.csv>`\n\n"
            f"**Why.** {result.why} [](../notebooks/{notebook}.ipynb)\n:::\n"
        )
    return "\n".join([*lines, "", *blocks])


def measure(result: Headline, tables: Mapping[str, Tables]) -> Cell:
    """Measure a headline in its section's tables; a section without tables is not testable."""
    if result.notebook not in tables:
        return Cell("no table", NOT_TESTABLE)
    rows, verdicts = tables[result.notebook]
    text, grade = result.measure(rows, verdicts)
    kinds = "+".join(sorted(set(rows["kind"])))
    seeds = int(rows["n_repeats"].max()) if "n_repeats" in rows else rows["seed"].nunique()
    n = sorted(set(map(int, rows["n_train"])))
    size = f"{n[0]}" if len(n) == 1 else f"{n[0]} … {n[-1]}"
    grade = NOT_TESTABLE if seeds < FEWEST_REPEATS else grade
    return Cell(minus(f"{text} *({kinds}; {size} training rows, {seeds} repeats)*"), grade)
