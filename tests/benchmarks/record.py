"""Write recorded tables: one row per measurement, with version, commit and date."""

from __future__ import annotations

import datetime
import os
import platform
from pathlib import Path

import pandas as pd

from cchkd_utils import __version__
from cchkd_utils.runner.execute import git_sha

COMMIT = git_sha()  # at the start: of the code that is measured
MEASURED = ["part", "what", "beside", "n", "d", "repeat"]


def timed(part: str, what: str, beside: str, seconds: float, beside_seconds: float, **more) -> None:
    """Add a measurement to the table that BENCH_OUT names: ours and the other's, of one run.

    `more` may be n, d, repeat, error_nats, beside_error_nats and mb.
    """
    row = {"part": part, "what": what, "beside": beside, "n": 0, "d": 0, "repeat": 0}
    row |= {"seconds": seconds, "beside_seconds": beside_seconds}
    row |= dict.fromkeys(("error_nats", "beside_error_nats", "mb"))
    renew([row | more | {"machine": machine()}], os.environ.get("BENCH_OUT"), MEASURED)


def machine() -> str:
    """Name the processor and count its cores."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{os.cpu_count()} cores, {names[0] if names else platform.machine()}"


def write(rows: list[dict], path: str | Path | None) -> None:
    """Write `rows` as CSV to `path`; nothing is written where no path is given."""
    if path is None:
        return
    stamp = {"version": __version__, "git_sha": COMMIT, "date": str(datetime.date.today())}
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame([row | stamp for row in rows]).round(5).to_csv(path, index=False)


def renew(rows: list[dict], path: str | Path | None, key: list[str]) -> None:
    """As `write`, but rows of an earlier run stay, with their date, unless measured again."""
    if path is None:
        return
    old = pd.read_csv(path, dtype={"git_sha": str}) if Path(path).exists() else None
    write(rows, path)
    new = pd.read_csv(path, dtype={"git_sha": str})
    both = pd.concat([old, new]).drop_duplicates(key, keep="last")
    both.sort_values(key).to_csv(path, index=False)


def mean_over_folds(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per cell from a row per fold: `intervals.summarise` says the same of both."""
    measured = ["baseline", "distilled", "gain", "seed"]
    by = [name for name in rows if name not in measured]
    groups = rows.groupby(by, sort=False, dropna=False)
    out = groups[["baseline", "distilled"]].mean().round(7)
    out["gain"] = out["distilled"] - out["baseline"]
    out["seed"], out["gain_sd"] = groups["seed"].min(), groups["gain"].std().round(7)
    out["n_repeats"] = groups.size() // out.index.get_level_values("n_folds")
    return out.reset_index()[[*rows, "gain_sd", "n_repeats"]]
