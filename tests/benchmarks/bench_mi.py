"""Time ratios of the estimators against their peers, in one run: `pytest tests/benchmarks`.

Peers live in `.peers` (see peers.txt) and run in a subprocess; without it the tests skip.
"""

import json
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from cchkd_utils.mi import estimate

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / ".peers" / "bin" / "python"
LATENT_TRUTH = -np.log(1 - 0.64)

DRAW = """
import json, sys, time, warnings
import numpy as np
warnings.simplefilter("ignore")
n, d, seed = map(int, sys.argv[1:4])
rng = np.random.default_rng(seed)
x, y = rng.standard_normal((2, n, d))
y[:, :2] = 0.8 * x[:, :2] + 0.6 * y[:, :2]
"""
SKLEARN = """
from sklearn.feature_selection import mutual_info_regression as run
call = lambda: run(x, y[:, 0])[0]
"""
NPEET = """
from npeet.entropy_estimators import mi
call = lambda: mi(x, y, base=np.e)
"""
LATENTMI = """
import torch
from latentmi import lmi
def call():
    np.random.seed(seed); torch.manual_seed(seed)
    return float(np.nanmean(lmi.estimate(x, y)[0]) * np.log(2))
"""
REPORT = """
if "--warm" in sys.argv: call()
start = time.perf_counter(); nats = call()
print("\\n" + json.dumps({"nats": nats, "seconds": time.perf_counter() - start}))
"""


def draw(n, d, seed=0):
    """The rows that the peer draws too: two informative dimensions, 1.02 nats."""
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((2, n, d))
    y[:, :2] = 0.8 * x[:, :2] + 0.6 * y[:, :2]
    return x, y


def peer(body, n, d, seed=0, warm=True):
    """Nats and seconds of a peer, or a skip with the reason."""
    if not PEERS.exists():
        pytest.skip("no .peers environment: run `make bench`")
    command = [PEERS, "-c", DRAW + body + REPORT, str(n), str(d), str(seed)]
    done = subprocess.run(command + ["--warm"] * warm, capture_output=True, text=True, check=False)
    if "ModuleNotFoundError" in done.stderr:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


def ours(x, y, method, **options):
    """Nats and seconds after a warm-up call, which loads the libraries."""
    estimate(x[:200], y[:200], method, **options)
    start = time.perf_counter()
    found = estimate(x, y, method, **options)
    return {"nats": found.nats, "seconds": time.perf_counter() - start}


def test_ksg_against_scikit_learn():
    x, y = draw(10_000, 1)
    mine, theirs = ours(x, y, "ksg"), peer(SKLEARN, 10_000, 1)
    print(mine, theirs)
    assert mine["seconds"] <= theirs["seconds"]


def test_ksg_against_npeet():
    x, y = draw(10_000, 4)
    mine, theirs = ours(x, y, "ksg"), peer(NPEET, 10_000, 4)
    print(mine, theirs)
    assert mine["seconds"] <= theirs["seconds"]


def test_ksg_on_a_hundred_thousand_rows():
    assert ours(*draw(100_000, 2), "ksg")["seconds"] < 15


@pytest.mark.parametrize(("n", "d"), [(2000, 16), (10_000, 64)])
def test_lmi_against_latentmi(n, d):
    """At least 15 times faster, mean error over 3 seeds no larger."""
    mine, theirs = [], []
    for seed in range(3):
        theirs.append(peer(LATENTMI, n, d, seed, warm=False))
        mine.append(ours(*draw(n, d, seed), "lmi", seed=seed))
    print(mine, theirs)
    errors = [np.mean([abs(r["nats"] - LATENT_TRUTH) for r in rows]) for rows in (mine, theirs)]
    seconds = [np.mean([r["seconds"] for r in rows]) for rows in (mine, theirs)]
    assert errors[0] <= errors[1]
    assert seconds[1] >= 15 * seconds[0]


@pytest.mark.parametrize("method", ["auto", "ksg", "gaussian"])
def test_time_of_each_method(benchmark, method):
    x, y = draw(2000, 16)
    benchmark.pedantic(estimate, (x, y, method), rounds=2, warmup_rounds=1)
