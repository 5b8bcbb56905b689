"""The book: staged names, run cards, and the rendered site in a real browser, network off."""

import functools
import http.server
import itertools
import json
import os
import re
import shutil
import threading
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
import yaml

from cchkd_utils import book, paths

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--disable-gpu", "--disable-background-networking", "--no-first-run"]
FLAGS += ["--no-sandbox"] if os.geteuid() == 0 else []


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """Build the smoke book in a folder of its own."""
    output = tmp_path_factory.mktemp("book")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CCHKD_RUNS", str(output / "runs"))
        index = book.build("smoke", threads=1, output=output)
        stamp = index.stat().st_mtime_ns
        assert book.build("smoke", threads=1, output=output).stat().st_mtime_ns == stamp  # reused
    return index.parent


@pytest.fixture(scope="session")
def pages(site):
    found = sorted(p.relative_to(site).as_posix() for p in site.rglob("*.html"))
    # index.html only forwards to the first page; the search page fills itself by script
    return [p for p in found if not p.startswith(("_static", "index.html", "search.html"))]


def test_the_front_door_leads_to_the_first_page(site):
    assert 'url=book/intro.html"' in (site / "index.html").read_text()


def test_documents_keep_their_names(site, pages):
    toc = yaml.safe_load((paths.ROOT / "_toc.yml").read_text())
    chapters = [c["file"] for part in toc["parts"] for c in part["chapters"]] + [toc["root"]]
    for chapter in chapters:
        assert f"{chapter}.html" in pages
        sources = [paths.ROOT / f"{chapter}{end}" for end in (".md", ".ipynb")]
        assert any(path.is_file() for path in sources)


def test_every_notebook_page_says_how_it_was_made(site):
    for name in book.notebooks():
        page = (site / "notebooks" / f"{name}.html").read_text()
        text = re.sub(r"<[^>]+>", "", page)
        assert re.search(r"Preset smoke · data: .*(real|simulated)\)? · \d+ s on 1 thread ", text)
        assert "Parameters and versions" in text and re.search(r"torch \d", text)
        assert 'preset = "smoke"' in text.replace("&quot;", '"').replace("&#34;", '"')
        tables = re.search(r"Tables of this run: ([a-z ,]+)\.", text)[1].split(", ")
        for table in tables:
            assert list(site.glob(f"_downloads/*/{name}.{table}.csv"))


def test_launch_buttons_point_at_files_of_the_repository(site):
    config = yaml.safe_load((paths.ROOT / "_config.yml").read_text())["repository"]
    owner = config["url"].removeprefix("https://github.com/")
    for name in book.notebooks():
        page = (site / "notebooks" / f"{name}.html").read_text()
        colab = f"https://colab.research.google.com/github/{owner}/blob/{config['branch']}/"
        (target,) = set(re.findall(re.escape(colab) + r'([^"]+)', page))
        assert (paths.ROOT / target).is_file()
        binder = f"https://mybinder.org/v2/gh/{owner}/{config['branch']}?urlpath=lab/tree/"
        (target,) = set(re.findall(re.escape(binder) + r'([^"]+)', page))
        assert (paths.ROOT / unquote(target)).is_file()


def test_no_internal_link_is_broken(site, pages):
    broken = []
    ids = functools.cache(lambda path: set(re.findall(r'\bid="([^"]+)"', path.read_text())))
    for page in pages:
        here = site / page
        for link in re.findall(r'(?:href|src)="([^"]+)"', here.read_text()):
            target, anchor = urldefrag(link.replace("&amp;", "&"))
            if urlsplit(target).scheme or target.startswith("//"):
                continue
            path = here.parent / unquote(urlsplit(target).path) if target else here
            names = ids(path) if anchor and path.suffix == ".html" else {unquote(anchor)}
            if not path.is_file() or unquote(anchor) not in names:
                broken.append((page, link))
    assert broken == []


@pytest.fixture(scope="module")
def address(site):
    """Serve the site on a local port."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def visits(address, pages):
    """Open every page in headless Chromium and note what a reader would meet."""
    if not CHROMIUM:
        pytest.skip("no chromium on this machine: install Debian's package of that name")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p, p.chromium.launch(executable_path=CHROMIUM, args=FLAGS) as browser:
        both = itertools.product(pages, (1360, 390))
        return {(page, width): visit(browser, address, page, width) for page, width in both}


def visit(browser, base, name, width):
    page = browser.new_page(viewport={"width": width, "height": 900})
    errors, away = [], []

    def only_here(route):
        if route.request.url.startswith((base, "data:", "blob:")):
            return route.continue_()
        away.append(route.request.url)
        return route.abort()

    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.route("**/*", only_here)
    page.goto(base + name, wait_until="load")
    page.wait_for_function("!document.querySelector('.math') || document.querySelector('mjx-math')")
    facts = page.evaluate(
        r"""async () => {
        const images = [...document.querySelectorAll('.bd-article img')];
        images.forEach(i => i.loading = 'eager');  // off-screen ones too
        await Promise.all(images.map(i => i.decode()));
        return {
        math: document.querySelectorAll('main .math').length,
        rendered: document.querySelectorAll('main .math mjx-container').length,
        bad: document.querySelectorAll('mjx-merror, [data-mjx-error]').length,
        raw: (document.querySelector('main article') || document.body).innerText
            .match(/\\\(|\\frac|\\mathrm|\\lambda|\$\$/g),
        images: images.map(i => [i.alt, i.naturalWidth]),
        over: document.documentElement.scrollWidth - innerWidth,
        }}"""
    )
    page.close()
    return facts | {"errors": errors, "away": away}


def test_no_console_error_and_no_request_leaves_the_site(visits):
    assert {key: v["errors"] for key, v in visits.items() if v["errors"]} == {}
    assert {key: v["away"] for key, v in visits.items() if v["away"]} == {}


def test_equations_are_rendered(visits):
    for key, facts in visits.items():
        assert facts["rendered"] == facts["math"] and not facts["bad"], key
        assert not facts["raw"], key
    assert visits["book/theory.html", 1360]["math"] > 20


def test_every_figure_loads_and_has_alt_text(visits):
    pictures = {key: facts["images"] for key, facts in visits.items()}
    for key, images in pictures.items():
        assert all(len(alt.strip()) > 40 and width for alt, width in images), key
    for name in book.notebooks():
        assert pictures[f"notebooks/{name}.html", 1360]


def test_sliders_move_the_exact_curve_with_the_network_off(address):
    """The theory page's figure, by mouse-free means: the keyboard."""
    if not CHROMIUM:
        pytest.skip("no chromium on this machine: install Debian's package of that name")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p, p.chromium.launch(executable_path=CHROMIUM, args=FLAGS) as browser:
        page = browser.new_page(viewport={"width": 390, "height": 900})
        away, errors = [], []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.route(
            lambda url: not url.startswith(address),
            lambda route: (away.append(route.request.url), route.abort()),
        )
        page.goto(address + "book/theory.html", wait_until="load")
        page.locator("iframe.explorer").scroll_into_view_if_needed()
        inner = page.frame_locator("iframe.explorer")
        said = inner.locator("svg .role-title-text text")
        curve = inner.locator("svg .mark-line path")
        said.filter(has_text="−1.1 % at λ = 0.1").wait_for()
        before = curve.get_attribute("d")
        inner.locator("input[name=ratio]").focus()
        for _ in range(10):
            page.keyboard.press("ArrowRight")  # n / p from 10 to 15
        said.filter(has_text="n = 1,500, p = 100").wait_for()
        assert curve.get_attribute("d") != before
        inner.locator("input[name=ratio]").fill("0.5")
        said.filter(has_text="n must exceed p + 1").wait_for()
        assert curve.count() == 0 or not curve.get_attribute("d")
        over = inner.locator("html").evaluate("e => e.scrollWidth - e.clientWidth")
        assert (over, away, errors) == (0, [], [])


def test_nothing_scrolls_sideways_on_a_phone(visits):
    assert {k: v["over"] for k, v in visits.items() if v["over"] > 0} == {}


def test_staging_touches_only_what_changed(tmp_path):
    files = {"a.md": b"a", "sub/b.md": b"b"}
    first = book.stage(files, tmp_path)
    before = (tmp_path / "a.md").stat().st_mtime_ns
    os.utime(tmp_path / "a.md", ns=(before, before - 10**9))
    second = book.stage({"a.md": b"a", "c.md": b"c"}, tmp_path)
    assert first != second
    assert (tmp_path / "a.md").stat().st_mtime_ns == before - 10**9
    assert not (tmp_path / "sub" / "b.md").exists() and (tmp_path / "c.md").read_bytes() == b"c"


def test_a_warning_fails_the_build_and_does_so_again(tmp_path):
    minimal = {"_config.yml": b"title: x\n", "_toc.yml": b"format: jb-book\nroot: index\n"}
    state = book.stage(minimal | {"index.md": b"# Title\n\n[](nowhere.md)\n"}, tmp_path / "src")
    for _ in range(2):
        with pytest.raises(book.BuildError, match="did not render"):
            book._render(tmp_path / "src", tmp_path, state)


def test_alt_text_is_lifted_to_where_the_renderer_looks():
    picture = {"data": {"image/png": ""}, "metadata": {"image/png": {"alt": "a curve"}}}
    lifted = book._alt_text({"outputs": [{"name": "stdout"}, picture]})
    assert lifted == {"mystnb": {"image": {"alt": "a curve"}}}
    assert book._alt_text({"outputs": []}) == {}


def test_run_card_escapes_what_a_user_typed():
    record = {
        "notebook": "01_x", "preset": "book", "seconds": 1.0, "threads": 2, "git_sha": "abc",
        "finished": "2026-01-01T00:00:00+00:00", "version": "0", "versions": {"torch": "2"},
        "kind": "real", "parameters": {"name": "<script>"}, "tables": ["verdicts", "estimates"],
    }  # fmt: skip
    card = book.run_card(record)
    downloads = (
        "{download}`verdicts <01_x.verdicts.csv>`, {download}`estimates <01_x.estimates.csv>`."
    )
    assert downloads in card
    assert "<script>" not in card and "data: **(real)**" in card
    assert json.dumps("<script>").replace("<", "&lt;")[:5] in card or "&lt;script&gt;" in card


def test_build_refuses_an_unknown_preset_before_running(tmp_path):
    with pytest.raises(ValueError, match="no preset 'huge'"):
        book.build("huge", output=Path(tmp_path))
    assert list(tmp_path.iterdir()) == []
