"""Two-class softmax regression by plain gradient descent, many students at once.

The student of the Modality Focusing Hypothesis' Gaussian experiment (Xue et al., ICLR 2023).
Objective: CE(y) + lam * KL(teacher || student), temperature 1, every row in every step.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit


def fit(
    x: ArrayLike,
    y: ArrayLike,
    seeds: list[int],
    *,
    teacher: ArrayLike | None = None,
    lam: ArrayLike = (0.0,),
    steps: int = 1000,
    lr: float = 0.1,
) -> NDArray:
    """Train one student per dataset and weight; those of one dataset start from equal weights.

    Two classes need one number per row, the difference of the logits z; its gradient step is
    twice that of either logit. CE and KL together pull sigmoid(z) to the mean of label and teacher.

    Parameters
    ----------
    x, y : array_like [b, n, d] and [b, n]
        Inputs, and labels 0 or 1.
    seeds : list of b int
        Of the initial weights (uniform in +-1/sqrt(d), as torch draws them).
    teacher : array_like [b, n], optional
        Its probability of class 1, with weights `lam` [k] >= 0.

    Returns
    -------
    array [b, d + 1, k] float32
        Weights of the difference of logits; the last row is the bias.

    Raises
    ------
    ValueError
        When a weight is negative, or above 0 without a teacher.
    """
    lam = np.asarray(lam, np.float32)
    if (lam < 0).any() or (lam.any() and teacher is None):
        raise ValueError(f"lam is {lam}: give weights >= 0, and a teacher unless all are 0")
    x, y = with_bias(x), np.asarray(y, np.float32)[..., None]
    soft = y if teacher is None else np.asarray(teacher, np.float32)[..., None]
    wanted = y + lam * soft
    bound, shape = (x.shape[-1] - 1) ** -0.5, (2, x.shape[-1])
    draws = [np.random.default_rng(s).uniform(-bound, bound, shape) for s in seeds]
    w = np.array([first - second for first, second in draws], np.float32)
    w = np.repeat(w[..., None], len(lam), axis=-1)
    turned = np.ascontiguousarray(x.swapaxes(1, 2))
    rate = np.float32(2 * lr / x.shape[1])
    for _ in range(steps):
        w -= rate * (turned @ ((1 + lam) * expit(x @ w) - wanted))
    return w


def with_bias(x: ArrayLike) -> NDArray:
    """Append a column of ones: [..., d] to [..., d + 1]."""
    x = np.asarray(x, np.float32)
    return np.concatenate([x, np.ones((*x.shape[:-1], 1), np.float32)], axis=-1)
