# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py//py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 05 · All together: does the criterion predict?
#
# **Question.** Each experiment of this book ends with two tables: what distillation did, and what the criterion had said before. Put together, how
# often is the Cross-modal Complementarity Hypothesis (CCH) right? Would something cheaper have known as well? And once we know *whether*
# to distil, how do we choose λ and $T$?
#
# :::{admonition} In short
# :class: tip
# - Put together, the sign of the gap is not shown to be right more often than *never distil* on any real data.
# - After a *yes* gains are rare, after a *no* rarer. Among teachers, gap and accuracy do better than chance on some data; neither is shown to be ahead.
# - How much to distil, cross-validation must say, with *not at all* among the choices.
# :::

# %% tags=["remove-cell"]
# @title Set up, on Colab only {display-mode: "form"}
import sys

from IPython import get_ipython

if "google.colab" in sys.modules:  # Colab has the packages, and lacks the book's own module
    source = "https://github.com/cch-companion/cchkd"
    get_ipython().system(f"test -d cchkd || git clone -q --depth 1 {source} cchkd")
    sys.path.insert(0, "cchkd")

# %% tags=["parameters"]
preset: str = "book"  # preset these values belong to; one of: smoke, book, paper
data: str = "embedded"  # data of this build's own runs; one of: embedded, real
estimator: str = "auto"  # whose verdicts are judged first; one of: auto, ksg, mine, lmi
gap: list[float] = [-0.2, 0.0, 0.4]  # Gaussian worlds for the choice of λ, nats; in [-2, 2]
blur: list[float] = [0.0, 4.0]  # teachers of digits for the choice of λ, pixels; in [0, 100]
n_seeds: int = 3  # repetitions of the choice of λ; in [2, 1000]
seed: int = 0  # base of the seeds; in [0, 1000000]

# %% tags=["hide-input"]
import numpy as np
import pandas as pd

from cchkd_utils import plots, results
from cchkd_utils.results import intervals, readable
from cchkd_utils.sections import cells
from cchkd_utils.sections.does_it_predict import choosing, figures, study

readable.typeset()

# %% [markdown]
# ## What is pooled
#
# A **{term}`cell`** is one pair of modalities under one condition, at one λ and one temperature. Its gain is a mean over repeats, and its outcome is *helps*,
# *hurts* or *unresolved*: the sign of a gain within the noise says nothing and is not counted. Cells that differ only in λ or $T$ share
# one verdict: what more than half of the repeats said, else *undecided*. So intervals resample whole **clusters** (pair and condition; over the many pairs the source), not cells.
#
# *Recorded* rows come from long runs, kept in `book/results`. *This build* means the runs of the pages you are reading. Real and simulated
# data stay apart, and so do the sections.

# %%
sources = {"recorded": cells.recorded(), "this build": cells.this_build()}
pools = {name: cells.by_section(tables, estimator) for name, tables in sources.items()}
sizes = {
    (name, section): cells.size(table)
    for name, pool in pools.items()
    for section, table in pool.items()
}
for section in cells.SECTIONS:
    verdicts = sources["recorded"][section.notebook][1]
    print(f"{section.title}, recorded: {readable.judged_by(verdicts)}")
pd.DataFrame(sizes).T.rename_axis(["source", "section"])

# %% [markdown]
# ## What happened after each verdict

# %% tags=["hide-input"]
recorded = pools["recorded"]
shares = {section: study.outcome_by_decision(table) for section, table in recorded.items()}
fig = figures.outcomes_by_decision(shares)
plots.show(
    fig,
    "Bars for the recorded cells of each section: after the verdicts do not distil, undecided and "
    "distil, the share of cells where distillation hurt, was unresolved, and helped. A perfect "
    "criterion would show no help after do not distil, and no harm after distil.",
)

# %% [markdown]
# ## How often is it right?
#
# *Right* is the share of decided, resolved cells where the verdict named the outcome, with a 95 % interval over their *clusters*. Beside it stand the shares that *always
# distil* and *never distil* get right on the same cells. A criterion that does not beat both has told us nothing.

# %% tags=["hide-input"]
scored = {
    (name, section, method): study.report(study.hits(table))
    for name, tables in sources.items()
    for method in ("auto", "ksg", "mine", "lmi")
    for section, table in cells.by_section(tables, method).items()
}
titles = list(dict.fromkeys(section for _, section, _ in scored))
in_order = sorted(scored, key=lambda key: titles.index(key[1]))
right = pd.DataFrame({key: scored[key] for key in in_order}).T
right = right.rename_axis(["source", "section", "estimator"])
right.loc["recorded"]

# %% [markdown]
# And the runs of this build, which are smaller, and whose MOSEI and TCGA data are simulated:

# %% tags=["hide-cell"]
right.loc["this build"]

# %% [markdown]
# ## By the teacher's share of the loss
#
# The paper reports that small λ agrees better with its theory. The theory chapter says why that should be so: the gap does not contain λ, and many teachers have a largest
# λ that helps. Two losses are pooled here, so the table goes by the teacher's share $m$: λ for classes, λ / (1 + λ) for the squared error.

# %% tags=["hide-cell"]
by_lam = {
    (section, round(share, 2)): study.report(study.hits(group))
    for section, table in recorded.items()
    for share, group in table.groupby("weight")
}
pd.DataFrame(by_lam).T.rename_axis(["section", "share"])

# %% [markdown]
# ## Rivals
#
# Does anything cheaper order the cells as well? Each score below is computed from the same held-out rows. The figure shows how its ranking of
# the cells goes with that of the gain: 1 is the same order, 0 no relation, −1 the reverse. I(H1;Y | H2) is what the teacher knows of the label and the student does not, by a linear probe. −I(H2;Y): the less the student
# knows, the higher the score (of the digits there is no mark: their student is the same at every blur). Only the *order* counts, so that no
# threshold is needed, and the criterion's own, zero, is not at stake.

# %% tags=["hide-input"]
ranking = study.compare(recorded)
fig, ax = plots.figure(width=7.5, height=4.8)
figures.ranking_of_criteria(ax, ranking, cells.RIVALS)
plots.show(
    fig,
    "For each score, from the MI gap to conditional information, one dot per section with a 95 per "
    "cent interval: its rank correlation with the gain of distillation over the recorded cells. "
    "The dashed line at zero is no relation.",
)

# %% [markdown]
# The next table asks the same about the sign. Take two cells of one data set, one that helped and one that hurt: how often does the score put the helpful one
# first? That is the area under the ROC curve; one half is chance. Sections where no resolved cell helped have none.

# %% tags=["hide-cell"]
table = ranking.pivot(index="score", columns="section", values="auc").reindex(list(cells.RIVALS))
table = table.rename(index=cells.RIVALS)[[*recorded]].dropna(axis=1, how="all")
table.round(2)

# %% [markdown]
# ## Does the stated probability mean what it says?
#
# Each verdict states how likely its sign is. Read as a forecast of *distillation helps*, it has a Brier score: 0 is perfect, and the reference is
# what one gets by always naming the share of cells that help. A verdict may be well calibrated for the sign of the *gap*
# ([](07_estimators.ipynb)) and still forecast the *gain* badly.

# %% tags=["hide-input"]
briers = {section: study.brier(table) for section, table in recorded.items()}
names = {"brier": "Brier score", "brier_lo": "from", "brier_hi": "to"}
pd.DataFrame(briers).T.rename(columns=names).round(2)

# %% [markdown]
# ## How the gain responds to the gap

# %% tags=["hide-input"]
fig, axes = plots.figure(
    2, (len(recorded) + 1) // 2, width=9, height=3.2 * ((len(recorded) + 1) // 2)
)
for ax, (section, table) in zip(np.ravel(axes), recorded.items()):
    figures.response(ax, table, section)
for ax in np.ravel(axes)[len(recorded) :]:
    ax.set_visible(False)
for row in np.atleast_2d(axes):
    row[0].set_ylabel("gain (points, or % of error)")
plots.headline(
    fig, "A dot is a cell: blue helps, orange hurts, grey neither; line: best monotone curve"
)
plots.show(
    fig,
    "Gain against MI gap, one panel per section and one dot per cell, blue where distillation "
    "helped and orange where it hurt, with the best monotone curve. The shaded half is gap above "
    "zero.",
)

# %% tags=["hide-input"]
shapes = {section: study.shape_of_response(table) for section, table in recorded.items()}
correlations = {section: study.rank_correlation(table) for section, table in recorded.items()}
names = ["rank correlation", "from", "to"]
shape = pd.DataFrame(shapes).T.add_prefix("R², ")
pd.concat([pd.DataFrame(correlations, index=names).T, shape], axis=1).round(2)

# %% [markdown]
# The last two columns ask about clusters that were left out of the fit. Where the monotone curve explains more than the line, the response is bent,
# as the paper reports. Below zero, knowing the gap is worse than knowing nothing.
#
# ## What it costs

# %% tags=["hide-cell"]
costs = pd.concat([verdicts for _, verdicts in sources["recorded"].values()])
took = costs[costs["estimator"] != "exact"].groupby("estimator")["took"]
names = {"count": "verdicts", "median": "median (s)", "max": "longest (s)"}
took.agg([*names]).rename(columns=names).round(2)

# %% [markdown]
# Seconds per verdict on one core, rivals included; rows and units differ between sections. Teacher accuracy, CKA and residual alignment alone cost
# milliseconds once the networks have run.
#
# ## What to do: choose λ and T on held-out folds
#
# A criterion answers *whether*. In practice one must also choose λ and $T$, and *not at all* is one of the choices. The plain way is
# cross-validation: train the student at each setting on four fifths of its rows, judge on the rest, and distil only if the best setting gains more
# than its standard error. `recommend` does that, with all students trained as one batch.

# %%
seeds = [seed + i for i in range(n_seeds)]
students = [choosing.gaussian(nats, s) for nats in gap for s in seeds]
students += [choosing.digits(pixels, s) for pixels in blur for s in seeds]
rows = [row for student in students for row in student]
results.save(rows, notebook="05_does_it_predict")

# %% tags=["hide-input"]
table = results.check(rows)
error = table["metric"] == "mse"
table["gain (% or points)"] = 100 * table["gain"] / np.where(error, table["baseline"], 1.0)
value = "gain (% or points)"
chosen = intervals.summarise(table, ["dataset", "knob", "condition", "experiment"], value)
text = [f"{v:+.1f} [{lo:+.1f}, {hi:+.1f}]" for v, lo, hi in
        chosen[[value, f"{value}_lo", f"{value}_hi"]].to_numpy()]  # fmt: skip
chosen.assign(text=text).pivot(
    index=["dataset", "condition"], columns="experiment", values="text"
).assign(
    refused=table[table["experiment"] == "recommended"]
    .groupby(["dataset", "condition"])["lam"]
    .agg(lambda lam: f"{(lam == 0).sum()} of {len(lam)}")
)

# %% [markdown]
# *Default* is λ = 0.5 and $T = 2$ whatever the teacher. *Recommended* is chosen on the training rows; *refused* counts the seeds where it said *do
# not distil*. Both are judged on test rows that took no part, as gain over the undistilled student with 95 % intervals over seeds.
#
# ## Answer
#
# *Recorded.* **Where the effect is clear, the criterion is right about as often as wrong on some data and mostly right on others, and nowhere on real data shown to beat *never distil*.** At all λ and $T$ together the sign of the gap is right, by
# estimator, in 14 to 21 of 32 on MNIST-M (*never*: 23), in 104 to 172 of 185 over the TCGA pairs (*never*: 171), in 167 to 201 of 280 over the many pairs (*never*: 230), and in all 34 on MOSI, where all are losses. On the simulated family, where
# teachers were made to differ in the gap, three of the four estimators beat both constants: 17 to 30 of 30, *always* 17. Decided verdicts are contradicted too: `ksg` in 11 of 32 on MNIST-M (*never* is wrong in 9), 25 of 80 in TCGA (1) and 90 of 235 over the many pairs (40);
# `auto` in 10 of 18 on MNIST-M (*never* is wrong in 8), 5 of 25 in TCGA (6) and 57 of 174 over the many pairs (22). `auto` is the most accurate where the truth is known, so the failures are not the estimators' doing alone.
#
# **After a *yes* gains are rare, after a *no* rarer.** Only 73 of 2400 cells of real data gain for certain, 3.0 %, where chance lets pass up to 2.5 %. After *do not distil* by `auto` 5 of 392 do, and 35 % lose; after *distil* 31 of 838, and 8 % lose (the figure counts simulated cells too); resampled
# over sources, the difference in losses is +27 points [−18, +36].
#
# **The order is shown on some data.** The gap ranks the gains on synthetic data, MOSI and TCGA by every estimator, with intervals that leave out zero; by `auto` on MNIST-M (0.35 [−0.31, 0.75]) and over the many pairs (0.21 [−0.23, 0.34]) the interval holds zero. By the other three it leaves out zero on MNIST-M too ([](02_mnist_m.ipynb) has other numbers from the same rows: there a blur and seed has one gain, its mean over λ and $T$; here every λ and $T$ is a cell). None of
# the rivals is ahead in all sections either, and the figure shows no paired differences, so it cannot say which score is best ([](08_many_pairs.ipynb) compares them in pairs). Residual alignment, exact for linear students, is not shown to rank the gains of classifiers.
#
# **The stated probability is no forecast of the gain.** It is made for the sign of the gap. Read as a forecast, its Brier score is 0.49, 0.30, 0.29 and 0.03 on MNIST-M, TCGA, the many pairs and MOSI, against 0.20, 0.07, 0.15 and 0.00 for the share that helps, found afterwards; on synthetic data it is better, 0.05 against 0.25.
#
# **It does not say how much, nor with which λ.** By `auto` the response is bent on synthetic data, MOSI, TCGA and the many pairs (by all four on the first two): flat where the gap is large, steep below; on MNIST-M a line fits better (0.31 against 0.19). So a *yes* is permission to try.
# Cross-validation then does the rest. In this build, at the preset `book`, it avoids the large loss that a fixed λ runs into, takes more from the best Gaussian teacher, and gives up
# gains that it cannot tell from noise, now and then a large one.
#
# *In one line:* whatever the verdict, choose the teacher and λ on held-out folds, with *not at all* among the choices; gap and accuracy say where to begin.
#
# These are 120 pairs of 13 sets, the TCGA pairs and one small MOSI set (which share patients and videos with some of these), one image pair and one simulated family. Soft labels are cross-fitted in TCGA and MOSI, in-sample elsewhere. Cells of one pair are not independent, and most effects were too small
# to contradict anyone.

# %% [markdown]
# ## Check yourself
#
# :::{dropdown} Why do *always* and *never* have to be scored on the same cells as the criterion?
# On other cells the share of gains differs, and with it what a constant gets right. Only on the same cells is the difference the criterion's own.
# :::
#
# :::{dropdown} Two scores have overlapping intervals. May you say that they rank equally well?
# No. The intervals hold what both share. Only the interval of their paired difference can tell, and it may leave out zero although the two overlap.
# :::

# %% [markdown] tags=["exercise"]
# ## Exercises
#
# :::{exercise} Is zero the right threshold?
# :label: ex-predict-1
#
# The criterion says *distil* above a gap of 0. Take the resolved recorded cells of the synthetic section. Which threshold on the gap gets
# the most of them right, and how many does zero get right?
# :::

# %% [markdown] tags=["solution"]
# ```{solution-start} ex-predict-1
# :class: dropdown
# ```

# %% tags=["solution"]
known = cells.resolved(recorded["synthetic, simulated"])
helps = (known["outcome"] == "helps").to_numpy()
thresholds = np.sort([0.0, *known["gap"]])
right = pd.Series([((known["gap"] > nats) == helps).mean() for nats in thresholds], thresholds)
print(f"best threshold {right.idxmax():+.2f} nats: {right.max():.0%} right; zero: {right[0.0]:.0%}")

# %% [markdown] tags=["solution"]
# ```{solution-end}
# ```

# %% [markdown] tags=["exercise"]
# :::{exercise} What lies under "undecided"?
# :label: ex-predict-2
#
# A verdict may abstain. Over all recorded sections, how many cells of the verdict *undecided* help, and how many hurt? Should you distil when the
# verdict is undecided?
# :::

# %% [markdown] tags=["solution"]
# ```{solution-start} ex-predict-2
# :class: dropdown
# ```

# %% tags=["solution"]
every = pd.concat(recorded.values())
open_cells = every[every["decision"] == "undecided"]
open_cells.groupby("dataset")["outcome"].value_counts().unstack(fill_value=0)

# %% [markdown] tags=["solution"]
# The counts alone do not tell. The size of a loss counts too: compare the mean gain of these cells with zero before you decide.

# %% [markdown] tags=["solution"]
# ```{solution-end}
# ```

# %% [markdown] tags=["exercise"]
# :::{exercise} Two criteria are better than one?
# :label: ex-predict-3
#
# Does the gap add anything to the teacher's accuracy? Rank the recorded cells of MNIST-M by each of the two, and by the mean of the two ranks, and compare
# the rank correlations with the gain.
# :::

# %% [markdown] tags=["solution"]
# ```{solution-start} ex-predict-3
# :class: dropdown
# ```

# %% tags=["solution"]
mnist_m = recorded["MNIST-M, real"]
ranks = mnist_m[["gap", "teacher accuracy"]].rank()
ranks["both"] = ranks.mean(axis=1)
ranks.corrwith(mnist_m["gain"], method="spearman").round(2)

# %% [markdown] tags=["solution"]
# ```{solution-end}
# ```
