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
# # 03 · MOSEI: what is said, how it sounds, how it looks
#
# **Question.** People review films in short videos. Whether they liked the film can be read from their words, heard in their voice and seen in
# their face, though not equally well. Does a network that reads the words help one that only hears or only sees? Does the criterion say so
# beforehand, and where does a disturbed teacher begin to harm?
#
# :::{admonition} In short
# :class: tip
# - Words know most about the sentiment; from audio or vision alone networks predict no better than the larger class, as far as 31 videos can tell.
# - No student gains for certain; the text student loses from weaker teachers. *Do not distil* was right, and so was *never*.
# - On the simulated stand-in, noise in the teacher turns the gain into a loss, but only where the soft labels come from a teacher that has not seen the rows.
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
data: str = "embedded"  # a simulated stand-in, or files you have; one of: embedded, real
dataset: str = "mosei"  # which real data; one of: mosei, mosi
coding: str = "acc2_nonneg"  # label of MOSEI; one of: acc2_nonneg, acc2_nonzero, acc7, regression
encoder: str = "pool"  # network over the steps of an utterance; one of: pool, gru, transformer
soft: list[str] = ["in-sample", "cross-fitted"]  # soft labels; one of: in-sample, cross-fitted
noise: list[float] = [0.0, 1.0, 2.0, 4.0]  # added to a text teacher's inputs, sd; in [0, 100]
lam: list[float] = [0.2, 0.5, 0.8]  # share λ of the teacher's term; in (0, 1]
temperature: list[float] = [2.0]  # temperature T of the soft labels; in (0, 100]
n_train: int = 600  # simulated training utterances; in [100, 100000]
n_test: int = 600  # simulated held-out utterances; in [70, 100000]
epochs: int = 20  # passes over the training rows; in [1, 10000]
batch_size: int = 64  # rows per step; in [1, 60000]
lr: float = 0.003  # step size of AdamW at the start; in (0, 1)
width: int = 32  # units of the hidden layers, the representation among them; in [4, 1024]
estimator: list[str] = ["ksg", "auto"]  # of information; one of: auto, ksg, gaussian, mine, lmi
n_seeds: int = 6  # repeats: simulated data sets, or folds over videos; in [2, 1000]
seed: int = 0  # base of the seeds; in [0, 1000000]
device: str = "auto"  # where networks train; one of: auto, cpu, cuda

# %% tags=["hide-input"]
import warnings

import numpy as np
import pandas as pd

from cchkd_utils import plots, results
from cchkd_utils.datasets import mosei
from cchkd_utils.results import readable
from cchkd_utils.sections import cells
from cchkd_utils.sections.mosei import figures, study, tables

# A unit that never fires is a constant column: usual in networks, and dropped.
warnings.filterwarnings("ignore", message=".*constant column")
readable.typeset()

# %% [markdown]
# ## Data
#
# CMU-MOSEI holds 23 000 utterances from film reviews and vlogs, each with its words, its sound and the face of the speaker in up to 50 steps, and a sentiment from −3 to 3
# {cite}`zadeh2018mosei`. It is given out on request only, so this build uses a **simulated stand-in** with its shapes: text of 300 features, audio of 74, vision
# of 35. Every utterance has a sentiment and three style factors that all modalities share; text shows them with little noise, audio with
# more, vision with most ({py:mod}`cchkd_utils.datasets.mosei.simulated`). Each repeat is a new data set. `data="real"` reads your own files of
# CMU-MOSEI, in the layouts of MMSA, MulT or the CMU-MultimodalSDK, or with `dataset="mosi"` those of the smaller CMU-**MOSI**.
#
# The label is *negative* against *non-negative* (`coding`).

# %%
seeds = [seed + i for i in range(n_seeds)]
if data == "embedded":
    sets = [mosei.load(coding=coding, n_train=n_train, n_test=n_test, seed=s) for s in seeds]
    repeats, name = study.repeats_of_sets(sets, encoder), "MOSEI stand-in"
elif dataset == "mosei":
    sets = [mosei.load("real", coding=coding, seed=seed)] * n_seeds
    repeats, name = study.repeats_of_sets(sets, encoder), "CMU-MOSEI"
else:  # the other parts of this file hold features that were fitted on their own labels
    sets = [mosei.load("real", coding="given", dataset="CMU-MOSI", parts=("test",))]
    repeats, name = study.repeats_of_folds(sets[0], n_seeds, encoder, seed=seed), "CMU-MOSI"
kind = sets[0].kind


# %% tags=["hide-input"]
def shape(sequences: np.ndarray) -> str:
    """Write steps and features of a modality; the last channel is the mask."""
    return f"{sequences.shape[1]} steps × {sequences.shape[2] - 1} features"


described = {m: shape(x) for m, x in sets[0].modalities.items()}
described |= mosei.flow(sets[0])["count"].to_dict()
described["videos"] = len(np.unique(mosei.videos(sets[0])))
pd.Series(described, name=f"{name} ({kind})").to_frame()

# %% [markdown]
# ## Teachers and students
#
# One architecture serves both: the mean over the measured steps, then two hidden layers (`encoder="pool"`; a GRU or a small transformer by
# parameter). Padded steps are masked. The student minimises, with AdamW, the same loss as in [](02_mnist_m.ipynb).
#
# With few rows it matters where the soft labels come from. **In-sample**: from the teacher trained on the same rows, which knows their labels by heart.
# **Cross-fitted**: every row gets its soft label from a teacher that was trained on the other videos.
#
# The design: all six ordered pairs; noise on the inputs of a text teacher, for the two pairs of the paper; and for each student both other
# modalities at once, as the mean of their logits.

# %%
options = {
    "schedule": "cosine", "lr": lr, "weight_decay": 0.01, "epochs": epochs,
    "batch_size": batch_size, "device": device,
}  # fmt: skip
experiment = study.Study(repeats, seeds, encoder, width, options)
cases = study.cases(soft, noise)
for case in cases:
    experiment.prepare(case)

# %%
common = {"dataset": name, "kind": kind}
rows = tables.result_rows(experiment, cases, lam, temperature, common)

# %% [markdown]
# ## Verdicts
#
# $H_1$ is the last hidden layer of the teacher, $H_2$ that of the **undistilled** student, on utterances of videos that neither has seen. With two
# teachers $H_1$ is both layers side by side. How the soft labels arose does not change $H_1$ and $H_2$, so both kinds share one verdict.

# %%
verdicts = tables.verdict_rows(experiment, cases, estimator, common, checks=False)
results.save(rows, verdicts, "03_mosei")

# %% [markdown]
# ## Recorded on real data: CMU-MOSI
#
# CMU-MOSI {cite}`zadeh2016mosi` is the smaller predecessor of MOSEI: film reviews, 2199 utterances, here with one feature vector per utterance. Of these only the 752
# utterances of the 31 test videos can be used: the features of the others were fitted on their own labels. They are split anew, by video, into five
# folds, four times over: 20 folds. Training parts are trimmed at random to equal size. The units of a gain's interval are **videos**: it adds how much each of them moves the gain
# and how the four repeats vary (its coverage is in [](04_tcga.ipynb)). Intervals of information come from the folds with the correction of Nadeau and
# Bengio {cite}`nadeau2003inference`. The features, their number and the classes
# differ from MOSEI's: *this is not a replication of the paper's table.*

# %% tags=["hide-input"]
mosi, mosi_judged = results.recorded("mosi")
print(readable.judged_by(mosi_judged))
fold_share = 1 / study.FOLDS
mosi_points = tables.points(mosi, mosi_judged, 0.5, 2.0, fold_share)
table, judged = results.check(rows), results.check(verdicts, "verdicts")
share = 1 / study.FOLDS if name == "CMU-MOSI" else None  # repeated folds overlap
metric = "accuracy" if experiment.task == "classification" else "correlation"
middle, first_temperature = lam[len(lam) // 2], temperature[0]
points = tables.points(table, judged, middle, first_temperature, share, metric)
mosi_clean, clean = mosi_points[mosi_points["knob"] == 0], points[points["knob"] == 0]
mosi_sweep, sweep = (p[p["teacher"] == "text"] for p in (mosi_points, points))
mosi_sweep = mosi_sweep[mosi_sweep["estimator"].isin(["ksg", "auto"])]

# %% tags=["hide-input"]
drawn = {
    "ranking": [figures.ranking(tables.ranking(mosi_judged, fold_share)),
                figures.ranking(tables.ranking(judged, share))],
    "pairs": [figures.pairs(mosi_clean, "CMU-MOSI, λ = 0.5, T = 2"),
              figures.pairs(clean, f"λ = {middle:g}, T = {first_temperature:g}")],
    "noise": [figures.noise_sweep(mosi_sweep), figures.noise_sweep(sweep)],
}  # fmt: skip
for recorded_fig, fig in drawn.values() if metric == "accuracy" else ():
    for panels in zip(recorded_fig.axes, fig.axes):
        plots.share_limits(panels)
plots.show(
    drawn["ranking"][0],
    "CMU-MOSI: mutual information of the hidden layer and the label, with a 95 % interval and one "
    "marker per estimator. Text stands highest, then audio, then vision; some intervals overlap.",
)

# %% tags=["hide-input"]
plots.show(
    drawn["pairs"][0],
    "CMU-MOSI: accuracy gained for six ordered pairs and three pairs of teachers, with intervals "
    "over videos, in-sample and cross-fitted, and the verdict of each estimator beside them.",
)

# %% tags=["hide-input"]
print("right among the clear effects, over pairs and kinds of soft labels:")
cells.scored(mosi_clean)

# %% tags=["hide-cell"]
tables.over_the_grid(mosi)

# %% [markdown]
# The folded table counts the outcomes over five λ and four $T$. And the noise (of which the recorded tables keep three λ at $T$ = 2):

# %% tags=["hide-input"]
plots.show(
    drawn["noise"][0],
    "CMU-MOSI: gain and gap against the noise on the text teacher's inputs, for the students audio "
    "and vision, with intervals over videos and over folds.",
)

# %% [markdown]
# ## This build: which modality knows most about the label?
#
# The figures of this build have the axes of the recorded ones.

# %% tags=["hide-input"]
fig = drawn["ranking"][1]
plots.mark_simulated(fig, kind)
plots.show(
    fig,
    "Mutual information of the hidden layer and the label for text, audio and vision, with a 95 % "
    "interval over repeats and one marker per estimator. It falls from text to audio to vision.",
)

# %% [markdown]
# ## This build: who teaches whom?
#
# As in the recorded figure: gain at one λ and $T$ with its 95 % interval over repeats, and what each estimator says.

# %% tags=["hide-input"]
fig = drawn["pairs"][1]
plots.mark_simulated(fig, kind)
plots.show(
    fig,
    "Accuracy gained by distillation for six ordered pairs of modalities and three pairs of "
    "teachers, with intervals, in-sample and cross-fitted, and the verdict of each estimator.",
)

# %% tags=["hide-input"]
print("right among the clear effects, over pairs and kinds of soft labels:")
cells.scored(clean)

# %% tags=["hide-cell"]
sides = {"mi_teacher_student": "I(H1;H2)", "mi_student_label": "I(H2;Y)", "gap": "gap"}
both = clean.drop_duplicates(["teacher", "student", "estimator"])
both = both.set_index(["estimator", "teacher", "student"])[[*sides]].rename(columns=sides)
both.round(3).unstack("estimator").swaplevel(axis=1).sort_index(axis=1)

# %% [markdown]
# The three metrics side by side, points, for the cleanest comparison (cross-fitted soft labels where there are some), in a folded table.

# %% tags=["hide-cell"]
honest = "cross-fitted" if "cross-fitted" in soft else soft[0]
columns = {}
for score in table["metric"].unique():
    scored = tables.points(table, judged, middle, first_temperature, share, score)
    scored = scored[(scored["knob"] == 0) & (scored["soft"] == honest)]
    scored = scored.drop_duplicates(["teacher", "student"]).set_index(["teacher", "student"])
    columns[score] = scored.apply(tables.text, axis=1)
pd.DataFrame(columns)

# %% [markdown]
# ## This build: noise on the teacher
#
# The text teacher now reads disturbed inputs, when it learns and when it teaches. Does the gain turn into a loss, and does the gap pass zero there?

# %% tags=["hide-input"]
fig = drawn["noise"][1]
plots.mark_simulated(fig, kind)
plots.show(
    fig,
    "Above, accuracy gained against the noise on the text teacher's inputs, one panel per student, "
    "in-sample and cross-fitted; below, the gap of mutual information of the same pairs, one line "
    "per estimator. All with 95 % intervals.",
)

# %% tags=["hide-cell"]
swept = sweep.drop_duplicates(["student", "soft", "knob"]).groupby(["student", "soft"], sort=False)
swept[["knob", "gain", "gain_lo", "gain_hi"]].apply(tables.noise_where_it_turns).to_frame("gain")

# %% tags=["hide-cell"]
print("right among the clear effects, over the noisy teachers:")
cells.scored(points[points["knob"] > 0])

# %% [markdown]
# ## Beside the paper

# %% tags=["hide-input"]
mosi_text = tables.beside_the_paper(mosi_points, mosi_judged, "auto", fold_share)
here = tables.beside_the_paper(points, judged, estimator[-1], share)
pd.DataFrame(
    {
        "the paper: CMU-MOSEI": tables.PAPER,
        "recorded: CMU-MOSI, real": mosi_text,
        f"this build: {name}, {kind}": here,
    }
)

# %% [markdown]
# ## Answer
#
# *Recorded, real, CMU-MOSI:* all four estimators give $I(H;Y)$ the paper's order, text, audio, vision. `auto` and MINE are sure of the first step; of the second none is. Alone,
# audio and vision predict no better than the larger class does (62 %). At λ = 0.5, $T$ = 2 all three kinds of teachers harm the text student, by one and a half to five points, two of
# the six for certain; over all λ and $T$ in 51 of 120 cells for certain, and nowhere does one help. The verdicts there are *do not distil* or *undecided*. The
# gains of the audio and vision students are positive in 239 of 240 cells, up to 2.6 points, and in none for certain. Text → vision and text → audio are estimated at +0.3 to +1.6
# points with intervals of three to six points either way: they neither repeat nor contradict the paper. The noise sweep falls slowly, and every one of its intervals holds
# zero: **no crossing can be shown**. Of 18 cases two have a clear outcome, both losses. The sign of the gap is right in both by every estimator, and so is *never*. Decided was only
# `auto`, in one of the two, rightly; 8 to 18 of 18 verdicts are *undecided*. (In-sample and cross-fitted cases of a pair share their verdict, so these are nine verdicts per estimator, not 18.) On 31 videos the criterion can
# hardly be refuted, and hardly be confirmed.
#
# *In this build, simulated, at the preset* `book`*:* $I(H;Y)$ falls from text to audio to vision, as it was built to. A text teacher helps both weaker
# students by half a point to two points; the reverse pairs lose about a point, mostly within their intervals. With cross-fitted soft labels, noise
# on the text teacher turns the audio student's gain into a loss between one and four standard deviations, and the gap passes zero in the same range;
# the vision student goes the same way, its last interval just reaching zero. With in-sample soft labels the gain does **not** turn: even a teacher that
# reads mostly noise leaves the audio student better than no teacher, while its gap is below zero by both estimators (`ksg` says *do not distil*, `auto` is undecided): sign and outcome disagree. Such
# a teacher repeats the labels it has learned by heart, softened ([first exercise](#ex-sentiment-1)): that is regularisation, which the criterion does
# not see. So the boundary shows where soft labels are honest, and not where the teacher has seen the answers.
#
# *Two teachers* give no more than text alone on the stand-in, within the intervals. On MOSI they give no sure gain at any λ and $T$.
#
# The network, its training and the stand-in are our choices. The stand-in's noise was set while looking at gains, so that a student had something
# to learn; the training options were not changed after the first trial on either data set. The paper states the data set, AdamW, the metrics and the
# values of λ and $T$.

# %% [markdown]
# ## Check yourself
#
# :::{dropdown} Why do in-sample soft labels hide a bad teacher?
# The teacher knows its training rows by heart. Its soft labels there are the hard labels, softened, whatever its inputs were.
# :::
#
# :::{dropdown} Why are videos, not utterances, the units of the interval?
# Utterances of one video share the speaker and the mood. Counted as independent they would make the interval too narrow.
# :::

# %% [markdown]
# ## Exercises

# %% [markdown] tags=["exercise"]
# :::{exercise} What does a teacher of noise teach?
# :label: ex-sentiment-1
#
# Take the text teacher with the most noise. On which share of the training rows does its soft label favour the true class, in-sample and
# cross-fitted? Why does the student lose in one case and not in the other?
# :::

# %% [markdown] tags=["solution"]
# ```{solution-start} ex-sentiment-1
# :class: dropdown
# ```

# %% tags=["solution"]
y_train = repeats.of_train(repeats.y)
for way in soft:
    favoured = experiment.soft["text", max(noise), way].argmax(-1) == y_train
    print(f"noise {max(noise):g}, {way}: {favoured.mean():.2f} of the rows")

# %% [markdown] tags=["solution"]
# In-sample the teacher has learned its rows by heart, noise and all: its soft labels repeat the hard ones, softened a little, and do no harm. Cross-fitted it
# has to guess, and guesses with confidence: the student learns errors.

# %% [markdown] tags=["solution"]
# ```{solution-end}
# ```

# %% [markdown] tags=["exercise"]
# :::{exercise} Does padding count?
# :label: ex-sentiment-2
#
# Put large numbers into the padded steps of some utterances. Which of the three encoders changes its answer? Then set the mask to 1 everywhere and
# ask again.
# :::

# %% [markdown] tags=["solution"]
# ```{solution-start} ex-sentiment-2
# :class: dropdown
# ```

# %% tags=["solution"]
import torch

from cchkd_utils.distill.networks import ENCODERS

x = torch.as_tensor(np.random.default_rng(0).normal(size=(4, 6, 3)), dtype=torch.float32)
x[..., -1] = torch.tensor([1, 1, 1, 1, 0, 0])  # the mask: two padded steps
junk, open_mask = x.clone(), x.clone()
junk[:, 4:, :2] = 100
open_mask[..., -1] = 1
for name_of, build in ENCODERS.items():
    network = build(3, 2, width=8)
    same = [bool(torch.allclose(network(x), network(changed))) for changed in (junk, open_mask)]
    print(f"{name_of:<12} unchanged by junk: {same[0]}, by an open mask: {same[1]}")

# %% [markdown] tags=["solution"]
# ```{solution-end}
# ```

# %% [markdown] tags=["exercise"]
# :::{exercise} Why held-out videos?
# :label: ex-sentiment-3
#
# Estimate $I(H;Y)$ of the text network on its own training rows, and compare it with the held-out rows. What would the criterion say if it used the
# training rows for both sides?
# :::

# %% [markdown] tags=["solution"]
# ```{solution-start} ex-sentiment-3
# :class: dropdown
# ```

# %% tags=["solution"]
from cchkd_utils import mi

for where, used in (("training", repeats.train[0]), ("held-out", repeats.test[0])):
    h, labels = experiment.hidden["text", 0.0][0][used], repeats.y[0][used]
    shared = mi.estimate(h, labels, "ksg", discrete_y=experiment.task == "classification")
    print(f"I(H;Y) of text on {where} rows: {shared.nats:.2f} nats")

# %% [markdown] tags=["solution"]
# A network that knows its rows by heart has $I(H_2;Y)$ near $H(Y)$ there, and so has the teacher: $H_1$ then determines $Y$, and
# $I(H_1;H_2) \ge I(H_2;Y)$ holds whatever the teacher is worth.

# %% [markdown] tags=["solution"]
# ```{solution-end}
# ```
