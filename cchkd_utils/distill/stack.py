"""Many networks of one architecture as one computation on stacked weights."""

import copy

import numpy as np
import torch
from torch import nn
from torch.func import functional_call

EVAL_ROWS = 1024  # rows per member and forward pass outside training
_NORMALISED = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)


def chunk_size(device):
    """Return how many members are computed at a time: bounds memory."""
    return 64 if device.type == "cpu" else 512


def parts(module, members, size, device):
    """Split the members into sets that are computed together; return their positions.

    A network with a `chunk` of its own takes members of one seed and dataset only: these see the
    same batches, and what depends on the inputs alone is computed once.
    """
    if not hasattr(module, "chunk"):
        return list(torch.arange(len(members)).split(size))
    alike = {}
    for i, member in enumerate(members):
        alike.setdefault((member.seed, member.data), []).append(i)
    size = min(size, module.chunk) if device.type == "cpu" else size
    return [part for group in alike.values() for part in torch.tensor(group).split(size)]


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


class Stack:
    """The architecture of an ensemble, applied to stacked weights.

    Three ways to the same numbers, the fastest for the network at hand: layers that take stacked
    weights themselves (`models.Dense`); one member after the other, for convolutions on a CPU,
    where grouped convolutions are slower than single ones; ``torch.func.vmap`` for the rest.

    Parameters
    ----------
    module : torch.nn.Module
        One network; only its architecture is used.
    device : torch.device
    """

    def __init__(self, module, device):
        base = copy.deepcopy(module).to("meta").eval()
        self._methods = {name: _Method(base, name) for name in ("forward", "features")}
        self.module, self.device = base, device
        convolutional = any(isinstance(m, nn.modules.conv._ConvNd) for m in module.modules())
        if getattr(module, "stacks", False):
            self._apply = self._call
        elif convolutional and device.type == "cpu":
            self._apply = self._loop
        else:
            self._apply = torch.func.vmap(self._call, in_dims=(0, 0, None))

    def __call__(self, weights, x, method="forward"):
        """Apply every network to its own rows.

        Parameters
        ----------
        weights : dict of str to Tensor [e, ...]
        x : Tensor [e, n, ...]
        method : {"forward", "features"}

        Returns
        -------
        Tensor [e, n, d]
        """
        return self._apply(weights, x, method)

    def _call(self, weights, x, method):
        return functional_call(self._methods[method], _prefixed(weights), (x,))

    def _loop(self, weights, x, method):
        # unbind, not indexing: its backward writes each gradient once
        each = zip(*(w.unbind() for w in weights.values()))
        return torch.stack(
            [self._call(dict(zip(weights, own)), rows, method) for own, rows in zip(each, x)]
        )


def take(table, which):
    """Return ``table[which]``; a view that repeats one entry when `which` names only that."""
    first = int(which[0])
    if (which == first).all():
        return table[first].expand(len(which), *table.shape[1:])
    return table[which.to(table.device)]


class _Method(nn.Module):
    """Gives functional_call a method other than forward."""

    def __init__(self, module, method):
        super().__init__()
        self.module = module
        self.forward = getattr(module, method)


def _prefixed(weights):
    return {f"module.{name}": w for name, w in weights.items()}


def stacked_weights(modules, device):
    """Return the parameters of equal networks as one dict of tensors [e, ...]."""
    states = [dict(m.named_parameters()) for m in modules]
    return {
        name: torch.stack([s[name].detach() for s in states]).to(device).requires_grad_()
        for name in states[0]
    }


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
        """Return the outputs of every member.

        Parameters
        ----------
        x : array [n, ...] or [d, n, ...]
            Rows shared by all members, or one set per dataset, picked by ``member.data``.

        Returns
        -------
        ndarray float32 [e, n, d_out]
            Logits, or predictions in regression.

        Raises
        ------
        ValueError
            When the rows have another shape than the training rows.
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
        device, out = self._stack.device, [None] * len(self)
        for part in parts(self._stack.module, self.members, chunk_size(device), device):
            weights = {k: w[part] for k, w in self._weights.items()}
            rows = [
                self._stack(weights, take(batch.to(device), which[part]), method).cpu()
                for batch in x.split(EVAL_ROWS, dim=1)
            ]
            for i, own in zip(part.tolist(), torch.cat(rows, 1)):
                out[i] = own
        return torch.stack(out).numpy()
