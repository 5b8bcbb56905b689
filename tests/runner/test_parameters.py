import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cchkd_utils import paths
from cchkd_utils.runner import ParameterError, declared, settle


@pytest.fixture
def notebook(tiny):
    return paths.NOTEBOOKS / "01_tiny.ipynb"


def test_declared_reads_type_default_meaning_and_range(notebook):
    lam = declared(notebook)["lam"]
    assert (lam.type, lam.default) == ("list[float]", [0.2, 0.5])
    assert (lam.meaning, lam.allowed) == ("distillation weight", "in [0, inf)")


def test_preset_lies_over_defaults_and_given_over_both(notebook):
    assert settle(notebook, "book", {})["n_seeds"] == 3
    assert settle(notebook, "smoke", {})["n_seeds"] == 1
    assert settle(notebook, "smoke", {"n_seeds": "2"})["n_seeds"] == 2
    assert settle(notebook, "smoke", {})["preset"] == "smoke"


@pytest.mark.parametrize(
    ("value", "read"),
    [("0.5", [0.5]), (0.5, [0.5]), ("0,1e-3", [0.0, 0.001]), ("[0, 1]", [0.0, 1.0]),
     ((1, 2), [1.0, 2.0]), (np.float64(0.5), [0.5]), (np.arange(2), [0.0, 1.0])],
)  # fmt: skip
def test_one_number_and_a_list_come_to_the_same_form(notebook, value, read):
    got = settle(notebook, "book", {"lam": value})["lam"]
    assert got == read
    assert all(type(value) is float for value in got)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"lamda": 0.5}, "no parameter 'lamda'; did you mean 'lam'?"),
        ({"lam": -1}, "lam = -1.0 is out of range: must be in [0, inf)"),
        ({"lam": "abc"}, "lam must be a number or a list of them, not 'abc'"),
        ({"lam": "inf"}, "lam must be finite"),
        ({"lam": []}, "lam is empty"),
        ({"lam": ""}, "lam must be a number"),
        ({"lam": "0,-0.0"}, "names a value twice"),
        ({"lam": [0, 0.0]}, "names a value twice"),
        ({"lam": 10**400}, "lam must be a number"),
        ({"lam": "[0,1"}, "lam must be a number"),
        ({"n_seeds": "9" * 5000}, "n_seeds must be a whole number"),
        ({"data": "'real"}, "out of range"),
        ({"lam": [0.5, 0.5]}, "lam names a value twice"),
        ({"lam": {"a": 1}}, "lam must be a number"),
        ({"lam": True}, "lam must be a number"),
        ({"n_seeds": 2.0}, "n_seeds must be a whole number, not 2.0"),
        ({"n_seeds": "2.5"}, "n_seeds must be a whole number"),
        ({"n_seeds": 0}, "n_seeds = 0 is out of range"),
        ({"n_seeds": None}, "n_seeds must be a whole number"),
        ({"n_seeds": "1,2"}, "n_seeds must be a whole number"),
        ({"n_seeds": "0..4"}, "not '0..4'; in a sweep a range is written 0..4"),
        ({"n_seeds": "1-4"}, "not '1-4'; in a sweep a range is written 1..4"),
        ({"lam": "[0.1...1]"}, "not '0.1...1'; in a sweep a range is written 0.1..1"),
        ({"quick": "yes"}, "quick must be true or false"),
        ({"quick": 1}, "quick must be true or false"),
        ({"data": "virtual"}, "data = 'virtual' is out of range: must be one of: embedded, real"),
        ({"data": 3}, "data must be text"),
    ],
)
def test_bad_values_get_one_line_and_unknown_names_a_list_of_those_there_are(notebook, given, says):
    with pytest.raises(ParameterError) as caught:
        settle(notebook, "book", given)
    assert says in str(caught.value)
    assert ("parameters: preset, lam, n_seeds" in str(caught.value)) == ("lamda" in given)
    assert "\n" not in str(caught.value)


def test_unknown_preset_and_preset_with_an_unknown_name(notebook):
    with pytest.raises(ParameterError, match="no preset 'big'; there are: smoke, book"):
        settle(notebook, "big", {})
    paths.PRESETS.write_text("presets: {book: {01_tiny: {n_sed: 1}}}\nfiles: {}\n")
    with pytest.raises(ParameterError, match="no parameter 'n_sed'"):
        settle(notebook, "book", {})


@given(text=st.text(max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_any_text_is_read_or_refused_in_one_line(notebook, text):
    for name in ("lam", "n_seeds", "quick", "data"):
        try:
            value = settle(notebook, "book", {name: text})[name]
        except ParameterError as error:
            assert "\n" not in str(error)
        else:
            assert settle(notebook, "book", {name: value})[name] == value


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("lam = 0.5  # weight", "line 1 is not"),
        ("lam: float = 0.5", "lam has no comment"),
        ("lam: float = 0.5  # in [0, 1]", "lam has no comment '# meaning; range'"),
        ('data: str = "a"  # one of: a, b', "data has no comment '# meaning; range'"),
        ("lam: complex = 0.5  # weight", "unknown type complex"),
        ("lam: float = 0.5  # weight; between 0 and 1", "unreadable range"),
        ("lam: float = 2.0  # weight; in [0, 1]", "out of range"),
        ('n: int = "3"  # rows', "n must be a whole number, not '3'"),
    ],
)
def test_a_malformed_parameters_cell_is_refused(notebook, line, says):
    declare(notebook, line)
    with pytest.raises(ParameterError, match=says):
        declared(notebook)


def test_a_comment_goes_on_below(notebook):
    declare(notebook, 'data: str = "a"  # which;\n# one of: a, b\nn: int = 1  # rows; in [1, 9]\n')
    data, n = declared(notebook).values()
    assert (data.meaning, data.allowed) == ("which", "one of: a, b")
    assert (n.meaning, n.allowed) == ("rows", "in [1, 9]")


def declare(notebook, lines):
    content = json.loads(notebook.read_text())
    content["cells"][1]["source"] = lines
    notebook.write_text(json.dumps(content))
