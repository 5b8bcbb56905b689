"""What this machine has for runs: cores and GPUs."""

import os
import re
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from cchkd_utils.runner.plans import Plan

GPU = re.compile(r"\d+|(?:GPU|MIG)-.+")


def default_workers(plans: Sequence[Plan]) -> int:
    """Return how many runs go at a time on this machine: one per GPU, else one per core."""
    from dask.system import CPU_COUNT  # those that this process may use

    may_use_gpu = any(plan.values.get("device", "cpu") != "cpu" for plan in plans)
    threads = max(plan.parts["threads"] for plan in plans)
    return (len(visible_gpus()) if may_use_gpu else 0) or max(1, CPU_COUNT // threads)


def visible_gpus() -> list[str]:
    """List the NVIDIA GPUs that notebooks may use, as ``CUDA_VISIBLE_DEVICES`` names them."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:  # CUDA stops at the first name that is none, such as -1
        return [*takewhile(GPU.fullmatch, (name.strip() for name in chosen.split(",")))]
    return [str(i) for i, _ in enumerate(Path("/proc/driver/nvidia/gpus").glob("*"))]
