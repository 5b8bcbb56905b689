import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cchkd_utils import paths, results, runner
from cchkd_utils.runner import folders

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


def edit(tiny, old, new):
    path = paths.NOTEBOOKS / "01_tiny.ipynb"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_a_dead_kernel_is_an_error_of_one_line(tiny):
    edit(tiny, "time.sleep(seconds)", "import os; os.kill(os.getpid(), 9)")
    with pytest.raises(
        runner.RunError, match=r"01_tiny: the kernel died.*notebook kept: "
    ) as caught:
        runner.run("01", preset="smoke", progress=False)
    assert "\n" not in str(caught.value)
    kept = json.loads(Path(str(caught.value).rpartition("kept: ")[2].rstrip(")")).read_text())
    assert kept["cells"][1]["execution_count"] == 1  # what was done until then is in it


@pytest.mark.parametrize("name", ["run.json", "results.csv"])
@pytest.mark.parametrize("content", ["", "{}", "[]", '{"a', None])
def test_a_damaged_run_is_not_taken_for_a_whole_one(tmp_path, name, content):
    place = tmp_path / "abc"
    with folders.workplace(place) as part:
        (part / "results.csv").write_text("a,b")
        folders.file_run(part, place, {"hash": "abc"})
    assert folders.finished(place)["files"].keys() == {"results.csv"}
    (place / name).write_text(content or "")
    if content is None:
        (place / name).unlink()
    assert folders.finished(place) is None


def test_a_damaged_run_is_made_again(tiny):
    done = runner.run("01", preset="smoke", progress=False)
    before = results.read(done.folder / "results.csv")
    (done.folder / "results.csv").write_text("half a ta")
    again = runner.run("01", preset="smoke", progress=False)
    after = results.read(again.folder / "results.csv")
    assert not again.reused and again.folder == done.folder
    assert results.without_provenance(before).equals(results.without_provenance(after))
    assert [p.name for p in done.folder.parent.iterdir()] == [done.folder.name]


def test_a_relative_data_folder_is_the_caller_s(tiny, monkeypatch):
    (tiny / "here" / "set").mkdir(parents=True)
    (tiny / "here" / "set" / "a.bin").write_text("1")
    monkeypatch.chdir(tiny)
    monkeypatch.setenv("CCHKD_DATA", "here")
    check = "from cchkd_utils.paths import data_root; assert (data_root() / 'set').is_dir()"
    edit(tiny, "time.sleep(seconds)", check)
    runner.run("01", {"data": "real"}, preset="smoke", progress=False)


def test_without_git_the_run_is_filed_all_the_same(tiny, monkeypatch):
    monkeypatch.setenv("PATH", str(tiny))
    assert runner.run("01", preset="smoke", progress=False).record["git_sha"] == "unknown"


def test_the_same_run_filed_twice_at_once_is_there_once(tiny):
    place = tiny / "x" / "abc"
    for _ in range(2):
        with folders.workplace(place) as part:
            (part / "results.csv").write_text("1")
            folders.file_run(part, place, {"hash": "abc"})
        assert folders.finished(place)
    assert [p.name for p in place.parent.iterdir()] == ["abc"]


def test_ctrl_c_leaves_nothing_and_no_traceback(tiny):
    words = ["run", "01", "-p", "seconds=20", "-p", f"marker={tiny / 'marker'}"]
    start = CALL.partition("runner.run")[0].format(notebooks=str(paths.NOTEBOOKS))
    ready = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{ready}\n{start}from cchkd_utils import cli; raise SystemExit(cli.main({words!r}))"
    process = subprocess.Popen(
        [sys.executable, "-c", code], start_new_session=True, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not (tiny / "marker").exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "stopped; finished runs are kept" in err and "Traceback" not in err
    assert list((paths.runs_root() / "01_tiny").iterdir()) == []


@pytest.mark.parametrize("name", ["1", "01", "tiny", "01_tiny"])
def test_a_notebook_is_found_by_number_or_name(tiny, name):
    assert runner.find_notebook(name) == paths.NOTEBOOKS / "01_tiny.ipynb"


def test_a_path_must_be_the_notebook_itself_not_one_of_the_same_name(tiny):
    own = paths.NOTEBOOKS / "01_tiny.ipynb"
    assert runner.find_notebook(str(own)) == own
    (tiny / "01_tiny.ipynb").write_text(own.read_text())
    with pytest.raises(runner.ParameterError, match="there is no notebook"):
        runner.find_notebook(str(tiny / "01_tiny.ipynb"))


@pytest.mark.parametrize(
    "text", ["", "presets: {smoke: }", "presets: {smoke: {01_tiny: [1]}}", "{"]
)
def test_malformed_presets_are_one_line(tiny, text):
    paths.PRESETS.write_text(text)
    with pytest.raises(runner.ParameterError, match=r"presets\.yml is malformed") as caught:
        runner.run("01", preset="smoke", progress=False)
    assert "\n" not in str(caught.value)
