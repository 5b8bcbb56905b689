"""Every modality of many sets teaches every other one: what was foretold, and what happened.

A split trains on n rows and holds out the rest, on which both networks are scored and judged.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import permutations

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax
from sklearn.model_selection import StratifiedShuffleSplit

from cchkd_utils import criterion, mi, results
from cchkd_utils.datasets import Multimodal
from cchkd_utils.distill.training import stream
from cchkd_utils.sections.cells import source
from cchkd_utils.sections.modalities import Folds, Recipe
from cchkd_utils.sections.quantities import over_folds

SIZES = 100, 300, 1000  # training rows, as far as half of the rows allows
FEW = 400  # rows; below it every split is in halves
MOST_JUDGED = 1000  # held-out rows
FEWEST_HELD, FEWEST_UNITS = 70, 4
UNITS = 10  # independent ones, that a training part needs unless it is half of all


def describe(dataset: Multimodal) -> dict[str, object]:
    """Return a line about a set, to read."""
    known = dataset.provenance
    labels = np.bincount(dataset.labels)
    modalities = [f"{name} {x.shape[1]}" for name, x in dataset.modalities.items()]
    return {
        "set": known["name"], "source": source(known["name"]), "rows": len(dataset),
        "groups": "" if dataset.units is None else len(np.unique(dataset.units)),
        "modalities (columns)": ", ".join(modalities), "classes": len(labels),
        "largest class": round(labels.max() / len(dataset), 2),
    }  # fmt: skip


def sizes(dataset: Multimodal) -> list[int]:
    """Return the numbers of training rows that are tried, with units enough in each."""
    n, half = len(dataset), len(dataset) // 2
    if n < FEW:
        return [half]
    units = n if dataset.units is None else len(np.unique(dataset.units))
    chosen = {size for size in SIZES if size <= half and size * units >= UNITS * n}
    return sorted(chosen | ({half} if half < SIZES[1] or not chosen else set()))


def split(dataset: Multimodal, n_train: int, seed: int) -> tuple[NDArray, NDArray]:
    """Draw `n_train` training rows, by class or by whole units, and all that is held out."""
    rng, n = np.random.default_rng([seed, 5]), len(dataset)
    if dataset.units is None:
        splitter = StratifiedShuffleSplit(
            1, train_size=n_train, test_size=n - n_train, random_state=stream(seed, 5) % 2**32
        )
        return next(splitter.split(dataset.labels, dataset.labels))
    units = np.unique(dataset.units, return_inverse=True)[1]
    order = rng.permutation(units.max() + 1)
    reached = np.searchsorted(np.bincount(units)[order].cumsum(), n_train)
    inside = np.isin(units, order[: reached + 1])
    train, test = (rng.permutation(np.flatnonzero(rows)) for rows in (inside, ~inside))
    return train[:n_train], test


def splits(dataset: Multimodal, n_train: int, recipe: Recipe, seeds: Sequence[int]) -> Folds:
    """Split once per seed and train the undistilled networks of every modality.

    ValueError, one line, for too few rows or units to train and to judge.
    """
    name, n = dataset.provenance["name"], len(dataset)
    if dataset.units is not None and len(np.unique(dataset.units)) < FEWEST_UNITS:
        raise ValueError(
            f"{name}: fewer than {FEWEST_UNITS} groups: no interval follows from these"
        )
    if not len(dataset.provenance["classes"]) * 2 <= n_train <= n - FEWEST_HELD:
        raise ValueError(
            f"{name}: {n_train} of {n} rows to train on: at least two a class are needed, and "
            f"{FEWEST_HELD} that are held out"
        )
    train, test = zip(*(split(dataset, n_train, seed) for seed in seeds))
    if min(map(len, test)) < FEWEST_HELD:
        raise ValueError(f"{name}: a group is too large to hold out {FEWEST_HELD} rows of others")
    case = {"dataset": name, "condition": f"{n_train} rows", "knob": float(n_train)}
    case |= {"kind": dataset.kind}
    return Folds(dataset, recipe, np.array(train), list(test), list(seeds), case)


def distil(
    cv: Folds, lam: Iterable[float], temperature: Iterable[float], soft: str = "in-sample",
    pairs: Iterable[tuple[str, str]] | None = None,
) -> Iterator[list[dict]]:  # fmt: skip
    """Distil ordered pairs of modalities, all by default; yield each pair's rows of results.

    A row is the mean over splits, with the standard error of `intervals.over_units`.
    """
    grid, labels = [(weight, t) for weight in lam for t in temperature], cv.dataset.labels
    units = cv.dataset.ids if cv.dataset.units is None else cv.dataset.units
    units = np.unique(units, return_inverse=True)[1]
    for teacher, student in pairs or permutations(cv.x, 2):
        new = cv.students(cv.x[student], cv.soft(teacher, soft), grid)
        before = cv.logits[student]
        scored = over_folds(before, new, labels, cv.test, units, cv.seeds, _measured)
        named = {"teacher": teacher, "student": student, "experiment": soft}
        yield list(cv.results(named, grid, scored))


def _measured(logits, labels):
    """Scores that are means over rows, and each row's influence on them, by metric."""
    log_p = log_softmax(logits, axis=-1)
    at = np.broadcast_to(labels[:, None], (*logits.shape[:-1], 1))
    own = np.take_along_axis(log_p, at, axis=-1)[..., 0]
    rows = {"accuracy": (logits.argmax(-1) == labels).astype(float), "cross-entropy": -own}
    means = {name: values.mean(axis=-1) for name, values in rows.items()}
    return {name: (mean, rows[name] - mean[..., None]) for name, mean in means.items()}


def judge(
    cv: Folds, estimators: Sequence[str], n_seeds: int | None = None,
    pairs: Iterable[tuple[str, str]] | None = None, n_rows: int = MOST_JUDGED,
) -> Iterator[list[dict]]:  # fmt: skip
    """Judge ordered pairs within the first splits; yield each pair's rows of verdicts.

    A verdict looks at `n_rows` held-out rows at most.

    Beside the rivals: student accuracy, and by how much each network is better on rows it has seen.
    """
    for teacher, student in pairs or permutations(cv.x, 2):
        rows = []
        for i, seed in enumerate(cv.seeds[:n_seeds]):
            named = cv.case | {"teacher": teacher, "student": student, "seed": seed}
            known = {
                "student accuracy": _accuracy(cv, student, i, cv.test[i]),
                "student overfit": _overfit(cv, student, i),
                "teacher overfit": _overfit(cv, teacher, i),
                "n_classes": len(cv.dataset.provenance["classes"]),
            }
            judged = partial(_verdict, cv, i, (teacher, student), named, n_rows)
            rows += [judged(estimator) | known for estimator in estimators]
            if i == 0:  # it takes three more estimates
                rows[len(estimators) - 1]["I(teacher; student | label)"] = _not_the_label(
                    cv, i, (teacher, student), estimators[-1], n_rows
                )
        yield rows


def _not_the_label(cv, i, pair, estimator, n_rows):
    """I(H1;H2|Y), nats: what hidden layers share that is not about the label."""
    rows = cv.test[i][:n_rows]
    hidden = [cv.hidden[name][i, rows] for name in pair]
    return round(mi.estimate(*hidden, estimator, given=cv.dataset.labels[rows]).nats, 6)


def _accuracy(cv, modality, i, rows):
    hit = cv.logits[modality][i, rows].argmax(-1) == cv.dataset.labels[rows]
    return round(float(hit.mean()), 6)


def _overfit(cv, modality, i):
    seen, new = (_accuracy(cv, modality, i, rows) for rows in (cv.train[i], cv.test[i]))
    return round(seen - new, 6)


def _verdict(cv, i, pair, named, n_rows, estimator):
    rows = cv.test[i][:n_rows]
    hidden = [cv.hidden[name][i, rows] for name in pair]
    logits = [cv.logits[name][i, rows] for name in pair]
    verdict = criterion.assess(
        *hidden, cv.dataset.labels[rows], estimator=estimator, checks=False, seed=named["seed"],
        teacher_logits=logits[0], student_logits=logits[1],
        units=None if cv.dataset.units is None else cv.dataset.units[rows],
    )  # fmt: skip
    row = results.verdict(verdict, **named, n_train=cv.train.shape[1])
    return {k: round(v, 6) if isinstance(v, float) else v for k, v in row.items()}
