"""The networks of the book: one architecture serves as teacher and as student.

Every network has ``forward(x) -> [n, d_out]`` and ``features(x) -> [n, h]``, the output of its
penultimate layer: the representation H of the paper.
"""

from itertools import pairwise

import torch
from torch import nn


class Dense(nn.Module):
    """An affine layer that also takes the stacked weights of many networks at once.

    With ``weight`` [d_in, d_out] it maps [n, d_in] to [n, d_out]; with ``weight``
    [e, d_in, d_out] it maps [e, n, d_in] to [e, n, d_out], each network its own rows.
    """

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

    `hidden` has the width of each hidden layer; the last one is the representation. In regression
    `d_out` is 1.
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
        return self(x)

    def forward(self, x):
        """Return the outputs, [n, d_out]."""
        return self.head(x.flatten(self.head.weight.ndim - 1))


class CNN(Network):
    """Small convolutional network: two strided convolutions down to 4 x 4, one hidden layer.

    It takes images of 16 or 32 pixels, grey or in colour; the second convolution has twice the
    `width` of the first, the representation ``4 * width`` features. A convolution is a `Dense`
    layer on unfolded images, so that many networks are one matrix product. The first takes
    overlapping windows to an 8 x 8 grid, the second joins its cells two by two. Strides instead of
    pooling keep it cheap on a CPU. The weights start as in He et al. (2015) and want standardised
    images: with SGD, units fed with a constant grey often die.
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
