"""The pages "Run it again" and "Show a sweep": what they print is what can be typed."""

import re
import shlex
import subprocess
import sys

import pytest

from cchkd_utils import paths, results, runner
from cchkd_utils.book import cli
from cchkd_utils.runner.parameters import read_grid

pytestmark = pytest.mark.slow

PAGES = [paths.ROOT / "book" / name for name in ("rerun.md", "sweep.md")]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
BLOCKS = re.findall(r"^```console\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)
COMMANDS = [
    shlex.split(line[2:], comments=True)
    for block in BLOCKS
    for line in block.splitlines()
    if line.startswith("$ ")
]


def commands(*start):
    return [words for words in COMMANDS if words[: len(start)] == [*start]]


def given(words):
    return cli._parser().parse_args(words[1:])


def test_every_block_has_commands_that_are_known():
    assert {words[0] for words in COMMANDS} == {
        "make", "source", "cchkd", "dask", "papermill", "export"
    }  # fmt: skip
    made = re.findall(r"^([a-z]+):.*##", (paths.ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert {words[1] for words in commands("make")} <= set(made)


@pytest.mark.parametrize("words", commands("cchkd", "run"), ids=" ".join)
def test_runs_would_start(words, real_data, monkeypatch):
    monkeypatch.setenv("CCHKD_DATA", str(real_data))
    arguments = given(words)
    pairs = cli._pairs(arguments.given)
    if "lamda" not in pairs:
        runner.plan(arguments.notebook, pairs, preset=arguments.preset)
        return
    with pytest.raises(runner.ParameterError) as caught:
        runner.plan(arguments.notebook, pairs)
    shown = re.search(r"^cchkd: (01_synthetic: no parameter 'lamda'.*?)\.\.\.", TEXT, re.MULTILINE)
    assert str(caught.value).startswith(shown[1])


def points(words, folder):
    arguments = given(words)
    grid = cli._pairs(arguments.given)
    if arguments.grid:
        (yaml,) = re.findall(r"^```yaml\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)
        (folder / arguments.grid).write_text(yaml)
        grid = read_grid(folder / arguments.grid)
    return len(runner.plan_sweep(arguments.notebook, grid, preset=arguments.preset))


def test_sweeps_would_start_with_as_many_points_as_the_page_says(tmp_path):
    counts = {" ".join(words): points(words, tmp_path) for words in commands("cchkd", "sweep")}
    assert "this runs the notebook ten times" in TEXT
    assert sorted(counts.values()) == [6, 10, 10, 10, 30]
    table = re.findall(r"^\| `(\w+)=(\S+)` \| (\w+)(?: points)?", TEXT, flags=re.MULTILINE)
    numbers = {"two": 2, "ten": 10, "a": 9}
    assert len(table) == 5
    for name, typed, count in table:
        notebook = "02" if name == "blur" else "01"
        assert len(runner.plan_sweep(notebook, {name: typed})) == numbers[count], typed


def test_lists_and_filters_are_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CCHKD_RUNS", str(tmp_path))
    for words in commands("cchkd", "list") + commands("cchkd", "results"):
        assert cli.main(words[1:]) == 0
    assert "0 runs, 0 sweeps in" in capsys.readouterr().out


def test_papermill_runs_a_notebook_and_its_tables_lie_where_the_page_says(tmp_path):
    describe, execute = commands("papermill")
    for words in (describe, execute):
        words = [word.replace("notebooks/", f"{paths.NOTEBOOKS}/") for word in words]
        done = subprocess.run(
            [sys.executable, "-m", *words], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    assert "`.runs/by-hand/`" in TEXT
    table = results.read(tmp_path / ".runs" / "by-hand" / "01_synthetic" / "results.csv")
    assert table["seed"].nunique() == 2 and table["knob"].nunique() == 2


@pytest.mark.parametrize("words", commands("dask"), ids=" ".join)
def test_dask_s_own_commands_know_the_options(words):
    """That they serve a sweep is in tests/runner/test_cluster.py."""
    start = [sys.executable, "-m", "dask", words[1], "--help"]
    known = subprocess.run(start, capture_output=True, text=True, check=True).stdout
    assert all(option in known for option in words if option.startswith("--"))
