"""The files in which people have CMU-MOSEI and CMU-MOSI: one reader per layout, one shape out.

Every reader returns ``{split: {"text", "audio", "vision": [n, steps, d], "labels": [n], "ids":
[n], and where the file says them, "audio_lengths", "vision_lengths": [n]}}``. Nothing here trusts
the file: pickles are read by `untrusted.pickles`, zips by `untrusted.npz`.
"""

import math

import numpy as np

from cchkd_utils.datasets.mosei.csd import MAX_BYTES, SPLITS
from cchkd_utils.untrusted import npz, pickles

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
_DEEP = 4  # levels of lists in lists
_LONG = 100  # characters of an id; one long id would make the array of all of them as wide
_PARTS = 8  # of an id: video, start, end


def read_pickle(path):
    """Read MMSA's ``aligned_50.pkl``, ``unaligned_50.pkl`` or MulT's ``mosei_senti_data.pkl``.

    Both are dicts of splits of arrays; other keys of a split (raw text, annotations) are left.
    """
    content = pickles.load(path)
    splits = [name for name in SPLITS if isinstance(content, dict) and name in content]
    if not splits or not all(isinstance(content[name], dict) for name in splits):
        raise ValueError(f"{path}: holds no {', '.join(SPLITS)}; is it MOSEI from MMSA or MulT?")
    return {name: _named(content[name], f"{path}, {name}") for name in splits}


def read_npz(path):
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
    return {s: _named(part, f"{path}, {s}") for s, part in parts.items() if part}


def _named(part, where):
    """Pick the arrays of one split by the names that the layouts give them."""
    out = {}
    for name, aliases in _NAMES.items():
        alias = next((alias for alias in aliases if alias in part), None)
        if alias is not None:
            out[name] = (_ids if name == "ids" else _numbers)(part[alias], where, alias)
        elif name not in _OPTIONAL:
            held = ascii(", ".join(map(str, part)))[:200]
            raise ValueError(f"{where}: lacks {aliases[0]} (it holds {held})")
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


def _numbers(values, where, name):
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
        return array.reshape(len(array), width)[:, 0]
    return array[:, None] if array.ndim == 2 else array


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
