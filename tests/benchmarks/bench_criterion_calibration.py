"""Does the interval cover, does the verdict decide, and rightly? Tables, minutes to an hour.

    python tests/benchmarks/bench_criterion_calibration.py --trials 50 --estimators auto ksg

Populations with a known gap (`sections.estimators.populations`), their constructions in turn. Not
collected by default.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from random_tasks import markov
from record import write
from scipy.stats import binomtest

from cchkd_utils.criterion import assess
from cchkd_utils.sections.estimators.populations import LAYERS, POPULATIONS, UNITS

N = 2000


def trial(population, part, d, n, estimator, seed):
    """One population, one verdict, as a row of the table of trials."""
    rng = np.random.default_rng(seed)
    if part == "markov":
        h1, h2, y, gap = population(d, n, rng)
    else:
        wanted = rng.uniform(-0.3, 0.3) if part == "coverage" else 0.3 * rng.choice([-1, 1])
        h1, h2, y, gap = population(wanted, d, n, rng)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a verdict must not warn on clean data
        warnings.filterwarnings("ignore", ".*constant columns")  # but units may be dead
        v = assess(
            h1, h2, y, estimator=estimator, seed=seed, rivals=False, checks=part != "coverage"
        )
    return {
        "population": population.__name__,
        "seed": seed,
        "true_gap_nats": gap,
        "gap_nats": v.gap,
        "stderr_nats": v.stderr,
        "gap_lo_nats": v.ci[0],
        "gap_hi_nats": v.ci[1],
        "p_wrong": v.p_wrong,
        "decision": v.decision,
        "seconds": v.seconds,
    }


def summary(trials) -> dict:
    """Coverage with its 95 % binomial interval, bias, signs and decisions of a cell."""
    t = pd.DataFrame(trials)
    error = t.gap_nats - t.true_gap_nats
    hits = (t.gap_lo_nats <= t.true_gap_nats) & (t.true_gap_nats <= t.gap_hi_nats)
    called = t[t.decision != "undecided"]
    right = np.sign(called.true_gap_nats) == np.where(called.decision == "distil", 1, -1)
    interval = binomtest(int(hits.sum()), len(t)).proportion_ci()
    return {
        "trials": len(t),
        "coverage": hits.mean(),
        "coverage_lo": interval.low,
        "coverage_hi": interval.high,
        "bias_nats": error.mean(),
        "error_sd_nats": error.std(),
        "stderr_nats": t.stderr_nats.mean(),
        "wrong_sign_found": (np.sign(t.gap_nats) != np.sign(t.true_gap_nats)).mean(),
        "wrong_sign_said": t.p_wrong.mean(),
        "decided": len(called),
        "decided_rightly": int(right.sum()),
        "distil": int((t.decision == "distil").sum()),
        "seconds": t.seconds.mean(),
    }


def cells(dims, parts):
    """Yield (part, labels, d, populations) of every cell."""
    for part in [p for p in ("coverage", "power") if p in parts]:
        for d in [d for d in dims if part == "coverage" or d <= 16]:
            for labels, populations in POPULATIONS.items():
                yield part, labels, d, populations
    if "layers" in parts:
        for labels, populations in LAYERS.items():
            yield "coverage", labels, UNITS, populations
    if "markov" in parts:
        yield "markov", "4-class", 16, (markov,)


def trials_file(out) -> Path:
    """Where the single trials go, beside the table of cells."""
    return Path(out).with_stem(Path(out).stem + "_trials")


def main():
    """Print one line per cell; write the cells and their trials."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--markov-trials", type=int, default=100)
    parser.add_argument("--estimators", nargs="*", default=["auto"])
    parser.add_argument("--dims", type=int, nargs="*", default=[2, 16, 64])
    parser.add_argument("--parts", nargs="*", default=["coverage", "layers", "power", "markov"])
    parser.add_argument("--rows", type=int, default=N)
    parser.add_argument("--seed", type=int, default=0, help="first seed; each cell takes its own")
    parser.add_argument("--out", help="CSV of the cells; the trials go beside it")
    args = parser.parse_args()
    table, everything, seed = [], [], args.seed
    for part, labels, d, populations in cells(args.dims, args.parts):
        count = args.markov_trials if part == "markov" else args.trials
        for estimator in args.estimators:
            cell = {"part": part, "estimator": estimator, "labels": labels, "d": d, "n": args.rows}
            got = [
                trial(populations[i % len(populations)], part, d, args.rows, estimator, seed + i)
                for i in range(count)
            ]
            table.append(cell | {"first_seed": seed} | summary(got))
            everything += [cell | row for row in got]
            print(*(f"{k}={v:.3f}" if isinstance(v, float) else f"{k}={v}"
                    for k, v in table[-1].items()), flush=True)  # fmt: skip
            write(table, args.out)
            write(everything, args.out and trials_file(args.out))
        seed += count


if __name__ == "__main__":
    main()
