"""The cases of notebook 06: their networks, what was predicted, what happened, who was right."""

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cchkd_utils import distill, results
from cchkd_utils.criterion import Verdict, assess
from cchkd_utils.distill import networks
from cchkd_utils.distill.losses import teacher_share
from cchkd_utils.gaussian import JointGaussian
from cchkd_utils.results import intervals
from cchkd_utils.sections.cells import pooled

OPTIONS = {"task": "regression", "lr": 0.003, "batch_size": 50}
FOLDS = 5
NEGLIGIBLE = 0.5  # per cent or points: an interval around 0 and within this counts as no effect
ALIGNMENT = "residual alignment"
FORETELLS = {  # whether a loss or error falls
    "distil": True, "do not distil": False, "helps": True, "hurts": False, "no effect": False,
}  # fmt: skip
NO_ALIGNMENT = 0.01  # an interval within +-0.01 (Var y is about 1) predicts no effect


def draw(world: JointGaussian, n: int, seeds: Sequence[int], stream: int) -> list[NDArray]:
    """Draw x1, x2 and y of all repetitions, [seeds, n, ...]; streams of a seed are disjoint."""
    drawn = [world.sample(n, np.random.default_rng([seed, stream])) for seed in seeds]
    return [np.stack(parts).astype(np.float32) for parts in zip(*drawn)]


def network(d_in: int, *hidden: int) -> Callable[[], networks.MLP]:
    """Return a function that builds a multilayer perceptron with one output."""
    return lambda: networks.MLP(d_in, 1, hidden=hidden)


def teachers(build: Callable, x, y, seeds: Sequence[int], **options) -> distill.Ensemble:
    """Train one teacher per repetition on x [seeds, n, d], y [seeds, n]."""
    members = [distill.Member(seed, data=i) for i, seed in enumerate(seeds)]
    return distill.train_ensemble(build, x, y, members, **OPTIONS | options)


def cross_fitted(build: Callable, x, y, seeds: Sequence[int], **options) -> NDArray:
    """Predict each row by a teacher that has not seen it, [seeds, n]; five folds."""
    fold, out = np.arange(x.shape[1]) % FOLDS, np.empty_like(y)
    for k in range(FOLDS):
        part = teachers(build, x[:, fold != k], y[:, fold != k], seeds, **options)
        out[:, fold == k] = part.predict(x[:, fold == k])[..., 0]
    return out


def students(
    build: Callable, x, y, soft, lam: Sequence[float], seeds: Sequence[int], **options
) -> distill.Ensemble:
    """Train undistilled students, then one per teacher, weight and repetition, in this order.

    `soft` [teachers, seeds, n] holds the soft labels of x [seeds, n, d].
    """
    members = [distill.Member(seed, data=i) for i, seed in enumerate(seeds)]
    members += [
        distill.Member(seed, weight, data=i, teacher=teacher * len(seeds) + i)
        for teacher, weight, (i, seed) in product(range(len(soft)), lam, enumerate(seeds))
    ]
    soft = np.concatenate(soft)
    return distill.train_ensemble(build, x, y, members, teacher=soft, **OPTIONS | options)


def errors(ensemble: distill.Ensemble, x, y) -> NDArray:
    """Mean squared errors of `students`, [1 + teachers * weights, seeds]."""
    wrong = ensemble.predict(x)[..., 0] - y[[m.data for m in ensemble.members]]
    return (wrong**2).mean(axis=1).reshape(-1, len(y))


def assess_each(teacher, student, labels, teacher_logits, student_logits, **options):
    """Return the `criterion.Verdict` of each repeat; all arrays [repeats, n, ...]."""
    return [
        assess(h1, h2, y, teacher_logits=t, student_logits=s, checks=False, **options)
        for h1, h2, y, t, s in zip(teacher, student, labels, teacher_logits, student_logits)
    ]


class Cases:
    """Collects the `rows` and `verdicts` of all cases, for the two tables of `results`."""

    def __init__(self):
        self.rows, self.verdicts = [], []

    def add(
        self, case, condition, *, knob, lam, baseline, distilled, verdicts, alignment, n_train,
        seeds, metric="mse", dataset="joint Gaussian", students="linear",
    ) -> None:  # fmt: skip
        """Add one condition of a case: the metric `baseline` [s] and `distilled` [s, k], by weight.

        `knob` is what it varies; `verdicts` are one per seed, or one dict for all; `alignment` is
        E[(y - t)(y - s)], exact or [s].
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
        for i, (seed, verdict) in enumerate(zip(seeds, verdicts)):
            row = common | {"knob": float(knob), "seed": seed}
            self.rows += [
                results.result(
                    **row, experiment=case, n_train=n_train, lam=weight, temperature=1.0,
                    weight=teacher_share(weight, "regression"), metric=metric,
                    baseline=baseline[i], distilled=after,
                )
                for weight, after in zip(lam, distilled[i])
            ]  # fmt: skip
            if isinstance(verdict, Verdict):
                verdict = results.verdict(verdict)
            self.verdicts.append(row | verdict | {ALIGNMENT: float(alignment[i])})

    def gains(self) -> pd.DataFrame:
        """Mean gain by condition and weight, percentage points or per cent of the loss."""
        table = results.check(self.rows)
        relative = table["metric"].map(results.SIGNS) < 0
        table["gain"] *= 100 / np.where(relative, table["baseline"], 1.0)
        order = list(dict.fromkeys(table["condition"]))
        out = intervals.summarise(table, ["experiment", "condition", "knob", "lam"])
        small = (out["gain_lo"] > -NEGLIGIBLE) & (out["gain_hi"] < NEGLIGIBLE)
        out.loc[small & (out["outcome"] == "unresolved"), "outcome"] = "no effect"
        return out.sort_values("condition", key=lambda c: c.map(order.index), kind="stable")

    def summary(self) -> pd.DataFrame:
        """One line per condition: both predictions, the smallest weight's outcome, who won."""
        gains = self.gains()
        verdicts = results.check(self.verdicts, "verdicts")
        aligned = intervals.summarise(verdicts, ["condition"], ALIGNMENT).set_index("condition")
        # both criteria speak about small weights
        first = gains[gains["lam"] == gains["lam"].min()].set_index("condition")
        out = first[["experiment", "knob", "gain", "gain_lo", "gain_hi", "outcome"]].copy()
        out[["gap", "decision"]] = pooled(verdicts, ["condition"], ["gap"])
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
        metric = next(row["metric"] for row in self.rows if row["experiment"] == case)
        unit = "points" if results.SIGNS[metric] > 0 else f"% of {metric}"
        out["gap (nats)"] = [f"{gap:+.3f}" for gap in table["gap"]]
        out["CCH"] = _decisions(table)
        out["E[(y−t)(y−s)]"] = [f"{value:+.3f}" for value in table[ALIGNMENT]]
        for lam, gains in self.gains().groupby("lam"):
            gains = gains.set_index("condition").loc[table["condition"]]
            half = (gains["gain_hi"] - gains["gain_lo"]) / 2
            out[f"gain ({unit}), λ={lam:g}"] = [
                f"{g:+z.2f} ± {h:.2f}" for g, h in zip(gains["gain"], half)
            ]
        return out

    def conclusion(self) -> pd.DataFrame:
        """Return all cases as a table to read: what was predicted, what happened, who was right."""
        table = self.summary().set_index("condition").rename_axis("case")
        happened = zip(table["outcome"], table["gain"])
        return pd.DataFrame(index=table.index).assign(**{
            "CCH": _decisions(table),
            "what happened": [f"{outcome} ({gain:+z.1f})" for outcome, gain in happened],
            "residual alignment": table["predicted"],
            "who was right": table["right"],
        })  # fmt: skip


def _decisions(table: pd.DataFrame) -> list[str]:
    pairs = zip(table["decision"], table["agree"])
    return [name if share == 1 else f"{name} ({share:.0%})" for name, share in pairs]


def who_was_right(decision: str, predicted: str, outcome: str) -> str:
    """Name who foretold an outcome: "both", "CCH", "alignment", "neither", or "open".

    Abstaining (undecided, unclear) foretells nothing. An unresolved outcome judges nobody.
    """
    if outcome == "unresolved":
        return "open"
    cch, rival = (FORETELLS.get(said) == (outcome == "helps") for said in (decision, predicted))
    return {(1, 1): "both", (1, 0): "CCH", (0, 1): "alignment", (0, 0): "neither"}[cch, rival]
