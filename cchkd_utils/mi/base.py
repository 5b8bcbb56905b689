"""What an estimator returns, and the checks that every input passes."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

MIN_ROWS = 50


class Pointwise(NamedTuple):
    """What a method of the registry returns: the last three fields of `MIEstimate`."""

    values: np.ndarray
    notes: tuple[str, ...] = ()
    rows_chose_codes: bool = False


@dataclass(frozen=True)
class MIEstimate:
    """A mutual information with its uncertainty.

    Attributes
    ----------
    nats, stderr : float
        The estimate, and its standard error from the spread of the row-wise contributions.
    n, seconds : int, float
        Number of rows given, and wall-clock time.
    pointwise : ndarray
        Row-wise contributions `[n]` whose mean over the finite entries is the unclipped estimate;
        NaN in rows used for fitting only. The influence function of I(X;Y) is the pointwise
        mutual information minus its mean: hence paired differences of these rows give the
        standard error of a difference of two informations.
    notes : tuple of str
        Which parts of the method were used, and what a reader should know of their limits.
    rows_chose_codes : bool
        The same rows chose the codes that were measured on them: an uncertainty that `pointwise`
        does not show.
    """

    nats: float
    stderr: float
    method: str
    n: int
    seconds: float
    pointwise: np.ndarray = field(repr=False, compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)
    rows_chose_codes: bool = field(default=False, compare=False)

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


def check_not_labels(y, name: str = "y") -> None:
    """Refuse class labels where a continuous variable is wanted."""
    y = np.asarray(y)
    if y.dtype.kind not in "fiub":
        raise ValueError(f"{name} is not numeric; for class labels pass discrete_y=True.")
    single = y.ndim == 1 or (y.ndim == 2 and y.shape[1] == 1)
    if single and y.size and np.isfinite(y).all() and (y == np.round(y)).all():
        raise ValueError(
            f"{name} is integer-valued; for class labels pass discrete_y=True, "
            "for counts add uniform noise in [-0.5, 0.5] first (no information is lost)."
        )
    if is_one_hot(y):
        raise ValueError(f"{name} is one-hot; pass the class labels [n] with discrete_y=True.")


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


def label_entropy(codes: np.ndarray) -> float:
    """Plug-in entropy H(Y) in nats of class codes `[n]`."""
    p = np.bincount(codes) / len(codes)
    p = p[p > 0]
    return float(-(p * np.log(p)).sum())
