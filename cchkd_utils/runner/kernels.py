"""Kernels that start warm: forked from a process that has the libraries imported already.

Where a fork is not safe (macOS, Windows, a library with threads) the kernel starts cold; the
results are the same. Papermill drives them by an engine of its own.
"""

import contextlib
import json
import logging
import os
import select
import signal
import subprocess
import sys
from functools import partialmethod
from pathlib import Path
from typing import Any

from ipykernel.kernelspec import get_kernel_dict
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbclient.exceptions import DeadKernelError
from papermill.engines import NBClientEngine, papermill_engines
from traitlets import Dict, List

SERVER = Path(__file__).with_name("forkserver.py")
BEFORE_IMPORTS = {
    # What ipykernel sets before a notebook's imports has to be set before those of the server.
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",  # pyarrow's only thread, of no use here
}
ENGINE = "written-once"
PATIENCE = 300  # seconds for the imports
_servers: dict[str, "_ForkServer"] = {}


class _Engine(NBClientEngine):
    """Writes the notebook once, at the end, failed or not; papermill's own after every cell."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, *args: Any, **kw: Any) -> None:
        path, nb_man.output_path = nb_man.output_path, None
        try:
            super().execute_managed_notebook(nb_man, *args, **kw)
        finally:
            nb_man.output_path = path  # papermill's last step is to save


papermill_engines.register(ENGINE, _Engine)


def _awaited(record: logging.LogRecord) -> bool:
    """Whether it is not asyncio's word on a cell that ended with its kernel after Ctrl-C."""
    return not (record.exc_info and isinstance(record.exc_info[1], DeadKernelError))


logging.getLogger("asyncio").addFilter(_awaited)


class KernelManager(AsyncKernelManager):
    """Starts a kernel in a given environment; warm when `imports` names what to have ready."""

    environment = Dict().tag(config=True)
    imports = List(allow_none=True, default_value=None).tag(config=True)

    @property
    def kernel_spec(self) -> KernelSpec:
        """Always this Python, whatever kernels the user has installed under the same name."""
        return KernelSpec(**get_kernel_dict())

    async def _async_launch_kernel(self, kernel_cmd: list[str], **kw: Any) -> None:
        kw["env"] = {**kw.get("env", os.environ), **self.environment}
        warm = self.imports is not None and _can_fork()
        process = self._forked(kernel_cmd, kw) if warm else None
        if process is None:
            return await super()._async_launch_kernel(kernel_cmd, **kw)
        own = self.provisioner
        own.process, own.pid, own.pgid, own.cwd = process, process.pid, process.pid, kw.get("cwd")
        return self._reconcile_connection_info(own.connection_info)

    def _forked(self, command: list[str], kw: dict[str, Any]) -> "_Forked | None":
        environment = BEFORE_IMPORTS | kw["env"]
        order = {
            "arguments": command[command.index("ipykernel_launcher") + 1 :],
            "environment": environment,
            "folder": str(kw.get("cwd") or Path.cwd()),
            "imports": self.imports,
        }
        key = environment.get("OMP_NUM_THREADS", "")  # a library reads it when it is imported
        if key in _servers and _servers[key].poll() is not None:
            _servers.pop(key).close()
        if key not in _servers:
            _servers[key] = _ForkServer(environment)
        child = _servers[key].ask(order)
        return _Forked(child) if child else None


def _can_fork() -> bool:
    if sys.platform != "linux":
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:  # Linux before 5.3
        return False
    return True


class _ForkServer(subprocess.Popen):
    """The process of `forkserver.py`; it ends when this one does."""

    def __init__(self, environment: dict[str, str]) -> None:
        super().__init__(
            [sys.executable, "-P", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env=environment, start_new_session=True,  # Ctrl-C is not for it
        )  # fmt: skip

    def close(self) -> None:
        """End the server and its kernels."""
        self.kill()
        with contextlib.suppress(OSError), self:  # an order that was not taken
            pass

    def ask(self, order: dict[str, Any]) -> int:
        """Return the process id of a new kernel, 0 when there is none."""
        try:
            self.stdin.write(json.dumps(order) + "\n")
            self.stdin.flush()
            if not select.select([self.stdout], [], [], PATIENCE)[0]:
                self.close()  # an import that hangs
                return 0
            return int(self.stdout.readline() or 0)
        except OSError:  # the server was killed
            return 0


class _Forked:
    """A process that is not our child, with what `LocalProvisioner` needs of a `Popen`."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int) -> None:
        self.pid = pid
        try:
            self._handle = os.pidfd_open(pid)
        except ProcessLookupError:  # gone already
            self._handle = None

    def poll(self) -> int | None:
        if self._handle is not None and select.select([self._handle], [], [], 0)[0]:
            os.close(self._handle)
            self._handle = None
        return None if self._handle is not None else 0

    def wait(self) -> int:
        while self.poll() is None:
            select.select([self._handle], [], [])
        return 0

    def send_signal(self, signum: int) -> None:
        if self.poll() is None:
            signal.pidfd_send_signal(self._handle, signum)

    kill = partialmethod(send_signal, signal.SIGKILL)
    terminate = partialmethod(send_signal, signal.SIGTERM)
