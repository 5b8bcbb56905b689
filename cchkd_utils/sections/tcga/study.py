"""Every modality of a cohort teaches every other one, and each pair is judged beforehand."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import permutations

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from cchkd_utils import criterion, results
from cchkd_utils.datasets import Multimodal
from cchkd_utils.distill.crossfit import folds
from cchkd_utils.sections.modalities import SOFT, Folds, Recipe
from cchkd_utils.sections.quantities import over_folds

POOLED = "pooled logits"


def repeated(
    dataset: Multimodal, recipe: Recipe, seeds: Sequence[int], n_folds: int = 5, used: int = 0
) -> Folds:
    """Split into stratified folds once per seed; use the first `used` folds of each, 0: all."""
    used = used or n_folds
    splits = [folds(dataset.labels, n_folds, seed=seed) for seed in seeds]
    size = min(train.shape[1] for train, _ in splits)
    train = np.concatenate([train[:used, :size] for train, _ in splits])
    test = [rows for _, tests in splits for rows in tests[:used]]
    source = dataset.provenance
    case = {"dataset": f"TCGA-{source['cohort']}", "condition": source["label"], "knob": 0.0}
    repeats = [seed for seed in seeds for _ in range(used)]
    return Folds(dataset, recipe, train, test, repeats, case | {"kind": dataset.kind})


def halves(dataset: Multimodal, recipe: Recipe, seeds: Sequence[int]) -> Folds:
    """Split in two halves once per seed and train on the first: half of the rows are held out."""
    return repeated(dataset, recipe, seeds, n_folds=2, used=1)


def permuted(dataset: Multimodal, seed: int) -> Multimodal:
    """Return the dataset with its labels shuffled: nothing is left to predict."""
    return replace(dataset, labels=np.random.default_rng([seed, 4]).permutation(dataset.labels))


def teachers(cv: Folds) -> list[dict]:
    """How often the teacher of each modality is right: on held-out rows, and in its soft labels.

    ``right``: accuracy on the training rows; ``sure``: mean probability of the likeliest class.
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
    """Distil every ordered pair of modalities; rows of the results table, means over repeats.

    All but the student alone with ``cross-fitted`` soft labels are at `main_temperature` only. Late
    fusion is the mean log-probability of both, early fusion one network on both modalities.
    """
    grid = [(weight, t) for weight in lam for t in temperature]
    main = [point for point in grid if point[1] == main_temperature]
    rows = []
    for teacher, student in permutations(cv.x, 2):
        add = partial(_rows, cv, {"teacher": teacher, "student": student})
        inside, outside = (cv.soft(teacher, kind) for kind in SOFT)
        alone, of_teacher = cv.logits[student], cv.logits[teacher]
        crossed = cv.students(cv.x[student], outside, grid)
        rows += add("cross-fitted", grid, alone, crossed)
        rows += add("in-sample", main, alone, cv.students(cv.x[student], inside, main))
        late = _mean_log(of_teacher, crossed[[grid.index(point) for point in main]])
        rows += add("late fusion", main, _mean_log(of_teacher, alone), late)
        both = np.concatenate([cv.x[student], cv.x[teacher]], axis=-1)
        early = cv.students(both, outside, [(0.0, 1.0), *main])
        rows += add("early fusion", main, early[0], early[1:])
    return rows


def _mean_log(a, b):
    return (log_softmax(a, axis=-1) + log_softmax(b, axis=-1)) / 2


def _rows(cv, pair, experiment, grid, before, after):
    """Means over all folds and repeats, and what `intervals.summarise` asks for."""
    everyone = np.arange(len(cv.dataset))
    scored = over_folds(before, after, cv.dataset.labels, cv.test, everyone, cv.seeds)
    n_folds = len(cv.seeds) // len(set(cv.seeds))
    return cv.results(pair | {"experiment": experiment}, grid, scored, n_folds)


def assess_pairs(half: Folds, estimators: Iterable[str], *, cv: Folds | None = None) -> list[dict]:
    """Verdicts on every ordered pair, within one pair of networks, on the held-out half.

    With `cv` also by ``auto`` on the undistilled logits of all participants, each from the fold
    that held it out: logits of different networks share their axes, hidden layers do not.
    """
    y, rows = half.dataset.labels, []
    for pair in permutations(half.x, 2):
        named = half.case | dict(zip(("teacher", "student"), pair))
        for i, (seed, test) in enumerate(zip(half.seeds, half.test)):
            judge = partial(_verdict, named | {"seed": seed})
            layers = [half.hidden[name][i, test] for name in pair]
            logits = [half.logits[name][i, test] for name in pair]
            rows += [judge(*layers, y[test], *logits, estimator) for estimator in estimators]
            if cv:
                logits = [pooled_logits(cv, name, seed) for name in pair]
                # a constant added to all logits of a row means nothing: the first class is zero
                layers = [z[:, 1:] - z[:, :1] for z in logits]
                rows.append(judge(*layers, y, *logits, "auto") | {"estimator": POOLED})
    return rows


def _verdict(named, h1, h2, labels, teacher_logits, student_logits, estimator):
    """Row of the verdicts table, with the 95 % interval of I(H2;Y)."""
    verdict = criterion.assess(
        h1, h2, labels, estimator=estimator, checks=False, seed=named["seed"],
        teacher_logits=teacher_logits, student_logits=student_logits,
    )  # fmt: skip
    label = verdict.estimates["student_label"]
    reach = 1.96 * label.stderr
    row = {"label_lo": label.nats - reach, "label_hi": label.nats + reach}
    return results.verdict(verdict, **named) | row


def pooled_logits(cv: Folds, modality: str, seed: int) -> NDArray:
    """Undistilled logits [n, classes] of all participants in one repeat, each held out."""
    out = np.empty(cv.logits[modality].shape[1:], np.float32)
    for i in np.flatnonzero(np.array(cv.seeds) == seed):
        out[cv.test[i]] = cv.logits[modality][i, cv.test[i]]
    return out


def rank(half: Folds, student: str, estimator: str) -> list[dict[str, criterion.Verdict]]:
    """Rank the other modalities as teachers of `student`, once per repeat; best first."""
    return [
        criterion.rank_teachers(
            {name: h[i, test] for name, h in half.hidden.items() if name != student},
            half.hidden[student][i, test], half.dataset.labels[test],
            estimator=estimator, rivals=False, checks=False, seed=seed,
        )
        for i, (seed, test) in enumerate(zip(half.seeds, half.test))
    ]  # fmt: skip
