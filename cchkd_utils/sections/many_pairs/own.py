"""A study of a reader's own modalities: verdicts, forecasts, then the measured gains.

What is finished is on disk at every moment: a study that was stopped goes on where it was.
"""

import hashlib
import json
import sys
import time
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd

from cchkd_utils import __version__, criterion, results
from cchkd_utils.criterion import report
from cchkd_utils.datasets import Multimodal, pairs, write_whole
from cchkd_utils.results import intervals
from cchkd_utils.sections.many_pairs import figures, study
from cchkd_utils.sections.modalities import Recipe

LAM, TEMPERATURE = (0.2, 0.5, 0.8), (2.0,)
MAIN = {"lam": 0.5, "temperature": 2.0}  # of forecasts and of the page
MOST_TRAIN, SEEDS = 300, 10
TABLES, PAGE, ABOUT = ("verdicts", "results"), "study.html", "study.json"
FILES = (*(f"{table}.csv" for table in TABLES), PAGE, ABOUT)


@dataclass(frozen=True)
class Study:
    """What is studied: pairs of a set, at one number of training rows."""

    data: Multimodal
    pairs: list[tuple[str, str]]
    n_train: int
    seeds: list[int]


def plan(
    path: Path | str,
    *,
    teacher: Iterable[str] = (),
    student: Iterable[str] = (),
    n_train: int | None = None,
    seeds: int = SEEDS,
    seed: int = 0,
) -> Study:
    """Read a set, a file or the name of one, and choose its pairs; ValueError for what is missing.

    By default all ordered pairs, at half of the rows and at most `MOST_TRAIN`.
    """
    is_name = str(path) in pairs.KNOWN and not Path(path).exists()
    data = pairs.load(str(path)) if is_name else pairs.read(path)
    for name in (*teacher, *student):
        if name not in data.modalities:
            raise ValueError(f"{path}: no modality {name}: it has {', '.join(data.modalities)}")
    chosen = [
        (t, s)
        for t, s in permutations(data.modalities, 2)
        if (not teacher or t in teacher) and (not student or s in student)
    ]
    if not chosen:
        raise ValueError(f"{path}: no pair is left of these teachers and students")
    if seeds < 2:
        raise ValueError(f"seeds is {seeds}: an interval needs at least 2 splits")
    n_train = n_train or min(len(data) // 2, MOST_TRAIN)
    return Study(data, chosen, n_train, [seed + i for i in range(seeds)])


def run(own: Study, out: Path | str, progress=None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Carry out a study in a folder, or go on with it; return its verdicts and results.

    All verdicts and forecasts are on disk before the first student is distilled. ValueError where
    the folder holds another study.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    _claim(out, own)
    verdicts, rows = (_kept(out / f"{table}.csv", table) for table in TABLES)
    todo = [p for p in own.pairs if p not in _pairs(verdicts)]
    again = [p for p in own.pairs if p not in _pairs(rows)]
    clock = _Clock(len(todo), len(again), progress or sys.stderr)
    try:
        if todo or again:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=".*constant column")
                cv = study.splits(own.data, own.n_train, Recipe(device="auto"), own.seeds)
                for pair, judged in zip(todo, study.judge(cv, ["auto"], 1, todo)):
                    lines = [_without_time(row) | _foretold(row) for row in judged]
                    verdicts = _add(verdicts, lines, out, "verdicts")
                    clock.tick("judged", pair)
                for pair, measured in zip(again, study.distil(cv, LAM, TEMPERATURE, pairs=again)):
                    rows = _add(rows, measured, out, "results")
                    clock.tick("distilled", pair)
    finally:
        if len(rows):
            text = page(own, verdicts, rows)
            write_whole(out / PAGE, text.encode())
    return verdicts, rows


def _claim(out, own):
    """Note what the folder is about; refuse one that is about something else."""
    content = hashlib.sha256(own.data.labels.tobytes())
    for name, x in own.data.modalities.items():
        content.update(name.encode() + x.tobytes())
    about = {
        "set": own.data.provenance["name"], "content": content.hexdigest(),
        "pairs": [list(pair) for pair in own.pairs], "n_train": own.n_train, "seeds": own.seeds,
        "version": __version__,
    }  # fmt: skip
    path = out / ABOUT
    if path.is_file():
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            known = None
        if known != about:
            raise ValueError(f"{out} holds another study: choose another --out, or empty it")
    elif held := [name for name in FILES if (out / name).exists()]:
        raise ValueError(f"{out} holds {held[0]} of another study: choose another --out")
    write_whole(path, json.dumps(about, indent=1).encode())


def _kept(path, table):
    return results.read(path, table) if path.is_file() else pd.DataFrame()


def _pairs(table):
    return set() if table.empty else {*zip(table["teacher"], table["student"])}


def _without_time(row):
    return {name: value for name, value in row.items() if name != "took"}


def _foretold(row):
    """P(helps) and the gain foretold at `MAIN`; empty, and why, where nothing like it was seen."""
    try:
        told = criterion.forecast(
            teacher_accuracy=row["teacher accuracy"], student_accuracy=row["student accuracy"],
            mi_student_label=row["mi_student_label"], n_train=row["n_train"],
            n_classes=row["n_classes"], **MAIN,
        )  # fmt: skip
    except criterion.OutOfRange as error:
        return {"p_help": np.nan, "gain_forecast": np.nan, "no_forecast": str(error)}
    return {"p_help": told.p_help, "gain_forecast": told.gain, "no_forecast": ""}


def _add(table, rows, out, kind):
    table = results.check(pd.concat([table, pd.DataFrame(rows)], ignore_index=True), kind)
    results.write(table, out / f"{kind}.csv")
    return table


def summary(verdicts: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """One row per finished pair: verdict, forecast and the gain in accuracy, best first."""
    gains = intervals.summarise(
        rows[rows["metric"] == "accuracy"], ["teacher", "student", "lam", "temperature"]
    )
    best = gains.loc[gains.groupby(["teacher", "student"])["gain"].idxmax()]
    main = gains[(gains["lam"] == MAIN["lam"]) & (gains["temperature"] == MAIN["temperature"])]
    best = best[["teacher", "student", "lam"]].rename(columns={"lam": "best λ"})
    table = main.merge(best, on=["teacher", "student"])
    judged = verdicts.drop(columns=["condition", "kind", "dataset", "knob"])
    return table.merge(judged, on=["teacher", "student"]).sort_values("gain", ascending=False)


def page(own: Study, verdicts: pd.DataFrame, rows: pd.DataFrame) -> str:
    """Return the page of a study: which modality should teach which, and what to do next."""
    table, known = summary(verdicts, rows), own.data.provenance
    helps, hurts = (table[table["outcome"] == outcome] for outcome in ("helps", "hurts"))
    n_held = len(own.data) - own.n_train
    first = (
        f"Of {len(table)} pairs, distillation helps for certain in {len(helps)} and hurts in "
        f"{len(hurts)}; in the others the interval holds zero (λ = {MAIN['lam']:g}, "
        f"T = {MAIN['temperature']:g})."
    )
    if len(helps):
        named = "; ".join(map(_told, helps.head(3).to_dict("records")))
        first += f" Best: {named}."
        advice = (
            "Distil the pairs that help, at the λ of the table; then judge them again on rows that "
            "took no part here, because the best of many looks better than it is."
        )
    else:
        advice = (
            "None of these teachers is worth distilling from at this number of rows. More rows for "
            "the teacher, or fusing both modalities, may do more."
        )
    parts = [
        f'<p class="note"><strong>{report.escape(first)}</strong> {report.escape(advice)}</p>',
        report.picture(
            figures.matrix(table), first,
            "Gain in accuracy (points) of the student in the column from the teacher in the row. "
            "Framed: the interval leaves out zero.",
        ),
        "<h2>Foretold, and measured</h2>",
        f"<p>{report.escape(_judged(table))}</p>",
        report.table(
            ["teacher → student", "gap (nats)", "verdict", "P(helps)", "gain foretold",
             "gain measured (points)", "outcome", "best λ"],
            [line(row) for row in table.to_dict("records")],
            "every pair, largest gain first",
        ),
        "<h2>What was done</h2>",
        "<p>" + report.escape(
            f"{known['name']}: {len(own.data)} rows, {len(known['classes'])} classes, "
            + ", ".join(f"{name} ({x.shape[1]} columns)" for name, x in own.data.modalities.items())
            + f". {len(own.seeds)} splits (seeds {own.seeds[0]} to {own.seeds[-1]}): "
            f"{own.n_train} rows to train on, {n_held} held out, on which everything is measured. "
            "Teacher and student are small perceptrons on standardised features; missing values "
            "are filled by medians of the training rows."
        ) + "</p>",
    ]  # fmt: skip
    if known.get("left_out"):
        told = "; ".join(f"{n} {why}" for why, n in known["left_out"].items())
        parts.append(f"<p>Rows left out: {report.escape(told)}.</p>")
    return report.page(f"Which modality should teach which? {known['name']}", "\n".join(parts))


def _told(row):
    gain, low, high = (100 * row[name] for name in ("gain", "gain_lo", "gain_hi"))
    return f"{row['teacher']} → {row['student']} {gain:+.1f} points [{low:+.1f}, {high:+.1f}]"


def line(row):
    pair, _, measured = _told(row).partition(row["student"] + " ")
    foretold = _number(row.get("gain_forecast"), "{:+.1f}", 100)
    return [
        pair + row["student"], f"{row['gap']:+.2f} [{row['gap_lo']:+.2f}, {row['gap_hi']:+.2f}]",
        row["decision"], _number(row.get("p_help"), "{:.2f}"), foretold,
        measured.replace(" points", ""), row["outcome"], f"{row['best λ']:g}",
    ]  # fmt: skip


def _number(value, form, scale=1.0):
    return "no forecast" if value is None or pd.isna(value) else form.format(scale * value)


def _judged(table):
    """Say how often verdict and forecast were right where the effect is clear."""
    clear = table[table["outcome"] != "unresolved"]
    if clear.empty:
        return "No effect is clear, so that nothing can be said of verdict and forecast."
    helps = clear["outcome"] == "helps"
    right = {"the sign of the gap": ((clear["gap"] > 0) == helps).sum()}
    if "p_help" in clear and clear["p_help"].notna().any():
        right["the forecast"] = ((clear["p_help"] > 0.5) == helps)[clear["p_help"].notna()].sum()
    told = ", ".join(f"{name} was right in {count}" for name, count in right.items())
    return f"Of {len(clear)} clear effects {told}, “never distil” in {(~helps).sum()}."


class _Clock:
    """One line per pair, with the time left."""

    def __init__(self, judged, distilled, file):
        self.total, self.done, self.file = judged + distilled, 0, file
        self.start = time.perf_counter()

    def tick(self, what, pair):
        self.done += 1
        left = (time.perf_counter() - self.start) / self.done * (self.total - self.done)
        told = f"{self.done} of {self.total}: {what} {pair[0]} → {pair[1]}, {left:.0f} s left"
        print(told, file=self.file, flush=True)
