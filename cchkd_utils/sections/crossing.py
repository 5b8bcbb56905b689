"""Where a curve of gains rises through zero, and how sure that place is."""

import numpy as np
from numpy.typing import ArrayLike


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
