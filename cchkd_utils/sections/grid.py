"""Grids of settings: the setting nearest to one, and where a curve of gains crosses zero."""

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
    """Return where a gain first rises through 0, by straight lines between points; nan if nowhere.

    Parameters
    ----------
    knob, gain : array_like [m]
        `knob` increasing.
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
    """Crossing of the mean gain with its 95 % percentile interval, bootstrapped over seeds.

    Parameters
    ----------
    knob : array_like [m]
    gains : array_like [s, m]
        A seed's row is drawn as a whole: its points share a rule and features.
    rng : numpy.random.Generator
    draws : int
        Bootstrap samples; those that do not cross are left out of the interval.

    Returns
    -------
    (crossing, low, high) : tuple of float
    """
    gains = np.asarray(gains, float)
    picks = rng.integers(len(gains), size=(draws, len(gains)))
    found = np.array([crossing(knob, gains[rows].mean(axis=0)) for rows in picks])
    found = found[np.isfinite(found)]
    low, high = np.percentile(found, [2.5, 97.5]) if found.size else (np.nan, np.nan)
    return crossing(knob, gains.mean(axis=0)), float(low), float(high)
