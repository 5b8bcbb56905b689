"""The paper's headline results beside ours, computed from the tables, so that they cannot go stale.

`sections.ledger.headlines` says what to measure; here the cells are filled and set as a page.
"""

from collections.abc import Mapping

from cchkd_utils.results.readable import minus
from cchkd_utils.sections.cells import SECTIONS, Tables
from cchkd_utils.sections.ledger.headlines import GRADES, HEADLINES, Cell, Headline

TABLE = {section.notebook: section.table for section in SECTIONS}


def measure(headline: Headline, tables: Mapping[str, Tables], source: str) -> Cell:
    """Measure a headline in its section's tables; a section without tables is not testable."""
    if headline.notebook not in tables:
        return Cell("no table", GRADES[3], source)
    rows, verdicts = tables[headline.notebook]
    found = headline.measure(rows, verdicts)
    kinds = "+".join(sorted(set(rows["kind"])))
    seeds, n = rows["seed"].nunique(), sorted({int(one) for one in rows["n_train"]})
    size = f"{n[0]}" if len(n) == 1 else f"{n[0]} … {n[-1]}"
    text = f"{found.text} *({kinds}; {size} training rows, {seeds} repeats)*"
    return Cell(minus(text), found.grade, source)


def entries(
    recorded: Mapping[str, Tables], build: Mapping[str, Tables]
) -> list[tuple[Headline, Cell, Cell]]:
    """Measure every headline in the recorded tables and in those of this build."""
    return [
        (
            one,
            measure(one, recorded, f"results/{TABLE[one.notebook]}.csv"),
            measure(one, build, f"../notebooks/{one.notebook}.results.csv"),
        )
        for one in HEADLINES
    ]


def page(recorded: Mapping[str, Tables], build: Mapping[str, Tables]) -> str:
    """Return the ledger as MyST: a table of grades, and a block per headline with its sources."""
    measured = entries(recorded, build)
    blocks = [
        "| | the paper says | recorded | this build |\n|---|---|---|---|\n"
        + "\n".join(
            f"| {one.number} | {one.claim} | {ours.grade} | {fresh.grade} |"
            for one, ours, fresh in measured
        )
        + "\n"
    ]
    for one, ours, fresh in measured:
        blocks.append(
            f"## {one.number}. {one.claim}\n\n"
            f":::{{admonition}} {ours.grade}\n:class: ledger {ours.grade.replace(' ', '-')}\n\n"
            f"**Recorded.** {ours.text} {{download}}`table <{ours.source}>`\n\n"
            f"**This build.** {fresh.text} {{download}}`table <{fresh.source}>`\n\n"
            f"**Why.** {one.why} [](../notebooks/{one.notebook}.ipynb)\n:::\n"
        )
    return "\n".join(blocks)
