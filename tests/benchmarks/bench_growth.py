"""Time and memory of a verdict against the number of rows: 64 units, ten classes. Minutes.

Each in a process of its own, whose peak memory counts the interpreter and the data. The median of
three, and one measurement of a million rows.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from record import timed

from cchkd_utils.criterion import assess
from cchkd_utils.mi.tasks import Representations

UNITS, CLASSES = 64, 10
MOST_SECONDS, MOST_MB = 60, 4000  # at 100 000 rows, on two cores


def measure(rows: int) -> dict:
    """Seconds and peak megabytes of one verdict with its defaults."""
    rng = np.random.default_rng(0)
    means = 2.0 * rng.standard_normal((2, CLASSES, 3))
    z1, z2, y = Representations(*means, 2, 0.7).latents(rows, rng)
    h1, h2 = (np.hstack([z, rng.standard_normal((rows, UNITS - z.shape[1]))]) for z in (z1, z2))
    verdict = assess(h1, h2, y)
    return {"seconds": verdict.seconds, "mb": peak()}


def peak() -> float:
    """Peak megabytes of this process; `ru_maxrss` would count those of its parent as well."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


@pytest.mark.parametrize(("rows", "repeats"), [(10**3, 3), (10**4, 3), (10**5, 3), (10**6, 1)])
def test_growth(rows, repeats):
    for repeat in range(repeats):
        command = [sys.executable, __file__, str(rows)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        took = json.loads(done.stdout.splitlines()[-1])
        timed("growth", "a verdict", "", took["seconds"], None, n=rows, d=UNITS, repeat=repeat,
              mb=took["mb"])  # fmt: skip
        print(f"\n{rows} rows: {took['seconds']:.1f} s, {took['mb']:.0f} MB", flush=True)
        if rows <= 10**5:
            assert took["seconds"] < MOST_SECONDS and took["mb"] < MOST_MB


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
