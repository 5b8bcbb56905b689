"""The page of a sweep: its grid, what distillation did at each point, and the tables to download.

``book/sweep.md`` has a part of its own, which stays, and below a mark the part written here.
"""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cchkd_utils import paths, plots, results
from cchkd_utils.results import intervals
from cchkd_utils.runner import runs
from cchkd_utils.runner.parameters import ParameterError
from cchkd_utils.runner.sweep import text

MARK = "% Below this line `cchkd page` writes."
CONDITIONS = [
    "experiment", "dataset", "teacher", "student", "condition", "knob", "n_train", "lam",
    "temperature",
]  # fmt: skip
WORDY = ["condition", "experiment", "knob"]  # left out where the other settings say as much
SEEDS = ("seed", "point_seed")
CAPTION = (
    "Mean gain over repeats with its 95 % interval; above zero distillation helps. Lines are set "
    "a little apart, so that no interval hides another."
)
UNDRAWN = "The settings are too many, or not numeric, for a figure: the table has them all."
NAME = re.compile("[0-9a-f]{16}")
FILES = "sweep"  # folder of the figure and the tables, beside the page
SHAPES = "osD^vP*X"
MOST_LINES = len(SHAPES)  # in one panel; more cannot be told apart
EASY_LINES = 4  # above these, panels are easier to read than lines
MOST_PANELS = 4


def write(sweep: Path | str) -> Path:
    """Fill ``book/sweep.md`` with a finished sweep, given by name or folder; return its path."""
    known = list(paths.runs_root().glob(f"*/sweeps/{sweep}")) if NAME.fullmatch(str(sweep)) else []
    folder = known[0] if known else Path(sweep).expanduser().absolute()
    record = runs.finished(folder) or {}
    tables = record.get("tables")
    if not tables or "axes" not in record or not set(tables) <= set(results.TABLES):
        raise ParameterError(f"{folder} is not a finished sweep; cchkd results lists them")
    page = paths.ROOT / "book" / "sweep.md"
    own = page.read_text(encoding="utf-8").partition(MARK)[0]
    files = page.parent / FILES
    shutil.rmtree(files, ignore_errors=True)
    files.mkdir()
    names = [f"{table}{end}" for table in tables for end in (".csv", ".parquet")]
    for name in names:
        shutil.copyfile(folder / name, files / name)
    links = ", ".join(f"{{download}}`{name} <{FILES}/{name}>`" for name in names)
    parts = [own + MARK, _heading(record), f"Tables of all points: {links}."]
    if "results" in tables:
        parts += _findings(results.read(folder / "results.csv"), record, files / "gain.png")
    page.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return page


def _heading(record: Mapping[str, Any]) -> str:
    grid = " ".join(
        f"`{name}={','.join(map(text, values))}`" for name, values in record["axes"].items()
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
    seeds = rows.groupby(by)["seed"].nunique().rename("repeats").reset_index()
    means = intervals.summarise(rows, by).drop(columns="repeats").merge(seeds, on=by)
    counts = ", ".join(f"{n} {word}" for word, n in means["outcome"].value_counts().items())
    alt = f"Mean gain with its 95 % interval at {len(means)} settings; distillation: {counts}."
    parts = [f"Gain is positive where distillation helped. Of {len(means)} settings: {counts}."]
    if figure := gain_figure(means, settings):
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
    settings = [*swept, *(name for name in CONDITIONS if name not in swept)]
    settings = [name for name in settings if frame[name].nunique() > 1]
    for name in [name for name in WORDY if name in settings and name not in swept]:
        rest = [column for column in settings if column != name]
        if rest and (frame.groupby(rest)[name].nunique() == 1).all():
            settings = rest
    return settings


def _repeats(frame: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return each repeat once: points may share seeds, and seeds may differ by their base."""
    rows = frame.drop_duplicates([*by, "seed", "baseline", "distilled"])
    if "point_seed" in rows:
        rows = rows.assign(seed=rows.groupby(["point_seed", "seed"]).ngroup())
    return rows


def _table(means: pd.DataFrame, by: list[str]) -> str:
    names = [*map(typed, by), "gain", "95 % interval", "repeats", "outcome"]
    lines = ["| " + " | ".join(names) + " |"]
    lines.append("|---" * len(names) + "|")
    for row in means.to_dict("records"):
        values = [f"{row[name]:g}" if isinstance(row[name], float) else row[name] for name in by]
        low, high = row["gain_lo"], row["gain_hi"]
        interval = f"{low:.3g} … {high:.3g}" if row["repeats"] > 1 else "none"
        cells = [*values, f"{row['gain']:.3g}", interval, row["repeats"], row["outcome"]]
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def typed(column: str) -> str:
    """Return the parameter that a column of a sweep's tables is named for."""
    return column.removeprefix("point_")


def gain_figure(means: pd.DataFrame, settings: list[str]) -> Figure | None:
    """Draw the gain against the numeric setting that varies most, with a line per further setting.

    None where no setting is numeric, or more lines would be needed than can be told apart.
    """
    numeric = means[settings].select_dtypes("number").nunique()
    if numeric.empty:
        return None
    across = numeric.idxmax()
    rest = [name for name in settings if name != across]
    few = means[rest].nunique().loc[lambda counts: counts <= MOST_PANELS]
    crowded = rest and len(means[rest].drop_duplicates()) > EASY_LINES
    panel = few.idxmax() if crowded and not few.empty else None
    lines = [name for name in rest if name != panel]
    labels = means[lines].drop_duplicates().sort_values(lines) if lines else pd.DataFrame([{}])
    if len(labels) > MOST_LINES:
        return None
    values = sorted(means[panel].unique()) if panel else [None]
    places = [(metric, value) for metric in means["metric"].unique() for value in values]
    fig, axes = plots.figure(1, len(places), height=2.6 * len(places) + 1)
    for ax, (metric, value) in zip([axes] if len(places) == 1 else axes, places):
        rows = means[means["metric"] == metric]
        rows = rows[rows[panel] == value] if panel else rows
        _lines(ax, rows, across, labels)
        title = metric if panel is None else f"{metric}, {typed(panel)} {value}"
        ax.set_title(title, loc="left")
        ax.set(xlabel=typed(across), ylabel=f"gain, {metric}")
    if lines:
        handles, names = ax.get_legend_handles_labels()
        fig.legend(handles, names, loc="outside upper left", ncols=2, fontsize=10, frameon=False)
    return fig


def _lines(ax: Axes, rows: pd.DataFrame, across: str, labels: pd.DataFrame) -> None:
    palette = sns.color_palette("colorblind", MOST_LINES)
    apart = 0.012 * (rows[across].max() - rows[across].min())  # intervals do not hide each other
    for i, values in enumerate(labels.to_dict("records")):
        line = rows
        for name, value in values.items():
            line = line[line[name] == value]
        ends = [line["gain"] - line["gain_lo"], line["gain_hi"] - line["gain"]]
        label = ", ".join(f"{typed(name)} {value}" for name, value in values.items())
        beside = (i - len(labels) / 2 + 0.5) * apart
        ax.errorbar(
            line[across] + beside, line["gain"], ends, marker=SHAPES[i], color=palette[i],
            capsize=3, label=label,
        )  # fmt: skip
    ax.axhline(0, color="0.2", lw=1)
