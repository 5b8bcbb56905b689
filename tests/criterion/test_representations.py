"""Files that somebody else wrote: read, or refused with one line that names them."""

import io
import pickle
import zipfile

import numpy as np
import pytest

from cchkd_utils.criterion import representations
from cchkd_utils.untrusted import npz


def arrays(n=60):
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=n)
    return {
        "teacher": rng.standard_normal((n, 4)).astype("float32"),
        "student": rng.standard_normal((n, 3)),
        "labels": labels,
    }


def npy(array, **header):
    """Bytes of an .npy member; `header` overrides what it declares."""
    data = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        data, np.lib.format.header_data_from_array_1_0(array) | header
    )
    return data.getvalue() + array.tobytes()


def pack(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_was_saved_comes_back(tmp_path, save):
    given = arrays() | {"teacher_logits": np.ones((60, 3)), "epoch": np.array(3)}
    save(tmp_path / "reps.npz", **given)
    back = representations.read(tmp_path / "reps.npz")
    assert list(back) == ["teacher", "student", "labels", "teacher_logits"]
    for name, array in back.items():
        assert array.dtype == given[name].dtype and np.array_equal(array, given[name])


@pytest.mark.parametrize(
    "units", [np.arange(60) // 3, np.array(["p1", "p2"] * 30), np.array([b"v"] * 60)]
)
def test_units_are_read_where_the_file_has_them(tmp_path, units):
    np.savez(tmp_path / "reps.npz", **arrays(), units=units)
    back = representations.read(tmp_path / "reps.npz")
    assert list(back) == ["teacher", "student", "labels", "units"]
    assert back["units"].dtype == units.dtype and np.array_equal(back["units"], units)


def test_columns_in_fortran_order_and_text_labels(tmp_path):
    given = arrays() | {"labels": np.array(["cat", "dog"] * 30)}
    given["student"] = np.asfortranarray(given["student"])
    np.savez(tmp_path / "reps.npz", **given)
    back = representations.read(tmp_path / "reps.npz")
    assert np.array_equal(back["student"], given["student"]) and back["labels"][1] == "dog"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"teacher": None}, "lacks teacher (it holds labels, student)"),
        ({"student": np.full((60, 2), "a")}, "student is of type <U1, not numbers"),
        ({"teacher": np.ones((60, 2), complex)}, "teacher is of type complex128"),
        ({"labels": np.zeros(60, [("a", "f4")])}, "labels is of type"),
        ({"labels": np.zeros(59)}, "number of rows (teacher 60, student 60, labels 59)"),
        ({"student_logits": np.zeros(61)}, "student_logits 61"),
        ({"labels": np.float64(1.0)}, "labels has no rows"),
        ({"units": np.zeros(60)}, "units is float64 [60]; save one integer or text per row"),
        ({"units": np.zeros((60, 1), int)}, "units is int64 [60, 1]; save one integer"),
        ({"units": np.zeros(60, bool)}, "units is bool [60]; save one integer"),
        ({"units": np.arange(59)}, "units 59"),
        ({"units": np.array(["a"] * 58 + ["", "nan"])}, "units has no name in 2 rows, row 58"),
        ({"units": np.array([b"a"] * 59 + [b"None"])}, "units has no name in 1 rows, row 59"),
        ({"units": np.array(["a", None] * 30, object)}, "units holds pickled Python objects"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, changes, says):
    given = {k: v for k, v in (arrays() | changes).items() if v is not None}
    np.savez(tmp_path / "reps.npz", **given)
    refused(tmp_path / "reps.npz", says)


def refused(path, says):
    with pytest.raises(ValueError, match=r"reps\.npz: ") as error:
        representations.read(path)
    assert says in str(error.value) and "\n" not in str(error.value)


def test_no_such_file_and_a_folder(tmp_path):
    refused(tmp_path / "reps.npz", "no such file")
    (tmp_path / "reps.npz").mkdir()
    refused(tmp_path / "reps.npz", "no such file")


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 and no more"])
def test_a_file_that_is_no_zip(tmp_path, content):
    path = tmp_path / "reps.npz"
    path.write_bytes(content)
    refused(path, "not a whole .npz file; write it again with numpy.savez")


def test_a_file_cut_short_anywhere_is_refused(tmp_path):
    path = tmp_path / "reps.npz"
    np.savez(path, **arrays())
    whole = path.read_bytes()
    for keep in range(0, len(whole), 97):
        path.write_bytes(whole[:keep])
        refused(path, "numpy.savez")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_flipped_byte_in_the_numbers_is_noticed(tmp_path, save):
    path = tmp_path / "reps.npz"
    save(path, **arrays())
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("student.npy")
    content = bytearray(path.read_bytes())
    content[info.header_offset + 60 + info.compress_size // 2] ^= 0xFF
    path.write_bytes(content)
    refused(path, "student is damaged")


class Bomb:
    """Would create a file when unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_pickled_objects_are_refused_and_never_run(tmp_path):
    touched = tmp_path / "touched"
    with_objects = np.array([Bomb(touched)] * 60, dtype=object)
    np.savez(tmp_path / "reps.npz", **(arrays() | {"teacher": with_objects}))
    refused(tmp_path / "reps.npz", "teacher holds pickled Python objects")
    plain = {name: npy(array) for name, array in arrays().items()}
    pack(tmp_path / "reps.npz", plain | {"teacher": pickle.dumps(Bomb(touched))})
    refused(tmp_path / "reps.npz", "teacher is not an array")
    assert not touched.exists()


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ((10**9, 10**9), "would need 4e+09 GB; at most 4.3 GB"),
        ((2**40,), "would need"),
        ((61, 4), "teacher is damaged"),
        ((59, 4), "teacher is damaged"),
        ((-60, -4), "impossible shape"),
        ((0, 2**70), "impossible shape"),
        ((2**61,) * 30, "impossible shape"),
    ],
)
def test_a_header_that_lies_takes_no_memory(tmp_path, shape, says):
    plain = {name: npy(array) for name, array in arrays().items()}
    liar = npy(arrays()["teacher"], shape=shape)
    refused(pack(tmp_path / "reps.npz", plain | {"teacher": liar}), says)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    zeros = np.zeros((60, 200_000))
    assert zeros.nbytes > npz.SMALL
    path = tmp_path / "reps.npz"
    np.savez_compressed(path, **(arrays() | {"teacher": zeros}))
    monkeypatch.setattr(np.lib.format, "read_array", None)
    refused(path, "as a zip bomb does")


def header(text, version=(1, 0)):
    """Bytes of an .npy member whose header is any text."""
    return b"\x93NUMPY" + bytes(version) + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        header("{"),
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (60,"),
        header("'" * 3),
        header("  {}\n {}"),
        header("-" * 9000 + "1"),
        header("(" * 9000),
        header("{'descr': [], 'fortran_order': False, 'shape': ()}"),
        header("{'descr': '<f8', 'fortran_order': False, 'shape': 1}"),
        header("{'descr': '<f8', 'fortran_order': False, 'shape': ()}", (9, 0)),
    ],
)
def test_a_header_that_is_no_header_is_refused(tmp_path, content):
    plain = {name: npy(array) for name, array in arrays().items()}
    path = pack(tmp_path / "reps.npz", plain | {"student": content})
    refused(path, "student is ")


def test_text_of_no_width_takes_no_bytes_and_is_refused(tmp_path):
    plain = {name: npy(array) for name, array in arrays().items()}
    endless = header("{'descr': '<U0', 'fortran_order': False, 'shape': (999999999,)}")
    refused(pack(tmp_path / "reps.npz", plain | {"labels": endless}), "labels is of type <U0")


@pytest.mark.parametrize(
    ("at", "says"), [(6, "not a whole .npz file"), (10, "teacher cannot be unpacked")]
)
def test_a_zip_of_another_version_or_method_is_refused(tmp_path, at, says):
    path = tmp_path / "reps.npz"
    np.savez(path, **arrays())
    content = bytearray(path.read_bytes())
    content[content.find(b"PK\x01\x02") + at] = 99
    path.write_bytes(content)
    refused(path, says)


def test_a_name_over_two_lines_stays_in_one(tmp_path):
    refused(pack(tmp_path / "reps.npz", {"a\nb": npy(np.ones(2))}), r"it holds a\nb")


def test_an_encrypted_member_is_refused(tmp_path):
    path = tmp_path / "reps.npz"
    np.savez(path, **arrays())
    content = bytearray(path.read_bytes())
    for mark, flag in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.find(mark) + flag] |= 1
    path.write_bytes(content)
    refused(path, "teacher cannot be unpacked")
