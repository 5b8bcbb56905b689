import pytest

from cchkd_utils import cli, paths, results, runner
from cchkd_utils.runner.many import grid_points


def test_a_grid_has_every_combination_once(tiny):
    points = grid_points("01", {"lam": "0.2,0.5", "n_seeds": "1..3"})
    expected = [{"lam": [lam], "n_seeds": n} for lam in (0.2, 0.5) for n in (1, 2, 3)]
    assert points == expected
    assert grid_points("01", {"lam": [0.2, [0.2, 0.5]]}) == [{"lam": [0.2]}, {"lam": [0.2, 0.5]}]
    assert grid_points("01", {}) == [{}]


@pytest.mark.parametrize(
    ("grid", "says"),
    [
        ({"lam": ""}, "lam must be a number"),
        ({"lam": []}, "no value"),
        ({"lam": "0.2,abc"}, "lam must be a number"),
        ({"n_seeds": "3..1"}, "not a range"),
        ({"n_seeds": "0..2"}, "out of range"),
        ({"sed": "1,2"}, "no parameter 'sed'"),
        ({"lam": "0.5,0.50"}, "names one point twice"),
        ({"n_seeds": "1..3,2"}, "names one point twice"),
    ],
)
def test_a_bad_point_is_refused_before_anything_starts(tiny, grid, says):
    with pytest.raises(runner.ParameterError, match=says):
        runner.sweep("01", grid)
    assert not paths.runs_root().exists()


def test_a_sweep_joins_its_points_reports_failures_and_resumes(tiny, capsys):
    words = ["sweep", "01", "--preset", "smoke", "-p", "lam=0.2,0.5"]
    assert cli.main([*words, "-p", "fail=,broken", "--workers", "2"]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == "2 done, 0 reused, 2 failed"
    assert err.count("RuntimeError: broken (notebook kept: ") == 2
    assert cli.main(words) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[-1] == "0 done, 2 reused, 0 failed"
    table = results.read(out[-2].rpartition(": ")[2] + "/results.csv")
    assert table["lam"].tolist() == [0.2, 0.5] and table["hash"].nunique() == 2


def test_a_swept_parameter_that_is_no_column_becomes_one(tiny):
    done = runner.sweep("01", {"quick": "true,false"}, preset="smoke")
    table = results.read(done.folder / "results.csv")
    assert table.groupby("quick").size().tolist() == [2, 2]


def test_a_killed_worker_is_an_error_that_says_so(tiny):
    path = paths.NOTEBOOKS / "01_tiny.ipynb"
    kill = "import os, signal; os.kill(os.getppid(), signal.SIGKILL)"
    path.write_text(path.read_text().replace("if fail:\\n    raise RuntimeError(fail)", kill))
    (outcome,) = runner.run_many([runner.Job("01", {}, "smoke")])
    assert isinstance(outcome, runner.RunError) and "worker died" in str(outcome)
