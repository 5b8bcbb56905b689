"""Intervals over repeats: independent ones, several rows per unit, or overlapping folds.

The independent unit is a participant, a video, a seed: whatever was sampled. Rows of one unit, and
repeated folds over the same units, carry less information than their number suggests.
"""

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm
from scipy.stats import t as student_t

VIDEO = ["video_gain", "video_lo", "video_hi"]  # columns of a gain and its interval over videos


def t_interval(
    mean: ArrayLike, stderr: ArrayLike, dof: ArrayLike, level: float = 0.95
) -> tuple[ArrayLike, ArrayLike, ArrayLike]:
    """Return the mean and the ends of Student's interval, from a standard error."""
    half = student_t.ppf((1 + level) / 2, dof) * stderr
    return mean, mean - half, mean + half


def summarise(frame: pd.DataFrame, by: list[str], value: str = "gain") -> pd.DataFrame:
    """Mean of `value` over independent repeats, with a 95 % interval and its outcome.

    The repeats of a group (its rows) must be independent of each other: seeds with data of their
    own, participants, videos. The interval is Student's, which at 5 to 50 repeats holds its level
    better than a percentile bootstrap. One repeat has none and is unresolved. Returns, per group,
    the mean as `value`, the ends of its interval with _lo and _hi, repeats, outcome.
    """
    grouped = frame.groupby(by, sort=True)[value]
    out = grouped.agg(["mean", "sem", "count"]).reset_index()
    mean, low, high = t_interval(out["mean"], out["sem"], np.maximum(out["count"] - 1, 1))
    return out[by].assign(
        **{value: mean, f"{value}_lo": low, f"{value}_hi": high},
        repeats=out["count"],
        outcome=outcome(low, high),
    )


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


def pooled_folds(frame: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Mean gain over repeats and folds, with the 95 % interval of Nadeau and Bengio.

    The same as `repeated_folds` on the gains of all folds, from a row per repeat and group `by`:
    its mean (`gain`), spread (`gain_sd`) and number of folds (`n_folds`), and the baseline.
    """
    rows = []
    for key, group in frame.groupby(by, sort=False):
        k, mean = group["n_folds"].to_numpy(), group["gain"].mean()
        squares = (k - 1) * group["gain_sd"] ** 2 + k * (group["gain"] - mean) ** 2
        variance = squares.sum() / (k.sum() - 1)
        interval = _over_folds(mean, variance, k.sum(), 1 / k.mean())
        rows.append([*key, group["baseline"].mean(), *interval])
    out = pd.DataFrame(rows, columns=[*by, "baseline", "gain", "gain_lo", "gain_hi"])
    return out.assign(outcome=outcome(out["gain_lo"], out["gain_hi"]))


def over_repeats(values: ArrayLike, test_share: float | None = None) -> tuple[float, float, float]:
    """Mean and 95 % interval over independent repeats, or over folds; the ends of one are NaN."""
    values = np.asarray(values, float)
    if len(values) < 2:
        return float(values.mean()), np.nan, np.nan
    if test_share:
        return repeated_folds(values, test_share)
    return _over_folds(values.mean(), values.var(ddof=1), len(values), 0.0)


def fold_gains(frame: pd.DataFrame, by: list[str], test_share: float | None) -> pd.DataFrame:
    """Mean gain where a row is one fold (`test_share`), or one independent repeat (None).

    Where the rows of the results table carry the columns `VIDEO`, that interval is taken: videos
    are the units, folds are not. ValueError for a group that has several.
    """
    out = []
    for key, group in frame.groupby(by):
        over_videos = group.filter(VIDEO).astype(float).dropna()
        if len(over_videos.columns) and len(over_videos):
            if len(over_videos.drop_duplicates()) > 1:
                raise ValueError(f"{dict(zip(by, key))} has several intervals over videos")
            numbers = over_videos.iloc[0]
        else:
            numbers = over_repeats(group["gain"], test_share)
        out.append((*key, *numbers, group["baseline"].mean()))
    table = pd.DataFrame(out, columns=[*by, "gain", "gain_lo", "gain_hi", "baseline"])
    return table.assign(outcome=outcome(table["gain_lo"], table["gain_hi"]))


def outcome(low: ArrayLike, high: ArrayLike) -> NDArray:
    """Say what an interval of a gain shows: helps, hurts or unresolved."""
    return np.select([np.asarray(low) > 0, np.asarray(high) < 0], ["helps", "hurts"], "unresolved")
