"""MNIST's four files and the photographs: known by their bytes, or refused by their names."""

import os
import struct

import numpy as np
import pytest
from PIL import Image

from cchkd_utils.datasets import mnist_m
from cchkd_utils.datasets.mnist_m import files, recipe

STRANGE = "ignore:.*not the published MNIST:UserWarning"


def idx(array):
    head = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.tobytes()


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A small set under MNIST's names, and three photographs."""
    rng = np.random.default_rng(0)
    raw, photos = tmp_path / "MNIST" / "raw", tmp_path / files.TRAIN
    raw.mkdir(parents=True)
    photos.mkdir(parents=True)
    for part, n in (("train", 60), ("t10k", 20)):
        images, labels = rng.integers(0, 256, (n, 28, 28), np.uint8), rng.integers(0, 10, n)
        (raw / f"{part}-images-idx3-ubyte").write_bytes(idx(images))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels.astype(np.uint8)))
    for i in range(3):
        Image.fromarray(rng.integers(0, 256, (40, 50, 3), np.uint8)).save(photos / f"{i}.jpg")
    monkeypatch.setattr(files, "COUNT", 3)
    monkeypatch.setattr(recipe, "cache_root", lambda: tmp_path / "cache")
    return tmp_path


def load(root):
    return mnist_m.load("real", root, layout="generated")


def raw(root, name):
    return root / "MNIST" / "raw" / f"{name}-ubyte"


def photo(root, name="1.jpg"):
    return root / files.TRAIN / name


def refused(root, error, match):
    with pytest.raises(error, match=match) as caught:
        load(root)
    assert "\n" not in str(caught.value)


def test_another_set_under_mnists_names_is_read_and_said_to_be_another(root):
    with pytest.warns(
        UserWarning, match="train and t10k files are not the published MNIST"
    ) as seen:
        data = load(root)
    assert seen[0].filename == __file__
    assert {k: len(v) for k, v in data.splits.items()} == {"train": 60, "test": 20}
    assert data.provenance["files"].startswith("not MNIST as published: the train and t10k files")


@pytest.mark.real
def test_the_files_are_read_as_torchvision_reads_them(real_data):
    from torchvision.datasets import MNIST

    digits, labels, first, said = files.mnist(real_data)
    parts = [MNIST(str(real_data), train=train) for train in (True, False)]
    np.testing.assert_array_equal(digits, np.concatenate([p.data.numpy() for p in parts]))
    np.testing.assert_array_equal(labels, np.concatenate([p.targets.numpy() for p in parts]))
    assert labels.dtype == np.int64 and first == 60000 and said.startswith("the four published")


@pytest.mark.filterwarnings(STRANGE)
def test_what_torchvision_processed_long_ago_is_not_read(root):
    (root / "MNIST" / "processed").mkdir()
    for name in ("training.pt", "test.pt"):
        (root / "MNIST" / "processed" / name).write_bytes(b"junk")
    assert len(load(root)) == 80


def test_label_files_under_each_others_names_are_refused(root):
    train, test = raw(root, "train-labels-idx1"), raw(root, "t10k-labels-idx1")
    a, b = train.read_bytes(), test.read_bytes()
    train.write_bytes(b), test.write_bytes(a)
    refused(root, ValueError, r"train-\*: 60 images have 20 labels; put MNIST's")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\x08",
        b"<html>404 Not Found</html>",
        idx(np.zeros((60, 28, 28), np.uint8))[:-1],
        idx(np.zeros((60, 28, 28), np.uint8)) + b"\0",
        idx(np.zeros(60, np.uint8)),
        struct.pack(">HBBIII", 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1),
    ],
)
def test_a_file_that_is_not_of_images_is_named(root, content):
    raw(root, "train-images-idx3").write_bytes(content)
    refused(root, ValueError, r"train-images-idx3-ubyte: not MNIST's, or not whole; put")


@pytest.mark.parametrize("shape", [(60, 32, 32), (0, 28, 28)])
def test_images_of_another_size_are_refused(root, shape):
    raw(root, "train-images-idx3").write_bytes(idx(np.zeros(shape, np.uint8)))
    refused(root, ValueError, r"train-\*: .*not 28 x 28 digits; put")


def test_labels_beyond_nine_are_refused(root):
    raw(root, "train-labels-idx1").write_bytes(idx(np.full(60, 46, np.uint8)))
    refused(root, ValueError, r"labels up to 46, not 28 x 28 digits")


def test_one_missing_file_is_named(root):
    raw(root, "t10k-images-idx3").unlink()
    refused(
        root, FileNotFoundError, r"raw: put .* t10k-images-idx3-ubyte is not there .*CCHKD_DATA"
    )


@pytest.mark.filterwarnings(STRANGE)
def test_photographs_cut_short_too_small_or_too_few_are_refused(root):
    whole = photo(root).read_bytes()
    photo(root).write_bytes(whole[: len(whole) // 2])
    refused(root, ValueError, r"1\.jpg: not a whole picture; unpack")
    Image.fromarray(np.zeros((31, 90, 3), np.uint8)).save(photo(root))
    refused(root, ValueError, r"1\.jpg: 31 x 90 pixels hold no patch of 32 x 32; unpack")
    photo(root).unlink()
    refused(root, ValueError, r"train: holds 2 photographs, BSDS500 has 3 here; unpack")


@pytest.mark.filterwarnings(STRANGE)
def test_what_macos_leaves_beside_the_photographs_is_not_read(root):
    before = load(root).modalities["mnist_m"]
    photo(root, "._1.jpg").write_bytes(b"\0\5\x16\7" + os.urandom(20))
    np.testing.assert_array_equal(load(root).modalities["mnist_m"], before)
