"""The two figures of notebook 06."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from cchkd_utils import plots

COLOUR = {"distil": plots.BLUE, "do not distil": plots.ORANGE, "undecided": "0.5"}


def gain_against_gamma(
    ax: Axes,
    points: pd.DataFrame,
    *,
    published: float,
    crossings: Mapping[float, tuple[float, float, float]],
    criterion_crossing: float,
) -> None:
    """Draw the gain of distillation against the share of common features, one colour per weight.

    Parameters
    ----------
    ax : axes to draw on
    points : rows with knob (gamma), lam, gain, gain_lo, gain_hi
    published : gamma at which the published gain changes sign
    crossings : weight to (crossing, low, high) of the gain measured here; others and nan are left
        out
    criterion_crossing : gamma at which the criterion's gap changes sign
    """
    colour = plots.colours(points["lam"])
    ax.axhline(0, color="0.2", lw=1)
    for lam, group in points.groupby("lam"):
        y = group["gain"].to_numpy()
        bars = [y - group["gain_lo"], group["gain_hi"] - y]
        ax.errorbar(group["knob"], y, yerr=bars, marker="o", color=colour[lam], lw=1.6,
                    capsize=2, label=f"λ = {lam:g}")  # fmt: skip
        where, low, high = crossings.get(lam, (np.nan,) * 3)
        if np.isfinite([where, low, high]).all():
            ax.axvspan(low, high, ymax=0.06, color=colour[lam], alpha=0.35, lw=0)
    ax.axvline(published, color=plots.GREY, ls=":", lw=1.6, label="published crossing")
    if np.isfinite(criterion_crossing):
        ax.axvline(criterion_crossing, color="0.2", ls="--", lw=1.2, label="CCH: gap = 0")
    where = [f"{crossings[lam][0]:.2f} (λ = {lam:g})" for lam in colour
             if lam in crossings and np.isfinite(crossings[lam][0])]  # fmt: skip
    told = "The gain crosses zero at γ = " + ", ".join(where) if where else "No gain crosses zero"
    if np.isfinite(criterion_crossing):
        told += f"; CCH's gap at {criterion_crossing:.2f}"
    plots.headline(ax.figure, told)
    ax.set_xlabel("γ, share of decisive features in common")
    ax.set_ylabel("accuracy gained (percentage points)")


def verdicts_and_outcomes(table: pd.DataFrame, lam: float) -> Figure:
    """Show every case as a bar of gain, coloured by the criterion's verdict.

    Parameters
    ----------
    table : rows of `counterexamples.Ledger.summary`
    lam : the weight the outcomes belong to
    """
    fig, axes = plots.figure(2, width=9.5, height=0.36 * len(table) + 1.7)
    y = np.arange(len(table))[::-1]
    colours = [COLOUR[decision] for decision in table["decision"]]
    for ax, column, label in zip(
        axes,
        ["gap", "gain"],
        ["CCH: gap (nats)", f"gain at λ = {lam:g} (% of loss, or points)"],
    ):
        ax.axvline(0, color="0.2", lw=1)
        ax.barh(y, table[column], color=colours, height=0.62, alpha=0.85)
        ax.set_xscale("symlog", linthresh=0.1 if column == "gap" else 1.0)
        ax.xaxis.set_major_formatter("{x:g}")
        ax.set_xlabel(label)
        ax.grid(False, axis="y")
        ax.set_axisbelow(True)
        ax.set_ylim(-0.6, len(table) - 0.4)
    bars = [table["gain"] - table["gain_lo"], table["gain_hi"] - table["gain"]]
    axes[1].errorbar(table["gain"], y, xerr=bars, fmt="none", color="0.1", lw=1, capsize=2)
    axes[0].set_xticks([-0.1, 0, 0.1, 0.5])
    axes[0].set_yticks(y, table["condition"])
    axes[1].set_yticks(y, table["right"])
    axes[1].yaxis.tick_right()
    axes[1].set_title("who was right", loc="right", fontsize=11)
    cch, other = (table["right"].isin([who, "both"]).sum() for who in ("CCH", "alternative"))
    plots.headline(fig, f"Of {len(table)} chosen cases CCH foretold {cch}, the alternative {other}")
    handles = [Patch(color=c, label=f"CCH: {d}") for d, c in COLOUR.items()]
    fig.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    return fig
