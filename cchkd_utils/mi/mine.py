"""The method `mine` (Belghazi et al. 2018): the Donsker–Varadhan bound with a trained critic."""

from __future__ import annotations

import numpy as np
import torch

from .base import TAILS, Pointwise
from .nets import init_mlp, run_mlp, side, split_rows, train_network

SHUFFLES = 20  # of the evaluation rows, for the expectation over independent pairs
TRAINING = {"learning_rate": 1e-3, "batch": 128, "epochs": 100, "patience": 15}


def mine(
    x, y, *, discrete: bool, seed: int, groups=None, width: int = 128, ema: float = 0.99, **training
) -> Pointwise:
    """Terms of the bound; NaN outside the evaluation rows. Options also as in `TRAINING`.

    A critic T of two hidden layers maximises E[T(x,y)] - ln E[exp T(x,y')]; the gradient's
    denominator is a moving average (eq. 12 of the paper), which removes its bias. 55 % of the
    rows train, 15 % stop the training, 30 % evaluate. Large informations need e^I rows. For class
    labels the critic makes a classifier, p(c|x) proportional to p(c) exp T(x,c), and its bound
    H(Y) - CE is reported: never below the Donsker–Varadhan bound of T, nor above H(Y).
    """
    train, valid, held = split_rows(len(x), (0.55, 0.15, 0.30), seed)
    tx, ty = side(x), side(y, discrete)
    sizes = [tx.shape[1] + ty.shape[1], width, width, 1]
    params = init_mlp(sizes, torch.Generator().manual_seed(seed))
    shuffle, average = np.random.default_rng(seed + 1), None

    def step_loss(rows):
        nonlocal average
        shuffled = ty[rows[shuffle.permutation(len(rows))]]
        mean_exp = _critic(params, tx[rows], shuffled).exp().mean()
        now = mean_exp.detach()
        average = now if average is None else ema * average + (1 - ema) * now
        return mean_exp / average - _critic(params, tx[rows], ty[rows]).mean()

    def held_out(rows):
        return (_label_terms if discrete else _dv_terms)(params, tx[rows], ty[rows], seed)

    valid_loss = lambda: -float(held_out(valid).mean())  # noqa: E731
    ran = train_network(params, step_loss, valid_loss, train, seed, **(TRAINING | training))
    values = np.full(len(x), np.nan)
    with torch.no_grad():
        values[held] = held_out(held).numpy()
    bound = "H(Y) - CE" if discrete else "Donsker–Varadhan"
    return Pointwise(values, (f"{bound} bound on held-out rows, {ran} epochs", TAILS))


def _critic(params, x, y):
    return run_mlp(params, torch.cat([x, y], dim=1), slope=0.0)[:, 0]


def _dv_terms(params, x, y, seed):
    """T(x_i, y_i) - ln mean exp T over shuffled pairs; rows `[n]`."""
    rng = np.random.default_rng(seed + 2)
    shifts = 1 + rng.permutation(len(x) - 1)[:SHUFFLES]
    apart = torch.cat([_critic(params, x, y.roll(int(s), 0)) for s in shifts]).double()
    return _critic(params, x, y).double() - (apart.logsumexp(0) - float(np.log(len(apart))))


def _label_terms(params, x, y, _seed):
    """Log posterior minus log prior of the true class; rows `[n]`."""
    k, prior = y.shape[1], y.mean(0).clamp_min(1e-12).log().double()
    scores = [_critic(params, x, row.expand(len(x), k)).double() for row in torch.eye(k)]
    log_p = (torch.stack(scores, 1) + prior).log_softmax(1)
    true = y.argmax(1)
    return log_p[torch.arange(len(x)), true] - prior[true]
