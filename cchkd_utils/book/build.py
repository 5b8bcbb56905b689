"""The book: run what is missing, stage the sources, render.

Staging copies the sources to ``_build/src`` under the names they have in the repository, with
each notebook replaced by its executed run. Files that did not change are not touched, so that
Sphinx renders only what did.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from cchkd_utils import paths, plots, results, runner
from cchkd_utils.book import explorer, terms
from cchkd_utils.runner.parameters import named, read_presets
from cchkd_utils.runner.runs import digest, recorded_files

SWEEP = "book/sweep.md"
CARD = """\
:::{{admonition}} This page is a run
:class: note run-card
Preset **{preset}** · data: **{data}** · {seconds:.0f} s on {threads} · commit `{git_sha}` ·
{finished}. [Run it again with other parameters](../book/rerun.md) ·
[words and symbols](../book/glossary.md).
Tables of this run: {tables}.
To download: {more} ([columns](../book/tables.md)).

```{{dropdown}} Parameters and versions
| parameter | value |
|---|---|
{parameters}

{versions}
```
:::
"""


class BuildError(runner.RunError):
    """A book that did not render without warnings."""


def build(
    preset: str, *, data: str = "embedded", threads: int = 1, output: Path = paths.ROOT
) -> Path:
    """Build the book in ``output/_build/html`` and return the path of its first page.

    `data` is for the notebooks that take it. `runner.RunError` when a notebook fails, `BuildError`
    when rendering gives a warning or an error; they are printed above the message.
    """
    declared, plans = read_presets(), []
    longest = declared.get("first", [])
    for name in sorted(notebooks(), key=[*longest, *notebooks()].index):
        given = {"data": data} if "data" in runner.declared(runner.find_notebook(name)) else {}
        plans.append(runner.plan(name, given, preset=preset, threads=threads))
    files, tables, started = _sources(), {}, time.monotonic()
    for position, done in runner.run_many(plans):
        if isinstance(done, runner.RunError):
            raise done
        stem = plans[position].notebook.stem
        state = "reused" if done.reused else f"ran in {done.record['seconds']:.0f} s"
        print(f"[{time.monotonic() - started:4.0f} s] {stem}: {state}", flush=True)
        files |= _run_files(done)
        if {"results", "verdicts"} <= set(done.record["tables"]):
            tables[stem] = tuple(
                results.read(done.folder / f"{name}.csv", name) for name in ("results", "verdicts")
            )
    for page in declared.get("pages", []):
        files |= named(page)(tables)
    files, staged = terms.link(files), output / "_build" / "src"
    return _render(staged, output, stage(files, staged) + digest(paths.LOCK))


def notebooks() -> list[str]:
    """List the notebooks of ``_toc.yml``, in reading order."""
    chapters = [chapter["file"] for part in toc()["parts"] for chapter in part["chapters"]]
    return [Path(file).stem for file in chapters if file.startswith("notebooks/")]


def toc() -> dict[str, Any]:
    """Return ``_toc.yml``, without the page of a sweep while it shows none."""
    content, page = (paths.ROOT / "_toc.yml").read_text(encoding="utf-8"), paths.ROOT / SWEEP
    if page.is_file() and "No sweep has been named" in page.read_text(encoding="utf-8"):
        content = re.sub(r".*file: book/sweep\n", "", content)
    return yaml.safe_load(content)


def _sources() -> dict[str, bytes]:
    """Read the book's own files: name in the repository to content."""
    files = {"_config.yml": (paths.ROOT / "_config.yml").read_bytes()}
    files["_toc.yml"] = yaml.safe_dump(toc(), sort_keys=False).encode()
    for path in (paths.ROOT / "book").rglob("*.*"):
        name = path.relative_to(paths.ROOT).as_posix()
        if path.is_file() and "/." not in name:
            # recorded tables get an address that stays, not one that Sphinx makes of their content
            files[name.replace("book/results/", "book/_static/results/")] = path.read_bytes()
    if b"book/sweep" not in files["_toc.yml"]:
        files.pop(SWEEP, None)
    files |= {"book/_static/explorer.html": explorer.page(), "book/_static/vega.js": plots.vega()}
    files["book/cite.txt"] = f"```bibtex\n{bibtex()}\n```\n".encode()
    return files


def bibtex() -> str:
    """Return the entry of the paper, and that of this companion, made from ``CITATION.cff``."""
    known = (paths.ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    paper = re.search(r"@misc\{xie2025cch,.*?\n\}", known, re.DOTALL)[0]
    facts = yaml.safe_load((paths.ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    authors = [  # a group's name is in braces: they keep BibTeX from splitting it
        f"{{{who['name']}}}" if "name" in who else f"{who['family-names']}, {who['given-names']}"
        for who in facts["authors"]
    ]
    fields = {
        "title": facts["title"],
        "author": " and ".join(authors),
        "year": str(facts["date-released"])[:4],
        "version": facts["version"],
        "url": facts["repository-code"],
    }
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return "\n".join([paper, "", "@software{cch_companion,", *lines, "}"])


def _run_files(run: runner.Run) -> dict[str, bytes]:
    """Return the files of a run's page: its tables, its notebook with run card and alt texts."""
    stem = run.record["notebook"]
    tables = {
        f"notebooks/{stem}.{table}.csv": (run.folder / f"{table}.csv").read_bytes()
        for table in run.record["tables"]
    }
    notebook = json.loads(run.notebook.read_text(encoding="utf-8"))
    notebook["metadata"].pop("papermill", None)
    notebook["cells"] = [part for cell in notebook["cells"] for part in _figures_apart(cell)]
    for cell in notebook["cells"]:
        cell["metadata"] = {"tags": cell["metadata"].get("tags", [])} | _alt_text(cell)
    card = {"cell_type": "markdown", "id": "run-card", "metadata": {}}
    notebook["cells"].insert(1, card | {"source": run_card(run.record)})
    page = json.dumps(notebook, indent=1, sort_keys=True) + "\n"
    return tables | {f"notebooks/{stem}.ipynb": page.encode()}


def _code(text: str) -> str:
    """Set text as code in a cell of a table, whatever is in it."""
    marks = {ord(mark): f"&#{ord(mark)};" for mark in "|`*_[]\\$\"'"}  # of Markdown, in HTML too
    return f"<code>{escape(text, quote=False).translate(marks)}</code>"


def run_card(record: Mapping[str, Any]) -> str:
    """Say in MyST how a page was made: preset, data, time, commit, parameters, versions."""
    values, stem = record["parameters"], record["notebook"]
    rows = [f"| `{name}` | {_code(json.dumps(value))} |" for name, value in values.items()]
    versions = record["versions"] | {"cchkd": record["version"]}
    tables = [f"{{download}}`{name} <{stem}.{name}.csv>`" for name in record["tables"]]
    more = [f"{{download}}`notebook <{stem}.ipynb>`"]
    at = "../_static/results/"
    more += [f'<a href="{at}{path.name}">{path.stem}</a>' for path in recorded_files(stem)]
    made = record | {
        "threads": f"{record['threads']} thread{'s' * (record['threads'] > 1)}",
        "finished": record["finished"][:10].replace("-", "\N{NON-BREAKING HYPHEN}"),
        "data": ", ".join(dict.fromkeys(filter(None, [values.get("data"), record["kind"]]))),
        "tables": ", ".join(tables),
        "more": ", ".join(more),
        "parameters": "\n".join(rows),
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }
    return CARD.format(**made)


def _figures_apart(cell: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Split a cell that shows several figures: MyST-NB takes one alt text for all of a cell."""
    outputs = cell.get("outputs", [])
    figures = [n for n, output in enumerate(outputs) if "image/png" in output.get("data", {})]
    if len(figures) < 2:
        yield dict(cell)
        return
    for start, end in pairwise([0, *figures[1:], len(outputs)]):
        rest = {"id": f"{cell['id']}-{start}", "metadata": {"tags": ["remove-input"]}}
        rest["source"] = "# goes on"  # MyST-NB leaves out cells without source
        yield cell | {"outputs": outputs[start:end]} | (rest if start else {})


def _alt_text(cell: Mapping[str, Any]) -> dict[str, Any]:
    """Lift the alt text of a cell's figure to where MyST-NB looks for it."""
    pictures = [o.get("metadata", {}).get("image/png", {}) for o in cell.get("outputs", [])]
    texts = [picture["alt"] for picture in pictures if "alt" in picture]
    return {"mystnb": {"image": {"alt": texts[0]}}} if texts else {}


def stage(files: Mapping[str, bytes], folder: Path) -> str:
    """Make `folder` hold exactly `files`, touching only what differs; return their hash."""
    wanted = {folder / name: content for name, content in files.items()}
    for old in [path for path in folder.rglob("*") if path.is_file() and path not in wanted]:
        old.unlink()
    for path, content in wanted.items():
        if not (path.is_file() and path.read_bytes() == content):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    total = hashlib.sha256()
    for name, content in sorted(files.items()):
        total.update(f"{name}\0{len(content)}\0".encode() + content)
    return total.hexdigest()


def _render(source: Path, output: Path, state: str) -> Path:
    build_folder = output / "_build"
    index, mark = build_folder / "html" / "index.html", build_folder / "rendered"
    if index.is_file() and mark.is_file() and mark.read_text() == state:
        mark.touch()  # as new as its sources, whatever their dates
        return index
    mark.unlink(missing_ok=True)
    start = "from jupyter_book.cli.main import main; main()"
    words = ["build", source, "--path-output", output, "-W", "--keep-going", "--quiet"]
    if subprocess.run([sys.executable, "-c", start, *words], check=False).returncode:
        # Sphinx would not repeat the warnings of pages it believes done.
        shutil.rmtree(build_folder / ".doctrees", ignore_errors=True)
        raise BuildError("the book did not render; the warnings above say why")
    mark.write_text(state)
    return index
