"""How uncertain the gap is: its standard error over rows or units, its bias in a simulation."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from cchkd_utils.mi import MIEstimate, estimate
from cchkd_utils.mi.auto import coordinates
from cchkd_utils.mi.codes import intrinsic_dimension, is_sheet
from cchkd_utils.mi.inputs import as_array, as_labels, check_same_length
from cchkd_utils.mi.normal import canonical_log_ratio, full_rank
from cchkd_utils.mi.tasks import Representations, random_layer

CALIBRATION_ROWS = 4000
SIMULATED_ROWS = 2500  # at most: with more the bias is smaller
CEILING = 4.0  # nats; beyond, the simulation would say little
ALPHA = 0.025  # a sign is called when its opposite has at most this probability


def both_sides(teacher, student, labels, discrete, method, seed) -> tuple[MIEstimate, MIEstimate]:
    """I(H1;H2) and I(H2;Y), on the same rows."""
    groups = labels if discrete else None
    shared = estimate(teacher, student, method, seed=seed, groups=groups)
    return shared, estimate(student, labels, method, discrete_y=discrete, seed=seed)


def gap_doubt(shared: MIEstimate, label: MIEstimate) -> tuple[float, float]:
    """Nats by which the gap may be too high, and too low, by what the estimates say of it."""
    return shared.high_by + label.low_by, shared.low_by + label.high_by


@contextmanager
def constant_columns_dropped() -> Iterator[None]:
    """Some rows of checked data may have constant columns: dropped, unsaid."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*constant columns")
        yield


def check_units(units: ArrayLike | None, like: NDArray) -> NDArray:
    """Return the unit of each row as codes `[n]`; by default each row is its own."""
    if units is None:
        return np.arange(len(like))
    check_same_length(units, like, ("units", "labels"))
    units = as_array(units, "units")
    if units.ndim > 1 and units.shape != (len(units), 1):
        raise ValueError(f"units has shape {units.shape}; give one name per row, [n].")
    names, codes = np.unique(as_labels(units, "units"), return_inverse=True)
    if len(names) < 2:
        raise ValueError("units names one unit only; an interval needs at least two.")
    return codes


def paired_stderr(a: NDArray, b: NDArray, units: NDArray | None = None) -> float:
    """Standard error of mean(a) - mean(b), row-wise terms `[n]`, over the rows that both have.

    Rows of one unit (codes `[n]`) may vary together (Liang & Zeger 1986).
    """
    kept = np.isfinite(a) & np.isfinite(b)
    difference = (a - b)[kept]
    units = np.arange(len(a)) if units is None else units
    codes = np.unique(units[kept], return_inverse=True)[1]
    sums = np.bincount(codes, difference - difference.mean())
    g = len(sums)
    return float(np.sqrt(g / (g - 1) * (sums**2).sum()) / len(difference))


def probability_wrong(gap: float, stderr: float, doubt: tuple[float, float] = (0.0, 0.0)) -> float:
    """Probability that the true gap has the other sign, under a flat prior.

    The gap may be too high by `doubt[0]` nats, too low by `doubt[1]`; these are granted first.

    Examples
    --------
    >>> round(probability_wrong(0.2, 0.1), 3)
    0.023
    >>> round(probability_wrong(0.2, 0.1, doubt=(0.15, 0.0)), 3)  # it may be .15 nats too high
    0.309
    """
    left = max(abs(gap) - doubt[gap < 0], 0.0)
    if stderr <= 0:
        return 0.0 if left else 0.5
    return float(ndtr(-left / stderr))


def decide(gap: float, stderr: float, doubt: tuple[float, float] = (0.0, 0.0)) -> str:
    """The decision rule: call the sign when the opposite has probability <= .025.

    Examples
    --------
    >>> decide(0.2, 0.1), decide(0.1, 0.1), decide(-0.2, 0.1)
    ('distil', 'undecided', 'do not distil')
    """
    if not probability_wrong(gap, stderr, doubt) <= ALPHA:  # NaN decides nothing
        return "undecided"
    return "distil" if gap > 0 else "do not distil"


def subsampled_stderr(gap: Callable, units: NDArray, repeats: int, seed: int) -> float:
    """Standard error from `gap(rows)` on all rows of random halves of the units (codes `[n]`).

    Without replacement (Politis & Romano 1994): duplicates would break k-NN. Per unit standard
    deviation b of n units vary around all by sqrt((1 - b/n) / b), all around the truth by n^-1/2.
    """
    rng, n = np.random.default_rng(seed), units.max() + 1
    half, gaps, reason = n // 2, [], ""
    for _ in range(repeats):
        drawn = np.zeros(n, bool)
        drawn[rng.permutation(n)[:half]] = True
        rows = np.flatnonzero(drawn[units])
        try:
            with constant_columns_dropped():
                gaps.append(gap(rows))
        except ValueError as error:  # too few rows, or a rare class is not among them
            reason = str(error)
    if len(gaps) < 2:
        raise ValueError(f"Subsamples of half of the {n} units cannot be estimated from: {reason}")
    return float(np.std(gaps, ddof=1) * np.sqrt(half / (n - half)))


def simulated_bias(teacher, student, labels, discrete, mi_ts, mi_sy, method, seed) -> float:
    """Bias in nats of the estimated gap on simulated data that resemble the given ones.

    Same n up to `SIMULATED_ROWS`, widths, about the same informations: jointly normal for
    regression, Gaussian classes and a shared nuisance for labels; near a sheet of few factors where
    the data are. The sample mean of the true pointwise information takes most of the noise out of
    the difference.
    """
    rng = np.random.default_rng(seed + 11)
    if len(labels) > SIMULATED_ROWS:
        rows = rng.permutation(len(labels))[:SIMULATED_ROWS]
        teacher, student, labels = (a[rows] for a in (teacher, student, labels))
    factors = _factors(teacher), _factors(student)
    simulate = _classes if discrete else _normal
    z1, z2, y, truth = simulate(factors, labels, min(mi_ts, CEILING), min(mi_sy, CEILING), rng)
    h1, h2 = _expand(z1, teacher.shape[1], rng), _expand(z2, student.shape[1], rng)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # dead units of the random layer
        ts, sy = both_sides(h1, h2, y, discrete, method, seed)
    rows = np.isfinite(ts.pointwise) & np.isfinite(sy.pointwise)
    return float(ts.nats - sy.nats - truth[rows].mean())


def _factors(h) -> int:
    """Factors behind the columns: the intrinsic dimension of a sheet, else the rank."""
    h = coordinates(h)
    principal, dimension = full_rank(h), intrinsic_dimension(h)
    if is_sheet(principal, dimension):
        return max(2, int(np.ceil(dimension)))
    return principal.shape[1]


def _expand(z, width, rng):
    return z if z.shape[1] >= width else np.maximum(random_layer(z, width, rng), 0.0)


def _correlation(nats: float) -> float:
    return float(np.sqrt(-np.expm1(-2.0 * max(nats, 0.0))))


def _normal(factors, labels, mi_ts, mi_sy, rng):
    """Jointly normal factors; each target follows one, the first the shared one, else is noise."""
    z1, z2 = (rng.standard_normal((len(labels), d)) for d in factors)
    m = min(labels.shape[1], factors[1])
    q, r = _correlation(mi_ts), _correlation(mi_sy / m)
    z2[:, 0] = q * z1[:, 0] + np.sqrt(1 - q**2) * z2[:, 0]
    y = rng.standard_normal(labels.shape)
    y[:, :m] = r * z2[:, :m] + np.sqrt(1 - r**2) * y[:, :m]
    truth = canonical_log_ratio(z1[:, :1], z2[:, :1], q)
    return z1, z2, y, truth - canonical_log_ratio(z2[:, :m], y[:, :m], r)


def _classes(factors, labels, mi_ts, mi_sy, rng):
    """Gaussian classes in up to three factors, one factor of shared nuisance."""
    k = int(labels.max()) + 1
    m = max(1, min(3, *(f - 1 for f in factors)))
    shape = rng.standard_normal((k, m))

    def model(scale1, scale2, rho=0.0):
        return Representations(scale1 * shape, scale2 * shape, 1, rho)

    def informations(scale1, scale2):
        return model(scale1, scale2).truth(np.random.default_rng(0), CALIBRATION_ROWS)

    scale2 = _solve(lambda s: informations(s, s)[1], mi_sy)
    scale1 = _solve(lambda s: informations(s, scale2)[0], mi_ts)
    rho = _correlation(mi_ts - informations(scale1, scale2)[0])
    simulated = model(scale1, scale2, rho)
    z1, z2, y = simulated.latents(len(labels), rng)
    shared, label = simulated.pointwise(z1, z2, y)
    z1, z2 = (  # the remaining factors are noise
        np.hstack([z, rng.standard_normal((len(z), max(width - z.shape[1], 0)))])
        for z, width in zip((z1, z2), factors)
    )
    return z1, z2, y, shared - label


def _solve(information, target) -> float:
    """The scale of the class means that gives `target` nats, or the largest tried."""
    from scipy.optimize import brentq

    low, high = 0.02, 8.0
    if information(low) >= target:
        return low
    if information(high) <= target:
        return high
    return float(brentq(lambda s: information(s) - target, low, high, xtol=0.01))
