"""The verdict: signs, intervals, decisions, rivals, refusals."""

import json

import numpy as np
import pytest

from cchkd_utils.criterion import assess, decide, probability_wrong, rank_teachers
from cchkd_utils.criterion.expected_gain import OutOfRange, forecast, predict
from cchkd_utils.criterion.rivals import linear_cka, residual_alignment, rival_criteria
from cchkd_utils.criterion.uncertainty import paired_stderr, simulated_bias

QUICK = {"checks": False, "rivals": False}


def normal_triple(mi_ts, mi_sy, n=1500, d=3, seed=0):
    rng = np.random.default_rng(seed)
    q, r = (np.sqrt(1 - np.exp(-2 * v)) for v in (mi_ts, mi_sy))
    h1, h2 = rng.standard_normal((2, n, d))
    h2[:, 0] = q * h1[:, 0] + np.sqrt(1 - q**2) * h2[:, 0]
    y = r * h2[:, 0] + np.sqrt(1 - r**2) * rng.standard_normal(n)
    return h1, h2, y


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ["auto", "gaussian", "ksg"])
def test_clear_gaps_are_called(estimator):
    up = assess(*normal_triple(0.9, 0.3), estimator=estimator, **QUICK)
    down = assess(*normal_triple(0.2, 0.8), estimator=estimator, **QUICK)
    assert (up.decision, down.decision) == ("distil", "do not distil")
    assert up.gap == pytest.approx(up.mi_teacher_student - up.mi_student_label)
    assert up.p_wrong < 0.001


def test_no_gap_is_undecided():
    verdict = assess(*normal_triple(0.5, 0.5), **QUICK)
    assert verdict.decision == "undecided"
    assert verdict.ci[0] < 0 < verdict.ci[1]
    assert verdict.p_wrong > 0.025


def test_interval_covers_a_known_gap():
    """Ninety per cent nominal; with 40 trials fewer than 30 hits would be a broken interval."""
    hits = 0
    for seed in range(40):
        triple = normal_triple(0.6, 0.45, n=600, d=2, seed=seed)
        low, high = assess(*triple, estimator="gaussian", **QUICK).ci
        hits += low <= 0.15 <= high
    assert 30 <= hits <= 40


def test_influence_and_subsampling_agree():
    triple = normal_triple(0.6, 0.3)
    a = assess(*triple, estimator="gaussian", **QUICK)
    b = assess(*triple, estimator="gaussian", n_subsamples=40, **QUICK)
    assert a.gap == b.gap
    assert b.stderr == pytest.approx(a.stderr, rel=0.5)


def test_markov_pairs_are_not_distilled():
    """Teacher and student meet only in the label: I(H1;H2) <= I(H2;Y)."""
    rng = np.random.default_rng(0)
    y = rng.integers(4, size=1500)
    means = 1.5 * rng.standard_normal((2, 4, 2))
    h1, h2 = (m[y] + rng.standard_normal((1500, 2)) for m in means)
    assert assess(h1, h2, y, **QUICK).decision != "distil"


def test_full_verdict_is_readable_and_serialisable():
    h1, h2, y = normal_triple(0.9, 0.3, n=500)
    verdict = assess(h1, h2, (y > 0).astype(int), estimator="gaussian")
    assert verdict.task == "classification"
    assert "distil" in str(verdict) and "nats" in str(verdict)
    plain = json.loads(json.dumps(verdict.to_dict()))
    assert plain["gap_lo"] < plain["gap"] < plain["gap_hi"]
    assert set(verdict.rivals) == {
        "teacher accuracy", "linear CKA", "residual alignment", "I(teacher; label | student)",
    }  # fmt: skip
    assert abs(verdict.bias) < 0.15
    assert verdict.mi_student_label <= np.log(2)


@pytest.mark.slow
def test_a_simulation_finds_the_bias_of_ksg_in_many_dimensions():
    h1, h2, y = normal_triple(1.0, 0.5, n=600, d=20)
    verdict = assess(h1, h2, y, estimator="ksg", rivals=False)
    assert verdict.mi_teacher_student < 0.5  # KSG loses most of the 1 nat
    assert verdict.bias is not None


def test_p_wrong_and_the_rule():
    assert probability_wrong(0.196, 0.1) == pytest.approx(0.025, abs=1e-4)
    assert decide(0.197, 0.1) == "distil"
    assert decide(-0.197, 0.1) == "do not distil"
    assert decide(0.195, 0.1) == "undecided"


def test_paired_stderr_skips_rows_one_side_lacks():
    a, b = np.array([1.0, 2.0, np.nan, 4.0]), np.array([0.0, 0.0, 0.0, 0.0])
    assert paired_stderr(a, b) == pytest.approx(np.std([1, 2, 4], ddof=1) / np.sqrt(3))


def test_rank_teachers_orders_by_gap():
    h1, h2, y = normal_triple(0.9, 0.3)
    noise = np.random.default_rng(1).standard_normal(h1.shape)
    ranked = rank_teachers({"noise": noise, "good": h1}, h2, y, estimator="gaussian", **QUICK)
    assert list(ranked) == ["good", "noise"]


def test_rivals_against_closed_forms():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((500, 3))
    assert linear_cka(a, 2.0 * a[:, ::-1] + 1.0) == pytest.approx(1.0)
    assert linear_cka(a, rng.standard_normal((500, 3))) < 0.05
    y = rng.standard_normal((500, 1))
    assert residual_alignment(y, y, 0 * y) == 0.0
    assert residual_alignment(y, 0 * y, 0 * y) == pytest.approx((y**2).mean())


def test_given_logits_replace_the_probe():
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=300)
    h1, h2 = rng.standard_normal((2, 300, 4))
    perfect = 20.0 * np.eye(3)[y]
    with_logits = rival_criteria(h1, h2, y, True, (perfect, None))
    assert with_logits["teacher accuracy"] == 1.0
    assert rival_criteria(h1, h2, y, True)["teacher accuracy"] < 0.6
    with pytest.raises(ValueError, match="teacher_logits"):
        rival_criteria(h1, h2, y, True, (perfect[:, :2], None))


def test_conditional_information_of_a_gaussian_teacher():
    """Y = H1 + H2 + noise: I(H1;Y|H2) = ln(2) / 2 with unit variances."""
    rng = np.random.default_rng(0)
    h1, h2, e = rng.standard_normal((3, 4000, 1))
    rivals = rival_criteria(h1, h2, h1 + h2 + e, False)
    assert rivals["I(teacher; label | student)"] == pytest.approx(0.5 * np.log(2), abs=0.05)


def test_counts_as_regression_targets():
    h1, h2, y = normal_triple(0.5, 0.5, n=400)
    counts = np.round(2 * y).astype(int)
    assert assess(h1, h2, counts, task="regression", estimator="gaussian", **QUICK).task == (
        "regression"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "ranking"}, "task"),
        ({"estimator": "magic"}, "auto, ksg"),
        ({"teacher": np.zeros((10, 2))}, "same samples"),
        ({"labels": np.zeros(100, dtype=int)}, "one class"),
        ({"labels": np.where(np.arange(100) < 3, np.nan, 1.5)}, "labels has NaN or inf in 3 rows"),
        ({"student": np.full((100, 2), np.inf)}, "student has NaN or inf in 100 rows"),
        ({"teacher": np.ones((100, 2))}, "teacher has only constant columns"),
        ({"teacher": [["a", "b"]] * 100}, "teacher is not numeric"),
    ],
)
def test_bad_input(change, message):
    rng = np.random.default_rng(0)
    arguments = {
        "teacher": rng.standard_normal((100, 2)),
        "student": rng.standard_normal((100, 2)),
        "labels": rng.integers(2, size=100),
    } | change
    with pytest.raises(ValueError, match=message):
        assess(**arguments)


def test_few_rows_and_dead_units():
    rng = np.random.default_rng(0)
    h1, h2, y = rng.standard_normal((100, 2)), rng.standard_normal((100, 2)), np.arange(100) % 2
    with pytest.raises(ValueError, match="teacher has 49 rows; at least 50"):
        assess(h1[:49], h2[:49], y[:49])
    dead = np.hstack([h1, np.zeros((100, 3))])
    with pytest.warns(UserWarning, match="teacher: 3 constant columns of 5 dropped"):
        verdict = assess(dead, h2, y, estimator="gaussian", **QUICK)
    assert verdict.gap == pytest.approx(assess(h1, h2, y, estimator="gaussian", **QUICK).gap)


def test_no_candidates():
    with pytest.raises(ValueError, match="candidate"):
        rank_teachers({}, np.zeros((100, 2)), np.zeros(100))


def test_a_class_without_rows_keeps_its_column_of_the_logits():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 300) * 2  # of classes 0, 1, 2 the middle one does not occur
    h, student = rng.standard_normal((2, 300, 3)) + labels[:, None]
    logits = np.stack([-h[:, 0], np.full(300, -9.0), h[:, 0] - 2], 1)
    rivals = assess(h, student, labels, teacher_logits=logits, checks=False).rivals
    sure = np.where(logits[:, 0] > logits[:, 2], 0, 2)
    assert rivals["teacher accuracy"] == pytest.approx((sure == labels).mean())
    short = assess(h, student, labels // 2, teacher_logits=logits[:, [0, 2]], checks=False).rivals
    assert rivals == pytest.approx(short, abs=1e-3)
    one_hot = np.eye(3)[labels]
    for same in (one_hot, labels[:, None]):
        again = assess(h, student, same, teacher_logits=logits, checks=False).rivals
        assert again == pytest.approx(rivals, abs=1e-9)
    with pytest.raises(ValueError, match=r"\(300, 2\) is needed"):
        assess(h, student, np.where(labels == 0, "a", "b"), teacher_logits=logits, checks=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": 1.5}, "between 0 and 1"),
        ({"n_subsamples": 1}, "0, or at least 2"),
        ({"n_subsamples": -3}, "0, or at least 2"),
        ({"n_subsamples": 5}, "half of the 80 units .* at least 50"),
    ],
)
def test_an_interval_that_cannot_be_computed_is_refused(options, message):
    h = np.random.default_rng(0).standard_normal((80, 2))
    with pytest.raises(ValueError, match=message):
        assess(h, h[::-1], h[:, 0], **options)


def test_a_teacher_that_is_the_student_is_no_teacher():
    h = np.random.default_rng(0).standard_normal((80, 3))
    for same in (h, h[:, ::-1] ** 3, 2 * h @ np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1.0]]) - 5):
        with pytest.raises(ValueError, match=r"teacher and student are the same .*saved twice"):
            assess(same, h, h[:, 0] > 0)


def test_nan_decides_nothing():
    assert decide(1.0, float("nan")) == "undecided"


def test_the_bias_simulated_for_several_targets_is_that_of_the_estimator():
    """One student unit, three targets that follow it: `gaussian` is nearly unbiased."""
    biases = []
    for i in range(8):
        rng = np.random.default_rng(i)
        x, t = rng.standard_normal((400, 1)), rng.standard_normal((400, 5))
        y = x + 0.5 * rng.standard_normal((400, 3))
        biases.append(simulated_bias(t, x, y, False, 0.0, 1.28, "gaussian", i))
    assert np.mean(biases) == pytest.approx(0.0, abs=0.03)


def test_training_gives_a_forecast_of_the_same_accuracies():
    """Labels 1 to 3 name columns of four logits; the forecast sees the student's accuracy there."""
    from cchkd_utils import criterion

    rng = np.random.default_rng(0)
    labels = rng.integers(1, 4, 400)
    signal = np.eye(4)[labels]
    logits = [3 * signal + noise * rng.normal(size=signal.shape) for noise in (1.5, 2.0)]
    h1, h2 = (signal[:, 1:] + rng.normal(size=(400, 3)) for _ in range(2))
    verdict = criterion.assess(
        h1, h2, labels, teacher_logits=logits[0], student_logits=logits[1], checks=False,
        training={"n_train": 200},
    )  # fmt: skip
    right = [(z.argmax(1) == labels).mean() for z in logits]
    assert verdict.forecast == criterion.forecast(
        teacher_accuracy=right[0], student_accuracy=right[1], n_train=200, n_classes=4,
        mi_student_label=verdict.mi_student_label,
    )  # fmt: skip
    assert "P(helps)" in str(verdict) and verdict.to_dict()["forecast"]["p_help"] > 0
    with pytest.raises(ValueError, match="student_logits"):
        criterion.assess(h1, h2, labels, checks=False, training={"n_train": 200})


def test_without_a_teacher_nothing_is_foretold_and_little_where_its_share_is_small():
    model = {"mean": [1.0], "scale": [2.0], "intercept": 0.1, "weights": [0.3], "spread": 0.2}
    mean, spread = predict(model, np.array([[3.0]] * 3), np.array([0.0, 0.2, 0.8]))
    np.testing.assert_allclose(mean, [0.0, 0.08, 0.32])  # (0.1 + 0.3) times the share
    np.testing.assert_allclose(spread, [0.0, 0.04, 0.16])
    known = {"teacher_accuracy": 0.9, "student_accuracy": 0.7, "mi_student_label": 0.6,
             "n_train": 200, "n_classes": 4}  # fmt: skip
    worse = known | {"teacher_accuracy": 0.7}
    assert forecast(**worse).p_help < forecast(**known).p_help
    with pytest.raises(OutOfRange, match="no forecast"):
        forecast(**known | {"n_train": 10**6})
