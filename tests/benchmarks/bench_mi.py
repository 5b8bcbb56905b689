"""Time ratios of the estimators against their peers, in one run: `pytest tests/benchmarks`.

Peers live in `.peers` (see peers.txt) and run in a subprocess; without it the tests skip. NEURALMI
names a checkout of NeuralMI 1.0, which is on no index
(eslam-abdelaleem/NeuralMI on GitHub). BENCH_OUT names the CSV file that records all.
"""

import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from record import timed

from cchkd_utils.criterion import assess
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
from sklearn.feature_selection import mutual_info_regression
call = lambda x, y: mutual_info_regression(x, y[:, 0])[0]
"""
NPEET = """
from npeet_plus import mi
call = lambda x, y: float(mi(x, y, base=np.e))
"""
LATENTMI = """
import torch
from latentmi import lmi
def call(x, y):
    np.random.seed(seed); torch.manual_seed(seed)
    return float(np.nanmean(lmi.estimate(x, y)[0]) * np.log(2))
"""
NEURALMI = """
import neural_mi as nmi
def call(x, y):
    options = {"split": nmi.Split(mode="random"), "output": nmi.Output(units="nats")}
    return float(nmi.run(x, y, mode="estimate", seed=seed, verbose=False, **options).mi_estimate)
"""
REPORT = """
call(x[:200], y[:200])
start = time.perf_counter(); nats = call(x, y)
print("\\n" + json.dumps({"nats": nats, "seconds": time.perf_counter() - start}))
"""


def draw(n, d, seed=0):
    """The rows that the peer draws too: two informative dimensions, 1.02 nats."""
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((2, n, d))
    y[:, :2] = 0.8 * x[:, :2] + 0.6 * y[:, :2]
    return x, y


def peer(body, n, d, seed=0):
    """Nats and seconds of a peer after a warm-up call, or a skip where no peer is installed."""
    if not PEERS.exists():
        pytest.skip("no .peers environment: run `make bench`")
    command = [PEERS, "-c", DRAW + body + REPORT, str(n), str(d), str(seed)]
    environment = os.environ | {"PYTHONPATH": os.environ.get("NEURALMI", "")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


def ours(x, y, method, **options):
    """Nats and seconds after a warm-up call, which loads the libraries."""
    estimate(x[:200], y[:200], method, **options)
    start = time.perf_counter()
    information = estimate(x, y, method, **options)
    return {"nats": information.nats, "seconds": time.perf_counter() - start}


def compare(name, mine, theirs):
    """Print a line, record; return the peer's time over ours and the two mean errors."""
    errors = [np.mean([abs(r["nats"] - r["truth"]) for r in rows]) for rows in (mine, theirs)]
    seconds = [np.mean([r["seconds"] for r in rows]) for rows in (mine, theirs)]
    ratio = seconds[1] / seconds[0]
    nats = [" ".join(f"{r['nats']:.3f}" for r in rows) for rows in (mine, theirs)]
    print(f"\n{name}: ours {seconds[0]:.2f} s ({nats[0]} nats), peer {seconds[1]:.2f} s "
          f"({nats[1]} nats), {ratio:.1f} times faster", flush=True)  # fmt: skip
    return ratio, *errors


def alternate(name, body, method, n, d, seeds, truth):
    """Ours and the peer's results on the same rows, turn by turn."""
    mine, theirs = [], []
    for seed in seeds:
        theirs.append(peer(body, n, d, seed) | {"truth": truth})
        mine.append(ours(*draw(n, d, seed), method, seed=seed) | {"truth": truth})
        timed(
            "estimator", method, name, mine[-1]["seconds"], theirs[-1]["seconds"], n=n, d=d,
            repeat=seed, error_nats=abs(mine[-1]["nats"] - truth),
            beside_error_nats=abs(theirs[-1]["nats"] - truth),
        )  # fmt: skip
    return mine, theirs


def test_ksg_against_scikit_learn():
    rows = alternate("scikit-learn", SKLEARN, "ksg", 10_000, 1, range(3), LATENT_TRUTH / 2)
    assert compare("ksg 1+1 n=10000, scikit-learn", *rows)[0] >= 1


def test_ksg_against_npeet():
    rows = alternate("npeet-plus", NPEET, "ksg", 10_000, 4, range(3), LATENT_TRUTH)
    assert compare("ksg 4+4 n=10000, npeet-plus", *rows)[0] >= 1


def test_ksg_on_a_hundred_thousand_rows():
    measured = ours(*draw(100_000, 2), "ksg")
    print(f"\nksg 2+2 n=100000: {measured['seconds']:.1f} s, {measured['nats']:.3f} nats")
    assert measured["seconds"] < 15


def test_lmi_against_latentmi():
    """At least 15 times faster, mean error no larger. Minutes: the peer takes them."""
    rows = alternate("latentmi", LATENTMI, "lmi", 2000, 16, range(3), LATENT_TRUTH)
    ratio, error, their_error = compare("lmi 16+16 n=2000, latentmi", *rows)
    assert error <= their_error
    assert ratio >= 15


@pytest.mark.skipif("NEURALMI" not in os.environ, reason="NEURALMI names no checkout")
@pytest.mark.parametrize(("n", "d"), [(2000, 2), (2000, 16)])
def test_auto_against_neuralmi(n, d):
    """Its mode `estimate`, rows split at random as it recommends for independent rows."""
    rows = alternate("NeuralMI 1.0", NEURALMI, "auto", n, d, range(3), LATENT_TRUTH)
    _, error, their_error = compare(f"auto {d}+{d} n={n}, NeuralMI", *rows)
    assert error <= their_error


def test_time_of_a_verdict():
    """Rivals and the bias check included."""
    h1, h2 = draw(2000, 64)
    labels = np.digitize(h2[:, 0], [-0.7, 0.0, 0.7])
    assess(h1[:200], h2[:200], labels[:200])
    verdict = assess(h1, h2, labels)
    print(f"\nassess n=2000, d=64, four classes: {verdict.seconds:.1f} s")
    assert verdict.seconds <= 20


@pytest.mark.parametrize(("method", "limit"), [("auto", 6), ("ksg", 1), ("gaussian", 0.5)])
def test_time_of_each_method(method, limit):
    seconds = min(ours(*draw(2000, 16), method)["seconds"] for _ in range(2))
    print(f"\n{method} 16+16 n=2000: {seconds:.2f} s")
    assert seconds < limit
