"""Folds in which nothing is fitted outside the training rows, and the networks of each fold.

Imputation, feature selection, scaling, networks and teachers' soft labels all learn from the
training rows of a fold. Networks of one repeat start from equal weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from cchkd_utils.datasets import Multimodal
from cchkd_utils.distill import Member, train_ensemble
from cchkd_utils.distill.crossfit import folds, out_of_fold
from cchkd_utils.distill.networks import MLP
from cchkd_utils.sections.scores import METRICS, scores

SOFT = ("in-sample", "cross-fitted")
MOST_MISSING = 0.2  # share of a feature's training rows; beyond it the feature is left out


@dataclass(frozen=True)
class Recipe:
    """One architecture for every teacher and student, and how it is trained.

    Inputs are the `n_features` with the largest F value in the training rows, and zeros where a
    modality has fewer. The last of the `hidden` layers is the representation. AdamW takes every
    row in every step; its learning rate falls as half a cosine.
    """

    n_features: int = 100
    hidden: tuple[int, ...] = (32, 16)
    epochs: int = 80
    lr: float = 0.01
    weight_decay: float = 1e-3
    device: str = "auto"

    def options(self, n):
        """Return the options of training on n rows."""
        return {
            "optimizer": "adamw", "schedule": "cosine", "lr": self.lr, "epochs": self.epochs,
            "weight_decay": self.weight_decay, "batch_size": n, "device": self.device,
        }  # fmt: skip

    def prepare(self, x, y):
        """Fit on x [n, p], y [n]; return the transform.

        It fills with the training medians, keeps the `n_features` features with the largest F value
        (between over within classes) and scales them to mean 0, variance 1.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            usable = np.isnan(x).mean(axis=0) <= MOST_MISSING
            middle = np.zeros(x.shape[1], np.float32)
            middle[usable] = np.nanmedian(x[:, usable], axis=0)
            filled = np.where(np.isnan(x), middle, x)
            mean, sd = filled.mean(axis=0), filled.std(axis=0)
            sizes = np.bincount(y)
            centres = np.stack([filled[y == k].mean(axis=0) for k in np.flatnonzero(sizes)])
            between = sizes[sizes > 0] @ (centres - mean) ** 2
            score = between / (len(x) * sd**2 - between)
        score[~usable | (sd <= 1e-6) | np.isnan(score)] = -1
        best = np.argsort(-score, kind="stable")[: self.n_features]
        best = best[score[best] >= 0]

        def transform(a):
            out = np.zeros((len(a), self.n_features), np.float32)
            picked = a[:, best]
            picked = np.where(np.isnan(picked), middle[best], picked)
            out[:, : len(best)] = (picked - mean[best]) / sd[best]
            return out

        return transform


@dataclass
class Folds:
    """Training rows [d, m] and held-out rows of d folds; `seeds` [d] tells their repeats.

    By modality: `x` [d, n, features], all rows, prepared on the training rows of the fold; the
    undistilled `networks`, and their `logits` [d, n, classes].
    """

    dataset: Multimodal
    recipe: Recipe
    train: NDArray
    test: list[NDArray]
    seeds: list[int]

    def __post_init__(self):
        self.x, self.networks, self.logits = {}, {}, {}
        alone = [Member(seed, data=i) for i, seed in enumerate(self.seeds)]
        y = self.dataset.labels
        for name, raw in self.dataset.modalities.items():
            fitted = [self.recipe.prepare(raw[rows], y[rows]) for rows in self.train]
            self.x[name] = np.stack([transform(raw) for transform in fitted])
            self.networks[name] = self.fit(self.x[name], alone)
            self.logits[name] = self.networks[name].predict(self.x[name])

    @property
    def case(self):
        """Return the columns that all rows of a table about the cohort share."""
        source = self.dataset.provenance
        case = {"dataset": f"TCGA-{source['cohort']}", "kind": self.dataset.kind}
        return case | {"condition": source["label"], "knob": 0.0}

    def network(self, width):
        """Return a function that builds a network of `width` inputs."""
        return partial(MLP, width, len(self.dataset.provenance["classes"]), self.recipe.hidden)

    def rows(self, array):
        """Return the training rows of each fold from an array [d, n, ...]."""
        return np.stack([a[rows] for a, rows in zip(array, self.train)])

    def fit(self, x, members, teacher=None):
        """Train members on the training rows of x [d, n, features]; see `train_ensemble`."""
        return train_ensemble(
            self.network(x.shape[-1]), self.rows(x), self.dataset.labels[self.train], members,
            teacher=teacher, **self.recipe.options(self.train.shape[1]),
        )  # fmt: skip

    @cached_property
    def hidden(self):
        """Last hidden layers of all rows, {modality: [d, n, units]}."""
        return {name: self.networks[name].represent(x) for name, x in self.x.items()}

    def soft(self, modality, kind):
        """Return the teacher's logits for the training rows, [d, m, classes].

        In-sample ones come from the networks trained on these rows; cross-fitted ones from networks
        trained on the others of five inner folds, selection and scaling included.
        """
        inside = kind == "in-sample"
        return self.rows(self.logits[modality]) if inside else self._cross_fitted[modality]

    @cached_property
    def _cross_fitted(self):
        seeds = np.array(self.seeds)
        repeats = {seed: self.train[seeds == seed] for seed in self.seeds}
        return {  # one repeat at a time bounds memory
            name: np.concatenate([self._out_of_fold(raw, *repeat) for repeat in repeats.items()])
            for name, raw in self.dataset.modalities.items()
        }

    def _out_of_fold(self, raw, seed, train):
        return out_of_fold(
            self.network(self.recipe.n_features), raw[train], self.dataset.labels[train],
            [Member(seed, data=i) for i in range(len(train))], prepare=self.recipe.prepare,
            **self.recipe.options(train.shape[1]),
        )  # fmt: skip

    def score(self, logits):
        """Score [..., d, n, classes] on the held-out rows of each fold: {metric: [..., d]}."""
        y = self.dataset.labels
        by_fold = [scores(logits[..., i, rows, :], y[rows]) for i, rows in enumerate(self.test)]
        return {name: np.stack([fold[name] for fold in by_fold], axis=-1) for name in METRICS}


def repeated(
    dataset: Multimodal, recipe: Recipe, seeds: Sequence[int], n_folds: int = 5, used: int = 0
) -> Folds:
    """Split into stratified folds once per seed, prepare every modality, train its networks.

    Of each split only the first `used` folds are, or all where this is 0.
    """
    used = used or n_folds
    splits = [folds(dataset.labels, n_folds, seed=seed) for seed in seeds]
    size = min(train.shape[1] for train, _ in splits)
    train = np.concatenate([train[:used, :size] for train, _ in splits])
    test = [rows for _, tests in splits for rows in tests[:used]]
    return Folds(dataset, recipe, train, test, [seed for seed in seeds for _ in range(used)])


def halves(dataset: Multimodal, recipe: Recipe, seeds: Sequence[int]) -> Folds:
    """Split in two halves once per seed and train on the first: half of the rows are held out."""
    return repeated(dataset, recipe, seeds, n_folds=2, used=1)
