"""Networks of notebook 06: memorised and cross-fitted soft labels, students of several sizes."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from cchkd_utils import distill
from cchkd_utils.distill import networks
from cchkd_utils.gaussian import JointGaussian

OPTIONS = {"task": "regression", "lr": 0.003, "batch_size": 50}
FOLDS = 5


def draw(world: JointGaussian, n: int, seeds: Sequence[int], stream: int) -> list[NDArray]:
    """Draw x1, x2 and y of all repetitions, [seeds, n, ...]; streams of a seed are disjoint."""
    drawn = [world.sample(n, np.random.default_rng([seed, stream])) for seed in seeds]
    return [np.stack(parts).astype(np.float32) for parts in zip(*drawn)]


def network(d_in: int, *hidden: int) -> Callable[[], networks.MLP]:
    """Return a function that builds a multilayer perceptron with one output."""
    return lambda: networks.MLP(d_in, 1, hidden=hidden)


def teachers(build: Callable, x, y, seeds: Sequence[int], **options) -> distill.Ensemble:
    """Train one teacher per repetition on x [seeds, n, d], y [seeds, n]."""
    members = [distill.Member(seed, data=i) for i, seed in enumerate(seeds)]
    return distill.train_ensemble(build, x, y, members, **OPTIONS | options)


def cross_fitted(build: Callable, x, y, seeds: Sequence[int], **options) -> NDArray:
    """Predict each row by a teacher that has not seen it, [seeds, n]; five folds."""
    fold, out = np.arange(x.shape[1]) % FOLDS, np.empty_like(y)
    for k in range(FOLDS):
        part = teachers(build, x[:, fold != k], y[:, fold != k], seeds, **options)
        out[:, fold == k] = part.predict(x[:, fold == k])[..., 0]
    return out


def students(
    build: Callable, x, y, soft, lam: Sequence[float], seeds: Sequence[int], **options
) -> distill.Ensemble:
    """Train undistilled students, then one per teacher, weight and repetition, in this order.

    `soft` [teachers, seeds, n] holds the soft labels of x [seeds, n, d].
    """
    members = [distill.Member(seed, data=i) for i, seed in enumerate(seeds)]
    members += [
        distill.Member(seed, weight, data=i, teacher=teacher * len(seeds) + i)
        for teacher in range(len(soft))
        for weight in lam
        for i, seed in enumerate(seeds)
    ]
    soft = np.concatenate(soft)
    return distill.train_ensemble(build, x, y, members, teacher=soft, **OPTIONS | options)


def errors(ensemble: distill.Ensemble, x, y) -> NDArray:
    """Mean squared errors of `students`, [1 + teachers * weights, seeds]."""
    wrong = ensemble.predict(x)[..., 0] - y[[m.data for m in ensemble.members]]
    return (wrong**2).mean(axis=1).reshape(-1, len(y))
