"""How often each check of a verdict speaks up, on clean and on spoilt rows. Half an hour.

    python tests/benchmarks/bench_checks.py --out book/results/checks.csv

Populations of `sections.estimators.populations`, their constructions in turn. Not collected by
default.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
import pandas as pd
from record import write

from cchkd_utils.criterion import assess
from cchkd_utils.sections.estimators.populations import LAYERS, POPULATIONS, UNITS

CLEAN = {  # populations, dimensions or units, rows, share of the trials
    "clean, 2 dimensions, classes": (POPULATIONS["4-class"], 2, 2000),
    "clean, 2 dimensions, targets": (POPULATIONS["continuous"], 2, 2000),
    "clean, 16 dimensions, classes": (POPULATIONS["4-class"], 16, 2000),
    "clean, hidden layers, classes": (LAYERS["hidden layers, class"], UNITS, 500),
}
SPOILT = POPULATIONS["4-class"], 16, 2000


def one_wild_cell(h1, h2, y, rng):
    """One value of the teacher is 6e4."""
    h1[rng.integers(len(h1)), 0] = 6e4
    return h1, h2, y


def wild_cells(h1, h2, y, rng):
    """One in a hundred of all cells is up to 1e6."""
    for h in (h1, h2):
        hit = rng.random(h.shape) < 0.01
        h[hit] = rng.uniform(-1e6, 1e6, hit.sum())
    return h1, h2, y


def heavy_tails(h1, h2, y, rng):
    """Every unit is the exponential of four times its value."""
    return np.exp(4 * h1), np.exp(4 * h2), y


def missing_modality(h1, h2, y, rng):
    """Three in ten rows of both sides are zero."""
    gone = rng.random(len(y)) < 0.3
    h1[gone], h2[gone] = 0.0, 0.0
    return h1, h2, y


def saved_twice(h1, h2, y, rng):
    """Half the rows are copies of the others."""
    rows = np.repeat(np.arange(len(y) // 2), 2)
    return h1[rows], h2[rows], y[rows]


def few_rows(h1, h2, y, rng):
    """One in twenty rows is left."""
    return h1[::20], h2[::20], y[::20]


def scaled_unit(h1, h2, y, rng):
    """One unit of the teacher is thirty times its size: nothing to speak up about."""
    h1[:, 0] *= 30.0
    return h1, h2, y


KINDS = [one_wild_cell, wild_cells, heavy_tails, missing_modality, saved_twice, few_rows]
KINDS += [scaled_unit]


def verdicts(population, d, n, trials, seed, estimator, spoil=None):
    """Yield the checks of each trial."""
    for i in range(trials):
        rng = np.random.default_rng(seed + i)
        wanted = rng.uniform(-0.3, 0.3)
        h1, h2, y, _ = population[i % len(population)](wanted, d, n, rng)
        if spoil is not None:
            h1, h2, y = spoil(h1.copy(), h2.copy(), y.copy(), rng)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*constant columns")
            yield assess(h1, h2, y, estimator=estimator, seed=seed + i, rivals=False)


def rates(judged) -> list[dict]:
    """Rows of the table: how many verdicts fail a check, and how many it makes undecided."""
    every = [(c.name, not c.passed, c.reverses, c.value) for v in judged for c in v.checks]
    table = pd.DataFrame(every, columns=["check", "failed", "reverses", "value"])
    names = table["check"].unique()
    counted = {"failed": "sum", "reverses": "sum", "value": "count"}
    table = table.groupby("check").agg(counted).rename(columns={"value": "measured"})
    rows = table.reindex(names).reset_index().to_dict("records")
    failed = [any(not c.passed for c in v.checks) for v in judged]
    turned = [any(c.reverses for c in v.checks) for v in judged]
    either = {"failed": sum(failed), "reverses": sum(turned), "measured": len(judged)}
    return [*rows, {"check": "any"} | either]


def main():
    """Print and write a row for each kind of data and check."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--spoilt-trials", type=int, default=30)
    parser.add_argument("--estimator", default="auto")
    parser.add_argument("--seed", type=int, default=45_000_000)
    parser.add_argument("--out", help="CSV of the rates")
    args = parser.parse_args()
    cells = [(name, *cell, args.trials, None) for name, cell in CLEAN.items()]
    cells += [(k.__doc__, *SPOILT, args.spoilt_trials, k) for k in KINDS]
    table, seed = [], args.seed
    for name, population, d, n, trials, spoil in cells:
        judged = list(verdicts(population, d, n, trials, seed, args.estimator, spoil))
        cell = {"data": name, "estimator": args.estimator, "d": d, "n": judged[0].n}
        table += [cell | {"trials": trials, "first_seed": seed} | row for row in rates(judged)]
        print(
            name,
            {row["check"]: (row["failed"], row["reverses"]) for row in rates(judged)},
            flush=True,
        )
        write(table, args.out)
        seed += trials


if __name__ == "__main__":
    main()
