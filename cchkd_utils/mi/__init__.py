"""Mutual information I(X;Y) from paired rows, in nats.

`estimate` is the one entry point; the methods are

- ``ksg``: k nearest neighbours (Kraskov et al. 2004); for class labels Ross (2014).
- ``gaussian``: canonical correlations; exact on Gaussian rows.
- ``mine``: neural Donsker–Varadhan bound (Belghazi et al. 2018).
- ``lmi``: KSG on learned latent codes (Gowri et al. 2024).
- ``auto``: several models of the density ratio, combined and evaluated on held-out rows.
"""

from __future__ import annotations

import time

import numpy as np

from ._base import (
    MIEstimate,
    check_labels,
    check_matrix,
    check_not_labels,
    check_same_length,
    label_entropy,
)

METHODS = ("auto", "ksg", "gaussian", "mine", "lmi")

__all__ = ["METHODS", "MIEstimate", "estimate", "label_entropy"]


def estimate(
    x,
    y,
    method: str = "auto",
    *,
    discrete_y: bool = False,
    seed: int = 0,
    groups=None,
    **options,
) -> MIEstimate:
    """Estimate the mutual information I(X;Y) in nats.

    Parameters
    ----------
    x : array_like
        `[n, dx]` or `[n]`, continuous.
    y : array_like
        `[n, dy]` or `[n]`, continuous; with `discrete_y` class labels `[n]` (or one-hot).
    method : {"auto", "ksg", "gaussian", "mine", "lmi"}
        The estimator. `ksg` and `gaussian` do not import torch.
    discrete_y : bool
        `y` holds class labels: each method uses its form for labels, never above H(Y).
    seed : int
        Of folds, initial weights and batches. Same seed, same result.
    groups : array_like, optional
        Class labels `[n]` of the rows, a hint that `auto` may use to model clusters when both
        sides are continuous. Other methods ignore it.
    **options
        Passed to the method: `ksg` takes `k` (3) and `variant` (1 or 2); `mine` and `lmi` take
        `epochs` and the like.

    Returns
    -------
    MIEstimate
        With `nats` clipped to [0, H(Y)] for class labels and to >= 0 otherwise.

    Raises
    ------
    ValueError
        NaN or inf, different lengths, fewer than 50 rows, only constant columns, one class only,
        integer-valued `y` without `discrete_y`, an unknown method or option.

    Warns
    -----
    UserWarning
        Constant columns (dead units) are dropped.
    """
    if method not in METHODS:
        raise ValueError(f"Unknown method {method!r}; choose one of {', '.join(METHODS)}.")
    start = time.perf_counter()
    check_same_length(x, y)
    if not discrete_y:
        check_not_labels(y)
    x = check_matrix(x, "x")
    y = check_labels(y) if discrete_y else check_matrix(y, "y")
    if groups is not None:
        check_same_length(x, groups, ("x", "groups"))
        groups = check_labels(groups, "groups")
    try:
        values, notes = _pointwise(method, x, y, discrete_y, seed, groups, options)
    except TypeError as error:
        if "unexpected keyword" in str(error):
            raise ValueError(f"{method} has no option {sorted(options)}: {error}") from None
        raise
    kept = values[np.isfinite(values)]
    nats = max(float(kept.mean()), 0.0)
    if discrete_y:
        nats = min(nats, label_entropy(y))
    stderr = float(kept.std(ddof=1) / np.sqrt(len(kept)))
    return MIEstimate(nats, stderr, method, len(x), time.perf_counter() - start, values, notes)


def _pointwise(method, x, y, discrete, seed, groups, options):
    """Dispatch; torch is imported only by the methods that need it."""
    if method == "ksg":
        from ._knn import ksg_pointwise, ross_pointwise

        form = ross_pointwise if discrete else ksg_pointwise
        x, y = _standard(x), y if discrete else _standard(y)
        return form(x, y, **options), ()
    if method == "gaussian":
        from ._cca import gaussian_pointwise, lda_pointwise

        form = lda_pointwise if discrete else gaussian_pointwise
        return form(x, y, seed, **options), ()
    if method == "mine":
        from ._mine import mine_pointwise as neural
    elif method == "lmi":
        from ._lmi import lmi_pointwise as neural
    else:
        from ._auto import auto_pointwise as neural

        options = {"groups": groups, **options}
    return neural(x, y, discrete, seed, **options)


def _standard(a):
    return (a - a.mean(0)) / a.std(0)
