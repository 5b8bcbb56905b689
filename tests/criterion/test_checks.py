"""Each check speaks up where its fault is, stays quiet on clean rows, and takes decisions back."""

import json

import numpy as np
import pytest

from cchkd_utils.criterion import assess, checks
from cchkd_utils.mi import auto, estimate
from cchkd_utils.mi.base import MIEstimate

QUICK = {"rivals": False, "bias_check": False, "estimator": "gaussian"}


def pairs(n=600, d=4, shared=0.9, own=0.5, seed=0):
    """Teacher, student and two classes; `shared` is a correlation, `own` a mean."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    teacher = rng.standard_normal((n, d))
    student = shared * teacher + np.sqrt(1 - shared**2) * rng.standard_normal((n, d))
    student[:, 0] += own * y
    return teacher, student, y


def failed(verdict):
    return {check.name: check for check in verdict.checks if not check.passed}


def test_clean_rows_pass_every_check():
    verdict = assess(*pairs(), rivals=False)
    names = [check.name for check in verdict.checks]
    assert failed(verdict) == {} and verdict.decision == "distil"
    assert len(names) == len(set(names)) == 8
    assert all(check.limit for check in verdict.checks)


def test_only_the_rows_are_looked_at_without_checks():
    verdict = assess(*pairs(), checks=False, **QUICK)
    assert len(verdict.checks) == 4
    assert verdict.bias is None and verdict.mi_given_label is None


def test_a_failed_check_is_printed_and_in_the_dictionary():
    teacher, student, y = pairs()
    teacher[3, 0] = 6e4
    verdict = assess(teacher, student, y, **QUICK)
    check = failed(verdict)["outliers and tails"]
    assert check.value == pytest.approx(1 / teacher.size) and not check.reverses
    assert "6 of 7 passed" in str(verdict) and "look at these" in str(verdict)
    (as_dict,) = [c for c in verdict.to_dict()["checks"] if c["name"] == check.name]
    assert json.loads(json.dumps(as_dict))["passed"] is False
    assert verdict.decision == "distil"  # one cell costs nothing


def test_wild_cells_that_turn_the_sign_take_the_decision_back():
    teacher, student, y = pairs(d=1, shared=0.6, own=1.1, n=2000)
    assert assess(teacher, student, y, checks=False, **QUICK).decision == "distil"
    rng = np.random.default_rng(0)
    hit = rng.random(len(y)) < 0.06
    teacher[hit] = rng.uniform(-1e6, 1e6, (hit.sum(), 1))
    verdict = assess(teacher, student, y, checks=False, **QUICK)
    assert verdict.ci[1] < 0 and verdict.p_wrong < 0.05
    assert failed(verdict)["outliers and tails"].reverses and verdict.decision == "undecided"


def test_rows_saved_twice_are_judged_once():
    teacher, student, y = pairs(n=120, d=2, shared=0.3, own=0.0)
    rows = np.repeat(np.arange(120), 20)
    verdict = assess(teacher[rows], student[rows], y[rows], checks=False, **QUICK)
    check = failed(verdict)["repeated rows"]
    assert "95% of the rows are copies" in check.advice
    alone = assess(teacher, student, y, checks=False, **QUICK)
    if alone.decision == "undecided":
        assert verdict.decision == "undecided" and check.reverses


def test_a_missing_modality_is_no_copy():
    teacher, student, y = pairs(n=1000)
    teacher[:300], student[:300] = 0.0, 0.0
    check = failed(assess(teacher, student, y, checks=False, rivals=False))["repeated rows"]
    assert check.value == pytest.approx(0.3) and "missing" in check.advice


def test_too_few_rows_for_the_dimensions_are_said():
    verdict = assess(*pairs(n=80, d=16), checks=False, rivals=False)
    check = failed(verdict)["rows per effective dimension"]
    assert check.value < 8 and "too few" in check.advice


def test_effective_dimension_counts_directions():
    rng = np.random.default_rng(0)
    z = rng.standard_normal((500, 3))
    assert checks.effective_dimension(z) == pytest.approx(3, abs=0.05)
    assert checks.effective_dimension(z[:, [0, 0, 1]]) == pytest.approx(1.9, abs=0.1)


def judged(monkeypatch=None, again=None, **change):
    teacher, student, y = pairs()
    terms = np.random.default_rng(0).normal(1.0, 0.2, len(y))
    shared = MIEstimate(1.0, 0.01, "auto", len(y), 0.0, terms, unseen=change.pop("unseen", np.nan))
    label = MIEstimate(0.5, 0.01, "auto", len(y), 0.0, terms - 0.5)
    values = {"gap": 0.5, "stderr": 0.01, "doubt": (0.0, 0.0), "estimator": "auto"} | change
    units = np.arange(len(y))
    out = checks.Judged((teacher, student, y), True, seed=0, units=units, shared=shared,
                        label=label, **values)  # fmt: skip
    if again:
        monkeypatch.setattr(checks.Judged, "again", again)
    return out


@pytest.mark.parametrize(("unseen", "passed", "reverses"), [
    (0.95, True, False), (0.8, False, False), (0.2, False, True), (np.nan, True, False),
])  # fmt: skip
def test_a_model_that_keeps_less_than_it_promises(unseen, passed, reverses):
    check = checks._unseen_rows(judged(unseen=unseen), 600.0)
    assert (check.passed, check.reverses) == (passed, reverses)


@pytest.mark.parametrize(("shift", "passed", "reverses"), [
    (0.02, True, False), (-0.2, False, False), (-0.6, False, True),
])  # fmt: skip
def test_an_estimate_that_moves_with_the_rows(monkeypatch, shift, passed, reverses):
    def again(self, teacher, student, labels):
        rows = [np.flatnonzero((self.data[0] == row).all(1))[0] for row in teacher]
        moved = self.shared.pointwise[rows] - shift
        part = MIEstimate(1.0 - shift, 0.01, "auto", len(rows), 0.0, moved)
        kept = MIEstimate(0.5, 0.01, "auto", len(rows), 0.0, self.label.pointwise[rows])
        return part, kept

    check = checks._fewer_rows(judged(monkeypatch, again))
    assert check.value == pytest.approx(shift)
    assert (check.passed, check.reverses) == (passed, reverses)


@pytest.mark.parametrize(("nats", "passed", "reverses"), [
    (0.01, True, False), (0.3, False, False), (0.9, False, True),
])  # fmt: skip
def test_information_of_rows_that_are_no_pairs(monkeypatch, nats, passed, reverses):
    def again(self, teacher, student, labels):
        rows = [np.flatnonzero((self.data[0] == row).all(1))[0] for row in teacher]
        assert (student != self.data[1][rows]).any(1).mean() > 0.9
        none = np.zeros(len(teacher))
        return tuple(MIEstimate(v, 0.01, "auto", len(none), 0.0, none) for v in (nats, 0.0))

    check = checks._shuffled_rows(judged(monkeypatch, again))
    assert (check.passed, check.reverses) == (passed, reverses)


@pytest.mark.parametrize(("gap", "passed"), [(0.5, True), (-0.5, False)])
def test_another_family_of_the_other_sign(gap, passed):
    teacher, student, y = pairs(d=2)
    verdict = judged(gap=gap)
    object.__setattr__(verdict, "data", (teacher, student, y))
    check = checks._second_opinion(verdict)
    assert check.value > 0.5 and check.passed is passed is not check.reverses


def test_another_family_is_not_asked_in_many_dimensions():
    check = checks._second_opinion(judged())
    assert check.passed and np.isnan(check.value) and "not measured" in str(check)


def test_methods_say_what_their_models_keep_on_unseen_rows():
    teacher, student, y = pairs(d=6)
    for method in ("auto", "gaussian"):
        label = estimate(student, y, method, discrete_y=True)
        assert label.unseen <= label.nats + 1e-9
    assert np.isfinite(auto.auto(teacher, student, discrete=False, seed=0).unseen)
