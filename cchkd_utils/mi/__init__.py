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
from dataclasses import replace
from functools import partial

import numpy as np

from cchkd_utils import not_installed

from . import auto, inputs, knn, normal
from .base import MIEstimate, Pointwise, label_entropy


def _mine(x, y, **options):
    try:
        from .mine import mine  # and torch, which only networks need
    except ModuleNotFoundError as error:
        raise not_installed(error) from None
    return mine(x, y, **options)


def _lmi(x, y, **options):
    try:
        from .lmi import lmi
    except ModuleNotFoundError as error:
        raise not_installed(error) from None
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

__all__ = ["METHODS", "MIEstimate", "conditional", "estimate", "label_entropy"]


def estimate(
    x,
    y,
    method: str = "auto",
    *,
    discrete_y: bool = False,
    given=None,
    seed: int = 0,
    random_state: int | None = None,
    groups=None,
    **options,
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
    given : array_like, optional
        Class labels `[n]`: I(X;Y|labels) then, what x and y share that is not about these, for
        continuous `y`. See `conditional`.
    seed : int
        Of folds, initial weights and batches. Same seed, same result.
    random_state : int, optional
        Another name of `seed`, as in scikit-learn.
    groups : array_like, optional
        Class labels `[n]` of the rows: a hint from which `auto` may model clusters when both
        sides are continuous. Other methods ignore it.
    **options
        `ksg` takes `k` (3); `mine` and `lmi` take `epochs` and the like.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(2000, 1))
    >>> y = x + rng.normal(size=(2000, 1))  # I = ln(2) / 2 = .347 nats
    >>> bool(abs(estimate(x, y).nats - np.log(2) / 2) < 0.05)
    True
    >>> estimate(x, x[:, 0] > 0, discrete_y=True).nats > 0.6  # of ln 2, where x tells the class
    True
    """
    if method not in METHODS:
        raise ValueError(f"Unknown method {method!r}; choose one of {', '.join(METHODS)}.")
    start = time.perf_counter()
    seed = inputs.one_seed(seed, random_state)
    inputs.check_same_order({"x": x, "y": y, "given": given, "groups": groups})
    inputs.check_same_length(x, y)
    x, y = inputs.check_matrix(x, "x"), _checked_y(y, discrete_y)
    if not discrete_y:
        inputs.check_not_same(x, y)
    groups, given = (_checked_classes(a, x, n) for a, n in ((groups, "groups"), (given, "given")))
    run = partial(_run, method=method, seed=seed, options=options)
    if given is None:
        out = run(x, y, discrete=discrete_y, groups=groups)
    elif discrete_y:
        raise ValueError("given needs a continuous y; leave out discrete_y.")
    else:
        about = (run(a, given, discrete=True) for a in (x, y, np.hstack([x, y])))
        out = conditional(run(x, y, discrete=False, groups=given), *about)
    return replace(out, seconds=time.perf_counter() - start)


def _run(x, y, *, method, discrete, seed, options, groups=None):
    try:
        terms = REGISTRY[method](x, y, discrete=discrete, seed=seed, groups=groups, **options)
    except TypeError as error:
        if "unexpected keyword" in str(error):
            raise ValueError(f"{method} has no option {sorted(options)}: {error}") from None
        raise
    most = label_entropy(y) if discrete else np.inf
    return _averaged(terms, method, most)


def _averaged(terms: Pointwise, method: str, most: float = np.inf) -> MIEstimate:
    kept = terms.values[np.isfinite(terms.values)]
    nats = min(max(float(kept.mean()), 0.0), most)
    stderr = float(kept.std(ddof=1) / np.sqrt(len(kept)))
    return MIEstimate(nats, stderr, method, len(terms.values), 0.0, *terms)


def conditional(
    shared: MIEstimate, x_label: MIEstimate, y_label: MIEstimate, both_label: MIEstimate
) -> MIEstimate:
    """I(X;Y|C) of class labels C from I(X;Y), I(X;C), I(Y;C) and I(X,Y;C) on the same rows.

    By the chain rule it is I(X;Y) - I(X;C) - I(Y;C) + I(X,Y;C), row by row. Estimates within the
    classes have only their rows, and those of rows less their class's mean would be of another
    quantity unless all classes have one shape.

    Parameters
    ----------
    shared, x_label, y_label, both_label : MIEstimate
        I(X;Y), I(X;C), I(Y;C), and that of the columns of both, I(X,Y;C); nats.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> labels = rng.integers(0, 2, 1000)
    >>> x, y = (2 * labels[:, None] + rng.normal(size=(1000, 1)) for _ in range(2))
    >>> estimate(x, y).nats > 0.1, estimate(x, y, given=labels).nats < 0.05
    (True, True)
    >>> about = [estimate(a, labels, discrete_y=True) for a in (x, y, np.hstack([x, y]))]
    >>> conditional(estimate(x, y), *about).nats < 0.05
    True
    """
    parts = shared, x_label, y_label, both_label
    a, b, c, d = (part.pointwise for part in parts)
    terms = Pointwise(
        a - b - c + d,
        tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        shared.low_by + x_label.high_by + y_label.high_by + both_label.low_by,
        shared.high_by + x_label.low_by + y_label.low_by + both_label.high_by,
    )
    return _averaged(terms, shared.method)


def _checked_classes(a, x, name):
    if a is None:
        return None
    inputs.check_same_length(x, a, ("x", name))
    return inputs.check_labels(a, name)


def _checked_y(y, discrete):
    if discrete:
        return inputs.check_labels(y)
    inputs.check_not_labels(inputs.as_array(y, "y"))
    return inputs.check_matrix(y, "y")
