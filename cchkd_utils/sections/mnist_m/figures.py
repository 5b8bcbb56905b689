"""The figures of notebook 02."""

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cchkd_utils import plots
from cchkd_utils.plots import BLUE, GREEN, ORANGE, PURPLE, figure, gain_by_estimator, with_intervals
from cchkd_utils.results.readable import minus

GAIN = "accuracy gained (points)"
LINES = {
    "distillation": (BLUE, "o", "the same image"),
    "paired by class": (GREEN, "s", "another image of the class"),
    "shuffled teacher": (ORANGE, "v", "a random other image"),
}


def gap_panels(points: pd.DataFrame) -> Figure:
    """Draw gain against gap (`tables.points`), one panel per estimator, the blurs named."""
    estimators = list(dict.fromkeys(points["estimator"]))
    fig = gain_by_estimator(points, estimators, GAIN)
    for ax, estimator in zip(fig.axes, estimators):
        _name_blurs(ax, points[points["estimator"] == estimator])
    return fig


def _name_blurs(ax: Axes, points: pd.DataFrame) -> None:
    """Write the blur below each group of points; groups that lie close share one label."""
    low = points["gain_lo"].fillna(points["gain"])  # one seed has no interval
    columns = points.assign(low=low).groupby("knob").agg(gap=("gap", "first"), low=("low", "min"))
    columns = columns.sort_values("gap")
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    ax.set_ylim(bottom - 0.08 * (top - bottom), top)  # room for the lowest label
    margin = 0.07 * (right - left)
    for _, group in columns.groupby((columns["gap"].diff() > 0.05 * (right - left)).cumsum()):
        names = ", ".join(f"{blur:g}" for blur in sorted(group.index))
        at = np.clip(group["gap"].mean(), left + margin, right - margin)
        ax.annotate(f"{names} px", (at, group["low"].min()), (0, -4), va="top",
                    textcoords="offset points", ha="center", fontsize=10, zorder=9,
                    bbox={"fc": "white", "alpha": 0.75, "lw": 0, "pad": 0.5})  # fmt: skip


def _heat_map(ax: Axes, grid: pd.DataFrame, text: pd.DataFrame, title: str, norm, size: int):
    """Draw numbers as colours with `text` in the cells, light on dark; return the picture."""
    for (i, j), word in np.ndenumerate(text):
        dark = abs(norm(grid.iloc[i, j]) - 0.5) > 0.33
        ax.text(j, i, word, ha="center", va="center", fontsize=size,
                color="white" if dark else "black")  # fmt: skip
    ax.set_xticks(range(grid.shape[1]), [f"{name:g}" for name in grid.columns])
    ax.set_yticks(range(grid.shape[0]), [f"{name:g}" for name in grid.index])
    ax.grid(False)
    ax.set_title(title, fontsize=11)
    return ax.imshow(grid, cmap="PuOr", norm=norm, aspect="auto")


def heat_maps(table: pd.DataFrame) -> Figure:
    """Draw the mean gain in points over λ and T, one panel per blur, the number in each cell."""
    grids = table.pivot_table(index=["knob", "lam"], columns="temperature", values="gain")
    blurs = sorted(table["knob"].unique())
    columns = min(4, len(blurs))
    rows = -(-len(blurs) // columns)
    fig, axes = figure(columns, rows, width=2.2 * columns + 0.6, height=2.3 * rows + 0.5)
    axes = np.reshape(axes, (rows, columns))
    limit = max(1.0, float(np.abs(grids.to_numpy()).max()))
    scale = mpl.colors.SymLogNorm(linthresh=2, vmin=-limit, vmax=limit)
    for ax, blur in zip(axes.flat, blurs):
        text = grids.loc[blur].map(lambda v: minus(f"{v:+z.1f}"))
        picture = _heat_map(ax, grids.loc[blur], text, f"blur {blur:g} px", scale, 10)
        ax.invert_yaxis()
    for ax in axes.flat[len(blurs) :]:
        ax.set_visible(False)
    fig.supxlabel("temperature T", fontsize=11)
    fig.supylabel("weight λ", fontsize=11)
    cells = grids.stack()
    ends = [f"{cells[cell]:+.1f} points (blur {cell[0]:g} px, λ = {cell[1]:g}, T = {cell[2]:g})"
            for cell in (cells.idxmax(), cells.idxmin())]  # fmt: skip
    plots.headline(fig, f"From {ends[0]} to {ends[1]}")
    bar = fig.colorbar(picture, ax=axes, shrink=0.8, pad=0.02, label=GAIN)
    bar.ax.yaxis.set_major_formatter("{x:g}")
    return fig


def confusion_differences(changes: Mapping[str, NDArray]) -> Figure:
    """Draw changes of the confusion matrix [true, said] by title, per cent of the true class."""
    fig, axes = figure(len(changes), 1, width=4.6 * len(changes) + 0.6, height=4.3)
    limit = max(float(np.abs(grid).max()) for grid in changes.values())
    scale = mpl.colors.Normalize(-limit, limit)
    for ax, (title, grid) in zip(np.ravel(axes), changes.items()):
        text = pd.DataFrame(grid).map(lambda v: minus(f"{v:+z.0f}"))
        text = text.where(np.eye(len(grid), dtype=bool), "")
        picture = _heat_map(ax, pd.DataFrame(grid), text, title, scale, 9)
        ax.set(xlabel="class the student says", ylabel="true class")
    fig.colorbar(picture, ax=axes, shrink=0.85, pad=0.02).set_label("change (% of the true class)")
    return fig


def control_lines(points: pd.DataFrame) -> Figure:
    """Draw the gain against blur for the real pairing and each control (`tables.contrasts`)."""
    fig, ax = figure(width=7.4, height=4.8)
    ax.axhline(0, color="0.2", lw=1)
    smooth = points["what"] == "label smoothing"
    sharpest = points["knob"] == points.loc[~smooth, "knob"].min()
    told = []
    for i, (name, (colour, marker, text)) in enumerate(LINES.items()):
        own = points[points["what"] == name].sort_values("knob")
        if own.empty:
            continue
        with_intervals(ax, own["knob"] + 0.06 * (i - 1), own, "gain", color=colour, marker=marker,
                       lw=1.5, label=f"answer to {text}")  # fmt: skip
        told += [f"{text} {gain:+.1f}" for gain in own.loc[sharpest[own.index], "gain"]]
    for row in points[smooth].itertuples():
        ax.axhspan(row.gain_lo, row.gain_hi, color=PURPLE, alpha=0.25, lw=0)
        ax.axhline(row.gain, color=PURPLE, lw=1.5, ls="--",
                   label=f"label smoothing, its best λ = {row.lam:g}")  # fmt: skip
    ax.set(xlabel="blur of the teacher's images (pixels)", ylabel=GAIN)
    plots.headline(fig, "The sharpest teacher's answer to " + ", ".join(told) + " points")
    fig.legend(loc="outside lower center", ncols=2, fontsize=10, frameon=False)
    return fig
