import json
import math
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

from cchkd_utils import paths
from cchkd_utils.book import cli


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run", "01", "-p", "lamda=0.5"], "no parameter 'lamda'"),
        (["run", "01", "-p", "lam=-1"], "out of range"),
        (["run", "01", "-p", "lam=abc"], "must be a number"),
        (["run", "01", "-p", "lam"], "-p takes NAME=VALUE"),
        (["run", "01", "-p", "lam=1", "-p", "lam=2"], "given twice"),
        (["run", "01", "--preset", "huge"], "no preset 'huge'"),
        (["run", "99"], "no notebook '99'"),
        (["run", "01", "-p", "data=real"], "data=real needs"),
        (["list", "99"], "no notebook '99'"),
    ],
)
def test_what_is_refused_gets_one_line_and_writes_nothing(tiny, capsys, words, says):
    before = sorted(tiny.rglob("*"))
    assert cli.main(words) == 1
    out, err = capsys.readouterr()
    assert out == "" and says in err and err.count("\n") == 1
    assert sorted(tiny.rglob("*")) == before


def test_papermill_s_way_to_give_parameters_hints_at_ours(capsys):
    with pytest.raises(SystemExit):
        cli.main(["run", "01", "-p", "n_seeds", "3"])
    assert "write -p n_seeds=3" in capsys.readouterr().err


def test_run_prints_the_folder_and_says_when_it_is_reused(tiny, capsys):
    assert cli.main(["run", "01", "--preset", "smoke", "-p", "lam=0.5"]) == 0
    assert "01_tiny: ran in" in capsys.readouterr().out
    assert cli.main(["run", "01", "--preset", "smoke", "-p", "lam=0.5"]) == 0
    assert f"01_tiny: reused: {paths.runs_root()}" in capsys.readouterr().out


def test_list_explains_every_parameter(tiny, capsys):
    assert cli.main(["list"]) == 0
    assert capsys.readouterr().out == "01_tiny\n"
    assert cli.main(["list", "01"]) == 0
    out = capsys.readouterr().out
    assert "lam: list[float] = [0.2, 0.5]\n    distillation weight; in [0, inf)" in out


def test_a_reader_that_has_read_enough_is_no_error():
    """`cchkd list 01 | head -1`: silent, and ended as by the signal."""
    command = [sys.executable, "-m", "cchkd_utils.book.cli", "list", "01"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_the_command_line_imports_nothing_heavy():
    code = "import sys; import cchkd_utils.book.cli; print([m for m in HEAVY if m in sys.modules])"
    code = code.replace("HEAVY", "('torch', 'papermill', 'pandas', 'numpy', 'matplotlib')")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_reused_run_imports_nothing_heavy(tiny):
    """The reason why a second identical run is there in under a second."""
    cli.main(["run", "01", "--preset", "smoke"])
    code = (
        "import sys; from pathlib import Path; from cchkd_utils import paths\n"
        "from cchkd_utils.book import cli\n"
        f"paths.NOTEBOOKS = Path({str(paths.NOTEBOOKS)!r})\n"
        "paths.PRESETS = paths.NOTEBOOKS / 'presets.yml'\n"
        "cli.main(['run', '01', '--preset', 'smoke'])\n"
        "print([m for m in ('torch', 'papermill', 'pandas', 'numpy') if m in sys.modules])"
    )
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    print(f"{time.monotonic() - start:.2f} s")
    assert "reused" in done.stdout and done.stdout.strip().endswith("[]")


@pytest.fixture(scope="module")
def reps(tmp_path_factory):
    """Representations that share much more than the student knows, with one dead unit."""
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=400)
    shared = rng.standard_normal((400, 2))
    teacher, student = (shared + 0.4 * rng.standard_normal((400, 2)) for _ in range(2))
    student[:, 0] += labels
    path = tmp_path_factory.mktemp("own") / "reps.npz"
    dead = np.zeros((400, 1))
    np.savez(path, teacher=np.hstack([teacher, dead]), student=student, labels=labels)
    return path


def test_assess_prints_a_table(reps, capsys):
    assert cli.main(["assess", str(reps), "--estimator", "gaussian", "--seed", "3"]) == 0
    out, err = capsys.readouterr()
    lines = dict(line.split("  ", 1) for line in out.splitlines())
    assert lines["verdict"].strip() == "distil"
    gap = float(lines["gap"].split()[0])
    low, high = (float(x) for x in lines["90% interval"].strip(" []").split(","))
    assert 0 < low < gap < high and lines["gap"].endswith(" nats")
    assert err == "cchkd: warning: teacher: 1 constant columns of 3 dropped.\n"


def test_assess_json_is_the_verdict_and_nothing_else(reps, capsys):
    from cchkd_utils.criterion import assess

    words = ["assess", str(reps), "--json", "--estimator", "gaussian", "--task", "classification"]
    assert cli.main(words) == 0
    out, _ = capsys.readouterr()
    verdict = json.loads(out, parse_constant=pytest.fail)
    with np.load(reps) as data, pytest.warns(UserWarning, match="constant"):
        wanted = assess(**data, estimator="gaussian", task="classification").to_dict()
    assert verdict | {"seconds": 0} == wanted | {"seconds": 0}


def test_assess_json_has_no_nan(reps, capsys, monkeypatch):
    values = {"a": math.nan, "b": {"c": -math.inf, "d": 1.5}, "e": "x", "f": None, "g": 3}
    wanted = {"a": None, "b": {"c": None, "d": 1.5}, "e": "x", "f": None, "g": 3}
    verdict = SimpleNamespace(to_dict=lambda: values)
    monkeypatch.setattr("cchkd_utils.criterion.assess", lambda **arrays: verdict)
    assert cli.main(["assess", str(reps), "--json"]) == 0
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail) == wanted


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--estimator", "magic"], "Unknown method 'magic'; choose one of auto, ksg,"),
        (["--task", "ranking"], "Unknown task 'ranking'"),
    ],
)
def test_assess_refuses_with_one_line(reps, capsys, words, says):
    before = sorted(reps.parent.rglob("*"))
    assert cli.main(["assess", str(reps), *words]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"cchkd: {reps}: ") and says in err
    assert err.count("\n") == 1 and sorted(reps.parent.rglob("*")) == before


def test_assess_names_a_bad_file(tmp_path, capsys):
    path = tmp_path / "reps.npz"
    np.savez(path, teacher=np.ones(3))
    assert cli.main(["assess", str(path), "--json"]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"cchkd: {path}: lacks student, labels")


def test_data_says_what_is_there_and_how_to_get_the_rest(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("CCHKD_DATA", str(tmp_path))
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    (tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte").touch()
    assert cli.main(["data"]) == 0
    out = capsys.readouterr().out
    assert str(tmp_path) in out.splitlines()[0]
    assert "02_mnist_m: missing" in out and "cchkd data --get 02" in out
    assert "1 × MNIST/raw/train-images" in out and "0 × MNIST/raw/train-labels" in out
    for name in ("train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (tmp_path / "MNIST" / "raw" / f"{name}-ubyte").touch()
    photos = tmp_path / "BSR" / "BSDS500" / "data" / "images" / "train"
    photos.mkdir(parents=True)
    (photos / "1.jpg").touch()
    cli.main(["data"])
    assert "02_mnist_m: there" in capsys.readouterr().out


def test_data_that_must_be_asked_for_are_not_downloaded(capsys):
    assert cli.main(["data", "--get", "03"]) == 1
    err = capsys.readouterr().err
    assert "ask for CMU-MOSEI" in err and err.count("\n") == 1


def test_data_are_downloaded_to_the_data_folder(capsys, monkeypatch, tmp_path):
    from cchkd_utils.datasets.mnist_m import files

    asked = []
    monkeypatch.setenv("CCHKD_DATA", str(tmp_path))
    monkeypatch.setattr(files, "fetch_mnist", lambda folder: asked.append(("mnist", folder)))
    monkeypatch.setattr(files, "fetch_photographs", lambda folder: asked.append(("b", folder)))
    assert cli.main(["data", "--get", "02"]) == 0
    assert asked == [("mnist", tmp_path), ("b", tmp_path)]
