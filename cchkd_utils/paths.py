"""Where things lie: the repository's folders and the user's data folder."""

import os
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
    """Return the folder of real data: `root`, else ``CCHKD_DATA``, else the user's cache folder."""
    chosen = root or os.environ.get("CCHKD_DATA")
    return Path(chosen).expanduser().absolute() if chosen else cache_root()


def cache_root() -> Path:
    """Return the user's cache folder for this book; what lies there can be made again."""
    import pooch  # 0.1 s, which is needed only without CCHKD_DATA

    return pooch.os_cache("cchkd")
