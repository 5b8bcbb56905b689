"""The method `lmi` (Gowri et al. 2024): paired encoders, then KSG on held-out codes."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from .base import TAILS, Pointwise, beats
from .copula import fit_normal
from .knn import ksg_rows, ross_rows
from .nets import init_mlp, run_mlp, side, split_rows, train_network
from .normal import label_terms

RIDGE = 0.01
TRAINING = {"learning_rate": 5e-4, "batch": 256, "epochs": 20, "patience": 4}


def lmi(
    x, y, *, discrete: bool, seed: int, groups=None, latent: int = 8, width: int = 128, **training
) -> Pointwise:
    """Terms of KSG on codes; NaN in the rows used for training. Options also as in `TRAINING`.

    Encoders of three hidden layers compress each side to `latent` coordinates; decoders
    reconstruct each side from its own code and, with dropout, from the other's. One half of the
    rows fits the weights; the other stops the training by its reconstruction and goes into KSG.

    Unlike the published ones, encoders are the sum of a linear map, which starts at the canonical
    directions of the training rows, and a network, which starts at zero; and they are narrower
    (published: width 1024, learning_rate 1e-4, epochs 300, patience 30). For class labels the
    bound H(Y) - CE of the decoder of y replaces KSG where significantly more. Failure mode: where
    few dimensions are informative, KSG on 8 + 8 coordinates is biased low.
    """
    train, held = split_rows(len(x), (0.5, 0.5), seed)
    tx, ty = side(x), side(y, discrete)
    nets = _Nets(tx[train], ty[train], discrete, latent, width, seed)
    ran = train_network(
        nets.parameters(),
        lambda rows: nets.loss(tx[rows], ty[rows], nets.dropped),
        lambda: float(nets.loss(tx[held], ty[held], None)),
        train,
        seed,
        **(TRAINING | training),
    )
    values = np.full(len(x), np.nan)
    with torch.no_grad():
        values[held], note = _measure(nets, tx[held], ty[held], y[held], discrete)
    return Pointwise(values, (f"{note}, {ran} epochs", TAILS))


class _Nets:
    """Encoders (a linear map plus a network each) and decoders of both sides."""

    def __init__(self, x, y, discrete, latent, width, seed):
        generator = torch.Generator().manual_seed(seed)
        self.dropped = torch.Generator().manual_seed(seed + 1)
        self.fit_y = functional.cross_entropy if discrete else functional.mse_loss
        inner, dx, dy = [width, width // 2, width // 4], x.shape[1], y.shape[1]
        self.encode_x, self.encode_y = (init_mlp([d, *inner, latent], generator) for d in (dx, dy))
        # Decoders x to x, y to y, x to y, y to x.
        self.decode = [init_mlp([latent, *inner[::-1], d], generator) for d in (dx, dy, dy, dx)]
        for encoder in (self.encode_x, self.encode_y):
            encoder[-2].data.zero_()
        self.linear_x, self.linear_y = _canonical_start(x, y, latent)

    def parameters(self):
        networks = self.encode_x, self.encode_y, *self.decode
        return [*(p for network in networks for p in network), self.linear_x, self.linear_y]

    def encode(self, x, y):
        """Codes of both sides, `[n, latent]` each."""
        zx = x @ self.linear_x + run_mlp(self.encode_x, x, last=True)
        return zx, y @ self.linear_y + run_mlp(self.encode_y, y, last=True)

    def loss(self, x, y, drop):
        zx, zy = self.encode(x, y)
        xx, yy, xy, yx = self.decode
        own = functional.mse_loss(run_mlp(xx, zx), x) + self.fit_y(run_mlp(yy, zy), y)
        crossed = self.fit_y(run_mlp(xy, zx, drop=drop), y)
        return own + crossed + functional.mse_loss(run_mlp(yx, zy, drop=drop), x)


def _canonical_start(x, y, latent):
    """Leading canonical directions `[dx, latent]`, `[dy, latent]`, ridge-regularised."""
    dx, z = x.shape[1], torch.cat([x, y], 1).double().numpy()
    model = fit_normal(z - z.mean(0), dx, truncate=False, ridge=RIDGE)
    maps, kept = [], min(latent, len(model.rho))
    for project in (model.project_x, model.project_y):
        start = np.zeros((len(project), latent))
        # Codes start with the size of their correlation: KSG then attends to the related ones.
        start[:, :kept] = project[:, :kept] * model.rho[:kept] ** 2
        maps.append(torch.tensor(start, dtype=torch.float32, requires_grad=True))
    return maps


def _measure(nets, x, y, codes, discrete):
    zx, zy = nets.encode(x, y)
    if not discrete:
        return ksg_rows(_live(zx), _live(zy)), "ksg on latent codes"
    knn = ross_rows(_live(zx), codes)
    log_p = run_mlp(nets.decode[2], zx).log_softmax(1).double().numpy()
    bound = label_terms(log_p, codes)
    if beats(bound, knn, 2.0, min_gain=0.0):
        return bound, "H(Y) - CE from latent codes"
    return knn, "k-NN for labels on latent codes"


def _live(z: torch.Tensor) -> np.ndarray:
    """Codes `[n, latent]`, centred, without dead ones."""
    z = z.double().numpy()
    scale = z.std(0)
    alive = scale > 1e-6 * max(scale.max(), 1e-300)
    if not alive.any():
        raise ValueError("All latent codes are constant; more rows or more epochs are needed.")
    return z[:, alive] - z[:, alive].mean(0)
