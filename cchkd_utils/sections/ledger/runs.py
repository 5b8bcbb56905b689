"""How each recorded table came about: command, data, hours, machine, commit."""

from collections.abc import Mapping

import pandas as pd

from cchkd_utils import paths
from cchkd_utils.sections.cells import Tables

BENCH = "python tests/benchmarks/bench_"
COMMANDS = {  # table: command
    "synthetic": "cchkd run 01 --preset paper",
    "mnist_m": "cchkd run 02 --preset paper -p data=real -p n_seeds=1 -p seed=0 (then 1, 2)",
    "mosi": "cchkd run 03 --preset paper -p data=real -p dataset=mosi",
    "tcga": "cchkd run 04 --preset paper -p data=real -p cohort=BRCA -p modality=mrna,cnv,rppa,"
    "mirna (then KIPAN; LIHC without mirna)",
    "many_pairs": "cchkd run 08 --preset paper -p data=real -p name=cub (then each other set)",
    "counterexamples": "cchkd run 06 --preset paper",
    "benchmarks": "make bench",
    "calibration": f"{BENCH}criterion_calibration.py",
    "checks": f"{BENCH}checks.py",
    "estimators": f"{BENCH}mi_accuracy.py --seeds 4712 --layers 12",
    "gain_intervals": f"{BENCH}gain_intervals.py",
}
MACHINE = "2 CPU cores"
OTHERWISE = {"synthetic": "one GPU for the students, 2 CPU cores for the verdicts"}


def staged(build: Mapping[str, Tables]) -> dict[str, bytes]:
    """Return the table of runs, by its name in the book's sources."""
    return {"book/runs.txt": page().encode()}


def page() -> str:
    """Return the table as MyST, a line per recorded table."""
    lines = ["| table | command | machine | hours | commit |", "|---|---|---|---|---|"]
    for name, command in COMMANDS.items():
        rows = pd.read_csv(paths.RECORDED / f"{name}.csv", dtype={"git_sha": str})
        commits = ", ".join(f"`{sha[:7]}`" for sha in rows["git_sha"].dropna().unique())
        runs = rows.drop_duplicates("hash") if "hash" in rows else rows[:0]
        hours = f"{runs['seconds'].sum() / 3600:.1f}" if len(runs) else ""
        machine = OTHERWISE.get(name, MACHINE)
        link = f'<a href="../_static/results/{name}.csv">{name}</a>'
        lines.append(f"| {link} | `{command}` | {machine} | {hours} | {commits} |")
    return "\n".join(lines)
