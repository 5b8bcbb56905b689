"""Where things lie: the repository's folders and the user's data folder."""

import importlib.util
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


def package_folder(name: str) -> Path | None:
    """Return the folder of an installed package, which is not imported; None where it is not."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def data_file(name: str, root: Path) -> Path:
    """Return where a file of data is: below `root`, or "package:..." below an installed package."""
    package, _, inside = name.rpartition(":")
    folder = package_folder(package) if package else root
    if folder is None:
        raise FileNotFoundError(f"{name}: the package {package} is not installed")
    return folder / inside


def matching(pattern: str) -> dict[str, Path]:
    """Return the files of data by name, as in `data_file`, whose name matches a pattern."""
    package, colon, inside = pattern.rpartition(":")
    folder = package_folder(package) if package else data_root()
    files = sorted(path for path in folder.glob(inside) if path.is_file()) if folder else []
    return {package + colon + path.relative_to(folder).as_posix(): path for path in files}


def cache_root() -> Path:
    """Return the user's cache folder for this book; what lies there can be made again."""
    import pooch  # 0.1 s, which is needed only without CCHKD_DATA

    return pooch.os_cache("cchkd")
