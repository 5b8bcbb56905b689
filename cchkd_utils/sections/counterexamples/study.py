"""One ledger for many small cases: what was predicted, what happened, who was right.

Every case ends in the same two tables (see `results`), in one short report and in one line of the
summary of notebook 06.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cchkd_utils import results
from cchkd_utils.criterion import Verdict, assess
from cchkd_utils.results import intervals
from cchkd_utils.sections.cells import majority

NEGLIGIBLE = 0.5  # per cent or points: an interval around 0 and within this counts as no effect
ALIGNMENT = "residual alignment"
NO_ALIGNMENT = 0.01  # an interval within +-0.01 (Var y is about 1) predicts no effect


def assess_each(
    teacher: ArrayLike,
    student: ArrayLike,
    labels: ArrayLike,
    teacher_logits: ArrayLike,
    student_logits: ArrayLike,
    *,
    estimator: str,
) -> list[Verdict]:
    """Return verdict and rivals of each repetition; all arrays [repetitions, n, ...]."""
    return [
        assess(*one, teacher_logits=t, student_logits=s, estimator=estimator, bias_check=False)
        for *one, t, s in zip(teacher, student, labels, teacher_logits, student_logits)
    ]


class Ledger:
    """Collects the rows of all cases.

    Attributes
    ----------
    rows, verdicts : lists of dict
        Rows of the two tables of `results`; verdicts carry the column ``residual alignment``.
    """

    def __init__(self):
        self.rows, self.verdicts = [], []

    def add(
        self,
        case: str,
        condition: str,
        *,
        knob: float,
        lam: ArrayLike,
        baseline: ArrayLike,
        distilled: ArrayLike,
        verdicts: list[Verdict] | list[dict] | dict,
        alignment: ArrayLike,
        n_train: int,
        seeds: list[int],
        metric: str = "mse",
        dataset: str = "joint Gaussian",
        students: str = "linear",
    ) -> None:
        """Add one condition of a case.

        Parameters
        ----------
        case, condition : str
        knob : float
            What the condition varies.
        lam : array_like [k]
        baseline, distilled : array_like [s] and [s, k]
            The metric of the undistilled student and of one student per weight, by seed.
        verdicts : one per seed, or one dict for all
            From `criterion.assess` or `exact_verdict`.
        alignment : array_like [s] or float
            E[(y - t)(y - s)], exact or measured by seed.
        n_train, seeds, metric, dataset, students
            As in the tables.

        Raises
        ------
        ValueError
            When the numbers of seeds or weights differ.
        """
        baseline, distilled = np.asarray(baseline, float), np.asarray(distilled, float)
        lam = [float(one) for one in np.ravel(lam)]
        if baseline.shape != (len(seeds),) or distilled.shape != (len(seeds), len(lam)):
            raise ValueError(
                f"{case}, {condition}: baseline {baseline.shape} and distilled {distilled.shape} "
                f"do not fit {len(seeds)} seeds and {len(lam)} weights"
            )
        verdicts = [verdicts] * len(seeds) if isinstance(verdicts, dict) else verdicts
        alignment = np.broadcast_to(alignment, baseline.shape)
        common = {"dataset": dataset, "kind": "simulated", "teacher": "x1"}
        common |= {"condition": f"{case}: {condition}", "knob": float(knob)}
        common |= {"student": f"x2 {students}"}
        for i, seed in enumerate(seeds):
            row = {**common, "seed": seed}
            self.rows += [
                results.result(
                    **row, experiment=case, n_train=n_train, lam=one, weight=one / (1 + one),
                    temperature=1.0, metric=metric, baseline=baseline[i], distilled=after,
                )
                for one, after in zip(lam, distilled[i])
            ]  # fmt: skip
            found = verdicts[i]
            found = row | found if isinstance(found, dict) else results.verdict(found, **row)
            self.verdicts.append(found | {ALIGNMENT: float(alignment[i])})

    def gains(self) -> pd.DataFrame:
        """Mean gain with its 95 % interval per condition and weight, and the outcome.

        Losses: per cent of the undistilled student's; accuracies: percentage points.
        """
        table = results.check(self.rows)
        relative = table["metric"].map(results.SIGNS) < 0
        table["gain"] *= 100 / np.where(relative, table["baseline"], 1.0)
        order = list(dict.fromkeys(table["condition"]))
        out = intervals.summarise(table, ["experiment", "condition", "knob", "lam"])
        small = (out["gain_lo"] > -NEGLIGIBLE) & (out["gain_hi"] < NEGLIGIBLE)
        out.loc[small & (out["outcome"] == "unresolved"), "outcome"] = "no effect"
        return out.sort_values("condition", key=lambda c: c.map(order.index), kind="stable")

    def summary(self) -> pd.DataFrame:
        """One line per condition: both predictions, what happened at the smallest weight, who won.

        Both criteria speak about small weights, so the smallest one is the judge.
        """
        gains = self.gains()
        wide = gains.pivot(index="condition", columns="lam", values="gain")
        first = gains[gains["lam"] == gains["lam"].min()].set_index("condition")
        verdicts = results.check(self.verdicts, "verdicts")
        judged = verdicts.groupby("condition")
        aligned = intervals.summarise(verdicts, ["condition"], ALIGNMENT).set_index("condition")
        out = first[["experiment", "knob", "gain", "gain_lo", "gain_hi", "outcome"]].copy()
        out["gap"] = judged["gap"].mean()
        out["decision"] = judged["decision"].agg(majority)
        out["agree"] = pd.Series(
            {name: (one == out["decision"][name]).mean() for name, one in judged["decision"]}
        )
        columns = [ALIGNMENT, f"{ALIGNMENT}_lo", f"{ALIGNMENT}_hi"]
        out[columns] = aligned[columns]
        out["predicted"] = aligned["outcome"].replace("unresolved", "unclear")
        none = out[columns[1:]].abs().max(axis=1) < NO_ALIGNMENT
        out.loc[none, "predicted"] = "no effect"
        out["right"] = [
            who_was_right(*c) for c in zip(out["decision"], out["predicted"], out["outcome"])
        ]
        return out.join(wide.add_prefix("gain at ")).reset_index()

    def report(self, case: str) -> pd.DataFrame:
        """Return one case as a table to read: criteria, and gain ± half its 95 % interval."""
        table = self.summary()
        table = table[table["experiment"] == case]
        gains = self.gains().set_index(["condition", "lam"])
        names = table["condition"].str.removeprefix(f"{case}: ")
        out = pd.DataFrame(index=pd.Index(names, name=case))
        out["gap (nats)"] = [f"{gap:+.3f}" for gap in table["gap"]]
        out["CCH"] = _decisions(table)
        out["E[(y−t)(y−s)]"] = [f"{value:+.3f}" for value in table[ALIGNMENT]]
        for lam in sorted(set(gains.index.get_level_values("lam"))):
            cells = [gains.loc[(name, lam)] for name in table["condition"]]
            out[f"gain, λ={lam:g}"] = [
                f"{c['gain']:+.2f} ± {(c['gain_hi'] - c['gain_lo']) / 2:.2f}" for c in cells
            ]
        return out

    def conclusion(self) -> pd.DataFrame:
        """Return all cases as a table to read: what was predicted, what happened, who was right."""
        table = self.summary().set_index("condition").rename_axis("case")
        out = pd.DataFrame(index=table.index)
        out["CCH"] = _decisions(table)
        happened = zip(table["outcome"], table["gain"])
        out["what happened"] = [f"{outcome} ({gain:+.1f})" for outcome, gain in happened]
        out["exact / alternative"] = table["predicted"]
        out["who was right"] = table["right"]
        return out


def _decisions(table: pd.DataFrame) -> list[str]:
    pairs = zip(table["decision"], table["agree"])
    return [name if share == 1 else f"{name} ({share:.0%})" for name, share in pairs]


def who_was_right(decision: str, predicted: str, outcome: str) -> str:
    """Name who foretold an outcome: "both", "CCH", "alternative", "neither", or "open".

    Abstaining (undecided, unclear) foretells nothing. An unresolved outcome judges nobody.

    Parameters
    ----------
    decision : verdict of the criterion
    predicted : what the alternative says: helps, hurts, no effect or unclear
    outcome : helps, hurts, no effect or unresolved
    """
    if outcome == "unresolved":
        return "open"
    helped = outcome == "helps"
    cch = {"distil": helped, "do not distil": not helped}.get(decision, False)
    other = {"helps": helped, "hurts": not helped, "no effect": not helped}.get(predicted, False)
    return {(1, 1): "both", (1, 0): "CCH", (0, 1): "alternative", (0, 0): "neither"}[cch, other]
