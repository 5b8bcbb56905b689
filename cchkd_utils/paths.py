"""Where things lie: the repository's folders and the user's data folder."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
PRESETS = NOTEBOOKS / "presets.yml"
LOCK = ROOT / "requirements.lock"
BUILD = ROOT / "_build"
RECORDED = ROOT / "book" / "results"


def runs_root() -> Path:
    """Return the folder of finished runs: ``CCHKD_RUNS``, else ``.runs`` in the repository."""
    return Path(os.environ.get("CCHKD_RUNS") or ROOT / ".runs").expanduser().absolute()


def data_root(root: str | os.PathLike | None = None) -> Path:
    """Return the folder of real data: `root`, else ``CCHKD_DATA``, else the user's cache folder.

    It need not exist yet.
    """
    chosen = root or os.environ.get("CCHKD_DATA")
    return Path(chosen).expanduser().absolute() if chosen else cache_root()


def cache_root() -> Path:
    """Return the user's cache folder for this book; what lies there can be made again."""
    return _user_cache() / "cchkd"


def _user_cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
