"""The long measurements of the estimators, as recorded by the scripts in tests/benchmarks."""

import numpy as np
import pandas as pd

from cchkd_utils import results
from cchkd_utils.sections.estimators.study import reliability

PARTS = {"coverage": "gap in ±0.3", "power": "gap −0.3 or 0.3", "markov": "Markov pairs"}


def recorded(name: str) -> pd.DataFrame:
    """Return `book/results/<name>.csv` with its commits as text."""
    return pd.read_csv(results.recorded_file(name), dtype={"git_sha": str})


def provenance(table: pd.DataFrame) -> str:
    """Say when and from which commits a table was recorded."""
    return f"recorded {', '.join(sorted(set(table.date)))}, commit {', '.join(set(table.git_sha))}"


def accuracy(rows: pd.DataFrame) -> pd.DataFrame:
    """Summarise errors (nats) by part and quantity: cases, mean and worst size, bias, time."""
    sizes = rows.assign(size=rows["error_nats"].abs())
    groups = sizes.groupby(["method", "part", "quantity", "n"], sort=False)
    table = groups.agg(
        cases=("size", "size"), mean_error=("size", "mean"), worst=("size", "max"),
        bias=("error_nats", "mean"), seconds=("seconds", "mean"),
    )  # fmt: skip
    return table.rename(columns={"mean_error": "mean error"}).reset_index()


def signs_of_layers(rows: pd.DataFrame, clear: float = 0.3) -> tuple[int, int]:
    """Count the hidden layers whose gap is at least `clear` nats, and whose sign came out right."""
    layers = rows[rows["part"] == "hidden layers"]
    wide = layers.pivot_table(index=["method", "n", "name", "seed"], columns="quantity",
                              values=["truth_nats", "estimate_nats"])  # fmt: skip
    gap = wide.xs("I(H1;H2)", axis=1, level=1) - wide.xs("I(H2;Y)", axis=1, level=1)
    gap = gap[gap["truth_nats"].abs() >= clear]
    right = np.sign(gap["truth_nats"]) == np.sign(gap["estimate_nats"])
    return int(right.sum()), len(right)


def calibration(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cells with names for readers: coverage in %, wrong signs, decisions."""
    names = {
        "labels": "Y", "d": "d", "n": "n", "trials": "trials", "bias_nats": "bias (nats)",
        "wrong_sign_found": "sign wrong", "wrong_sign_said": "p_wrong says",
        "decided": "decided", "decided_rightly": "rightly", "distil": "distil",
    }  # fmt: skip
    layers = cells["labels"].str.startswith("hidden layers")
    population = cells["part"].map(PARTS).where(~layers, "hidden layers, any gap")
    table = cells.rename(columns=names).assign(population=population)
    bounds = zip(cells["coverage"], cells["coverage_lo"], cells["coverage_hi"])
    table["covered (%)"] = [f"{100 * c:.0f} [{100 * a:.0f}, {100 * b:.0f}]" for c, a, b in bounds]
    first = ["estimator", "population", "Y", "d", "n", "trials", "covered (%)"]
    return table[first + [name for name in names.values() if name not in first]]


def reliability_of_signs(trials: pd.DataFrame, estimator: str = "auto") -> pd.DataFrame:
    """`reliability` of `p_wrong` over the recorded trials with a gap anywhere in ±0.3, d <= 16."""
    kept = (trials["part"] == "coverage") & (trials["d"] <= 16) & (trials["estimator"] == estimator)
    return reliability(trials[kept].rename(columns={"gap_nats": "gap", "true_gap_nats": "knob"}))


def ratios(rows: pd.DataFrame) -> pd.DataFrame:
    """Seconds and mean errors beside the peers', by method and size; times faster than the peer."""
    truth = rows["true_nats"]
    errors = {f"{who}_error": (rows[f"{who}_nats"] - truth).abs() for who in ("our", "peer")}
    groups = rows.assign(**errors).groupby(["method", "peer", "n", "d"])
    columns = ["our_seconds", "peer_seconds", "our_error", "peer_error"]
    table = groups[columns].mean().assign(runs=groups.size())
    table["times faster"] = table["peer_seconds"] / table["our_seconds"]
    return table.rename(columns=lambda c: c.replace("_", " ")).reset_index()
