"""The numbers that the lecture's words take in (``book/deck.md``), from the recorded tables."""

from collections.abc import Mapping

import pandas as pd

from cchkd_utils import results
from cchkd_utils.plots import OUTCOMES
from cchkd_utils.results.readable import minus
from cchkd_utils.sections import cells as joined
from cchkd_utils.sections.cells import SECTIONS, Tables, resolved, same_sign
from cchkd_utils.sections.intro.page import collect
from cchkd_utils.sections.ledger.headlines import GRADES
from cchkd_utils.sections.ledger.page import HEADLINES, measure


def of_recorded() -> dict[str, str]:
    """Return the `facts` of the recorded tables."""
    return facts(joined.recorded())


def facts(recorded: Mapping[str, Tables]) -> dict[str, str]:
    """Return numbers as text, by "section: what"; "all" stands for the sections together.

    Counts are of the first page's pairs (teacher's share nearest ½, T nearest 2, by `auto`);
    *most* and *least* are ends of the mean gain over all λ and T, in points (synthetic: per cent
    of the error).
    """
    table, ksg = (collect(recorded, {}, estimator) for estimator in ("auto", "ksg"))
    told = {"all: right by ksg": f"{same_sign(ksg).sum()} of {len(resolved(ksg))}"}
    for title, group in [("all", table), *table.groupby("title", sort=False)]:
        told |= {f"{title}: {name}": str(count) for name, count in _counts(group).items()}
    for section in SECTIONS:
        cells = joined.cells(section, *recorded[section.notebook], "auto")
        for name, end in {"most": "max", "least": "min"}.items():
            told[f"{section.title}: {name}"] = f"{cells['percent'].agg(end):+.1f}"
    lines, grades = ["| | the paper says | here |", "|---|---|---|"], []
    for number, result in enumerate(HEADLINES, 1):
        cell = measure(result, recorded)
        told[f"ledger: {number}"] = cell.text.partition(" *(")[0]
        if not result.claim.startswith("Beyond the paper"):
            lines.append(f"| {number} | {result.claim} | {cell.grade} |")
            grades.append(cell.grade)
    told |= {f"grade: {grade}": str(grades.count(grade)) for grade in GRADES}
    told["ledger: table"] = "\n".join(lines)
    return {name: minus(text) for name, text in told.items()}


def _counts(table: pd.DataFrame) -> dict[str, int]:
    """Count cells by verdict, by outcome and by both, also those that there are none of."""
    clear, right = len(resolved(table)), int(same_sign(table).sum())
    said, happened = table["decision"], table["outcome"]
    counts = {"pairs": len(table), "clear": clear, "right": right}
    counts |= {outcome: int((happened == outcome).sum()) for outcome in OUTCOMES}
    for decision in results.DECISIONS:
        counts[decision] = int((said == decision).sum())
        for outcome in OUTCOMES:
            counts[f"{decision}, {outcome}"] = int(
                ((said == decision) & (happened == outcome)).sum()
            )
    return counts
