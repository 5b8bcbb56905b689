"""Cross-fitted soft labels against a plain loop; no row's teacher has seen its own label."""

import numpy as np
import pytest

from cchkd_utils.distill import Member, train
from cchkd_utils.distill.crossfit import folds, out_of_fold
from cchkd_utils.distill.networks import MLP

OPTIONS = {"epochs": 15, "lr": 0.02, "batch_size": 512}


def model():
    return MLP(8, 3, hidden=(8,))


def noise(n=60, d=2, seed=0):
    """Return features [d, n, 8] that know nothing of the labels [d, n]."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((d, n, 8)).astype(np.float32), rng.integers(0, 3, (d, n))


def test_folds_are_stratified_equal_and_disjoint():
    labels = np.repeat([0, 1, 2], [31, 19, 11])
    rows, test = folds(labels, 4, seed=3)
    assert sorted(np.concatenate(test)) == list(range(61)) and rows.shape[1] >= 45
    for fitted, held in zip(rows, test):
        assert not np.intersect1d(fitted, held).size and len(np.unique(fitted)) == len(fitted)
        assert np.bincount(labels[held]).min() >= 2
    assert (rows != folds(labels, 4, seed=4)[0]).any()
    np.testing.assert_array_equal(rows, folds(labels, 4, seed=3)[0])


@pytest.mark.parametrize("labels", [np.arange(40) % 2, np.linspace(0, 1, 40)])
def test_folds_keep_groups_together(labels):
    groups = np.repeat(np.arange(8), [2, 3, 4, 5, 6, 7, 8, 5])
    for fitted, held in zip(*folds(labels, 4, groups=groups)):
        assert not set(groups[fitted]) & set(groups[held])


@pytest.mark.parametrize("n_folds", [1, 9])
def test_folds_refuse_impossible_numbers(n_folds):
    with pytest.raises(ValueError, match="choose from 2 to the 8 independent units"):
        folds(np.arange(40) % 2, n_folds, groups=np.arange(40) // 5)


@pytest.mark.parametrize("grouped", [False, True])
def test_equals_a_plain_loop(grouped):
    x, y = noise()
    groups = np.stack([np.arange(60) // 4] * 2) if grouped else None
    for m in (Member(5), Member(6, data=1)):
        (soft,) = out_of_fold(model, x, y, [m], n_folds=3, groups=groups, **OPTIONS)
        units = groups[0] if grouped else None
        for fitted, held in zip(*folds(y[m.data], 3, seed=m.seed, groups=units)):
            alone = train(model, x[m.data][fitted], y[m.data][fitted], seed=m.seed, **OPTIONS)
            np.testing.assert_allclose(soft[held], alone.predict(x[m.data][held])[0], atol=1e-4)


def test_memorised_labels_do_not_reach_the_soft_labels():
    """On pure noise a teacher learns its own rows by heart; out of fold it is at chance."""
    x, y = noise(n=120, d=1)
    options = OPTIONS | {"epochs": 300}
    inside = train(model, x[0], y[0], **options).predict(x[0])[0]
    outside = out_of_fold(model, x, y, [Member(s) for s in range(4)], **options)
    assert (inside.argmax(-1) == y[0]).mean() > 0.85
    assert abs((outside.argmax(-1) == y[0]).mean() - 1 / 3) < 0.12


def test_prepare_sees_the_inner_training_rows_only():
    """Column 0 becomes the label where `prepare` is told it: the held-out rows must not have it."""
    x, y = noise(n=90, d=1)
    seen = []

    def prepare(rows, labels):
        seen.append(len(rows))
        told = {row.tobytes(): label for row, label in zip(rows, labels)}

        def transform(a):
            hint = [9.0 * (told[row.tobytes()] - 1) if row.tobytes() in told else 0.0 for row in a]
            return np.column_stack([hint, a[:, 1:]]).astype(np.float32)

        return transform

    options = OPTIONS | {"epochs": 200}
    soft = out_of_fold(model, x, y, [Member(0)], n_folds=3, prepare=prepare, **options)
    assert seen == [60] * 3
    assert (soft[0].argmax(-1) == y[0]).mean() < 0.5


def test_many_members_equal_few(monkeypatch):
    x, y = noise()
    members = [Member(s, data=s % 2) for s in range(5)]
    whole = out_of_fold(model, x, y, members, n_folds=3, **OPTIONS)
    monkeypatch.setattr("cchkd_utils.distill.crossfit.TOGETHER", 3)
    np.testing.assert_allclose(
        out_of_fold(model, x, y, members, n_folds=3, **OPTIONS), whole, atol=1e-4
    )


def test_regression_has_one_output():
    x, _ = noise()
    soft = out_of_fold(
        lambda: MLP(8, 1, hidden=(8,)), x, x[..., 0], [Member(0)], task="regression", **OPTIONS
    )
    assert soft.shape == (1, 60, 1) and np.isfinite(soft).all()
