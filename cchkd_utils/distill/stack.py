"""Many networks of one architecture as one computation on stacked weights."""

import copy

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, stack_module_state

EVAL_ROWS = 1024  # rows per member and forward pass outside training
AT_ONCE = {"cpu": 64, "gpu": 512}  # members computed together: bounds memory
_NORMALISED = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)


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


def stream(seed, purpose):
    """Return a 63-bit seed for one purpose of a member; streams of one seed do not overlap."""
    state = np.random.SeedSequence([seed, purpose]).generate_state(1, np.uint64)[0]
    return int(state >> np.uint64(1))


def initialise(model, seed):
    """Build one network with the initial weights of `seed`; the global generator is untouched."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream(seed, 0))
        module = model()
    if any(isinstance(m, _NORMALISED) for m in module.modules()):
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


class _Methods(nn.Module):
    """Gives functional_call a method other than forward."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x, method):
        return getattr(self.module, method)(x)


class Stack:
    """The architecture of a module, applied to stacked weights.

    Three ways to the same numbers, the fastest for the network at hand: layers that take stacked
    weights themselves (`networks.Dense`); one member after the other, for convolutions on a CPU,
    where grouped convolutions are slower than single ones; ``torch.func.vmap`` for the rest.
    """

    def __init__(self, module, device):
        self.module, self.device = copy.deepcopy(module).to("meta").eval(), device
        self._methods = _Methods(self.module)
        convolutional = any(isinstance(m, nn.modules.conv._ConvNd) for m in module.modules())
        if getattr(module, "stacks", False):
            self._apply = self._call
        elif convolutional and device.type == "cpu":
            self._apply = self._loop
        else:
            self._apply = torch.func.vmap(self._call, in_dims=(0, 0, None))

    def __call__(self, weights, x, method="forward"):
        """Apply every network to its own rows: weights by name and x [e, n, ...] to [e, n, d]."""
        return self._apply(weights, x, method)

    def _call(self, weights, x, method):
        weights = {f"module.{name}": weight for name, weight in weights.items()}
        return functional_call(self._methods, weights, (x, method))

    def _loop(self, weights, x, method):
        # unbind, not indexing: its backward writes each gradient once
        each = zip(*(w.unbind() for w in weights.values()))
        return torch.stack(
            [self._call(dict(zip(weights, own)), rows, method) for own, rows in zip(each, x)]
        )


class Ensemble:
    """Trained networks of one architecture, one per member.

    Attributes
    ----------
    members : list of Member
    history : dict of str to ndarray
        ``loss`` [e, epochs]: training objective, nan after a member stopped;
        ``validation`` [e, epochs] likewise, if there was one; ``epochs`` [e]: the epoch (counted
        from 1) whose weights were kept.
    """

    def __init__(self, stack, weights, members, history, sample_shape):
        self.members = list(members)
        self.history = history
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
                self._stack(weights, _take(batch.to(device), which[chunk]), method).cpu()
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
