"""The method `ksg`: k nearest neighbours, for continuous Y and for class labels."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import digamma

from .base import TAILS, Pointwise, on_a_sample
from .copula import gaussian_ranks
from .normal import standardised

# Trees win in few dimensions; beyond, all-pairs distances by matrix products do.
TREE_DIMS = 10
CHUNK_ELEMENTS = 8_000_000
MAX_ROWS = 20_000
KNN_DIMENSION = 6.5  # beyond, k-NN is biased low


def ksg(
    x, y, *, discrete: bool, seed: int, groups=None, k: int = 3, scores: bool = True
) -> Pointwise:
    """`ksg_rows` or `ross_rows` with `k` neighbours, on normal scores of each column.

    `scores=False`: on standardised columns, the published definition. Beyond `MAX_ROWS` rows, a
    random sample where distances are those of all pairs.
    """
    width = x.shape[1] + (0 if discrete else y.shape[1])
    if len(x) > MAX_ROWS and width > TREE_DIMS:
        how = {"discrete": discrete, "k": k, "scores": scores}
        return on_a_sample(ksg, MAX_ROWS, x, y, seed=seed, **how)
    ready = gaussian_ranks if scores else standardised
    x = ready(x)
    values = ross_rows(x, y, k) if discrete else ksg_rows(x, ready(y), k)
    notes = [f"{k} neighbours on normal scores" if scores else f"{k} neighbours"]
    if not scores:
        notes.append(TAILS)
    if width > KNN_DIMENSION:
        notes.append(f"low, perhaps by half, in {width} dimensions: a lower bound")
    return Pointwise(values, tuple(notes))


def ksg_rows(x: np.ndarray, y: np.ndarray, k: int = 3) -> np.ndarray:
    """Row-wise terms `[n]` of I(X;Y), nats: Kraskov, Stögbauer, Grassberger (2004), eq. 8.

    Columns should be on one scale. Distances within x and y are the maximum norm where
    dx + dy <= 10, Euclidean beyond (the derivation admits any). Rows with several neighbours as
    far as the k-th (copies, rectified units) follow the mixture rule of Gao, Kannan, Oh,
    Viswanath (2017): all of them count.
    """
    n = len(x)
    if not 1 <= k < n:
        raise ValueError(f"k={k} neighbours out of {n} rows; choose 1 <= k < n.")
    counts = _tree_counts if x.shape[1] + y.shape[1] <= TREE_DIMS else _dense_counts
    kk, nx, ny = counts(x, y, k)
    return digamma(kk) + digamma(n) - digamma(nx) - digamma(ny)


def _tree_counts(x, y, k):
    xy = np.hstack([x, y])
    radius, kk = _kth_distance(xy, k, True), np.full(len(x), k)
    repeat = [any(len(np.unique(cells)) < len(side) for cells in side.T) for side in (x, y)]
    if any(repeat):
        kk = np.maximum(_count(xy, radius, True) - 1, k)

    def near(side, repeats):  # the row itself stands for the k-th neighbour
        nearer = _count(side, radius, False)
        return np.maximum(nearer, _count(side, radius, True) - 1) if repeats else nearer

    with ThreadPoolExecutor(2) as threads:  # the trees release the interpreter's lock
        nx, ny = threads.map(near, (x, y), repeat)
    return kk, nx, ny


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


def _dense_counts(x, y, k):
    n = len(x)
    kk, nx, ny = (np.full(n, k) for _ in range(3))
    for rows in _chunks(n):
        dx, dy = _squared_distances(x, rows), _squared_distances(y, rows)
        at = np.arange(len(dx))
        dx[at, at + rows.start] = dy[at, at + rows.start] = -1.0  # itself: never a neighbour
        both = np.maximum(dx, dy)
        radius = np.partition(both, k, axis=1)[:, k : k + 1]
        reach = radius * (1 + 1e-9)
        kk[rows] = (both <= reach).sum(1) - 1
        nx[rows], ny[rows] = (
            np.maximum((d < radius).sum(1), (d <= reach).sum(1) - 1) for d in (dx, dy)
        )
    return kk, nx, ny


def _chunks(n: int):
    step = max(1, CHUNK_ELEMENTS // n)
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]


def _squared_distances(a, rows):
    """Squared Euclidean distances of a chunk of rows to all rows; exact copies give exactly 0."""
    norm = np.einsum("ij,ij->i", a, a)
    d = norm[rows, None] + norm[None] - 2.0 * (a[rows] @ a.T)
    d[d < 1e-12 * norm.max()] = 0.0  # round-off of the expansion
    return d


def ross_rows(x: np.ndarray, codes: np.ndarray, k: int = 3) -> np.ndarray:
    """Row-wise terms `[n]` of I(X;Y), nats, for class codes `[n]`: Ross (2014), eq. 4.

    In a class of fewer than k + 1 rows all are neighbours; a row alone in its class contributes 0.
    """
    n, low = len(x), x.shape[1] <= TREE_DIMS
    radius, kk, size = np.zeros(n), np.ones(n), np.ones(n)
    count = _count if low else _dense_inside
    for c in range(codes.max() + 1):
        rows = np.flatnonzero(codes == c)
        if len(rows) < 2:
            continue
        own, size[rows] = x[rows], len(rows)
        radius[rows] = _kth_distance(own, min(k, len(rows) - 1), low)
        # Where cells repeat (rectified units), several are as far as the k-th: all of them count.
        kk[rows] = np.maximum(count(own, radius[rows], True) - 1, 1)
    inside = np.maximum(count(x, radius, True) - 1, kk)
    values = digamma(n) + digamma(kk) - digamma(size) - digamma(inside)
    return np.where(size < 2, 0.0, values)


def _kth_distance(a, k, low):
    if low:
        return cKDTree(a).query(a, k + 1, p=np.inf, workers=-1)[0][:, -1]
    parts = [  # copies: a view of one column would keep its whole chunk
        np.partition(_squared_distances(a, rows), k, axis=1)[:, k].copy()
        for rows in _chunks(len(a))
    ]
    return np.concatenate(parts)


def _dense_inside(x, radius, closed):
    """As `_count`, of squared Euclidean distances; `closed` always."""
    out = np.empty(len(x), dtype=int)
    for rows in _chunks(len(x)):
        d = _squared_distances(x, rows)
        out[rows] = (d <= radius[rows, None] * (1 + 1e-9)).sum(1)
    return np.maximum(out, 1)
