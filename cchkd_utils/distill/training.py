"""Train students, one or many at once: one step of all of them is one batched computation."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from cchkd_utils.distill.losses import kd_loss, kd_mse
from cchkd_utils.distill.rows import Rows
from cchkd_utils.distill.stack import (
    EVAL_ROWS,
    Ensemble,
    Stack,
    chunks,
    in_order,
    initialise,
    orders,
    stacked_weights,
)

OPTIMIZERS = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}
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
    lam : float
        Weight of the teacher, 0 or more (at most 1 for classification).
    temperature : float
        T of `kd_loss`; unused in regression.
    data, teacher : int
        Which dataset and which teacher: indices into the first axes of x and y, and of the
        teacher predictions. No teacher: undistilled, `lam` is 0.
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


@dataclass
class Options:
    """How students are trained: what all members of an ensemble share.

    Parameters
    ----------
    task : {"classification", "regression"}
        Minimises `kd_loss`, or `kd_mse` / (1 + lam): the division leaves the minimiser where it
        is and makes the step size independent of lam.
    optimizer : {"adam", "sgd", "adamw"}
        ``momentum`` is that of ``sgd``.
    schedule : {"constant", "cosine"}
        ``cosine`` lowers the learning rate from `lr` towards 0 over the epochs: the last weights
        scatter less, so that small gains show.
    clip : float, optional
        Largest gradient norm of a member; larger gradients are shortened. Default: 1 in
        classification (lam T^2 makes gradients large early on: lam=.8, T=4 diverges without
        it), none in regression.
    patience : int, optional
        A member stops after this many epochs without improvement; needs ``validation``.
    """

    task: str = "classification"
    optimizer: str = "adam"
    lr: float = 1e-3
    schedule: str = "constant"
    weight_decay: float = 0.0
    momentum: float = 0.9
    clip: float | None = None
    epochs: int = 20
    batch_size: int = 64
    patience: int | None = None

    def __post_init__(self):
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"{name} is {getattr(self, name)!r}: choose one of {', '.join(choices)}"
                )
        for name in ("lr", "epochs", "batch_size", "clip", "patience"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} is {value}: give a positive number")
        for name in ("epochs", "batch_size"):
            value = getattr(self, name)
            if value != int(value):
                raise ValueError(f"{name} is {value}: give a whole number")
            setattr(self, name, int(value))
        if self.clip is None and self.task == "classification":
            self.clip = 1.0


def train(model, x, y, *, seed=0, lam=0.0, temperature=1.0, teacher=None, **options):
    """Train one network: the one-member case of `train_ensemble`, whose `options` it takes.

    Arrays have no leading axes: x [n, ...], y [n], teacher [n] or [n, k].
    """
    if isinstance(options.get("validation"), tuple):
        options["validation"] = tuple(np.asarray(part)[None] for part in options["validation"])
    member = Member(seed, lam, temperature, teacher=None if teacher is None else 0)
    teacher = None if teacher is None else np.asarray(teacher)[None]
    x, y = np.asarray(x)[None], np.asarray(y)[None]
    return train_ensemble(model, x, y, [member], teacher=teacher, **options)


def train_ensemble(
    model, x, y, members, *, teacher=None, validation=None, device="auto", **options
):
    """Train an `Ensemble`: many students of one architecture at once, each as if it were alone.

    Parameters
    ----------
    model : callable () -> torch.nn.Module
        Builds one network, e.g. ``lambda: MLP(100, 1)``. No dropout, no batch normalisation.
    x, y : array [d, n, ...] and [d, n]
        One or more datasets of n rows each; y integer classes, or real targets.
    members : sequence of Member
    teacher : array [t, n] or [t, n, k], optional
        Predictions (regression) or logits of each teacher, row i for row i of x.
    validation : float or tuple of arrays, optional
        A share of the rows to hold out (chosen by the member's seed), or ``(x, y)`` or
        ``(x, y, teacher)`` with leading axes as above. Each member keeps the weights of the
        epoch with the lowest validation objective.
    device : str
        ``auto`` takes the GPU if there is one.
    **options
        Of `Options`: task, optimizer, lr, epochs, batch_size ...

    Raises
    ------
    ValueError
        For inconsistent shapes, indices or options.
    FloatingPointError
        When a member's loss is no longer finite.
    """
    options = Options(**options)
    if not members:
        raise ValueError("no members: give at least one Member to train")
    if options.task == "classification" and any(m.lam > 1 for m in members):
        raise ValueError("lam is above 1: in classification it is a share, at most 1")
    device = _device(device)
    module = initialise(model, members[0].seed)
    checked = partial(Rows, task=options.task, module=module, members=members, device=device)
    rows = checked(x, y, teacher)
    held_out, n_held = None, 0
    if isinstance(validation, tuple):
        held_out = checked(*validation)
    elif validation is not None:
        n_held = rows.number_held(float(validation))
    elif options.patience is not None:
        raise ValueError("patience needs validation: give a share of rows to hold out, or arrays")

    stack, together = Stack(module, device), chunks(module, members, device)
    trained = [
        _Run(stack, model, [members[i] for i in chunk], rows, held_out, n_held, options).fit()
        for chunk in together
    ]
    weights, history = (
        {name: in_order([part[name] for part in parts], together) for name in parts[0]}
        for parts in zip(*trained)
    )
    history = {name: values.numpy() for name, values in history.items()}
    return Ensemble(stack, weights, members, history, rows.x.shape[2:])


def _device(name):
    gpu = torch.cuda.is_available()
    if name == "auto":
        return torch.device("cuda" if gpu else "cpu")
    if torch.device(name).type == "cuda" and not gpu:
        raise ValueError("torch sees no GPU on this machine: device 'auto' or 'cpu' works without")
    return torch.device(name)


class _Run:
    """Members trained together; what is stacked is over `alive`, those that have not stopped."""

    def __init__(self, stack, model, members, rows, held_out, n_held, options):
        self.stack, self.members, self.options = stack, members, options
        self.rows, self.device = rows, stack.device
        self.alike = len({(m.seed, m.data) for m in members}) == 1
        self.orders = {m.seed: orders(m.seed, len(rows), n_held) for m in members}
        held = {seed: next(order) for seed, order in self.orders.items()}
        self.validates = n_held > 0 or held_out is not None
        if held_out is None:
            self.held_out = rows
            self.held = torch.stack([held[m.seed] for m in members]).to(self.device)
        else:
            self.held_out = held_out
            self.held = torch.arange(len(held_out), device=self.device).expand(len(members), -1)
        initial = {m.seed: initialise(model, m.seed) for m in members}
        self.weights = stacked_weights([initial[m.seed] for m in members], self.device)
        self.optimizer = self._optimizer()
        weighting = [[m.lam, m.temperature] for m in members]
        self.lam, self.temperature = torch.tensor(weighting, dtype=torch.float32).T.to(self.device)
        which = [[m.data, m.teacher or 0] for m in members]
        self.data, self.teacher = torch.tensor(which).T.to(self.device)
        self.alive = torch.arange(len(members), device=self.device)
        self.best = {name: w.detach().clone() for name, w in self.weights.items()}
        self.lowest = torch.full((len(members),), torch.inf, device=self.device)
        self.best_epoch = torch.zeros(len(members), dtype=torch.int64, device=self.device)
        blank = torch.full((len(members), options.epochs), torch.nan, dtype=torch.float64)
        self.history = {"loss": blank} | ({"validation": blank.clone()} if self.validates else {})

    def _optimizer(self):
        """All of them act element by element: stacked weights are as good as single ones."""
        momentum = {"momentum": self.options.momentum} if self.options.optimizer == "sgd" else {}
        return OPTIMIZERS[self.options.optimizer](
            self.weights.values(), lr=self.options.lr, weight_decay=self.options.weight_decay,
            fused=True, **momentum,
        )  # fmt: skip

    def fit(self):
        """Return the kept weights [e, ...] and the history [e, ...], by name."""
        for epoch in range(self.options.epochs):
            self._train(epoch)
            if self.validates:
                self._validate(epoch)
            if not len(self.alive):
                break
        if not self.validates:
            self.best = {name: w.detach() for name, w in self.weights.items()}
            self.best_epoch.fill_(self.options.epochs)
        return self.best, {**self.history, "epochs": self.best_epoch.cpu()}

    def _train(self, epoch):
        """Pass over every living member's rows."""
        shuffled = {seed: next(order) for seed, order in self.orders.items()}
        living = self.alive.tolist()
        numbers = torch.stack([shuffled[self.members[i].seed] for i in living]).to(self.device)
        if self.options.schedule == "cosine":
            falling = (1 + np.cos(np.pi * epoch / self.options.epochs)) / 2
            for group in self.optimizer.param_groups:
                group["lr"] = self.options.lr * float(falling)
        total = torch.zeros(len(living), device=self.device)
        for batch in numbers.split(self.options.batch_size, dim=1):
            loss = self._loss(self.rows, batch)
            self.optimizer.zero_grad()
            loss.sum().backward()  # members share no weight: each gets its own gradient
            self._clip()
            self.optimizer.step()
            total += loss.detach() * batch.shape[1]
        total = (total / numbers.shape[1]).cpu()
        self.history["loss"][living, epoch] = total.double()
        if not total.isfinite().all():
            first = self.members[living[int(total.isfinite().int().argmin())]]
            raise FloatingPointError(f"training diverged in epoch {epoch + 1}, {first}: lower lr")

    def _loss(self, rows, numbers):
        """Return the objective of every living member on rows [e, b]."""
        x, teacher, y = rows.gather(numbers, self.data, self.teacher, self.alike)
        outputs = self.stack(self.weights, x)
        if self.options.task == "classification":
            return kd_loss(outputs, teacher, y, self.lam, self.temperature)
        return kd_mse(outputs.squeeze(-1), teacher, y, self.lam) / (1 + self.lam)

    def _clip(self):
        if self.options.clip is None:
            return
        gradients = [w.grad.flatten(1) for w in self.weights.values()]
        norm = sum(g.square().sum(1) for g in gradients).sqrt()
        scale = (self.options.clip / (norm + 1e-12)).clamp(max=1)[:, None]
        for gradient in gradients:
            gradient.mul_(scale)

    @torch.no_grad()
    def _validate(self, epoch):
        """Keep the weights of members at their best; let go of those out of patience."""
        numbers = self.held[self.alive]
        batches = numbers.split(EVAL_ROWS, dim=1)
        total = sum(self._loss(self.held_out, batch) * batch.shape[1] for batch in batches)
        loss = total / numbers.shape[1]
        self.history["validation"][self.alive.cpu(), epoch] = loss.cpu().double()
        better = loss < self.lowest[self.alive]
        improved = self.alive[better]
        self.lowest[improved] = loss[better]
        self.best_epoch[improved] = epoch + 1
        for name, weight in self.weights.items():
            self.best[name][improved] = weight[better]
        if self.options.patience is not None:
            waited = epoch + 1 - self.best_epoch[self.alive]
            self._keep(waited < self.options.patience)

    def _keep(self, stay):
        """Drop members that stopped from the computation, optimiser state included."""
        if stay.all():
            return
        for name in ("alive", "lam", "temperature", "data", "teacher"):
            setattr(self, name, getattr(self, name)[stay])
        states = [self.optimizer.state[w] for w in self.weights.values()]
        self.weights = {k: w.detach()[stay].requires_grad_() for k, w in self.weights.items()}
        self.optimizer = self._optimizer()
        for weight, state in zip(self.weights.values(), states):
            self.optimizer.state[weight] = {
                name: value[stay] if value.ndim else value for name, value in state.items()
            }
