import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cchkd_utils import paths, runner
from cchkd_utils.runner import folders

HOLD = """
import sys, time
from pathlib import Path
from cchkd_utils.runner import folders
with folders.workplace(Path(sys.argv[1])) as part:
    print(part, flush=True)
    time.sleep(60)
"""


def file(place, text="a,b", **options):
    with folders.workplace(place) as part:
        (part / "results.csv").write_text(text)
        return folders.file_run(part, place, {"hash": place.name}, **options)


@pytest.mark.parametrize("name", ["run.json", "results.csv"])
@pytest.mark.parametrize("content", ["", "{}", "[]", '{"a', None])
def test_a_damaged_run_is_not_taken_for_a_whole_one(tmp_path, name, content):
    place = tmp_path / "abc"
    file(place)
    assert folders.finished(place)["files"].keys() == {"results.csv"}
    (place / name).write_text(content or "")
    if content is None:
        (place / name).unlink()
    assert folders.finished(place) is None


@pytest.mark.parametrize("name", ["../other/results.csv", "/dev/zero", "zero"])
def test_a_record_that_names_what_is_not_of_the_run_is_damaged(tmp_path, name):
    """Nor is a file read that never ends."""
    place = tmp_path / "abc"
    file(place)
    file(tmp_path / "other")
    (place / "zero").symlink_to("/dev/zero")
    record = (place / "run.json").read_text()
    (place / "run.json").write_text(record.replace('"results.csv"', f'"{name}"'))
    assert folders.finished(place) is None


def test_a_run_may_have_folders(tmp_path):
    place = tmp_path / "abc"
    with folders.workplace(place) as part:
        (part / "figures").mkdir()
        (part / "figures" / "a.png").write_text("1")
        folders.file_run(part, place, {"hash": "abc"})
    assert folders.finished(place)["files"].keys() == {"figures/a.png"}
    (place / "figures" / "a.png").write_text("2")
    assert folders.finished(place) is None


def test_a_run_that_is_there_stays_unless_it_is_to_be_replaced(tmp_path):
    place = tmp_path / "x" / "abc"
    first = file(place, "1")
    assert file(place, "2") == first and (place / "results.csv").read_text() == "1"
    assert file(place, "2", replace=True) != first
    assert (place / "results.csv").read_text() == "2" and folders.finished(place)
    (place / "results.csv").write_text("half")
    file(place, "3")
    assert folders.finished(place) and (place / "results.csv").read_text() == "3"
    assert [p.name for p in place.parent.iterdir()] == ["abc"]


def test_a_run_that_cannot_be_replaced_is_not_lost(tmp_path, monkeypatch):
    place = tmp_path / "abc"
    file(place, "1")
    rename = Path.rename

    def full(self, target):
        if target == place and not self.name.endswith("-old"):
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(OSError, match="No space left"):
        file(place, "2", replace=True)
    assert folders.finished(place) and (place / "results.csv").read_text() == "1"


def test_the_workplace_of_the_living_stays_and_that_of_the_killed_goes(tiny):
    """Whatever its name: machines that share the folder may share their names too."""
    runs = paths.runs_root() / "01_tiny"
    words = [sys.executable, "-c", HOLD, str(runs / "abc")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        part = Path(process.stdout.readline().strip())
        (runs / ".part-12 (conflicted copy)").mkdir()
        runner.run("01", preset="smoke", progress=False)
        folders.clear(runs)
        assert part.is_dir()
        process.send_signal(signal.SIGKILL)
    folders.clear(runs)
    assert not part.exists()


def test_a_failed_run_without_a_notebook_is_not_kept(tmp_path):
    with folders.workplace(tmp_path / "abc") as part:
        assert folders.keep_failed(part, tmp_path / "abc") is None
        (part / "notebook.ipynb").write_text("{}")
        kept = folders.keep_failed(part, tmp_path / "abc")
    assert kept.read_text() == "{}" and kept == folders.failed(tmp_path / "abc")
