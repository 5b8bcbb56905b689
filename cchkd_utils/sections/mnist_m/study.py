"""What notebook 02 computes: teachers, students and their controls, verdicts, both tables.

Everything about one seed (patches, initial weights, order of batches) is shared by its students:
they differ in the teacher, its weight and its temperature only.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from cchkd_utils import criterion, distill, results
from cchkd_utils.datasets import Multimodal, mnist_m
from cchkd_utils.distill.losses import teacher_share
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

    def standardised(data: Multimodal) -> list[NDArray]:
        parts = [mnist_m.blur(data.take(split)[0][modality], blur) for split in ("train", "test")]
        mean, scale = parts[0].mean(), parts[0].std()
        return [((part - mean) / scale).repeat(3 // part.shape[1], axis=1) for part in parts]

    return [np.stack(parts) for parts in zip(*map(standardised, sets))]


def labels(sets: Sequence[Multimodal], split: str) -> NDArray:
    """Return the labels of a split, [seeds, rows]."""
    return np.stack([data.take(split)[1] for data in sets])


@dataclass(frozen=True)
class TeacherOutputs:
    """Logits on training rows [blurs, seeds, n, 10]; logits and features on test rows."""

    train_logits: NDArray
    test_logits: NDArray
    features: NDArray


def train_teachers(
    network: Callable, sets: Sequence[Multimodal], seeds: Sequence[int], blurs: Sequence[float],
    **options: Any,
) -> TeacherOutputs:  # fmt: skip
    """Train one teacher per blur and seed on the clean digits; `options` of `train_ensemble`."""
    members = [distill.Member(s, data=i) for i, s in enumerate(seeds)]
    kept = []
    for blur in blurs:
        train, test = inputs(sets, "mnist", blur)
        teachers = distill.train_ensemble(network, train, labels(sets, "train"), members, **options)
        kept.append((teachers.predict(train), teachers.predict(test), teachers.represent(test)))
    return TeacherOutputs(*map(np.stack, zip(*kept)))


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
    orders = [np.random.default_rng([s, 1]).permutation(logits.shape[2]) for s in seeds]
    return {
        MAIN: logits,
        "smoothing": np.zeros_like(logits[:1]),
        "shuffled": np.take_along_axis(logits, np.stack(orders)[None, :, :, None], 2),
        "class": np.take_along_axis(logits, partners(sets, seeds, "train")[None, :, :, None], 2),
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
    teachers = list(product(range(n_blurs), range(n_seeds)))
    rows = [(MAIN, *cell) for cell in product(range(n_blurs), range(n_seeds), lam, temperature)]
    for name in controls:
        if name == "smoothing":
            rows += [(name, 0, i, weight, 1.0) for i in range(n_seeds) for weight in lam]
        else:
            rows += [(name, *teacher, *at) for teacher in teachers]
    return pd.DataFrame(rows, columns=["experiment", "blur", "run", "lam", "temperature"])


@dataclass(frozen=True)
class StudentOutputs:
    """The undistilled student of each seed, and those of a plan; all on test rows."""

    features: NDArray  # [seeds, n, h], undistilled
    test_logits: NDArray  # [seeds, n, 10], undistilled
    alone: NDArray  # predicted classes [seeds, n], undistilled
    taught: NDArray  # predicted classes [students, n], in the order of the plan


def train_students(
    network: Callable, sets: Sequence[Multimodal], seeds: Sequence[int], planned: pd.DataFrame,
    teachers: TeacherOutputs, **options: Any,
) -> StudentOutputs:  # fmt: skip
    """Train the undistilled students and all planned ones; `options` of `train_ensemble`."""
    offered = variants(teachers.train_logits, sets, seeds)
    offered = {name: offered[name] for name in offered if name in set(planned["experiment"])}
    first = dict(zip(offered, np.cumsum([0, *map(len, offered.values())])))
    soft, n = np.concatenate(list(offered.values())), len(seeds)
    members = [distill.Member(s, data=i) for i, s in enumerate(seeds)] + [
        distill.Member(
            seeds[row.run], row.lam, row.temperature, data=row.run,
            teacher=int((first[row.experiment] + row.blur) * n + row.run),
        )
        for row in planned.itertuples()
    ]  # fmt: skip
    train, test = inputs(sets, "mnist_m")
    soft = soft.reshape(-1, *soft.shape[2:])
    students = distill.train_ensemble(
        network, train, labels(sets, "train"), members, teacher=soft, **options
    )
    logits = students.predict(test)
    classes = logits.argmax(-1)
    return StudentOutputs(students.represent(test)[:n], logits[:n], classes[:n], classes[n:])


def confusion_change(
    planned: pd.DataFrame, students: StudentOutputs, sets: Sequence[Multimodal], blur: int,
    at: tuple[float, float],
) -> NDArray:  # fmt: skip
    """Return what one teacher changed in the confusion matrix, mean over seeds.

    At the planned λ and T nearest to `at`; [true, said], per cent of the true class.
    """
    y = labels(sets, "test")
    own = planned[(planned["experiment"] == MAIN) & (planned["blur"] == blur)]
    own = near(own, lam=at[0], temperature=at[1])
    before, after = (
        [confusion_matrix(y[run], said, labels=range(CLASSES), normalize="true")
         for run, said in zip(own["run"], answers)]
        for answers in (students.alone[own["run"]], students.taught[own.index])
    )  # fmt: skip
    return 100 * np.subtract(after, before).mean(axis=0)


def assess(
    sets: Sequence[Multimodal], seeds: Sequence[int], teachers: TeacherOutputs,
    students: StudentOutputs, estimators: Sequence[str], pairings: Sequence[str], n_mi: int,
) -> list[tuple[str, int, int, criterion.Verdict]]:  # fmt: skip
    """Return (pairing, blur number, seed number, verdict) for every teacher and estimator.

    On the first `n_mi` test rows; rivals do not depend on the estimator and are computed once.
    """
    y, partner = labels(sets, "test"), partners(sets, seeds, "test")
    verdicts = []
    for pairing, b, i in product(pairings, range(len(teachers.features)), range(len(seeds))):
        rows = (np.arange(y.shape[1]) if pairing == pairings[0] else partner[i])[:n_mi]
        rivals: dict = {}
        for estimator in estimators:
            verdict = criterion.assess(
                teachers.features[b, i][rows], students.features[i][:n_mi], y[i][:n_mi],
                teacher_logits=teachers.test_logits[b, i][rows],
                student_logits=students.test_logits[i][:n_mi],
                estimator=estimator, rivals=not rivals, bias_check=False, seed=seeds[i],
            )  # fmt: skip
            rivals = rivals or verdict.rivals
            verdicts.append((pairing, b, i, replace(verdict, rivals=rivals)))
    return verdicts


def table_rows(
    sets: Sequence[Multimodal], seeds: Sequence[int], blurs: Sequence[float], pairing: str,
    planned: pd.DataFrame, students: StudentOutputs, judged: list[tuple],
) -> tuple[list[dict], list[dict]]:  # fmt: skip
    """Return the rows of the results table and, from those of `assess`, of the verdicts table."""
    y, kind = labels(sets, "test"), sets[0].kind
    alone = (students.alone == y).mean(axis=1)
    taught = (students.taught == y[planned["run"]]).mean(axis=1)

    def case(way: str, b: int, i: int) -> dict:
        name = NAMES[str(sets[0].provenance["data"])]
        pair = {"dataset": name, "kind": kind, "teacher": "mnist", "student": "mnist_m"}
        return pair | {"condition": f"blur {blurs[b]:g}, {way}", "knob": blurs[b], "seed": seeds[i]}

    ways = {
        MAIN: (MAIN, f"paired by {pairing}"),
        "class": (MAIN, "paired by class"),
        "shuffled": ("shuffled teacher", "shuffled"),
        "smoothing": ("label smoothing", ""),
    }
    rows = []
    for row, after in zip(planned.itertuples(), taught):
        experiment, way = ways[row.experiment]
        own = case(way, row.blur, row.run)
        if row.experiment == "smoothing":
            own |= {"teacher": "none", "condition": experiment, "knob": 0.0}
        rows.append(
            results.result(
                **own, experiment=experiment, n_train=len(sets[0].splits["train"]), lam=row.lam,
                weight=teacher_share(row.lam), temperature=row.temperature, metric="accuracy",
                baseline=alone[row.run], distilled=after,
            )
        )  # fmt: skip
    verdict_rows = [
        results.verdict(said, **case(f"paired by {way}", b, i)) | {"n_mi": said.n}
        for way, b, i, said in judged
    ]
    return rows, verdict_rows
