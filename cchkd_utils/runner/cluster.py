"""Many runs side by side on a Dask cluster: this machine's cores, or a scheduler anywhere.

Workers share a file system with the caller: each files its run itself, so that what is done
stays done whatever dies. A worker keeps a process with the libraries imported (`kernels`).
"""

import contextlib
import importlib.util
import itertools
import logging
import os
import signal
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from cchkd_utils.runner import runs
from cchkd_utils.runner.execute import KernelError, Run, RunError, perform, visible_gpus
from cchkd_utils.runner.parameters import ParameterError
from cchkd_utils.runner.runs import Plan

TRIES = 3  # of a point whose kernel died; Dask gives a point whose worker died as many
PATIENCE = 10  # seconds for a scheduler to answer, and to show its workers
UNGUARDED = 'no worker started; in a script, sweep under `if __name__ == "__main__":`'
GROUPS = ("run", "after")  # of tasks: without and with needs
DIED = "workers died on this point again and again: killed, or out of memory"
LOST = "the scheduler was lost; finished runs are kept, call again to go on"


class SchedulerError(RunError):
    """A scheduler that cannot be reached or has no workers."""


def run_many(
    plans: Sequence[Plan], *, workers: int | None = None, scheduler: str | None = None
) -> Iterator[tuple[int, Run | RunError]]:
    """Make runs side by side; yield the position and outcome of each as it ends.

    Those that are there already come first and start nothing. Runs that others need are made
    before them, whether they are among `plans` or not. For the rest see `sweep`.
    """
    check_where(workers, scheduler)
    missing: dict[str, Plan] = {}
    positions = defaultdict(list)
    for position, plan in enumerate(plans):
        if record := runs.finished(plan.folder):
            yield position, Run(plan.folder, record, reused=True)
            continue
        for need in plan.chain():
            if need is plan or not runs.finished(need.folder):
                missing.setdefault(need.key, need)
        positions[plan.key].append(position)
    rounds = [[*missing.values()]] if missing else []
    for together in rounds:
        killed = set()
        with _cluster(together, workers, scheduler) as (client, gpus):
            for key, outcome in _outcomes(client, together, gpus):
                if isinstance(outcome, _Killed) and len(together) > 1:
                    killed.add(key)
                else:
                    yield from ((position, outcome) for position in positions[key])
        # Again, alone: it may only have waited on a worker which another one killed. Those needed
        # come first, as they do in `together`.
        rounds += [[plan] for plan in together if plan.key in killed]


def check_where(workers: int | None, scheduler: str | None) -> None:
    """Raise `ParameterError` for what is no number of workers, or one beside a scheduler."""
    if workers is None:
        return
    if not isinstance(workers, int) or isinstance(workers, bool) or workers < 1:
        raise ParameterError(f"workers must be a whole number from 1 on, not {workers!r}")
    if scheduler:
        raise ParameterError("a scheduler has its own workers: leave their number out")


def default_workers(plans: Sequence[Plan]) -> int:
    """Return how many runs go at a time on this machine: one per GPU, else one per core."""
    from dask.system import CPU_COUNT  # those that this process may use

    may_use_gpu = any(plan.values.get("device", "cpu") != "cpu" for plan in plans)
    threads = max(plan.parts["threads"] for plan in plans)
    return (len(visible_gpus()) if may_use_gpu else 0) or max(1, CPU_COUNT // threads)


class _Killed(RunError):
    """Every worker that was given the point died."""


def _outcomes(
    client: Any, plans: Sequence[Plan], gpus: list[str]
) -> Iterator[tuple[str, Run | RunError]]:
    from distributed import KilledWorker, as_completed

    ours = uuid.uuid4().hex[:8]  # another's sweep of the same points is another's
    futures = {}
    for plan in plans:  # those needed stand before those that need them
        first = [futures[need.key] for need in plan.needs if need.key in futures]
        group = f"{GROUPS[bool(first)]}-{ours}"  # Dask keeps the order within a large group
        name = (group, plan.notebook.stem, plan.key)
        futures[plan.key] = client.submit(_work, plan, gpus, *first, key=name)
    keys = {future: key for key, future in futures.items()}
    for future in as_completed(keys):
        try:
            outcome = RunError(LOST) if future.status == "cancelled" else future.result()
        except RunError as error:
            outcome = error
        except KilledWorker:
            outcome = _Killed(DIED)
        except Exception as error:  # whatever happens on a cluster: the other points go on
            outcome = RunError(_line(error))
        yield keys.pop(future), outcome


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _work(plan: Plan, gpus: list[str], *needed: Run) -> Run:
    """Make one run, on a worker; those it needs are done by then."""
    from distributed import get_worker

    if record := runs.finished(plan.folder):  # made since the start, here or by another sweep
        return Run(plan.folder, record, reused=False)
    _, libraries = runs.imports(plan.notebook)
    # Workers of this machine are numbered; those of another scheduler come without GPUs.
    gpu = {"CUDA_VISIBLE_DEVICES": gpus[get_worker().name % len(gpus)]} if gpus else {}
    for attempt in itertools.count(1):
        try:
            return perform(plan, imports=libraries, extra=gpu)
        except KernelError:
            if attempt == TRIES:
                raise


@contextlib.contextmanager
def _cluster(plans: Sequence[Plan], workers: int | None, scheduler: str | None) -> Iterator[Any]:
    """Give a client, and the GPUs to share among the workers of this machine."""
    import dask
    from distributed import Client

    quiet = {
        "distributed.nanny.pre-spawn-environ": {},  # notebooks get the environment of the caller
        "distributed.scheduler.allowed-failures": TRIES,
        "distributed.scheduler.no-workers-timeout": "60s",  # if none comes back, points end
        # A worker gets its next run when it is free, in the order given, and may take one from
        # another's queue, which Dask allows where a duration is known.
        "distributed.scheduler.worker-saturation": 1.0,
        "distributed.scheduler.default-task-durations": dict.fromkeys(GROUPS, "60s"),
        "distributed.comm.timeouts.connect": f"{PATIENCE}s",
        "distributed.client.security-loader": None,
        # Dask watches itself some fifty times a second; a worker that waits for its kernel has
        # nothing to show, and the kernels want the cores.
        "distributed.worker.profile.enabled": False,
        "distributed.admin.tick.interval": "1s",
        "distributed.admin.system-monitor.interval": "5s",
        "distributed.scheduler.active-memory-manager.start": False,
    }
    with contextlib.ExitStack() as stack:
        # Dask's threads are silent about workers and schedulers that die: each point reports.
        stack.callback(logging.disable, logging.root.manager.disable)
        logging.disable(logging.CRITICAL)
        stack.enter_context(dask.config.set(quiet))
        if scheduler:
            client, gpus = stack.enter_context(_remote(scheduler)), []
        else:
            count = min(workers or default_workers(plans), len(plans))
            client = stack.enter_context(Client(stack.enter_context(_local(count))))
            gpus = visible_gpus()
        if importlib.util.find_spec("bokeh"):  # without it Dask serves no dashboard
            print(f"dashboard: {client.dashboard_link}", file=sys.stderr)
        yield client, gpus


@contextlib.contextmanager
def _local(count: int) -> Iterator[Any]:
    """Give a cluster that only this machine can reach; when interrupted, end it at once."""
    from distributed import LocalCluster

    main = sys.modules.get("__mp_main__")
    if main and main.__name__ == "__mp_main__":  # a worker, reading the script that started it
        raise SystemExit(1)
    try:
        cluster = LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            worker_dashboard_address="127.0.0.1:0",
            memory_limit=0,  # the notebooks' memory is not the worker's own
            silence_logs=logging.CRITICAL,
        )
    except RuntimeError as error:
        cause: BaseException = error
        while cause.__cause__ or cause.__context__:
            cause = cause.__cause__ or cause.__context__
        if "worker process" in str(cause):  # it ended before it began
            raise SchedulerError(UNGUARDED) from None
        raise SchedulerError(f"no cluster on this machine: {_line(cause)}") from None
    try:
        yield cluster
    except BaseException:
        for nanny in cluster.workers.values():
            nanny.auto_restart = False
        alive = [pid for nanny in cluster.workers.values() if (pid := nanny.pid)]
        for pid in alive:
            with contextlib.suppress(ProcessLookupError):  # gone already
                os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))  # with its kernel
        _wait_for_end(alive)
        raise
    finally:
        cluster.close(timeout=PATIENCE)


def _wait_for_end(pids: list[int]) -> None:
    """Wait for killed workers: until they are gone, their workplaces count as in use."""
    import psutil

    deadline = time.monotonic() + PATIENCE
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                if time.monotonic() > deadline:
                    return
                time.sleep(0.02)


@contextlib.contextmanager
def _remote(address: str) -> Iterator[Any]:
    from distributed import Client

    try:
        client = Client(address, timeout=PATIENCE)
    except (OSError, ValueError, TypeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise SchedulerError(f"no scheduler answers at {address}: {reason}") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise SchedulerError(f"the scheduler at {address} has no workers: start one") from None
        # papermill changes the folder of its whole process, so that threads wait for each other
        if many := [name for name, threads in client.nthreads().items() if threads != 1]:
            raise SchedulerError(f"the worker {many[0]} has threads: start it with --nthreads 1")
        yield client
