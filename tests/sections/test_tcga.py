"""Nothing is fitted outside the training fold; scores and intervals equal their references."""

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_selection import f_classif
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from cchkd_utils import results
from cchkd_utils.datasets import Multimodal, tcga
from cchkd_utils.sections.quantities import scores
from cchkd_utils.sections.tcga import study, tables

RECIPE = study.Recipe(n_features=20, hidden=(16, 8), epochs=40)
pytestmark = [pytest.mark.filterwarnings("ignore:.*constant column"), pytest.mark.slow]


def cohort(n=120, p=60, signal=2.0, seed=0, k=2):
    """Return two modalities [n, p] whose first five columns know the class, and labels."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % k)
    latent = signal * (y - y.mean()) + rng.standard_normal(n)
    blocks = {}
    for name in ("mrna", "cnv"):
        x = rng.standard_normal((n, p)).astype(np.float32)
        x[:, :5] += latent[:, None]
        blocks[name] = x
    return dataset(blocks, y, k)


def dataset(blocks, y, k):
    provenance = {"cohort": "BRCA", "label": "pam50", "classes": [str(i) for i in range(k)]}
    split = {"all": np.arange(len(y))}
    return Multimodal(blocks, y, np.arange(len(y)), split, "simulated", provenance)


# --- scores and intervals ---------------------------------------------------------------------


@pytest.mark.parametrize("k", [2, 3, 4])
def test_scores_equal_scikit_learn(k):
    rng = np.random.default_rng(k)
    y = rng.permutation(np.arange(50) % k)
    logits = rng.standard_normal((3, 50, k)) + np.eye(k)[y]
    scored = scores(logits, y)
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    for i in range(3):
        said = logits[i].argmax(1)
        assert scored["accuracy"][i] == pytest.approx(accuracy_score(y, said))
        assert scored["weighted F1"][i] == pytest.approx(f1_score(y, said, average="weighted"))
        own = p[i, :, 1] if k == 2 else p[i]
        auc = roc_auc_score(y, own, multi_class="ovr")
        assert scored["AUC"][i] == pytest.approx(auc)


def test_a_class_that_is_not_there_has_no_auc():
    logits = np.random.default_rng(0).standard_normal((20, 3))
    y = np.arange(20) % 2
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = np.mean([roc_auc_score(y == c, p[:, c]) for c in (0, 1)])
    assert scores(logits, y)["AUC"] == pytest.approx(expected)


def test_agreement_counts_only_what_is_resolved_and_decided():
    names = {"dataset": "TCGA-BRCA", "student": "s"}
    gains = pd.DataFrame([
        {**names, "teacher": "a", "gain": 0.02, "outcome": "helps"},
        {**names, "teacher": "b", "gain": -0.02, "outcome": "hurts"},
        {**names, "teacher": "c", "gain": -0.01, "outcome": "unresolved"},
    ])  # fmt: skip
    judged = pd.DataFrame([
        {**names, "teacher": t, "estimator": e, "gap": g, "decision": d}
        for t in "abc"
        for e, g, d in [("ksg", 1.0, "distil"), ("auto", -0.1, "undecided")]
    ])  # fmt: skip
    table = tables.pair_agreement(gains, judged)
    assert table.loc["ksg", "decision"].tolist() == ["1 of 2"] * 3
    assert table.loc["auto", "decision"].tolist() == ["none"] * 3
    assert table["sign", "right"].to_dict() == {"ksg": "1 of 2", "auto": "1 of 2"}
    assert table["", "undecided"].to_dict() == {"ksg": "0 of 3", "auto": "3 of 3"}
    assert tables.agreed(gains, judged) == (
        "ksg: 1 agree, 1 disagree, 1 open; auto: 0 agree, 0 disagree, 3 open"
    )


def test_the_majority_needs_more_than_half():
    base = {"dataset": "d", "teacher": "t", "student": "s", "estimator": "ksg", "gap": 1.0}
    base |= dict.fromkeys(["mi_teacher_student", "mi_student_label", "gap_lo", "gap_hi"], 0.0)
    frame = pd.DataFrame([base | {"decision": d} for d in ("distil", "undecided")])
    assert tables.pool_verdicts(frame)["decision"].tolist() == ["undecided"]
    frame = pd.concat([frame, frame[:1]])
    assert tables.pool_verdicts(frame)["decision"].tolist() == ["distil"]


# --- preparation inside the fold --------------------------------------------------------------


def test_preparation_selects_fills_and_scales_on_the_rows_it_is_given():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((80, 30)).astype(np.float32)
    y = np.arange(80) % 3
    x[:, 7] += y
    x[:, 3] = 1.0  # constant: of no use
    x[::3, 4] = np.nan  # a third is missing: left out
    x[0, 7] = np.nan
    recipe = study.Recipe(n_features=6)
    out = recipe.prepare(x, y)(x)
    clean = np.where(np.isnan(x), np.nanmedian(x, axis=0), x)
    usable = np.setdiff1d(np.arange(30), [3, 4])
    order = usable[np.argsort(-f_classif(clean[:, usable], y)[0])][:6]
    assert order[0] == 7
    expected = (clean[:, order] - clean[:, order].mean(0)) / clean[:, order].std(0)
    np.testing.assert_allclose(out, expected, atol=1e-4)


def test_a_short_modality_is_filled_up_with_zeros():
    x = np.random.default_rng(0).standard_normal((40, 4)).astype(np.float32)
    out = study.Recipe(n_features=10).prepare(x, np.arange(40) % 2)(x)
    assert out.shape == (40, 10) and not out[:, 4:].any() and out[:, :4].any(axis=0).all()


def test_held_out_rows_do_not_touch_the_networks():
    """Change the held-out rows beyond recognition: selection, scaling and weights stay."""
    whole = cohort()
    before = study.repeated(whole, RECIPE, [0], n_folds=3)
    held = before.test[0]
    blocks = {name: x.copy() for name, x in whole.modalities.items()}
    for x in blocks.values():
        x[held] = 1e3 * np.random.default_rng(1).standard_normal(x[held].shape)
    after = study.repeated(dataset(blocks, whole.labels, 2), RECIPE, [0], n_folds=3)
    for name in blocks:
        np.testing.assert_array_equal(before.rows(before.x[name])[0], after.rows(after.x[name])[0])
        np.testing.assert_array_equal(before.soft(name, "in-sample")[0],
                                      after.soft(name, "in-sample")[0])  # fmt: skip
        np.testing.assert_array_equal(before.soft(name, "cross-fitted")[0],
                                      after.soft(name, "cross-fitted")[0])  # fmt: skip


def test_selection_outside_the_fold_would_be_seen_and_is_not():
    """Labels by the toss of a coin, 2000 useless features: the pipeline stays at chance.

    Selecting on all rows first finds features that match the labels by luck, held-out rows too.
    """
    rng = np.random.default_rng(0)
    y = rng.permutation(np.arange(100) % 2)
    x = rng.standard_normal((100, 2000)).astype(np.float32)
    whole = study.repeated(dataset({"mrna": x}, y, 2), RECIPE, [0, 1])
    inside = whole.score(whole.logits["mrna"])["accuracy"].mean()
    best = np.argsort(-f_classif(x, y)[0])[:20]
    leaked = study.repeated(dataset({"mrna": x[:, best]}, y, 2), RECIPE, [0, 1])
    outside = leaked.score(leaked.logits["mrna"])["accuracy"].mean()
    assert outside > 0.75, "the plant must be visible to a pipeline that leaks"
    assert abs(inside - 0.5) < 0.12


def test_cross_fitted_soft_labels_do_not_know_the_labels_by_heart():
    noise = cohort(signal=0.0)
    cv = study.repeated(noise, RECIPE, [0])
    y = noise.labels[cv.train]
    right = {kind: (cv.soft("mrna", kind).argmax(-1) == y).mean() for kind in study.SOFT}
    assert right["in-sample"] > 0.8 and right["cross-fitted"] < 0.6
    (row, _) = study.teachers(cv)
    for kind in study.SOFT:
        assert row[f"{kind}: right"] == right[kind]
    assert row["in-sample: sure"] > row["cross-fitted: right"]


def test_permuted_labels_leave_nothing_to_predict():
    """On the stand-in of BRCA: accuracy at chance, and an interval of I(H2;Y) that holds 0."""
    whole = tcga.load("BRCA", ["mrna", "rppa"], data="embedded")
    mixed = study.permuted(whole, 0)
    assert (mixed.labels != whole.labels).any()
    assert sorted(mixed.labels) == sorted(whole.labels)
    cv = study.repeated(mixed, RECIPE, [0, 1])
    for logits in cv.logits.values():
        assert 0.33 < cv.score(logits)["AUC"].mean() < 0.67
        assert cv.score(logits)["accuracy"].mean() < 0.55  # the largest class is half of all
    rows = study.assess_pairs(study.halves(mixed, RECIPE, [0, 1]), ["auto"])
    contains = [row["label_lo"] <= 0 <= row["label_hi"] for row in rows]
    assert np.mean(contains) >= 0.75  # 95 % intervals, four of them


# --- the whole ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small():
    whole = cohort(n=150, signal=1.2)
    return study.repeated(whole, RECIPE, [0, 1], 3), study.halves(whole, RECIPE, [0, 1])


def test_rows_of_every_pair(small):
    cv, _ = small
    rows = results.check(study.distil(cv, [0.3, 0.6], [1.0, 2.0], main_temperature=2.0))
    count = rows.groupby(["teacher", "student", "experiment"]).size()
    # metrics x weights, and both temperatures for the cross-fitted
    assert count.xs("cross-fitted", level="experiment").tolist() == [12, 12]
    for name in ("in-sample", "late fusion", "early fusion"):
        assert count.xs(name, level="experiment").tolist() == [6, 6]
    assert set(rows["n_train"]) == {cv.train.shape[1]} and cv.train.shape[1] in (99, 100)
    y = cv.dataset.labels
    alone = rows[(rows["experiment"] == "cross-fitted") & (rows["metric"] == "accuracy")]
    by_hand = np.mean([(cv.logits["cnv"][i, rows_].argmax(-1) == y[rows_]).mean()
                       for i, rows_ in enumerate(cv.test)])  # fmt: skip
    mine = alone[alone["student"] == "cnv"]
    assert mine["baseline"].to_numpy() == pytest.approx(by_hand, abs=1e-6)


def test_verdicts_of_every_pair(small):
    cv, half = small
    rows = results.check(study.assess_pairs(half, ["ksg"], cv=cv), "verdicts")
    assert len(rows) == 2 * 2 * 2 and set(rows["estimator"]) == {"ksg", study.POOLED}
    held = rows.set_index("estimator")["n_held_out"]
    assert set(held["ksg"]) == {75} and set(held[study.POOLED]) == {150}
    assert (rows["label_lo"] < rows["mi_student_label"]).all()
    for test in half.test:
        assert not np.intersect1d(test, half.train).size or len(half.test) > 1
    assert all(not np.intersect1d(a, b).size for a, b in zip(half.train, half.test))


def test_pooled_logits_are_all_held_out(small):
    cv, _ = small
    pooled = study.pooled_logits(cv, "mrna", 1)
    for i, rows in enumerate(cv.test):
        if cv.seeds[i] == 1:
            np.testing.assert_array_equal(pooled[rows], cv.logits["mrna"][i, rows])


def test_teachers_are_ranked_by_their_gap():
    whole = cohort(n=160)
    blocks = dict(whole.modalities)
    noise = np.random.default_rng(5).standard_normal(blocks["cnv"].shape)
    blocks["rppa"] = noise.astype(np.float32)
    half = study.halves(dataset(blocks, whole.labels, 2), RECIPE, [0, 1])
    for ranked in study.rank(half, "mrna", "ksg"):
        assert list(ranked) == ["cnv", "rppa"]  # the one that knows the class comes first
        gaps = [v.gap for v in ranked.values()]
        assert gaps == sorted(gaps, reverse=True)
