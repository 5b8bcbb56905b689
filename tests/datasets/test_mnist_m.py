"""MNIST-M: the recipe against a slow reference, pairing, determinism, missing files."""

import os
import socket
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from cchkd_utils.datasets import mnist_m
from cchkd_utils.datasets.mnist_m import files, recipe

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def real_root():
    root = Path(os.environ.get("CCHKD_DATA") or SHARED)
    if not (root / "MNIST").is_dir() or not (root / "BSR").is_dir():
        pytest.skip(f"no MNIST and BSDS500 in {root}; set CCHKD_DATA")
    return root


@pytest.fixture(scope="module")
def embedded():
    return mnist_m.load()


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    """Keep what is generated out of the user's cache folder."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe, "cache_root", lambda: folder)
        yield folder


def blend_slowly(digits, photos, positions):
    out = []
    for digit, photo, top, left in zip(digits, *positions):
        size = len(digit)
        patch = photos[photo][top : top + size, left : left + size].astype(int)
        out.append(np.abs(patch - digit[:, :, None].astype(int)).transpose(2, 0, 1) / 255)
    return np.array(out)


def test_blend_matches_a_loop_over_images():
    rng = np.random.default_rng(0)
    photos = [rng.integers(0, 256, (h, w, 3), np.uint8) for h, w in ((30, 50), (50, 30), (20, 20))]
    digits = rng.integers(0, 256, (300, 16, 16), np.uint8)
    positions = recipe.patch_positions(photos, 16, 300, seed=3)
    fast = np.moveaxis(recipe.blend(digits, photos, positions), -1, 1) / 255
    np.testing.assert_allclose(fast, blend_slowly(digits, photos, positions), atol=1e-6)


def test_patch_positions_reach_every_corner_and_stay_inside():
    photos = [np.zeros((6, 8, 3), np.uint8), np.zeros((5, 5, 3), np.uint8)]
    photo, top, left = recipe.patch_positions(photos, 4, 5000, seed=0)
    for k, (rows, columns) in enumerate(((2, 4), (1, 1))):
        assert set(top[photo == k]) == set(range(rows + 1))
        assert set(left[photo == k]) == set(range(columns + 1))


def test_a_photograph_smaller_than_a_patch_is_refused():
    photos = [np.zeros((40, 40, 3), np.uint8), np.zeros((40, 20, 3), np.uint8)]
    with pytest.raises(ValueError, match=r"\(40, 20\) pixels holds no patch of 32 x 32"):
        recipe.patch_positions(photos, 32, 10, seed=0)


def test_images_kept_of_another_recipe_are_made_anew(cache, monkeypatch, tmp_path):
    rng = np.random.default_rng(0)
    photos = [rng.integers(0, 256, (40, 40, 3), np.uint8)]
    digits, rows = rng.integers(0, 256, (5, 32, 32), np.uint8), np.arange(5)
    first = recipe.kept(digits, photos, rows, 5, 0)
    inverted = lambda *given: 255 - first  # noqa: E731
    monkeypatch.setattr(recipe, "generate", inverted)
    np.testing.assert_array_equal(recipe.kept(digits, photos, rows, 5, 0), first)
    changed = tmp_path / "recipe.py"
    changed.write_text(recipe._SOURCE.read_text() + "# changed\n")
    monkeypatch.setattr(recipe, "_SOURCE", changed)
    np.testing.assert_array_equal(recipe.kept(digits, photos, rows, 5, 0), 255 - first)


def test_embedded_has_the_announced_shape(embedded):
    clean, blended = embedded.modalities["mnist"], embedded.modalities["mnist_m"]
    assert clean.shape == (1797, 1, 16, 16)
    assert blended.shape == (1797, 3, 16, 16)
    assert clean.dtype == blended.dtype == np.float32
    for images in (clean, blended):
        assert images.min() >= 0
        assert images.max() <= 1
    assert embedded.kind == "real"
    assert embedded.provenance["data"] == "embedded"
    assert len(embedded.splits["train"]) == 1000
    assert set(np.bincount(embedded.take("test")[1])) <= set(range(60, 100))  # all ten classes


def test_embedded_patches_have_structure(embedded):
    background = embedded.modalities["mnist_m"][:, :, :, 0]  # the digit's padding: photo only
    assert np.median(background.std(axis=-1)) > 0.03
    assert background.mean(axis=(1, 2)).std() > 0.1


def test_embedded_needs_no_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("network used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert len(mnist_m.load(n_train=10, n_test=10)) == 20


def best_match(clean, blended):
    """Return for each blended image the clean one whose edges lie where its edges lie."""
    edges = np.abs(np.diff(blended, axis=-1)).mean(1).reshape(len(blended), -1)
    ink = np.abs(np.diff(clean[:, 0], axis=-1)).reshape(len(clean), -1)
    edges, ink = (a - a.mean(1, keepdims=True) for a in (edges, ink))
    edges, ink = (a / np.linalg.norm(a, axis=1, keepdims=True) for a in (edges, ink))
    return (edges @ ink.T).argmax(1)


def test_index_pairing_shows_the_same_digit_and_class_pairing_does_not(embedded):
    by_class = mnist_m.load(pairing="class")
    rows = np.arange(len(embedded))
    blended = embedded.modalities["mnist_m"]
    np.testing.assert_array_equal(by_class.modalities["mnist_m"], blended)
    np.testing.assert_array_equal(by_class.labels, embedded.labels)
    assert (best_match(embedded.modalities["mnist"], blended) == rows).mean() > 0.5
    assert (best_match(by_class.modalities["mnist"], blended) == rows).mean() < 0.02


def test_class_pairing_keeps_class_and_split_and_shuffles_all_images():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 90)
    splits = {"train": np.arange(60), "test": np.arange(60, 90)}
    partner = mnist_m.class_partners(labels, splits, seed=1)
    np.testing.assert_array_equal(labels[partner], labels)
    for rows in splits.values():
        assert set(partner[rows]) == set(rows)
    assert (partner != np.arange(90)).all()
    assert (partner != mnist_m.class_partners(labels, splits, seed=2)).any()


def test_a_seed_draws_rows_and_patches_which_do_not_depend_on_how_many(embedded):
    few = mnist_m.load(n_train=50, n_test=20)
    assert len(set(few.ids)) == 70 and (few.ids[:50] < 1000).all() and (few.ids[50:] > 999).all()
    for name in ("mnist", "mnist_m"):
        whole = embedded.modalities[name][few.ids]
        np.testing.assert_array_equal(few.modalities[name], whole)
    assert len(set(few.ids) & set(mnist_m.load(n_train=50, n_test=20, seed=1).ids)) < 20
    redrawn = mnist_m.load(seed=1)
    np.testing.assert_array_equal(redrawn.modalities["mnist"], embedded.modalities["mnist"])
    assert np.abs(redrawn.modalities["mnist_m"] - embedded.modalities["mnist_m"]).mean() > 0.05


def test_blur_matches_scipy_and_zero_is_identity():
    images = np.random.default_rng(0).random((4, 3, 16, 16)).astype(np.float32)
    for sigma in (0.5, 2.0, 6.0):
        slow = gaussian_filter(images.astype(float), (0, 0, sigma, sigma), mode="nearest")
        np.testing.assert_allclose(mnist_m.blur(images, sigma), slow, atol=1e-6)
    np.testing.assert_array_equal(mnist_m.blur(images, 0), images)


@pytest.mark.parametrize("sigma", [-1, float("nan"), float("inf")])
def test_blur_refuses_nonsense(sigma):
    with pytest.raises(ValueError, match="sigma"):
        mnist_m.blur(np.zeros((1, 1, 4, 4)), sigma)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data": "fake"}, "choose one of embedded, real"),
        ({"pairing": "none"}, "choose one of index, class"),
        ({"n_train": 1001}, "from 1 to 1000"),
        ({"n_test": 0}, "from 1 to 797"),
    ],
)
def test_bad_options_name_the_choices(options, message):
    with pytest.raises(ValueError, match=message):
        mnist_m.load(**options)


def test_missing_mnist_says_where_and_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"MNIST is not in .*raw: put .* CCHKD_DATA") as e:
        mnist_m.load("real", root=tmp_path)
    assert str(tmp_path) in str(e.value)
    assert "\n" not in str(e.value)
    assert not list(tmp_path.iterdir())


def test_a_published_mnist_m_does_not_replace_the_photographs(tmp_path, monkeypatch):
    """Notebook 02 draws its own patches: it needs them in any case."""
    asked = []
    (tmp_path / "mnist_m").mkdir()
    (tmp_path / "mnist_m" / "keras_mnistm.pkl.gz").touch()
    monkeypatch.setattr(files, "fetch_mnist", lambda folder: asked.append("mnist"))
    monkeypatch.setattr(files, "fetch_photographs", lambda folder: asked.append("photographs"))
    assert mnist_m.download(tmp_path) == tmp_path
    assert asked == ["mnist", "photographs"]


@pytest.mark.real
def test_missing_photographs_say_where_and_what_to_do(real_root, tmp_path):
    (tmp_path / "MNIST").symlink_to((real_root / "MNIST").resolve())
    with pytest.raises(FileNotFoundError, match=r"BSDS500 .* CCHKD_DATA") as e:
        mnist_m.load("real", root=tmp_path)
    assert str(tmp_path) in str(e.value)


@pytest.mark.real
def test_real_images_are_mnist_blended_with_bsds(real_root):
    data = mnist_m.load("real", real_root, n_train=300)
    modalities, labels = data.take("test")
    assert labels[:5].tolist() == [7, 2, 1, 0, 4]  # the first test digits of MNIST
    assert modalities["mnist"].shape == (10000, 1, 32, 32)
    assert modalities["mnist_m"].shape == (10000, 3, 32, 32)
    assert data.kind == "real"
    assert data.provenance["files"] == "the four published files, by SHA-256"
    photos = files.photographs(real_root / files.TRAIN, 32)
    positions = recipe.patch_positions(photos, 32, 70000, seed=0)[:, data.ids[:300]]
    digits = np.rint(255 * data.take("train")[0]["mnist"][:, 0]).astype(np.uint8)
    slow = blend_slowly(255 * (digits > 0), photos, positions)
    np.testing.assert_allclose(data.take("train")[0]["mnist_m"], slow, atol=1e-6)


@pytest.mark.slow
@pytest.mark.real
def test_colours_are_those_reported_for_the_published_set(real_root):
    """Mean and spread per channel of its 59001 training images, as its users normalise them."""
    images = mnist_m.load("real", real_root, n_train=20000, n_test=1).take("train")[0]["mnist_m"]
    np.testing.assert_allclose(images.mean((0, 2, 3)), [0.4579, 0.4621, 0.4082], atol=0.01)
    np.testing.assert_allclose(images.std((0, 2, 3)), [0.2519, 0.2368, 0.2587], atol=0.01)


@pytest.mark.slow
@pytest.mark.real
def test_a_student_does_as_well_over_photographs_nobody_used(real_root, monkeypatch):
    """Our stand-in for the published images: the same recipe over the 200 BSDS500 test pictures."""
    from cchkd_utils import distill
    from cchkd_utils.distill import networks
    from cchkd_utils.sections.mnist_m import study

    own = mnist_m.load("real", real_root, n_train=5000)
    monkeypatch.setattr(files, "TRAIN", files.TRAIN.replace("train", "test"))
    unused = mnist_m.load("real", real_root, n_train=1, seed=9)
    train, test = study.inputs([own], "mnist_m")
    student = distill.train(
        lambda: networks.CNN(3, 32, 10), train[0], own.take("train")[1], optimizer="sgd", lr=0.1,
        schedule="cosine", epochs=5, device="cpu",
    )  # fmt: skip
    raw = own.take("train")[0]["mnist_m"]
    unseen = (unused.take("test")[0]["mnist_m"] - raw.mean()) / raw.std()
    y = own.take("test")[1]
    np.testing.assert_array_equal(unused.take("test")[1], y)
    here, there = ((student.predict(x)[0].argmax(-1) == y).mean() for x in (test[0], unseen))
    assert here > 0.8
    assert there > here - 0.02
