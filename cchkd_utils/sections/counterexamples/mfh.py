"""The Gaussian experiment of the Modality Focusing Hypothesis, re-run with exact information.

Teacher and student are linear softmax classifiers; their logits are Gaussian given the weights, so
both sides of the criterion are known without an estimator. Source of the experiment: Xue et al.,
ICLR 2023 (arXiv 2206.06487), Section 4, and the authors' published code.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, log_expit, xlogy

from cchkd_utils.datasets import counterexamples
from cchkd_utils.sections import quantities

PUBLISHED_CROSSING = 0.27  # gamma at which the published gain changes sign, read off a figure


@dataclass(frozen=True)
class Repeats:
    """What s repeats of one setting gave, on held-out rows."""

    gamma: float
    accuracy: NDArray  # [s, 1 + k], of the undistilled student, then of one per weight
    cross_entropy: NDArray  # [s, 1 + k], likewise, nats
    teacher: NDArray  # [s, n_test], differences of two logits
    student: NDArray  # [s, n_test], likewise, of the undistilled student
    labels: NDArray  # [s, n_test]
    information: NDArray  # [s, 2], exact I(t;s) and I(s;Y), nats

    @property
    def gap(self) -> NDArray:
        """Exact I(t;s) - I(s;Y) [s], nats."""
        return self.information[:, 0] - self.information[:, 1]

    def to_assess(self) -> tuple[NDArray, ...]:
        """Return H1, H2, labels and both sides' two-class logits, one entry per seed."""
        logits = [np.stack([np.zeros_like(z), z], axis=-1) for z in (self.teacher, self.student)]
        return self.teacher, self.student, self.labels, *logits

    @property
    def alignment(self) -> NDArray:
        """Held-out mean of <y - t, y - s> [s], over the probabilities of both classes."""
        t, s = expit(self.teacher), expit(self.student)
        return 2 * ((self.labels - t) * (self.labels - s)).mean(1)


def run(overlap, lam, seeds, *, n_train=200, n_test=1000, pairing="index", steps=1000) -> Repeats:
    """Train teachers and students with `overlap` common decisive features, 0 to 10.

    As published, the teacher was trained on the student's rows. `lam` [k] weighs KL beside CE: the
    published code states 1, but averages KL also over the two classes, which makes it 1/2.
    `pairing` "class" gives each row of the student a random row of the teacher of the same label.
    """
    if pairing not in ("index", "class"):
        raise ValueError(f"pairing is {pairing!r}: choose index or class")
    sets = [counterexamples.load(overlap, n_train, n_test, seed) for seed in seeds]
    (x_train, y_train), (x_test, y_test) = (_stack(sets, split) for split in ("train", "test"))
    w1 = fit(x_train["x1"], y_train, seeds, steps=steps)
    if pairing == "class":
        for x, y in ((x_train, y_train), (x_test, y_test)):
            x["x1"] = _shuffled_within_classes(x["x1"], y, seeds)
    soft = expit(_with_bias(x_train["x1"]) @ w1)[..., 0]
    weights = np.concatenate([[0.0], np.ravel(lam)])
    w2 = fit(x_train["x2"], y_train, seeds, teacher=soft, lam=weights, steps=steps)
    teacher, students = _with_bias(x_test["x1"]) @ w1, _with_bias(x_test["x2"]) @ w2
    rules = [data.provenance["rule"] for data in sets]
    exact = [information(*w, overlap, pairing) for w in zip(w1[..., 0], w2[..., 0], rules)]
    return Repeats(
        gamma=counterexamples.gamma(overlap),
        accuracy=((students > 0) == y_test[..., None]).mean(axis=1),
        cross_entropy=-log_expit(students * (2 * y_test[..., None] - 1)).mean(axis=1),
        teacher=teacher[..., 0],
        student=students[..., 0],
        labels=y_test,
        information=np.array(exact),
    )


def fit(x, y, seeds, *, teacher=None, lam=(0.0,), steps=1000) -> NDArray:
    """Descend CE(y) + lam KL(teacher || student), every row in every step of size .1, as published.

    x [b, n, d] of b datasets, labels y [b, n], `teacher` [b, n] its chances of class 1, `lam` [k].
    Students of a dataset start from equal weights, uniform in +-1/sqrt(d) as torch draws them.
    Returns weights of the difference of the two logits [b, d + 1, k], the bias last.
    """
    lam = np.asarray(lam, np.float32)
    if (lam < 0).any() or (lam.any() and teacher is None):
        raise ValueError(f"lam is {lam}: give weights >= 0, and a teacher unless all are 0")
    x, y = _with_bias(x), np.asarray(y, np.float32)[..., None]
    soft = y if teacher is None else np.asarray(teacher, np.float32)[..., None]
    wanted = y + lam * soft
    bound, shape = (x.shape[-1] - 1) ** -0.5, (2, x.shape[-1])
    draws = [np.random.default_rng(s).uniform(-bound, bound, shape) for s in seeds]
    w = np.array([first - second for first, second in draws], np.float32)
    w = np.repeat(w[..., None], len(lam), axis=-1)
    turned = np.ascontiguousarray(x.swapaxes(1, 2))
    # the difference of two logits takes twice the step of either; CE and KL together pull its
    # sigmoid to the mean of label and teacher
    rate = np.float32(2 * 0.1 / x.shape[1])
    for _ in range(steps):
        w -= rate * (turned @ ((1 + lam) * expit(x @ w) - wanted))
    return w


def _with_bias(x):
    """Append a column of ones: [..., d] to [..., d + 1]."""
    x = np.asarray(x, np.float32)
    return np.concatenate([x, np.ones((*x.shape[:-1], 1), np.float32)], axis=-1)


def information(w1, w2, rule, overlap, pairing) -> tuple[float, float]:
    """Exact I(t;s) and I(s;Y), nats, of two linear classifiers: weights [26], [51], biases last."""
    teacher, student = counterexamples.columns(overlap)
    seen1, seen2 = np.zeros(counterexamples.UNION), np.zeros(counterexamples.UNION)
    seen1[teacher], seen2[student] = w1[teacher], w2[student]
    size1, size2, size = (np.linalg.norm(w) for w in (w1[:-1], w2[:-1], rule))
    label = seen2 @ rule / size2 / size
    if pairing == "class":  # not jointly Gaussian: each is a mixture given the label
        between = class_paired_information(seen1 @ rule / size1 / size, label)
    else:
        between = -0.5 * np.log1p(-((seen1 @ seen2 / size1 / size2) ** 2))
    return float(between), quantities.class_information(label)


def class_paired_information(rho1: float, rho2: float, points: int = 100) -> float:
    """I(t;s) in nats where t and s know of each other only through the label 1[z > 0].

    Standard normal t and s correlate with z by `rho1`, `rho2`; Gauss-Hermite quadrature.
    """
    x, w = np.polynomial.hermite_e.hermegauss(points)
    p, q = (quantities.class_probabilities(rho, x) for rho in (rho1, rho2))
    # p(t, s) = sum over labels of 1/2 p(t | y) p(s | y), and p(t | y) = p(t) P(y | t) / (1/2)
    ratio = 2 * p @ q.T
    return float((np.outer(w, w) / w.sum() ** 2 * xlogy(ratio, ratio)).sum())


def crossings(table, verdicts, seed=0) -> dict[str | float, tuple]:
    """By weight the (crossing, low, high) of the gain, under "gap" that of the estimated gap."""
    gains = table[(table["experiment"] == "MFH") & (table["n_train"] == 200)]
    of_seeds = {"index": "seed", "columns": "knob"}
    curves = {lam: own.pivot(values="gain", **of_seeds) for lam, own in gains.groupby("lam")}
    judged = verdicts[verdicts["condition"].isin(set(gains["condition"]))]
    curves["gap"] = judged.pivot(values="gap", **of_seeds)
    return {
        name: quantities.crossing_interval(curve.columns, curve, np.random.default_rng(seed))
        for name, curve in curves.items()
    }


def beside_published(columns: Mapping[str, Mapping]) -> pd.DataFrame:
    """Set `crossings` of several runs beside the published one (weight 1/2); missing: no column."""
    out = {"published": {0.5: f"about {PUBLISHED_CROSSING}"}}
    for column, run in columns.items():
        out[column] = {k: f"{c:.2f} [{low:.2f}, {high:.2f}]" for k, (c, low, high) in run.items()}
    weights = sorted({name for run in columns.values() for name in run} - {"gap"})
    frame = pd.DataFrame(out, index=[*weights, "gap"]).fillna("")
    frame.index = [*(f"gain at λ = {w:g}" for w in weights), "CCH: estimated gap"]
    return frame.rename_axis("changes sign at γ =", axis=1)


def _stack(sets, split):
    taken = [data.take(split) for data in sets]
    stacked = {m: np.stack([x[m] for x, _ in taken]) for m in counterexamples.DIMS}
    return stacked, np.stack([y for _, y in taken])


def _shuffled_within_classes(x, y, seeds):
    out = x.copy()
    for i, seed in enumerate(seeds):
        rng = np.random.default_rng([seed, len(x[i])])
        for label in (0, 1):
            rows = np.flatnonzero(y[i] == label)
            out[i, rows] = x[i, rng.permutation(rows)]
    return out
