"""Notebook 03: folds by video, noise, soft labels, and what the tables say."""

import warnings

import numpy as np
import pandas as pd
import pytest

from cchkd_utils import results
from cchkd_utils.datasets import Multimodal, mosei
from cchkd_utils.results import intervals
from cchkd_utils.results.intervals import cluster_bootstrap
from cchkd_utils.sections import cells
from cchkd_utils.sections.mosei import study, tables
from cchkd_utils.sections.quantities import regression_scores, scores

# units that never fire
pytestmark = [pytest.mark.filterwarnings("ignore:.*constant column"), pytest.mark.slow]
OPTIONS = {"epochs": 2, "lr": 3e-3, "batch_size": 64, "device": "cpu"}


@pytest.fixture(scope="module")
def one_set():
    """A set of utterances without published splits, as CMU-MOSI."""
    data = mosei.load(n_train=320, n_test=80)
    rows = np.arange(len(data))
    return Multimodal(data.modalities, data.labels, data.ids, {"test": rows}, data.kind)


@pytest.fixture(scope="module")
def folds(one_set):
    return study.repeats_of_folds(one_set, 10, "pool")


@pytest.fixture(scope="module")
def trained(folds):
    warnings.filterwarnings("ignore", message=".*constant column")
    experiment = study.Study(folds, list(range(10)), "pool", 8, OPTIONS)
    cases = study.cases(["in-sample", "cross-fitted"], [0.0, 2.0])
    for case in cases:
        experiment.prepare(case)
    common = {"dataset": "test", "kind": "simulated"}
    rows = tables.result_rows(experiment, cases, [0.2, 0.8], [2.0], common)
    verdicts = tables.verdict_rows(experiment, cases, ["ksg"], common, rivals=False, checks=False)
    return experiment, results.check(rows), results.check(verdicts, "verdicts")


def test_folds_never_split_a_video_and_are_equal_in_size(folds, one_set):
    names = mosei.videos(one_set)
    for train, test in zip(folds.train, folds.test):
        assert not set(names[train]) & set(names[test])
        assert len(set(train)) == len(train) == folds.train.shape[1]
    for repeat in (folds.test[:5], folds.test[5:]):  # five folds share out all rows once
        assert sorted(np.concatenate(repeat)) == list(range(len(one_set)))
    assert folds.shared and len(folds.test) == 10


def test_scaling_uses_the_training_rows_only():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(3, 2, (50, 4, 2)), np.ones((50, 4, 1))], -1)
    train = np.arange(30)
    for pooled in (True, False):
        scaled = study.standardised(x, train, pooled)
        seen = scaled[train][..., :-1].reshape(-1, 2)
        np.testing.assert_allclose([seen.mean(0), seen.std(0)], [[0, 0], [1, 1]], atol=1e-5)
        changed = x.copy()
        changed[30:] *= 9
        rescaled = study.standardised(changed, train, pooled)
        assert np.array_equal(rescaled[train], scaled[train])
    assert scaled.shape == x.shape and study.standardised(x, train, True).shape == (50, 1, 3)


def test_padding_stays_zero_through_scaling_and_noise():
    x = np.ones((6, 4, 3), np.float32)
    x[2:, 2:] = 0
    x[5] = 0
    x[0, :, :2] += np.arange(4)[:, None]
    scaled = study.standardised(x, np.arange(4), pooled=False)
    noisy = study.disturbed(scaled, 2.0, np.random.default_rng(0))
    for padded in (scaled, noisy):
        assert not padded[2:, 2:].any() and not padded[5].any()
    assert np.array_equal(noisy[..., -1], scaled[..., -1])


def test_noise_has_its_level_and_is_the_same_at_all_steps():
    x = np.zeros((4000, 3, 5), np.float32)
    x[..., -1] = 1
    noise = study.disturbed(x, 1.5, np.random.default_rng(0))[..., :-1]
    assert noise.std() == pytest.approx(1.5, rel=0.03)
    assert (noise == noise[:, :1]).all() and abs(np.corrcoef(noise[:, 0].T)[0, 1]) < 0.05


def test_the_design_has_all_pairs_noise_and_two_teachers():
    cases = study.cases(["in-sample"], [0.0, 1.0])
    clean = {(c.teacher, c.student) for c in cases if not c.noise and "+" not in c.teacher}
    assert len(clean) == 6 and len(cases) == 6 + 2 + 3 == len(set(cases))
    assert study.Case("text+audio", "vision", "in-sample") in cases
    assert all(c.student not in c.teacher.split("+") for c in cases)


def test_cross_fitted_soft_labels_do_not_know_their_labels(trained):
    experiment, *_ = trained
    y = experiment.repeats.of_train(experiment.repeats.y)
    right = {
        kind: (experiment.soft["text", 2.0, kind].argmax(-1) == y).mean()
        for kind in ("in-sample", "cross-fitted")
    }
    held_out = np.mean(
        [
            (
                experiment.logits["text", 2.0][i][rows].argmax(-1) == experiment.repeats.y[i][rows]
            ).mean()
            for i, rows in enumerate(experiment.repeats.test)
        ]
    )
    assert right["in-sample"] > right["cross-fitted"] + 0.03
    assert abs(right["cross-fitted"] - held_out) < 0.1


def test_two_teachers_are_the_mean_of_their_logits(trained):
    experiment, *_ = trained
    for kind in ("in-sample", "cross-fitted"):
        both, *each = (experiment.soft[t, 0.0, kind] for t in ("text+audio", "text", "audio"))
        np.testing.assert_allclose(both, sum(each) / 2, rtol=1e-5, atol=1e-6)
    hidden = experiment.hidden["text+audio", 0.0]
    assert hidden.shape[-1] == 16 and np.array_equal(
        hidden[..., :8], experiment.hidden["text", 0.0]
    )


def test_rows_say_what_the_networks_predicted(trained):
    experiment, rows, _ = trained
    assert set(rows["metric"]) == {"accuracy", "weighted F1", "AUC"}
    alone = experiment.logits["audio", 0.0]
    for i, test in enumerate(experiment.repeats.test):
        wanted = (alone[i][test].argmax(1) == experiment.repeats.y[i][test]).mean()
        own = rows[(rows["student"] == "audio") & (rows["seed"] == i)]
        baseline = own[own["metric"] == "accuracy"]["baseline"]
        assert baseline.to_numpy() == pytest.approx(wanted)


def test_interval_over_videos_is_near_a_bootstrap_of_all_held_out_rows(trained):
    """Of one cell: gains averaged over repeats, videos resampled."""
    experiment, rows, _ = trained
    case = study.Case("text", "vision", "cross-fitted")
    grid, outputs = experiment.students("vision", [case], [0.8], [2.0])
    y, alone, change = experiment.repeats.y, experiment.logits["vision", 0.0], np.zeros(400)
    for (_, i, *_), after in zip(grid, outputs):
        for row in experiment.repeats.test[i]:
            change[row] += int(after[row].argmax() == y[i][row])
            change[row] -= int(alone[i][row].argmax() == y[i][row])
    wanted = cluster_bootstrap(
        lambda r: change[r].mean() / 2, experiment.repeats.units[0], draws=500, seed=0
    )
    condition = "pool, cross-fitted, noise 0"
    cell = {"teacher": "text", "student": "vision", "condition": condition, "metric": "accuracy"}
    own = rows[(rows[list(cell)] == pd.Series(cell)).all(axis=1) & (rows["lam"] == 0.8)]
    (cell,) = intervals.summarise(own, ["lam"]).to_dict("records")
    repeats = own.assign(repeat=own["seed"] // 5).groupby("repeat")["gain"].mean()
    half = (cell["gain_hi"] - cell["gain_lo"]) / 2
    ratio = half / own["unit_stderr"].iloc[0]  # Student's quantile
    over_videos = np.sqrt(half**2 - ratio**2 * repeats.var() / len(repeats))
    assert cell["gain"] == pytest.approx(wanted[0], abs=0.002)
    over_videos /= intervals.widened(1.0, own["n_units"].iloc[0])
    assert over_videos == pytest.approx((wanted[2] - wanted[1]) / 2, rel=0.35)


def test_conditions_share_the_verdict_and_tables_join(trained):
    _, rows, verdicts = trained
    joined = rows.merge(verdicts, on=results.JOIN, how="left", validate="many_to_one")
    assert joined["gap"].notna().all()
    kinds = verdicts["condition"].str.split(", ").str[1]
    columns = ["teacher", "student", "knob", "seed"]
    by_kind = [v.set_index(columns)["gap"].sort_index() for _, v in verdicts.groupby(kinds)]
    assert by_kind[0].equals(by_kind[1])


def test_points_join_gain_and_verdict(trained):
    _, rows, verdicts = trained
    points = tables.points(rows, verdicts, 0.8, 2.0, 0.2)
    assert len(points) == 22 and set(points["soft"]) == {"in-sample", "cross-fitted"}
    counts = cells.tally(points)
    assert counts.loc["ksg"].sum() == 22 and list(counts) == list(cells.ANSWERS)
    beside = tables.beside_the_paper(points, verdicts, "ksg", 0.2)
    assert beside.keys() == tables.PAPER.keys()


def test_regression_has_its_own_metrics(one_set):
    labels = np.linspace(-3, 3, len(one_set))
    real = Multimodal(one_set.modalities, labels, one_set.ids, one_set.splits, one_set.kind)
    experiment = study.Study(study.repeats_of_folds(real, 2, "pool"), [0, 1], "pool", 8, OPTIONS)
    case = study.Case("text", "audio", "cross-fitted")
    for each in (case, study.Case("audio", "text", "in-sample")):
        experiment.prepare(each)
    rows = tables.result_rows(experiment, [case], [1.0], [1.0], {"dataset": "d", "kind": "real"})
    table = results.check(rows)
    assert set(table["metric"]) == {"mae", "correlation"} and set(table["weight"]) == {0.5}
    assert experiment.assess(case, 0, "ksg", rivals=False, checks=False).task == "regression"


def test_scores_agree_with_hand_counts():
    outputs = np.array([[2.0, 0], [0, 1], [1, 0], [0, 3]])
    scored = scores(outputs, np.array([0, 1, 1, 1]))
    assert scored["accuracy"] == 0.75 and scored["AUC"] == pytest.approx(1.0)
    f0, f1 = 2 / 3, 0.8
    assert scored["weighted F1"] == pytest.approx((f0 + 3 * f1) / 4)
    scored = regression_scores([1.0, 2, 4], [1.0, 3, 3])
    assert scored["mae"] == pytest.approx(2 / 3) and 0 < scored["correlation"] < 1


def test_the_turn_lies_between_sure_gains_and_sure_losses():
    sweep = pd.DataFrame(
        {"knob": [0, 1, 2, 4], "gain_lo": [1, 0.1, -1, -3], "gain_hi": [2, 2, 1, -0.5]}
    )
    assert tables.noise_where_it_turns(sweep) == "helps up to noise 1, harms from noise 4"
    nowhere = tables.noise_where_it_turns(sweep.iloc[[2]])
    assert nowhere == "helps nowhere for sure, harms nowhere for sure"


def test_ordering_marks_what_is_not_sure():
    verdicts = pd.DataFrame(
        {
            "estimator": "ksg",
            "student": ["text"] * 4 + ["audio"] * 4 + ["vision"] * 4,
            "seed": [0, 1, 2, 3] * 3,
            "mi_student_label": [0.9, 1.0, 1.1, 1.0, 0.3, 0.2, 0.4, 0.3, 0.2, 0.4, 0.1, 0.3],
        }
    )
    assert tables.ordering(verdicts, "ksg") == "text > audio ≈ vision"
