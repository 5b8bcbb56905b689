"""One fact, one place: files that must repeat a fact are compared with its source."""

import re
import tomllib

import yaml

from cchkd_utils import __version__, paths

PROJECT = tomllib.loads((paths.ROOT / "pyproject.toml").read_text())["project"]
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
    wanted = ranges(PROJECT["dependencies"])
    wanted["jupyterlab"] = ranges(PROJECT["optional-dependencies"]["dev"])["jupyterlab"]
    wanted = {CONDA.get(name, name): span for name, span in wanted.items()}
    assert conda == wanted | {"python": PROJECT["requires-python"], "pip": ""}


def test_lock_holds_every_declared_package_with_hashes_and_no_host():
    lock = (paths.ROOT / "requirements.lock").read_text()
    pins = set(re.findall(r"^([a-z0-9_-]+)==", lock, flags=re.MULTILINE))
    extra = PROJECT["optional-dependencies"]["dev"]
    assert set(ranges([*PROJECT["dependencies"], *extra])) <= pins
    blocks = re.split(r"\n(?=[a-z0-9])", lock.partition("\n\n")[2] or lock)
    assert all("--hash=sha256:" in block for block in blocks if "==" in block.splitlines()[0])
    assert "://" not in lock and "--index-url" not in lock


def test_version_and_public_address_are_the_same_everywhere():
    citation = yaml.safe_load((paths.ROOT / "CITATION.cff").read_text())
    assert PROJECT["version"] == __version__ == citation["version"]
    address = CONFIG["repository"]["url"]
    assert citation["repository-code"] == address
    for path in [paths.ROOT / "README.md", *paths.NOTEBOOKS.glob("*.ipynb")]:
        found = set(re.findall(r"https://github\.com/[\w-]+/[\w-]+", path.read_text()))
        assert found <= {address}, path.name
