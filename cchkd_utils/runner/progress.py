"""How far a sweep is: one line that renews itself on a terminal, plain lines in a log."""

import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO


class Progress:
    """Counts the points that have to run; those that are there already take no time.

    The rate is taken after each of the `workers` has ended a first point: until then libraries
    are imported.
    """

    def __init__(self, workers: int = 1, stream: TextIO | None = None) -> None:
        self._ended = 0
        self._workers = workers
        self._stream = stream or sys.stderr
        self._started = self._warm = time.monotonic()
        self._is_terminal = self._stream.isatty()

    def add(self, given: Mapping[str, Any], word: str, left: int) -> None:
        """Report that a point ended, how (``done in 6 s``, ``failed``), and how many are left."""
        self._ended += 1
        now = time.monotonic()
        if self._ended == self._workers:
            self._warm = now
        spent = clock(now - self._started)
        line = f"[{spent}] {self._ended}/{self._ended + left} {word}: {setting(given)}"
        if self._ended >= 2 * self._workers:
            rate = (self._ended - self._workers) / max(now - self._warm, 1e-9)
            line += f" ({60 * rate:.3g} per minute, {clock(left / rate)} left)"
        if self._is_terminal:
            line = "\r\x1b[K" + line[:119] + "\n" * (left == 0)
        else:
            line += "\n"
        self._stream.write(line)
        self._stream.flush()


def setting(given: Mapping[str, Any]) -> str:
    """Write parameters as they would be typed."""
    return " ".join(f"{name}={text(value)}" for name, value in given.items())


def text(value: Any) -> str:
    """Write one value as it would be typed as a point of a grid."""
    if isinstance(value, list):
        inner = ",".join(text(one) for one in value)
        return inner if len(value) == 1 else f"[{inner}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def clock(seconds: float) -> str:
    """Write a time: ``8 s``, ``3 min 20 s``, ``2 h 05 min``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
