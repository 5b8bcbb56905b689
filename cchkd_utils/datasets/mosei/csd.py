"""CMU-MultimodalSDK's computational sequences (HDF5): one file, or a folder of an aligned set.

Nothing here trusts a file: links to elsewhere are refused from the root of the file down, and no
array is taken that lies in other files or is far larger than its file.
"""

import json
import re
from pathlib import Path

import h5py
import numpy as np

from cchkd_utils.datasets.base import visible
from cchkd_utils.untrusted import npz

MODALITIES = ("text", "audio", "vision")
SPLITS = ("train", "valid", "test")
MAX_BYTES = 16 << 30  # of one array; the largest published one takes 2 GB
_CSD = {
    "text": r"(?i)word_?vectors|glove|bert",
    "audio": r"(?i)covarep|opensmile",
    "vision": r"(?i)facet|openface",
    "labels": r"(?i)labels",
}


def read_csd(path):
    """Read one CMU-MultimodalSDK computational sequence (HDF5).

    Returns features [steps, d] (numbers, or bytes for words) and intervals [steps, 2] in seconds,
    by video, or by utterance ``video[k]`` where the sequence was aligned. What is no such file,
    points into other files, or is not of numbers or words is refused.
    """
    try:
        with h5py.File(path, "r") as file:
            root = file
            if len(file) == 1:
                (name,) = file
                root = _child(file, name, h5py.Group)
            group = _child(root, "data", h5py.Group)
            room = max(npz.SMALL, npz.MAX_RATIO * Path(path).stat().st_size)
            return {key: _sequence(_child(group, key, h5py.Group), key, room) for key in group}
    except _Elsewhere as error:
        raise ValueError(f"{path}: {error}") from None
    except (OSError, KeyError, AttributeError, TypeError, ValueError, RuntimeError) as error:
        detail = " ".join(str(error).split())[:100]
        raise ValueError(f"{path}: not a computational sequence ({detail})") from None


class _Elsewhere(ValueError):
    """What the file says is sound HDF5, but not to be read."""


def _child(where, name, kind):
    """Return what stands in a group under a name, unless it is only a link to elsewhere."""
    link = where.get(name, getlink=True)
    if not isinstance(link, h5py.HardLink):
        raise _Elsewhere(f"{name} points elsewhere, which is not followed; fetch the file again")
    child = where[name]
    if not isinstance(child, kind):
        raise ValueError(f"{name} is no {kind.__name__.lower()}")
    return child


def _sequence(group, key, room):
    """Return features and intervals; `room` bytes is what a file of this size may unpack to."""
    features, intervals = (_array(group, key, name, room) for name in ("features", "intervals"))
    if features.ndim != 2:
        raise ValueError(f"{key} has features {list(features.shape)}, not [steps, d]")
    if len(features) != len(intervals):
        raise ValueError(f"{key} has {len(features)} steps, {len(intervals)} intervals")
    return features, intervals


def _array(group, key, name, room):
    data = _child(group, name, h5py.Dataset)
    if data.external or data.is_virtual or data.nbytes > min(room, MAX_BYTES):
        raise _Elsewhere(f"{key} lies in other files or is too large; fetch the file again")
    if data.ndim == 0 or data.dtype.kind not in "fiuS":
        raise _Elsewhere(f"{key} holds {data.dtype}, neither numbers nor words in rows")
    return data[()]


def read_csd_folder(folder, steps=50, seed=0):
    """Read word-aligned sequences of one folder; return splits as `layouts` does, and their origin.

    Sequences must be aligned to the labels already (``align`` of the SDK): their keys are
    ``video[k]``. Utterances that not all four hold are left out; longer ones than `steps` are cut,
    shorter ones padded with zeros at the end. Splits are the SDK's standard folds, read from
    ``folds.json`` (``{"train": [video, ...], "valid": ..., "test": ...}``); without that file
    videos are drawn at random by `seed`, 70 : 10 : 20.
    """
    files = {name: _find(folder, name) for name in _CSD}
    sequences = {name: read_csd(file) for name, file in files.items()}
    shared = set.intersection(*(set(s) for s in sequences.values()))
    keys = sorted(key for key in shared if "[" in key)
    if not keys:
        raise ValueError(f"{folder}: no utterance video[k] in all of them: align to the labels")
    _check_widths(files, sequences, keys)
    folds, origin = _folds(folder, sorted({video_of(key) for key in keys}), seed)
    out = {}
    for split, videos in folds.items():
        chosen = set(videos)
        if inside := [key for key in keys if video_of(key) in chosen]:
            out[split] = _split(sequences, inside, steps)
    if not out:
        raise ValueError(f"{folder / 'folds.json'}: names none of the videos of the sequences; "
                         "write the SDK's standard folds there, or remove it")  # fmt: skip
    left = len(keys) - sum(len(part["ids"]) for part in out.values())
    return out, origin + (f"; {left} of {len(keys)} utterances are in no fold" if left else "")


def _check_widths(files, sequences, keys):
    """Refuse sequences that hold words, change their width, or name an utterance without label."""
    for name, sequence in sequences.items():
        features = [sequence[key][0] for key in keys]
        if any(array.dtype.kind == "S" for array in features):
            raise ValueError(f"{files[name]}: holds words, not numbers; take the word vectors")
        widths = {array.shape[1] for array in features}
        if len(widths) != 1 or 0 in widths:
            raise ValueError(f"{files[name]}: features have several widths ({sorted(widths)[:5]})")
    if empty := [key for key in keys if not len(sequences["labels"][key][0])]:
        raise ValueError(f"{files['labels']}: {empty[0]} has no label; leave it out of this file")


def _split(sequences, keys, steps):
    """Return the arrays of one split's utterances."""
    features = {m: [sequences[m][key][0] for key in keys] for m in MODALITIES}
    out = {m: _padded(arrays, steps) for m, arrays in features.items()}
    for m in ("audio", "vision"):
        out[f"{m}_lengths"] = np.array([min(len(array), steps) for array in features[m]])
    labels = [float(sequences["labels"][key][0][0, 0]) for key in keys]  # sentiment first
    return out | {"labels": np.array(labels), "ids": np.array(keys)}


def _padded(arrays, steps):
    out = np.zeros((len(arrays), steps, arrays[0].shape[1]), np.float32)
    for row, array in zip(out, arrays):
        row[: len(array)] = array[:steps]
    return out


def _find(folder, name):
    matching = [path for path in visible(folder, "*.csd") if re.search(_CSD[name], path.stem)]
    if len(matching) != 1:
        shown = ", ".join(path.name for path in matching) or "none"
        raise ValueError(f"{folder}: one .csd of {name} is needed, found {shown}")
    return matching[0]


def _folds(folder, videos, seed):
    """Return the videos of each split, and where that comes from."""
    path = folder / "folds.json"
    if path.is_file():
        return _given_folds(path), "folds.json"
    order = np.random.default_rng(seed).permutation(videos)
    first, second = round(0.7 * len(order)), round(0.8 * len(order))
    origin = f"drawn at random by video, 70 : 10 : 20, seed {seed} (no folds.json)"
    return dict(zip(SPLITS, np.split(order, [first, second]))), origin


def _given_folds(path):
    wanted = 'write {"train": [video, ...], "valid": [...], "test": [...]}'
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise ValueError(f"{path}: is not JSON; {wanted}") from None
    lists = isinstance(given, dict) and all(isinstance(videos, list) for videos in given.values())
    if not lists or not all(isinstance(name, str) for videos in given.values() for name in videos):
        raise ValueError(f"{path}: is not lists of videos by fold; {wanted}")
    if strange := [name for name in given if name not in SPLITS]:
        shown = ascii(", ".join(strange))[:60]
        raise ValueError(f"{path}: has the folds {shown}, which are not read; {wanted}")
    return {name: given[name] for name in SPLITS if name in given}


def video_of(key):
    """Return the video of an utterance's id: ``video[k]``, ``video$_$k`` or ``video_k``."""
    for pattern in (r"(.+)\[[^\[\]]*\]", r"(.+)\$_\$.+", r"(.+)_\d+"):
        if match := re.fullmatch(pattern, key):
            return match[1]
    return key
