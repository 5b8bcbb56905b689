"""Two headlines beyond the paper's: the hypothesis on pairs that it did not choose."""

import pandas as pd

from cchkd_utils.sections import cells as joined
from cchkd_utils.sections.cells import same_sign
from cchkd_utils.sections.ledger.headlines import (
    FLOOR,
    NOT_REPRODUCED,
    NOT_TESTABLE,
    PARTLY,
    REPRODUCED,
    Cell,
    headline,
)
from cchkd_utils.sections.many_pairs import tables
from cchkd_utils.sections.quantities import near


@headline(
    "08_many_pairs",
    "Beyond the paper: on pairs that nobody chose, the sign of the gap is that of the effect",
    "What two modalities share need not be about the label, and a student may gain nothing from "
    "what it shares.",
)
def sign_on_many_pairs(rows: pd.DataFrame, verdicts: pd.DataFrame) -> Cell:
    clear = joined.resolved(near(tables.joined(rows, verdicts), lam=0.5, temperature=2.0))
    if clear.empty:
        return Cell("no clear effect", NOT_TESTABLE)
    helps = clear.drop_duplicates(tables.POINT)["outcome"] == "helps"
    best = max(helps.mean(), 1 - helps.mean())
    parts, above = [], []
    for estimator, own in clear.groupby("estimator", sort=False):
        same = same_sign(own)
        parts.append(f"{estimator} {same.sum()} of {len(same)}")
        above.append(same.mean() - best)
    text = f"sign right: {', '.join(parts)}; *always* in {helps.sum()}, *never* in {(~helps).sum()}"
    sure = min(above) > 0 and min(above) + best >= FLOOR
    return Cell(text, REPRODUCED if sure else PARTLY if max(above) > 0 else NOT_REPRODUCED)


@headline(
    "08_many_pairs",
    "Beyond the paper: on pairs that nobody chose, the gap ranks the pairs of a set by their gain",
    "A teacher that knows more than the student is ranked high by its accuracy alone, for nothing.",
)
def ranking_of_many_pairs(rows: pd.DataFrame, verdicts: pd.DataFrame) -> Cell:
    wide, scores = tables.scored(near(tables.joined(rows, verdicts), lam=0.5, temperature=2.0))
    gaps = [score for score in scores if score.startswith("gap, ")]
    ranked = tables.ranking(wide, [*gaps, "advantage"], gaps[-1])
    if "within_lo" not in ranked:
        return Cell("fewer than two sources with six pairs", NOT_TESTABLE)
    numbers = ranked[["within", "within_lo", "within_hi"]]
    text = "rank correlation within sets: " + ", ".join(
        "{} {:.2f} [{:.2f}, {:.2f}]".format(joined.RIVALS.get(name, name), *values)
        for name, *values in numbers.itertuples()
    )
    lowest = numbers.loc[gaps]
    above, below = lowest["within_lo"] > 0, lowest["within_hi"] < 0
    if not (above | below).any():
        return Cell(text, NOT_TESTABLE)
    return Cell(text, REPRODUCED if above.all() else PARTLY if above.any() else NOT_REPRODUCED)
