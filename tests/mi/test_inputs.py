"""Kinds of input times the functions that take them: read alike, or refused in one clear line."""

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow
import pytest
import scipy.sparse
import torch

from cchkd_utils.criterion import assess, rank_teachers
from cchkd_utils.mi import estimate, inputs

N = 120
RNG = np.random.default_rng(0)
CODES = RNG.integers(0, 3, N)
X = RNG.normal(size=(N, 3)) + CODES[:, None]
Y = X + RNG.normal(size=X.shape)
NAMES = np.array([f"P{i // 4:02d}" for i in range(N)])
QUICK = {"rivals": False, "checks": False, "estimator": "ksg"}

MATRICES = {
    "list of lists": lambda a: a.tolist(),
    "tuple of arrays": tuple,
    "Fortran order": np.asfortranarray,
    "every second of twice": lambda a: np.repeat(a, 2, axis=0)[::2],
    "objects": lambda a: a.astype(object),
    "no mask": np.ma.masked_array,
    "sparse": scipy.sparse.csr_matrix,
    "tensor": torch.tensor,
    "needs gradients": lambda a: torch.tensor(a, requires_grad=True),
    "not contiguous": lambda a: torch.tensor(a.T.copy()).T,
    "sparse tensor": lambda a: torch.tensor(a).to_sparse(),
    "rows of tensors": lambda a: list(torch.tensor(a)),
    "negative view": lambda a: torch.tensor(a).mul(1j).conj().imag.neg(),
    "frame": pd.DataFrame,
    "Float64": lambda a: pd.DataFrame(a).astype("Float64"),
    "pyarrow": lambda a: pd.DataFrame(a).astype("double[pyarrow]"),
    "category": lambda a: pd.DataFrame(a).astype("category"),
    "table of pyarrow": lambda a: pyarrow.table(pd.DataFrame(a)),
}
ROUNDED = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
LABELS = {
    "list": lambda y: y.tolist(),
    "text": lambda y: [f"class {c}" for c in y],
    "objects": lambda y: np.array([f"class {c}" for c in y], dtype=object),
    "bytes": lambda y: np.array([f"class {c}" for c in y], dtype="S"),
    "column": lambda y: y[:, None],
    "one-hot": lambda y: np.eye(3)[y],
    "one-hot of whole numbers": lambda y: np.eye(3, dtype=int)[y],
    "one-hot booleans": lambda y: np.eye(3, dtype=bool)[y],
    "floats": lambda y: y.astype(float),
    "tensor": torch.tensor,
    "tensors of one": lambda y: list(torch.tensor(y)),
    "uint8 tensor": lambda y: torch.tensor(y, dtype=torch.uint8),
    "series": pd.Series,
    "frame": lambda y: pd.DataFrame({"label": y}),
    "Int64": lambda y: pd.Series(y, dtype="Int64"),
    "pyarrow": lambda y: pd.Series([f"class {c}" for c in y], dtype="string[pyarrow]"),
    "category": lambda y: pd.Series([f"class {c}" for c in y], dtype="category"),
    "category of floats": lambda y: pd.Series(y + 0.5, dtype="category"),
    "dates": lambda y: pd.Series(pd.to_datetime(y, unit="D")),
    "days": lambda y: [dt.date(2026, 1, 1 + int(c)) for c in y],
    "dates in a zone": lambda y: pd.Series(pd.to_datetime(y, unit="D")).dt.tz_localize("UTC"),
    "periods": lambda y: pd.Series(pd.to_datetime(y, unit="D")).dt.to_period("D"),
    "nullable booleans and a third": lambda y: pd.Series(y).astype(object),
}
TAKE_MATRICES = {
    "estimate x": lambda a: estimate(a, Y, "ksg"),
    "estimate y": lambda a: estimate(Y, a, "ksg"),
    "assess teacher": lambda a: assess(a, Y, CODES, **QUICK),
    "assess student": lambda a: assess(Y, a, CODES, **QUICK),
    "assess targets": lambda a: assess(Y + X[::-1], Y, a, **QUICK),
    "rank_teachers": lambda a: rank_teachers({"a": a}, Y, CODES, **QUICK)["a"],
}
TAKE_LABELS = {
    "estimate labels": lambda y: estimate(X, y, "ksg", discrete_y=True),
    "estimate given": lambda y: estimate(X, Y, "ksg", given=y),
    "estimate groups": lambda y: estimate(X, Y, "gaussian", groups=y),
    "assess labels": lambda y: assess(X, Y, y, **QUICK),
    "assess task": lambda y: assess(X, Y, y, task="classification", **QUICK),
    "assess units": lambda y: assess(X, Y, CODES, units=y, **QUICK),
}


def number(answer):
    return answer.nats if hasattr(answer, "nats") else (answer.gap, answer.stderr)


@pytest.mark.parametrize("kind", MATRICES)
@pytest.mark.parametrize("name", TAKE_MATRICES)
def test_matrices_of_every_kind_are_read_alike(name, kind):
    take = TAKE_MATRICES[name]
    assert number(take(MATRICES[kind](X))) == pytest.approx(number(take(X)), abs=1e-12)


@pytest.mark.parametrize("kind", ROUNDED)
@pytest.mark.parametrize("name", TAKE_MATRICES)
def test_tensors_of_few_bits_are_read_as_their_rounded_values(name, kind):
    tensor = torch.tensor(X).to(ROUNDED[kind])
    wanted = TAKE_MATRICES[name](tensor.double().numpy())
    assert number(TAKE_MATRICES[name](tensor)) == pytest.approx(number(wanted), abs=1e-12)


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("name", TAKE_LABELS)
def test_labels_of_every_kind_are_read_alike(name, kind):
    if name == "assess units" and kind.startswith("one-hot"):
        pytest.skip("units have names, not columns")
    take = TAKE_LABELS[name]
    assert number(take(LABELS[kind](CODES))) == pytest.approx(number(take(CODES)), abs=1e-12)


def with_hole(series, value=None):
    out = pd.Series(series).copy()
    out.iloc[7] = value
    return out


BAD_MATRICES = {
    "none": (None, "is missing"),
    "a number": (3.0, "a single float"),
    "text": ("table.csv", "a single str"),
    "a dictionary": ({"a": X}, "a single dict"),
    "ragged": ([[1.0, 2.0]] * (N - 1) + [[1.0]], "rows of one length"),
    "complex": (X + 1j, "is complex"),
    "records": (np.zeros(N, dtype=[("a", float)]), "structured"),
    "images": (np.zeros((N, 3, 4, 4)), "4 axes"),
    "text cells": (np.full((N, 2), "a"), "is not numeric"),
    "a column of names": (
        pd.DataFrame({"a": X[:, 0], "patient": NAMES}), "row 0, column 'patient' holds 'P00'",
    ),
    "dates": (pd.DataFrame({"a": pd.to_datetime(np.arange(N), unit="D")}), "dates"),
    "missing in a table": (pd.DataFrame({"a": with_hole(X[:, 0], pd.NA)}), "1 rows, row 7 first"),
    "pandas.NA": (pd.DataFrame({"a": with_hole(CODES, pd.NA).astype("Int64"), "b": X[:, 0]}),
                  "1 rows, row 7 first"),
    "masked": (np.ma.masked_array(X, mask=np.arange(X.size).reshape(X.shape) == 21),
               "1 rows, row 7 first"),
    "None in a list": ([[None, 1.0], *X[1:, :2].tolist()], "1 rows, row 0 first"),
    "infinite": (np.where(np.arange(N)[:, None] == 7, np.inf, X), "1 rows, row 7 first"),
    "meta tensor": (torch.empty(N, 3, device="meta"), "is not an array"),
    "objects": ([object()] * N, "is not numeric"),
    "too short": (X[:60], "same samples"),
    "no rows": (np.zeros((0, 3)), "0 rows"),
}  # fmt: skip
BAD_LABELS = {
    "none of a class": (with_hole(CODES, None), "is missing .* 1 rows, row 7 first"),
    "pandas.NA": (with_hole(CODES, None).astype("Int64"), "1 rows, row 7 first"),
    "NaT": (with_hole(pd.to_datetime(CODES, unit="D"), pd.NaT), "1 rows, row 7 first"),
    "masked": (np.ma.masked_array(CODES, mask=np.arange(N) == 7), "1 rows, row 7 first"),
    "text and numbers": ([*CODES[1:].tolist(), "a"], "mixes types"),
    "objects": ([{"a": 1}, {"b": 1}] * (N // 2), "holds a dict in each row"),
    "sets": ([{"a"}, {"a", "b"}] * (N // 2), "holds a set in each row"),
    "several columns": (RNG.integers(0, 9, (N, 3)), "not one-hot|shape"),
    "several labels": (np.maximum(np.eye(3), np.eye(3)[[1, 2, 0]])[CODES], "not one-hot|shape"),
    "images": (np.zeros((N, 2, 2)), "3 axes|shape"),
    "a single value": ("yes", "a single str"),
}
REFUSE_MATRICES = {k: v for k, v in TAKE_MATRICES.items() if k != "assess targets"}
REFUSE_LABELS = {k: v for k, v in TAKE_LABELS.items() if k != "estimate groups"}


@pytest.mark.filterwarnings("ignore:.*constant columns")
def refused_in_one_line(take, bad, message):
    with pytest.raises(ValueError, match=message) as refused:
        take(bad)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("kind", BAD_MATRICES)
@pytest.mark.parametrize("name", REFUSE_MATRICES)
def test_other_matrices_are_refused_in_one_line(name, kind):
    refused_in_one_line(REFUSE_MATRICES[name], *BAD_MATRICES[kind])


@pytest.mark.parametrize("kind", BAD_LABELS)
@pytest.mark.parametrize("name", REFUSE_LABELS)
def test_other_labels_are_refused_in_one_line(name, kind):
    refused_in_one_line(REFUSE_LABELS[name], *BAD_LABELS[kind])


@pytest.mark.parametrize("bad", [NAMES + np.arange(N).astype(str), pd.Series(NAMES + "x").index])
def test_a_name_of_each_row_is_not_called_continuous(bad):
    with pytest.raises(ValueError, match="a class needs several rows") as refused:
        assess(X, Y, np.asarray(bad).astype(str), **QUICK)
    assert "discrete_y" not in str(refused.value)


def test_tables_in_another_order_are_refused():
    shuffled = pd.DataFrame(Y).sample(frac=1, random_state=0)
    with pytest.raises(ValueError, match="same index in another order"):
        assess(pd.DataFrame(X), shuffled, CODES, **QUICK)
    assess(pd.DataFrame(X, index=NAMES), pd.DataFrame(Y), CODES, **QUICK)


def test_large_whole_numbers_keep_their_difference():
    y = np.array([2**60 + int(c) for c in CODES], dtype=object)
    assert len(np.unique(inputs.as_labels(y, "y"))) == 3
