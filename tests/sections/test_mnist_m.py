"""Notebook 02: controls, plan, tables; on small data and on tables made by hand."""

import numpy as np
import pandas as pd
import pytest

from cchkd_utils import results
from cchkd_utils.datasets import mnist_m
from cchkd_utils.distill import networks
from cchkd_utils.sections import cells
from cchkd_utils.sections.mnist_m import figures, study, tables

SEEDS = (0, 1)


@pytest.fixture(scope="module")
def sets():
    return [mnist_m.load(n_train=120, n_test=80, seed=s) for s in SEEDS]


@pytest.fixture(scope="module")
def trained(sets):
    """A whole small study: teachers, plan, students."""
    options = dict(optimizer="sgd", lr=0.05, epochs=2, batch_size=32, device="cpu")

    def network():
        return networks.CNN(3, 16, 10, width=4)

    experiment = study.Study(network, sets, SEEDS, [0.0, 3.0], "index", options)
    experiment.train_teachers()
    planned = study.plan(
        2, 2, [0.2, 0.5], [1.0, 4.0], ("smoothing", "shuffled", "class"), (0.5, 2.0)
    )
    experiment.train_students(planned)
    return experiment, planned


def test_inputs_are_standardised_by_the_training_images(sets):
    train, test = study.inputs(sets, "mnist", 2.0)
    assert train.shape == (2, 120, 3, 16, 16) and test.shape == (2, 80, 3, 16, 16)
    np.testing.assert_allclose(train.mean((1, 2, 3, 4)), 0, atol=1e-4)
    np.testing.assert_allclose(train.std((1, 2, 3, 4)), 1, atol=1e-4)
    np.testing.assert_array_equal(train[:, :, 0], train[:, :, 2])
    own = sets[0].take("train")[0]["mnist"]
    blurred = mnist_m.blur(sets[0].take("test")[0]["mnist"], 2.0)
    scaled = (blurred - mnist_m.blur(own, 2.0).mean()) / mnist_m.blur(own, 2.0).std()
    np.testing.assert_allclose(test[0, :, :1], scaled, atol=1e-5)


def test_partners_share_the_class_and_the_split_and_nothing_else(sets):
    for split, n in (("train", 120), ("test", 80)):
        partner, y = study.partners(sets, SEEDS, split), study.labels(sets, split)
        np.testing.assert_array_equal(np.take_along_axis(y, partner, 1), y)
        assert (partner != np.arange(n)).all()
    by_class = mnist_m.load(n_train=120, n_test=80, seed=0, pairing="class")
    same = sets[0].take("test")[0]["mnist"][study.partners(sets, SEEDS, "test")[0]]
    np.testing.assert_array_equal(by_class.take("test")[0]["mnist"], same)


def test_each_control_keeps_what_it_says_and_loses_the_rest(sets):
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((3, 2, 120, 10)).astype(np.float32)
    offered = study.variants(logits, sets, SEEDS)
    y = study.labels(sets, "train")
    assert offered["distillation"] is logits
    assert offered["smoothing"].shape == (1, 2, 120, 10) and not offered["smoothing"].any()
    for name in ("shuffled", "class"):
        assert (offered[name] != logits).any(-1).mean() > 0.9
        np.testing.assert_array_equal(
            np.sort(offered[name][1, 0, :, 3]), np.sort(logits[1, 0, :, 3])
        )  # a permutation of rows
    for i in range(2):  # within a class: the mean of every class stays
        for c in range(10):
            np.testing.assert_allclose(
                offered["class"][:, i][:, y[i] == c].mean(1), logits[:, i][:, y[i] == c].mean(1),
                atol=1e-5,
            )  # fmt: skip


def test_the_plan_has_the_grid_and_the_controls():
    planned = study.plan(3, 2, [0.2, 0.5], [1.0, 2.0, 4.0], ["smoothing", "class"], (0.5, 2.0))
    counts = planned["experiment"].value_counts().to_dict()
    assert counts == {"distillation": 3 * 2 * 2 * 3, "smoothing": 2 * 2, "class": 3 * 2}
    assert set(planned[planned["experiment"] == "smoothing"]["temperature"]) == {1.0}
    assert not planned.duplicated().any()


def test_students_get_the_teacher_of_their_row(sets, trained):
    """Trained again, alone, with the logits that the plan names, a student is the same."""
    from cchkd_utils import distill

    experiment, planned = trained
    offered = study.variants(experiment.soft, sets, SEEDS)
    train, test = study.inputs(sets, "mnist_m")
    y = study.labels(sets, "train")
    for name in ("distillation", "smoothing", "shuffled", "class"):
        number = planned.index[planned["experiment"] == name][-1]
        row = planned.loc[number]
        alone = distill.train(
            lambda: networks.CNN(3, 16, 10, width=4), train[row.run], y[row.run],
            seed=SEEDS[row.run],
            lam=row.lam, temperature=row.temperature, teacher=offered[name][row.blur, row.run],
            optimizer="sgd", lr=0.05, epochs=2, batch_size=32, device="cpu",
        )  # fmt: skip
        said = alone.predict(test[row.run])[0].argmax(-1)
        assert (said == experiment.taught[number]).mean() > 0.97


@pytest.mark.filterwarnings("ignore:.*constant column")
def test_tables_join_and_pass_their_checks(sets, trained):
    experiment, planned = trained
    table = results.check(experiment.result_rows(planned))
    verdicts = experiment.verdict_rows(["ksg"], ["index", "class"], 80)
    verdicts = results.check(verdicts, "verdicts")
    assert len(table) == len(planned) and len(verdicts) == 2 * 2 * 2
    joined = table.merge(verdicts, on=results.JOIN)
    assert len(joined) == (table["experiment"] == "distillation").sum()
    y = study.labels(sets, "test")
    assert table["baseline"].iloc[0] == (experiment.alone[0] == y[0]).mean()
    change = experiment.confusion_change(planned, 1, (0.5, 4.0))
    np.testing.assert_allclose(change.sum(1), 0, atol=1e-9)  # what one class loses, others gain


def by_hand(gains, gaps, decisions):
    """Tables of blurs 0, 1, ..., three seeds, one λ and T."""
    rows, verdicts = [], []
    for knob, (gain, gap, decision) in enumerate(zip(gains, gaps, decisions)):
        for seed in range(3):
            own = {
                "dataset": "d", "kind": "real", "teacher": "t", "student": "s",
                "condition": f"blur {knob}, paired by index", "knob": knob, "seed": seed,
            }  # fmt: skip
            after = 0.5 + (gain + 0.1 * (seed - 1)) / 100
            rows.append(
                results.result(
                    **own, experiment="distillation", n_train=9, lam=0.5, weight=0.5,
                    temperature=2.0, metric="accuracy", baseline=0.5, distilled=after,
                )
            )  # fmt: skip
            numbers = {"gap": gap, "gap_lo": gap - 1, "gap_hi": gap + 1, "p_wrong": 0.1}
            rivals = dict.fromkeys(tables.RIVALS, float(-knob))
            mi = {"mi_teacher_student": 3.0, "mi_student_label": 3.0}
            verdicts.append(own | numbers | mi | rivals | {"estimator": "e", "decision": decision})
    table = tables.in_points(results.check(rows))
    return table, results.check(verdicts, "verdicts")


def test_agreement_counts_what_was_foretold():
    table, verdicts = by_hand(
        [2, 2, 0, -2], [1, -1, 1, -1], ["distil", "undecided", "distil", "do not distil"]
    )
    beside = tables.foretold(table, verdicts)
    assert beside["helps"].tolist() == [1, 1, 0, 0]
    assert beside["hurts"].tolist() == [0, 0, 0, 1]
    assert beside["unresolved"].tolist() == [0, 0, 1, 0]
    assert beside["e"].tolist()[:2] == ["+1.00 distil", "-1.00 undecided"]
    counted = cells.scored(tables.outcomes(table, verdicts)).loc["e"]
    assert counted["decision"].to_dict() == {
        "right": "2 of 2",
        "always": "1 of 2",
        "never": "1 of 2",
    }
    assert counted["sign"].to_dict() == {"right": "2 of 3", "always": "2 of 3", "never": "1 of 3"}


def test_rank_correlation_is_spearmans_and_its_interval_holds_it():
    table, verdicts = by_hand([3, 2, 1, 0, -1], [2, 3, 1, 0, -1], ["undecided"] * 5)
    ranked = tables.rank_correlations(table, verdicts, draws=200).set_index("predictor")
    assert ranked.loc["gap, e", "rho"] == pytest.approx(0.9, abs=0.05)
    assert ranked.loc["teacher accuracy", "rho"] > 0.9
    assert (ranked["low"] <= ranked["rho"]).all() and (ranked["rho"] <= ranked["high"]).all()
    flat = verdicts.assign(gap=1.0)
    assert np.isnan(tables.rank_correlations(table, flat, draws=50)["rho"].iloc[0])


def test_spans_are_sorted_by_the_sign_of_the_gap():
    points = pd.DataFrame({"gap": [1.0, 2.0, -1.0], "gain": [0.5, 1.5, -3.0]})
    assert tables.spans(points) == {True: "+0.5 … +1.5", False: "-3.0 … -3.0"}
    assert tables.spans(points.iloc[:2])[False] == "no such blur"


def test_figures_are_drawn_with_one_or_many_panels():
    table, verdicts = by_hand([2, -2], [1, -1], ["distil", "do not distil"])
    points = tables.points(table, verdicts, 2.0)
    assert len(figures.gap_panels(points).axes) == 1
    assert len(figures.heat_maps(table).axes) == 3  # two blurs and the scale
    assert figures.confusion_differences({"one": np.eye(10)}).axes
    assert figures.control_lines(tables.contrasts(table, 0.5, 2.0)).axes
