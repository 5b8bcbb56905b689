"""What several tests share: a small notebook of their own, and where the real data are."""

import json
import os
from pathlib import Path

import pytest
from filelock import FileLock

from cchkd_utils import paths

os.environ.setdefault("MPLBACKEND", "agg")
if not os.environ.get("OMP_NUM_THREADS"):
    os.environ["OMP_NUM_THREADS"] = "1"  # threads that meet slow each other down


def pytest_xdist_auto_num_workers(config):
    """Three workers on two cores: a third of the time slow tests wait for kernels, schedulers."""
    cores = os.cpu_count() or 1
    return cores if "not slow" in config.option.markexpr else 3 * cores // 2


SLOW = {"site", "tiny"}  # fixtures of tests that start kernels or build the book


def pytest_collection_modifyitems(items):
    """`make test-fast` leaves out what is marked, and all that runs notebooks."""
    for item in items:
        if SLOW & set(item.fixturenames):
            item.add_marker("slow")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real data, or a skip with the reason."""
    folder = Path(os.environ.get("CCHKD_DATA") or paths.ROOT.parent / "shared" / "data")
    if not (folder / "MNIST" / "raw").is_dir():
        pytest.skip(f"no real data at {folder}: set CCHKD_DATA")
    return folder


PARAMETERS = """\
preset: str = "book"  # preset of this run; one of: smoke, book, paper
lam: list[float] = [0.2, 0.5]  # distillation weight; in [0, inf)
n_seeds: int = 3  # seeds; in [1, 1000]
data: str = "embedded"  # which data; one of: embedded, real
quick: bool = True  # a switch
seconds: float = 0.0  # time the cell takes; in [0, 60]
fail: str = ""  # message of an error to raise
"""
BODY = """\
import time
from pathlib import Path
from cchkd_utils import results
print("started")
if marker:
    Path(marker).touch()
if fail:
    raise RuntimeError(fail)
time.sleep(seconds)
rows = [results.result(experiment="t", dataset="d", kind="simulated", teacher="a", student="b",
        condition="c", knob=0.0, n_train=9, seed=s, lam=l, weight=l, temperature=1.0,
        metric="mse", baseline=1.0, distilled=1.0 - 0.1 * l)
        for s in range(n_seeds) for l in lam]
verdicts = [dict(dataset="d", kind="simulated", teacher="a", student="b", condition="c", knob=0.0,
            seed=s, estimator="ksg", mi_teacher_student=0.3, mi_student_label=0.2, gap=0.1,
            gap_lo=0.0, gap_hi=0.2, p_wrong=0.02, decision="distil") for s in range(n_seeds)]
results.save(rows, verdicts, "01_tiny")
"""


@pytest.fixture
def tiny(tmp_path, monkeypatch) -> Path:
    """A project of one small notebook, in a folder of its own."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    cells = [
        ("markdown", "# Tiny", []),
        ("code", PARAMETERS + 'marker: str = ""  # file to touch on the way\n', ["parameters"]),
        ("code", BODY, []),
    ]
    content = [
        {"cell_type": kind, "id": str(i), "metadata": {"tags": tags}, "source": source}
        | ({"outputs": [], "execution_count": None} if kind == "code" else {})
        for i, (kind, source, tags) in enumerate(cells)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"cells": content, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (folder / "01_tiny.ipynb").write_text(json.dumps(notebook))
    (folder / "presets.yml").write_text(
        "presets:\n  smoke: {01_tiny: {n_seeds: 1}}\n  book: {}\nfiles:\n  01_tiny: ['set/*.bin']\n"
    )
    monkeypatch.setattr(paths, "NOTEBOOKS", folder)
    monkeypatch.setattr(paths, "PRESETS", folder / "presets.yml")
    monkeypatch.setenv("CCHKD_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("CCHKD_DATA", str(tmp_path / "data"))
    return tmp_path


@pytest.fixture(scope="session")
def common(tmp_path_factory) -> Path:
    """A folder that all workers of this session share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def smoke_runs(common) -> Path:
    """The notebooks' runs at preset smoke, each made once: `CCHKD_RUNS` of all that need them."""
    return common / "runs"


@pytest.fixture(scope="session")
def site(common, smoke_runs) -> Path:
    """Build the smoke book once, or take the one that CCHKD_SITE names."""
    if ready := os.environ.get("CCHKD_SITE"):
        return Path(ready).resolve()
    from cchkd_utils.book import build

    output, built = common / "book", common / "book.built"
    with FileLock(common / "book.lock"), pytest.MonkeyPatch.context() as patch:
        patch.setenv("CCHKD_RUNS", str(smoke_runs))
        if not built.exists():  # else by another worker
            states = set()
            for _ in range(2):
                index = build.build("smoke", threads=1, output=output)
                states.add((index.stat().st_mtime_ns, (output / "_build/rendered").read_text()))
            assert len(states) == 1  # the second time all was there, and nothing was rendered
            built.touch()
    return output / "_build" / "html"


@pytest.fixture(scope="session")
def pages(site) -> list[str]:
    """Every page that a reader can reach."""
    names = sorted(p.relative_to(site).as_posix() for p in site.rglob("*.html"))
    # index.html only forwards to the first page; the search page fills itself by script; no page
    # links to Sphinx's list of source pages
    left_out = "_static", "index.html", "search.html", "_modules/index.html"
    return [p for p in names if not p.startswith(left_out)]
