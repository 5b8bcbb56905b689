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
# # 08 · A hundred pairs nobody chose
#
# **Question.** The criterion was proposed on a handful of pairs, and the chapters before this one tried it on the same kinds. Does it hold on sets that were collected
# for other reasons, in other fields: birds with their descriptions, papers with their links, genomes, brains, film reviews, handwriting?
#
# :::{admonition} In short
# :class: tip
# - On every pair of 13 sets, nine of which have no part in the paper, the criterion is not shown to beat the answer *never distil*.
# - How much more accurate the teacher is costs nothing, and is not shown to order the pairs of a set worse than the gap.
# - A forecast from what both networks know is right about as often as a constant. Ten sources are too few to tell more.
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
data: str = "embedded"  # sets of scikit-learn, or all that are there; one of: embedded, real
name: list[str] = ["all"]  # names of sets, or all
soft: list[str] = ["in-sample"]  # the teacher's soft labels; one of: in-sample, cross-fitted
lam: list[float] = [0.2, 0.5, 0.8]  # share λ of the teacher's term; in (0, 1]
temperature: list[float] = [2.0]  # temperature T of the soft labels; in (0, 100]
most_train: int = 100  # sizes with more training rows are left out; in [20, 100000]
epochs: int = 80  # steps, each on all training rows; in [1, 10000]
estimator: list[str] = ["ksg", "auto"]  # of information; one of: auto, ksg, gaussian, mine, lmi
n_mi: int = 400  # held-out rows that a verdict looks at; in [70, 100000]
n_judged: int = 1  # splits that are judged by the estimators; in [1, 1000]
n_seeds: int = 5  # splits into training and held-out rows; in [2, 1000]
seed: int = 0  # base of the seeds; in [0, 1000000]
device: str = "auto"  # where networks train; one of: auto, cpu, cuda

# %% tags=["hide-input"]
import warnings

import pandas as pd

from cchkd_utils import plots, results
from cchkd_utils.datasets import pairs
from cchkd_utils.results import readable
from cchkd_utils.sections.cells import RIVALS
from cchkd_utils.sections.many_pairs import figures, forecasting, study, tables
from cchkd_utils.sections.modalities import Recipe

# A unit that never fires is a constant column: usual in networks, and dropped.
warnings.filterwarnings("ignore", message=".*constant column")
readable.typeset()

# %% [markdown]
# ## Data
#
# A set is an array per modality, and the class of each row ([which files](../book/files.md)). Two come with scikit-learn and need no download: handwritten digits {cite}`alpaydin1998optical` as four half-images, and
# a tumour's nuclei by three kinds of measurement {cite}`street1993nuclear`. These are **views of one thing** rather than modalities, and so is `mfeat` below. With `data="real"` all sets are taken that are there: published ones
# (`cchkd data --get 08` fetches them), that is birds with their descriptions (`cub` {cite}`wah2011birds`), papers by words and links (`citeseer` {cite}`sen2008collective`), microbes by texts and genes
# (`prokaryotic` {cite}`brbic2016landscape`), brains (`rosmap` {cite}`wang2021mogonet`), film reviews (`mmmo` {cite}`woellmer2013youtube`), handwriting by six kinds of features (`mfeat` {cite}`duin1998multiple`);
# the cohorts of [](04_tcga.ipynb) with a table of many cancers (`pancan` {cite}`weinstein2013cancer`), the test videos of CMU-MOSI {cite}`zadeh2016mosi`, and any file of yours in `pairs/`. Nobody chose them with this criterion in mind,
# and neither network nor training was tuned on them.

# %%
there = list(pairs.EMBEDDED) if data == "embedded" else pairs.available()
sets = [pairs.load(named) for named in (there if name == ["all"] else name)]
pd.DataFrame([study.describe(s) for s in sets]).set_index("set")

# %% [markdown]
# ## Students and verdicts
#
# A split draws training rows, and holds out the rest (by whole videos where rows come in groups). Each modality gets one small network, undistilled; each ordered pair a distilled
# student. All are scored on the held-out rows, and the same rows serve the verdict. Sets of fewer than 400 rows are halved; larger ones are tried at several numbers of training rows.
# Filling, selection of features and scaling learn from the training rows alone.

# %%
recipe = Recipe(epochs=epochs, device=device)
seeds = [seed + i for i in range(n_seeds)]
rows, verdict_rows = [], []
for s in sets:
    for n_train in study.sizes(s):
        if n_train <= most_train:
            cv = study.splits(s, n_train, recipe, seeds)
            for kind in soft:
                rows += [row for pair in study.distil(cv, lam, temperature, kind) for row in pair]
            verdict_rows += [
                row for pair in study.judge(cv, estimator, n_judged, n_rows=n_mi) for row in pair
            ]
results.save(rows, verdict_rows, "08_many_pairs")

# %% [markdown]
# ## What happened, recorded
#
# The figures below come from runs on all sets, ten splits each, the verdicts on three of them. Sets that share patients are one **source**: the cancer cohorts and the table of many
# cancers. Every interval below resamples sources, because what holds for one pair of a set mostly holds for the next.

# %% tags=["hide-input"]
recorded, recorded_verdicts = results.recorded("many_pairs")
every = tables.joined(recorded, recorded_verdicts)
main = every[(every["lam"] == 0.5) & (every["temperature"] == 2.0)]
tables.counts(main)

# %% tags=["hide-input"]
auto = main[main["estimator"] == "auto"]
plots.show(
    figures.pairs(auto),
    "Gain of distillation in points against the gap of mutual information, one panel per source "
    "and one mark per ordered pair and number of training rows. Filled marks are clear effects.",
)

# %% [markdown]
# λ = 0.5, $T$ = 2, soft labels from a teacher trained on the same rows, as in the paper. Open marks: the interval holds zero.

# %% [markdown] slideshow={"slide_type": "skip"}
# **Try it, in the book:** the same at other λ, with other soft labels, by another estimator, for one source; $T$ = 2. Each mark tells which pair it is.
#
# <iframe class="explorer" style="--wide: 610px; --narrow: 710px" src="../_static/many_pairs.html" loading="lazy"
#  title="Interactive figure: recorded gain against gap of many pairs, by source, soft labels, weight and estimator"></iframe>

# %% [markdown]
# ## How often is it right?
#
# Only clear effects can be right or wrong. Beside the sign of the gap and the decision stand the two answers that need no measurement at all, *always* and *never* distil, on the
# same cells, and the difference in percentage points with its 95 % interval. All clear effects:

# %% tags=["hide-input"]
counted = tables.answers(main)
counted["all clear effects"]

# %% [markdown]
# And where the verdict was decided:

# %% tags=["hide-cell"]
counted["decided ones"]

# %% [markdown]
# The same with soft labels from teachers that did not see the rows (*cross-fitted*), where effects are larger:

# %% tags=["hide-input"]
crossed = tables.joined(recorded, recorded_verdicts, "cross-fitted")
tables.answers(crossed[(crossed["lam"] == 0.5) & (crossed["temperature"] == 2.0)])[
    "all clear effects"
]

# %% [markdown]
# ## Which score ranks best?
#
# A threshold may be wrong and the order right. *Over all cells* asks whether a score orders pairs of different sets and sizes, *within sets* whether it picks the right teacher of one student or
# the right pair of one set (sets with six pairs and more, of seven sources). *Less that of the reference* is the paired difference from the gap by `auto`, and *sources needed* how many one would need to see a difference of
# that size in four studies of five.

# %% tags=["hide-input"]
wide, scores = tables.scored(main)
ranked = tables.ranking(wide, scores, "gap, auto")
fig, ax = plots.figure(width=7.5, height=5.2)
figures.ranking(ax, ranked, RIVALS)
best = {form: ranked[form].idxmax() for form in ("overall", "within")}
plots.headline(
    fig,
    "Highest rank correlation over all cells: {overall}; within sets: {within}".format(
        **{form: RIVALS.get(score, score) for form, score in best.items()}
    ),
)
plots.show(
    fig,
    "For each score two dots with 95 per cent intervals over sources: its rank correlation with "
    "the gain over all cells, and the mean of those within sets.",
)

# %% tags=["hide-input"]
tables.report(ranked.rename(index=RIVALS), "within")

# %% tags=["hide-cell"]
tables.report(ranked.rename(index=RIVALS), "overall")

# %% [markdown]
# ## λ, T and the number of rows
#
# In the exact theory the gain grows with λ up to a point and turns to harm beyond; more rows leave the student less to gain ([](../book/theory.md)). Mean gain in points, every source with the
# same weight; then the paired change from the lowest to the highest level. Not every source has cells on both sides of zero, so *all* need not lie between the two.

# %% tags=["hide-cell"]
of_auto = every[every["estimator"] == "auto"]
tables.response(of_auto, "lam")

# %% tags=["hide-input"]
sized = of_auto[of_auto["n_train"].isin([100, 300])]
pd.DataFrame([tables.change(of_auto, "lam"), tables.change(of_auto, "temperature"),
              tables.change(sized, "n_train")])  # fmt: skip

# %% [markdown]
# ## Where does it fail?
#
# Decided verdicts that the outcome contradicts: the eight largest effects, at most two of a set, each at its worst λ and by the estimator named in *by* (the answer's examples are by `auto`). The last two columns split what the networks share: *not the label* is $I(H_1;H_2\mid Y)$. The gap is this less
# $I(H_2;Y\mid H_1)$, what the student knows of the label that the teacher does not.

# %% tags=["hide-input"]
tables.failed(every[every["temperature"] == 2.0], recorded_verdicts)

# %% [markdown]
# ## A forecast
#
# Can what is known before distilling be put together to a probability that it helps? A plain ridge regression of the gain was learned from these pairs, on how much more accurate the teacher is (*advantage*), how much accuracy the
# student has left to gain (*headroom*), the share of the label's nats that it knows (*knows*), and λ (*lam*). It is judged on sources that it has not seen: each in turn is foretold from the others.

# %% tags=["hide-input"]
known = forecasting.table(recorded, recorded_verdicts)
told = forecasting.left_out(known)
forecasting.brier(told)

# %% [markdown]
# The Brier score is the mean squared error of a probability, 0 is perfect. *All*: against the sign of every measured gain, most of which are noise. *Clear*: of the clear effects alone. Each sign is
# given the probability with which it was right in the other sources.

# %% tags=["hide-input"]
fig, ax = plots.figure(width=5.2, height=4.6)
figures.calibration(
    ax, told["p_help"].to_numpy(), told["helps"].to_numpy(), told["source"].to_numpy(), 6
)
slope = forecasting.calibration(told)
plots.headline(
    fig,
    "Calibration slope {:.2f} [{:.2f}, {:.2f}]; 1 is perfect, below 1 too bold".format(
        *slope["slope"]
    ),
)
plots.show(
    fig,
    "Share of cells that gained against the probability foretold on left-out sources, in six bins "
    "of equal size, with 95 per cent intervals over sources and the diagonal.",
)

# %% [markdown]
# What else was tried, on left-out sources: the four features named above, with one of them less, or with one more.

# %% tags=["hide-cell"]
forecasting.tried(known).round(3)

# %% [markdown]
# ## This build

# %% tags=["hide-input"]
here = tables.joined(results.check(rows), results.check(verdict_rows, "verdicts"), soft[0])
fig = figures.pairs(here[here["estimator"] == estimator[-1]])
plots.mark_simulated(fig, sets[0].kind)
plots.show(
    fig,
    "The same figure for the sets of this build: gain of distillation against the gap.",
)

# %% [markdown]
# ## Answer
#
# *Recorded: 120 ordered pairs of 13 sets from 10 sources, at 1 to 3 numbers of training rows each, 254 cases.* **The criterion is not shown to predict better than a constant.** At λ = 0.5 and
# $T$ = 2, 68 effects are clear, 11 of them gains. The sign of the gap is right in 40 (`ksg`) to 48 (`auto`) of these, *never distil* in 57, *always* in 11. Less *never*, `auto` is at −13 points [−69, +23]: ten sources, of which few have most of the
# effects, cannot tell the two apart. On the nine sets that have no part in the paper (68 pairs) the sign is right in 37 to 45 of 62, *never* in 55. Three sets are views of one thing and have 52 of the 68 clear effects: half-images, nuclei, handwriting. Without them 16 are left: the sign is right in
# 11 to 13, *never* in 10. With cross-fitted soft labels 135 of 140 clear effects are losses; the sign is right in 78 to 98, for `mine` and `auto` certainly in fewer than *never*.
#
# - **Which score ranks best?** Within sets, the difference in accuracy between teacher and student has a rank correlation with the gain of 0.25 [−0.02, 0.73] (in-sample) and 0.65 [0.50, 0.90] (cross-fitted), the gap by `auto` 0.20 [−0.18, 0.54] and 0.39 [−0.11, 0.69]. The paired
#   difference of the two leaves out zero, 0.26 [0.04, 0.64] with cross-fitted labels; in-sample, 0.05 [−0.30, 0.57], some 656 sources would be needed to see it.
#   `ksg` ranks the pairs of a set better than `auto` with cross-fitted labels (0.11 [0.05, 0.28]).
# - **λ, T and rows.** From λ = 0.2 to 0.8 the student loses 0.7 [0.2, 1.1] points, cross-fitted 4.4 [2.9, 5.9]: as the theory says, harm grows with λ. From $T$ = 1 to 2 it loses 0.3 [0.0, 0.5] points, cross-fitted 0.8 [0.6, 1.1]. From 100 to 300
#   training rows in-sample gains do not change for certain; cross-fitted harm shrinks by 1.7 [0.1, 3.3] points, as both networks get better.
# - **Where does it fail?** *Half-images of digits* (top → left, 300 rows, gap +1.1 nats) share 3.0 nats, of which 1.2 are not about the label; the teacher is 1 point less accurate than the student, which loses 4.8 points at λ = 0.8 and 2.6 at 0.5.
#   *Nuclei*, their spread and their extremes (error → worst, 284 rows, gap +0.5 nats) share 1.0 nats, of which 0.4 are not about the label; the teacher is 12 points less accurate than the student, which loses 3.6 points at λ = 0.8 and 1.6 at 0.5.
#   *Handwriting*, Zernike moments and profile correlations (zer → fac, 1000 rows, gap +0.2 nats) share 2.3 nats, of which 0.6 are not about the label; the teacher is 15 points less accurate than the student, which loses 2.9 points at λ = 0.8 and 0.8 at 0.5. (It confuses 6 and 9.)
#   All three are views of one thing, where much is shared because both see the same pixels, cells or strokes.
# - **A forecast** from what both networks know is right in 84 % of the clear effects of left-out sources, *never* in 82 %. Its Brier score, 0.151 [0.138, 0.179], less that of the base rate −0.012 [−0.175, +0.038]: not shown to
#   be better. Adding the gap makes it no better, adding CKA hardly. Its calibration slope is 0.68 [0.02, 1.81]. So its *no* can be believed about as much as a constant, and its *yes* is an invitation to try.
#
# *In one line:* nothing that is known before distilling is shown to beat *do not* on these pairs; if you try, try the teacher that is more accurate than the student, at a small λ, and keep *not at all* among the choices. ("Distil if the teacher is the more accurate" is right in 41 of the 68 clear effects (*never*: 57), cross-fitted in 87 of 140 (*never*: 135).)
#
# Small perceptrons on tables are not the networks of the paper, and these sets are small. That cross-fitted labels harm more than in-sample ones says something of its own: a teacher that has memorised
# its rows hands on the hard labels again.

# %% [markdown]
# ## Check yourself
#
# :::{dropdown} Why do intervals resample sources and not pairs?
# Pairs of one set share their rows, and sets of one source their patients. What holds for one pair mostly holds for the next, so there are as many independent cases as sources.
# :::
#
# :::{dropdown} Why is a teacher with cross-fitted soft labels more harmful here than one with in-sample ones?
# In-sample soft labels repeat the hard labels that the teacher has learned by heart. Cross-fitted ones show its mistakes.
# :::

# %% [markdown] tags=["exercise"]
# ## Exercises
#
# :::{exercise} Leave the views out
# :label: ex-pairs-1
#
# Digits, breast-cancer and mfeat are views of one thing: half-images, nuclei, handwriting. Is the criterion better than *never distil* on the clear effects of the other sets?
# :::

# %% [markdown] tags=["solution"]
# ```{solution-start} ex-pairs-1
# :class: dropdown
# ```

# %% tags=["solution"]
proper = main[~main["dataset"].isin([*pairs.EMBEDDED, "mfeat"])]
tables.answers(proper)["all clear effects"]

# %% [markdown] tags=["solution"]
# ```{solution-end}
# ```

# %% [markdown] tags=["exercise"]
# :::{exercise} The cheapest rule
# :label: ex-pairs-2
#
# "Distil only if the teacher is more accurate than the student." How often is this rule right in the clear effects, and how often is *never distil*?
# :::

# %% [markdown] tags=["solution"]
# ```{solution-start} ex-pairs-2
# :class: dropdown
# ```

# %% tags=["solution"]
clear = auto[auto["outcome"] != "unresolved"]
helps = clear["outcome"] == "helps"
rule = ((clear["advantage"] > 0) == helps).sum()
print(f"the rule is right in {rule} of {len(clear)}, never distil in {(~helps).sum()}")

# %% [markdown] tags=["solution"]
# A rule that says *yes* too easily loses to one that never does, where gains are rare.

# %% [markdown] tags=["solution"]
# ```{solution-end}
# ```

# %% [markdown] tags=["exercise"]
# :::{exercise} How many sources?
# :label: ex-pairs-3
#
# A share of right signs is 70 %, that of *never distil* 60 %, and the two differ in a source by 0.3 (standard deviation). How many sources would show the difference in four studies of five?
# :::

# %% [markdown] tags=["solution"]
# ```{solution-start} ex-pairs-3
# :class: dropdown
# ```

# %% tags=["solution"]
from scipy.stats import norm

reach = norm.ppf(0.975) + norm.ppf(0.8)
print(f"{(reach * 0.3 / 0.1) ** 2:.0f} sources")

# %% [markdown] tags=["solution"]
# We have ten. That is why most differences on this page cannot be told from zero.

# %% [markdown] tags=["solution"]
# ```{solution-end}
# ```
