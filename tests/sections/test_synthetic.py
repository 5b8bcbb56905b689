"""Notebook 01: networks against plain loops, the tables, and what is read from them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cchkd_utils import criterion, results
from cchkd_utils.gaussian import JointGaussian
from cchkd_utils.sections.counterexamples import study as counterexamples
from cchkd_utils.sections.synthetic import study

WORLD = JointGaussian.from_correlations(0.6, 0.8, 0.8, 4, "calibrated", rotate=0)
SEEDS, LAM, SIZES = [3, 4, 5], [0.2, 0.8], [120, 60]
OPTIONS = {"task": "regression", "epochs": 3, "batch_size": 32, "device": "cpu"}


@pytest.fixture(scope="module")
def trained():
    rows = {"n_teacher": 200, "n_test": 150, "n_information": 100}
    return study.train(WORLD, LAM, SEEDS, SIZES, hidden=(8,), **rows, **OPTIONS)


def test_networks_come_seed_by_seed(trained):
    assert list(trained) == SIZES
    for of_size in trained.values():
        assert of_size.mse.shape == (3, 1 + len(LAM))
        assert of_size.h1.shape == of_size.h2.shape == (3, 100, 8)
        assert of_size.t.shape == of_size.s.shape == of_size.y.shape == (3, 100)
        assert (of_size.mse > 0).all() and (of_size.mse[:, :1] != of_size.mse[:, 1:]).all()
    more, fewer = trained.values()
    assert np.array_equal(more.h1, fewer.h1)  # one teacher for all sizes
    assert not np.array_equal(more.h2, fewer.h2)


def test_a_seed_does_not_depend_on_its_company(trained):
    rows = {"n_teacher": 200, "n_test": 150, "n_information": 100}
    alone = study.train(WORLD, LAM[:1], SEEDS[1:2], SIZES, hidden=(8,), **rows, **OPTIONS)
    np.testing.assert_allclose(alone[120].mse[0], trained[120].mse[1, :2], rtol=1e-4)


def test_slow_estimators_judge_the_first_seeds_only(trained, monkeypatch):
    asked = []

    verdict = criterion.assess(*(getattr(trained[120], name)[0] for name in ("h1", "h2", "y")))

    def assess(h1, h2, y, *, estimator, **options):
        asked.append(estimator)
        assert options["teacher_logits"].shape == options["student_logits"].shape == y.shape
        return replace(verdict, estimator=estimator)

    monkeypatch.setattr(criterion, "assess", assess)
    rows = study.verdict_rows(trained[120], 0.1, 120, SEEDS, ["ksg", "mine"], 2)
    judged = sorted((SEEDS.index(row["seed"]), row["estimator"]) for row in rows)
    assert judged == [(0, "ksg"), (0, "mine"), (1, "ksg"), (1, "mine"), (2, "ksg")]
    assert sorted(asked) == sorted(name for _, name in judged)


def test_rows_join_and_carry_rivals(trained):
    verdicts = study.verdict_rows(trained[120], 0.1, 120, SEEDS, ["gaussian"], 1)
    verdicts = results.check(verdicts, "verdicts")
    rows = results.check(study.result_rows("mlp", 0.1, 120, LAM, SEEDS, trained[120].mse))
    joined = rows.merge(verdicts, on=results.JOIN, validate="many_to_one")
    assert len(joined) == len(rows) == len(SEEDS) * len(LAM)
    rivals = ["teacher R2", "linear CKA", "residual alignment", "I(teacher; label | student)"]
    assert verdicts[rivals].notna().all().all()
    t, y = trained[120].t[0], trained[120].y[0]
    r2 = 1 - ((y - t) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    assert verdicts["teacher R2"][0] == pytest.approx(r2)  # of the teacher itself, not of a probe


def table(gain_by_cell, experiment="linear", n=100):
    """Rows of 4 seeds with these gains in per cent: {(gap, λ): gain}."""
    scatter = 1e-3 * np.array([-1.0, 0.0, 1.0, 0.0])
    out = []
    for (gap, lam), gain in gain_by_cell.items():
        mse = np.column_stack([np.full(4, 2.0), 2.0 * (1 - gain / 100) + scatter * abs(gain)])
        out += study.result_rows(experiment, gap, n, [lam], range(4), mse)
    return results.check(out)


def test_beside_paper_counts_cells():
    cells = {(0.2, 0.1): 1.0, (0.2, 0.5): 3.0, (-0.2, 0.1): -2.0, (0.0, 0.1): 9.0}
    both = pd.concat([table(cells), table(cells, "mlp"), table({(0.2, 0.1): 50.0}, n=50)])
    shown = study.beside_paper({"this build": both})
    assert list(shown) == ["the paper says", "this build"]
    here = shown["this build"]
    assert here["gap > 0", "linear student"] == "helps in 2, hurts in 0 of 2; +1.00 … +3.00 %"
    assert here["gap < 0", "network"] == "helps in 0, hurts in 1 of 1; -2.00 … -2.00 %"


def test_against_truth_ranks_and_finds_the_crossing():
    rows = [("a", -0.1, -0.3), ("a", 0.0, -0.1), ("a", 0.1, 0.1), ("b", -0.1, 0.4), ("b", 0.1, 0.2)]
    said = study.against_truth(pd.DataFrame(rows, columns=["estimator", "knob", "gap"]))
    assert said.loc["a"].tolist() == pytest.approx([1.0, 0.05, 0.2])
    assert said.loc["b", "rank correlation"] == pytest.approx(-1)
    assert np.isnan(said.loc["b", "estimate changes sign at (nats)"])


def test_cross_fitted_labels_do_not_know_their_row():
    x1, _, y = counterexamples.draw(WORLD, 60, SEEDS, 0)
    build, options = counterexamples.network(4, 16, 16), {"epochs": 300, "device": "cpu"}
    whole = counterexamples.teachers(build, x1, y, SEEDS, **options).predict(x1)[..., 0]
    crossed = counterexamples.cross_fitted(build, x1, y, SEEDS, **options)
    assert crossed.shape == y.shape
    own, held_out = (((t - y) ** 2).mean() for t in (whole, crossed))
    assert own < 0.2 * y.var() and held_out > 3 * own


def test_students_come_teacher_by_teacher():
    _, x2, y = counterexamples.draw(WORLD, 40, SEEDS, 1)
    soft = [y, np.zeros_like(y)]
    trained = counterexamples.students(
        counterexamples.network(4, 8), x2, y, soft, LAM, SEEDS, epochs=1, device="cpu"
    )
    assert [m.teacher for m in trained.members[:3]] == [None] * 3
    assert [(m.lam, m.data, m.teacher) for m in trained.members[3:]] == [
        (w, i, 3 * c + i) for c in range(2) for w in LAM for i in range(3)
    ]
    mse = counterexamples.errors(trained, x2, y)
    assert mse.shape == (5, 3)
    np.testing.assert_allclose(mse[1], mse[0], rtol=1e-4)  # a teacher equal to the label: no change
