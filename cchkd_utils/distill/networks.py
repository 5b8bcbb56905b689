"""The networks of the book: one architecture serves as teacher and as student.

Every network has ``forward(x) -> [n, d_out]`` and ``features(x) -> [n, h]``, the output of its
penultimate layer: the representation H of the paper. With stacked weights of e networks it takes
x [e, n, ...] instead.

Those for sequences (`ENCODERS`) take [n, steps, d + 1]; the last channel is 1 where a step was
measured and 0 where it is padding. What stands at padded steps changes nothing; a row without any
measured step is answered like an average row.
"""

import math
from itertools import pairwise

import torch
from torch import nn


class Dense(nn.Module):
    """An affine layer for one ``weight`` [d_in, d_out], or those of e networks [e, d_in, d_out]."""

    def __init__(self, d_in, d_out):
        super().__init__()
        start = nn.Linear(d_in, d_out)  # torch's usual initial weights
        self.weight = nn.Parameter(start.weight.detach().T.contiguous())
        self.bias = nn.Parameter(start.bias.detach()[None])

    def forward(self, x):
        if self.weight.shape[-1] == 1:
            # A product with one column is slow as a matrix product (4 against 110 GFLOP/s).
            return (x * self.weight.mT).sum(-1, keepdim=True) + self.bias
        if self.weight.ndim == 2:
            return torch.addmm(self.bias, x, self.weight)
        return torch.baddbmm(self.bias, x, self.weight)


class Network(nn.Module):
    """An affine `head` on `features`, which each kind of network defines."""

    stacks = True  # works on stacked weights directly (see `Dense`)

    def forward(self, x):
        """Return the outputs, [n, d_out]."""
        return self.head(self.features(x))


class MLP(Network):
    """Multilayer perceptron with ReLU; images are flattened.

    `d_in` is the inputs per row (of images: channels x height x width), `d_out` the classes, or 1
    in regression. The last of the `hidden` layers is the representation.
    """

    def __init__(self, d_in, d_out, hidden=(64, 64)):
        super().__init__()
        if not hidden:
            raise ValueError("hidden is empty: give at least one width, or use Linear")
        widths = (d_in, *hidden)
        self.hidden = nn.ModuleList(Dense(a, b) for a, b in pairwise(widths))
        self.head = Dense(hidden[-1], d_out)

    def features(self, x):
        """Return the last hidden layer, [n, hidden[-1]]."""
        x = x.flatten(self.head.weight.ndim - 1)
        for layer in self.hidden:
            x = layer(x).relu_()
        return x


class Linear(Network):
    """The linear student of Theorem 1; its representation is its own output.

    (In the theorem H2 = w*·x2. The input itself would carry information no student has used.)
    """

    def __init__(self, d_in, d_out):
        super().__init__()
        self.head = Dense(d_in, d_out)

    def features(self, x):
        """Return the outputs, [n, d_out]: the only layer there is."""
        return self.head(x.flatten(self.head.weight.ndim - 1))

    forward = features


class CNN(Network):
    """Small convolutional network: two strided convolutions down to 4 x 4, one hidden layer.

    It takes images of 16 or 32 pixels (ValueError for others), grey (`channels_in` 1) or in colour
    (3); the second convolution has twice the `width` of the first. A convolution is a `Dense`
    layer on unfolded images, so that many networks are one matrix product. The weights start as in
    He et al. (2015) and want standardised images: units fed with a constant grey often die.
    """

    chunk = 16  # networks computed at a time on a CPU: their activations stay in its cache

    def __init__(self, channels_in, size, d_out, width=16):
        super().__init__()
        if size not in (16, 32):
            raise ValueError(f"size is {size}: CNN takes images of 16 or 32 pixels")
        self.stride = size // 8
        self.kernel = self.stride + 3
        self.first = Dense(channels_in * self.kernel**2, width)
        self.second = Dense(4 * width, 2 * width)
        self.hidden = Dense(4 * 4 * 2 * width, 4 * width)
        self.head = Dense(4 * width, d_out)
        for layer in (self.first, self.second, self.hidden):
            nn.init.kaiming_normal_(layer.weight.T, nonlinearity="relu")  # [d_out, d_in]
            nn.init.zeros_(layer.bias)

    def features(self, x):
        """Return the fully connected hidden layer, [n, 4 * width]."""
        lead = x.shape[:-3]
        if len(lead) == 2 and x.stride(0) == 0:  # all networks see the same images: unfold once
            cells = self._windows(x[0]).flatten(0, 1).expand(len(x), -1, -1)
        else:
            cells = self._windows(x.flatten(0, -4)).unflatten(0, lead).flatten(-3, -2)
        cells = self.first(cells).relu_()
        pairs = cells.view(*lead, 4, 2, 4, 2, -1).transpose(-4, -3)
        cells = self.second(pairs.reshape(*lead[:-1], -1, 4 * cells.shape[-1])).relu_()
        return self.hidden(cells.view(*lead, -1)).relu_()

    def _windows(self, x):
        """Return the windows of the first convolution, [n, 64, c * kernel^2]."""
        padded = nn.functional.pad(x, [2, 1, 2, 1])
        windows = padded.unfold(-2, self.kernel, self.stride).unfold(-2, self.kernel, self.stride)
        return windows.permute(0, 2, 3, 1, 4, 5).reshape(len(x), 64, -1)


def masked_mean(x, mask):
    """Mean over the measured steps, [..., steps, d] to [..., d]; zero where there is none."""
    return (x * mask).sum(-2) / mask.sum(-2).clamp(min=1)


class Encoder(Network):
    """A network for sequences; the last of its `channels` is the mask of measured steps."""

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


class Pooling(Encoder):
    """Mean over the measured steps, then a perceptron with two hidden layers of `width` units."""

    def __init__(self, channels, d_out, width=32):
        super().__init__(channels, d_out, width)
        self.first, self.second = Dense(channels - 1, width), Dense(width, width)

    def features(self, x):
        return self.second(self.first(masked_mean(*self._split(x))).relu()).relu()


class GRU(Encoder):
    """Gated recurrent unit (Cho et al., 2014); padded steps leave its state [width] as it is."""

    def __init__(self, channels, d_out, width=32):
        super().__init__(channels, d_out, width)
        self.input, self.gates = Dense(channels - 1, 3 * width), Dense(width, 2 * width)
        self.candidate = Dense(width, width)

    def features(self, x):
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


def positions(steps, width, like):
    """Sine and cosine of the step number (Vaswani et al., 2017), [steps, width]."""
    step = torch.arange(steps, dtype=like.dtype, device=like.device)[:, None]
    channel = torch.arange(width, device=like.device)
    angle = step / 10000 ** (2 * (channel // 2) / width)
    return torch.where(channel % 2 == 0, angle.sin(), angle.cos())


class Transformer(Encoder):
    """A block of self-attention and a perceptron, no dropout, then the mean over measured steps."""

    def __init__(self, channels, d_out, width=32, heads=4):
        super().__init__(channels, d_out, width)
        if width % heads:
            raise ValueError(f"width is {width}: give a multiple of the {heads} heads")
        self.heads = heads
        self.input, self.attend = Dense(channels - 1, width), Dense(width, 3 * width)
        self.joined, self.wide = Dense(width, width), Dense(width, 2 * width)
        self.narrow = Dense(2 * width, width)
        self.norm = nn.LayerNorm(width, elementwise_affine=False)

    def features(self, x):
        x, mask = self._split(x)
        x = self._each(self.input, x)
        x = x + positions(x.shape[-2], x.shape[-1], x)
        x = x + self._each(self.joined, self._attention(self.norm(x), mask))
        x = x + self._each(self.narrow, self._each(self.wide, self.norm(x)).relu())
        return masked_mean(self.norm(x), mask)

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
