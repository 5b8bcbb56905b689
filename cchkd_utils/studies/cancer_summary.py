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


def at(rows: pd.DataFrame, lam: float, temperature: float, metric="accuracy") -> pd.DataFrame:
    """Pool the gains of every pair and experiment at one point of the grid."""
    some = rows[(rows["lam"] == lam) & (rows["temperature"] == temperature)]
    return pooled(some[some["metric"] == metric], [*PAIR, "experiment"])


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


def overview(gains: pd.DataFrame, judged: pd.DataFrame) -> pd.DataFrame:
    """One line per pair, to read: gain by kind of soft label, and each estimator's verdict."""
    gains, judged = (t.assign(pair=pair_names(t)) for t in (gains, judged))
    text = gains.assign(text=report(gains)).pivot(index="pair", columns="experiment", values="text")
    said = judged.pivot(index="pair", columns="estimator", values="decision")
    order = list(dict.fromkeys(gains["pair"]))
    return text[["in-sample", "cross-fitted"]].join(said).loc[order].rename_axis(None, axis=0)


def outcomes(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Count the outcomes of all pairs, weights and temperatures in `rows`, by some columns."""
    point = [*PAIR, "lam", "temperature", *(c for c in by if c not in ("lam", "temperature"))]
    counts = pooled(rows, point).groupby(by, sort=False)["outcome"].value_counts()
    return counts.unstack(fill_value=0).reindex(
        columns=["helps", "unresolved", "hurts"], fill_value=0
    )


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


def holds(gains: pd.DataFrame, judged: pd.DataFrame, estimator: str) -> pd.DataFrame:
    """Keep the pairs whose mean gap is above zero by one estimator: where CCH holds."""
    says = judged[(judged["estimator"] == estimator) & (judged["gap"] > 0)]
    return gains.merge(says[PAIR], on=PAIR)


def span(gains: pd.DataFrame) -> str:
    """Write how many of the pairs gained and lost, and the range of the mean gains."""
    if gains.empty:
        return "no pair"
    count, points = gains["outcome"].value_counts(), 100 * gains["gain"]
    counted = f"{count.get('helps', 0)} help, {count.get('hurts', 0)} hurt, of {len(gains)}"
    return f"{counted}; {points.min():+.1f} … {points.max():+.1f} points"


def agreed(gains: pd.DataFrame, judged: pd.DataFrame) -> str:
    """Write for each estimator how many pairs agree, disagree and stay open."""
    table = tally(agreement(gains, judged))
    return "; ".join(f"{e}: {t['yes']} yes, {t['no']} no, {t['open']} open"
                     for e, t in table.iterrows())  # fmt: skip


def first_choices(ranked: list[dict], gains: pd.DataFrame) -> dict[str, str]:
    """Compare the teachers that come first by gap with the one that gave the best mean gain.

    Parameters
    ----------
    ranked : one {teacher: verdict} per repeat, best first; see `cancer.rank`
    gains : rows of `pooled` for this student
    """
    first = [next(iter(verdicts)) for verdicts in ranked]
    name = max(sorted(set(first)), key=first.count)
    best = gains.loc[gains["gain"].idxmax(), "teacher"]
    return {"ranked first": f"{name} ({first.count(name)} of {len(first)})", "best gain": best}
