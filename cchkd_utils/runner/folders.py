"""The folders of runs: a place to work in, the move to the final place, what is whole."""

import contextlib
import hashlib
import json
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # Windows: what a killed run left stays until somebody removes it
    fcntl = None

PART = ".part-"
LOCK = ".lock"  # held as long as the process that works in the folder is alive


def digest(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def finished(folder: Path) -> dict[str, Any] | None:
    """Return the record of a whole run, or None: every file it names is there, unchanged."""
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        whole = record["hash"] == folder.name and all(
            _is_inside(name) and (folder / name).is_file() and digest(folder / name) == sha
            for name, sha in record["files"].items()
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return record if whole else None


def _is_inside(name: str) -> bool:
    return not Path(name).is_absolute() and ".." not in Path(name).parts


@contextlib.contextmanager
def workplace(folder: Path) -> Iterator[Path]:
    """Give a folder beside the final one, and remove it whatever happens."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    clear(folder.parent)
    part = folder.parent / f"{PART}{folder.name}-{uuid.uuid4().hex[:8]}"
    part.mkdir()
    try:
        with _locked(part):
            yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextlib.contextmanager
def _locked(part: Path) -> Iterator[None]:
    """Hold the lock that keeps others from clearing a folder; it ends with this process."""
    if fcntl is None:
        yield
        return
    new = part / f"{LOCK}-new"  # under its name only when it is held
    with new.open("w") as file:
        with contextlib.suppress(OSError):  # a file system without locks: never cleared
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            new.rename(part / LOCK)
        new.unlink(missing_ok=True)
        yield


def clear(folder: Path) -> None:
    """Remove the workplaces of runs that were killed, whichever machine they ran on."""
    for lock in folder.glob(f"{PART}*/{LOCK}") if fcntl else ():
        with contextlib.suppress(OSError), lock.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)


def file_run(
    part: Path, folder: Path, record: dict[str, Any], *, replace: bool = False
) -> dict[str, Any]:
    """Complete a run's record and move the run to its place; return the record that lies there.

    A whole run that is there already stays, unless it is to be replaced.
    """
    if not replace and (there := finished(folder)):
        return there
    (part / LOCK).unlink(missing_ok=True)  # from here on there is nothing to clear
    files = sorted(path for path in part.rglob("*") if path.is_file())
    record = record | {"files": {p.relative_to(part).as_posix(): digest(p) for p in files}}
    text = json.dumps(record, indent=1, sort_keys=True)
    (part / "run.json").write_text(text + "\n", encoding="utf-8")
    aside = part.with_name(f"{part.name}-old")
    with contextlib.suppress(FileNotFoundError):
        folder.rename(aside)
    try:
        part.rename(folder)
    except OSError:  # the same run, made at the same time by another process, came first
        if there := finished(folder):
            return there
        with contextlib.suppress(OSError):
            aside.rename(folder)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return record


def failed(folder: Path) -> Path:
    """Return where the notebook of a failed run is kept, apart from the results."""
    return folder.parent / "failed" / f"{folder.name}.ipynb"


def keep_failed(part: Path, folder: Path) -> Path | None:
    """Keep a failed notebook for its reader to look into; None when there is none."""
    kept = failed(folder)
    kept.parent.mkdir(exist_ok=True)
    try:
        (part / "notebook.ipynb").replace(kept)
    except FileNotFoundError:
        return None
    return kept
