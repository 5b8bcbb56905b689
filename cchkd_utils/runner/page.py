"""The page of a sweep: its grid, what distillation did at each point, and the tables to download.

``book/sweep.md`` has a part of its own, which stays, and below a mark the part written here.
"""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from cchkd_utils import paths, plots, results
from cchkd_utils.results import intervals
from cchkd_utils.runner import folders
from cchkd_utils.runner import sweep_figure as draw
from cchkd_utils.runner.parameters import ParameterError
from cchkd_utils.runner.progress import text
from cchkd_utils.sections.cells import SECTIONS

MARK = "% Below this line `cchkd page` writes."
CONDITIONS = [
    "experiment", "dataset", "teacher", "student", "condition", "knob", "n_train", "lam",
    "temperature",
]  # fmt: skip
INTERVALS = {section.notebook: section.intervals for section in SECTIONS}  # folds are no seeds
WORDY = ["condition", "experiment", "knob"]  # left out where the other settings say as much
SEEDS = ("seed", "point_seed")
CAPTION = (
    "Mean gain over repeats with its 95 % interval; above zero distillation helps. Lines are set "
    "a little apart, so that no interval hides another."
)
UNDRAWN = "The settings are too many, or not numeric, for a figure: the table has them all."
NAME = re.compile("[0-9a-f]{16}")
FILES = "sweep"  # folder of the figure and the tables, beside the page


def write(sweep: Path | str) -> Path:
    """Fill ``book/sweep.md`` with a finished sweep and return its path.

    Parameters
    ----------
    sweep : the sweep's folder, or its name: the last part of the folder's path

    Raises
    ------
    ParameterError
        When this is no sweep that is whole.
    """
    named = list(paths.runs_root().glob(f"*/sweeps/{sweep}")) if NAME.fullmatch(str(sweep)) else []
    folder = named[0] if named else Path(sweep).expanduser().absolute()
    record = folders.finished(folder)
    tables = record.get("tables") if record else None
    if not tables or "axes" not in record or not set(tables) <= set(results.TABLES):
        raise ParameterError(f"{folder} is not a finished sweep; cchkd results lists them")
    page = paths.ROOT / "book" / "sweep.md"
    own = page.read_text(encoding="utf-8").partition(MARK)[0]
    files = page.parent / FILES
    shutil.rmtree(files, ignore_errors=True)
    files.mkdir()
    names = [f"{table}{end}" for table in record["tables"] for end in (".csv", ".parquet")]
    for name in names:
        shutil.copyfile(folder / name, files / name)
    links = ", ".join(f"{{download}}`{name} <{FILES}/{name}>`" for name in names)
    parts = [own + MARK, _heading(record), f"Tables of all points: {links}."]
    if "results" in record["tables"]:
        parts += _findings(results.read(folder / "results.csv"), record, files / "gain.png")
    page.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return page


def _heading(record: Mapping[str, Any]) -> str:
    grid = " ".join(
        f"`{name}={','.join(text(value) for value in values)}`"
        for name, values in record["axes"].items()
    )
    failed = f", of which {record['failed']} failed and are missing here" * bool(record["failed"])
    return (
        f"## {record['notebook']}, {record['points']} points\n\n"
        f"Preset **{record['preset']}** · grid {grid or 'of one point'} · "
        f"{record['points']} points{failed} · {record['finished'][:10]}."
    )


def _findings(frame: pd.DataFrame, record: Mapping[str, Any], picture: Path) -> list[str]:
    """Summarise the gain over repeats: a figure where it can be read, and a table."""
    settings = _settings(frame, record["axes"])
    by = ["metric", *settings]
    rows = _repeats(frame, by)
    mean_gains = INTERVALS.get(record["notebook"], intervals.summarise)
    seeds = rows.groupby(by)["seed"].nunique().rename("repeats").reset_index()
    means = mean_gains(rows, by).drop(columns="repeats", errors="ignore").merge(seeds, on=by)
    counts = ", ".join(f"{n} {word}" for word, n in means["outcome"].value_counts().items())
    alt = f"Mean gain with its 95 % interval at {len(means)} settings; distillation: {counts}."
    parts = [f"Gain is positive where distillation helped. Of {len(means)} settings: {counts}."]
    if figure := draw.gain(means, settings):
        plots.mark_simulated(figure, "simulated" if "simulated" in set(frame["kind"]) else "real")
        figure.savefig(picture, dpi=200, facecolor="white")
        parts.append(f":::{{figure}} {FILES}/{picture.name}\n:alt: {alt}\n\n{CAPTION}\n:::")
    elif len(means) > len(set(means["metric"])):
        parts.append(UNDRAWN)
    return [*parts, _table(means, by)]


def _settings(frame: pd.DataFrame, axes: Mapping[str, Any]) -> list[str]:
    """List the columns that tell the settings apart, each saying what no other says."""
    swept = [f"point_{name}" if f"point_{name}" in frame else name for name in axes]
    swept = [name for name in swept if name in frame and name not in SEEDS]
    found = [*swept, *(name for name in CONDITIONS if name not in swept)]
    found = [name for name in found if frame[name].nunique() > 1]
    for name in [one for one in WORDY if one in found and one not in swept]:
        rest = [one for one in found if one != name]
        if rest and (frame.groupby(rest)[name].nunique() == 1).all():
            found = rest
    return found


def _repeats(frame: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return each repeat once: points may share seeds, and seeds may differ by their base."""
    rows = frame.drop_duplicates([*by, "seed", "baseline", "distilled"])
    if "point_seed" in rows:
        rows = rows.assign(seed=rows.groupby(["point_seed", "seed"]).ngroup())
    return rows


def _table(means: pd.DataFrame, by: list[str]) -> str:
    names = [draw.typed(name) for name in by]
    lines = ["| " + " | ".join([*names, "gain", "95 % interval", "repeats", "outcome"]) + " |"]
    lines.append("|---" * (len(by) + 4) + "|")
    for row in means.to_dict("records"):
        values = [f"{row[name]:g}" if isinstance(row[name], float) else row[name] for name in by]
        low, high = row["gain_lo"], row["gain_hi"]
        interval = f"{low:.3g} … {high:.3g}" if row["repeats"] > 1 else "none"
        cells = [*values, f"{row['gain']:.3g}", interval, row["repeats"], row["outcome"]]
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)
