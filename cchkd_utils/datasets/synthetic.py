"""Simulated data: paired draws from a joint Gaussian (or any model that can sample)."""

import numpy as np

from cchkd_utils.datasets import Multimodal, train_and_test


def load(model, n_train, n_test, seed=0):
    """Draw training and test rows of a teacher modality x1, a student modality x2 and a label y.

    The two splits come from separate streams of `seed`, so the test rows are the same whatever
    `n_train` is. `model` is anything with ``sample(n, rng) -> (x1 [n, p1], x2 [n, p2], y [n])``,
    for example `cchkd_utils.gaussian.JointGaussian` (the model of Theorem 1 of the paper).
    """
    splits = train_and_test(n_train, n_test)
    streams = np.random.SeedSequence(seed).spawn(2)
    draws = [model.sample(n, np.random.default_rng(s)) for n, s in zip((n_train, n_test), streams)]
    x1, x2, y = (np.concatenate(parts) for parts in zip(*draws))
    provenance = {"source": "simulated", "model": repr(model), "seed": seed}
    return Multimodal({"x1": x1, "x2": x2}, y, np.arange(len(y)), splits, "simulated", provenance)
