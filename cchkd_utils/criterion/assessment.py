"""The verdict: is I(teacher; student) above I(student; label), and how sure is that?

The Cross-modal Complementarity Hypothesis (arXiv 2510.13182) distils a teacher of modality 1
into a student of modality 2 when I(H1;H2) > I(H2;Y).
"""

from __future__ import annotations

import time
import warnings
from dataclasses import replace

import numpy as np
from scipy.special import ndtri

from cchkd_utils.mi import conditional, estimate
from cchkd_utils.mi.inputs import (
    as_array,
    as_labels,
    check_labels,
    check_matrix,
    check_not_same,
    check_same_length,
    check_same_order,
    is_binary,
    one_seed,
)

from . import uncertainty
from .checks import MOST_ROWS, Judged, quick_checks, simulation_check, thorough_checks
from .expected_gain import Forecast, OutOfRange, forecast
from .rivals import accuracy, rival_criteria
from .verdict import Ranking, Verdict


def assess(
    teacher,
    student,
    labels,
    *,
    task: str = "auto",
    estimator: str = "auto",
    teacher_logits=None,
    student_logits=None,
    units=None,
    n_subsamples: int = 0,
    level: float = 0.90,
    rivals: bool = True,
    bias_check: bool = True,
    checks: bool = True,
    training: dict | None = None,
    seed: int = 0,
    random_state: int | None = None,
) -> Verdict:
    """Estimate both sides of the criterion on the same held-out rows and decide.

    Errors are those of `cchkd_utils.mi.estimate`, an unknown task, or an interval that cannot be
    computed.

    Parameters
    ----------
    teacher, student : array_like
        Representations H1 `[n, d1]` and H2 `[n, d2]` on held-out rows, in the same order; H2 of
        the student trained without distillation.
    labels : array_like
        `[n]` class labels, or `[n]` / `[n, p]` regression targets.
    task : {"auto", "classification", "regression"}
        "auto": integers, strings, booleans and one-hot rows are classes.
    estimator : str
        A method of `cchkd_utils.mi.estimate`.
    teacher_logits, student_logits : array_like, optional
        Predictions `[n, K]` or `[n]` for the rivals that need them; a held-out probe stands in.
        Labels 0 to K - 1 name their columns, whether or not every class has a row here.
    units : array_like, optional
        `[n]`, the independent unit of each row: participant, video, document. Rows of one unit
        may vary together. By default each row is its own.
    n_subsamples : int
        0: the standard error comes from the influence function of the difference (paired rows).
        Otherwise from that many (2 or more) paired subsamples of half the units, without
        replacement.
    level : float
        Of the confidence interval, in (0, 1).
    rivals, bias_check : bool
        Compute the rival criteria, and the bias of the gap by simulation at the same n and d.
    checks : bool
        Estimate again from fewer rows, from shuffled ones and by another method, simulate the
        bias, and split the shared information; about three times the time. Checks that only look
        at the rows are always made.
    training : dict, optional
        How the networks were trained, for a forecast of the gain (of classifiers): n_train, the
        number of rows, and if wanted lam and temperature. See `forecast`, which is learned from
        `auto`; a UserWarning where it has seen nothing like it.
    seed : int
        Of folds, initial weights, subsamples and simulation. Same seed, same verdict.
    random_state : int, optional
        Another name of `seed`, as in scikit-learn.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> z = rng.normal(size=(600, 3))  # what both modalities see
    >>> teacher = z + 0.3 * rng.normal(size=z.shape)
    >>> student = z[:, :2] + 0.5 * rng.normal(size=(600, 2))
    >>> labels = z[:, 2] > 0
    >>> verdict = assess(teacher, student, labels)
    >>> verdict.decision, all(check.passed for check in verdict.checks)
    ('distil', True)
    """
    start = time.perf_counter()
    seed = one_seed(seed, random_state)
    discrete = _is_classification(labels, task)
    columns = _logit_columns(labels) if discrete else None
    data = _checked(teacher, student, labels, discrete)
    units = uncertainty.check_units(units, data[2])
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; it must lie between 0 and 1, such as 0.9.")
    if n_subsamples < 0 or n_subsamples == 1:
        raise ValueError(f"n_subsamples is {n_subsamples}; 0, or at least 2, is needed.")
    how = discrete, estimator, seed
    shared, label = uncertainty.both_sides(*data, *how)
    gap = shared.nats - label.nats
    if n_subsamples:

        def gap_of(rows):
            shared, label = uncertainty.both_sides(*(a[rows] for a in data), *how)
            return shared.nats - label.nats

        stderr = uncertainty.subsampled_stderr(gap_of, units, n_subsamples, seed)
    else:
        stderr = uncertainty.paired_stderr(shared.pointwise, label.pointwise, units)
    doubt = uncertainty.gap_doubt(shared, label)
    judged = Judged(data, *how, units, shared, label, gap, stderr, doubt)
    checked = [*quick_checks(judged), *(thorough_checks(judged) if checks else ())]
    bias = None
    if checks and bias_check:
        bias, check = simulation_check(judged)
        checked.append(check)
    given_label = _given_label(judged) if checks and discrete else None
    logits = teacher_logits, student_logits
    rival_values = rival_criteria(*data, discrete, logits, seed, columns) if rivals else {}
    half = float(ndtri(0.5 + level / 2)) * stderr
    return Verdict(
        mi_teacher_student=shared.nats,
        mi_student_label=label.nats,
        gap=gap,
        ci=(gap - half - doubt[0], gap + half + doubt[1]),
        p_wrong=uncertainty.probability_wrong(gap, stderr, doubt),
        decision="undecided" if any(c.reverses for c in checked) else judged.decision,
        stderr=stderr,
        level=level,
        estimator=estimator,
        task="classification" if discrete else "regression",
        n=shared.n,
        seconds=time.perf_counter() - start,
        rivals=rival_values,
        bias=bias,
        mi_given_label=given_label,
        forecast=_foretold(training, judged, logits, rival_values, columns) if training else None,
        checks=tuple(replace(check, advice="") if check.passed else check for check in checked),
        estimates={"teacher_student": shared, "student_label": label},
    )


def _foretold(training, judged, logits, rivals, columns) -> Forecast | None:
    """Forecast from what both networks do on these rows."""
    if "teacher accuracy" not in rivals or logits[1] is None:
        raise ValueError(
            "training is for a forecast, which needs rivals=True, class labels and student_logits"
        )
    try:
        return forecast(
            teacher_accuracy=rivals["teacher accuracy"],
            student_accuracy=accuracy(judged.data[2], logits[1], columns),
            mi_student_label=judged.label.nats, n_classes=np.shape(logits[1])[1], **training,
        )  # fmt: skip
    except OutOfRange as error:
        warnings.warn(str(error), UserWarning, stacklevel=3)
        return None


def _given_label(judged) -> float:
    """I(H1;H2|Y), nats, of which two informations are known; on a sample of many rows."""
    known = judged.shared.pointwise, judged.label.pointwise
    rows = np.flatnonzero(np.isfinite(known[0] - known[1]))
    rows = np.sort(np.random.default_rng(judged.seed).permutation(rows)[:MOST_ROWS])
    teacher, student, labels = (a[rows] for a in judged.data)
    how = {"discrete_y": True, "seed": judged.seed}
    with uncertainty.constant_columns_dropped():
        alone, both = (
            estimate(side, labels, judged.estimator, **how)
            for side in (teacher, np.hstack([teacher, student]))
        )
    shared, label = (replace(e, pointwise=e.pointwise[rows]) for e in (judged.shared, judged.label))
    return conditional(shared, alone, label, both).nats


def rank_teachers(candidates: dict, student, labels, **options) -> Ranking:
    """Verdicts of several candidate teachers of one student, largest gap first.

    `candidates` is `{name: representation [n, d]}`, at least one, rows in the student's order;
    `student`, `labels`, options and errors are those of `assess`.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x, noise = rng.normal(size=(2, 600, 3))
    >>> teachers = {"noise": noise, "sees": x + 0.3 * rng.normal(size=x.shape)}
    >>> list(rank_teachers(teachers, x[:, :2], x[:, 2] > 0, checks=False))
    ['sees', 'noise']
    """
    if not candidates:
        raise ValueError("No candidate teachers; pass {name: representation [n, d]}.")
    verdicts = {name: assess(rows, student, labels, **options) for name, rows in candidates.items()}
    return Ranking(sorted(verdicts.items(), key=lambda named: -named[1].gap))


def _checked(teacher, student, labels, discrete):
    """Checked copies: constant columns dropped, labels as codes `[n]` or targets `[n, p]`."""
    check_same_order({"teacher": teacher, "student": student, "labels": labels})
    check_same_length(teacher, student, ("teacher", "student"))
    check_same_length(student, labels, ("student", "labels"))
    teacher, student = check_matrix(teacher, "teacher"), check_matrix(student, "student")
    check_not_same(teacher, student, ("teacher", "student"))
    if discrete:
        return teacher, student, check_labels(labels, "labels")
    labels = check_matrix(labels, "labels")
    if (labels == np.round(labels)).all():
        # Counts as regression targets: uniform noise within the unit loses no information.
        labels = labels + np.random.default_rng(0).uniform(-0.5, 0.5, labels.shape)
    return teacher, student, labels


def _is_classification(labels, task: str) -> bool:
    if task not in ("auto", "classification", "regression"):
        raise ValueError(f"Unknown task {task!r}; choose auto, classification or regression.")
    if task != "auto":
        return task == "classification"
    y = as_array(labels, "labels")
    if y.dtype.kind != "f" or str(getattr(labels, "dtype", "")) == "category":
        return True
    if y.ndim == 1 or y.shape[-1] == 1:
        return bool((y == np.round(y))[~np.isnan(y)].all())
    return is_binary(y)


def _logit_columns(labels) -> np.ndarray | None:
    """Columns of logits that belong to the classes in use, where labels are such numbers."""
    y = as_labels(labels, "labels")  # one-hot as column numbers
    whole = y.dtype.kind in "iu" or (y.dtype.kind == "f" and (y == np.round(y)).all())
    return np.unique(y).astype(int) if whole else None
