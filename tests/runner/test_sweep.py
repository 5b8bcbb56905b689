import io
import json
import re
import time
from pathlib import Path

import pandas as pd
import pytest

from cchkd_utils import paths, results, runner
from cchkd_utils.book import cli
from cchkd_utils.runner import cluster
from cchkd_utils.runner.sweep import Progress, clock, setting


def test_a_sweep_joins_its_points_reports_failures_and_resumes(tiny, capsys):
    words = ["sweep", "01", "--preset", "smoke", "-p", "lam=0.2,0.5"]
    assert cli.main([*words, "-p", "fail=,broken", "--workers", "2"]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == "2 done, 0 reused, 2 failed"
    assert err.count("RuntimeError: broken (notebook kept: ") == 2
    progress = [line for line in err.splitlines() if line.startswith("[")]
    assert ["per minute, " in line for line in progress] == [False] * 3 + [True]
    assert sum(bool(re.search(r"/4 done in \d+\.\d s: lam=", line)) for line in progress) == 2
    folder = paths.runs_root() / "01_tiny" / "sweeps"
    (failures,) = folder.glob("*/failures.json")
    first, second = json.loads(failures.read_text())
    assert first["parameters"] == {"lam": [0.2], "fail": "broken"}
    assert "RuntimeError: broken" in first["error"] and second["parameters"]["lam"] == [0.5]
    assert "broken" in Path(first["notebook"]).read_text()

    assert cli.main(words) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[-1] == "0 done, 2 reused, 0 failed"
    place = out[-2].rpartition(": ")[2]
    table = results.read(place + "/results.csv")
    assert table["lam"].tolist() == [0.2, 0.5] and table["hash"].nunique() == 2
    assert results.check(pd.read_parquet(place + "/results.parquet")).equals(table)


def test_when_every_point_fails_that_is_recorded_too(tiny, capsys):
    assert cli.main(["sweep", "01", "-p", "fail=a,b,c,d,e,f,g", "--workers", "1"]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines() == ["0 done, 0 reused, 7 failed"]
    shown = [line for line in err.splitlines() if line.startswith("cchkd: ")]
    assert len(shown) == 7 and shown[-2] == "cchkd: and 2 more failed"
    place = Path(shown[-1].partition("all failures: ")[2])
    assert [failure["parameters"]["fail"] for failure in json.loads(place.read_text())] == [
        *"abcdefg"
    ]


def test_a_swept_parameter_that_is_no_column_becomes_one(tiny):
    grid = {"quick": "true,false", "data": ["embedded"], "lam": "[0.2,0.5],0.7"}
    done = runner.sweep("01", grid, preset="smoke")
    table = pd.read_parquet(done.folder / "results.parquet")
    assert table.groupby("quick").size().to_dict() == {True: 3, False: 3}
    assert table["lam"].tolist() == [0.2, 0.5, 0.7] * 2  # the table's own column stays
    verdicts = pd.read_csv(done.folder / "verdicts.csv")
    assert verdicts["lam"].tolist() == ["[0.2,0.5]", "0.7"] * 2


def test_a_swept_parameter_whose_column_says_something_else_is_told_apart(tiny):
    """The rows of `seed` and `gap` are not those of the point."""
    path = paths.NOTEBOOKS / "01_tiny.ipynb"
    extra = "seed: int = 0  # base; in [0, 9]\\ngap: float = 0.3  # true one; in [0, 1]\\n"
    text = path.read_text().replace("marker: str", extra.replace('"', '\\"') + "marker: str")
    path.write_text(text.replace("seed=s", "seed=seed + s"))
    done = runner.sweep("01", {"seed": "0..1", "gap": "0.1,0.2", "n_seeds": [2]}, preset="smoke")
    table = results.read(done.folder / "results.csv", "results")
    verdicts = results.read(done.folder / "verdicts.csv", "verdicts")
    for frame in (table, verdicts):
        pairs = frame[["point_seed", "seed"]].drop_duplicates().to_numpy().tolist()
        assert pairs == [[0, 0], [0, 1], [1, 1], [1, 2]]
        assert sorted(frame["point_gap"].unique()) == [0.1, 0.2] and set(frame["n_seeds"]) == {2}
    assert "gap" not in table and verdicts["gap"].unique().tolist() == [0.1]


def copies(run, count):
    """File `run` again under other numbers of seeds, as so many runs would have."""
    plans = runner.plan_sweep("01", {"n_seeds": range(1, count + 1)}, preset="smoke")
    for plan in plans:
        plan.folder.mkdir(parents=True, exist_ok=True)
        for name in run.record["files"]:
            (plan.folder / name).write_bytes((run.folder / name).read_bytes())
        own = {"hash": plan.key, "parameters": plan.values, "changed": plan.given}
        (plan.folder / "run.json").write_text(json.dumps(run.record | own))


def test_a_thousand_runs_list_and_reload_in_two_seconds(tiny, capsys):
    """Of processor time, which other processes do not disturb; imports are not in it."""
    copies(runner.run("01", preset="smoke", progress=False), 1000)
    runner.sweep("01", {"n_seeds": "1..1000"}, preset="smoke")  # joins the tables, once
    start = time.process_time()
    assert cli.main(["results", "01"]) == 0
    listed = time.process_time()
    assert cli.main(["sweep", "01", "--preset", "smoke", "-p", "n_seeds=1..1000"]) == 0
    reloaded = time.process_time()
    out = capsys.readouterr().out.splitlines()
    assert "1000 runs, 1 sweeps" in out[-3] and out[-1] == "0 done, 1000 reused, 0 failed"
    print(f"listed in {listed - start:.2f} s, reloaded in {reloaded - listed:.2f} s")
    assert listed - start < 2 and reloaded - listed < 2


def test_results_filters_and_marks_runs_of_older_sources(tiny, capsys):
    copies(runner.run("01", preset="smoke", progress=False), 4)
    assert cli.main(["results", "01", "-p", "n_seeds=2..3"]) == 0
    out = capsys.readouterr().out
    assert "2 runs, 0 sweeps in " in out and "older" not in out
    assert sorted(re.findall(r"n_seeds=(\d)", out)) == ["2", "3"]
    assert cli.main(["results", "01", "--preset", "book"]) == 0
    assert "0 runs, 0 sweeps in " in capsys.readouterr().out
    assert cli.main(["results", "01", "-p", "sed=1"]) == 1
    assert "no parameter 'sed'" in capsys.readouterr().err
    runner.sweep("01", {"n_seeds": "1..2"}, preset="smoke")
    for value, count in (("2..4", 1), ("4", 0)):
        cli.main(["results", "01", "-p", f"n_seeds={value}"])
        assert f" runs, {count} sweeps in " in capsys.readouterr().out
    cli.main(["results", "01", "-p", "n_seeds=1"])  # the preset's own value is not repeated
    line, swept, _ = capsys.readouterr().out.splitlines()
    assert line.split()[-1] == "s" and swept.endswith("n_seeds=1,2")
    notebook = paths.NOTEBOOKS / "01_tiny.ipynb"
    notebook.write_text(notebook.read_text().replace("started", "begun"))
    cli.main(["results", "01"])
    assert capsys.readouterr().out.count("(older sources)") == 4


@pytest.mark.parametrize(
    "change", [{"parameters": None}, {"finished": 3}, {"seconds": "x"}, {"parts": []}, None]
)
def test_results_passes_over_records_that_it_cannot_read(tiny, capsys, change):
    done = runner.run("01", preset="smoke", progress=False)
    text = json.dumps(done.record | change) if change else "[]"
    (done.folder / "run.json").write_text(text)
    assert cli.main(["results", "01"]) == 0
    assert "0 runs, 0 sweeps in" in capsys.readouterr().out
    assert cli.main(["sweep", "01", "--preset", "smoke", "-p", "n_seeds=3", "--dry-run"]) == 0


def test_results_need_neither_a_recorded_table_nor_presets_that_fit(tiny, capsys):
    runner.run("01", preset="smoke", progress=False)
    presets = paths.PRESETS.read_text().replace("book: {}", "book: {01_tiny: {gone: 1}}")
    paths.PRESETS.write_text(f"{presets}reads: {{01_tiny: [no_such_table]}}\n")
    assert cli.main(["results", "01"]) == 0
    assert "(older sources)" in capsys.readouterr().out


def test_dry_run_says_what_is_there_and_how_long_the_rest_takes(tiny, capsys):
    words = ["sweep", "01", "--preset", "smoke", "-p", "n_seeds=1..9", "--dry-run"]
    before = sorted(tiny.rglob("*"))
    assert cli.main(words) == 0
    assert "9 points: 0 reused, 9 to run; no earlier run tells how long" in capsys.readouterr().out
    assert sorted(tiny.rglob("*")) == before
    done = runner.run("01", preset="smoke", progress=False)
    copies(done, 2)
    assert cli.main([*words, "--workers", "2"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "reused  n_seeds=1" and out[2] == "to run  n_seeds=3"
    about = f"about {runner.clock(4 * done.record['seconds'])}, 2 at a time"
    assert out[-1] == f"9 points: 2 reused, 7 to run; {about}"
    cli.main([*words, "--scheduler", "tcp://127.0.0.1:1"])
    about = f"about {runner.clock(7 * done.record['seconds'])}, if one by one"
    assert capsys.readouterr().out.splitlines()[-1].endswith(about)
    cli.main([*words, "-p", "preset=smoke,book"])  # no run at `book` tells of those
    assert "18 points: 2 reused, 16 to run; no earlier run tells" in capsys.readouterr().out


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_workers_are_a_number_and_not_beside_a_scheduler(tiny, capsys, dry):
    both = ["--workers", "2", "--scheduler", "tcp://127.0.0.1:1"]
    assert cli.main(["sweep", "01", "-p", "n_seeds=1..2", *both, *dry]) == 1
    assert "cchkd: a scheduler has its own workers" in capsys.readouterr().err
    for bad in (0, -1, 1.5, "2", True):
        with pytest.raises(runner.ParameterError, match="workers must be a whole number"):
            runner.sweep("01", {"n_seeds": "1..2"}, workers=bad)
    assert not paths.runs_root().exists()


def test_a_point_that_another_sweep_made_meanwhile_is_not_made_again(tiny, monkeypatch):
    done = runner.run("01", preset="smoke", progress=False)
    monkeypatch.delattr(cluster, "perform")
    made = cluster._work(runner.plan("01", preset="smoke"), [])
    assert made.record == done.record and not made.reused  # it was not there at the start


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.2, "0 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")],
)
def test_clock(seconds, shown):
    assert clock(seconds) == shown


def test_settings_are_written_as_they_are_typed():
    point = {"lam": [0.2], "blur": [0.0, 1.0], "quick": True, "data": "real"}
    assert setting(point) == "lam=0.2 blur=[0.0,1.0] quick=true data=real"


def test_a_log_gets_lines_and_a_terminal_one_line_that_renews_itself():
    log, terminal = io.StringIO(), Terminal()
    for stream in (log, terminal):
        progress = Progress(stream=stream)
        progress.add({"lam": [0.2]}, "done in 6.0 s", left=1)
        progress.add({"lam": [0.5]}, "failed", left=0)
    first, second = log.getvalue().splitlines()
    assert first.endswith("1/2 done in 6.0 s: lam=0.2") and "per minute, 0 s left)" in second
    assert "2/2 failed: lam=0.5" in second
    shown = terminal.getvalue()
    assert shown.count("\n") == 1 and shown.endswith("\n") and shown.count("\r\x1b[K") == 2


def test_the_time_left_is_that_of_warm_workers(monkeypatch):
    """Two workers: 20 s with imports for their first points, then 4 s for each."""
    now = iter([0.0, 20.0, 20.0, 24.0, 24.0])
    monkeypatch.setattr("time.monotonic", lambda: next(now))
    log = io.StringIO()
    progress = Progress(2, log)
    for ended in range(1, 5):
        progress.add({}, "done", left=10 - ended)
    *early, last = log.getvalue().splitlines()
    assert not any("left" in line for line in early)
    assert "(30 per minute, 12 s left)" in last
