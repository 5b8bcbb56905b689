"""Figures say what they show, also of the smallest run a reader may ask for."""

import re

import numpy as np
import pandas as pd
import pytest

from cchkd_utils import plots, results
from cchkd_utils.sections import quantities
from cchkd_utils.sections.counterexamples import figures as counterexamples
from cchkd_utils.sections.does_it_predict import figures as does_it_predict
from cchkd_utils.sections.mnist_m import figures as mnist_m
from cchkd_utils.sections.mosei import figures as mosei
from cchkd_utils.sections.synthetic import figures as synthetic
from cchkd_utils.sections.tcga import figures as tcga
from cchkd_utils.sections.tcga import tables


def points(gaps, gains, half=0.5, estimator="ksg", **columns):
    gains = np.asarray(gains, float)
    table = pd.DataFrame({"knob": np.arange(len(gains)), "lam": 0.5, "gap": gaps, "gain": gains})
    for name, width in (("gap", 0.1), ("gain", half)):
        table[f"{name}_lo"], table[f"{name}_hi"] = table[name] - width, table[name] + width
    return table.assign(decision="distil", estimator=estimator, **columns)


def test_a_figure_without_title_is_refused():
    fig, _ = plots.figure()
    with pytest.raises(ValueError, match="no title"):
        plots.show(fig, "alt")


def test_titles_count_the_signs_of_clear_gains():
    table = pd.concat([
        points([1, 1, -1, -1], [2, -2, -2, 0.1]),
        points([1, -1, -1, -1], [2, -2, -2, 0.1], estimator="lmi"),
    ])  # fmt: skip
    fig = mnist_m.gap_panels(table)
    assert fig.get_suptitle().endswith("among the clear effects: ksg 2 of 3, lmi 3 of 3")
    titles = [ax.get_title("left") or ax.get_title() for ax in fig.axes]
    assert titles == ["ksg: sign right in 2 of 3", "lmi: sign right in 3 of 3"]
    unclear = mnist_m.gap_panels(points([1, 1], [0.1, 0.2]))
    assert unclear.get_suptitle() == "No effect is clear of zero"
    assert mnist_m.gap_panels(points([1], [0.1], half=np.nan)).axes  # one blur, one seed


def test_rows_are_told_with_their_first_and_last_number():
    table = pd.concat(
        points([1], [g], n_train=n, experiment="linear") for n, g in ((9, 4), (99, 1))
    )
    assert (
        synthetic._shrinking(table)
        == "Error saved at λ = 0.5, 9 → 99 rows: linear student 4.0 → 1.0 %"
    )
    said = synthetic._shrinking(table[table["n_train"] == 9])
    assert said == "Error saved at λ = 0.5, 9 rows: linear student 4.0 %"


def noise(levels, gains, metric="accuracy"):
    table = points(np.zeros(len(levels)), gains, metric=metric, student="audio", soft="in-sample")
    return table.assign(knob=levels, estimator="auto")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (noise([0.0, 10.0, 2.0], [1, -3, 0]), "noise 0 → 10 (in-sample): audio +1.0 → −3.0"),
        (noise([0.0], [1]), "noise 0 (in-sample): audio +1.0"),
        (noise([0.0, 1.0], [0.01, -0.02], "mae"), "noise 0 → 1 (in-sample): audio +0.01 → −0.02"),
    ],
)
def test_noise_goes_from_least_to_most_in_the_metric_s_own_digits(table, said):
    fig = mosei.noise_sweep(table)
    assert said in fig.get_suptitle()
    (line, *_), *_ = fig.axes[0].containers
    assert (np.diff(line.get_xdata()) > 0).all()


def test_crossings_are_those_of_gains_that_are_drawn():
    table = pd.concat(points([0, 0], [-1, 1], half=0.2, lam=lam) for lam in (0.1, 0.5))
    crossings = {0.1: (0.2, 0.1, 0.3), 0.5: (np.nan,) * 3, "gap": (0.9, 0.8, 1.0)}
    for crossing, end in ((0.42, "; CCH's gap at 0.42"), (np.nan, "")):
        fig, ax = plots.figure()
        counterexamples.gain_against_gamma(
            ax, table, crossings=crossings, criterion_crossing=crossing
        )
        assert fig.get_suptitle() == f"The gain crosses zero at γ = 0.20 (λ = 0.1){end}"


def test_recorded_tables_can_be_cut_to_one_pair_and_one_estimator():
    rows, verdicts = results.recorded("tcga")
    gains, judged = tables.at(rows, 0.5, 2.0), tables.pool_verdicts(verdicts)
    gains = gains[gains["experiment"].isin(plots.SOFT_LABELS)]
    ragged = judged[(judged["estimator"] != "lmi") | (judged["dataset"] == "TCGA-BRCA")]
    assert tcga.verdicts_and_gains(ragged, gains).axes
    pair = "dataset == 'TCGA-BRCA' and teacher == 'cnv' and student == 'mrna'"
    fig = tcga.verdicts_and_gains(judged.query(f"{pair} and estimator == 'ksg'"), gains.query(pair))
    assert re.search(r"cross-fitted: helps in \d, hurts in \d of 1", fig.get_suptitle())


def test_one_section_one_score():
    fig, ax = plots.figure()
    row = {"section": "MNIST-M, real", "score": "gap", "rho": 0.5, "rho_lo": 0.1, "rho_hi": 0.9}
    does_it_predict.ranking_of_criteria(ax, pd.DataFrame([row]), {"gap": "MI gap"})
    assert fig.get_suptitle().endswith("by section: 0.50")


def test_ranking_without_intervals_is_drawn():
    table = pd.DataFrame({"estimator": "ksg", "modality": ["text", "audio", "vision"]})
    table = table.assign(nats=0.1, nats_lo=np.nan, nats_hi=np.nan)
    assert "text 0.10" in mosei.ranking(table).get_suptitle()


def test_the_nearest_setting_is_one_setting():
    table = pd.DataFrame({"lam": [0.25, 0.75, 0.75]})
    assert quantities.nearest([0.75, 0.25], 0.5) == 0.25
    assert quantities.near(table, lam=0.5)["lam"].tolist() == [0.25]
    assert len(quantities.near(table, lam=0.6)) == 2
