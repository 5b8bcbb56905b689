"""The real data that the notebooks read: what is there, and how to get the rest."""

from dataclasses import dataclass
from pathlib import Path

from cchkd_utils import paths
from cchkd_utils.runner.parameters import ParameterError
from cchkd_utils.runner.plans import find_notebook, read_presets


@dataclass(frozen=True)
class Need:
    """Files that one notebook reads with ``data=real``.

    Attributes
    ----------
    notebook : its stem
    files : pattern below the data folder to the number of files that fit it
    how : how to get them, one line
    """

    notebook: str
    files: dict[str, int]
    how: str

    @property
    def complete(self) -> bool:
        """Whether there is a file for every pattern."""
        return all(self.files.values())


def needs() -> list[Need]:
    """List what every notebook needs, in the book's order."""
    presets, root = read_presets(), paths.data_root()
    how = presets.get("sources") or {}
    return [
        Need(
            notebook,
            {one: sum(path.is_file() for path in root.glob(one)) for one in patterns},
            how.get(notebook, "see the notebook"),
        )
        for notebook, patterns in presets["files"].items()
    ]


def get(notebook: str) -> Path:
    """Download the real data of a notebook to the data folder, and return that.

    Raises
    ------
    ParameterError
        When they cannot be downloaded without asking; the message says where to ask.
    cchkd_utils.datasets.fetch.DownloadError, ValueError
        When a file cannot be had, or is damaged.
    """
    stem = find_notebook(notebook).stem
    if stem != "02_mnist_m":
        how = (read_presets().get("sources") or {}).get(stem, "it reads no real data")
        raise ParameterError(f"{stem}: nothing that `cchkd data` can download: {how}")
    from cchkd_utils.datasets import mnist_m  # numpy, which the command line need not wait for

    return mnist_m.download()
