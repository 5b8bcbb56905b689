"""Publishing: to a folder; refused when there is no whole, current book."""

import os
import re
import subprocess
import sys

import pytest
import yaml

from cchkd_utils import paths
from cchkd_utils.book import publish


@pytest.fixture
def project(tmp_path):
    """A project with a rendered book."""
    root = tmp_path / "project"
    for name in ("book/a.md", "_toc.yml", "_build/html/index.html", "_build/html/x/b.csv"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "_build" / "rendered").write_text("state")
    return root


def test_a_folder_gets_the_whole_site_and_keeps_its_own_files(project, tmp_path):
    folder = tmp_path / "www"
    folder.mkdir()
    (folder / "mine").write_text("")
    publish.publish(str(folder), project)
    copied = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert copied == {"index.html", "x/b.csv", "mine"}


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda root: (root / "_build/html/index.html").unlink(), "no book to publish"),
        (lambda root: (root / "_build/rendered").unlink(), "did not finish"),
        (lambda root: os.utime(root / "book/a.md", (4e9, 4e9)), "book/a.md is newer"),
    ],
)
def test_an_unbuilt_or_stale_book_is_refused(project, tmp_path, harm, says):
    harm(project)
    with pytest.raises(publish.PublishError, match=says):
        publish.publish(str(tmp_path / "www"), project)
    assert not (tmp_path / "www").exists()


@pytest.mark.parametrize("dest", ["", "--delete", "_build/html", "_build", "_toc.yml"])
def test_a_bad_place_is_refused(project, dest, monkeypatch):
    monkeypatch.chdir(project)
    with pytest.raises(publish.PublishError):
        publish.publish(dest, project)


def test_another_machine_is_reached_by_rsync(project, monkeypatch):
    called = []
    monkeypatch.setattr(publish.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(
        publish.subprocess, "run",
        lambda words, **_: called.append(words) or subprocess.CompletedProcess(words, 0),
    )  # fmt: skip
    publish.publish("me@host:/var/www", project)
    source = f"{project}/_build/html/"
    assert called == [["rsync", "-rtz", source, "me@host:/var/www/"]]
    for place in ("me@host:", "host:/", "host:site/"):
        publish.publish(place, project)
        assert called[-1][-1] == place  # "host:" is the home folder, not the root
    with pytest.raises(publish.PublishError, match="is written user@host:/path"):
        publish.publish("me@host:/srv/my site", project)


def test_make_says_why_not_in_one_line(tmp_path):
    script = tmp_path / "cchkd_utils" / "book" / "publish.py"
    script.parent.mkdir(parents=True)
    script.write_text((paths.ROOT / "cchkd_utils" / "book" / "publish.py").read_text())
    words = [sys.executable, "-I", str(script), "/nowhere"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == "publish: there is no book to publish: run `make book` first\n"


def test_the_workflow_builds_and_serves_with_pinned_official_actions():
    text = (paths.ROOT / ".github" / "workflows" / "publish.yml").read_text()
    flow = yaml.safe_load(text)
    steps = [step for job in flow["jobs"].values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+", action) for action in used)
    assert {action.partition("@")[0].removeprefix("actions/") for action in used} == {
        "checkout", "setup-python", "upload-pages-artifact", "deploy-pages"
    }  # fmt: skip
    (build,) = [step["run"] for step in steps if "run" in step]
    targets = re.findall(r"^([a-z]+):", (paths.ROOT / "Makefile").read_text(), re.MULTILINE)
    assert re.match(r"make (\w+)", build)[1] in targets and "publish" in targets
    (served,) = [step["with"]["path"] for step in steps if "upload" in step.get("uses", "")]
    assert paths.ROOT / served == paths.BUILD / "html"


def test_the_page_names_the_files_that_a_fork_changes():
    page = (paths.ROOT / "book" / "publish.md").read_text(encoding="utf-8")
    address = yaml.safe_load((paths.ROOT / "_config.yml").read_text())["repository"]["url"]
    assert address not in page  # it says where the address stands, and is no further place
    for name in ("_config.yml", "CITATION.cff", "_toc.yml", ".github/workflows/publish.yml"):
        assert f"`{name}`" in page and (paths.ROOT / name).is_file()
    folders = ("", "book", "book/_static", "cchkd_utils", ".github/workflows", "tests")
    files = [p for name in folders for p in (paths.ROOT / name).iterdir() if p.is_file()]
    short = address.removeprefix("https://github.com/")
    holding = {p.name for p in files if short.encode() in p.read_bytes()}
    installing = {"__init__.py", "README.md", "own_data.md"}  # commands that install from it
    described = {"CITATION.cff", "codemeta.json", ".zenodo.json", "pyproject.toml"}
    assert holding == {"_config.yml"} | described | installing
    assert all(f"{name}`" in page for name in installing)
