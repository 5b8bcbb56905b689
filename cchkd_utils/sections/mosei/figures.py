"""The figures of notebook 03: ranking of modalities, ordered pairs, noise, two teachers."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cchkd_utils import plots
from cchkd_utils.plots import ESTIMATORS, SOFT_LABELS, figure, with_intervals
from cchkd_utils.sections.mosei.study import MODALITIES
from cchkd_utils.sections.mosei.tables import UNSCALED


def _gained(points: pd.DataFrame) -> str:
    """Name the gain that `points` holds, with its unit."""
    metric = points["metric"].iloc[0]
    return f"{metric} gained" + ("" if metric in UNSCALED else " (points)")


def ranking(table: pd.DataFrame) -> Figure:
    """Draw `tables.ranking`: I(H;Y) of every modality, one marker per estimator; nats."""
    fig, ax = figure(width=6.0, height=3.4)
    estimators = list(table["estimator"].unique())
    for j, estimator in enumerate(estimators):
        own = table[table["estimator"] == estimator].set_index("modality").loc[list(MODALITIES)]
        colour, marker = ESTIMATORS[estimator]
        at = np.arange(len(MODALITIES)) + 0.14 * (j - (len(estimators) - 1) / 2)
        with_intervals(ax, at, own, "nats", fmt=marker, color=colour, ms=5, label=estimator)
    ax.axhline(0, color="0.2", lw=1)
    ax.set_xticks(range(len(MODALITIES)), MODALITIES)
    means = table.groupby("modality")["nats"].mean()
    told = ", ".join(f"{name} {means[name]:.2f}" for name in MODALITIES)
    plots.headline(fig, f"I(H;Y), mean of the estimators: {told} nats")
    ax.set_ylabel("I(H;Y), nats")
    if table["nats_hi"].notna().any():
        ax.set_ylim(top=1.25 * table["nats_hi"].max())
    ax.legend(title="estimator", fontsize=10, ncols=2, frameon=False)
    return fig


def pairs(points: pd.DataFrame, title: str) -> Figure:
    """Draw the gain of every teacher and student (`tables.points`), the verdicts beside it."""
    estimators = list(points["estimator"].unique())
    order = points[["teacher", "student"]].drop_duplicates().apply(tuple, axis=1).tolist()
    fig, ax = figure(width=5.6 + 0.95 * len(estimators), height=0.47 * len(order) + 1.7)
    gains = points.drop_duplicates(["teacher", "student", "soft"])
    kinds = [kind for kind in SOFT_LABELS if kind in set(gains["soft"])]
    for j, kind in enumerate(kinds):
        own = gains[gains["soft"] == kind].set_index(["teacher", "student"]).loc[order]
        at = np.arange(len(order)) + 0.22 * (j - (len(kinds) - 1) / 2)
        colour, marker = SOFT_LABELS[kind]
        with_intervals(ax, at, own, "gain", across=True, fmt=marker, color=colour,
                       label=f"soft labels {kind}")  # fmt: skip
    ax.axvline(0, color="0.2", lw=1)
    plots.headline(fig, f"{title}: distillation {plots.helped(gains)}, 95 % intervals")
    ax.set_yticks(range(len(order)), [f"{t} → {s}" for t, s in order])
    ax.set_xlabel(_gained(points))
    said = points.drop_duplicates(["teacher", "student", "estimator"])
    said = said.pivot(index=["teacher", "student"], columns="estimator", values="decision")
    words = said.loc[order, estimators].replace("do not distil", "do not").to_numpy()
    lines = ["".join(f"{word:<11}" for word in line) for line in [estimators, *words]]
    beside = ax.twinx()
    beside.set_yticks(range(-1, len(order)), lines, family="monospace", fontsize=10)
    beside.tick_params(length=0)
    beside.grid(False)
    for each in (ax, beside):
        each.set_ylim(len(order) - 0.5, -1.4)
    beside.spines[:].set_visible(False)
    fig.legend(loc="outside lower center", ncols=2, fontsize=10, frameon=False)
    return fig


def noise_sweep(points: pd.DataFrame) -> Figure:
    """Draw gain above, gap below, against the noise on a text teacher (`tables.points`)."""
    points = points.sort_values("knob", kind="stable")
    students, levels = list(points["student"].unique()), sorted(points["knob"].unique())
    fig, axes = figure(len(students), 2, width=9.4, height=5.8)
    axes = np.reshape(axes, (2, -1))
    lines = (("soft", "gain", SOFT_LABELS, "soft labels"), ("estimator", "gap", ESTIMATORS, "gap,"))
    for row, (column, value, looks, label) in zip(axes, lines):
        for ax, student in zip(row, students):
            own = points[points["student"] == student].drop_duplicates([column, "knob"])
            for i, (name, group) in enumerate(own.groupby(column, sort=False)):
                at = [levels.index(level) + 0.05 * i for level in group["knob"]]
                colour, marker = looks[name]
                with_intervals(ax, at, group, value, marker=marker, color=colour, ms=5,
                               label=f"{label} {name}")  # fmt: skip
            ax.axhline(0, color="0.2", lw=1)
            ax.set_xticks(range(len(levels)), [f"{level:g}" for level in levels])
        plots.share_limits(row)
        row[-1].legend(fontsize=10, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    for (top, low), student in zip(axes.T, students):
        top.set_title(f"text → {student}", loc="left")
        low.set_xlabel("noise on the teacher's inputs (sd)")
    plots.headline(fig, _from_clean_to_noisy(points.drop_duplicates(["student", "soft", "knob"])))
    axes[0, 0].set_ylabel(_gained(points))
    axes[1, 0].set_ylabel("I(H1;H2) − I(H2;Y), nats")
    return fig


def _from_clean_to_noisy(gains: pd.DataFrame) -> str:
    """Say what the least and the most noise make of each student's gain; rows in order of noise."""
    kind = next(name for name in SOFT_LABELS if name in set(gains["soft"]))
    form = "+.2f" if gains["metric"].iloc[0] in UNSCALED else "+.1f"
    own = gains[gains["soft"] == kind]
    levels = list(dict.fromkeys(f"{own['knob'].iloc[end]:g}" for end in (0, -1)))
    told = []
    for student, group in own.groupby("student", sort=False):
        ends = group["gain"].iloc[[0, -1]].map(f"{{:{form}}}".format)[-len(levels) :]
        told.append(f"{student} " + " → ".join(ends))
    return f"Gain by a text teacher with noise {' → '.join(levels)} ({kind}): {', '.join(told)}"
