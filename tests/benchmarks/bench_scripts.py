"""The table scripts run end to end, small, and write what they promise."""

import subprocess
import sys
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent


def table(script, out, *options):
    command = [sys.executable, HERE / script, *map(str, options), "--out", out]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return pd.read_csv(out)


def test_calibration_script(tmp_path):
    sizes = "--trials", 3, "--markov-trials", 3, "--dims", 2, "--estimators", "ksg"
    cells = table("bench_criterion_calibration.py", tmp_path / "cells.csv", *sizes)
    assert list(cells.part) == ["coverage", "coverage", "power", "power", "coverage", "markov"]
    trials = pd.read_csv(tmp_path / "cells_trials.csv")
    assert len(trials) == 18 and trials.seed.nunique() == 18
    assert (trials.gap_lo_nats < trials.gap_hi_nats).all()


def test_accuracy_script(tmp_path):
    sizes = "--methods", "ksg", "--n", 300, "--seeds", 5, "--tasks", 3, "--layers", 1
    rows = table("bench_mi_accuracy.py", tmp_path / "rows.csv", *sizes)
    assert rows.part.value_counts().tolist() == [40, 4, 3]
    assert (rows.estimate_nats - rows.truth_nats - rows.error_nats).abs().max() < 1e-4
