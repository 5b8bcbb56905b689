"""What notebooks there are, and what ``notebooks/presets.yml`` declares about each of them."""

import os
import pkgutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from cchkd_utils import paths
from cchkd_utils.runner.parameters import ParameterError, canonical, declared

BY_NOTEBOOK = ("files", "sources", "download", "needs", "reads", "intervals")


def notebooks() -> list[Path]:
    """List the notebooks, in the book's order."""
    return sorted(paths.NOTEBOOKS.glob("[0-9]*.ipynb"))


def find_notebook(name: str) -> Path:
    """Return a notebook by number (``02``), name or path; the error lists those there are."""
    if os.sep in name or name.endswith(".ipynb"):
        matches = [p for p in notebooks() if p.resolve() == Path(name).resolve()]
    else:
        word = name.zfill(2)  # 2 for 02
        matches = [p for p in notebooks() if word in (p.stem, *p.stem.split("_", 1))]
    if len(matches) != 1:
        names = ", ".join(path.stem for path in notebooks())
        raise ParameterError(f"there is no notebook {name!r}; there are: {names}")
    return matches[0]


def read_presets() -> dict[str, Any]:
    """Read ``notebooks/presets.yml``: the presets, and what else is declared by notebook."""
    try:
        read = yaml.safe_load(paths.PRESETS.read_text(encoding="utf-8"))
        for preset in read["presets"].values():
            for values in preset.values():
                dict(values or {})
        return read | {name: dict(read.get(name) or {}) for name in BY_NOTEBOOK}
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise ParameterError(f"{paths.PRESETS} is malformed: {reason}") from None


def named(function: str) -> Callable:
    """Import a function that is declared as ``module:function``."""
    try:
        return pkgutil.resolve_name(function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ParameterError(f"{paths.PRESETS} names {function}: {error}") from None


def settle(notebook: Path, preset: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return every parameter's value: the defaults, under the preset's, under those `given`."""
    presets = read_presets()["presets"]
    if preset not in presets:
        raise ParameterError(f"there is no preset {preset!r}; there are: {', '.join(presets)}")
    known = declared(notebook)
    defaults = {name: parameter.default for name, parameter in known.items()}
    chosen = {**(presets[preset].get(notebook.stem) or {}), "preset": preset, **given}
    return defaults | canonical(notebook, known, chosen)


def real_data() -> dict[str, dict[str, int]]:
    """Count the files of the real data that each notebook reads, by pattern."""
    root = paths.data_root()
    return {
        notebook: {p: sum(path.is_file() for path in root.glob(p)) for p in patterns}
        for notebook, patterns in read_presets()["files"].items()
    }


def download(notebook: str) -> Path:
    """Download the real data of a notebook to the data folder, and return that.

    `ParameterError` when they cannot be downloaded without asking; it says where to ask.
    """
    stem, presets = find_notebook(notebook).stem, read_presets()
    if stem not in presets["download"]:
        source = presets["sources"].get(stem, "it reads no real data")
        raise ParameterError(f"{stem}: nothing that `cchkd data` can download: {source}")
    return named(presets["download"][stem])()
