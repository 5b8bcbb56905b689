"""k-nearest-neighbour estimators: KSG 1 and 2, and the form for class labels."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import digamma

# Trees win in few dimensions; beyond, all-pairs distances by matrix products do.
TREE_DIMS = 10
CHUNK_ELEMENTS = 8_000_000


def ksg_pointwise(x: np.ndarray, y: np.ndarray, k: int = 3, variant: int = 1) -> np.ndarray:
    """Row-wise terms of the Kraskov estimator of I(X;Y).

    Distances are the maximum norm within x and within y where dx + dy <= 10 and the Euclidean
    norm beyond (the derivation admits any norm in each); max over the two. Columns should be on
    one scale.

    Parameters
    ----------
    x, y : ndarray
        `[n, dx]`, `[n, dy]`, continuous. Rows with ties at the k-th neighbour are treated by
        the mixture rule of Gao et al. (2017).
    k : int
        Number of neighbours.
    variant : {1, 2}
        Kraskov's first or second estimator.

    Returns
    -------
    ndarray
        `[n]`, nats; the estimate is their mean.

    References
    ----------
    Kraskov, Stögbauer, Grassberger (2004), eqs. 8 and 9. Gao, Kannan, Oh, Viswanath (2017).
    """
    n = len(x)
    if not 1 <= k < n:
        raise ValueError(f"k={k} neighbours out of {n} rows; choose 1 <= k < n.")
    if variant not in (1, 2):
        raise ValueError(f"KSG variant {variant!r} is unknown; choose 1 or 2.")
    if x.shape[1] + y.shape[1] <= TREE_DIMS:
        counts = _tree_counts(x, y, k, variant)
    else:
        counts = _dense_counts(x, y, k, variant)
    kk, nx, ny = counts
    offset = digamma(n) - (1.0 / k if variant == 2 else 0.0)
    return digamma(kk) + offset - digamma(nx) - digamma(ny)


def _tree_counts(x, y, k, variant):
    xy = np.hstack([x, y])
    distance, neighbour = cKDTree(xy).query(xy, k + 1, p=np.inf, workers=-1)
    radius = distance[:, -1]
    if variant == 2:
        rx = np.abs(x[neighbour[:, 1:]] - x[:, None]).max(axis=(1, 2))
        ry = np.abs(y[neighbour[:, 1:]] - y[:, None]).max(axis=(1, 2))
        nx, ny = _counts((x, rx, True), (y, ry, True))
        return np.full(len(x), k), nx - 1, ny - 1
    tied, kk = radius == 0, np.full(len(x), k)
    nx, ny = _counts((x, radius, tied), (y, radius, tied))
    if tied.any():
        zero = np.zeros(len(x))
        kk[tied] = (_count(xy, zero, True) - 1)[tied]
    return kk, nx, ny


def _counts(*sides) -> list[np.ndarray]:
    """`_count` of each side at once; the trees release the interpreter's lock."""
    with ThreadPoolExecutor(len(sides)) as threads:
        return list(threads.map(lambda side: _count(*side), sides))


def _count(a: np.ndarray, radius: np.ndarray, closed) -> np.ndarray:
    """Rows within `radius` of each row, itself included; `closed` counts the border too."""
    # The margin is wider than the round-off of a + reach, narrower than any real difference.
    reach = radius * np.where(closed, 1 + 1e-9, 1 - 1e-9)
    if a.shape[1] == 1:
        line = np.sort(a[:, 0])
        high = np.searchsorted(line, a[:, 0] + reach, side="right")
        return np.maximum(high - np.searchsorted(line, a[:, 0] - reach, side="left"), 1)
    from sklearn.neighbors import KDTree  # counts in a third of the time of scipy's

    tree = KDTree(a, leaf_size=20, metric="chebyshev")
    return np.maximum(tree.query_radius(a, reach, count_only=True), 1)


def _dense_counts(x, y, k, variant):
    n = len(x)
    kk, nx, ny = (np.full(n, k) for _ in range(3))
    for rows in _chunks(n):
        dx, dy = _squared(x, rows), _squared(y, rows)
        at = np.arange(len(dx))
        dx[at, at + rows.start] = dy[at, at + rows.start] = -1.0  # itself: never a neighbour
        both = np.maximum(dx, dy)
        if variant == 2:
            near = np.argpartition(both, k, axis=1)[:, : k + 1]
            rx = np.take_along_axis(dx, near, 1).max(axis=1, keepdims=True)
            ry = np.take_along_axis(dy, near, 1).max(axis=1, keepdims=True)
            nx[rows], ny[rows] = (dx <= rx).sum(1) - 1, (dy <= ry).sum(1) - 1
            continue
        radius = np.partition(both, k, axis=1)[:, k : k + 1]
        tied = radius[:, 0] <= 0
        nx[rows], ny[rows] = (dx < radius).sum(1), (dy < radius).sum(1)
        if tied.any():
            who = np.arange(n)[rows][tied]
            nx[who], ny[who] = (dx[tied] <= 0).sum(1), (dy[tied] <= 0).sum(1)
            kk[who] = (both[tied] <= 0).sum(1) - 1
    return kk, nx, ny


def _chunks(n: int):
    step = max(1, CHUNK_ELEMENTS // n)
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]


def _squared(a: np.ndarray, rows: slice) -> np.ndarray:
    """Squared Euclidean distances of a chunk of rows to all rows; exact copies give exactly 0."""
    norm = np.einsum("ij,ij->i", a, a)
    d = norm[rows, None] + norm[None] - 2.0 * (a[rows] @ a.T)
    d[d < 1e-12 * norm.max()] = 0.0  # round-off of the expansion
    return d


def ross_pointwise(x: np.ndarray, codes: np.ndarray, k: int = 3) -> np.ndarray:
    """Row-wise terms of the k-NN estimator of I(X;Y) for class labels Y.

    Parameters
    ----------
    x : ndarray
        `[n, d]`.
    codes : ndarray
        `[n]`, classes 0..K-1. In a class of fewer than k+1 rows all its rows are neighbours;
        a row alone in its class contributes 0.
    k : int
        Number of neighbours within the class.

    Returns
    -------
    ndarray
        `[n]`, nats.

    References
    ----------
    Ross (2014), eq. 4; the case of the mixture estimator of Gao et al. (2017) with discrete Y.
    """
    n, low = len(x), x.shape[1] <= TREE_DIMS
    radius, kk, size = np.zeros(n), np.ones(n), np.ones(n)
    for c in range(codes.max() + 1):
        rows = np.flatnonzero(codes == c)
        if len(rows) < 2:
            continue
        kk[rows], size[rows] = min(k, len(rows) - 1), len(rows)
        radius[rows] = _kth_distance(x[rows], min(k, len(rows) - 1), low)
    inside = _count(x, radius, radius == 0) if low else _dense_inside(x, radius)
    tied = radius == 0
    if tied.any():  # copies: count those of the row's own class
        kk[tied] = np.maximum(_copies_in_class(x, codes, tied) - 1, 1)
        inside[tied] = np.maximum(inside[tied] - 1, kk[tied])
    values = digamma(n) + digamma(kk) - digamma(size) - digamma(np.maximum(inside, kk))
    return np.where(size < 2, 0.0, values)


def _kth_distance(a, k, low):
    if low:
        return cKDTree(a).query(a, k + 1, p=np.inf, workers=-1)[0][:, -1]
    parts = [np.partition(_squared(a, rows), k, axis=1)[:, k] for rows in _chunks(len(a))]
    return np.concatenate(parts)


def _dense_inside(x, radius):
    out = np.empty(len(x), dtype=int)
    for rows in _chunks(len(x)):
        d, r = _squared(x, rows), radius[rows, None]
        out[rows] = np.where(r[:, 0] == 0, (d <= r).sum(1), (d < r).sum(1))
    return np.maximum(out, 1)


def _copies_in_class(x, codes, tied):
    keys = np.unique(np.column_stack([x, codes]), axis=0, return_inverse=True)[1].reshape(-1)
    return np.bincount(keys)[keys[tied]]
