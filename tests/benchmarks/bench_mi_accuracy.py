"""Error of an estimator on the forty tasks and on hidden layers. Tables, some minutes.

    python tests/benchmarks/bench_mi_accuracy.py --methods auto --n 5000 --seeds 1 2

Not collected by default.
"""

from __future__ import annotations

import argparse
import dataclasses
import warnings

import numpy as np
import pandas as pd
from record import write

from cchkd_utils.mi import METHODS, estimate
from cchkd_utils.mi.tasks import beyond_normal, representations


def tasks_table(method, n, seed):
    """Rows of the forty tasks, one line each."""
    rows = []
    for task in beyond_normal():
        x, y = task.sample(n, np.random.default_rng(seed))
        found = estimate(x, y, method)
        rows.append(_row("task", task.name, "I(X;Y)", method, n, seed, task.nats, found))
        print(f"{task.name:34s} {task.nats:6.3f} {found.nats:6.3f} {rows[-1]['error_nats']:+6.3f}",
              f"{found.seconds:5.1f} s", *found.notes, flush=True)  # fmt: skip
    return rows


def layers_table(method, n, seed, count):
    """Rows of I(H1;H2) and I(H2;Y), by width and kind of layer."""
    rows = []
    for relu in (True, False):
        for width in (64, 256):
            for i in range(count):
                rows += _layer(method, n, seed + i, width, relu)
    return rows


def _layer(method, n, seed, width, relu):
    family = dataclasses.replace(representations(seed, width), relu=relu)
    both, label = family.truth(np.random.default_rng(0), 100_000)
    h1, h2, y = family.sample(n, np.random.default_rng(seed))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # dead units
        a = estimate(h1, h2, method)
        b = estimate(h2, y, method, discrete_y=True)
    name = f"{'ReLU' if relu else 'linear'} layer, {width} units"
    return [
        _row("layer", name, "I(H1;H2)", method, n, seed, both, a),
        _row("layer", name, "I(H2;Y)", method, n, seed, label, b),
    ]


def _row(family, name, quantity, method, n, seed, truth, found):
    return {
        "family": family,
        "name": name,
        "quantity": quantity,
        "method": method,
        "n": n,
        "seed": seed,
        "truth_nats": truth,
        "estimate_nats": found.nats,
        "error_nats": found.nats - truth,
        "stderr_nats": found.stderr,
        "seconds": found.seconds,
    }


def summarise(rows):
    """Print mean and worst error, and the signs of the gaps of at least .3 nats."""
    t = pd.DataFrame(rows).assign(size=lambda t: t.error_nats.abs())
    for family, names in (("task", ["method", "n", "seed"]), ("layer", ["method", "n", "name"])):
        part = t[t.family == family]
        groups = part.groupby([*names, "quantity"])
        print(groups.agg({"size": ["mean", "max"], "error_nats": "mean", "seconds": "mean"}))
    if not (t.family == "layer").any():
        return
    layers = t[t.family == "layer"].pivot_table(
        index=["method", "name", "seed"],
        columns="quantity",
        values=["truth_nats", "estimate_nats"],
    )
    gap = layers.xs("I(H1;H2)", axis=1, level=1) - layers.xs("I(H2;Y)", axis=1, level=1)
    clear = gap[gap.truth_nats.abs() >= 0.3]
    right = np.sign(clear.truth_nats) == np.sign(clear.estimate_nats)
    print(f"sign right in {right.sum()} of {len(right)} layers with |gap| >= .3", flush=True)


def main():
    """Print and write both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--methods", nargs="*", default=["auto"], choices=METHODS)
    parser.add_argument("--n", type=int, nargs="*", default=[5000])
    parser.add_argument("--seeds", type=int, nargs="*", default=[1])
    parser.add_argument("--layers", type=int, default=10, help="of each kind, per size")
    parser.add_argument("--out", help="CSV of all rows")
    args = parser.parse_args()
    rows = []
    for method in args.methods:
        for n in args.n:
            for seed in args.seeds:
                rows += tasks_table(method, n, seed)
            rows += layers_table(method, n, args.seeds[0], args.layers)
            write(rows, args.out)
    summarise(rows)


if __name__ == "__main__":
    main()
