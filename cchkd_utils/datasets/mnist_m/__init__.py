"""MNIST paired with MNIST-M: a clean digit, and the same digit blended with a photograph.

Recipe of MNIST-M (Ganin et al., 2016): pad the digit to 32 x 32, draw a random patch of a natural
photograph, and invert its pixels where the digit has ink, ``|patch - ink|`` in each colour channel.
The set is generated so (`recipe`), or read as others publish it (`layouts`).
"""

import numpy as np
from scipy.ndimage import gaussian_filter1d, zoom

from cchkd_utils.datasets import DATA, Multimodal, require_choice, require_count, train_and_test
from cchkd_utils.datasets.mnist_m import files, layouts, recipe
from cchkd_utils.paths import data_root

LAYOUTS = ("auto", "generated", *layouts.MARKS)
PAIRINGS = ("index", "class")
SOURCES = {
    "embedded": {
        "digits": "scikit-learn load_digits (UCI optical digits), CC BY 4.0",
        "photographs": "scikit-learn load_sample_images (china, flower), CC BY",
    },
    "real": {
        "digits": "MNIST (LeCun et al.), CC BY-SA 3.0",
        "photographs": "BSDS500 train (Berkeley), non-commercial research",
    },
}
_EMBEDDED_TRAIN = 1000  # of 1797 digits; the other 797 are the test split: MI needs held-out rows
_SHRINK = 3  # at a third of their size, 16-pixel patches of the sample photographs have structure


def load(
    data="embedded", root=None, n_train=None, n_test=None, pairing="index", seed=0, layout="auto"
):
    """Load digits (modality ``mnist``) paired with digits on photographs (``mnist_m``).

    Parameters
    ----------
    data : {"embedded", "real"}
        ``embedded``: scikit-learn's 1797 digits and two sample photographs, 16 x 16, no download.
        ``real``: MNIST and MNIST-M found under `root`, 32 x 32; `download` gets what is missing.
    root : path-like, optional
        Folder with ``MNIST/raw`` and ``BSR/BSDS500`` or ``mnist_m``; see `paths.data_root`.
    n_train, n_test : int, optional
        Use so many rows of each split, drawn by `seed`; by default all.
    pairing : {"index", "class"}
        ``index``: both modalities show the same handwritten digit. ``class``: the clean digit is
        another image of the same class and split, chosen by `seed`, as the patches are.
    layout : {"auto", "generated", "png", "keras", "pt"}
        Of the real MNIST-M: generated from the BSDS500 photographs, or a published set, whose
        images do not depend on `seed`. ``auto``: a published set if one is there.

    Returns
    -------
    Multimodal
        ``mnist`` float32 [n, 1, S, S] and ``mnist_m`` float32 [n, 3, S, S], both in [0, 1]; splits
        ``train`` and ``test``. The ids are the rows of MNIST, test digits after the training
        digits. A UserWarning and the provenance say where MNIST's files are not the published ones.

    Raises
    ------
    ValueError
        For more rows than there are, a damaged file, images that do not show the digits they are
        paired with, or a number of photographs other than the archive's.
    FileNotFoundError
        When the real data are not under `root`; nothing is downloaded.
    """
    require_choice("data", data, DATA)
    require_choice("pairing", pairing, PAIRINGS)
    require_choice("layout", layout, LAYOUTS)
    folder, published = data_root(root), None
    source = {"data": data, "pairing": pairing, "seed": seed, "layout": "generated"}
    source |= SOURCES[data]
    if data == "embedded":
        digits, labels, first_test = _embedded_digits()
    else:
        digits, labels, first_test, source["files"] = files.mnist(folder)
        digits = np.pad(digits, ((0, 0), (2, 2), (2, 2)))
        source["layout"] = (layouts.find(folder) or "generated") if layout == "auto" else layout
    if source["layout"] != "generated":
        published = layouts.read(source["layout"], folder)
        source["photographs"] = f"MNIST-M as published, {published['train'].path.name}"
    n = len(digits)
    there = _rows_there(published, first_test, n)
    counts = (("n_train", n_train), ("n_test", n_test))
    drawn = [  # positions among the rows that are there, in their order
        np.sort(rng.permutation(len(rows))[: require_count(*count, len(rows))])
        for rows, count, rng in zip(there, counts, recipe.stream(seed, "rows").spawn(2))
    ]
    splits = train_and_test(*map(len, drawn))
    used = np.concatenate([rows[which] for rows, which in zip(there, drawn)])
    digits, labels = digits[used], labels[used]
    if published:
        images = _published(published, digits, labels, splits, drawn)
    elif data == "embedded":
        images = recipe.generate(digits, _sample_photographs(), used, n, seed)
    else:
        photos = files.photographs(folder / files.TRAIN, digits.shape[-1])
        images = recipe.kept(recipe.ink(digits), photos, used, n, seed)
    if pairing == "class":
        digits = digits[class_partners(labels, splits, seed)]
    modalities = {"mnist": _unit(digits[:, None]), "mnist_m": _unit(np.moveaxis(images, -1, 1))}
    return Multimodal(modalities, labels, used, splits, "real", source)


def download(root=None):
    """Download what real data lack under `root`, a folder, and return it for `load`.

    A published MNIST-M does not replace the photographs: notebook 02 draws new patches by seed.
    """
    folder = data_root(root)
    files.fetch_mnist(folder)
    files.fetch_photographs(folder)
    return folder


def blur(images, sigma):
    """Blur images [..., S, S] by a Gaussian of `sigma` pixels, in float32; edges are continued.

    Raises
    ------
    ValueError
        When `sigma` is negative or not finite.
    """
    if not 0 <= sigma < np.inf:
        raise ValueError(f"sigma is {sigma}: give a number of pixels, 0 or more")
    images = np.asarray(images, dtype=np.float32)
    if sigma == 0:
        return images
    # Blurring is linear and separable: one matrix per axis makes it two matrix products.
    down, across = (
        gaussian_filter1d(np.eye(size), sigma, axis=0, mode="nearest").astype(np.float32)
        for size in images.shape[-2:]
    )
    return down @ images @ across.T


def _unit(pixels):
    return pixels.astype(np.float32) / np.float32(255)


def _embedded_digits():
    """Return the 1797 digits, uint8 [n, 16, 16], in a fixed shuffle, labels, first test row."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    # The file is ordered by writer; the shuffle is part of the data, not of the seed.
    order = np.random.default_rng(1797).permutation(len(labels))
    small = images[order].reshape(-1, 8, 8) / 16
    large = np.clip(zoom(small, (1, 1.75, 1.75), order=1), 0, 1)
    digits = np.pad(np.rint(255 * large).astype(np.uint8), ((0, 0), (1, 1), (1, 1)))
    return digits, labels[order].astype(np.int64), _EMBEDDED_TRAIN


def _sample_photographs():
    """Return scikit-learn's sample photographs, uint8 [h, w, 3], averaged down by `_SHRINK`."""
    from sklearn.datasets import load_sample_images

    small = []
    for image in load_sample_images().images:
        height, width = (side // _SHRINK for side in image.shape[:2])
        cut = image[: height * _SHRINK, : width * _SHRINK]
        blocks = cut.reshape(height, _SHRINK, width, _SHRINK, 3)
        small.append(np.rint(blocks.mean((1, 3))).astype(np.uint8))
    return small


def _rows_there(published, first_test, n):
    """Return the rows of the digits [0, n) that each split has an image of."""
    if not published:
        return np.arange(first_test), np.arange(first_test, n)
    for split, count in (("train", first_test), ("test", n - first_test)):
        if published[split].rows.max() >= count:
            raise ValueError(
                f"{published[split].path}: has an image number {published[split].rows.max()}, "
                f"MNIST's {split} split has no such digit: this is not MNIST-M"
            )
    return published["train"].rows, first_test + published["test"].rows


def _published(published, digits, labels, splits, drawn):
    """Return the images of a published set, uint8 [n, 32, 32, 3], their pairing checked."""
    parts = []
    for (split, rows), which in zip(splits.items(), drawn):
        images = layouts.to_size(published[split].images(which))
        layouts.check_paired(published[split], images, digits[rows], labels[rows], which)
        parts.append(images)
    return np.concatenate(parts)


def class_partners(labels, splits, seed):
    """Return for each row another row of the same class and split, chosen at random."""
    rng = recipe.stream(seed, "partners")
    partner = np.arange(len(labels))
    for rows in splits.values():
        for label in np.unique(labels[rows]):
            members = rng.permutation(rows[labels[rows] == label])
            partner[members] = np.roll(members, 1)  # a shift of a shuffle pairs no row with itself
    return partner
