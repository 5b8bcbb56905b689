"""What the tables of many pairs say. Intervals resample sources: sets of one share their units."""

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm, rankdata
from scipy.stats import t as student_t

from cchkd_utils.results import intervals
from cchkd_utils.sections import cells
from cchkd_utils.sections.cells import CLUSTER, RIVALS, resolved, source

SECTION = next(s for s in cells.SECTIONS if s.table == "many_pairs")
POINT = [*CLUSTER, "lam", "temperature"]
NOT_LABEL = "I(teacher; student | label)"
MANY = 6  # pairs of a set, from which on scores are compared within it
POWER = norm.ppf(0.975) + norm.ppf(0.8)  # to find a difference in four of five studies


def joined(
    rows: pd.DataFrame, verdicts: pd.DataFrame, soft: str = "in-sample", metric: str = "accuracy"
) -> pd.DataFrame:
    """Return the `cells` by each estimator, one below the other, with their source."""
    section = replace(SECTION, query=f"experiment == '{soft}'", metric=metric)
    parts = [cells.cells(section, rows, verdicts, e) for e in verdicts["estimator"].unique()]
    table = pd.concat(parts, ignore_index=True)
    return table.assign(source=table["dataset"].map(source), n_train=table["knob"].astype(int))


def counts(table: pd.DataFrame) -> pd.DataFrame:
    """Count what a table holds, in one row."""
    own = table.drop_duplicates(POINT)
    told = {
        "ordered pairs": len(own.drop_duplicates(CLUSTER[:3])),
        "sets": own["dataset"].nunique(),
        "sources": own["source"].nunique(),
        "pairs × training rows": len(own.drop_duplicates(CLUSTER)),
    }
    return pd.DataFrame([told | own["outcome"].value_counts().to_dict()], index=["recorded"])


def answers(table: pd.DataFrame) -> pd.DataFrame:
    """Shares of clear effects that sign and decision foretell, by estimator.

    Beside each the constant answers on the same cells, and the paired difference from *never*.
    """
    lines = {}
    for estimator, own in resolved(table).groupby("estimator", sort=False):
        helps = (own["outcome"] == "helps").to_numpy()
        sign = (own["gap"].to_numpy() > 0) == helps
        decided = (own["decision"] != "undecided").to_numpy()
        said = (own["decision"].to_numpy() == "distil") == helps
        lines[estimator] = {
            ("all clear effects", "cells"): len(own),
            ("all clear effects", "sign right"): _share(sign),
            ("all clear effects", "always"): _share(helps),
            ("all clear effects", "never"): _share(~helps),
            ("all clear effects", "sign − never"): _difference(sign, ~helps, own["source"]),
            ("decided ones", "cells"): int(decided.sum()),
            ("decided ones", "decision right"): _share(said[decided]),
            ("decided ones", "always"): _share(helps[decided]),
            ("decided ones", "never"): _share(~helps[decided]),
            ("decided ones", "decision − never"): _difference(
                said[decided], ~helps[decided], own["source"][decided]
            ),
        }
    return pd.DataFrame(lines).T


def _share(flags: NDArray) -> str:
    return f"{flags.sum()} ({flags.mean():.0%})" if len(flags) else ""


def _difference(first: NDArray, second: NDArray, units: pd.Series) -> str:
    """Write the difference of two shares of the same cells in points, with its interval."""
    if not len(first):
        return ""
    apart = 100 * (first.astype(float) - second)
    return "{:+.0f} [{:+.0f}, {:+.0f}]".format(
        *intervals.cluster_interval(lambda r: apart[r].mean(), units)
    )


def scored(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """One row per cell with all scores: the gap by each estimator, and the rivals; their names."""
    named = {e: f"gap, {e}" for e in table["estimator"].unique()}
    gaps = table.pivot(index=POINT, columns="estimator", values="gap").rename(columns=named)
    main = "auto" if "auto" in named else next(iter(named))
    own = table[table["estimator"] == main].drop(columns=["gap", *set(named.values()) & set(table)])
    rivals = [name for name in RIVALS if name in own and own[name].notna().all()]
    return own.merge(gaps.reset_index(), on=POINT), [*gaps, *rivals]


def ranking(wide: pd.DataFrame, scores: list[str], reference: str) -> pd.DataFrame:
    """How each score ranks the gains, and the paired difference from a reference score.

    ``overall``: rank correlation with the gain over all cells. ``within``: its mean over sets (at
    one number of training rows) of `MANY` pairs and more. ``auc``: how often a cell that helps
    scores above one that hurts. Each with _lo, _hi, and with _minus for the difference, and
    ``needed``: sources at which such a difference would be found in four of five studies.
    """
    numbers = wide[["gain", *scores]].to_numpy(float)
    helps = (wide["outcome"] == "helps").to_numpy()
    clear = np.flatnonzero(wide["outcome"] != "unresolved")
    groups = [
        rows for rows in wide.groupby(["dataset", "condition"]).indices.values()
        if len(rows) >= MANY and np.ptp(numbers[rows, 0]) > 0
    ]  # fmt: skip
    within = np.array([_correlations(numbers[rows]) for rows in groups])
    sources = wide["source"].to_numpy()
    forms = {
        "overall": (sources, lambda r: _correlations(numbers[r])),
        "within": (
            np.array([sources[rows[0]] for rows in groups]), lambda r: within[r].mean(axis=0)
        ),
        "auc": (sources[clear], lambda r: _auc(numbers[clear[r], 1:], helps[clear[r]])),
    }  # fmt: skip
    columns, at = {}, scores.index(reference)
    for form, (units, statistic) in forms.items():
        g = len(np.unique(units))
        if g < 2:
            continue

        def both(rows, statistic=statistic):
            values = statistic(rows)
            return np.concatenate([values, values - values[at]])

        value, low, high = intervals.cluster_bootstrap(both, units)
        k = len(scores)
        for suffix, part in (("", slice(k)), ("_minus", slice(k, None))):
            ends = (value[part], low[part], high[part])
            columns |= {f"{form}{suffix}{end}": v for end, v in zip(("", "_lo", "_hi"), ends)}
        stderr = (high - low)[k:] / 2 / student_t.ppf(0.975, g - 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            columns[f"{form}_needed"] = np.ceil(g * (POWER * stderr / value[k:]) ** 2)
    return pd.DataFrame(columns, index=pd.Index(scores, name="score"))


def _correlations(numbers: NDArray) -> NDArray:
    """Rank correlation of each score with the gain, the first column."""
    ranks = rankdata(numbers, axis=0)
    centred = ranks - ranks.mean(axis=0)
    norms = np.sqrt((centred**2).sum(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nan_to_num(centred[:, 0] @ centred[:, 1:] / norms[0] / norms[1:])


def _auc(scores: NDArray, helps: NDArray) -> NDArray:
    """Chance that a cell which helps scores above one which hurts; nan without both."""
    m, n = helps.sum(), (~helps).sum()
    ranks = rankdata(scores, axis=0)[helps].sum(axis=0)
    return (ranks - m * (m + 1) / 2) / (m * n) if m and n else np.full(scores.shape[1], np.nan)


def report(table: pd.DataFrame, form: str) -> pd.DataFrame:
    """Write one form of `ranking` for readers."""
    pairs = {"": "value", "_minus": "less that of the reference"}
    out = {
        title: [
            f"{v:.2f} [{lo:.2f}, {hi:.2f}]"
            for v, lo, hi in table[[f"{form}{s}{e}" for e in ("", "_lo", "_hi")]].to_numpy()
        ]
        for s, title in pairs.items()
    }
    needed = table[f"{form}_needed"]
    out["sources needed"] = ["" if not np.isfinite(n) else f"{n:.0f}" for n in needed]
    return pd.DataFrame(out, index=table.index)


def response(table: pd.DataFrame, by: str) -> pd.DataFrame:
    """Mean gain (points) by the sign of the gap and one column, each source weighing the same."""
    parts = {"gap > 0": table[table["gap"] > 0], "gap < 0": table[table["gap"] < 0], "all": table}
    return pd.DataFrame(
        {
            name: {value: _mean(own) for value, own in part.groupby(by)}
            for name, part in parts.items()
        }
    ).rename_axis(by)


def change(table: pd.DataFrame, by: str) -> pd.Series:
    """Paired change of the gain (points) from the lowest to the highest level, by sign of the gap.

    Only pairs that have both levels count; the sign is that at the lowest.
    """
    ends = table[by].min(), table[by].max()
    key = [name for name in POINT if name not in (by, *({"condition"} if by == "n_train" else ()))]
    low, high = (table[table[by] == end].set_index(key) for end in ends)
    both = low.join(high[["percent"]], rsuffix="_high", how="inner").reset_index()
    both["percent"] = both["percent_high"] - both["percent"]
    parts = {"gap > 0": both[both["gap"] > 0], "gap < 0": both[both["gap"] < 0], "all": both}
    names = {"lam": "λ", "temperature": "T", "n_train": "training rows"}
    title = f"{names[by]}: {ends[1]:g} less {ends[0]:g}"
    return pd.Series({name: _mean(own) for name, own in parts.items()}, name=title)


def _mean(own: pd.DataFrame) -> str:
    """Mean percentage points over sources, with Student's interval over these."""
    if own.empty:
        return ""
    means = own.groupby("source")["percent"].mean()
    value, low, high = intervals.over_repeats(means)
    return f"{value:+z.1f} [{low:+z.1f}, {high:+z.1f}], {len(own)} cells"


def failures(table: pd.DataFrame, verdicts: pd.DataFrame, estimator: str) -> pd.DataFrame:
    """Clear effects that the decision had wrong, worst first, and what is shared but no label."""
    own = resolved(table[table["estimator"] == estimator])
    wrong = own[cells.agreement(own["decision"], own["outcome"]) == "disagree"]
    shared = verdicts.groupby(CLUSTER)[NOT_LABEL].mean().reset_index()
    wrong = wrong.merge(shared, on=CLUSTER)
    return wrong.sort_values("percent", key=abs, ascending=False)


def failed(table: pd.DataFrame, verdicts: pd.DataFrame, most: int = 8) -> pd.DataFrame:
    """`failures` by every estimator at their worst λ, for readers: at most two of a set."""
    parts = [failures(table, verdicts, estimator) for estimator in table["estimator"].unique()]
    wrong = pd.concat(parts).sort_values("percent", key=abs, ascending=False)
    wrong = wrong.drop_duplicates(CLUSTER)  # by the estimator that comes first
    wrong = wrong.groupby("dataset", sort=False).head(2).head(most)
    pair = wrong["dataset"] + ": " + wrong["teacher"] + " → " + wrong["student"]
    pair += ", " + wrong["condition"]
    gap, gain = (
        [f"{v:+z.2f} [{lo:+z.2f}, {hi:+z.2f}]" for v, lo, hi in zip(*(wrong[c] for c in ends))]
        for ends in (("gap", "gap_lo", "gap_hi"), ("percent", "percent_lo", "percent_hi"))
    )
    return pd.DataFrame({
        "pair": pair, "by": wrong["estimator"],
        "gap (nats)": gap, "λ": wrong["lam"], "gain (points)": gain,
        "I(H1;H2)": wrong["mi_teacher_student"].round(2),
        "not the label": wrong[NOT_LABEL].round(2),
    }).set_index("pair")  # fmt: skip
