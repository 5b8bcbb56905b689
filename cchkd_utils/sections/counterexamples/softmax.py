"""Two-class softmax regression by plain gradient descent, many students at once.

The student of the Modality Focusing Hypothesis' Gaussian experiment (Xue et al., ICLR 2023).
Objective: CE(y) + lam * KL(teacher || student), temperature 1, every row in every step.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import quad
from scipy.special import entr, expit
from scipy.stats import norm


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
        Inputs and labels 0 or 1 of b datasets.
    seeds : list of int
        Seed of the initial weights of each dataset (uniform in +-1/sqrt(d), as torch draws them).
    teacher : array_like [b, n], optional
        The teacher's probability of class 1.
    lam : array_like [k]
        Weights of the teacher's term, >= 0.

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


def label_information(rho: float) -> float:
    """I(s; 1[z > 0]) in nats, for standard normal s and z with correlation rho.

    The entropy of a fair label less its mean entropy given s, one integral.
    """

    def entropy(s: float) -> float:
        p = label_probability(rho, s)
        return norm.pdf(s) * (entr(p) + entr(1 - p))

    return float(np.log(2) - quad(entropy, -12, 12, limit=200, points=[0.0])[0])


def label_probability(rho: float, s: ArrayLike) -> NDArray:
    """P(z > 0 | s) for standard normal s and z with correlation rho, strictly between -1 and 1."""
    if not -1 < rho < 1:
        raise ValueError(f"rho is {rho}: choose a correlation strictly between -1 and 1")
    return norm.cdf(rho / np.sqrt(1 - rho**2) * np.asarray(s))
