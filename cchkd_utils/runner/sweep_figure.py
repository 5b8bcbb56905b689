"""The figure of a sweep's page: the gain at every setting of a grid."""

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from cchkd_utils import plots

SHAPES = "osD^vP*X"
MOST_LINES = len(SHAPES)  # in one panel; more cannot be told apart
EASY_LINES = 4  # above these, panels are easier to read than lines
MOST_PANELS = 4


def gain(means: pd.DataFrame, settings: list[str]) -> Figure | None:
    """Draw the gain against the numeric setting that varies most, with a line per other setting.

    Parameters
    ----------
    means : rows with metric, gain, gain_lo, gain_hi and the columns `settings`
    settings : columns that tell the rows of a metric apart

    Returns
    -------
    Figure or None
        None where no setting is numeric, or more lines would be needed than can be told apart.
    """
    numeric = [name for name in settings if _is_number(means[name])]
    if not numeric:
        return None
    across = max(numeric, key=lambda name: means[name].nunique())
    others = [name for name in settings if name != across]
    panel = _panel(means, others)
    lines = [name for name in others if name != panel]
    labels = means[lines].drop_duplicates().sort_values(lines) if lines else pd.DataFrame([{}])
    if len(labels) > MOST_LINES:
        return None
    metrics = list(dict.fromkeys(means["metric"]))
    panels = sorted(means[panel].unique()) if panel else [None]
    fig, axes = plots.figure(
        1, len(metrics) * len(panels), height=2.6 * len(metrics) * len(panels) + 1
    )
    places = [(metric, value) for metric in metrics for value in panels]
    for ax, (metric, value) in zip([axes] if len(places) == 1 else axes, places):
        rows = means[means["metric"] == metric]
        rows = rows[rows[panel] == value] if panel else rows
        _lines(ax, rows, across, labels)
        title = metric if panel is None else f"{metric}, {typed(panel)} {value}"
        ax.set_title(title, loc="left")
        ax.set(xlabel=typed(across), ylabel=f"gain, {metric}")
    if lines:
        handles, names = ax.get_legend_handles_labels()
        fig.legend(handles, names, loc="outside upper left", ncols=2, fontsize=9, frameon=False)
    return fig


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def typed(column: str) -> str:
    """Return the parameter that a column of a sweep's tables is named for."""
    return column.removeprefix("point_")


def _panel(means: pd.DataFrame, others: list[str]) -> str | None:
    """Choose the setting that becomes panels, when the lines of one would be too many."""
    if not others or len(means[others].drop_duplicates()) <= EASY_LINES:
        return None
    few = [name for name in others if means[name].nunique() <= MOST_PANELS]
    return max(few, key=lambda name: means[name].nunique(), default=None)


def _lines(ax, rows: pd.DataFrame, across: str, labels: pd.DataFrame) -> None:
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
