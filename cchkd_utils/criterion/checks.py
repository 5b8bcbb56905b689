"""Checks beside the verdict: what could be wrong with it, measured on the same rows.

Each says what it measured, whether that is within its limit, and what to do if not. Where a failed
check leaves room for the other sign, the decision becomes *undecided*.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import entr

from cchkd_utils.mi import MIEstimate
from cchkd_utils.mi.atoms import atoms, row_keys
from cchkd_utils.mi.auto import MAX_ROWS, coordinates, live
from cchkd_utils.mi.inputs import MIN_ROWS
from cchkd_utils.mi.knn import KNN_DIMENSION
from cchkd_utils.mi.normal import full_rank, standardised

from .uncertainty import (
    both_sides,
    constant_columns_dropped,
    decide,
    gap_doubt,
    paired_stderr,
    simulated_bias,
)

ROWS_PER_DIMENSION = 8.0  # `auto` uses the leading n / 8 directions
REPEATED = 0.01  # of the rows
WILD = 20.0  # times the usual distance of a cell from its column's median
Z = 3.0  # standard errors: some twenty numbers are looked at
SLACK = 0.05  # nats that no check minds
FITTING = 6.0  # nats times rows per dimension, which fresh rows lose to the noise of a fit
HALVED = 20.0  # rows per dimension that half of them must keep to tell anything
MOST_ROWS = 1500  # that are estimated from again
ON_VALUES = ("mine", "lmi")  # not on normal scores; some rows only fit their networks


@dataclass(frozen=True)
class Check:
    """What was measured of a verdict, and what follows.

    Examples
    --------
    >>> print(Check("repeated rows", False, 0.3, "at most 0.01", "leave the copies out"))
    repeated rows 0.3 (at most 0.01): leave the copies out
    """

    name: str  #: What is checked.
    passed: bool  #: Whether `value` keeps the limit; True where it cannot be measured.
    value: float  #: What was measured; NaN where it cannot be.
    limit: str  #: What passes, in words.
    advice: str = ""  #: What a failure means and what to do.
    reverses: bool = False  #: It failed, and the sign of the gap could be another.

    def __str__(self) -> str:
        """One line."""
        value = "not measured" if np.isnan(self.value) else f"{self.value:.3g}"
        line = f"{self.name} {value} ({self.limit})"
        return line if self.passed else f"{line}: {self.advice}"


@dataclass(frozen=True)
class Judged:
    """What the verdict rests on."""

    data: tuple[np.ndarray, ...]  # teacher [n, d1], student [n, d2], codes [n] or targets [n, p]
    discrete: bool
    estimator: str
    seed: int
    units: np.ndarray  # codes [n]
    shared: MIEstimate
    label: MIEstimate
    gap: float
    stderr: float
    doubt: tuple[float, float]  # nats by which the gap may be too high, too low

    @property
    def decision(self) -> str:
        """The decision without checks."""
        return decide(self.gap, self.stderr, self.doubt)

    def turns(self, down: float = 0.0, up: float = 0.0) -> bool:
        """Whether the decision falls if the gap may be `down` nats too high or `up` too low."""
        doubt = self.doubt[0] + down, self.doubt[1] + up
        return decide(self.gap, self.stderr, doubt) != self.decision

    def again(self, *data, method: str = "") -> tuple[MIEstimate, MIEstimate]:
        """Both informations from other rows, or by another method."""
        with constant_columns_dropped():
            return both_sides(*data, self.discrete, method or self.estimator, self.seed)

    def turns_with(self, *data, units: np.ndarray | None = None, sign: bool = False) -> bool:
        """Whether the decision, or only the `sign`, falls with other rows, or too few of them."""
        if self.decision == "undecided":
            return False
        try:
            shared, label = self.again(*data)
        except ValueError:
            return True
        gap = shared.nats - label.nats
        if sign:
            return (gap > 0) != (self.gap > 0)
        stderr = paired_stderr(shared.pointwise, label.pointwise, units)
        return decide(gap, stderr, self.doubt) != self.decision


def quick_checks(judged: Judged) -> Iterator[Check]:
    """Look at the rows, and at what the estimates say of themselves."""
    rows = [len(h) / effective_dimension(h) for h in judged.data[:2]]
    yield _rows_per_dimension(judged, *rows)
    yield _repeated_rows(judged)
    yield _outliers(judged)
    yield _unseen_rows(judged, min(rows))


def thorough_checks(judged: Judged) -> Iterator[Check]:
    """Estimate again: from fewer rows, from shuffled ones, by another method."""
    yield _fewer_rows(judged)
    yield _shuffled_rows(judged)
    yield _second_opinion(judged)


def simulation_check(judged: Judged) -> tuple[float, Check]:
    """Return the bias of the gap in a simulation, and whether the sign holds without it.

    It takes the place of `doubt`, which grants errors of the same kind. One simulation is too
    noisy to correct the estimate by.
    """
    nats = judged.shared.nats, judged.label.nats
    bias = simulated_bias(*judged.data, judged.discrete, *nats, judged.estimator, judged.seed)
    limit = 2.0 * judged.stderr
    turned = decide(judged.gap - bias, judged.stderr) != judged.decision
    failed = abs(bias) > limit and turned
    return bias, Check(
        "bias in simulation", not failed, bias, f"{limit:.3f} nats, or the sign holds without it",
        "without this bias the sign is not sure; more rows, or fewer columns", failed,
    )  # fmt: skip


def _rows_per_dimension(judged, teacher, student):
    low = min(teacher, student) < ROWS_PER_DIMENSION
    # Too few rows make an information too low: the student's side is in both.
    down = judged.label.nats + 1.0 if student < ROWS_PER_DIMENSION else 0.0
    return Check(
        "rows per effective dimension", not low, min(teacher, student),
        f"at least {ROWS_PER_DIMENSION:g}",
        f"too few for the {'student' if student < teacher else 'teacher'}'s units, whose "
        "information is too low then; add rows, or keep fewer principal components",
        low and judged.turns(down, judged.shared.nats + 1.0),
    )  # fmt: skip


def effective_dimension(h: np.ndarray) -> float:
    """Exponential of the entropy of the spectrum of the coordinates (Roy & Vetterli 2007)."""
    h = live(h[:MAX_ROWS])
    if not h.size:
        return 1.0
    a = coordinates(h)
    s2 = np.linalg.svd(standardised(a), compute_uv=False) ** 2
    return float(np.exp(entr(s2 / s2.sum()).sum()))


def _repeated_rows(judged):
    codes = [_row_codes(h) for h in judged.data[:2]]
    share = max(map(_share_repeated, codes))
    pairs = np.column_stack(codes)
    missing = (atoms(pairs[:, :1]) > 0) & (atoms(pairs[:, 1:]) > 0)
    pairs[missing, 0] = -1 - np.arange(missing.sum())  # on both sides: no copies, but atoms
    first = np.unique(pairs, axis=0, return_index=True)[1]
    copies, turned = 1.0 - len(first) / len(pairs), False
    advice = "a modality is missing or padded there? The verdict models these rows apart"
    if copies > REPEATED:  # rows saved twice count twice, and are on both sides of every split
        advice = f"{copies:.0%} of the rows are copies of others; leave them out"
        teacher, student, labels, units = (a[np.sort(first)] for a in (*judged.data, judged.units))
        turned = judged.turns_with(teacher, student, labels, units=units)
    failed = share > REPEATED
    limit = f"at most {REPEATED:g} of the rows"
    return Check("repeated rows", not failed, share, limit, advice, failed and turned)


def _row_codes(a):
    """Codes `[n]` of the rows `[n, d]`, equal for equal rows."""
    return np.unique(row_keys(a), return_inverse=True)[1].reshape(-1)


def _share_repeated(codes) -> float:
    return float((np.bincount(codes)[codes] > 1).mean())


def _outliers(judged):
    teacher, student, labels = judged.data
    wild = [_wild(h) for h in (teacher, student)]
    share, turned = max(float(w.mean()) for w in wild), False
    if share:  # what would be said without them?
        calm = (np.where(w, np.median(h, axis=0), h) for h, w in zip((teacher, student), wild))
        turned = judged.turns_with(*calm, labels, sign=True)
    return Check(
        "outliers and tails", not share, share, "no cell",
        "this share of a side's cells lies far outside its columns; look at these: another unit, "
        "or a missing value coded as a number?",
        turned,
    )  # fmt: skip


def _wild(h) -> np.ndarray:
    """Cells `WILD` times further from the median than nine in ten of those off it.

    Rectified units are at their median, zero, in most rows.
    """
    away = np.abs(h - np.median(h, axis=0))
    off = np.sort(away, axis=0)
    tenth = len(h) - 1 - (off > 0).sum(0) // 10
    return away > WILD * np.take_along_axis(off, tenth[None], axis=0)


def _unseen_rows(judged, rows):
    """What the fitted models promise, against what they keep on rows they did not see."""
    sides = judged.shared, judged.label
    falls = np.array([e.nats - e.unseen for e in sides])
    allowed = np.array([2.0 * e.stderr + SLACK + FITTING / rows for e in sides])
    down, up = np.maximum(np.nan_to_num(falls - allowed), 0.0)
    worst = int(np.argmax(np.nan_to_num(falls - allowed, nan=-np.inf)))
    return Check(
        "promised above unseen rows", not (down or up), float(falls[worst]),
        f"at most {allowed[worst]:.3f} nats",
        "a model fits its own rows better than others; add rows, or keep fewer columns",
        bool(down or up) and judged.turns(down, up),
    )  # fmt: skip


def _fewer_rows(judged):
    """Half the rows or fewer: what still moves with 1/n would move on with more."""
    name = "shift from fewer rows"
    terms = judged.shared.pointwise - judged.label.pointwise
    rows = np.flatnonzero(np.isfinite(terms))
    if judged.estimator in ON_VALUES:  # of which some rows only fit
        rows = np.arange(len(terms))
    kept = min(len(rows) // 2, MOST_ROWS)
    onwards = 1.0 / (len(rows) / max(kept, 1) - 1.0)  # from these to all: c/kept - c/n; on to c/n
    rows = np.sort(np.random.default_rng(judged.seed + 1).permutation(rows)[:kept])
    try:
        dimension = max(effective_dimension(h[rows]) for h in judged.data[:2])
        if len(rows) < max(MIN_ROWS, HALVED * dimension):
            raise ValueError("too few rows")
        shared, label = judged.again(*(a[rows] for a in judged.data))
    except ValueError:
        return Check(name, True, np.nan, "half the rows are too few")
    moved = terms[rows] - (shared.pointwise - label.pointwise)
    moved = moved[np.isfinite(moved)]
    shift = float(moved.mean())
    granted = judged.doubt[int(shift > 0)]  # by the interval
    limit = SLACK + granted + Z * float(moved.std() / np.sqrt(len(moved)))
    failed = abs(shift) > limit
    far = judged.gap + onwards * shift
    return Check(
        name, not failed, shift, f"at most {limit:.3f} nats",
        f"the gap still moves with the number of rows, extrapolated to {far:.2f} nats; add rows",
        failed and decide(far, judged.stderr, judged.doubt) != judged.decision,
    )  # fmt: skip


def _shuffled_rows(judged):
    """The student's rows in random order: both informations are zero."""
    name = "information of shuffled rows"
    rng = np.random.default_rng(judged.seed + 2)
    rows = rng.permutation(len(judged.units))[:MOST_ROWS]
    teacher, student, labels = judged.data
    try:
        sides = judged.again(teacher[rows], student[rng.permutation(rows)], labels[rows])
    except ValueError:
        return Check(name, True, np.nan, "these rows cannot be estimated from")
    down, up = (max(e.nats - Z * e.stderr - SLACK, 0.0) for e in sides)
    return Check(
        name, not (down or up), max(e.nats for e in sides), f"{SLACK:g} nats and {Z:g} errors",
        "rows that are no pairs seem to share information; more rows, or fewer columns",
        bool(down or up) and judged.turns(down, up),
    )  # fmt: skip


def _second_opinion(judged):
    """Another family of estimators, where its own conditions hold."""
    method = "ksg" if judged.estimator == "auto" else "auto"
    name, doubt = f"gap by {method}", (SLACK, SLACK)
    rows = np.sort(np.random.default_rng(judged.seed).permutation(len(judged.units))[:MAX_ROWS])
    data = [a[rows] for a in judged.data]
    if method == "ksg":
        sides = [live(h) for h in data[:2]]
        width = sum(full_rank(h).shape[1] for h in sides)
        if width > KNN_DIMENSION or max(_share_repeated(_row_codes(h)) for h in sides) > REPEATED:
            return Check(name, True, np.nan, "too many dimensions, or rows that repeat, for it")
    shared, label = judged.again(*data, method=method)
    if method == "auto":
        doubt = gap_doubt(shared, label)
    stderr = paired_stderr(shared.pointwise, label.pointwise, judged.units[rows])
    gap = shared.nats - label.nats
    failed = decide(gap, stderr, doubt) != "undecided" and (gap > 0) != (judged.gap > 0)
    return Check(
        name, not failed, gap, "not surely of the other sign",
        f"{method} finds the other sign; look at both estimates and their notes", failed,
    )  # fmt: skip
