"""Panels that several sections draw: gains against gaps by estimator, means with intervals."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from cchkd_utils import plots


def gain_by_estimator(points: pd.DataFrame, estimators: Sequence[str], label: str) -> Figure:
    """Draw `plots.gain_against_gap` for each estimator, at most two panels side by side.

    `label` names the gain, with its unit.
    """
    columns = min(2, len(estimators))
    rows = -(-len(estimators) // columns)
    fig, axes = plots.figure(columns, rows, width=4.8 * max(columns, 1.4), height=3.7 * rows + 1.2)
    for ax in np.ravel(axes)[len(estimators) :]:
        ax.remove()
    for ax, name in zip(fig.axes, estimators):
        plots.gain_against_gap(ax, points[points["estimator"] == name])
        ax.set_ylabel(label)
    plots.title_estimators(fig, dict(zip(estimators, fig.axes)), points)
    plots.share_limits(fig.axes)
    plots.gap_legend(fig, points)
    return fig


def with_intervals(
    ax: Axes, at: ArrayLike, table: pd.DataFrame, value: str, *, across: bool = False, **style
) -> None:
    """Draw the means `value` at the places `at`, with intervals from the columns _lo and _hi.

    Places are along x; with `across` along y, the intervals then lie flat. `style` is of
    `Axes.errorbar`.
    """
    mean = table[value].to_numpy()
    ends = [mean - table[f"{value}_lo"], table[f"{value}_hi"] - mean]
    places = {"x": mean, "y": at, "xerr": ends} if across else {"x": at, "y": mean, "yerr": ends}
    ax.errorbar(**places, **{"capsize": 2, "lw": 1.3, **style})
