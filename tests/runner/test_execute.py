import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cchkd_utils import paths, results, runner
from cchkd_utils.runner import execute

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
    changed = runner.run("01", {"lam": 0.7}, preset="smoke", progress=False)
    assert changed.folder != done.folder
    assert results.read(changed.folder / "results.csv")["lam"].tolist() == [0.7]


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


def test_the_kept_notebook_goes_when_the_same_run_succeeds(tiny):
    marker = tiny / "folder" / "seen"  # cannot be touched before its folder is there
    with pytest.raises(runner.RunError) as caught:
        runner.run("01", {"marker": str(marker)}, preset="smoke", progress=False)
    kept = Path(str(caught.value).rpartition("kept: ")[2].rstrip(")"))
    assert kept.is_file()
    marker.parent.mkdir()
    runner.run("01", {"marker": str(marker)}, preset="smoke", progress=False)
    assert marker.is_file() and not kept.exists()


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
    first = [
        results.read(*table).drop(columns=results.VOLATILE, errors="ignore") for table in tables
    ]
    unbroken = runner.run("01", given, preset="smoke", force=True, progress=False)
    assert unbroken.folder == resumed.folder
    second = [
        results.read(*table).drop(columns=results.VOLATILE, errors="ignore") for table in tables
    ]
    assert all(a.equals(b) for a, b in zip(first, second))


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


def test_a_damaged_run_is_made_again(tiny):
    done = runner.run("01", preset="smoke", progress=False)
    before = results.read(done.folder / "results.csv")
    (done.folder / "results.csv").write_text("half a ta")
    again = runner.run("01", preset="smoke", progress=False)
    after = results.read(again.folder / "results.csv")
    assert not again.reused and again.folder == done.folder
    before, after = (t.drop(columns=results.PROVENANCE) for t in (before, after))
    assert before.equals(after)
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


def test_ctrl_c_leaves_nothing_and_no_traceback(tiny):
    words = ["run", "01", "-p", "seconds=20", "-p", f"marker={tiny / 'marker'}"]
    start = CALL.partition("runner.run")[0].format(notebooks=str(paths.NOTEBOOKS))
    ready = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = (
        f"{ready}\n{start}from cchkd_utils.book import cli; raise SystemExit(cli.main({words!r}))"
    )
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


def test_what_changed_since_the_plan_or_during_the_run_is_not_filed(tiny):
    planned = runner.plan("01", preset="smoke")
    path = paths.NOTEBOOKS / "01_tiny.ipynb"
    own = path.read_text()
    edit(tiny, "0.1 * l", "0.2 * l")
    with pytest.raises(runner.RunError, match=r"01_tiny: the sources or data changed"):
        execute.perform(planned)
    path.write_text(own)
    change = f"p = Path({str(path)!r}); p.write_text(p.read_text() + ' ')"
    edit(tiny, "time.sleep(seconds)", change)
    runner.run("01", preset="smoke", progress=False)  # a blank is no change of the source
    edit(tiny, "+ ' '", ".replace('started', 'begun')")
    with pytest.raises(runner.RunError, match=r"the sources or data changed.*notebook kept"):
        runner.run("01", preset="smoke", progress=False)
    path.write_text("{")
    assert not planned.is_current()


def test_the_kernel_reads_these_sources_and_no_start_up_files(tiny, monkeypatch):
    elsewhere = tiny / "elsewhere"
    (elsewhere / "cchkd_utils").mkdir(parents=True)
    (elsewhere / "cchkd_utils" / "__init__.py").write_text("raise SystemExit('another')")
    (tiny / "start.py").write_text("started_by = 'the user'")
    profile = tiny / "ipython" / "profile_default" / "startup"
    profile.mkdir(parents=True)
    (profile / "own.py").write_text("started_by = 'the user'")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(elsewhere), "relative"]))
    monkeypatch.setenv("PYTHONSTARTUP", str(tiny / "start.py"))
    monkeypatch.setenv("IPYTHONDIR", str(tiny / "ipython"))
    check = "import cchkd_utils; assert 'started_by' not in globals(); Path(marker).write_text("
    edit(tiny, "time.sleep(seconds)", f"{check}cchkd_utils.__file__)")
    done = runner.run("01", {"marker": str(tiny / "seen")}, preset="smoke", progress=False)
    assert (tiny / "seen").read_text() == str(paths.ROOT / "cchkd_utils" / "__init__.py")
    assert not list(done.folder.glob(".*"))


def test_a_notebook_may_make_folders(tiny):
    edit(tiny, "time.sleep(seconds)", "Path('figures').mkdir(); Path('figures/a').touch()")
    done = runner.run("01", preset="smoke", progress=False)
    assert "figures/a" in done.record["files"] and runner.run("01", preset="smoke").reused


def test_a_kernel_that_does_not_start_is_a_kernel_error(tiny, monkeypatch):
    def environment(planned, part):
        return {"CCHKD_RUN_FOLDER": str(part), "PYTHONHOME": "/nowhere"}

    monkeypatch.setattr(execute, "_environment", environment)
    with pytest.raises(runner.KernelError, match="01_tiny: the kernel did not start: ") as caught:
        runner.run("01", preset="smoke", progress=False)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("old", ["time.sleep(seconds)", "seconds: float"])
def test_a_notebook_that_is_no_python_is_one_line(tiny, old):
    edit(tiny, old, f"here( {old}")
    with pytest.raises(runner.ParameterError, match="is not Python: ") as caught:
        runner.run("01", preset="smoke", progress=False)
    assert "\n" not in str(caught.value) and not paths.runs_root().exists()


def test_threads_run_one_after_the_other(tiny):
    start, _, _ = CALL.format(notebooks=str(paths.NOTEBOOKS), given={}).rpartition("runner.run")
    code = f"""{start}
from concurrent.futures import ThreadPoolExecutor
def run(count):
    return runner.run("01", {{"n_seeds": count}}, preset="smoke", progress=False)
print([done.record["parameters"]["n_seeds"] for done in ThreadPoolExecutor(2).map(run, [1, 2])])
"""
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=90)
    assert made.stdout == "[1, 2]\n", made.stderr


@pytest.mark.parametrize(
    ("chosen", "seen"),
    [("0,1", ["0", "1"]), (" 2 ", ["2"]), ("", []), ("-1", []), ("0,-1,1", ["0"]),
     ("NoDevFiles", []), ("GPU-8a,MIG-1/2", ["GPU-8a", "MIG-1/2"])],
)  # fmt: skip
def test_gpus_are_those_that_cuda_would_see(monkeypatch, chosen, seen):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert execute.visible_gpus() == seen


def test_the_commit_of_a_repository_around_the_sources_is_not_theirs(tmp_path, monkeypatch):
    inside = tmp_path / "cchkd-main"
    inside.mkdir()
    monkeypatch.setattr(paths, "ROOT", inside)
    who = ["-c", "user.email=a@b", "-c", "user.name=x"]
    for words in (["init", "-q"], [*who, "commit", "-q", "--allow-empty", "-m", "other"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    assert execute.git_sha() == "unknown"
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    assert re.fullmatch("[0-9a-f]{10}", execute.git_sha())


@pytest.mark.parametrize("error", [
    OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    runner.RunError(f"cell 3: OSError: [Errno 28] {os.strerror(errno.ENOSPC)}"),
])  # fmt: skip
def test_a_full_disk_is_named_and_nothing_is_kept(tiny, monkeypatch, error):
    def fill(planned, part, *_):
        (part / "notebook.ipynb").write_text("{}")
        raise error

    monkeypatch.setattr(execute, "_execute", fill)
    with pytest.raises(runner.RunError, match=r"no space left .*; nothing of this run is kept"):
        runner.run("01", preset="smoke", progress=False)
    assert not [path for path in paths.runs_root().rglob("*") if path.is_file()]
