"""The standard error of the gap, over rows or over independent units of several rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cchkd_utils.mi import MIEstimate
from cchkd_utils.mi._base import MIN_ROWS, check_same_length

# By default where the rows also chose what is measured on them: the influence function does not
# see that choice, and its intervals are too narrow (coverage on hidden layers: 07_estimators).
SUBSAMPLES = 16


def check_units(units: ArrayLike | None, like: NDArray) -> NDArray:
    """Return the unit of each row as codes `[n]`; by default each row is one.

    Raises
    ------
    ValueError
        Another number of units than rows, missing ones, or fewer than two different ones.
    """
    if units is None:
        return np.arange(len(like))
    units = np.asarray(units)
    if units.ndim != 1:
        raise ValueError(f"units has {units.ndim} axes; give one unit per row, [n].")
    check_same_length(units, like, ("units", "labels"))
    if units.dtype.kind not in "iufbUS" or (units.dtype.kind == "f" and np.isnan(units).any()):
        raise ValueError("units must be numbers or strings, none of them missing.")
    names, codes = np.unique(units, return_inverse=True)
    if len(names) < 2:
        raise ValueError("units names one unit only; an interval needs at least two.")
    return codes


def default_subsamples(teacher_student: MIEstimate, units: NDArray) -> int:
    """Return 0 where the spread of the row-wise terms tells the error, else `SUBSAMPLES`."""
    chose_codes = any("canonical codes" in note for note in teacher_student.notes)
    enough = len(units) >= 2 * MIN_ROWS and units.max() + 1 >= 4
    return SUBSAMPLES if chose_codes and enough else 0


def paired_stderr(a: NDArray, b: NDArray, units: NDArray | None = None) -> float:
    """Standard error of mean(a) - mean(b) over the rows that both evaluated.

    Parameters
    ----------
    a, b : ndarray [n]
        Row-wise terms of the two informations: their influence functions.
    units : ndarray [n], optional
        Codes of the independent units; rows of one unit may vary together (Liang & Zeger 1986).
    """
    kept = np.isfinite(a) & np.isfinite(b)
    difference = (a - b)[kept]
    if units is None:
        return float(difference.std(ddof=1) / np.sqrt(len(difference)))
    names, codes = np.unique(units[kept], return_inverse=True)
    sums = np.bincount(codes, difference - difference.mean())
    g = len(names)
    return float(np.sqrt(g / (g - 1) * (sums**2).sum()) / len(difference))


def subsampled_stderr(
    gap: Callable[[NDArray], float], units: NDArray, repeats: int, seed: int
) -> float:
    """Subsampling without replacement (Politis & Romano 1994): duplicates would break k-NN.

    A subsample of b of n units varies around the full sample by sqrt((1 - b/n) / b) per unit
    standard deviation, the full sample around the truth by sqrt(1 / n).

    Parameters
    ----------
    gap : callable (rows: ndarray of int) -> float
        The gap in nats, estimated on these rows.
    units : ndarray [n]
        Codes 0..m-1 of the units; a subsample holds all rows of half of them.
    repeats : int
        Number of subsamples, at least 2.
    seed : int

    Raises
    ------
    ValueError
        When subsamples cannot be estimated from: too few rows, one class only.
    """
    rng, n = np.random.default_rng(seed), units.max() + 1
    half, gaps, reason = n // 2, [], ""
    for _ in range(repeats):
        drawn = np.zeros(n, bool)
        drawn[rng.permutation(n)[:half]] = True
        rows = np.flatnonzero(drawn[units])
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", ".*constant columns")
                gaps.append(gap(rows))
        except ValueError as error:  # too few rows, or a rare class is not among them
            reason = str(error)
    if len(gaps) < 2:
        raise ValueError(f"Subsamples of half of the {n} units cannot be estimated from: {reason}")
    return float(np.std(gaps, ddof=1) * np.sqrt(half / (n - half)))
