"""Two headlines beyond the paper's: the hypothesis on pairs that it did not choose."""

import pandas as pd

from cchkd_utils.results import intervals
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

FEWEST = 3  # sources, that an interval over them needs


@headline(
    "08_many_pairs",
    "Beyond the paper: on every pair of many sets, the sign of the gap is that of the effect",
    "What two modalities share need not be about the label, and a student may gain nothing from "
    "what it shares.",
)
def sign_on_many_pairs(rows: pd.DataFrame, verdicts: pd.DataFrame) -> Cell:
    clear = joined.resolved(near(tables.joined(rows, verdicts), lam=0.5, temperature=2.0))
    if clear["source"].nunique() < FEWEST:
        return Cell("clear effects in fewer than three sources", NOT_TESTABLE)
    helps = clear.drop_duplicates(tables.POINT)["outcome"] == "helps"
    parts, shares, apart = [], [], {}
    for estimator, own in clear.groupby("estimator", sort=False):
        same, never = same_sign(own).to_numpy(), (own["outcome"] == "hurts").to_numpy()
        constant = never if never.mean() >= 0.5 else ~never
        parts.append(f"{estimator} {same.sum()} of {len(same)}")
        shares.append(same.mean())
        ahead = same.astype(float) - constant
        apart[estimator] = intervals.cluster_interval(lambda r, a=ahead: a[r].mean(), own["source"])
    text = f"sign right: {', '.join(parts)}; *always* in {helps.sum()}, *never* in {(~helps).sum()}"
    text += "; less the better of these, points over sources: " + ", ".join(
        f"{name} " + "{:+.0f} [{:+.0f}, {:+.0f}]".format(*(100 * v for v in told))
        for name, told in apart.items()
    )
    better, worse = zip(*((low > 0, high < 0) for _, low, high in apart.values()), strict=True)
    if not any(better) and not all(worse):
        return Cell(text, NOT_TESTABLE)
    sure = all(better) and min(shares) >= FLOOR
    return Cell(text, REPRODUCED if sure else PARTLY if any(better) else NOT_REPRODUCED)


@headline(
    "08_many_pairs",
    "Beyond the paper: on every pair of many sets, the gap ranks the pairs of a set by their gain",
    "How much more accurate the teacher is costs nothing, and is not shown to order them worse; "
    "with soft labels from teachers that have not seen the rows it is ahead.",
)
def ranking_of_many_pairs(rows: pd.DataFrame, verdicts: pd.DataFrame) -> Cell:
    wide, scores = tables.scored(near(tables.joined(rows, verdicts), lam=0.5, temperature=2.0))
    gaps = [score for score in scores if score.startswith("gap, ")]
    ranked = tables.ranking(wide, [*gaps, "advantage"], gaps[-1])
    if "within_lo" not in ranked or wide["source"].nunique() < FEWEST:
        return Cell("fewer than three sources", NOT_TESTABLE)
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
