"""Cross-modal distillation on few participants: nothing is fitted outside the training fold.

Everything that learns from data (imputation, feature selection, scaling, networks, teachers' soft
labels) is fitted on the training rows of a fold. Students of one fold start from the same weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from cchkd_utils import criterion, results
from cchkd_utils.crossfit import folds, out_of_fold
from cchkd_utils.datasets.base import Multimodal
from cchkd_utils.distill import Member, train_ensemble
from cchkd_utils.models import MLP
from cchkd_utils.studies.scores import METRICS, log_softmax, scores

SOFT = ("in-sample", "cross-fitted")
MOST_MISSING = 0.2  # share of a feature's training rows; beyond it the feature is left out
POOLED = "pooled logits"


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
        if kind == "in-sample":
            return self.rows(self.logits[modality])
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


def distil(
    cv: Folds, lam: Iterable[float], temperature: Iterable[float], *, main_temperature: float
) -> list[dict]:
    """Distil every ordered pair of modalities; rows of the results table.

    Per repeat (column seed) the mean over its folds, with the standard deviation of the gain
    between folds (`gain_sd`) and their number (`n_folds`): `pooled` needs both. Experiments:

    - ``cross-fitted`` and ``in-sample``: the student alone, by kind of soft label; the second
      at `main_temperature` only, as is fusion;
    - ``late fusion``: mean log-probability of the teacher and the student (cross-fitted);
    - ``early fusion``: one network on both modalities, the teacher's soft labels (cross-fitted)
      added or not.

    Parameters
    ----------
    lam, temperature : values of the grid
    main_temperature : one of them
    """
    soft = {(m, k): cv.soft(m, k) for m in cv.x for k in SOFT}
    grid = [(weight, t) for weight in lam for t in temperature]
    main = [point for point in grid if point[1] == main_temperature]
    rows = []
    for teacher, student in permutations(cv.x, 2):
        pair = {"teacher": teacher, "student": student}
        inside, outside = (soft[teacher, kind] for kind in SOFT)
        alone = cv.logits[student]
        crossed = _students(cv, cv.x[student], outside, grid)
        rows += _rows(cv, "cross-fitted", pair, grid, alone, crossed)
        found = _students(cv, cv.x[student], inside, main)
        rows += _rows(cv, "in-sample", pair, main, alone, found)
        late = [_mean_log(cv.logits[teacher], crossed[grid.index(point)]) for point in main]
        before = _mean_log(cv.logits[teacher], alone)
        rows += _rows(cv, "late fusion", pair, main, before, np.stack(late))
        both = np.concatenate([cv.x[student], cv.x[teacher]], axis=-1)
        early = _students(cv, both, outside, [(0.0, 1.0), *main])
        rows += _rows(cv, "early fusion", pair, main, early[0], early[1:])
    return rows


def _students(cv, x, soft, grid):
    """Train one student per fold and point of the grid; logits [grid, d, n, classes]."""
    members = [
        Member(seed, weight, t, data=i, teacher=i if weight else None)
        for weight, t in grid
        for i, seed in enumerate(cv.seeds)
    ]
    out = cv.fit(x, members, soft).predict(x)
    return out.reshape(len(grid), len(cv.seeds), *out.shape[1:])


def _mean_log(a, b):
    return (log_softmax(a) + log_softmax(b)) / 2


def _rows(cv, experiment, pair, grid, before, after):
    old, new = cv.score(before), cv.score(after)
    seeds = np.array(cv.seeds)
    named = {"dataset": f"TCGA-{cv.dataset.provenance['cohort']}", "kind": cv.dataset.kind, **pair}
    named |= {"condition": cv.dataset.provenance["label"], "knob": 0.0, "experiment": experiment}
    rows = []
    for metric in METRICS:
        for (weight, t), values in zip(grid, new[metric]):
            for seed in dict.fromkeys(cv.seeds):
                mine = seeds == seed
                gains = values[mine] - old[metric][mine]
                row = results.result(
                    metric=metric, baseline=round(float(old[metric][mine].mean()), 7),
                    distilled=round(float(values[mine].mean()), 7), **named, seed=seed,
                    n_train=cv.train.shape[1], lam=weight, weight=weight, temperature=t,
                )  # fmt: skip
                spread = round(float(gains.std(ddof=1)), 7)
                rows.append(row | {"gain_sd": spread, "n_folds": int(mine.sum())})
    return rows


def judge(
    half: Folds, estimators: Iterable[str], *, cv: Folds | None = None, bias_check: bool = True
) -> list[dict]:
    """Verdicts on every ordered pair; rows of the verdicts table.

    Within one pair of networks, on the held-out half (`halves`). With `cv` also by ``auto`` on the
    undistilled logits of all participants, each from the fold that held it out: logits of different
    networks share their axes, the classes; hidden layers do not.
    """
    y = half.dataset.labels
    hidden = {m: half.networks[m].represent(half.x[m]) for m in half.x}
    named = {"dataset": f"TCGA-{half.dataset.provenance['cohort']}", "kind": half.dataset.kind}
    named |= {"condition": half.dataset.provenance["label"], "knob": 0.0}
    rows = []
    for teacher, student in permutations(half.x, 2):
        pair = named | {"teacher": teacher, "student": student}
        for i, (seed, test) in enumerate(zip(half.seeds, half.test)):
            logits = {
                "teacher_logits": half.logits[teacher][i, test],
                "student_logits": half.logits[student][i, test],
            }
            for estimator in estimators:
                found = criterion.assess(
                    hidden[teacher][i, test], hidden[student][i, test], y[test],
                    estimator=estimator, bias_check=bias_check, seed=seed, **logits,
                )  # fmt: skip
                rows.append(results.verdict(found, **pair, seed=seed) | _label_interval(found))
            if cv:
                one, other = (pooled_logits(cv, m, seed) for m in (teacher, student))
                # a constant added to all logits of a row means nothing: the first class is zero
                found = criterion.assess(
                    one[:, 1:] - one[:, :1], other[:, 1:] - other[:, :1], y,
                    bias_check=bias_check, seed=seed, teacher_logits=one, student_logits=other,
                )  # fmt: skip
                row = results.verdict(found, **pair, seed=seed) | _label_interval(found)
                rows.append(row | {"estimator": POOLED})
    return rows


def _label_interval(found):
    """Return the 95 % interval of I(H2;Y), and the bias of the gap found by simulation, nats."""
    label = found.estimates["student_label"]
    reach = 1.96 * label.stderr
    out = {"label_lo": label.nats - reach, "label_hi": label.nats + reach}
    return out | {"n_held_out": found.n, "bias": np.nan if found.bias is None else found.bias}


def pooled_logits(cv: Folds, modality: str, seed: int) -> NDArray:
    """Undistilled logits [n, classes] of all participants in one repeat, each held out."""
    out = np.empty(cv.logits[modality].shape[1:], np.float32)
    for i, rows in enumerate(cv.test):
        if cv.seeds[i] == seed:
            out[rows] = cv.logits[modality][i, rows]
    return out


def rank(half: Folds, student: str, estimator: str = "auto") -> list[dict[str, criterion.Verdict]]:
    """Rank the other modalities as teachers of `student`, once per repeat; best first."""
    y = half.dataset.labels
    hidden = {m: half.networks[m].represent(half.x[m]) for m in half.x}
    return [
        criterion.rank_teachers(
            {m: h[i, test] for m, h in hidden.items() if m != student},
            hidden[student][i, test], y[test],
            estimator=estimator, rivals=False, bias_check=False, seed=seed,
        )
        for i, (seed, test) in enumerate(zip(half.seeds, half.test))
    ]  # fmt: skip
