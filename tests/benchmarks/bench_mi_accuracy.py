"""Error of an estimator on tasks with known information and on hidden layers. Minutes.

    python tests/benchmarks/bench_mi_accuracy.py --methods auto --n 5000 --seeds 1 2

Three parts: the forty tasks of Czyż et al. (2023); as many random members of the same families,
and random hidden layers, other ones for each seed. Not collected by default.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
import pandas as pd
from random_tasks import varied, varied_layers
from record import write

from cchkd_utils.mi import METHODS, estimate
from cchkd_utils.mi.tasks import beyond_normal
from cchkd_utils.sections.estimators.study import accuracy, signs_of_layers


def tasks_table(part, tasks, method, n, seed):
    """Rows of the tasks, one line each."""
    rows = []
    for i, task in enumerate(tasks):
        x, y = task.sample(n, np.random.default_rng([seed, i]))
        information = estimate(x, y, method)
        rows.append(_row(part, task.name, "I(X;Y)", method, n, seed, task.nats, information))
        nats = f"{task.nats:6.3f} {information.nats:6.3f} {rows[-1]['error_nats']:+6.3f}"
        print(
            f"{task.name:34s} {nats} {information.seconds:5.1f} s", *information.notes, flush=True
        )
    return rows


def layers_table(method, n, seed, count):
    """Rows of I(H1;H2) and I(H2;Y) of `count` layers of each width."""
    return [
        row
        for width in (64, 256)
        for i in range(count)
        for row in _layer(method, n, 100 * seed + i, width)
    ]


def _layer(method, n, seed, width):
    family = varied_layers(seed, width)
    both, label = family.truth(np.random.default_rng(0), 100_000)
    h1, h2, y = family.sample(n, np.random.default_rng(seed))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # dead units
        a = estimate(h1, h2, method)
        b = estimate(h2, y, method, discrete_y=True)
    name = f"{'ReLU' if family.relu else 'linear'}, {width} units, depth {family.depth}"
    print(f"{name:34s} {both:6.3f} {a.nats:6.3f} {label:6.3f} {b.nats:6.3f}", *a.notes, flush=True)
    return [
        _row("hidden layers", name, "I(H1;H2)", method, n, seed, both, a),
        _row("hidden layers", name, "I(H2;Y)", method, n, seed, label, b),
    ]


def _row(part, name, quantity, method, n, seed, truth, information):
    return {
        "part": part,
        "name": name,
        "quantity": quantity,
        "method": method,
        "n": n,
        "seed": seed,
        "truth_nats": truth,
        "estimate_nats": information.nats,
        "error_nats": information.nats - truth,
        "stderr_nats": information.stderr,
        "seconds": information.seconds,
    }


def summarise(rows):
    """Print mean and worst error, and the signs of the gaps of at least .3 nats."""
    table = pd.DataFrame(rows)
    print(accuracy(table).round(3).to_string())
    right, clear = signs_of_layers(table)
    print(f"sign right in {right} of {clear} layers with |gap| >= .3", flush=True)


def main():
    """Print and write the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--methods", nargs="*", default=["auto"], choices=METHODS)
    parser.add_argument("--n", type=int, nargs="*", default=[5000])
    parser.add_argument("--seeds", type=int, nargs="*", default=[1])
    parser.add_argument("--tasks", type=int, default=40, help="of the random ones, per seed")
    parser.add_argument("--layers", type=int, default=10, help="of each width, per seed")
    parser.add_argument("--out", help="CSV of all rows")
    args = parser.parse_args()
    rows = []
    for method in args.methods:
        for n in args.n:
            for seed in args.seeds:
                rows += tasks_table("the forty tasks", beyond_normal(), method, n, seed)
                more = varied(seed, args.tasks)
                rows += tasks_table("other members of the families", more, method, n, seed)
                rows += layers_table(method, n, seed, args.layers)
                write(rows, args.out)
    summarise(rows)


if __name__ == "__main__":
    main()
