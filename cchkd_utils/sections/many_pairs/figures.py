"""The figures of notebook 08."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from cchkd_utils import plots
from cchkd_utils.results import intervals
from cchkd_utils.sections.cells import resolved, same_sign


def pairs(table: pd.DataFrame) -> Figure:
    """Show gain against gap of every cell of `tables.joined` by one estimator, a panel a source."""
    groups = list(table.groupby("source", sort=False))
    columns = min(4, len(groups))
    rows = -(-len(groups) // columns)
    fig, axes = plots.figure(columns, rows, width=8.4, height=1.3 + 1.9 * rows)
    axes = np.atleast_2d(axes)
    for ax, (title, own) in zip(axes.flat, groups):
        for (outcome, decision), part in own.groupby(["outcome", "decision"]):
            colour, marker = plots.OUTCOMES[outcome], plots.MARKERS[decision]
            filled = colour if outcome != "unresolved" else "none"
            ax.scatter(part["gap"], part["percent"], marker=marker, s=26, facecolor=filled,
                       edgecolor=colour, lw=0.8, zorder=3 if filled == colour else 2)  # fmt: skip
        ends = [min(own["gap"].min(), 0), max(own["gap"].max(), 0)]
        pad = 0.08 * (np.ptp(ends) or 1)
        ax.set_xlim(ends[0] - pad, ends[1] + pad)
        plots.mark_zeros(ax)
        ax.set_title(title, fontsize=11)
    for ax in list(axes.flat)[len(groups) :]:
        ax.set_visible(False)
    for ax in list(axes.flat)[max(len(groups) - columns, 0) : len(groups)]:
        ax.set_xlabel("MI gap (nats)")
    fig.supylabel("gain of distillation (points)", fontsize=11)
    clear, same = resolved(table), same_sign(table)
    helps = (clear["outcome"] == "helps").sum()
    plots.headline(
        fig,
        f"{len(clear)} of {len(table)} effects are clear, {helps} of them gains; the sign of the "
        f"gap is right in {same.sum()}, “never distil” in {len(clear) - helps}",
    )
    handles = [Line2D([], [], color=c, lw=3, label=name) for name, c in plots.OUTCOMES.items()]
    handles += [
        Line2D([], [], color="0.3", ls="", marker=marker, label=f"says {name}")
        for name, marker in plots.MARKERS.items()
        if name in set(table["decision"])
    ]
    handles.append(Patch(color=plots.REGION, alpha=0.3, label="gap > 0"))
    fig.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=10, frameon=False)
    return fig


def ranking(ax: Axes, ranked: pd.DataFrame, labels: dict[str, str]) -> None:
    """Draw `tables.ranking`: rank correlation with the gain over all cells, and within sets."""
    forms = {"overall": ("over all cells", plots.BLUE, "o"), "within": ("within sets", "0.2", "D")}
    y = np.arange(len(ranked))[::-1]
    for shift, (form, (title, colour, marker)) in zip((0.16, -0.16), forms.items()):
        if form in ranked:
            plots.with_intervals(
                ax, y + shift, ranked, form, across=True, fmt=marker, color=colour, label=title
            )
    ax.axvline(0, color="0.2", lw=1, ls="--")
    ax.set_yticks(y, [labels.get(name, name) for name in ranked.index])
    ax.set_xlabel("rank correlation with the gain (0: none)")
    ax.grid(axis="y", visible=False)
    ax.figure.legend(loc="outside lower center", ncols=2, frameon=False)


def calibration(ax: Axes, p: np.ndarray, helps: np.ndarray, groups: np.ndarray, bins: int) -> None:
    """Draw the share that helped against the probability foretold, in bins of equal size."""
    ax.plot([0, 1], [0, 1], color="0.5", lw=1, ls="--")
    parts = np.array_split(np.argsort(p, kind="stable"), bins)
    points = [
        (p[rows].mean(), *intervals.cluster_interval(lambda r, rows=rows: helps[rows][r].mean(),
                                                     groups[rows]))
        for rows in parts
    ]  # fmt: skip
    shown = pd.DataFrame(points, columns=["p", "share", "share_lo", "share_hi"])
    shown = shown.fillna({"share_lo": shown["share"], "share_hi": shown["share"]})
    plots.with_intervals(ax, shown["p"], shown, "share", fmt="o", color=plots.BLUE)
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    ax.set(xlabel="probability foretold", ylabel="share of cells that gained")


def matrix(table: pd.DataFrame) -> Figure:
    """Show the gain of every teacher (row) and student (column); clear effects are framed."""
    names = list(dict.fromkeys([*sorted(table["teacher"]), *sorted(table["student"])]))
    at = {name: i for i, name in enumerate(names)}
    gains = np.full((len(names), len(names)), np.nan)
    gains[table["teacher"].map(at), table["student"].map(at)] = 100 * table["gain"]
    size = 1.9 + 0.72 * len(names)
    fig, ax = plots.figure(width=max(size, 4.5), height=max(size * 0.8, 3.0))
    most = np.nanmax(abs(gains)) or 1.0
    ax.imshow(gains, cmap="RdBu", vmin=-most, vmax=most, aspect="auto")
    for row in table.to_dict("records"):
        i, j = at[row["teacher"]], at[row["student"]]
        colour = "w" if abs(gains[i, j]) > 0.6 * most else "k"
        ax.text(j, i, f"{gains[i, j]:+.1f}", ha="center", va="center", color=colour, fontsize=10)
        if row["outcome"] != "unresolved":
            ax.add_patch(Rectangle((j - 0.48, i - 0.48), 0.96, 0.96, fill=False, lw=2))
    ax.set_xticks(range(len(names)), names, rotation=30, ha="right")
    ax.set_yticks(range(len(names)), names)
    ax.set(xlabel="student", ylabel="teacher")
    ax.grid(False)
    plots.headline(fig, f"Distillation {plots.helped(table)} pairs")
    return fig
