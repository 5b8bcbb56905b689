"""Figures of notebook 07: estimates beside the truth, intervals that cover or do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from cchkd_utils import plots

PAIR = {  # quantities in one panel
    "I(X;Y)": ("0.4", "^"),
    "I(H1;H2)": ("black", "o"),
    "I(H2;Y)": (plots.ORANGE, "s"),
}
BAR = 1.645  # standard errors of a 90 % interval
TRUTH = {"color": "0.2", "lw": 1.0, "ls": "--", "zorder": 1}


def titled(title: str, columns: int = 1, **size) -> tuple[Figure, np.ndarray]:
    """Return a figure whose title says what was found, and its axes, always an array."""
    fig, axes = plots.figure(columns, **size)
    plots.headline(fig, title)
    return fig, np.atleast_1d(axes)


def method_lines(ax: Axes, table: pd.DataFrame, x: str, y: str = "nats", dodge=0.0) -> None:
    """Draw the mean of `y` by `x`, one line per method; bars: the 90 % interval one estimate gives.

    Parameters
    ----------
    ax : axes to draw on
    table : rows of the estimates table, with the columns `x` and `y`
    x, y : columns; `y` in nats
    dodge : shift between the methods, in units of x, or as a factor on a logarithmic axis
    """
    for i, (method, (colour, marker)) in enumerate(plots.ESTIMATORS.items()):
        points = table[table["method"] == method].groupby(x)[[y, "stderr"]].mean()
        if points.empty:
            continue
        shift = (i - 2) * dodge
        at = points.index * np.exp(shift) if ax.get_xscale() == "log" else points.index + shift
        ax.errorbar(at, points[y], BAR * points["stderr"], color=colour, marker=marker,
                    lw=1.3, elinewidth=1, ms=5, zorder=3 if method == "auto" else 2)  # fmt: skip


def method_legend(fig: Figure, methods: Sequence[str], *, truth: str = "truth") -> None:
    """Explain the methods' colours and the dashed line, below the axes."""
    entries = [
        Line2D([], [], color=colour, marker=marker, ms=5, label=name)
        for name, (colour, marker) in plots.ESTIMATORS.items()
        if name in methods
    ]
    entries.append(Line2D([], [], color="0.2", lw=1, ls="--", label=truth))
    ncols = 6 if fig.get_figwidth() > 8 else 3  # leaves the corner to `mark_simulated`
    fig.legend(handles=entries, loc="outside lower center", ncols=ncols, fontsize=10, frameon=False)


def error_by_dimension(axes: Sequence[Axes], table: pd.DataFrame) -> None:
    """Draw the error, estimate minus truth, against the dimension, one panel per n."""
    table = table.assign(error=table["nats"] - table["true_mi"])
    for ax, (n, group) in zip(axes, table.groupby("n")):
        ax.set_xscale("log", base=2)
        method_lines(ax, group, "dim", "error", dodge=0.05)
        ax.axhline(0, **TRUTH)
        ax.set(title=f"n = {n}", xlabel="dimensions of X and of Y")
        dims = sorted(set(group["dim"]))
        ax.set_xticks(dims, dims)
    axes[0].set_ylabel("error (nats)")
    plots.share_limits(axes)


def estimate_against_truth(ax: Axes, table: pd.DataFrame, *, ceiling: float = np.inf) -> None:
    """Draw estimates against true values, with the diagonal and, if finite, a ceiling; nats."""
    method_lines(ax, table, "true_mi")
    top = 1.05 * table["true_mi"].max()
    ax.plot([0, top], [0, top], **TRUTH)
    if np.isfinite(ceiling):
        ax.axhline(ceiling, color="0.2", lw=1, ls=":")
        ax.annotate(f"ln K = {ceiling:.2f}", (0, ceiling), (2, -4), textcoords="offset points",
                    va="top", fontsize=9)  # fmt: skip
    ax.set(xlabel="true information (nats)", ylabel="estimate (nats)")


def scatter_against_truth(ax: Axes, table: pd.DataFrame) -> None:
    """As `estimate_against_truth`, for tasks that have nothing to do with each other: no lines."""
    for method, group in table.groupby("method"):
        colour, marker = plots.ESTIMATORS[method]
        ax.errorbar(group["true_mi"], group["nats"], BAR * group["stderr"], ls="", color=colour,
                    marker=marker, ms=5, elinewidth=1)  # fmt: skip
    top = 1.05 * max(table["true_mi"].max(), table["nats"].max())
    ax.plot([0, top], [0, top], **TRUTH)
    ax.set(xlabel="true information (nats)", ylabel="estimate (nats)")


def recorded_errors(axes: Sequence[Axes], rows: pd.DataFrame) -> None:
    """Draw recorded estimates against truths, one panel per part; nats."""
    for ax, (part, group) in zip(axes, rows.groupby("part", sort=False)):
        top = 1.05 * max(group["truth_nats"].max(), group["estimate_nats"].max())
        ax.plot([0, top], [0, top], **TRUTH)
        for name, some in group.groupby("quantity"):
            colour, marker = PAIR[name]
            ax.plot(some["truth_nats"], some["estimate_nats"], ls="", color=colour, marker=marker,
                    ms=4, alpha=0.8, label=name)  # fmt: skip
        ax.set_title(part, fontsize=10)
        ax.set(xlabel="true information (nats)")
    axes[0].set_ylabel("estimate by auto (nats)")
    entries = {}
    for ax in axes:
        entries |= dict(zip(*ax.get_legend_handles_labels()[::-1]))
    place = {"loc": "outside lower center", "ncols": 3, "fontsize": 10, "frameon": False}
    axes[0].figure.legend(entries.values(), entries.keys(), **place)


def coverage_by_cell(ax: Axes, cells: pd.DataFrame, level: float) -> None:
    """Draw the coverage of each population and dimension, one colour per estimator.

    Parameters
    ----------
    ax : axes to draw on
    cells : from `sections.estimators.study.coverage`, by dataset, condition and estimator
    level : nominal coverage
    """
    names = list(dict.fromkeys(zip(cells["dataset"], cells["condition"])))
    estimators = list(dict.fromkeys(cells["estimator"]))
    for i, estimator in enumerate(estimators):
        some = cells[cells["estimator"] == estimator]
        at = np.array([names.index(name) for name in zip(some["dataset"], some["condition"])])
        at = at + 0.2 * (i - (len(estimators) - 1) / 2)
        colour, marker = plots.ESTIMATORS[estimator]
        bars = [some["coverage"] - some["low"], some["high"] - some["coverage"]]
        ax.errorbar(some["coverage"], at, xerr=bars, ls="", color=colour, marker=marker, ms=6)
    ax.axvline(level, **TRUTH)
    ax.set_yticks(range(len(names)), [f"{a},\n{b}" for a, b in names])
    ax.set(xlim=(-0.02, 1.02), ylim=(len(names) - 0.5, -0.5))
    ax.set_xlabel(f"share of {level:.0%} intervals that hold the true gap")


def wrong_against_said(ax: Axes, classes: Mapping[str, pd.DataFrame]) -> None:
    """Draw how often the sign was wrong against `p_wrong`; see `study.reliability`."""
    for estimator, found in classes.items():
        colour, marker = plots.ESTIMATORS[estimator]
        bars = [found["wrong"] - found["low"], found["high"] - found["wrong"]]
        ax.errorbar(found["said"], found["wrong"], bars, color=colour, marker=marker, ms=6, lw=1.2)
    ax.plot([0, 0.5], [0, 0.5], **TRUTH)
    ax.set(xlabel="p_wrong, as the verdict says", ylabel="share of signs that were wrong")
    ax.set(xlim=(-0.02, 0.52), ylim=(-0.02, 1.02))


def bits_and_nats(ax: Axes, verdicts: pd.DataFrame, flips: np.ndarray) -> None:
    """Draw pairs of informations, and the band where bits on one side turn the verdict.

    Parameters
    ----------
    ax : axes to draw on
    verdicts : rows of the verdicts table
    flips : bool [n], whose sign turns
    """
    label, shared = verdicts["mi_student_label"], verdicts["mi_teacher_student"]
    top = 1.05 * max(label.max(), shared.max())
    ax.plot([0, top], [0, top], **TRUTH)
    ax.fill_between([0, top], [0, top * np.log(2)], [0, top], color=plots.ORANGE, alpha=0.2, lw=0)
    ax.scatter(label[~flips], shared[~flips], color="black", s=16)
    ax.scatter(label[flips], shared[flips], color=plots.ORANGE, marker="X", s=40, edgecolor="white")
    ax.set(xlabel="I(H2;Y) (nats)", ylabel="I(H1;H2) (nats)", xlim=(0, top), ylim=(0, top))
    ax.legend(
        handles=[
            Line2D([], [], color="0.2", lw=1, ls="--", label="gap 0"),
            Patch(color=plots.ORANGE, alpha=0.3, label="here bits turn the sign"),
            Line2D([], [], color=plots.ORANGE, ls="", marker="X", label="turned"),
            Line2D([], [], color="black", ls="", marker="o", ms=4, label="not turned"),
        ],
        loc="upper left",
        fontsize=9,
    )
