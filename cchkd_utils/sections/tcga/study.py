"""Every modality of a cohort teaches every other one, and each pair is judged beforehand."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from itertools import permutations

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from cchkd_utils import criterion, results
from cchkd_utils.datasets import Multimodal
from cchkd_utils.distill import Member
from cchkd_utils.distill.losses import teacher_share
from cchkd_utils.sections.scores import METRICS
from cchkd_utils.sections.tcga.folds import SOFT, Folds

POOLED = "pooled logits"


def permuted(dataset: Multimodal, seed: int) -> Multimodal:
    """Return the dataset with its labels shuffled: nothing is left to predict."""
    labels = np.random.default_rng([seed, 4]).permutation(dataset.labels)
    return replace(dataset, labels=labels)


def teachers(cv: Folds) -> list[dict]:
    """How often the teacher of each modality is right: on held-out rows, and in its soft labels.

    Of both kinds of soft labels: accuracy on the training rows (``right``), and mean probability
    of the likeliest class (``sure``).
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


def distil(
    cv: Folds, lam: Iterable[float], temperature: Iterable[float], *, main_temperature: float
) -> list[dict]:
    """Distil every ordered pair of modalities; rows of the results table.

    Per repeat (column seed) the mean over its folds, with the standard deviation of the gain
    between folds (`gain_sd`) and their number (`n_folds`), for `intervals.pooled_folds`.
    Experiments: the student alone with ``cross-fitted`` soft labels and, at `main_temperature` only
    as the rest, with ``in-sample`` ones; and with cross-fitted ones ``late fusion``, the mean
    log-probability of teacher and student, and ``early fusion``, one network on both modalities.
    """
    grid = [(weight, t) for weight in lam for t in temperature]
    main = [point for point in grid if point[1] == main_temperature]
    rows = []
    for teacher, student in permutations(cv.x, 2):
        add = partial(_rows, cv, {"teacher": teacher, "student": student})
        inside, outside = (cv.soft(teacher, kind) for kind in SOFT)
        alone, of_teacher = cv.logits[student], cv.logits[teacher]
        crossed = _students(cv, cv.x[student], outside, grid)
        rows += add("cross-fitted", grid, alone, crossed)
        rows += add("in-sample", main, alone, _students(cv, cv.x[student], inside, main))
        late = _mean_log(of_teacher, crossed[[grid.index(point) for point in main]])
        rows += add("late fusion", main, _mean_log(of_teacher, alone), late)
        both = np.concatenate([cv.x[student], cv.x[teacher]], axis=-1)
        early = _students(cv, both, outside, [(0.0, 1.0), *main])
        rows += add("early fusion", main, early[0], early[1:])
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
    return (log_softmax(a, axis=-1) + log_softmax(b, axis=-1)) / 2


def _rows(cv, pair, experiment, grid, before, after):
    old, new = cv.score(before), cv.score(after)
    common = cv.case | pair | {"experiment": experiment, "n_train": cv.train.shape[1]}
    rows = []
    repeats = {seed: np.array(cv.seeds) == seed for seed in cv.seeds}
    for metric in METRICS:
        for (lam, t), values in zip(grid, new[metric]):
            for seed, own in repeats.items():
                baseline, distilled = old[metric][own], values[own]
                row = results.result(
                    metric=metric, baseline=round(float(baseline.mean()), 7),
                    distilled=round(float(distilled.mean()), 7), **common, seed=seed, lam=lam,
                    weight=teacher_share(lam), temperature=t,
                )  # fmt: skip
                spread = round(float((distilled - baseline).std(ddof=1)), 7)
                rows.append(row | {"gain_sd": spread, "n_folds": int(own.sum())})
    return rows


def assess_pairs(
    half: Folds, estimators: Iterable[str], *, cv: Folds | None = None, bias_check: bool = True
) -> list[dict]:
    """Verdicts on every ordered pair; rows of the verdicts table.

    Within one pair of networks, on the held-out half. With `cv` also by ``auto`` on the undistilled
    logits of all participants, each from the fold that held it out: logits of different networks
    share their axes, the classes; hidden layers do not.
    """
    y, rows = half.dataset.labels, []
    for pair in permutations(half.x, 2):
        named = half.case | dict(zip(("teacher", "student"), pair))
        for i, (seed, test) in enumerate(zip(half.seeds, half.test)):
            judge = partial(_verdict, named | {"seed": seed}, bias_check)
            layers = [half.hidden[name][i, test] for name in pair]
            logits = [half.logits[name][i, test] for name in pair]
            rows += [judge(*layers, y[test], *logits, estimator) for estimator in estimators]
            if cv:
                logits = [pooled_logits(cv, name, seed) for name in pair]
                # a constant added to all logits of a row means nothing: the first class is zero
                layers = [z[:, 1:] - z[:, :1] for z in logits]
                rows.append(judge(*layers, y, *logits, "auto") | {"estimator": POOLED})
    return rows


def _verdict(named, bias_check, h1, h2, labels, teacher_logits, student_logits, estimator):
    """Row of the verdicts table, the 95 % interval of I(H2;Y) and the simulated bias, nats."""
    verdict = criterion.assess(
        h1, h2, labels, estimator=estimator, bias_check=bias_check, seed=named["seed"],
        teacher_logits=teacher_logits, student_logits=student_logits,
    )  # fmt: skip
    label = verdict.estimates["student_label"]
    reach = 1.96 * label.stderr
    return results.verdict(verdict, **named) | {
        "label_lo": label.nats - reach,
        "label_hi": label.nats + reach,
        "n_held_out": verdict.n,
        "bias": np.nan if verdict.bias is None else verdict.bias,
    }


def pooled_logits(cv: Folds, modality: str, seed: int) -> NDArray:
    """Undistilled logits [n, classes] of all participants in one repeat, each held out."""
    out = np.empty(cv.logits[modality].shape[1:], np.float32)
    for i, rows in enumerate(cv.test):
        if cv.seeds[i] == seed:
            out[rows] = cv.logits[modality][i, rows]
    return out


def rank(half: Folds, student: str, estimator: str = "auto") -> list[dict[str, criterion.Verdict]]:
    """Rank the other modalities as teachers of `student`, once per repeat; best first."""
    return [
        criterion.rank_teachers(
            {name: h[i, test] for name, h in half.hidden.items() if name != student},
            half.hidden[student][i, test], half.dataset.labels[test],
            estimator=estimator, rivals=False, bias_check=False, seed=seed,
        )
        for i, (seed, test) in enumerate(zip(half.seeds, half.test))
    ]  # fmt: skip
