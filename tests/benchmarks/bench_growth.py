"""Time and memory of a verdict against the number of rows: 64 units, ten classes. Minutes.

    python tests/benchmarks/bench_growth.py --rows 1000 10000 100000 1000000 --out growth.csv

Each number of rows in a process of its own, whose peak memory counts the interpreter and the data.
Not collected by default.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys

import numpy as np
from record import write

from cchkd_utils.criterion import assess
from cchkd_utils.mi.tasks import Representations

UNITS, CLASSES = 64, 10


def measure(rows: int) -> dict:
    """Seconds and peak megabytes of one verdict with its defaults."""
    rng = np.random.default_rng(0)
    means = 2.0 * rng.standard_normal((2, CLASSES, 3))
    z1, z2, y = Representations(*means, 2, 0.7).latents(rows, rng)
    h1, h2 = (np.hstack([z, rng.standard_normal((rows, UNITS - z.shape[1]))]) for z in (z1, z2))
    verdict = assess(h1, h2, y)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"n": rows, "d": UNITS, "classes": CLASSES, "seconds": verdict.seconds, "mb": peak}


def main():
    """Print a line per number of rows; write the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, nargs="*", default=[1000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--out", help="CSV")
    parser.add_argument("--single", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.single:
        print(json.dumps(measure(args.single)))
        return
    table = []
    for rows in args.rows:
        command = [sys.executable, __file__, "--single", str(rows)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        table.append(json.loads(done.stdout.splitlines()[-1]))
        print(*(f"{key}={value:.3g}" for key, value in table[-1].items()), flush=True)
        write(table, args.out)


if __name__ == "__main__":
    main()
