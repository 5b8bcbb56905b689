"""Figures of notebook 07: estimates beside the truth, intervals that cover or do not."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cchkd_utils import plots

PAIR = {"I(X;Y)": ("0.4", "^"), "I(H1;H2)": ("black", "o"), "I(H2;Y)": (plots.ORANGE, "s")}
BAR = 1.645  # standard errors of a 90 % interval
TRUTH = {"color": "0.2", "lw": 1.0, "ls": "--", "zorder": 1.8}  # above the grid


def titled(title: str, columns: int = 1, **size) -> tuple[Figure, np.ndarray]:
    """Return a figure whose title says what was found, and its axes, always an array."""
    fig, axes = plots.figure(columns, **size)
    plots.headline(fig, title)
    return fig, np.atleast_1d(axes)


def method_lines(ax: Axes, table: pd.DataFrame, x: str, y="nats", dodge=0.0, ls="-") -> None:
    """Draw the mean of `y` by `x`, one line per method; bars: the 90 % interval one estimate gives.

    `dodge` shifts the methods against each other, in units of x or of its logarithm.
    """
    for i, (method, (colour, marker)) in enumerate(plots.ESTIMATORS.items()):
        points = table[table["method"] == method].groupby(x)[[y, "stderr"]].mean()
        if points.empty:
            continue
        shift = (i - 2) * dodge
        at = points.index * np.exp(shift) if ax.get_xscale() == "log" else points.index + shift
        ax.errorbar(at, points[y], BAR * points["stderr"], color=colour, marker=marker, ls=ls,
                    lw=1.3, elinewidth=1, ms=5, zorder=3 if method == "auto" else 2)  # fmt: skip


def method_legend(fig: Figure, methods: Sequence[str], *, truth: str = "truth") -> None:
    """Explain the methods' colours and the dashed line, below the axes."""
    looks = {name: look for name, look in plots.ESTIMATORS.items() if name in methods}
    _legend(fig, [*_keys(looks, ms=5), Line2D([], [], **TRUTH, label=truth)])


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


def estimate_against_truth(ax: Axes, table: pd.DataFrame, *, ceiling=np.inf, ls="-") -> None:
    """Draw estimates against true values, with the diagonal and, if finite, a ceiling; nats."""
    method_lines(ax, table, "true_mi", ls=ls)
    _diagonal(ax, table["true_mi"])
    if np.isfinite(ceiling):
        ax.axhline(ceiling, color="0.2", lw=1, ls=":")
        ax.annotate(f"ln K = {ceiling:.2f}", (0, ceiling), (2, -4), textcoords="offset points",
                    va="top", fontsize=10)  # fmt: skip
    ax.set(xlabel="true information (nats)", ylabel="estimate (nats)")


def recorded_errors(axes: Sequence[Axes], rows: pd.DataFrame) -> None:
    """Draw recorded estimates against truths, one panel per part; nats."""
    for ax, (part, group) in zip(axes, rows.groupby("part", sort=False)):
        _diagonal(ax, group["truth_nats"], group["estimate_nats"])
        for name, points in group.groupby("quantity"):
            colour, marker = PAIR[name]
            ax.plot(points["truth_nats"], points["estimate_nats"], ls="", color=colour,
                    marker=marker, ms=4, alpha=0.8)  # fmt: skip
        ax.set_title(part, fontsize=10)
        ax.set(xlabel="true information (nats)")
    axes[0].set_ylabel("estimate by auto (nats)")
    looks = {name: look for name, look in PAIR.items() if name in set(rows["quantity"])}
    _legend(axes[0].figure, _keys(looks, ls="", ms=4, alpha=0.8))


def coverage_by_cell(ax: Axes, cells: pd.DataFrame, level: float) -> None:
    """Draw `study.coverage` by dataset, condition and estimator, and the nominal coverage."""
    names = cells["dataset"] + ",\n" + cells["condition"]
    row = {name: i for i, name in enumerate(names.unique())}
    middle = (cells["estimator"].nunique() - 1) / 2
    for i, (estimator, own) in enumerate(cells.groupby("estimator", sort=False)):
        at = names[own.index].map(row) + 0.2 * (i - middle)
        colour, marker = plots.ESTIMATORS[estimator]
        bars = [own["coverage"] - own["low"], own["high"] - own["coverage"]]
        ax.errorbar(own["coverage"], at, xerr=bars, ls="", color=colour, marker=marker, ms=6)
    ax.axvline(level, **TRUTH)
    ax.set_yticks(range(len(row)), list(row))
    ax.set(xlim=(-0.02, 1.02), ylim=(len(row) - 0.5, -0.5))
    ax.set_xlabel(f"share of {level:.0%} intervals that hold the true gap")


def wrong_against_said(ax: Axes, classes: Mapping[str, pd.DataFrame]) -> None:
    """Draw how often the sign was wrong against `p_wrong`; see `study.reliability`."""
    for estimator, table in classes.items():
        colour, marker = plots.ESTIMATORS[estimator]
        bars = [table["wrong"] - table["low"], table["high"] - table["wrong"]]
        ax.errorbar(table["said"], table["wrong"], bars, color=colour, marker=marker, ms=6, lw=1.2)
    ax.plot([0, 0.5], [0, 0.5], **TRUTH)
    ax.set(xlabel="p_wrong, as the verdict says", ylabel="share of signs that were wrong")
    ax.set(xlim=(-0.02, 0.52), ylim=(-0.02, 0.77))


def times_faster(ax: Axes, ratios: pd.DataFrame) -> None:
    """Draw `study.ratios`: a dot for the median, a line from the least to the most of the runs."""
    at = np.arange(len(ratios))
    looks = {"estimator": (plots.BLUE, "o"), "training": (plots.ORANGE, "s"), "sweep": ("0.3", "D")}
    for part, own in ratios.groupby("part"):
        colour, marker = looks[part]
        ax.hlines(at[own.index], own["least"], own["most"], color=colour, lw=2)
        ax.plot(own["times faster"], at[own.index], ls="", color=colour, marker=marker, ms=7,
                label=part)  # fmt: skip
    ax.axvline(1.0, **TRUTH)
    size = [f", {n} rows, {d} + {d}" if d else "" for n, d in zip(ratios["n"], ratios["d"])]
    ax.set_yticks(at, ratios["what"] + "\nbeside " + ratios["beside"] + size, fontsize=9.5)
    ax.set(xscale="log", ylim=(len(at) - 0.5, -0.5), xlabel="times faster (logarithmic)")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.legend(loc="lower right", fontsize=10)


def growth(axes: Sequence[Axes], table: pd.DataFrame) -> None:
    """Draw `study.growth`: seconds, then memory, against rows."""
    for ax, name, unit in zip(axes, ("seconds", "peak (MB)"), ("seconds", "megabytes")):
        ax.plot(table["rows"], table[name], marker="o", color=plots.BLUE)
        ax.set(
            xscale="log", yscale="log", xlabel="rows (logarithmic)", ylabel=f"{unit} (logarithmic)"
        )
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter("{x:,.0f}")


def bits_and_nats(ax: Axes, verdicts: pd.DataFrame, flips: np.ndarray) -> None:
    """Draw pairs of informations, and the band where bits on one side turn the sign (`flips`)."""
    label, shared = verdicts["mi_student_label"], verdicts["mi_teacher_student"]
    top = _diagonal(ax, label, shared, label="gap 0")
    ax.fill_between([0, top], [0, top * np.log(2)], [0, top], color=plots.ORANGE, alpha=0.2, lw=0,
                    label="here bits turn the sign")  # fmt: skip
    ax.scatter(label[~flips], shared[~flips], color="black", s=16, label="not turned")
    ax.scatter(label[flips], shared[flips], color=plots.ORANGE, marker="X", s=40,
               edgecolor="white", label="turned")  # fmt: skip
    ax.set(xlabel="I(H2;Y) (nats)", ylabel="I(H1;H2) (nats)", xlim=(0, top), ylim=(0, top))
    ax.legend(loc="upper left", fontsize=10)


def _diagonal(ax: Axes, *values: pd.Series, **options) -> float:
    """Draw where an estimate equals the truth, up to a little above all values; return the end."""
    top = 1.05 * max(series.max() for series in values)
    ax.plot([0, top], [0, top], **TRUTH, **options)
    return top


def _keys(looks: Mapping[str, tuple[str, str]], **style) -> list[Line2D]:
    return [
        Line2D([], [], color=colour, marker=marker, label=name, **style)
        for name, (colour, marker) in looks.items()
    ]


def _legend(fig: Figure, keys: list[Line2D]) -> None:
    ncols = 6 if fig.get_figwidth() > 8 else 3  # leaves the corner to `mark_simulated`
    fig.legend(handles=keys, loc="outside lower center", ncols=ncols, fontsize=10, frameon=False)


def before_and_after(axes: Sequence[Axes], table: pd.DataFrame, methods: Sequence[str]) -> None:
    """Draw what each map of X does to each method's estimate, one panel per method; nats.

    The first task of `table` is X as it is; an arrow leads from its estimate to that after a map.
    """
    tasks = list(dict.fromkeys(table["task"]))
    mean = table.pivot_table(index="task", columns="method", values="nats")
    truth = table.groupby("task")["true_mi"].mean()
    for ax, method in zip(axes, methods):
        colour, marker = plots.ESTIMATORS[method]
        before = mean.loc[tasks[0], method]
        ax.axvline(before, color="0.75", lw=1)
        for row, task in enumerate(tasks):
            after = mean.loc[task, method]
            if abs(after - before) > 0.1:
                arrow = {"arrowstyle": "->", "color": "0.55", "lw": 1.2}
                ax.annotate("", (after, row), (before, row), zorder=1, arrowprops=arrow)
            ax.plot(after, row, color=colour, marker=marker, ms=7, zorder=3)
            ax.plot([truth[task]] * 2, [row - 0.32, row + 0.32], **TRUTH)
        ax.set(title=method, xlabel="nats", yticks=range(len(tasks)), xlim=(-0.15, 2.5))
        ax.set_ylim(len(tasks) - 0.5, -0.5)
        ax.set_yticklabels(tasks if ax is axes[0] else [], fontsize=10)
        ax.set_xticks([0, 1, 2])


def steps_of_auto(ax: Axes) -> None:
    """Draw what `auto` does to its rows, from the top to the model that is measured."""
    boxes = {
        "rows": (2.0, 5.4, "paired rows"),
        "atoms": (2.0, 4.5, "rows that repeat are taken apart\n(chain rule)"),
        "scores": (2.0, 3.5, "ranks in each unit → normal scores,\nor the few factors behind them"),
        "low": (0.35, 2.1, "≤ 3 dimensions:\nt copula, or KSG\nwhere they differ"),
        "sheet": (1.75, 2.1, "near a sheet of\nfew dimensions:\nlinear codes"),
        "many": (3.15, 2.1, "else: t copula,\nclusters, or\nnonlinear codes"),
        "label": (4.65, 2.1, "class labels: linear,\ncurved classifier,\nor k-NN"),
        "out": (2.5, 0.7, "the model that explains held-out rows significantly better;\n"
                "where two remain in doubt, the interval spans both"),
    }  # fmt: skip
    for name, (x, y, text) in boxes.items():
        ax.text(x, y, text, ha="center", va="center", fontsize=10, zorder=3, bbox={
            "boxstyle": "round,pad=0.45", "fc": "0.96" if name != "out" else "white",
            "ec": plots.ESTIMATORS["auto"][0] if name == "out" else "0.5",
        })  # fmt: skip
    arrows = [("rows", "atoms"), ("atoms", "scores")]
    arrows += [("scores", k) for k in ("low", "sheet", "many", "label")]
    arrows += [(k, "out") for k in ("low", "sheet", "many", "label")]
    for start, end in arrows:
        (x0, y0, _), (x1, y1, _) = boxes[start], boxes[end]
        ax.annotate("", (x1, y1 + 0.45), (x0, y0 - 0.3), zorder=1,
                    arrowprops={"arrowstyle": "->", "color": "0.5", "lw": 1.2})  # fmt: skip
    ax.set(xlim=(-0.5, 5.5), ylim=(0.2, 5.8))
    ax.axis("off")
