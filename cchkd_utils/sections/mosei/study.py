"""What notebook 03 computes: teachers of other modalities, their noise, and students, fold by fold.

Within a repeat, a modality's teacher and undistilled student are one network, trained once.
"""

from dataclasses import dataclass
from functools import partial
from itertools import permutations, product

import numpy as np

from cchkd_utils import criterion, distill
from cchkd_utils.datasets.mosei import videos
from cchkd_utils.distill import crossfit
from cchkd_utils.distill.networks import ENCODERS

MODALITIES = ("text", "audio", "vision")
FOLDS = 5
NOISY = (("text", "audio"), ("text", "vision"))  # pairs of the noise sweep, as in the paper
LARGEST = 5.0  # standardised features are cut there: a few audio features have huge outliers


class Repeats:
    """Prepared data of all repeats, data sets or folds, [r] first; rows of all splits together."""

    def __init__(self, sets, train, test, encoder, folds=1):
        self.train, self.test = np.stack(train), test  # row numbers: [r, m], and of each repeat
        self.x = {}  # [r, n, steps, d + 1]
        for name in MODALITIES:
            parts = [(data.modalities[name], rows) for data, rows in zip(sets, train)]
            self.x[name] = np.stack([standardised(*part, encoder == "pool") for part in parts])
        self.y = np.stack([data.labels for data in sets])
        self.n_classes = int(self.y.max()) + 1 if self.y.dtype.kind in "iu" else 1
        self.units = np.stack([np.unique(videos(data), return_inverse=True)[1] for data in sets])
        self.shared = len(set(map(id, sets))) == 1  # all repeats are of the same utterances
        self.folds = folds  # that make up a repeat

    def of_train(self, values):
        """Return the training rows of every repeat, [r, n, ...] to [r, m, ...]."""
        return np.stack([own[rows] for own, rows in zip(values, self.train)])


def repeats_of_sets(sets, encoder):
    """Prepare data sets of equal size with a split of their own, one repeat each."""
    train, test = ([data.splits[split] for data in sets] for split in ("train", "test"))
    return Repeats(sets, train, test, encoder)


def repeats_of_folds(data, n_repeats, encoder, seed=0):
    """Prepare repeated folds over the videos of one data set; every `FOLDS` hold all rows once."""
    train, test = [], []
    for i in range(-(-n_repeats // FOLDS)):
        rows, held = crossfit.folds(data.labels, FOLDS, seed=seed + i, groups=videos(data))
        train += list(rows)
        test += list(held)
    smallest = min(map(len, train))  # cut to it, shuffled as they are, all can train at once
    train = [rows[:smallest] for rows in train[:n_repeats]]
    return Repeats([data] * n_repeats, train, test[:n_repeats], encoder, FOLDS)


def standardised(x, train, pooled):
    """Standardise features [n, steps, d + 1], the mask last, by measured steps of training rows."""
    values, mask = x[..., :-1], x[..., -1:]
    if pooled:  # the pooling encoder starts so, without weights: done once, not in every step
        values = (values * mask).sum(1, keepdims=True) / mask.sum(1, keepdims=True).clip(1)
        mask = mask.max(1, keepdims=True)
    seen = values[train][mask[train][..., 0] > 0]
    centre, scale = seen.mean(0), seen.std(0)
    values = (values - centre) / np.where(scale > 1e-6, scale, 1)
    return np.concatenate([values.clip(-LARGEST, LARGEST) * mask, mask], -1).astype(np.float32)


def disturbed(x, level, rng):
    """Add Gaussian noise of standard deviation `level`, one draw per row and feature."""
    # the same at all steps of a row: averaging over time does not take it away
    noise = rng.standard_normal((*x.shape[:-2], 1, x.shape[-1] - 1), np.float32)
    return np.concatenate([x[..., :-1] + level * noise * x[..., -1:], x[..., -1:]], -1)


@dataclass(frozen=True)
class Case:
    """One row of the design: who teaches whom, how the soft labels arose, noise on the teacher."""

    teacher: str
    student: str
    soft: str
    noise: float = 0.0


def cases(soft, noise):
    """List all ordered pairs, the noise sweep, and each student's two teachers together."""
    out = [Case(t, s, kind) for kind in soft for t, s in permutations(MODALITIES, 2)]
    out += [Case(*pair, kind, level) for kind in soft for pair in NOISY for level in noise if level]
    both = {s: "+".join(m for m in MODALITIES if m != s) for s in MODALITIES}
    return out + [Case(both[s], s, kind) for kind in soft for s in MODALITIES]


@dataclass
class Study:
    """Trains what the cases need; keeps logits and hidden layers of every network."""

    repeats: Repeats
    seeds: list[int]
    encoder: str
    width: int
    options: dict  # of `distill.train_ensemble`

    def __post_init__(self):
        self.logits, self.hidden, self.soft = {}, {}, {}
        self.members = [distill.Member(s, data=i) for i, s in enumerate(self.seeds)]
        self.repeat = [i // self.repeats.folds for i in range(len(self.seeds))]  # of each fold
        folds = FOLDS if self.repeats.shared else 1
        self.repeat = [i // folds for i in range(len(self.seeds))]  # of each fold, or data set
        self.task = "classification" if self.repeats.n_classes > 1 else "regression"
        self.options = {"optimizer": "adamw", "task": self.task, **self.options}

    def columns(self, case):
        """Return the columns of both tables that name the case."""
        return {
            "teacher": case.teacher, "student": case.student, "knob": case.noise,
            "condition": f"{self.encoder}, {case.soft}, noise {case.noise:g}",
        }  # fmt: skip

    def training(self, x):
        """Return what builds the one architecture for `x`, its training rows and their labels."""
        r = self.repeats
        network = partial(ENCODERS[self.encoder], x.shape[-1], r.n_classes, width=self.width)
        return network, r.of_train(x), r.of_train(r.y)

    def teach(self, modality, noise, soft):
        """Train a modality's networks, once; keep soft labels of the training rows."""
        r, key = self.repeats, (modality, noise)
        x = r.x[modality]
        if noise:
            streams = [np.random.default_rng([7, s]) for s in self.seeds]
            x = np.stack([disturbed(rows, noise, rng) for rows, rng in zip(x, streams)])
        data = *self.training(x), self.members
        if key not in self.logits:
            networks = distill.train_ensemble(*data, **self.options)
            self.logits[key], self.hidden[key] = networks.predict(x), networks.represent(x)
            self.soft[*key, "in-sample"] = r.of_train(self.logits[key])
        if soft == "cross-fitted" and (*key, soft) not in self.soft:
            groups = r.of_train(r.units)
            self.soft[*key, soft] = crossfit.out_of_fold(*data, groups=groups, **self.options)

    def prepare(self, case):
        """Train the teachers of a case; two teachers give the mean of their logits."""
        key = (case.teacher, case.noise)
        keys = [(name, case.noise) for name in case.teacher.split("+")]
        for name, noise in keys:
            self.teach(name, noise, case.soft)
        if len(keys) > 1:
            self.soft[*key, case.soft] = sum(self.soft[*k, case.soft] for k in keys) / len(keys)
            self.logits[key] = sum(self.logits[k] for k in keys) / len(keys)
            self.hidden[key] = np.concatenate([self.hidden[k] for k in keys], -1)

    def students(self, student, own, lam, temperature):
        """Train the students of all cases `own`; return (case, repeat, λ, T), outputs [s, n, k]."""
        soft = np.concatenate([self.soft[c.teacher, c.noise, c.soft] for c in own])
        n, x = len(self.seeds), self.repeats.x[student]
        grid = list(product(own, range(n), lam, temperature))
        members = [
            distill.Member(self.seeds[i], weight, t, data=i, teacher=own.index(case) * n + i)
            for case, i, weight, t in grid
        ]
        data = *self.training(x), members
        return grid, distill.train_ensemble(*data, teacher=soft, **self.options).predict(x)

    def assess(self, case, i, estimator, **options):
        """Return the verdict on a case in repeat `i`, from its held-out rows."""
        rows, r = self.repeats.test[i], self.repeats
        teacher, student = (case.teacher, case.noise), (case.student, 0.0)
        return criterion.assess(
            self.hidden[teacher][i][rows], self.hidden[student][i][rows], r.y[i][rows],
            task=self.task, estimator=estimator, seed=self.seeds[i], units=r.units[i][rows],
            teacher_logits=self.logits[teacher][i][rows],
            student_logits=self.logits[student][i][rows], **options,
        )  # fmt: skip
