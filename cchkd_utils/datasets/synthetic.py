"""Simulated data: paired draws from a joint Gaussian (or any model that can sample)."""

import numpy as np

from cchkd_utils.datasets.base import Multimodal


def load(model, n_train, n_test, seed=0):
    """Draw training and test rows of a teacher modality x1, a student modality x2 and a label y.

    The two splits come from separate streams of `seed`, so the test rows are the same whatever
    `n_train` is.

    Parameters
    ----------
    model : object with ``sample(n, rng) -> (x1 [n, p1], x2 [n, p2], y [n])``
        For example `cchkd_utils.gaussian.JointGaussian` (the model of Theorem 1 of the paper).
    n_train, n_test : int
        Rows of each split.
    seed : int
        Base of the two streams.

    Returns
    -------
    Multimodal
        Modalities ``x1``, ``x2``; splits ``train``, ``test``; kind ``simulated``.

    Raises
    ------
    ValueError
        When a split would be empty.
    """
    for name, n in (("n_train", n_train), ("n_test", n_test)):
        if n < 1:
            raise ValueError(f"{name} is {n}: draw at least one row")
    streams = np.random.SeedSequence(seed).spawn(2)
    draws = [model.sample(n, np.random.default_rng(s)) for n, s in zip((n_train, n_test), streams)]
    x1, x2, y = (np.concatenate(parts) for parts in zip(*draws))
    rows = np.arange(n_train + n_test)
    return Multimodal(
        modalities={"x1": x1, "x2": x2},
        labels=y,
        ids=rows,
        splits={"train": rows[:n_train], "test": rows[n_train:]},
        kind="simulated",
        provenance={"source": "simulated", "model": repr(model), "seed": seed},
    )
