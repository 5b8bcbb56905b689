"""What the tables of the tumours say of `gains`, by `at`, and `pooled` verdicts, by pair."""

import pandas as pd

from cchkd_utils import plots
from cchkd_utils.results import intervals
from cchkd_utils.results.readable import pair_names
from cchkd_utils.sections import cells

PAIR = ["dataset", "teacher", "student"]
OUTCOMES = ["helps", "unresolved", "hurts"]
SAYS = {"distil": "yes", "do not distil": "no", "undecided": ""}


def at(rows: pd.DataFrame, lam: float, temperature: float) -> pd.DataFrame:
    """Pool the gains in accuracy of every pair and experiment at one point of the grid."""
    point = rows.query("lam == @lam and temperature == @temperature and metric == 'accuracy'")
    return intervals.summarise(point, [*PAIR, "experiment"])


def pool_verdicts(verdicts: pd.DataFrame) -> pd.DataFrame:
    """One verdict per pair and estimator: means and majority of the repeats, see `cells.pooled`."""
    numbers = ["mi_teacher_student", "mi_student_label", "gap", "gap_lo", "gap_hi"]
    return cells.pooled(verdicts, [*PAIR, "estimator"], numbers).reset_index()


def pair_agreement(gains: pd.DataFrame, pooled: pd.DataFrame) -> pd.DataFrame:
    """Score decisions and bare signs of all pairs, by estimator; see `cells.scored`."""
    return cells.scored(gains.merge(pooled, on=PAIR))


def overview(gains: pd.DataFrame, pooled: pd.DataFrame) -> pd.DataFrame:
    """One line per pair, to read: gain by kind of soft label, and who says yes (distil) or no."""
    pairs = pair_names(gains)
    told = gains.assign(pair=pairs, text=report(gains))
    told = told.pivot(index="pair", columns="experiment", values="text")
    judged = pooled.assign(pair=pair_names(pooled))
    judged = judged.assign(said=judged["decision"].map(SAYS))
    judged = judged.pivot(index="pair", columns="estimator", values="said")
    crossed = gains.assign(pair=pairs)[gains["experiment"] == "cross-fitted"].set_index("pair")
    cautious = intervals.outcome(crossed["folds_lo"], crossed["folds_hi"])
    cautious = pd.Series(cautious, crossed.index, name="cautious").replace("unresolved", "")
    table = told[["in-sample", "cross-fitted"]].join(cautious).join(judged)
    return table.loc[pairs.unique()].rename_axis(None, axis=0)


def outcomes(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Count the outcomes of all pairs, weights and temperatures in `rows`, by some columns."""
    point = list(dict.fromkeys([*PAIR, "lam", "temperature", *by]))
    counts = intervals.summarise(rows, point).groupby(by, sort=False)["outcome"].value_counts()
    return counts.unstack(fill_value=0).reindex(columns=OUTCOMES, fill_value=0)


def report(gains: pd.DataFrame) -> list[str]:
    """Write each gain as text: mean and interval in percentage points, and a clear outcome."""
    clear = gains["outcome"].replace("unresolved", "")
    numbers = zip(*(100 * gains[c] for c in ("gain", "gain_lo", "gain_hi")), clear)
    return [f"{gain:+.1f} [{low:+.1f}, {high:+.1f}] {name}" for gain, low, high, name in numbers]


def fusion_by_verdict(rows: pd.DataFrame, pooled: pd.DataFrame, temperature: float) -> pd.DataFrame:
    """Outcomes of fusion with distillation less fusion, by estimator, decision and form."""
    fused = rows[rows["experiment"].str.contains("fusion") & (rows["metric"] == "accuracy")]
    fused = fused[fused["temperature"] == temperature]
    gains = intervals.summarise(fused, [*PAIR, "experiment", "lam"])
    table = gains.merge(pooled[[*PAIR, "estimator", "decision"]], on=PAIR)
    grouped = table.groupby(["estimator", "decision", "experiment"], sort=False)
    counts = grouped["outcome"].value_counts().unstack(fill_value=0)
    counts = counts.reindex(columns=OUTCOMES, fill_value=0)
    counts["mean gain (points)"] = (100 * grouped["gain"].mean()).round(2)
    return counts.sort_index()


def coverage(studies: pd.DataFrame) -> pd.DataFrame:
    """Coverage and half width (points) of both intervals in simulated studies, by size."""
    kinds = {"units": "this interval", "folds": "Nadeau–Bengio"}
    by_size = studies.groupby(["name", "n", "units"], sort=False)
    columns = {}
    for kind, title in kinds.items():
        low, high = (by_size[f"{kind}_covers"].agg(end) for end in ("min", "max"))
        columns[title, "covers"] = [f"{a:.2f} … {b:.2f}" for a, b in zip(low, high)]
        columns[title, "± points"] = (100 * by_size[f"{kind}_half_width"].mean()).round(1)
    return pd.DataFrame(columns, index=low.index).rename_axis(["sizes of", "rows", "units"])


def where_cch_holds(gains: pd.DataFrame, pooled: pd.DataFrame, estimator: str) -> str:
    """Count and range of the gains of the pairs whose mean gap is above zero by one estimator."""
    positive = pooled[(pooled["estimator"] == estimator) & (pooled["gap"] > 0)]
    kept = gains.merge(positive[PAIR], on=PAIR)
    if kept.empty:
        return "no pair"
    points = 100 * kept["gain"]
    return f"{plots.helped(kept)}; {points.min():+.1f} … {points.max():+.1f} points"


def agreed(gains: pd.DataFrame, pooled: pd.DataFrame) -> str:
    """Write for each estimator how many pairs agree, disagree and stay open."""
    counts = cells.tally(gains.merge(pooled, on=PAIR))
    return "; ".join(
        f"{estimator}: " + ", ".join(f"{n} {answer}" for answer, n in row.items())
        for estimator, row in counts.iterrows()
    )


def first_choices(ranked: list[dict], gains: pd.DataFrame) -> dict[str, str]:
    """Name the teacher that `study.rank` put first most often, and that of the best mean gain."""
    first = [next(iter(verdicts)) for verdicts in ranked]
    name = max(sorted(set(first)), key=first.count)
    best = gains.loc[gains["gain"].idxmax(), "teacher"]
    counted = f"{name} (in {first.count(name)} of {len(first)})"
    return {"teacher of the larger gap": counted, "teacher of the larger gain": best}
