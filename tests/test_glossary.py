"""Words and symbols: each once, and no page uses a Greek letter that the table lacks."""

import json
import re

import jupytext
import yaml

from cchkd_utils import paths
from cchkd_utils.book import terms

PAGE = (paths.ROOT / "book" / "glossary.md").read_text(encoding="utf-8")
NAMES = """alpha beta gamma delta epsilon varepsilon zeta eta theta kappa lambda mu nu xi rho sigma
tau phi varphi chi psi omega Gamma Delta Theta Lambda Sigma Phi Psi Omega"""
GREEK = re.compile(rf"\\({'|'.join(NAMES.split())})\b")

NAMED = {  # what is named on a page must be cited there
    "01_synthetic": "xie2025cch",
    "02_mnist_m": "xie2025cch lecun1998gradient arbelaez2011contour ganin2016domain "
    "alpaydin1998optical",
    "03_mosei": "zadeh2018mosei zadeh2016mosi nadeau2003inference",
    "04_tcga": "xie2025cch weinstein2013cancer nadeau2003inference",
    "06_counterexamples": "xue2023modality",
    "07_estimators": "kraskov2004estimating ross2014mutual belghazi2018mine "
    "gowri2024approximating czyz2023beyond abdelaleem2025accurate",
    "08_many_pairs": "alpaydin1998optical street1993nuclear wah2011birds sen2008collective "
    "brbic2016landscape wang2021mogonet woellmer2013youtube duin1998multiple "
    "weinstein2013cancer zadeh2016mosi",
    "theory": "hinton2015distilling xie2025cch ross2014mutual gao2017estimating",
    "glossary": "kornblith2019similarity hinton2015distilling",
}  # fmt: skip


def pages():
    """Pair each page of the book with its prose."""
    toc = yaml.safe_load((paths.ROOT / "_toc.yml").read_text())
    names = [toc["root"], *(c["file"] for part in toc["parts"] for c in part["chapters"])]
    for name in names:
        text = paths.ROOT / f"{name}.md"
        if text.is_file():
            yield name, text.read_text(encoding="utf-8")
        else:
            cells = jupytext.read(paths.ROOT / f"{name}.ipynb").cells
            shown = [c for c in cells if "exercise" not in c.metadata.get("tags", [])]
            shown = [c for c in shown if "solution" not in c.metadata.get("tags", [])]
            yield name, "\n\n".join(c.source for c in shown if c.cell_type == "markdown")


def rows():
    _, _, table = PAGE.partition("## Symbols")
    return [line.split("|")[1:4] for line in table.splitlines() if line.startswith("| $")]


def test_every_symbol_is_in_one_row_which_leads_to_its_definition():
    symbols = [symbol for row in rows() for symbol in re.findall(r"\$[^$]+\$", row[0])]
    assert len(symbols) == len(set(symbols)) > 25
    assert all(re.search(r"\]\(|\{\w+(:\w+)?\}`", where) for *_, where in rows())


def test_no_page_uses_a_greek_letter_that_the_table_lacks():
    known = set(GREEK.findall("".join(row[0] for row in rows())))
    used = {name: set(GREEK.findall(text)) - known for name, text in pages()}
    assert {name: letters for name, letters in used.items() if letters} == {}


def test_words_are_in_order_and_linked_from_the_pages():
    _, _, block = PAGE.partition("```{glossary}\n")
    words = re.findall(r"^(\S.*)$", block.partition("\n```")[0], re.MULTILINE)
    first, *rest = words  # what the book is about comes first
    assert first.startswith("Cross-modal") and rest == sorted(rest, key=str.lower)
    assert len(words) == len(set(words)) > 20
    text = "".join(text for _, text in pages())
    used = re.findall(r"\{term\}`(?:[^`<]*<)?([^`>]+)>?`", text)
    assert len(used) > 10 and set(used) <= set(words)


def test_what_is_named_is_cited_and_all_references_are_used():
    bib = (paths.ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    known = set(re.findall(r"^@\w+\{([^,]+),", bib, re.MULTILINE))
    cited = {
        name.rpartition("/")[2]: set(
            ",".join(re.findall(r"\{cite\S*?\}`([^`]+)`", text)).split(",")
        )
        for name, text in pages()
    }
    assert set().union(*cited.values()) - {""} == known
    missing = {name: set(keys.split()) - cited[name] for name, keys in NAMED.items()}
    assert {name: keys for name, keys in missing.items() if keys} == {}
    named = r"\b[A-Z][\wé-ž]+ (?:et al\.|and [A-Z]\w+),? \(?(?:ICLR )?(?:19|20)\d\d"
    assert {n: re.findall(named, t) for n, t in pages() if re.findall(named, t)} == {}


PAGE_OF_A_WORD = """# The gap
A **gap**, `gap`, $gap$, [gap](x.md) and {term}`student`.
| gap |
```
gap
```
<i
title="a nat">

In <b>x</b> <a href="x">a nat</a>.
Teachers teach students. Gaps are many, and a gap: KD-like, KD.
The gap again.
"""


def test_the_first_use_of_a_word_is_linked_where_a_link_can_stand():
    cells = [
        {"cell_type": "markdown", "metadata": {"tags": tags}, "source": text}
        for tags, text in (([], "The gap"), (["solution"], "a nat"), ([], "the gap, a nat"))
    ]
    notebook = json.dumps({"cells": cells}).encode()
    files = {"book/glossary.md": PAGE.encode(), "x.md": PAGE_OF_A_WORD.encode()}
    out = terms.link(files | {"n.ipynb": notebook})
    assert out["book/glossary.md"] == files["book/glossary.md"]
    before, after = PAGE_OF_A_WORD.split("\n"), out["x.md"].decode().split("\n")
    assert before[:10] + before[11:] == after[:10] + after[11:]
    kd = "{term}`KD <knowledge distillation (KD)>`"
    told = f"{{term}}`Gaps <gap>` are many, and a gap: KD-like, {kd}."
    assert after[10] == "{term}`Teachers <teacher>` teach students. " + told
    sources = [cell["source"] for cell in json.loads(out["n.ipynb"])["cells"]]
    assert sources == ["The {term}`gap <gap>`", "a nat", "the gap, a {term}`nat <nat>`"]
