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
import sys

from IPython import get_ipython

if "google.colab" in sys.modules:  # Colab has the packages, and lacks the book's own module
    source = "git+https://github.com/cch-companion/cchkd"
    get_ipython().run_line_magic("pip", f"install -q --no-deps {source}")

# %% tags=["parameters"]
preset: str = "book"  # preset these values belong to; one of: smoke, book, paper
data: str = "embedded"  # small digits that come with scikit-learn, or MNIST; one of: embedded, real
pairing: str = "index"  # same image, or only same class; one of: index, class
blur: list[float] = [0.0, 1.0, 2.0, 3.0, 4.0]  # blur of the teacher's images, pixels; in [0, 100]
lam: list[float] = [0.2, 0.5, 0.8]  # share λ of the teacher's term; in (0, 1]
temperature: list[float] = [2.0]  # temperature T of the soft labels; in (0, 100]
n_train: int = 1300  # training images; in [100, 60000]
n_test: int = 497  # held-out images; in [70, 10000]
epochs: int = 30  # passes over the training images; in [1, 10000]
batch_size: int = 64  # images per step; in [1, 60000]
lr: float = 0.05  # step size of SGD; in (0, 10)
width: int = 16  # channels of the first convolution; in [1, 512]
estimator: str = "ksg"  # estimator of mutual information; one of: gaussian, ksg
n_seeds: int = 3  # independent repetitions; in [1, 1000]
seed: int = 0  # base of the seeds; in [0, 1000000]
device: str = "auto"  # where networks train; one of: auto, cpu, cuda

# %% tags=["hide-input"]
import warnings

import numpy as np

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
    "optimizer": "sgd", "lr": lr, "epochs": epochs, "batch_size": batch_size, "device": device,
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
    (b, i): criterion.assess(
        h1[b][i], h2[i], y_test[i], estimator=estimator, rivals=False, bias_check=False
    )
    for b in range(len(blur))
    for i in range(n_seeds)
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
    for (b, i), v in verdicts.items()
]
results.save(rows, verdict_rows, "02_mnist_m")

# %% [markdown]
# ## What happened

# %% tags=["hide-input"]
table, judged = results.check(rows), results.check(verdict_rows, "verdicts")
table["gain"] *= 100  # percentage points
shown = table[table["temperature"] == temperature[0]]
summary = results.summarise(shown, ["knob", "lam"])
numbers = ["gap", "gap_lo", "gap_hi", "teacher_accuracy"]
by_blur = judged.groupby("knob")[numbers].mean()
by_blur["decision"] = judged.groupby("knob")["decision"].agg(lambda d: d.mode()[0])
points = summary.merge(by_blur.reset_index(), on="knob")

fig, ax = plots.figure(width=7.4, height=5.2)
plots.gain_against_gap(ax, points)
best = points.groupby("knob").agg({"gap": "first", "gain_hi": "max"})
for one, where in best.iterrows():
    ax.annotate(f"blur {one:g}", where, (0, 5), textcoords="offset points", ha="center", fontsize=9)
ax.set_ylabel("accuracy gained by distillation (percentage points)")
ax.set_title(f"{name}, T = {temperature[0]:g}, mean of {n_seeds} seeds")
plots.gap_legend(fig, points)
plots.mark_simulated(fig, kind)
plots.show(
    fig,
    "Accuracy gained by distillation against the gap of mutual information, one colour per weight, "
    "one group of points per blur. Gain falls as the blur grows and the gap shrinks.",
)

# %% tags=["hide-input"]
report = summary.pivot(index="knob", columns="lam", values="outcome").add_prefix("λ = ")
report.insert(0, "CCH verdict", by_blur["decision"])
report.insert(0, "gap (nats)", by_blur["gap"].round(3))
report.insert(0, "teacher accuracy", by_blur["teacher_accuracy"].round(3))
print(f"student without teacher: accuracy {baseline.mean():.3f}")
report.rename_axis("blur (px)").rename_axis(None, axis=1)

# %% [markdown]
# ## Answer
#
# To be written from the run.
