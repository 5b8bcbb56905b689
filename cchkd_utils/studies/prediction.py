"""Does a criterion foretell what distillation does? Cells, scores and their intervals.

A *cell* is one (dataset, teacher, student, condition, λ, T): its gain is a mean over repeats, its
outcome is helps, hurts or unresolved. Cells that differ only in λ or T share their verdict, so that
intervals resample whole clusters, not cells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sklearn.isotonic import IsotonicRegression

from cchkd_utils import resampling, results
from cchkd_utils.studies.cancer_summary import pooled

CLUSTER = ["dataset", "teacher", "student", "condition"]
CELL = [*CLUSTER, "experiment", "lam", "weight", "temperature", "metric", "kind", "knob"]
SKILL = {"teacher R2": "teacher accuracy"}  # one name for how well the teacher predicts
RIVALS = {
    "gap": "MI gap (CCH)",
    "teacher accuracy": "teacher accuracy (or R²)",
    "advantage": "teacher − student accuracy",
    "linear CKA": "linear CKA",
    "residual alignment": "residual alignment",
    "I(teacher; label | student)": "I(H1;Y | H2)",
}
DRAWS = 500


@dataclass(frozen=True)
class Section:
    """Where a section's rows are, which of them are pooled, and what its repeats are.

    Attributes
    ----------
    title, notebook : str
    metric : str
        The one that stands for the section.
    query : str
        Rows of the results to keep; the rest are controls, or other forms of the same students.
    intervals : callable (rows, by) -> DataFrame
        Mean gain of each group with its interval: over independent seeds (`results.summarise`), or
        over folds that share rows.
    """

    title: str
    notebook: str
    metric: str
    query: str
    intervals: Callable[[pd.DataFrame, list[str]], pd.DataFrame]


def over_folds(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Mean gain with the interval of `resampling.repeated_folds`; one row is one of five folds."""
    out = []
    for key, group in rows.groupby(by, sort=False):
        out.append([*key, *resampling.repeated_folds(group["gain"], 1 / 5)])
    table = pd.DataFrame(out, columns=[*by, "gain", "gain_lo", "gain_hi"])
    return table.assign(outcome=resampling.outcome(table["gain_lo"], table["gain_hi"]))


SECTIONS = (
    Section("Gaussian", "01_synthetic", "mse", "experiment == 'mlp'", results.summarise),
    Section(
        "digits",
        "02_mnist_m",
        "accuracy",
        "experiment == 'distillation' and condition.str.endswith('by index')",
        results.summarise,
    ),
    Section(
        "sentiment", "03_mosei", "accuracy", "condition.str.contains('cross-fitted')", over_folds
    ),
    Section("cancer", "04_tcga", "accuracy", "experiment == 'cross-fitted'", pooled),
)

Tables = tuple[pd.DataFrame, pd.DataFrame]


def recorded() -> dict[str, Tables]:
    """Return results and verdicts of the recorded runs, by notebook."""
    found = {
        "01_synthetic": results.recorded("synthetic"),
        "02_mnist_m": results.recorded("mnist_m"),
        "03_mosei": results.recorded("mosi"),
        "04_tcga": results.recorded("tcga"),
    }
    return {notebook: tables for notebook, tables in found.items() if tables}


def this_build() -> dict[str, Tables]:
    """Return results and verdicts of the runs of this build, by notebook."""
    rows, verdicts = results.of_runs(), results.of_runs("verdicts")
    return {name: (rows[name], verdicts[name]) for name in rows}


def by_section(source: Mapping[str, Tables], estimator: str) -> dict[str, pd.DataFrame]:
    """Return the `cells` of every section that has verdicts of this estimator, by title."""
    out = {}
    for section in SECTIONS:
        if section.notebook in source and estimator in set(source[section.notebook][1].estimator):
            out[section.title] = cells(section, *source[section.notebook], estimator)
    return out


def cells(
    section: Section, rows: pd.DataFrame, verdicts: pd.DataFrame, estimator: str
) -> pd.DataFrame:
    """Join what happened with what was foretold, one row per cell.

    Parameters
    ----------
    section : Section
    rows, verdicts : DataFrame
        The tables of `results`.
    estimator : str
        One estimator: mixing them would count one outcome several times.

    Returns
    -------
    DataFrame
        Columns `CELL`, gain, gain_lo, gain_hi, outcome, baseline; percent (the gain in percentage
        points, or in per cent of the baseline error); means over repeats of gap (nats),
        p_distil = P(gap > 0), the rivals; the decision most repeats gave; cluster.

    Raises
    ------
    ValueError
        When no row is left of the metric and query, or no verdict of the estimator.
    """
    some = rows.query(section.query)
    some = some[some["metric"] == section.metric]
    judged = verdicts[verdicts["estimator"] == estimator]
    for found, name in ((some, f"metric {section.metric}"), (judged, f"estimator {estimator}")):
        if found.empty:
            raise ValueError(f"{section.title}: no row has the {name}")
    baseline = some.groupby(CELL, sort=False)["baseline"].mean().rename("baseline").reset_index()
    gains = section.intervals(some, CELL).drop(columns="baseline", errors="ignore")
    out = gains.merge(baseline, on=CELL).merge(_foretold(judged), on=CLUSTER, how="inner")
    if "teacher accuracy" in out and section.metric == "accuracy":
        out["advantage"] = out["teacher accuracy"] - out["baseline"]
    scale = out["baseline"] if section.metric in results.LOWER_IS_BETTER else 1.0
    cluster = out[CLUSTER].agg(" | ".join, axis=1)
    return out.assign(percent=100 * out["gain"] / scale, cluster=cluster, estimator=estimator)


def _foretold(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Means of the verdicts' numbers over repeats, and the decision most of them gave."""
    verdicts = verdicts.assign(p_distil=_p_distil(verdicts)).rename(columns=SKILL)
    numbers = ["gap", "p_distil", "took", *[name for name in RIVALS if name != "gap"]]
    grouped = verdicts.groupby(CLUSTER, sort=False)
    out = grouped[[name for name in numbers if name in verdicts]].mean()
    out["decision"] = grouped["decision"].agg(lambda d: d.mode()[0])
    return out.reset_index()


def _p_distil(verdicts: pd.DataFrame) -> np.ndarray:
    """P(gap > 0) under a flat prior; the stated probability of the verdict's sign."""
    wrong = verdicts["p_wrong"].to_numpy()
    return np.where(verdicts["gap"] > 0, 1 - wrong, wrong)


def size(table: pd.DataFrame) -> dict[str, object]:
    """Count what is pooled: kind of data, clusters, cells, resolved cells, those that help."""
    return {
        "kind": "+".join(sorted(set(table["kind"]))),
        "clusters": table["cluster"].nunique(),
        "cells": len(table),
        "resolved": len(resolved(table)),
        "of these, helps": int((table["outcome"] == "helps").sum()),
    }


def resolved(table: pd.DataFrame) -> pd.DataFrame:
    """Keep the cells whose gain has a sign."""
    return table[table["outcome"] != "unresolved"]


def agreement(table: pd.DataFrame, seed: int = 0) -> dict[str, float]:
    """Count how often the decided verdicts of resolved cells are right.

    Returns
    -------
    dict
        cells, resolved, decided (of the resolved), right (share of the decided) with right_lo and
        right_hi by bootstrap over clusters, and always (share right of "always distil" on the same
        cells). NaN where there is nothing to divide by.
    """
    kept = resolved(table)
    decided = kept[kept["decision"] != "undecided"]
    helps = (decided["outcome"] == "helps").to_numpy()
    right = (decided["decision"] == "distil").to_numpy() == helps
    share, low, high = _interval(lambda r: right[r].mean(), decided["cluster"])
    return {
        "cells": len(table),
        "resolved": len(kept),
        "decided": len(decided),
        "right": share,
        "right_lo": low,
        "right_hi": high,
        "always": helps.mean() if len(helps) else np.nan,
    }


def auc(
    table: pd.DataFrame, score: str, *, within: str = "dataset"
) -> tuple[float, float, float, int]:
    """Chance that a cell that helps scores above one that hurts, with an interval.

    Only pairs of cells with the same `within` are compared, because scores of different
    datasets are in different units; ties count half. This is the area under the ROC curve.

    Returns
    -------
    value, low, high : float
        0.5 is chance; NaN without a pair to compare.
    pairs : int
        Pairs compared.
    """
    kept = resolved(table).dropna(subset=[score])
    helps = (kept["outcome"] == "helps").to_numpy()
    values, strata = kept[score].to_numpy(), pd.factorize(kept[within])[0]

    def concordance(rows: np.ndarray) -> tuple[float, int]:
        wins = pairs = 0
        for stratum in np.unique(strata[rows]):
            own = rows[strata[rows] == stratum]
            up, down = values[own[helps[own]]], values[own[~helps[own]]]
            difference = np.subtract.outer(up, down)
            wins += (difference > 0).sum() + 0.5 * (difference == 0).sum()
            pairs += difference.size
        return (wins / pairs if pairs else np.nan), pairs

    value = _interval(lambda rows: concordance(rows)[0], kept["cluster"])
    return *value, concordance(np.arange(len(kept)))[1]


def rank_correlation(table: pd.DataFrame, score: str = "gap") -> tuple[float, float, float]:
    """Spearman correlation of a score with the gain, over cells, with a cluster interval."""
    kept = table.dropna(subset=[score])
    x, y = kept[score].to_numpy(), kept["gain"].to_numpy()

    def rho(rows: np.ndarray) -> float:
        constant = np.ptp(x[rows]) == 0 or np.ptp(y[rows]) == 0
        return np.nan if constant else spearmanr(x[rows], y[rows]).statistic

    return _interval(rho, kept["cluster"])


def outcome_by_decision(table: pd.DataFrame) -> pd.DataFrame:
    """Share of cells that help, stay unresolved and hurt, for each decision; and their count."""
    counts = pd.crosstab(table["decision"], table["outcome"]).reindex(
        index=["do not distil", "undecided", "distil"],
        columns=["hurts", "unresolved", "helps"],
        fill_value=0,
    )
    return counts.div(counts.sum(axis=1).clip(lower=1), axis=0).assign(cells=counts.sum(axis=1))


def brier(table: pd.DataFrame) -> dict[str, float]:
    """Mean squared error of P(gap > 0) as a forecast of "helps", on resolved cells.

    Returns
    -------
    dict
        brier with brier_lo, brier_hi (bootstrap over clusters); reference: that of always saying
        the share of cells that help, which needs no criterion; 0.25 is a coin's.
    """
    kept = resolved(table)
    helps = (kept["outcome"] == "helps").to_numpy(float)
    error = (kept["p_distil"].to_numpy() - helps) ** 2
    value, low, high = _interval(lambda rows: error[rows].mean(), kept["cluster"])
    reference = helps.mean() * (1 - helps.mean()) if len(helps) else np.nan
    return {"brier": value, "brier_lo": low, "brier_hi": high, "reference": reference}


def shape_of_response(table: pd.DataFrame, score: str = "gap") -> dict[str, float]:
    """Ask whether the gain responds to the gap along a line or along a bent, monotone curve.

    Both are fitted without one cluster at a time and judged on it.

    Returns
    -------
    dict
        Share of the variance of the gain explained on left-out clusters: line, monotone. Below
        zero: worse than the mean.
    """
    x, y = table[score].to_numpy(), table["percent"].to_numpy()
    cluster = table["cluster"].to_numpy()
    fitted = {name: np.full(len(y), np.nan) for name in ("mean", "line", "monotone")}
    for one in np.unique(cluster):
        out = cluster == one
        rest = ~out
        fitted["mean"][out] = y[rest].mean()
        fitted["line"][out] = np.polyval(np.polyfit(x[rest], y[rest], 1), x[out])
        bent = IsotonicRegression(out_of_bounds="clip").fit(x[rest], y[rest])
        fitted["monotone"][out] = bent.predict(x[out])
    errors = {name: ((y - f) ** 2).sum() for name, f in fitted.items()}
    return {name: 1 - errors[name] / errors["mean"] for name in ("line", "monotone")}


def _interval(statistic, units) -> tuple[float, float, float]:
    """Value and 95 % interval over clusters; NaN where there are too few."""
    units = np.asarray(units)
    if len(units) == 0:
        return np.nan, np.nan, np.nan
    if len(np.unique(units)) < 2:
        return float(statistic(np.arange(len(units)))), np.nan, np.nan
    found = resampling.cluster_bootstrap(statistic, units, draws=DRAWS)
    return tuple(float(one) for one in found)


def compare(
    tables: Mapping[str, pd.DataFrame], scores: Sequence[str] = tuple(RIVALS)
) -> pd.DataFrame:
    """Area under the ROC curve of each score in each table, with intervals."""
    rows = []
    for section, table in tables.items():
        for score in scores:
            if score in table and table[score].notna().any():
                value, low, high, pairs = auc(table, score)
                rows.append([section, score, value, low, high, pairs])
    return pd.DataFrame(rows, columns=["section", "score", "auc", "auc_lo", "auc_hi", "pairs"])
