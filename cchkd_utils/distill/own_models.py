"""From two torch models to a verdict: their hidden layers on the same held-out rows."""

import contextlib
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn
from torch.utils import data

from cchkd_utils import criterion

WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel)
SHUFFLING = (data.RandomSampler, data.SubsetRandomSampler, data.WeightedRandomSampler)
LABELS = ("labels", "label", "targets", "target", "y")
IDS = ("ids", "id")
QUIET = 5.0  # seconds between lines of progress


class Collected(NamedTuple):
    """What a model makes of the rows of a loader, in its order."""

    hidden: NDArray  # [n, d], what enters the head
    outputs: NDArray  # [n, k]


def collect(
    model: nn.Module,
    head: nn.Module | str | None,
    loader: Iterable,
    device: str | torch.device = "auto",
    call: Callable | None = None,
) -> Collected:
    """Run a model over a loader once; return what enters its `head`, and its outputs, float32.

    The model is in evaluation mode meanwhile, and as it was afterwards. A loader that takes more
    than a few seconds writes its progress to the error stream.

    Parameters
    ----------
    model : torch.nn.Module
        DataParallel and the like are unwrapped. Numbers are handed on in the type of its weights.
    head : torch.nn.Module or str, optional
        The part (or its name) whose input is wanted; by default the last `torch.nn.Linear`.
    loader : iterable of batches
        A batch is a tensor, a mapping, whose labels and ids are left out, or a sequence, whose last
        entry is the label if there are several: ``model(x)``, ``model(**batch)``,
        ``model(*batch[:-1])``. Inputs may be nested.
    device : str or torch.device
        ``auto``: where the model is. Otherwise it is moved there and back.
    call : callable (model, batch) -> outputs, optional
        How to run the model on a batch that is built in another way.

    Raises
    ------
    ValueError
        When the head is no part of the model, does not run once for each batch, or the loader
        shuffles or is empty.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> hidden, outputs = collect(model, model[-1], [torch.ones(5, 4), torch.zeros(5, 4)])
    >>> hidden.shape, outputs.shape
    ((10, 3), (10, 2))
    """
    return _collect(model, head, loader, device, call)[0]


def assess_models(
    teacher: nn.Module,
    student: nn.Module,
    teacher_loader: Iterable,
    student_loader: Iterable,
    *,
    teacher_head: nn.Module | str | None = None,
    student_head: nn.Module | str | None = None,
    labels: ArrayLike | None = None,
    ids: tuple[ArrayLike, ArrayLike] | None = None,
    device: str | torch.device = "auto",
    teacher_call: Callable | None = None,
    student_call: Callable | None = None,
    **options,
) -> criterion.Verdict:
    """Assess a teacher and an undistilled student on the same held-out rows, in the same order.

    Parameters
    ----------
    teacher, student, teacher_loader, student_loader, device
        As in `collect`; so are the heads and calls of both.
    labels : array_like [n], optional
        By default those in the loaders' batches.
    ids : pair of array_like [n], optional
        Names of the rows in either loader, which must agree; by default those that batches name
        ``id`` or ``ids``.
    **options
        Of `criterion.assess`.

    Raises
    ------
    ValueError
        When rows, labels or ids of the two loaders differ, or a loader shuffles. Where neither
        could be compared, a UserWarning says so.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> x = torch.randn(500, 6, generator=torch.Generator().manual_seed(0))
    >>> labels = (x.sum(1) > 0).long()
    >>> torch.manual_seed(0)  # doctest: +ELLIPSIS
    <torch._C.Generator object at ...>
    >>> teacher = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 2))
    >>> student = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    >>> verdict = assess_models(teacher, student, [(x, labels)], [(x[:, :3], labels)], checks=False)
    >>> verdict.decision
    'distil'
    """
    sides = (
        (teacher, teacher_head, teacher_loader, teacher_call),
        (student, student_head, student_loader, student_call),
    )
    (first, own_labels, own_ids), (second, more_labels, more_ids) = (
        _collect(model, head, loader, device, call) for model, head, loader, call in sides
    )
    if len(first.hidden) != len(second.hidden):
        raise ValueError(
            f"the teacher's loader gives {len(first.hidden)} rows, the student's "
            f"{len(second.hidden)}: both must give the same rows in the same order"
        )
    known = _agree("ids", *(ids or (own_ids, more_ids)))
    known |= _agree("labels", own_labels, more_labels)
    if not known:
        warnings.warn(
            "the loaders give neither labels nor ids to compare: that their rows are the same, in "
            "the same order, is taken on trust",
            stacklevel=2,
        )
    labels = next((a for a in (labels, own_labels, more_labels) if a is not None), None)
    if labels is None:
        raise ValueError("no labels: give labels= [n], or batches (inputs, labels)")
    return criterion.assess(
        first.hidden, second.hidden, labels,
        **{"teacher_logits": first.outputs, "student_logits": second.outputs, **options},
    )  # fmt: skip


def _agree(name, first, second):
    """Whether both are there; ValueError where they differ."""
    if first is None or second is None:
        return False
    first, second = np.asarray(first), np.asarray(second)
    if first.shape != second.shape or (rows := np.flatnonzero(_differ(first, second))).size:
        where = "" if first.shape != second.shape else f", in row {rows[0]} first"
        raise ValueError(
            f"the {name} of the two loaders differ{where}: both must give the same rows in the "
            "same order (shuffle=False)"
        )
    return True


def _differ(first, second):
    return (first != second).reshape(len(first), -1).any(axis=1)


def _collect(model, head, loader, device, call):
    """Collected, labels and ids of all batches, None where batches have none."""
    _refuse_shuffled(loader)
    while isinstance(model, WRAPPERS):
        model = model.module
    head = _head(model, head)
    weight = next(model.parameters(), torch.empty(0))
    here, dtype = weight.device, weight.dtype if weight.is_floating_point() else torch.float32
    there = here if str(device) == "auto" else torch.device(device)
    entered, parts = [], []

    def enter(module, inputs, named):
        tensors = [*_tensors([*inputs, *named.values()])]
        entered.append(tensors[0].flatten(1).float().cpu())

    modes = [(module, module.training) for module in model.modules()]
    hook = head.register_forward_pre_hook(enter, with_kwargs=True)
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # it would pass hooks by
    try:
        model.eval()
        model.to(there)
        with torch.no_grad():
            for batch in _progress(loader):
                inputs, labels, ids = _split(batch)
                moved = _moved(batch if call else inputs, there, dtype)
                outputs = _logits(call(model, moved) if call else _run(model, moved))
                if len(entered) != len(parts) + 1:
                    times = len(entered) - len(parts)
                    raise ValueError(f"the head ran {times} times for a batch: name another part")
                if len(entered[-1]) != len(outputs):
                    raise ValueError(
                        f"{len(entered[-1])} rows enter the head and {len(outputs)} come out of "
                        "the model: give a head that sees one row per sample"
                    )
                parts.append((entered[-1], outputs.flatten(1).float().cpu(), labels, ids))
    finally:
        hook.remove()
        torch.backends.mha.set_fastpath_enabled(fast)
        for module, training in modes:
            module.training = training
        model.to(here)
    if not parts:
        raise ValueError("the loader gives no batch")
    hidden, outputs, labels, ids = zip(*parts)
    collected = Collected(torch.cat(hidden).numpy(), torch.cat(outputs).numpy())
    return collected, _joined(labels), _joined(ids)


def _refuse_shuffled(loader):
    if isinstance(getattr(loader, "sampler", None), SHUFFLING):
        raise ValueError(
            "the loader shuffles: rows of teacher and student would no longer belong together; "
            "make it with shuffle=False"
        )
    rows = _length(getattr(loader, "dataset", ())) if getattr(loader, "drop_last", False) else None
    if rows and (left := rows % (loader.batch_size or 1)):
        warnings.warn(f"the loader has drop_last: {left} rows are left out", stacklevel=4)


def _head(model, head):
    if head is None:
        head = next((m for m in reversed([*model.modules()]) if isinstance(m, nn.Linear)), None)
        if head is None:
            raise ValueError("the model has no torch.nn.Linear: name its head")
    named = dict(model.named_modules())
    if isinstance(head, str):
        if head not in named:
            raise ValueError(f"the model has no part {head!r}: it has {', '.join([*named][1:9])}")
        return named[head]
    if not any(head is module for module in named.values()):
        raise ValueError("the head is no part of the model")
    return head


def _split(batch):
    """Inputs, labels and ids of a batch."""
    if isinstance(batch, Mapping):
        labels, ids = (
            next((batch[k] for k in names if k in batch), None) for names in (LABELS, IDS)
        )
        return {k: v for k, v in batch.items() if k not in (*LABELS, *IDS)}, labels, ids
    if isinstance(batch, Sequence) and not isinstance(batch, str) and len(batch) > 1:
        *inputs, labels = batch
        return (inputs[0] if len(inputs) == 1 else tuple(inputs)), labels, None
    return (batch[0] if isinstance(batch, Sequence) and len(batch) else batch), None, None


def _run(model, inputs):
    if isinstance(inputs, Mapping):
        return model(**inputs)
    return model(*inputs) if isinstance(inputs, tuple) else model(inputs)


def _moved(batch, device, dtype):
    """The same nest of tensors on a device; real ones in the type of the weights."""
    if isinstance(batch, torch.Tensor):
        return batch.to(device, dtype if batch.is_floating_point() else None)
    if isinstance(batch, Mapping):
        return {name: _moved(part, device, dtype) for name, part in batch.items()}
    if isinstance(batch, list | tuple):
        return type(batch)(_moved(part, device, dtype) for part in batch)
    return batch


def _tensors(nest):
    for part in nest:
        if isinstance(part, torch.Tensor):
            yield part
        elif isinstance(part, Mapping):
            yield from _tensors(part.values())
        elif isinstance(part, list | tuple):
            yield from _tensors(part)


def _logits(outputs):
    """The outputs [n, ...] of what a model returns: a tensor, ``logits``, or the first tensor."""
    if isinstance(outputs, torch.Tensor):
        return outputs
    held = outputs if isinstance(outputs, Mapping) else getattr(outputs, "__dict__", {})
    named = held.get("logits")
    if named is None:
        nest = outputs.values() if isinstance(outputs, Mapping) else outputs
        named = next((t for t in _tensors(nest) if t.ndim > 0), None)
    if named is None:
        raise ValueError("the model returns no tensor: give call=, which returns its outputs")
    return named


def _joined(parts):
    """All labels or ids in one array; None where a batch has none."""
    if any(part is None for part in parts):
        return None
    arrays = [p.cpu().numpy() if isinstance(p, torch.Tensor) else np.asarray(p) for p in parts]
    return np.concatenate([np.atleast_1d(array) for array in arrays])


def _length(sized):
    with contextlib.suppress(TypeError):  # streams have none
        return len(sized)


def _progress(loader):
    """Yield the batches; tell how many there were, when it takes long."""
    total = _length(loader)
    start = told = time.perf_counter()
    for done, batch in enumerate(loader):
        now = time.perf_counter()
        if done and now - told > QUIET:
            rest = (now - start) / done * ((total or 0) - done)
            left = f" of {total}, {rest:.0f} s left" if total else ""
            print(f"batches collected: {done}{left}", file=sys.stderr)
            told = now
        yield batch
