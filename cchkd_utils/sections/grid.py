"""Grids of settings: the setting nearest to a wanted one, and where a curve of gains crosses 0."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike


def nearest(values: Iterable[float], wanted: float) -> float:
    """Return the value nearest to `wanted`; of two equally near ones, the smaller."""
    return min(values, key=lambda value: (abs(value - wanted), value))


def near(table: pd.DataFrame, **wanted: float) -> pd.DataFrame:
    """Return the rows whose columns have the values of the table that are nearest to `wanted`."""
    for column, value in wanted.items():
        table = table[table[column] == nearest(table[column].unique(), value)]
    return table


def crossing(knob: ArrayLike, gain: ArrayLike) -> float:
    """Return where a gain [m] first rises through 0, by straight lines; nan if nowhere.

    The `knob` [m] increases.
    """
    x, y = np.asarray(knob, float), np.asarray(gain, float)
    rises = np.flatnonzero((y[:-1] < 0) & (y[1:] >= 0))
    if not rises.size:
        return float("nan")
    i = rises[0]
    return float(x[i] - y[i] * (x[i + 1] - x[i]) / (y[i + 1] - y[i]))


def crossing_interval(
    knob: ArrayLike, gains: ArrayLike, rng: np.random.Generator, draws: int = 2000
) -> tuple[float, float, float]:
    """Crossing of the mean of `gains` [s, m], and its 95 % percentile interval over s seeds.

    A seed's row is drawn as a whole: its points share a rule and features. Bootstrap samples that
    do not cross are left out of the interval.
    """
    gains = np.asarray(gains, float)
    picks = rng.integers(len(gains), size=(draws, len(gains)))
    crossings = np.array([crossing(knob, gains[rows].mean(axis=0)) for rows in picks])
    crossings = crossings[np.isfinite(crossings)]
    low, high = np.percentile(crossings, [2.5, 97.5]) if crossings.size else (np.nan, np.nan)
    return crossing(knob, gains.mean(axis=0)), float(low), float(high)
