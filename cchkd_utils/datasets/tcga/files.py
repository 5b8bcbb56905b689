"""Fetch a cohort from UCSC Xena, and hold cBioPortal's files against their published hashes."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

from cchkd_utils.datasets.tcga.layouts import XENA

HOSTS = (
    "https://tcga-xena-hub.s3.us-east-1.amazonaws.com/download/TCGA.{part}.sampleMap%2F{name}",
    "https://tcga.xenahubs.net/download/TCGA.{part}.sampleMap/{name}",
)
PINS = Path(__file__).with_name("cbioportal_pins.tsv")  # study, file, sha256, size


def xena(part: str, modalities, folder: Path) -> list[Path]:
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
        When a file cannot be fetched under any of its names.
    """
    wanted = [tuple(f"{name}.gz" for name in XENA[m]) for m in modalities]
    wanted.append((f"{part}_clinicalMatrix", f"{part}_clinicalMatrix.gz"))
    return [_first(part, names, folder) for names in wanted]


def _first(part, names, folder):
    from cchkd_utils.datasets import download  # here: who reads what is there needs no network

    reasons = []
    for name in names:
        try:
            return download.fetch(
                [host.format(part=part, name=name) for host in HOSTS], folder, name
            )
        except download.DownloadError as error:
            reasons.append(str(error))
    raise download.DownloadError("; ".join(reasons))


def as_published(path: Path, cohort: str) -> bool | None:
    """Tell whether a cBioPortal file is the published one (sha256); None: none is known."""
    with PINS.open(newline="") as file:
        known = {(r["study"], r["file"]): r["sha256"] for r in csv.DictReader(file, delimiter="\t")}
    expected = known.get((f"{cohort.lower()}_tcga_pan_can_atlas_2018", path.name))
    if expected is None:
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == expected
