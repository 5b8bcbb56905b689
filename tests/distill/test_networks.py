"""Shapes of the networks, stacked weights against one network at a time, padding of sequences."""

import numpy as np
import pytest
import torch
from torch import nn

from cchkd_utils import distill
from cchkd_utils.distill.networks import CNN, ENCODERS, GRU, MLP, Dense, Linear, Transformer
from cchkd_utils.distill.stack import Stack
from cchkd_utils.distill.training import stacked_weights

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
    outputs, features = stack.compute(weights, x), stack.compute(weights, x, "features")
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
        outputs.append(stack.compute(weights, images))
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


# --- sequences of unequal length ----------------------------------------------------------------

each = pytest.mark.parametrize("encoder", ENCODERS.values(), ids=list(ENCODERS))


def sequences(n=6, steps=7, d=4, seed=0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, steps + 1, n)
    mask = np.arange(steps) < lengths[:, None]
    x = rng.standard_normal((n, steps, d)) * mask[..., None]
    return torch.tensor(np.concatenate([x, mask[..., None]], -1), dtype=torch.float32)


@each
def test_what_stands_in_padding_changes_nothing(encoder):
    torch.manual_seed(0)
    network, x = encoder(5, 3, width=8), sequences()
    rubbish = x.clone()
    rubbish[..., :-1] += 100 * (1 - x[..., -1:])
    longer = torch.cat([x, torch.zeros(6, 4, 5)], 1)
    for method in (network.forward, network.features):
        assert torch.equal(method(rubbish), method(x))
        assert torch.allclose(method(longer), method(x), atol=1e-5)


@each
def test_shapes_and_a_row_without_steps(encoder):
    network, x = encoder(5, 3, width=8), sequences()
    x[2] = 0
    assert network(x).shape == (6, 3) and network.features(x).shape == (6, 8)
    assert network(x).isfinite().all()
    assert network(x[:, :1]).shape == (6, 3)  # utterance-level features: one step


@each
def test_every_measured_step_counts(encoder):
    torch.manual_seed(0)
    network, x = encoder(5, 2, width=8), sequences()
    x[..., -1] = 1
    x.requires_grad_()
    network(x).square().sum().backward()
    assert (x.grad[..., :-1].abs().sum(-1) > 0).all()


def test_order_matters_where_it_should():
    torch.manual_seed(0)
    x = sequences()
    x[..., -1] = 1
    turned = x.flip(1)
    same = {
        name: torch.allclose(network(x), network(turned), atol=1e-5)
        for name, network in ((n, e(5, 2, width=8)) for n, e in ENCODERS.items())
    }
    assert same == {"pool": True, "gru": False, "transformer": False}


def test_gru_agrees_with_torch():
    """The same recurrence as torch's, with its weights copied over."""
    torch.manual_seed(0)
    ours, x = GRU(5, 2, width=8), sequences()
    theirs = torch.nn.GRU(4, 8, batch_first=True)
    w, u = theirs.weight_ih_l0.detach(), theirs.weight_hh_l0.detach()  # rows: reset, update, new
    order = torch.cat([torch.arange(8, 16), torch.arange(8), torch.arange(16, 24)])
    with torch.no_grad():
        ours.input.weight.copy_(w[order].T)
        ours.input.bias.copy_(theirs.bias_ih_l0[order][None])
        ours.gates.weight.copy_(u[order][:16].T)
        ours.gates.bias.copy_(theirs.bias_hh_l0[order][None, :16])
        ours.candidate.weight.copy_(u[16:].T)
        ours.candidate.bias.copy_(theirs.bias_hh_l0[None, 16:])
        lengths = x[..., -1].sum(1).long()
        for row, length in zip(x, lengths):
            last = theirs(row[None, :length, :-1])[1][0]
            assert torch.allclose(ours.features(row[None]), last, atol=1e-5)


def test_attention_agrees_with_torch():
    torch.manual_seed(0)
    ours, x = Transformer(5, 2, width=8, heads=2), sequences()
    mask, h = x[..., -1:], torch.randn(6, 7, 8)
    q, k, v = (
        part.unflatten(-1, (2, 4)).transpose(1, 2)
        for part in (ours._each(ours.attend, h)).chunk(3, -1)
    )
    keys = (mask.mT > 0)[:, None].expand(6, 1, 7, 7)
    slow = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=keys)
    assert torch.allclose(ours._attention(h, mask), slow.transpose(1, 2).flatten(-2), atol=1e-5)


@each
def test_many_at_once_are_as_one_by_one(encoder):
    x, y = sequences(40).numpy(), np.random.default_rng(1).integers(0, 2, 40)
    options = {"epochs": 2, "batch_size": 16, "optimizer": "adamw", "device": "cpu"}
    members = [distill.Member(s) for s in (3, 4)]
    both = distill.train_ensemble(
        lambda: encoder(5, 2, width=8), x[None], y[None], members, **options
    )
    for i, member in enumerate(members):
        alone = distill.train(lambda: encoder(5, 2, width=8), x, y, seed=member.seed, **options)
        np.testing.assert_allclose(both.predict(x)[i], alone.predict(x)[0], atol=1e-4)
        np.testing.assert_allclose(both.represent(x)[i], alone.represent(x)[0], atol=1e-4)


@each
def test_it_learns(encoder):
    rng = np.random.default_rng(0)
    x = sequences(400, seed=1).numpy()
    y = (x[..., 0].sum(1) > 0).astype(int)
    x[..., :-1] += 0.1 * rng.standard_normal(x[..., :-1].shape) * x[..., -1:]
    fitted = distill.train(
        lambda: encoder(5, 2, width=16), x[:300], y[:300], epochs=30, lr=1e-2, optimizer="adamw"
    )
    assert (fitted.predict(x[300:])[0].argmax(1) == y[300:]).mean() > 0.8


def test_bad_sizes_of_encoders_are_named():
    with pytest.raises(ValueError, match="mask"):
        GRU(1, 2)
    with pytest.raises(ValueError, match="heads"):
        Transformer(5, 2, width=6)
