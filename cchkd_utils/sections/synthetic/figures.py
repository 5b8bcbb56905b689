"""The figures of notebook 01 that are its own."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cchkd_utils import plots
from cchkd_utils.gaussian import JointGaussian
from cchkd_utils.plots import with_intervals
from cchkd_utils.results.readable import minus

STUDENTS = {"linear": "Linear student", "mlp": "Network"}


def gain_against_true_gap(points: pd.DataFrame, curves: Mapping[float, tuple]) -> Figure:
    """Draw gain against true gap, a panel per student, with the exact `curves` of linear ones."""
    fig, axes = plots.figure(2, width=9.5, height=5.2)
    for ax, (name, title) in zip(axes, STUDENTS.items()):
        own = points[points["experiment"] == name]
        plots.gain_against_gap(ax, own, gap="knob", curves=curves)
        ax.set(title=title, xlabel="true MI gap  I(t;s) − I(s;y)  (nats)")
    networks = points[points["experiment"] == "mlp"]
    sides = {"> 0": networks[networks["knob"] > 0], "< 0": networks[networks["knob"] < 0]}
    counts = [f"gap {side}: {plots.helped(rows)}" for side, rows in sides.items() if len(rows)]
    plots.headline(fig, "Networks, true " + "; ".join(counts) + " cells")
    axes[0].set_ylabel("MSE saved by distillation (% of baseline)")
    plots.share_limits(axes)
    plots.gap_legend(fig, points, curve="exact, linear student")
    return fig


def gain_against_rows(
    points: pd.DataFrame, world: Callable[[float], JointGaussian], gap: float
) -> Figure:
    """Draw how the gains of one true `gap` and the room for λ shrink with the training rows."""
    fig, axes = plots.figure(3, width=9.8, height=4.4)
    sizes = sorted(set(points["n_train"]))
    model = world(gap)
    n = np.geomspace(max(1.6 * model.p2, 0.6 * sizes[0]), 2 * sizes[-1], 200)
    colour = plots.colours(points["lam"])
    for ax in axes:  # the scale first: limits found on a linear axis may reach below zero
        ax.set(xscale="log", xlabel="training rows n")
        ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
        ax.xaxis.minorticks_off()
    own = points[points["knob"] == gap]
    for ax, (name, title) in zip(axes, STUDENTS.items()):
        ax.axhline(0, color="0.2", lw=1)
        for lam, group in own[own["experiment"] == name].groupby("lam"):
            ax.plot(n, -100 * model.relative_change(n, lam), color=colour[lam], lw=1.4)
            with_intervals(ax, group["n_train"], group, "gain", fmt="o", color=colour[lam], ms=5,
                           lw=1, label=f"λ = {lam:g}")  # fmt: skip
        ax.set_title(minus(f"{title}, gap {gap:+g}"), fontsize=11)
        ax.set_ylabel("MSE saved (% of baseline)")
    plots.headline(fig, _shrinking(own))
    plots.share_limits(axes[:2])
    _room(axes[2], points, world, n)
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return fig


def _shrinking(points: pd.DataFrame) -> str:
    """Say what the largest weight saves with the fewest rows and with the most."""
    lam = points["lam"].max()
    table = points[points["lam"] == lam].pivot(index="experiment", columns="n_train", values="gain")
    sizes = sorted({table.columns.min(), table.columns.max()})
    gains = {name: " → ".join(f"{row[n]:.1f}" for n in sizes) for name, row in table.iterrows()}
    told = [f"{STUDENTS[name].lower()} {gain} %" for name, gain in gains.items()]
    rows = " → ".join(f"{n:,}" for n in sizes) + " rows"
    return f"Error saved at λ = {lam:g}, {rows}: {', '.join(told)}"


def _room(ax, points, world, n) -> None:
    """Draw the largest helpful λ of the exact theory, a line per world."""
    knobs = sorted(set(points["knob"]))
    chosen = [knobs[i] for i in sorted({0, len(knobs) // 3, 2 * len(knobs) // 3, len(knobs) - 1})]
    for gap, style in zip(chosen, ("-", "--", "-.", ":")):
        largest = world(gap).largest_helpful_lambda(n)
        # log scale: no helpful weight is off the picture, every weight is its upper edge
        ax.plot(
            n, np.clip(largest, 1e-9, 1e9), style, color="0.2", lw=1.5, label=minus(f"{gap:+g}")
        )
    lam = points["lam"]
    ax.axhspan(lam.min(), lam.max(), color=plots.REGION, alpha=0.2, lw=0)
    ax.set(yscale="log", ylim=(1e-3, 1e2), ylabel="largest λ that helps")
    ax.set_title("Room for λ (band: λ used)", fontsize=11)
    ax.legend(title="true gap (nats)", fontsize=10, frameon=False, loc="lower left")
