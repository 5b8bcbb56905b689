"""What the tables of notebook 02, of this run or recorded, say: gains in points, gaps in nats."""

import pandas as pd

from cchkd_utils.results import intervals
from cchkd_utils.sections.cells import pooled
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


def outcomes(table: pd.DataFrame, verdicts: pd.DataFrame) -> pd.DataFrame:
    """Return the outcome of every (blur, λ, T) beside each estimator's gap and decision."""
    cells = intervals.summarise(table, ["knob", "lam", "temperature"])
    return cells.merge(by_blur(verdicts).reset_index(), on="knob")


def foretold(table: pd.DataFrame, verdicts: pd.DataFrame) -> pd.DataFrame:
    """Count the outcomes of all (λ, T), blur by blur, beside each estimator's gap and decision."""
    cells = intervals.summarise(table, ["knob", "lam", "temperature"])
    counts = pd.crosstab(cells["knob"], cells["outcome"])
    counts = counts.reindex(columns=["helps", "hurts", "unresolved"], fill_value=0)
    said = by_blur(verdicts)
    text = (said["gap"].map("{:+z.2f} ".format) + said["decision"]).unstack("estimator")
    return counts.join(text).rename_axis("blur (px)")


def rank_correlations(table: pd.DataFrame, verdicts: pd.DataFrame, draws: int = 1000):
    """Spearman's correlation of each gap, then of each rival, with the mean gain over λ and T.

    The interval resamples blurs, which is what varies; seeds of one blur stay together.
    """
    case = ["knob", "seed"]
    wide = verdicts.pivot(index=case, columns="estimator", values="gap").add_prefix("gap, ")
    first = verdicts[verdicts["estimator"] == verdicts["estimator"].iloc[0]]
    wide = wide.join(first.set_index(case)[RIVALS])
    gains, ranked = table.groupby(case)["gain"].mean(), []
    for name in wide:
        pair = wide[[name]].assign(gain=gains).dropna()
        blurs = pair.index.get_level_values("knob")
        ranked.append((name, *intervals.rank_correlation(*pair.to_numpy().T, blurs, draws=draws)))
    return pd.DataFrame(ranked, columns=["predictor", "rho", "low", "high"])


def contrasts(table: pd.DataFrame, lam: float, temperature: float) -> pd.DataFrame:
    """Gains of distillation and controls (``what``) at one λ, T; label smoothing at its best λ."""
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
