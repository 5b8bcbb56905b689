"""Coverage of the interval of a gain over cross-validation folds, in simulated studies. Minutes.

    python tests/benchmarks/bench_gain_intervals.py --out book/results/gain_intervals.csv

A study draws a sample, splits it into folds several times, trains student and distilled student on
each training fold, and states one interval of the gain in accuracy. It should hold the mean gain,
on new units, of students trained on another sample as large as a training fold. Networks are
stood in for by ridge regression, on the inputs or on random hidden units. Not collected by default.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from record import write

from cchkd_utils.distill.crossfit import folds
from cchkd_utils.results.intervals import over_units, repeated_folds, t_interval, widened

FOLDS, FEATURES, SHARED = 5, 20, 3
FRESH_SAMPLES, FRESH_ROWS = 300, 20_000
RIDGE = 1.0


@dataclass(frozen=True)
class Cell:
    """A size, a population, a learner."""

    name: str
    n: int
    classes: int
    units: int  # equal to n: each row is its own
    hidden: int  # random units; 0: the inputs
    weight: float  # of the teacher's soft label
    teacher: float  # distance of the classes
    student: float


SIZES = [("LIHC", 144, 3, 144), ("KIPAN", 554, 3, 554), ("BRCA", 620, 5, 620), ("MOSI", 752, 2, 31)]
CELLS = [
    Cell(*size, hidden, weight, *apart)
    for size in SIZES
    for hidden in (0, 100)
    for weight, apart in ((0.3, (3.0, 1.5)), (0.8, (1.5, 2.5)))
]


class Population:
    """Classes with normal features in two modalities and shared nuisance; units have their own."""

    def __init__(self, cell, seed=7):
        rng = np.random.default_rng(seed)
        shape = cell.classes, FEATURES
        apart = np.array([cell.teacher, cell.student])[:, None, None] / np.sqrt(FEATURES)
        self.means = rng.normal(size=(2, *shape)) * apart
        self.loadings = 0.7 * rng.normal(size=(2, SHARED, FEATURES))
        self.prior = rng.dirichlet(np.full(cell.classes, 3.0))
        self.alone = cell.units == cell.n

    def draw(self, n, units, rng):
        """Features of teacher and student `[2, n, p]`, classes `[n]`, units `[n]`."""
        unit = np.arange(n) if self.alone else np.sort(rng.integers(units, size=n))
        leaning = 0.0 if self.alone else rng.normal(size=(units, len(self.prior)))[unit]
        chance = np.log(self.prior) + leaning + rng.gumbel(size=(n, len(self.prior)))
        y, shared = chance.argmax(1), rng.normal(size=(n, SHARED))
        x = self.means[:, y] + shared @ self.loadings + rng.normal(size=(2, n, FEATURES))
        if not self.alone:
            x += 0.5 * rng.normal(size=(2, units, FEATURES))[:, unit]
        return x, y, unit


def gains(cell, x, y, train, rng):
    """Scores `[f, n, k]` of students alone and distilled, trained on rows `[f, m]`."""
    if cell.hidden:
        layer = rng.normal(size=(FEATURES, cell.hidden)) / np.sqrt(FEATURES)
        x = np.maximum(x @ layer, 0.0)
    x = np.concatenate([x, np.ones((*x.shape[:2], 1))], axis=-1)
    hard = np.eye(cell.classes)[y]
    soft = np.exp(2.0 * _fitted(x[0], hard[train], train))
    soft /= soft.sum(axis=-1, keepdims=True)
    soft = np.take_along_axis(soft, train[:, :, None], axis=1)
    mixed = (1 - cell.weight) * hard[train] + cell.weight * soft
    return _fitted(x[1], hard[train], train), _fitted(x[1], mixed, train)


def _fitted(x, targets, train):
    own = x[train]
    gram = np.swapaxes(own, 1, 2) @ own + RIDGE * np.eye(x.shape[-1])
    return x @ np.linalg.solve(gram, np.swapaxes(own, 1, 2) @ targets)


def study(cell, population, repeats, rng):
    """The gain in accuracy, and both intervals, of one study."""
    x, y, unit = population.draw(cell.n, cell.units, rng)
    held, moved, by_fold = [], [], []
    for _ in range(repeats):
        seed, groups = int(rng.integers(2**31)), None if population.alone else unit
        train, test = folds(y, FOLDS, seed=seed, groups=groups)
        size = min(map(len, train))
        train = np.stack([rows[:size] for rows in train])
        for before, after, rows in zip(*gains(cell, x, y, train, rng), test):
            right = [(z[rows].argmax(-1) == y[rows]).astype(float) for z in (before, after)]
            change = right[1] - right[0]
            moved.append(change - change.mean())  # a row's influence on the gain in accuracy
            by_fold.append(change.mean())
            held.append(rows)
    stderr, n = over_units(moved, held, unit, by_fold, np.repeat(np.arange(repeats), FOLDS))
    return t_interval(np.mean(by_fold), widened(stderr, n), n - 1), repeated_folds(
        by_fold, 1 / FOLDS
    )


def truth(cell, population, rng):
    """Mean gain over fresh samples, each judged on new units, and its standard error."""
    n, units = cell.n * (FOLDS - 1) // FOLDS, cell.units * (FOLDS - 1) // FOLDS
    values = []
    for _ in range(FRESH_SAMPLES):
        x_new, y_new, _ = population.draw(FRESH_ROWS, FRESH_ROWS * cell.units // cell.n, rng)
        x, y, _ = population.draw(n, n if population.alone else units, rng)
        both = np.concatenate([x, x_new], axis=1)
        before, after = gains(cell, both, np.concatenate([y, y_new]), np.arange(n)[None], rng)
        right = [(z[0, n:].argmax(-1) == y_new).mean() for z in (before, after)]
        values.append(right[1] - right[0])
    return np.mean(values), np.std(values) / np.sqrt(FRESH_SAMPLES)


def main():
    """Print and write a row for each cell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--studies", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--out", help="CSV of the coverage")
    args = parser.parse_args()
    table = []
    for number, cell in enumerate(CELLS):
        rng = np.random.default_rng([args.seed, number])
        population = Population(cell)
        known, error = truth(cell, population, rng)
        ends = np.array([study(cell, population, args.repeats, rng) for _ in range(args.studies)])
        low, high = ends[:, :, 1], ends[:, :, 2]
        inside = ((low <= known) & (known <= high)).mean(axis=0)
        width = (high - low).mean(axis=0) / 2
        numbers = {"truth": known, "truth_stderr": error, "mean": ends[:, 0, 0].mean()}
        for i, kind in enumerate(("units", "folds")):
            numbers |= {f"{kind}_covers": inside[i], f"{kind}_half_width": width[i]}
        sizes = {"studies": args.studies, "repeats": args.repeats, "seed": args.seed}
        table.append(asdict(cell) | sizes | {k: round(float(v), 5) for k, v in numbers.items()})
        print(table[-1], flush=True)
        write(table, args.out)
    print(pd.DataFrame(table)[["name", "hidden", "units_covers", "folds_covers"]].to_string())


if __name__ == "__main__":
    main()
