"""MNIST-M as others publish it: three layouts, read without trusting the files.

The images must show MNIST's digits row by row: labels are compared, and edges with those of the
digit claimed.
"""

import pickle
import re
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from cchkd_utils.datasets import not_there
from cchkd_utils.datasets.mnist_m.files import gunzip
from cchkd_utils.untrusted import DAMAGED, pickles

MARKS = {  # a file by which a layout is known, and what it holds
    "png": "mnist_m_train_labels.txt",  # beside the folders mnist_m_train and mnist_m_test
    "keras": "keras_mnistm.pkl.gz",  # a dict of arrays
    "pt": "mnist_m_train.pt",  # a pair of tensors, as in mnist_m_test.pt
}
PLACES = (".", "mnist_m", "MNIST-M", "MNISTM", "MNISTM/processed")
SPLITS = ("train", "test")
SIZE = 32
PAIRED = 0.8  # share of images closer to their own digit than to another of its class; chance: .5
_LINE = re.compile(r"((\d+)\.png)\s+(\d)")


@dataclass(frozen=True)
class Split:
    """One split of a published set: its images, and the rows of MNIST that they claim to show."""

    path: Path  # for messages
    rows: np.ndarray  # [n] of MNIST's split, ascending
    labels: np.ndarray | None  # [n]; None where the layout has none
    images: Callable[[np.ndarray], np.ndarray]  # by position, uint8 [count, size, size, 3]


def find(folder):
    """Return the name of the first published layout that lies below `folder`, or None."""
    return next((layout for layout in MARKS if _place(layout, folder)), None)


def _place(layout, folder):
    places = (folder / place for place in PLACES)
    return next((place for place in places if (place / MARKS[layout]).is_file()), None)


def read(layout, folder):
    """Return both splits of a published set that lies in one of `PLACES` below `folder`."""
    mark, place = MARKS[layout], _place(layout, folder)
    if place is None:
        raise not_there(
            f"MNIST-M in the layout {layout!r} is not there: put {mark} and what belongs to it in "
            f"{folder / 'mnist_m'}", "mnist_m"
        )  # fmt: skip
    if layout == "keras":
        return _keras(place / mark)
    reader = _png if layout == "png" else _pt
    return {split: reader(place, split) for split in SPLITS}


def check_paired(split, images, digits, labels, which):
    """Refuse images [n, S, S, 3] of positions [n] that do not show the MNIST digits [n, S, S]."""
    claimed = labels if split.labels is None else split.labels[which]
    if (wrong := np.flatnonzero(claimed != labels)).size:
        row = wrong[0]
        raise ValueError(
            f"{split.path}: image {which[row]} is labelled {claimed[row]}, "
            f"MNIST's digit {labels[row]}: "
            "not paired with MNIST by index; use the set as it was published"
        )
    share = paired_share(images, digits, labels)
    if share < PAIRED:
        raise ValueError(
            f"{split.path}: only {share:.0%} of the images are closer to their MNIST digit than to "
            "another one of its class (chance: 50%): they are not paired by index"
        )


def paired_share(images, digits, labels):
    """Share of images [n, S, S, 3] whose edges follow their digit more than one of its class."""
    # At most 500 are looked at, spread over all.
    looked_at = np.unique(np.linspace(0, len(images) - 1, min(500, len(images))).astype(int))
    own = looked_at[np.argsort(labels[looked_at], kind="stable")]
    classmate = np.concatenate([np.roll(own[labels[own] == c], 1) for c in np.unique(labels[own])])
    paired = own != classmate
    if not paired.any():
        return 1.0  # one image a class: nothing to compare with
    shown, ink, wrong = (
        _edges(a) for a in (images[own].astype(float).mean(-1), digits[own], digits[classmate])
    )
    return float(((shown * ink).sum(1) > (shown * wrong).sum(1))[paired].mean())


def _edges(grey):
    """Return the strength of edges [n, S * S], each row centred and of unit length."""
    down, across = np.gradient(grey.astype(float), axis=(1, 2))
    strength = np.hypot(down, across).reshape(len(grey), -1)
    strength -= strength.mean(1, keepdims=True)
    return strength / np.linalg.norm(strength, axis=1, keepdims=True).clip(1e-12)


def to_size(images):
    """Return images of 32 x 32; those of 28 x 28 have their edges continued by 2 pixels."""
    margin = (SIZE - images.shape[1]) // 2
    pad = ((0, 0), (margin, margin), (margin, margin), (0, 0))
    return np.pad(images, pad, mode="edge") if margin else images


def _checked(images, path):
    """Return uint8 images [n, size, size, 3], or refuse them."""
    shape = tuple(images.shape)
    if len(shape) == 4 and shape[1] == 3 and shape[3] != 3:
        images, shape = np.moveaxis(images, 1, -1), (shape[0], *shape[2:], 3)
    good = len(shape) == 4 and shape[1] == shape[2] and shape[1] in (28, SIZE) and shape[3] == 3
    if not good or images.dtype != np.uint8 or not shape[0]:
        raise ValueError(
            f"{path}: holds {images.dtype} {list(shape)}, not uint8 images [n, 28 or 32, ..., 3]; "
            "this is not MNIST-M"
        )
    return images


def _keras(path):
    held = pickles.loads(gunzip(path), str(path))
    held = held if isinstance(held, dict) else {}
    held |= {key.decode("latin-1"): held[key] for key in held if isinstance(key, bytes)}
    if not all(isinstance(held.get(split), np.ndarray) for split in SPLITS):
        raise ValueError(f"{path}: has no arrays named train and test; fetch it again")
    return {split: _split(path, _checked(held[split], path)) for split in SPLITS}


def _split(path, images, labels=None):
    """Return the split of an array in which image i shows digit i."""
    return Split(path, np.arange(len(images)), labels, images.__getitem__)


def _pt(folder, split):
    path = folder / f"mnist_m_{split}.pt"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file; put it beside the other one")
    try:
        images, labels = (tensor.numpy() for tensor in _tensors(path))
        images = _checked(images, path)
        if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
            raise ValueError(f"{path}: {len(images)} images have labels {list(labels.shape)}")
    except ValueError as error:
        again = "fetch it again, or save (images, labels) anew with torch.save"
        raise ValueError(f"{error}; {again}") from None
    return _split(path, images, labels)


def _tensors(path):
    """Return the pair of tensors that a file of torch.save holds."""
    import torch

    try:
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()  # torch itself does not look at the checksums
        with warnings.catch_warnings():  # what torch warns of is refused below
            warnings.simplefilter("ignore")
            held = None if bad else torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise ValueError(f"{path}: holds more than tensors and was not run") from None
    except Exception:  # of every kind, for bytes that are not torch's own
        raise ValueError(f"{path}: not a whole file of torch.save") from None
    if bad:
        raise ValueError(f"{path}: {bad} is damaged")
    pair = list(held) if isinstance(held, tuple | list) else []
    if len(pair) != 2 or not all(isinstance(tensor, torch.Tensor) for tensor in pair):
        raise ValueError(f"{path}: is not the pair (images, labels)")
    if strange := [tensor for tensor in pair if not _plain(tensor)]:
        shown = f"{strange[0].dtype}, {strange[0].layout}, {list(strange[0].shape)}"
        raise ValueError(
            f"{path}: holds a tensor ({shown}) that is not plain bytes or integers of its own"
        )
    return pair


def _plain(tensor):
    """Whether a tensor is of whole numbers that all lie in the file: none sparse or repeated."""
    import torch

    whole = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
    if tensor.layout != torch.strided or tensor.dtype not in whole or tensor.device.type != "cpu":
        return False
    return tensor.untyped_storage().nbytes() >= tensor.numel() * tensor.element_size()


def _png(folder, split):
    path = folder / f"mnist_m_{split}_labels.txt"
    try:
        lines = path.read_text(encoding="ascii").split("\n")
    except OSError as error:
        raise FileNotFoundError(f"{path}: there is no such file; unpack the set again") from error
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is not text; unpack the set again") from None
    entries = []
    for number, line in enumerate(lines, 1):
        if match := _LINE.fullmatch(line.strip()):
            entries.append((int(match[2]), match[1], int(match[3])))
        elif line.strip():
            raise ValueError(
                f"{path}: line {number} is not like '00000000.png 5'; unpack the set again"
            )
    entries.sort()  # the published list is in no order
    rows = [row for row, _, _ in entries]
    if not rows or len(set(rows)) < len(rows):
        raise ValueError(f"{path}: is empty or names an image twice; unpack the set again")
    files = [folder / f"mnist_m_{split}" / name for _, name, _ in entries]
    labels = np.array([label for _, _, label in entries])
    return Split(
        path, np.array(rows), labels, lambda which: np.stack([_image(files[i]) for i in which])
    )


def _image(path):
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            picture.verify()  # the checksums, which loading does not look at
        with Image.open(path, formats=["PNG"]) as picture:
            if max(picture.size) > SIZE:
                raise ValueError(f"{path}: {picture.size} pixels, not {SIZE} x {SIZE}")
            pixels = np.asarray(picture.convert("RGB"))
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: is in the list but not there; unpack again") from None
    except (*DAMAGED, SyntaxError, Image.DecompressionBombError):
        raise ValueError(f"{path}: not a whole PNG image; unpack the set again") from None
    return to_size(_checked(pixels[None], path))[0]
