"""TCGA tables that do not belong together: refused or named, never joined in silence."""

import io
import random
import zipfile

import numpy as np
import pytest

from cchkd_utils.datasets import delimited, tcga
from cchkd_utils.datasets.tcga import tables

PARTS = {"KIRC": "AA", "KIRP": "BB", "KICH": "CC"}
IDS = [f"TCGA-AA-{i:04d}" for i in range(24)]
SUBTYPE = np.repeat(["Basal", "LumA"], 12)


def table(path, header, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join("\t".join(line) + "\n" for line in (header, *rows)))


def part(root, name, layout="xena", file="HiSeqV2"):
    """Write one part of KIPAN with 12 participants and two genes."""
    ids = [f"TCGA-{PARTS[name]}-{i:04d}-01" for i in range(12)]
    rows = [[gene, *(str(i) for i in range(12))] for gene in ("A", "B")]
    if layout == "xena":
        folder = root / "tcga" / f"TCGA.{name}.sampleMap"
        table(folder / f"{name}_clinicalMatrix", ["sampleID", "x"], [ids[0], "y"])
    else:
        folder = root / "tcga" / f"{name.lower()}_tcga_pan_can_atlas_2018"
        table(folder / "data_clinical_patient.txt", ["PATIENT_ID", "x"], [ids[0][:12], "y"])
    table(folder / file, ["sample", *ids], *rows)


def refused(says, *args, **options):
    with pytest.raises(ValueError, match=says) as caught:
        tcga.load(*args, **options)
    assert "\n" not in str(caught.value)


def test_parts_in_different_layouts_are_refused(tmp_path):
    part(tmp_path, "KIRC", "cbioportal", "data_mrna_seq_v2_rsem.txt")
    part(tmp_path, "KIRP")
    part(tmp_path, "KICH")
    says = "KIRC cbioportal, KIRP xena, KICH xena.*pass the layout that has them all"
    refused(says, "KIPAN", ["mrna"], root=tmp_path)
    part(tmp_path, "KIRC")
    assert len(tcga.load("KIPAN", ["mrna"], root=tmp_path, layout="xena")) == 36


def test_parts_with_other_files_of_a_modality_are_refused(tmp_path):
    for name in PARTS:
        part(tmp_path, name)
        part(tmp_path, name, file="RPPA" if name == "KIRP" else "RPPA_RBN")
    says = r"rppa comes in different units \(KIRC RPPA_RBN, KIRP RPPA, KICH RPPA_RBN\): put"
    refused(says, "KIPAN", ["rppa"], root=tmp_path)
    assert len(tcga.load("KIPAN", ["mrna"], root=tmp_path)) == 36
    folder = tmp_path / "tcga" / "TCGA.KIRP.sampleMap"
    (folder / "RPPA").rename(folder / "RPPA_RBN")
    assert len(tcga.load("KIPAN", ["rppa"], root=tmp_path)) == 36


def mogonet(folder, **blocks):
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in blocks.items():
        np.savetxt(folder / f"{name}.csv", values, delimiter=",")


def test_mogonet_splits_that_only_fit_in_sum_are_refused(tmp_path):
    y, x = np.arange(30) % 2, np.arange(60.0).reshape(30, 2)
    mogonet(tmp_path / "BRCA", labels_tr=y[:20], labels_te=y[20:], cnv_tr=x[:10], cnv_te=x[10:])
    refused(r"cnv_\*\.csv do not fit labels_\*\.csv", "BRCA", ["cnv"], root=tmp_path)
    mogonet(tmp_path / "BRCA", cnv_tr=x[:20], cnv_te=x[20:, :1])
    refused(r"cnv_\*\.csv differ in their number of col", "BRCA", ["cnv"], root=tmp_path)


# --- npz --------------------------------------------------------------------------------------


def npz(root, ids=IDS, **arrays):
    given = {"mrna": np.zeros((len(ids), 2)), "subtype": SUBTYPE} | arrays
    np.savez(root / "brca_x.npz", ids=np.array(ids), **given)


def test_labels_are_those_of_the_rows_taken(tmp_path):
    ids = [f"{barcode}-01A" for barcode in IDS] + [f"{barcode}-11A" for barcode in IDS]
    npz(tmp_path, ids, subtype=np.concatenate([SUBTYPE, SUBTYPE[::-1]]))
    loaded = tcga.load("BRCA", ["mrna"], root=tmp_path)
    assert np.array(loaded.provenance["classes"])[loaded.labels].tolist() == SUBTYPE.tolist()
    aliquots = [f"{barcode}-01A" for barcode in IDS] + [f"{barcode}-01B" for barcode in IDS]
    npz(tmp_path, aliquots, subtype=np.concatenate([SUBTYPE, SUBTYPE[::-1]]))
    loaded = tcga.load("BRCA", ["mrna"], root=tmp_path)
    assert np.array(loaded.provenance["classes"])[loaded.labels].tolist() == SUBTYPE.tolist()


def assert_flow_adds_up(loaded):
    steps = tcga.flow(loaded)["count"]
    parts = steps[steps.index.str.startswith(("left out: ", "used: "))]
    assert steps["participants"] == parts.sum() and parts.iloc[-1] == len(loaded)
    return steps


def test_rows_of_npz_are_used_or_left_out_by_reason(tmp_path):
    rare = SUBTYPE.copy()
    rare[:3], rare[3:6] = "Her2", ""
    ids = [f"{who}-{'11A' if i > 20 else '01A'}" for i, who in enumerate(IDS)]
    npz(tmp_path, ids, subtype=rare)
    steps = assert_flow_adds_up(tcga.load("BRCA", ["mrna"], root=tmp_path, min_class=5))
    assert steps["mrna: samples"] == 24
    assert steps["mrna: left out, no primary tumour (type 11: 3)"] == 3
    assert steps["left out: its label names no class"] == 3
    assert steps["left out: in a smaller class"] == 3
    assert steps["participants"] == 21 and steps.iloc[-1] == 15


def test_rows_of_mogonet_are_used_or_left_out_by_reason(tmp_path):
    y = np.repeat([0, 1, 2], [14, 12, 4])
    mogonet(tmp_path / "BRCA", labels_tr=y[::2], labels_te=y[1::2],
            cnv_tr=np.zeros((15, 2)), cnv_te=np.ones((15, 2)))  # fmt: skip
    steps = assert_flow_adds_up(tcga.load("BRCA", ["cnv"], root=tmp_path))
    assert steps["cnv: samples"] == steps["participants"] == 30
    assert steps["left out: in a smaller class"] == 4 and steps.iloc[-1] == 26


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e300])
def test_what_is_no_measurement_is_refused(tmp_path, value):
    x = np.zeros((24, 2))
    x[0, 0], x[3, 1] = np.nan, value
    npz(tmp_path, mrna=x)
    refused(r"brca_x\.npz: mrna, row 4, column 2: .* is no measurement", "BRCA", ["mrna"],
            root=tmp_path)  # fmt: skip
    x[3, 1] = 0
    npz(tmp_path, mrna=x)
    assert np.isnan(tcga.load("BRCA", ["mrna"], root=tmp_path).modalities["mrna"][0, 0])


def test_arrays_that_do_not_fit_are_refused(tmp_path):
    npz(tmp_path, subtype=SUBTYPE[:20])
    refused(r"subtype \(20,\) does not fit 24 ids", "BRCA", ["mrna"], root=tmp_path)
    np.savez(tmp_path / "brca_x.npz", ids=np.array(IDS)[:, None], mrna=np.zeros((24, 2)))
    refused("no text array named barcode or ids", "BRCA", ["mrna"], root=tmp_path)


def test_lower_case_barcodes_are_barcodes(tmp_path):
    lower = ["tcga-aa-0001-11a", "tcga-aa-0001-01b", "TCGA-AA-0001-01A"]
    assert tables.one_per_participant(lower) == {"TCGA-AA-0001": 2}
    assert tables.participant("a0fj") == "a0fj"
    npz(tmp_path, [f"{barcode}-01a".lower() for barcode in IDS])
    assert tcga.load("BRCA", ["mrna"], root=tmp_path).ids.tolist() == IDS
    table(tmp_path / "m", ["sample", "tcga-aa-0001-01"], ["A", "1"])
    assert tables.features_by_samples(tmp_path / "m").values.shape == (1, 1)


@pytest.mark.filterwarnings("ignore")  # numpy warns of headers of an old kind
def test_a_damaged_npz_is_refused_in_one_line(tmp_path):
    path, buffer, rng = tmp_path / "brca_x.npz", io.BytesIO(), random.Random(0)
    np.savez_compressed(buffer, ids=np.array(IDS), mrna=np.ones((24, 50)), subtype=SUBTYPE)
    for _ in range(150):
        damaged = bytearray(buffer.getvalue())
        for _ in range(3):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path.write_bytes(damaged)
        try:
            tcga.load("BRCA", ["mrna"], root=tmp_path)
        except (ValueError, FileNotFoundError) as error:
            assert "\n" not in str(error)


def test_an_npz_that_announces_more_than_it_holds_is_refused_before_it_is_read(tmp_path):
    npz(tmp_path)
    whole = zipfile.ZipFile(tmp_path / "brca_x.npz")
    members = {name: whole.read(name) for name in whole.namelist()}
    members["mrna.npy"] = members["mrna.npy"].replace(
        b"(24, 2), }" + b" " * 8, b"(2400000000, 2), }"
    )
    with zipfile.ZipFile(tmp_path / "brca_x.npz", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    refused(r"brca_x\.npz: mrna would need 38.4 GB", "BRCA", ["mrna"], root=tmp_path)


# --- clinical tables and published hashes -----------------------------------------------------


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path):
    path = tmp_path / "clinical"
    path.write_bytes(b"\xef\xbb\xbfsampleID\tvital_status\nTCGA-AA-0001-01\tLIVING\n")
    assert delimited.text_table(path)[0]["sampleID"] == "TCGA-AA-0001-01"


def study(root, name):
    """Write a study folder whose files are no published ones."""
    folder = root / name
    ids = [f"{barcode}-01" for barcode in IDS]
    table(folder / "data_rppa.txt", ["Composite.Element.REF", *ids], ["A", *map(str, range(24))])
    rows = [[barcode, label] for barcode, label in zip(IDS, SUBTYPE)]
    table(folder / "data_clinical_patient.txt", ["PATIENT_ID", "SUBTYPE"], *rows)


def test_a_file_that_differs_from_the_published_one_is_named(tmp_path):
    study(tmp_path, "brca_tcga_pan_can_atlas_2018")
    with pytest.warns(UserWarning, match="differs from the published file of brca") as caught:
        loaded = tcga.load("BRCA", ["rppa"], root=tmp_path)
    assert loaded.provenance["files"] == {
        "BRCA data_rppa.txt": "differs from the published file",
        "BRCA data_clinical_patient.txt": "differs from the published file",
    }
    assert len(caught) == 2 and {warning.filename for warning in caught} == {__file__}


def test_another_study_has_no_published_hash_to_differ_from(tmp_path):
    study(tmp_path, "brca_tcga")
    loaded = tcga.load("BRCA", ["rppa"], root=tmp_path)  # a warning would fail the test
    assert set(loaded.provenance["files"].values()) == {"as found"}


def test_labels_fall_back_from_column_to_column_and_say_so(tmp_path):
    folder = tmp_path / "tcga" / "TCGA.BRCA.sampleMap"
    folder.mkdir(parents=True)
    names = [f"TCGA-AA-{i:04d}" for i in range(60)]
    head = "\t".join(["sample", *(f"{who}-01" for who in names)])
    (folder / "RPPA").write_text(f"{head}\np53" + "\t1.0" * 60 + "\n")
    kinds = ["LumA", "Basal"] * 30
    rows = ["sampleID\tPAM50Call_RNAseq\tPAM50_mRNA_nature2012"]
    for i, (who, kind) in enumerate(zip(names, kinds)):
        first, second = (kind, "") if i < 20 else ("", kind) if i < 50 else ("", "")
        rows.append(f"{who}-01\t{first}\t{second}")
    (folder / "BRCA_clinicalMatrix").write_text("\n".join(rows) + "\n")
    steps = tcga.flow(tcga.load("BRCA", ["rppa"], root=tmp_path))["count"]
    assert steps["labels from PAM50Call_RNAseq"] == 20
    assert steps["labels from PAM50_mRNA_nature2012"] == 30
    assert steps["left out: its label names no class"] == 10
    assert steps["participants"] == 60 and steps.iloc[-1] == 50
    (folder / "BRCA_clinicalMatrix").write_text(rows[0] + "\n" + f"{names[0]}-01\t\t\n" * 1)
    with pytest.raises(ValueError, match="names no class of 'pam50' in any of 1 rows"):
        tcga.load("BRCA", ["rppa"], root=tmp_path)
