"""What notebook 01 computes: networks on joint Gaussian data, their verdicts, the two tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cchkd_utils import criterion, distill, results
from cchkd_utils.datasets import synthetic
from cchkd_utils.distill import networks
from cchkd_utils.gaussian import JointGaussian
from cchkd_utils.results import intervals
from cchkd_utils.sections.cells import pooled
from cchkd_utils.sections.grid import crossing

FAST = ("ksg", "gaussian")  # estimators that take well under a second; the others train networks
PAPER = {True: "lowers the MSE markedly, at every λ", False: "does not"}  # its claim, in words


@dataclass(frozen=True)
class Networks:
    """Networks of one world and one number of training rows, one entry per seed.

    Attributes
    ----------
    mse : array [s, 1 + k]
        Held-out squared error of the undistilled student, then of one student per weight.
    h1, h2 : arrays [s, m, h]
        Last hidden layer of the teacher and of the undistilled student, held-out rows.
    t, s : arrays [s, m]
        Their predictions for these rows.
    y : array [s, m]
        The labels.
    """

    mse: NDArray
    h1: NDArray
    h2: NDArray
    t: NDArray
    s: NDArray
    y: NDArray


def train(
    world: JointGaussian,
    lam: Sequence[float],
    seeds: Sequence[int],
    sizes: Sequence[int],
    *,
    n_teacher: int,
    n_test: int,
    n_information: int,
    hidden: Sequence[int],
    **options,
) -> dict[int, Networks]:
    """Train teachers, and students on `sizes` rows each; every seed has data of its own.

    The teacher learns from rows that no student sees, so its predictions there are honest. Students
    of one seed share initial weights and batches, whatever their weight.

    Parameters
    ----------
    world : JointGaussian
    lam : sequence of float [k]
    seeds, sizes : sequences of int
    n_teacher, n_test : int
        Rows of the teacher, and held-out rows for the error.
    n_information : int
        How many of the held-out rows carry representations.
    hidden : sequence of int
        Widths of the hidden layers of teacher and student.
    **options
        Of `distill.train_ensemble`, shared by teacher and student.

    Returns
    -------
    dict
        Training rows to `Networks`.
    """
    drawn = [synthetic.load(world, n_teacher + max(sizes), n_test, seed=s) for s in seeds]

    def stack(name: str, split: str, rows: slice = slice(None)) -> NDArray:
        take = [(d.modalities | {"y": d.labels})[name][d.splits[split][rows]] for d in drawn]
        return np.stack(take, dtype=np.float32, casting="same_kind")

    def network() -> networks.MLP:
        return networks.MLP(world.p1, 1, hidden=hidden)

    alone = [distill.Member(s, data=i) for i, s in enumerate(seeds)]
    of_teacher, some = slice(0, n_teacher), slice(0, n_information)
    own_rows = stack("x1", "train", of_teacher), stack("y", "train", of_teacher)
    teachers = distill.train_ensemble(network, *own_rows, alone, **options)
    x1, x2, y = (stack(name, "test") for name in ("x1", "x2", "y"))
    out = {}
    for n in sizes:
        rows = slice(n_teacher, n_teacher + n)
        soft = teachers.predict(stack("x1", "train", rows))[..., 0]
        helped = [distill.Member(s, w, data=i, teacher=i) for w in lam for i, s in enumerate(seeds)]
        x2_train, y_train = stack("x2", "train", rows), stack("y", "train", rows)
        students = distill.train_ensemble(
            network, x2_train, y_train, alone + helped, teacher=soft, **options
        )
        s = students.predict(x2)[..., 0].reshape(1 + len(lam), len(seeds), n_test)
        out[n] = Networks(
            mse=((s - y) ** 2).mean(axis=2).T,
            h1=teachers.represent(x1[:, some]),
            h2=students.represent(x2[:, some])[: len(seeds)],
            t=teachers.predict(x1[:, some])[..., 0],
            s=s[0][:, some],
            y=y[:, some],
        )
    return out


def judge(
    found: Networks, estimators: Iterable[str], n_slow: int
) -> dict[tuple[int, str], criterion.Verdict]:
    """Return the verdicts, rivals included, by number of the seed and estimator.

    The estimators in `FAST` judge all seeds, the others the first `n_slow`.
    """
    count = len(found.y)
    return {
        (i, one): criterion.assess(
            found.h1[i], found.h2[i], found.y[i], estimator=one, bias_check=False,
            task="regression", teacher_logits=found.t[i], student_logits=found.s[i], seed=i,
        )
        for one in estimators
        for i in range(count if one in FAST else min(count, n_slow))
    }  # fmt: skip


def case(gap: float, n: int, seed: int, student: str = "mlp") -> dict[str, object]:
    """Return the columns that both tables share."""
    pair = {"dataset": "joint Gaussian", "kind": "simulated", "teacher": "x1"}
    pair |= {"student": f"x2 {student}", "condition": f"gap {gap:g}, n {n}"}
    return {**pair, "knob": gap, "seed": seed}


def rows(
    student: str, gap: float, n: int, lam: Sequence[float], seeds: Sequence[int], mse: NDArray
) -> list[dict]:
    """Return the rows of the results table from the errors `mse` [s, 1 + k] of one student."""
    return [
        results.result(
            **case(gap, n, seed, student), experiment=student, n_train=n, lam=one,
            weight=one / (1 + one), temperature=1.0, metric="mse", baseline=errors[0],
            distilled=after,
        )
        for seed, errors in zip(seeds, mse)
        for one, after in zip(lam, errors[1:])
    ]  # fmt: skip


def verdict_rows(
    gap: float, n: int, seeds: Sequence[int], found: Mapping[tuple[int, str], criterion.Verdict]
) -> list[dict]:
    """Return the rows of the verdicts table."""
    return [results.verdict(one, **case(gap, n, seeds[i])) for (i, _), one in found.items()]


# ---------------------------------------------------------------- reading the tables


def gains(table: pd.DataFrame) -> pd.DataFrame:
    """Mean gain in per cent of the undistilled error, 95 % interval and outcome, per cell."""
    relative = table.assign(gain=100 * table["gain"] / table["baseline"])
    return intervals.summarise(relative, ["experiment", "n_train", "knob", "lam"])


def gaps(verdicts: pd.DataFrame, n: int) -> pd.DataFrame:
    """Mean estimated gap over seeds with a 95 % interval and the commonest verdict.

    Returns
    -------
    DataFrame
        One row per estimator and true gap (`knob`).
    """
    judged = verdicts[verdicts["condition"].str.endswith(f", n {n}")]
    by = ["estimator", "knob"]
    out = intervals.summarise(judged, by, "gap").drop(columns=["outcome", "repeats"])
    return out.merge(pooled(judged, by, ["mi_teacher_student", "mi_student_label"]), on=by)


def both_sides(estimated: pd.DataFrame, estimators: Sequence[str]) -> pd.DataFrame:
    """Return `gaps` as a table to read: I(H1;H2) − I(H2;Y) = gap, a column per estimator."""
    pair = zip(*(estimated[name] for name in ("mi_teacher_student", "mi_student_label", "gap")))
    text = estimated.assign(text=[f"{a:.2f} − {b:.2f} = {c:+.2f}" for a, b, c in pair])
    wide = text.pivot(index="knob", columns="estimator", values="text")[list(estimators)]
    return wide.rename_axis("true gap (nats)").rename_axis(None, axis=1)


def beside_paper(tables: Mapping[str, pd.DataFrame | None]) -> pd.DataFrame:
    """Set the paper's claim beside what tables of results say, networks and linear students.

    Parameters
    ----------
    tables : name of a column to its results table, or None where there is none

    Returns
    -------
    DataFrame
        By sign of the true gap and student: cells (gap, λ) that help, and the range of mean gains.
    """
    out = {"the paper says": {(s, g): PAPER[s] for s in PAPER for g in ("linear", "mlp")}}
    for name, table in tables.items():
        if table is None:
            continue
        table = gains(table[table["n_train"] == table["n_train"].max()])
        out[name] = {}
        for (holds, student), some in table[table["knob"] != 0].groupby(
            [table["knob"] > 0, "experiment"]
        ):
            helps, hurts = ((some["outcome"] == o).sum() for o in ("helps", "hurts"))
            low, high = some["gain"].min(), some["gain"].max()
            out[name][holds, student] = (
                f"helps in {helps}, hurts in {hurts} of {len(some)}; {low:+.2f} … {high:+.2f} %"
            )
    table = pd.DataFrame(out).fillna("")
    names = {True: "gap > 0", False: "gap < 0", "linear": "linear student", "mlp": "network"}
    table.index = pd.MultiIndex.from_tuples([tuple(names[i] for i in one) for one in table.index])
    return table


def against_truth(estimated: pd.DataFrame) -> pd.DataFrame:
    """Say how each estimator ranks the worlds and where it puts the sign change of the gap.

    Parameters
    ----------
    estimated : rows of `gaps`

    Returns
    -------
    DataFrame
        Per estimator: Spearman's correlation of its mean gaps with the true gaps of t and s, the
        true gap at which the estimate changes sign, and the largest distance between the two.
    """
    out = {}
    for name, some in estimated.sort_values("knob").groupby("estimator", sort=False):
        out[name] = {
            "rank correlation": some["gap"].corr(some["knob"], method="spearman"),
            "estimate changes sign at (nats)": crossing(some["knob"], some["gap"]),
            "largest distance (nats)": (some["gap"] - some["knob"]).abs().max(),
        }
    return pd.DataFrame(out).T
