"""Where the real digits and photographs come from, and how they are unpacked."""

import gzip
import os
import tarfile
import zlib
from pathlib import Path

from cchkd_utils.datasets.fetch import fetch
from cchkd_utils.datasets.mnist_m.files import BSDS, COUNT, TRAIN, jpegs

MAX_BYTES = 1 << 28  # of one unpacked file; MNIST's largest has 47 MB


def mnist(folder, **options):
    """Put MNIST's four files below ``folder/MNIST/raw``; `options` of `download.fetch`.

    Their addresses and MD5 hashes are torchvision's.
    """
    from torchvision.datasets import MNIST

    raw = Path(folder) / "MNIST" / "raw"
    for name, md5 in MNIST.resources:
        target = raw / name.removesuffix(".gz")
        if target.is_file():
            continue
        urls = [mirror + name for mirror in MNIST.mirrors]
        packed = fetch(urls, raw, name, expected=f"md5:{md5}", **options)
        try:
            with gzip.open(packed) as file:
                data = file.read(MAX_BYTES)
        except (OSError, EOFError, zlib.error):
            raise ValueError(f"{packed}: not a whole gzip file; remove it and try again") from None
        _write(target, data)


def photographs(folder, url=BSDS, **options):
    """Put the 200 BSDS500 training photographs below `folder`; `options` of `download.fetch`.

    Each is written in one step, and unless all are there all are written: what was broken off
    half-way becomes whole the next time.
    """
    folder = Path(folder)
    if len(jpegs(folder / TRAIN)) >= COUNT:
        return
    packed = fetch(url, folder, "BSR_bsds500.tgz", **options)
    try:
        with tarfile.open(packed, "r:gz") as archive:
            wanted = [m for m in archive if m.isfile() and _is_photograph(m.name)]
            held = {Path(m.name).name: archive.extractfile(m).read(MAX_BYTES) for m in wanted}
    except (tarfile.TarError, OSError, EOFError, zlib.error):
        raise ValueError(f"{packed}: not a whole .tgz; remove it and try again") from None
    if len(held) != COUNT:
        found = f"{len(held)} photographs in {TRAIN}, not {COUNT}"
        raise ValueError(f"{packed}: has {found}; remove it and try again")
    for name, data in held.items():
        _write(folder / TRAIN / name, data)


def _is_photograph(name):
    inside = name.removeprefix("./").startswith(f"{TRAIN}/") and name.endswith(".jpg")
    return inside and not Path(name).name.startswith(".")


def _write(path, data):
    """Write a file in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_bytes(data)
    part.replace(path)
