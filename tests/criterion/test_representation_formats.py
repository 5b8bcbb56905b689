"""Representations as people save them: npy files, safetensors, tables; and a report of them."""

import json
import re
import struct

import numpy as np
import pandas as pd
import pytest

from cchkd_utils.book import cli
from cchkd_utils.criterion import representations
from cchkd_utils.untrusted import npz, safetensors

RNG = np.random.default_rng(0)
N = 80
LABELS = np.arange(N) % 3
ARRAYS = {
    "teacher": RNG.normal(size=(N, 4)).astype("f4"), "student": RNG.normal(size=(N, 3)),
    "labels": LABELS, "teacher_logits": RNG.normal(size=(N, 3)),
    "student_logits": RNG.normal(size=(N, 3)), "units": np.arange(N) // 2,
}  # fmt: skip
TYPES = {"f4": "F32", "f8": "F64", "i8": "I64", "f2": "F16", "b1": "BOOL", "i4": "I32"}


def packed(arrays, **header):
    """Bytes of a .safetensors file; `header` overrides entries."""
    entries, data = {"__metadata__": {"format": "pt"}}, b""
    for name, array in arrays.items():
        places = [len(data), len(data) + array.nbytes]
        kind = TYPES[array.dtype.str[1:]]
        entries[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": places}
        data += array.tobytes()
    text = json.dumps(entries | header).encode()
    return struct.pack("<Q", len(text)) + text + data


def table(arrays):
    """A column per unit, as a table is exported."""
    columns = {"id": [f"row {i}" for i in range(N)]}
    for name, array in arrays.items():
        if array.ndim == 1:
            columns[{"labels": "label"}.get(name, name)] = array
        else:
            columns |= {f"{name}_{j}": column for j, column in enumerate(array.T)}
    return pd.DataFrame(columns)


def save(folder, form, arrays):
    if form == "npy":
        files = []
        for name, array in arrays.items():
            np.save(folder / f"val_{name}.npy", array)
            files.append(folder / f"val_{name}.npy")
        return files
    path = folder / f"reps.{form}"
    if form == "safetensors":
        path.write_bytes(packed(arrays))
    elif form == "parquet":
        table(arrays).to_parquet(path)
    elif form == "npz":
        np.savez(path, **arrays)
    else:
        table(arrays).to_csv(path, index=False, sep="\t" if form == "tsv" else ",")
    return [path]


FORMS = ["npz", "npy", "safetensors", "csv", "tsv", "parquet"]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_arrays(tmp_path, form):
    read = representations.read(*save(tmp_path, form, ARRAYS))
    assert set(read) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert read[name].shape == array.shape, name
        np.testing.assert_allclose(read[name], array, rtol=1e-6)
    assert read["labels"].dtype.kind == "i"


@pytest.mark.parametrize("form", ["csv", "parquet", "npz", "npy"])
def test_labels_and_units_may_be_text(tmp_path, form):
    arrays = ARRAYS | {"labels": np.array(["a", "b", "c"])[LABELS], "units": LABELS.astype(str)}
    read = representations.read(*save(tmp_path, form, arrays))
    assert read["labels"].tolist() == arrays["labels"].tolist()


def test_regression_targets_stay_real(tmp_path):
    arrays = {k: ARRAYS[k] for k in ("teacher", "student")} | {"labels": RNG.normal(size=(N, 2))}
    read = representations.read(*save(tmp_path, "csv", arrays))
    np.testing.assert_allclose(read["labels"], arrays["labels"])
    whole = arrays | {"labels": np.arange(N, dtype=float)}
    assert representations.read(*save(tmp_path, "csv", whole))["labels"].dtype.kind == "f"


def test_three_npy_files_in_order_need_no_names(tmp_path):
    files = []
    for i, name in enumerate(("teacher", "student", "labels")):
        np.save(tmp_path / f"{i}.npy", ARRAYS[name])
        files.append(tmp_path / f"{i}.npy")
    read = representations.read(*files)
    assert np.array_equal(read["student"], ARRAYS["student"])


def test_bfloat16_is_read_and_other_types_kept(tmp_path):
    torch = pytest.importorskip("torch")
    values = torch.tensor([[1.5, -2.25], [3e38, 0.0]])
    bits = values.bfloat16().view(torch.int16).numpy().tobytes()
    entry = {"dtype": "BF16", "shape": [2, 2], "data_offsets": [0, 8]}
    text = json.dumps({"h": entry}).encode()
    (tmp_path / "b.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bits)
    read = safetensors.read(tmp_path / "b.safetensors")["h"]
    np.testing.assert_array_equal(read, values.bfloat16().float().numpy())


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\0" * 8, struct.pack("<Q", 1 << 62) + b"{}", struct.pack("<Q", 2) + b"[]",
        packed(ARRAYS)[:-1], packed(ARRAYS)[:100], struct.pack("<Q", 6) + b'{"a":1',
        packed(ARRAYS, teacher={"dtype": "F32", "shape": [1 << 60, 4], "data_offsets": [0, 8]}),
        packed(ARRAYS, teacher={"dtype": "F32", "shape": [-4, -4], "data_offsets": [0, 64]}),
        packed(ARRAYS, teacher={"dtype": "F32", "shape": [2], "data_offsets": [1 << 40, 1 << 41]}),
        packed(ARRAYS, teacher={"dtype": "PICKLE", "shape": [2], "data_offsets": [0, 8]}),
        packed(ARRAYS, teacher={"shape": [2]}), packed(ARRAYS, teacher=3),
    ],
)  # fmt: skip
def test_damaged_safetensors_are_refused_in_one_line(tmp_path, content):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="not a whole .safetensors") as error:  # noqa: RUF043
        representations.read(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "t.csv",
            "teacher_0,student_0,label\n1,2,0\n1,x,0\n",
            "column student_0, row 2: 'x' is no",
        ),
        ("t.csv", "teacher_0,student_0,label\n1,2\n", "line 2: 2 columns, the header has 3"),
        ("t.csv", "teacher_0,teacher_0,label\n1,2,3\n", "named twice"),
        ("t.csv", "a,b\n1,2\n", "lacks teacher, student, labels"),
        ("t.csv", "", "no such file, or it is empty"),
        ("t.csv", b"\xff\xfe\x00", "not a table of text"),
        ("t.parquet", "PAR1", "not a whole parquet"),
        ("t.npy", "\x93NUMPY\x01\x00", "end its name in one of"),
    ],
)
def test_bad_tables_are_refused_in_one_line(tmp_path, name, content, said):
    data = content if isinstance(content, bytes) else content.encode("latin-1")
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=re.escape(said)) as error:
        representations.read(tmp_path / name)
    assert name in str(error.value) and "\n" not in str(error.value)


def test_bad_npy_files_are_refused(tmp_path):
    np.save(tmp_path / "teacher.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(ValueError, match="pickled"):
        npz.read_npy(tmp_path / "teacher.npy", "teacher")
    whole = save(tmp_path, "npy", {"student": ARRAYS["student"]})[0]
    whole.write_bytes(whole.read_bytes()[:-3])
    with pytest.raises(ValueError, match="damaged"):
        npz.read_npy(whole, "student")
    with pytest.raises(ValueError, match="give one file, or"):
        representations.read(*save(tmp_path, "npz", ARRAYS), whole)


def test_the_command_writes_a_page_and_a_figure(tmp_path, capsys):
    files = [str(f) for f in save(tmp_path, "csv", ARRAYS)]
    page, figure = tmp_path / "report.html", tmp_path / "gap.svg"
    assert cli.main(["assess", *files, "--html", str(page), "--plot", str(figure)]) == 0
    text = page.read_text(encoding="utf-8")
    assert text.count("<svg") == 1 and "Verdict on reps.csv" in text
    outside = re.findall(r'(?:src|href)\s*=\s*"(?!#)|url\((?!#)', text)
    assert not outside  # it needs no network
    for check in ("repeated rows", "bias in simulation", "I(student; label)"):
        assert check in text
    assert figure.read_text().startswith("<?xml")
    assert "verdict" in capsys.readouterr().out
