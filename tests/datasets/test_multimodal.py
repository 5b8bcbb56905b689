"""The common shape refuses inconsistent data; the data folder is what was asked for."""

from pathlib import Path

import numpy as np
import platformdirs.macos
import platformdirs.unix
import pytest

from cchkd_utils.datasets import Multimodal
from cchkd_utils.paths import data_root


def make(**changes):
    rows = np.arange(6)
    fields = {
        "modalities": {"a": np.arange(12.0).reshape(6, 2), "b": np.arange(6.0)},
        "labels": rows % 2,
        "ids": rows,
        "splits": {"train": rows[:4], "test": rows[4:]},
        "kind": "simulated",
    }
    return Multimodal(**{**fields, **changes})


def test_take_returns_the_rows_of_the_split():
    modalities, labels = make(splits={"test": np.array([5, 0])}).take("test")
    np.testing.assert_array_equal(modalities["a"], [[10, 11], [0, 1]])
    np.testing.assert_array_equal(modalities["b"], [5, 0])
    np.testing.assert_array_equal(labels, [1, 0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "fake"}, "choose one of real, simulated"),
        ({"modalities": {}}, "no modality"),
        ({"modalities": {"a": np.zeros((5, 2))}}, "a has 5 rows, labels have 6"),
        ({"ids": np.zeros(6)}, "ids repeat"),
        ({"ids": np.arange(5)}, "ids has 5 rows"),
        ({"splits": {"train": np.array([0, 6])}}, "outside 0..5"),
        ({"splits": {"train": np.array([0, -1])}}, "outside 0..5"),
        ({"splits": {"train": np.array([0, 0])}}, "disjoint"),
        ({"splits": {"train": np.array([0, 1]), "test": np.array([1])}}, "disjoint"),
        ({"splits": {"train": np.array([True, False])}}, "row numbers"),
    ],
)
def test_inconsistent_data_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make(**changes)


def test_unknown_split_names_the_choices():
    with pytest.raises(ValueError, match="choose one of train, test"):
        make().take("dev")


def test_data_root_prefers_argument_then_environment_then_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("CCHKD_DATA", str(tmp_path / "env"))
    assert data_root(tmp_path / "arg") == tmp_path / "arg"
    assert data_root() == tmp_path / "env"
    monkeypatch.delenv("CCHKD_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("platformdirs.PlatformDirs", platformdirs.unix.Unix)
    assert data_root() == tmp_path / "cchkd"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert data_root() == Path.home() / ".cache" / "cchkd"
    monkeypatch.setattr("platformdirs.PlatformDirs", platformdirs.macos.MacOS)
    assert data_root() == Path.home() / "Library" / "Caches" / "cchkd"
