# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py//py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Digits: a blurred teacher, a cluttered student
#
# **Question.** A teacher reads clean handwritten digits. A student reads the same digits blended into photographs, the way MNIST-M is made. We
# blur the teacher's images more and more. When does the teacher stop helping and begin to harm, and does the gap of mutual
# information say so beforehand?

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
data: str = "embedded"  # small digits that come with scikit-learn, or MNIST; one of: embedded, real
pairing: str = "index"  # same image, or only same class; one of: index, class
blur: list[float] = [0.0, 1.0, 2.0, 3.0, 4.0]  # blur of the teacher's images, pixels; in [0, 100]
lam: list[float] = [0.2, 0.5, 0.8]  # share λ of the teacher's term; in (0, 1]
temperature: list[float] = [2.0]  # temperature T of the soft labels; in (0, 100]
n_train: int = 1000  # training images; in [100, 60000]
n_test: int = 797  # held-out images; in [70, 10000]
epochs: int = 20  # passes over the training images; in [1, 10000]
batch_size: int = 64  # images per step; in [1, 60000]
lr: float = 0.1  # step size of SGD; in (0, 10)
width: int = 16  # channels of the first convolution; in [1, 512]
estimator: list[str] = ["ksg", "auto"]  # of information; one of: auto, ksg, gaussian, mine, lmi
n_seeds: int = 8  # independent repetitions; in [1, 1000]
seed: int = 0  # base of the seeds; in [0, 1000000]
device: str = "auto"  # where networks train; one of: auto, cpu, cuda

# %% tags=["hide-input"]
import warnings

import numpy as np
import pandas as pd

from cchkd_utils import criterion, distill, models, plots, results
from cchkd_utils.datasets import mnist_m

# A unit that never fires is a constant column: usual in networks, and dropped.
warnings.filterwarnings("ignore", message=".*constant column")

# %% [markdown]
# ## Data
#
# Row $i$ of both modalities shows the same digit. The student's image is $|\text{patch} - \text{digit}|$ in each colour channel, with a random patch of a photograph.
# With `data="embedded"` these are scikit-learn's 1797 digits and its two sample photographs: real, small, no download. With `data="real"`
# they are MNIST and the BSDS500 photographs. Each seed draws new patches.

# %%
seeds = [seed + i for i in range(n_seeds)]
sets = [mnist_m.load(data, n_train=n_train, n_test=n_test, pairing=pairing, seed=s) for s in seeds]
kind = sets[0].kind


def stack(modality: str, split: str) -> np.ndarray:
    """Collect a modality, [seeds, rows, 3, size, size]; grey gets three equal channels."""
    images = np.stack([one.take(split)[0][modality] for one in sets])
    return images.repeat(3 // images.shape[2], axis=2)


y_train = np.stack([one.take("train")[1] for one in sets])
y_test = np.stack([one.take("test")[1] for one in sets])
size = sets[0].modalities["mnist"].shape[-1]

# %% tags=["hide-input"]
some = slice(0, 4)
grey = sets[0].take("test")[0]["mnist"][some]
columns = {f"blur {one:g} px": mnist_m.blur(grey, one) for one in blur}
columns["student"] = sets[0].take("test")[0]["mnist_m"][some]
fig = plots.image_grid(columns, [str(label) for label in y_test[0][some]])
plots.show(
    fig,
    "Four digits, one per row. From left to right the teacher's images at growing blur, until the "
    "digit is a smear, and last the student's: the same digit over a patch of a photograph.",
)

# %% [markdown]
# One column per blur of the teacher's images; the last column is what the student sees.
#
# ## Teachers and students
#
# Both are one small convolutional network, trained with SGD. The student minimises
# $(1-\lambda)\,\mathrm{CE} + \lambda T^2\,\mathrm{KL}(\text{teacher}_T \,\|\, \text{student}_T)$. Students of one seed share their initial weights and the order of
# their batches, so that only the teacher differs.

# %%
options = {
    "optimizer": "sgd", "schedule": "cosine", "lr": lr, "epochs": epochs,
    "batch_size": batch_size, "device": device,
}  # fmt: skip


def network() -> models.CNN:
    """Build the one architecture that teacher and student share."""
    return models.CNN(3, size, 10, width=width)


of_seed = [distill.Member(s, data=i) for i, s in enumerate(seeds)]
soft, h1, teacher_accuracy = [], [], []
for one in blur:
    x_train, x_test = (mnist_m.blur(stack("mnist", split), one) for split in ("train", "test"))
    teachers = distill.train_ensemble(network, x_train, y_train, of_seed, **options)
    soft.append(teachers.predict(x_train))
    h1.append(teachers.represent(x_test))
    teacher_accuracy.append((teachers.predict(x_test).argmax(-1) == y_test).mean(axis=1))

# %%
grid = [(b, i, weight, t) for b in range(len(blur)) for i in range(n_seeds)
        for weight in lam for t in temperature]  # fmt: skip
distilled = [
    distill.Member(seeds[i], weight, t, data=i, teacher=b * n_seeds + i) for b, i, weight, t in grid
]
students = distill.train_ensemble(
    network, stack("mnist_m", "train"), y_train, of_seed + distilled,
    teacher=np.concatenate(soft), **options,
)  # fmt: skip
x_test = stack("mnist_m", "test")
correct = students.predict(x_test).argmax(-1) == y_test[[m.data for m in students.members]]
accuracy = correct.mean(axis=1)
baseline, with_teacher = accuracy[:n_seeds], accuracy[n_seeds:]

# %% [markdown]
# ## Verdicts
#
# $H_1$ is the last hidden layer of the teacher, $H_2$ that of the **undistilled** student, on images that neither has trained on.

# %%
h2 = students.represent(x_test)[:n_seeds]
verdicts = {
    (b, i, one): criterion.assess(
        h1[b][i], h2[i], y_test[i], estimator=one, rivals=False, bias_check=False
    )
    for b in range(len(blur))
    for i in range(n_seeds)
    for one in estimator
}

# %% tags=["hide-input"]
name = {"embedded": "digits → digits-M", "real": "MNIST → MNIST-M"}[data]


def case(b: int, i: int) -> dict:
    """Return the columns that both tables share."""
    condition = f"blur {blur[b]:g}, paired by {pairing}"
    pair = {"dataset": name, "kind": kind, "teacher": "mnist", "student": "mnist_m"}
    return {**pair, "condition": condition, "knob": blur[b], "seed": seeds[i]}


rows = [
    results.result(
        **case(b, i), experiment="cnn", n_train=n_train, lam=weight, weight=weight, temperature=t,
        metric="accuracy", baseline=baseline[i], distilled=after,
    )
    for (b, i, weight, t), after in zip(grid, with_teacher)
]  # fmt: skip
verdict_rows = [
    results.verdict(v, **case(b, i)) | {"teacher_accuracy": teacher_accuracy[b][i]}
    for (b, i, _), v in verdicts.items()
]
results.save(rows, verdict_rows, "02_mnist_m")

# %% [markdown]
# ## What happened

# %% tags=["hide-input"]
table, judged = results.check(rows), results.check(verdict_rows, "verdicts")
table["gain"] *= 100  # percentage points
shown = table[table["temperature"] == temperature[0]]
summary = results.summarise(shown, ["knob", "lam"])
grouped = judged.groupby(["estimator", "knob"])
numbers = ["gap", "gap_lo", "gap_hi", "teacher_accuracy", *judged.filter(like="mi_")]
by_blur = grouped[numbers].mean()
by_blur["decision"] = grouped["decision"].agg(lambda d: d.mode()[0])
points = summary.merge(by_blur.reset_index(), on="knob")

fig, axes = plots.figure(len(estimator), width=4.8 * max(len(estimator), 1.4), height=5.2)
for ax, one in zip(np.atleast_1d(axes), estimator):
    some = points[points["estimator"] == one]
    plots.gain_against_gap(ax, some)
    plots.label_groups(ax, some, "knob", "{:g} px")
    ax.set_title(f"estimator: {one}")
np.atleast_1d(axes)[0].set_ylabel("accuracy gained by distillation (points)")
plots.share_limits(np.atleast_1d(axes))
plots.gap_legend(fig, points)
plots.mark_simulated(fig, kind)
plots.show(
    fig,
    "Accuracy gained by distillation against the gap of mutual information, one panel per "
    "estimator, one colour per weight, one group of points per blur of the teacher. The shaded "
    "half, gap above zero, is where the criterion says distil.",
)

# %% [markdown]
# Each point is the mean over seeds with its 95 % interval; across, the mean 90 % interval of the gap. The panels differ only in the estimator of
# mutual information. On the embedded digits all seeds share the same images: the intervals cover patches, initial weights and batch order, not
# a new sample of digits.

# %% tags=["hide-input"]
print(f"accuracy of the student without teacher: {baseline.mean():.3f}")
report = summary.pivot(index="knob", columns="lam", values="outcome").add_prefix("λ = ")
report.insert(0, "teacher accuracy", by_blur.loc[estimator[0], "teacher_accuracy"].round(3))
report.rename_axis("blur (px)").rename_axis(None, axis=1)

# %% tags=["hide-input"]
sides = {"mi_teacher_student": "I(H1;H2)", "mi_student_label": "I(H2;Y)", "gap": "gap"}
both = by_blur[[*sides]].rename(columns=sides).round(2).assign(verdict=by_blur["decision"])
both.rename_axis(["estimator", "blur (px)"])

# %% [markdown]
# ## Beside the paper
#
# The paper reports the accuracy gained on MNIST and MNIST-M where its criterion holds and where it is violated {cite}`xie2025cch`. The last column is this run:
# its data, its sizes, its own range over blur and λ.

# %% tags=["hide-input"]
paper = {True: "+1.0 … +3.5", False: "−46 … −12"}


def span(gains: pd.Series) -> str:
    """Return the range of mean gains, percentage points."""
    return f"{gains.min():+.1f} … {gains.max():+.1f}" if len(gains) else "no such blur"


columns = {"the paper": paper}
for one in estimator:
    some = points[points["estimator"] == one]
    columns[f"this run, {one}"] = {
        holds: span(some["gain"][(some["gap"] > 0) == holds]) for holds in paper
    }
pd.DataFrame(columns).rename({True: "gap > 0: CCH says distil", False: "gap < 0: it does not"})

# %% [markdown]
# ## Answer
#
# *At the preset* `book`, *embedded digits:* the gap separates the teachers that help from those that harm. Up to a blur of 2 px the students gain a
# point or two, and among these teachers neither gap nor gain differs clearly. At 3 and 4 px the gap is much smaller and students lose: up to ten points
# at the largest λ, little at the smallest.
#
# Whether *zero* is the right threshold depends on the estimator. With KSG, one of the paper's three, the gap is negative at just those blurs where
# the student loses, and the criterion looks right. With `auto` the gap is positive throughout, also where distillation clearly harms. The
# two differ most in $I(H_1;H_2)$: KSG in 64 dimensions is known to read low, and where the truth is known `auto` comes much closer
# ([](07_estimators.ipynb)). A large $I(H_1;H_2)$ is no surprise. $I(H_2;Y)$ cannot exceed $\ln 10 = 2.3$ nats, while $I(H_1;H_2)$ also counts what
# two images of one digit share besides its class: slant, thickness, size ([](../book/theory.md)). So on these data the sign of
# the gap at 3 and 4 px hangs on the estimator, and with it the verdict.
#
# Two more remarks. The harm depends on λ, which the gap does not contain. And the teacher's own accuracy, which costs nothing to compute, falls
# along with the gap.
#
# The network, its training, the sizes and the blur levels are our choices, settled while looking at accuracies on the embedded digits. The paper
# states the pair of data sets, the blur, SGD and the values of λ and $T$.
