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
# # 01 · Synthetic data: does the gap predict the gain?
#
# **Question.** The teacher sees $x_1$, the student sees $x_2$, and both want to predict $y$. All three are jointly Gaussian, so
# that we know every mutual information exactly. We turn one knob: how much teacher and student share. Does distillation begin to help
# where $I(H_1;H_2)$ overtakes $I(H_2;Y)$, as the Cross-modal Complementarity Hypothesis (CCH) says?
#
# :::{admonition} In short
# :class: tip
# - Networks on Gaussian data follow the exact theory in sign: with many rows distillation helps where the gap is above zero, and harms where it is below.
# - The effect is small there. With few rows it is large, and zero is not the threshold.
# - The estimators put the worlds in the same order. Where their estimate changes sign differs, and `ksg` sees no negative gap at all.
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
gap: list[float] = [-0.2, -0.1, -0.05, 0.0, 0.1, 0.2, 0.4]  # true MI gap, nats; in [-2, 2]
lam: list[float] = [0.2, 0.5, 0.8]  # weight λ of the teacher's term; in (0, 1000)
r: float = 0.6  # correlation of the best linear student with the label; in (0, 1)
g: float = 0.8  # correlation of the teacher with the label; in (0, 1)
p: int = 50  # dimensions of each modality; in [2, 1000]
n_train: int = 500  # training rows of the student; in [50, 1000000]
n_more: list[int] = [150, 1000]  # further numbers of training rows; in [50, 1000000]
n_teacher: int = 4000  # training rows of the teacher; in [50, 1000000]
n_test: int = 1000  # held-out rows; in [100, 1000000]
n_information: int = 1000  # held-out rows that informations are estimated from; in [100, 100000]
width: int = 64  # units of each hidden layer; in [1, 4096]
depth: int = 2  # hidden layers; in [1, 8]
epochs: int = 80  # most passes over the training rows; in [1, 10000]
lr: float = 0.001  # step size of Adam; in (0, 1)
batch_size: int = 64  # rows per step; in [1, 1000000]
estimator: list[str] = ["ksg", "mine", "lmi", "auto"]  # of information;
# one of: auto, ksg, gaussian, mine, lmi
n_seeds: int = 10  # independent repetitions; in [2, 1000]
n_seeds_slow: int = 3  # how many of them the estimators that train networks judge; in [2, 1000]
seed: int = 0  # base of the seeds; in [0, 1000000]
device: str = "auto"  # where networks train; one of: auto, cpu, cuda

# %% tags=["hide-input"]
import warnings

import numpy as np
import pandas as pd

from IPython.display import display

from cchkd_utils import plots, results
from cchkd_utils.results import readable
from cchkd_utils.gaussian import JointGaussian, q_for_gap
from cchkd_utils.sections.synthetic import figures, study
from cchkd_utils.sections.quantities import exact_case

# A unit that never fires is a constant column: usual in networks, and dropped.
warnings.filterwarnings("ignore", message=".*constant column")
readable.typeset()

# %% [markdown]
# ## The model
#
# Let $s = \mathrm{E}[y \mid x_2]$ be the best student and $t = \mathrm{E}[y \mid x_1]$ the teacher. Three correlations describe all that matters:
# $r$ between $s$ and $y$, $q$ between $t$ and $s$, $g$ between $y$ and $t$. The first sets $I(s;y) = -\tfrac12\ln(1-r^2)$, the second sets
# $I(t;s) = -\tfrac12\ln(1-q^2)$. We keep $r$ and $g$, and choose $q$ so that the gap $I(t;s) - I(s;y)$ takes the values of the knob. A *world* is this model at one value of the gap. A random
# rotation hides the informative axis from the networks.


# %%
def world(true_gap: float, dimensions: int = p, rotate: int | None = None) -> JointGaussian:
    """Return the model with this true gap, nats."""
    q = q_for_gap(true_gap, r)
    return JointGaussian.from_correlations(r, q, g, dimensions, "calibrated", rotate=rotate)


worlds = {knob: world(knob, rotate=seed) for knob in gap}
exact = {
    knob: {
        "I(t;s)": w.mi_teacher_student,
        "I(s;y)": w.mi_student_label,
        "E[(y−t)(y−s)]": w.residual_alignment,
        f"largest helpful λ, n = {n_train}": w.largest_helpful_lambda(n_train),
    }
    for knob, w in worlds.items()
}
pd.DataFrame(exact).T.rename_axis("gap (nats)").round(3)

# %% [markdown]
# The column before the last is the residual alignment: above zero, a small enough λ helps a linear student. The last is exact theory for a *linear* student with this number of rows ([](../book/theory.md)). It already says something the
# criterion does not: the sign of the effect depends on λ and on the number of training rows, and distillation can help although the gap is
# negative.
#
# ## Linear students
#
# They need no network. The teacher is $t$ itself, and each student is a least-squares fit to a fresh training set. We repeat it for several numbers of rows.

# %%
sizes = [n_train, *(n for n in n_more if n != n_train)]
seeds = [seed + i for i in range(n_seeds)]
rows, verdicts = [], []
for i, knob in enumerate(gap):
    known = exact_case(worlds[knob])
    for n in sizes:
        rng = np.random.default_rng([seed, i, n])
        risk = worlds[knob].simulate_risk(n, [0.0, *lam], draws=n_seeds, rng=rng)
        rows += study.result_rows("linear", knob, n, lam, seeds, risk)
        verdicts += [study.case(knob, n, s, "linear") | known for s in seeds]

# %% [markdown]
# ## Networks
#
# Teacher and student are multilayer perceptrons of the same shape, trained with Adam and stopped early on a fifth of the rows. Every gap and seed has data of its own. The
# teacher learns from rows that the student never sees. So its predictions on the student's rows are honest, not memorised. The student minimises
# $\mathrm{MSE}(y) + \lambda\,\mathrm{MSE}(t)$; the undistilled student is the case $\lambda = 0$. Students of one seed share their initial weights and
# the order of their batches, so that only the teacher's term differs.
#
# $H_1$ is the last hidden layer of the teacher, $H_2$ that of the **undistilled** student, both on held-out rows. Four estimators judge from these whether
# $I(H_1;H_2) > I(H_2;Y)$; three of them are the paper's. The verdict says *distil*, *do not distil* or *undecided*, with an interval for the gap. Those that train
# networks of their own are slow, and judge the first `n_seeds_slow` seeds. With each verdict go its rivals, cheaper numbers that might foretell as much; they are for a later chapter.

# %%
options = {
    "n_teacher": n_teacher, "n_test": n_test, "n_information": min(n_information, n_test),
    "hidden": (width,) * depth, "task": "regression", "epochs": epochs, "lr": lr,
    "batch_size": batch_size, "validation": 0.2, "patience": 8, "device": device,
}  # fmt: skip
for knob in gap:
    trained = study.train(worlds[knob], lam, seeds, sizes, **options)
    for n, of_size in trained.items():
        rows += study.result_rows("mlp", knob, n, lam, seeds, of_size.mse)
    verdicts += study.verdict_rows(trained[n_train], knob, n_train, seeds, estimator, n_seeds_slow)
    known = exact_case(worlds[knob])
    verdicts += [study.case(knob, n, s) | known for n in sizes[1:] for s in seeds]

# %% [markdown]
# At the other numbers of rows nothing is estimated; the tables carry the exact informations of $t$ and $s$ there.

# %% tags=["hide-input"]
results.save(rows, verdicts, "01_synthetic")
table, judgements = results.check(rows), results.check(verdicts, "verdicts")

# %% [markdown]
# ## Recorded, at the paper's size
#
# The paper states $n = 10000$, $p = 100$, Adam and 50 repetitions {cite}`xie2025cch`. The preset `paper` uses these, and its tables are recorded with the book. Points are means over
# seeds with 95 % intervals; curves are the exact ones of the linear student. The gap on the axis is the true one, of $t$ and $s$. The marker, the same in both panels, is the verdict that most seeds got
# from `auto`, looking at what the *networks* had learned.

# %% tags=["hide-input"]
kept, kept_verdicts = results.recorded("synthetic")
print(readable.judged_by(kept_verdicts))

kept_summary, most = study.gains(kept), int(kept["n_train"].max())
kept_main = kept_summary[
    (kept_summary["n_train"] == most) & kept_summary["lam"].isin([0.2, 0.5, 0.8])
]
kept_judged = study.gaps(kept_verdicts, most)
by_auto = kept_judged[kept_judged["estimator"] == "auto"].set_index("knob")["decision"]
fig = figures.gain_against_true_gap(
    kept_main.assign(decision=kept_main["knob"].map(by_auto)),
    study.exact_curves(study.recorded_world, most, (0.2, 0.5, 0.8), kept_main["knob"]),
)
plots.mark_simulated(fig, "simulated")
plots.show(
    fig,
    "Recorded with 10000 rows, linear students and networks: per cent of the error saved against "
    "the true gap, one colour per weight, with the exact curves. It rises from minus six at a gap "
    "of −0.2 to one per cent at most above zero, and changes sign at zero.",
)

# %% [markdown]
# A *cell* is one gap and one λ; it helps or hurts when the 95 % interval of its mean gain leaves out zero. The range is that of the mean gains, in per cent of the undistilled error.
# The figure shows three of the five λ, the table all. This build has fewer rows, dimensions and seeds; the comparison takes its largest number of rows.

# %% tags=["hide-input"]
most = table["n_train"].max()
study.beside_paper({"recorded": kept, f"this build, {most} rows": table})

# %% [markdown]
# The recorded estimates in nats, at $n = 10000$, a column for each true gap (MINE, LMI and `auto` judge five seeds, KSG fifty). Then, for each estimator: does it rank the gaps rightly, at which
# true gap does its own turn positive, and how far off is it at most? Last, the recorded dependence on rows. Right in it: beyond the line of its gap a weight hurts; where a line leaves the
# picture at the top, every weight helps; the band holds the λ used here.

# %% tags=["hide-input"]
order = [name for name in ("ksg", "mine", "lmi", "auto") if name in set(kept_judged["estimator"])]
display(study.both_sides(kept_judged, order), study.against_truth(kept_judged).loc[order])

# %% tags=["hide-input"]
fig = figures.gain_against_rows(kept_summary, study.recorded_world, gap=0.1)
plots.mark_simulated(fig, "simulated")
plots.show(
    fig,
    "The recorded run, 100 dimensions: at a gap of 0.1 nats the per cent of error saved falls "
    "from several per cent at 500 training rows to below one at 10000, for linear students on "
    "the exact curves and for networks beside them; the largest helpful weight falls too.",
)

# %% [markdown]
# ## This build: few rows, large effects
#
# The axes of this figure are wider than those above: with a twentieth of the rows there is more error left to save, and to add.

# %% tags=["hide-input"]
summary = study.gains(table)
estimated = study.gaps(judgements, n_train)
of_networks = estimated[estimated["estimator"] != "exact"]
main = summary[summary["n_train"] == n_train]
by_last = of_networks[of_networks["estimator"] == estimator[-1]].set_index("knob")
curves = study.exact_curves(world, n_train, lam, gap)
fig = figures.gain_against_true_gap(
    main.assign(decision=main["knob"].map(by_last["decision"])), curves
)
plots.mark_simulated(fig, "simulated")
plots.show(
    fig,
    "Two panels, linear and network students: per cent of the error saved by distillation against "
    "the true gap of mutual information, one colour per weight, with the exact curves of the "
    "linear student. The shaded half, gap above zero, is where the criterion says distil.",
)

# %% [markdown]
# The marker is the verdict by `auto`.
#
# ## This build: the gap of learned representations
#
# In practice nobody knows the true gap. Below, the axis is the gap that each estimator finds between $H_1$, $H_2$ and $y$.

# %% tags=["hide-input"]
points = main[main["experiment"] == "mlp"].merge(of_networks, on="knob")
fig = plots.gain_by_estimator(points, estimator, "MSE saved (%)")
plots.mark_simulated(fig, "simulated")
plots.show(
    fig,
    "One panel per estimator: per cent of the error saved in networks against the estimated gap of "
    "their learned representations, one colour per weight. The points nearly keep their order from "
    "panel to panel; how far they lie from the line of gap zero differs.",
)

# %% tags=["hide-cell"]
study.both_sides(of_networks, estimator)

# %% tags=["hide-cell"]
study.against_truth(of_networks)

# %% [markdown]
# Across, intervals are those of the mean over seeds. Of the two folded tables the first gives both sides and their difference, the gap, in nats. The second says whether an estimator ranks the worlds as the true gap
# does (Spearman), at which true gap its estimate changes sign, and how far the two are apart at most. They need not be equal: $H_1$ and $H_2$ hold more than $t$ and $s$, and a network
# with few rows learns neither perfectly.
#
# ## This build: more rows, less effect
#
# The criterion contains neither the number of training rows nor λ. The exact risk contains both.

# %% tags=["hide-input"]
chosen = min((true for true in gap if true > 0), key=lambda true: abs(true - 0.1), default=gap[-1])
fig = figures.gain_against_rows(summary, world, chosen)
plots.mark_simulated(fig, "simulated")
plots.show(
    fig,
    "Three panels over the number of training rows. Linear students: the per cent of error saved "
    "falls towards zero as rows grow, along the exact curves. Networks: far below the curves with "
    "the fewest rows, near them with more. Right: where the gap is negative, the largest weight "
    "that helps falls with the rows.",
)

# %% [markdown]
# Left and middle: one world, with the exact curves of the linear student in both. Right: beyond the line of its world, a weight λ hurts. Where a line leaves the
# picture at the top, every weight helps.

# %% [markdown]
# ## Answer
#
# *Recorded, the paper's size ($n = 10000$, $p = 100$, 50 seeds):* the criterion draws the line in the right place. At gaps above zero every cell helps, for linear students and
# networks and at every λ; at gaps below zero none does. But the effect is small. Linear students gain at most 0.4 % of their error, networks at most 1.1 %, because at this size
# little excess error is left to remove. At a gap of −0.2 they lose up to 6 %.
#
# *Zero is not the threshold in general.* With 500 rows (recorded) distillation helps at a gap of −0.05 too, linear students by up to 5 %. At −0.1 it helps linear students at
# every λ, networks where λ is small (these cells are in the table to download, and not drawn here). With more rows the crossing moves right, and the gain goes to nothing. With fewer it moves further left for linear students, as the
# exact theory foretells; networks with few rows have learned too little to follow. The gap alone can foretell none of this: it contains neither $n$ nor λ. So in this model the criterion is **sufficient for small λ, not necessary** ([](../book/theory.md) proves it, under a condition on the teacher's scale).
#
# *Estimators.* On the recorded representations all four rank the worlds nearly alike, and differ in value, as the paper says of its three. But the sign is what
# the criterion uses. KSG finds nothing between a hidden layer of 64 units and one label (0.00 nats; the truth of $s$ and $y$ is 0.22). So its gap is positive in every world, also where
# distillation costs 6 %. MINE changes sign within 0.05 nats of the truth, `auto` at about −0.06, `lmi` at 0.1; `auto` says *distil* from 0.2 on, and is undecided on most seeds below.
#
# Sizes, depth, the correlations and the two smaller numbers of rows are our choice: the paper states $n$, $p$, Adam, the values of λ and 50 repetitions.
#
# ## Check yourself
#
# :::{dropdown} Why can the gap not tell how much distillation helps?
# It contains neither the number of training rows nor λ, and both change the gain, even its sign. The exact risk contains them.
# :::
#
# :::{dropdown} All four estimators rank the worlds alike. Why is that not enough for a verdict?
# A verdict needs the sign of the gap. An estimator that finds too little on one side keeps the order and moves the zero.
# :::
#
# ## Exercises

# %% [markdown] tags=["exercise"]
# :::{exercise} Where the criterion turns
# :label: ex-synthetic-1
#
# At which correlation $q$ between $t$ and $s$ is the gap zero? What is $q$ when teacher and student share twice as much information as student and label? Find both by hand, then
# check them with `q_for_gap`.
# :::

# %% [markdown] tags=["solution"]
# ```{solution-start} ex-synthetic-1
# :class: dropdown
# ```

# %% [markdown] tags=["solution"]
# Both informations are the same function of a correlation, so the gap is zero at $q = r$. Twice the information squares $1 - r^2$: $1 - q^2 = (1 - r^2)^2$.

# %% tags=["solution"]
twice = (1 - (1 - r**2) ** 2) ** 0.5
known = -0.5 * np.log(1 - r**2)  # I(s;y)
assert np.isclose(q_for_gap(0.0, r), r) and np.isclose(q_for_gap(known, r), twice)
print(f"gap 0 at q = {r:.3f}; I(t;s) = 2 I(s;y) at q = {twice:.3f}")

# %% [markdown] tags=["solution"]
# ```{solution-end}
# ```

# %% [markdown] tags=["exercise"]
# :::{exercise} How many rows until the largest weight hurts?
# :label: ex-synthetic-2
#
# Take the world of gap 0.1. From how many training rows on does the largest λ of this notebook hurt the linear student? Use `largest_helpful_lambda`.
# What happens to your answer when $p$ doubles?
# :::

# %% [markdown] tags=["solution"]
# ```{solution-start} ex-synthetic-2
# :class: dropdown
# ```


# %% tags=["solution"]
def last_helpful(dimensions: int) -> int:
    """Return the last number of rows at which the largest λ still helps."""
    n = np.arange(dimensions + 2, 4000 * dimensions)
    largest = world(0.1, dimensions).largest_helpful_lambda(n)
    return int(n[largest > max(lam)][-1])


print({dimensions: last_helpful(dimensions) for dimensions in (10, 20, 40)})

# %% [markdown] tags=["solution"]
# The number of rows doubles with $p$, but for a remainder: only $\kappa = p/(n-p-1)$ enters.

# %% tags=["solution"]
assert abs(last_helpful(40) / last_helpful(20) - 2) < 0.1

# %% [markdown] tags=["solution"]
# ```{solution-end}
# ```

# %% [markdown] tags=["exercise"]
# :::{exercise} A criterion that knows n and λ
# :label: ex-synthetic-3
#
# For every cell (gap, λ, rows) of the linear students in `summary` whose outcome is resolved, compare two forecasts with it: the sign of the gap, and the sign of the exact
# change of risk. How often is each right?
# :::

# %% [markdown] tags=["solution"]
# ```{solution-start} ex-synthetic-3
# :class: dropdown
# ```

# %% tags=["solution"]
cells = summary[(summary["experiment"] == "linear") & (summary["outcome"] != "unresolved")]
helped = cells["outcome"] == "helps"
grid = zip(cells["knob"], cells["n_train"], cells["lam"])
exact_says = [worlds[knob].relative_change(n, weight) < 0 for knob, n, weight in grid]
right = {"sign of the gap": cells["knob"] > 0, "exact risk": np.array(exact_says)}
for name, says in right.items():
    print(f"{name}: right in {(says == helped).sum()} of {len(cells)} resolved cells")

# %% [markdown] tags=["solution"]
# The exact risk may miss a cell by chance (one interval in twenty leaves out its true value). The gap misses the cells where λ is small or rows are few, and help comes in spite of it.

# %% [markdown] tags=["solution"]
# ```{solution-end}
# ```
