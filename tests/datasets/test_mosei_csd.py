"""Computational sequences: the genuine one, folds and where they come from, hostile files."""

import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from sequences import write_csd

from cchkd_utils.datasets import mosei
from cchkd_utils.datasets.mosei import layouts

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
FILES = {"text": "glove", "audio": "COVAREP", "vision": "OpenFace", "labels": "Labels"}


@pytest.fixture
def folder(tmp_path):
    """Twenty videos with one utterance each, in four sequences."""
    for name, file in FILES.items():
        rows, width = (1, 7) if name == "labels" else (2, 3)
        sequences = {f"v{i}[0]": np.full((rows, width), i / 10 + 0.1) for i in range(20)}
        root = "All Labels" if name == "labels" else None  # as the SDK writes them
        write_csd(tmp_path / f"x_{file}.csd", sequences, root)
    return tmp_path


def folds(folder, content):
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / "folds.json").write_text(text)


def refused(call, match):
    with pytest.raises(ValueError, match=match) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_without_folds_they_are_random_and_said_to_be(folder):
    data = mosei.load("real", folder, seed=3)
    assert {k: len(v) for k, v in data.splits.items()} == {"train": 14, "valid": 2, "test": 4}
    said = data.provenance["splits"]
    assert said.startswith("drawn at random by video, 70 : 10 : 20, seed 3 (no folds.json)")
    assert said.endswith("(train 14, valid 2, test 4 utterances)")


def test_folds_are_read_and_what_they_leave_out_is_said(folder):
    folds(folder, {"train": ["v0", "v1", "w"], "valid": [], "test": ["v3"]})
    data = mosei.load("real", folder)
    assert data.ids.tolist() == ["v0[0]", "v1[0]", "v3[0]"]
    assert data.provenance["splits"] == (
        "folds.json (train 2, test 1 utterances); left out of 20: 17 in no fold"
    )
    assert len(data.provenance["left_out"]["in no fold"]) == 17
    assert mosei.flow(data)["count"].tolist() == [20, 17, 3]
    assert "folds.json" in data.provenance["files"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{bad", "is not JSON; write"),
        ("[" * 5000, "is not JSON; write"),
        (["v0"], "is not lists of videos by fold; write"),
        ({"train": "v0"}, "is not lists of videos by fold; write"),
        ({"train": [1]}, "is not lists of videos by fold; write"),
        ({"train": ["v0"], "dev": ["v1"]}, "has the folds 'dev', which are not read; write"),
        ({"train": ["other"], "test": ["x"]}, "names none of the videos"),
        ({}, "names none of the videos"),
    ],
)
def test_folds_that_do_not_fit_are_refused(content, message, folder):
    folds(folder, content)
    refused(lambda: mosei.load("real", folder), rf"folds\.json: {message}")


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("labels", np.ones((0, 7)), r"Labels\.csd: v0\[0\] has no label"),
        ("text", np.ones(3), r"glove\.csd: .*v0\[0\] has features \[3\], not \[steps, d\]"),
        ("audio", np.ones((2, 4)), r"COVAREP\.csd: features have several widths \(\[3, 4\]\)"),
        ("text", np.array([[b"oh"]]), r"glove\.csd: holds words, not numbers"),
        ("vision", np.array(1.0), r"OpenFace\.csd: v0\[0\] holds float64, neither"),
    ],
)
def test_sequences_that_do_not_fit_are_named(name, values, message, folder):
    with h5py.File(folder / f"x_{FILES[name]}.csd", "a") as file:
        group = file[f"{next(iter(file))}/data/v0[0]"]
        del group["features"], group["intervals"]
        group["features"], group["intervals"] = values, np.zeros((np.size(values), 2))
        if values.ndim == 2:
            del group["intervals"]
            group["intervals"] = np.zeros((len(values), 2))
    refused(lambda: mosei.load("real", folder), message)


def test_what_macos_leaves_beside_the_sequences_is_not_read(folder):
    (folder / "._x_glove.csd").write_bytes(b"\0\5\x16\7")
    assert len(mosei.load("real", folder)) == 20


@pytest.mark.parametrize("place", ["/", "a", "a/data", "a/data/v"])
@pytest.mark.parametrize("kind", ["external", "soft"])
def test_links_to_elsewhere_are_refused_at_every_level(place, kind, tmp_path):
    secret = write_csd(tmp_path / "secret.csd", {"v": np.ones((2, 1))})
    path = write_csd(tmp_path / "a.csd", {"v": np.zeros((2, 1))})
    name = {"/": "a", "a": "data", "a/data": "v", "a/data/v": "features"}[place]
    target = f"{place}/{name}".strip("/").replace("a", "secret", 1)
    link = h5py.ExternalLink(secret.name, target) if kind == "external" else h5py.SoftLink("/b")
    with h5py.File(path, "a") as file:
        del file[place][name]
        file[place][name] = link
    refused(lambda: layouts.read_csd(path), rf"a\.csd: {name} points elsewhere")


def test_a_small_file_is_not_unpacked_to_gigabytes(tmp_path):
    path = tmp_path / "a.csd"
    with h5py.File(path, "w") as file:
        group = file.create_group("a/data/v")
        group.create_dataset("features", (10**9, 1), "f8", chunks=(10**6, 1))
        group.create_dataset("intervals", (10**9, 2), "f8", chunks=(10**6, 1))
    refused(lambda: layouts.read_csd(path), "v lies in other files or is too large")


def test_files_that_are_no_sequence_are_named(tmp_path):
    path = tmp_path / "b.csd"
    path.write_bytes(b"not hdf5")
    refused(lambda: layouts.read_csd(path), r"b\.csd: not a computational sequence")
    with h5py.File(path, "w") as file:
        file["a"] = np.ones(3)
    refused(lambda: layouts.read_csd(path), r"b\.csd: not a computational sequence")


@pytest.mark.real
def test_the_genuine_computational_sequence_loads():
    root = Path(os.environ.get("CCHKD_DATA") or SHARED) / "mosi"
    if not root.is_dir():
        pytest.skip(f"no CMU-MOSI in {root}; set CCHKD_DATA")
    words = layouts.read_csd(root / "CMU_MOSI_ModifiedTimestampedWords.csd")
    features, intervals = words["03bSnISJMiM"]
    assert len(words) == 93 and features.shape == (480, 1) and intervals.shape == (480, 2)
    assert features[:3, 0].tolist() == [b"oh", b"sp", b"this"]
    assert (intervals[:, 1] >= intervals[:, 0]).all()


def test_a_table_of_emotions_is_no_sentiment(folder):
    emotions = {f"v{i}[0]": np.full((1, 6), i / 10) for i in range(20)}
    (folder / "x_Labels.csd").unlink()
    path = write_csd(folder / "x_LabelsEmotions.csd", emotions, "Emotion Labels")
    refused(lambda: mosei.load("real", folder), rf"{path.name}: holds emotions, not sentiment")
    assert len(mosei.load("real", folder, label=0)) == 20


@pytest.mark.parametrize(("width", "label", "message"), [
    (6, None, r"has 6 columns, emotions perhaps; .* label=0"), (3, 3, "label=3 is none of them"),
])  # fmt: skip
def test_labels_of_several_columns_are_not_guessed(folder, width, label, message):
    many = {f"v{i}[0]": np.full((1, width), i / 10) for i in range(20)}
    write_csd(folder / "x_Labels.csd", many, "Labels")
    refused(lambda: mosei.load("real", folder, label=label), message)


def test_utterances_that_a_modality_lacks_are_counted_and_named(folder):
    kept = {f"v{i}[0]": np.ones((2, 3)) for i in range(15)}
    write_csd(folder / "x_OpenFace.csd", kept)
    write_csd(folder / "x_COVAREP.csd", {k: v for k, v in kept.items() if k != "v3[0]"} | {
        "v19[0]": np.ones((2, 3)), "v20[0]": np.ones((2, 3))})  # fmt: skip
    data = mosei.load("real", folder)
    assert data.provenance["left_out"] == {
        "without audio and vision": ["v15[0]", "v16[0]", "v17[0]", "v18[0]"], "without vision":
        ["v19[0]"], "without a label": ["v20[0]"], "without audio": ["v3[0]"],
    }  # fmt: skip
    steps = mosei.flow(data)["count"]
    assert steps["utterances"] == 21 == len(data) + 7 == steps.iloc[1:].sum()
    assert "left out of 21: 4 without audio and vision" in data.provenance["splits"]
