"""Training across folds, repeats and weights at once, against one network after the other.

Run with ``pytest -o addopts="" -s tests/benchmarks/bench_tcga.py``. Sizes of TCGA-BRCA.
"""

import time

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from cchkd_utils.datasets import tcga
from cchkd_utils.distill.losses import kd_loss
from cchkd_utils.distill.networks import MLP
from cchkd_utils.sections.tcga import study

LAM, EPOCHS = (0.2, 0.3, 0.5, 0.7, 0.8), 40
RECIPE = study.Recipe(epochs=EPOCHS, device="cpu")


def plain_loop(x, y, soft, lam, temperature, batch_size):
    """Train one student as in a textbook: DataLoader, loss, step."""
    network = MLP(x.shape[1], soft.shape[1], RECIPE.hidden)
    adam = torch.optim.AdamW(network.parameters(), lr=RECIPE.lr, weight_decay=RECIPE.weight_decay)
    loader = DataLoader(TensorDataset(x, y, soft), batch_size=batch_size, shuffle=True)
    for _ in range(EPOCHS):
        for rows, labels, logits in loader:
            loss = kd_loss(network(rows), logits, labels, lam, temperature)
            adam.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            adam.step()


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def test_folds_by_repeats_by_weights(record_property):
    """5 folds x 4 repeats x 5 weights = 100 students; the loop trains 10 and is scaled up."""
    cohort = tcga.load("BRCA", ["mrna", "cnv"], data="embedded")
    cv = study.repeated(cohort, RECIPE, range(4))
    soft = cv.soft("mrna", "in-sample")
    grid = [(lam, 2.0) for lam in LAM]
    together = min(seconds(lambda: cv.students(cv.x["cnv"], soft, grid)) for _ in range(3))
    x, y = torch.as_tensor(cv.rows(cv.x["cnv"])), torch.as_tensor(cohort.labels[cv.train])
    soft = torch.as_tensor(soft)

    def loop():
        for i in range(10):
            plain_loop(x[i], y[i], soft[i], LAM[i % 5], 2.0, len(x[i]))

    plain_loop(x[0], y[0], soft[0], 0.5, 2.0, len(x[0]))
    ratio = min(seconds(loop) for _ in range(3)) * 10 / together
    record_property("plain loop", round(ratio, 1))
    print(f"\n100 students: {together:.2f} s together, x{ratio:.1f} the speed of a plain loop")
    assert ratio >= 6
