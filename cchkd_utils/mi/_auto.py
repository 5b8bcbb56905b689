"""The default estimator."""

from __future__ import annotations


def auto_pointwise(x, y, discrete, seed, groups=None):
    """Placeholder dispatch until the stacked estimator lands: Gaussian ratio."""
    from ._cca import gaussian_pointwise, lda_pointwise

    return (lda_pointwise if discrete else gaussian_pointwise)(x, y, seed), ()
