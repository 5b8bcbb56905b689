"""The figures of notebook 05."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy.stats import spearmanr
from sklearn.isotonic import IsotonicRegression

from cchkd_utils import plots

OUTCOMES = {name: plots.OUTCOMES[name] for name in ("hurts", "unresolved", "helps")}
WRONG = {"distil": "hurts", "do not distil": "helps"}
MARKERS = ["o", "s", "D", "^", "v", "P"]


def outcomes_by_decision(shares: Mapping[str, pd.DataFrame]) -> Figure:
    """Show `study.outcome_by_decision` of each section, one panel each."""
    fig, axes = plots.figure(1, len(shares), width=7.5, height=1.25 * len(shares) + 0.9)
    axes = np.atleast_1d(axes)
    for ax, (section, table) in zip(axes, shares.items()):
        left = np.zeros(len(table))
        for outcome, colour in OUTCOMES.items():
            share = table[outcome].to_numpy()
            ax.barh(np.arange(len(table)), share, left=left, color=colour, label=outcome)
            left += share
        names = [f"{name} ({count})" for name, count in zip(table.index, table["cells"])]
        ax.set_yticks(np.arange(len(table)), names)
        ax.set(xlim=(0, 1), title=section)
        ax.grid(False)
        ax.xaxis.set_major_formatter("{x:.0%}")
    told = []
    for name, bad in WRONG.items():
        judged = pd.DataFrame([table.loc[name] for table in shares.values()])
        wrong, cells = judged["cells"] @ judged[bad], judged["cells"].sum()
        told.append(f"after “{name}” distillation {bad} in {wrong:.0f} of {cells:.0f} cells")
    plots.headline(fig, "; ".join(told).capitalize())
    axes[-1].set_xlabel("share of cells (their number in brackets)")
    handles, labels = axes[0].get_legend_handles_labels()
    names = [f"distillation {label}" if label != "unresolved" else label for label in labels]
    fig.legend(handles, names, loc="outside lower center", ncols=3, frameon=False)
    return fig


def ranking_of_criteria(ax: Axes, table: pd.DataFrame, labels: Mapping[str, str]) -> None:
    """Draw the rank correlations of `study.compare`, by section, with intervals.

    `labels` names the scores on the axis, in order; the first is in the headline.
    """
    sections = table["section"].unique()
    colours = [plots.BLUE, plots.ORANGE, plots.GREEN, plots.PURPLE, "0.3"]
    spread = np.linspace(0.26, -0.26, len(sections)) if len(sections) > 1 else [0.0]
    row = {score: len(labels) - i for i, score in enumerate(labels)}
    for section, marker, colour, shift in zip(sections, MARKERS, colours, spread):
        own = table[(table["section"] == section) & np.isfinite(table["rho"])]
        y = own["score"].map(row) + shift
        ax.hlines(y, own["rho_lo"], own["rho_hi"], color=colour, lw=1.6)
        ax.plot(own["rho"], y, marker, color=colour, ms=7, mec="white", mew=0.6)
        ax.plot([], [], marker, color=colour, label=section)
    ax.axvline(0, color="0.2", lw=1, ls="--")
    ax.set_yticks(list(row.values()), labels.values())
    ax.set(xlim=(-1.02, 1.02), ylim=(0.4, len(labels) + 0.6))
    ax.set_xlabel("rank correlation with the gain (0: none)")
    ax.grid(axis="y", visible=False)
    first, name = next(iter(labels.items()))
    rho = [f"{value:.2f}" for value in table.loc[table["score"] == first, "rho"].dropna()]
    told = ", ".join(rho) or "not defined"
    plots.headline(ax.figure, f"{name}: rank correlation with the gain, by section: {told}")
    ax.figure.legend(loc="outside lower center", ncols=min(4, len(sections)), frameon=False)


def response(ax: Axes, table: pd.DataFrame, title: str) -> None:
    """Draw the gain of every cell (`cells.cells`) against its gap, and the monotone curve."""
    x, y = table["gap"].to_numpy(), table["percent"].to_numpy()
    for outcome, colour in OUTCOMES.items():  # gains last, on top
        own = (table["outcome"] == outcome).to_numpy()
        ax.scatter(x[own], y[own], s=16, color=colour, edgecolor="white", lw=0.3, zorder=3)
    grid = np.linspace(x.min(), x.max(), 200)
    curve = IsotonicRegression(out_of_bounds="clip").fit(x, y).predict(grid)
    ax.plot(grid, curve, color="0.1", lw=1.8)
    plots.mark_zeros(ax)
    ends = [min(x.min(), 0), max(x.max(), 0)]
    pad = 0.05 * (np.ptp(ends) or 1)
    ax.set_xlim(ends[0] - pad, ends[1] + pad)
    ax.xaxis.set_major_locator(MaxNLocator(6))
    varies = np.ptp(x) > 0 and np.ptp(y) > 0
    order = f": rank correlation {spearmanr(x, y).statistic:.2f}" if varies else ""
    ax.set(title=title + order, xlabel="MI gap (nats)")
