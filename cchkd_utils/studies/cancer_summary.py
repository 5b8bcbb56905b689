"""What the tables of the cancer section say: intervals, majority verdicts, who agreed with whom."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import t as student_t

from cchkd_utils.resampling import outcome

PAIR = ["dataset", "teacher", "student"]


def pooled(frame: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Mean gain over repeats and folds, with the 95 % interval of Nadeau and Bengio.

    The same as `resampling.repeated_folds` on the gains of all folds, from each repeat's mean
    (`gain`), spread (`gain_sd`) and number of folds (`n_folds`).

    Parameters
    ----------
    frame : rows of the results table, one per repeat and group
    by : columns that make a group

    Returns
    -------
    DataFrame
        `by`, baseline, gain, gain_lo, gain_hi, outcome (helps, hurts or unresolved).
    """
    rows = []
    for key, group in frame.groupby(by, sort=False):
        k, mean = group["n_folds"].to_numpy(), group["gain"].mean()
        squares = (k - 1) * group["gain_sd"] ** 2 + k * (group["gain"] - mean) ** 2
        n_folds, ratio = k.sum(), 1 / (k.mean() - 1)  # of test to training rows
        stderr = np.sqrt((1 / n_folds + ratio) * squares.sum() / (n_folds - 1))
        half = student_t.ppf(0.975, n_folds - 1) * stderr
        rows.append([*key, group["baseline"].mean(), mean, mean - half, mean + half])
    out = pd.DataFrame(rows, columns=[*by, "baseline", "gain", "gain_lo", "gain_hi"])
    return out.assign(outcome=outcome(out["gain_lo"], out["gain_hi"]))


def majority(verdicts: pd.DataFrame) -> pd.DataFrame:
    """One verdict per pair and estimator: what more than half of the repeats say, else undecided.

    The repeats share participants, so gap, both sides and the 90 % interval are means over them,
    not narrower for being many.
    """
    grouped = verdicts.groupby([*PAIR, "estimator"], sort=False)
    numbers = ["mi_teacher_student", "mi_student_label", "gap", "gap_lo", "gap_hi"]
    out = grouped[numbers].mean()
    out["decision"] = grouped["decision"].agg(_majority)
    out["repeats"] = grouped.size()
    return out.reset_index()


def _majority(decisions: pd.Series) -> str:
    shares = decisions.value_counts(normalize=True)
    return shares.index[0] if shares.iloc[0] > 0.5 else "undecided"


def agreement(gains: pd.DataFrame, judged: pd.DataFrame) -> pd.DataFrame:
    """Join gains (`pooled`) with verdicts (`majority`) and say whether they agree.

    Returns
    -------
    DataFrame
        One row per pair and estimator. ``agrees``: yes or no where the outcome is resolved and
        the verdict decided, else open; ``same sign``: of gap and mean gain, however uncertain.
    """
    out = gains.merge(judged, on=PAIR)
    helps = out["outcome"].map({"helps": 1, "hurts": -1}).fillna(0)
    says = out["decision"].map({"distil": 1, "do not distil": -1}).fillna(0)
    out["agrees"] = np.select([helps * says > 0, helps * says < 0], ["yes", "no"], "open")
    out["same sign"] = np.sign(out["gain"]) == np.sign(out["gap"])
    return out


def tally(table: pd.DataFrame) -> pd.DataFrame:
    """Count the pairs of `agreement` by estimator."""
    grouped = table.groupby("estimator", sort=False)
    out = pd.DataFrame({name: grouped["agrees"].agg(lambda a, n=name: (a == n).sum())
                        for name in ("yes", "no", "open")})  # fmt: skip
    out["same sign"] = [f"{s.sum()} of {len(s)}" for _, s in grouped["same sign"]]
    return out


def pair_names(table: pd.DataFrame) -> pd.Series:
    """Return "BRCA: cnv → mrna" for each row."""
    cohort = table["dataset"].str.removeprefix("TCGA-")
    return cohort + ": " + table["teacher"] + " → " + table["student"]


def report(gains: pd.DataFrame, scale: float = 100) -> pd.Series:
    """Write each gain of `pooled` as text: mean and interval in points, and the outcome."""
    numbers = zip(*(scale * gains[c] for c in ("gain", "gain_lo", "gain_hi")), gains["outcome"])
    return pd.Series(
        [f"{gain:+.1f} [{low:+.1f}, {high:+.1f}] {name}" for gain, low, high, name in numbers],
        gains.index,
    )
