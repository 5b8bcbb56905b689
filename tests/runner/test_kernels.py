import asyncio
import gc
import os
import sys
import time

import pytest
from nbclient.exceptions import DeadKernelError

from cchkd_utils import paths, results, runner
from cchkd_utils.runner import kernels, runs
from cchkd_utils.runner.execute import perform

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")


@pytest.fixture
def servers(monkeypatch):
    """The fork servers of this test; they are ended with it."""
    own = {}
    monkeypatch.setattr(kernels, "_servers", own)
    yield own
    for server in own.values():
        server.close()


def warm(**given):
    plan = runner.plan("01", given, preset="smoke")
    return perform(plan, imports=runs.imports(plan.notebook)[1])


def edit(old, new):
    path = paths.NOTEBOOKS / "01_tiny.ipynb"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


SEEN = (
    "import json, os, sys, numpy, pandas, threading; "
    "Path(marker).write_text(json.dumps([os.getppid(), 'pandas' in LOADED, "
    "float(numpy.random.rand()), pandas.get_option('display.max_columns'), os.getcwd(), "
    "os.environ['OMP_NUM_THREADS'], os.environ['MPLBACKEND'], hash('a'), sys.argv[0][-18:]]))"
)


def test_a_forked_kernel_gives_the_tables_of_a_cold_one(tiny, servers, monkeypatch):
    monkeypatch.delenv("MPLBACKEND", raising=False)
    edit("import time", "import sys; LOADED = set(sys.modules)\\nimport time")
    edit("time.sleep(seconds)", SEEN)
    import json

    seen, tables, keys = [], [], []
    for name in ("warm", "cold"):
        given = {"marker": str(tiny / "seen")}
        run = warm(**given) if name == "warm" else runner.run(
            "01", given, preset="smoke", force=True, progress=False
        )  # fmt: skip
        seen.append(json.loads((tiny / "seen").read_text()))
        keys.append(run.folder.name)
        files = [(run.folder / f"{t}.csv", t) for t in ("results", "verdicts")]
        drop = {"columns": results.VOLATILE, "errors": "ignore"}
        tables.append([results.read(*file).drop(**drop) for file in files])
    (forked, *own), (cold, *anew) = seen
    assert keys[0] == keys[1] and all(a.equals(b) for a, b in zip(*tables))
    (server,) = servers.values()
    assert forked == server.pid != cold
    assert own[0] and not anew[0]  # pandas was there before the first cell, and was not
    assert own[1] != anew[1]  # numpy's own stream is not shared among kernels
    part = [list(map(str, x[3:4])) for x in (own, anew)]
    assert all(".part-" in path[0] for path in part)
    assert [own[2], *own[4:-1]] == [anew[2], *anew[4:-1]]


def test_kernels_do_not_share_a_stream_of_random_numbers(tiny, servers):
    edit("time.sleep(seconds)", "import numpy; Path(marker).write_text(str(numpy.random.rand()))")
    drawn = set()
    for n in (1, 2):
        warm(n_seeds=n, marker=str(tiny / "drawn"))
        drawn.add((tiny / "drawn").read_text())
    assert len(drawn) == 2 and len(servers) == 1


def test_an_optimizer_imports_nothing_more_at_its_first_step(tiny, servers):
    step = "torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))]).step()"
    seen = "Path(marker).write_text(' '.join(set(sys.modules) - before))"
    edit("time.sleep(seconds)", f"import sys, torch; before = set(sys.modules); {step}; {seen}")
    plan = runner.plan("01", {"marker": str(tiny / "seen")}, preset="smoke")
    perform(plan, imports=["torch"])
    assert (tiny / "seen").read_text() == ""


def test_an_edited_module_is_read_anew(tiny, servers):
    """The server has imported libraries, and none of the book's own modules."""
    warm()
    (server,) = servers.values()
    with open(f"/proc/{server.pid}/maps") as file:
        assert "numpy" in file.read()
    edit("time.sleep(seconds)", "import sys; assert 'cchkd_utils.results' in sys.modules")
    edit("import time", "import sys; assert 'cchkd_utils' not in sys.modules; import time")
    warm()


def test_a_kernel_ends_with_its_server_and_is_a_kernel_error(tiny, servers):
    edit(
        "time.sleep(seconds)",
        "import os, signal; os.kill(os.getppid(), signal.SIGKILL); time.sleep(60)",
    )
    with pytest.raises(runner.KernelError, match="the kernel died: out of memory, or killed"):
        warm(n_seeds=2)
    edit("os.kill(os.getppid(), signal.SIGKILL); time.sleep(60)", "pass")
    assert not warm(n_seeds=3).reused  # a new server takes over


def test_a_dead_server_is_not_waited_for(tiny, servers):
    """A process that its kernel started, and left, holds none of its streams."""
    leave = "import os, signal\\nif os.fork() == 0:\\n    os.setsid(); time.sleep(40); os._exit(0)"
    edit("time.sleep(seconds)", f"{leave}\\nos.kill(os.getppid(), signal.SIGKILL); time.sleep(60)")
    with pytest.raises(runner.KernelError):
        warm(n_seeds=2)
    start = time.monotonic()
    edit("os.kill(os.getppid(), signal.SIGKILL); time.sleep(60)", "pass")
    assert not warm(n_seeds=3).reused and time.monotonic() - start < 30


def test_a_kernel_s_files_are_in_the_workplace(tiny, servers, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tiny / "temporary"))
    (tiny / "temporary").mkdir()
    seen = "Path(marker).write_text(' '.join(os.listdir()) + str(os.listdir(TMP)))"
    edit("time.sleep(seconds)", f"import os; TMP = {str(tiny / 'temporary')!r}; {seen}")
    run = warm(marker=str(tiny / "seen"))
    seen = (tiny / "seen").read_text()
    assert "kernel.json" in seen and seen.endswith("[]")
    assert set(run.record["files"]) == {"notebook.ipynb", "results.csv", "verdicts.csv"}


def test_no_memory_is_a_kernel_error(tiny, servers):
    edit("time.sleep(seconds)", "bytearray(1 << 60)")
    with pytest.raises(runner.KernelError, match="MemoryError"):
        warm()


def test_a_server_with_threads_forks_nothing(tiny, servers, monkeypatch):
    """A library that starts threads on import makes kernels start cold."""
    (tiny / "threads_on_import.py").write_text(
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tiny}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    edit("time.sleep(seconds)", "import os; Path(marker).write_text(str(os.getppid()))")
    plan = runner.plan("01", {"marker": str(tiny / "parent")}, preset="smoke")
    perform(plan, imports=["threads_on_import"])
    assert int((tiny / "parent").read_text()) == os.getpid()


def test_where_fork_is_not_safe_kernels_start_cold(tiny, servers, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    start = time.monotonic()
    assert not warm().reused
    assert servers == {} and time.monotonic() > start


def test_a_cell_that_ended_with_its_kernel_leaves_no_traceback(caplog):
    """Ctrl-C may end the kernel first: then nobody awaits the task of its cell (seen in CI)."""

    async def cell():
        raise DeadKernelError("Kernel died")

    async def interrupted(task):
        asyncio.ensure_future(task())  # noqa: RUF006, nobody awaits it
        await asyncio.sleep(0)

    asyncio.run(interrupted(cell))
    gc.collect()
    assert not caplog.records

    async def refused():
        raise OSError("of another kind")

    asyncio.run(interrupted(refused))
    gc.collect()
    assert "never retrieved" in caplog.text
