"""What the image section computes: teachers, students and their controls, verdicts, tables.

Everything about one seed (patches, initial weights, order of batches) is shared by its students:
they differ in the teacher, its weight and its temperature only.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cchkd_utils import criterion, distill, results
from cchkd_utils.datasets import Multimodal, mnist_m
from cchkd_utils.sections.grid import near

CLASSES = 10
MAIN = "distillation"
NAMES = {"embedded": "digits → digits-M", "real": "MNIST → MNIST-M"}


def inputs(sets: Sequence[Multimodal], modality: str, blur: float = 0.0) -> list[NDArray]:
    """Return one modality's training and test images as the networks see them.

    Standardised by mean and standard deviation of the training images (a blurred image is nearly
    grey; networks fed with it as it is often died). Grey images get three equal channels.

    Returns
    -------
    list of two float32 arrays [seeds, rows, 3, size, size]
    """
    parts: list[list[NDArray]] = [[], []]
    for one in sets:
        train, test = (mnist_m.blur(one.take(s)[0][modality], blur) for s in ("train", "test"))
        mean, scale = train.mean(), train.std()
        for part, images in zip(parts, (train, test)):
            part.append(((images - mean) / scale).repeat(3 // images.shape[1], axis=1))
    return [np.stack(part) for part in parts]


def labels(sets: Sequence[Multimodal], split: str) -> NDArray:
    """Return the labels of a split, [seeds, rows]."""
    return np.stack([one.take(split)[1] for one in sets])


@dataclass(frozen=True)
class Teachers:
    """Logits on training rows [blurs, seeds, n, 10]; logits and features on test rows."""

    train_logits: NDArray
    test_logits: NDArray
    features: NDArray


def train_teachers(
    network: Callable, sets: Sequence[Multimodal], seeds: Sequence[int], blurs: Sequence[float],
    **options: Any,
) -> Teachers:  # fmt: skip
    """Train one teacher per blur and seed on the clean digits; `options` of `train_ensemble`."""
    members = [distill.Member(s, data=i) for i, s in enumerate(seeds)]
    kept = []
    for blur in blurs:
        train, test = inputs(sets, "mnist", blur)
        found = distill.train_ensemble(network, train, labels(sets, "train"), members, **options)
        kept.append((found.predict(train), found.predict(test), found.represent(test)))
    return Teachers(*(np.stack(part) for part in zip(*kept)))


def partners(sets: Sequence[Multimodal], seeds: Sequence[int], split: str) -> NDArray:
    """Return for each row of a split the position of another image of its class, [seeds, rows]."""
    every = [mnist_m.class_partners(s.labels, s.splits, seed) for s, seed in zip(sets, seeds)]
    return np.stack([p[s.splits[split]] - s.splits[split][0] for p, s in zip(every, sets)])


def variants(logits: NDArray, sets: Sequence[Multimodal], seeds: Sequence[int]) -> dict:
    """Return the teacher's logits and those of the controls, by name, each [blurs, seeds, n, 10].

    ``smoothing``: the same for every class, which at T = 1 is label smoothing by λ; it is the
    same at each blur. ``shuffled``: each row has the logits of a random other row: no information
    on the image or its class, the teacher's confidence kept. ``class``: those of another image of
    the same class: what the teacher knows about this image, beyond its class, is lost.
    """
    other = partners(sets, seeds, "train")[None, :, :, None]
    orders = [np.random.default_rng([s, 1]).permutation(logits.shape[2]) for s in seeds]
    return {
        MAIN: logits,
        "smoothing": np.zeros_like(logits[:1]),
        "shuffled": np.take_along_axis(logits, np.stack(orders)[None, :, :, None], 2),
        "class": np.take_along_axis(logits, other, 2),
    }


def plan(
    n_blurs: int, n_seeds: int, lam: Sequence[float], temperature: Sequence[float],
    controls: Iterable[str], at: tuple[float, float],
) -> pd.DataFrame:  # fmt: skip
    """List the students to train: the whole grid, and the controls at one λ and T.

    Label smoothing has no teacher and no blur, and runs at every λ with T = 1.

    Returns
    -------
    DataFrame
        experiment, blur (its number), run (number of the seed), lam, temperature.
    """
    cells = list(itertools.product(range(n_blurs), range(n_seeds)))
    rows = [(MAIN, b, i, weight, t) for b, i in cells for weight in lam for t in temperature]
    for name in controls:
        if name == "smoothing":
            rows += [(name, 0, i, weight, 1.0) for i in range(n_seeds) for weight in lam]
        else:
            rows += [(name, b, i, *at) for b, i in cells]
    return pd.DataFrame(rows, columns=["experiment", "blur", "run", "lam", "temperature"])


@dataclass(frozen=True)
class Students:
    """The undistilled student of each seed, and those of a plan; all on test rows."""

    features: NDArray  # [seeds, n, h], undistilled
    test_logits: NDArray  # [seeds, n, 10], undistilled
    alone: NDArray  # predicted classes [seeds, n], undistilled
    taught: NDArray  # predicted classes [students, n], in the order of the plan


def train_students(
    network: Callable, sets: Sequence[Multimodal], seeds: Sequence[int], planned: pd.DataFrame,
    teachers: Teachers, **options: Any,
) -> Students:  # fmt: skip
    """Train the undistilled students and all planned ones; `options` of `train_ensemble`."""
    wanted = set(planned["experiment"])
    offered = variants(teachers.train_logits, sets, seeds)
    offered = {name: one for name, one in offered.items() if name in wanted}
    sizes = [len(one) * len(seeds) for one in offered.values()]
    start = dict(zip(offered, np.cumsum([0, *sizes])))
    table = np.concatenate([one.reshape(-1, *one.shape[2:]) for one in offered.values()])
    members = [distill.Member(s, data=i) for i, s in enumerate(seeds)] + [
        distill.Member(
            seeds[row.run], row.lam, row.temperature, data=row.run,
            teacher=int(start[row.experiment] + row.blur * len(seeds) + row.run),
        )
        for row in planned.itertuples()
    ]  # fmt: skip
    train, test = inputs(sets, "mnist_m")
    found = distill.train_ensemble(
        network, train, labels(sets, "train"), members, teacher=table, **options
    )
    logits, n = found.predict(test), len(seeds)
    classes = logits.argmax(-1)
    return Students(found.represent(test)[:n], logits[:n], classes[:n], classes[n:])


def confusion_change(
    planned: pd.DataFrame, students: Students, sets: Sequence[Multimodal], blur: int,
    at: tuple[float, float],
) -> NDArray:  # fmt: skip
    """Return what one teacher changed in the confusion matrix, mean over seeds.

    At the planned λ and T nearest to `at`; [true, said], per cent of the true class.
    """
    y = labels(sets, "test")
    own = planned[(planned["experiment"] == MAIN) & (planned["blur"] == blur)]
    own = near(own, lam=at[0], temperature=at[1])
    changes = [
        _confusion(students.taught[row], y[run]) - _confusion(students.alone[run], y[run])
        for row, run in own["run"].items()
    ]
    return np.mean(changes, axis=0)


def _confusion(said: NDArray, true: NDArray) -> NDArray:
    counts = np.zeros((CLASSES, CLASSES))
    np.add.at(counts, (true, said), 1)
    return 100 * counts / counts.sum(axis=1, keepdims=True).clip(min=1)


def assess(
    sets: Sequence[Multimodal], seeds: Sequence[int], teachers: Teachers, students: Students,
    estimators: Sequence[str], pairings: Sequence[str], n_mi: int,
) -> list[tuple]:  # fmt: skip
    """Return (pairing, blur number, seed number, verdict, rivals) for every teacher.

    On the first `n_mi` test rows; rivals do not depend on the estimator and are computed once.
    """
    y, other = labels(sets, "test"), partners(sets, seeds, "test")
    found = []
    for pairing, b, i in itertools.product(
        pairings, range(len(teachers.features)), range(len(seeds))
    ):
        rows = np.arange(y.shape[1]) if pairing == pairings[0] else other[i]
        rivals: dict = {}
        for one in estimators:
            verdict = criterion.assess(
                teachers.features[b, i][rows][:n_mi], students.features[i][:n_mi], y[i][:n_mi],
                teacher_logits=teachers.test_logits[b, i][rows][:n_mi],
                student_logits=students.test_logits[i][:n_mi],
                estimator=one, rivals=not rivals, bias_check=False, seed=seeds[i],
            )  # fmt: skip
            rivals = rivals or verdict.rivals
            found.append((pairing, b, i, verdict, rivals))
    return found


def tables(
    sets: Sequence[Multimodal], seeds: Sequence[int], blurs: Sequence[float], pairing: str,
    planned: pd.DataFrame, students: Students, judged: list[tuple],
) -> tuple[list[dict], list[dict]]:  # fmt: skip
    """Return the rows of the results table and of the verdicts table."""
    y, data = labels(sets, "test"), str(sets[0].provenance["data"])
    n_train = len(sets[0].splits["train"])
    same = {"dataset": NAMES[data], "kind": sets[0].kind, "student": "mnist_m"}
    alone = (students.alone == y).mean(axis=1)
    taught = (students.taught == y[planned["run"]]).mean(axis=1)

    def case(way: str, b: int, i: int) -> dict:
        condition = f"blur {blurs[b]:g}, {way}"
        return {"teacher": "mnist", "condition": condition, "knob": blurs[b], "seed": seeds[i]}

    ways = {
        MAIN: (MAIN, f"paired by {pairing}"),
        "class": (MAIN, "paired by class"),
        "shuffled": ("shuffled teacher", "shuffled"),
    }
    rows = []
    for row, after in zip(planned.itertuples(), taught):
        if row.experiment == "smoothing":
            experiment = "label smoothing"
            own = case("", 0, row.run) | {"teacher": "none", "condition": experiment, "knob": 0.0}
        else:
            experiment, way = ways[row.experiment]
            own = case(way, row.blur, row.run)
        rows.append(
            results.result(
                **same, **own, experiment=experiment, n_train=n_train, lam=row.lam, weight=row.lam,
                temperature=row.temperature, metric="accuracy", baseline=alone[row.run],
                distilled=after,
            )
        )  # fmt: skip
    verdict_rows = [
        results.verdict(v, **same, **case(f"paired by {way}", b, i)) | rivals | {"n_mi": v.n}
        for way, b, i, v, rivals in judged
    ]
    return rows, verdict_rows
