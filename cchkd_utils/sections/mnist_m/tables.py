"""What the tables of notebook 02 say: gains beside verdicts, controls, rank correlations.

All functions take the two tidy tables, of this run or of the recorded one. Gains in percentage
points, information in nats.
"""

from functools import partial

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from cchkd_utils.results import intervals
from cchkd_utils.sections.cells import pooled, tally
from cchkd_utils.sections.quantities import near

RIVALS = ["teacher accuracy", "linear CKA", "residual alignment", "I(teacher; label | student)"]


def in_points(table: pd.DataFrame) -> pd.DataFrame:
    """Return the results with gains in percentage points."""
    return table.assign(gain=100 * table["gain"])


def paired(table: pd.DataFrame, pairing: str = "index") -> pd.DataFrame:
    """Return the rows of distilled students, or of verdicts, under one pairing."""
    own = table["condition"].str.endswith(f", paired by {pairing}")
    return table[own & (table.get("experiment", "distillation") == "distillation")]


def by_blur(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Return means over seeds per estimator and blur, and the decision of most seeds."""
    numbers = ["gap", "gap_lo", "gap_hi", "mi_teacher_student", "mi_student_label", *RIVALS]
    return pooled(verdicts, ["estimator", "knob"], numbers).sort_index()


def foretold(table: pd.DataFrame, verdicts: pd.DataFrame) -> pd.DataFrame:
    """Set the verdicts of each estimator beside what became of the students, blur by blur.

    The number of (λ, T) cells that helps, hurts, unresolved; a column per estimator with its mean
    gap and decision, as text. In the last row, ``right``: among cells with an outcome, the share
    that the decisions foretold (undecided foretells none).
    """
    cells = intervals.summarise(table, ["knob", "lam", "temperature"])
    counts = pd.crosstab(cells["knob"], cells["outcome"])
    counts = counts.reindex(columns=["helps", "hurts", "unresolved"], fill_value=0)
    said = by_blur(verdicts).reset_index()
    text = said["gap"].map("{:+.2f} ".format) + said["decision"]
    text = said.assign(text=text).pivot(index="knob", columns="estimator", values="text")
    agreed = tally(cells.merge(said, on="knob"))["agree"]
    right = agreed / max(1, (cells["outcome"] != "unresolved").sum())
    last = right.map("{:.0%}".format).to_frame("right").T
    beside = pd.concat([counts.join(text).astype(object), last])
    return beside.fillna("").rename_axis("blur (px)")


def rank_correlations(table: pd.DataFrame, verdicts: pd.DataFrame, draws: int = 1000):
    """Spearman's correlation of what was known beforehand with the gain, and its interval.

    One row per blur and seed: the gain is the mean over λ and T. The interval resamples blurs,
    which is what varies; seeds of one blur stay together. A row per predictor: the gap by each
    estimator, then the rivals.
    """
    gains = table.groupby(["knob", "seed"])["gain"].mean()
    wide = verdicts.pivot(index=["knob", "seed"], columns="estimator", values="gap")
    first = verdicts[verdicts["estimator"] == verdicts["estimator"].iloc[0]]
    wide = wide.add_prefix("gap, ").join(first.set_index(["knob", "seed"])[RIVALS])
    gain, units = gains.loc[wide.index].to_numpy(), wide.index.get_level_values("knob")
    rows = []
    for name in wide:
        rho = partial(_spearman, wide[name].to_numpy(), gain)
        rows.append((name, *intervals.cluster_interval(rho, units, draws=draws)))
    return pd.DataFrame(rows, columns=["predictor", "rho", "low", "high"])


def _spearman(a: np.ndarray, b: np.ndarray, rows: np.ndarray) -> float:
    """Spearman's correlation over `rows`; NaN where either does not vary."""
    with np.errstate(invalid="ignore"):
        return float(np.corrcoef(rankdata(a[rows]), rankdata(b[rows]))[0, 1])


def contrasts(table: pd.DataFrame, lam: float, temperature: float) -> pd.DataFrame:
    """Gains of the controls and of distillation at one λ and T, with intervals over seeds.

    The column ``what`` is distillation, paired by class, shuffled teacher or label smoothing; the
    last (T = 1) has its λ of the largest gain.
    """
    groups = {
        "distillation": paired(table),
        "paired by class": paired(table, "class"),
        "shuffled teacher": table[table["experiment"] == "shuffled teacher"],
    }
    parts = [
        intervals.summarise(near(rows, lam=lam, temperature=temperature), ["knob"]).assign(what=who)
        for who, rows in groups.items()
        if len(rows)
    ]
    smooth = table[table["experiment"] == "label smoothing"]
    if len(smooth):
        best = intervals.summarise(smooth, ["knob", "lam"]).nlargest(1, "gain")
        parts.append(best.assign(what="label smoothing"))
    return pd.concat(parts, ignore_index=True)


def points(table: pd.DataFrame, verdicts: pd.DataFrame, temperature: float) -> pd.DataFrame:
    """Return mean gain and mean gap, one row per blur, λ and estimator, at one temperature."""
    summary = intervals.summarise(near(table, temperature=temperature), ["knob", "lam"])
    return summary.merge(by_blur(verdicts).reset_index(), on="knob")


def spans(points: pd.DataFrame) -> dict[bool, str]:
    """Return the range of mean gains where the gap is above zero (True) and where it is below."""
    sides = points.groupby(points["gap"] > 0)["gain"]
    text = sides.agg(lambda gains: f"{gains.min():+.1f} … {gains.max():+.1f}")
    return text.reindex([True, False], fill_value="no such blur").to_dict()
