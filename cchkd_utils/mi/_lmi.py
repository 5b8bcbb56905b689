"""Latent mutual information (Gowri et al. 2024): paired encoders, then KSG on held-out codes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from ._copula import canonical
from ._knn import ksg_pointwise, ross_pointwise
from ._nets import init_mlp, run_mlp, split_rows, standard_tensor, train_network

RIDGE = 0.01


@dataclass
class _Nets:
    encode_x: list
    encode_y: list
    linear_x: torch.Tensor
    linear_y: torch.Tensor
    decode: list  # x to x, y to y, x to y, y to x
    drop: torch.Generator


def lmi_pointwise(
    x,
    y,
    discrete: bool,
    seed: int = 0,
    *,
    latent: int = 8,
    width: int = 128,
    learning_rate: float = 5e-4,
    batch: int = 256,
    epochs: int = 20,
    patience: int = 4,
):
    """Row-wise terms `[n]` (NaN on the half of the rows used for training) and notes.

    Encoders of three hidden layers (width, width/2, width/4) compress each side to `latent`
    coordinates; decoders reconstruct each side from its own code and, with dropout, from the
    other's. Weights are fitted on one half of the rows and KSG is run on the codes of the other
    half, which also decides when to stop: the stopping rule sees reconstruction, not information.

    Two things differ from the published implementation. Each encoder is a linear map plus the
    network; the map starts at the canonical directions of the training rows and the network at
    zero, so that training begins where linear analysis ends instead of searching for the shared
    directions among many. And the networks are narrower (width 1024, learning_rate 1e-4, epochs
    300, patience 30 are the published values; all are options), which is what makes it fast.

    For class labels the decoder of y is a softmax and the k-NN form for labels measures the codes
    of x; the held-out bound H(Y) - CE replaces it where significantly more. Failure mode: with
    few informative among many dimensions the remaining codes are noise, and KSG on 8 + 8
    coordinates is biased low.
    """
    generator = torch.Generator().manual_seed(seed)
    n = len(x)
    train, held = split_rows(n, (0.5, 0.5), seed)
    tx, ty = standard_tensor(x), _target(y, discrete)
    dims = tx.shape[1], ty.shape[1]
    nets = _init(dims, latent, width, generator)
    nets.linear_x, nets.linear_y = _canonical_start(tx[train], ty[train], latent)
    params = [p for part in (nets.encode_x, nets.encode_y, *nets.decode) for p in part]
    params += [nets.linear_x, nets.linear_y]

    def loss(rows, drop):
        return _loss(nets, tx[rows], ty[rows], discrete, drop)

    ran = train_network(
        params,
        lambda rows: loss(rows, nets.drop),
        lambda: float(loss(held, None)),
        train,
        learning_rate=learning_rate,
        batch=batch,
        epochs=epochs,
        patience=patience,
        seed=seed,
    )
    values = np.full(n, np.nan)
    values[held], note = _measure(nets, tx[held], ty[held], y[held], discrete)
    return values, (f"{note}, {ran} epochs",)


def _target(y, discrete):
    return functional.one_hot(torch.tensor(y)).float() if discrete else standard_tensor(y)


def _init(dims, latent, width, generator):
    inner = [width, width // 2, width // 4]
    encoders = [init_mlp([d, *inner, latent], generator) for d in dims]
    outputs = (dims[0], dims[1], dims[1], dims[0])
    decoders = [init_mlp([latent, *inner[::-1], d], generator) for d in outputs]
    drop = torch.Generator().manual_seed(generator.initial_seed() + 1)
    for encoder in encoders:
        encoder[-2].data.zero_()
    return _Nets(*encoders, torch.empty(0), torch.empty(0), decoders, drop)


def _canonical_start(x, y, latent):
    """Leading canonical directions `[dx, latent]`, `[dy, latent]`, ridge-regularised."""
    dx, z = x.shape[1], torch.cat([x, y], 1).double().numpy()
    z = z - z.mean(0)
    model = canonical(
        z.T @ z / len(z) + RIDGE * np.eye(z.shape[1]), dx, np.inf, len(z), truncate=False
    )
    maps = []
    for project in (model.project_x, model.project_y):
        start = np.zeros((len(project), latent))
        # Codes start with the size of their correlation: KSG then attends to the related ones.
        kept = min(latent, len(model.rho))
        start[:, :kept] = project[:, :kept] * model.rho[:kept] ** 2
        maps.append(torch.tensor(start, dtype=torch.float32, requires_grad=True))
    return maps


def _encode(nets, x, y):
    """Codes of both sides, `[n, latent]` each."""
    zx = x @ nets.linear_x + run_mlp(nets.encode_x, x, last=True)
    return zx, y @ nets.linear_y + run_mlp(nets.encode_y, y, last=True)


def _loss(nets, x, y, discrete, drop):
    zx, zy = _encode(nets, x, y)
    xx, yy, xy, yx = nets.decode
    fit_y = functional.cross_entropy if discrete else functional.mse_loss
    own = functional.mse_loss(run_mlp(xx, zx), x) + fit_y(run_mlp(yy, zy), y)
    crossed = fit_y(run_mlp(xy, zx, drop=drop), y)
    return own + crossed + functional.mse_loss(run_mlp(yx, zy, drop=drop), x)


@torch.no_grad()
def _measure(nets, x, y, labels, discrete):
    zx, zy = _encode(nets, x, y)
    if not discrete:
        return ksg_pointwise(_live(zx), _live(zy)), "ksg on latent codes"
    knn = ross_pointwise(_live(zx), labels)
    log_p = run_mlp(nets.decode[2], zx).log_softmax(1).double().numpy()
    prior = y.double().mean(0).numpy()
    bound = log_p[np.arange(len(labels)), labels] - np.log(prior[labels])
    gain = bound - knn
    if gain.mean() > 2.0 * gain.std() / np.sqrt(len(gain)):
        return bound, "H(Y) - CE from latent codes"
    return knn, "k-NN for labels on latent codes"


def _live(z: torch.Tensor) -> np.ndarray:
    """Codes `[n, latent]` as learned, without dead ones."""
    z = z.double().numpy()
    scale = z.std(0)
    alive = scale > 1e-6 * max(scale.max(), 1e-300)
    if not alive.any():
        raise ValueError("All latent codes are constant; more rows or more epochs are needed.")
    return z[:, alive] - z[:, alive].mean(0)
