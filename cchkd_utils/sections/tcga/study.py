"""Folds in which nothing is fitted outside the training rows, and the networks of each fold.

Everything that learns from data (imputation, feature selection, scaling, networks, teachers' soft
labels) is fitted on the training rows of a fold. Networks of one repeat start from equal weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from cchkd_utils.datasets.base import Multimodal
from cchkd_utils.distill import Member, train_ensemble
from cchkd_utils.distill.crossfit import folds, out_of_fold
from cchkd_utils.distill.networks import MLP
from cchkd_utils.sections.scores import METRICS, scores

SOFT = ("in-sample", "cross-fitted")
MOST_MISSING = 0.2  # share of a feature's training rows; beyond it the feature is left out


@dataclass(frozen=True)
class Recipe:
    """One architecture for every teacher and student, and how it is trained.

    Parameters
    ----------
    n_features : int
        Inputs: the features with the largest F value in the training rows, and zeros where a
        modality has fewer.
    hidden : widths of the hidden layers; the last one is the representation
    epochs, lr, weight_decay, device
        Of Adam on full batches, learning rate falling as half a cosine.
    """

    n_features: int = 100
    hidden: tuple[int, ...] = (32, 16)
    epochs: int = 80
    lr: float = 0.01
    weight_decay: float = 1e-3
    device: str = "auto"

    def train(self, x, y, members, n_classes, teacher=None):
        """Train the members on x [d, n, features]; see `distill.train_ensemble`."""
        width = x.shape[-1]
        return train_ensemble(
            lambda: MLP(width, n_classes, self.hidden), x, y, members, teacher=teacher,
            **self.options(x.shape[1]),
        )  # fmt: skip

    def options(self, n):
        """Return the options of training on n rows: every row in every step."""
        return {
            "optimizer": "adamw", "schedule": "cosine", "lr": self.lr, "epochs": self.epochs,
            "weight_decay": self.weight_decay, "batch_size": n, "device": self.device,
        }  # fmt: skip

    def prepare(self, x, y):
        """Fit imputation, selection and scaling on x [n, p], y [n]; return the transform.

        The transform fills with the training medians, keeps the `n_features` features with the
        largest F value (between over within classes) and scales them to mean 0, variance 1.
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
    """Training and held-out rows of many folds, and the prepared modalities of each.

    Attributes
    ----------
    train : ndarray of int [d, m]
    test : list of d ndarrays of int
    seeds : list of d int
        The repeat each fold belongs to.
    x : dict of str to ndarray [d, n, features]
        All rows, prepared on the training rows of the fold.
    logits : dict of str to ndarray [d, n, classes]
        Of the undistilled networks, by modality; trained on `train`.
    """

    dataset: Multimodal
    recipe: Recipe
    train: NDArray
    test: list[NDArray]
    seeds: list[int]
    x: dict[str, NDArray] = field(default_factory=dict)
    logits: dict[str, NDArray] = field(default_factory=dict)
    networks: dict = field(default_factory=dict)
    _soft: dict = field(default_factory=dict)

    def __post_init__(self):
        y = self.dataset.labels
        for name, raw in self.dataset.modalities.items():
            fitted = [self.recipe.prepare(raw[rows], y[rows]) for rows in self.train]
            self.x[name] = np.stack([transform(raw) for transform in fitted])
            self.networks[name] = self.fit(self.x[name], self.members)
            self.logits[name] = self.networks[name].predict(self.x[name])

    @property
    def members(self):
        """One undistilled member per fold."""
        return [Member(seed, data=i) for i, seed in enumerate(self.seeds)]

    @property
    def n_classes(self):
        """Number of classes."""
        return len(self.dataset.provenance["classes"])

    def rows(self, array):
        """Return the training rows of each fold from an array [d, n, ...]."""
        return np.stack([a[rows] for a, rows in zip(array, self.train)])

    def fit(self, x, members, teacher=None):
        """Train members on the training rows of x [d, n, features]."""
        y = self.dataset.labels[self.train]
        return self.recipe.train(self.rows(x), y, members, self.n_classes, teacher)

    def soft(self, modality, kind, n_folds=5):
        """Return the teacher's logits for the training rows, [d, m, classes].

        Parameters
        ----------
        kind : {"in-sample", "cross-fitted"}
            From the networks trained on these rows, or from networks trained on the others of
            `n_folds` inner folds, with selection and scaling inside the inner fold as well.
        """
        key = modality, kind, n_folds
        if key not in self._soft:
            inside = kind == "in-sample"
            self._soft[key] = (
                self.rows(self.logits[modality]) if inside else self._crossed(modality, n_folds)
            )
        return self._soft[key]

    def _crossed(self, modality, n_folds):
        raw, y = self.dataset.modalities[modality], self.dataset.labels
        out = []
        for seed in dict.fromkeys(self.seeds):  # one repeat at a time bounds memory
            train = self.train[np.array(self.seeds) == seed]
            out.append(
                out_of_fold(
                    lambda: MLP(self.recipe.n_features, self.n_classes, self.recipe.hidden),
                    raw[train], y[train], [Member(seed, data=i) for i in range(len(train))],
                    n_folds=n_folds, prepare=self.recipe.prepare,
                    **self.recipe.options(train.shape[1]),
                )
            )  # fmt: skip
        return np.concatenate(out)

    def score(self, logits):
        """Score [..., d, n, classes] on the held-out rows of each fold: {metric: [..., d]}."""
        y = self.dataset.labels
        each = [scores(logits[..., i, rows, :], y[rows]) for i, rows in enumerate(self.test)]
        return {name: np.stack([one[name] for one in each], axis=-1) for name in METRICS}


def repeated(dataset: Multimodal, recipe: Recipe, seeds: Sequence[int], n_folds: int = 5) -> Folds:
    """Split into stratified folds once per seed, prepare every modality, train its networks."""
    splits = [folds(dataset.labels, n_folds, seed=seed) for seed in seeds]
    size = min(train.shape[1] for train, _ in splits)
    train = np.concatenate([train[:, :size] for train, _ in splits])
    test = [rows for _, tests in splits for rows in tests]
    return Folds(dataset, recipe, train, test, [s for s in seeds for _ in range(n_folds)])


def halves(dataset: Multimodal, recipe: Recipe, seeds: Sequence[int]) -> Folds:
    """Split in two halves once per seed and train on the first: half of the rows are held out."""
    splits = [folds(dataset.labels, 2, seed=seed) for seed in seeds]
    size = min(train.shape[1] for train, _ in splits)
    train = np.stack([train[0, :size] for train, _ in splits])
    return Folds(dataset, recipe, train, [test[0] for _, test in splits], list(seeds))


def teachers(cv: Folds) -> list[dict]:
    """How often teachers are right: on held-out rows, and in the soft labels they hand on.

    Returns
    -------
    list of dict
        Per modality: cohort, modality, accuracy on held-out rows, then of both kinds of soft label
        the accuracy on the training rows and the mean probability of the likeliest class.
    """
    y, rows = cv.dataset.labels[cv.train], []
    for name in cv.x:
        row = {"cohort": cv.dataset.provenance["cohort"], "modality": name}
        row["held out"] = cv.score(cv.logits[name])["accuracy"].mean()
        for kind in SOFT:
            soft = cv.soft(name, kind)
            row[f"{kind}: right"] = (soft.argmax(-1) == y).mean()
            row[f"{kind}: sure"] = softmax(soft, axis=-1).max(axis=-1).mean()
        rows.append(row)
    return rows


def permuted(dataset: Multimodal, seed: int) -> Multimodal:
    """Return the dataset with its labels shuffled: nothing is left to predict."""
    labels = np.random.default_rng([seed, 4]).permutation(dataset.labels)
    return replace(dataset, labels=labels)
