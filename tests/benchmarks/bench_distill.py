"""Throughput of `train_ensemble` beside plain loops, and as a share of the machine's matmul rate.

Run with ``pytest -o addopts="" -s tests/benchmarks/bench_distill.py``. The targets are for two
cores and count against a plain DataLoader loop; the leaner loop over slices is reported too.
"""

import time

import numpy as np
import pytest
import torch
from record import timed
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from cchkd_utils.datasets import mnist_m
from cchkd_utils.distill import Member, train_ensemble
from cchkd_utils.distill.networks import CNN, MLP
from cchkd_utils.sections.mnist_m import study

N, MEMBERS = 7000, 50
# Forward, weight gradients and input gradients (none for the first layer) of 100-64-64-1.
FLOP_PER_EPOCH = MEMBERS * 2 * N * (2 * 6400 + 3 * (64 * 64 + 64))


def times(function, repeats=3):
    """Return wall times."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        taken.append(time.perf_counter() - start)
    return np.array(taken)


def beside(name, n, what, together, alone):
    """Record times of an epoch, ours and the loop's for as many networks; return the ratio."""
    for repeat, pair in enumerate(zip(together, alone, strict=True)):
        timed("training", what, name, *pair, n=n, repeat=repeat)
    return np.median(alone / together)


def randn(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def epoch_of_ensemble(model, x, y, n_members, **options):
    members = [Member(seed) for seed in range(n_members)]

    def run(epochs):
        train_ensemble(model, x[None], y[None], members, epochs=epochs, device="cpu", **options)

    run(1)
    return times(lambda: run(8)) / 8


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
    loss, what = nn.functional.mse_loss, f"{MEMBERS} perceptrons, batches of {batch_size}"
    alone = MEMBERS * times(lambda: plain_epoch(network, loss, loader, adam))
    loop = beside("a DataLoader loop", N, what, together, alone)
    alone = MEMBERS * times(lambda: plain_epoch(network, loss, slices(), adam))
    slicing = beside("a loop over slices", N, what, together, alone)
    a, b = randn(1024, 1024), randn(1024, 1024)
    matmul = times(lambda: a @ b, 20).min()
    share = FLOP_PER_EPOCH / np.median(together) / (2 * 1024**3 / matmul)
    figures = {"DataLoader loop": loop, "slicing loop": slicing, "share of matmul rate": share}
    for name, value in figures.items():
        record_property(name, round(value, 2))
    print(f"\nbatch {batch_size}:", {name: round(value, 2) for name, value in figures.items()})
    if torch.get_num_threads() < 2:
        pytest.skip("the targets are for two cores")
    assert loop >= target
    assert share >= 0.4


def convolutions(size):
    """The layers of `networks.CNN` as one would write them with torch."""
    stride = size // 8
    layers = [
        nn.ZeroPad2d((2, 1, 2, 1)), nn.Conv2d(3, 16, stride + 3, stride), nn.ReLU(),
        nn.Conv2d(16, 32, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(512, 64), nn.ReLU(),
        nn.Linear(64, 10),
    ]  # fmt: skip
    return nn.Sequential(*layers)


def test_students_of_one_seed(record_property):
    """Thirty-two convolutional students that see the same batches, as in notebook 02."""
    n, members = 2000, 32
    x, y = randn(n, 3, 32, 32), torch.arange(n) % 10
    network = convolutions(32)
    sgd = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    loader = DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True)
    loss = nn.functional.cross_entropy
    students = [Member(0) for _ in range(members)]

    def epochs(count):
        train_ensemble(
            lambda: CNN(3, 32, 10), x[None], y[None], students, optimizer="sgd", epochs=count,
            batch_size=64, device="cpu",
        )  # fmt: skip

    def slices():
        return ((x[rows], y[rows]) for rows in torch.randperm(n).split(64))

    epochs(1)
    together, what = times(lambda: epochs(2)) / 2, f"{members} convolutional networks of one seed"
    alone = members * times(lambda: plain_epoch(network, loss, loader, sgd))
    loop = beside("a DataLoader loop", n, what, together, alone)
    alone = members * times(lambda: plain_epoch(network, loss, slices(), sgd))
    slicing = beside("a loop over slices", n, what, together, alone)
    for name, value in (("DataLoader loop", loop), ("slicing loop", slicing)):
        record_property(name, round(value, 2))
    print(f"\n{what}: DataLoader x{loop:.2f}, slicing x{slicing:.2f}")
    assert loop >= 1.5


def test_the_same_accuracy_as_a_plain_loop(record_property):
    """Eight seeds each way on the embedded digits; that the numbers agree is tested elsewhere."""
    sets = [mnist_m.load(seed=0)]
    (x, x_test), y = study.inputs(sets, "mnist_m"), study.labels(sets, "train")
    y_test = study.labels(sets, "test")[0]
    seeds = range(8)
    options = dict(optimizer="sgd", lr=0.05, epochs=10, batch_size=64, device="cpu")
    together = train_ensemble(lambda: CNN(3, 16, 10), x, y, [Member(s) for s in seeds], **options)
    ours = (together.predict(x_test).argmax(-1) == y_test).mean(1)
    rows, tests = TensorDataset(torch.tensor(x[0]), torch.tensor(y[0])), torch.tensor(x_test[0])
    theirs = []
    for seed in seeds:
        torch.manual_seed(seed)
        network = convolutions(16)
        for layer in network[:-1]:
            if hasattr(layer, "weight"):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)
        sgd = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
        loader = DataLoader(rows, batch_size=64, shuffle=True)
        for _ in range(10):
            for images, label in loader:
                sgd.zero_grad()
                nn.functional.cross_entropy(network(images), label).backward()
                nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                sgd.step()
        with torch.no_grad():
            theirs.append((network(tests).argmax(-1).numpy() == y_test).mean())
    difference, stderr = (
        ours.mean() - np.mean(theirs),
        np.hypot(ours.std(), np.std(theirs)) / 7**0.5,
    )
    record_property("accuracy", [round(float(v), 3) for v in (ours.mean(), np.mean(theirs))])
    print(f"\naccuracy {ours.mean():.3f} and {np.mean(theirs):.3f}, +- {stderr:.3f}")
    assert abs(difference) < 3 * stderr
