"""How to cite: BibTeX made from ``CITATION.cff`` and the book's bibliography."""

import re

import yaml

from cchkd_utils import paths


def bibtex() -> str:
    """Return the entries of the paper and of this companion."""
    known = (paths.ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    paper = re.search(r"@misc\{xie2025cch,.*?\n\}", known, re.DOTALL)[0]
    return f"{paper}\n\n{companion()}"


def companion() -> str:
    """Return the companion's entry, from ``CITATION.cff``."""
    facts = yaml.safe_load((paths.ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    fields = {
        "title": facts["title"],
        "author": " and ".join(_name(author) for author in facts["authors"]),
        "year": str(facts["date-released"])[:4],
        "version": facts["version"],
        "url": facts["repository-code"],
    }
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return "\n".join(["@software{cch_companion,", *lines, "}"])


def _name(author: dict[str, str]) -> str:
    if "name" in author:  # a group: braces keep BibTeX from splitting it
        return f"{{{author['name']}}}"
    return f"{author['family-names']}, {author['given-names']}"


def page() -> str:
    """Return the block for the first page, in MyST."""
    return f"```bibtex\n{bibtex()}\n```\n"
