"""The ensemble against a plain loop, one network at a time; stopping, stability, refusals."""

import numpy as np
import pytest
import torch
from torch import nn

from cchkd_utils.distill import Member, kd_loss, kd_mse, stack, train, train_ensemble
from cchkd_utils.distill.networks import CNN, MLP, Linear
from cchkd_utils.distill.training import initialise, stream

LAMS, TEMPERATURES = (0.2, 0.3, 0.5, 0.7, 0.8), (1, 2, 3, 4)


def classes(n=200, d=6, k=3, seed=0):
    """Return x [n, d], labels [n] and logits [n, k] of an informative, imperfect teacher."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d)).astype(np.float32)
    logits = 3 * x[:, :k] + rng.standard_normal((n, k)).astype(np.float32)
    return x, logits.argmax(1), logits + rng.standard_normal((n, k)).astype(np.float32)


def mlp():
    return MLP(6, 3, hidden=(8,))


def regressor():
    return MLP(6, 1, hidden=(8,))


# --- the ensemble against one at a time -------------------------------------------------------


def reference(model, x, y, member, teacher, task, make_optimizer, epochs, batch_size):
    """Train one network by the textbook loop; return its weights and its module."""
    network = initialise(model, member.seed)
    optimizer = make_optimizer(network.parameters())
    generator = torch.Generator().manual_seed(stream(member.seed, 1))
    shuffled = torch.randperm(len(x), generator=generator)
    x, y = torch.as_tensor(x), torch.as_tensor(y)
    teacher = None if teacher is None else torch.as_tensor(teacher)
    for _ in range(epochs):
        order = shuffled[torch.randperm(len(x), generator=generator)]
        for batch in order.split(batch_size):
            soft = None if teacher is None else teacher[batch]
            out = network(x[batch])
            if task == "classification":
                loss = kd_loss(out, soft, y[batch], member.lam, member.temperature)
            else:
                loss = kd_mse(out[:, 0], soft, y[batch], member.lam) / (1 + member.lam)
            optimizer.zero_grad()
            loss.backward()
            if task == "classification":
                nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
    return network


OPTIMIZERS = {
    "adam": lambda p: torch.optim.Adam(p, lr=1e-2, weight_decay=1e-3),
    "adamw": lambda p: torch.optim.AdamW(p, lr=1e-2, weight_decay=1e-3),
    "sgd": lambda p: torch.optim.SGD(p, lr=1e-2, weight_decay=1e-3, momentum=0.9),
}
MEMBERS = [
    Member(0),
    Member(0, lam=0.8, temperature=4.0, teacher=0),
    Member(1, lam=0.5, temperature=2.0, data=1, teacher=1),
    Member(2, data=1),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_ensemble_equals_a_plain_loop(task, optimizer):
    model = mlp if task == "classification" else regressor
    sets = [classes(seed=s) for s in (0, 1)]
    x, y, teacher = (np.stack(parts) for parts in zip(*sets))
    if task == "regression":
        y, teacher = x[..., 0] * x[..., 1], teacher[..., 0]
    ensemble = train_ensemble(
        model, x, y, MEMBERS, teacher=teacher, task=task, optimizer=optimizer,
        lr=1e-2, weight_decay=1e-3, epochs=3, batch_size=64,
    )  # fmt: skip
    outputs, features = ensemble.predict(x), ensemble.represent(x)
    for i, m in enumerate(MEMBERS):
        own = None if m.teacher is None else teacher[m.teacher]
        network = reference(model, x[m.data], y[m.data], m, own, task, OPTIMIZERS[optimizer], 3, 64)
        rows = torch.as_tensor(x[m.data])
        np.testing.assert_allclose(outputs[i], network(rows).detach(), atol=2e-5)
        np.testing.assert_allclose(features[i], network.features(rows).detach(), atol=2e-5)


def test_convolutional_ensemble_equals_a_plain_loop(monkeypatch):
    """Members of one seed and dataset share their images, whatever the order they are given in."""
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 40, 1, 16, 16), np.float32), rng.integers(0, 3, (2, 40))
    soft = rng.standard_normal((1, 40, 3)).astype(np.float32)
    members = [Member(0), Member(1), Member(0, 0.5, 2.0, teacher=0), Member(0, data=1)]
    members += [Member(0, 0.8, 4.0, teacher=0), Member(0, 0.2, 1.0, teacher=0)]

    def model():
        return CNN(1, 16, 3, width=2)

    monkeypatch.setattr(CNN, "chunk", 3)  # four members of seed 0 and dataset 0: two chunks
    ensemble = train_ensemble(
        model, x, y, members, teacher=soft, optimizer="sgd", lr=0.05, epochs=2, batch_size=16
    )
    make = lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9)  # noqa: E731
    for i, m in enumerate(members):
        own = None if m.teacher is None else soft[0]
        network = reference(model, x[m.data], y[m.data], m, own, "classification", make, 2, 16)
        expected = network(torch.as_tensor(x[m.data])).detach()
        np.testing.assert_allclose(ensemble.predict(x)[i], expected, atol=1e-5)
        np.testing.assert_allclose(ensemble.predict(x[m.data])[i], expected, atol=1e-5)


def test_a_member_does_not_depend_on_the_others_even_when_they_stop_early():
    x, y, teacher = classes(n=120)
    members = [Member(s, lam=lam, teacher=0) for s in range(3) for lam in (0.0, 0.5)]
    options = dict(lr=0.03, epochs=40, validation=0.3, patience=3, batch_size=32)
    together = train_ensemble(mlp, x[None], y[None], members, teacher=teacher[None], **options)
    kept = together.history["epochs"]
    assert len(set(kept)) > 1, "the test needs members that stop at different times"
    for i, m in enumerate(members):
        alone = train_ensemble(mlp, x[None], y[None], [m], teacher=teacher[None], **options)
        assert alone.history["epochs"][0] == kept[i]
        np.testing.assert_allclose(alone.predict(x)[0], together.predict(x)[i], atol=1e-4)


def test_chunks_change_nothing(monkeypatch):
    x, y, _ = classes()
    members = [Member(s) for s in range(5)]
    whole = train_ensemble(mlp, x[None], y[None], members, epochs=2)
    monkeypatch.setattr(stack, "AT_ONCE", {"cpu": 2, "gpu": 2})
    parts = train_ensemble(mlp, x[None], y[None], members, epochs=2)
    np.testing.assert_allclose(parts.predict(x), whole.predict(x), atol=1e-5)
    np.testing.assert_allclose(parts.history["loss"], whole.history["loss"], atol=1e-5)


def test_results_repeat_bit_for_bit_and_leave_the_global_generator_alone():
    x, y, teacher = classes()
    members = [Member(3, 0.5, 2.0, teacher=0), Member(4)]
    before = torch.get_rng_state()
    a, b = (
        train_ensemble(mlp, x[None], y[None], members, teacher=teacher[None], epochs=2).predict(x)
        for _ in range(2)
    )
    np.testing.assert_array_equal(a, b)
    assert torch.equal(before, torch.get_rng_state())


def test_equal_seeds_are_paired_wherever_they_stand():
    x, y, teacher = classes()
    paired = [Member(7, temperature=3.0, teacher=0), Member(7, lam=0.5, teacher=0)]
    members = [Member(7), Member(1), *paired]
    out = train_ensemble(mlp, x[None], y[None], members, teacher=teacher[None], epochs=2).predict(x)
    np.testing.assert_allclose(out[0], out[2], atol=1e-5)  # lam=0: the teacher has no say
    assert np.abs(out[0] - out[1]).max() > 0.1
    assert np.abs(out[0] - out[3]).max() > 0.01


def test_cosine_schedule_falls_from_lr_and_settles_the_weights():
    x, y, _ = classes()
    options = dict(optimizer="sgd", lr=0.2, epochs=30, batch_size=16)
    constant, cosine = (
        train_ensemble(mlp, x[None], y[None], [Member(0)], schedule=s, **options).history["loss"][0]
        for s in ("constant", "cosine")
    )
    assert constant[0] == pytest.approx(cosine[0], abs=1e-6)  # the first epoch runs at lr in both
    assert np.abs(np.diff(cosine[-5:])).max() < 0.5 * np.abs(np.diff(constant[-5:])).max()


# --- early stopping -----------------------------------------------------------------------------


def held_rows(seed, n, number):
    """Return the rows that a member of `seed` does not train on."""
    generator = torch.Generator().manual_seed(stream(seed, 1))
    return torch.randperm(n, generator=generator)[:number].numpy()


def test_best_weights_are_restored():
    x, y, _ = classes(n=260)
    ensemble = train_ensemble(
        mlp, x[None], y[None], [Member(0), Member(1)], lr=0.1, epochs=60, validation=200 / 260
    )
    curve = ensemble.history["validation"]
    assert (curve[:, -1] > curve.min(1) * 1.05).all(), "the test needs over-fitting"
    np.testing.assert_array_equal(ensemble.history["epochs"], curve.argmin(1) + 1)
    logits, labels = torch.as_tensor(ensemble.predict(x)), torch.as_tensor(y)
    held = [held_rows(seed, 260, 200) for seed in (0, 1)]
    loss = [
        float(nn.functional.cross_entropy(member[rows], labels[rows]))
        for member, rows in zip(logits, held)
    ]
    np.testing.assert_allclose(loss, curve.min(1), rtol=1e-4)


def test_patience_ends_a_member_and_its_history():
    x, y, _ = classes(n=60)
    ensemble = train_ensemble(
        mlp, x[None], y[None], [Member(0)], lr=0.1, epochs=100, validation=0.5, patience=4
    )
    curve, kept = ensemble.history["validation"][0], ensemble.history["epochs"][0]
    assert kept + 4 < 100
    assert np.isfinite(curve[: kept + 4]).all()
    assert np.isnan(curve[kept + 4 :]).all()
    assert curve[kept - 1] == np.nanmin(curve)


def test_held_out_rows_are_not_trained_on():
    x, y, _ = classes(n=100)
    member = Member(5)
    held = held_rows(5, 100, 50)
    spoilt = y.copy()
    spoilt[held] = (spoilt[held] + 1) % 3
    # Held-out labels may choose the epoch, never the weights: with one epoch they do nothing.
    a, b = (
        train_ensemble(mlp, x[None], labels[None], [member], epochs=1, validation=0.5).predict(x)
        for labels in (y, spoilt)
    )
    np.testing.assert_array_equal(a, b)


# --- what training achieves ---------------------------------------------------------------------


def test_linear_regression_reaches_the_distilled_least_squares_solution():
    """KD by kd_mse is least squares on (y + lam t)/(1 + lam), whatever lam (THEORY, Set-up)."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 3)).astype(np.float32)
    y = (x @ [1.0, -1.0, 0.5] + rng.standard_normal(400)).astype(np.float32)
    t = (x @ [0.0, 2.0, 0.0]).astype(np.float32)
    members = [Member(0, lam=lam, teacher=0) for lam in (0.0, 0.5, 2.0, 50.0)]
    ensemble = train_ensemble(
        lambda: Linear(3, 1), x[None], y[None], members, teacher=t[None], task="regression",
        optimizer="sgd", lr=0.05, epochs=300, batch_size=400,
    )  # fmt: skip
    design = np.column_stack([x, np.ones(400)])
    for out, m in zip(ensemble.predict(x)[..., 0], members):
        target = (y + m.lam * t) / (1 + m.lam)
        exact = design @ np.linalg.lstsq(design, target, rcond=None)[0]
        np.testing.assert_allclose(out, exact, atol=1e-3)


def test_training_is_stable_over_the_whole_grid():
    """The trap: with T^2 in the loss, lam=.8, T=4 and SGD at .05 used to diverge."""
    rng = np.random.default_rng(0)
    prototypes = rng.random((4, 1, 16, 16), np.float32)
    y = rng.integers(0, 4, 256)
    x = prototypes[y] + 0.3 * rng.random((256, 1, 16, 16), np.float32)
    teacher = np.where(np.arange(4) == y[:, None], 20.0, -20.0)  # over-confident, as teachers are
    members = [Member(0, lam, t, teacher=0) for lam in LAMS for t in TEMPERATURES]
    ensemble = train_ensemble(
        lambda: CNN(1, 16, 4, width=4), x[None], y[None], members, teacher=teacher[None],
        optimizer="sgd", lr=0.05, epochs=20, batch_size=32,
    )  # fmt: skip
    accuracy = (ensemble.predict(x).argmax(-1) == y).mean(1)
    assert accuracy.min() > 0.95, dict(zip(members, accuracy))


def test_distillation_pulls_the_student_towards_the_teacher():
    x, y, teacher = classes(n=400)
    wrong = np.roll(teacher, 1, axis=1)
    members = [Member(0, lam, 2.0, teacher=0) for lam in (0.0, 0.5, 1.0)]
    ensemble = train_ensemble(
        mlp, x[None], y[None], members, teacher=wrong[None], lr=0.02, epochs=30
    )
    agree = (ensemble.predict(x).argmax(-1) == wrong.argmax(-1)).mean(1)
    assert agree[0] < 0.1
    assert agree[0] < agree[1] < agree[2]
    assert agree[2] > 0.7


# --- train, predict, refusals -------------------------------------------------------------------


def test_train_is_the_ensemble_of_one():
    x, y, teacher = classes()
    alone = train(mlp, x, y, seed=4, lam=0.5, temperature=2.0, teacher=teacher, epochs=2)
    members = [Member(4, 0.5, 2.0, teacher=0)]
    together = train_ensemble(mlp, x[None], y[None], members, teacher=teacher[None], epochs=2)
    np.testing.assert_array_equal(alone.predict(x), together.predict(x))
    held = train(mlp, x, y, epochs=2, validation=0.25)
    assert held.history["validation"].shape == (1, 2)


def test_predict_takes_shared_rows_or_rows_per_dataset():
    x, y, _ = classes()
    both = np.stack([x, x[::-1]])
    labels = np.stack([y, y[::-1]])
    ensemble = train_ensemble(mlp, both, labels, [Member(0), Member(0, data=1)], epochs=1)
    shared, own = ensemble.predict(x), ensemble.predict(both)
    np.testing.assert_allclose(own[0], shared[0], atol=1e-6)
    np.testing.assert_allclose(own[1], shared[1][::-1], atol=1e-6)
    assert ensemble.represent(x).shape == (2, 200, 8)
    with pytest.raises(ValueError, match=r"expected \[n, 6\]"):
        ensemble.predict(x[:, :5])
    with pytest.raises(ValueError, match="x has 1 datasets"):
        ensemble.predict(both[:1])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"lam": -0.1}, "lam must be 0 or more"),
        ({"temperature": 0}, "temperature positive"),
        ({"lam": 0.5}, "needs a teacher"),
        ({"data": -1}, "not be negative"),
    ],
)
def test_impossible_members_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Member(0, **fields)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": "ranking"}, "choose one of classification, regression"),
        ({"optimizer": "lion"}, "choose one of adam, sgd, adamw"),
        ({"schedule": "step"}, "choose one of constant, cosine"),
        ({"lr": 0}, "lr is 0"),
        ({"epochs": 0}, "epochs is 0"),
        ({"patience": 3}, "patience needs validation"),
        ({"validation": 1.5}, "between 0 and 1"),
        ({"members": []}, "no members"),
        ({"members": [Member(0, data=1)]}, "1 datasets"),
        ({"members": [Member(0, 0.5, teacher=0)]}, "teacher is None"),
        ({"members": [Member(0, 0.5, teacher=0)], "teacher": np.zeros((1, 200, 4))}, "expected"),
        ({"members": [Member(0, 0.5, teacher=1)], "teacher": np.zeros((1, 200, 3))}, "expected"),
        ({"members": [Member(0, 1.5, teacher=0)], "teacher": np.zeros((1, 200, 3))}, "at most 1"),
        ({"task": "regression"}, "3 outputs"),
        ({"model": lambda: MLP(6, 2)}, "number the classes from 0"),
        ({"model": lambda: nn.Sequential(MLP(6, 3), nn.Dropout())}, "dropout"),
        ({"y": np.zeros((1, 199), int)}, "do not fit"),
        ({"x": np.full((1, 200, 6), np.nan)}, "not finite"),
        ({"y": np.full((1, 200), 0.5)}, "labels are not whole numbers"),
        ({"y": np.full((1, 200), "a")}, "labels are <U1: number the classes"),
        ({"validation": 0.999}, "leaves none to train on"),
        ({"epochs": 1.5}, "epochs is 1.5: give a whole number"),
    ],
)
def test_inconsistent_input_is_refused_in_one_line(options, message):
    x, y, _ = classes()
    full = {
        "model": mlp,
        "x": x[None],
        "y": y[None],
        "members": [Member(0)],
        "epochs": 1,
        **options,
    }
    with pytest.raises(ValueError, match=message) as error:
        train_ensemble(**full)
    assert "\n" not in str(error.value)


def test_an_unknown_option_is_refused():
    x, y, _ = classes()
    with pytest.raises(TypeError, match="learning_rate"):
        train(mlp, x, y, learning_rate=0.1)


def test_divergence_is_an_error_not_a_result():
    x, _, _ = classes()
    with pytest.raises(FloatingPointError, match="lower lr"):
        train_ensemble(
            regressor, x[None], x[None, :, 0], [Member(0)], task="regression",
            optimizer="sgd", lr=1e6, epochs=20,
        )  # fmt: skip


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_a_gpu_that_is_not_there_is_one_line():
    x, y, _ = classes()
    with pytest.raises(ValueError, match="torch sees no GPU on this machine"):
        train_ensemble(regressor, x[None], y[None], [Member(0)], device="cuda", epochs=1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_gpu_gives_what_the_cpu_gives(model):
    rng = np.random.default_rng(0)
    x, y = rng.random((1, 80, 1, 16, 16), np.float32), rng.integers(0, 3, (1, 80))
    build = {"mlp": lambda: MLP(256, 3), "cnn": lambda: CNN(1, 16, 3, width=4)}[model]
    cpu, gpu = (
        train_ensemble(build, x, y, [Member(0), Member(1)], epochs=2, device=d).predict(x[0])
        for d in ("cpu", "cuda")
    )
    np.testing.assert_allclose(cpu, gpu, atol=1e-2)
