"""The figures of notebook 03: ranking of modalities, ordered pairs, noise, two teachers."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cchkd_utils import plots
from cchkd_utils.plots import ESTIMATORS, SOFT_LABELS, figure

SAYS = {"distil": "distil", "do not distil": "do not", "undecided": "undecided"}


def _bars(ax: Axes, x, table: pd.DataFrame, name: str, low: str, high: str, **style) -> None:
    """Draw points with their intervals, where they have one."""
    y = table[name].to_numpy()
    ends = [y - table[low], table[high] - y]
    ax.errorbar(x, y, yerr=ends, capsize=2, lw=1.3, markersize=5, **style)


def _gained(points: pd.DataFrame) -> str:
    """Name the gain that `points` holds, with its unit."""
    metric = points["metric"].iloc[0]
    return f"{metric} gained" + ("" if metric in ("mae", "correlation") else " (points)")


def ranking(table: pd.DataFrame) -> Figure:
    """I(H;Y) of every modality with its interval, one marker per estimator; nats.

    Parameters
    ----------
    table : `sentiment_tables.ranking`
    """
    fig, ax = figure(width=6.0, height=3.4)
    names = ["text", "audio", "vision"]
    estimators = list(table["estimator"].unique())
    for j, one in enumerate(estimators):
        some = table[table["estimator"] == one].set_index("modality").loc[names]
        colour, marker = ESTIMATORS[one]
        x = np.arange(3) + 0.14 * (j - (len(estimators) - 1) / 2)
        _bars(ax, x, some, "nats", "lo", "hi", fmt=marker, color=colour, label=one)
    ax.axhline(0, color="0.2", lw=1)
    ax.set_xticks(range(3), names)
    means = table.groupby("modality")["nats"].mean()
    told = ", ".join(f"{name} {means[name]:.2f}" for name in names)
    plots.headline(fig, f"I(H;Y), mean of the estimators: {told} nats")
    ax.set_ylabel("I(H;Y), nats")
    if table["hi"].notna().any():
        ax.set_ylim(top=1.25 * table["hi"].max())
    ax.legend(title="estimator", fontsize=9, ncols=2, frameon=False)
    return fig


def pairs(points: pd.DataFrame, title: str) -> Figure:
    """Gain of every teacher and student with its interval, the verdicts written beside it.

    Parameters
    ----------
    points : rows with teacher, student, soft, estimator, gain, gain_lo, gain_hi (percentage
        points) and decision
    title : what the figure is of
    """
    estimators = list(points["estimator"].unique())
    order = points[["teacher", "student"]].drop_duplicates().apply(tuple, axis=1).tolist()
    fig, ax = figure(width=5.6 + 0.95 * len(estimators), height=0.47 * len(order) + 1.7)
    kinds = [kind for kind in SOFT_LABELS if kind in set(points["soft"])]
    for j, kind in enumerate(kinds):
        some = points[points["soft"] == kind].drop_duplicates(["teacher", "student"])
        some = some.set_index(["teacher", "student"]).loc[order]
        y = np.arange(len(order)) + 0.22 * (j - (len(kinds) - 1) / 2)
        x = some["gain"].to_numpy()
        ends = [x - some["gain_lo"], some["gain_hi"] - x]
        colour, marker = SOFT_LABELS[kind]
        ax.errorbar(x, y, xerr=ends, capsize=2, lw=1.3, fmt=marker, color=colour,
                    label=f"soft labels {kind}")  # fmt: skip
    ax.axvline(0, color="0.2", lw=1)
    gains = points.drop_duplicates(["teacher", "student", "soft"])
    plots.headline(fig, f"{title}: distillation {plots.helped(gains)}, 95 % intervals")
    ax.set_yticks(range(len(order)), [f"{t} → {s}" for t, s in order])
    ax.set_xlabel(_gained(points))
    one = points.drop_duplicates(["teacher", "student", "estimator"])
    said = one.pivot(index=["teacher", "student"], columns="estimator", values="decision")
    lines = [[SAYS[said.loc[pair, name]] for name in estimators] for pair in order]
    lines = ["".join(f"{word:<11}" for word in line) for line in [estimators, *lines]]
    beside = ax.twinx()
    beside.set_yticks(range(-1, len(order)), lines, family="monospace", fontsize=9)
    beside.tick_params(length=0)
    beside.grid(False)
    for each in (ax, beside):
        each.set_ylim(len(order) - 0.5, -1.4)
    beside.spines[:].set_visible(False)
    fig.legend(loc="outside lower center", ncols=2, fontsize=10, frameon=False)
    return fig


def noise_sweep(points: pd.DataFrame) -> Figure:
    """Gain above, gap of information below, against the noise on the teacher's inputs.

    Parameters
    ----------
    points : rows with student, soft, estimator, knob, gain, gain_lo, gain_hi (percentage points),
        gap, gap_lo, gap_hi; one λ
    """
    points = points.sort_values("knob", kind="stable")
    gains = points.drop_duplicates(["student", "soft", "knob"])
    judged = points.drop_duplicates(["student", "estimator", "knob"])
    students = list(gains["student"].unique())
    fig, axes = figure(len(students), 2, width=9.4, height=5.8)
    axes = np.reshape(axes, (2, -1))
    levels = sorted(gains["knob"].unique())
    for column, student in enumerate(students):
        top, low = axes[0, column], axes[1, column]
        for kind, some in gains[gains["student"] == student].groupby("soft", sort=False):
            x = [levels.index(k) + 0.05 * (kind == "in-sample") for k in some["knob"]]
            colour, marker = SOFT_LABELS[kind]
            _bars(top, x, some, "gain", "gain_lo", "gain_hi", marker=marker, color=colour,
                  label=f"soft labels {kind}")  # fmt: skip
        for one, some in judged[judged["student"] == student].groupby("estimator", sort=False):
            x = [levels.index(k) + 0.05 * (one == "ksg") for k in some["knob"]]
            colour, marker = ESTIMATORS[one]
            _bars(low, x, some, "gap", "gap_lo", "gap_hi", marker=marker, color=colour,
                  label=f"gap, {one}")  # fmt: skip
        top.set_title(f"text → {student}", loc="left")
        low.set_xlabel("noise on the teacher's inputs (sd)")
        for ax in (top, low):
            ax.axhline(0, color="0.2", lw=1)
            ax.set_xticks(range(len(levels)), [f"{level:g}" for level in levels])
    plots.headline(fig, _from_clean_to_noisy(gains))
    axes[0, 0].set_ylabel(_gained(points))
    axes[1, 0].set_ylabel("I(H1;H2) − I(H2;Y), nats")
    for row in axes:
        limits = np.array([ax.get_ylim() for ax in row])
        for ax in row:
            ax.set_ylim(limits[:, 0].min(), limits[:, 1].max())
    for ax in axes[:, -1]:
        ax.legend(fontsize=9, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return fig


def _from_clean_to_noisy(gains: pd.DataFrame) -> str:
    """Say what the least and the most noise make of each student's gain; rows in order of noise."""
    kind = next(one for one in SOFT_LABELS if one in set(gains["soft"]))
    form = "+.2f" if gains["metric"].iloc[0] in ("mae", "correlation") else "+.1f"
    own = gains[gains["soft"] == kind]
    first, last = own["knob"].iloc[0], own["knob"].iloc[-1]
    told = []
    for student, some in own.groupby("student", sort=False):
        ends = [format(gain, form) for gain in some["gain"].iloc[[0, -1]]]
        told.append(f"{student} " + " → ".join(dict.fromkeys(ends) if first == last else ends))
    noise = f"noise {first:g}" if first == last else f"noise {first:g} → {last:g}"
    return f"Gain by a text teacher with {noise} ({kind}): {', '.join(told)}"
