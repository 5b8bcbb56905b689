"""The recipe of MNIST-M: which patch lies behind which digit, and how the two are blended.

What was made is kept in the user's cache folder. This file's own text is part of the key: after a
change of the recipe the images are made anew.
"""

import contextlib
import hashlib
import io
import zlib
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cchkd_utils.datasets import write_whole
from cchkd_utils.paths import cache_root
from cchkd_utils.untrusted import DAMAGED

_SOURCE = Path(__file__)


def stream(seed, purpose):
    """Return the generator of one purpose, independent of the others of the same seed."""
    return np.random.default_rng([zlib.crc32(purpose.encode()), seed])


def ink(digits):
    """Return the digits in black and white: every pixel with any ink counts."""
    # Greys kept, the channel means are .02 to .03 below those of the published set; so, they agree
    # with what its users report (.458, .462, .408) to .002.
    return np.where(digits > 0, 255, 0).astype(np.uint8)


def generate(digits, photos, rows, n, seed):
    """Return the blended images of some `rows` of `n` digits, uint8 [len(rows), S, S, 3]."""
    return blend(digits, photos, patch_positions(photos, digits.shape[-1], n, seed)[:, rows])


def kept(digits, photos, rows, n, seed):
    """As `generate`, from the user's cache folder if the images lie there already."""
    recipe = hashlib.sha256(_SOURCE.read_bytes()).digest()
    key = hashlib.sha256(b"|".join([recipe, digits, *photos, rows, f"{n} {seed}".encode()]))
    path = cache_root() / "generated" / f"mnist_m-{key.hexdigest()[:16]}.npz"
    try:
        with np.load(path, allow_pickle=False) as held:  # a zip file: what it holds is checked
            return held["images"]
    except (*DAMAGED, ValueError, KeyError):
        pass  # not there, or damaged: made again
    images = generate(digits, photos, rows, n, seed)
    packed = io.BytesIO()
    np.savez(packed, images=images)
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time, not results
        write_whole(path, packed.getbuffer())
    return images


def patch_positions(photos, size, n, seed):
    """Draw one patch per image: photograph, top, left; int64 [3, n]."""
    if small := [p.shape[:2] for p in photos if min(p.shape[:2]) < size]:
        raise ValueError(f"a photograph of {small[0]} pixels holds no patch of {size} x {size}")
    u = stream(seed, "patches").random((3, n))
    photo = (u[0] * len(photos)).astype(np.int64)
    room = np.array([p.shape[:2] for p in photos])[photo].T - size + 1
    return np.stack([photo, *(u[1:] * room).astype(np.int64)])


def blend(digits, photos, patches):
    """Return |patch - digit| per channel, uint8 [n, S, S, 3]."""
    out = np.empty((*digits.shape, 3), np.uint8)
    for number, photo in enumerate(photos):
        rows = np.flatnonzero(patches[0] == number)
        windows = sliding_window_view(photo, digits.shape[1:], axis=(0, 1))
        patch = np.moveaxis(windows[tuple(patches[1:, rows])], 1, -1).astype(np.int16)
        out[rows] = np.abs(patch - digits[rows, :, :, None])
    return out
