"""Every place that lists the estimators lists those of the registry."""

import importlib
import inspect
import re

import pytest

from cchkd_utils import paths, plots, runner
from cchkd_utils.book import cli
from cchkd_utils.mi import METHODS, REGISTRY
from cchkd_utils.runner import runs

LACKING = {"05_does_it_predict": {"gaussian"}}  # its recorded verdicts have none of that


@pytest.mark.parametrize("name", METHODS)
def test_all_methods_have_the_same_signature(name):
    # those that need torch stand in the registry as a function which imports a module of their name
    lazy = REGISTRY[name].__name__.startswith("_")
    module = importlib.import_module(f"cchkd_utils.mi.{name}") if lazy else None
    parameters = inspect.signature(getattr(module, name) if lazy else REGISTRY[name]).parameters
    assert list(parameters)[:5] == ["x", "y", "discrete", "seed", "groups"]
    own = list(parameters.values())[2:]
    assert all(p.kind in (p.KEYWORD_ONLY, p.VAR_KEYWORD) for p in own)


def test_the_hash_of_a_run_follows_every_method():
    notebook = paths.ROOT / "notebooks" / "07_estimators.ipynb"
    folder = paths.ROOT / "cchkd_utils" / "mi"
    assert set(folder.glob("*.py")) <= set(runs.imports(notebook)[0])


def test_the_command_lists_them(capsys):
    with pytest.raises(SystemExit):
        cli.main(["assess", "--help"])
    told = re.search(r"\n  --estimator \S+\s+(.*?)\n  --", capsys.readouterr().out, re.DOTALL)[1]
    assert tuple(re.findall(r"\w+", told.replace("(default)", ""))) == METHODS


def test_the_figures_know_them():
    assert tuple(plots.ESTIMATORS) == METHODS


@pytest.mark.parametrize("notebook", runner.notebooks(), ids=lambda path: path.stem)
def test_the_notebooks_offer_them(notebook):
    estimator = runner.declared(notebook).get("estimator")
    if estimator is None:
        pytest.skip("no parameter estimator")
    offered = estimator.allowed.removeprefix("one of: ").split(", ")
    lacking = LACKING.get(notebook.stem, set())
    assert offered == [method for method in METHODS if method not in lacking]
