"""Many small cases: what was predicted, what happened, who was right.

Every case ends in the same two tables (see `results`), in one short report and in one line of the
summary of notebook 06.
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cchkd_utils import results
from cchkd_utils.criterion import Verdict, assess
from cchkd_utils.distill.losses import teacher_share
from cchkd_utils.results import intervals
from cchkd_utils.sections.cells import majority

NEGLIGIBLE = 0.5  # per cent or points: an interval around 0 and within this counts as no effect
ALIGNMENT = "residual alignment"
FORETELLS = {  # whether a loss or error falls
    "distil": True, "do not distil": False, "helps": True, "hurts": False, "no effect": False,
}  # fmt: skip
NO_ALIGNMENT = 0.01  # an interval within +-0.01 (Var y is about 1) predicts no effect


def assess_each(teacher, student, labels, teacher_logits, student_logits, **options):
    """Return the `criterion.Verdict` of each repeat; all arrays [repeats, n, ...]."""
    return [
        assess(h1, h2, y, teacher_logits=t, student_logits=s, bias_check=False, **options)
        for h1, h2, y, t, s in zip(teacher, student, labels, teacher_logits, student_logits)
    ]


class Cases:
    """Collects the `rows` and `verdicts` of all cases, for the two tables of `results`.

    Verdicts carry the column ``residual alignment``.
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
        knob : float
            What the condition varies.
        baseline, distilled : array_like [s] and [s, k]
            The metric of the undistilled student and of one student per weight, by seed.
        verdicts : one per seed, or one dict for all
            From `criterion.assess` or `exact_verdict`.
        alignment : array_like [s] or float
            E[(y - t)(y - s)], exact or measured by seed.

        Raises
        ------
        ValueError
            When the numbers of seeds or weights differ.
        """
        baseline, distilled = np.asarray(baseline, float), np.asarray(distilled, float)
        lam = [float(weight) for weight in np.ravel(lam)]
        if baseline.shape != (len(seeds),) or distilled.shape != (len(seeds), len(lam)):
            raise ValueError(
                f"{case}, {condition}: baseline {baseline.shape} and distilled {distilled.shape} "
                f"do not fit {len(seeds)} seeds and {len(lam)} weights"
            )
        verdicts = [verdicts] * len(seeds) if isinstance(verdicts, dict) else verdicts
        alignment = np.broadcast_to(alignment, baseline.shape)
        common = {"dataset": dataset, "kind": "simulated", "teacher": "x1"}
        common |= {"student": f"x2 {students}", "condition": f"{case}: {condition}"}
        for i, seed in enumerate(seeds):
            row = common | {"knob": float(knob), "seed": seed}
            self.rows += [
                results.result(
                    **row, experiment=case, n_train=n_train, lam=weight, temperature=1.0,
                    weight=teacher_share(weight, "regression"), metric=metric,
                    baseline=baseline[i], distilled=after,
                )
                for weight, after in zip(lam, distilled[i])
            ]  # fmt: skip
            verdict = verdicts[i]
            if isinstance(verdict, Verdict):
                verdict = results.verdict(verdict)
            self.verdicts.append(row | verdict | {ALIGNMENT: float(alignment[i])})

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
        verdicts = results.check(self.verdicts, "verdicts")
        of_condition = verdicts.groupby("condition")
        aligned = intervals.summarise(verdicts, ["condition"], ALIGNMENT).set_index("condition")
        first = gains[gains["lam"] == gains["lam"].min()].set_index("condition")
        out = first[["experiment", "knob", "gain", "gain_lo", "gain_hi", "outcome"]].copy()
        out["gap"] = of_condition["gap"].mean()
        out["decision"] = of_condition["decision"].agg(majority)
        said = verdicts["decision"] == verdicts["condition"].map(out["decision"])
        out["agree"] = said.groupby(verdicts["condition"]).mean()
        columns = [ALIGNMENT, f"{ALIGNMENT}_lo", f"{ALIGNMENT}_hi"]
        out[columns] = aligned[columns]
        out["predicted"] = aligned["outcome"].replace("unresolved", "unclear")
        negligible = out[columns[1:]].abs().max(axis=1) < NO_ALIGNMENT
        out.loc[negligible, "predicted"] = "no effect"
        out["right"] = list(map(who_was_right, out["decision"], out["predicted"], out["outcome"]))
        wide = gains.pivot(index="condition", columns="lam", values="gain")
        return out.join(wide.add_prefix("gain at ")).reset_index()

    def report(self, case: str) -> pd.DataFrame:
        """Return one case as a table to read: criteria, and gain ± half its 95 % interval."""
        table = self.summary().query("experiment == @case")
        names = table["condition"].str.removeprefix(f"{case}: ")
        out = pd.DataFrame(index=pd.Index(names, name=case))
        out["gap (nats)"] = [f"{gap:+.3f}" for gap in table["gap"]]
        out["CCH"] = _decisions(table)
        out["E[(y−t)(y−s)]"] = [f"{value:+.3f}" for value in table[ALIGNMENT]]
        for lam, gains in self.gains().groupby("lam"):
            gains = gains.set_index("condition").loc[table["condition"]]
            half = (gains["gain_hi"] - gains["gain_lo"]) / 2
            out[f"gain, λ={lam:g}"] = [f"{g:+.2f} ± {h:.2f}" for g, h in zip(gains["gain"], half)]
        return out

    def conclusion(self) -> pd.DataFrame:
        """Return all cases as a table to read: what was predicted, what happened, who was right."""
        table = self.summary().set_index("condition").rename_axis("case")
        happened = zip(table["outcome"], table["gain"])
        columns = {
            "CCH": _decisions(table),
            "what happened": [f"{outcome} ({gain:+.1f})" for outcome, gain in happened],
            "exact / alternative": table["predicted"],
            "who was right": table["right"],
        }
        return pd.DataFrame(columns, index=table.index)


def _decisions(table: pd.DataFrame) -> list[str]:
    pairs = zip(table["decision"], table["agree"])
    return [name if share == 1 else f"{name} ({share:.0%})" for name, share in pairs]


def who_was_right(decision: str, predicted: str, outcome: str) -> str:
    """Name who foretold an outcome: "both", "CCH", "alternative", "neither", or "open".

    Abstaining (undecided, unclear) foretells nothing. An unresolved outcome judges nobody.
    """
    if outcome == "unresolved":
        return "open"
    cch, rival = (FORETELLS.get(said) == (outcome == "helps") for said in (decision, predicted))
    return {(1, 1): "both", (1, 0): "CCH", (0, 1): "alternative", (0, 0): "neither"}[cch, rival]
