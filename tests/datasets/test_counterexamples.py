"""Data of the Modality Focusing Hypothesis, and the students trained on them."""

import numpy as np
import pytest
import torch

from cchkd_utils import results
from cchkd_utils.datasets import counterexamples
from cchkd_utils.sections.counterexamples import mfh as experiment
from cchkd_utils.sections.quantities import (
    class_information,
    crossing,
    crossing_interval,
    exact_verdict,
)


@pytest.mark.parametrize("overlap", [0, 4, 10])
def test_the_label_follows_the_features_and_both_see_ten(overlap):
    data = counterexamples.load(overlap, 300, 100, seed=1)
    x1, x2 = data.modalities["x1"], data.modalities["x2"]
    assert x1.shape == (400, 25) and x2.shape == (400, 50) and data.kind == "simulated"
    shared = [j for j in range(25) if (x1[:, j] == x2[:, j]).all()]
    assert len(shared) == overlap
    assert counterexamples.gamma(overlap) == pytest.approx(overlap / (20 - overlap))
    teacher, student = counterexamples.columns(overlap)
    assert set(shared) == set(range(20)[teacher]) & set(range(20)[student])
    rule = data.provenance["rule"]
    score = x2[:, student] @ rule[student]
    assert np.corrcoef(score, data.labels)[0, 1] > 0.3
    if overlap == 0:  # the two see all twenty between them: the label is known
        score = score + x1[:, teacher] @ rule[teacher]
        assert ((score > 0) == data.labels).all()


def test_rows_do_not_depend_on_the_overlap_and_bad_input_is_refused():
    few, many = counterexamples.load(2, 50, 20, seed=3), counterexamples.load(8, 50, 20, seed=3)
    assert (few.labels == many.labels).all()
    assert (few.modalities["x2"] == many.modalities["x2"]).all()
    assert not (few.labels == counterexamples.load(2, 50, 20, seed=4).labels).all()
    with pytest.raises(ValueError, match="overlap is 11"):
        counterexamples.load(11)
    with pytest.raises(ValueError, match="at least one row"):
        counterexamples.load(2, n_test=0)


def reference(x, y, soft, lam, start, steps):
    """The published recipe in torch: one softmax layer, CE + lam KL, full-batch SGD."""
    layer = torch.nn.Linear(x.shape[1], 2, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.zero_(), layer.bias.zero_()
        layer.weight[1] += torch.tensor(start[:-1])
        layer.bias[1] += float(start[-1])
    x, y = torch.tensor(x, dtype=torch.float64), torch.tensor(y)
    soft = torch.tensor(np.stack([1 - soft, soft], 1), dtype=torch.float64)
    step = torch.optim.SGD(layer.parameters(), lr=0.1)
    for _ in range(steps):
        out = layer(x)
        divergence = torch.nn.functional.kl_div(out.log_softmax(1), soft, reduction="batchmean")
        loss = torch.nn.functional.cross_entropy(out, y) + lam * divergence
        step.zero_grad()
        loss.backward()
        step.step()
    w = layer.weight[1] - layer.weight[0]
    return np.append(w.detach().numpy(), (layer.bias[1] - layer.bias[0]).item())


def test_batched_descent_is_the_published_recipe():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 40, 6)), rng.integers(0, 2, (2, 40))
    soft = rng.uniform(size=(2, 40))
    start = experiment.fit(x, y, [5, 6], steps=0)[..., 0]
    fitted = experiment.fit(x, y, [5, 6], teacher=soft, lam=[0.0, 0.7], steps=60)
    for i in range(2):
        for k, lam in enumerate([0.0, 0.7]):
            expected = reference(x[i], y[i], soft[i], lam, start[i], 60)
            np.testing.assert_allclose(fitted[i, :, k], expected, atol=2e-5)
    with pytest.raises(ValueError, match="and a teacher"):
        experiment.fit(x, y, [5, 6], lam=[0.5])


@pytest.mark.parametrize("rho", [0.0, 0.4, -0.9])
def test_label_information_agrees_with_counting(rho):
    rng = np.random.default_rng(1)
    s = rng.standard_normal(400_000)
    y = rho * s + np.sqrt(1 - rho**2) * rng.standard_normal(len(s)) > 0
    bins = np.digitize(s, np.linspace(-3, 3, 241))
    joint = np.histogram2d(bins, y, [np.arange(243) - 0.5, 2])[0] / len(s)
    independent = joint.sum(1, keepdims=True) * joint.sum(0)
    counted = (joint[joint > 0] * np.log(joint[joint > 0] / independent[joint > 0])).sum()
    assert class_information(rho) == pytest.approx(counted, abs=2e-3)
    with pytest.raises(ValueError, match="strictly between"):
        class_information(1.0)


def test_exact_information_agrees_with_an_estimator_and_with_markov():
    from cchkd_utils import mi

    options = {"n_train": 200, "n_test": 8000, "steps": 200}
    for pairing in ("index", "class"):
        tried = experiment.run(8, [0.5], [0], pairing=pairing, **options)
        t, s, y = tried.teacher[0], tried.student[0], tried.labels[0]
        between, label = tried.information[0]
        assert mi.estimate(t, s, "ksg").nats == pytest.approx(between, abs=0.03)
        assert mi.estimate(s, y, "ksg", discrete_y=True).nats == pytest.approx(label, abs=0.03)
    assert between < label  # by class: data processing
    # a teacher that is (nearly) the label tells about s what the label tells
    exact = experiment.class_paired_information(0.99999, 0.5, points=200)
    assert exact == pytest.approx(class_information(0.5), rel=0.02)
    assert experiment.class_paired_information(0.0, 0.5) == pytest.approx(0, abs=1e-12)


def test_shuffling_within_classes_keeps_classes_and_breaks_pairs():
    x = np.arange(60.0).reshape(1, 60, 1)
    y = (np.arange(60) % 3 == 0).astype(int)[None]
    out = experiment._shuffled_within_classes(x, y, [0])
    assert sorted(out[0, y[0] == 1, 0]) == sorted(x[0, y[0] == 1, 0])
    assert (out != x).mean() > 0.8
    with pytest.raises(ValueError, match="index or class"):
        experiment.run(2, [0.5], [0], pairing="time")


def test_gain_grows_with_what_is_shared():
    gains = []
    for overlap in (0, 10):
        tried = experiment.run(overlap, [1.0], list(range(12)))
        gains.append((tried.accuracy[:, 1] - tried.accuracy[:, 0]).mean())
        assert 0.66 < tried.accuracy[:, 0].mean() < 0.71  # published: about 68 %
        assert tried.accuracy.shape == (12, 2) and (tried.gap > 0).mean() in (0, 1)
    assert gains[0] < 0 < gains[1]


def test_crossing_and_its_interval():
    gamma = [0.0, 0.5, 1.0]
    assert crossing(gamma, [-1, 1, 2]) == pytest.approx(0.25)
    assert np.isnan(crossing(gamma, [1, 2, 3]))
    rng = np.random.default_rng(0)
    gains = np.array([-1.0, 0.0, 1.0]) + 0.5 * rng.standard_normal((200, 1))
    where, low, high = crossing_interval(gamma, gains, rng)
    # the mean gain has standard error .5 / sqrt(200) and slope 2
    assert low < where < high and high - low == pytest.approx(2 * 1.96 * 0.0177, rel=0.15)
    assert np.isnan(crossing_interval(gamma, np.ones((5, 3)), rng)).all()


def test_crossings_come_from_the_tables():
    rows, verdicts = [], []
    for seed, shift in enumerate([-0.01, 0.0, 0.01]):
        for knob in (0.0, 0.5, 1.0):
            case = dict(dataset="d", kind="simulated", teacher="a", student="b", seed=seed)
            case |= {"condition": f"{knob}", "knob": knob}
            for lam, zero in ((0.1, 0.25), (0.5, 0.6)):
                after = 0.7 + knob - zero + shift
                row = dict(case, experiment="MFH", n_train=200, lam=lam, weight=lam)
                row |= {"temperature": 1.0, "metric": "accuracy", "baseline": 0.7}
                rows.append(results.result(**row, distilled=after))
            exact = exact_verdict(knob + 0.1, 0.5)
            verdicts.append(case | exact)
    tables = results.check(rows), results.check(verdicts, "verdicts")
    crossed = experiment.crossings(*tables)
    assert crossed[0.1][0] == pytest.approx(0.25) and crossed[0.5][0] == pytest.approx(0.6)
    assert crossed["gap"] == pytest.approx((0.4, 0.4, 0.4))
    assert 0.6 - 0.011 <= crossed[0.5][1] < 0.6 < crossed[0.5][2] <= 0.6 + 0.011
    shown = experiment.beside_published({"this build": crossed})
    assert shown.loc["gain at λ = 0.5", "published"] == "about 0.27"
    assert shown.loc["CCH: estimated gap", "this build"] == "0.40 [0.40, 0.40]"
