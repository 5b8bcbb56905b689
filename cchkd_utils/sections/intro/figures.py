"""The book's first figure: gain against gap, one panel per experiment."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from cchkd_utils.plots import MARKERS, OUTCOMES, REGION, figure, mark_zeros


def finding(table: pd.DataFrame) -> Figure:
    """Draw the cells of `sections.intro.page.collect`, one panel per section."""
    groups = list(table.groupby("title", sort=False))
    columns = min(len(groups), 2)
    rows = -(-len(groups) // columns)
    fig, axes = figure(columns, rows, width=7.6, height=1.0 + 2.1 * rows)
    axes = np.ravel(axes)
    for ax, (_, cells) in zip(axes, groups):
        _panel(ax, cells)
    for ax in axes[len(groups) :]:
        ax.set_visible(False)
    fig.supylabel("gain of distillation (points; Gaussian: % of error)", fontsize=11)
    for ax in axes[max(len(groups) - columns, 0) : len(groups)]:
        ax.set_xlabel("MI gap  I(H1;H2) − I(H2;Y)  (nats)")
    handles = [Line2D([], [], color=c, lw=3, label=name) for name, c in OUTCOMES.items()]
    handles += [
        Line2D([], [], color="0.3", ls="", marker=marker, label=f"says {name}")
        for name, marker in MARKERS.items()
        if name in set(table["decision"])
    ]
    handles.append(Patch(color=REGION, alpha=0.3, label="gap > 0"))
    fig.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=10, frameon=False)
    return fig


def _panel(ax, cells: pd.DataFrame) -> None:
    for (outcome, decision), group in cells.groupby(["outcome", "decision"]):
        gap, percent = group["gap"], group["percent"]
        up = [percent - group["percent_lo"], group["percent_hi"] - percent]
        across = [gap - group["gap_lo"], group["gap_hi"] - gap]
        colour = OUTCOMES[outcome]
        ax.errorbar(
            gap, percent, yerr=np.abs(up), xerr=np.abs(across), fmt="none",
            ecolor=colour, lw=1, alpha=0.6,
        )  # fmt: skip
        ax.scatter(gap, percent, marker=MARKERS[decision], color=colour, s=34, edgecolor="white",
                   linewidth=0.6, zorder=3)  # fmt: skip
    low, high = ax.get_xlim()
    ax.set_xlim(min(low, -0.05 * (high - low)), max(high, 0.05 * (high - low)))
    mark_zeros(ax)
    first = cells.iloc[0]
    ax.set_title(f"{first['title']} ({first['source']}, {first['kind']})", fontsize=11)
