"""Throughput of `train_ensemble` beside plain loops, and as a share of the machine's matmul rate.

Run with ``pytest -o addopts="" -s tests/benchmarks/bench_distill.py``. The targets are for two
cores and count against a plain DataLoader loop; the leaner loop over slices is reported too.
"""

import time

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from cchkd_utils.distill import Member, train_ensemble
from cchkd_utils.models import CNN, MLP

N, MEMBERS = 7000, 50
# Forward, weight gradients and input gradients (none for the first layer) of 100-64-64-1.
FLOP_PER_EPOCH = MEMBERS * 2 * N * (2 * 6400 + 3 * (64 * 64 + 64))


def fastest(function, repeats=3):
    """Return the shortest of several wall times: the one least disturbed."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def randn(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def epoch_of_ensemble(model, x, y, n_members, **options):
    members = [Member(seed) for seed in range(n_members)]

    def run(epochs):
        train_ensemble(model, x[None], y[None], members, epochs=epochs, device="cpu", **options)

    run(1)
    return fastest(lambda: run(8)) / 8


def plain_epoch(network, loss, batches, optimizer):
    for x, y in batches:
        value = loss(network(x), y)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()


@pytest.mark.parametrize(("batch_size", "target"), [(256, 6), (64, 12)])
def test_fifty_mlps(batch_size, target, record_property):
    x, y = randn(N, 100), randn(N)
    layers = (nn.Linear(100, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    network = nn.Sequential(*layers, nn.Flatten(0))
    adam = torch.optim.Adam(network.parameters(), lr=1e-3)
    loader = DataLoader(TensorDataset(x, y), batch_size=batch_size, shuffle=True)

    def slices():
        return ((x[rows], y[rows]) for rows in torch.randperm(N).split(batch_size))

    together = epoch_of_ensemble(
        lambda: MLP(100, 1), x, y, MEMBERS, task="regression", batch_size=batch_size
    )
    loss = nn.functional.mse_loss
    loop = fastest(lambda: plain_epoch(network, loss, loader, adam)) * MEMBERS / together
    slicing = fastest(lambda: plain_epoch(network, loss, slices(), adam)) * MEMBERS / together
    a, b = randn(1024, 1024), randn(1024, 1024)
    share = FLOP_PER_EPOCH / together / (2 * 1024**3 / fastest(lambda: a @ b, 20))
    figures = {"DataLoader loop": loop, "slicing loop": slicing, "share of matmul rate": share}
    for name, value in figures.items():
        record_property(name, round(value, 2))
    print(f"\nbatch {batch_size}:", {name: round(value, 2) for name, value in figures.items()})
    if torch.get_num_threads() < 2:
        pytest.skip("the targets are for two cores")
    assert loop >= target
    assert share >= 0.4


def test_ten_cnns(record_property):
    """On a CPU the members of a convolutional ensemble run in turn: no slower than a loop."""
    x, y = randn(1000, 3, 16, 16), torch.arange(1000) % 10
    network = CNN(3, 16, 10)
    sgd = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    loader = DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True)
    loss = nn.functional.cross_entropy
    together = epoch_of_ensemble(lambda: CNN(3, 16, 10), x, y, 10, optimizer="sgd")

    def slices():
        return ((x[rows], y[rows]) for rows in torch.randperm(1000).split(64))

    loop = 10 * fastest(lambda: plain_epoch(network, loss, loader, sgd)) / together
    slicing = 10 * fastest(lambda: plain_epoch(network, loss, slices(), sgd)) / together
    record_property("DataLoader loop", round(loop, 2))
    print(f"\n10 CNNs: {1e3 * together:.0f} ms, DataLoader x{loop:.2f}, slicing x{slicing:.2f}")
    assert loop >= 0.9
