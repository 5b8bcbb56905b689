"""The folders of runs: a place to work in, the move to the final place, what is whole."""

import contextlib
import json
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cchkd_utils.runner.identity import digest

PART = f".part-{socket.gethostname()}-"


def finished(folder: Path) -> dict[str, Any] | None:
    """Return the record of a whole run, or None: every file it names is there, unchanged."""
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        whole = record["hash"] == folder.name and all(
            digest(folder / name) == sha for name, sha in record["files"].items()
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return record if whole else None


@contextlib.contextmanager
def workplace(folder: Path) -> Iterator[Path]:
    """Give a folder beside the final one, and remove it whatever happens."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    clear(folder.parent)
    part = folder.parent / f"{PART}{folder.name}-{os.getpid()}"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


def clear(folder: Path) -> None:
    """Remove the workplaces of runs that were killed on this machine."""
    for left in folder.glob(f"{PART}*"):
        if not _is_alive(int(left.name.rpartition("-")[2])):
            shutil.rmtree(left, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)  # signal 0 only asks
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def file_run(part: Path, folder: Path, record: dict[str, Any]) -> dict[str, Any]:
    """Complete a run's record and move the run to its place; return the record.

    An older run of the same place gives way.
    """
    files = {path.name: digest(path) for path in sorted(part.iterdir())}
    record = record | {"files": files}
    text = json.dumps(record, indent=1, sort_keys=True)
    (part / "run.json").write_text(text + "\n", encoding="utf-8")
    aside = part.with_name(f"{PART}old-{folder.name}-{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        folder.rename(aside)
    try:
        part.rename(folder)
    except OSError:  # the same run, made at the same time by another process, came first
        if finished(folder) is None:
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return record


def failed(folder: Path) -> Path:
    """Return where the notebook of a failed run is kept, apart from the results."""
    return folder.parent / "failed" / f"{folder.name}.ipynb"


def keep_failed(part: Path, folder: Path) -> Path:
    """Keep a failed notebook for its reader to look into."""
    kept = failed(folder)
    kept.parent.mkdir(exist_ok=True)
    (part / "notebook.ipynb").replace(kept)
    return kept


def forget_failed(folder: Path) -> None:
    """Remove what was kept of an earlier failure of a run that has succeeded since."""
    kept = failed(folder)
    kept.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # others are there
        kept.parent.rmdir()
