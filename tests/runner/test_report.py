import itertools
import json
import re
import shlex
import shutil

import pandas as pd
import pytest

from cchkd_utils import paths, results, runner
from cchkd_utils.book import cli
from cchkd_utils.results import intervals
from cchkd_utils.runner import report

pytestmark = pytest.mark.slow


@pytest.fixture
def book(tmp_path):
    folder = tmp_path / "root" / "book"
    folder.mkdir(parents=True)
    shutil.copy(paths.ROOT / "book" / "sweep.md", folder)
    return folder


def test_a_sweep_fills_the_page_and_the_next_one_replaces_it(tiny, book, monkeypatch, capsys):
    first = runner.sweep("01", {"lam": "0.2,0.5", "quick": "true,false"}, preset="smoke")
    second = runner.sweep("01", {"lam": "0.2"}, preset="smoke")
    monkeypatch.setattr(paths, "ROOT", book.parent)
    own = (book / "sweep.md").read_text().partition(report.MARK)[0]
    assert cli.main(["page", str(first.folder)]) == 0
    text = (book / "sweep.md").read_text()
    assert text.startswith(own + report.MARK) and "No sweep has been named" not in text
    assert "## 01_tiny, 4 points" in text and "grid `lam=0.2,0.5` `quick=true,false`" in text
    assert "| mse | 0.5 | True | 0.05 | none | 1 | unresolved |" in text
    assert "Of 4 settings: 4 unresolved." in text
    table = pd.read_parquet(book / "sweep" / "results.parquet")
    assert len(table) == 4 and (book / "sweep" / "gain.png").stat().st_size > 5000
    for name in ("results.csv", "results.parquet", "verdicts.csv", "verdicts.parquet"):
        assert f"{{download}}`{name} <sweep/{name}>`" in text
    assert cli.main(["page", str(second.folder)]) == 0
    text = (book / "sweep.md").read_text()
    assert text.count("## 01_tiny") == 1 and "1 points" in text and "gain.png" not in text
    assert not (book / "sweep" / "gain.png").exists()

    hostile = json.loads((second.folder / "run.json").read_text()) | {"tables": ["../../victim"]}
    (second.folder / "run.json").write_text(json.dumps(hostile))
    (first.folder / "results.csv").write_text("half")
    capsys.readouterr()
    for folder in (first.folder, second.folder, book, book / "none"):
        assert cli.main(["page", str(folder)]) == 1
        assert "is not a finished sweep; cchkd results lists them" in capsys.readouterr().err
    assert (book / "sweep.md").read_text() == text


def test_the_page_s_own_example_has_a_figure_and_is_found_by_name(book, tmp_path, monkeypatch):
    monkeypatch.setenv("CCHKD_RUNS", str(tmp_path / "runs"))
    text = (book / "sweep.md").read_text()
    words = shlex.split(re.search(r"^\$ cchkd (sweep 01 .*)$", text, re.MULTILINE)[1])
    assert cli.main([*words, "-p", "epochs=5"]) == 0  # the same, only sooner
    (sweep,) = (tmp_path / "runs" / "01_synthetic" / "sweeps").iterdir()
    monkeypatch.setattr(paths, "ROOT", book.parent)
    assert cli.main(["page", sweep.name]) == 0
    text = (book / "sweep.md").read_text()
    assert (book / "sweep" / "gain.png").stat().st_size > 20_000 and "gain.png" in text
    assert "| metric | gap | lam | student | n_train | gain | 95 % interval | repeats" in text
    assert text.count("| mse | ") == 24


def test_bases_of_the_seed_are_repeats_unless_they_share_draws():
    """Base 0 and 1 share seed 1: in `same` with equal values, in `own` with others."""
    rows = pd.DataFrame({"point_seed": [0, 0, 1, 1], "seed": [0, 1, 1, 2], "distilled": 0.0})
    same = report._repeats(rows.assign(baseline=[0.1, 0.2, 0.2, 0.3], metric="mse"), ["metric"])
    own = report._repeats(rows.assign(baseline=[0.1, 0.2, 0.4, 0.3], metric="mse"), ["metric"])
    assert same["seed"].nunique() == 3 and own["seed"].nunique() == 4


def test_many_lines_become_panels_and_too_many_no_figure():
    def drawn(*sizes):
        names = ["x", *"abc"][: len(sizes)]
        grid = [range(size) for size in sizes]
        means = pd.DataFrame(itertools.product(*grid), columns=names)
        return report.gain_figure(
            means.assign(metric="mse", gain=0.0, gain_lo=-1.0, gain_hi=1.0), names
        )

    assert len(drawn(9, 4).axes) == 1  # four lines in one panel
    assert len(drawn(9, 2, 4).axes) == 4  # two lines in each of four
    assert drawn(9, 9) is None and drawn(9, 5, 5) is None and drawn() is None


def test_the_page_as_it_is_names_no_sweep():
    text = (paths.ROOT / "book" / "sweep.md").read_text()
    assert text.partition(report.MARK)[2].strip() == "No sweep has been named yet."
    assert not (paths.ROOT / "book" / report.FILES).exists()


def test_repeated_folds_are_no_seeds_and_no_experiment_is_lost(tmp_path):
    """Of the recorded cancer rows: folds share patients, so that few gains are clear."""
    rows, _ = results.recorded("tcga")
    record = {"notebook": "04_tcga", "axes": {}}
    text, *_ = report._findings(rows, record, tmp_path / "gain.png")
    settings = ["experiment", "dataset", "teacher", "student", "lam", "temperature", "metric"]
    pooled = intervals.summarise(rows, settings)
    hurts = (pooled["outcome"] == "hurts").sum()
    assert f"Of {len(pooled)} settings" in text and f"{hurts} hurts" in text
