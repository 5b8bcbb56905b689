"""What notebook 02 computes: teachers, students and their controls, verdicts, both tables."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from cchkd_utils import criterion, distill, results
from cchkd_utils.datasets import Multimodal, mnist_m
from cchkd_utils.distill.losses import teacher_share
from cchkd_utils.sections.quantities import near

MAIN = "distillation"
NAMES = {"embedded": "digits → digits-M", "real": "MNIST → MNIST-M"}


def inputs(sets: Sequence[Multimodal], modality: str, blur: float = 0.0) -> list[NDArray]:
    """Return one modality's training and test images, [seeds, rows, 3, size, size] each."""

    def standardised(data: Multimodal) -> list[NDArray]:
        # by the training images: blurred ones are nearly grey, and networks fed with them died
        parts = [mnist_m.blur(data.take(split)[0][modality], blur) for split in ("train", "test")]
        mean, scale = parts[0].mean(), parts[0].std()
        return [((part - mean) / scale).repeat(3 // part.shape[1], axis=1) for part in parts]

    return [np.stack(parts) for parts in zip(*map(standardised, sets))]


def labels(sets: Sequence[Multimodal], split: str) -> NDArray:
    """Return the labels of a split, [seeds, rows]."""
    return np.stack([data.take(split)[1] for data in sets])


def partners(sets: Sequence[Multimodal], seeds: Sequence[int], split: str) -> NDArray:
    """Return for each row of a split the position of another image of its class, [seeds, rows]."""
    every = [mnist_m.class_partners(s.labels, s.splits, seed) for s, seed in zip(sets, seeds)]
    return np.stack([p[s.splits[split]] - s.splits[split][0] for p, s in zip(every, sets)])


def variants(logits: NDArray, sets: Sequence[Multimodal], seeds: Sequence[int]) -> dict:
    """Return the teacher's and the controls' logits by name, each [blurs, seeds, n, 10]."""
    orders = [np.random.default_rng([s, 1]).permutation(logits.shape[2]) for s in seeds]
    return {
        MAIN: logits,
        # the same for every class and blur: at T = 1 this is label smoothing by λ
        "smoothing": np.zeros_like(logits[:1]),
        # of a random other row: the teacher's confidence without information on image or class
        "shuffled": np.take_along_axis(logits, np.stack(orders)[None, :, :, None], 2),
        # of another image of the class: what the teacher knows beyond the class is lost
        "class": np.take_along_axis(logits, partners(sets, seeds, "train")[None, :, :, None], 2),
    }


def plan(
    n_blurs: int, n_seeds: int, lam: Sequence[float], temperature: Sequence[float],
    controls: Iterable[str], at: tuple[float, float],
) -> pd.DataFrame:  # fmt: skip
    """List the students to train: the grid, and the controls `at` one λ and T."""
    blurs, runs = range(n_blurs), range(n_seeds)
    rows = [(MAIN, *cell) for cell in product(blurs, runs, lam, temperature)]
    for name in controls:
        if name == "smoothing":  # no teacher, no blur
            rows += [(name, 0, i, weight, 1.0) for i in runs for weight in lam]
        else:
            rows += [(name, b, i, *at) for b in blurs for i in runs]
    return pd.DataFrame(rows, columns=["experiment", "blur", "run", "lam", "temperature"])


@dataclass
class Study:
    """Trains teachers and students; keeps what they say of the rows."""

    network: Callable  # builds the one architecture
    sets: Sequence[Multimodal]  # one per seed
    seeds: Sequence[int]
    blurs: Sequence[float]
    pairing: str
    options: dict  # of `distill.train_ensemble`

    def __post_init__(self):
        self.members = [distill.Member(s, data=i) for i, s in enumerate(self.seeds)]
        self.y = labels(self.sets, "test")

    def train_teachers(self) -> None:
        """Train a teacher per blur and seed; its logits [blurs, seeds, n, 10] are `soft` labels."""
        y, kept = labels(self.sets, "train"), []
        for blur in self.blurs:
            train, test = inputs(self.sets, "mnist", blur)
            teachers = distill.train_ensemble(self.network, train, y, self.members, **self.options)
            kept.append((teachers.predict(train), teachers.predict(test), teachers.represent(test)))
        # the last two are those of test rows
        self.soft, self.teacher_logits, self.teacher_features = map(np.stack, zip(*kept))

    def train_students(self, planned: pd.DataFrame) -> None:
        """Train the undistilled student of each seed and all planned ones.

        Keeps the classes they say on test rows, `alone` [seeds, n] and `taught` [students, n].
        """
        used, offered = set(planned["experiment"]), variants(self.soft, self.sets, self.seeds)
        offered = {name: soft for name, soft in offered.items() if name in used}
        first = dict(zip(offered, np.cumsum([0, *map(len, offered.values())])))
        soft, n = np.concatenate(list(offered.values())), len(self.seeds)
        members = [
            distill.Member(
                self.seeds[row.run], row.lam, row.temperature, data=row.run,
                teacher=int((first[row.experiment] + row.blur) * n + row.run),
            )
            for row in planned.itertuples()
        ]  # fmt: skip
        train, test = inputs(self.sets, "mnist_m")
        students = distill.train_ensemble(
            self.network, train, labels(self.sets, "train"), self.members + members,
            teacher=soft.reshape(-1, *soft.shape[2:]), **self.options,
        )  # fmt: skip
        logits = students.predict(test)
        self.student_logits, self.student_features = logits[:n], students.represent(test)[:n]
        self.alone, self.taught = np.split(logits.argmax(-1), [n])

    def confusion_change(self, planned: pd.DataFrame, blur: int, at: tuple) -> NDArray:
        """Return the mean change in confusion [true, said], per cent, nearest to λ and T `at`."""
        own = planned[(planned["experiment"] == MAIN) & (planned["blur"] == blur)]
        runs = near(own, lam=at[0], temperature=at[1])["run"]
        before, after = (
            [confusion_matrix(y, said, labels=range(10), normalize="true")
             for y, said in zip(self.y[runs], answers)]
            for answers in (self.alone[runs], self.taught[runs.index])
        )  # fmt: skip
        return 100 * np.subtract(after, before).mean(axis=0)

    def columns(self, way: str, b: int, i: int) -> dict:
        """Return the columns of both tables that name a case."""
        return {
            "dataset": NAMES[str(self.sets[0].provenance["data"])], "kind": self.sets[0].kind,
            "teacher": "mnist", "student": "mnist_m", "condition": f"blur {self.blurs[b]:g}, {way}",
            "knob": self.blurs[b], "seed": self.seeds[i],
        }  # fmt: skip

    def result_rows(self, planned: pd.DataFrame) -> list[dict]:
        """Return the rows of the results table, in the order of the plan."""
        baseline = (self.alone == self.y).mean(axis=1)[planned["run"]]
        accuracy = (self.taught == self.y[planned["run"]]).mean(axis=1)
        ways = {
            MAIN: (MAIN, f"paired by {self.pairing}"),
            "class": (MAIN, "paired by class"),
            "shuffled": ("shuffled teacher", "shuffled"),
            "smoothing": ("label smoothing", ""),
        }
        rows = []
        for row, before, after in zip(planned.itertuples(), baseline, accuracy):
            experiment, way = ways[row.experiment]
            own = self.columns(way, row.blur, row.run)
            if row.experiment == "smoothing":
                own |= {"teacher": "none", "condition": experiment, "knob": 0.0}
            own |= {"experiment": experiment, "n_train": self.soft.shape[2], "lam": row.lam}
            own |= {"weight": teacher_share(row.lam), "temperature": row.temperature}
            rows.append(results.result(**own, metric="accuracy", baseline=before, distilled=after))
        return rows

    def verdict_rows(self, estimators: list[str], pairings: list[str], n_mi: int) -> list[dict]:
        """Return the verdicts on every teacher and pairing, from the first `n_mi` test rows."""
        partner, out = partners(self.sets, self.seeds, "test"), []
        for pairing, b, i in product(pairings, range(len(self.blurs)), range(len(self.seeds))):
            rows = (np.arange(self.y.shape[1]) if pairing == self.pairing else partner[i])[:n_mi]
            rivals: dict = {}  # they do not depend on the estimator: computed once
            for estimator in estimators:
                said = criterion.assess(
                    self.teacher_features[b, i][rows], self.student_features[i][:n_mi],
                    self.y[i][:n_mi], teacher_logits=self.teacher_logits[b, i][rows],
                    student_logits=self.student_logits[i][:n_mi], estimator=estimator,
                    rivals=not rivals, checks=False, seed=self.seeds[i],
                )  # fmt: skip
                rivals = rivals or said.rivals
                row = results.verdict(said, **self.columns(f"paired by {pairing}", b, i))
                out.append(row | rivals)
        return out
