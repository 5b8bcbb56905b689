"""The files in which people have CMU-MOSEI and CMU-MOSI: one reader per layout, one shape out.

Every reader returns ``{split: {"text", "audio", "vision": [n, steps, d], "labels": [n], "ids":
[n], and where the file says them, "audio_lengths", "vision_lengths": [n]}}``. Nothing trusts a
file: pickles are read by `untrusted.pickles`, zips by `untrusted.npz`; in HDF5, links to elsewhere
are refused, and no array is taken that lies in other files or is far larger than its file.
"""

import json
import math
import re
from pathlib import Path

import h5py
import numpy as np

from cchkd_utils.datasets import visible
from cchkd_utils.untrusted import npz, pickles

MODALITIES = ("text", "audio", "vision")
SPLITS = ("train", "valid", "test")
MAX_BYTES = 16 << 30  # of one array; the largest published one takes 2 GB
STEPS = 50  # to which word-aligned sequences are cut or padded
PUBLISHED = {  # SHA-256 of MMSA's files
    "45eccfb748a87c80ecab9bfac29582e7b1466bf6605ff29d3b338a75120bf791": "MMSA aligned_50.pkl",
    "ad8b23d50557045e7d47959ce6c5b955d8d983f2979c7d9b7b9226f6dd6fec1f": "MMSA unaligned_50.pkl",
}
_OPTIONAL = ("audio_lengths", "vision_lengths")
_NAMES = {
    "text": ("text",),
    "audio": ("audio",),
    "vision": ("vision", "video"),
    "labels": ("regression_labels", "labels", "y"),
    "ids": ("id", "ids"),
    **{name: (name,) for name in _OPTIONAL},
}
_DEEP = 4  # levels of lists in lists
_LONG = 100  # characters of an id; one long id would make the array of all of them as wide
_PARTS = 8  # of an id: video, start, end
_CSD = {  # what the names of computational sequences have in them
    "text": r"(?i)word_?vectors|glove|bert",
    "audio": r"(?i)covarep|opensmile",
    "vision": r"(?i)facet|openface",
    "labels": r"(?i)labels",
}


def read_pickle(path, column=None):
    """Read MMSA's ``aligned_50.pkl``, ``unaligned_50.pkl`` or MulT's ``mosei_senti_data.pkl``.

    `column` of the labels is the sentiment, where they have several.
    """
    content = pickles.load(path)
    splits = [name for name in SPLITS if isinstance(content, dict) and name in content]
    if not splits or not all(isinstance(content[name], dict) for name in splits):
        raise ValueError(f"{path}: holds no {', '.join(SPLITS)}; is it MOSEI from MMSA or MulT?")
    return {name: _named(content[name], f"{path}, {name}", column) for name in splits}


def read_npz(path, column=None):
    """Read utterance-level features: arrays ``{split}_{text,audio,video,y,id}`` of a ``.npz``."""

    def choose(held):
        known = [f"{s}_{alias}" for s in SPLITS for names in _NAMES.values() for alias in names]
        wanted = [name for name in known if name in held]
        if not wanted:
            raise ValueError(f"holds no {', '.join(f'{split}_text' for split in SPLITS)}, ...")
        return wanted

    content = npz.read(path, choose, again="fetch it again", max_bytes=MAX_BYTES)
    parts = {split: {} for split in SPLITS}
    for name, array in content.items():
        split, _, alias = name.partition("_")
        parts[split][alias] = array
    return {s: _named(part, f"{path}, {s}", column) for s, part in parts.items() if part}


def _named(part, where, column):
    out = {}
    for name, aliases in _NAMES.items():
        alias = next((alias for alias in aliases if alias in part), None)
        if name == "ids" and alias is not None:
            out[name] = _ids(part[alias], where, alias)
        elif alias is not None:
            out[name] = _numbers(part[alias], where, alias, column)
        elif name not in _OPTIONAL:
            held = ascii(", ".join(map(str, part)))[:200]
            tokens = "; text_bert are token numbers, not features" if "text_bert" in part else ""
            raise ValueError(f"{where}: lacks {aliases[0]} (it holds {held}{tokens})")
    # Lengths within the split: over all splits a swap of two of them would even out.
    if len({len(array) for array in out.values()}) > 1:
        counts = ", ".join(f"{name} {len(array)}" for name, array in out.items())
        raise ValueError(
            f"{where}: rows differ in number ({counts}): these arrays are not of the same "
            "utterances; are files or splits mixed up?"
        )
    if not len(out["labels"]):
        raise ValueError(f"{where}: has no utterance; fetch it again")
    return out


def _numbers(values, where, name, column=None):
    refused = f"{where}: {name} is not numbers in one shape"
    if not _expandable(values, set()):
        raise ValueError(f"{refused}; it must be an array, or lists that each stand there once")
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, OverflowError):
        raise ValueError(f"{refused}; pad its rows to one length") from None
    axes = {"labels": (1, 2, 3), **dict.fromkeys(_OPTIONAL, (1,))}
    kind = "labels" if name in _NAMES["labels"] else name
    if array.dtype.kind not in "fiub" or array.ndim not in axes.get(kind, (2, 3)):
        raise ValueError(f"{refused}: {array.dtype} {list(array.shape)}")
    if kind == "labels":
        if 0 in array.shape[1:]:
            raise ValueError(f"{refused}: {list(array.shape)}")
        width = math.prod(array.shape[1:])  # [n, 1, 1] in MulT's files
        return array.reshape(len(array), width)[:, _sentiment(width, column, f"{where}: {name}")]
    if name == "text" and array.ndim == 3 and array.shape[1] == 3 and array.dtype.kind in "iu":
        raise ValueError(f"{where}: text holds token numbers of BERT, not features")
    return array[:, None] if array.ndim == 2 else array


def _sentiment(width, column, where):
    """Return the column of the labels that is the sentiment; refuse to guess it."""
    if column is None and width > 1:
        raise ValueError(
            f"{where} has {width} columns, emotions perhaps; name the one that is the sentiment, "
            "such as label=0"
        )
    column = 0 if column is None else column
    if not 0 <= column < width:
        raise ValueError(f"{where} has {width} columns: label={column} is none of them")
    return column


def _expandable(values, seen, depth=0):
    """Whether numpy can make an array of it without taking more memory than it takes already.

    A pickle may put one list in many places: ten lists of ten references to the next are 10^10
    numbers in 300 bytes. So no list or array may stand there twice.
    """
    if isinstance(values, np.ndarray):
        fresh = id(values) not in seen
        seen.add(id(values))
        return fresh and values.dtype.kind in "fiub"
    if not isinstance(values, list | tuple):
        return depth > 0 and isinstance(values, int | float | np.number | np.bool_)
    if id(values) in seen or depth >= _DEEP:
        return False
    seen.add(id(values))
    return all(_expandable(part, seen, depth + 1) for part in values)


def _ids(values, where, name):
    """Ids as text [n]; rows of several parts (video, start, end) are joined."""
    if not _is_rows(values):
        raise ValueError(f"{where}: {name} is a {type(values).__name__}, not one id per utterance")
    out = []
    for row, name_parts in enumerate(values):
        parts = list(_parts(name_parts, _DEEP))
        if not 0 < len(parts) <= _PARTS or sum(map(len, parts)) > _LONG:
            raise ValueError(f"{where}: {name} of row {row} is no id of at most {_LONG} characters")
        out.append(parts[0] if len(parts) == 1 else f"{parts[0]}[{','.join(parts[1:])}]")
    return np.array(out, dtype=str)


def _is_rows(values):
    return values.ndim > 0 if isinstance(values, np.ndarray) else isinstance(values, list | tuple)


def _parts(name, depth):
    """Yield the parts of an id as text; nothing where it is none, or far too long."""
    if isinstance(name, bytes):
        yield name[: _LONG + 1].decode("utf-8", "replace")
    elif isinstance(name, str | float | np.generic):
        yield str(name)
    elif isinstance(name, int):
        yield from [str(name)] if abs(name) < 1 << 64 else []
    elif depth and _is_rows(name) and len(name) <= _PARTS:
        for part in name:
            yield from _parts(part, depth - 1)


def read_csd(path):
    """Read features [steps, d] and intervals [steps, 2], in seconds, by video (SDK of CMU, HDF5).

    Features are numbers, or bytes for words. An aligned sequence goes by utterance, ``video[k]``.
    """
    try:
        with h5py.File(path, "r") as file:
            root = _child(file, next(iter(file)), h5py.Group) if len(file) == 1 else file
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


def read_csd_folder(folder, seed, column=None):
    """Read sequences aligned to the labels (``align`` of the SDK); return splits and their origin.

    Utterances that not all four sequences hold are left out, and named by reason. Splits are the
    SDK's standard folds, read from ``folds.json``; without that file videos are drawn at random by
    `seed`. Of the SDK's table "All Labels" the first column is the sentiment.
    """
    files = {name: _find(folder, name) for name in _CSD}
    sequences = {name: read_csd(file) for name, file in files.items()}
    held = {name: {key for key in s if "[" in key} for name, s in sequences.items()}
    lacking = {}
    for key in sorted(set.union(*held.values())):
        missing = [name for name in held if key not in held[name]]
        reason = "without a label" if "labels" in missing else f"without {' and '.join(missing)}"
        lacking.setdefault(reason if missing else "", []).append(key)
    keys = lacking.pop("", [])
    if not keys:
        raise ValueError(f"{folder}: no utterance video[k] in all of them: align to the labels")
    _check_widths(files, sequences, keys)
    column = _label_column(files["labels"], sequences["labels"][keys[0]][0].shape[1], column)
    folds, origin = _folds(folder, sorted({video_of(key) for key in keys}), seed)
    out = {}
    for split, videos in folds.items():
        chosen = set(videos)
        if inside := [key for key in keys if video_of(key) in chosen]:
            out[split] = _split(sequences, inside, column)
    if not out:
        raise ValueError(
            f"{folder / 'folds.json'}: names none of the videos of the sequences; "
            "write the SDK's standard folds there, or remove it"
        )
    if left := sorted(set(keys).difference(*(part["ids"].tolist() for part in out.values()))):
        lacking["in no fold"] = left
    return out, origin, lacking


def _label_column(path, width, column):
    """Return the column of the sentiment; a table of emotions is none."""
    with h5py.File(path, "r") as file:
        named = f"{path.stem} {' '.join(file)}".lower()
    if column is None and "emotion" in named:
        raise ValueError(f"{path}: holds emotions, not sentiment; take CMU_MOSEI_Labels.csd")
    if column is None and width == 7 and "all labels" in named:
        return 0
    return _sentiment(width, column, path)


def _check_widths(files, sequences, keys):
    for name, sequence in sequences.items():
        features = [sequence[key][0] for key in keys]
        if any(array.dtype.kind == "S" for array in features):
            raise ValueError(f"{files[name]}: holds words, not numbers; take the word vectors")
        widths = {array.shape[1] for array in features}
        if len(widths) != 1 or 0 in widths:
            raise ValueError(f"{files[name]}: features have several widths ({sorted(widths)[:5]})")
    if empty := [key for key in keys if not len(sequences["labels"][key][0])]:
        raise ValueError(f"{files['labels']}: {empty[0]} has no label; leave it out of this file")


def _split(sequences, keys, column):
    """Return the arrays of one split's utterances, padded with zeros at the end."""
    labels = [float(sequences["labels"][key][0][0, column]) for key in keys]
    out = {"labels": np.array(labels), "ids": np.array(keys)}
    for name in MODALITIES:
        measured = [sequences[name][key][0][:STEPS] for key in keys]
        out[name] = np.zeros((len(keys), STEPS, measured[0].shape[1]), np.float32)
        for row, features in zip(out[name], measured):
            row[: len(features)] = features
        if f"{name}_lengths" in _OPTIONAL:
            out[f"{name}_lengths"] = np.array(list(map(len, measured)))
    return out


def _find(folder, name):
    matching = [path for path in visible(folder, "*.csd") if re.search(_CSD[name], path.stem)]
    if len(matching) != 1:
        shown = ", ".join(path.name for path in matching) or "none"
        raise ValueError(f"{folder}: one .csd of {name} is needed, found {shown}")
    return matching[0]


def _folds(folder, videos, seed):
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
