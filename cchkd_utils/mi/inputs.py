"""Input as people hold it: arrays, tensors, tables and lists become checked numpy arrays.

Nothing but numpy is imported: tensors and tables are known by their methods. A `ValueError` is one
line that says what is wrong, where, and what to do.
"""

from __future__ import annotations

import hashlib
import numbers
import warnings
from decimal import Decimal

import numpy as np

MIN_ROWS = 50
SAME = 1e-11  # of the variance
SAME_ROWS = 2000  # looked at first
NUMBER = (numbers.Real, Decimal)


def as_array(a, name: str) -> np.ndarray:
    """Return any array-like as a numpy array, of objects where it may hold text or None.

    Masked and missing entries become NaN or None. Tensors may need gradients, lie on a device,
    be sparse or of a type that numpy lacks.
    """
    if a is None or isinstance(a, (str, bytes, dict, set)):
        raise ValueError(f"{name} is {_kind(a)}; pass an array with one row per sample.")
    try:
        a = [_dense(row) for row in a] if isinstance(a, (list, tuple)) else _dense(a)
        if isinstance(a, np.ma.MaskedArray):
            hidden = np.ma.getmaskarray(a)
            a = np.where(hidden, None, a.data) if hidden.any() else a.data
        elif isinstance(a, (list, tuple)):
            a = _from_list(a)
        a = np.asarray(a)
    except (TypeError, ValueError, RuntimeError, NotImplementedError) as error:
        reason = " ".join(str(error).split())[:120]
        raise ValueError(
            f"{name} is not an array with rows of one length; pass a float array [n, d] ({reason})."
        ) from error
    if a.ndim == 0:
        raise ValueError(f"{name} is {_kind(a[()])}; pass an array with one row per sample.")
    if a.dtype.kind in "cV":
        kind = "complex" if a.dtype.kind == "c" else "a structured array"
        raise ValueError(f"{name} is {kind}; pass real numbers [n, d], each part as a column.")
    if a.dtype.kind == "O" and all(isinstance(v, NUMBER) for v in a.flat):
        whole = all(isinstance(v, numbers.Integral) and abs(v) < 2**62 for v in a.flat)
        return a.astype(np.int64 if whole else float)
    return a.astype(str) if a.dtype.kind == "T" else a


def _kind(a):
    return "missing (None)" if a is None else f"a single {type(a).__name__}"


def _dense(a):
    """Tensors on this machine as arrays; matrices that keep only their nonzero cells whole."""
    if hasattr(a, "toarray"):
        return a.toarray()
    if not hasattr(a, "detach"):
        return a
    a = a.detach()
    if getattr(a, "is_quantized", False):
        a = a.dequantize()
    if getattr(a, "is_sparse", False) or getattr(a, "is_sparse_csr", False):
        a = a.to_dense()
    a = a.cpu()
    try:
        return a.resolve_conj().resolve_neg().numpy()
    except TypeError:  # bfloat16 and other types that numpy lacks
        return a.float().numpy()


def _from_list(a):
    """Numbers as numpy reads them; text among numbers stays apart from them."""
    out = np.asarray(a)
    if out.dtype.kind not in "US":
        return out
    objects = np.asarray(a, dtype=object)
    return out if all(isinstance(v, (str, bytes)) for v in objects.ravel()) else objects


def is_missing(a: np.ndarray) -> np.ndarray:
    """Where an array of any type holds NaN, NaT, None or the missing value of a table."""
    if a.dtype.kind == "f":
        return np.isnan(a)
    if a.dtype.kind in "mM":
        return np.isnat(a)
    if a.dtype.kind != "O":
        return np.zeros(a.shape, bool)
    return np.array([_no_value(v) for v in a.ravel()], bool).reshape(a.shape)


def _no_value(v) -> bool:
    try:
        return v is None or bool(v != v)  # NaN and NaT differ from themselves
    except TypeError:  # pandas.NA is neither equal nor not
        return True
    except ValueError:  # an array
        return False


def check_matrix(a, name: str) -> np.ndarray:
    """Return `a` (`[n]` or `[n, d]`) as a finite float matrix `[n, d]` without constant columns."""
    columns = getattr(a, "columns", None)
    a = as_array(a, name)
    if a.ndim == 1:
        a = a[:, None]
    if a.ndim != 2:
        raise ValueError(f"{name} has {a.ndim} axes; flatten it to [n, d] first.")
    a = _numbers(a, name, columns)
    check_count(a, name)
    if (rows := np.flatnonzero((~np.isfinite(a)).any(axis=1))).size:
        raise ValueError(
            f"{name} has NaN or inf in {rows.size} rows, row {rows[0]} first (a missing value, or "
            "a number too large); remove or impute these rows first."
        )
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


def _numbers(a, name, columns):
    """Float matrix, NaN where a value is missing; other entries are named by row and column."""
    if a.dtype.kind in "fiub":
        return a.astype(float)
    if a.dtype.kind in "mM":
        raise ValueError(f"{name} is not numeric but dates; pass a count of days or seconds.")
    out = np.full(a.shape, np.nan)
    for i, j in zip(*np.nonzero(~is_missing(a))):
        if not isinstance(v := a[i, j], NUMBER):
            place = f"row {i}, column {ascii(str(columns[j])) if columns is not None else j}"
            raise ValueError(
                f"{name} is not numeric: {place} holds {ascii(str(v))[:40]}; leave the columns of "
                "text, names and dates out, or turn them into numbers."
            )
        out[i, j] = v
    return out


def check_labels(y, name: str = "y") -> np.ndarray:
    """Return class labels as codes `[n]` in 0..K-1; a one-hot matrix is accepted."""
    y = as_labels(y, name)
    check_count(y, name)
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"{name} has one class only; its information with anything is 0.")
    if len(classes) > len(y) // 2:
        numeric = y.dtype.kind in "fiub"
        advice = (
            "if it is continuous, leave out discrete_y (task='regression')"
            if numeric
            else "a class needs several rows; a name or date of each row is no class"
        )
        raise ValueError(f"{name} has {len(classes)} classes in {len(y)} rows; {advice}.")
    return codes.reshape(-1)


def as_labels(y, name: str) -> np.ndarray:
    """Return labels `[n]` of one type that can be sorted, none missing; one-hot as column numbers.

    Accepted are numbers, booleans, text and dates, `[n]` or `[n, 1]`.
    """
    y = as_array(y, name)
    if y.ndim == 2 and y.shape[1] > 1:
        if not is_one_hot(y):
            raise ValueError(
                f"{name} has {y.shape[1]} columns and is not one-hot; class labels must be [n]. "
                "Take one column at a time, or number the rows that differ (several labels at "
                "once); targets that are measured need task='regression'."
            )
        return y.astype(float).argmax(axis=1)
    if y.ndim > 2:
        raise ValueError(f"{name} has {y.ndim} axes; give one value per row, [n].")
    y = y.reshape(-1)
    missing = is_missing(y) | (~np.isfinite(y) if y.dtype.kind == "f" else False)
    if (rows := np.flatnonzero(missing)).size:
        raise ValueError(
            f"{name} is missing (NaN, None or inf) in {rows.size} rows, row {rows[0]} first; "
            "leave these rows out of all arrays."
        )
    return _one_type(y, name) if y.dtype.kind == "O" else y


def _one_type(y, name):
    """Objects `[n]` of a single kind as an array of it."""
    kinds = [str if isinstance(v, str) else type(v) for v in y]
    if odd := next((i for i, kind in enumerate(kinds) if kind is not kinds[0]), 0):
        raise ValueError(
            f"{name} mixes types: row 0 holds {ascii(str(y[0]))[:40]} ({kinds[0].__name__}), row "
            f"{odd} holds {ascii(str(y[odd]))[:40]} ({kinds[odd].__name__}); make all text or all "
            "numbers."
        )
    if kinds[0] in (str, bytes):
        return np.array(y.tolist())
    if hasattr(kinds[0], "__lt__") and not hasattr(kinds[0], "__len__"):  # dates, periods
        try:
            np.unique(y)
        except TypeError:
            pass
        else:
            return y
    raise ValueError(
        f"{name} holds a {kinds[0].__name__} in each row; pass one text or number per row (of "
        "several labels in a row, take one at a time)."
    )


def check_count(a: np.ndarray, name: str) -> None:
    """Refuse fewer rows than any method can use."""
    if len(a) < MIN_ROWS:
        raise ValueError(f"{name} has {len(a)} rows; at least {MIN_ROWS} are needed.")


def check_not_labels(y: np.ndarray) -> None:
    """Refuse class labels where a continuous variable is wanted."""
    if y.dtype.kind in "USO" and all(isinstance(v, (str, bytes)) for v in y.ravel()):
        raise ValueError("y is not numeric; for class labels pass discrete_y=True.")
    single = y.ndim == 1 or (y.ndim == 2 and y.shape[1] == 1)
    if y.dtype.kind not in "fiub":
        return  # tables of objects: their cells are looked at one by one
    if single and y.size and np.isfinite(y).all() and (y == np.round(y)).all():
        raise ValueError(
            "y is integer-valued; for class labels pass discrete_y=True, "
            "for counts add uniform noise in [-0.5, 0.5] first (no information is lost)."
        )
    if is_one_hot(y):
        raise ValueError("y is one-hot; pass the class labels [n] with discrete_y=True.")


def check_same_length(x, y, names: tuple[str, str] = ("x", "y")) -> None:
    """Refuse inputs whose rows cannot be paired."""
    rows = [(getattr(a, "shape", None) or as_array(a, b).shape)[0] for a, b in zip((x, y), names)]
    if rows[0] != rows[1]:
        raise ValueError(
            f"{names[0]} has {rows[0]} rows and {names[1]} has {rows[1]}; "
            "both must hold the same samples in the same order."
        )


def check_same_order(named: dict) -> None:
    """Refuse tables that carry the same index in another order: their rows are no pairs."""
    tables = {k: a.index for k, a in named.items() if hasattr(getattr(a, "index", None), "equals")}
    if not tables:
        return
    (first, index), *others = tables.items()
    for name, its in others:
        if len(index) == len(its) and not index.equals(its) and set(index) == set(its):
            raise ValueError(
                f"{first} and {name} carry the same index in another order; align them with "
                f".loc[{first}.index], or pass .to_numpy() if their rows are pairs already."
            )


def is_one_hot(y: np.ndarray) -> bool:
    """Whether `y` is a matrix of two or more columns, each row a single 1 among zeros."""
    return is_binary(y) and bool((y.sum(axis=1) == 1).all())


def is_binary(y: np.ndarray) -> bool:
    """Whether `y` is a matrix of two or more columns of zeros and ones."""
    if y.dtype.kind not in "fiub" or y.ndim != 2 or y.shape[1] < 2:
        return False
    return bool(((y == 0) | (y == 1)).all())


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
    if len(x) < 2 * (x.shape[1] + y.shape[1]) + 10:
        return  # any rows would seem so
    # What holds for all rows holds for the first ones, and these are soon asked.
    first = slice(4 * (x.shape[1] + y.shape[1]) + 100)
    if _share_a_direction(x[first], y[first]) and _share_a_direction(x, y):
        raise ValueError(text.format("up to a linear map"))


def _share_a_direction(x, y):
    """Whether a linear combination of many values is on both sides.

    Units that seldom fire share the one row in which both do, which is no information to speak of.
    """
    qx, qy = (_orthonormal(a) for a in (x, y))
    if not (qx.size and qy.size):
        return False
    u, s, _ = np.linalg.svd(qx.T @ qy)
    shared = qx @ u[:, : len(s)][:, 1 - s**2 < SAME]
    return bool(shared.size) and len(np.unique(shared.round(9), axis=0)) >= MIN_ROWS


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


def one_seed(seed: int, random_state: int | None) -> int:
    """Return the seed, by whichever of its two names it is given; ValueError for both, or none."""
    if random_state is None:
        return seed
    if seed or isinstance(random_state, bool) or not isinstance(random_state, int | np.integer):
        raise ValueError(f"random_state is {random_state!r}; give one whole number, or seed=.")
    return int(random_state)
