"""Networks on the modalities of one data set, undistilled and distilled, over many splits.

Imputation, feature selection, scaling, networks and teachers' soft labels all learn from the
training rows of a split. Networks of one repeat start from equal weights.
"""

from dataclasses import dataclass
from functools import cached_property, partial
from itertools import product

import numpy as np
from numpy.typing import NDArray

from cchkd_utils import results
from cchkd_utils.datasets import Multimodal
from cchkd_utils.distill import Member, train_ensemble
from cchkd_utils.distill.crossfit import out_of_fold
from cchkd_utils.distill.losses import teacher_share
from cchkd_utils.distill.networks import MLP
from cchkd_utils.sections.quantities import METRICS, scores

SOFT = ("in-sample", "cross-fitted")
MOST_MISSING = 0.2  # share of a feature's training rows; beyond it the feature is left out


@dataclass(frozen=True)
class Recipe:
    """One architecture for every teacher and student, and how it is trained."""

    n_features: int = 100  # zeros where a modality has fewer
    hidden: tuple[int, ...] = (32, 16)  # the last one is the representation
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

        It fills with medians, keeps the features with the largest F value (between over within
        classes) and scales them to mean 0, variance 1.
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
    """Splits of a data set; by modality the undistilled networks and their logits [d, n, classes].

    `x` [d, n, features] are all rows, prepared on the training rows of each fold.
    """

    dataset: Multimodal
    recipe: Recipe
    train: NDArray  # [d, m], training rows of d folds
    test: list[NDArray]  # held-out rows of each
    seeds: list[int]  # [d], the repeat of each
    case: dict  # columns that all rows of a table share

    def __post_init__(self):
        self.x, self.networks, self.logits = {}, {}, {}
        alone = [Member(seed, data=i) for i, seed in enumerate(self.seeds)]
        y = self.dataset.labels
        for name, raw in self.dataset.modalities.items():
            fitted = [self.recipe.prepare(raw[rows], y[rows]) for rows in self.train]
            self.x[name] = np.stack([transform(raw) for transform in fitted])
            self.networks[name] = self.fit(self.x[name], alone)
            self.logits[name] = self.networks[name].predict(self.x[name])

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

    def students(self, x, soft, grid):
        """Train one student per fold and (λ, T) of the grid; logits [grid, d, n, classes]."""
        members = [
            Member(seed, lam, t, data=i, teacher=i if lam else None)
            for (lam, t), (i, seed) in product(grid, enumerate(self.seeds))
        ]
        out = self.fit(x, members, soft).predict(x)
        return out.reshape(len(grid), len(self.seeds), *out.shape[1:])

    def results(self, named, grid, scored, n_folds=None):
        """Rows of the results table, means over all splits, of what `over_folds` has `scored`.

        `grid` is the (λ, T) of the distilled networks; `n_folds` that of a cross-validation.
        """
        common = self.case | named | {"n_train": self.train.shape[1], "seed": self.seeds[0]}
        for metric, (old, new, stderr, n_units) in scored.items():
            for k, (lam, t) in enumerate(grid):
                row = results.result(
                    metric=metric, baseline=round(float(old.mean()), 7),
                    distilled=round(float(new[k].mean()), 7), **common, lam=lam,
                    weight=teacher_share(lam), temperature=t,
                )  # fmt: skip
                row |= {"n_repeats": len(set(self.seeds)), "n_units": n_units}
                if n_folds:
                    spread = (new[k] - old).std(ddof=1)
                    row |= {"n_folds": n_folds, "gain_sd": round(float(spread), 7)}
                yield row | {"unit_stderr": round(float(stderr[k]), 7)}

    def soft(self, modality, kind):
        """Return the teacher's logits for the training rows, [d, m, classes], of one of `SOFT`."""
        inside = kind == "in-sample"
        return self.rows(self.logits[modality]) if inside else self._cross_fitted[modality]

    @cached_property
    def _cross_fitted(self):
        """Logits of teachers that were trained, selection included, on the other inner folds."""
        soft = {name: [] for name in self.dataset.modalities}
        for seed in dict.fromkeys(self.seeds):  # one repeat at a time bounds memory
            train = self.train[np.array(self.seeds) == seed]
            members = [Member(seed, data=i) for i in range(len(train))]
            units = None if self.dataset.units is None else self.dataset.units[train]
            for name, raw in self.dataset.modalities.items():
                soft[name].append(out_of_fold(
                    self.network(self.recipe.n_features), raw[train], self.dataset.labels[train],
                    members, groups=units, prepare=self.recipe.prepare,
                    **self.recipe.options(train.shape[1]),
                ))  # fmt: skip
        return {name: np.concatenate(repeats) for name, repeats in soft.items()}

    def score(self, logits):
        """Score [..., d, n, classes] on the held-out rows of each fold: {metric: [..., d]}."""
        y = self.dataset.labels
        by_fold = [scores(logits[..., i, rows, :], y[rows]) for i, rows in enumerate(self.test)]
        return {name: np.stack([fold[name] for fold in by_fold], axis=-1) for name in METRICS}
