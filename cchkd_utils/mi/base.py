"""What every method shares: the result, the checks of its input, held-out rows."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy.stats import entropy

MIN_ROWS = 50
PAIRED_ROWS = 1700  # all pairs of more take too long
SAME = 1e-11  # of the variance
SAME_ROWS = 2000  # looked at first
TAILS = "low where columns have heavy tails or outliers"


class Pointwise(NamedTuple):
    """What a method of the registry returns: the last four fields of `MIEstimate`."""

    values: np.ndarray
    notes: tuple[str, ...] = ()
    low_by: float = 0.0
    high_by: float = 0.0


@dataclass(frozen=True)
class MIEstimate:
    """A mutual information in nats, with its standard error from the spread of the rows' terms.

    `pointwise` holds the terms `[n]` whose mean over the finite ones is the unclipped estimate;
    NaN in rows used for fitting only. They are the pointwise mutual information, and that minus
    its mean is the influence function of I(X;Y): paired differences of such rows give the
    standard error of a difference of two informations.
    """

    nats: float  #: The estimate.
    stderr: float  #: Its standard error.
    method: str  #: The method that made it.
    n: int  #: Rows given.
    seconds: float  #: Wall-clock time.
    pointwise: np.ndarray = field(repr=False, compare=False)
    #: Which parts of the method were used, and what a reader should know of their limits.
    notes: tuple[str, ...] = field(default=(), compare=False)
    #: Nats by which the model may be too low, which the spread of the rows does not show.
    low_by: float = field(default=0.0, compare=False)
    #: Nats by which it may be too high.
    high_by: float = field(default=0.0, compare=False)

    @property
    def bits(self) -> float:
        """The estimate in bits, nats / ln 2."""
        return self.nats / float(np.log(2.0))


def check_matrix(a, name: str) -> np.ndarray:
    """Return `a` (`[n]` or `[n, d]`) as a finite float matrix `[n, d]` without constant columns."""
    try:
        a = np.asarray(a, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} is not numeric; pass a float array [n, d].") from error
    if a.ndim == 1:
        a = a[:, None]
    if a.ndim != 2:
        raise ValueError(f"{name} has {a.ndim} axes; flatten it to [n, d] first.")
    _check_count(a, name)
    bad = int((~np.isfinite(a)).any(axis=1).sum())
    if bad:
        raise ValueError(f"{name} has NaN or inf in {bad} rows; remove or impute these rows first.")
    constant = np.ptp(a, axis=0) == 0 if a.shape[1] else np.zeros(0, dtype=bool)
    if constant.all():
        raise ValueError(f"{name} has only constant columns; it carries no information.")
    if constant.any():
        text = f"{name}: {int(constant.sum())} constant columns of {a.shape[1]} dropped."
        warnings.warn(text, UserWarning, stacklevel=4)
        a = a[:, ~constant]
    # Columns whose squares would leave the range of floats are brought to about 1, exactly.
    exponents = np.frexp(np.abs(a).max(axis=0))[1]
    return np.ldexp(a, np.where(np.abs(exponents) > 300, -exponents, 0))


def check_labels(y, name: str = "y") -> np.ndarray:
    """Return class labels as codes `[n]` in 0..K-1; a one-hot matrix is accepted."""
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] > 1:
        if not is_one_hot(y):
            raise ValueError(f"{name} has {y.shape[1]} columns; class labels must be [n].")
        y = y.argmax(axis=1)
    y = y.reshape(-1)
    missing = y.dtype.kind == "O" and any(label is None or label != label for label in y)
    if missing or (y.dtype.kind == "f" and not np.isfinite(y).all()):
        raise ValueError(f"{name} has missing labels (NaN or inf); remove these rows first.")
    _check_count(y, name)
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"{name} has one class only; its information with anything is 0.")
    if len(classes) > len(y) // 2:
        raise ValueError(
            f"{name} has {len(classes)} classes in {len(y)} rows; "
            "if it is continuous, leave out discrete_y (task='regression')."
        )
    return codes.reshape(-1)


def _check_count(a, name):
    if len(a) < MIN_ROWS:
        raise ValueError(f"{name} has {len(a)} rows; at least {MIN_ROWS} are needed.")


def check_not_labels(y) -> None:
    """Refuse class labels where a continuous variable is wanted."""
    y = np.asarray(y)
    if y.dtype.kind not in "fiub":
        raise ValueError("y is not numeric; for class labels pass discrete_y=True.")
    single = y.ndim == 1 or (y.ndim == 2 and y.shape[1] == 1)
    if single and y.size and np.isfinite(y).all() and (y == np.round(y)).all():
        raise ValueError(
            "y is integer-valued; for class labels pass discrete_y=True, "
            "for counts add uniform noise in [-0.5, 0.5] first (no information is lost)."
        )
    if is_one_hot(y):
        raise ValueError("y is one-hot; pass the class labels [n] with discrete_y=True.")


def check_same_length(x, y, names: tuple[str, str] = ("x", "y")) -> None:
    """Refuse inputs whose rows cannot be paired."""
    if np.ndim(x) == 0 or np.ndim(y) == 0:
        raise ValueError(f"{names[0]} and {names[1]} must be arrays of one row per sample.")
    if len(x) != len(y):
        raise ValueError(
            f"{names[0]} has {len(x)} rows and {names[1]} has {len(y)}; "
            "both must hold the same samples in the same order."
        )


def is_one_hot(y: np.ndarray) -> bool:
    """Whether `y` is a matrix of two or more columns, each row a single 1 among zeros."""
    if y.dtype.kind not in "fiub" or y.ndim != 2 or y.shape[1] < 2:
        return False
    return bool(((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all())


def check_not_same(x: np.ndarray, y: np.ndarray, names: tuple[str, str] = ("x", "y")) -> None:
    """Refuse sides `[n, dx]`, `[n, dy]` that share a column up to a monotone or linear map."""
    text = f"{names[0]} and {names[1]} are the same {{}}; their information is infinite. "
    text += "Was one array saved twice?"
    few = slice(0, None, max(1, len(x) // SAME_ROWS))  # columns that differ mostly do so here
    orders = _orders(x[few])
    for j, column in enumerate(y.T):
        for i in orders.get(_order(column[few])[0], ()):
            if len(np.unique(column)) >= MIN_ROWS and _order(column)[0] in _order(x[:, i]):
                raise ValueError(text.format(f"in columns {i} and {j}, up to an increasing map"))
    rows = 4 * (x.shape[1] + y.shape[1]) + 100  # what holds for all rows holds for some
    if len(x) < 2 * (x.shape[1] + y.shape[1]) + 10:
        return  # any rows would seem so
    qx, qy = (_orthonormal(a[:rows]) for a in (x, y))
    if qx.size and qy.size and (s := np.linalg.norm(qx.T @ qy, 2)) and 1 - s**2 < SAME:
        raise ValueError(text.format("up to a linear map"))


def _orders(a):
    """Columns by the order of their rows, or its reverse."""
    columns = {}
    for j, column in enumerate(a.T):
        for digest in _order(column):
            columns.setdefault(digest, []).append(j)
    return columns


def _order(column):
    """Digests of the order of the rows and of its reverse: a million rows are many bytes."""
    codes = np.unique(column, return_inverse=True)[1].astype(np.int32)
    return [hashlib.blake2b(c.tobytes()).digest() for c in (codes, codes.max() - codes)]


def _orthonormal(a):
    a = a[:, np.ptp(a, axis=0) > 0]
    u, s, _ = np.linalg.svd((a - a.mean(0)) / a.std(0), full_matrices=False)
    return u[:, s > 1e-7 * s[0]] if s.size else u


def on_a_sample(method, most: int, x, y, *, seed: int, groups=None, **how) -> Pointwise:
    """Terms of `method` on `most` random rows, NaN in the others, and a note that says so."""
    rows = np.sort(np.random.default_rng(seed).permutation(len(x))[:most])
    values = np.full(len(x), np.nan)
    part = y[rows] if y.ndim > 1 else np.unique(y[rows], return_inverse=True)[1]
    hint = None if groups is None else np.unique(groups[rows], return_inverse=True)[1]
    terms = method(x[rows], part, seed=seed, groups=hint, **how)
    values[rows] = terms.values
    return terms._replace(
        values=values, notes=(*terms.notes, f"on a random {most} of {len(x)} rows")
    )


def label_entropy(codes: np.ndarray) -> float:
    """Plug-in entropy H(Y) in nats of class codes `[n]`."""
    return float(entropy(np.bincount(codes)))


def folds(n: int, k: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield k pairs (train, test) of row numbers; the random test sets part the n rows."""
    for test in np.array_split(np.random.default_rng(seed).permutation(n), k):
        rest = np.ones(n, bool)
        rest[test] = False
        yield np.flatnonzero(rest), np.flatnonzero(~rest)


def beats(candidate, incumbent, min_z: float, min_gain: float = 0.01) -> bool:
    """Whether row-wise terms `[n]` average to significantly more nats than the simpler model's."""
    gain = candidate - incumbent
    return gain.mean() > max(min_gain, min_z * gain.std() / np.sqrt(len(gain)))


def info_nce_rows(pair_ratio, x, y) -> np.ndarray:
    """Row-wise terms `[m]` of the symmetric InfoNCE bound from the log ratios of all pairs.

    `pair_ratio(x, y)` gives these, finite, `[m, m]`. van den Oord et al. (2018), eq. 4, averaged
    over both directions; at most ln m. Many rows are bounded in parts: O(m) time and memory.
    """
    values, parts = np.empty(len(x)), -(-len(x) // PAIRED_ROWS)
    for first in range(parts):  # each n-th row, for rows may be in the order of their classes
        part = slice(first, None, parts)
        pairs = pair_ratio(x[part], y[part])
        both = log_sum_exp(pairs, 1) + log_sum_exp(pairs, 0)
        values[part] = np.diag(pairs) - 0.5 * both + np.log(len(pairs))
    return values


def log_sum_exp(a: np.ndarray, axis: int) -> np.ndarray:
    """As `scipy.special.logsumexp` for finite numbers, in half its time."""
    top = a.max(axis, keepdims=True)
    return np.log(np.exp(a - top).sum(axis)) + top.squeeze(axis)
