import contextlib
import itertools
import json
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cchkd_utils import paths, runner
from cchkd_utils.runner import runs

HOLD = """
import sys, time
from pathlib import Path
from cchkd_utils.runner import runs
with runs.workplace(Path(sys.argv[1])) as part:
    print(part, flush=True)
    time.sleep(60)
"""


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A package of five files and a notebook that imports three of them, one indirectly."""
    files = {
        "cchkd_utils/__init__.py": "",
        "cchkd_utils/a.py": "from .b import thing\n",
        "cchkd_utils/b.py": "def f():\n    from cchkd_utils.sub import deep\n",
        "cchkd_utils/sub/__init__.py": "",
        "cchkd_utils/sub/deep.py": "from .. import c\n",
        "cchkd_utils/sub/other.py": "",
        "cchkd_utils/c.py": "import cchkd_utils.a\n",
        "cchkd_utils/unused.py": "",
        "requirements.lock": "numpy==2\n",
        "presets.yml": "presets: {}\n",
    }
    write(tmp_path, files)
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": "import cchkd_utils.unused"},
        {"cell_type": "code", "metadata": {}, "source": "%pip list\nfrom cchkd_utils import a"},
    ]
    notebook = tmp_path / "01_x.ipynb"
    notebook.write_text(json.dumps({"cells": cells}))
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(paths, "LOCK", tmp_path / "requirements.lock")
    monkeypatch.setattr(paths, "PRESETS", tmp_path / "presets.yml")
    monkeypatch.setenv("CCHKD_DATA", str(tmp_path / "data"))
    return notebook


def key(notebook, parameters=None, threads=1, data=None):
    parts = runs.sources(notebook, threads, data or {}, {})
    return runs.fingerprint(parts, parameters or {"lam": 1})


def test_modules_follow_imports_of_every_form_and_no_others(project):
    imported = [path.relative_to(paths.ROOT).as_posix() for path in runs.imports(project)[0]]
    assert imported == [
        "cchkd_utils/__init__.py",
        "cchkd_utils/a.py",
        "cchkd_utils/b.py",
        "cchkd_utils/c.py",
        "cchkd_utils/sub/__init__.py",
        "cchkd_utils/sub/deep.py",
    ]


@pytest.mark.parametrize(
    "name", ["cchkd_utils/c.py", "cchkd_utils/sub/deep.py", "requirements.lock"]
)
def test_a_changed_dependency_changes_the_hash(project, name):
    before = key(project)
    with (paths.ROOT / name).open("a") as file:
        file.write("# changed\n")
    assert key(project) != before


@pytest.mark.parametrize("name", ["cchkd_utils/unused.py", "cchkd_utils/sub/other.py"])
def test_a_file_the_notebook_does_not_use_leaves_the_hash(project, name):
    before = key(project)
    (paths.ROOT / name).write_text("x = 1\n")
    assert key(project) == before


def test_hash_depends_on_parameters_threads_and_source_but_not_on_outputs(project):
    before = key(project)
    assert key(project, {"lam": 2}) != before
    assert key(project, threads=2) != before
    content = json.loads(project.read_text())
    content["cells"][1]["outputs"] = [{"text": "42"}]
    project.write_text(json.dumps(content))
    assert key(project) == before
    content["cells"][1]["source"] += "\nx = 1"
    project.write_text(json.dumps(content))
    assert key(project) != before


def test_hash_depends_on_the_content_of_the_data_not_on_its_date(project):
    write(paths.data_root(), {"set/a.bin": "1", "set/b.bin": "2"})
    find = lambda: runs.data_files(["set/*.bin"])  # noqa: E731
    assert list(find()) == ["set/a.bin", "set/b.bin"]
    before = key(project, data=find())
    write(paths.data_root(), {"set/b.bin": "2"})
    assert key(project, data=find()) == before
    write(paths.data_root(), {"set/b.bin": "3"})
    assert key(project, data=find()) != before


def test_files_of_an_installed_package_count_and_need_not_be_there(project, tmp_path, monkeypatch):
    find = lambda: runs.data_files(["a_data_package:sets/*.csv"])  # noqa: E731
    assert find() == {}
    monkeypatch.syspath_prepend(tmp_path / "site")
    write(tmp_path / "site" / "a_data_package", {"__init__.py": "1 / 0", "sets/a.csv": "1"})
    (name,) = find()
    assert name == "a_data_package:sets/a.csv"
    assert paths.data_file(name, paths.data_root()) == find()[name]
    before = key(project, data=find())
    write(tmp_path / "site" / "a_data_package", {"sets/a.csv": "2"})
    assert key(project, data=find()) != before


def test_missing_data_say_what_where_and_what_to_do(project):
    with pytest.raises(FileNotFoundError, match=r"set/\*\.bin.*CCHKD_DATA"):
        runs.data_files(["set/*.bin"])


def test_no_module_imports_by_name_behind_the_hash_s_back():
    """`importlib.import_module` would hide a dependency from the hash."""
    package = paths.ROOT / "cchkd_utils"
    files = [p for p in package.rglob("*.py") if p.parent.name != "runner"]  # no notebook uses it
    guilty = [p.name for p in files if re.search(r"(import_module|__import__)\(", p.read_text())]
    assert guilty == []


def test_recorded_tables_count_where_they_are_declared(project, tmp_path, monkeypatch):
    folder = tmp_path / "book" / "results"
    names = ["digits.csv", "digits_verdicts.csv", "digits_old.csv", "other.csv", "deep.csv"]
    write(folder, dict.fromkeys(names, "a,b\n"))
    monkeypatch.setattr(paths, "RECORDED", folder)
    assert runs.recorded_files("01_x") == []
    undeclared = key(project)
    paths.PRESETS.write_text("presets: {}\nreads: {01_x: [digits, deep], 02_y: [other]}\n")
    assert [path.name for path in runs.recorded_files("01_x")] == [
        "digits.csv", "digits_verdicts.csv", "deep.csv"
    ]  # fmt: skip
    before = key(project)
    assert before != undeclared
    write(folder, {"other.csv": "a,b\n1,2\n", "digits_old.csv": "a,b\n1,2\n"})
    assert key(project) == before
    write(folder, {"digits_verdicts.csv": "a,b\n1,2\n"})
    assert key(project) != before
    (folder / "deep.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"01_x reads .*deep\.csv, which is not there"):
        runs.recorded_files("01_x")


def test_an_edit_changes_exactly_the_runs_that_depend_on_it(project):
    second = project.with_name("02_y.ipynb")
    cell = {"cell_type": "code", "metadata": {}, "source": "import cchkd_utils.unused as u"}
    second.write_text(json.dumps({"cells": [cell]}))
    both = {"01": project, "02": second}
    depend = {
        "a.py": {"01"}, "b.py": {"01"}, "c.py": {"01"}, "sub/__init__.py": {"01"},
        "sub/deep.py": {"01"}, "sub/other.py": set(), "unused.py": {"02"},
        "__init__.py": {"01", "02"},
    }  # fmt: skip
    for name, wanted in depend.items():
        before = {number: key(notebook) for number, notebook in both.items()}
        with (paths.ROOT / "cchkd_utils" / name).open("a") as file:
            file.write("# changed\n")
        changed = {number for number, notebook in both.items() if key(notebook) != before[number]}
        assert changed == wanted, name


def test_libraries_are_the_modules_of_others(project):
    (paths.ROOT / "cchkd_utils" / "c.py").write_text("from scipy.stats import t\nimport os\n")
    assert runs.imports(project)[1] == ["os", "scipy", "scipy.stats", "scipy.stats.t"]


def file(place, text="a,b", **options):
    with runs.workplace(place) as part:
        (part / "results.csv").write_text(text)
        return runs.file_run(part, place, {"hash": place.name}, **options)


@pytest.mark.parametrize("name", ["run.json", "results.csv"])
@pytest.mark.parametrize("content", ["", "{}", "[]", '{"a', None])
def test_a_damaged_run_is_not_taken_for_a_whole_one(tmp_path, name, content):
    place = tmp_path / "abc"
    file(place)
    assert runs.finished(place)["files"].keys() == {"results.csv"}
    (place / name).write_text(content or "")
    if content is None:
        (place / name).unlink()
    assert runs.finished(place) is None


@pytest.mark.parametrize("name", ["../other/results.csv", "/dev/zero", "zero"])
def test_a_record_that_names_what_is_not_of_the_run_is_damaged(tmp_path, name):
    """Nor is a file read that never ends."""
    place = tmp_path / "abc"
    file(place)
    file(tmp_path / "other")
    (place / "zero").symlink_to("/dev/zero")
    record = (place / "run.json").read_text()
    (place / "run.json").write_text(record.replace('"results.csv"', f'"{name}"'))
    assert runs.finished(place) is None


def test_a_run_may_have_folders(tmp_path):
    place = tmp_path / "abc"
    with runs.workplace(place) as part:
        (part / "figures").mkdir()
        (part / "figures" / "a.png").write_text("1")
        runs.file_run(part, place, {"hash": "abc"})
    assert runs.finished(place)["files"].keys() == {"figures/a.png"}
    (place / "figures" / "a.png").write_text("2")
    assert runs.finished(place) is None


def test_a_run_that_is_there_stays_unless_it_is_to_be_replaced(tmp_path):
    place = tmp_path / "x" / "abc"
    first = file(place, "1")
    assert file(place, "2") == first and (place / "results.csv").read_text() == "1"
    assert file(place, "2", replace=True) != first
    assert (place / "results.csv").read_text() == "2" and runs.finished(place)
    (place / "results.csv").write_text("half")
    file(place, "3")
    assert runs.finished(place) and (place / "results.csv").read_text() == "3"
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
    assert runs.finished(place) and (place / "results.csv").read_text() == "1"


def test_the_workplace_of_the_living_stays_and_that_of_the_killed_goes(tiny):
    """Whatever its name: machines that share the folder may share their names too."""
    folder = paths.runs_root() / "01_tiny"
    words = [sys.executable, "-c", HOLD, str(folder / "abc")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        part = Path(process.stdout.readline().strip())
        (folder / ".part-12 (conflicted copy)").mkdir()
        runner.run("01", preset="smoke", progress=False)
        runs.clear_killed(folder)
        assert part.is_dir()
        process.send_signal(signal.SIGKILL)
    runs.clear_killed(folder)
    assert not part.exists()


def test_a_workplace_goes_although_its_kernel_still_writes(tmp_path):
    part = tmp_path / f"{runs.PART}abc"
    (part / "a").mkdir(parents=True)
    (part / runs.LOCK).touch()
    ends = time.monotonic() + 0.5

    def write():
        for i in itertools.count():
            if time.monotonic() > ends:
                return
            with contextlib.suppress(OSError):
                (part / f"{i}").touch()
                (part / "a").mkdir(exist_ok=True)
                (part / "a" / f"{i}").touch()

    writer = threading.Thread(target=write)
    writer.start()
    runs.clear_killed(tmp_path)
    writer.join()
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "runs").write_text("a file, no folder")
    workplace = runs.workplace(tmp_path / "runs" / "01" / "abc")
    with pytest.raises(OSError, match=r"runs/01 cannot be written \(.*\); set CCHKD_RUNS"):
        workplace.__enter__()


def test_a_failed_run_without_a_notebook_is_not_kept(tmp_path):
    with runs.workplace(tmp_path / "abc") as part:
        assert runs.keep_failed(part, tmp_path / "abc") is None
        (part / "notebook.ipynb").write_text("{}")
        kept = runs.keep_failed(part, tmp_path / "abc")
    assert kept.read_text() == "{}" and kept == runs.failed_notebook(tmp_path / "abc")
