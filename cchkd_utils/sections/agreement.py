"""A verdict beside what happened: one rule for all sections.

A verdict is "distil", "do not distil" or "undecided"; an outcome "helps", "hurts" or "unresolved".
Only where both have a sign can they agree or disagree.
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

ANSWERS = ("agree", "disagree", "open")


def majority(decisions: pd.Series) -> str:
    """Return what more than half of the repeats decided, else undecided."""
    shares = decisions.value_counts(normalize=True)
    return str(shares.index[0]) if shares.iloc[0] > 0.5 else "undecided"


def pooled(verdicts: pd.DataFrame, by: list[str], numbers: list[str]) -> pd.DataFrame:
    """Return the mean of each of `numbers` over repeats, with the `majority` of their decisions.

    Repeats may share rows: the mean of an interval's ends is not narrower for being of many.

    Returns
    -------
    DataFrame
        Index `by`, in order of appearance; columns `numbers` and decision.
    """
    grouped = verdicts.groupby(by, sort=False)
    return grouped[numbers].mean().assign(decision=grouped["decision"].agg(majority))


def agreement(decisions: ArrayLike, outcomes: ArrayLike) -> NDArray[np.str_]:
    """Say of each decision and its outcome: agree, disagree, or open where either has no sign."""
    said = pd.Series(np.asarray(decisions)).map({"distil": 1, "do not distil": -1}).fillna(0)
    found = pd.Series(np.asarray(outcomes)).map({"helps": 1, "hurts": -1}).fillna(0)
    product = (said * found).to_numpy()
    return np.select([product > 0, product < 0], ANSWERS[:2], ANSWERS[2])


def same_sign(cells: pd.DataFrame) -> pd.Series:
    """Say of each cell with a clear effect whether the gap has its sign, however sure the gap."""
    clear = cells[cells["outcome"] != "unresolved"]
    return (clear["gap"] > 0) == (clear["outcome"] == "helps")


def tally(table: pd.DataFrame) -> pd.DataFrame:
    """Count `agreement` of the columns decision and outcome: one row per estimator."""
    answers = agreement(table["decision"], table["outcome"])
    counts = pd.crosstab(table["estimator"].to_numpy(), answers)
    counts = counts.reindex(index=table["estimator"].unique(), columns=list(ANSWERS), fill_value=0)
    return counts.rename_axis(index="estimator", columns=None)
