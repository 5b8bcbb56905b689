"""What notebook 03 computes: teachers of other modalities, their noise, and students, fold by fold.

Repeats stand in the first axis of every array: simulated data sets of their own, or repeated folds
of the same videos. Within a repeat the teacher of a modality and the undistilled student of that
modality are the same network, trained once.
"""

from dataclasses import dataclass, field
from itertools import permutations

import numpy as np

from cchkd_utils import criterion, distill
from cchkd_utils.datasets.mosei import videos
from cchkd_utils.distill import crossfit
from cchkd_utils.distill.sequences import ENCODERS

MODALITIES = ("text", "audio", "vision")
FOLDS = 5
NOISY = (("text", "audio"), ("text", "vision"))  # pairs of the noise sweep, as in the paper
LARGEST = 5.0  # standardised features are cut there: a few audio features have huge outliers


@dataclass
class Repeats:
    """Prepared data of all repeats, [r] first; rows of all splits together.

    Attributes
    ----------
    x : dict of str to ndarray [r, n, steps, d + 1]
    y : ndarray [r, n]
    train : ndarray of int [r, m]
    test : list of ndarray of int
    units : ndarray of int [r, n]
        The video of each row.
    shared : bool
        Whether all repeats are of the same utterances.
    """

    x: dict
    y: np.ndarray
    train: np.ndarray
    test: list
    units: np.ndarray
    shared: bool

    @property
    def n_classes(self):
        """Number of classes; 1 in regression."""
        return int(self.y.max()) + 1 if self.y.dtype.kind in "iu" else 1

    def of_train(self, values):
        """Return the training rows of every repeat, [r, n, ...] to [r, m, ...]."""
        return np.stack([one[rows] for one, rows in zip(values, self.train)])


def repeats_of_sets(sets, encoder):
    """Prepare data sets with a split of their own, one repeat each.

    Parameters
    ----------
    sets : sequence of Multimodal, equal in size
    encoder : str

    Returns
    -------
    Repeats
    """
    train = np.stack([one.splits["train"] for one in sets])
    test = [one.splits["test"] for one in sets]
    return _prepare(sets, train, test, encoder)


def repeats_of_folds(data, n_repeats, encoder, n_folds=FOLDS, seed=0):
    """Prepare repeated folds over the videos of one data set; repeat i is fold i mod `n_folds`.

    Training parts are trimmed at random to the smallest, so that all can train at once.

    Parameters
    ----------
    data : Multimodal
    n_repeats : int
        Folds in all; every `n_folds` of them share out all rows once.
    encoder : str
    n_folds, seed : int

    Returns
    -------
    Repeats
    """
    train, test = [], []
    for i in range(-(-n_repeats // n_folds)):
        rows, held = crossfit.folds(data.labels, n_folds, seed=seed + i, groups=videos(data))
        train += list(rows)
        test += list(held)
    smallest = min(map(len, train))
    train = np.stack([rows[:smallest] for rows in train[:n_repeats]])  # rows are shuffled
    return _prepare([data] * n_repeats, train, test[:n_repeats], encoder)


def _prepare(sets, train, test, encoder):
    x = {
        name: np.stack(
            [
                standardised(one.modalities[name], rows, pooled=encoder == "pool")
                for one, rows in zip(sets, train)
            ]
        )
        for name in MODALITIES
    }
    units = np.stack([np.unique(videos(one), return_inverse=True)[1] for one in sets])
    y = np.stack([one.labels for one in sets])
    shared = len({id(one) for one in sets}) == 1
    return Repeats(x, y, train, test, units, shared)


def standardised(x, train, pooled):
    """Standardise features by the measured steps of the training rows, [n, steps, d + 1].

    Parameters
    ----------
    x : ndarray [n, steps, d + 1]
    train : ndarray of int
    pooled : bool
        Average over the steps first, to [n, 1, d + 1]: the pooling encoder starts with that
        average, which has no weights, so it is taken once and not in every training step.
    """
    values, mask = x[..., :-1], x[..., -1:]
    if pooled:
        values = (values * mask).sum(1, keepdims=True) / mask.sum(1, keepdims=True).clip(1)
        mask = mask.max(1, keepdims=True)
    seen = values[train][mask[train][..., 0] > 0]
    centre, scale = seen.mean(0), seen.std(0)
    values = (values - centre) / np.where(scale > 1e-6, scale, 1)
    return np.concatenate([values.clip(-LARGEST, LARGEST) * mask, mask], -1).astype(np.float32)


def disturbed(x, level, rng):
    """Add Gaussian noise of standard deviation `level`, one draw per row and feature.

    The draw is the same at all steps of a row: averaging over time does not take it away.
    """
    noise = rng.standard_normal((*x.shape[:-2], 1, x.shape[-1] - 1), np.float32)
    return np.concatenate([x[..., :-1] + level * noise * x[..., -1:], x[..., -1:]], -1)


@dataclass(frozen=True)
class Case:
    """One row of the design: who teaches whom, how the soft labels arose, noise on the teacher."""

    teacher: str
    student: str
    soft: str
    noise: float = 0.0

    def columns(self, encoder):
        """Return the columns of both tables that name the case."""
        condition = f"{encoder}, {self.soft}, noise {self.noise:g}"
        return {"teacher": self.teacher, "student": self.student, "condition": condition}


def cases(soft, noise):
    """List all ordered pairs, the noise sweep, and each student's two teachers together."""
    out = [Case(t, s, kind) for kind in soft for t, s in permutations(MODALITIES, 2)]
    out += [Case(*pair, kind, level) for kind in soft for pair in NOISY for level in noise if level]
    return out + [
        Case("+".join(m for m in MODALITIES if m != s), s, kind)
        for kind in soft
        for s in MODALITIES
    ]


@dataclass
class Study:
    """Trains what the cases need; keeps logits and hidden layers of every network.

    Attributes
    ----------
    repeats : Repeats
    seeds : list of int
    options : dict
        Of `distill.train_ensemble`.
    """

    repeats: Repeats
    seeds: list
    encoder: str = "pool"
    width: int = 32
    options: dict = field(default_factory=dict)

    def __post_init__(self):
        self.logits, self.hidden, self.soft = {}, {}, {}
        self.members = [distill.Member(s, data=i) for i, s in enumerate(self.seeds)]
        self.task = "classification" if self.repeats.n_classes > 1 else "regression"
        self.options = {"optimizer": "adamw", "task": self.task, **self.options}

    def network(self, x):
        """Return what builds the one architecture, for the features of `x`."""
        kind, channels, outputs = ENCODERS[self.encoder], x.shape[-1], self.repeats.n_classes
        return lambda: kind(channels, outputs, width=self.width)

    def teach(self, modality, noise, soft):
        """Train a modality's networks, once; keep soft labels of the training rows."""
        r, key = self.repeats, (modality, noise)
        x = r.x[modality]
        if noise:
            streams = [np.random.default_rng([7, s]) for s in self.seeds]
            x = np.stack([disturbed(one, noise, rng) for one, rng in zip(x, streams)])
        x_train, y_train = r.of_train(x), r.of_train(r.y)
        if key not in self.logits:
            networks = distill.train_ensemble(
                self.network(x), x_train, y_train, self.members, **self.options
            )
            self.logits[key], self.hidden[key] = networks.predict(x), networks.represent(x)
            self.soft[*key, "in-sample"] = r.of_train(self.logits[key])
        if soft == "cross-fitted" and (*key, soft) not in self.soft:
            self.soft[*key, soft] = crossfit.out_of_fold(
                self.network(x), x_train, y_train, self.members,
                groups=r.of_train(r.units), **self.options,
            )  # fmt: skip

    def prepare(self, case):
        """Train the teachers of a case; two teachers give the mean of their logits."""
        names = case.teacher.split("+")
        for name in names:
            self.teach(name, case.noise, case.soft)
        key, keys = (case.teacher, case.noise), [(name, case.noise) for name in names]
        if len(names) > 1:
            self.soft[*key, case.soft] = sum(self.soft[*k, case.soft] for k in keys) / len(keys)
            self.logits[key] = sum(self.logits[k] for k in keys) / len(keys)
            self.hidden[key] = np.concatenate([self.hidden[k] for k in keys], -1)

    def students(self, student, own, lam, temperature):
        """Train one modality's students of all its cases at once.

        Returns
        -------
        grid : list of (case, repeat, lam, temperature)
        outputs : ndarray [len(grid), n, k]
        """
        soft = np.concatenate([self.soft[c.teacher, c.noise, c.soft] for c in own])
        n = len(self.seeds)
        grid = [(c, i, weight, t) for c in range(len(own)) for i in range(n)
                for weight in lam for t in temperature]  # fmt: skip
        members = [
            distill.Member(self.seeds[i], weight, t, data=i, teacher=c * n + i)
            for c, i, weight, t in grid
        ]
        x, r = self.repeats.x[student], self.repeats
        networks = distill.train_ensemble(
            self.network(x), r.of_train(x), r.of_train(r.y), members, teacher=soft, **self.options
        )
        return [(own[c], i, weight, t) for c, i, weight, t in grid], networks.predict(x)

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
