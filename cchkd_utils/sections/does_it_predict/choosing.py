"""What a recommended λ and T gain beside fixed ones, on rows not used to choose."""

import numpy as np

from cchkd_utils import distill, results
from cchkd_utils.datasets import mnist_m, synthetic
from cchkd_utils.distill import networks
from cchkd_utils.distill.losses import teacher_share
from cchkd_utils.distill.recommend import recommend
from cchkd_utils.gaussian import JointGaussian, q_for_gap

DEFAULT = (0.5, 2.0)  # λ and T in the middle of the paper's grids
GRID = {"lam": (0.2, 0.5, 0.8), "temperature": (1.0, 2.0, 4.0)}


def gaussian(gap: float, seed: int) -> list[dict]:
    """Choose in the world of notebook 01 at one gap; the teacher is E[y | x1] itself."""
    q = q_for_gap(gap, 0.6)
    world = JointGaussian.from_correlations(0.6, q, 0.8, 50, "calibrated", rotate=seed)
    data = synthetic.load(world, 300, 2000, seed=seed)
    (train, y), (test, y_test) = data.take("train"), data.take("test")
    case = {"dataset": "joint Gaussian", "condition": f"gap {gap:g}", "knob": gap}
    case |= {"kind": data.kind, "seed": seed}
    options = {"epochs": 40, "batch_size": 32, "lr": 1e-3}
    return _rows(case, train["x1"] @ world.w1, train["x2"], y, test["x2"], y_test, options)


def digits(blur: float, seed: int) -> list[dict]:
    """Choose for the embedded digits; teacher and student, both MLPs, have 500 images each."""
    data = mnist_m.load("embedded", seed=seed)
    (train, y), (test, y_test) = data.take("train"), data.take("test")
    options = {"optimizer": "sgd", "lr": 0.05, "schedule": "cosine", "epochs": 30}
    clean = mnist_m.blur(train["mnist"], blur)
    teacher = distill.train(_network(clean, 10), clean[:500], y[:500], seed=seed, **options)
    soft = teacher.predict(clean[500:])[0]
    case = {"dataset": "digits → digits-M", "condition": f"blur {blur:g}", "knob": blur}
    case |= {"kind": data.kind, "seed": seed}
    return _rows(case, soft, train["mnist_m"][500:], y[500:], test["mnist_m"], y_test, options)


def _network(x, n_outputs):
    """Return a function that builds a multilayer perceptron for inputs x [n, ...]."""
    return lambda: networks.MLP(int(np.prod(x.shape[1:])), n_outputs)


def _rows(case, soft, x, y, x_test, y_test, options):
    """Train the student undistilled, with λ and T as recommended and as by default.

    `soft` [n] or [n, k] holds the teacher's predictions or logits for the training rows, which
    alone recommend; the test rows judge. Returns rows of the results table, experiments
    ``recommended`` and ``default``; where not to distil is recommended, gain 0.
    """
    kind, n_outputs = ("classification", soft.shape[1]) if soft.ndim == 2 else ("regression", 1)
    seed = case["seed"]
    chosen = recommend(soft, x, y, seed=1000 + seed, **GRID, **options)
    plans = {"recommended": (chosen.lam, chosen.temperature), "default": DEFAULT}
    members = [distill.Member(seed)] + [
        distill.Member(seed, lam, temperature, teacher=0 if lam else None)
        for lam, temperature in plans.values()
    ]
    trained = distill.train_ensemble(
        _network(x, n_outputs), x[None], y[None], members, teacher=soft[None], task=kind, **options
    )
    outputs = trained.predict(x_test)
    if kind == "classification":
        metric, score = "accuracy", (outputs.argmax(-1) == y_test).mean(axis=1)
    else:
        metric, score = "mse", ((outputs[..., 0] - y_test) ** 2).mean(axis=1)
    return [
        results.result(
            **case, experiment=plan, teacher="x1", student="x2 mlp", n_train=len(y), lam=lam,
            weight=teacher_share(lam, kind), temperature=temperature, metric=metric,
            baseline=score[0], distilled=after,
        )
        for (plan, (lam, temperature)), after in zip(plans.items(), score[1:])
    ]  # fmt: skip
