"""The files in which people have CMU-MOSEI and CMU-MOSI: one reader per layout, one shape out.

Every reader returns ``{split: {"text", "audio", "vision": [n, steps, d], "labels": [n], "ids":
[n], and where the file says them, "audio_lengths", "vision_lengths": [n]}}``. Nothing here trusts
the file: pickles are read by `unpickle`, HDF5 without links to other files.
"""

import json
import re
import zipfile

import h5py
import numpy as np

from cchkd_utils.datasets import unpickle

MODALITIES = ("text", "audio", "vision")
SPLITS = ("train", "valid", "test")
PUBLISHED = {  # SHA-256 of MMSA's files
    "45eccfb748a87c80ecab9bfac29582e7b1466bf6605ff29d3b338a75120bf791": "MMSA aligned_50.pkl",
    "ad8b23d50557045e7d47959ce6c5b955d8d983f2979c7d9b7b9226f6dd6fec1f": "MMSA unaligned_50.pkl",
}
_NAMES = {
    "text": ("text",),
    "audio": ("audio",),
    "vision": ("vision", "video"),
    "labels": ("regression_labels", "labels", "y"),
    "ids": ("id", "ids"),
    "audio_lengths": ("audio_lengths",),
    "vision_lengths": ("vision_lengths",),
}
_OPTIONAL = ("audio_lengths", "vision_lengths")
_MAX_BYTES = 16 << 30  # of one array; the largest published one takes 2 GB
_CSD = {
    "text": r"(?i)word_?vectors|glove|bert",
    "audio": r"(?i)covarep|opensmile",
    "vision": r"(?i)facet|openface",
    "labels": r"(?i)labels",
}


def read_pickle(path):
    """Read MMSA's ``aligned_50.pkl``, ``unaligned_50.pkl`` or MulT's ``mosei_senti_data.pkl``.

    Both are dicts of splits of arrays; other keys of a split (raw text, annotations) are left.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict
        See the head of this module.

    Raises
    ------
    ValueError
        As `unpickle.load`, or when a split or a key is missing.
    """
    content = unpickle.load(path)
    splits = [name for name in SPLITS if isinstance(content, dict) and name in content]
    if not splits or not all(isinstance(content[name], dict) for name in splits):
        raise ValueError(f"{path}: holds no {', '.join(SPLITS)}; is it MOSEI from MMSA or MulT?")
    return {name: _named(content[name], f"{path}, {name}") for name in splits}


def read_npz(path):
    """Read utterance-level features: arrays ``{split}_{text,audio,video,y,id}`` of a ``.npz``.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict
        See the head of this module; ``steps`` is 1.

    Raises
    ------
    ValueError
        When it is no such file, holds pickled objects, or an array is missing.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if max(info.file_size for info in archive.infolist()) > _MAX_BYTES:
                raise ValueError(f"{path}: an array needs more than {_MAX_BYTES >> 30} GB")
        with np.load(path, allow_pickle=False) as file:
            content = {name: file[name] for name in file.files if "rawtext" not in name}
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise ValueError(f"{path}: not a whole .npz file ({error}); fetch it again") from None
    parts = {
        split: {k.removeprefix(f"{split}_"): v for k, v in content.items() if k.startswith(split)}
        for split in SPLITS
    }
    return {s: _named(part, f"{path}, {s}") for s, part in parts.items() if part}


def read_csd(path):
    """Read one CMU-MultimodalSDK computational sequence (HDF5).

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict of str to (ndarray, ndarray)
        Features [steps, d] (numbers, or bytes for words) and intervals [steps, 2] in seconds, by
        video, or by utterance ``video[k]`` where the sequence was aligned.

    Raises
    ------
    ValueError
        When it is not such a file, points into other files, or is not of numbers or words.
    """
    try:
        with h5py.File(path, "r") as file:
            (root,) = file.values() if len(file) == 1 else (file,)
            group = root["data"]
            return {key: _sequence(group, key, path) for key in group}
    except (OSError, KeyError, AttributeError) as error:
        detail = " ".join(str(error).split())[:100]
        raise ValueError(f"{path}: not a computational sequence ({detail})") from None


def _sequence(group, key, path):
    arrays = []
    for name in ("features", "intervals"):
        for where, link in ((group, key), (group[key], name)):
            if not isinstance(where.get(link, getlink=True), h5py.HardLink):
                raise ValueError(f"{path}: {key} points elsewhere, which is not followed")
        data = group[key][name]
        if data.external or data.is_virtual or data.nbytes > _MAX_BYTES:
            raise ValueError(f"{path}: {key} lies in other files or is too large")
        if data.dtype.kind not in "fiuS":
            raise ValueError(f"{path}: {key} holds {data.dtype}, neither numbers nor words")
        arrays.append(data[()])
    if len(arrays[0]) != len(arrays[1]):
        raise ValueError(f"{path}: {key} has {len(arrays[0])} steps, {len(arrays[1])} intervals")
    return tuple(arrays)


def read_csd_folder(folder, steps=50, seed=0):
    """Read word-aligned computational sequences: text, audio, vision and labels of one folder.

    Sequences must be aligned to the labels already (``align`` of the SDK): their keys are
    ``video[k]``. Utterances that not all four hold are left out. Splits are the SDK's standard
    folds, read from ``folds.json`` (``{"train": [video, ...], "valid": ..., "test": ...}``);
    without that file videos are drawn at random, 70 : 10 : 20.

    Parameters
    ----------
    folder : path-like
    steps : int
        Longer utterances are cut, shorter ones padded with zeros at the end.
    seed : int
        Of the random folds.

    Returns
    -------
    dict
        See the head of this module.

    Raises
    ------
    ValueError
        When a sequence is missing, doubtful or not aligned.
    """
    sequences = {name: read_csd(_find(folder, name)) for name in _CSD}
    shared = set.intersection(*(set(s) for s in sequences.values()))
    keys = sorted(key for key in shared if "[" in key)
    if not keys:
        raise ValueError(f"{folder}: no utterance video[k] in all of them: align to the labels")
    folds = _folds(folder, sorted({video_of(key) for key in keys}), seed)
    out = {}
    for split, videos in folds.items():
        own = [key for key in keys if video_of(key) in set(videos)]
        if own:
            out[split] = {m: _padded([sequences[m][k][0] for k in own], steps) for m in MODALITIES}
            labels = [float(sequences["labels"][key][0][0, 0]) for key in own]  # sentiment first
            lengths = np.array([[min(len(sequences[m][k][0]), steps) for k in own]
                                for m in MODALITIES])  # fmt: skip
            out[split] |= {"labels": np.array(labels), "ids": np.array(own)}
            out[split] |= {"audio_lengths": lengths[1], "vision_lengths": lengths[2]}
    return out


def _find(folder, name):
    found = [path for path in sorted(folder.glob("*.csd")) if re.search(_CSD[name], path.stem)]
    if len(found) != 1:
        shown = ", ".join(path.name for path in found) or "none"
        raise ValueError(f"{folder}: one .csd of {name} is needed, found {shown}")
    return found[0]


def _folds(folder, videos, seed):
    path = folder / "folds.json"
    if path.is_file():
        given = json.loads(path.read_text())
        return {name: given[name] for name in SPLITS if name in given}
    order = np.random.default_rng(seed).permutation(videos)
    first, second = round(0.7 * len(order)), round(0.8 * len(order))
    return dict(zip(SPLITS, np.split(order, [first, second])))


def _padded(sequences, steps):
    out = np.zeros((len(sequences), steps, sequences[0].shape[1]), np.float32)
    for row, one in zip(out, sequences):
        row[: len(one)] = one[:steps]
    return out


def video_of(key):
    """Return the video of an utterance's id: ``video[k]``, ``video$_$k`` or ``video_k``."""
    for pattern in (r"(.+)\[[^\[\]]*\]", r"(.+)\$_\$.+", r"(.+)_\d+"):
        if match := re.fullmatch(pattern, key):
            return match[1]
    return key


def _named(part, where):
    """Pick the arrays of one split by the names that the layouts give them."""
    out = {}
    for name, aliases in _NAMES.items():
        found = next((alias for alias in aliases if alias in part), None)
        if found is None and name not in _OPTIONAL:
            raise ValueError(f"{where}: lacks {aliases[0]} (it holds {', '.join(map(str, part))})")
        if found is not None:
            out[name] = _ids(part[found]) if name == "ids" else _numbers(part[found], where, found)
    return out


def _numbers(values, where, name):
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{where}: {name} is of type {array.dtype}, not numbers in one shape")
    if name in _NAMES["labels"]:
        return array.reshape(len(array), -1)[:, 0]  # [n, 1, 1] in MulT's files
    return array[:, None] if array.ndim == 2 else array


def _ids(values):
    """Ids as text [n]; rows of several parts (video, start, end) are joined."""

    def text(one):
        if isinstance(one, bytes):
            return one.decode("utf-8", "replace")
        if isinstance(one, list | tuple | np.ndarray):
            parts = [text(part) for part in np.ravel(np.asarray(one, object))]
            return parts[0] if len(parts) == 1 else f"{parts[0]}[{','.join(parts[1:])}]"
        return str(one)

    return np.array([text(one) for one in values])
