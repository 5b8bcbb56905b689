"""The book: staged names, run cards, launch buttons. `test_pages` opens it in a browser."""

import html
import json
import os
import re
import shutil
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

from cchkd_utils import paths
from cchkd_utils.book import build

pytestmark = pytest.mark.slow


def test_the_front_door_leads_to_the_first_page(site):
    assert 'url=book/intro.html"' in (site / "index.html").read_text()


def test_documents_keep_their_names(site, pages):
    toc = build.toc()
    chapters = [c["file"] for part in toc["parts"] for c in part["chapters"]] + [toc["root"]]
    for chapter in chapters:
        assert f"{chapter}.html" in pages
        sources = [paths.ROOT / f"{chapter}{end}" for end in (".md", ".ipynb")]
        assert any(path.is_file() for path in sources)


def test_every_notebook_page_says_how_it_was_made(site):
    for name in build.notebooks():
        page = (site / "notebooks" / f"{name}.html").read_text()
        text = re.sub(r"<[^>]+>", "", page)
        assert re.search(r"Preset smoke · data: .*(real|simulated)\)? · \d+ s on 1 thread ", text)
        assert "Parameters and versions" in text and re.search(r"torch \d", text)
        assert 'preset = "smoke"' in text.replace("&quot;", '"').replace("&#34;", '"')
        tables = re.search(r"Tables of this run: ([a-z ,]+)\.", text)[1].split(", ")
        for table in tables:
            assert list(site.glob(f"_downloads/*/{name}.{table}.csv"))


def test_every_figure_of_a_run_is_on_its_page_with_its_own_alt_text(site):
    for name in build.notebooks():
        run = json.loads((site / "_sources" / "notebooks" / f"{name}.ipynb").read_text())
        outputs = [output for cell in run["cells"] for output in cell.get("outputs", [])]
        drawn = [output["metadata"].get("image/png", {}) for output in outputs
                 if "image/png" in output.get("data", {})]  # fmt: skip
        page = (site / "notebooks" / f"{name}.html").read_text()
        shown = re.findall(r'<img alt="([^"]+)" src="\.\./_images/[^"]+\.png"', page)
        assert [html.unescape(alt) for alt in shown] == [figure["alt"] for figure in drawn], name


def test_launch_buttons_point_at_files_of_the_repository(site):
    config = yaml.safe_load((paths.ROOT / "_config.yml").read_text())["repository"]
    owner = config["url"].removeprefix("https://github.com/")
    for name in build.notebooks():
        page = (site / "notebooks" / f"{name}.html").read_text()
        colab = f"https://colab.research.google.com/github/{owner}/blob/{config['branch']}/"
        (target,) = set(re.findall(re.escape(colab) + r'([^"]+)', page))
        assert (paths.ROOT / target).is_file()
        binder = f"https://mybinder.org/v2/gh/{owner}/{config['branch']}?urlpath=lab/tree/"
        (target,) = set(re.findall(re.escape(binder) + r'([^"]+)', page))
        assert (paths.ROOT / unquote(target)).is_file()


def test_staging_touches_only_what_changed(tmp_path):
    files = {"a.md": b"a", "sub/b.md": b"b"}
    first = build.stage(files, tmp_path)
    before = (tmp_path / "a.md").stat().st_mtime_ns
    os.utime(tmp_path / "a.md", ns=(before, before - 10**9))
    second = build.stage({"a.md": b"a", "c.md": b"c"}, tmp_path)
    assert first != second
    assert (tmp_path / "a.md").stat().st_mtime_ns == before - 10**9
    assert not (tmp_path / "sub" / "b.md").exists() and (tmp_path / "c.md").read_bytes() == b"c"


def test_a_warning_fails_the_build_and_does_so_again(tmp_path):
    minimal = {"_config.yml": b"title: x\n", "_toc.yml": b"format: jb-book\nroot: index\n"}
    state = build.stage(minimal | {"index.md": b"# Title\n\n[](nowhere.md)\n"}, tmp_path / "src")
    for _ in range(2):
        with pytest.raises(build.BuildError, match="did not render"):
            build._render(tmp_path / "src", tmp_path, state)


def test_alt_text_is_lifted_to_where_the_renderer_looks():
    picture = {"data": {"image/png": ""}, "metadata": {"image/png": {"alt": "a curve"}}}
    lifted = build._alt_text({"outputs": [{"name": "stdout"}, picture]})
    assert lifted == {"mystnb": {"image": {"alt": "a curve"}}}
    assert build._alt_text({"outputs": []}) == {}


def test_each_of_several_figures_of_a_cell_keeps_its_own_alt_text():
    def picture(alt):
        return {"data": {"image/png": ""}, "metadata": {"image/png": {"alt": alt}}}

    code = {
        "cell_type": "code",
        "id": "c",
        "source": "draw()",
        "metadata": {"tags": ["hide-input"]},
    }
    said = {"name": "stdout", "text": "a line"}
    for outputs in ([], [said], [said, picture("one"), said]):
        assert [*build._figures_apart(code | {"outputs": outputs})] == [code | {"outputs": outputs}]
    cell = code | {"outputs": [said, picture("one"), picture("two"), said]}
    first, second = build._figures_apart(cell)
    assert first == code | {"outputs": [said, picture("one")]}
    assert second["outputs"] == [picture("two"), said] and second["source"].startswith("#")
    assert second["metadata"]["tags"] == ["remove-input"] and second["id"] != "c"
    assert build._alt_text(second)["mystnb"]["image"]["alt"] == "two"


def test_run_card_escapes_what_a_user_typed():
    record = {
        "notebook": "01_x", "preset": "book", "seconds": 1.0, "threads": 2, "git_sha": "abc",
        "finished": "2026-01-01T00:00:00+00:00", "version": "0", "versions": {"torch": "2"},
        "kind": "real", "parameters": {"name": "<script>"}, "tables": ["verdicts", "estimates"],
    }  # fmt: skip
    card = build.run_card(record)
    downloads = (
        "{download}`verdicts <01_x.verdicts.csv>`, {download}`estimates <01_x.estimates.csv>`."
    )
    assert downloads in card
    assert "<script>" not in card and "data: **real**" in card
    assert "| `name` | <code>&#34;&lt;script&gt;&#34;</code> |" in card
    value = build._code('a|b `c` *d* [e] <f> $g$ "h"')
    text = render(f"| a | b |\n|---|---|\n| x | {value} |")
    assert "<code>a|b `c` *d* [e] &lt;f&gt; $g$ &quot;h&quot;</code>" in text


def render(text):
    from markdown_it import MarkdownIt

    quoting = ["table", "replacements", "smartquotes"]  # as on the pages
    return MarkdownIt("commonmark", {"typographer": True}).enable(quoting).render(text)


def test_what_editors_leave_beside_pages_is_no_source(tmp_path, monkeypatch):
    (tmp_path / "book" / ".ipynb_checkpoints").mkdir(parents=True)
    shutil.copy(paths.ROOT / "book" / "references.bib", tmp_path / "book")
    shutil.copy(paths.ROOT / "CITATION.cff", tmp_path)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    for name in ("_config.yml", "_toc.yml"):
        (tmp_path / name).write_text("x")
    for name in ("a.md", ".b.md", ".ipynb_checkpoints/c.md"):
        (tmp_path / "book" / name).write_text("x")
    (tmp_path / "book" / ".#a.md").symlink_to("nowhere")
    own = {name for name in build._sources() if name.endswith(("a.md", "b.md", "c.md"))}
    assert own == {"book/a.md"}


def test_build_refuses_an_unknown_preset_before_running(tmp_path):
    with pytest.raises(ValueError, match="no preset 'huge'"):
        build.build("huge", output=Path(tmp_path))
    assert list(tmp_path.iterdir()) == []
