"""How each of the paper's headline results is measured in our tables, and graded.

The grades are fixed here, apart from the numbers. A measure takes the results and verdicts of its
section; what it returns says in words what it counted.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from cchkd_utils.results import intervals
from cchkd_utils.sections import cells as joined
from cchkd_utils.sections.cells import ANSWERS, CELL, CLUSTER, SECTIONS, agreement, same_sign
from cchkd_utils.sections.does_it_predict.study import shape_of_response
from cchkd_utils.sections.quantities import near

REPRODUCED, PARTLY, NOT_REPRODUCED, NOT_TESTABLE = GRADES = (
    "reproduced", "partly", "not reproduced", "not testable here",
)  # fmt: skip
PAPERS = ("ksg", "mine", "lmi")  # the paper's three estimators
SECTION = {section.notebook: section for section in SECTIONS}


@dataclass(frozen=True)
class Cell:
    """What a pair of tables says about a headline: numbers with intervals, grade, the tables."""

    text: str
    grade: str  # one of `GRADES`
    source: str = ""


def gaussian_sign(rows: pd.DataFrame, verdicts: pd.DataFrame) -> Cell:
    """Headline 1: networks on Gaussian data, by the sign of the true gap, at every λ."""
    cells = _cells("01_synthetic", rows, verdicts, [_main(verdicts)])
    above, below = cells[cells["knob"] > 0], cells[cells["knob"] < 0]
    text = f"gap > 0: {_range_of(above)}; gap < 0: {_range_of(below)}"
    if above.empty or below.empty:
        return Cell(text, NOT_TESTABLE)
    holds = [(above["outcome"] == "helps").mean(), (below["outcome"] != "helps").mean()]
    return Cell(
        text, REPRODUCED if min(holds) == 1 else PARTLY if holds[0] > 0.5 else NOT_REPRODUCED
    )


def digits_sign(rows: pd.DataFrame, verdicts: pd.DataFrame) -> Cell:
    """Headline 2: accuracy gained on digits where each estimator's gap is above and below 0."""
    parts, right = [], []
    cells = _cells("02_mnist_m", rows, verdicts, (*PAPERS, "auto"))
    for estimator, group in cells.groupby("estimator", sort=False):
        spans = [_span(group[group["gap"] > 0]), _span(group[group["gap"] < 0])]
        parts.append(f"{estimator}: gap > 0 {spans[0]}, gap < 0 {spans[1]}")
        same = same_sign(group)
        right += [same.mean()] if len(same) else []
    text = "; ".join(parts) + " points"
    if not right:
        return Cell(text, NOT_TESTABLE)
    return Cell(text, PARTLY if min(right) < 1 and max(right) > 0.8 else _grade(min(right)))


def modality_ranking(rows: pd.DataFrame, verdicts: pd.DataFrame) -> Cell:
    """Headline 3: I(H2;Y) of each modality as a student, nats."""
    judged = verdicts[verdicts["estimator"] == _main(verdicts)]
    per_seed = judged.groupby(["student", "seed"])["mi_student_label"].mean()
    share = None if set(rows["kind"]) == {"simulated"} else 1 / 5
    nats = {
        student: intervals.over_repeats(values, share)
        for student, values in per_seed.groupby("student")
    }
    order = sorted(nats, key=lambda student: -nats[student][0])
    text = ", ".join("{} {:.2f} [{:.2f}, {:.2f}]".format(name, *nats[name]) for name in order)
    if order == ["text", "audio", "vision"]:
        apart = all(nats[better][1] > nats[worse][2] for better, worse in pairwise(order))
        return Cell(f"{text} nats", REPRODUCED if apart else PARTLY)
    return Cell(f"{text} nats", PARTLY if order[0] == "text" else NOT_REPRODUCED)


def text_teaches(rows: pd.DataFrame, verdicts: pd.DataFrame) -> Cell:
    """Headline 4: gains of text → vision and text → audio at λ = 0.5, T = 2 (or the nearest)."""
    taught = _taught_by_text(rows)
    taught = taught[taught["condition"].str.endswith("noise 0")]
    taught = near(taught, lam=0.5, temperature=2.0)
    lam, temperature = taught[["lam", "temperature"]].iloc[0]
    gains = SECTION["03_mosei"].intervals(taught, ["student", "metric"]).set_index("student")
    text = ", ".join(f"text → {name}: {_points(gains.loc[name])}" for name in ("vision", "audio"))
    text += f" points at λ = {lam:g}, T = {temperature:g}"
    return Cell(text, _grade_effects(gains["outcome"]))


def noise_crossing(rows: pd.DataFrame, verdicts: pd.DataFrame) -> Cell:
    """Headline 5: gain of a text teacher without noise and at the largest noise."""
    taught = _taught_by_text(rows)
    largest = taught["lam"].max()
    taught = near(taught[taught["lam"] == largest], temperature=2.0)
    gains = SECTION["03_mosei"].intervals(taught, ["student", "condition", "knob"])
    parts, holds = [], []
    for student, group in gains.groupby("student", sort=False):
        group = group.sort_values("knob")
        first, last = group.iloc[0], group.iloc[-1]
        if first["knob"] == last["knob"]:
            continue
        parts.append(
            f"text → {student}: {_points(first)} without, {_points(last)} at noise {last['knob']:g}"
        )
        holds.append((first["outcome"] == "helps") + (last["outcome"] == "hurts"))
    grade = [NOT_TESTABLE, PARTLY, REPRODUCED][min(holds, default=0)]
    return Cell("; ".join(parts) + f" points, λ = {largest:g}, T = 2", grade)


def cohorts_agree(rows: pd.DataFrame, verdicts: pd.DataFrame) -> Cell:
    """Headline 6: verdicts and signs of the effect by cohort; the paper's estimators."""
    parts, right, wrong, silent = [], 0, 0, 0
    table = _cells("04_tcga", rows, verdicts, PAPERS)
    for cohort, cells in table.groupby("dataset", sort=False):
        answers = agreement(cells["decision"], cells["outcome"])
        agree, differ, undecided = ((answers == answer).sum() for answer in ANSWERS)
        parts.append(f"{cohort}: {agree} agree, {differ} disagree, {undecided} open")
        right, wrong, silent = right + agree, wrong + differ, silent + (agree + differ == 0)
    grade = _grade(right / (right + wrong)) if right + wrong else NOT_TESTABLE
    text = "; ".join(parts) + " (pairs × λ × T × estimators)"
    return Cell(text, PARTLY if grade == REPRODUCED and silent else grade)


def fusion(rows: pd.DataFrame, verdicts: pd.DataFrame) -> Cell:
    """Headline 7: fusion with distillation beside fusion alone, where a verdict says distil."""
    estimator = _main(verdicts)
    decisions = joined.pooled(verdicts[verdicts["estimator"] == estimator], CLUSTER, ["gap"])
    fused = rows[rows["experiment"].str.contains("fusion") & (rows["metric"] == "accuracy")]
    gains = SECTION["04_tcga"].intervals(fused, CELL).merge(decisions["decision"], on=CLUSTER)
    said = gains[gains["decision"] == "distil"]
    if said.empty:
        return Cell(f"{estimator} says distil for no pair", NOT_TESTABLE)
    return Cell(f"where {estimator} says distil: {_counts(said)}", _grade_effects(said["outcome"]))


def ablations(rows: pd.DataFrame, verdicts: pd.DataFrame) -> Cell:
    """Headline 8: agreement by λ and by T, averaged over the estimators."""
    cells = _cells("02_mnist_m", rows, verdicts, verdicts["estimator"].unique())
    table = joined.resolved(cells)
    if table.empty:
        return Cell("0 cells with a clear effect", NOT_TESTABLE)
    right = same_sign(table)
    by_lam, by_temperature = (right.groupby(table[name]).mean() for name in ("lam", "temperature"))
    text = "; ".join(
        f"{name}: " + ", ".join(f"{key:g} {value:.0%}" for key, value in shares.items())
        for name, shares in (("agreement by λ", by_lam), ("by T", by_temperature))
    )
    falling = len(by_lam) > 1 and by_lam.iloc[0] > by_lam.iloc[-1]
    steady = by_temperature.max() - by_temperature.min() < 0.1
    return Cell(text, [NOT_REPRODUCED, PARTLY, REPRODUCED][int(falling) + int(steady)])


def estimators_rank(rows: pd.DataFrame, verdicts: pd.DataFrame) -> Cell:
    """Headline 9: gaps by several estimators: how alike in rank, how far apart in value."""
    judged = verdicts[verdicts["estimator"].isin(["auto", *PAPERS])]
    wide = judged.groupby(["condition", "estimator"])["gap"].mean().unstack().dropna()
    if wide.shape[1] < 2 or len(wide) < 3:
        return Cell("one estimator or too few conditions", NOT_TESTABLE)
    ranks = wide.corr(method="spearman").to_numpy()
    lowest = ranks[np.triu_indices(len(ranks), 1)].min()
    apart = (wide.max(axis=1) - wide.min(axis=1)).median()
    text = (
        f"{', '.join(wide.columns)} over {len(wide)} conditions: rank correlations of the gap at "
        f"least {lowest:+.2f}; values {apart:.2f} nats apart (median)"
    )
    return Cell(text, REPRODUCED if lowest > 0.8 else PARTLY if lowest > 0.4 else NOT_REPRODUCED)


def bent_response(rows: pd.DataFrame, verdicts: pd.DataFrame) -> Cell:
    """Headline 10: does a monotone curve foretell left-out clusters better than a line?"""
    estimator = _main(verdicts)
    shape = shape_of_response(_cells("02_mnist_m", rows, verdicts, [estimator]))
    if np.isnan(shape["line"]):
        return Cell("fewer than 4 conditions", NOT_TESTABLE)
    text = (
        f"{estimator}: variance explained on left-out clusters {shape['line']:.2f} by a line, "
        f"{shape['monotone']:.2f} by a monotone curve"
    )
    if max(shape.values()) <= 0:
        return Cell(text, NOT_REPRODUCED)
    return Cell(text, REPRODUCED if shape["monotone"] > shape["line"] + 0.02 else PARTLY)


def _main(verdicts: pd.DataFrame) -> str:
    """Return the estimator that stands for all: `auto`, or the paper's first where it is not."""
    return next(name for name in ("auto", "ksg") if name in set(verdicts["estimator"]))


def _cells(
    notebook: str, rows: pd.DataFrame, verdicts: pd.DataFrame, estimators: Iterable[str]
) -> pd.DataFrame:
    """Return the cells of a section by each of the estimators that it has verdicts of."""
    names = [name for name in estimators if name in set(verdicts["estimator"])]
    return pd.concat(joined.cells(SECTION[notebook], rows, verdicts, name) for name in names)


def _taught_by_text(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows.query(SECTION["03_mosei"].query)
    return rows[(rows["metric"] == "accuracy") & (rows["teacher"] == "text")]


def _grade(share: float) -> str:
    """Grade a share of statements that hold: all of them, more than half, or fewer."""
    return REPRODUCED if share == 1 else PARTLY if share > 0.5 else NOT_REPRODUCED


def _grade_effects(outcomes: pd.Series) -> str:
    """Grade effects that should help: intervals that all hold zero cannot tell."""
    if (outcomes == "unresolved").all():
        return NOT_TESTABLE
    return _grade((outcomes == "helps").mean())


def _counts(cells: pd.DataFrame) -> str:
    helps, hurts = ((cells["outcome"] == outcome).sum() for outcome in ("helps", "hurts"))
    return f"helps in {helps}, hurts in {hurts} of {len(cells)} cells"


def _range_of(cells: pd.DataFrame) -> str:
    if cells.empty:
        return "no cell"
    return f"{_counts(cells)} ({_span(cells)} %)"


def _span(cells: pd.DataFrame) -> str:
    if cells.empty:
        return "never"
    return f"{cells['percent'].min():+.1f} … {cells['percent'].max():+.1f}"


def _points(row: pd.Series) -> str:
    gain, low, high = (100 * row[name] for name in ("gain", "gain_lo", "gain_hi"))
    return f"{gain:+.1f} [{low:+.1f}, {high:+.1f}]"
