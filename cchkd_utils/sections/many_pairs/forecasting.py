"""How the forecast is learned from the recorded pairs, and judged on sources it has not seen.

    python -m cchkd_utils.sections.many_pairs.forecasting

writes ``cchkd_utils/criterion/forecast.json``.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logit, ndtr
from sklearn.linear_model import LogisticRegression

from cchkd_utils import paths, results
from cchkd_utils.criterion import expected_gain
from cchkd_utils.datasets import write_whole
from cchkd_utils.results import intervals
from cchkd_utils.sections.cells import CLUSTER, source

RIDGE = 1.0  # of standardised features; each source has the weight of one
NOISE = 0.005  # of accuracy: no gain is known better than this
ROOM = 0.1  # of a range, beyond its ends
CONDITIONS = ("training rows", "training rows per class", "temperature")
OTHERS = {  # what else was tried beside `expected_gain.features`
    "gap, auto": "gap_auto", "gap, ksg": "gap_ksg", "linear CKA": "linear CKA",
    "residual alignment": "residual alignment",
    "I(teacher; label | student)": "I(teacher; label | student)",
    "I(teacher; student | label)": "I(teacher; student | label)",
    "student overfit": "student overfit", "teacher overfit": "teacher overfit",
    "rows per class": "rows per class", "T": "temperature",
}  # fmt: skip


def table(rows: pd.DataFrame, verdicts: pd.DataFrame, soft: str = "in-sample") -> pd.DataFrame:
    """One row per pair, training rows, λ and T: gain, stderr, features, conditions, source."""
    gains = rows[(rows["metric"] == "accuracy") & (rows["experiment"] == soft)]
    stderr = map(intervals.widened, gains["unit_stderr"], gains["n_units"])
    gains = gains.assign(stderr=np.maximum([*stderr], NOISE / 10))
    gaps = verdicts.pivot_table(index=CLUSTER, columns="estimator", values="gap").add_prefix("gap_")
    judged = verdicts[verdicts["estimator"] == "auto"]
    numbers = judged.drop(columns=["experiment"], errors="ignore").groupby(CLUSTER)
    known = numbers.mean(numeric_only=True).drop(columns=["knob", "seed", "n_train"])
    out = gains.merge(known.join(gaps).reset_index(), on=CLUSTER)
    arguments = {
        "student_accuracy": out["student accuracy"], "teacher_accuracy": out["teacher accuracy"],
        "mi_student_label": out["mi_student_label"], "n_train": out["n_train"],
        "n_classes": out["n_classes"], "lam": out["lam"], "temperature": out["temperature"],
    }  # fmt: skip
    own = {**expected_gain.features(arguments), **expected_gain.conditions(arguments)}
    out = out.assign(source=out["dataset"].map(source), **own)
    out["rows per class"] = np.log(out["training rows per class"])
    low, high = out["gain"] - 1.96 * out["stderr"], out["gain"] + 1.96 * out["stderr"]
    return out.assign(helps=out["gain"] > 0, clear=(low > 0) | (high < 0))


def names() -> list[str]:
    """Return the features of the model, in its order."""
    arguments = "student_accuracy", "teacher_accuracy", "mi_student_label", "lam"
    return [*expected_gain.features(dict.fromkeys(arguments, 0.0) | {"n_classes": 2})]


class _Numbers(NamedTuple):
    """Columns of `table` as arrays: fits are many."""

    x: NDArray  # [n, p]
    lam: NDArray
    gain: NDArray
    variance: NDArray
    source: NDArray  # codes

    def take(self, rows):
        return _Numbers(*(part[rows] for part in self))

    @property
    def equal(self):
        """Weights that are the same for every source."""
        return 1 / np.bincount(self.source)[self.source]


def _numbers(data, chosen):
    columns = data[list(chosen)], data["lam"], data["gain"], data["stderr"] ** 2
    codes = np.unique(data["source"], return_inverse=True)[1]
    return _Numbers(*(c.to_numpy(float) for c in columns), codes)


def fit(data: pd.DataFrame, chosen: Sequence[str]) -> dict:
    """Learn the coefficients; every source has the same weight, clear gains more than unclear.

    The spread makes P(gain > 0) as likely as it can be on sources that are left out in turn.
    """
    return {"features": list(chosen)} | _fit(_numbers(data, chosen))


def _fit(own):
    model, codes = _ridge(own), np.unique(own.source)
    if len(codes) < 3:
        return model
    mean, spread = (np.empty(len(own.gain)) for _ in range(2))
    for code in codes:
        out = own.source == code
        part = _ridge(own.take(~out))
        mean[out], spread[out] = expected_gain.predict(part, own.x[out], own.lam[out])
    truth = ndtr(own.gain / np.sqrt(own.variance))
    weight = own.equal * abs(2 * truth - 1)  # what is no clear gain tells little

    def unlikely(log_factor):
        p = ndtr(mean / (spread * np.exp(log_factor))).clip(1e-6, 1 - 1e-6)
        return -(weight * (truth * np.log(p) + (1 - truth) * np.log(1 - p))).sum()

    best = minimize_scalar(unlikely, bounds=(-1, 2), method="bounded").x
    model["spread"] = float(np.mean(spread / own.lam) * np.exp(best))
    return model


def _ridge(own):
    mean, scale = own.x.mean(axis=0), own.x.std(axis=0) + 1e-12
    a = np.hstack([np.ones((len(own.x), 1)), (own.x - mean) / scale]) * own.lam[:, None]
    weight = own.equal / (own.variance + NOISE**2)
    weight /= weight.mean()
    penalty = np.diag([1e-9, *[RIDGE] * own.x.shape[1]])
    b = np.linalg.solve(a.T @ (a * weight[:, None]) + penalty, a.T @ (weight * own.gain))
    excess = np.average(((own.gain - a @ b) ** 2 - own.variance) / own.lam**2, weights=weight)
    return {
        "mean": mean.tolist(), "scale": scale.tolist(), "intercept": float(b[0]),
        "weights": b[1:].tolist(), "spread": float(np.sqrt(max(excess, NOISE**2))),
    }  # fmt: skip


def ranges(data: pd.DataFrame) -> dict[str, list[float]]:
    """Return the range of every feature, with a little room, and of the conditions, with more.

    Rows and temperatures are ratios: half of the smallest and twice the largest are no news.
    """
    out = {}
    for name in names():
        low, high = data[name].min(), data[name].max()
        room = ROOM * (high - low)
        out[name] = [float(max(low - room, low / 2) if low > 0 else low - room), float(high + room)]
    for name in CONDITIONS:
        out[name] = [float(data[name].min() / 2), float(data[name].max() * 2)]
    return out


def left_out(data: pd.DataFrame, chosen: Sequence[str] | None = None) -> pd.DataFrame:
    """Foretell every source from the others: p_help, forecast, spread, in_range, base rates."""
    chosen, parts = list(chosen or names()), []
    for name in data["source"].unique():
        own, others = data[data["source"] == name], data[data["source"] != name]
        x, lam = own[chosen].to_numpy(float), own["lam"].to_numpy()
        mean, spread = expected_gain.predict(_fit(_numbers(others, chosen)), x, lam)
        inside = np.ones(len(own), bool)
        for column, (low, high) in ranges(others).items():
            inside &= own[column].between(low, high).to_numpy()
        rates = {
            kind: rows.groupby("source")["helps"].mean().mean()
            for kind, rows in (("base", others), ("base_clear", others[others["clear"]]))
        }
        parts.append(own.assign(
            p_help=ndtr(mean / spread), forecast=mean, spread=spread, in_range=inside, **rates
        ))  # fmt: skip
    return pd.concat(parts).sort_index()


def brier(told: pd.DataFrame) -> pd.DataFrame:
    """Brier scores on left-out sources, of the forecast and what it must beat, with differences.

    ``all``: against the sign of every measured gain, clear or not; ``clear``: of clear effects.
    Intervals over sources; a difference below zero is in favour of the forecast.
    """
    rows = {}
    for kind, own in (("all", told), ("clear", told[told["clear"]])):
        own = own.reset_index(drop=True)
        base = own["base" if kind == "all" else "base_clear"].to_numpy()
        calls = {
            "forecast": own["p_help"].to_numpy(),
            "base rate of the other sources": base,
            "sign of the gap, auto": _sign(own, "gap_auto"),
            "sign of the gap, ksg": _sign(own, "gap_ksg"),
            "teacher − student accuracy": _sign(own, "advantage"),
        }
        helps = own["helps"].to_numpy(float)
        errors = np.stack([(p - helps) ** 2 for p in calls.values()], axis=1)

        def scores(r, errors=errors):
            mean = errors[r].mean(axis=0)
            return np.r_[mean, mean[0] - mean]

        value, low, high = intervals.cluster_bootstrap(scores, own["source"])
        right = [((p > 0.5) == helps).mean() for p in calls.values()]
        k = len(calls)
        for i, name in enumerate(calls):
            rows[kind, name] = {
                "Brier score": f"{value[i]:.3f} [{low[i]:.3f}, {high[i]:.3f}]",
                "forecast − this": f"{value[k + i]:+.3f} [{low[k + i]:+.3f}, {high[k + i]:+.3f}]"
                if i else "",
                "right": f"{right[i]:.0%}", "cells": len(own),
            }  # fmt: skip
    return pd.DataFrame(rows).T.rename_axis(["effects", "score"])


def _sign(own, column):
    """Probability from a sign alone: how often the other sources gained where it was the same."""
    out = np.empty(len(own))
    for name in own["source"].unique():
        others = own[own["source"] != name]
        above = others[column] > 0
        high, low = (others.loc[side, "helps"].mean() if side.any() else 0.5
                     for side in (above, ~above))  # fmt: skip
        here = (own["source"] == name).to_numpy()
        out[here] = np.where(own.loc[here, column] > 0, high, low)
    return out


def calibration(told: pd.DataFrame) -> dict[str, tuple[float, float, float]]:
    """Slope and intercept of the outcome's log-odds on the forecast's, with intervals.

    Slope 1 and intercept 0 are perfect; a slope below 1 says that forecasts are too bold.
    """
    x = logit(told["p_help"].to_numpy().clip(1e-4, 1 - 1e-4))[:, None]
    y = told["helps"].to_numpy()

    def line(r: NDArray) -> NDArray:
        if len(np.unique(y[r])) < 2:
            return np.array([np.nan, np.nan])
        model = LogisticRegression(C=1e6).fit(x[r], y[r])
        return np.array([model.coef_[0, 0], model.intercept_[0]])

    value, low, high = intervals.cluster_bootstrap(line, told["source"], draws=300)
    return {name: (value[i], low[i], high[i]) for i, name in enumerate(("slope", "intercept"))}


def tried(data: pd.DataFrame) -> pd.DataFrame:
    """Brier scores on left-out sources with one feature more, or one less."""
    rows, base = {}, names()
    sets = {"these": base} | {f"without {n}": [m for m in base if m != n] for n in base}
    sets |= {f"and {title}": [*base, column] for title, column in OTHERS.items()}
    for title, chosen in sets.items():
        if not data[chosen].notna().all(axis=None):
            continue
        told = left_out(data, chosen)
        for kind, own in (("all", told), ("clear", told[told["clear"]])):
            error = (own["p_help"] - own["helps"]) ** 2
            rows.setdefault(title, {})[f"Brier, {kind}"] = error.mean()
        rows[title]["right, clear"] = ((own["p_help"] > 0.5) == own["helps"]).mean()
    return pd.DataFrame(rows).T


def caveat(told: pd.DataFrame) -> str:
    """Say what the forecast did not beat on clear effects of left-out sources."""
    scores = brier(told).loc["clear"]
    upper = scores["forecast − this"].str.extract(r", ([+-][.\d]+)\]")[0].astype(float)
    lost = [name for name, value in upper.items() if value >= 0]
    return f"not shown to beat {', '.join(lost)}" if lost else ""


def main() -> None:
    data = table(*results.recorded("many_pairs"))
    model = fit(data, names()) | {"range": ranges(data), "caveat": caveat(left_out(data))}
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=paths.ROOT, capture_output=True, text=True
    )
    counts = {"cells": len(data), "sources": data["source"].nunique()}
    made = {"learned from": counts, "commit": commit.stdout.strip()}
    text = json.dumps(_rounded(model | made), indent=1, ensure_ascii=False)
    write_whole(expected_gain.FILE, (text + "\n").encode())
    print(expected_gain.FILE)


def _rounded(value):
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


if __name__ == "__main__":
    sys.exit(main())
