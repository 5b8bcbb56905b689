"""Small networks as plain tensors: initialise, run, train with early stopping."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from torch.nn import functional
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from .normal import standardised

CLIP = 10.0  # standard deviations


def init_mlp(sizes, generator: torch.Generator) -> list[torch.Tensor]:
    """Weights and biases of a multilayer perceptron, Xavier-uniform (Glorot & Bengio 2010)."""
    params = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        bound = (6.0 / (fan_in + fan_out)) ** 0.5
        w = torch.empty(fan_out, fan_in).uniform_(-bound, bound, generator=generator)
        params += [w.requires_grad_(), torch.zeros(fan_out, requires_grad=True)]
    return params


def run_mlp(params, a, *, slope: float = 0.2, last: bool = False, drop=None) -> torch.Tensor:
    """Apply the layers with leaky ReLU between them, and after the last one if `last`."""
    for i in range(0, len(params), 2):
        if drop is not None:  # a generator: half of each layer's inputs (Srivastava et al. 2014)
            a = a * torch.empty_like(a).bernoulli_(0.5, generator=drop).mul_(2.0)
        a = functional.linear(a, params[i], params[i + 1])
        if last or i + 2 < len(params):
            a = functional.leaky_relu(a, slope)
    return a


def split_rows(n: int, shares: tuple[float, ...], seed: int) -> list[np.ndarray]:
    """Random disjoint row sets of the given shares; the last takes the remainder."""
    order = np.random.default_rng(seed).permutation(n)
    return np.split(order, np.cumsum([int(s * n) for s in shares[:-1]]))


def train_network(
    params, step_loss, valid_loss, train, seed: int, *, learning_rate, batch, epochs, patience
) -> int:
    """Adam until `valid_loss()` has not fallen for `patience` epochs; best weights restored.

    `step_loss(rows)` is the loss on a batch of the rows `train`. Returns the number of epochs.
    """
    rng = np.random.default_rng(seed)
    optimiser = torch.optim.Adam(params, lr=learning_rate)
    best, kept, stale, ran = np.inf, parameters_to_vector(params).detach(), 0, 0
    for ran in range(1, epochs + 1):  # noqa: B007, returned below
        order = rng.permutation(train)
        for rows in np.array_split(order, max(1, round(len(order) / batch))):
            loss = step_loss(rows)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        with torch.no_grad():
            now = valid_loss()
        stale += 1
        if now < best:
            best, kept, stale = now, parameters_to_vector(params).detach(), 0
        if stale >= patience:
            break
    vector_to_parameters(kept, params)
    return ran


def side(a: np.ndarray, discrete: bool = False) -> torch.Tensor:
    """Columns of `[n, d]` standardised and clipped, or one-hot rows of class codes; float32."""
    if discrete:
        return functional.one_hot(torch.tensor(a)).float()
    return torch.tensor(np.clip(standardised(a), -CLIP, CLIP), dtype=torch.float32)
