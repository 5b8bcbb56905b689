"""Notebook 05: what a recommended λ and T gain beside fixed ones, on rows not used to choose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cchkd_utils import distill, results
from cchkd_utils.datasets import mnist_m, synthetic
from cchkd_utils.distill import networks
from cchkd_utils.distill.recommend import Recommendation, recommend
from cchkd_utils.gaussian import JointGaussian, q_for_gap

DEFAULT = (0.5, 2.0)  # λ and T in the middle of the paper's grids
GRID = {"lam": (0.2, 0.5, 0.8), "temperature": (1.0, 2.0, 4.0)}


@dataclass(frozen=True)
class Task:
    """One student to train with a teacher's soft labels, and the rows that judge it.

    Attributes
    ----------
    name, condition, knob, kind, seed
        As in the results table.
    soft : array [n] or [n, k]
        The teacher's predictions or logits for the student's training rows.
    x, y, x_test, y_test : arrays
        Inputs and labels of the student.
    options : dict
        Of `distill.train_ensemble`.
    """

    name: str
    condition: str
    knob: float
    kind: str
    seed: int
    soft: NDArray
    x: NDArray
    y: NDArray
    x_test: NDArray
    y_test: NDArray
    options: Mapping[str, object]


def gaussian(gap: float, seed: int, n_train: int = 300, p: int = 50, n_test: int = 2000) -> Task:
    """Return the world of notebook 01 at one gap; the teacher is E[y | x1] itself."""
    world = JointGaussian.from_correlations(
        0.6, q_for_gap(gap, 0.6), 0.8, p, "calibrated", rotate=seed
    )
    data = synthetic.load(world, n_train, n_test, seed=seed)
    (train, y), (test, y_test) = data.take("train"), data.take("test")
    options = {"epochs": 40, "batch_size": 32, "lr": 1e-3}
    return Task(
        "joint Gaussian", f"gap {gap:g}", gap, data.kind, seed,
        train["x1"] @ world.w1, train["x2"], y, test["x2"], y_test, options,
    )  # fmt: skip


def digits(blur: float, seed: int) -> Task:
    """Return the embedded digits; the teacher learns from 500 images, the student from 500 others.

    Both are multilayer perceptrons.
    """
    data = mnist_m.load("embedded", seed=seed)
    (train, y), (test, y_test) = data.take("train"), data.take("test")
    own, students = slice(0, 500), slice(500, None)
    options = {"optimizer": "sgd", "lr": 0.05, "schedule": "cosine", "epochs": 30}
    clean = mnist_m.blur(train["mnist"], blur)
    d_in = int(np.prod(clean.shape[1:]))
    teacher = distill.train(
        lambda: networks.MLP(d_in, 10), clean[own], y[own], seed=seed, **options
    )
    soft = teacher.predict(clean[students])[0]
    return Task(
        "digits → digits-M", f"blur {blur:g}", blur, data.kind, seed,
        soft, train["mnist_m"][students], y[students], test["mnist_m"], y_test, options,
    )  # fmt: skip


def choose(task: Task) -> Recommendation:
    """Recommend λ and T from the training rows alone."""
    return recommend(task.soft, task.x, task.y, seed=1000 + task.seed, **GRID, **task.options)


def rows(task: Task, chosen: Recommendation) -> Iterable[dict]:
    """Train the student undistilled, with λ and T as chosen and as by default; judge on test rows.

    Yields rows of the results table, experiments ``recommended`` and ``default``. Where the
    recommendation is not to distil, its gain is 0.
    """
    classes = task.soft.ndim == 2
    d_in = int(np.prod(task.x.shape[1:]))
    width = task.soft.shape[1] if classes else 1
    plans = {"recommended": (chosen.lam, chosen.temperature), "default": DEFAULT}
    members = [distill.Member(task.seed)] + [
        distill.Member(task.seed, lam, heat, teacher=0 if lam else None)
        for lam, heat in plans.values()
    ]
    trained = distill.train_ensemble(
        lambda: networks.MLP(d_in, width), task.x[None], task.y[None], members,
        teacher=task.soft[None], task="classification" if classes else "regression",
        **task.options,
    )  # fmt: skip
    outputs = trained.predict(task.x_test)
    if classes:
        metric, score = "accuracy", (outputs.argmax(-1) == task.y_test).mean(axis=1)
    else:
        metric, score = "mse", ((outputs[..., 0] - task.y_test) ** 2).mean(axis=1)
    for (plan, (lam, heat)), after in zip(plans.items(), score[1:]):
        yield results.result(
            experiment=plan, dataset=task.name, kind=task.kind, teacher="x1", student="x2 mlp",
            condition=task.condition, knob=task.knob, n_train=len(task.y), seed=task.seed, lam=lam,
            weight=lam if classes else lam / (1 + lam), temperature=heat, metric=metric,
            baseline=score[0], distilled=after,
        )  # fmt: skip
