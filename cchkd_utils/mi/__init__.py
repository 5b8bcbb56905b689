"""Mutual information I(X;Y) from paired rows, in nats.

`estimate` is the one entry point; the methods are

- ``ksg``: k nearest neighbours (Kraskov et al. 2004); for class labels Ross (2014).
- ``gaussian``: canonical correlations; exact on Gaussian rows.
- ``mine``: neural Donsker–Varadhan bound (Belghazi et al. 2018).
- ``lmi``: KSG on learned latent codes (Gowri et al. 2024).
- ``auto``: several models of the dependence; held-out rows choose one.
"""

from __future__ import annotations

import time

import numpy as np

from . import auto, base, knn, normal
from .base import MIEstimate, label_entropy


def _mine(x, y, **options):
    from .mine import mine  # and torch, which only networks need

    return mine(x, y, **options)


def _lmi(x, y, **options):
    from .lmi import lmi

    return lmi(x, y, **options)


# Each is `method(x, y, *, discrete, seed, groups, **own options) -> Pointwise` on checked rows.
REGISTRY = {
    "auto": auto.auto,
    "ksg": knn.ksg,
    "gaussian": normal.gaussian,
    "mine": _mine,
    "lmi": _lmi,
}
METHODS = tuple(REGISTRY)

__all__ = ["METHODS", "MIEstimate", "estimate", "label_entropy"]


def estimate(
    x, y, method: str = "auto", *, discrete_y: bool = False, seed: int = 0, groups=None, **options
) -> MIEstimate:
    """Estimate the mutual information I(X;Y) in nats, clipped to >= 0 (and <= H(Y) for classes).

    Constant columns (dead units) are dropped with a `UserWarning`. A `ValueError` names NaN or inf,
    different lengths, fewer than 50 rows, only constant columns, one class only, integer-valued
    `y` without `discrete_y`, an unknown method or option.

    Parameters
    ----------
    x, y : array_like
        `[n, dx]` and `[n, dy]`, or `[n]`, continuous.
    method : {"auto", "ksg", "gaussian", "mine", "lmi"}
        See above; only `mine` and `lmi` import torch.
    discrete_y : bool
        `y` holds class labels `[n]` (or one-hot): each method uses its form for labels.
    seed : int
        Of folds, initial weights and batches. Same seed, same result.
    groups : array_like, optional
        Class labels `[n]` of the rows: a hint from which `auto` may model clusters when both
        sides are continuous. Other methods ignore it.
    **options
        `ksg` takes `k` (3); `mine` and `lmi` take `epochs` and the like.
    """
    if method not in METHODS:
        raise ValueError(f"Unknown method {method!r}; choose one of {', '.join(METHODS)}.")
    start = time.perf_counter()
    base.check_same_length(x, y)
    if not discrete_y:
        base.check_not_labels(y)
    x = base.check_matrix(x, "x")
    y = base.check_labels(y) if discrete_y else base.check_matrix(y, "y")
    if not discrete_y:
        base.check_not_same(x, y)
    if groups is not None:
        base.check_same_length(x, groups, ("x", "groups"))
        groups = base.check_labels(groups, "groups")
    try:
        terms = REGISTRY[method](x, y, discrete=discrete_y, seed=seed, groups=groups, **options)
    except TypeError as error:
        if "unexpected keyword" in str(error):
            raise ValueError(f"{method} has no option {sorted(options)}: {error}") from None
        raise
    kept = terms.values[np.isfinite(terms.values)]
    nats = max(float(kept.mean()), 0.0)
    if discrete_y:
        nats = min(nats, label_entropy(y))
    stderr = float(kept.std(ddof=1) / np.sqrt(len(kept)))
    return MIEstimate(nats, stderr, method, len(x), time.perf_counter() - start, *terms)
