"""The real digits and photographs, fetched and read: MNIST's four files and BSDS500's pictures.

Many sets have the names and shapes of MNIST's files (Fashion-MNIST, KMNIST, ...): the published
files are known by their SHA-256, and the provenance says whether these are they.
"""

import gzip
import hashlib
import math
import struct
import tarfile
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from cchkd_utils.datasets import not_there, visible, write_whole
from cchkd_utils.datasets.fetch import fetch
from cchkd_utils.untrusted import DAMAGED

BSDS = "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/BSR/BSR_bsds500.tgz"
TRAIN = "BSR/BSDS500/data/images/train"
COUNT = 200  # photographs in the archive's folder train
SIDE = 28
MAX_BYTES = 1 << 30  # of one unpacked file; published pickles of MNIST-M have 176 MB
# SHA-256 of MNIST's files, unpacked. Many projects list the same four; the authors publish none.
# What `fetch_mnist` downloads is held against torchvision's MD5 of the packed files besides.
PUBLISHED = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


def fetch_mnist(folder, **options):
    """Put MNIST's four files, by torchvision's addresses and MD5, below ``folder/MNIST/raw``."""
    from torchvision.datasets import MNIST

    raw = folder / "MNIST" / "raw"
    for name, md5 in MNIST.resources:
        target = raw / name.removesuffix(".gz")
        if not target.is_file():
            urls = [mirror + name for mirror in MNIST.mirrors]
            packed = fetch(urls, raw, name, expected=f"md5:{md5}", **options)
            write_whole(target, gunzip(packed))


def gunzip(path):
    """Return what a gzip file holds; ValueError where it is damaged or unpacks to too much."""
    try:
        with gzip.open(path) as file:
            data = file.read(MAX_BYTES + 1)
    except DAMAGED as error:
        message = f"{path}: not a whole gzip file ({error}); remove it and fetch it again"
        raise ValueError(message) from None
    if len(data) > MAX_BYTES:
        raise ValueError(f"{path}: unpacks to more than {MAX_BYTES >> 20} MB; fetch it again")
    return data


def fetch_photographs(folder, url=BSDS, **options):
    """Put the 200 BSDS500 training photographs below `folder`, unless all are there."""
    if len(visible(folder / TRAIN, "*.jpg")) >= COUNT:
        return
    packed = fetch(url, folder, "BSR_bsds500.tgz", **options)
    try:
        with tarfile.open(packed, "r:gz") as archive:
            wanted = [m for m in archive if m.isfile() and _is_photograph(m.name)]
            held = {Path(m.name).name: archive.extractfile(m).read(MAX_BYTES) for m in wanted}
    except (tarfile.TarError, *DAMAGED):
        raise ValueError(f"{packed}: not a whole .tgz; remove it and try again") from None
    if len(held) != COUNT:
        raise ValueError(
            f"{packed}: has {len(held)} photographs in {TRAIN}, not {COUNT}; "
            "remove it and try again"
        )
    for name, data in held.items():
        write_whole(folder / TRAIN / name, data)


def _is_photograph(name):
    inside = name.removeprefix("./").startswith(f"{TRAIN}/") and name.endswith(".jpg")
    return inside and not Path(name).name.startswith(".")


def mnist(folder):
    """Read the four files in ``folder/MNIST/raw``; a UserWarning where they are not the published.

    Returns the digits uint8 [n, 28, 28], training before test; their labels int64 [n]; the row of
    the first test digit; and whether these are the published files, in words.
    """
    raw = folder / "MNIST" / "raw"
    digits, labels, strange = [], [], []
    for part in ("train", "t10k"):
        images, images_known = _idx(raw / f"{part}-images-idx3-ubyte", 3)
        classes, labels_known = _idx(raw / f"{part}-labels-idx1-ubyte", 1)
        _check_part(f"{raw / part}-*", images, classes)
        digits.append(images)
        labels.append(classes.astype(np.int64))
        strange += [part] * (not (images_known and labels_known))
    said = "the four published files, by SHA-256"
    if strange:
        named = " and ".join(strange)
        said = f"not MNIST as published: the {named} files have another SHA-256"
        warnings.warn(
            f"{raw}: the {named} files are not the published MNIST (their SHA-256 differ; other "
            "sets have the same names): results are of another set; `cchkd data --get 02` fetches "
            "MNIST",
            stacklevel=3,  # whoever called mnist_m.load
        )
    return np.concatenate(digits), np.concatenate(labels), len(digits[0]), said


def _idx(path, ndim):
    """Return a file's array, and whether it is the published one."""
    try:
        data = path.read_bytes()
    except OSError:
        raise not_there(
            f"MNIST is not in {path.parent}: put its four -ubyte files there, {path.name} is not "
            "there or cannot be read (`cchkd data --get 02` fetches them)", "MNIST"
        ) from None  # fmt: skip
    start = 4 + 4 * ndim  # two zero bytes, 8 for bytes, the number of axes; then their lengths
    shape = struct.unpack(f">{ndim}I", data[4:start]) if len(data) >= start else ()
    if data[:4] != bytes([0, 0, 8, ndim]) or len(data) != start + math.prod(shape):
        raise ValueError(f"{path}: not MNIST's, or not whole; put the published file there")
    known = hashlib.sha256(data).hexdigest() == PUBLISHED[path.name]
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape), known


def _check_part(where, images, labels):
    if images.shape[1:] != (SIDE, SIDE) or not len(images) or (labels > 9).any():
        raise ValueError(
            f"{where}: {list(images.shape)} images, labels up to {labels.max(initial=0)}, "
            "not 28 x 28 digits; put MNIST's published files there"
        )
    if len(images) != len(labels):
        raise ValueError(
            f"{where}: {len(images)} images have {len(labels)} labels; put MNIST's "
            "published files there, each under its own name"
        )


def photographs(folder, least):
    """Read the photographs of a folder by name, uint8 [h, w, 3], of `least` pixels a side."""
    paths = visible(folder, "*.jpg")
    if not paths:
        raise not_there(
            f"no BSDS500 photographs (*.jpg) in {folder}: unpack BSR_bsds500.tgz into the folder "
            f"that CCHKD_DATA names (`cchkd data --get 02` fetches it from {BSDS})", "BSR"
        )  # fmt: skip
    if len(paths) != COUNT:
        raise ValueError(
            f"{folder}: holds {len(paths)} photographs, BSDS500 has {COUNT} here; unpack "
            "BSR_bsds500.tgz again (`cchkd data --get 02`), and nothing else into this folder"
        )
    return [_photograph(path, least) for path in paths]


def _photograph(path, least):
    try:
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("RGB"))
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError):
        raise ValueError(f"{path}: not a whole picture; unpack BSR_bsds500.tgz again") from None
    height, width = pixels.shape[:2]
    if min(height, width) < least:
        raise ValueError(
            f"{path}: {height} x {width} pixels hold no patch of {least} x {least}; "
            "unpack BSR_bsds500.tgz again"
        )
    return pixels
