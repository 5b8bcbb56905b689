"""What a verdict holds, and how it is shown: as text, numbers, a figure, a page."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields

from cchkd_utils.mi import MIEstimate

from . import report
from .checks import Check
from .expected_gain import Forecast


@dataclass(frozen=True)
class Verdict:
    """Both sides of the criterion, their difference and what follows from it; nats.

    Examples
    --------
    >>> import numpy as np
    >>> from cchkd_utils.criterion import assess
    >>> x, noise = np.random.default_rng(0).normal(size=(2, 600, 3))
    >>> verdict = assess(x + 0.3 * noise, x[:, :2], x[:, 2] > 0, checks=False)
    >>> verdict.decision, verdict.n, sorted(verdict.to_dict())[:2]
    ('distil', 600, ['bias', 'checks'])
    """

    mi_teacher_student: float  #: I(H1;H2), nats.
    mi_student_label: float  #: I(H2;Y), nats.
    gap: float  #: I(H1;H2) - I(H2;Y), nats.
    #: Confidence interval of the gap at `level`, widened by what the estimates say they may miss.
    ci: tuple[float, float]
    p_wrong: float  #: Probability that the sign of the gap is wrong, under a flat prior on it.
    #: "distil" iff P(gap <= 0) <= .025, "do not distil" iff P(gap >= 0) <= .025, else "undecided".
    decision: str
    stderr: float  #: Standard error of the gap, nats.
    level: float  #: Of the confidence interval.
    estimator: str  #: The method of `cchkd_utils.mi.estimate`.
    task: str  #: "classification" or "regression".
    n: int  #: Held-out rows.
    seconds: float  #: Wall-clock time.
    #: Rival criteria by name; empty when not asked for.
    rivals: dict[str, float] = field(default_factory=dict)
    #: Bias of the gap in nats, by simulation at the same n and d; None when not asked for.
    bias: float | None = None
    #: I(H1;H2|Y), nats, what is shared but not about the label; None for targets or if not asked
    #: for. The gap is I(H1;H2|Y) - I(H2;Y|H1).
    mi_given_label: float | None = None
    #: What was checked; a failed check that could turn the sign makes the decision "undecided".
    checks: tuple[Check, ...] = ()
    #: What distillation should gain, where `training` was given; None otherwise.
    forecast: Forecast | None = None
    #: The two informations, "teacher_student" and "student_label".
    estimates: dict[str, MIEstimate] = field(default_factory=dict, repr=False, compare=False)

    def to_dict(self) -> dict:
        """Plain numbers and strings, ready for JSON."""
        out = {part.name: getattr(self, part.name) for part in fields(self)}
        del out["ci"], out["estimates"]
        out["checks"] = [asdict(check) for check in self.checks]
        out["forecast"] = asdict(self.forecast) if self.forecast else None
        return out | {"gap_lo": self.ci[0], "gap_hi": self.ci[1], "rivals": dict(self.rivals)}

    def plot(self):
        """Draw both informations and the gap with its interval, a `matplotlib` figure.

        Words below it: checks, forecast, rivals.

        ModuleNotFoundError without the extra ``plots``.
        """
        return report.draw(self)

    def _repr_html_(self) -> str:
        return report.fragment(self)

    def to_html(self, title: str = "Verdict") -> str:
        """One self-contained page: figure, answer, checks, numbers."""
        return report.page(title, report.fragment(self))

    def __str__(self) -> str:
        """A small table."""
        rows = [
            ("I(teacher; student)", f"{self.mi_teacher_student:8.3f} nats"),
            ("I(student; label)", f"{self.mi_student_label:8.3f} nats"),
            ("gap", f"{self.gap:8.3f} nats"),
            (f"{self.level:.0%} interval", f"[{self.ci[0]:.3f}, {self.ci[1]:.3f}]"),
            ("P(sign is wrong)", f"{self.p_wrong:8.3f}"),
        ]
        if self.mi_given_label is not None:
            text = f"{self.mi_given_label:8.3f} nats, of the first: not about the label"
            rows.insert(2, ("I(teacher; student | label)", text))
        if self.bias is not None:
            rows.append(("bias in simulation", f"{self.bias:8.3f} nats"))
        rows += [(name, f"{value:8.3f}") for name, value in self.rivals.items()]
        failed = [check for check in self.checks if not check.passed]
        rows.append(("checks", f"{len(self.checks) - len(failed)} of {len(self.checks)} passed"))
        rows += [("  failed", str(check)) for check in failed]
        if self.forecast:
            rows.append(("forecast", str(self.forecast)))
        rows.append(("verdict", self.decision))
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


class Ranking(dict):
    """Verdicts by the name of the teacher, largest gap first."""

    def plot(self):
        """Draw the gaps with their intervals, a `matplotlib` figure."""
        return report.draw_ranking(self)

    def _repr_html_(self) -> str:
        header = ["teacher", "gap (nats)", "interval", "decision"]
        rows = [
            (name, f"{v.gap:+.3f}", f"[{v.ci[0]:+.3f}, {v.ci[1]:+.3f}]", v.decision)
            for name, v in self.items()
        ]
        return report.table(header, rows, "teachers by their gap")
