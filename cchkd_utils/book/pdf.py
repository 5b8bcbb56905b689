"""The book as one PDF: the site's pages in reading order, printed by Chromium.

Equations, theorems and exercises keep the site's numbers. Every figure gets one, and its
alternative text as the caption.
"""

import itertools
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import unquote, urldefrag, urlsplit

import yaml

from cchkd_utils import paths
from cchkd_utils.book import build, slides
from cchkd_utils.book.build import BuildError

NAME = "book.pdf"
LEFT_OUT = ".headerlink, .viewcode-link, .viewcode-back, .visually-hidden, button, script, style"


def write(site: Path) -> Path:
    """Print a rendered book as ``book.pdf`` beside its folder, and return that path."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise BuildError("Chromium prints the PDF and is not here: install the package chromium")
    site = site.resolve()
    source, target = site.parent / "book.html", site.parent / NAME
    with sync_playwright() as p, p.chromium.launch(executable_path=chromium) as browser:
        pages: dict[str, int] = {}
        for _ in range(2):  # the second time the table of contents knows the pages
            source.write_text(html(site, pages), encoding="utf-8")
            tab = browser.new_page()
            tab.set_default_timeout(600_000)
            tab.goto(source.as_uri(), wait_until="load")
            tab.evaluate("MathJax.startup.promise")
            content = tab.pdf(prefer_css_page_size=True, outline=True, tagged=True)
            tab.close()
            pages = places(content)
    source.unlink()
    target.write_bytes(content)
    return target


def places(pdf: bytes) -> dict[str, int]:
    """Return the page, from 1, of each place that links lead to, in Chromium's PDF."""
    order = re.findall(rb"(?m)^(\d+) 0 obj\s+<</Type /Page\s", pdf)
    targets = re.findall(rb"/([\w-]+) \[(\d+) 0 R /XYZ", pdf)
    return {name.decode(): order.index(page) + 1 for name, page in targets}


def html(site: Path, pages: Mapping[str, int]) -> str:
    """Return the book as one HTML page to print; `pages` are those of its chapters, by name."""
    toc = build.toc()
    config = yaml.safe_load((paths.ROOT / "_config.yml").read_text(encoding="utf-8"))
    parts = [("", [toc["root"]])]
    parts += [(p["caption"], [c["file"] for c in p["chapters"]]) for p in toc["parts"]]
    names = [name for _, chapters in parts for name in chapters]
    contents, body, figures = [], [], itertools.count(1)
    for caption, chapters in parts:
        contents.append(f"<dt>{caption}</dt>")
        for name in chapters:
            article, place = _chapter(site, name, names, figures), _place(name)
            title, number = article.h1.get_text(), pages.get(place, "")
            contents.append(f'<dd><a href="#{place}">{title}</a> <span>{number}</span></dd>')
            article["id"] = place
            body.append(str(article))
    template = Template(Path(__file__).with_name("print.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=config["title"], author=config["author"], contents="\n".join(contents),
        body="\n".join(body), mathjax=slides.mathjax(),
        highlight=(site / "_static" / "pygments.css").read_text(encoding="utf-8"),
    )  # fmt: skip


def _place(name: str, anchor: str = "") -> str:
    return f"{Path(name).name}--{anchor}" if anchor else Path(name).name


def _chapter(site: Path, name: str, names: list[str], figures: Iterator[int]) -> Any:
    """Return a page's article, a tag of Beautiful Soup, made to stand among the others."""
    from bs4 import BeautifulSoup

    page = BeautifulSoup((site / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
    article, here = page.select_one("article.bd-article"), (site / name).parent
    for tag in article.select(LEFT_OUT):
        tag.decompose()
    for frame in article("iframe"):
        line = page.new_tag("p")
        line.string = f"[{frame['title']}: in the online book.]"
        frame.replace_with(line)
    for tag in article(id=True):
        tag["id"] = _place(name, tag["id"])
    for link in article("a", href=True):
        target, anchor = urldefrag(link["href"])
        if urlsplit(target).scheme:
            continue
        path = (here / unquote(target)).resolve() if target else site.resolve() / f"{name}.html"
        to = path.relative_to(site.resolve()).as_posix().removesuffix(".html")
        if to in names:
            link["href"] = f"#{_place(to, anchor)}"
        else:
            link.unwrap()
    for image in article("img"):
        image["src"] = (here / unquote(image["src"])).resolve().as_uri()
        number, figure = f"Fig. {next(figures)} ", image.find_parent("figure")
        if figure and figure.figcaption:
            figure.select_one(".caption-number").string = number
        else:
            caption = page.new_tag("p", attrs={"class": "caption"})
            caption.string = number + image["alt"]
            image.insert_after(caption)
    return article
