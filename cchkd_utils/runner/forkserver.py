"""A process that has imported the libraries and forks a fresh kernel whenever it is asked.

Importing torch takes seconds, a fork takes milliseconds. The server is one thread that imports
what it is told and computes nothing, so that a fork of it is as good as a new process. It never
imports ``cchkd_utils``: each kernel reads the sources as they are. It is started by path, talks
JSON lines on its standard streams (one order in, one process id out, 0 for "cannot"), and ends
with the process that started it; its kernels end with it.
"""

import builtins
import contextlib
import ctypes
import gc
import importlib
import json
import os
import signal
import sys
from types import SimpleNamespace

PR_SET_PDEATHSIG = 1  # Linux: the signal a process gets when its parent ends


def serve() -> None:
    """Fork a kernel for every order that comes, until the orders end."""
    orders, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # what a library prints on import is no answer
        os.dup2(nothing, stream)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # ended kernels leave no zombies
    import ipykernel.kernelapp  # noqa: F401

    for line in orders:
        order = json.loads(line)
        _import(order["imports"])
        gc.freeze()  # memory that stays shared
        threads = len(os.listdir("/proc/self/task"))
        child = _fork(order, [orders, answers]) if threads == 1 else 0
        print(child, file=answers, flush=True)


def _import(names: list[str]) -> None:
    # pandas asks on import how wide its reader's window is: that of a notebook
    builtins.get_ipython = lambda: SimpleNamespace(kernel=None)
    for name in names:
        with contextlib.suppress(Exception):  # the notebook will say so itself
            importlib.import_module(name)
    if "torch.optim" in sys.modules:  # an optimiser imports it at its first step: a second
        with contextlib.suppress(Exception):
            importlib.import_module("torch._dynamo")
    del builtins.get_ipython


def _fork(order: dict, streams: list) -> int:
    server = os.getpid()
    if child := os.fork():
        return child
    try:
        for stream in streams:  # who reads them shall see the server's end, not its kernels'
            os.close(stream.fileno())
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == server:
            _become_kernel(order, server)
    finally:
        os._exit(0)  # whatever happens; nobody is told the status of a child's child


def _become_kernel(order: dict, server: int) -> None:
    os.setsid()  # a group of its own, as for any kernel: signals reach what it starts
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(order["environment"], JPY_PARENT_PID=str(server))
    os.chdir(order["folder"])
    importlib.invalidate_caches()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()  # else every kernel would draw the server's numbers
    from ipykernel import kernelapp

    sys.argv = ["ipykernel_launcher", *order["arguments"]]
    kernelapp.launch_new_instance()


if __name__ == "__main__":
    serve()
