"""Throughput of a sweep: one worker against two, and what a point costs beyond its own work.

Run with ``pytest -o addopts="" -s tests/benchmarks/bench_sweep.py``: 16 points of 01 at preset
smoke for each number of workers, three times. The overhead of a point is the time a worker spends
on it less the time its cells compute; the imports of the cells count as overhead, and so does a
worker's first point, for which the libraries are imported.
"""

import json
import os
import re
import time

import numpy as np
import pytest
from record import timed

from cchkd_utils import runner

POINTS = int(os.environ.get("CCHKD_BENCH_POINTS", 16))
REPEATS = 3
IMPORT = re.compile(r"^(import|from) ", flags=re.MULTILINE)


def computing(run):
    """Return the seconds that a run's cells computed, cells of imports apart."""
    cells = json.loads(run.notebook.read_text())["cells"]
    timed = [c for c in cells if c["metadata"].get("papermill", {}).get("duration")]
    own = [c for c in timed if not IMPORT.search("".join(c["source"]))]
    return sum(cell["metadata"]["papermill"]["duration"] for cell in own)


def timed_sweep(folder, workers):
    """Sweep, and return the wall time, the time of steady work and each point's overhead."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CCHKD_RUNS", str(folder))
        plans = runner.plan_sweep("01", {"seed": f"0..{POINTS - 1}"}, preset="smoke")
        start, ends, work = time.monotonic(), [], []
        for _, run in runner.run_many(plans, workers=workers):
            assert not isinstance(run, runner.RunError), run
            ends.append(time.monotonic() - start)
            work.append(computing(run))
        wall = time.monotonic() - start
    # Worker time that no cell computed: start-up of the cluster and all imports are in it.
    overhead = (workers * wall - sum(work)) / len(work)
    warm = workers * (ends[-1] - ends[workers - 1]) - sum(work[workers:])
    return wall, overhead, warm / len(work[workers:])


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="the target is for two cores")
def test_two_workers_against_one(tmp_path, record_property):
    taken = {
        workers: [timed_sweep(tmp_path / f"{workers}-{i}", workers) for i in range(REPEATS)]
        for workers in (1, 2)
    }
    figures = {}
    for workers, sweeps in taken.items():
        wall, overhead, warm = np.median(sweeps, axis=0)
        figures[f"{workers}: wall, s"] = wall
        figures[f"{workers}: overhead of a point, all counted, s"] = overhead
        figures[f"{workers}: overhead of a point, warm, s"] = warm
    walls = {workers: [sweep[0] for sweep in sweeps] for workers, sweeps in taken.items()}
    for repeat, (alone, together) in enumerate(zip(walls[1], walls[2], strict=True)):
        timed("sweep", "2 workers", "1 worker", together, alone, n=POINTS, repeat=repeat)
    ratio = figures["throughput of 2 over 1"] = figures["1: wall, s"] / figures["2: wall, s"]
    for name, value in figures.items():
        record_property(name, round(value, 2))
        print(f"{name}: {value:.2f}")
    assert ratio >= 1.8
    assert figures["1: overhead of a point, warm, s"] <= 1.5
