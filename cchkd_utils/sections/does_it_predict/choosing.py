"""What a recommended λ and T gain beside fixed ones, on rows not used to choose."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cchkd_utils import distill, results
from cchkd_utils.datasets import mnist_m, synthetic
from cchkd_utils.distill import networks
from cchkd_utils.distill.losses import teacher_share
from cchkd_utils.distill.recommend import recommend
from cchkd_utils.gaussian import JointGaussian, q_for_gap

DEFAULT = (0.5, 2.0)  # λ and T in the middle of the paper's grids
GRID = {"lam": (0.2, 0.5, 0.8), "temperature": (1.0, 2.0, 4.0)}


@dataclass(frozen=True)
class Task:
    """One student to train with a teacher's soft labels, and the rows that judge it.

    `case` holds columns of the results table, `soft` [n] or [n, k] the teacher's predictions or
    logits for the training rows x, y, and `options` those of `distill.train_ensemble`.
    """

    case: Mapping[str, object]
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
    case = {"dataset": "joint Gaussian", "condition": f"gap {gap:g}", "knob": gap}
    case |= {"kind": data.kind, "seed": seed}
    options = {"epochs": 40, "batch_size": 32, "lr": 1e-3}
    return Task(case, train["x1"] @ world.w1, train["x2"], y, test["x2"], y_test, options)


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
    case = {"dataset": "digits → digits-M", "condition": f"blur {blur:g}", "knob": blur}
    case |= {"kind": data.kind, "seed": seed}
    x, x_test = train["mnist_m"][students], test["mnist_m"]
    return Task(case, soft, x, y[students], x_test, y_test, options)


def rows(task: Task) -> Iterable[dict]:
    """Train the student undistilled, with λ and T as recommended and as by default.

    The training rows alone recommend, the test rows judge. Yields rows of the results table,
    experiments ``recommended`` and ``default``; where not to distil is recommended, gain 0.
    """
    kind = "classification" if task.soft.ndim == 2 else "regression"
    n_outputs = task.soft.shape[1] if kind == "classification" else 1
    seed = task.case["seed"]
    chosen = recommend(task.soft, task.x, task.y, seed=1000 + seed, **GRID, **task.options)
    plans = {"recommended": (chosen.lam, chosen.temperature), "default": DEFAULT}
    members = [distill.Member(seed)] + [
        distill.Member(seed, lam, temperature, teacher=0 if lam else None)
        for lam, temperature in plans.values()
    ]
    d_in = int(np.prod(task.x.shape[1:]))
    trained = distill.train_ensemble(
        lambda: networks.MLP(d_in, n_outputs), task.x[None], task.y[None], members,
        teacher=task.soft[None], task=kind, **task.options,
    )  # fmt: skip
    outputs = trained.predict(task.x_test)
    if kind == "classification":
        metric, score = "accuracy", (outputs.argmax(-1) == task.y_test).mean(axis=1)
    else:
        metric, score = "mse", ((outputs[..., 0] - task.y_test) ** 2).mean(axis=1)
    for (plan, (lam, temperature)), after in zip(plans.items(), score[1:]):
        yield results.result(
            **task.case, experiment=plan, teacher="x1", student="x2 mlp", n_train=len(task.y),
            lam=lam, weight=teacher_share(lam, kind), temperature=temperature, metric=metric,
            baseline=score[0], distilled=after,
        )  # fmt: skip
