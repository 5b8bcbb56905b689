"""Distil every ordered pair of modalities of a cohort, and judge each pair beforehand."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import permutations

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from cchkd_utils import criterion, results
from cchkd_utils.distill import Member
from cchkd_utils.sections.scores import METRICS
from cchkd_utils.sections.tcga.study import SOFT, Folds

POOLED = "pooled logits"


def distil(
    cv: Folds, lam: Iterable[float], temperature: Iterable[float], *, main_temperature: float
) -> list[dict]:
    """Distil every ordered pair of modalities; rows of the results table.

    Per repeat (column seed) the mean over its folds, with the standard deviation of the gain
    between folds (`gain_sd`) and their number (`n_folds`), for `intervals.pooled_folds`.
    Experiments:

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
    return (log_softmax(a, axis=-1) + log_softmax(b, axis=-1)) / 2


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
