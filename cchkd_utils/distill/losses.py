"""The two distillation losses, for one student or for many at once.

Sources: the regression loss is the paper's (arXiv 2510.13182, the student objective of the linear
model); the classification loss with temperature is Hinton et al. (2015), our reading of the paper.
"""

import torch
from torch.nn.functional import log_softmax


def kd_loss(student_logits, teacher_logits, labels, lam, temperature):
    """(1 - lam) CE + lam T^2 KL(teacher_T || student_T), mean over rows [...], nats.

    Parameters
    ----------
    student_logits, teacher_logits : Tensor [..., n, k]
        With leading axes, many students at once. `teacher_logits` None: cross-entropy alone.
    labels : Tensor of int [..., n]
    lam, temperature : float or Tensor [...]
        Weight of the teacher, 0 to 1, and T > 0: both distributions are softmax(logits / T).
    """
    log_p = log_softmax(student_logits, -1)
    ce = -log_p.gather(-1, labels[..., None]).squeeze(-1).mean(-1)
    if teacher_logits is None:
        return ce
    lam = torch.as_tensor(lam, dtype=ce.dtype, device=ce.device)
    temperature = torch.as_tensor(temperature, dtype=ce.dtype, device=ce.device)
    student = log_softmax(student_logits / temperature[..., None, None], -1)
    teacher = log_softmax(teacher_logits / temperature[..., None, None], -1)
    kl = (teacher.exp() * (teacher - student)).sum(-1).mean(-1)
    return (1 - lam) * ce + lam * temperature.square() * kl


def kd_mse(student, teacher, y, lam):
    """MSE(student, y) + lam MSE(student, teacher), [...]: the paper's student objective.

    Predictions and targets are [..., n]; `lam` >= 0, a number or [...]. `teacher` None: the first
    term alone.
    """
    mse = (student - y).square().mean(-1)
    if teacher is None:
        return mse
    lam = torch.as_tensor(lam, dtype=mse.dtype, device=mse.device)
    return mse + lam * (student - teacher).square().mean(-1)


def teacher_share(lam, task="classification"):
    """Share m of the teacher in the loss: lam itself for classes, lam / (1 + lam) in regression."""
    return lam if task == "classification" else lam / (1 + lam)
