"""The losses against values worked out by hand and against torch's own parts."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from cchkd_utils.distill.losses import kd_loss, kd_mse


def classes(n=200, d=6, k=3, seed=0):
    """Return x [n, d], labels [n] and logits [n, k] of an informative, imperfect teacher."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d)).astype(np.float32)
    logits = 3 * x[:, :k] + rng.standard_normal((n, k)).astype(np.float32)
    return x, logits.argmax(1), logits + rng.standard_normal((n, k)).astype(np.float32)


def test_kd_loss_by_hand():
    # student p = (3/4, 1/4); teacher at T=2 is softmax(2 ln3 / 2) = (3/4, 1/4) as well
    student = torch.tensor([[math.log(3.0), 0.0]])
    teacher = 2 * student
    loss = kd_loss(student, teacher, torch.tensor([1]), lam=0.25, temperature=2.0)
    p = math.sqrt(3) / (1 + math.sqrt(3))  # student at T=2
    kl = 0.75 * math.log(0.75 / p) + 0.25 * math.log(0.25 / (1 - p))
    assert float(loss) == pytest.approx(0.75 * math.log(4) + 0.25 * 4 * kl, rel=1e-6)


def test_kd_loss_matches_torchs_own_parts():
    x, y, teacher = (torch.as_tensor(a) for a in classes())
    student = x[:, :3]
    kl = nn.functional.kl_div(
        (student / 3).log_softmax(-1), (teacher / 3).softmax(-1), reduction="batchmean"
    )
    expected = 0.3 * nn.functional.cross_entropy(student, y) + 0.7 * 9 * kl
    torch.testing.assert_close(kd_loss(student, teacher, y, 0.7, 3.0), expected)


def test_losses_of_many_students_are_the_losses_of_each():
    x, y, teacher = (torch.as_tensor(a) for a in classes())
    lam, temperature = torch.tensor([0.2, 0.8]), torch.tensor([1.0, 4.0])
    student = torch.stack([x[:, :3], -x[:, :3]])
    both = kd_loss(student, teacher.expand(2, -1, -1), y.expand(2, -1), lam, temperature)
    both_mse = kd_mse(student[..., 0], teacher[:, 0].expand(2, -1), x[:, 0].expand(2, -1), lam)
    for i in range(2):
        torch.testing.assert_close(both[i], kd_loss(student[i], teacher, y, lam[i], temperature[i]))
        mse = (student[i, :, 0] - x[:, 0]).square().mean()
        mse = mse + lam[i] * (student[i, :, 0] - teacher[:, 0]).square().mean()
        torch.testing.assert_close(both_mse[i], mse)


def test_without_a_teacher_the_losses_are_the_plain_ones():
    x, y, teacher = (torch.as_tensor(a) for a in classes())
    plain = nn.functional.cross_entropy(x[:, :3], y)
    torch.testing.assert_close(kd_loss(x[:, :3], None, y, 0.0, 1.0), plain)
    torch.testing.assert_close(kd_loss(x[:, :3], teacher, y, 0.0, 4.0), plain)
    mse = nn.functional.mse_loss(x[:, 0], x[:, 1])
    torch.testing.assert_close(kd_mse(x[:, 0], None, x[:, 1], 0.0), mse)


LOGITS = torch.arange(12.0).reshape(4, 3) % 5
CLASSES = torch.tensor([0, 1, 2, 0])


def masked(rows, column=2, value=-torch.inf):
    out = rows.clone()
    out[:, column] = value
    return out


def test_a_class_masked_on_both_sides_is_no_class():
    y, t, s = torch.tensor([0, 1, 1, 0]), LOGITS.flip(0), LOGITS.clone().requires_grad_()
    loss = kd_loss(masked(s), masked(t), y, 0.5, 2.0)
    torch.testing.assert_close(loss, kd_loss(s[:, :2], t[:, :2], y, 0.5, 2.0))
    loss.backward()
    assert s.grad.isfinite().all()
    assert kd_loss(LOGITS, masked(t), y, 0.5, 2.0).isfinite()


@pytest.mark.parametrize(("change", "message"), [
    ({"temperature": 0.0}, "temperature is 0.0; it must be above 0"),
    ({"temperature": torch.tensor(float("nan"))}, "temperature is"),
    ({"lam": 1.5}, "lam is 1.5; it must be at least 0 and at most 1"),
    ({"lam": -0.1}, "lam is -0.1"),
    ({"teacher_logits": LOGITS[:, :1]}, r"teacher_logits has shape \[4, 1\], \[4, 3\]"),
    ({"teacher_logits": masked(LOGITS, value=float("nan"))}, "teacher_logits have NaN"),
    ({"student_logits": masked(LOGITS, value=torch.inf)}, "student_logits have NaN or inf"),
    ({"student_logits": masked(LOGITS)}, "mask the class of a label"),
    ({"student_logits": masked(LOGITS), "labels": CLASSES % 2}, "that the teacher does not mask"),
    ({"teacher_logits": torch.full((4, 3), -torch.inf)}, "mask all classes of a row"),
    ({"labels": CLASSES + 1}, "labels from 1 to 3 for 3 classes; number the classes from 0"),
    ({"labels": CLASSES.double()}, "pass whole numbers"),
    ({"labels": CLASSES[:3]}, r"labels has shape \[3\], \[4\]"),
    ({"student_logits": LOGITS[:, :1]}, "of a single sigmoid z make two"),
])  # fmt: skip
def test_losses_of_what_does_not_fit_are_refused(change, message):
    arguments = {"student_logits": LOGITS, "teacher_logits": LOGITS.flip(0), "labels": CLASSES,
                 "lam": 0.5, "temperature": 2.0} | change  # fmt: skip
    with pytest.raises(ValueError, match=message):
        kd_loss(**arguments)


def test_probabilities_in_place_of_logits_are_noticed():
    with pytest.warns(UserWarning, match="look like probabilities"):
        kd_loss(LOGITS, LOGITS.softmax(-1), CLASSES, 0.5, 2.0)


@pytest.mark.parametrize(("change", "message"), [
    ({"student": LOGITS[:, :1]}, r"teacher has shape \[4\], \[4, 1\] is needed"),
    ({"y": LOGITS[:, 0] * torch.nan}, "y has NaN"), ({"lam": -1.0}, "lam is -1.0"),
])  # fmt: skip
def test_regression_losses_of_what_does_not_fit_are_refused(change, message):
    column = LOGITS[:, 0]
    with pytest.raises(ValueError, match=message):
        kd_mse(**({"student": column, "teacher": column, "y": column, "lam": 0.5} | change))
