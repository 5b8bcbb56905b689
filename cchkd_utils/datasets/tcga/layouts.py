"""The layouts in which TCGA tables are found: npz, cBioPortal, UCSC Xena, MOGONET csv."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from cchkd_utils.datasets.tcga import tables
from cchkd_utils.untrusted import npz

XENA = {
    "mrna": ("HiSeqV2",),
    "cnv": ("Gistic2_CopyNumber_Gistic2_all_data_by_genes",),
    "rppa": ("RPPA_RBN", "RPPA"),
}
CBIOPORTAL = {
    "mrna": ("data_mrna_seq_v2_rsem.txt",),
    "cnv": ("data_log2_cna.txt",),
    "rppa": ("data_rppa.txt", "data_rppa_zscores.txt"),
}
NAMES = ("barcode", "ids")
ARRAYS = {"mrna": ("mrna", "mrna_modules"), "cnv": ("cnv",), "rppa": ("rppa",)}
MOGONET = {"mrna": ("mrna", "1"), "cnv": ("cnv",), "rppa": ("rppa",)}  # published: 1 is mRNA
COLUMNS = {  # where each layout keeps a label; the first column that is there counts
    "pam50": ("PAM50Call_RNAseq", "PAM50_mRNA_nature2012", "SUBTYPE", "subtype"),
    "type": ("type", "histological_type", "CANCER_TYPE_ACRONYM"),
    "grade": ("neoplasm_histologic_grade", "GRADE", "grade"),
    "high_grade": ("neoplasm_histologic_grade", "GRADE", "grade"),
    "stage": ("pathologic_stage", "AJCC_PATHOLOGIC_TUMOR_STAGE", "stage"),
    "vital": ("vital_status", "OS_STATUS", "vital"),
}


@dataclass(frozen=True)
class Source:
    """One cohort in one place: its modalities, read when called, and its labels."""

    layout: str
    place: Path
    files: Mapping[str, Path]  # by modality, as the next
    matrices: Mapping[str, Callable[[], pd.DataFrame]]  # float32 [samples, features]
    labels: Callable[[str], tuple[Path, dict[str, str]]]  # label: file, entries by participant
    variants: Mapping[str, str]  # name of the file or array: where it differs, the units do too
    study: str | None = None  # identifier of a cBioPortal study


def find(folder: Path, cohort: str, layout: str = "auto") -> Source | None:
    """Return the cohort in the first layout found below `folder`, or None."""
    finders = {"npz": _npz, "cbioportal": _cbioportal, "xena": _xena, "mogonet": _mogonet}
    chosen = finders if layout == "auto" else [layout]
    places = [p for p in (folder / "tcga", folder) if p.is_dir()]
    places += [p for place in places for p in sorted(place.iterdir()) if p.is_dir()]
    sources = (finders[name](place, cohort) for name in chosen for place in places)
    return next(filter(None, sources), None)


def _first(names, is_there):
    """Return modality to the first of its names that is there, where any is."""
    first = {modality: next(filter(is_there, options), None) for modality, options in names.items()}
    return {modality: name for modality, name in first.items() if name}


def _files(place, names):
    """Return modality to path, for the modalities that have a file here, plain or gz."""
    paths = {
        modality: [place / f"{option}{end}" for option in options for end in ("", ".gz")]
        for modality, options in names.items()
    }
    return _first(paths, Path.is_file)


def _folder(layout, place, names, labels, study=None):
    """Return a source of one file per modality, each of features by samples."""
    files = _files(place, names)
    matrices = {name: partial(tables.features_by_samples, path) for name, path in files.items()}
    variants = {name: path.name.removesuffix(".gz") for name, path in files.items()}
    return Source(layout, place, files, matrices, labels, variants, study)


def _npz(place, cohort):
    paths = sorted(place.glob(f"{cohort.lower()}_*.npz"))
    if not paths:
        return None
    if len(paths) > 1:
        names = ", ".join(path.name for path in paths)
        raise ValueError(f"{place}: several files of {cohort} ({names}): leave one of them there")
    path = paths[0]
    known = {*NAMES}.union(*ARRAYS.values(), *COLUMNS.values())
    arrays = npz.read(
        path,
        lambda held: sorted(known.intersection(held)),
        again="fetch it again",
        max_bytes=tables.MAX_BYTES,
    )
    names = next((arrays[key] for key in NAMES if key in arrays), None)
    if names is None or names.dtype.kind != "U" or names.ndim != 1:
        raise ValueError(f"{path}: no text array named barcode or ids")
    names = names.tolist()

    def labels(label):
        column = next((c for c in COLUMNS[label] if c in arrays), None)
        if column is None:
            raise ValueError(f"{path}: no array for the label {label!r}")
        if arrays[column].shape != (len(names),):
            shape = arrays[column].shape
            raise ValueError(f"{path}: {column} {shape} does not fit {len(names)} ids")
        entries = arrays[column].tolist()
        # The rows that `join` takes: a normal sample's label is not its participant's.
        return path, {who: str(entries[i]) for who, i in tables.one_per_participant(names).items()}

    keys = _first(ARRAYS, arrays.__contains__)
    matrices = {m: partial(_npz_matrix, path, k, arrays[k], names) for m, k in keys.items()}
    return Source("npz", path, dict.fromkeys(keys, path), matrices, labels, keys)


def _npz_matrix(path, key, values, names):
    if values.ndim != 2 or len(values) != len(names) or values.dtype.kind not in "fiu":
        raise ValueError(f"{path}: {key} {values.shape} does not fit {len(names)} ids")
    with np.errstate(over="ignore"):  # what float32 cannot hold is refused below
        cast = values.astype(np.float32)
    if np.isinf(cast).any():
        row, column = np.argwhere(np.isinf(cast))[0]
        raise ValueError(
            f"{path}: {key}, row {row + 1}, column {column + 1}: {values[row, column]} is no "
            "measurement; leave nan where one is missing"
        )
    return pd.DataFrame(cast, names, [f"{key} {i}" for i in range(values.shape[1])])


def _cbioportal(place, cohort):
    if not (place / "data_clinical_patient.txt").is_file():
        return None
    meta = place / "meta_study.txt"
    name = meta.read_text("utf-8", errors="replace")[:10_000] if meta.is_file() else place.name
    if f"{cohort.lower()}_tcga" not in name.lower():
        return None
    stated = re.search(r"cancer_study_identifier:[ \t]*(\S+)", name)
    study = (stated[1] if stated else place.name).lower()
    clinical = [place / f"data_clinical_{part}.txt" for part in ("sample", "patient")]
    labels = partial(_entries, place, clinical, "PATIENT_ID", "SAMPLE_ID")
    return _folder("cbioportal", place, CBIOPORTAL, labels, study)


def _xena(place, cohort):
    clinical = _files(place, {"clinical": (f"{cohort}_clinicalMatrix",)}).values()
    if not clinical:
        return None
    return _folder("xena", place, XENA, partial(_entries, place, clinical, "sampleID", "sampleID"))


def _entries(place, paths, key, sample, label):
    """Return the first clinical table that has the label, and its entries by participant."""
    for path in filter(Path.is_file, paths):
        rows = tables.text_table(path)
        column = next((c for c in COLUMNS[label] if c in rows[0]), None)
        if column is None:
            continue
        if key not in rows[0]:
            raise ValueError(f"{path}: no column {key}")
        taken = tables.one_per_participant(row.get(sample, row[key]) for row in rows).values()
        return path, {tables.participant(rows[i][key]): rows[i][column] for i in taken}
    raise ValueError(f"{place}: no column for the label {label!r}")


def _mogonet(place, cohort):
    if cohort.lower() not in place.name.lower() or not (place / "labels_tr.csv").is_file():
        return None
    parts = [part for part in ("tr", "te") if (place / f"labels_{part}.csv").is_file()]

    def whole(name):
        blocks = [tables.samples_by_features(place / f"{name}_{part}.csv") for part in parts]
        if len({block.shape[1] for block in blocks}) > 1:
            raise ValueError(f"{place}: {name}_*.csv differ in their number of columns")
        return blocks

    codes = whole("labels")
    names = [f"{part}-{i}" for part, block in zip(parts, codes) for i in range(len(block))]

    def matrix(view):
        blocks = whole(view)
        if list(map(len, blocks)) != list(map(len, codes)):
            raise ValueError(f"{place}: {view}_*.csv do not fit labels_*.csv, row by row")
        return pd.concat(blocks).set_axis(names)

    views = _first(MOGONET, lambda view: (place / f"{view}_tr.csv").is_file())
    files = {modality: place / f"{view}_tr.csv" for modality, view in views.items()}
    matrices = {modality: partial(matrix, view) for modality, view in views.items()}
    entries = {who: f"{code:g}" for who, code in zip(names, pd.concat(codes)[0])}
    filed = place / "labels_tr.csv", entries
    return Source("mogonet", place, files, matrices, lambda label: filed, views)
