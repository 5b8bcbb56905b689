"""What is chosen for each student, and what all students of an ensemble share."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from torch import optim

OPTIMIZERS = {"adam": optim.Adam, "sgd": partial(optim.SGD, momentum=0.9), "adamw": optim.AdamW}
CHOICES = {
    "task": ("classification", "regression"),
    "optimizer": tuple(OPTIMIZERS),
    "schedule": ("constant", "cosine"),
}


@dataclass(frozen=True)
class Member:
    """One student to train.

    Members of equal `seed` start from the same weights and see the same batches in the same
    order, whatever else differs: their gains are paired.

    Parameters
    ----------
    seed : int
        Initial weights, batch order and held-out rows.
    lam, temperature : float
        Weight of the teacher, 0 or more (at most 1 for classes), and T of `kd_loss`.
    data, teacher : int
        Indices into the first axes of x and y, and of the teacher predictions. No teacher:
        undistilled, `lam` is 0.

    Examples
    --------
    >>> Member(seed=3, lam=0.5, temperature=2.0, teacher=0).lam
    0.5
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


@dataclass(frozen=True)
class Options:
    """How students are trained: what all members of an ensemble share.

    Parameters
    ----------
    task : {"classification", "regression"}
        Minimises `kd_loss` with gradients clipped to norm 1, or `kd_mse` / (1 + lam): the division
        leaves the minimiser where it is and makes the step size independent of lam.
    optimizer, schedule : {"adam", "sgd", "adamw"} and {"constant", "cosine"}
        ``sgd`` has momentum 0.9. ``cosine`` lowers the learning rate from `lr` towards 0 over the
        epochs: the last weights scatter less, so that small gains show.
    lr, weight_decay : float
        The optimiser's step size and decay of the weights.
    epochs, batch_size : int
        Passes over the training rows, and rows per step.
    patience : int, optional
        A member stops after this many epochs without improvement; needs ``validation``.

    Examples
    --------
    >>> Options(task="regression", epochs=5).optimizer
    'adam'
    """

    task: str = "classification"
    optimizer: str = "adam"
    lr: float = 1e-3
    schedule: str = "constant"
    weight_decay: float = 0.0
    epochs: int = 20
    batch_size: int = 64
    patience: int | None = None

    def __post_init__(self):
        for name, choices in CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise ValueError(f"{name} is {value!r}: choose one of {', '.join(choices)}")
        for name in ("lr", "epochs", "batch_size", "patience"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} is {value}: give a positive number")
        for name in ("epochs", "batch_size"):
            value = getattr(self, name)
            if value != int(value):
                raise ValueError(f"{name} is {value}: give a whole number")
            object.__setattr__(self, name, int(value))
