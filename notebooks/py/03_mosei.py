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
# # Sentiment: what is said, how it sounds, how it looks
#
# **Question.** People review films in short videos. Whether they liked the film can be read from their words, heard in their voice and seen in
# their face, though not equally well. Does a network that reads the words help one that only hears or only sees? Does the criterion say so
# beforehand, and where does a disturbed teacher begin to harm?

# %% tags=["remove-cell"]
import sys

from IPython import get_ipython

if "google.colab" in sys.modules:  # Colab has the packages, and lacks the book's own module
    source = "git+https://github.com/cch-companion/cchkd"
    get_ipython().run_line_magic("pip", f"install -q --no-deps {source}")

# %% tags=["parameters"]
preset: str = "book"  # preset these values belong to; one of: smoke, book, paper
data: str = "embedded"  # a simulated stand-in, or files you have; one of: embedded, real
dataset: str = "mosei"  # which real data; one of: mosei, mosi
coding: str = "acc2_nonneg"  # label of MOSEI; one of: acc2_nonneg, acc2_nonzero, acc7, regression
encoder: str = "pool"  # network over the steps of an utterance; one of: pool, gru, transformer
soft: list[str] = ["in-sample", "cross-fitted"]  # soft labels; one of: in-sample, cross-fitted
noise: list[float] = [0.0, 1.0, 2.0, 4.0]  # noise on a text teacher's inputs, in their sd; in [0, 100]
lam: list[float] = [0.2, 0.5, 0.8]  # share λ of the teacher's term; in (0, 1]
temperature: list[float] = [2.0]  # temperature T of the soft labels; in (0, 100]
n_train: int = 600  # simulated training utterances; in [100, 100000]
n_test: int = 600  # simulated held-out utterances; in [70, 100000]
epochs: int = 20  # passes over the training rows; in [1, 10000]
batch_size: int = 64  # rows per step; in [1, 60000]
lr: float = 0.003  # step size of AdamW at the start; in (0, 1)
width: int = 32  # units of the hidden layers, the representation among them; in [4, 1024]
estimator: list[str] = ["ksg", "auto"]  # of information; one of: auto, ksg, gaussian, mine, lmi
bias_check: bool = False  # let each verdict simulate its estimator's bias (twice the time)
n_seeds: int = 6  # repeats: simulated data sets, or folds over videos; in [2, 1000]
seed: int = 0  # base of the seeds; in [0, 1000000]
device: str = "auto"  # where networks train; one of: auto, cpu, cuda

# %% tags=["hide-input"]
import warnings

import numpy as np
import pandas as pd

from cchkd_utils import paths, plots, results
from cchkd_utils.datasets import mosei
from cchkd_utils.plots import sentiment as figures
from cchkd_utils.studies import sentiment, sentiment_tables

# A unit that never fires is a constant column: usual in networks, and dropped.
warnings.filterwarnings("ignore", message=".*constant column")

# %%
seeds = [seed + i for i in range(n_seeds)]
if data == "embedded":
    sets = [mosei.load(coding=coding, n_train=n_train, n_test=n_test, seed=s) for s in seeds]
    repeats, name = sentiment.repeats_of_sets(sets, encoder), "MOSEI stand-in"
elif dataset == "mosei":
    sets = [mosei.load("real", coding=coding, seed=seed)] * n_seeds
    repeats, name = sentiment.repeats_of_sets(sets, encoder), "CMU-MOSEI"
else:  # the other parts of this file hold features that were fitted on their own labels
    sets = [mosei.load("real", coding="given", dataset="CMU-MOSI", parts=("test",))]
    repeats, name = sentiment.repeats_of_folds(sets[0], n_seeds, encoder, seed=seed), "CMU-MOSI"
kind = sets[0].kind

# %%
options = {
    "schedule": "cosine", "lr": lr, "weight_decay": 0.01, "epochs": epochs,
    "batch_size": batch_size, "device": device,
}  # fmt: skip
study = sentiment.Study(repeats, seeds, encoder, width, options)
cases = sentiment.cases(soft, noise)
for case in cases:
    study.prepare(case)

# %%
common = {"dataset": name, "kind": kind}
rows = sentiment_tables.result_rows(study, cases, lam, temperature, common)

# %%
verdicts = sentiment_tables.verdict_rows(study, cases, estimator, common, bias_check=bias_check)
results.save(rows, verdicts, "03_mosei")
