"""The cases of notebook 06: their tables, their intervals, their judgement."""

import numpy as np
import pytest

from cchkd_utils import results
from cchkd_utils.criterion.rivals import linear_cka
from cchkd_utils.gaussian import JointGaussian, block_mi
from cchkd_utils.sections.counterexamples.study import Cases, who_was_right
from cchkd_utils.sections.quantities import exact_case, exact_verdict

CASE = {"knob": 1, "lam": [0.1, 1.0], "n_train": 50, "seeds": [0, 1, 2]}


def entry(cases, condition, gain, gap=0.1, alignment=0.2, **columns):
    before = np.array([1.0, 2.0, 3.0])
    after = before[:, None] * (1 - np.array([[gain, 2 * gain]]) / 100)
    after[:, 0] += before * np.array([-1e-4, 0, 1e-4])  # a little scatter
    cases.add("case", condition, baseline=before, distilled=after, alignment=alignment,
               verdicts=exact_verdict(0.2 + gap, 0.2), **CASE | columns)  # fmt: skip


def test_exact_verdict_takes_the_sign():
    assert exact_verdict(0.3, 0.2)["decision"] == "distil"
    assert exact_verdict(0.1, 0.2)["decision"] == "do not distil"
    assert exact_verdict(0.2, 0.2)["decision"] == "undecided"
    assert exact_verdict(0.3, 0.2)["gap"] == pytest.approx(0.1)


@pytest.mark.parametrize("nuisance", [0.0, 0.9])
def test_exact_case_agrees_with_a_large_sample(nuisance):
    model = JointGaussian.from_correlations(0.6, 0.5, 0.7, 3, 1.3, nuisance=nuisance)
    h1, h2 = ([0, 1], [3, 4]) if nuisance else (None, None)
    said = exact_case(model, h1, h2)
    x1, x2, y = model.sample(400_000, np.random.default_rng(0))
    t, s = x1 @ model.w1, x2 @ model.student_weights
    seen = (x1[:, :2], x2[:, :2]) if nuisance else (t[:, None], s[:, None])
    assert said["teacher R2"] == pytest.approx(1 - ((y - t) ** 2).mean() / y.var(), abs=0.01)
    assert said["linear CKA"] == pytest.approx(linear_cka(*seen), abs=0.01)
    assert said["residual alignment"] == pytest.approx(((y - t) * (y - s)).mean(), abs=0.01)
    cov = np.cov(np.column_stack([*seen, y]).T)
    a, b, last = np.split(np.arange(len(cov)), [seen[0].shape[1], len(cov) - 1])
    extra = block_mi(cov, a, np.append(b, last)) - block_mi(cov, a, b)
    assert said["I(teacher; label | student)"] == pytest.approx(extra, abs=0.01)
    assert said["mi_teacher_student"] == pytest.approx(block_mi(cov, a, b), abs=0.01)


def test_an_empty_teacher_knows_nothing():
    said = exact_case(JointGaussian.from_correlations(0.6, 0.0, 0.0, 3, teacher_sd=0.0))
    assert said["decision"] == "do not distil" and said["linear CKA"] == said["teacher R2"] == 0


def test_summary_keeps_order_and_judges_at_the_smallest_weight():
    cases = Cases()
    entry(cases, "z helps", 3.0)
    entry(cases, "a hurts", -3.0, gap=0.1, alignment=-0.1)
    entry(cases, "m nothing", 0.0, gap=-0.1, alignment=[-1e-3, 0, 1e-3])
    table = cases.summary()
    assert list(table["condition"]) == ["case: z helps", "case: a hurts", "case: m nothing"]
    assert list(table["outcome"]) == ["helps", "hurts", "no effect"]
    assert list(table["predicted"]) == ["helps", "hurts", "no effect"]
    assert list(table["right"]) == ["both", "alignment", "both"]
    np.testing.assert_allclose(table["gain"], [3, -3, 0], atol=1e-9)
    np.testing.assert_allclose(table["gain at 1.0"], [6, -6, 0], atol=1e-9)
    half = 4.302653 * 0.01 / np.sqrt(3)  # Student's t, 2 degrees of freedom; per cent
    np.testing.assert_allclose(table["gain_hi"] - table["gain"], half, rtol=1e-4)
    assert (table["agree"] == 1).all()


def test_rows_fit_the_tables_and_join():
    cases = Cases()
    entry(cases, "loss", 3.0)
    entry(cases, "points", 3.0, metric="accuracy")
    rows, verdicts = results.check(cases.rows), results.check(cases.verdicts, "verdicts")
    joined = rows.merge(verdicts, on=results.JOIN, validate="many_to_one")
    assert len(joined) == len(rows) == 12
    gains = cases.gains().set_index(["condition", "lam"])["gain"]
    assert gains["case: loss", 0.1] == pytest.approx(3)  # per cent of the loss
    assert gains["case: points", 1.0] == pytest.approx(-12)  # points: 6 % of 2, and lower is worse


def test_tables_to_read():
    cases = Cases()
    entry(cases, "loss", 3.0)
    report = cases.report("case")
    assert report.loc["loss", "gain (% of mse), λ=0.1"] == "+3.00 ± 0.02"
    assert report.loc["loss", "CCH"] == "distil"
    assert cases.conclusion().loc["case: loss", "what happened"] == "helps (+3.0)"


def test_a_split_vote_is_undecided():
    cases = Cases()
    votes = [exact_verdict(0.3, 0.2), exact_verdict(0.1, 0.2), exact_verdict(0.2, 0.2)]
    before = np.ones(3)
    cases.add("case", "x", baseline=before, distilled=np.ones((3, 2)), alignment=0.0,
               verdicts=votes, **CASE)  # fmt: skip
    assert cases.summary()["decision"].item() == "undecided"


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="do not fit 3 seeds and 2 weights"):
        Cases().add("case", "x", baseline=np.ones(3), distilled=np.ones((3, 1)), alignment=0.0,
                     verdicts=exact_verdict(1, 0), **CASE)  # fmt: skip


@pytest.mark.parametrize(
    ("decision", "predicted", "outcome", "right"),
    [
        ("distil", "helps", "helps", "both"),
        ("do not distil", "helps", "helps", "alignment"),
        ("do not distil", "helps", "hurts", "CCH"),
        ("distil", "helps", "no effect", "neither"),
        ("undecided", "unclear", "helps", "neither"),
        ("distil", "helps", "unresolved", "open"),
    ],
)
def test_who_was_right(decision, predicted, outcome, right):
    assert who_was_right(decision, predicted, outcome) == right
