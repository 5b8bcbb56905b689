"""The paper's headline results, each measured in our tables and graded by a fixed rule.

A headline is a function that measures it in the results and verdicts of its section, says in words
what it counted, and grades it: the rules are fixed here, apart from the numbers. Each asks for an
effect of a size, not only of a sign, and for two levels of what it claims to vary; where the tables
lack these the headline is not testable.
"""

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cchkd_utils.plots import helped
from cchkd_utils.results import intervals
from cchkd_utils.sections import cells as joined
from cchkd_utils.sections.cells import CELL, CLUSTER, SECTIONS, same_sign, tally
from cchkd_utils.sections.does_it_predict.study import shape_of_response
from cchkd_utils.sections.quantities import near

REPRODUCED, PARTLY, NOT_REPRODUCED, NOT_TESTABLE = GRADES = (
    "reproduced", "partly", "not reproduced", "not testable here",
)  # fmt: skip
PAPERS = ("ksg", "mine", "lmi")  # the paper's three estimators
MARKED = 5.0  # per cent of the error, that "markedly" needs
REPORTED = {"digits": (1.0, -12.0), "vision": 1.1, "audio": 2.3}  # points, by the paper
POINTS = 0.5  # of accuracy, that an effect which the paper gives no size needs
BENT = 0.02  # of the variance, that a curve explains beyond a line
FLOOR = 0.8  # share of right signs, from which on one speaks of agreement
APART = 0.1  # nats, by which values of two estimators differ
FEWEST_CONDITIONS = 10  # that tell a bend from a line
FALL = 0.05  # by which the share of right signs falls from the smallest λ to the largest
SECTION = {section.notebook: section for section in SECTIONS}


class Cell(NamedTuple):
    """What a pair of tables says about a headline: numbers with intervals, one of `GRADES`."""

    text: str
    grade: str


class Headline(NamedTuple):
    """One result of the paper, with the notebook that repeats it, and a remark on our numbers."""

    notebook: str
    claim: str
    why: str
    measure: Callable[[pd.DataFrame, pd.DataFrame], Cell]  # (results, verdicts)


HEADLINES: list[Headline] = []


def headline(notebook: str, claim: str, why: str) -> Callable:
    """Make the decorated measure the next of `HEADLINES`."""

    def add(measure: Callable) -> Callable:
        HEADLINES.append(Headline(notebook, claim, why, measure))
        return measure

    return add


@headline(
    "01_synthetic",
    "Synthetic data: distillation lowers the error markedly where the gap is positive and does not "
    "otherwise; the same at every λ",
    "The effect is small at this number of rows: the undistilled network's whole error beyond the "
    "noise is less than 5 %, so that *markedly* is out of reach. Its sign also depends on λ and on "
    "the number of rows, which the gap does not contain ([](theory.md)): with fewer rows networks "
    "gain below zero too.",
)
def gaussian_sign(rows: pd.DataFrame, verdicts: pd.DataFrame) -> Cell:
    cells = _cells("01_synthetic", rows, verdicts, [_main(verdicts)])
    above, below = cells[cells["knob"] > 0], cells[cells["knob"] < 0]
    judged = sorted(set(rows[rows["condition"].isin(cells["condition"])]["n_train"]))
    text = f"with {', '.join(map(str, judged))} rows, gap > 0: {_range_of(above)}"
    text += f"; gap < 0: {_range_of(below)}"
    helps = above["outcome"] == "helps"
    clear = helps | (above["outcome"] == "hurts")
    if below.empty or not clear.any() or cells["lam"].nunique() < 2:
        return Cell(text, NOT_TESTABLE)
    marked = helps & (above["percent"] >= MARKED)
    text += f"; by {MARKED:g} % and more in {marked.sum()} of {len(above)}"
    if (below["outcome"] == "helps").any() or helps.mean() < 0.5:
        return Cell(text, NOT_REPRODUCED)
    return Cell(text, REPRODUCED if marked.all() else PARTLY)


@headline(
    "02_mnist_m",
    "MNIST → MNIST-M: +1.0 … +3.5 points where CCH holds, −12 … −46 where it is violated",
    "Students lose at blurs where every estimator still finds the gap positive.",
)
def digits_sign(rows: pd.DataFrame, verdicts: pd.DataFrame) -> Cell:
    parts, right = [], []
    if not {*PAPERS, "auto"} & set(verdicts["estimator"]):
        return Cell("no verdict of these estimators", NOT_TESTABLE)
    cells = _cells("02_mnist_m", rows, verdicts, (*PAPERS, "auto"))
    sizes, (gain, loss) = [], REPORTED["digits"]
    for estimator, group in cells.groupby("estimator", sort=False):
        above, below = group[group["gap"] > 0], group[group["gap"] < 0]
        parts.append(f"{estimator}: gap > 0: {_span(above)}, gap < 0: {_span(below)}")
        same = same_sign(group)
        if len(same) and len(above) and len(below):
            right.append(same.mean())
            sizes.append(above["percent"].max() >= gain and below["percent"].min() <= loss)
    text = "; ".join(parts) + " points"
    if not right:
        return Cell(text, NOT_TESTABLE)
    if min(right) == 1 and all(sizes):
        return Cell(text, REPRODUCED)
    return Cell(text, PARTLY if max(right) > FLOOR else NOT_REPRODUCED)


@headline(
    "03_mosei", "CMU-MOSEI: I(H;Y) ranks text > audio > vision",
    "MOSI is a small relative of MOSEI; the build is simulated with the paper's order.",
)  # fmt: skip
def modality_ranking(rows: pd.DataFrame, verdicts: pd.DataFrame) -> Cell:
    judged = verdicts[verdicts["estimator"] == _main(verdicts)]
    by_student = judged.groupby(["student", "seed"])["mi_student_label"].mean().groupby("student")
    share = joined.fold_share(rows)
    nats = {name: intervals.over_repeats(values, share) for name, values in by_student}
    order = sorted(nats, key=lambda student: -nats[student][0])
    text = ", ".join("{} {:.2f} [{:.2f}, {:.2f}]".format(name, *nats[name]) for name in order)
    wide = judged.groupby(["seed", "student"])["mi_student_label"].mean().unstack()
    apart = [
        (f"{better} − {worse}", *intervals.over_repeats(wide[better] - wide[worse], share))
        for better, worse in pairwise(("text", "audio", "vision"))
    ]
    text += " nats; paired: " + ", ".join(
        "{} {:+z.2f} [{:+z.2f}, {:+z.2f}]".format(*d) for d in apart
    )
    if all(low > 0 for _, _, low, _ in apart):
        return Cell(text, REPRODUCED)
    if any(high < 0 for _, _, _, high in apart):
        return Cell(text, NOT_REPRODUCED)
    return Cell(text, PARTLY if any(low > 0 for _, _, low, _ in apart) else NOT_TESTABLE)


@headline(
    "03_mosei", "CMU-MOSEI: text → vision +1.1 %, text → audio +2.3 % accuracy",
    "On MOSI audio and vision predict no better than the larger class, though their layers are "
    "estimated to know up to half of what text does.",
)  # fmt: skip
def text_teaches(rows: pd.DataFrame, verdicts: pd.DataFrame) -> Cell:
    taught = _taught_by_text(rows)
    taught = near(taught[taught["condition"].str.endswith("noise 0")], lam=0.5, temperature=2.0)
    lam, temperature = taught[["lam", "temperature"]].iloc[0]
    gains = intervals.summarise(taught, ["student", "metric"]).set_index("student")
    text = ", ".join(f"text → {name}: {_points(gains.loc[name])}" for name in ("vision", "audio"))
    text += f" points at λ = {lam:g}, T = {temperature:g}"
    wanted = gains.index.get_level_values(0).map(REPORTED) / 2  # half of what the paper reports
    return Cell(text, _grade_effects(gains, wanted))


@headline(
    "03_mosei",
    "CMU-MOSEI: noise in the teacher moves distillation from helpful to harmful at the boundary of "
    "CCH",
    "The intervals on MOSI are wider than the effects that the paper reports on MOSEI.",
)
def noise_crossing(rows: pd.DataFrame, verdicts: pd.DataFrame) -> Cell:
    taught = _taught_by_text(rows)
    largest = taught["lam"].max()
    taught = near(taught[taught["lam"] == largest], temperature=2.0)
    gains = intervals.summarise(taught, ["student", "condition", "knob"])
    parts, holds = [], []
    for student, group in gains.sort_values("knob").groupby("student"):
        first, last = group.iloc[0], group.iloc[-1]
        if first["knob"] < last["knob"]:
            noisy = f"{_points(last)} at noise {last['knob']:g}"
            parts.append(f"text → {student}: {_points(first)} without, {noisy}")
            helps = first["outcome"] == "helps" and 100 * first["gain"] >= POINTS
            hurts = last["outcome"] == "hurts" and 100 * last["gain"] <= -POINTS
            holds.append(int(helps) + int(hurts))  # numpy's booleans do not add up
    grade = [NOT_TESTABLE, PARTLY, REPRODUCED][min(holds, default=0)]
    return Cell("; ".join(parts) + f" points, λ = {largest:g}, T = 2", grade)


@headline(
    "04_tcga", "TCGA: CCH agrees with the sign of the effect in all three cohorts",
    "With few participants most effects stay within the noise, or the verdict does.",
)  # fmt: skip
def cohorts_agree(rows: pd.DataFrame, verdicts: pd.DataFrame) -> Cell:
    cells = _cells("04_tcga", rows, verdicts, PAPERS)
    counts, clear = tally(cells, "dataset"), joined.resolved(cells)
    undecided = (cells["decision"] == "undecided").mean()
    text = "; ".join(
        f"{cohort}: " + ", ".join(f"{number} {answer}" for answer, number in row.items())
        for cohort, row in counts.iterrows()
    )
    same = same_sign(clear).groupby(clear["dataset"])
    text += f" (pairs × λ × T × the paper's estimators; {undecided:.0%} undecided)"
    text += (
        ". Where the effect is clear, the bare sign of the gap is right in "
        + (", ".join(f"{s.sum()} of {len(s)} ({name})" for name, s in same) or "no cell")
        + f"; {_constants(clear)}"
    )
    signed = counts[["agree", "disagree"]]
    if len(counts) < 3 or not signed.any(axis=1).all():
        return Cell(text, NOT_TESTABLE)
    shares = signed["agree"] / signed.sum(axis=1)
    decided = clear[clear["decision"] != "undecided"]
    helps = (decided["outcome"] == "helps").groupby(decided["dataset"]).mean()
    agree = (shares >= FLOOR) & (shares >= np.maximum(helps, 1 - helps))
    return Cell(text, _grade(agree.mean()))


@headline(
    "04_tcga", "TCGA: where CCH holds, fusion with distillation beats plain fusion",
    "Fusion has the teacher's modality already.",
)  # fmt: skip
def fusion(rows: pd.DataFrame, verdicts: pd.DataFrame) -> Cell:
    estimator = _main(verdicts)
    decisions = joined.pooled(verdicts[verdicts["estimator"] == estimator], CLUSTER, ["gap"])
    fused = rows[rows["experiment"].str.contains("fusion") & (rows["metric"] == "accuracy")]
    gains = intervals.summarise(fused, CELL).merge(decisions["decision"], on=CLUSTER)
    said = gains[gains["decision"] == "distil"]
    if said.empty:
        return Cell(f"{estimator} says distil for no pair", NOT_TESTABLE)
    text = f"where {estimator} says distil: {helped(said)} cells"
    text += ", of {:+.1f} … {:+.1f} points".format(*(100 * said["gain"]).agg(["min", "max"]))
    return Cell(text, _grade_effects(said, POINTS))


@headline(
    "02_mnist_m", "Ablations: the pattern holds over T; smaller λ agrees better",
    "At the smallest λ nearly all clear effects are gains and at the others nearly all are losses, "
    "while the verdicts stay the same.",
)  # fmt: skip
def ablations(rows: pd.DataFrame, verdicts: pd.DataFrame) -> Cell:
    cells = _cells("02_mnist_m", rows, verdicts, verdicts["estimator"].unique())
    table = joined.resolved(cells)
    if table.empty or min(cells[["lam", "temperature"]].nunique()) < 2:
        return Cell("no clear effect at two λ and two T", NOT_TESTABLE)
    right = same_sign(table)
    by_lam, by_temperature = (right.groupby(table[name]).mean() for name in ("lam", "temperature"))
    text = "; ".join(
        "right signs " + ", ".join(f"at {name} = {key:g}: {v:.0%}" for key, v in shares.items())
        for name, shares in (("λ", by_lam), ("T", by_temperature))
    )
    text += f"; {_constants(table)}"
    helps = (table["outcome"] == "helps").groupby(table["lam"]).mean()
    floor = max(FLOOR, *(max(share, 1 - share) for share in helps))
    falling = by_lam.iloc[0] >= max(by_lam.iloc[-1] + FALL, floor)
    steady = by_temperature.max() - by_temperature.min() < 0.1 and by_temperature.min() >= floor
    return Cell(text, [NOT_REPRODUCED, PARTLY, REPRODUCED][int(falling) + int(steady)])


@headline(
    "02_mnist_m", "The three estimators differ in value and agree in ranking",
    "On these blurs they agree in sign too; `auto` differs from them at one.",
)  # fmt: skip
def estimators_rank(rows: pd.DataFrame, verdicts: pd.DataFrame) -> Cell:
    judged = verdicts[verdicts["estimator"].isin(PAPERS)]
    judged = judged[judged["condition"].str.endswith("by index")]
    wide = judged.groupby(["condition", "estimator"])["gap"].mean().unstack().dropna()
    if set(PAPERS) != set(wide) or len(wide) < 3:
        return Cell("not all of the paper's three estimators, or too few conditions", NOT_TESTABLE)
    ranks = wide.corr(method="spearman").to_numpy()
    lowest = ranks[np.triu_indices(len(ranks), 1)].min()
    apart = (wide.max(axis=1) - wide.min(axis=1)).median()
    text = (
        f"{', '.join(wide.columns)} over {len(wide)} conditions: rank correlations of the gap at "
        f"least {lowest:+.2f}; values {apart:.2f} nats apart (median)"
    )
    if lowest > 0.8 and apart >= APART:
        return Cell(text, REPRODUCED)
    return Cell(text, PARTLY if lowest > 0.4 else NOT_REPRODUCED)


@headline(
    "02_mnist_m", "Accuracy responds non-linearly to the gap",
    "Eight blurs are few to tell a bend from a line.",
)  # fmt: skip
def bent_response(rows: pd.DataFrame, verdicts: pd.DataFrame) -> Cell:
    cells = _cells("02_mnist_m", rows, verdicts, ("auto", *PAPERS))
    shapes = {name: shape_of_response(own) for name, own in cells.groupby("estimator", sort=False)}
    if any(np.isnan(shape["line"]) for shape in shapes.values()):
        return Cell("fewer than 4 conditions", NOT_TESTABLE)
    conditions = cells["knob"].nunique()
    text = "variance explained on left-out blurs, by a line and by a monotone curve: " + ", ".join(
        f"{name} {shape['line']:.2f} and {shape['monotone']:.2f}" for name, shape in shapes.items()
    )
    bent = [shape["monotone"] > max(shape["line"], 0) + BENT for shape in shapes.values()]
    return Cell(text, _grade(np.mean(bent)) if conditions >= FEWEST_CONDITIONS else NOT_TESTABLE)


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
    """Grade a share of statements that hold: all of them, at least half, or fewer."""
    return REPRODUCED if share == 1 else PARTLY if share >= 0.5 else NOT_REPRODUCED


def _constants(clear: pd.DataFrame) -> str:
    """Say how often both constant answers are right in cells with a clear effect."""
    helps = (clear["outcome"] == "helps").sum()
    return f"*always* distil in {helps} of {len(clear)}, *never* in {len(clear) - helps}"


def _grade_effects(gains: pd.DataFrame, points: ArrayLike) -> str:
    """Grade gains that should help by so many points: intervals that hold 0 and these cannot tell.

    An interval that holds neither zero nor more than `points` shows no such effect.
    """
    helps, reach = gains["outcome"] == "helps", 100 * gains["gain_hi"] >= points
    if not helps.any() and ((gains["outcome"] == "unresolved") & reach).all():
        return NOT_TESTABLE
    large = helps & (100 * gains["gain"] >= points)
    if large.all():
        return REPRODUCED
    return PARTLY if large.mean() >= 0.5 else NOT_REPRODUCED


def _range_of(cells: pd.DataFrame) -> str:
    return "no cell" if cells.empty else f"{helped(cells)} cells ({_span(cells)} %)"


def _span(cells: pd.DataFrame) -> str:
    ends = cells["percent"].agg(["min", "max"])
    return "no such cell" if cells.empty else "{min:+z.1f} … {max:+z.1f}".format(**ends)


def _points(row: pd.Series) -> str:
    gain, low, high = (100 * row[name] for name in ("gain", "gain_lo", "gain_hi"))
    return f"{gain:+.1f} [{low:+.1f}, {high:+.1f}]"
