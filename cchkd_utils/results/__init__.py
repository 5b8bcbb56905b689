"""The tidy tables of every run: their columns, and how they are checked, written and read.

``results``, a row per trained student, says what distillation did; ``verdicts`` what a criterion
predicted. They join on `JOIN`. Gain is positive when distillation helped, whatever the metric.
``estimates`` holds estimated informations beside the true ones, nats.
"""

import functools
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cchkd_utils import not_installed, paths

try:
    import pandas as pd
except ModuleNotFoundError as error:
    raise not_installed(error) from None

JOIN = ["dataset", "teacher", "student", "condition", "seed"]
CELL = {  # what results and verdicts are about
    "dataset": "str", "kind": "str", "teacher": "str", "student": "str", "condition": "str",
    "knob": "float",
}  # fmt: skip
RESULTS = {
    "experiment": "str", **CELL, "n_train": "int", "seed": "int",
    "lam": "float", "weight": "float", "temperature": "float",
    "metric": "str", "baseline": "float", "distilled": "float", "gain": "float",
}  # fmt: skip
VERDICTS = {
    **CELL, "seed": "int", "estimator": "str",
    "mi_teacher_student": "float", "mi_student_label": "float",
    "gap": "float", "gap_lo": "float", "gap_hi": "float", "p_wrong": "float", "decision": "str",
}  # fmt: skip
ESTIMATES = {  # `took`: seconds of this estimate
    "task": "str", "kind": "str", "n": "int", "dim": "int", "y": "str", "method": "str",
    "seed": "int", "true_mi": "float", "nats": "float", "stderr": "float", "took": "float",
}  # fmt: skip
PROVENANCE = ["git_sha", "version", "seconds", "hash"]
VOLATILE = [*PROVENANCE, "took"]  # may differ between two runs with the same results
TABLES = {"results": RESULTS, "verdicts": VERDICTS, "estimates": ESTIMATES}
KEYS = {
    "results": [*JOIN, "experiment", "n_train", "lam", "temperature", "metric"],
    "verdicts": [*JOIN, "estimator"],
    "estimates": ["task", "n", "dim", "y", "method", "seed"],
}
SIGNS = {  # of an improvement
    "accuracy": 1, "weighted F1": 1, "AUC": 1, "R2": 1, "correlation": 1,
    "mse": -1, "rmse": -1, "mae": -1, "cross-entropy": -1,
}  # fmt: skip
DECISIONS = ("distil", "do not distil", "undecided")
WORDS = {  # a column's words, and what is said of others
    "kind": (("real", "simulated"), "kind must be real or simulated, not {}"),
    "decision": (DECISIONS, "unknown decision: {}"),
    "y": (("continuous", "classes"), "y must be continuous or classes, not {}"),
    "metric": (SIGNS, "unknown metric: {}; say in results.SIGNS whether more is better"),
}


def result(*, metric: str, baseline: float, distilled: float, **row: Any) -> dict[str, Any]:
    """Return one row of the results table, its gain filled in.

    The gain says by how much distillation improved `metric`, one of `SIGNS`; positive is better.
    """
    if metric not in SIGNS:
        known = ", ".join(SIGNS)
        raise ValueError(f"{metric!r}: more or less of it is better? Known are {known}")
    gain = SIGNS[metric] * (distilled - baseline)
    return dict(row, metric=metric, baseline=baseline, distilled=distilled, gain=gain)


def verdict(judged: Any, **row: Any) -> dict[str, Any]:
    """Return one row of the verdicts table from a `criterion.Verdict`; rivals and time follow."""
    values = judged.to_dict()
    own = {name: values[name] for name in VERDICTS if name in values}
    own |= values.get("rivals", {}) | {"took": values["seconds"], "n_held_out": values["n"]}
    return {**row, **own}


def check(rows: pd.DataFrame | Iterable[Mapping[str, Any]], table: str = "results") -> pd.DataFrame:
    """Return `rows` with the table's columns in order and of the right types.

    Columns beyond the table's own (rivals of the criterion, provenance) follow at the end.
    ValueError for a missing column, a wrong type, a number that is not finite or below zero where
    it cannot be, an unknown word, a row given twice, a gain that contradicts its metric.
    """
    columns = TABLES[table]
    frame = pd.DataFrame(rows if isinstance(rows, pd.DataFrame) else list(rows))
    if frame.empty:
        raise ValueError(f"the {table} table has no rows")
    if missing := [name for name in columns if name not in frame]:
        raise ValueError(f"the {table} table lacks the column {', '.join(missing)}")
    extra = [name for name in frame if name not in columns]
    for name in (name for name, kind in columns.items() if kind == "int"):
        if (pd.to_numeric(frame[name], errors="coerce") % 1 > 0).any():
            raise ValueError(f"the {table} table has a {name} that is not whole")
    try:
        frame = frame[[*columns, *extra]].astype(columns).reset_index(drop=True)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the {table} table has a value of the wrong type: {error}") from None
    numbers = [name for name, kind in columns.items() if kind == "float"]
    if bad := [name for name in numbers if not np.isfinite(frame[name]).all()]:
        raise ValueError(f"the {table} table has a number that is not finite in {', '.join(bad)}")
    _check_meaning(frame, table)
    return frame


def _check_meaning(frame: pd.DataFrame, table: str) -> None:
    for column, (words, message) in WORDS.items():
        if column in TABLES[table] and (unknown := set(frame[column]) - set(words)):
            raise ValueError(message.format(", ".join(sorted(unknown))))
    several_runs = ["hash"] if "hash" in frame else []  # in the joined table of a sweep
    if frame.duplicated(KEYS[table] + several_runs).any():
        raise ValueError(f"the {table} table gives one {', '.join(KEYS[table])} twice")
    for column in ("true_mi", "nats", "stderr"):
        if column in TABLES[table] and (frame[column] < 0).any():
            raise ValueError(f"the {table} table has a {column} below zero")
    if table == "results":
        better = frame["metric"].map(SIGNS) * (frame["distilled"] - frame["baseline"])
        if not np.allclose(frame["gain"], better):
            raise ValueError(
                "gain must be the improvement of distilled over baseline (positive: better)"
            )


def save(
    results: Iterable[Mapping[str, Any]] | None = None,
    verdicts: Iterable[Mapping[str, Any]] | None = None,
    notebook: str = "notebook",
    *,
    estimates: Iterable[Mapping[str, Any]] | None = None,
) -> None:
    """Write a notebook's tables where its runner asked, else under ``.runs/by-hand/<notebook>``.

    ValueError when there is no table or a row does not fit its table; nothing is written then.
    """
    given = {"results": results, "verdicts": verdicts, "estimates": estimates}
    checked = {name: check(rows, name) for name, rows in given.items() if rows is not None}
    if not checked:
        raise ValueError(f"no table to save: give {', '.join(given)} or several of them")
    folder = Path(os.environ.get("CCHKD_RUN_FOLDER") or Path(".runs/by-hand", notebook))
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in checked.items():
        write(frame, folder / f"{name}.csv")
    print(", ".join(f"{name}.csv: {len(frame)} rows" for name, frame in checked.items()))


def write(frame: pd.DataFrame, path: Path) -> None:
    """Write a table in one step: a reader sees the old file or the new one, never a half."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        frame.to_csv(part, index=False, lineterminator="\n")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read(path: Path | str, table: str = "results") -> pd.DataFrame:
    """Read and check a table; numbers come back exactly as they were written."""
    text = {name: "str" for name, kind in TABLES[table].items() if kind == "str"}
    text |= dict.fromkeys(("git_sha", "version", "hash"), "str")  # 12e34 is a hash, not a number
    # A rival that does not apply to a row is empty; its column is one of numbers all the same.
    empty = {name: [""] for name in pd.read_csv(path, nrows=0) if name not in text}
    frame = pd.read_csv(
        path, dtype=text, float_precision="round_trip", keep_default_na=False, na_values=empty
    )
    try:
        return check(frame, table)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def recorded(section: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the results and verdicts kept with the book for a section, from a run at `paper`.

    For the errors see `recorded_file`.
    """
    files = [recorded_file(f"{section}{end}") for end in ("", "_verdicts")]
    tables = zip(files, ("results", "verdicts"), strict=True)
    return tuple(_once(path, of, path.stat().st_mtime_ns).copy(deep=False) for path, of in tables)


@functools.cache
def _once(path: Path, table: str, _changed: int) -> pd.DataFrame:
    """Read a file that stays as it is."""
    return read(path, table)


def recorded_file(name: str) -> Path:
    """Return where a table recorded with the book lies, ``book/results/<name>.csv``.

    FileNotFoundError when it is missing. RuntimeError when the runner started the notebook and
    ``reads`` in ``notebooks/presets.yml`` does not name it: the run's hash would not cover it.
    """
    file = paths.RECORDED / f"{name}.csv"
    if not file.exists():
        raise FileNotFoundError(f"no recorded table of {name}: {file} is missing")
    if file.name not in os.environ.get("CCHKD_READS", file.name).split(os.pathsep):
        raise RuntimeError(
            f"this notebook may not read {file.name}: name it under `reads` in presets.yml"
        )
    return file


def of_runs(table: str = "results") -> dict[str, pd.DataFrame]:
    """Read the tables of the runs that the runner hands to this one, by notebook.

    ``notebooks/presets.yml`` names, under ``needs``, whose tables a notebook reads. RuntimeError
    when the notebook was not started by the runner, or one of the runs is gone.
    """
    if "CCHKD_NEEDS" not in os.environ:
        raise RuntimeError("this notebook reads other runs: start it with `cchkd run` or `make`")
    folders = [Path(name) for name in os.environ["CCHKD_NEEDS"].split(os.pathsep) if name]
    if gone := [folder for folder in folders if not (folder / "run.json").is_file()]:
        raise RuntimeError(f"the run {gone[0]} is gone: start this notebook again")
    files = {folder.parent.name: folder / f"{table}.csv" for folder in folders}
    return {name: read(file, table) for name, file in files.items() if file.is_file()}


def stamp(path: Path, table: str, provenance: Mapping[str, Any]) -> None:
    """Check a finished run's table and add the provenance columns to it."""
    write(read(path, table).assign(**{name: provenance[name] for name in PROVENANCE}), path)
