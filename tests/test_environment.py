"""One fact, one place: files that must repeat a fact are compared with its source."""

import json
import re
import tomllib

import pytest
import yaml

import cchkd_utils
from cchkd_utils import __version__, paths

PROJECT = tomllib.loads((paths.ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
EVERYTHING = [*PROJECT["dependencies"], *(p for e in ("torch", "plots", "book") for p in EXTRAS[e])]
CONFIG = yaml.safe_load((paths.ROOT / "_config.yml").read_text())
CONDA = {"torch": "pytorch-cpu", "matplotlib": "matplotlib-base", "seaborn": "seaborn-base"}


def ranges(lines):
    split = (re.match(r"([A-Za-z0-9_-]+)(.*)", line) for line in lines)
    return {match[1].lower(): match[2].replace(" ", "") for match in split}


def test_environment_yml_has_the_packages_and_ranges_of_pyproject():
    listed = yaml.safe_load((paths.ROOT / "environment.yml").read_text())["dependencies"]
    pip = next(entry["pip"] for entry in listed if isinstance(entry, dict))
    assert pip[-1] == "-e ."
    conda = ranges([entry for entry in listed if isinstance(entry, str)] + pip[:-1])
    wanted = ranges(EVERYTHING)
    wanted["jupyterlab"] = ranges(PROJECT["optional-dependencies"]["dev"])["jupyterlab"]
    wanted = {CONDA.get(name, name): span for name, span in wanted.items()}
    assert conda == wanted | {"python": PROJECT["requires-python"], "pip": ""}


def test_lock_holds_every_declared_package_with_hashes_and_no_host():
    lock = (paths.ROOT / "requirements.lock").read_text()
    pins = set(re.findall(r"^([a-z0-9_-]+)==", lock, flags=re.MULTILINE))
    assert set(ranges([*EVERYTHING, *EXTRAS["dev"]])) <= pins
    blocks = re.split(r"\n(?=[a-z0-9])", lock.partition("\n\n")[2] or lock)
    assert all("--hash=sha256:" in block for block in blocks if "==" in block.splitlines()[0])
    assert "://" not in lock and "--index-url" not in lock


def test_version_and_public_address_are_the_same_everywhere():
    citation = yaml.safe_load((paths.ROOT / "CITATION.cff").read_text())
    assert PROJECT["version"] == __version__ == citation["version"]
    address = CONFIG["repository"]["url"]
    assert citation["repository-code"] == address
    for path in [paths.ROOT / "README.md", *paths.NOTEBOOKS.glob("*.ipynb")]:
        addresses = set(re.findall(r"https://github\.com/[\w-]+/[\w-]+", path.read_text()))
        assert addresses <= {address}, path.name


def test_those_who_cite_and_archive_are_told_the_same():
    """`CITATION.cff` for readers, `codemeta.json` for indexes, `.zenodo.json` for the archive."""
    citation = yaml.safe_load((paths.ROOT / "CITATION.cff").read_text())
    codemeta, zenodo = (
        json.loads((paths.ROOT / name).read_text()) for name in ("codemeta.json", ".zenodo.json")
    )
    (article,) = citation["references"]
    (paper,) = (known["value"] for known in article["identifiers"])
    links = [link["identifier"] for link in zenodo["related_identifiers"]]
    authors = [person["name"] for person in citation["authors"]]
    assert citation["title"] == codemeta["name"] == zenodo["title"]
    assert citation["version"] == codemeta["version"] == zenodo["version"] == PROJECT["version"]
    for others in (codemeta["author"], zenodo["creators"], PROJECT["authors"]):
        assert [person["name"] for person in others] == authors == [CONFIG["author"]]
    spdx = codemeta["license"].removeprefix("https://spdx.org/licenses/")
    assert citation["license"] == spdx == zenodo["license"] == PROJECT["license"]
    address = citation["repository-code"]
    assert codemeta["codeRepository"] == PROJECT["urls"]["Repository"] == address
    assert links == [address, paper] and codemeta["referencePublication"]["identifier"] == paper
    assert codemeta["referencePublication"]["name"] == article["title"]
    day = str(citation["date-released"])
    assert codemeta["dateModified"] == zenodo["publication_date"] == day
    assert codemeta["description"] == zenodo["description"] == PROJECT["description"]
    assert codemeta["runtimePlatform"] == f"Python {PROJECT['requires-python']}"
    assert codemeta["identifier"] == PROJECT["name"]


def test_the_lock_is_one_solution_of_environment_yml():
    """`make env` builds the lock's pins in a clean environment; each lies in Binder's ranges."""
    from packaging.requirements import Requirement

    lock = (paths.ROOT / "requirements.lock").read_text()
    pins = dict(re.findall(r"^([a-z0-9_.-]+)==([^\s;\\]+)", lock, flags=re.MULTILINE))
    listed = yaml.safe_load((paths.ROOT / "environment.yml").read_text())["dependencies"]
    pip = next(entry["pip"] for entry in listed if isinstance(entry, dict))
    of_conda = {name: package for package, name in CONDA.items()}
    checked = 0
    for entry in [entry for entry in listed if isinstance(entry, str)] + pip[:-1]:
        wanted = Requirement(entry)
        name = of_conda.get(wanted.name, wanted.name)
        if name not in ("python", "pip"):
            assert wanted.specifier.contains(pins[name]), f"{entry}: the lock has {pins[name]}"
            checked += 1
    assert checked == len(EVERYTHING) + 1  # jupyterlab


def test_the_core_is_light():
    """What `assess` needs; the command of each extra is the one that the errors name."""
    assert set(ranges(PROJECT["dependencies"])) == {"numpy", "pyyaml", "scikit-learn", "scipy"}
    for package, extra in cchkd_utils.EXTRAS.items():
        assert package in ranges(EXTRAS[extra])
    assert CONFIG["repository"]["url"] == cchkd_utils.REPOSITORY


def test_every_notebook_sets_itself_up_on_colab_and_hides_that():
    """One cell, the same in all: first of the code, out of the book, folded on Colab."""
    import jupytext

    sources = set()
    for path in paths.NOTEBOOKS.glob("[0-9]*.ipynb"):
        cell = next(c for c in jupytext.read(path).cells if c.cell_type == "code")
        assert "remove-cell" in cell.metadata["tags"], path.name
        assert cell.source.startswith("# @title") and 'display-mode: "form"' in cell.source
        sources.add(cell.source)
    (source,) = sources
    assert f'source = "{CONFIG["repository"]["url"]}"' in source
    assert '"google.colab" in sys.modules' in source


def test_colab_gets_the_module_and_the_recorded_results(tmp_path):
    """Run the cell as on Colab, with a copy of this repository in the place of the network."""
    import subprocess
    import sys

    import jupytext

    cell = next(
        c for c in jupytext.read(next(paths.NOTEBOOKS.glob("02*.ipynb"))).cells
        if c.cell_type == "code"
    )  # fmt: skip
    address = CONFIG["repository"]["url"]
    script = (
        "import subprocess, sys, types\n"
        "sys.modules['google.colab'] = types.ModuleType('google.colab')\n"
        "import IPython\n"
        "run = lambda line: subprocess.run(line, shell=True, check=True)\n"
        "shell = types.SimpleNamespace(system=run)\n"
        "IPython.get_ipython = lambda: shell\n"
        + cell.source.replace(address, f"file://{paths.ROOT}")
        + "\nfrom cchkd_utils import paths\nprint(paths.ROOT, (paths.ROOT / 'book').is_dir())\n"
    )
    if not (paths.ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONSAFEPATH": "1"}
    whoever = {"COUNT": "1", "KEY_0": "safe.directory", "VALUE_0": "*"}  # of the copy's owner
    environment |= {f"GIT_CONFIG_{name}": value for name, value in whoever.items()}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.split() == [str(tmp_path / "cchkd"), "True"], done.stderr
