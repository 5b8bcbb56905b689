"""Cells: what happened beside what was foretold, one row per pair, condition, λ and temperature.

A verdict is "distil", "do not distil" or "undecided"; an outcome "helps", "hurts" or "unresolved".
Only where both have a sign can they agree or disagree.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cchkd_utils import results
from cchkd_utils.results import intervals

ANSWERS = ("agree", "disagree", "open")
CLUSTER = ["dataset", "teacher", "student", "condition"]
CELL = [*CLUSTER, "experiment", "lam", "weight", "temperature", "metric", "kind", "knob"]
RIVALS = {
    "gap": "MI gap (CCH)",
    "mi_teacher_student": "I(H1;H2) alone",
    "ignorance": "−I(H2;Y) alone",
    "teacher accuracy": "teacher accuracy (or R²)",
    "advantage": "teacher − student accuracy",
    "linear CKA": "linear CKA",
    "residual alignment": "residual alignment",
    "I(teacher; label | student)": "I(H1;Y | H2)",
}


@dataclass(frozen=True)
class Section:
    """Where a section's rows are, and which of them are pooled."""

    title: str  # for readers
    notebook: str
    table: str  # the recorded one, ``book/results/<table>.csv``
    metric: str  # that stands for the section
    query: str  # rows to keep; the rest are controls, or other forms of the same students
    units: int  # of the hidden layers that are judged
    n_held_out: int = 0  # rows that they are judged on, where an old table does not say
    labels: str = ""  # how the soft labels arose, where that can differ
    by_source: bool = False  # what intervals resample: sources, not pairs


def source(name: str) -> str:
    """Return what a set is of: sets that share patients are one source."""
    return "TCGA" if name == "pancan" or name.startswith("TCGA-") else name


def fold_share(rows: pd.DataFrame) -> float | None:
    """Return the share that a fold tests on; None where each row is a simulated set of its own."""
    return None if set(rows["kind"]) == {"simulated"} else 1 / 5


SECTIONS = (
    Section("synthetic", "01_synthetic", "synthetic", "mse",
            "experiment == 'mlp'", 64, 1000),
    Section("MNIST-M", "02_mnist_m", "mnist_m", "accuracy",
            "experiment == 'distillation' and condition.str.endswith('by index')", 64),
    Section("MOSI/MOSEI", "03_mosei", "mosi", "accuracy",
            "condition.str.contains('cross-fitted')", 32, 150, "cross-fitted"),
    Section("TCGA", "04_tcga", "tcga", "accuracy",
            "experiment == 'cross-fitted'", 16, labels="cross-fitted"),
    Section("many pairs", "08_many_pairs", "many_pairs", "accuracy",
            "experiment == 'in-sample'", 16, labels="in-sample", by_source=True),
)  # fmt: skip

Tables = tuple[pd.DataFrame, pd.DataFrame]


def recorded() -> dict[str, Tables]:
    """Return results and verdicts of the recorded runs, by notebook."""
    return {section.notebook: results.recorded(section.table) for section in SECTIONS}


def this_build() -> dict[str, Tables]:
    """Return results and verdicts of the runs of this build, by notebook."""
    rows, verdicts = results.of_runs(), results.of_runs("verdicts")
    return {name: (rows[name], verdicts[name]) for name in rows}


def by_section(source: Mapping[str, Tables], estimator: str) -> dict[str, pd.DataFrame]:
    """Return the `cells` of each section that the estimator judged, named as "MNIST-M, real"."""
    tables = {}
    for section in SECTIONS:
        if section.notebook in source and estimator in set(source[section.notebook][1].estimator):
            table = cells(section, *source[section.notebook], estimator)
            tables[f"{section.title}, {'+'.join(sorted(set(table['kind'])))}"] = table
    return tables


def cells(
    section: Section, rows: pd.DataFrame, verdicts: pd.DataFrame, estimator: str
) -> pd.DataFrame:
    """Join what happened with what was foretold by one estimator, one row per cell.

    Columns: `CELL`, gain and outcome, baseline; percent (the gain in percentage points, or in per
    cent of the baseline error); means over repeats of the gap (nats), of p_distil = P(gap > 0), of
    rows_per_unit and of the `RIVALS`; the decision most repeats gave; pair, and cluster, which
    intervals resample. Ends of intervals have _lo and _hi.
    ValueError when no row is left of the metric and query, or no verdict of the estimator.
    """
    rows = rows.query(section.query)
    rows = rows[rows["metric"] == section.metric]
    judged = verdicts[verdicts["estimator"] == estimator]
    for table, name in ((rows, f"metric {section.metric}"), (judged, f"estimator {estimator}")):
        if table.empty:
            raise ValueError(f"{section.title}: no row has the {name}")
    wrong = judged["p_wrong"]  # the probability of the other sign, under a flat prior
    judged = judged.rename(columns={"teacher R2": "teacher accuracy"}).assign(
        p_distil=np.where(judged["gap"] > 0, 1 - wrong, wrong),
        ignorance=-judged["mi_student_label"],
        rows_per_unit=judged.get("n_held_out", section.n_held_out) / section.units,
    )
    numbers = ["gap", "gap_lo", "gap_hi", "p_distil", "took", "rows_per_unit"]
    numbers = dict.fromkeys([*numbers, *RIVALS])
    foretold = pooled(judged, CLUSTER, [name for name in numbers if name in judged]).reset_index()
    baseline = rows.groupby(CELL, sort=False, as_index=False)["baseline"].mean()
    gains = intervals.summarise(rows, CELL).drop(columns="baseline")
    out = gains.merge(baseline, on=CELL).merge(foretold, on=CLUSTER)
    if "teacher accuracy" in out and section.metric == "accuracy":
        out["advantage"] = out["teacher accuracy"] - out["baseline"]
    scale = out["baseline"] if results.SIGNS[section.metric] < 0 else 1.0
    for end in ("", "_lo", "_hi"):
        out[f"percent{end}"] = 100 * out[f"gain{end}"] / scale
    first, *rest = (out[name] for name in CLUSTER)
    pair = first.str.cat(rest, sep=" | ")
    cluster = out["dataset"].map(source) if section.by_source else pair
    return out.assign(cluster=cluster, pair=pair, estimator=estimator)


def size(table: pd.DataFrame) -> dict[str, int]:
    """Count what is pooled."""
    return {
        "pairs × conditions": table["pair"].nunique(),
        "clusters": table["cluster"].nunique(),
        "cells": len(table),
        "resolved": len(resolved(table)),
        "helps": int((table["outcome"] == "helps").sum()),
    }


def resolved(table: pd.DataFrame) -> pd.DataFrame:
    """Keep the cells whose gain has a sign."""
    return table[table["outcome"] != "unresolved"]


def pooled(verdicts: pd.DataFrame, by: list[str], numbers: list[str]) -> pd.DataFrame:
    """Return, indexed `by`, means of `numbers` over repeats, and what more than half decided.

    Repeats may share rows: the mean of an interval's ends is not narrower for being of many.
    """
    grouped = verdicts.groupby(by, sort=False)
    flags = {said: verdicts["decision"] == said for said in ("distil", "do not distil")}
    shares = verdicts[by].assign(**flags).groupby(by, sort=False).mean()
    decision = np.select([shares[said] > 0.5 for said in flags], list(flags), "undecided")
    return grouped[numbers].mean().assign(decision=decision)


def agreement(decisions: ArrayLike, outcomes: ArrayLike) -> NDArray[np.str_]:
    """Say of each decision and its outcome: agree, disagree, or open where either has no sign."""
    signs = {"distil": 1, "do not distil": -1, "helps": 1, "hurts": -1}
    said, happened = (pd.Series(np.asarray(words)).map(signs) for words in (decisions, outcomes))
    product = (said * happened).to_numpy(float)  # nan where either has no sign
    return np.select([product > 0, product < 0], ANSWERS[:2], ANSWERS[2])


def same_sign(cells: pd.DataFrame) -> pd.Series:
    """Say of each cell with a clear effect whether the gap has its sign, however sure the gap."""
    clear = resolved(cells)
    return (clear["gap"] > 0) == (clear["outcome"] == "helps")


def tally(table: pd.DataFrame, by: str = "estimator") -> pd.DataFrame:
    """Count `agreement` of the columns decision and outcome: one row per estimator."""
    answers = agreement(table["decision"], table["outcome"])
    counts = pd.crosstab(table[by].to_numpy(), answers)
    counts = counts.reindex(index=table[by].unique(), columns=list(ANSWERS), fill_value=0)
    return counts.rename_axis(index=by, columns=None)


def scored(table: pd.DataFrame) -> pd.DataFrame:
    """Count right answers among clear effects, by estimator, beside both constant answers.

    The book's one rule: an unresolved gain counts for nobody. ``decision``: where it is decided;
    ``sign``: of the gap, however sure. Each count says of how many.
    """
    rows = {}
    for estimator, own in table.groupby("estimator", sort=False):
        clear = resolved(own)
        helps = clear["outcome"] == "helps"
        decided = clear["decision"] != "undecided"
        right = (clear["decision"] == "distil") == helps
        answers = {"decision": (right, decided), "sign": (same_sign(own), slice(None))}
        rows[estimator] = {("", "undecided"): _of(own["decision"] == "undecided")} | {
            (name, answer): _of(flags[kept])
            for name, (hit, kept) in answers.items()
            for answer, flags in (("right", hit), ("always", helps), ("never", ~helps))
        }
    return pd.DataFrame(rows).T.rename_axis("estimator")


def _of(flags: pd.Series) -> str:
    return f"{flags.sum()} of {len(flags)}" if len(flags) else "none"
