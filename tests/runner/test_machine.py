from types import SimpleNamespace

import dask.system
import pytest

from cchkd_utils.runner import machine


@pytest.mark.parametrize(
    ("chosen", "seen"),
    [("0,1", ["0", "1"]), (" 2 ", ["2"]), ("", []), ("-1", []), ("0,-1,1", ["0"]),
     ("NoDevFiles", []), ("GPU-8a,MIG-1/2", ["GPU-8a", "MIG-1/2"])],
)  # fmt: skip
def test_gpus_are_those_that_cuda_would_see(monkeypatch, chosen, seen):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert machine.visible_gpus() == seen


@pytest.mark.parametrize(
    ("values", "threads", "gpus", "workers"),
    [({"device": "auto"}, 1, "0,1", 2), ({"device": "cpu"}, 1, "0,1", 6), ({}, 1, "0,1", 6),
     ({"device": "auto"}, 1, "", 6), ({}, 4, "", 1), ({}, 9, "", 1), ({}, 2, "", 3)],
)  # fmt: skip
def test_as_many_runs_as_gpus_where_they_are_used_else_as_cores(
    monkeypatch, values, threads, gpus, workers
):
    monkeypatch.setattr(dask.system, "CPU_COUNT", 6)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", gpus)
    plans = [SimpleNamespace(values=values, parts={"threads": threads})]
    assert machine.default_workers(plans) == workers
