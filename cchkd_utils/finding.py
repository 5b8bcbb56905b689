"""The finding on the book's first page: one figure, one paragraph, made from the tables.

Each section counts with its recorded results (``book/results``) where there are any, else with the
tables of this build. ``python -m cchkd_utils.finding`` writes the figure that the README shows.
"""

import hashlib
import io
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import t as student_t

from cchkd_utils import paths, resampling, results

RECORDED = paths.ROOT / "book" / "results"
FIGURE = paths.ROOT / "book" / "_static" / "finding.svg"
CELL = ["dataset", "teacher", "student", "condition", "experiment"]


@dataclass(frozen=True)
class Section:
    """An experiment: its recorded tables, its notebook, and how its repeats depend."""

    recorded: str  # <recorded>.csv and <recorded>_verdicts.csv
    notebook: str
    title: str
    test_share: float | None = None  # of overlapping folds; None: the repeats are independent


SECTIONS = (
    Section("synthetic", "01_synthetic", "Gaussian data"),
    Section("mnist_m", "02_mnist_m", "digits"),
    Section("mosi", "03_mosei", "sentiment", 0.2),
    Section("tcga", "04_tcga", "cancer", 0.2),
)


def collect(
    recorded: Path = RECORDED,
    build: Path = paths.BUILD / "src" / "notebooks",
    estimator: str = "auto",
) -> pd.DataFrame:
    """Return one row per cell: what the criterion said and what distillation did.

    Parameters
    ----------
    recorded : folder of ``<section>.csv`` and ``<section>_verdicts.csv``
    build : folder of ``<notebook>.results.csv`` and ``<notebook>.verdicts.csv``
    estimator : whose verdicts; a section that lacks it counts with the first it has

    Returns
    -------
    DataFrame
        CELL, section, title, source ("recorded" or "this build"), kind, gap, gap_lo, gap_hi (nats),
        decision, gain, gain_lo, gain_hi (share of the error removed, %), outcome.
    """
    found = []
    for section in SECTIONS:
        for source, (rows, verdicts) in {
            "recorded": _paths(recorded / section.recorded, ".csv", "_verdicts.csv"),
            "this build": _paths(build / section.notebook, ".results.csv", ".verdicts.csv"),
        }.items():
            if rows.is_file() and verdicts.is_file():
                table = cells(
                    results.read(rows), results.read(verdicts, "verdicts"), section, estimator
                )
                named = {"section": section.recorded, "title": section.title, "source": source}
                found.append(table.assign(**named))
                break
    found = [table for table in found if len(table)]
    if not found:
        raise ValueError(f"no tables in {recorded} or {build}: run `cchkd book` first")
    return pd.concat(found, ignore_index=True)


def _paths(stem: Path, *ends: str) -> tuple[Path, ...]:
    return tuple(stem.with_name(stem.name + end) for end in ends)


def cells(
    rows: pd.DataFrame, verdicts: pd.DataFrame, section: Section, estimator: str
) -> pd.DataFrame:
    """Summarise one section: λ nearest 1/2, T nearest 2, accuracy or else its first metric.

    The gain is made comparable between metrics: the share of the undistilled student's error
    (1 − accuracy, or the squared error) that distillation removes, in percent.
    """
    rows = rows[rows["experiment"] != "linear"]  # the section's question is about networks
    metric = "accuracy" if "accuracy" in set(rows["metric"]) else rows["metric"].iloc[0]
    rows = rows[rows["metric"] == metric]
    for name, wanted in {"lam": 0.5, "temperature": 2.0}.items():
        values = np.sort(rows[name].unique())
        rows = rows[rows[name] == values[np.abs(values - wanted).argmin()]]
    lower = metric in results.LOWER_IS_BETTER
    error = rows["baseline"] if lower else 1 - rows["baseline"]
    error = error.clip(lower=1e-12)
    per_repeat = rows.assign(error=error, share=100 * rows["gain"] / error)
    gains = pd.DataFrame([
        {**dict(zip(CELL, key)), "kind": group["kind"].iloc[0], **_gain(group, section)}
        for key, group in per_repeat.groupby(CELL, sort=False)
    ])  # fmt: skip
    names = set(verdicts["estimator"])
    chosen = next(name for name in (estimator, *sorted(names)) if name in names)
    said = verdicts[verdicts["estimator"] == chosen].groupby(CELL[:4])
    mean = said[["gap", "gap_lo", "gap_hi"]].mean()
    mean["decision"] = said["decision"].agg(lambda one: one.mode()[0])
    return gains.merge(mean.reset_index(), on=CELL[:4]).assign(estimator=chosen)


def _gain(group: pd.DataFrame, section: Section) -> dict[str, float | str]:
    """Mean share of the error removed, %, its 95 % interval and its outcome.

    Rows that hold the mean over ``n_folds`` folds say with ``gain_sd`` how these differ: the
    interval is then that of all folds, otherwise the rows are the folds or independent repeats.
    """
    values = group["share"].to_numpy()
    mean, ratio, count = values.mean(), 0.0, len(values)
    if section.test_share:  # Nadeau and Bengio, as in `resampling.repeated_folds`
        ratio = section.test_share / (1 - section.test_share)
    variance = values.var(ddof=1) if count > 1 else np.nan
    if {"gain_sd", "n_folds"} <= set(group):
        scale = 100 / group["error"]
        count = int(group["n_folds"].sum())
        variance = float(((scale * group["gain_sd"]) ** 2).mean())
    half = student_t.ppf(0.975, max(count - 1, 1)) * np.sqrt((1 / count + ratio) * variance)
    outcome = str(resampling.outcome(mean - half, mean + half))
    return {"gain": mean, "gain_lo": mean - half, "gain_hi": mean + half, "outcome": outcome}


def recorded(notebook: str) -> list[Path]:
    """List the recorded tables of a notebook's section."""
    stems = [section.recorded for section in SECTIONS if section.notebook == notebook]
    found = [_paths(RECORDED / stem, ".csv", "_verdicts.csv") for stem in stems]
    return [path for pair in found for path in pair if path.is_file()]


def counts(table: pd.DataFrame) -> dict[tuple[str, str], int]:
    """Count the cells by verdict and outcome."""
    return table.groupby(["decision", "outcome"]).size().to_dict()


def paragraph(table: pd.DataFrame) -> str:
    """Say in words what the figure shows, numbers included."""
    found = counts(table)

    def said(decision: str) -> str:
        parts = [found.get((decision, outcome), 0) for outcome in ("helps", "hurts", "unresolved")]
        if not sum(parts):
            return ""
        return (
            f"It says *{decision}* in **{sum(parts)}**: distillation helps in {parts[0]}, hurts in "
            f"{parts[1]}, and in {parts[2]} the interval holds zero."
        )

    sentences = [
        f"The criterion meets {len(table)} pairs of teacher and student.",
        *filter(None, map(said, ("distil", "do not distil", "undecided"))),
        f"Where the effect is clear, its sign is that of the gap in **{agreement(table)}**.",
    ]
    return " ".join(sentences)


def agreement(table: pd.DataFrame) -> str:
    """Count how often the sign of the gap is that of the effect, where the effect is clear."""
    settled = table[table["outcome"] != "unresolved"]
    agree = (settled["gap"] > 0) == (settled["outcome"] == "helps")
    return f"{agree.sum()} of {len(settled)}"


def sources(table: pd.DataFrame) -> str:
    """Say of each section which tables it counts with."""
    parts = []
    for _, group in table.groupby("section", sort=False):
        first = group.iloc[0]
        parts.append(f"{first['title']}: {first['source']}, {first['kind']}, {len(group)} pairs")
    return "; ".join(parts)


def alt(table: pd.DataFrame) -> str:
    """Return the figure's alternative text."""
    return (
        "Share of the student's error that distillation removes, against the gap of mutual "
        f"information, one panel per experiment ({sources(table)}). "
        + paragraph(table).replace("*", "")
    )


def svg(table: pd.DataFrame, digest: str) -> bytes:
    """Draw the figure; `digest` tells in its metadata which tables it shows."""
    import matplotlib as mpl

    from cchkd_utils.plots import finding as plot

    data = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "finding"}):
        meta = {"Date": None, "Creator": None, "Description": f"recorded tables {digest}"}
        plot.finding(table).savefig(data, format="svg", facecolor="white", metadata=meta)
    return data.getvalue()


def digest(recorded: Path = RECORDED) -> str:
    """Return a hash of the recorded tables that the figure can show."""
    total = hashlib.sha256()
    for section in SECTIONS:
        for path in _paths(recorded / section.recorded, ".csv", "_verdicts.csv"):
            if path.is_file():
                total.update(path.name.encode() + path.read_bytes())
    return total.hexdigest()[:16]


def page(table: pd.DataFrame, ksg: pd.DataFrame) -> str:
    """Return the part of the first page that shows the finding, in MyST.

    `ksg` holds the same cells as judged by one of the paper's estimators.
    """
    estimator = ", ".join(sorted(set(table["estimator"])))
    return f"""\
{paragraph(table)} With `ksg`, one of the paper's estimators, it is {agreement(ksg)}.

```{{figure}} _static/finding.svg
:alt: {alt(table)}
:width: 760px
:name: fig-finding

Each point is one teacher with one student. Across: the gap, estimated by `{estimator}`, with
its 90 % interval. Up: the share of the undistilled student's error that distillation removes,
with its 95 % interval; λ nearest ½, $T$ nearest 2. The shaded half is where the criterion says
*distil*. Sources: {sources(table)}.
```
"""


def staged(tables: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files of the finding, by their names in the book's sources.

    Parameters
    ----------
    tables : the build's files by name, of which the notebooks' tables are used
    """
    with tempfile.TemporaryDirectory() as folder:
        for name, content in tables.items():
            if name.endswith((".results.csv", ".verdicts.csv")):
                Path(folder, Path(name).name).write_bytes(content)
        table, ksg = (collect(build=Path(folder), estimator=one) for one in ("auto", "ksg"))
    return {
        "book/_static/finding.svg": svg(table, digest()),
        "book/finding.txt": page(table, ksg).encode(),
    }


def main() -> int:
    """Write the README's figure from the recorded results, else from the last build."""
    try:
        FIGURE.write_bytes(svg(collect(), digest()))
    except (ValueError, OSError) as error:
        print(f"finding: {error}", file=sys.stderr)
        return 1
    print(FIGURE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
