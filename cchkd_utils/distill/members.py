"""Knowledge distillation: students described by `Member`, many of them trained at once."""

from dataclasses import dataclass

import numpy as np
import torch

from cchkd_utils.distill.losses import kd_loss, kd_mse
from cchkd_utils.distill.stack import Ensemble, Stack, chunk_size, initialise, parts
from cchkd_utils.distill.training import Settings, Tables, fit

__all__ = ["Ensemble", "Member", "kd_loss", "kd_mse", "train", "train_ensemble"]


@dataclass(frozen=True)
class Member:
    """One student to train.

    Members of equal `seed` start from the same weights and see the same batches in the same
    order, whatever else differs: their gains are paired.

    Parameters
    ----------
    seed : int
        Initial weights, batch order and held-out rows.
    lam : float
        Weight of the teacher, 0 or more (at most 1 for classification).
    temperature : float
        T of `kd_loss`; unused in regression.
    data : int
        Which dataset: index into the first axis of x and y.
    teacher : int, optional
        Which teacher: index into the first axis of the teacher predictions. None: undistilled.

    Raises
    ------
    ValueError
        When a number is out of range, or `lam` is set without a teacher.
    """

    seed: int
    lam: float = 0.0
    temperature: float = 1.0
    data: int = 0
    teacher: int | None = None

    def __post_init__(self):
        if self.seed < 0 or self.data < 0 or (self.teacher is not None and self.teacher < 0):
            raise ValueError(f"{self}: seed, data and teacher must not be negative")
        if not (0 <= self.lam < np.inf and 0 < self.temperature < np.inf):
            raise ValueError(f"{self}: lam must be 0 or more, temperature positive")
        if self.lam and self.teacher is None:
            raise ValueError(f"{self}: lam > 0 needs a teacher (or set lam to 0)")


def train(model, x, y, *, seed=0, lam=0.0, temperature=1.0, teacher=None, **options):
    """Train one network: the one-member case of `train_ensemble`, whose `options` it takes.

    Parameters
    ----------
    model : callable () -> torch.nn.Module
    x, y : arrays [n, ...] and [n]
    seed, lam, temperature
        As in `Member`.
    teacher : array [n] or [n, k], optional
        Predictions or logits of the teacher for the rows of x.

    Returns
    -------
    Ensemble
        With one member.
    """
    if isinstance(options.get("validation"), tuple):
        options["validation"] = tuple(np.asarray(part)[None] for part in options["validation"])
    member = Member(seed, lam, temperature, teacher=None if teacher is None else 0)
    teacher = None if teacher is None else np.asarray(teacher)[None]
    x, y = np.asarray(x)[None], np.asarray(y)[None]
    return train_ensemble(model, x, y, [member], teacher=teacher, **options)


def train_ensemble(
    model,
    x,
    y,
    members,
    *,
    teacher=None,
    task="classification",
    optimizer="adam",
    lr=1e-3,
    schedule="constant",
    weight_decay=0.0,
    momentum=0.9,
    clip=None,
    epochs=20,
    batch_size=64,
    validation=None,
    patience=None,
    device="auto",
):
    """Train many students of one architecture at once, each as if it were alone.

    Parameters
    ----------
    model : callable () -> torch.nn.Module
        Builds one network, e.g. ``lambda: MLP(100, 1)``. No dropout, no batch normalisation.
    x : array [d, n, ...]
        One or more datasets of n rows each, float32.
    y : array [d, n]
        Integer classes, or real targets.
    members : sequence of Member
        The students: seed, lam, temperature, dataset and teacher of each.
    teacher : array [t, n] or [t, n, k], optional
        Predictions (regression) or logits of each teacher, row i for row i of x.
    task : {"classification", "regression"}
        Minimises `kd_loss`, or `kd_mse` / (1 + lam): the division leaves the minimiser where it
        is and makes the step size independent of lam.
    optimizer : {"adam", "sgd", "adamw"}
    lr, weight_decay : float
    schedule : {"constant", "cosine"}
        ``cosine`` lowers the learning rate from `lr` towards 0 over the epochs: the last weights
        scatter less, so that small gains show.
    momentum : float
        Of ``sgd``; unused otherwise.
    clip : float, optional
        Largest gradient norm of a member; larger gradients are shortened. Default: 1 in
        classification (lam T^2 makes gradients large early on: lam=.8, T=4 diverges without
        it), none in regression.
    epochs, batch_size : int
    validation : float or tuple of arrays, optional
        A share of the rows to hold out (chosen by the member's seed), or ``(x, y)`` or
        ``(x, y, teacher)`` with leading axes as above. Each member keeps the weights of the
        epoch with the lowest validation objective.
    patience : int, optional
        A member stops after this many epochs without improvement; needs `validation`.
    device : str
        ``auto`` takes the GPU if there is one.

    Returns
    -------
    Ensemble

    Raises
    ------
    ValueError
        For inconsistent shapes, indices or options.
    FloatingPointError
        When a member's loss is no longer finite.
    """
    settings = Settings(
        task, optimizer, lr, schedule, weight_decay, momentum, clip, epochs, batch_size, patience
    )
    if not members:
        raise ValueError("no members: give at least one Member to train")
    if task == "classification" and any(m.lam > 1 for m in members):
        raise ValueError("lam is above 1: in classification it is a share, at most 1")
    device = _device(device)
    module = initialise(model, members[0].seed)
    tables = Tables(x, y, teacher, task, device).check(module, members)
    share, held_out = None, None
    if isinstance(validation, tuple):
        held_out = Tables(*validation, *[None] * (3 - len(validation)), task, device)
        held_out.check(module, members)
    elif validation is not None:
        share = float(validation)
        if not 0 < share < 1:
            raise ValueError(f"validation is {validation}: give a share between 0 and 1")
    elif patience is not None:
        raise ValueError("patience needs validation: give a share of rows to hold out, or arrays")

    stack = Stack(module, device)
    together = parts(module, members, chunk_size(device), device)
    runs = [
        fit(stack, model, [members[i] for i in part], tables, share, held_out, settings)
        for part in together
    ]
    back = torch.cat(together).argsort()
    weights = {k: torch.cat([w[k] for w, _ in runs])[back] for k in runs[0][0]}
    history = {k: np.concatenate([h[k] for _, h in runs])[back.numpy()] for k in runs[0][1]}
    return Ensemble(stack, weights, members, history, tables.x.shape[2:])


def _device(name):
    here = torch.cuda.is_available()
    if name == "auto":
        return torch.device("cuda" if here else "cpu")
    if torch.device(name).type == "cuda" and not here:
        raise ValueError("torch sees no GPU on this machine: device 'auto' or 'cpu' works without")
    return torch.device(name)
