"""The command ``cchkd``: a thin face on the modules; no logic of its own."""

import argparse
import json
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

from cchkd_utils import REPOSITORY, __version__, not_installed, paths, runner
from cchkd_utils.runner import parameters

CLONE = f"git clone {REPOSITORY} && cd cchkd && make env"
SHOWN = 5  # failures that are printed; all are in the sweep's failures.json


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = _parser()
    parsed, rest = parser.parse_known_args(argv)
    if rest:
        bare = next((name for name in getattr(parsed, "given", []) if "=" not in name), None)
        hint = f"; write -p {bare}={rest[0]}" if bare else ""
        parser.error(f"unrecognized arguments: {' '.join(rest)}{hint}")
    arguments = vars(parsed)
    call = arguments.pop("call")
    try:
        if call not in (_assess, _study) and not paths.NOTEBOOKS.is_dir():
            raise ValueError(f"the notebooks are not here, clone the repository: {CLONE}")
        status = call(**arguments) or 0
        sys.stdout.flush()  # a reader that is gone shows here at the latest
        return status
    except BrokenPipeError:  # `| head` has read enough; Python would write once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # as a shell reports what SIGPIPE has ended
    except ModuleNotFoundError as error:
        print(f"cchkd: {not_installed(error)}", file=sys.stderr)
        return 1
    except (ValueError, OSError, runner.RunError) as error:
        print(f"cchkd: {' '.join(str(error).splitlines())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("cchkd: stopped; finished runs are kept, call again to go on", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "cchkd", description="Run the notebooks with parameters, and build the book."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, call: Callable, does: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=does)
        added.set_defaults(call=call)
        return added

    def takes_given(command: argparse.ArgumentParser, metavar: str, meaning: str) -> None:
        command.add_argument("notebook", help="number, name or path, e.g. 02")
        told = f"{meaning}; may be repeated"
        command.add_argument(
            "-p", dest="given", action="append", default=[], metavar=metavar, help=told
        )

    run = command("run", _run, "run one notebook with parameters")
    takes_given(run, "NAME=VALUE", "set a parameter; commas make a list")
    run.add_argument("--force", action="store_true", help="run again although the result is there")

    sweep = command("sweep", _sweep, "run one notebook at every point of a grid")
    points = "commas make points, also 0..9 and 0..1..0.25; [0.2,0.5] is one point"
    takes_given(sweep, "NAME=VALUES", f"an axis of the grid: {points}")
    sweep.add_argument("--grid", metavar="FILE", help="axes from a YAML file, one name a line")
    sweep.add_argument("--workers", type=_positive, help="runs at a time (default: one per core)")
    sweep.add_argument("--scheduler", metavar="TCP", help="a Dask scheduler, tcp://host:port")
    sweep.add_argument("--dry-run", action="store_true", help="print the points and run none")

    results = command("results", _results, "list the runs and sweeps of a notebook")
    takes_given(results, "NAME=VALUES", "only runs with one of these values, typed as for sweep")
    results.add_argument("--preset", help="only runs of this preset")

    page = command("page", _page, "fill book/sweep.md with a sweep")
    page.add_argument("sweep", help="its name or folder, as printed by cchkd results")

    listing = command("list", _list, "list the notebooks, or a notebook's parameters")
    listing.add_argument("notebook", nargs="?")

    data = command("data", _data, "list the real data: what is there, how to get more")
    data.add_argument("--get", metavar="NOTEBOOK", help="download what it lacks, e.g. 02")

    book = command("book", _book, "run what is missing and render the book")
    book.add_argument("--data", choices=["embedded", "real"], default="embedded")
    told = "also print it as one PDF (needs Chromium)"
    book.add_argument("--pdf", action="store_true", help=told)

    export = command("export", _export, "notebooks for a class, slides, the lecture")
    export.add_argument("notebook", nargs="*", help="number, name, path or lab (default: all)")
    what = export.add_mutually_exclusive_group(required=True)
    what.add_argument("--student", metavar="DIR", help="notebooks without solutions")
    what.add_argument("--solutions", metavar="DIR", help="notebooks with solutions")
    what.add_argument("--nbgrader", metavar="DIR", help="a course folder of nbgrader")
    what.add_argument("--slides", metavar="DIR", help="slides of executed notebooks, HTML")
    what.add_argument("--deck", metavar="DIR", help="one lecture's slides with notes, HTML")
    export.add_argument("--preset", default="book", help="of the runs that slides show")
    export.add_argument("--force", action="store_true", help="overwrite files that are there")

    own = command("assess", _assess, "verdict on your own representations")
    what = "reps.npz (or .safetensors, .csv, .parquet) with teacher, student, labels; or three .npy"
    own.add_argument("file", nargs="+", help=what)
    own.add_argument("--task", default="auto", help="auto (default), classification, regression")
    own.add_argument("--estimator", default="auto", help="auto (default), ksg, gaussian, mine, lmi")
    own.add_argument("--seed", type=_seed, default=0, help="of the estimate (default 0)")
    told = "print one JSON object and nothing else"
    own.add_argument("--html", metavar="FILE", help="write a page with figure, checks, numbers")
    own.add_argument("--plot", metavar="FILE", help="write the figure: .svg, .png or .pdf")
    own.add_argument("--json", dest="as_json", action="store_true", help=told)

    raw = command("study", _study, "judge, foretell and measure every pair of your own modalities")
    what = "table.npz with an array per modality and labels, or a folder of csv or parquet tables"
    raw.add_argument("file", help=what)
    raw.add_argument("--out", metavar="DIR", help="where the tables and study.html go")
    for name in ("teacher", "student"):
        told = f"only this {name}; may be repeated"
        raw.add_argument(f"--{name}", action="append", default=[], metavar="MODALITY", help=told)
    told = "training rows (default: half of all, at most 300)"
    raw.add_argument("--n-train", type=_positive, metavar="N", help=told)
    raw.add_argument("--seeds", type=_positive, default=10, help="splits of the rows (default 10)")
    raw.add_argument("--seed", type=_seed, default=0, help="first of the seeds (default 0)")
    told = "print one JSON object and nothing else"
    raw.add_argument("--json", dest="as_json", action="store_true", help=told)

    for runs in (run, sweep, book):
        runs.add_argument("--preset", default="book", help="smoke, book (default) or paper")
        told = "threads of each notebook (default 1)"
        runs.add_argument("--threads", type=_positive, default=1, help=told)
    return parser


def _positive(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"must be a positive whole number, not {text!r}")
    return int(text)


def _seed(text: str) -> int:
    if not (text.isdecimal() and text.isascii()):
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 on, not {text!r}")
    return int(text)


def _pairs(words: list[str]) -> dict[str, str]:
    given = {}
    for pair in words:
        name, sign, value = pair.partition("=")
        if not (sign and name.strip()):
            raise runner.ParameterError(f"-p takes NAME=VALUE, not '{pair}'")
        if name.strip() in given:
            raise runner.ParameterError(f"-p {name.strip()} is given twice")
        given[name.strip()] = value
    return given


def _run(notebook: str, given: list[str], **options) -> None:
    done = runner.run(notebook, _pairs(given), **options)
    word = "reused" if done.reused else f"ran in {done.record['seconds']} s"
    print(f"{done.record['notebook']}: {word}: {done.folder}")


def _sweep(notebook: str, given: list[str], grid: str | None, dry_run: bool, **options) -> int:
    axes = _pairs(given)
    if grid:
        read = parameters.read_grid(grid)
        if twice := sorted(set(read) & set(axes)):
            raise runner.ParameterError(f"{twice[0]} is given by -p and by {grid}")
        axes = read | axes
    if dry_run:
        where = {name: options.pop(name) for name in ("workers", "scheduler")}
        print(runner.preview(runner.plan_sweep(notebook, axes, **options), **where))
        return 0
    done = runner.sweep(notebook, axes, **options)
    for point, error in done.failed[:SHOWN]:
        print(f"cchkd: {runner.setting(point)}: {error}", file=sys.stderr)
    if len(done.failed) > SHOWN:
        print(f"cchkd: and {len(done.failed) - SHOWN} more failed", file=sys.stderr)
    if done.failed:
        print(f"cchkd: all failures: {done.folder / 'failures.json'}", file=sys.stderr)
    if done.done + done.reused:
        print(f"tables of all points: {done.folder}")
    print(f"{done.done} done, {done.reused} reused, {len(done.failed)} failed")
    return 1 if done.failed else 0


def _results(notebook: str, given: list[str], preset: str | None) -> None:
    print(runner.overview(notebook, _pairs(given), preset=preset))


def _page(sweep: str) -> None:
    from cchkd_utils.runner import report

    print(f"wrote {report.write(sweep)}; build the book to see it")


def _list(notebook: str | None) -> None:
    if notebook is None:
        print("\n".join(path.stem for path in runner.notebooks()))
        return
    for parameter in runner.declared(runner.find_notebook(notebook)).values():
        print(f"{parameter.name}: {parameter.type} = {parameter.default!r}")
        print("    " + "; ".join(filter(None, [parameter.meaning, parameter.allowed])))


def _data(get: str | None) -> None:
    if get:
        parameters.download(get)
    print(f"real data are looked for in {paths.data_root()} (set CCHKD_DATA to change it)")
    for notebook, counts in parameters.real_data().items():
        print(f"{notebook}: {'there' if all(counts.values()) else 'missing'}")
        print("\n".join(f"    {count:6d} × {pattern}" for pattern, count in counts.items()))
        if not all(counts.values()):
            print(f"    {parameters.read_presets()['sources'].get(notebook, 'see the notebook')}")


def _book(pdf: bool, **options) -> None:
    from cchkd_utils.book import build

    index = build.build(**options)
    print(f"the book is at {index}")
    if pdf:
        from cchkd_utils.book import pdf as printed

        print(f"its PDF is at {printed.write(index.parent)}")


def _export(notebook: list[str], preset: str, force: bool, **folders: str | None) -> None:
    from cchkd_utils.book import deck, handouts, slides

    kind, folder = next((kind, given) for kind, given in folders.items() if given is not None)
    if kind == "deck":
        if notebook:
            raise ValueError("the deck is of the whole book: name no notebook")
        written = deck.write(folder, preset=preset, force=force)
    elif kind == "slides":
        written = slides.write(notebook, folder, preset=preset, force=force)
    else:
        written = getattr(handouts, kind)(notebook, folder, force=force)
    print("\n".join(map(str, written)))


def _assess(file: list[str], as_json: bool, html: str | None, plot: str | None, **options) -> None:
    from cchkd_utils import criterion
    from cchkd_utils.criterion import representations

    arrays = representations.read(*file)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            verdict = criterion.assess(**arrays, **options)
        except ValueError as error:
            raise ValueError(f"{', '.join(file)}: {error}") from None
    _tell(caught)
    if html:
        names = ", ".join(Path(name).name for name in file)
        Path(html).write_text(verdict.to_html(f"Verdict on {names}"), encoding="utf-8")
    if plot:
        verdict.plot().savefig(plot, facecolor="white")
    # JSON has no NaN nor inf: null instead.
    values = json.loads(json.dumps(verdict.to_dict()), parse_constant=lambda constant: None)
    print(json.dumps(values, indent=1) if as_json else verdict)


def _tell(caught: list[warnings.WarningMessage]) -> None:
    for message in dict.fromkeys(str(warning.message) for warning in caught):  # each once
        print(f"cchkd: warning: {message}", file=sys.stderr)


def _study(file: str, out: str | None, as_json: bool, **options) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        from cchkd_utils.sections.many_pairs import own

        study = own.plan(file, **options)
    _tell(caught)
    name = study.data.provenance["name"]
    folder = Path(out or f"{name}-study")
    print(f"{name}: {len(study.pairs)} pairs, {study.n_train} training rows, seeds "
          f"{study.seeds[0]} to {study.seeds[-1]}", file=sys.stderr)  # fmt: skip
    table = own.summary(*own.run(study, folder))
    if as_json:
        print(table.to_json(orient="records", indent=1, force_ascii=False))
        return
    for line in table.head(SHOWN).to_dict("records"):
        print("  ".join(own.line(line)))
    print(f"the page is at {folder / 'study.html'}")


if __name__ == "__main__":
    sys.exit(main())
