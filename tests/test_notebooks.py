"""Every notebook: its pair, its parameters, and a run at preset smoke with checked tables."""

import json
import math
import re
import subprocess
import sys

import jupytext
import pytest
import yaml

from cchkd_utils import paths, results, runner
from cchkd_utils.mi import METHODS
from cchkd_utils.sections.cells import SECTIONS

pytestmark = pytest.mark.slow

NOTEBOOKS = runner.notebooks()
IDS = [path.stem for path in NOTEBOOKS]
each = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=IDS)
OTHERS = {"05_does_it_predict", "07_estimators"}  # they judge what the others trained
TRAINING = [path for path in NOTEBOOKS if path.stem not in OTHERS]


@pytest.fixture(scope="session")
def smoke(site, smoke_runs):
    """A notebook's run at preset smoke: that of the site, where this session built it."""
    done = {}

    def run(path):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CCHKD_RUNS", str(smoke_runs))
            if path.stem not in done:
                done[path.stem] = runner.run(path.stem, preset="smoke", threads=1, progress=False)
        return done[path.stem]

    return run


@pytest.fixture(scope="session")
def again(common):
    """Second runs of all notebooks at preset smoke, in a folder of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CCHKD_RUNS", str(common / "again"))
        plans = [runner.plan(path.stem, preset="smoke", threads=1) for path in NOTEBOOKS]
        return {IDS[position]: run for position, run in runner.run_many(plans, workers=1)}


def cells(path):
    return [
        (cell.cell_type, cell.source, sorted(cell.metadata.get("tags", [])))
        for cell in jupytext.read(path).cells
    ]


@each
def test_the_pair_agrees(notebook):
    assert cells(notebook) == cells(notebook.parent / "py" / f"{notebook.stem}.py")


@each
def test_the_notebook_is_stripped_and_keeps_its_kernel(notebook):
    content = json.loads(notebook.read_text())
    code = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in code)
    assert content["metadata"]["kernelspec"]["name"] == "python3"


@each
def test_presets_fit_the_parameters(notebook):
    presets = yaml.safe_load(paths.PRESETS.read_text())["presets"]
    assert list(presets) == ["smoke", "book", "paper"]
    defaults = {name: p.default for name, p in runner.declared(notebook).items()}
    assert runner.settle(notebook, "book", {}) == defaults
    for preset in presets:
        assert runner.settle(notebook, preset, {})["preset"] == preset
    assert notebook.stem in presets["smoke"] and notebook.stem in presets["paper"]


def test_what_is_started_first_is_there_and_needs_nothing_that_comes_later():
    declared = yaml.safe_load(paths.PRESETS.read_text())
    first = declared["first"]
    assert set(first) <= set(IDS) and len(set(first)) == len(first)
    for name, needed in declared["needs"].items():
        assert name not in first or set(needed) <= set(first[: first.index(name)])


@each
def test_papermill_can_explain_the_parameters(notebook):
    """`papermill --help-notebook` must understand the cell as well as we do."""
    from papermill.inspection import inspect_notebook

    explained = inspect_notebook(str(notebook))
    for name, parameter in runner.declared(notebook).items():
        assert explained[name]["inferred_type_name"] == parameter.type
        assert parameter.meaning in explained[name]["help"]


@pytest.mark.parametrize("notebook", TRAINING, ids=[path.stem for path in TRAINING])
def test_smoke_run_writes_tables_that_join(notebook, smoke):
    done = smoke(notebook)
    assert done.record["tables"] == ["results", "verdicts"]
    rows = results.read(done.folder / "results.csv")
    verdicts = results.read(done.folder / "verdicts.csv", "verdicts")
    values = done.record["parameters"]
    assert sorted(set(rows["lam"])) == sorted(values["lam"])
    seeds = 1 if "n_repeats" in rows else values["n_seeds"]  # rows are means over repeats there
    assert rows["seed"].nunique() == seeds
    assert verdicts["seed"].nunique() == values.get("n_judged", values["n_seeds"])
    # Linear students have exact verdicts; controls without a teacher's information have none.
    without = {"linear", "label smoothing", "shuffled teacher"}
    networks = rows[~rows["experiment"].isin(without)]
    exact = verdicts["estimator"] == "exact"  # known in closed form: stands beside any estimator
    for name in set(verdicts["estimator"][~exact]):
        judged = verdicts[exact | (verdicts["estimator"] == name)]
        joined = networks.merge(judged, on=results.JOIN, how="left", validate="many_to_one")
        assert joined["gap"].notna().all()
    assert (rows["baseline"] != rows["distilled"]).any()
    assert set(rows["hash"]) == {done.folder.name}


@each
def test_same_seed_same_rows_bit_for_bit(notebook, smoke, again):
    first, second = smoke(notebook), again[notebook.stem]
    assert second.folder != first.folder and not second.reused
    assert first.record["tables"] == second.record["tables"]
    for table in first.record["tables"]:
        a, b = (results.read(run.folder / f"{table}.csv", table) for run in (first, second))
        a, b = (t.drop(columns=results.VOLATILE, errors="ignore") for t in (a, b))
        assert a.equals(b)


@each
def test_figures_have_alt_text_and_simulated_data_their_mark(notebook, smoke):
    content = json.loads(smoke(notebook).notebook.read_text())
    code = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    pictures = [
        output["metadata"].get("image/png", {})
        for cell in code
        for output in cell["outputs"]
        if "image/png" in output.get("data", {})
    ]
    assert pictures and all(len(picture.get("alt", "")) > 40 for picture in pictures)
    marks = ("plots.mark_simulated(", "cells.by_section(")  # the second titles panels by kind
    assert any(mark in "".join(cell["source"]) for cell in code for mark in marks)


def test_synthetic_rows_follow_the_exact_theory(smoke):
    """Linear students, simulated by the notebook, agree with the closed form."""
    from cchkd_utils.gaussian import JointGaussian, q_for_gap

    done = smoke(paths.NOTEBOOKS / "01_synthetic.ipynb")
    rows, values = results.read(done.folder / "results.csv"), done.record["parameters"]
    linear = rows[rows["experiment"] == "linear"]
    for (gap, n), group in linear.groupby(["knob", "n_train"]):
        q = q_for_gap(gap, values["r"])
        model = JointGaussian.from_correlations(
            values["r"], q, values["g"], values["p"], "calibrated"
        )
        measured = group.groupby("lam")["distilled"].agg(["mean", "sem"])
        for lam, (mean, sem) in measured.iterrows():
            # few seeds: Student's t with n - 1 = 2 degrees of freedom, two-sided 0.1 %
            assert abs(mean - model.risk(n, lam)) < 31.6 * sem


def test_synthetic_gain_rises_with_the_gap(smoke):
    rows = results.read(smoke(paths.NOTEBOOKS / "01_synthetic.ipynb").folder / "results.csv")
    strong = rows[(rows["lam"] == rows["lam"].max()) & (rows["experiment"] == "mlp")]
    gains = strong.groupby("knob")["gain"].mean()
    assert gains.iloc[-1] > 0 > gains.iloc[0]


def test_from_scratch_gap_and_gain_tell_the_two_teachers_apart(smoke):
    done = smoke(paths.NOTEBOOKS / "00_from_scratch.ipynb")
    verdicts = results.read(done.folder / "verdicts.csv", "verdicts")
    gap = verdicts.pivot(index="seed", columns="teacher", values="gap")
    assert (gap["whole digit"] > gap["upper half"] + 0.2).all()
    assert (verdicts["teacher accuracy"] > 0.7).all()  # the one that harms is a good one, too
    gain = results.read(done.folder / "results.csv").groupby("teacher")["gain"].mean()
    assert gain["whole digit"] > 0 > gain["upper half"]


def test_digits_teacher_is_better_when_it_sees_more(smoke):
    done = smoke(paths.NOTEBOOKS / "02_mnist_m.ipynb")
    verdicts = results.read(done.folder / "verdicts.csv", "verdicts")
    accuracy = verdicts.groupby("knob")["teacher accuracy"].mean()
    assert accuracy.iloc[0] > accuracy.iloc[-1] + 0.1
    exact = verdicts["estimator"] == "exact"  # known in closed form: stands beside any estimator
    for name in set(verdicts["estimator"][~exact]):
        judged = verdicts[exact | (verdicts["estimator"] == name)]
        gap = judged.groupby("knob")["gap"].mean()
        assert gap.iloc[0] > gap.iloc[-1]
    assert set(verdicts["kind"]) == {"real"}


ESTIMATORS = paths.NOTEBOOKS / "07_estimators.ipynb"


def test_a_point_of_a_sweep_over_blur_runs_to_its_end(tmp_path, monkeypatch):
    """One blur, one kind of everything: what `cchkd sweep 02 -p blur=0,1` asks of the notebook."""
    monkeypatch.setenv("CCHKD_RUNS", str(tmp_path))
    values = {"blur": [2.0], "controls": ["none"], "n_seeds": 2, "epochs": 1}
    done = runner.run("02", values, preset="smoke", progress=False)
    assert set(results.read(done.folder / "results.csv")["knob"]) == {2.0}


def test_estimators_are_compared_on_every_task(smoke):
    done = smoke(ESTIMATORS)
    assert done.record["tables"] == ["verdicts", "estimates"]
    table = results.read(done.folder / "estimates.csv", "estimates")
    assert set(table["kind"]) == {"simulated"} and set(table["hash"]) == {done.folder.name}
    values = done.record["parameters"]
    grid = table[table["part"] == "rows and dimensions"]
    assert set(zip(grid["n"], grid["dim"])) == {(n, d) for n in values["n"] for d in values["dim"]}
    assert grid["true_mi"].to_numpy() == pytest.approx(1.0)
    for _, methods in table.groupby(["part", "task", "n", "dim", "seed"])["method"]:
        assert sorted(methods) == sorted(METHODS)
    labelled = table[table["y"] == "classes"]
    assert (labelled["nats"] <= math.log(10)).all()  # at most ten classes


def test_the_gaussian_estimator_is_right_on_gaussian_tasks(smoke):
    table = results.read(smoke(ESTIMATORS).folder / "estimates.csv", "estimates")
    grid = table[(table["part"] == "rows and dimensions") & (table["method"] == "gaussian")]
    assert len(grid) and (abs(grid["nats"] - grid["true_mi"]) < 3 * grid["stderr"]).all()


def test_verdicts_with_known_gaps_lie_near_them(smoke):
    done = smoke(ESTIMATORS)
    table = results.read(done.folder / "verdicts.csv", "verdicts")
    values = done.record["parameters"]
    cells = len(values["dim_verdict"]) * 2 + 1  # and hidden layers
    assert table["estimator"].value_counts().to_dict() == dict.fromkeys(
        values["estimator"], cells * values["trials"]
    )
    auto = table[table["estimator"] == "auto"]
    stderr = (auto["gap_hi"] - auto["gap_lo"]) / (2 * 1.645)
    near = abs(auto["gap"] - auto["knob"]) < 4.5 * stderr
    assert near.mean() >= 0.9  # 300 rows: a rare one misses a dependence that is there
    assert auto["knob"].nunique() == len(auto)
    layers = auto["dataset"].str.startswith("hidden layers")
    assert layers.any() and auto.loc[~layers, "knob"].between(-0.35, 0.35).all()


@pytest.mark.real
def test_real_digits_through_the_command(real_data, tmp_path, monkeypatch):
    monkeypatch.setenv("CCHKD_DATA", str(real_data))
    monkeypatch.setenv("CCHKD_RUNS", str(tmp_path))
    command = [sys.executable, "-m", "cchkd_utils.book.cli", "run", "02", "--preset", "smoke"]
    subprocess.run([*command, "-p", "data=real"], check=True, capture_output=True)
    (table,) = tmp_path.glob("02_mnist_m/*/results.csv")
    rows = results.read(table)
    assert set(rows["kind"]) == {"real"} and set(rows["dataset"]) == {"MNIST → MNIST-M"}
    record = json.loads((table.parent / "run.json").read_text())
    assert len([f for f in record["parts"]["data"] if f.startswith("MNIST/raw/")]) == 4


def test_the_pooled_page_reads_this_builds_runs_and_tries_the_recommendation(smoke):
    done = smoke(paths.NOTEBOOKS / "05_does_it_predict.ipynb")
    assert set(done.record["parts"]["needs"]) == {s.notebook for s in SECTIONS}
    rows = results.read(done.folder / "results.csv")
    assert set(rows["experiment"]) == {"recommended", "default"}
    refused = rows[(rows["experiment"] == "recommended") & (rows["lam"] == 0)]
    assert (refused["gain"] == 0).all() and (rows["gain"] != 0).any()


@pytest.mark.parametrize("page", [*paths.NOTEBOOKS.glob("py/*.py"), paths.ROOT / "book/theory.md"])
def test_a_chapter_opens_in_short_and_ends_with_two_questions(page):
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"^# ?", "", text, flags=re.MULTILINE) if page.suffix == ".py" else text
    short = re.search(
        r":::\{admonition\} In short\n:class: tip\n((?:- .*\n(?:  .*\n)*){3}):::", text
    )
    (asked,) = re.findall(r"## Check yourself\n(.*?)\n## ", text + "\n## ", re.DOTALL)
    assert short and short.start() < 2500
    assert asked.count(":::{dropdown} ") == 2 and "?" in asked
