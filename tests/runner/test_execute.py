import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cchkd_utils import paths, results, runner

CALL = """
from pathlib import Path
from cchkd_utils import paths, runner
paths.NOTEBOOKS = Path({notebooks!r}); paths.PRESETS = paths.NOTEBOOKS / "presets.yml"
runner.run("01", {given!r}, preset="smoke", progress=False)
"""


def tree(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


def test_a_run_is_filed_whole_and_then_reused(tiny):
    done = runner.run("01", preset="smoke", progress=False)
    assert sorted(p.name for p in done.folder.iterdir()) == sorted(
        ["notebook.ipynb", "results.csv", "run.json", "verdicts.csv"]
    )
    table = results.read(done.folder / "results.csv")
    assert table["gain"].tolist() == pytest.approx([0.02, 0.05])
    assert set(table["hash"]) == {done.folder.name}
    assert done.record["kind"] == "simulated"
    again = runner.run("tiny", {"lam": "0.2,0.5"}, preset="smoke", progress=False)
    assert (again.folder, again.reused, done.reused) == (done.folder, True, False)
    other = runner.run("01", {"lam": 0.7}, preset="smoke", progress=False)
    assert other.folder != done.folder
    assert results.read(other.folder / "results.csv")["lam"].tolist() == [0.7]


def test_the_executed_notebook_shows_what_was_changed(tiny):
    import json

    done = runner.run("01", {"lam": 0.7}, preset="smoke", progress=False)
    cells = json.loads(done.notebook.read_text())["cells"]
    injected = [c for c in cells if "injected-parameters" in c["metadata"].get("tags", [])]
    source = "".join(injected[0]["source"])
    assert 'preset = "smoke"' in source and "lam = [0.7]" in source and "n_seeds = 1" in source
    assert "quick" not in source


def test_a_failing_cell_gives_its_own_message_and_keeps_the_notebook(tiny):
    with pytest.raises(runner.RunError) as caught:
        runner.run("01", {"fail": "no luck"}, preset="smoke", progress=False)
    message = str(caught.value)
    assert message.startswith("01_tiny: cell 3: RuntimeError: no luck (notebook kept: ")
    kept = message.rpartition("kept: ")[2].rstrip(")")
    assert "no luck" in Path(kept).read_text()
    assert tree(paths.runs_root()) == ["01_tiny", "01_tiny/failed", f"01_tiny/failed/{kept[-22:]}"]


def test_a_notebook_without_results_is_a_failure(tiny):
    path = paths.NOTEBOOKS / "01_tiny.ipynb"
    path.write_text(path.read_text().replace("results.save(rows", "print(rows"))
    with pytest.raises(runner.RunError, match=r"no table: .*results\.save.*notebook kept"):
        runner.run("01", preset="smoke", progress=False)


def test_a_table_that_does_not_fit_is_a_failure(tiny):
    path = paths.NOTEBOOKS / "01_tiny.ipynb"
    spoil = "results.write(results.check(rows).assign(kind='odd'), Path('verdicts.csv')) #"
    path.write_text(path.read_text().replace("results.save(rows", spoil))
    with pytest.raises(runner.RunError, match=r"verdicts\.csv: .*lacks the column.*notebook kept"):
        runner.run("01", preset="smoke", progress=False)


def test_a_run_is_whole_only_with_every_table_it_names(tiny):
    """A notebook of verdicts alone is a run; without its table it is not."""
    path = paths.NOTEBOOKS / "01_tiny.ipynb"
    path.write_text(path.read_text().replace("results.save(rows,", "results.save(None,"))
    done = runner.run("01", preset="smoke", progress=False)
    assert done.record["tables"] == ["verdicts"] and done.record["kind"] == "simulated"
    table = done.folder / "verdicts.csv"
    assert set(results.read(table, "verdicts")["hash"]) == {done.folder.name}
    assert runner.run("01", preset="smoke", progress=False).reused
    table.unlink()
    assert not runner.run("01", preset="smoke", progress=False).reused and table.is_file()


@pytest.mark.parametrize(
    ("notebook", "given"), [("99", {}), ("", {}), ("01", {"lamda": 1}), ("01", {"data": "real"})]
)
def test_what_is_refused_writes_nothing(tiny, notebook, given):
    before = tree(tiny)
    with pytest.raises((runner.ParameterError, FileNotFoundError)) as caught:
        runner.run(notebook, given, progress=False)
    assert "\n" not in str(caught.value)
    assert tree(tiny) == before


def test_after_sigkill_the_same_call_gives_the_results_of_an_unbroken_run(tiny):
    given = {"seconds": 3.0, "marker": str(tiny / "marker")}
    code = CALL.format(notebooks=str(paths.NOTEBOOKS), given=given)
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    deadline = time.monotonic() + 60
    while not (tiny / "marker").exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    runs = paths.runs_root() / "01_tiny"
    left = [p.name for p in runs.iterdir()]
    assert len(left) == 1 and left[0].startswith(".part-")  # nothing that looks like a result

    resumed = runner.run("01", given, preset="smoke", progress=False)
    assert not resumed.reused
    assert [p.name for p in runs.iterdir()] == [resumed.folder.name]  # the remains are gone
    tables = [(resumed.folder / f"{t}.csv", t) for t in ("results", "verdicts")]
    first = [results.without_provenance(results.read(*table)) for table in tables]
    unbroken = runner.run("01", given, preset="smoke", force=True, progress=False)
    assert unbroken.folder == resumed.folder
    second = [results.without_provenance(results.read(*table)) for table in tables]
    assert all(a.equals(b) for a, b in zip(first, second))


def test_a_live_run_s_workplace_is_left_alone(tiny):
    import socket

    place = paths.runs_root() / "01_tiny" / f".part-{socket.gethostname()}-beef-{os.getppid()}"
    place.mkdir(parents=True)
    runner.run("01", preset="smoke", progress=False)
    assert place.is_dir()


def test_the_environment_is_restored(tiny, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    before = dict(os.environ)
    runner.run("01", preset="smoke", threads=1, progress=False)
    assert dict(os.environ) == before
