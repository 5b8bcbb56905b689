"""The two distillation losses, for one student or for many at once.

Sources: the regression loss is the paper's (arXiv 2510.13182, the student objective of the linear
model); the classification loss with temperature is Hinton et al. (2015), our reading of the paper.
"""

import math
import warnings

import torch
from torch.nn.functional import log_softmax


def kd_loss(student_logits, teacher_logits, labels, lam, temperature):
    """(1 - lam) CE + lam T^2 KL(teacher_T || student_T), mean over rows [...], nats.

    A class that the teacher, or both, mask by -inf has probability zero. ValueError for shapes that
    differ, labels outside 0 ... k - 1, NaN, and weights or temperatures out of range; a UserWarning
    where a teacher's logits look like probabilities.

    Parameters
    ----------
    student_logits, teacher_logits : Tensor [..., n, k]
        With leading axes, many students at once. `teacher_logits` None: cross-entropy alone.
    labels : Tensor of int [..., n]
    lam, temperature : float or Tensor [...]
        Weight of the teacher, 0 to 1, and T > 0: both distributions are softmax(logits / T).

    Examples
    --------
    >>> import torch
    >>> logits, labels = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 1])
    >>> cross_entropy = kd_loss(logits, logits, labels, 0.0, 2.0)
    >>> torch.isclose(kd_loss(logits, logits, labels, 0.5, 2.0), cross_entropy / 2)  # KL is zero
    tensor(True)
    """
    _check_classes(student_logits, teacher_logits, labels, lam, temperature)
    return classification_loss(student_logits, teacher_logits, labels, lam, temperature)


def kd_mse(student, teacher, y, lam):
    """MSE(student, y) + lam MSE(student, teacher), [...]: the paper's student objective.

    Predictions and targets are [..., n]; `lam` >= 0, a number or [...]. `teacher` None: the first
    term alone. ValueError for shapes that differ, NaN or inf, and a weight below 0.

    Examples
    --------
    >>> import torch
    >>> kd_mse(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 0.0]), torch.tensor([0.0, 2.0]), 0.5)
    tensor(1.5000)
    """
    for name, values in {"teacher": teacher, "y": y}.items():
        if values is not None and values.shape != student.shape:
            raise ValueError(_shapes(name, values.shape, student.shape))
    for name, values in {"student": student, "teacher": teacher, "y": y}.items():
        if values is not None and not torch.isfinite(values).all():
            raise ValueError(f"{name} has NaN or inf; remove these rows first")
    _check_range("lam", lam, 0.0, math.inf)
    return regression_loss(student, teacher, y, lam)


def classification_loss(student_logits, teacher_logits, labels, lam, temperature):
    """`kd_loss` of arguments that were checked before: in each step of training."""
    log_p = log_softmax(student_logits, -1)
    ce = -log_p.gather(-1, labels[..., None]).squeeze(-1).mean(-1)
    if teacher_logits is None:
        return ce
    lam = torch.as_tensor(lam, dtype=ce.dtype, device=ce.device)
    temperature = torch.as_tensor(temperature, dtype=ce.dtype, device=ce.device)
    student = log_softmax(student_logits / temperature[..., None, None], -1)
    teacher = log_softmax(teacher_logits / temperature[..., None, None], -1)
    p = teacher.exp()
    kl = torch.where(p > 0, p * (teacher - student), 0.0).sum(-1).mean(-1)
    return (1 - lam) * ce + lam * temperature.square() * kl


def regression_loss(student, teacher, y, lam):
    """`kd_mse` of arguments that were checked before."""
    mse = (student - y).square().mean(-1)
    if teacher is None:
        return mse
    lam = torch.as_tensor(lam, dtype=mse.dtype, device=mse.device)
    return mse + lam * (student - teacher).square().mean(-1)


def _check_classes(student, teacher, labels, lam, temperature):
    k = student.shape[-1] if student.ndim > 1 else 0
    if k < 2:
        raise ValueError(
            f"student_logits {list(student.shape)} need a column for each class, [..., n, k]; of "
            "a single sigmoid z make two classes: torch.stack([torch.zeros_like(z), z], -1)"
        )
    if labels.shape != student.shape[:-1]:
        raise ValueError(_shapes("labels", labels.shape, student.shape[:-1]))
    if labels.is_floating_point() or labels.is_complex():
        raise ValueError(f"labels are {labels.dtype}; pass whole numbers from 0, labels.long()")
    if labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < k:
        raise ValueError(
            f"labels from {int(labels.min())} to {int(labels.max())} for {k} classes; number the "
            "classes from 0"
        )
    _refuse_unusable("student_logits", student)
    if torch.isneginf(student.gather(-1, labels[..., None].long())).any():
        raise ValueError("student_logits mask the class of a label by -inf")
    if teacher is None:
        return
    if teacher.shape != student.shape:
        raise ValueError(_shapes("teacher_logits", teacher.shape, student.shape))
    _refuse_unusable("teacher_logits", teacher)
    if (torch.isneginf(student) & ~torch.isneginf(teacher)).any():
        raise ValueError("student_logits mask a class by -inf that the teacher does not mask")
    _check_range("lam", lam, 0.0, 1.0)
    _check_range("temperature", temperature, 0.0, math.inf, above=True)
    warn_of_probabilities(teacher, "teacher_logits")


def warn_of_probabilities(logits, name):
    """Warn where every row of logits `[..., k]` looks like probabilities."""
    sums = logits.detach().double().sum(-1)
    if (logits >= 0).all() and ((sums - 1).abs() < 1e-3).all():
        warnings.warn(
            f"{name} look like probabilities: every row is at least 0 and adds up to 1; pass their "
            "logarithms",
            UserWarning,
            stacklevel=4,
        )


def _refuse_unusable(name, logits):
    if (torch.isnan(logits) | torch.isposinf(logits)).any():
        raise ValueError(f"{name} have NaN or inf; -inf masks a class")
    if torch.isneginf(logits).all(-1).any():
        raise ValueError(f"{name} mask all classes of a row by -inf")


def _check_range(name, value, low, high, *, above=False):
    values = torch.as_tensor(value, dtype=torch.float64)
    inside = (values > low if above else values >= low) & (values <= high) & torch.isfinite(values)
    if not inside.all():
        limits = f"above {low:g}" if above else f"at least {low:g}"
        limits += f" and at most {high:g}" if math.isfinite(high) else ""
        raise ValueError(f"{name} is {value}; it must be {limits}")


def _shapes(name, shape, wanted):
    return f"{name} has shape {list(shape)}, {list(wanted)} is needed to fit the student"


def teacher_share(lam, task="classification"):
    """Share m of the teacher in the loss: lam itself for classes, lam / (1 + lam) in regression."""
    return lam if task == "classification" else lam / (1 + lam)
