"""The two figures of notebook 06."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from cchkd_utils import plots
from cchkd_utils.sections.counterexamples.mfh import PUBLISHED_CROSSING

COLOUR = {"distil": plots.BLUE, "do not distil": plots.ORANGE, "undecided": "0.5"}


def gain_against_gamma(
    ax: Axes, points: pd.DataFrame, crossings: Mapping[float, tuple], criterion_crossing: float
) -> None:
    """Draw `study.Cases.gains` against the share of common features, one colour per weight.

    `crossings` are those of `mfh`; nan are left out, as is a `criterion_crossing` of nan.
    """
    colour = plots.colours(points["lam"])
    measured = {
        lam: where for lam, where in crossings.items() if lam in colour and np.isfinite(where).all()
    }
    ax.axhline(0, color="0.2", lw=1)
    for lam, group in points.groupby("lam"):
        y = group["gain"].to_numpy()
        bars = [y - group["gain_lo"], group["gain_hi"] - y]
        ax.errorbar(group["knob"], y, yerr=bars, marker="o", color=colour[lam], lw=1.6,
                    capsize=2, label=f"λ = {lam:g}")  # fmt: skip
    for lam, (_, low, high) in measured.items():
        ax.axvspan(low, high, ymax=0.06, color=colour[lam], alpha=0.35, lw=0)
    ax.axvline(PUBLISHED_CROSSING, color=plots.GREY, ls=":", lw=1.6, label="published crossing")
    zeros = ", ".join(f"{where:.2f} (λ = {lam:g})" for lam, (where, *_) in measured.items())
    told = f"The gain crosses zero at γ = {zeros}" if zeros else "No gain crosses zero"
    if np.isfinite(criterion_crossing):
        ax.axvline(criterion_crossing, color="0.2", ls="--", lw=1.2, label="CCH: gap = 0")
        told += f"; CCH's gap at {criterion_crossing:.2f}"
    plots.headline(ax.figure, told)
    ax.set_xlabel("γ, share of decisive features in common")
    ax.set_ylabel("accuracy gained (percentage points)")


def verdicts_and_outcomes(table: pd.DataFrame, lam: float) -> Figure:
    """Show every case of `study.Cases.summary` as a bar of gap and of gain at `lam`."""
    fig, axes = plots.figure(2, width=9.5, height=0.36 * len(table) + 1.7)
    y = np.arange(len(table))[::-1]
    gain_label = f"gain at λ = {lam:g} (% of loss, or points)"
    for ax, column, label in zip(axes, ["gap", "gain"], ["CCH: gap (nats)", gain_label]):
        ax.axvline(0, color="0.2", lw=1)
        ax.barh(y, table[column], color=table["decision"].map(COLOUR), height=0.62, alpha=0.85)
        ax.set_xscale("symlog", linthresh=0.1 if column == "gap" else 1.0)
        ax.xaxis.set_major_formatter("{x:g}")
        ax.set(
            xlabel=f"{label}\nlogarithmic beyond ±{0.1 if column == 'gap' else 1:g}",
            ylim=(-0.6, len(table) - 0.4),
        )
        ax.grid(False, axis="y")
        ax.set_axisbelow(True)
    bars = [table["gain"] - table["gain_lo"], table["gain_hi"] - table["gain"]]
    axes[1].errorbar(table["gain"], y, xerr=bars, fmt="none", color="0.1", lw=1, capsize=2)
    axes[0].set_xticks([-0.1, 0, 0.1, 0.5])
    axes[0].set_yticks(y, table["condition"])
    axes[1].set_yticks(y, table["right"])
    axes[1].yaxis.tick_right()
    axes[1].set_title("who was right", loc="right", fontsize=11)
    by_cch, by_rival = (table["right"].isin([who, "both"]).sum() for who in ("CCH", "alignment"))
    told = f"Of {len(table)} chosen cases CCH foretold {by_cch}, residual alignment {by_rival}"
    plots.headline(fig, told)
    handles = [Patch(color=c, label=f"CCH: {d}") for d, c in COLOUR.items()]
    fig.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    return fig
