"""The page of a sweep: its grid, what distillation did at each point, and the tables to download.

``book/sweep.md`` has a part of its own, which stays, and below a mark the part written here.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import seaborn as sns

from cchkd_utils import paths, plots, resampling, results
from cchkd_utils.runner import folders
from cchkd_utils.runner.parameters import ParameterError
from cchkd_utils.runner.progress import text
from cchkd_utils.studies.cells import SECTIONS

MARK = "% Below this line `cchkd page` writes."
CONDITIONS = [
    "experiment", "dataset", "teacher", "student", "condition", "knob", "n_train", "lam",
    "temperature",
]  # fmt: skip
INTERVALS = {section.notebook: section.intervals for section in SECTIONS}  # folds are no seeds
SHAPES = "osD^vP*X"
MOST_LINES = len(SHAPES)  # in one figure; more cannot be told apart
CAPTION = "Mean gain over repeats with its 95 % interval; above zero distillation helps."
FILES = "sweep"  # folder of the figure and the tables, beside the page


def write(sweep: Path | str) -> Path:
    """Fill ``book/sweep.md`` with a finished sweep and return its path.

    Parameters
    ----------
    sweep : the sweep's folder

    Raises
    ------
    ParameterError
        When this is not the folder of a sweep that is whole.
    """
    folder = Path(sweep).expanduser().absolute()
    record = folders.finished(folder)
    if not record or not record.get("tables") or "axes" not in record:
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
    swept = [name for name in record["axes"] if name in frame and name not in results.RESULTS]
    varied = [name for name in [*CONDITIONS, *swept] if frame[name].nunique() > 1]
    if "knob" in varied and (frame.groupby("knob")["condition"].nunique() == 1).all():
        varied = [name for name in varied if name != "condition"]  # the knob in words
    by = ["metric", *varied]
    rows = frame.drop_duplicates([*by, "seed"])  # points may share seeds
    intervals = INTERVALS.get(record["notebook"], resampling.summarise)
    seeds = rows.groupby(by)["seed"].nunique().rename("repeats").reset_index()
    means = intervals(rows, by).drop(columns="repeats", errors="ignore").merge(seeds, on=by)
    counts = ", ".join(f"{n} {word}" for word, n in means["outcome"].value_counts().items())
    alt = f"Mean gain with its 95 % interval at {len(means)} settings; distillation: {counts}."
    parts = [f"Gain is positive where distillation helped. Of {len(means)} settings: {counts}."]
    if figure := _figure(means, varied):
        plots.mark_simulated(figure, "simulated" if "simulated" in set(frame["kind"]) else "real")
        figure.savefig(picture, dpi=200, facecolor="white")
        parts.append(f":::{{figure}} {FILES}/{picture.name}\n:alt: {alt}\n\n{CAPTION}\n:::")
    return [*parts, _table(means, by)]


def _table(means: pd.DataFrame, by: list[str]) -> str:
    lines = ["| " + " | ".join([*by, "gain", "95 % interval", "repeats", "outcome"]) + " |"]
    lines.append("|---" * (len(by) + 4) + "|")
    for row in means.to_dict("records"):
        values = [f"{row[name]:g}" if isinstance(row[name], float) else row[name] for name in by]
        low, high = row["gain_lo"], row["gain_hi"]
        interval = f"{low:.3g} … {high:.3g}" if row["repeats"] > 1 else "none"
        cells = [*values, f"{row['gain']:.3g}", interval, row["repeats"], row["outcome"]]
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _figure(means: pd.DataFrame, varied: list[str]) -> Any:
    """Draw the gain against the numeric setting that varies most; None where nothing does."""
    numeric = [name for name in varied if pd.api.types.is_numeric_dtype(means[name])]
    if not numeric:
        return None
    across = max(numeric, key=lambda name: means[name].nunique())
    others = [name for name in varied if name != across]
    metrics = list(dict.fromkeys(means["metric"]))
    if len(means.groupby(others or "metric")) > MOST_LINES:
        return None
    palette = sns.color_palette("colorblind", MOST_LINES)
    fig, axes = plots.figure(1, len(metrics), height=3.6 * len(metrics))
    for ax, metric in zip([axes] if len(metrics) == 1 else axes, metrics):
        rows = means[means["metric"] == metric]
        lines = rows.groupby(others, sort=True) if others else [((), rows)]
        for i, (values, line) in enumerate(lines):
            label = ", ".join(f"{name} {value}" for name, value in zip(others, values))
            ax.errorbar(
                line[across], line["gain"], [line["gain"] - line["gain_lo"],
                line["gain_hi"] - line["gain"]], marker=SHAPES[i], color=palette[i], capsize=3,
                label=label,
            )  # fmt: skip
        ax.axhline(0, color="0.2", lw=1)
        ax.set(xlabel=across, ylabel=f"gain, {metric}")
        if others:
            ax.legend(loc="best", fontsize=9)
    return fig
