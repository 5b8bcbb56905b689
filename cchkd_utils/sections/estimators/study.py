"""Estimators and verdicts against known informations: measurements, and tables of them.

The knob of a verdict is the true gap. Scripts in tests/benchmarks recorded the long measurements.
"""

from collections.abc import Iterable, Sequence
from itertools import product

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from cchkd_utils import results
from cchkd_utils.criterion import assess
from cchkd_utils.mi import estimate, tasks
from cchkd_utils.sections.estimators import populations

FAMILIES = (
    "Normal 1x1", "Uniform 1x1 (noise=0.1)", "Bimodal @ Nm CDF @ Normal 1x1",
    "Swiss roll @ Nm CDF @ Normal 1x1", "Mn 25x25 (dense)", "Hc @ Mn 25x25 (2-pair)",
    "Asinh @ St 3x3 (dof=2)", "Sp @ Mn 3x3 (2-pair)", "Sp @ Mn 25x25 (2-pair)",
)  # fmt: skip
STEPS = (0.0, 0.02, 0.1, 0.25, 0.5)  # classes of p_wrong
PARTS = {"coverage": "gap in ±0.3", "power": "gap −0.3 or 0.3", "markov": "Markov pairs"}
CLEAR = 0.3  # nats; gaps of hidden layers whose sign is counted


def measure(
    task: str, x, y, truth: float, methods: Iterable[str], seed: int, *, classes=False, groups=None
) -> list[dict]:
    """Estimate I(X;Y) of x [n, d] and y [n, d'] (`classes`: [n]) by each method; truth: nats."""
    row = {"task": task, "kind": "simulated", "n": len(x), "dim": x.shape[1], "seed": seed}
    row["y"] = "classes" if classes else "continuous"
    row["true_mi"] = max(truth, 0.0)  # a Monte Carlo mean may fall below
    rows = []
    for method in methods:
        try:
            result = estimate(x, y, method, discrete_y=classes, seed=seed, groups=groups)
        except ValueError:
            if method != "gaussian":  # which wants two rows for each column
                raise
            continue
        measured = {"nats": result.nats, "stderr": result.stderr, "took": result.seconds}
        rows.append(row | {"method": method} | measured)
    return rows


def shared_pairs(d: int, nats: float = 1.0) -> tasks.Task:
    """Jointly normal x, y [n, d] that share `nats` in two pairs (one where d is 1), rotated."""
    pairs = min(d, 2)
    rho = float(populations.correlation(nats / pairs))
    plain = tasks.normal(tasks.pair_cov(d, d, pairs, rho), d, "jointly normal")

    def sample(n, rng):
        return tuple(populations.rotated(a, rng) for a in plain.sample(n, rng))

    return tasks.Task(plain.name, plain.nats, sample)


def families() -> list[tasks.Task]:
    """Select from the forty tasks of Czyż et al. (2023) one or two of each shape."""
    known = {task.name: task for task in tasks.beyond_normal()}
    return [known[name] for name in FAMILIES]


def measure_networks(count: int, n: int, methods: Sequence[str], seed: int) -> list[dict]:
    """Both sides of the criterion on `count` random pairs of hidden layers of 64 units."""
    rows = []
    for i in range(count):
        pair = tasks.representations(seed + i)
        shared, label = pair.truth(np.random.default_rng([seed, i]))
        h1, h2, y = pair.sample(n, np.random.default_rng([seed, i, 1]))
        name = f"network pair {i}"
        rows += measure(f"{name}: I(H1;H2)", h1, h2, shared, methods, seed + i, groups=y)
        rows += measure(f"{name}: I(H2;Y)", h2, y, label, methods, seed + i, classes=True)
    return rows


def measure_classes(spread: float, k: int, n: int, methods: Sequence[str], seed: int) -> list[dict]:
    """I(X;Y) of `k` Gaussian classes on a circle of radius `spread`, in 8 dimensions."""
    angle = 2 * np.pi * np.arange(k) / k
    means = spread * np.column_stack([np.cos(angle), np.sin(angle)])
    model = tasks.Representations(means, means, 0, 0.0)
    truth = model.truth(np.random.default_rng(0))[1]
    rng = np.random.default_rng([seed, k])
    _, z, y = model.latents(n, rng)
    x = populations.rotated(np.hstack([z, rng.standard_normal((n, 6))]), rng)
    return measure(f"{k} classes, spread {spread:g}", x, y, truth, methods, seed, classes=True)


def measure_copies(share: float, n: int, methods: Sequence[str], seed: int) -> list[dict]:
    """I(X;Y) = 1 nat in 4 dimensions from `n` rows of which a share are copies of others."""
    task, rng = shared_pairs(4), np.random.default_rng([seed, 4])
    copies = round(share * n)
    x, y = task.sample(n - copies, rng)
    which = np.r_[np.arange(n - copies), rng.permutation(n - copies)[:copies]]
    return measure(f"copies {share:g}", x[which], y[which], task.nats, methods, seed)


def _scaled(x, rng):
    return x * 10.0 ** rng.uniform(-6, 6, x.shape[1])


def _wild(x, rng):
    return np.where(rng.random(x.shape) < 0.01, 1e4 * rng.standard_normal(x.shape), x)


def _missing(x, rng):
    return np.where(rng.random((len(x), 1)) < 0.3, 0.0, x)


# What befalls arrays on their way here, and the share of the information that is left.
SPOILT = {
    "nothing": (lambda x, rng: x, 1.0),
    "each unit in a unit of its own, 10⁻⁶ to 10⁶": (_scaled, 1.0),
    "exp of each unit": (lambda x, rng: np.exp(x), 1.0),
    "1 % of the cells replaced, up to ± 10⁴": (_wild, 1.0),
    "30 % of the rows zero": (_missing, 0.7),
}


def measure_spoilt(name: str, n: int, methods: Sequence[str], seed: int) -> list[dict]:
    """I(X;Y) of 2 nats in 8 dimensions after `name` of `SPOILT` happened to X."""
    spoil, left = SPOILT[name]
    x, y = shared_pairs(8, 2.0).sample(n, np.random.default_rng([seed, 8]))
    x = spoil(x, np.random.default_rng([seed, 9]))
    return measure(name, x, y, 2.0 * left, methods, seed)


def judge_populations(dims, trials: int, n: int, estimator: str, seed: int) -> list[dict]:
    """Verdicts on populations whose true gap (the knob) is uniform in ±0.3 nats.

    `trials` for each kind of label and each of `dims` (2 or more), and for hidden layers.
    """
    rows = []
    kinds = [(*kind, dims) for kind in populations.POPULATIONS.items()]
    kinds += [(*kind, [populations.UNITS]) for kind in populations.LAYERS.items()]
    for j, (labels, draws, sizes) in enumerate(kinds):
        for d, i in product(sizes, range(trials)):
            rng, draw = np.random.default_rng([seed, i, d, j]), draws[i % len(draws)]
            h1, h2, y, gap = draw(rng.uniform(-0.3, 0.3), d, n, rng)
            options = {"estimator": estimator, "rivals": False, "checks": False}
            verdict = assess(h1, h2, y, seed=seed + i, **options)
            rows.append(results.verdict(
                verdict, dataset=f"{labels} labels", kind="simulated", teacher="H1", student="H2",
                condition=f"{d} dimensions", knob=gap, seed=seed + i,
            ))  # fmt: skip
    return rows


def coverage(verdicts: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """How often the interval holds the true gap, per group; bias: mean of gap minus true gap, nats.

    low and high: the 95 % interval of that share, Clopper and Pearson's (1934).
    """
    rows = []
    for key, group in verdicts.groupby(by, sort=False):
        hits = int(group["knob"].between(group["gap_lo"], group["gap_hi"]).sum())
        rows.append([*key, *_share(hits, len(group)), (group["gap"] - group["knob"]).mean()])
    return pd.DataFrame(rows, columns=[*by, "trials", "coverage", "low", "high", "bias"])


def reliability(verdicts: pd.DataFrame) -> pd.DataFrame:
    """How often the sign was wrong against how often `p_wrong` ``said`` so, in classes of it."""
    wrong = np.sign(verdicts["gap"]) != np.sign(verdicts["knob"])
    classes = pd.cut(verdicts["p_wrong"], STEPS, include_lowest=True)
    rows = [
        [verdicts.loc[group.index, "p_wrong"].mean(), *_share(int(group.sum()), len(group))]
        for _, group in wrong.groupby(classes, observed=True)
    ]
    return pd.DataFrame(rows, columns=["said", "trials", "wrong", "low", "high"])


def _share(hits: int, trials: int) -> tuple[int, float, float, float]:
    return trials, hits / trials, *binomtest(hits, trials).proportion_ci()


def flips_in_bits(shared, label) -> np.ndarray:
    """Say where I(H1;H2) in bits beside I(H2;Y) in nats would turn the sign; both given in nats."""
    shared, label = np.asarray(shared), np.asarray(label)
    return (shared > label) != (shared / np.log(2) > label)


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
    table = groups.agg(**{
        "cases": ("size", "size"), "mean error": ("size", "mean"), "worst": ("size", "max"),
        "bias": ("error_nats", "mean"), "seconds": ("seconds", "mean"),
    })  # fmt: skip
    return table.reset_index()


def signs_of_layers(rows: pd.DataFrame) -> tuple[int, int]:
    """Count the hidden layers whose sign of a `CLEAR` gap came out right, and all of these."""
    layers = rows[rows["part"] == "hidden layers"]
    wide = layers.pivot_table(index=["method", "n", "name", "seed"], columns="quantity",
                              values=["truth_nats", "estimate_nats"])  # fmt: skip
    gap = wide.xs("I(H1;H2)", axis=1, level=1) - wide.xs("I(H2;Y)", axis=1, level=1)
    gap = gap[gap["truth_nats"].abs() >= CLEAR]
    right = np.sign(gap["truth_nats"]) == np.sign(gap["estimate_nats"])
    return int(right.sum()), len(right)


def calibration(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the recorded cells with names for readers: coverage in %, wrong signs, decisions."""
    layers = cells["labels"].str.startswith("hidden layers")
    bounds = zip(*(100 * cells[name] for name in ("coverage", "coverage_lo", "coverage_hi")))
    columns = {
        "population": "population", "labels": "Y", "d": "d", "n": "n", "estimator": "by",
        "covered (%)": "covered (%)", "bias_nats": "bias (nats)",
        "wrong": "sign wrong (said)", "right": "decided rightly", "distils": "distil",
    }  # fmt: skip
    table = cells.assign(**{
        "population": cells["part"].map(PARTS).where(~layers, "hidden layers, any gap"),
        "covered (%)": [f"{c:.0f} [{low:.0f}, {high:.0f}]" for c, low, high in bounds],
        "wrong": [f"{wrong:.3f} ({said:.3f})" for wrong, said in
                  zip(cells["wrong_sign_found"], cells["wrong_sign_said"])],
        "right": _of(cells["decided_rightly"], cells["decided"]),
        "distils": _of(cells["distil"], cells["trials"]),
    })  # fmt: skip
    return table[[*columns]].rename(columns=columns)


def _of(parts: pd.Series, wholes: pd.Series) -> list[str]:
    return [f"{part} of {whole}" for part, whole in zip(parts, wholes)]


def recorded_trials() -> pd.DataFrame:
    """The recorded verdicts on gaps anywhere in ±0.3, with the columns of `judge_populations`."""
    trials = recorded("calibration_trials").query("part == 'coverage'")
    names = {"true_gap_nats": "knob"} | {
        f"{name}_nats": name for name in ("gap", "gap_lo", "gap_hi")
    }
    dims = trials["d"].map("{} dimensions".format)
    return trials.rename(columns=names).assign(
        dataset=trials["labels"] + " labels", condition=dims + trials["n"].map(", n = {:,}".format)
    )


def reliability_of_signs() -> pd.DataFrame:
    """`reliability` of auto over the recorded trials of clean populations, d <= 16."""
    return reliability(recorded_trials().query("d <= 16 and estimator == 'auto'"))


def alarms(rows: pd.DataFrame) -> pd.DataFrame:
    """In how many verdicts each check failed, by kind of data; in brackets, made undecided."""
    text = [
        "" if not failed else f"{failed} ({turned})" if turned else f"{failed}"
        for failed, turned in zip(rows["failed"], rows["reverses"])
    ]
    rows = rows.assign(text=text, data=rows["data"].str.rstrip("."))
    wide = rows.pivot(index=["data", "trials"], columns="check", values="text")
    order = rows[["data", "trials"]].drop_duplicates().itertuples(index=False, name=None)
    wide = wide.reindex(list(order))[rows["check"].unique()]
    wide = wide.fillna("").loc[:, lambda t: (t != "").any()]  # the others were silent
    return wide.reset_index("trials").rename(columns={"trials": "verdicts"})


def growth(rows: pd.DataFrame) -> pd.DataFrame:
    """Median seconds and peak megabytes of a verdict by rows, and the exponents of their growth."""
    rows = rows[rows["part"] == "growth"].groupby("n")[["seconds", "mb"]].median().reset_index()
    steps = np.log(rows).diff()
    return pd.DataFrame({
        "rows": rows["n"], "seconds": rows["seconds"].round(1), "peak (MB)": rows["mb"].round(),
        "exponent of time": (steps["seconds"] / steps["n"]).round(2),
        "exponent of memory": (steps["mb"] / steps["n"]).round(2),
    })  # fmt: skip


def ratios(rows: pd.DataFrame) -> pd.DataFrame:
    """How many times faster than what is beside: median, smallest and largest of the runs.

    With the median seconds of both and, for estimators, the mean errors in nats.
    """
    rows = rows[rows["part"] != "growth"].assign(times=rows["beside_seconds"] / rows["seconds"])
    groups = rows.groupby(["part", "what", "beside", "n", "d"], sort=False)
    table = groups[["seconds", "beside_seconds"]].median()
    table["times faster"] = table["beside_seconds"] / table["seconds"]
    table["least"], table["most"] = groups["times"].min(), groups["times"].max()
    table["runs"] = groups.size()
    table[["error", "its error"]] = groups[["error_nats", "beside_error_nats"]].mean()
    return table.rename(columns={"beside_seconds": "its seconds"}).reset_index()
