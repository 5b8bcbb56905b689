"""What every method shares: the result, held-out rows, bounds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy.special import entr

PAIRED_ROWS = 1700  # all pairs of more take too long
TAILS = "low where columns have heavy tails or outliers"


class Pointwise(NamedTuple):
    """What a method of the registry returns: the last five fields of `MIEstimate`."""

    values: np.ndarray
    notes: tuple[str, ...] = ()
    low_by: float = 0.0
    high_by: float = 0.0
    unseen: float = np.nan


@dataclass(frozen=True)
class MIEstimate:
    """A mutual information in nats, with its standard error from the spread of the rows' terms.

    `pointwise` holds the terms `[n]` whose mean over the finite ones is the unclipped estimate;
    NaN in rows used for fitting only. They are the pointwise mutual information, and that minus
    its mean is the influence function of I(X;Y): paired differences of such rows give the
    standard error of a difference of two informations.

    Examples
    --------
    >>> import numpy as np
    >>> from cchkd_utils.mi import estimate
    >>> x = np.random.default_rng(0).normal(size=(500, 1))
    >>> shared = estimate(x, x + np.random.default_rng(1).normal(size=(500, 1)))
    >>> shared.n, shared.method, round(shared.bits / shared.nats, 2)
    (500, 'auto', 1.44)
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
    #: Nats of the fitted model on rows that it did not see; NaN where there is no such model.
    unseen: float = field(default=np.nan, compare=False)

    @property
    def bits(self) -> float:
        """The estimate in bits, nats / ln 2."""
        return self.nats / float(np.log(2.0))


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
    """Plug-in entropy H(Y) in nats of class codes `[n]`.

    Examples
    --------
    >>> import numpy as np
    >>> round(label_entropy(np.array([0, 0, 1, 1])), 3)  # ln 2
    0.693
    """
    return float(entr(np.bincount(codes) / len(codes)).sum())


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
