"""Networks for sequences of unequal length: pooling, recurrent, attention.

Input is [n, steps, d + 1]; the last channel is 1 where a step was measured and 0 where it is
padding. As in `networks`, ``forward(x) -> [n, d_out]`` and ``features(x) -> [n, width]``, and every
network also takes the stacked weights of an ensemble with x [e, n, steps, d + 1]. What is measured
at padded steps changes nothing; a row without any measured step is answered like an average row.
"""

import math

import torch
from torch.nn.functional import layer_norm

from cchkd_utils.distill.networks import Dense, Network


def masked_mean(x, mask):
    """Mean over the measured steps, [..., steps, d] to [..., d]; zero where there is none."""
    return (x * mask).sum(-2) / mask.sum(-2).clamp(min=1)


class _Encoder(Network):
    """What the three share: the head, and splitting the mask off `channels`, its last one."""

    def __init__(self, channels, d_out, width):
        super().__init__()
        if channels < 2:
            raise ValueError(f"channels is {channels}: at least one feature and the mask")
        self.head = Dense(width, d_out)

    @staticmethod
    def _split(x):
        mask = x[..., -1:]
        return x[..., :-1] * mask, mask

    @staticmethod
    def _each(layer, x):
        """Apply a layer to every step, [..., n, steps, d]."""
        return layer(x.flatten(-3, -2)).unflatten(-2, x.shape[-3:-1])


class Pooling(_Encoder):
    """Mean over the measured steps, then a perceptron with two hidden layers of `width` units."""

    def __init__(self, channels, d_out, width=32):
        super().__init__(channels, d_out, width)
        self.first, self.second = Dense(channels - 1, width), Dense(width, width)

    def features(self, x):
        """Return the last hidden layer, [n, width]."""
        return self.second(self.first(masked_mean(*self._split(x))).relu()).relu()


class GRU(_Encoder):
    """Gated recurrent unit (Cho et al., 2014); padded steps leave its state [width] as it is."""

    def __init__(self, channels, d_out, width=32):
        super().__init__(channels, d_out, width)
        self.input, self.gates = Dense(channels - 1, 3 * width), Dense(width, 2 * width)
        self.candidate = Dense(width, width)

    def features(self, x):
        """Return the state after the last measured step, [n, width]."""
        x, mask = self._split(x)
        given = self._each(self.input, x)
        state = torch.zeros_like(given[..., 0, : given.shape[-1] // 3])
        for step in range(x.shape[-2]):
            update, reset, new = given[..., step, :].chunk(3, -1)
            more_update, more_reset = self.gates(state).chunk(2, -1)
            update, reset = (update + more_update).sigmoid(), (reset + more_reset).sigmoid()
            new = (new + reset * self.candidate(state)).tanh()
            changed = update * state + (1 - update) * new
            state = torch.where(mask[..., step, :] > 0, changed, state)
        return state


class Transformer(_Encoder):
    """One block of self-attention and a perceptron, then the mean over the measured steps.

    Layer normalisation has no weights of its own, and there is no dropout (see `distill`).
    """

    def __init__(self, channels, d_out, width=32, heads=4):
        super().__init__(channels, d_out, width)
        if width % heads:
            raise ValueError(f"width is {width}: give a multiple of the {heads} heads")
        self.heads = heads
        self.input, self.attend = Dense(channels - 1, width), Dense(width, 3 * width)
        self.joined, self.wide = Dense(width, width), Dense(width, 2 * width)
        self.narrow = Dense(2 * width, width)

    def features(self, x):
        """Return the mean of the block's output over the measured steps, [n, width]."""
        x, mask = self._split(x)
        x = self._each(self.input, x)
        x = x + positions(x.shape[-2], x.shape[-1], x)
        x = x + self._each(self.joined, self._attention(_norm(x), mask))
        x = x + self._each(self.narrow, self._each(self.wide, _norm(x)).relu())
        return masked_mean(_norm(x), mask)

    def _attention(self, x, mask):
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(-3, -2)
            for part in self._each(self.attend, x).chunk(3, -1)
        )  # [..., n, heads, steps, width / heads]
        score = query @ key.mT / math.sqrt(query.shape[-1])
        hidden = mask.mT[..., None, :, :] == 0  # keys that are padding; finite, for empty rows
        weight = score.masked_fill(hidden, -1e9).softmax(-1)
        return (weight @ value).transpose(-3, -2).flatten(-2)


ENCODERS = {"pool": Pooling, "gru": GRU, "transformer": Transformer}


def _norm(x):
    return layer_norm(x, x.shape[-1:])


def positions(steps, width, like):
    """Sine and cosine of the step number (Vaswani et al., 2017), [steps, width]."""
    step = torch.arange(steps, dtype=like.dtype, device=like.device)[:, None]
    channel = torch.arange(width, device=like.device)
    angle = step / 10000 ** (2 * (channel // 2) / width)
    return torch.where(channel % 2 == 0, angle.sin(), angle.cos())
