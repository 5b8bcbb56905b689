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
# # Tumours: every pair of modalities, and a few hundred patients
#
# **Question.** Three laboratories measure the same tumour: which genes it reads (mRNA), how many copies of the genome it carries (CNV), which proteins it
# holds (RPPA). Does a network on one of them learn better when a network on another one teaches it, and does the gap of mutual information
# foretell for which pairs? And if both are at hand anyway, does distillation improve their fusion?

# %% tags=["remove-cell"]
import sys

from IPython import get_ipython

if "google.colab" in sys.modules:  # Colab has the packages, and lacks the book's own module
    source = "git+https://github.com/cch-companion/cchkd"
    get_ipython().run_line_magic("pip", f"install -q --no-deps {source}")

# %% tags=["parameters"]
preset: str = "book"  # preset these values belong to; one of: smoke, book, paper
data: str = "embedded"  # simulated cohorts of the real sizes, or TCGA; one of: embedded, real
cohort: list[str] = ["BRCA", "KIPAN", "LIHC"]  # which cancers; one of: BRCA, KIPAN, LIHC
label_lihc: str = "high_grade"  # class of LIHC; one of: grade, high_grade, stage, vital
lam: list[float] = [0.3, 0.7]  # share λ of the teacher's term; in (0, 1]
temperature: list[float] = [2.0]  # temperature T of the soft labels; in (0, 100]
n_folds: int = 5  # folds of the cross-validation; in [2, 20]
n_features: int = 100  # features kept by the training fold; in [2, 2000]
epochs: int = 80  # steps, each on all training rows; in [1, 10000]
lr: float = 0.01  # step size of AdamW; in (0, 1)
estimator: list[str] = ["ksg", "auto"]  # of information; one of: auto, ksg, gaussian, mine, lmi
n_seeds: int = 2  # repeats of the cross-validation; in [1, 1000]
seed: int = 0  # base of the seeds; in [0, 1000000]
device: str = "auto"  # where networks train; one of: auto, cpu, cuda

# %% tags=["hide-input"]
import warnings

import numpy as np
import pandas as pd

from cchkd_utils import paths, plots, results
from cchkd_utils.datasets import tcga
from cchkd_utils.plots import cancer as draw
from cchkd_utils.studies import cancer, cancer_summary

# A unit that never fires is a constant column: usual in networks, and dropped.
warnings.filterwarnings("ignore", message=".*constant column")

# %% [markdown]
# ## Data

# %%
there = {"KIPAN": ["cnv", "rppa"], "LIHC": ["mrna", "cnv"]} if data == "real" else {}
labels = {"LIHC": label_lihc}
sets = [
    tcga.load(c, there.get(c, tcga.MODALITIES), labels.get(c), data=data, seed=seed) for c in cohort
]
kind = sets[0].kind
pd.concat({s.provenance["cohort"]: tcga.flow(s)["count"] for s in sets}, axis=1).fillna("")

# %% [markdown]
# ## Train

# %%
recipe = cancer.Recipe(n_features=n_features, epochs=epochs, lr=lr, device=device)
seeds = [seed + i for i in range(n_seeds)]
main = 2.0 if 2.0 in temperature else temperature[0]
crossed = [cancer.repeated(s, recipe, seeds, n_folds) for s in sets]
rows = [
    row for cv in crossed for row in cancer.distil(cv, lam, temperature, main_temperature=main)
]

# %% [markdown]
# ## Verdicts

# %%
halved = [cancer.halves(s, recipe, seeds) for s in sets]
verdict_rows = [
    row for cv, half in zip(crossed, halved) for row in cancer.judge(half, estimator, cv=cv)
]
results.save(rows, verdict_rows, "04_tcga")
