"""What notebook 01 computes: networks on joint Gaussian data, their verdicts, the two tables."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cchkd_utils import criterion, distill, plots, results
from cchkd_utils.datasets import synthetic
from cchkd_utils.distill import networks
from cchkd_utils.distill.losses import teacher_share
from cchkd_utils.gaussian import JointGaussian, q_for_gap
from cchkd_utils.results import intervals
from cchkd_utils.sections.cells import pooled
from cchkd_utils.sections.quantities import crossing

FAST = ("ksg", "gaussian")  # estimators that take well under a second; the others train networks
PAPER = {True: "lowers the MSE markedly, at every λ", False: "does not"}  # its claim, in words


@dataclass(frozen=True)
class Networks:
    """Networks of one world and one number of training rows, one entry per seed."""

    mse: NDArray  # [s, 1 + k], held-out: of the undistilled student, then one student per weight
    h1: NDArray  # [s, m, h], last hidden layer of the teacher, held-out rows
    h2: NDArray  # that of the undistilled student
    t: NDArray  # [s, m], predictions of the teacher for these rows
    s: NDArray  # those of the undistilled student
    y: NDArray  # the labels


def train(
    world: JointGaussian, lam: Sequence[float], seeds: Sequence[int], sizes: Sequence[int], *,
    n_teacher: int, n_test: int, n_information: int, hidden: Sequence[int], **options,
) -> dict[int, Networks]:  # fmt: skip
    """Train teachers, and students on each of `sizes` rows; every seed has data of its own.

    The teacher learns from rows that no student sees, so its predictions on theirs are honest.
    `n_information` of the held-out rows carry representations; `options` are of `train_ensemble`.
    """
    first_test = n_teacher + max(sizes)

    def draw(seed: int) -> list[NDArray]:
        data = synthetic.load(world, first_test, n_test, seed=seed)
        return [part.astype(np.float32) for part in (*data.modalities.values(), data.labels)]

    network = partial(networks.MLP, world.p1, 1, hidden=hidden)
    x1, x2, y = map(np.stack, zip(*map(draw, seeds)))
    test, shown = slice(first_test, None), slice(first_test, first_test + n_information)
    alone = [distill.Member(seed, data=i) for i, seed in enumerate(seeds)]
    of_teacher = x1[:, :n_teacher], y[:, :n_teacher]
    teachers = distill.train_ensemble(network, *of_teacher, alone, **options)
    taught = [distill.Member(m.seed, w, data=m.data, teacher=m.data) for w in lam for m in alone]
    out = {}
    for n in sizes:
        rows = slice(n_teacher, n_teacher + n)
        soft = teachers.predict(x1[:, rows])[..., 0]
        students = distill.train_ensemble(
            network, x2[:, rows], y[:, rows], alone + taught, teacher=soft, **options
        )
        s = students.predict(x2[:, test])[..., 0].reshape(1 + len(lam), len(seeds), n_test)
        out[n] = Networks(
            mse=((s - y[:, test]) ** 2).mean(axis=2).T,
            h1=teachers.represent(x1[:, shown]),
            h2=students.represent(x2[:, shown])[: len(seeds)],
            t=teachers.predict(x1[:, shown])[..., 0],
            s=s[0][:, :n_information],
            y=y[:, shown],
        )
    return out


def case(gap: float, n: int, seed: int, student: str = "mlp") -> dict[str, object]:
    """Return the columns that both tables share."""
    return {
        "dataset": "joint Gaussian", "kind": "simulated", "teacher": "x1",
        "student": f"x2 {student}", "condition": f"gap {gap:g}, n {n}", "knob": gap, "seed": seed,
    }  # fmt: skip


def result_rows(
    student: str, gap: float, n: int, lam: Sequence[float], seeds: Sequence[int], mse: NDArray
) -> list[dict]:
    """Return the rows of the results table from the errors `mse` [s, 1 + k] of one student."""
    return [
        results.result(
            **case(gap, n, seed, student), experiment=student, n_train=n, lam=weight,
            weight=teacher_share(weight, "regression"), temperature=1.0, metric="mse",
            baseline=errors[0], distilled=after,
        )
        for seed, errors in zip(seeds, mse)
        for weight, after in zip(lam, errors[1:])
    ]  # fmt: skip


def verdict_rows(
    trained: Networks, gap: float, n: int, seeds: Sequence[int], estimators: Iterable[str],
    n_slow: int,
) -> list[dict]:  # fmt: skip
    """Return the rows of the verdicts table; estimators not in `FAST` judge `n_slow` seeds."""
    rows = []
    for estimator in estimators:
        for i, seed in enumerate(seeds if estimator in FAST else seeds[:n_slow]):
            verdict = criterion.assess(
                trained.h1[i], trained.h2[i], trained.y[i], task="regression", estimator=estimator,
                teacher_logits=trained.t[i], student_logits=trained.s[i], checks=False, seed=i,
            )  # fmt: skip
            rows.append(results.verdict(verdict, **case(gap, n, seed)))
    return rows


def gains(table: pd.DataFrame) -> pd.DataFrame:
    """Mean gain in per cent of the undistilled error, 95 % interval and outcome, per cell."""
    relative = table.assign(gain=100 * table["gain"] / table["baseline"])
    return intervals.summarise(relative, ["experiment", "n_train", "knob", "lam"])


def gaps(verdicts: pd.DataFrame, n: int) -> pd.DataFrame:
    """Mean estimated gap of networks trained on `n` rows, per estimator and true gap (`knob`)."""
    judged = verdicts[verdicts["condition"].str.endswith(f", n {n}")]
    by = ["estimator", "knob"]
    out = intervals.summarise(judged, by, "gap").drop(columns=["outcome", "repeats"])
    return out.merge(pooled(judged, by, ["mi_teacher_student", "mi_student_label"]), on=by)


def both_sides(estimated: pd.DataFrame, estimators: Sequence[str]) -> pd.DataFrame:
    """Return `gaps` as a table to read: both sides and the gap, nats; a column a true gap."""
    sides = {"mi_teacher_student": "I(H1;H2)", "mi_student_label": "I(H2;Y)", "gap": "gap"}
    wide = estimated.pivot(index="knob", columns="estimator", values=[*sides]).rename(columns=sides)
    order = [(side, name) for name in estimators for side in sides.values()]
    wide = wide[order].T.swaplevel().round(2) + 0.0  # no minus zero
    return wide.rename_axis("true gap (nats)", axis=1).rename_axis(["estimator", None])


def beside_paper(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Set the paper's claim beside what `tables` say at the most rows, by the sign of the gap."""
    span = "{}; {:+z.2f} … {:+z.2f} %".format
    out = {"the paper says": {(s, g): PAPER[s] for s in PAPER for g in ("linear", "mlp")}}
    for name, table in tables.items():
        cells = gains(table[table["n_train"] == table["n_train"].max()])
        cells = cells[cells["knob"] != 0]
        out[name] = {
            key: span(plots.helped(group), group["gain"].min(), group["gain"].max())
            for key, group in cells.groupby([cells["knob"] > 0, "experiment"])
        }
    names = {True: "gap > 0", False: "gap < 0", "linear": "linear student", "mlp": "network"}
    return pd.DataFrame(out).fillna("").rename(index=names)


def against_truth(estimated: pd.DataFrame) -> pd.DataFrame:
    """Set the estimates in `gaps` beside the true gaps of t and s (`knob`), per estimator."""
    compared = {
        name: {
            "rank correlation": group["gap"].corr(group["knob"], method="spearman"),
            "estimate changes sign at (nats)": crossing(group["knob"], group["gap"]),
            "largest distance (nats)": (group["gap"] - group["knob"]).abs().max(),
        }
        for name, group in estimated.sort_values("knob").groupby("estimator", sort=False)
    }
    return pd.DataFrame(compared).T.round(2) + 0.0  # no minus zero


def recorded_world(true: float) -> JointGaussian:
    """Return the world of the recorded run at a gap of `true` nats."""
    return JointGaussian.from_correlations(0.6, q_for_gap(true, 0.6), 0.8, 100, "calibrated")


def exact_curves(world: Callable, n: int, lam: Iterable[float], gaps: Iterable[float]) -> dict:
    """Per cent of the error that a linear student saves, by weight: (gaps, values) of a curve."""
    fine = np.linspace(min(gaps), max(gaps), 60)
    return {w: (fine, [-100 * world(x).relative_change(n, w) for x in fine]) for w in lam}
