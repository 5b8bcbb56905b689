"""Copy the rendered book to a static host. ``make publish DEST=…`` runs this file.

Standard library only: it works before ``.venv`` is there, and says then that there is no book.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REMOTE = re.compile(r"^([\w.-]+@)?[\w.-]+:[^\s]*$")  # [user@]host:path, as rsync writes it
AWAY = re.compile(r"^([\w.-]+@)?[\w.-]{2,}:")  # meant as one; a single letter is a drive
SOURCES = ("_config.yml", "_toc.yml", "book", "notebooks", "cchkd_utils")


class PublishError(RuntimeError):
    """What keeps the book from being published."""


def publish(dest: str, root: Path = ROOT) -> None:
    """Copy ``_build/html`` to a folder or, with rsync, to another machine, ``[user@]host:path``."""
    site = ready(root)
    if not dest or dest.startswith("-"):
        raise PublishError("say where to: make publish DEST=user@host:/path, or DEST=/a/folder")
    if AWAY.match(dest) and not Path(dest).exists():
        if not REMOTE.match(dest):
            raise PublishError(f"{dest!r}: a place on another machine is written user@host:/path")
        if not shutil.which("rsync"):
            raise PublishError("rsync is needed to reach another machine; install it")
        # "host:" is the home folder there and "host:/" the root: one must not become the other
        place = dest if dest.endswith((":", "/")) else f"{dest}/"
        if subprocess.run(["rsync", "-rtz", f"{site}/", place], check=False).returncode:
            raise PublishError(f"rsync could not copy to {dest}; its message is above")
        return
    folder = Path(dest).expanduser().resolve()
    if folder.exists() and not folder.is_dir():
        raise PublishError(f"{folder} is not a folder")
    if folder.is_relative_to(site) or site.is_relative_to(folder):
        raise PublishError(f"{folder} holds the book itself; choose another place")
    try:
        shutil.copytree(site, folder, dirs_exist_ok=True)
    except (OSError, shutil.Error) as error:
        raise PublishError(f"cannot copy to {folder}: {error}") from None


def ready(root: Path = ROOT) -> Path:
    """Return the folder of the rendered book when it is whole and newer than its sources."""
    build = root / "_build"
    if not (build / "html" / "index.html").is_file():
        raise PublishError("there is no book to publish: run `make book` first")
    mark = build / "rendered"
    if not mark.is_file():
        raise PublishError("the last build did not finish: run `make book`")
    built = mark.stat().st_mtime
    for path in [path for name in SOURCES for path in [root / name, *(root / name).rglob("*")]]:
        if path.is_file() and path.suffix != ".pyc" and path.stat().st_mtime > built:
            name = path.relative_to(root)
            raise PublishError(f"{name} is newer than the book: run `make book`")
    return build / "html"


if __name__ == "__main__":
    try:
        publish(sys.argv[1] if sys.argv[1:] else "")
    except PublishError as error:
        sys.exit(f"publish: {error}")
    print(f"the book is at {sys.argv[1]}")
