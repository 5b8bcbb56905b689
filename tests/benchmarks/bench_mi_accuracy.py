"""Error of an estimator on the forty tasks and on hidden layers. Tables, some minutes.

    python tests/benchmarks/bench_mi_accuracy.py --method auto --n 5000 --seed 1

Not collected by default.
"""

from __future__ import annotations

import argparse
import dataclasses
import warnings

import numpy as np

from cchkd_utils.mi import METHODS, estimate
from cchkd_utils.mi.tasks import beyond_normal, representations


def tasks_table(method, n, seed):
    """One line per task, then the summary."""
    errors, seconds = [], []
    for task in beyond_normal():
        x, y = task.sample(n, np.random.default_rng(seed))
        found = estimate(x, y, method)
        errors.append(found.nats - task.nats)
        seconds.append(found.seconds)
        line = f"{task.name:34s} {task.nats:6.3f} {found.nats:6.3f} {errors[-1]:+6.3f}"
        print(line, f"{found.seconds:5.1f} s", *found.notes, flush=True)
    size = np.abs(errors)
    print(f"{method} n={n}: mean |error| {size.mean():.3f}, worst {size.max():.3f}, "
          f"{np.mean(seconds):.1f} s a task\n")  # fmt: skip


def layers_table(method, n, seed, count):
    """I(H1;H2), I(H2;Y) and the sign of the gap, by width and kind of layer."""
    for relu in (True, False):
        for width in (64, 256):
            rows = [_layer(method, n, seed + i, width, relu) for i in range(count)]
            errors = np.abs([r[:2] for r in rows]).mean(0)
            signs = [r[2] for r in rows if r[2] is not None]
            kind = "ReLU" if relu else "linear"
            print(f"{method} n={n} {kind} layer, {width} units: mean |error|", end=" ")
            print(f"I(H1;H2) {errors[0]:.3f}, I(H2;Y) {errors[1]:.3f};", end=" ")
            print(f"sign right {sum(signs)}/{len(signs)} where |gap| >= .3", flush=True)


def _layer(method, n, seed, width, relu):
    family = dataclasses.replace(representations(seed, width), relu=relu)
    both, label = family.truth(np.random.default_rng(0), 100_000)
    h1, h2, y = family.sample(n, np.random.default_rng(seed))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # dead units
        a = estimate(h1, h2, method).nats
        b = estimate(h2, y, method, discrete_y=True).nats
    right = bool(np.sign(a - b) == np.sign(both - label)) if abs(both - label) >= 0.3 else None
    return a - both, b - label, right


def main():
    """Print both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--method", default="auto", choices=METHODS)
    parser.add_argument("--n", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--layers", type=int, default=10)
    args = parser.parse_args()
    tasks_table(args.method, args.n, args.seed)
    layers_table(args.method, args.n, args.seed, args.layers)


if __name__ == "__main__":
    main()
