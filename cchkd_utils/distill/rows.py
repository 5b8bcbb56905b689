"""Rows to train on, as tensors: checked, and picked for many students at once."""

import numpy as np
import torch


class Rows:
    """Inputs [d, n, ...], labels [d, n] and teacher predictions [t, n, ...] or None.

    ValueError when shapes, values, network and members do not fit together.
    """

    def __init__(self, x, y, teacher=None, *, task, module, members, device):
        classes = task == "classification"
        y = _labels(y, classes)
        self.x = torch.as_tensor(x, dtype=torch.float32, device=device)
        self.y = y.to(device, torch.int64 if classes else torch.float32)
        x, y = self.x, self.y
        if x.ndim < 3 or y.shape != x.shape[:2] or not y.numel():
            raise ValueError(
                f"x {list(x.shape)} and y {list(y.shape)} do not fit: pass x [d, n, ...], y [d, n]"
            )
        if not (x.isfinite().all() and y.isfinite().all()):
            raise ValueError("x or y has values that are not finite: drop or impute those rows")
        if max(m.data for m in members) >= len(x):
            raise ValueError(f"x has {len(x)} datasets, a member asks for a later one")
        with torch.no_grad():
            width = module(x[0, :1].cpu()).shape[-1]
        if not classes and width != 1:
            raise ValueError(f"the model has {width} outputs: regression takes 1")
        if classes and not (y.min() >= 0 and y.max() < width):
            raise ValueError(
                f"labels run from {y.min()} to {y.max()}, the model has {width} outputs: "
                "number the classes from 0"
            )
        self.teacher = None
        last = max((m.teacher for m in members if m.teacher is not None), default=None)
        if last is not None:
            shape = [last + 1, len(self), *[width] * classes]
            self.teacher = _predictions(teacher, shape, device)

    def __len__(self):
        return self.x.shape[1]

    def number_held(self, share):
        """Return how many rows a share for validation is."""
        if not 0 < share < 1:
            raise ValueError(f"validation is {share}: give a share between 0 and 1")
        number = max(1, round(share * len(self)))
        if number >= len(self):
            raise ValueError(f"validation {share:g} of {len(self)} rows leaves none to train on")
        return number

    def gather(self, numbers, data, teacher, alike=False):
        """Return rows [e, b] of every member's dataset and teacher: x, teacher or None, y.

        Members `alike` in rows and dataset share one copy of x, repeated as a view.
        """
        soft = None if self.teacher is None else _pick(self.teacher, teacher, numbers)
        different = slice(0, 1) if alike else slice(None)
        x = _pick(self.x, data[different], numbers[different])
        return x.expand(len(numbers), *x.shape[1:]), soft, _pick(self.y, data, numbers)


def _pick(table, which, numbers):
    flat = (numbers + which[:, None] * table.shape[1]).flatten()
    return table.flatten(0, 1).index_select(0, flat).view(*numbers.shape, *table.shape[2:])


def _labels(y, classes):
    """Return labels as a tensor that holds them without loss."""
    if not isinstance(y, torch.Tensor):
        y = np.asarray(y)
        if y.dtype.kind not in "biuf":
            raise ValueError(f"labels are {y.dtype}: number the classes from 0")
        y = torch.as_tensor(y)
    if classes and y.is_floating_point() and (y != y.round()).any():
        raise ValueError("labels are not whole numbers: number the classes, or task='regression'")
    return y


def _predictions(teacher, shape, device):
    """Return teacher predictions of `shape`, or those of more teachers, as a tensor."""
    if teacher is not None:
        teacher = torch.as_tensor(teacher, dtype=torch.float32, device=device)
        if len(shape) == 2 and teacher.ndim == 3 and teacher.shape[2] == 1:
            teacher = teacher[..., 0]
    if teacher is None or list(teacher.shape[1:]) != shape[1:] or len(teacher) < shape[0]:
        given = None if teacher is None else list(teacher.shape)
        raise ValueError(f"teacher is {given}: expected {shape} or more of them")
    if not teacher.isfinite().all():
        raise ValueError("the teacher's predictions are not all finite: look at its training")
    return teacher
