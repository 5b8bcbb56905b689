"""Does a criterion foretell what distillation does? Scores of `cells`, and their intervals.

Cells that differ only in λ or T share their verdict, so that intervals resample whole clusters
(pair and condition; for many pairs the source), not cells.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from sklearn.dummy import DummyRegressor
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict

from cchkd_utils.results import intervals
from cchkd_utils.sections.cells import RIVALS, agreement, resolved


def hits(table: pd.DataFrame) -> dict[str, float]:
    """Count how often the decided verdicts of resolved cells are right.

    ``right`` is a share of the ``decided``, with an interval by bootstrap over their ``clusters``,
    or Clopper and Pearson's where all or none are right. ``always`` is that of "always distil".
    """
    kept = resolved(table)
    decided = kept[kept["decision"] != "undecided"]
    right = agreement(decided["decision"], decided["outcome"]) == "agree"
    share, low, high = intervals.cluster_interval(lambda r: right[r].mean(), decided["cluster"])
    clusters = decided["cluster"].nunique()
    if share in (0, 1):  # the bootstrap cannot see beyond what never happened
        low, high = binomtest(int(share * clusters), clusters).proportion_ci()
    counts = {"cells": len(table), "resolved": len(kept), "decided": len(decided)}
    counts |= {"clusters": clusters, "always": (decided["outcome"] == "helps").mean()}
    return counts | {"right": share, "right_lo": low, "right_hi": high}


def report(counted: Mapping[str, float]) -> dict[str, object]:
    """Set the numbers of `hits` for readers; blank where there is nothing to say."""
    counts = {name: int(counted[name]) for name in ("resolved", "decided", "clusters")}
    if not counts["decided"]:
        return counts | {"right": "", "always distil": "", "never distil": ""}
    interval = "{right:.2f} [{right_lo:.2f}, {right_hi:.2f}]".format(**counted)
    always = counted["always"]
    constants = {"always distil": f"{always:.2f}", "never distil": f"{1 - always:.2f}"}
    return counts | {"right": interval} | constants


def auc(table: pd.DataFrame, score: str) -> tuple[float, float, float, int]:
    """Chance that a cell that helps scores above one that hurts; its interval; pairs compared.

    The area under the ROC curve; only cells of one dataset share units, and are compared.
    """
    kept = resolved(table).dropna(subset=[score])
    helps, values = (kept["outcome"] == "helps").to_numpy(), kept[score].to_numpy()
    strata = kept["dataset"].to_numpy()
    pair = np.outer(helps, ~helps) * np.equal.outer(strata, strata).astype(float)
    wins = pair * np.heaviside(np.subtract.outer(values, values), 0.5)

    def concordance(rows: np.ndarray) -> float:
        times = np.bincount(rows, minlength=len(kept)).astype(float)
        pairs = times @ pair @ times
        return times @ wins @ times / pairs if pairs else np.nan

    return *intervals.cluster_interval(concordance, kept["cluster"]), int(pair.sum())


def rank_correlation(table: pd.DataFrame, score: str = "gap") -> tuple[float, float, float]:
    """Spearman correlation of a score with the gain, over cells, with a cluster interval."""
    kept = table.dropna(subset=[score])
    return intervals.rank_correlation(kept[score], kept["gain"], kept["cluster"])


def outcome_by_decision(table: pd.DataFrame) -> pd.DataFrame:
    """Share of cells that help, stay unresolved and hurt, for each decision; and their count."""
    decisions, outcomes = ["do not distil", "undecided", "distil"], ["hurts", "unresolved", "helps"]
    counts = pd.crosstab(table["decision"], table["outcome"])
    counts = counts.reindex(index=decisions, columns=outcomes, fill_value=0)
    return counts.div(counts.sum(axis=1).clip(lower=1), axis=0).assign(cells=counts.sum(axis=1))


def brier(table: pd.DataFrame) -> dict[str, float]:
    """Mean squared error of P(gap > 0) as a forecast of "helps", with its cluster interval.

    ``reference``: that of always saying the share of cells that help, which needs no criterion.
    """
    kept = resolved(table)
    helps = (kept["outcome"] == "helps").astype(float)
    error = ((kept["p_distil"] - helps) ** 2).to_numpy()
    value, low, high = intervals.cluster_interval(lambda rows: error[rows].mean(), kept["cluster"])
    reference = helps.mean() * (1 - helps.mean())
    return {"brier": value, "brier_lo": low, "brier_hi": high, "reference": reference}


def shape_of_response(table: pd.DataFrame) -> dict[str, float]:
    """Share of the gain's variance that a line and a monotone curve over the gap explain.

    Both are fitted without one cluster at a time and judged on it. NaN for fewer than four.
    """
    x, y, cluster = table[["gap"]].to_numpy(), table["percent"].to_numpy(), table["cluster"]
    if cluster.nunique() < 4:  # a line needs two of those that stay
        return {"line": np.nan, "monotone": np.nan}

    def error(model) -> float:
        fitted = cross_val_predict(model, x, y, groups=cluster, cv=LeaveOneGroupOut())
        return ((y - fitted) ** 2).sum()

    models = {"line": LinearRegression(), "monotone": IsotonicRegression(out_of_bounds="clip")}
    mean = error(DummyRegressor())
    return {name: 1 - error(model) / mean for name, model in models.items()}


def compare(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Rank correlation with the gain, and area under the ROC curve, of each score in each table."""
    rows = [
        [section, score, *rank_correlation(table, score), *auc(table, score)]
        for section, table in tables.items()
        for score in RIVALS
        if score in table and table[score].notna().any()
    ]
    measured = ["rho", "rho_lo", "rho_hi", "auc", "auc_lo", "auc_hi", "pairs"]
    return pd.DataFrame(rows, columns=["section", "score", *measured])
