"""Train students, one or many at once: one step of all of them is one batched computation."""

import numpy as np
import torch
from torch import nn
from torch.func import stack_module_state

from cchkd_utils.distill.losses import classification_loss, regression_loss
from cchkd_utils.distill.options import OPTIMIZERS, Member, Options
from cchkd_utils.distill.stack import EVAL_ROWS, Ensemble, Rows, Stack, chunks, in_order

NORMALISED = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)
CLIP = 1.0  # largest gradient norm of a classifier: without, lam=.8 at T=4 diverges early on


def train(model, x, y, *, seed=0, lam=0.0, temperature=1.0, teacher=None, **options):
    """Train one network: the one-member case of `train_ensemble`, whose `options` it takes.

    Arrays have no leading axes: x [n, ...], y [n], teacher [n] or [n, k]. Returned is an `Ensemble`
    with one member.

    Examples
    --------
    >>> import numpy as np
    >>> from cchkd_utils.distill.networks import MLP
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(200, 4)).astype("float32")
    >>> y = (x[:, 0] > 0).astype(int)
    >>> teacher = 3 * np.stack([-x[:, 0], x[:, 0]], 1)
    >>> student = train(lambda: MLP(4, 2), x, y, lam=0.5, temperature=2.0, teacher=teacher)
    >>> bool((student.predict(x)[0].argmax(1) == y).mean() > 0.9)
    True
    """
    member = Member(seed, lam, temperature, teacher=None if teacher is None else 0)
    teacher = None if teacher is None else np.asarray(teacher)[None]
    x, y = np.asarray(x)[None], np.asarray(y)[None]
    return train_ensemble(model, x, y, [member], teacher=teacher, **options)


def train_ensemble(
    model, x, y, members, *, teacher=None, validation=None, device="auto", **options
):
    """Train an `Ensemble`: many students of one architecture at once, each as if it were alone.

    ValueError for inconsistent shapes, indices or options; FloatingPointError when a member's loss
    is no longer finite.

    Parameters
    ----------
    model : callable () -> torch.nn.Module
        Builds one network, e.g. ``lambda: MLP(100, 1)``. No dropout, no batch normalisation.
    x, y : array [d, n, ...] and [d, n]
        One or more datasets of n rows each; y integer classes, or real targets.
    teacher : array [t, n] or [t, n, k], optional
        Predictions (regression) or logits of each teacher, row i for row i of x.
    validation : float, optional
        A share of the rows to hold out, chosen by the member's seed. Each member keeps the weights
        of the epoch with the lowest objective on them.
    device : str
        ``auto`` takes the GPU if there is one.
    **options
        Of `Options`.

    Examples
    --------
    >>> import numpy as np
    >>> from cchkd_utils.distill import Member
    >>> from cchkd_utils.distill.networks import MLP
    >>> x, labels = np.random.default_rng(0).normal(size=(1, 90, 4)), np.arange(90)[None] % 2
    >>> members = [Member(0), Member(0, lam=0.5, teacher=0)]  # from equal weights
    >>> students = train_ensemble(lambda: MLP(4, 2), x, labels, members, teacher=x[..., :2])
    >>> students.predict(x[0]).shape  # undistilled and distilled
    (2, 90, 2)
    """
    options = Options(**options)
    if not members:
        raise ValueError("no members: give at least one Member to train")
    if options.task == "classification" and any(m.lam > 1 for m in members):
        raise ValueError("lam is above 1: in classification it is a share, at most 1")
    device = _device(device)
    module = initialise(model, members[0].seed)
    rows = Rows(x, y, teacher, options.task, module, members, device)
    if options.patience is not None and validation is None:
        raise ValueError("patience needs validation: give a share of rows to hold out")
    if not isinstance(validation, int | float | None):
        raise ValueError("validation is no number: give a share of rows to hold out, below 1")
    n_held = 0 if validation is None else rows.number_held(float(validation))
    stack, together = Stack(module, device), chunks(module, members, device)
    trained = [
        _Run(stack, model, [members[i] for i in chunk], rows, n_held, options).fit()
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
    device = torch.device(name if name != "auto" else "cuda" if gpu else "cpu")
    if device.type == "cuda" and not gpu:
        raise ValueError("torch sees no GPU on this machine: device 'auto' or 'cpu' works without")
    return device


def stream(seed, purpose):
    """Return a 63-bit seed for one purpose of a member; streams of one seed do not overlap."""
    state = np.random.SeedSequence([seed, purpose]).generate_state(1, np.uint64)[0]
    return int(state >> np.uint64(1))


def initialise(model, seed):
    """Build one network with the initial weights of `seed`; the global generator is untouched."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream(seed, 0))
        module = model()
    if any(isinstance(m, NORMALISED) for m in module.modules()):
        raise ValueError(
            "the model has dropout or batch normalisation, which would tie the "
            "members of an ensemble together: use GroupNorm or weight decay"
        )
    return module


def orders(seed, n, n_held):
    """Yield the held-out rows of a seed, then a new order of the others every epoch."""
    generator = torch.Generator().manual_seed(stream(seed, 1))
    held, rows = torch.randperm(n, generator=generator).tensor_split([n_held])
    yield held
    while True:
        yield rows[torch.randperm(len(rows), generator=generator)]


def stacked_weights(modules, device):
    """Return the parameters of equal networks by name, stacked [e, ...]."""
    weights, _ = stack_module_state(modules)
    return {name: w.detach().to(device).requires_grad_() for name, w in weights.items()}


class _Run:
    """Members trained together; what is stacked is over `alive`, those that have not stopped."""

    def __init__(self, stack, model, members, rows, n_held, options):
        self.stack, self.members, self.options = stack, members, options
        self.rows, self.device, self.validates = rows, stack.device, n_held > 0
        self.alike = len({(m.seed, m.data) for m in members}) == 1
        self.orders = {m.seed: orders(m.seed, len(rows), n_held) for m in members}
        held = {seed: next(order) for seed, order in self.orders.items()}
        self.held = torch.stack([held[m.seed] for m in members]).to(self.device)
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
        kind, decay = OPTIMIZERS[self.options.optimizer], self.options.weight_decay
        return kind(self.weights.values(), lr=self.options.lr, weight_decay=decay, fused=True)

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
            loss = self._loss(batch)
            self.optimizer.zero_grad()
            loss.sum().backward()  # members share no weight: each gets its own gradient
            if self.options.task == "classification":
                self._clip()
            self.optimizer.step()
            total += loss.detach() * batch.shape[1]
        total = (total / numbers.shape[1]).cpu()
        self.history["loss"][living, epoch] = total.double()
        if not total.isfinite().all():
            first = self.members[living[int(total.isfinite().int().argmin())]]
            raise FloatingPointError(f"training diverged in epoch {epoch + 1}, {first}: lower lr")

    def _loss(self, numbers):
        """Return the objective of every living member on rows [e, b]."""
        x, teacher, y = self.rows.gather(numbers, self.data, self.teacher, self.alike)
        outputs = self.stack.compute(self.weights, x)
        if self.options.task == "classification":
            return classification_loss(outputs, teacher, y, self.lam, self.temperature)
        return regression_loss(outputs.squeeze(-1), teacher, y, self.lam) / (1 + self.lam)

    def _clip(self):
        gradients = [w.grad.flatten(1) for w in self.weights.values()]
        norm = sum(g.square().sum(1) for g in gradients).sqrt()
        scale = (CLIP / (norm + 1e-12)).clamp(max=1)[:, None]
        for gradient in gradients:
            gradient.mul_(scale)

    @torch.no_grad()
    def _validate(self, epoch):
        """Keep the weights of members at their best; let go of those out of patience."""
        numbers = self.held[self.alive]
        batches = numbers.split(EVAL_ROWS, dim=1)
        total = sum(self._loss(batch) * batch.shape[1] for batch in batches)
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
