import io

import pytest

from cchkd_utils.runner.progress import Progress, clock, setting


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.2, "0 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")],
)
def test_clock(seconds, shown):
    assert clock(seconds) == shown


def test_settings_are_written_as_they_are_typed():
    point = {"lam": [0.2], "blur": [0.0, 1.0], "quick": True, "data": "real"}
    assert setting(point) == "lam=0.2 blur=[0.0,1.0] quick=true data=real"


def test_a_log_gets_lines_and_a_terminal_one_line_that_renews_itself():
    log, terminal = io.StringIO(), Terminal()
    for stream in (log, terminal):
        progress = Progress(stream=stream)
        progress.add({"lam": [0.2]}, "done in 6.0 s", left=1)
        progress.add({"lam": [0.5]}, "failed", left=0)
    first, second = log.getvalue().splitlines()
    assert first.endswith("1/2 done in 6.0 s: lam=0.2") and "per minute, 0 s left)" in second
    assert "2/2 failed: lam=0.5" in second
    shown = terminal.getvalue()
    assert shown.count("\n") == 1 and shown.endswith("\n") and shown.count("\r\x1b[K") == 2


def test_the_time_left_is_that_of_warm_workers(monkeypatch):
    """Two workers: 20 s with imports for their first points, then 4 s for each."""
    now = iter([0.0, 20.0, 20.0, 24.0, 24.0])
    monkeypatch.setattr("cchkd_utils.runner.progress.time.monotonic", lambda: next(now))
    log = io.StringIO()
    progress = Progress(2, log)
    for ended in range(1, 5):
        progress.add({}, "done", left=10 - ended)
    *early, last = log.getvalue().splitlines()
    assert not any("left" in line for line in early)
    assert "(30 per minute, 12 s left)" in last
