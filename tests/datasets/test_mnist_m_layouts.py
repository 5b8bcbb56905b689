"""The published layouts of MNIST-M: whole ones are read, damaged ones refused by name."""

import gzip
import io
import pickle
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from cchkd_utils.datasets import mnist_m
from cchkd_utils.datasets.mnist_m import files, layouts, recipe

N_TRAIN, N_TEST = 60, 30  # the published splits are shorter than MNIST's, too
FIRST_TEST = 80


@pytest.fixture(scope="module")
def digits():
    """A small MNIST: 80 + 40 embedded digits on 32 x 32, sharp as MNIST's are."""
    small, labels, _ = mnist_m._embedded_digits()
    sharp = np.where(small[:120] > 127, 255, 0).astype(np.uint8)
    return np.pad(sharp, ((0, 0), (8, 8), (8, 8))), labels[:120]


@pytest.fixture(scope="module")
def published(digits):
    """The images of both splits, uint8, and their labels."""
    grey, labels = digits
    photos = mnist_m._sample_photographs()
    images = recipe.generate(recipe.ink(grey), photos, np.arange(120), 120, 0)
    return {
        "train": (images[:N_TRAIN], labels[:N_TRAIN]),
        "test": (images[FIRST_TEST : FIRST_TEST + N_TEST], labels[FIRST_TEST:][:N_TEST]),
    }


@pytest.fixture(autouse=True)
def small_mnist(digits, monkeypatch, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    held = digits[0][:, 2:-2, 2:-2], digits[1], FIRST_TEST, "a small set"
    monkeypatch.setattr(files, "mnist", lambda folder: held)
    monkeypatch.setattr(recipe, "cache_root", lambda: cache)
    yield
    assert not list(cache.iterdir()), "nothing is cached of a published set"


def write_png(folder, published):
    for split, (images, labels) in published.items():
        (folder / "mnist_m" / f"mnist_m_{split}").mkdir(parents=True)
        order = np.random.default_rng(0).permutation(len(images))  # the lists are in no order
        lines = [f"{i:08d}.png {labels[i]}\n" for i in order]
        (folder / "mnist_m" / f"mnist_m_{split}_labels.txt").write_text("".join(lines))
        for i, image in enumerate(images):
            Image.fromarray(image).save(folder / "mnist_m" / f"mnist_m_{split}" / f"{i:08d}.png")
    return folder / "mnist_m" / "mnist_m_test" / "00000003.png"


def write_keras(folder, published):
    path = folder / "keras_mnistm.pkl.gz"
    held = {split.encode(): images for split, (images, _) in published.items()}
    path.write_bytes(gzip.compress(pickle.dumps(held, 2), 1))
    return path


def write_pt(folder, published):
    for split, (images, labels) in published.items():
        path = folder / f"mnist_m_{split}.pt"
        torch.save((torch.from_numpy(images.copy()), torch.from_numpy(labels.copy())), path)
    return path


WRITERS = {"png": write_png, "keras": write_keras, "pt": write_pt}


def read(folder, layout="auto", **options):
    return mnist_m.load("real", folder, layout=layout, **options)


@pytest.mark.parametrize("layout", WRITERS)
def test_each_layout_is_found_and_read_in_mnists_order(layout, published, digits, tmp_path):
    WRITERS[layout](tmp_path, published)
    data = read(tmp_path)
    assert data.provenance["layout"] == layout
    assert data.kind == "real"
    for split, (images, labels) in published.items():
        modalities, y = data.take(split)
        np.testing.assert_allclose(
            modalities["mnist_m"], np.moveaxis(images, -1, 1) / 255, atol=1e-6
        )
        np.testing.assert_array_equal(y, labels)
    np.testing.assert_array_equal(
        data.ids, [*range(N_TRAIN), *range(FIRST_TEST, FIRST_TEST + N_TEST)]
    )
    np.testing.assert_allclose(data.modalities["mnist"][:, 0], digits[0][data.ids] / 255, atol=1e-6)
    few = read(tmp_path, layout, n_train=7, n_test=5)
    same = np.isin(data.ids, few.ids)
    assert same.sum() == len(few) == 12
    np.testing.assert_array_equal(few.modalities["mnist_m"], data.modalities["mnist_m"][same])


def test_images_of_28_pixels_are_filled_up_to_32(published, tmp_path):
    small = {s: (images[:, 2:30, 2:30], labels) for s, (images, labels) in published.items()}
    write_keras(tmp_path, small)
    images = read(tmp_path).modalities["mnist_m"]
    assert images.shape[-2:] == (32, 32)
    np.testing.assert_array_equal(images[:, :, 0, 2:30], images[:, :, 2, 2:30])


def truncate(path):
    path.write_bytes(path.read_bytes()[:-40])


def flip(path):
    """Flip one bit of the image data, where it is stored as it is, or packed."""
    data = bytearray(path.read_bytes())
    data[2 * len(data) // 3] ^= 4
    path.write_bytes(bytes(data))


def another_kind(path):
    path.write_bytes(b"<html>404 Not Found</html>" * 40)


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [truncate, flip, another_kind, empty])
@pytest.mark.parametrize("layout", WRITERS)
def test_a_damaged_file_is_named_in_one_line(layout, damage, published, tmp_path):
    path = WRITERS[layout](tmp_path, published)
    damage(path)
    with pytest.raises(ValueError, match=r"again|whole") as caught:
        read(tmp_path)
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", [another_kind, empty])
def test_a_list_of_labels_of_another_kind(damage, published, tmp_path):
    write_png(tmp_path, published)
    damage(tmp_path / "mnist_m" / "mnist_m_test_labels.txt")
    with pytest.raises(ValueError, match=r"mnist_m_test_labels\.txt"):
        read(tmp_path)


@pytest.mark.parametrize("line", ["../../secret.png 3", "00000001.png", "00000001.png 12"])
def test_a_line_that_is_not_name_and_class(line, published, tmp_path):
    write_png(tmp_path, published)
    with (tmp_path / "mnist_m" / "mnist_m_train_labels.txt").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ValueError, match=f"line {N_TRAIN + 1} is not like"):
        read(tmp_path)


class Evil:
    def __reduce__(self):
        return print, ("executed",)


@pytest.mark.parametrize("layout", ["keras", "pt"])
def test_code_in_a_file_does_not_run(layout, published, tmp_path, capsys):
    path = WRITERS[layout](tmp_path, published)
    if layout == "keras":
        path.write_bytes(gzip.compress(pickle.dumps({"train": Evil(), "test": Evil()})))
    else:
        torch.save((Evil(), Evil()), path)
    with pytest.raises(ValueError, match=path.name):
        read(tmp_path)
    assert "executed" not in capsys.readouterr().out


def test_a_pt_file_in_the_old_format_has_no_checksums_and_is_refused(published, tmp_path):
    path = write_pt(tmp_path, published)
    images, labels = published["test"]
    pair = (torch.from_numpy(images.copy()), torch.from_numpy(labels.copy()))
    torch.save(pair, path, _use_new_zipfile_serialization=False)
    with pytest.raises(ValueError, match=r"mnist_m_test\.pt"):
        read(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        {"train": np.zeros((3, 28, 28), np.uint8), "test": np.zeros((3, 28, 28), np.uint8)},
        {"train": np.zeros((3, 28, 28, 3)), "test": np.zeros((3, 28, 28, 3))},
        {"train": np.zeros((90, 28, 28, 3), np.uint8), "test": np.zeros((9, 28, 28, 3), np.uint8)},
        {"a": 1},
        [1, 2],
    ],
)
def test_a_sound_pickle_that_is_not_mnist_m(content, tmp_path):
    (tmp_path / "keras_mnistm.pkl.gz").write_bytes(gzip.compress(pickle.dumps(content)))
    with pytest.raises(ValueError, match=r"keras_mnistm\.pkl\.gz"):
        read(tmp_path)


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_BYTES", 1 << 20)
    (tmp_path / "keras_mnistm.pkl.gz").write_bytes(gzip.compress(bytes(1 << 22)))
    with pytest.raises(ValueError, match="unpacks to more than"):
        read(tmp_path)


def shuffled_within_class(images, labels):
    """Give every image another digit of its class."""
    order = np.arange(len(labels))
    for c in np.unique(labels):
        order[labels == c] = np.roll(order[labels == c], 1)
    return images[order], labels


def test_images_not_paired_by_index_are_refused(published, tmp_path):
    """The labels fit; the handwriting does not."""
    broken = {split: shuffled_within_class(*pair) for split, pair in published.items()}
    write_keras(tmp_path, broken)
    with pytest.raises(ValueError, match=r"only \d+% of the images are closer.*not paired"):
        read(tmp_path)


def test_labels_in_another_order_are_refused(published, tmp_path):
    broken = {split: (images[::-1], labels[::-1]) for split, (images, labels) in published.items()}
    write_png(tmp_path, broken)
    with pytest.raises(ValueError, match="not paired with MNIST by index"):
        read(tmp_path)


def test_paired_share_tells_pairs_from_classmates(published, digits):
    images, labels = published["train"]
    grey = digits[0][:N_TRAIN]
    assert layouts.paired_share(images, grey, labels) > 0.95
    mixed, _ = shuffled_within_class(images, labels)
    assert layouts.paired_share(mixed, grey, labels) < 0.7


def test_a_layout_that_is_not_there_says_what_to_put_where(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"put mnist_m_train_labels\.txt .* CCHKD_DATA"):
        read(tmp_path, "png")


def test_a_png_in_the_list_that_is_missing(published, tmp_path):
    write_png(tmp_path, published).unlink()
    with pytest.raises(FileNotFoundError, match=r"00000003\.png"):
        read(tmp_path)


def test_zip_files_are_checked_member_by_member(published, tmp_path):
    """A flipped bit in the largest member of a .pt, which torch itself would not notice."""
    path = write_pt(tmp_path, published)
    with zipfile.ZipFile(path) as archive:
        member = max(archive.infolist(), key=lambda info: info.file_size)
    data = bytearray(path.read_bytes())
    data[member.header_offset + 500] ^= 1
    path.write_bytes(bytes(data))
    torch.load(io.BytesIO(bytes(data)), weights_only=True)  # no complaint
    with pytest.raises(ValueError, match="is damaged"):
        read(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"\x80\x02.", b"\x80\x02K\x01R.", b"\x80\x02h\x05.", b"\x80\x02U\x05a", b"(", b"\x80\x02}."],
)
def test_a_pt_file_of_sound_checksums_and_no_sense(content, published, tmp_path):
    path = write_pt(tmp_path, published)
    with zipfile.ZipFile(path) as archive:
        held = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in held.items():
            archive.writestr(name, content if name.endswith("data.pkl") else data)
    with pytest.raises(ValueError, match=r"mnist_m_test\.pt: .*again") as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)


def tensors(kind):
    images, labels = torch.zeros(2, 28, 28, 3, dtype=torch.uint8), torch.zeros(2, dtype=torch.int64)
    return {
        "expanded": lambda: (images[:1].expand(10**11, 28, 28, 3), labels[:1].expand(10**11)),
        "labels expanded": lambda: (images, labels[:1].clone().expand(2)),
        "bfloat16": lambda: (images, labels.to(torch.bfloat16)),
        "sparse": lambda: (images.to_sparse(), labels),
    }[kind]()


@pytest.mark.parametrize("kind", ["expanded", "labels expanded", "bfloat16", "sparse"])
def test_tensors_that_are_not_plain_numbers_of_their_own(kind, tmp_path):
    """Two kilobytes can stand for 10^11 images: they are not expanded."""
    path = tmp_path / "mnist_m_train.pt"
    torch.save(tensors(kind), path)
    with pytest.raises(ValueError, match=r"mnist_m_train\.pt: holds a tensor .* not plain"):
        layouts.read("pt", tmp_path)
