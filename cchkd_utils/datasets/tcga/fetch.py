"""Fetch a cohort from UCSC Xena, and hold cBioPortal's files against their published hashes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pooch

from cchkd_utils.datasets.tcga.layouts import XENA

HOSTS = (
    "https://tcga-xena-hub.s3.us-east-1.amazonaws.com/download/TCGA.{part}.sampleMap%2F{name}",
    "https://tcga.xenahubs.net/download/TCGA.{part}.sampleMap/{name}",
)
PINS = Path(__file__).with_name("cbioportal_pins.tsv")  # study, file, sha256, size


def xena(part: str, modalities: Sequence[str], folder: Path) -> None:
    """Download one cohort's matrices and clinical table, unless they are there.

    Xena publishes no hashes: each is recorded at the first download and checked from then on.
    Another name is tried only where the servers say that they have none of the first: an outage
    must not put RPPA, of other units, in RPPA_RBN's place.
    """
    wanted = [tuple(f"{name}.gz" for name in XENA[m]) for m in modalities]
    wanted.append((f"{part}_clinicalMatrix", f"{part}_clinicalMatrix.gz"))
    for names in wanted:
        _first(part, names, folder)


def _first(part, names, folder):
    from cchkd_utils.datasets import fetch  # here: who reads what is there needs no network

    reasons = []
    for name in names:
        try:
            fetch.fetch([host.format(part=part, name=name) for host in HOSTS], folder, name)
            return
        except fetch.DownloadError as error:
            reasons.append(str(error))
            if not error.missing:
                break
    raise fetch.DownloadError("; ".join(reasons))


def standing(path: Path, study: str | None) -> str:
    """Say how a file stands to the published one of a cBioPortal study; warn where it differs."""
    pins = pd.read_csv(PINS, sep="\t").set_index(["study", "file"])["sha256"]
    expected = pins.get((study, path.name))
    if expected is None:
        return "as found"  # no published hash is known
    if pooch.file_hash(path) == expected:
        return "sha256 as published"
    warnings.warn(
        f"{path} differs from the published file of {study}: fetch it again, "
        "unless you know how it was changed",
        stacklevel=4,  # who called `tcga.load`
    )
    return "differs from the published file"
