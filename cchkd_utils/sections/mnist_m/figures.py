"""The figures of the image section."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cchkd_utils import plots
from cchkd_utils.plots import BLUE, GREEN, ORANGE, PURPLE, figure

LINES = {
    "distillation": (BLUE, "o", "the same image"),
    "paired by class": (GREEN, "s", "another image of the class"),
    "shuffled teacher": (ORANGE, "v", "a random other image"),
}


def gap_panels(points: pd.DataFrame) -> Figure:
    """Draw gain against gap, one panel per estimator, at most two side by side.

    Parameters
    ----------
    points : as `sections.mnist_m.tables.points` returns
    """
    estimators = list(dict.fromkeys(points["estimator"]))
    columns = min(2, len(estimators))
    rows = -(-len(estimators) // columns)
    fig, axes = figure(columns, rows, width=4.8 * max(columns, 1.4), height=4.1 * rows + 1.1)
    flat = np.ravel(axes)
    for ax, one in zip(flat, estimators):
        some = points[points["estimator"] == one]
        plots.gain_against_gap(ax, some)
    for ax in flat[len(estimators) :]:
        ax.set_visible(False)
    for ax in np.reshape(axes, (rows, columns))[:, 0]:
        ax.set_ylabel("accuracy gained (points)")
    plots.title_estimators(fig, dict(zip(estimators, flat)), points)
    plots.share_limits(flat[: len(estimators)])
    for ax, one in zip(flat, estimators):
        _name_blurs(ax, points[points["estimator"] == one])
    plots.gap_legend(fig, points)
    return fig


def _name_blurs(ax: Axes, points: pd.DataFrame) -> None:
    """Write the blur below each group of points; groups that lie close share one label."""
    low = points["gain_lo"].fillna(points["gain"])  # one seed has no interval
    columns = points.assign(low=low).groupby("knob").agg(gap=("gap", "first"), low=("low", "min"))
    columns = columns.sort_values("gap")
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    ax.set_ylim(bottom - 0.08 * (top - bottom), top)  # room for the lowest label
    for _, some in columns.groupby((columns["gap"].diff() > 0.05 * (right - left)).cumsum()):
        blurs = sorted(some.index)
        names = f"{blurs[0]:g}" if len(blurs) == 1 else f"{blurs[0]:g}–{blurs[-1]:g}"
        at = np.clip(
            some["gap"].mean(), left + 0.07 * (right - left), right - 0.07 * (right - left)
        )
        ax.annotate(f"{names} px", (at, some["low"].min()), (0, -4), va="top",
                    textcoords="offset points", ha="center", fontsize=9)  # fmt: skip


def heat_maps(table: pd.DataFrame, columns: int = 4) -> Figure:
    """Draw the mean gain over λ and T, one panel per blur, the number in each cell.

    Parameters
    ----------
    table : rows with knob, lam, temperature and gain in percentage points
    columns : panels side by side
    """
    grids = table.pivot_table(index=["knob", "lam"], columns="temperature", values="gain")
    blurs = sorted(table["knob"].unique())
    rows = -(-len(blurs) // columns)
    columns = min(columns, len(blurs))
    fig, axes = figure(columns, rows, width=2.4 * columns + 0.8, height=2.5 * rows + 0.5)
    limit = max(1.0, float(np.abs(grids.to_numpy()).max()))
    scale = mpl.colors.SymLogNorm(linthresh=2, vmin=-limit, vmax=limit)
    flat = np.ravel(axes)
    for ax, blur in zip(flat, blurs):
        grid = grids.loc[blur]
        picture = ax.imshow(grid, cmap="PuOr", norm=scale, aspect="auto", origin="lower")
        ax.set_xticks(range(grid.shape[1]), [f"{t:g}" for t in grid.columns])
        ax.set_yticks(range(grid.shape[0]), [f"{w:g}" for w in grid.index])
        ax.grid(False)
        ax.set_title(f"blur {blur:g} px", fontsize=11)
        for (i, j), value in np.ndenumerate(grid.to_numpy()):
            dark = abs(scale(value) - 0.5) > 0.33
            ax.text(j, i, f"{round(value, 1) + 0:+.1f}", ha="center", va="center", fontsize=9,
                    color="white" if dark else "black")  # fmt: skip
    for ax in flat[len(blurs) :]:
        ax.set_visible(False)
    for ax in np.reshape(axes, (rows, columns))[:, 0]:
        ax.set_ylabel("weight λ")
    for ax in np.reshape(axes, (rows, columns))[-1]:
        ax.set_xlabel("temperature T")
    (best, worst) = (grids.stack().idxmax(), grids.stack().idxmin())
    ends = [f"{grids.stack()[one]:+.1f} points (blur {one[0]:g} px, λ = {one[1]:g}, T = {one[2]:g})"
            for one in (best, worst)]  # fmt: skip
    plots.headline(fig, f"From {ends[0]} to {ends[1]}")
    bar = fig.colorbar(picture, ax=axes, shrink=0.8, pad=0.02)
    bar.set_label("accuracy gained (points)")
    bar.ax.yaxis.set_major_formatter("{x:g}")
    return fig


def confusion_differences(counts: dict[str, NDArray]) -> Figure:
    """Draw what distillation changed in the confusion matrix, one panel per teacher.

    Parameters
    ----------
    counts : title to difference [true class, predicted class], per cent of the true class
    """
    fig, axes = figure(len(counts), 1, width=4.6 * len(counts) + 0.6, height=4.3)
    limit = max(float(np.abs(one).max()) for one in counts.values())
    for ax, (title, grid) in zip(np.ravel(axes), counts.items()):
        picture = ax.imshow(grid, cmap="PuOr", vmin=-limit, vmax=limit)
        ax.set_xticks(range(len(grid)))
        ax.set_yticks(range(len(grid)))
        ax.grid(False)
        ax.set(xlabel="class the student says", ylabel="true class")
        ax.set_title(title, fontsize=11)
        for i in range(len(grid)):
            ax.text(i, i, f"{grid[i, i]:+.0f}", ha="center", va="center", fontsize=8)
    fig.colorbar(picture, ax=axes, shrink=0.85, pad=0.02).set_label("change (% of the true class)")
    return fig


def control_lines(points: pd.DataFrame) -> Figure:
    """Draw the gain against blur for the real pairing and each control, with intervals.

    Parameters
    ----------
    points : as `sections.mnist_m.tables.contrasts` returns
    """
    fig, ax = figure(width=7.4, height=4.8)
    ax.axhline(0, color="0.2", lw=1)
    shift = {name: 0.06 * (i - 1) for i, name in enumerate(LINES)}
    for name, (colour, marker, text) in LINES.items():
        some = points[points["what"] == name].sort_values("knob")
        if some.empty:
            continue
        bars = [some["gain"] - some["gain_lo"], some["gain_hi"] - some["gain"]]
        ax.errorbar(some["knob"] + shift[name], some["gain"], yerr=bars, color=colour,
                    marker=marker, lw=1.5, capsize=2, label=f"answer to {text}")  # fmt: skip
    for row in points[points["what"] == "label smoothing"].itertuples():
        ax.axhspan(row.gain_lo, row.gain_hi, color=PURPLE, alpha=0.25, lw=0)
        ax.axhline(row.gain, color=PURPLE, lw=1.5, ls="--",
                   label=f"label smoothing, its best λ = {row.lam:g}")  # fmt: skip
    ax.set(xlabel="blur of the teacher's images (pixels)", ylabel="accuracy gained (points)")
    sharpest = points[
        points["knob"] == points.loc[points["what"] != "label smoothing", "knob"].min()
    ]
    told = [f"{text} {sharpest.loc[sharpest['what'] == name, 'gain'].iloc[0]:+.1f}"
            for name, (*_, text) in LINES.items() if (sharpest["what"] == name).any()]  # fmt: skip
    plots.headline(fig, "The sharpest teacher's answer to " + ", ".join(told) + " points")
    fig.legend(loc="outside lower center", ncols=2, fontsize=10, frameon=False)
    return fig
