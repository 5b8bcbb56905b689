import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from cchkd_utils import paths, runner
from cchkd_utils.book import cli
from cchkd_utils.runner.parameters import grid_points, read_grid

pytestmark = pytest.mark.slow


def test_a_grid_has_every_combination_once(tiny):
    points = grid_points("01", {"lam": "0.2,0.5", "n_seeds": "1..3"})
    expected = [{"lam": [lam], "n_seeds": n} for lam in (0.2, 0.5) for n in (1, 2, 3)]
    assert points == expected
    assert grid_points("01", {"lam": [0.2, [0.2, 0.5]]}) == [{"lam": [0.2]}, {"lam": [0.2, 0.5]}]
    assert grid_points("01", {}) == [{}]


@pytest.mark.parametrize(
    ("typed", "points"),
    [
        ("[0.2,0.5]", [[0.2, 0.5]]),  # one point: a list
        ("0,[0.2, 0.5],1", [[0.0], [0.2, 0.5], [1.0]]),
        ("0..1..0.25", [[0.0], [0.25], [0.5], [0.75], [1.0]]),
        ("0.1..0.4..0.1", [[0.1], [0.2], [0.3], [0.4]]),  # decimals, not binary fractions
        ("0..1..0.4", [[0.0], [0.4], [0.8]]),
        ("0..2,5", [[0.0], [1.0], [2.0], [5.0]]),
        ("1e-3..3e-3..1e-3", [[0.001], [0.002], [0.003]]),
        (np.linspace(0, 1, 3), [[0.0], [0.5], [1.0]]),
        (np.array([[0, 1], [2, 3]]), [[0.0, 1.0], [2.0, 3.0]]),
        (np.float64(0.5), [[0.5]]),
        (pd.Series([1, 2]), [[1.0], [2.0]]),
        ((x / 2 for x in range(2)), [[0.0], [0.5]]),
        (["0..2", [3, 4]], [[0.0], [1.0], [2.0], [3.0, 4.0]]),
    ],
)
def test_what_is_typed_becomes_points(tiny, typed, points):
    assert [point["lam"] for point in grid_points("01", {"lam": typed})] == points


@pytest.mark.parametrize(
    ("grid", "says"),
    [
        ({"lam": ""}, "lam must be a number"),
        ({"lam": []}, "no value"),
        ({"lam": "0.2,abc"}, "lam must be a number"),
        ({"lam": "[0.2,0.5"}, "lam must be a number"),
        ({"n_seeds": "3..1"}, "3..1 is empty: 3 is above 1"),
        ({"n_seeds": "1..3..0"}, "does not end: its step must be above zero"),
        ({"n_seeds": "0-4"}, "a range is written 0..4"),
        ({"n_seeds": {1, 2}}, "n_seeds must be a whole number"),
        ({"n_seeds": "1..1e300"}, "1..1e300 has more than 100000 values"),
        ({"n_seeds": "1..3..0.5"}, "n_seeds must be a whole number"),
        ({"lam": "0..1..0.000001"}, "more than 100000 values"),
        ({"n_seeds": "0..2"}, "out of range"),
        ({"sed": "1,2"}, "no parameter 'sed'"),
        ({"lam": "0.5,0.50"}, "names one point twice"),
        ({"n_seeds": "1..3,2"}, "names one point twice"),
        ({"n_seeds": "1..1000", "lam": "0..200"}, "201000 points; at most 100000"),
    ],
)
def test_a_bad_point_is_refused_before_anything_starts(tiny, grid, says):
    with pytest.raises(runner.ParameterError, match=says) as caught:
        runner.sweep("01", grid)
    assert "\n" not in str(caught.value)
    assert not paths.runs_root().exists()


def test_a_grid_comes_from_a_file(tiny):
    file = tiny / "grid.yml"
    file.write_text("lam: [0.2, [0.2, 0.5], 1e-3]\nn_seeds: 1..2\nquick: [true, false]\n")
    points = grid_points("01", read_grid(file))
    assert len(points) == 12
    assert points[-1] == {"lam": [0.001], "n_seeds": 2, "quick": False}
    file.write_text("lam: 0.2\nn_seeds: 1\nlam: 0.5\n")
    with pytest.raises(runner.ParameterError, match="lam is there twice"):
        read_grid(file)


@pytest.mark.parametrize(
    "text", ["lam", "- lam", "", "{", "1: 2", "lam: {a: 1}", "lam: [null]", "lam: 2020-01-01", "\0"]
)
def test_a_malformed_file_is_one_line_and_nothing_is_written(tiny, capsys, text):
    file = tiny / "grid.yml"
    file.write_text(text)
    assert cli.main(["sweep", "01", "--grid", str(file)]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("cchkd: ") and err.count("\n") == 1
    assert not paths.runs_root().exists()


def test_a_parameter_has_one_source(tiny, capsys):
    (tiny / "grid.yml").write_text("lam: [0.2]\n")
    assert cli.main(["sweep", "01", "--grid", str(tiny / "grid.yml"), "-p", "lam=1"]) == 1
    assert "lam is given by -p and by" in capsys.readouterr().err
    assert cli.main(["sweep", "01", "--grid", str(tiny / "none.yml")]) == 1
    assert "none.yml" in capsys.readouterr().err


NAMES = st.one_of(
    st.sampled_from(["lam", "n_seeds", "quick", "data", "preset"]), st.text(max_size=6)
)
VALUES = st.one_of(
    st.text(max_size=10),
    st.sampled_from(["-1", "nan", "1e999", "0..", "1..0", "[", "[]", "1,,2", "0x1", "yes", "None"]),
)
refused = set()


@given(name=NAMES, value=VALUES, command=st.sampled_from(["run", "sweep"]))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
    max_examples=600,
    deadline=None,
)
def test_malformed_settings_are_refused_with_one_line(tiny, capsys, name, value, command):
    """Those that are refused, at least 200, leave one line and no file."""
    check = runner.plan if command == "run" else runner.plan_sweep
    try:
        check("01", cli._pairs([f"{name}={value}"]))
    except ValueError:
        pass
    else:
        reject()  # nothing is wrong with it
    assert cli.main([command, "01", f"-p{name}={value}"]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("cchkd: ") and len(err.splitlines()) == 1
    assert not paths.runs_root().exists()
    refused.add((command, name, value))


def test_enough_were_refused():
    assert len(refused) >= 200
