"""Intervals over repeats: independent ones, several rows per unit, or overlapping folds.

The independent unit is a participant, a video, a seed: whatever was sampled. Rows of one unit, and
repeated folds over the same units, carry less information than their number suggests.
"""

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm
from scipy.stats import t as student_t

UNITS = ["unit_stderr", "n_units"]  # a gain's standard error over units: `over_units`


def t_interval(
    mean: ArrayLike, stderr: ArrayLike, dof: ArrayLike, level: float = 0.95
) -> tuple[ArrayLike, ArrayLike, ArrayLike]:
    """Return the mean and the ends of Student's interval, from a standard error."""
    half = student_t.ppf((1 + level) / 2, dof) * stderr
    return mean, mean - half, mean + half


def summarise(frame: pd.DataFrame, by: list[str], value: str = "gain") -> pd.DataFrame:
    """Mean of `value` over the repeats of each group (its rows), with a 95 % interval.

    Rows of a gain whose columns `UNITS` are filled share their units: `over_units` has measured its
    standard error. All other repeats must be independent of each other (seeds with data of their
    own): the interval is Student's, which at 5 to 50 repeats holds its level better than a
    percentile bootstrap; one repeat has none and is unresolved.

    Returns, per group, the mean as `value`, the ends of its interval with _lo and _hi, repeats,
    outcome; where the repeats are folds, of which a row is one of n_folds, or the mean over
    n_repeats with spread gain_sd, also folds_lo, folds_hi, the more cautious interval of
    `repeated_folds`.
    """
    of_gain = value == "gain"
    grouped = frame.assign(**{value: frame[value].astype(float)}).groupby(by, sort=True)
    n, mean = grouped.size().to_numpy(), grouped[value].mean().to_numpy()
    stderr, dof = grouped[value].std(ddof=1).to_numpy() / np.sqrt(n), n - 1
    numbers = {"repeats": n}
    if of_gain and "n_repeats" in frame:
        filled, several = _filled(frame, ["n_repeats"], by), grouped["n_repeats"].sum().to_numpy()
        numbers["repeats"] = np.where(filled, several, n).astype(int)
    if of_gain and set(UNITS) <= set(frame):
        # Several where runs of their own, over the same units, are pooled: no smaller for it.
        units, filled = grouped["n_units"].min().to_numpy(), _filled(frame, UNITS, by)
        squares = frame.assign(unit_stderr=frame["unit_stderr"] ** 2).groupby(by, sort=True)
        own = widened(np.sqrt(squares["unit_stderr"].mean().to_numpy()), units)
        stderr, dof = np.where(filled, own, stderr), np.where(filled, units - 1, dof)
        numbers |= _cautious(frame, by, filled)
    _, low, high = t_interval(mean, stderr, np.maximum(dof, 1))
    if of_gain and "baseline" in frame:
        numbers["baseline"] = grouped["baseline"].mean().to_numpy()
    ends = {value: mean, f"{value}_lo": low, f"{value}_hi": high}
    keys = grouped.size().reset_index()[by]
    return keys.assign(**ends, **numbers, outcome=outcome(low, high).astype(object))


def _filled(frame, columns, by):
    """Whether a group has no gap in some columns."""
    known = frame[columns].notna().all(axis=1)
    return known.groupby([frame[name] for name in by], sort=True).all().to_numpy()


def _cautious(frame, by, wanted):
    """Ends of `repeated_folds` from single folds, or means over repeated folds; NaN elsewhere."""
    if "n_folds" not in frame:
        return {}
    repeated = "gain_sd" in frame
    sd = frame["gain_sd"].astype(float) if repeated else pd.Series(np.nan, frame.index)
    k = np.where(sd.notna(), frame["n_folds"] * frame.get("n_repeats", 1.0), 1.0)
    gain = frame["gain"].to_numpy(float)
    parts = frame[by].assign(
        n_folds=frame["n_folds"], k=k, first=k * gain, second=k * gain**2,
        within=(k - 1) * sd.fillna(0.0) ** 2, gain=gain,
    )  # fmt: skip
    grouped = parts.groupby(by, sort=True)
    total = grouped[["k", "first", "second", "within"]].sum()
    mean, share = grouped["gain"].mean(), 1 / grouped["n_folds"].mean()
    between = total["second"] - 2 * mean * total["first"] + mean**2 * total["k"]
    variance = (total["within"] + between.clip(lower=0)) / (total["k"] - 1).clip(lower=1)
    told = wanted & (total["k"] >= 2) & (share < 1) & _filled(frame, ["n_folds"], by)
    if not told.any():
        return {}
    _, low, high = _over_folds(mean, variance, total["k"].clip(lower=2), share.clip(upper=0.99))
    return {f"folds_{end}": np.where(told, v, np.nan) for end, v in (("lo", low), ("hi", high))}


def over_units(
    influences: Sequence[ArrayLike], held_out: Sequence[ArrayLike], units: ArrayLike,
    gains: ArrayLike, repeats: ArrayLike,
) -> tuple[NDArray, int]:  # fmt: skip
    """Standard error [...] of a gain over cross-validation folds, and the number of units.

    What varies is a unit's influence on the gain, summed over the folds and repeats that hold it
    out (the infinitesimal jackknife, Efron 1982), and the repeats among each other. With it, the
    interval of `summarise` is that of the gain on new units of models trained on another sample as
    large as a training fold.

    Parameters
    ----------
    influences : sequence of arrays [..., m]
        Of each fold's held-out rows on the gain there; see `sections.quantities.influences`.
    held_out : sequence of arrays of int [m]
        Their row numbers.
    units : array of int [n]
        The unit of each row, codes.
    gains : array [..., folds]
        The gain of each fold.
    repeats : array [folds]
        The repeat of each fold.
    """
    units, repeats = np.asarray(units), np.asarray(repeats)
    total = np.zeros((*np.shape(gains)[:-1], units.max() + 1))
    for psi, rows in zip(influences, held_out):
        # units of a fold may have several rows
        code, where = np.unique(units[rows], return_inverse=True)
        own = np.asarray(psi) @ (where[:, None] == np.arange(len(code)))
        total[..., code] += own / len(rows) / len(repeats)
    g = len(np.unique(np.concatenate([units[rows] for rows in held_out])))
    variance = g / (g - 1) * (total**2).sum(axis=-1)
    names = np.unique(repeats)
    if len(names) > 1:
        means = np.stack([np.mean(np.asarray(gains)[..., repeats == r], axis=-1) for r in names])
        variance = variance + means.var(axis=0, ddof=1) / len(names)
    return np.sqrt(variance), g


def widened(stderr: float, n_units: int) -> float:
    """Widen a standard error of `over_units`, by 1.4 at 31 units, by 1.03 at 600.

    Set in simulated studies (``tests/benchmarks/bench_gain_intervals.py``): of 16 kinds, one of 31
    units covered .86 without.
    """
    return stderr * np.sqrt((n_units + 30) / (n_units - 1))


def cluster_bootstrap(
    statistic: Callable[[NDArray], ArrayLike],
    units: ArrayLike,
    *,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[NDArray, NDArray, NDArray]:
    """Value and interval [...] of a statistic, resampling whole units with replacement.

    Percentiles are expanded for few units, as Student's t is wider than the normal and the spread
    of m units is divided by m - 1 (Hesterberg 2015, section 5.3): of the mean of normal units, a
    plain 95 % interval covers 78 % at 4 units and 89 % at 8.

    Parameters
    ----------
    statistic : callable (rows: ndarray of int [m]) -> float or array [...]
        Computed on row numbers, repeated where a unit was drawn more than once. A draw on which it
        is not finite (one class only, say) is left out.
    units : array [n]
        The unit of each row; ValueError for fewer than two different ones.
    """
    names, codes = np.unique(np.asarray(units), return_inverse=True)
    m = len(names)
    if m < 2:
        raise ValueError(f"{m} unit: an interval needs at least two")
    order = np.argsort(codes, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(codes))[:-1])
    rng = np.random.default_rng(seed)
    drawn = [
        statistic(np.concatenate([members[i] for i in rng.integers(m, size=m)]))
        for _ in range(draws)
    ]
    drawn = np.where(np.isfinite(drawn), drawn, np.nan)
    z = np.sqrt(m / (m - 1)) * student_t.ppf((1 + level) / 2, m - 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # no draw has a value: NaN says so
        low, high = np.nanquantile(drawn, norm.cdf([-z, z]), axis=0)
    return np.asarray(statistic(np.arange(len(codes)))), low, high


def cluster_interval(
    statistic: Callable[[NDArray], float], units: ArrayLike, *, draws: int = 1000
) -> tuple[float, float, float]:
    """Value and 95 % interval of `cluster_bootstrap`; NaN where there are too few units for it."""
    if len(np.unique(units)) > 1:
        value, low, high = cluster_bootstrap(statistic, units, draws=draws)
        return float(value), float(low), float(high)
    value = float(statistic(np.arange(len(units)))) if len(units) else np.nan
    return value, np.nan, np.nan


def rank_correlation(
    x: ArrayLike, y: ArrayLike, units: ArrayLike, *, draws: int = 1000
) -> tuple[float, float, float]:
    """Spearman's correlation of x and y [n] with its `cluster_interval`; NaN where one is flat."""
    codes = [np.unique(np.asarray(side), return_inverse=True)[1] for side in (x, y)]

    def rho(rows: NDArray) -> float:  # to sort each draw, as scipy does, takes five times as long
        times = np.bincount(rows, minlength=len(codes[0]))
        tied = [np.bincount(code, times) for code in codes]
        # average ranks among the rows drawn, less their mean
        a, b = ((np.cumsum(t) - t / 2)[code] - len(rows) / 2 for t, code in zip(tied, codes))
        size = np.sqrt((times @ a**2) * (times @ b**2))
        return times @ (a * b) / size if size else np.nan

    return cluster_interval(rho, units, draws=draws)


def repeated_folds(
    gains: ArrayLike, test_share: float, *, level: float = 0.95
) -> tuple[float, float, float]:
    """Mean and interval of a gain over repeated cross-validation folds.

    The folds share training rows, so the naive standard error is too small. Nadeau and Bengio
    (2003), eq. 14: the variance of the mean of J folds is (1/J + n_test/n_train) S².

    `gains` [j] has one number per fold and repeat; `test_share` of the rows are those a fold tests
    on, e.g. 1/5 in five folds. ValueError for fewer than two folds, or a share outside (0, 1).
    """
    gains = np.asarray(gains, float)
    if len(gains) < 2 or not 0 < test_share < 1:
        raise ValueError(f"{len(gains)} folds, test share {test_share}: no interval follows")
    return _over_folds(gains.mean(), gains.var(ddof=1), len(gains), test_share, level)


def _over_folds(mean, variance, n_folds, test_share, level=0.95):
    ratio = test_share / (1 - test_share)  # of test to training rows; 0: independent repeats
    return t_interval(mean, np.sqrt((1 / n_folds + ratio) * variance), n_folds - 1, level)


def over_repeats(values: ArrayLike, test_share: float | None = None) -> tuple[float, float, float]:
    """Mean and 95 % interval over independent repeats, or over folds; the ends of one are NaN."""
    values = np.asarray(values, float)
    if len(values) < 2:
        return float(values.mean()), np.nan, np.nan
    if test_share:
        return repeated_folds(values, test_share)
    return _over_folds(values.mean(), values.var(ddof=1), len(values), 0.0)


def outcome(low: ArrayLike, high: ArrayLike) -> NDArray:
    """Say what an interval of a gain shows: helps, hurts or unresolved."""
    return np.select([np.asarray(low) > 0, np.asarray(high) < 0], ["helps", "hurts"], "unresolved")
