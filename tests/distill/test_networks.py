"""Shapes of the networks, and stacked weights against one network at a time."""

import pytest
import torch
from torch import nn

from cchkd_utils.distill.networks import CNN, MLP, Dense, Linear
from cchkd_utils.distill.stack import Stack, stacked_weights

CPU = torch.device("cpu")
NETWORKS = {
    "mlp": (lambda: MLP(6, 3, hidden=(8, 5)), (6,), 5),
    "mlp on images": (lambda: MLP(32, 3), (2, 4, 4), 64),
    "linear": (lambda: Linear(6, 3), (6,), 3),
    "regression": (lambda: MLP(6, 1, hidden=(8,)), (6,), 8),
    "cnn 16": (lambda: CNN(1, 16, 3, width=4), (1, 16, 16), 16),
    "cnn 32": (lambda: CNN(3, 32, 3, width=4), (3, 32, 32), 16),
    "another": (lambda: Other(), (6,), 4),
}


class Other(nn.Module):
    """A network of the reader's own, of ordinary layers."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 4), nn.Tanh())
        self.head = nn.Linear(4, 3)

    def features(self, x):
        return self.body(x)

    def forward(self, x):
        return self.head(self.features(x))


def randn(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", NETWORKS)
def test_stacked_weights_give_what_each_network_gives(name):
    build, shape, h = NETWORKS[name]
    modules = [build() for _ in range(3)]
    x = randn(3, 7, *shape)
    stack, weights = Stack(modules[0], CPU), stacked_weights(modules, CPU)
    outputs, features = stack(weights, x), stack(weights, x, "features")
    assert outputs.shape == (3, 7, 1 if name == "regression" else 3)
    assert features.shape == (3, 7, h)
    for i, module in enumerate(modules):
        torch.testing.assert_close(outputs[i], module(x[i]))
        torch.testing.assert_close(features[i], module.features(x[i]))
    outputs.square().sum().backward()
    modules[1](x[1]).square().sum().backward()
    for key, parameter in modules[1].named_parameters():
        torch.testing.assert_close(weights[key].grad[1], parameter.grad)


@pytest.mark.parametrize("name", ["mlp", "cnn 16", "cnn 32"])
def test_the_head_is_affine_in_the_features(name):
    build, shape, _ = NETWORKS[name]
    network, x = build(), randn(5, *shape)
    torch.testing.assert_close(network(x), network.head(network.features(x)))


@pytest.mark.parametrize("d_out", [1, 2])
def test_dense_is_torchs_linear_layer(d_out):
    dense, linear = Dense(4, d_out), nn.Linear(4, d_out)
    linear.weight.data, linear.bias.data = dense.weight.data.T, dense.bias.data[0]
    x = randn(6, 4)
    torch.testing.assert_close(dense(x), linear(x))


@pytest.mark.parametrize(("channels", "size"), [(1, 16), (3, 32)])
def test_the_cnn_is_torchs_convolutions(channels, size):
    network, x = CNN(channels, size, 5, width=4), randn(7, channels, size, size)
    first = nn.Conv2d(channels, 4, network.kernel, network.stride)
    second = nn.Conv2d(4, 8, 2, 2)
    with torch.no_grad():
        first.weight.copy_(network.first.weight.T.view_as(first.weight))
        first.bias.copy_(network.first.bias[0])
        second.weight.copy_(network.second.weight.T.view(8, 2, 2, 4).permute(0, 3, 1, 2))
        second.bias.copy_(network.second.bias[0])
    grid = first(nn.functional.pad(x, [2, 1, 2, 1])).relu()
    assert grid.shape[-2:] == (8, 8)
    flat = second(grid).relu().permute(0, 2, 3, 1).flatten(1)
    torch.testing.assert_close(network.features(x), network.hidden(flat).relu())


def test_images_that_all_networks_share_give_the_same_numbers_and_gradients():
    modules = [CNN(3, 32, 3, width=4) for _ in range(3)]
    x = randn(7, 3, 32, 32)
    stack, outputs, gradients = Stack(modules[0], CPU), [], []
    for images in (x.expand(3, *x.shape), x.repeat(3, 1, 1, 1, 1)):
        weights = stacked_weights(modules, CPU)
        outputs.append(stack(weights, images))
        outputs[-1].square().sum().backward()
        gradients.append({name: w.grad for name, w in weights.items()})
    torch.testing.assert_close(*outputs)
    torch.testing.assert_close(*gradients)


def test_hidden_activity_of_a_fresh_cnn_neither_dies_nor_explodes():
    x = randn(50, 3, 32, 32)  # standardised, as networks want their images
    with torch.no_grad():
        scale = sum(CNN(3, 32, 3).features(x).square().mean().item() for _ in range(5)) / 5
    assert 0.1 < scale < 10


def test_bad_sizes_are_refused():
    with pytest.raises(ValueError, match="16 or 32"):
        CNN(1, 28, 10)
    with pytest.raises(ValueError, match="hidden is empty"):
        MLP(4, 1, hidden=())
