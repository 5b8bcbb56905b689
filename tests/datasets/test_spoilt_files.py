"""Files with one change each end in the right table, or in one line that names file and reason."""

import gzip
import pickle
import warnings
from collections import Counter

import numpy as np
import pytest

from cchkd_utils.datasets import mosei, tcga
from cchkd_utils.datasets.tcga import layouts

pytestmark = pytest.mark.slow

PEOPLE = [f"TCGA-A{i % 3}-{i:04d}" for i in range(24)]
TYPES = [("LumA", "Basal")[i % 2] for i in range(24)]
GENES = ("TP53", "EGFR", "MYC", "GATA3")
VALUES = {
    name: np.random.default_rng(k).normal(size=(24, 4)).round(3)
    for k, name in enumerate(tcga.MODALITIES)
}


def table(values, head="sample"):
    rows = ["\t".join([head, *(f"{who}-01" for who in PEOPLE)])]
    rows += ["\t".join([gene, *map(str, column)]) for gene, column in zip(GENES, values.T)]
    return "\n".join(rows) + "\n"


def xena():
    names = {m: layouts.XENA[m][0] for m in VALUES}
    clinical = "sampleID\tPAM50Call_RNAseq\tage\n"
    clinical += "".join(f"{who}-01\t{kind}\t50\n" for who, kind in zip(PEOPLE, TYPES))
    files = {names[m]: table(values) for m, values in VALUES.items()}
    return "TCGA.BRCA.sampleMap", files | {"BRCA_clinicalMatrix": clinical}


def cbioportal():
    files = {layouts.CBIOPORTAL[m][0]: table(v, "Hugo_Symbol") for m, v in VALUES.items()}
    patients = "#Patient\n#text\nPATIENT_ID\tSUBTYPE\n"
    patients += "".join(f"{who}\tBRCA_{kind}\n" for who, kind in zip(PEOPLE, TYPES))
    samples = "#Patient\nPATIENT_ID\tSAMPLE_ID\n"
    samples += "".join(f"{who}\t{who}-01\n" for who in PEOPLE)
    own = {"data_clinical_patient.txt": patients, "data_clinical_sample.txt": samples}
    return "brca_tcga", files | own


def cells(text, change):
    lines = [line.split("\t") for line in text.splitlines()]
    return "\n".join("\t".join(fields) for fields in change(lines)) + "\n"


def at(lines, row, column, value):
    lines[row][min(column, len(lines[row]) - 1)] = value
    return lines


CHANGES = {
    "nothing": lambda t: t,
    "a letter in a number": lambda t: cells(t, lambda r: at(r, -1, 2, "0.1x")),
    "an empty cell": lambda t: cells(t, lambda r: at(r, -1, 2, "")),
    "NA": lambda t: cells(t, lambda r: at(r, -1, 2, "NA")),
    "infinite": lambda t: cells(t, lambda r: at(r, -1, 2, "inf")),
    "spreadsheet error": lambda t: cells(t, lambda r: at(r, -1, 2, "#REF!")),
    "a cell too many": lambda t: cells(t, lambda r: [*r[:-1], [*r[-1], "1"]]),
    "a cell too few": lambda t: cells(t, lambda r: [*r[:-1], r[-1][:-1]]),
    "the last row gone": lambda t: cells(t, lambda r: r[:-1]),
    "the last row twice": lambda t: cells(t, lambda r: [*r, r[-1]]),
    "the last column gone": lambda t: cells(t, lambda r: [row[:-1] for row in r]),
    "the last column twice": lambda t: cells(t, lambda r: [[*row, row[-1]] for row in r]),
    "the first column gone": lambda t: cells(t, lambda r: [row[1:] for row in r]),
    "header gone": lambda t: t.partition("\n")[2],
    "header only": lambda t: t.partition("\n")[0] + "\n",
    "header twice": lambda t: t.partition("\n")[0] + "\n" + t,
    "an empty header cell": lambda t: cells(t, lambda r: at(r, 0, 1, "")),
    "half a file": lambda t: t[: len(t) // 2],
    "an empty file": lambda t: "",
    "two lines as one": lambda t: t.replace("\n", "\t", 1),
    "a line broken": lambda t: t.replace("\t", "\n", 3),
    "Windows lines": lambda t: t.replace("\n", "\r\n"),
    "no last newline": lambda t: t.rstrip("\n"),
    "blank lines at the end": lambda t: t + "\n\n",
    "a blank line inside": lambda t: t.replace("\n", "\n\n", 1),
    "a comment first": lambda t: "# made by hand\n" + t,
    "tabs at the end": lambda t: t.replace("\n", "\t\n"),
    "quotes": lambda t: cells(t, lambda r: [[f'"{c}"' for c in row] for row in r]),
    "dots": lambda t: t.replace("TCGA-A", "TCGA.A"),
    "lower case": lambda t: t.replace("TCGA", "tcga"),
    "recurrences": lambda t: t.replace("-01", "-06"),
    "long barcodes": lambda t: t.replace("-01", "-01A-11R-A034-07"),
    "other participants": lambda t: t.replace("TCGA-A", "TCGA-Z"),
    "no barcodes": lambda t: t.replace("TCGA-", "P"),
    "commas": lambda t: t.replace("\t", ","),
    "semicolons": lambda t: t.replace("\t", ";"),
    "decimal commas": lambda t: t.replace(".", ","),
    "spaces": lambda t: t.replace("\t", " "),
    "byte order mark": lambda t: "\ufeff" + t,
    "UTF-16": lambda t: t.encode("utf-16"),
    "Latin-1": lambda t: t.replace("MYC", "MÜC").replace("Basal", "Bäsal").encode("latin-1"),
    "a null byte": lambda t: t.replace("\t", "\t\0", 1),
    "compressed": lambda t: gzip.compress(t.encode()),
    "half compressed": lambda t: gzip.compress(t.encode())[:-20],
    "transposed": lambda t: cells(t, lambda r: [list(row) for row in zip(*r)]),
}
NAMES = {
    "named .gz": "{}.gz", "of another cohort": "TCGA.KIRC.sampleMap__{}", "upper case": "{}",
    "with the prefix": "TCGA.BRCA.sampleMap__{}", "by a browser": "TCGA.BRCA.sampleMap%2F{}",
    "a copy": "{} (1)", "backup": "{}~", "gone": None,
}  # fmt: skip


def spoilt():
    for make in (xena, cbioportal):
        folder, files = make()
        for name in files:
            for kind, change in CHANGES.items():
                yield pytest.param(make, name, name, change, id=f"{folder}-{name}-{kind}")
            for kind, new in NAMES.items():
                renamed = new and new.format(name.upper() if kind == "upper case" else name)
                same = CHANGES["nothing"]
                yield pytest.param(make, name, renamed, same, id=f"{folder}-{name}-{kind}")


def outcome(make, name, renamed, change, root):
    folder, files = make()
    place = root / "tcga" / folder
    place.mkdir(parents=True)
    for file, text in files.items():
        if file != name:
            (place / file).write_text(text)
    if renamed:
        text = change(files[name])
        (place / renamed).write_bytes(text if isinstance(text, bytes) else text.encode())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*differs from the published file")
        try:
            return tcga.load("BRCA", root=root, min_class=3)
        except (ValueError, FileNotFoundError) as error:
            return error


@pytest.mark.parametrize(("make", "name", "renamed", "change"), spoilt())
def test_one_change_is_read_or_refused(make, name, renamed, change, tmp_path):
    got = outcome(make, name, renamed, change, tmp_path)
    if isinstance(got, Exception):
        assert "\n" not in str(got) and str(tmp_path) in str(got)
        assert len(str(got)) < 1200
        return
    steps = tcga.flow(got)["count"]
    parts = steps[steps.index.str.startswith(("left out: ", "used: "))]
    assert steps["participants"] == parts.sum() and parts.iloc[-1] == len(got)
    rows = [PEOPLE.index(who) for who in got.ids]
    for modality, values in VALUES.items():
        known = values[rows]
        for column in got.modalities[modality].T:  # a gene of the source, but for a cell
            wrong = ~np.isclose(column[:, None], known, atol=1e-5)
            assert wrong.sum(0).min() <= 1
    assert [got.provenance["classes"][c] for c in got.labels] == [TYPES[i] for i in rows]


def test_of_many_changes_each_outcome_is_met(tmp_path, record_property):
    counts = Counter()
    for i, case in enumerate(spoilt()):
        root = tmp_path / str(i)
        got = outcome(*case.values, root)
        whole = not isinstance(got, Exception) and len(got) == len(PEOPLE)
        counts["refused" if isinstance(got, Exception) else "whole" if whole else "part"] += 1
    assert counts.total() >= 150 and min(counts.values()) > 5
    record_property("outcomes", dict(counts))
    print(counts)


def utterances():
    """Three splits of sentiment data, as arrays by name."""
    rng, out = np.random.default_rng(3), {}
    for split, n in {"train": 12, "valid": 5, "test": 6}.items():
        out[split] = {
            "text": rng.normal(size=(n, 4, 3)), "audio": rng.normal(size=(n, 4, 2)),
            "vision": rng.normal(size=(n, 4, 2)), "labels": rng.integers(-9, 10, n) / 3,
            "id": np.array([f"{split}{i}_0" for i in range(n)]),
        }  # fmt: skip
    return out


ARRAYS = {
    "gone": lambda a: None,
    "a row less": lambda a: a[:-1],
    "a row more": lambda a: np.concatenate([a, a[:1]]),
    "no rows": lambda a: a[:0],
    "text": lambda a: np.full(a.shape, "x"),
    "objects": lambda a: np.full(a.shape, {}, dtype=object),
    "complex": lambda a: np.full(a.shape, 1j),
    "dates": lambda a: np.zeros(a.shape, "M8[D]"),
    "one number": lambda a: np.array(1.0),
    "five axes": lambda a: np.zeros((len(a), 1, 1, 1, 2)),
    "three columns": lambda a: np.zeros((len(a), 3)),
    "NaN": lambda a: a * np.nan if a.dtype.kind == "f" else a,
    "infinite": lambda a: a + np.inf if a.dtype.kind == "f" else a,
    "nine times": lambda a: a * 9 if a.dtype.kind == "f" else a,
    "whole numbers": lambda a: np.ones(a.shape, int),
    "turned": lambda a: a.T,
    "lists": lambda a: a.tolist(),
    "ragged lists": lambda a: [*a.tolist()[:-1], [1.0] * 7],
}


@pytest.mark.parametrize("change", ARRAYS)
@pytest.mark.parametrize("name", ["text", "audio", "vision", "labels", "id"])
@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("layout", ["pickle", "npz"])
def test_one_change_to_sentiment_data_is_read_or_refused(layout, split, name, change, tmp_path):
    content = utterances()
    changed = ARRAYS[change](content[split][name])
    content[split] = {k: changed if k == name else a for k, a in content[split].items()}
    content[split] = {k: a for k, a in content[split].items() if a is not None}
    if layout == "pickle":
        path = tmp_path / "mosei.pkl"
        path.write_bytes(pickle.dumps(content, 4))
    else:
        path = tmp_path / "mosei.npz"
        arrays = {f"{s}_{k}": a for s, part in content.items() for k, a in part.items()}
        try:
            np.savez(path, **arrays)
        except ValueError:
            pytest.skip("numpy does not write ragged lists")
    try:
        data = mosei.load("real", path, coding="regression")
    except ValueError as error:
        assert "\n" not in str(error) and (str(path) in str(error) or "video" in str(error))
        return
    steps = mosei.flow(data)["count"]
    assert steps["utterances"] == steps.iloc[1:].sum() and steps["used"] == len(data)
    assert all(np.isfinite(x).all() for x in data.modalities.values())
