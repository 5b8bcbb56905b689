"""Where things lie: the repository's folders and the user's data folder."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
PRESETS = NOTEBOOKS / "presets.yml"
LOCK = ROOT / "requirements.lock"
BUILD = ROOT / "_build"


def runs_root() -> Path:
    """Return the folder of finished runs: ``CCHKD_RUNS``, else ``.runs`` in the repository."""
    return Path(os.environ.get("CCHKD_RUNS") or ROOT / ".runs").expanduser().absolute()


def data_root() -> Path:
    """Return the folder of real data: ``CCHKD_DATA``, else the user's cache folder."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    return Path(os.environ.get("CCHKD_DATA") or cache / "cchkd").expanduser().absolute()
