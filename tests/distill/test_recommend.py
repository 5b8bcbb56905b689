"""The choice of λ and T by held-out folds."""

import numpy as np
import pandas as pd
import pytest

from cchkd_utils.distill import networks
from cchkd_utils.distill.recommend import Recommendation, recommend
from cchkd_utils.gaussian import JointGaussian


def gaussian(q, n=150, p=60, seed=0):
    world = JointGaussian.from_correlations(0.6, q, 0.75, p, "calibrated")
    x1, x2, y = world.sample(n, np.random.default_rng(seed))
    return x1 @ world.w1, x2, y


def linear(p=60):
    return lambda: networks.Linear(p, 1)


OPTIONS = {"lam": [0.5, 2.0], "epochs": 60, "lr": 0.01, "batch_size": 32}


def test_a_good_teacher_is_used_and_a_useless_one_is_not():
    t, x2, y = gaussian(0.9)
    good = recommend(t, x2, y, model=linear(), **OPTIONS)
    assert good.lam > 0 and good.gain > 0 and good.ci[0] < good.gain < good.ci[1]
    assert good.metric == "mse" and len(good.table) == 2 and (good.table["score"] > 0).all()
    misleading = recommend(-5 * t, x2, y, model=linear(), **OPTIONS)
    assert misleading.lam == 0 and misleading.gain == 0
    assert (misleading.table["gain"] < 0).all()


def test_classification_has_a_temperature():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    centres = 2 * rng.standard_normal((3, 10))
    student = centres[labels] + 3 * rng.standard_normal((300, 10))
    teacher = 4.0 * np.eye(3)[labels] + rng.standard_normal((300, 3))
    options = {"lam": [0.5], "temperature": [1.0, 4.0], "epochs": 5, "folds": 3, "repeats": 2}
    choice = recommend(teacher, student, labels, **options)
    assert choice.table[["lam", "temperature"]].to_numpy().tolist() == [[0.5, 1.0], [0.5, 4.0]]
    assert choice.metric == "accuracy" and choice.table["score"].between(0.4, 1).all()


def test_same_seed_same_choice():
    t, x2, y = gaussian(0.5)
    a, b = (recommend(t, x2, y, model=linear(), seed=3, **OPTIONS) for _ in range(2))
    assert a.table.equals(b.table)


def test_one_weight_and_labels_as_floats_are_taken_as_meant():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 80)
    x = rng.standard_normal((80, 3)) + labels[:, None]
    options = {"temperature": 2.0, "epochs": 2, "folds": 2, "repeats": 1}
    choice = recommend(4 * np.eye(2)[labels], x, labels.astype(float), lam=0.5, **options)
    assert choice.table[["lam", "temperature"]].to_numpy().tolist() == [[0.5, 2.0]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.zeros(9)}, "rows differ"),
        ({"folds": 1}, "folds is 1"),
        ({"lam": []}, "grid is empty"),
        ({"lam": [0.0, 0.5]}, "λ = 0"),
        ({"repeats": 0}, "repeats is 0"),
        ({"student": np.zeros(60)}, "student has one axis"),
        ({"teacher": np.zeros((60, 3))}, "labels are not whole numbers"),
    ],
)
def test_bad_input_gets_one_line(change, message):
    t, x2, y = (a[:60] for a in gaussian(0.5))
    arguments = {"teacher": t, "student": x2, "labels": y} | change
    with pytest.raises(ValueError, match=message) as caught:
        recommend(**arguments)
    assert "\n" not in str(caught.value)


def test_the_map_frames_what_is_recommended():
    table = pd.DataFrame({
        "lam": [0.2, 0.8], "temperature": [1.0, 1.0], "score": [0.8, 0.7], "gain": [0.03, -0.02],
        "gain_lo": [0.01, -0.04], "gain_hi": [0.05, 0.0],
    })  # fmt: skip
    chosen = Recommendation(0.2, 1.0, 0.03, (0.01, 0.05), "accuracy", table)
    assert len(chosen.plot().axes[0].patches) == 1 and "0.03" in chosen._repr_html_()
    refused = Recommendation(0.0, 1.0, 0.0, (0.0, 0.0), "accuracy", table)
    assert not refused.plot().axes[0].patches
