"""The layouts in which TCGA tables are found: npz, cBioPortal, UCSC Xena, MOGONET csv."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from cchkd_utils.datasets import visible
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
CLINICAL = ("data_clinical_sample.txt", "data_clinical_patient.txt")
BEFORE_2021 = {  # cBioPortal's names of the same files, lower case
    "data_rna_seq_v2_expression_median.txt": "data_mrna_seq_v2_rsem.txt",
    "data_log2cna.txt": "data_log2_cna.txt",
    "data_bcr_clinical_data_sample.txt": "data_clinical_sample.txt",
    "data_bcr_clinical_data_patient.txt": "data_clinical_patient.txt",
}
XENA_PREFIX = re.compile(r"tcga\.([a-z]+)\.samplemap(?:%2f|__|/|_)", re.I)  # browsers' names
NAMES = ("barcode", "ids")
ARRAYS = {"mrna": ("mrna", "mrna_modules"), "cnv": ("cnv",), "rppa": ("rppa",)}
MOGONET = {"mrna": ("mrna", "1"), "cnv": ("cnv",), "rppa": ("rppa",)}  # published: 1 is mRNA
COLUMNS = {  # where each layout keeps a label; the first column that names a class counts
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
    # Of a label: its file; class by participant, None where it names none; column to its count.
    labels: Callable[[str], tuple[Path, dict[str, str | None], dict[str, int]]]
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


def published(name: str, cohort: str = "") -> str:
    """Return the name, in lower case, under which a file was published: no .gz, no prefix.

    A prefix of another cohort than `cohort` stays.
    """
    name = name.lower().removesuffix(".gz")
    prefix = XENA_PREFIX.match(name)
    if prefix and prefix[1] == cohort.lower():
        name = name[prefix.end() :]
    return BEFORE_2021.get(name, name)


def _files(place, names, cohort=""):
    """Return modality to path, for the modalities that have a file here under any of its names."""
    here = {}
    for path in visible(place):
        if path.is_file():
            here.setdefault(published(path.name, cohort), path)
    first = _first(names, lambda name: name.lower() in here)
    return {modality: here[name.lower()] for modality, name in first.items()}


def _folder(layout, place, names, labels, cohort, study=None):
    """Return a source of one file per modality, each of features by samples."""
    files = _files(place, names, cohort)
    matrices = {name: partial(tables.features_by_samples, path) for name, path in files.items()}
    variants = {
        name: next(n for n in names[name] if n.lower() == published(path.name, cohort))
        for name, path in files.items()
    }
    return Source(layout, place, files, matrices, labels, variants, study)


def wanted(cohort: str) -> dict[str, list[str]]:
    """Return the names of files that are looked for, by layout."""
    names = {"xena": XENA, "cbioportal": CBIOPORTAL}
    out = {layout: [n for options in of.values() for n in options] for layout, of in names.items()}
    out["xena"].append(f"{cohort}_clinicalMatrix")
    out["cbioportal"] += CLINICAL
    return out


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
        columns = [c for c in COLUMNS[label] if c in arrays]
        if not columns:
            raise ValueError(f"{path}: no array for the label {label!r}: {_or(COLUMNS[label])}")
        for column in columns:
            if arrays[column].shape != (len(names),):
                shape = arrays[column].shape
                raise ValueError(f"{path}: {column} {shape} does not fit {len(names)} ids")
        entries = {column: arrays[column].tolist() for column in columns}
        # The rows that `join` takes: a normal sample's label is not its participant's.
        rows = tables.one_per_participant(names).items()
        raw = {who: {c: str(entries[c][i]) for c in columns} for who, i in rows}
        return path, *_classes(label, raw, columns)

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


def _or(names):
    return " or ".join(names)


def _classes(label, raw, columns):
    """Class by participant from the first column that names one, and how many each column gave."""
    classes, given = {}, dict.fromkeys(columns, 0)
    for who, row in raw.items():
        cleaned = ((column, tables.clean_label(label, row[column])) for column in columns)
        column, classes[who] = next(((c, k) for c, k in cleaned if k), (None, None))
        if column:
            given[column] += 1
    return classes, given


def _cbioportal(place, cohort):
    clinical = _files(place, {name: (name,) for name in CLINICAL})
    if CLINICAL[1] not in clinical:
        return None
    meta = place / "meta_study.txt"
    name = meta.read_text("utf-8", errors="replace")[:10_000] if meta.is_file() else place.name
    if f"{cohort.lower()}_tcga" not in name.lower():
        return None
    stated = re.search(r"cancer_study_identifier:[ \t]*(\S+)", name)
    study = (stated[1] if stated else place.name).lower()
    clinical = [clinical[name] for name in CLINICAL if name in clinical]
    labels = partial(_entries, place, clinical, "PATIENT_ID", "SAMPLE_ID")
    return _folder("cbioportal", place, CBIOPORTAL, labels, cohort, study)


def _xena(place, cohort):
    clinical = list(_files(place, {"clinical": (f"{cohort}_clinicalMatrix",)}, cohort).values())
    if not clinical:
        return None
    labels = partial(_entries, place, clinical, "sampleID", "sampleID")
    return _folder("xena", place, XENA, labels, cohort)


def _entries(place, paths, key, sample, label):
    """Return the first clinical table whose columns of the label name a class, and the classes."""
    empty = None
    for path in paths:
        rows = tables.text_table(path)
        columns = [c for c in COLUMNS[label] if c in rows[0]]
        if not columns:
            continue
        if key not in rows[0]:
            raise ValueError(f"{path}: no column {key}")
        taken = tables.one_per_participant(row.get(sample, row[key]) for row in rows).values()
        raw = {tables.participant(rows[i][key]): rows[i] for i in taken}
        classes, given = _classes(label, raw, columns)
        if any(given.values()):
            return path, classes, given
        empty = f"{path}: {_or(columns)} names no class of {label!r} in any of {len(raw)} rows"
    names = ", ".join(path.name for path in paths)
    raise ValueError(
        empty or f"{place}: no column for the label {label!r} in {names}: {_or(COLUMNS[label])}"
    )


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
    filed = place / "labels_tr.csv", entries, {}
    return Source("mogonet", place, files, matrices, lambda label: filed, views)
