"""The rendered site, as a reader meets it: links, and every page in Chromium with the network off.

``CCHKD_SITE=_build/html`` tests a book that is built already.
"""

import functools
import gzip
import http.server
import io
import json
import os
import re
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import numpy as np
import pytest

from cchkd_utils import criterion, results, runner
from cchkd_utils.book import build, deck, pdf, slides
from cchkd_utils.sections import cells
from cchkd_utils.sections.many_pairs import own, tables

pytestmark = pytest.mark.slow

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--disable-gpu", "--disable-background-networking", "--no-first-run"]
FLAGS += ["--no-sandbox"] if os.geteuid() == 0 else []
WIDE, PHONE = (1360, 900), (390, 844)
FIRST = "book/intro.html"


def test_no_internal_link_is_broken(site, pages):
    """Links, anchors, downloads, pictures: every target is a file, every anchor is in it."""
    broken, downloads = [], 0
    ids = functools.cache(lambda path: set(re.findall(r'\bid="([^"]+)"', path.read_text())))
    for page in [*pages, "index.html", "search.html"]:
        here = site / page
        for link in re.findall(r'(?:href|src)="([^"]+)"', here.read_text()):
            target, anchor = urldefrag(link.replace("&amp;", "&"))
            if urlsplit(target).scheme or target.startswith("//"):
                continue
            path = here.parent / unquote(urlsplit(target).path) if target else here
            names = ids(path) if anchor and path.suffix == ".html" else {unquote(anchor)}
            if not path.is_file() or unquote(anchor) not in names:
                broken.append((page, link))
            downloads += "_downloads/" in target
    assert broken == [] and downloads


def test_public_names_link_to_their_source(site):
    links = re.findall(r'href="(\.\./_modules/[^"]+#[^"]+)"', (site / "book/api.html").read_text())
    assert len(links) > 40


def test_every_page_offers_its_source_and_every_notebook_its_tables(site, pages):
    for page in pages:
        if page.startswith(("book/", "notebooks/")):
            text = (site / page).read_text()
            assert re.search(r'href="[^"]*_sources/[^"]+\.(md|ipynb)"', text), page
    for name in build.notebooks():
        text = (site / "notebooks" / f"{name}.html").read_text()
        links = re.findall(r'href="([^"]*_downloads/[^"]+)"', text)
        offered = {unquote(link).rpartition("/")[2] for link in links}
        assert f"{name}.ipynb" in offered
        assert offered & {f"{name}.{table}.csv" for table in ("results", "verdicts")}, name


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
def browser():
    if not CHROMIUM:
        pytest.skip("no chromium on this machine: install Debian's package of that name")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p, p.chromium.launch(executable_path=CHROMIUM, args=FLAGS) as driven:
        yield driven


@pytest.fixture(scope="module")
def visits(browser, address, pages):
    """Open every page once: wide and light, then dark, then on a phone; note what is met."""
    code = "_modules/"  # one page of source stands for all
    chosen = [p for p in pages if not p.startswith(code)] + [f"{code}cchkd_utils/mi.html"]
    return {page: visit(browser, address, page) for page in chosen}


class Page:
    """A page of the site that cannot reach beyond it, and what it complained about."""

    def __init__(self, browser, base, name, size=WIDE):
        self.tab = browser.new_page(viewport={"width": size[0], "height": size[1]})
        self.tab.set_default_timeout(180_000)  # a loaded machine is slow, not broken
        self.errors, self.away = [], []
        self.base = base
        self.tab.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.tab.on("pageerror", lambda error: self.errors.append(str(error)))
        self.tab.route("**/*", self._only_here)
        self.tab.goto(base + name, wait_until="load")

    def _only_here(self, route):
        if route.request.url.startswith((self.base, "data:", "blob:")):
            return route.continue_()
        self.away.append(route.request.url)
        return route.abort()


def visit(browser, base, name):
    page = Page(browser, base, name)
    tab = page.tab
    tab.wait_for_function("!document.querySelector('.math') || document.querySelector('mjx-math')")
    facts = tab.evaluate(
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
        }}"""
    )
    tab.add_script_tag(content=AXE)
    tab.add_style_tag(content="* { transition: none !important }")  # colours half-way mislead axe
    facts["axe"] = {}
    for theme, rules in {"light": [], "dark": ["color-contrast"]}.items():  # others see no colour
        tab.evaluate("t => { document.documentElement.dataset.theme = t }", theme)
        facts["axe"][theme] = tab.evaluate(RUN_AXE, rules)
    facts["over"] = {WIDE[0]: tab.evaluate(OVER)}
    tab.set_viewport_size({"width": 1280, "height": WIDE[1]})
    facts["cut"] = tab.evaluate(CUT)
    tab.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    facts["over"][PHONE[0]] = tab.evaluate(OVER)
    tab.close()
    return facts | {"errors": page.errors, "away": page.away}


AXE = (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
CUT = """[...document.querySelectorAll('.bd-article table')].filter(
    e => e.scrollWidth > e.clientWidth + 1).map(e => e.innerText.slice(0, 60))"""
OVER = "document.documentElement.scrollWidth - innerWidth"
RUN_AXE = """async rules => {
    const options = {resultTypes: ['violations'], preload: false};
    if (rules.length) options.runOnly = rules;
    const report = await axe.run({exclude: [['mjx-container']]}, options);  // MathJax's own markup
    return report.violations.filter(v => ['serious', 'critical'].includes(v.impact)).map(v =>
        `${v.id} (${v.nodes.length}): ${v.nodes.slice(0, 3).map(n =>
            n.target.join(' ') + ' ' + n.any.map(a => a.message).join('; ').slice(0, 160))}`)
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_serious_violation(visits, theme):
    violating = {page: facts["axe"][theme] for page, facts in visits.items()}
    assert {page: violations for page, violations in violating.items() if violations} == {}


def test_no_console_error_and_no_request_leaves_the_site(visits):
    assert {key: v["errors"] for key, v in visits.items() if v["errors"]} == {}
    assert {key: v["away"] for key, v in visits.items() if v["away"]} == {}


def test_equations_are_rendered(visits):
    for key, facts in visits.items():
        assert facts["rendered"] == facts["math"] and not facts["bad"], key
        assert not facts["raw"], key
    assert visits["book/theory.html"]["math"] > 20


def test_every_figure_loads_and_has_alt_text(visits):
    pictures = {key: facts["images"] for key, facts in visits.items()}
    for key, images in pictures.items():
        assert all(len(alt.strip()) > 40 and width for alt, width in images), key
    for page in [FIRST, *(f"notebooks/{name}.html" for name in build.notebooks())]:
        assert pictures[page]


def test_nothing_scrolls_sideways(visits):
    assert {k: v["over"] for k, v in visits.items() if max(v["over"].values()) > 0} == {}


def test_no_table_is_wider_than_the_page(visits):
    assert {k: v["cut"] for k, v in visits.items() if v["cut"]} == {}


def test_the_first_page_is_light(site, browser, address):
    """At most 1.5 MB gzipped, of which at most 300 kB are not the theme's or MathJax's."""
    page = browser.new_page()
    sizes = {}
    page.on("requestfinished", lambda request: sizes.setdefault(request.url, None))
    page.goto(address + FIRST, wait_until="networkidle")
    own = 0
    for url in sizes:
        path = site / unquote(urlsplit(url).path).lstrip("/")
        sizes[url] = len(gzip.compress(path.read_bytes()))
        ours = path.suffix == ".html" or re.search(r"_images/|book\.css|explorer", str(path))
        own += sizes[url] * bool(ours)
    page.close()
    assert len(sizes) > 5
    assert sum(sizes.values()) <= 1.5e6 and own <= 300e3, sizes


def test_the_idea_and_what_was_found_are_on_the_first_screen(browser, address):
    page = browser.new_page(viewport={"width": WIDE[0], "height": WIDE[1]})
    page.goto(address + FIRST, wait_until="load")
    for what in ("#fig-idea img", "text=What we found."):
        box = page.locator(what).first.bounding_box()
        assert box["y"] + box["height"] < WIDE[1], what
    assert "never distil" in page.locator("#fig-finding img").get_attribute("alt")
    page.close()


def test_search_finds_a_word_with_the_network_off(browser, address):
    page = Page(browser, address, "search.html?q=counter-examples")
    page.tab.locator("#search-results li a").first.wait_for(timeout=10000)
    links = page.tab.locator("#search-results li a").evaluate_all("x => x.map(a => a.href)")
    page.tab.close()
    assert any("06_counterexamples" in link for link in links)
    assert (page.errors, page.away) == ([], [])


def test_search_finds_a_chapter_by_its_number(browser, address):
    page = Page(browser, address, "search.html?q=02")
    link = page.tab.locator("#chapter-by-number a")
    link.wait_for(timeout=10000)
    assert link.get_attribute("href").endswith("notebooks/02_mnist_m.html")
    page.tab.close()
    assert (page.errors, page.away) == ([], [])


def test_sliders_move_the_exact_curve_with_the_network_off(browser, address):
    """The theory page's figure, by mouse-free means: the keyboard."""
    page = Page(browser, address, "book/theory.html", PHONE)
    page.tab.locator("iframe.explorer").scroll_into_view_if_needed()
    inner = page.tab.frame_locator("iframe.explorer")
    said = inner.locator("svg .role-title-text text")
    curve = inner.locator("svg .mark-line path").last  # the first is of ten times as many rows
    said.filter(has_text="+1.1 % at λ = 0.1").wait_for()
    before = curve.get_attribute("d")
    inner.locator("input[name=ratio]").focus()
    for _ in range(10):
        page.tab.keyboard.press("ArrowRight")  # n / p from 10 to 15
    said.filter(has_text="n = 1,500, p = 100").wait_for()
    assert curve.get_attribute("d") != before
    inner.locator("input[name=ratio]").fill("0.5")
    said.filter(has_text="n must exceed p + 1").wait_for()
    assert curve.count() == 0 or not curve.get_attribute("d")
    over = inner.locator("html").evaluate("e => e.scrollWidth - e.clientWidth")
    assert (over, page.away, page.errors) == (0, [], [])


def test_a_button_shows_its_claim_with_the_network_off(site, browser):
    """From the folder of the built site, without a server: an empty teacher helps."""
    page = Page(browser, f"{site.as_uri()}/", "_static/explorer.html")
    said = page.tab.locator("svg .role-title-text text")
    for claim, words in {
        "An empty teacher helps": ["+31 % at λ = 1", "do not", "helps at every λ; here it helps"],
        "Too large a λ harms": ["−3.4 % at λ = 10", "distil", "λ below 0.955; here it hurts"],
    }.items():
        page.tab.get_by_role("button", name=claim).press("Enter")
        for text in words:
            said.filter(has_text=text).wait_for()
    slider = page.tab.locator("input[name=power]")
    assert slider.input_value() == "1" and slider.get_attribute("aria-valuetext") == "10"
    page.tab.close()
    assert (page.away, page.errors) == ([], [])


def test_a_choice_changes_the_marks_of_the_many_pairs(browser, address):
    """And what is told of them; a phone shows all of it."""
    page = Page(browser, address, "notebooks/08_many_pairs.html", PHONE)
    page.tab.locator("iframe.explorer").scroll_into_view_if_needed()
    inner = page.tab.frame_locator("iframe.explorer")
    marks = inner.locator("svg .mark-symbol.role-mark path")
    told = inner.locator("svg .mark-text.role-mark text")
    recorded, verdicts = results.recorded("many_pairs")
    table = tables.joined(recorded, verdicts).query("lam == 0.5 & temperature == 2")
    sources = set(table["source"])
    for estimator, source in (("auto", "all"), ("ksg", "all"), ("ksg", "digits")):
        inner.locator("select[name=estimator]").select_option(estimator)
        inner.locator("select[name=source]").select_option(source)
        shown = table[(table["estimator"] == estimator) & table["source"].isin(
            sources if source == "all" else {source}
        )]  # fmt: skip
        right = cells.same_sign(shown).sum()
        told.filter(has_text=f"sign of the gap {right}, “never distil”").wait_for()
        assert marks.count() == len(shown)
    marks.last.hover(force=True)
    tip = inner.locator("#vg-tooltip-element.visible")
    tip.filter(has_text="digits: ").wait_for()
    assert tip.bounding_box()["x"] > page.tab.locator("iframe.explorer").bounding_box()["x"]
    page.tab.close()
    assert (page.errors, page.away) == ([], [])


@pytest.mark.parametrize("name", ["explorer", "digits", "many_pairs"])
def test_interactive_figures_are_light_and_have_no_serious_violation(site, browser, address, name):
    assert (site / f"_static/{name}.html").stat().st_size < 400e3
    page = Page(browser, address, f"_static/{name}.html", (350, 844))  # as on a phone's page
    page.tab.wait_for_selector("svg .role-mark path")
    cut = """edge => [...document.querySelectorAll('svg text, select, button')].filter(x => {
        const box = x.getBoundingClientRect();
        return box.width && (box.left < edge.left || box.right > edge.right);
    }).map(x => x.textContent)"""
    edge = page.tab.locator("svg").first.evaluate("e => e.getBoundingClientRect().toJSON()")
    assert page.tab.evaluate(cut, edge) == [] and page.tab.evaluate(OVER) == 0
    page.tab.add_script_tag(content=AXE)
    violations = page.tab.evaluate(RUN_AXE, [])
    page.tab.close()
    assert (violations, page.errors, page.away) == ([], [], [])


@pytest.fixture(scope="module")
def small_slides(tmp_path_factory):
    """Slides of a small run with an equation, code, a picture and a wide table."""
    pixel = "R0lGODlhAQABAIAAAP8AAP///yH5BAAAAAAALAAAAAABAAEAAAICRAEAOw=="
    shown = {"image/png": {"alt": "one red pixel"}}
    picture = {"output_type": "display_data", "data": {"image/png": pixel}, "metadata": shown}
    table = {"text/html": "<table><tr>" + "<td>number</td>" * 60 + "</tr></table>"}
    wide = {"output_type": "display_data", "data": table, "metadata": {}}
    code = {"cell_type": "code", "metadata": {}, "execution_count": 1}
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": "# Deck\n\nLet $x^2 > \\frac12$."},
        code | {"source": "x = 1", "outputs": [picture, wide]},
        {"cell_type": "markdown", "metadata": {}, "source": "## Answer\n\n[](../book/theory.md)"},
    ]
    folder = tmp_path_factory.mktemp("slides")
    content = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    (folder / "notebook.ipynb").write_text(json.dumps(content))
    record = {"notebook": "01_deck", "preset": "smoke", "kind": "real"}
    path = folder / "deck.html"
    path.write_text(slides.slides_page(runner.Run(folder, record, True)), encoding="utf-8")
    return path


def test_slides_need_nothing_but_their_file(browser, small_slides):
    tab = browser.new_page(viewport={"width": 1280, "height": 720})
    asked, errors = [], []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto(small_slides.as_uri(), wait_until="load")
    tab.wait_for_selector("mjx-container svg")
    assert [url for url in asked if not url.startswith("data:")] == [small_slides.as_uri()]
    now = tab.locator("section.now")
    told = []
    for _ in range(6):  # one more than there are: the last one stays
        told.append(now.get_attribute("aria-label"))
        tab.keyboard.press("ArrowRight")
    assert told[:5] == [f"slide {n} of 5" for n in range(1, 6)] and told[5] == told[4]
    tab.keyboard.press("Home")
    assert now.get_attribute("aria-label") == "slide 1 of 5"
    assert now.locator("footer").inner_text() == "01_deck · preset smoke · real data · 1 / 5"
    assert tab.locator("img").get_attribute("alt") == "one red pixel"
    assert errors == []
    tab.add_script_tag(content=AXE)
    for _ in range(5):
        assert tab.evaluate(OVER) == 0
        assert tab.evaluate(RUN_AXE, []) == []
        tab.keyboard.press("ArrowRight")
    tab.close()


@pytest.fixture(scope="module")
def lectures(site, tmp_path_factory):
    """The lecture, and the slides of one notebook, made of this site's executed notebooks."""
    folder = tmp_path_factory.mktemp("lecture")
    runs = {}
    for name in build.notebooks():
        own = folder / name
        own.mkdir()
        shutil.copy(site / "_sources" / "notebooks" / f"{name}.ipynb", own / "notebook.ipynb")
        record = {"notebook": name, "preset": "smoke", "kind": "simulated"}
        runs[name] = runner.Run(own, record, True)
    (folder / "deck.html").write_text(deck.page(runs), encoding="utf-8")
    shown = slides.slides_page(runs["06_counterexamples"])
    (folder / "slides.html").write_text(shown, encoding="utf-8")
    return folder


FITS = r"""() => {
    const slide = document.querySelector("section.now"), body = slide.querySelector(".body");
    const bottom = e => e.getBoundingClientRect().bottom, root = document.documentElement;
    const high = e => e.scrollHeight > e.clientHeight + 1;
    const wide = e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display != "inline";
    const all = names => [...slide.querySelectorAll(names)], notes = slide.querySelector(".notes");
    return {
        heading: slide.querySelector("h1, h2, h3").innerText,
        beyond: [root.scrollHeight - innerHeight, root.scrollWidth - innerWidth],
        scrolls: high(body),
        reachable: body.tabIndex === 0,
        low: all("figure > *, .words").filter(e => bottom(e) > bottom(body) + 1).length,
        wide: all(".words, .words *:not(mjx-container *)").filter(wide).length,
        alts: all("figure img").map(i => [i.alt, i.naturalWidth]),
        shown: all("figure > *, table").length,
        foot: bottom(slide) - bottom(slide.querySelector("footer")),
        notes: notes?.offsetHeight ? notes.innerText : "",
        bad: all("mjx-merror").length,
    }}"""


def turn(browser, path, *, notes=False):
    """Open slides on a projector, turn through them; return what each shows, and the tab."""
    tab = browser.new_page(viewport={"width": 1280, "height": 720})
    tab.set_default_timeout(180_000)
    asked, errors = [], []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto(path.as_uri(), wait_until="load")
    tab.evaluate("MathJax.startup.promise")
    if notes:
        tab.keyboard.press("n")
    facts = []
    for _ in range(tab.locator("section").count()):
        facts.append(tab.evaluate(FITS))
        tab.keyboard.press("PageDown")
    assert errors == [] and not [u for u in asked if not u.startswith(("data:", path.as_uri()))]
    return facts, tab


def test_the_lecture_fits_the_projector_and_has_notes(browser, lectures):
    facts, tab = turn(browser, lectures / "deck.html")
    assert 12 <= len(facts) <= 16
    for slide in facts:
        assert slide["beyond"] == [0, 0] and not slide["scrolls"] and slide["foot"] >= 0, slide
        assert (slide["low"], slide["wide"], slide["bad"]) == (0, 0, 0), slide
        assert slide["shown"] and slide["notes"] == "", slide  # a figure or a table; notes hidden
        assert all(len(alt) > 40 and width for alt, width in slide["alts"]), slide
    assert sum(bool(slide["alts"]) for slide in facts) >= 12
    tab.goto(f"{(lectures / 'deck.html').as_uri()}#4")
    sliders = tab.frame_locator("iframe").locator("html")
    sliders.locator("svg .mark-line path").first.wait_for()
    assert sliders.evaluate("e => e.scrollHeight - e.clientHeight") <= 0
    tab.keyboard.press("End")
    tab.add_script_tag(content=AXE)
    tab.keyboard.press("n")
    rules = RUN_AXE.replace("[['mjx-container']]", "[['mjx-container'], ['iframe']]")
    for _ in facts:
        assert tab.evaluate(rules, []) == []
        tab.keyboard.press("PageUp")
    tab.emulate_media(media="print")
    printed = tab.locator(".notes").evaluate_all("all => all.filter(n => n.offsetHeight > 20)")
    assert len(printed) == len(facts)
    with tab.expect_popup() as opened:
        tab.keyboard.press("s")
    first = opened.value.inner_text("body")
    opened.value.keyboard.press("PageDown")  # both turn
    assert tab.locator("section.now").get_attribute("aria-label").startswith("slide 2 ")
    assert first.startswith("1 / ") and opened.value.inner_text("body").startswith("2 / ")
    tab.close()
    facts, tab = turn(browser, lectures / "deck.html", notes=True)
    assert all(len(slide["notes"]) > 100 and slide["beyond"] == [0, 0] for slide in facts)
    tab.close()


def test_slides_of_a_notebook_keep_headings_and_scroll_inside(browser, lectures):
    facts, tab = turn(browser, lectures / "slides.html")
    assert len(facts) > 10
    for slide in facts:
        assert slide["heading"] and slide["beyond"] == [0, 0] and slide["foot"] >= 0, slide
        assert slide["reachable"] or not slide["scrolls"], slide
    assert sum(slide["scrolls"] for slide in facts) <= 2  # the rest is made to fit
    tab.close()


def test_the_book_prints_as_one_pdf(site, pages):
    if not CHROMIUM:
        pytest.skip("no chromium on this machine: install Debian's package of that name")
    text = pdf.html(site, {})
    ids, links = (re.findall(rf' {name}="([^"]+)"', text) for name in ("id", "href"))
    inside = [link[1:] for link in links if link.startswith("#")]
    assert len(inside) > 200 and set(inside) <= set(ids)
    assert all(link.startswith(("#", "http", "mailto:")) for link in links)
    numbers = [int(n) for n in re.findall(r">Fig\. (\d+) ", text)]
    assert numbers == list(range(1, text.count("<img ") + 1)) and len(numbers) > 30
    equations = re.findall(r'class="eqno">\((\d+)\)', text)
    assert len(equations) == len(set(equations)) > 5  # no number twice in the book
    assert "<iframe" not in text and "in the online book.]" in text
    with ThreadPoolExecutor() as apart:  # Playwright is at work in this thread already
        file = apart.submit(pdf.write, site).result()
    content = file.read_bytes()
    assert file.parent == site.parent and len(content) <= 25e6 and content.startswith(b"%PDF")
    on = pdf.places(content)
    chapters = [Path(page).stem for page in pages if page.startswith(("book/", "notebooks/"))]
    assert set(chapters) <= set(on) and len({on[name] for name in chapters}) == len(chapters)
    assert on["intro"] == 3 and max(on.values()) > 100


@pytest.fixture(scope="module")
def own_pages(tmp_path_factory):
    """The page of a verdict, and that of a study of one pair."""
    folder = tmp_path_factory.mktemp("own")
    x, noise = np.random.default_rng(0).normal(size=(2, 200, 3))
    score = x[:, 1] + 0.5 * noise[:, 1]
    logits = dict.fromkeys(("teacher_logits", "student_logits"), np.c_[-score, score])
    verdict = criterion.assess(
        x + 0.3 * noise, x[:, :2], x[:, 1] > 0, training={"n_train": 100}, **logits
    )
    path = folder / "verdict.html"
    path.write_text(verdict.to_html(), encoding="utf-8")
    study = own.plan("breast-cancer", teacher=["mean"], student=["error"], n_train=100, seeds=2)
    own.run(study, folder, io.StringIO())
    return [path, folder / own.PAGE]


def test_reports_of_own_data_need_nothing_but_their_file(browser, own_pages):
    for path in own_pages:
        tab = browser.new_page()
        asked, errors = [], []
        tab.on("request", lambda request, asked=asked: asked.append(request.url))
        tab.on("pageerror", lambda error, errors=errors: errors.append(str(error)))
        tab.goto(path.as_uri(), wait_until="load")
        assert asked == [path.as_uri()] and errors == []
        tab.add_script_tag(content=AXE)
        for theme, rules in {"light": [], "dark": ["color-contrast"]}.items():
            tab.emulate_media(color_scheme=theme)
            assert tab.evaluate(RUN_AXE, rules) == [], (path, theme)
        for width, height in (WIDE, PHONE):
            tab.set_viewport_size({"width": width, "height": height})
            assert tab.evaluate(OVER) <= 0, (path, width)
        tab.close()
