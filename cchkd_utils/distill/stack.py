"""Many networks of one architecture as one computation: stacked weights, rows picked for each."""

import copy
import warnings
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.func import functional_call

from cchkd_utils.distill import losses

EVAL_ROWS = 1024  # rows per member and forward pass outside training
AT_ONCE = {"cpu": 64, "gpu": 512}  # members computed together: bounds memory


def chunks(module, members, device):
    """Split the members into sets that are computed together; return their positions.

    A network with a `chunk` of its own takes members of one seed and dataset only: these see the
    same batches, and what depends on the inputs alone is computed once.
    """
    on_cpu = device.type == "cpu"
    size = AT_ONCE["cpu" if on_cpu else "gpu"]
    if not hasattr(module, "chunk"):
        return list(torch.arange(len(members)).split(size))
    alike = {}
    for i, member in enumerate(members):
        alike.setdefault((member.seed, member.data), []).append(i)
    size = min(size, module.chunk) if on_cpu else size
    return [chunk for group in alike.values() for chunk in torch.tensor(group).split(size)]


def in_order(values, positions):
    """Join what was computed by `chunks` to one tensor [e, ...] in the order of the members."""
    return torch.cat(values)[torch.cat(positions).argsort()]


class Stack(nn.Module):
    """The architecture of a module, for stacked weights.

    Networks of `distill.networks` take these themselves; ``torch.func.vmap`` serves any other but
    convolutions on a CPU, where grouped ones are slower than one network after the other.
    """

    def __init__(self, module, device):
        super().__init__()
        self.module, self.device = copy.deepcopy(module).to("meta").eval(), device
        convolves = any(isinstance(m, nn.modules.conv._ConvNd) for m in module.modules())
        self.one_by_one = convolves and device.type == "cpu"

    def forward(self, x, method):
        return getattr(self.module, method)(x)

    def compute(self, weights, x, method="forward"):
        """Apply every network to its own rows: weights by name and x [e, n, ...] to [e, n, d]."""
        weights = {f"module.{name}": weight for name, weight in weights.items()}
        call = partial(functional_call, self)
        if getattr(self.module, "stacks", False):
            return call(weights, (x, method))
        if self.one_by_one:
            each = zip(*(w.unbind() for w in weights.values()))  # a gradient is written once
            return torch.stack(
                [call(dict(zip(weights, own)), (rows, method)) for own, rows in zip(each, x)]
            )
        return torch.func.vmap(call, in_dims=(0, (0, None)))(weights, (x, method))


class Ensemble:
    """Trained networks of one architecture, one per member.

    Attributes
    ----------
    members : list of Member
    history : dict of str to ndarray
        ``loss`` [e, epochs]: training objective, nan after a member stopped;
        ``validation`` [e, epochs] likewise, if there was one; ``epochs`` [e]: the epoch (counted
        from 1) whose weights were kept.

    Examples
    --------
    >>> import numpy as np
    >>> from cchkd_utils.distill import train
    >>> from cchkd_utils.distill.networks import MLP
    >>> x = np.random.default_rng(0).normal(size=(50, 4)).astype("float32")
    >>> trained = train(lambda: MLP(4, 2, hidden=(8,)), x, x[:, 0] > 0, epochs=2)
    >>> trained.predict(x).shape, trained.represent(x).shape
    ((1, 50, 2), (1, 50, 8))
    """

    def __init__(self, stack, weights, members, history, sample_shape):
        self.members, self.history = list(members), history
        self._stack, self._weights, self._sample_shape = stack, weights, tuple(sample_shape)

    def __len__(self):
        return len(self.members)

    def predict(self, x):
        """Return the outputs of every member, [e, n, d_out]: logits, or predictions in regression.

        Rows x [n, ...] are shared by all members; of [d, n, ...] each takes those of its dataset.
        ValueError when they have another shape than the training rows.
        """
        return self._apply(x, "forward")

    def represent(self, x):
        """Return the penultimate layer H of every member, [e, n, h]; `x` as in `predict`."""
        return self._apply(x, "features")

    @torch.no_grad()
    def _apply(self, x, method):
        x = torch.as_tensor(x, dtype=torch.float32)
        lead = x.ndim - len(self._sample_shape)
        if lead not in (1, 2) or tuple(x.shape[lead:]) != self._sample_shape:
            shape = ", ".join(map(str, self._sample_shape))
            raise ValueError(
                f"x has shape {tuple(x.shape)}: expected [n, {shape}] or [d, n, {shape}]"
            )
        x = x[None] if lead == 1 else x
        which = torch.tensor([m.data if lead == 2 else 0 for m in self.members])
        if which.max() >= len(x):
            raise ValueError(f"x has {len(x)} datasets, a member asks for number {which.max()}")
        device, outputs = self._stack.device, []
        together = chunks(self._stack.module, self.members, device)
        for chunk in together:
            weights = {name: weight[chunk] for name, weight in self._weights.items()}
            batches = [
                self._stack.compute(weights, _take(batch.to(device), which[chunk]), method).cpu()
                for batch in x.split(EVAL_ROWS, dim=1)
            ]
            outputs.append(torch.cat(batches, 1))
        return in_order(outputs, together).numpy()


def _take(table, which):
    """Return ``table[which]``; a view that repeats one entry when `which` names only that."""
    first = int(which[0])
    if (which == first).all():
        return table[first].expand(len(which), *table.shape[1:])
    return table[which.to(table.device)]


class Rows:
    """Rows to train on: inputs [d, n, ...], labels [d, n], teacher predictions [t, n, ...] or None.

    ValueError when shapes, values, network and members do not fit together.
    """

    def __init__(self, x, y, teacher, task, module, members, device):
        classes = task == "classification"
        y = _labels(y, classes)
        self.x = x = torch.as_tensor(x, dtype=torch.float32, device=device)
        self.y = y = y.to(device, torch.int64 if classes else torch.float32)
        self.teacher = None
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
        if not classes and width != 1:
            raise ValueError(f"the model has {width} outputs: regression takes 1")
        if classes and not (y.min() >= 0 and y.max() < width):
            raise ValueError(
                f"labels run from {y.min()} to {y.max()}, the model has {width} outputs: "
                "number the classes from 0"
            )
        if classes and len(absent := sorted({*range(width)} - {*y.unique().tolist()})):
            few = "one class only" if width - len(absent) == 1 else f"no row of {len(absent)}"
            warnings.warn(
                f"y has {few} of the {width} classes (absent: {', '.join(map(str, absent[:5]))}"
                f"{', ...' if len(absent) > 5 else ''}): students cannot learn these from labels",
                UserWarning,
                stacklevel=3,
            )
        last = max((m.teacher for m in members if m.teacher is not None), default=None)
        if last is not None:
            shape = [last + 1, len(self), *[width] * classes]
            self.teacher = _predictions(teacher, shape, device)
            if classes:
                losses.warn_of_probabilities(self.teacher, "the teacher's logits")

    def __len__(self):
        return self.x.shape[1]

    def number_held(self, share):
        """Return how many rows a share for validation is."""
        if not 0 < share < 1:
            raise ValueError(f"validation is {share}: give a share between 0 and 1")
        number = max(1, round(share * len(self)))
        if number >= len(self):
            raise ValueError(f"validation {share:g} of {len(self)} rows leaves none to train on")
        return number

    def gather(self, numbers, data, teacher, alike):
        """Return rows [e, b] of every member's dataset and teacher: x, teacher or None, y.

        Members `alike` in rows and dataset share one copy of x, repeated as a view.
        """
        soft = None if self.teacher is None else _pick(self.teacher, teacher, numbers)
        different = slice(0, 1) if alike else slice(None)
        x = _pick(self.x, data[different], numbers[different])
        return x.expand(len(numbers), *x.shape[1:]), soft, _pick(self.y, data, numbers)


def _pick(table, which, numbers):
    flat = (numbers + which[:, None] * table.shape[1]).flatten()
    return table.flatten(0, 1).index_select(0, flat).view(*numbers.shape, *table.shape[2:])


def _labels(y, classes):
    """Return labels as a tensor that holds them without loss."""
    if not isinstance(y, torch.Tensor):
        y = np.asarray(y)
        if y.dtype.kind not in "biuf":
            raise ValueError(f"labels are {y.dtype}: number the classes from 0")
        y = torch.as_tensor(y)
    if classes and y.is_floating_point() and (y != y.round()).any():
        raise ValueError("labels are not whole numbers: number the classes, or is it regression?")
    return y


def _predictions(teacher, shape, device):
    """Return teacher predictions of `shape`, or those of more teachers, as a tensor."""
    if teacher is not None:
        teacher = torch.as_tensor(teacher, dtype=torch.float32, device=device)
        if len(shape) == 2 and teacher.ndim == 3 and teacher.shape[2] == 1:
            teacher = teacher[..., 0]
    if teacher is None or list(teacher.shape[1:]) != shape[1:] or len(teacher) < shape[0]:
        given = None if teacher is None else list(teacher.shape)
        single = len(shape) == 3 and given is not None and [*given, 1][2] == 1
        hint = "; of a sigmoid column z make two classes: np.stack([0 * z, z], -1)" * single
        raise ValueError(f"teacher is {given}: expected {shape} or more of them{hint}")
    if not teacher.isfinite().all():
        raise ValueError("the teacher's predictions are not all finite: look at its training")
    return teacher
