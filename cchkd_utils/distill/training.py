"""The training loop: one step of every member is one batched computation."""

from dataclasses import dataclass

import numpy as np
import torch

from cchkd_utils.distill.losses import kd_loss, kd_mse
from cchkd_utils.distill.stack import EVAL_ROWS, initialise, stacked_weights, stream

TASKS = ("classification", "regression")
OPTIMIZERS = ("adam", "sgd", "adamw")
SCHEDULES = ("constant", "cosine")


@dataclass(frozen=True)
class Settings:
    """Options of `distill.train_ensemble` that every member shares; checked."""

    task: str
    optimizer: str
    lr: float
    schedule: str
    weight_decay: float
    momentum: float
    clip: float | None
    epochs: int
    batch_size: int
    patience: int | None

    def __post_init__(self):
        known = {"task": TASKS, "optimizer": OPTIMIZERS, "schedule": SCHEDULES}
        for name, choices in known.items():
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"{name} is {getattr(self, name)!r}: choose one of {', '.join(choices)}"
                )
        for name in ("lr", "epochs", "batch_size", "clip", "patience"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} is {value}: give a positive number")
        for name in ("epochs", "batch_size"):
            if getattr(self, name) != int(getattr(self, name)):
                raise ValueError(f"{name} is {getattr(self, name)}: give a whole number")
            object.__setattr__(self, name, int(getattr(self, name)))

    def build(self, weights):
        """Return a torch optimiser over stacked weights; all of them act element by element."""
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
        extra = {"momentum": self.momentum} if self.optimizer == "sgd" else {}
        return kind[self.optimizer](
            weights, lr=self.lr, weight_decay=self.weight_decay, fused=True, **extra
        )

    def objective(self, outputs, teacher, y, lam, temperature):
        """Return the training objective of every member, [e]."""
        if self.task == "classification":
            return kd_loss(outputs, teacher, y, lam, temperature)
        return kd_mse(outputs.squeeze(-1), teacher, y, lam) / (1 + lam)

    def rate(self, epoch):
        """Return the learning rate of an epoch: constant, or half a cosine from lr towards 0."""
        falling = (1 + np.cos(np.pi * epoch / self.epochs)) / 2
        return self.lr * (1 if self.schedule == "constant" else float(falling))

    def limit(self):
        """Return the largest gradient norm of a member, or None."""
        return 1.0 if self.clip is None and self.task == "classification" else self.clip


class Tables:
    """Inputs [d, n, ...], labels [d, n] and teacher predictions [t, n, ...] as tensors."""

    def __init__(self, x, y, teacher, task, device):
        self.task = task
        label = torch.int64 if task == "classification" else torch.float32
        self.x = torch.as_tensor(x, dtype=torch.float32, device=device)
        self.y = torch.as_tensor(_numbers(y, task), dtype=label, device=device)
        self.teacher = teacher
        if teacher is not None:
            self.teacher = torch.as_tensor(teacher, dtype=torch.float32, device=device)
            if task == "regression" and self.teacher.ndim == 3 and self.teacher.shape[2] == 1:
                self.teacher = self.teacher[..., 0]

    def __len__(self):
        return self.x.shape[1]

    def check(self, module, members):
        """Return self; ValueError when shapes, values, network and members do not fit together."""
        x, y, teacher = self.x, self.y, self.teacher
        if x.ndim < 3 or y.shape != x.shape[:2] or not y.numel():
            raise ValueError(
                f"x {list(x.shape)} and y {list(y.shape)} do not fit: pass x [d, n, ...], y [d, n]"
            )
        if not (x.isfinite().all() and y.isfinite().all()):
            raise ValueError("x or y has values that are not finite: drop or impute those rows")
        if max(m.data for m in members) >= len(x):
            raise ValueError(f"x has {len(x)} datasets, a member asks for a later one")
        with torch.no_grad():
            width = module(x[0, :1].cpu()).shape[-1]
        if self.task == "regression" and width != 1:
            raise ValueError(f"the model has {width} outputs: regression takes 1")
        if self.task == "classification" and not (y.min() >= 0 and y.max() < width):
            raise ValueError(
                f"labels run from {y.min()} to {y.max()}, the model has {width} outputs: "
                "number the classes from 0"
            )
        wanted = max((m.teacher for m in members if m.teacher is not None), default=None)
        if wanted is None:
            self.teacher = None
            return self
        shape = [x.shape[1]] + [width] * (self.task == "classification")
        if teacher is None or list(teacher.shape[1:]) != shape or len(teacher) <= wanted:
            found = None if teacher is None else list(teacher.shape)
            raise ValueError(f"teacher is {found}: expected {[wanted + 1, *shape]} or more of them")
        if not teacher.isfinite().all():
            raise ValueError("the teacher's predictions are not all finite: look at its training")
        return self

    def gather(self, rows, data, teacher, alike=False):
        """Return the rows [e, b] of every member's dataset and teacher: x, teacher or None, y.

        Members `alike` in rows and dataset share one copy of x, repeated as a view.
        """
        soft = None if self.teacher is None else _rows(self.teacher, teacher, rows)
        some = slice(0, 1) if alike else slice(None)
        x = _rows(self.x, data[some], rows[some])
        return x.expand(len(rows), *x.shape[1:]), soft, _rows(self.y, data, rows)


def _rows(table, which, rows):
    flat = (rows + which[:, None] * table.shape[1]).flatten()
    return table.flatten(0, 1).index_select(0, flat).view(*rows.shape, *table.shape[2:])


def _numbers(y, task):
    """Return labels that a tensor can hold without loss, or raise `ValueError`."""
    y = y if isinstance(y, torch.Tensor) else torch.as_tensor(_array(y))
    if task == "classification" and y.is_floating_point() and (y != y.round()).any():
        raise ValueError("labels are not whole numbers: number the classes, or task='regression'")
    return y


def _array(y):
    y = np.asarray(y)
    if y.dtype.kind not in "biuf":
        raise ValueError(f"labels are {y.dtype}: number the classes from 0")
    return y


class _Order:
    """Row numbers of one seed: its held-out rows, and a new order of the others every epoch."""

    def __init__(self, seed, n, share):
        self._generator = torch.Generator().manual_seed(stream(seed, 1))
        n_held = 0 if share is None else max(1, round(share * n))
        if n_held >= n:
            raise ValueError(f"validation {share:g} of {n} rows leaves none to train on")
        shuffled = torch.randperm(n, generator=self._generator)
        self.held, self._rows = shuffled[:n_held], shuffled[n_held:]

    def epoch(self):
        return self._rows[torch.randperm(len(self._rows), generator=self._generator)]


def fit(stack, model, members, tables, share, held_out, settings):
    """Train the members together.

    Parameters
    ----------
    stack : ensemble.Stack
    model : callable () -> torch.nn.Module
    members : sequence of distill.Member
    tables : Tables
    share : float or None
        Share of the rows each member holds out.
    held_out : Tables or None
        Rows for validation, the same for all members of one dataset.
    settings : Settings

    Returns
    -------
    weights : dict of str to Tensor [e, ...]
    history : dict of str to ndarray
        See `ensemble.Ensemble`.
    """
    run = _Fit(stack, model, members, tables, share, held_out, settings)
    for epoch in range(settings.epochs):
        run.train(epoch)
        if run.validates:
            run.validate(epoch)
        if not len(run.alive):
            break
    return run.result()


class _Fit:
    """State of a training run; arrays over `alive`, the members that have not stopped."""

    def __init__(self, stack, model, members, tables, share, held_out, settings):
        self.stack, self.settings, self.tables = stack, settings, tables
        self.members, self.device = members, stack.device
        self.alike = len({(m.seed, m.data) for m in members}) == 1
        orders = {m.seed: _Order(m.seed, len(tables), share) for m in members}
        self.orders, self.validates = orders, share is not None or held_out is not None
        self.held_tables, self.held_rows = tables, None
        if share is not None:
            self.held_rows = torch.stack([orders[m.seed].held for m in members]).to(self.device)
        elif held_out is not None:
            self.held_tables = held_out
            self.held_rows = torch.arange(len(held_out), device=self.device)
            self.held_rows = self.held_rows.expand(len(members), -1)
        initial = {m.seed: initialise(model, m.seed) for m in members}
        self.weights = stacked_weights([initial[m.seed] for m in members], self.device)
        self.optimizer = settings.build(self.weights.values())
        self.best = {k: w.detach().clone() for k, w in self.weights.items()}
        self.lam = self._column([m.lam for m in members], torch.float32)
        self.temperature = self._column([m.temperature for m in members], torch.float32)
        self.data = self._column([m.data for m in members], torch.int64)
        self.teacher = self._column([m.teacher or 0 for m in members], torch.int64)
        self.alive = torch.arange(len(members), device=self.device)
        self.lowest = torch.full((len(members),), torch.inf, device=self.device)
        self.best_epoch = torch.zeros(len(members), dtype=torch.int64, device=self.device)
        blank = np.full((len(members), settings.epochs), np.nan)
        self.history = {"loss": blank} | ({"validation": blank.copy()} if self.validates else {})

    def _column(self, values, dtype):
        return torch.tensor(values, dtype=dtype, device=self.device)

    def _loss(self, tables, rows):
        x, teacher, y = tables.gather(rows, self.data, self.teacher, self.alike)
        outputs = self.stack(self.weights, x)
        return self.settings.objective(outputs, teacher, y, self.lam, self.temperature)

    def train(self, epoch):
        """Pass once over every living member's rows."""
        orders = {seed: order.epoch() for seed, order in self.orders.items()}
        living = self.alive.tolist()
        rows = torch.stack([orders[self.members[i].seed] for i in living]).to(self.device)
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.rate(epoch)
        total = torch.zeros(len(living), device=self.device)
        for batch in rows.split(self.settings.batch_size, dim=1):
            loss = self._loss(self.tables, batch)
            for weight in self.weights.values():
                weight.grad = None
            loss.sum().backward()  # members share no weight: each gets its own gradient
            self._clip()
            self.optimizer.step()
            total += loss.detach() * batch.shape[1]
        total = (total / rows.shape[1]).cpu().numpy()
        self.history["loss"][living, epoch] = total
        if not np.isfinite(total).all():
            first = self.members[living[int(np.flatnonzero(~np.isfinite(total))[0])]]
            raise FloatingPointError(f"training diverged in epoch {epoch + 1}, {first}: lower lr")

    def _clip(self):
        limit = self.settings.limit()
        if limit is None:
            return
        grads = [w.grad.flatten(1) for w in self.weights.values()]
        norm = sum(g.square().sum(1) for g in grads).sqrt()
        scale = (limit / (norm + 1e-12)).clamp(max=1)[:, None]
        for g in grads:
            g.mul_(scale)

    @torch.no_grad()
    def validate(self, epoch):
        """Keep the weights of members at their best; let go of those out of patience."""
        rows = self.held_rows[self.alive]
        parts = rows.split(EVAL_ROWS, dim=1)
        loss = sum(self._loss(self.held_tables, p) * p.shape[1] for p in parts) / rows.shape[1]
        self.history["validation"][self.alive.tolist(), epoch] = loss.cpu().numpy()
        better = loss < self.lowest[self.alive]
        where = self.alive[better]
        self.lowest[where] = loss[better]
        self.best_epoch[where] = epoch + 1
        for name, w in self.weights.items():
            self.best[name][where] = w[better]
        if self.settings.patience is not None:
            waited = epoch + 1 - self.best_epoch[self.alive]
            self._keep(waited < self.settings.patience)

    def _keep(self, stay):
        """Drop members that stopped from the computation, optimiser state included."""
        if stay.all():
            return
        for name in ("alive", "lam", "temperature", "data", "teacher"):
            setattr(self, name, getattr(self, name)[stay])
        state = [self.optimizer.state[w] for w in self.weights.values()]
        self.weights = {k: w.detach()[stay].requires_grad_() for k, w in self.weights.items()}
        self.optimizer = self.settings.build(self.weights.values())
        for w, old in zip(self.weights.values(), state):
            self.optimizer.state[w] = {k: v[stay] if v.ndim else v for k, v in old.items()}

    def result(self):
        """Return the kept weights and the history."""
        if not self.validates:
            self.best = {k: w.detach() for k, w in self.weights.items()}
            self.best_epoch.fill_(self.settings.epochs)
        return self.best, {**self.history, "epochs": self.best_epoch.cpu().numpy()}
