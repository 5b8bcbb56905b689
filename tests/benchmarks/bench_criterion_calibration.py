"""Does the interval cover, does the verdict decide, and rightly? Tables, minutes to an hour.

    python tests/benchmarks/bench_criterion_calibration.py --trials 50 --estimator auto

Populations with a known gap: jointly normal with continuous Y, and Gaussian classes with four
labels; each side rotated at random. Not collected by default.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
from scipy.stats import ortho_group

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
    """One population, one verdict: (true gap, verdict)."""
    h1, h2, y, gap = sample(np.random.default_rng(seed))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return gap, assess(
            h1, h2, y, estimator=estimator, seed=seed, rivals=False, bias_check=False
        )


def summary(results) -> str:
    """Coverage, bias and decisions of a cell."""
    gap = np.array([g for g, _ in results])
    est, se = (np.array([getattr(v, f) for _, v in results]) for f in ("gap", "stderr"))
    covered = np.mean([v.ci[0] <= g <= v.ci[1] for g, v in results])
    wrong = np.mean(np.sign(est) != np.sign(gap))
    said = np.mean([v.p_wrong for _, v in results])
    decided = [
        np.sign(g) == (1 if v.decision == "distil" else -1)
        for g, v in results
        if v.decision != "undecided"
    ]
    right = f"{np.mean(decided):.2f}" if decided else " -- "
    distil = sum(v.decision == "distil" for _, v in results)
    seconds = np.mean([v.seconds for _, v in results])
    return (
        f"coverage {covered:.2f}  bias {np.mean(est - gap):+.3f}  rmse {np.std(est - gap):.3f}  "
        f"se {se.mean():.3f}  wrong sign {wrong:.2f} (said {said:.2f})  "
        f"decided {len(decided)}/{len(results)}, right {right}  distil {distil}  {seconds:.1f} s"
    )


def main():
    """Print one line per cell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--estimator", default="auto")
    parser.add_argument("--dims", type=int, nargs="*", default=[2, 16, 64])
    parser.add_argument("--parts", nargs="*", default=["coverage", "power", "markov"])
    args = parser.parse_args()
    for d in args.dims:
        for name, maker in (("continuous", continuous), ("4-class", four_classes)):
            cells = {
                "coverage": lambda rng, f=maker, d=d: f(rng.uniform(-0.3, 0.3), d, rng),
                "power": lambda rng, f=maker, d=d: f(0.3 * rng.choice([-1, 1]), d, rng),
            }
            for part in [p for p in cells if p in args.parts]:
                got = [trial(cells[part], args.estimator, s) for s in range(args.trials)]
                print(f"{args.estimator} d={d:<3d}{name:11s}{part:9s} {summary(got)}", flush=True)
    if "markov" in args.parts:
        got = [trial(lambda rng: markov(16, rng), args.estimator, s) for s in range(args.trials)]
        print(f"{args.estimator} d=16 markov pairs       {summary(got)}", flush=True)


if __name__ == "__main__":
    main()
