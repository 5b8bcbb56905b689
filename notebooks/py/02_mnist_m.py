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
controls: list[str] = ["smoothing", "shuffled", "class"]  # one of: smoothing, shuffled, class, none
lam_control: float = 0.5  # λ of the controls and of single figures; in (0, 1]
temperature_control: float = 2.0  # their temperature T; in (0, 100]
n_train: int = 1000  # training images; in [100, 60000]
n_test: int = 797  # held-out images; in [70, 10000]
n_mi: int = 797  # held-out images on which information is estimated; in [70, 10000]
epochs: int = 12  # passes over the training images; in [1, 10000]
batch_size: int = 64  # images per step; in [1, 60000]
lr: float = 0.1  # step size of SGD; in (0, 10)
width: int = 16  # channels of the first convolution; in [1, 512]
estimator: list[str] = ["ksg", "auto"]  # of information; one of: auto, ksg, gaussian, mine, lmi
n_seeds: int = 5  # independent repetitions; in [1, 1000]
seed: int = 0  # base of the seeds; in [0, 1000000]
device: str = "auto"  # where networks train; one of: auto, cpu, cuda

# %% tags=["hide-input"]
import warnings

from cchkd_utils import models, plots, results
from cchkd_utils.datasets import mnist_m
from cchkd_utils.studies import images

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
which = {"n_train": n_train, "n_test": n_test, "pairing": pairing, "layout": "generated"}
sets = [mnist_m.load(data, **which, seed=s) for s in seeds]
kind, size = sets[0].kind, sets[0].modalities["mnist"].shape[-1]

# %% tags=["hide-input"]
some = slice(0, 4)
shown, digit_names = sets[0].take("test")
columns = {f"blur {one:g} px": mnist_m.blur(shown["mnist"][some], one) for one in blur}
columns["student"] = shown["mnist_m"][some]
fig = plots.image_grid(columns, [str(label) for label in digit_names[some]])
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
# Both are one small convolutional network, trained with SGD on standardised images. The student minimises
# $(1-\lambda)\,\mathrm{CE} + \lambda T^2\,\mathrm{KL}(\text{teacher}_T \,\|\, \text{student}_T)$. Students of one seed share their initial weights and the order of
# their batches, so that only the teacher, λ and $T$ differ.

# %%
options = {
    "optimizer": "sgd", "schedule": "cosine", "lr": lr, "epochs": epochs,
    "batch_size": batch_size, "device": device,
}  # fmt: skip


def network() -> models.CNN:
    """Build the one architecture that teacher and student share."""
    return models.CNN(3, size, 10, width=width)


teachers = images.train_teachers(network, sets, seeds, blur, **options)
at = (lam_control, temperature_control)
controls = [one for one in controls if one not in ("none", pairing)]
planned = images.plan(len(blur), n_seeds, lam, temperature, controls, at)
students = images.train_students(network, sets, seeds, planned, teachers, **options)

# %% [markdown]
# ## Verdicts
#
# $H_1$ is the last hidden layer of the teacher, $H_2$ that of the **undistilled** student, on images that neither has trained on.

# %%
pairings = [pairing] + ["class"] * ("class" in controls)
judged = images.assess(sets, seeds, teachers, students, estimator, pairings, n_mi)
rows, verdict_rows = images.tables(sets, seeds, blur, pairing, planned, students, judged)
results.save(rows, verdict_rows, "02_mnist_m")

# %% [markdown]
# ## What happened

# %%
table = results.check(rows)
table["gain"] *= 100
main = table[table["experiment"] == "distillation"]
results.summarise(main, ["condition", "lam"]).pivot(index="condition", columns="lam", values="gain")

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
