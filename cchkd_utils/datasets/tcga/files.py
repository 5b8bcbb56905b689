"""Fetch a cohort from UCSC Xena, and hold cBioPortal's files against their published hashes."""

from __future__ import annotations

import csv
import hashlib
import warnings
from pathlib import Path

from cchkd_utils.datasets.tcga.layouts import XENA

HOSTS = (
    "https://tcga-xena-hub.s3.us-east-1.amazonaws.com/download/TCGA.{part}.sampleMap%2F{name}",
    "https://tcga.xenahubs.net/download/TCGA.{part}.sampleMap/{name}",
)
PINS = Path(__file__).with_name("cbioportal_pins.tsv")  # study, file, sha256, size
WORDS = {
    True: "sha256 as published",
    False: "differs from the published file",
    None: "as found",  # no published hash is known
}


def xena(part: str, modalities, folder: Path) -> None:
    """Download one cohort's matrices and clinical table, unless they are there.

    Xena publishes no hashes: each is recorded at the first download and checked from then on.

    Parameters
    ----------
    part : cohort that Xena has, e.g. BRCA or KIRC
    modalities : sequence of {"mrna", "cnv", "rppa"}
    folder : where the files go

    Raises
    ------
    cchkd_utils.datasets.download.DownloadError
        When a file cannot be fetched. Another name is tried only where the servers say that they
        have none of the first: an outage must not put RPPA, of other units, in RPPA_RBN's place.
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
    """Say in words (`WORDS`) how a file stands to the published one; warn where it differs."""
    known = as_published(path, study)
    if known is False:
        warnings.warn(
            f"{path} differs from the published file of {study}: fetch it again, "
            "unless you know how it was changed",
            stacklevel=4,  # who called `tcga.load`
        )
    return WORDS[known]


def as_published(path: Path, study: str | None) -> bool | None:
    """Tell whether a cBioPortal file is the published one (sha256); None: none is known.

    `study` is the identifier, e.g. kirc_tcga_pan_can_atlas_2018; None for other layouts.
    """
    with PINS.open(newline="", encoding="ascii") as file:
        known = {(r["study"], r["file"]): r["sha256"] for r in csv.DictReader(file, delimiter="\t")}
    expected = known.get((study, path.name))
    if expected is None:
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == expected
