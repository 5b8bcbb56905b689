"""The real digits and photographs as they lie on disk: the four MNIST files and BSDS500's pictures.

Many sets have the names and shapes of MNIST's files (Fashion-MNIST, KMNIST, ...): the published
files are known by their SHA-256, and the provenance says whether these are they.
"""

import hashlib
import math
import struct
import warnings
from pathlib import Path

import numpy as np

BSDS = "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/BSR/BSR_bsds500.tgz"
TRAIN = "BSR/BSDS500/data/images/train"
COUNT = 200  # photographs in the archive's folder train
SIDE = 28
# SHA-256 of MNIST's files, unpacked. Many projects list the same four; the authors publish none.
# What `mnist_m_fetch` downloads is held against torchvision's MD5 of the packed files besides.
PUBLISHED = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


def mnist(folder):
    """Read the four files in ``folder/MNIST/raw``; nothing else there is looked at.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    digits : uint8 [n, 28, 28]
        Training digits, then test digits.
    labels : int64 [n]
    first_test : int
        Row of the first test digit.
    said : str
        Whether these are the published files; if not, a UserWarning says so, too.

    Raises
    ------
    FileNotFoundError
        When one of the files is missing.
    ValueError
        When one is damaged, holds something else, or images and labels differ in number.
    """
    raw = Path(folder) / "MNIST" / "raw"
    digits, labels, strange = [], [], []
    for part in ("train", "t10k"):
        images, known = _idx(raw / f"{part}-images-idx3-ubyte", 3)
        own, labels_known = _idx(raw / f"{part}-labels-idx1-ubyte", 1)
        _check_part(raw, part, images, own)
        digits.append(images)
        labels.append(own.astype(np.int64))
        strange += [part] * (not (known and labels_known))
    return np.concatenate(digits), np.concatenate(labels), len(digits[0]), _said(raw, strange)


def _idx(path, ndim):
    """Return a file's array and whether it is the published one.

    The format: two zero bytes, 8 for bytes, the number of axes, their lengths, the values.
    """
    try:
        data = path.read_bytes()
    except OSError:
        raise FileNotFoundError(
            f"MNIST is not in {path.parent}: put its four -ubyte files there, {path.name} is not "
            "there or cannot be read (`cchkd data --get 02` fetches them), set CCHKD_DATA to the "
            'folder that holds MNIST/, or use data="embedded"'
        ) from None
    start = 4 + 4 * ndim
    shape = struct.unpack(f">{ndim}I", data[4:start]) if len(data) >= start else ()
    if data[:4] != bytes([0, 0, 8, ndim]) or len(data) != start + math.prod(shape):
        raise ValueError(f"{path}: not MNIST's, or not whole; put the published file there")
    known = hashlib.sha256(data).hexdigest() == PUBLISHED[path.name]
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape), known


def _check_part(raw, part, images, labels):
    if images.shape[1:] != (SIDE, SIDE) or not len(images) or (labels > 9).any():
        raise ValueError(
            f"{raw / part}-*: {list(images.shape)} images, labels up to "
            f"{labels.max(initial=0)}, not 28 x 28 digits; put MNIST's published files there"
        )
    if len(images) != len(labels):
        raise ValueError(
            f"{raw / part}-*: {len(images)} images have {len(labels)} labels; put MNIST's "
            "published files there, each under its own name"
        )


def _said(raw, strange):
    if not strange:
        return "the four published files, by SHA-256"
    named = " and ".join(strange)
    warnings.warn(
        f"{raw}: the {named} files are not the published MNIST (their SHA-256 differ; other sets "
        "have the same names): results are of another set; `cchkd data --get 02` fetches MNIST",
        UserWarning,
        stacklevel=5,  # whoever called mnist_m.load
    )
    return f"not MNIST as published: the {named} files have another SHA-256"


def photographs(folder, least):
    """Read photographs in the order of their names; names that start with a dot are left.

    Parameters
    ----------
    folder : Path
        The one with the ``.jpg`` files.
    least : int
        Pixels that every side must have.

    Returns
    -------
    list of uint8 [h, w, 3]

    Raises
    ------
    FileNotFoundError
        When there is none.
    ValueError
        When there are not as many as in the archive, or one is damaged or too small.
    """
    files = jpegs(folder)
    if not files:
        raise FileNotFoundError(
            f"no BSDS500 photographs (*.jpg) in {folder}: unpack BSR_bsds500.tgz into the folder "
            f"that CCHKD_DATA names (`cchkd data --get 02` fetches it from {BSDS}), set CCHKD_DATA "
            'to the folder that holds BSR/, or use data="embedded"'
        )
    if len(files) != COUNT:
        raise ValueError(
            f"{folder}: holds {len(files)} photographs, BSDS500 has {COUNT} here; unpack "
            "BSR_bsds500.tgz again (`cchkd data --get 02`), and nothing else into this folder"
        )
    return [_photograph(file, least) for file in files]


def jpegs(folder):
    """Return a folder's ``.jpg`` files, sorted, without the ``._`` files that macOS adds."""
    return sorted(file for file in Path(folder).glob("*.jpg") if not file.name.startswith("."))


def _photograph(file, least):
    from PIL import Image

    try:
        with Image.open(file) as picture:
            pixels = np.asarray(picture.convert("RGB"))
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError):
        raise ValueError(f"{file}: not a whole picture; unpack BSR_bsds500.tgz again") from None
    if min(pixels.shape[:2]) < least:
        height, width = pixels.shape[:2]
        raise ValueError(
            f"{file}: {height} x {width} pixels hold no patch of {least} x {least}; "
            "unpack BSR_bsds500.tgz again"
        )
    return pixels
