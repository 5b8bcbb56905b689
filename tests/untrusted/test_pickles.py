"""Pickles from outside: data comes back as written, everything else is refused and never runs."""

import collections
import copyreg
import io
import os
import pickle
import struct

import numpy as np
import pytest

from cchkd_utils.untrusted import pickles

PROTOCOLS = range(6)
RAN = []


def ran(*arguments):
    """What a malicious pickle tries to call."""
    RAN.append(arguments)


class Evil:
    """Pickles as a call of whatever it is given."""

    def __init__(self, function, *arguments, state=None):
        self.reduced = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self):
        return self.reduced


class Plain:
    def __setstate__(self, state):
        ran(state)


def same(a, b):
    if isinstance(b, np.ndarray):
        assert type(a) is np.ndarray and a.shape == b.shape and a.dtype == b.dtype
        if b.dtype.hasobject:
            return all(same(x, y) for x, y in zip(a.ravel().tolist(), b.ravel().tolist()))
        return np.array_equal(a, b, equal_nan=b.dtype.kind in "fc")
    if isinstance(b, dict):
        return type(a) is dict and list(a) == list(b) and all(same(a[k], b[k]) for k in b)
    if isinstance(b, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and (a == b or a != a)


BASE = np.arange(24.0).reshape(2, 3, 4)
shared = np.arange(3)
DATA = {
    "atoms": [None, True, False, 0, -1, 2**40, -(2**100), 1.5, float("inf"), 2 + 3j, "text", ""],
    "bytes": [b"", b"\x00\xff", bytearray(b"abc"), bytearray(), "ünïcode\n\\u"],
    "containers": {"a": [1, (2,), (3, 4), (5, 6, 7), ()], ("k", 1): {}, 3: {1, 2}},
    "frozen": frozenset({1, "a"}),
    "ordered": {"o": collections.OrderedDict([("b", 1), ("a", [2])])},
    "arrays": [
        BASE,
        BASE.T,
        BASE[:, ::2],
        BASE.transpose(1, 0, 2),
        np.zeros((0, 3)),
        np.array(4.0),
    ],
    "types": [np.arange(4).astype(t) for t in ("i1", "u2", ">i4", "<f4", ">f8", "c16", "?", "f2")],
    "texts": [np.array(["a", "bcd"]), np.array([b"xy", b""])],
    "objects": [np.array(["a", None, 3], object), np.array([[1, "b"], [2.5, b"c"]], object)],
    "ragged": np.array([np.arange(2), np.arange(3), [1]], dtype=object),
    "scalars": [np.float32(1.5), np.int64(3), np.str_("s"), np.bool_(True), np.float64("nan")],
    "shared": {"x": shared, "y": shared, "type": [shared.astype("f4"), shared.astype("f4")]},
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", DATA)
def test_data_comes_back_as_written(name, protocol, tmp_path):
    data = pickle.dumps(DATA[name], protocol)
    value = pickles.loads(data)
    wanted = dict(DATA[name]["o"]) if name == "ordered" else DATA[name]
    assert same(value["o"] if name == "ordered" else value, wanted)
    (tmp_path / "x.pkl").write_bytes(data)
    again = pickles.load(tmp_path / "x.pkl")
    assert same(again["o"] if name == "ordered" else again, wanted)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_names_of_old_and_new_numpy_mean_the_same(protocol):
    value = {"a": BASE, "b": np.float32(2)}
    data = pickle.dumps(value, protocol)
    assert b"numpy._core" in data
    if protocol < 4:  # names end at a newline: their length is stored nowhere
        data = data.replace(b"numpy._core", b"numpy.core")
    else:
        for module in (b"numpy._core.multiarray", b"numpy._core.numeric"):
            old = module.replace(b"_core", b"core")
            data = data.replace(bytes([len(module)]) + module, bytes([len(old)]) + old)
        data = data[:2] + data[11:]  # the frame's length no longer holds: leave it out
    assert b"numpy._core" not in data and same(pickles.loads(data), value)


def test_python_2_files_are_read():
    """Protocol 2 as Python 2 wrote it: byte strings for text and for an array's bytes."""
    old = b"\x80\x02}q\x00U\x01aq\x01cnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\n"
    old += b"q\x03K\x00\x85q\x04U\x01bq\x05\x87q\x06Rq\x07(K\x01K\x02\x85q\x08cnumpy\ndtype\nq\t"
    old += b"U\x02f4q\nK\x00K\x01\x87q\x0bRq\x0c(K\x03U\x01<q\rNNNJ\xff\xff\xff\xffJ\xff\xff\xff"
    old += b"\xffK\x00tq\x0eb\x89U\x08" + np.array([1, -2], "<f4").tobytes() + b"q\x0ftq\x10bs."
    assert same(pickles.loads(old), {"a": np.array([1, -2], "<f4")})
    assert pickles.loads(b"(dp0\nS'a'\np1\nI01\ns.") == {"a": True}
    assert pickles.loads(b"c__builtin__\nset\n((lI1\natR.") == {1}


def test_defaultdict_and_ordered_dict_come_back_as_dict():
    counts = collections.defaultdict(list, {"a": [1]})
    for protocol in PROTOCOLS:
        value = pickles.loads(pickle.dumps(counts, protocol))
        assert type(value) is dict and value == {"a": [1]}


def text(value):
    """Return the opcode that pushes a short text."""
    return b"\x8c" + bytes([len(value)]) + value.encode()


def array(shape, data, kind="f8", core="numpy.core", state=b"NNN"):
    """Return a hand-made pickle of an array: `shape` and `data` are opcodes that push them."""
    end = b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    dtype = b"cnumpy\ndtype\n" + text(kind) + b"\x89\x88\x87R(K\x03" + text("<") + state + end
    start = f"c{core}.multiarray\n_reconstruct\ncnumpy\nndarray\n".encode()
    start += b"K\x00\x85C\x01b\x87R"
    return b"\x80\x04" + start + b"(K\x01" + shape + dtype + b"\x89" + data + b"tb."


EIGHT = b"C\x08" + bytes(8)
HUGE = b"\x8a\x07" + (2**50).to_bytes(7, "little")  # the number 2^50


def test_a_hand_made_array_is_read():
    """The pattern that the hostile cases below bend is itself sound."""
    for core in ("numpy.core", "numpy._core"):
        assert pickles.loads(array(b"K\x01\x85", EIGHT, core=core)).tolist() == [0.0]


CALLS = {
    "reduce to os.system": Evil(os.system, "touch pwned"),
    "nested in containers": {"train": [({"text": Evil(os.system, "touch pwned")},)]},
    "in a numpy object array": np.array([1, Evil(ran)], dtype=object),
    "object array in an object array": np.array([np.array([Evil(ran), 2], object), 3], object),
    "as a key": {Evil(ran): 1},
    "builtins.eval": Evil(eval, "ran()"),
    "builtins.exec": Evil(exec, "ran()"),
    "builtins.getattr": Evil(getattr, np, "load"),
    "builtins.__import__": Evil(__import__, "os"),
    "builtins.print": Evil(print, "ran"),
    "builtins.type": Evil(type, "T", (), {}),
    "numpy.load": Evil(np.load, "x.npy"),
    "numpy.frombuffer": Evil(np.frombuffer, b"12345678"),
    "copyreg's reconstructor": Evil(copyreg._reconstructor, Plain, object, None),
    "copyreg.add_extension": Evil(copyreg.add_extension, "os", "system", 99),
    "an object with a state": Evil(copyreg._reconstructor, Plain, object, None, state={"a": 1}),
    "a class of one's own": Plain(),
    "a class itself": Plain,
    "a function itself": ran,
    "io.open": Evil(io.open, "pwned", "w"),
    "a masked array": np.ma.masked_array([1.0, 2.0], [True, False]),
    "a matrix subclass": np.arange(3.0).view(np.recarray),
    "structured numbers": np.zeros(2, [("a", "f8"), ("b", "i4")]),
    "dates": np.array(["2020-01-01"], "M8[D]"),
    "a type alone": np.dtype("f8"),
    "an admitted class as a value": {"factory": set},
    "a dict of a dangerous factory": collections.defaultdict(ran),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", CALLS)
def test_what_is_not_data_is_refused_before_it_runs(name, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        data = pickle.dumps(CALLS[name], protocol)
    except (TypeError, pickle.PicklingError):
        pytest.skip("python itself cannot write this at this protocol")
    RAN.clear()
    with pytest.raises(ValueError, match="it was not run") as refused:
        pickles.loads(data)
    assert not RAN and not list(tmp_path.iterdir())
    assert "\n" not in str(refused.value)


BYTES = {
    "dotted STACK_GLOBAL": (text("numpy") + text("core.os.system") + b"\x93.", "numpy.core.os"),
    "dotted admitted name": (text("numpy") + text("ndarray.__reduce__") + b"\x93.", "__reduce__"),
    "STACK_GLOBAL of numbers": (b"K\x01K\x02\x93.", "computes the name"),
    "STACK_GLOBAL of a name": (b"cnumpy\nndarray\n" + text("x") + b"\x93.", "computes the name"),
    "GLOBAL": (b"cos\nsystem\n(S'true'\ntR.", "os.system"),
    "GLOBAL with a newline's worth of nothing": (b"c\n\n.", "names"),
    "INST": (b"(S'true'\nios\nsystem\n.", "INST"),
    "OBJ": (b"(cbuiltins\nset\no.", "OBJ"),
    "NEWOBJ": (b"cbuiltins\nset\n)\x81.", "NEWOBJ"),
    "NEWOBJ_EX": (b"cbuiltins\nset\n)}\x92.", "NEWOBJ_EX"),
    "EXT1": (b"\x82\x01.", "EXT1"),
    "EXT2": (b"\x83\x01\x00.", "EXT2"),
    "EXT4": (b"\x84\x01\x00\x00\x00.", "EXT4"),
    "PERSID": (b"Psomething\n.", "PERSID"),
    "BINPERSID": (b"K\x01Q.", "BINPERSID"),
    "NEXT_BUFFER": (b"\x97.", "NEXT_BUFFER"),
    "DUP": (b"]2\x86.", "DUP"),
    "BUILD on a list": (b"]}b.", "sets the state of a list"),
    "BUILD on a class": (b"cbuiltins\nset\nN}" + text("pop") + b"K\x01s\x86b.", "sets the state"),
    "BUILD twice": (array(b"K\x01\x85", EIGHT)[:-1] + b"(K\x01tb.", "sets the state of a ndarray"),
    "call of a list": (b"])R.", "calls a list"),
    "call with a list": (b"cbuiltins\nset\n]R.", "calls a"),
    "call of ndarray": (b"cnumpy\nndarray\n" + HUGE + b"\x85\x85R.", "numpy.ndarray itself"),
    "unfinished array": (array(b"K\x01\x85", EIGHT).partition(b"(K\x01")[0] + b".", "Pending"),
    "array without a type": (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"
        b"(K\x01K\x01\x85N\x89" + EIGHT + b"tb.", "without a type"),
    "huge shape": (array(HUGE + b"\x85", EIGHT), "does not fit its bytes"),
    "huge empty shape": (array(HUGE + HUGE + b"K\x00\x87", b"C\x00"), "."),
    "negative shape": (array(b"J\xff\xff\xff\xff\x85", EIGHT), "impossible shape"),
    "shape of a float": (array(b"G" + struct.pack(">d", 1.0) + b"\x85", EIGHT), "impossible shape"),
    "70 dimensions": (array(b"(" + b"K\x01" * 70 + b"t", EIGHT), "impossible shape"),
    "huge objects": (array(HUGE + b"\x85", b"]", "O8"), "does not fit its objects"),
    "objects from bytes": (array(b"K\x01\x85", EIGHT, "O8"), "does not fit its objects"),
    "huge text type": (array(b"K\x01\x85", EIGHT, "U99999999"), "does not fit its bytes"),
    "empty text type": (array(b"K\x01\x85", b"C\x00", "U0"), "type U0"),
    "type from code": (array(b"K\x01\x85", EIGHT, "f8,O"), "type 'f8,O'"),
    "type with fields": (array(b"K\x01\x85", EIGHT, state=b"N" + text("a") + b"\x85}"), "several"),
    "other encoding": (b"c_codecs\nencode\n" + text("x") + text("zip") + b"\x86R.", "encodes"),
    "memory for nothing": (b"cbuiltins\nbytearray\n" + HUGE + b"\x85R.", "bytearray"),
    "bytes that lie": (b"\x8e" + (2**60).to_bytes(8, "little") + b"x.", "not a whole pickle"),
    "copies of copies": (
        b"](" + b"K\x01" * 250 + b"eq\x000"[:-1] + b"cbuiltins\nset\n"
        + b"cbuiltins\nlist\nh\x00\x85R" * 70_000 + b"t.", "many times its size|values"),
    "deep key": (b"}" + b")" + b"\x85" * 200_000 + b"K\x01s.", "neither a number nor text"),
    "endless number": (b"L" + b"9" * 10_000 + b"L\n.", "not a whole pickle"),
    "empty stack": (b".", "not a whole pickle"),
    "two values": (b"K\x01K\x01.", "not a whole pickle"),
    "no end": (b"K\x01", "not a whole pickle"),
    "mark missing": (b"K\x01t.", "not a whole pickle"),
    "unknown memo": (b"h\x05.", "not a whole pickle"),
    "unknown instruction": (b"\xff.", "not a whole pickle"),
    "not a pickle": (b"PK\x03\x04 this is a zip file", "pickle"),
}  # fmt: skip


@pytest.mark.parametrize("name", BYTES)
def test_hand_made_tricks_are_refused_by_name(name, tmp_path):
    data, message = BYTES[name]
    for read in (pickles.loads, lambda raw: pickles.load(written(raw, tmp_path))):
        with pytest.raises(ValueError, match=message) as refused:
            read(data)
        assert "\n" not in str(refused.value) and len(str(refused.value)) < 400


def written(data, folder):
    (folder / "x.pkl").write_bytes(data)
    return folder / "x.pkl"


def test_no_part_of_a_truncated_file_passes(tmp_path):
    whole = pickle.dumps({"a": BASE, "b": ["x", np.array([None, "y"], object)]})
    for length in range(len(whole)):
        with pytest.raises(ValueError, match="pickle"):
            pickles.loads(whole[:length])


def test_changed_bytes_never_run_and_never_crash():
    """Every change of one byte gives data or one clear line."""
    rng = np.random.default_rng(0)
    for protocol in PROTOCOLS:
        whole = pickle.dumps({"a": BASE, "b": [np.float32(1), {1}, np.array(["x"])]}, protocol)
        for _ in range(1500):
            data = bytearray(whole)
            for where in rng.integers(len(data), size=rng.integers(1, 4)):
                data[where] = rng.integers(256)
            try:
                pickles.loads(bytes(data), "file")
            except ValueError as error:
                assert str(error).startswith("file: ")


def test_missing_and_empty_files_say_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        pickles.load(tmp_path / "none.pkl")
    with pytest.raises(ValueError, match="empty"):
        pickles.load(written(b"", tmp_path))


def test_arrays_are_read_only_views():
    value = pickles.loads(pickle.dumps(BASE))
    with pytest.raises(ValueError, match="read-only"):
        value[0] = 1
