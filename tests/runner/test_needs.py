"""A notebook that reads the tables of other runs: they are made first, and are part of its hash."""

import json

import pytest

from cchkd_utils import paths, results, runner
from cchkd_utils.runner import cluster, execute

READER = """\
from cchkd_utils import results
rows, verdicts = results.of_runs(), results.of_runs("verdicts")
assert list(rows) == list(verdicts) == ["01_tiny"]
results.save(rows["01_tiny"].drop(columns=results.PROVENANCE), notebook="02_reader")
"""


@pytest.fixture
def reader(tiny):
    """The tiny project with a second notebook that reads the first one's tables."""
    content = json.loads((paths.NOTEBOOKS / "01_tiny.ipynb").read_text())
    parameters = 'preset: str = "book"  # preset of this run; one of: smoke, book\n'
    content["cells"][1]["source"], content["cells"][2]["source"] = parameters, READER
    (paths.NOTEBOOKS / "02_reader.ipynb").write_text(json.dumps(content))
    with paths.PRESETS.open("a") as file:
        file.write("needs:\n  02_reader: [01_tiny]\n")
    return tiny


def rows_of(done):
    return results.read(done.folder / "results.csv").drop(columns=results.PROVENANCE)


def test_what_is_needed_is_run_first_and_its_tables_are_read(reader):
    done = runner.run("02", preset="smoke", progress=False)
    (first,) = [p for p in (reader / "runs" / "01_tiny").iterdir() if p.name[0] != "."]
    assert done.record["parts"]["needs"] == {"01_tiny": first.name}
    assert rows_of(done).equals(rows_of(runner.run("01", preset="smoke")))
    assert runner.run("02", preset="smoke").reused


def test_another_run_of_what_is_needed_is_another_run(reader):
    before = runner.plan("02", preset="smoke")
    assert runner.plan("02", preset="book").key != before.key
    path = paths.NOTEBOOKS / "01_tiny.ipynb"
    path.write_text(path.read_text().replace("0.1 * l", "0.2 * l"))
    assert runner.plan("02", preset="smoke").key != before.key


def test_side_by_side_those_needed_come_before_and_once(reader):
    plans = [runner.plan(name, preset="smoke") for name in ("02", "01")]
    outcomes = dict(runner.run_many(plans, workers=2))
    assert sorted(outcomes) == [0, 1] and not any(run.reused for run in outcomes.values())
    assert rows_of(outcomes[0]).equals(rows_of(outcomes[1]))
    alone = list(runner.run_many([runner.plan("02", preset="book")], workers=1))
    assert [position for position, _ in alone] == [0] and not alone[0][1].reused


def test_what_fails_below_fails_above_with_its_reason(reader):
    path = paths.NOTEBOOKS / "01_tiny.ipynb"
    path.write_text(path.read_text().replace("if fail:", "if True:"))
    with pytest.raises(runner.RunError, match="01_tiny: cell"):
        runner.run("02", preset="smoke", progress=False)
    ((_, outcome),) = runner.run_many([runner.plan("02", preset="smoke")], workers=1)
    assert isinstance(outcome, runner.RunError) and "01_tiny: cell" in str(outcome)


def test_without_the_runs_it_needs_nothing_is_filed(reader, monkeypatch):
    """However it came to that: their tables would be missing and nobody would see."""
    planned = runner.plan("02", preset="smoke")
    with pytest.raises(runner.RunError, match="02_reader: it needs 01_tiny, whose run"):
        execute.perform(planned)
    path = paths.NOTEBOOKS / "01_tiny.ipynb"
    kill = "import os, signal\\nos.kill(os.getppid(), signal.SIGKILL)\\ntime.sleep(60)"
    worker = kill.replace(
        "os.getppid()", "int(Path(f'/proc/{os.getppid()}/stat').read_text().split()[3])"
    )
    path.write_text(path.read_text().replace("time.sleep(seconds)", worker))
    monkeypatch.setattr(cluster, "TRIES", 1)
    plans = [runner.plan(name, preset="smoke") for name in ("01", "02")]
    outcomes = dict(runner.run_many(plans, workers=1))
    assert "workers died on this point" in str(outcomes[0])
    assert "it needs 01_tiny" in str(outcomes[1])


def test_a_need_of_a_need_is_made_first(reader):
    third = (paths.NOTEBOOKS / "02_reader.ipynb").read_text()
    third = third.replace('["01_tiny"]', '["02_reader"]').replace("01_tiny", "02_reader")
    (paths.NOTEBOOKS / "03_third.ipynb").write_text(third.replace("'02_reader'", "'03_third'"))
    with paths.PRESETS.open("a") as file:
        file.write("  03_third: [02_reader]\n")
    planned = runner.plan("03", preset="smoke")
    assert [need.notebook.stem for need in planned.chain()] == ["01_tiny", "02_reader", "03_third"]


def test_a_needed_run_that_is_gone_is_an_error_of_its_reader(tmp_path, monkeypatch):
    monkeypatch.setenv("CCHKD_NEEDS", str(tmp_path / "01_tiny" / "abc"))
    with pytest.raises(RuntimeError, match="is gone: start this notebook again"):
        results.of_runs()


def test_outside_the_runner_a_reader_says_how_to_start_it(monkeypatch):
    monkeypatch.delenv("CCHKD_NEEDS", raising=False)
    with pytest.raises(RuntimeError, match="cchkd run"):
        results.of_runs()


READS = """\
from cchkd_utils import results
rows, verdicts = results.recorded(marker)
results.save(rows.drop(columns=results.PROVENANCE), notebook="01_tiny")
"""


def test_a_recorded_table_that_is_not_declared_is_refused(tiny):
    """The hash of the run would not cover it."""
    content = json.loads((paths.NOTEBOOKS / "01_tiny.ipynb").read_text())
    content["cells"][2]["source"] = READS
    (paths.NOTEBOOKS / "01_tiny.ipynb").write_text(json.dumps(content))
    given = {"marker": "mnist_m"}
    with pytest.raises(runner.RunError, match=r"may not read mnist_m\.csv: name it under `reads`"):
        runner.run("01", given, progress=False)
    with paths.PRESETS.open("a") as file:
        file.write("reads:\n  01_tiny: [mnist_m]\n")
    done = runner.run("01", given, progress=False)
    assert set(done.record["parts"]["reads"]) == {"mnist_m.csv", "mnist_m_verdicts.csv"}
    assert len(results.recorded("tcga")) == 2  # outside the runner all are readable
