"""A notebook that reads the tables of other runs: they are made first, and are part of its hash."""

import json

import pytest

from cchkd_utils import paths, results, runner

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
    return results.without_provenance(results.read(done.folder / "results.csv"))


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
    assert sorted(outcomes) == [0, 1] and not any(one.reused for one in outcomes.values())
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


def test_outside_the_runner_a_reader_says_how_to_start_it(monkeypatch):
    monkeypatch.delenv("CCHKD_NEEDS", raising=False)
    with pytest.raises(RuntimeError, match="cchkd run"):
        results.of_runs()
