"""The networks of the book: one architecture serves as teacher and as student.

Every network has ``forward(x) -> [n, d_out]`` and ``features(x) -> [n, h]``, the output of its
penultimate layer: the representation H of the paper.
"""

import math
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


class MLP(nn.Module):
    """Multilayer perceptron with ReLU; images are flattened.

    Parameters
    ----------
    d_in : int
        Inputs per row (for images: channels x height x width).
    d_out : int
        Outputs: classes, or 1 for regression.
    hidden : sequence of int
        Width of each hidden layer; the last one is the representation.
    """

    stacks = True  # works on stacked weights directly (see `Dense`)

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

    def forward(self, x):
        """Return the outputs, [n, d_out]."""
        return self.head(self.features(x))


class Linear(nn.Module):
    """The linear student of Theorem 1; its representation is its own output.

    (In the theorem H2 = w*·x2. The input itself would carry information no student has used.)

    Parameters
    ----------
    d_in, d_out : int
    """

    stacks = True

    def __init__(self, d_in, d_out):
        super().__init__()
        self.head = Dense(d_in, d_out)

    def features(self, x):
        """Return the outputs, [n, d_out]: the only layer there is."""
        return self(x)

    def forward(self, x):
        """Return the outputs, [n, d_out]."""
        return self.head(x.flatten(self.head.weight.ndim - 1))


class CNN(nn.Module):
    """Small convolutional network: 5 x 5 convolutions of stride 2 down to 4 x 4, one hidden layer.

    Strides instead of pooling keep it cheap on a CPU. Pixels in [0, 1] are shifted to [-1, 1] and
    the weights start as in He et al. (2015): SGD then learns from the first epoch on.

    Parameters
    ----------
    channels_in : int
        1 for grey, 3 for colour.
    size : int
        Height and width of the images: 16 or 32.
    d_out : int
        Classes.
    width : int
        Channels of the first convolution (the later ones have twice as many); the
        representation has ``4 * width`` features.

    Raises
    ------
    ValueError
        For another image size.
    """

    def __init__(self, channels_in, size, d_out, width=16):
        super().__init__()
        if size not in (16, 32):
            raise ValueError(f"size is {size}: CNN takes images of 16 or 32 pixels")
        depth = int(math.log2(size // 4))
        channels = (channels_in, width, *[2 * width] * (depth - 1))
        self.convolutions = nn.ModuleList(
            nn.Conv2d(a, b, kernel_size=5, stride=2, padding=2) for a, b in pairwise(channels)
        )
        self.hidden = nn.Linear(channels[-1] * 16, 4 * width)
        self.head = nn.Linear(4 * width, d_out)
        for layer in (*self.convolutions, self.hidden):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)

    def features(self, x):
        """Return the fully connected hidden layer, [n, 4 * width]."""
        x = 2 * x - 1
        for convolution in self.convolutions:
            x = convolution(x).relu()
        return self.hidden(x.flatten(1)).relu()

    def forward(self, x):
        """Return the logits, [n, d_out]."""
        return self.head(self.features(x))
