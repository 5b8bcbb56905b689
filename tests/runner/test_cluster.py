"""What dies, and that nothing is lost: workers, sweeps and schedulers killed half-way."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from cchkd_utils import paths, results, runner
from cchkd_utils.book import cli
from cchkd_utils.runner import cluster

pytestmark = pytest.mark.slow

SWEEP = ["sweep", "01", "--preset", "smoke", "-p", "n_seeds=1..6", "-p", "seconds=0.7"]
START = """
import signal
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a terminal, also behind an "&"
from cchkd_utils import paths
from cchkd_utils.book import cli
paths.NOTEBOOKS = Path({notebooks!r}); paths.PRESETS = paths.NOTEBOOKS / "presets.yml"
if __name__ == "__main__":
    raise SystemExit(cli.main({words!r}))
"""
_undisturbed = {}


@contextlib.contextmanager
def started(*words, under=()):
    """Start ``cchkd`` on the tiny project, in a session of its own."""
    code = START.format(notebooks=str(paths.NOTEBOOKS), words=[*words])
    process = subprocess.Popen(
        [*under, sys.executable, "-c", code], start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def finish(process, timeout=300):
    out, err = process.communicate(timeout=timeout)
    return process.returncode, out.splitlines(), err.splitlines()


def call(*words, **options):
    with started(*words, **options) as process:
        return finish(process)


def done():
    """List the finished runs."""
    return list((paths.runs_root() / "01_tiny").glob("[0-9a-f]*/run.json"))


def wait_for(condition, process=None):
    deadline = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < deadline and (process is None or process.poll() is None)
        time.sleep(0.05)


def table(out):
    """Read the tables that a sweep announces, less what may differ between equal runs."""
    folder = out[-2].rpartition(": ")[2]
    read = [results.read(f"{folder}/{name}.csv", name) for name in ("results", "verdicts")]
    return [frame.drop(columns=["seconds", "git_sha"]) for frame in read]


def undisturbed(tiny, monkeypatch):
    """Return the tables of the sweep when nothing happens to it."""
    if not _undisturbed:
        with monkeypatch.context() as patch:
            patch.setenv("CCHKD_RUNS", str(tiny / "undisturbed"))
            status, out, _ = call(*SWEEP, "--workers", "2")
            assert status == 0 and out[-1] == "6 done, 0 reused, 0 failed"
            _undisturbed["tables"] = table(out)
    return _undisturbed["tables"]


def same(tables, unbroken):
    return all(a.equals(b) for a, b in zip(tables, unbroken, strict=True))


def workers_of(process):
    """List the process ids of the workers that a sweep has started."""
    workers = subprocess.run(
        ["pgrep", "--parent", str(process.pid), "-f", "spawn_main"], capture_output=True, text=True
    )
    return [int(word) for word in workers.stdout.split()]


def test_a_killed_worker_loses_nothing(tiny, monkeypatch):
    with started(*SWEEP, "--workers", "2") as process:
        wait_for(lambda: len(done()) >= 2, process)
        os.kill(workers_of(process)[-1], signal.SIGKILL)
        status, out, _ = finish(process)
    assert status == 0 and out[-1] == "6 done, 0 reused, 0 failed"
    assert same(table(out), undisturbed(tiny, monkeypatch))
    assert not list((paths.runs_root() / "01_tiny").glob(".part-*"))


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGINT])
def test_a_sweep_that_was_ended_goes_on(tiny, monkeypatch, signum):
    with started(*SWEEP, "--workers", "2") as process:
        wait_for(lambda: len(done()) >= 2, process)
        if signum == signal.SIGKILL:
            process.kill()
        else:
            os.killpg(process.pid, signum)  # as a terminal does: the workers get it too
        status, _, err = finish(process, timeout=90)
    if signum == signal.SIGINT:
        assert status == 130
        assert [line for line in err if not line.startswith("[")] == [
            "cchkd: stopped; finished runs are kept, call again to go on"
        ]
        assert not list((paths.runs_root() / "01_tiny").glob(".part-*"))
    count = len(done())
    assert 2 <= count < 6
    status, out, _ = call(*SWEEP, "--workers", "2")
    assert status == 0 and out[-1] == f"{6 - count} done, {count} reused, 0 failed"
    assert same(table(out), undisturbed(tiny, monkeypatch))
    assert not list((paths.runs_root() / "01_tiny").glob(".part-*"))


@contextlib.contextmanager
def dask(folder, workers=2, threads=1):
    """Start a scheduler and workers, as a user would; give its address and process."""
    file = folder / "scheduler.json"
    common = ["--scheduler-file", str(file), "--no-dashboard"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    start = [sys.executable, "-m", "dask"]
    with contextlib.ExitStack() as stack:

        def process(*words):
            begun = subprocess.Popen([*start, *words], start_new_session=True, **quiet)
            stack.callback(begun.wait)
            stack.callback(begun.kill)
            return begun

        scheduler = process("scheduler", "--host", "127.0.0.1", "--port", "0", *common)
        wait_for(file.exists, scheduler)
        words = ["worker", "--host", "127.0.0.1", "--nthreads", str(threads), "--no-nanny", *common]
        for _ in range(workers):
            process(*words)
        yield json.loads(file.read_text())["address"], scheduler


def test_the_same_sweep_by_address_gives_the_same_table(tiny, monkeypatch):
    with dask(tiny) as (address, _):
        status, out, err = call(*SWEEP, "--scheduler", address)
    assert status == 0 and out[-1] == "6 done, 0 reused, 0 failed", err
    assert same(table(out), undisturbed(tiny, monkeypatch))


def test_a_killed_scheduler_loses_no_finished_run(tiny, monkeypatch):
    with dask(tiny) as (address, scheduler), started(*SWEEP, "--scheduler", address) as process:
        wait_for(lambda: len(done()) >= 2, process)
        scheduler.kill()
        status, out, err = finish(process)
    count = len(done())
    assert status == 1 and 2 <= count < 6
    assert any("the scheduler was lost; finished runs are kept" in line for line in err)
    assert "Traceback" not in "\n".join(err)
    status, out, _ = call(*SWEEP, "--workers", "2")
    assert status == 0 and out[-1] == f"{6 - count} done, {count} reused, 0 failed"
    assert same(table(out), undisturbed(tiny, monkeypatch))


def test_no_scheduler_is_one_line_and_soon(tiny, monkeypatch, capsys):
    monkeypatch.setattr(cluster, "PATIENCE", 1)
    for address in ("tcp://127.0.0.1:9", "nowhere", "tcp://127.0.0.1"):
        assert cli.main([*SWEEP, "--scheduler", address]) == 1
        out, err = capsys.readouterr()
        assert out == "" and f"no scheduler answers at {address}" in err and err.count("\n") == 1


def test_a_scheduler_without_workers_is_one_line_and_soon(tiny, monkeypatch, capsys):
    monkeypatch.setattr(cluster, "PATIENCE", 1)
    with dask(tiny, workers=0) as (address, _):
        assert cli.main([*SWEEP, "--scheduler", address]) == 1
    out, err = capsys.readouterr()
    assert out == "" and f"{address} has no workers: start one" in err and err.count("\n") == 1


def test_workers_with_threads_are_refused(tiny, capsys):
    with dask(tiny, threads=2) as (address, _):
        assert cli.main([*SWEEP, "--scheduler", address]) == 1
    out, err = capsys.readouterr()
    assert out == "" and "has threads: start it with --nthreads 1" in err
    assert err.rstrip().count("\n") <= 1  # the dashboard's address may stand above


def test_a_cluster_that_does_not_start_says_why(tiny, monkeypatch):
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION", "true")
    status, out, err = call(*SWEEP, "--workers", "1")
    assert status == 1 and out == []
    assert err[-1].startswith("cchkd: no cluster on this machine: ") and "TLS" in err[-1]


def test_a_notebook_s_error_is_not_retried_and_a_dead_kernel_is(tiny, capsys):
    path = paths.NOTEBOOKS / "01_tiny.ipynb"
    count = "with Path(marker).open('a') as file: file.write('.')"
    die = "n_seeds == 2 and len(Path(marker).read_text()) < 3 and os.kill(os.getpid(), 9)"
    lines = f"    import os\\n    {count}\\n    {die}"
    path.write_text(path.read_text().replace("    Path(marker).touch()", lines))
    grid = {"marker": [str(tiny / "a")], "fail": ["", "no luck"], "n_seeds": [1]}
    done = runner.sweep("01", grid, preset="smoke", workers=1)
    assert len(done.failed) == 1 and (tiny / "a").read_text() == ".."  # one try each
    done = runner.sweep("01", {"marker": [str(tiny / "b")], "n_seeds": [2]}, workers=1)
    assert done.failed == [] and (tiny / "b").read_text() == "..."  # the third try went well


def test_a_point_that_kills_its_worker_ends_and_the_others_go_on(tiny):
    """The worker is the parent of the process that forks the kernels; the others wait on it."""
    path = paths.NOTEBOOKS / "01_tiny.ipynb"
    kill = (
        "import os, signal\\nif n_seeds == 2:\\n    stat = f'/proc/{os.getppid()}/stat'\\n"
        "    worker = int(Path(stat).read_text().rpartition(')')[2].split()[1])\\n"
        "    os.kill(worker, signal.SIGKILL)\\n    time.sleep(60)"
    )
    path.write_text(path.read_text().replace("time.sleep(seconds)", kill))
    done = runner.sweep("01", {"n_seeds": "1..3"}, preset="smoke", workers=1)
    ((point, error),) = done.failed
    assert point == {"n_seeds": 2} and "workers died on this point" in error
    assert (done.done, done.reused) == (2, 0)


def test_ports_are_open_on_this_machine_only(tiny):
    with started(*SWEEP, "--workers", "1") as process:
        wait_for(lambda: len(done()) >= 1, process)
        family = [process.pid, *workers_of(process)]
        inodes = {
            os.readlink(link)[8:-1]
            for pid in family
            for link in (f"/proc/{pid}/fd/{fd}" for fd in os.listdir(f"/proc/{pid}/fd"))
            if os.path.islink(link) and os.readlink(link).startswith("socket:[")
        }
    with open("/proc/net/tcp") as four, open("/proc/net/tcp6") as six:
        rows = [line.split() for line in [*four, *six]]
    listening = [row[1] for row in rows if row[3] == "0A" and row[9] in inodes]
    assert all(address.startswith("0100007F:") for address in listening)


def test_an_unwritable_folder_is_one_line(tiny, monkeypatch, capsys):
    (tiny / "file").touch()
    monkeypatch.setenv("CCHKD_RUNS", str(tiny / "file" / "runs"))
    assert cli.main(SWEEP) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and str(tiny / "file") in err


def test_a_full_disk_is_a_clear_error_of_each_point(tiny, monkeypatch):
    """On a file system of 40 kB, where this user may mount one."""
    small = tiny / "small"
    small.mkdir()
    under = [
        "unshare",
        "-rm",
        "sh",
        "-c",
        f'mount -t tmpfs -o size=40k t {small} && exec "$@"',
        "-",
    ]
    if (
        not shutil.which("unshare")
        or subprocess.run([*under, "true"], capture_output=True).returncode
    ):
        pytest.skip("this user may not mount a file system")
    monkeypatch.setenv("CCHKD_RUNS", str(small / "runs"))
    words = ["sweep", "01", "--preset", "smoke", "-p", "n_seeds=1..12", "--workers", "1"]
    status, _, err = call(*words, under=under)
    text = "\n".join(err)
    assert status == 1 and "No space left on device" in text and "Traceback" not in text


def test_a_script_that_lacks_the_guard_of_its_main_part_is_told_so(tmp_path):
    script = tmp_path / "script.py"
    call = 'runner.sweep("07", {"seed": range(2)}, preset="smoke")'
    script.write_text(f"from cchkd_utils import runner\n{call}\n")
    environment = os.environ | {"PYTHONPATH": str(paths.ROOT), "CCHKD_RUNS": str(tmp_path / "runs")}
    made = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, env=environment, timeout=120
    )
    assert made.returncode == 1 and made.stderr.count("Traceback") == 1
    assert made.stderr.rstrip().endswith('sweep under `if __name__ == "__main__":`')


@pytest.mark.parametrize(
    ("values", "threads", "gpus", "workers"),
    [({"device": "auto"}, 1, "0,1", 2), ({"device": "cpu"}, 1, "0,1", 6), ({}, 1, "0,1", 6),
     ({"device": "auto"}, 1, "", 6), ({}, 4, "", 1), ({}, 9, "", 1), ({}, 2, "", 3)],
)  # fmt: skip
def test_as_many_runs_as_gpus_where_they_are_used_else_as_cores(
    monkeypatch, values, threads, gpus, workers
):
    monkeypatch.setattr("dask.system.CPU_COUNT", 6)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", gpus)
    plans = [SimpleNamespace(values=values, parts={"threads": threads})]
    assert cluster.default_workers(plans) == workers
