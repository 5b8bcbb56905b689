"""Does the interval cover, does the verdict decide, and rightly? Tables, minutes to an hour.

    python tests/benchmarks/bench_criterion_calibration.py --trials 50 --estimators auto ksg

Populations with a known gap: jointly normal with continuous Y, and Gaussian classes with four
labels; each side rotated at random. Not collected by default.
"""

from __future__ import annotations

import argparse
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from record import write
from scipy.stats import binomtest, ortho_group

from cchkd_utils.criterion import assess
from cchkd_utils.mi.tasks import Representations

N = 2000


def rotate(a, rng):
    """Random rotation of the columns, so that no axis is special."""
    return a if a.shape[1] == 1 else a @ ortho_group.rvs(a.shape[1], random_state=rng)


def continuous(gap, d, rng, n=N):
    """Jointly normal H1, H2 `[n, d]` and Y `[n]`; I(H2;Y) in [.35, .7] nats."""
    label = rng.uniform(0.35, 0.7)
    r, q = (np.sqrt(1 - np.exp(-2 * v)) for v in (label, label + gap))
    h1, h2 = rng.standard_normal((2, n, d))
    h2[:, 0] = q * h1[:, 0] + np.sqrt(1 - q**2) * h2[:, 0]
    direction = rng.dirichlet(np.ones(2)) ** 0.5
    y = r * h2[:, :2] @ direction + np.sqrt(1 - r**2) * rng.standard_normal(n)
    return rotate(h1, rng), rotate(h2, rng), y, gap


def four_classes(gap, d, rng, n=N):
    """Gaussian classes in 1 + (d > 2) coordinates, a nuisance chosen to meet the gap."""
    m = 1 + (d > 2)
    means2 = rng.permutation([-1.5, -0.5, 0.5, 1.5])[:, None] * rng.uniform(0.9, 1.4)
    means2 = np.hstack([means2, rng.standard_normal((4, 1))])[:, :m]
    for scale in (1.2, 0.8, 0.5, 0.3, 0.1):
        means1 = scale * means2
        both, label = Representations(means1, means2, 1, 0.0, d).truth(rng, 100_000)
        if both - label < gap:
            break
    rho = np.sqrt(1 - np.exp(-2 * max(gap - both + label, 0.0)))
    z1, z2, y = Representations(means1, means2, 1, rho, d).latents(n, rng)
    noise = rng.standard_normal((2, n, d - m - 1))
    h1, h2 = (rotate(np.hstack(pair), rng) for pair in ((z1, noise[0]), (z2, noise[1])))
    return h1, h2, y, both - label - 0.5 * np.log1p(-(rho**2))


def markov(d, rng, n=N):
    """H1 - Y - H2 with four classes: the gap is at or just below zero."""
    means1 = rng.standard_normal((4, 2)) * rng.uniform(1.0, 6.0)
    means2 = rng.standard_normal((4, 2)) * rng.uniform(1.0, 3.0)
    both, label = Representations(means1, means2, 0, 0.0, d).truth(rng, 100_000)
    z1, z2, y = Representations(means1, means2, 0, 0.0, d).latents(n, rng)
    noise = rng.standard_normal((2, n, d - 2))
    h1, h2 = (rotate(np.hstack(pair), rng) for pair in ((z1, noise[0]), (z2, noise[1])))
    return h1, h2, y, both - label


def trial(sample, estimator, seed):
    """One population, one verdict, as a row of the table of trials."""
    h1, h2, y, gap = sample(np.random.default_rng(seed))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a verdict must not warn on clean data
        v = assess(h1, h2, y, estimator=estimator, seed=seed, rivals=False, bias_check=False)
    return {
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
    """Yield (part, labels, d, sampler) of every cell."""
    for part in [p for p in ("coverage", "power") if p in parts]:
        for d in [d for d in dims if part == "coverage" or d <= 16]:
            for labels, maker in (("continuous", continuous), ("4-class", four_classes)):
                yield part, labels, d, partial(_population, maker, d, part)
    if "markov" in parts:
        yield "markov", "4-class", 16, partial(markov, 16)


def _population(maker, d, part, rng):
    gap = rng.uniform(-0.3, 0.3) if part == "coverage" else 0.3 * rng.choice([-1, 1])
    return maker(gap, d, rng)


def main():
    """Print one line per cell; write the cells and their trials."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--markov-trials", type=int, default=100)
    parser.add_argument("--estimators", nargs="*", default=["auto"])
    parser.add_argument("--dims", type=int, nargs="*", default=[2, 16, 64])
    parser.add_argument("--parts", nargs="*", default=["coverage", "power", "markov"])
    parser.add_argument("--seed", type=int, default=0, help="first seed; each cell takes its own")
    parser.add_argument("--out", help="CSV of the cells; the trials go beside it")
    args = parser.parse_args()
    table, everything, seed = [], [], args.seed
    for part, labels, d, sample in cells(args.dims, args.parts):
        count = args.markov_trials if part == "markov" else args.trials
        for estimator in args.estimators:
            cell = {"part": part, "estimator": estimator, "labels": labels, "d": d, "n": N}
            got = [trial(sample, estimator, seed + i) for i in range(count)]
            table.append(cell | {"first_seed": seed} | summary(got))
            everything += [cell | row for row in got]
            print(*(f"{k}={v:.3f}" if isinstance(v, float) else f"{k}={v}"
                    for k, v in table[-1].items()), flush=True)  # fmt: skip
        seed += count
    write(table, args.out)
    write(everything, args.out and Path(args.out).with_stem(Path(args.out).stem + "_trials"))


if __name__ == "__main__":
    main()
