"""The two figures of notebook 04, of gains by `tables.at`: beside verdicts, and of fusion."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cchkd_utils import plots
from cchkd_utils.results.readable import pair_names

LOOK = plots.ESTIMATORS | plots.SOFT_LABELS | {  # colour, marker
    "pooled logits": ("0.3", "x"), "late fusion": (plots.GREEN, "^"),
    "early fusion": (plots.PURPLE, "D"),
}  # fmt: skip


def verdicts_and_gains(pooled: pd.DataFrame, gains: pd.DataFrame) -> Figure:
    """Show every pair in a row: the verdicts (`tables.pool_verdicts`) left, what happened right."""
    pairs = pair_names(gains).unique()
    fig, axes = plots.figure(2, width=9.5, height=0.5 * len(pairs) + 2.2)
    _dots(axes[0], pooled, "estimator", "gap", pairs, 1)
    axes[0].set_xlabel("MI gap  I(H1;H2) − I(H2;Y)  (nats)")
    axes[0].axvspan(0, 99, color=plots.REGION, alpha=0.13, lw=0, zorder=0)
    axes[0].set_title("What the criterion says")
    _dots(axes[1], gains, "experiment", "gain", pairs, 100)
    axes[1].set_xlabel("accuracy gained (percentage points)")
    axes[1].set_title("What distillation did")
    axes[1].set_yticklabels([])
    _headline(fig, "Distillation, soft labels ", gains)
    _legend(axes[0], "outside lower left", 3, title="estimator")
    _legend(axes[1], "outside lower center", 2, title="soft labels")
    return fig


def fusion(gains: pd.DataFrame) -> Figure:
    """Show what distillation adds to the fusion of teacher's and student's modality, per pair."""
    pairs = pair_names(gains).unique()
    fig, ax = plots.figure(width=8, height=0.42 * len(pairs) + 1.8)
    _dots(ax, gains, "experiment", "gain", pairs, 100)
    _headline(fig, "Distillation, ", gains)
    ax.set_xlabel("accuracy of fusion + KD less that of fusion (percentage points)")
    _legend(ax, "outside lower center", 2)
    return fig


def _headline(fig, start, gains):
    counts = [f"{name}: {plots.helped(group)}" for name, group in gains.groupby("experiment")]
    plots.headline(fig, start + "; ".join(counts) + " pairs")


def _dots(ax: Axes, table: pd.DataFrame, group: str, value: str, pairs: np.ndarray, scale: float):
    """Draw value and interval, one row per pair, groups side by side within the row."""
    names = table[group].unique()
    offsets = np.linspace(0.28, -0.28, len(names)) if len(names) > 1 else [0.0]
    row = {pair: -i for i, pair in enumerate(pairs)}
    for offset, name in zip(offsets, names):
        own = table[table[group] == name]
        y = pair_names(own).map(row) + offset
        x, low, high = (scale * own[f"{value}{end}"].to_numpy() for end in ("", "_lo", "_hi"))
        colour, marker = LOOK[name]
        bars = np.maximum([x - low, high - x], 0)
        ax.errorbar(x, y, xerr=bars, fmt=marker, color=colour, lw=1, ms=5, label=name)
    ends = scale * table[[f"{value}_lo", f"{value}_hi"]]
    low, high = min(ends.min(axis=None), 0), max(ends.max(axis=None), 0)
    pad = 0.05 * (high - low or 1)
    ax.set_xlim(low - pad, high + pad)
    ax.locator_params(axis="x", nbins=5)
    ax.set_ylim(-len(pairs) + 0.5, 0.5)
    ax.set_yticks(-np.arange(len(pairs)), pairs)
    ax.axvline(0, color="0.2", lw=1)
    ax.grid(False, axis="y")
    for i in range(1, len(pairs)):
        ax.axhline(0.5 - i, color="0.9", lw=0.8)


def _legend(ax, where, columns, **options):
    ax.figure.legend(*ax.get_legend_handles_labels(), loc=where, ncols=columns, fontsize=10,
                     columnspacing=1.0, handletextpad=0.4, frameon=False, **options)  # fmt: skip
