"""CMU-MOSEI: what people say in videos, as text, audio and vision, with their sentiment.

There is no anonymous download: ask for the data at the addresses in `REQUEST`. Files are read as
they are (`layouts`); the default is a simulated stand-in (`simulated`).
"""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pooch

from cchkd_utils.datasets import DATA, Multimodal, not_there, require_choice, visible
from cchkd_utils.datasets.mosei import layouts
from cchkd_utils.datasets.mosei.layouts import MODALITIES, video_of
from cchkd_utils.datasets.mosei.simulated import simulate
from cchkd_utils.paths import data_root

SUFFIXES = {"pickle": ".pkl", "csd": ".csd", "npz": ".npz"}
LAYOUTS = ("auto", *SUFFIXES)
REQUEST = (
    "ask for it at https://github.com/thuiar/MMSA (aligned_50.pkl, unaligned_50.pkl), "
    "https://github.com/pliang279/MultiBench (mosei_senti_data.pkl) or "
    "https://github.com/CMU-MultiComp-Lab/CMU-MultimodalSDK (.csd)"
)
CODINGS = {
    "acc2_nonneg": "negative against non-negative (Acc-2, Zadeh et al., 2016)",
    "acc2_nonzero": "negative against positive, neutral left out (Acc-2, Tsai et al., 2019)",
    "acc7": "seven classes, sentiment rounded to -3 ... 3 (Acc-7, Tsai et al., 2019)",
    "regression": "sentiment from -3 to 3 as it is (MAE, correlation)",
    "given": "classes as they stand in the file",
}


def load(
    data="embedded",
    root=None,
    layout="auto",
    coding="acc2_nonneg",
    dataset="CMU-MOSEI",
    parts=None,
    label=None,
    scale=None,
    n_train=1000,
    n_test=600,
    seed=0,
):
    """Load text, audio and vision of utterances, with their sentiment.

    Parameters
    ----------
    data : {"embedded", "real"}
        ``embedded``: simulated, no download. ``real``: files found under `root`.
    root : path-like, optional
        A file or folder; ``mosei/`` (or ``mosi/``, by `dataset`) below `paths.data_root` if None.
    layout : {"auto", "pickle", "csd", "npz"}
        ``auto`` takes the only layout that is there.
    coding : key of `CODINGS`
    parts : sequence of str, optional
        Splits to load, all that there are by default.
    label : int, optional
        Column of the labels that is the sentiment, where a file has several.
    scale : "clip" or pair of float, optional
        What becomes of sentiment beyond -3 ... 3, which is refused by default: ``"clip"`` sets it
        to the end of the scale, a pair (low, high) is the file's own scale and is mapped to ours.
    n_train, n_test, seed
        Of the simulated set; `seed` also of folds drawn at random.

    Returns
    -------
    Multimodal
        ``text``, ``audio``, ``vision`` float32 [n, steps, d + 1]: the last channel is 1 where the
        step was measured and 0 where it is padding. NaN and infinite features are 0.
        ``provenance`` names files, SHA-256, coding, where the splits come from, the flow table
        (see `flow`) and, in ``left_out``, the ids that were left out, by reason.

    Raises
    ------
    ValueError
        For a file that is not what its layout says, labels that do not fit the coding, or a video
        that stands in two splits.
    FileNotFoundError
        When there is no such file; nothing is downloaded.
    """
    require_choice("data", data, DATA)
    require_choice("layout", layout, LAYOUTS)
    require_choice("coding", coding, tuple(CODINGS))
    if data == "embedded":
        content, files, origin, left_out = simulate(n_train, n_test, seed), {}, "simulated", {}
        place = "simulated"
    else:
        content, files, origin, left_out, place = _read(root, layout, dataset, seed, label)
    parts = tuple(content) if parts is None else parts
    if not parts or any(part not in content for part in parts):
        missing = ", ".join(part for part in parts if part not in content) or "named"
        raise ValueError(f"no split {missing}: there are {', '.join(content)}")
    counts = ", ".join(f"{name} {len(part['labels'])}" for name, part in content.items())
    for name in content:
        if name not in parts:
            left_out[f"in the split {name}"] = content[name]["ids"].tolist()
    content = {name: content[name] for name in parts}
    _require_disjoint(content)
    _require_alike(content, place)
    for name, part in content.items():
        where = f"{place}, {name}"
        labels, kept = code(part["labels"], coding, scale, where)
        if not kept.all():
            neutral = left_out.setdefault("neutral", [])
            neutral += np.asarray(part["ids"])[~kept].tolist()
        part |= {"labels": labels, "kept": kept}
    provenance = {"data": data, "dataset": dataset, "coding": CODINGS[coding], "files": files}
    provenance["splits"] = f"{origin} ({counts} utterances)"
    provenance["left_out"] = left_out
    used = sum(int(part["kept"].sum()) for part in content.values())
    dropped = [(f"left out: {reason}", len(ids)) for reason, ids in left_out.items()]
    every = used + sum(n for _, n in dropped)
    provenance["flow"] = [("utterances", every), *dropped, ("used", used)]
    if dropped and data == "real":
        listed = ", ".join(f"{n} {step.removeprefix('left out: ')}" for step, n in dropped)
        provenance["splits"] += f"; left out of {every}: {listed}"
    return _assemble(content, "real" if data == "real" else "simulated", provenance)


def flow(data):
    """Show how many utterances were left out, by reason, and used."""
    return pd.DataFrame(data.provenance["flow"], columns=["step", "count"]).set_index("step")


def videos(data):
    """Return the video of every utterance, [n]: the independent unit."""
    # The numbers that repeated ids get are no part of a video's name.
    return np.array([video_of(re.sub(r"#\d+$", "", name)) for name in data.ids])


def code(sentiment, coding, scale=None, where="the labels"):
    """Turn sentiment [n] into labels [n] by a key of `CODINGS`; also tell which are kept [n].

    `scale` is that of `load`; `where` names the labels in errors.
    """
    sentiment = np.asarray(sentiment, float)
    kept = np.ones(len(sentiment), bool)
    if (rows := np.flatnonzero(~np.isfinite(sentiment))).size:
        raise ValueError(
            f"{where}: {rows.size} of {len(sentiment)} labels are not finite, row {rows[0]} "
            "first: these utterances have no sentiment; leave them out of the file"
        )
    if coding == "given":
        if (sentiment != np.rint(sentiment)).any() or sentiment.min() < 0:
            raise ValueError(f"{where}: coding 'given' needs classes 0, 1, ...; choose acc2_nonneg")
        return sentiment.astype(np.int64), kept
    sentiment = _rescaled(sentiment, scale, where)
    if set(np.unique(sentiment)) == {0.0, 1.0}:
        raise ValueError(
            f"{where}: the labels are classes 0 and 1, not sentiment: {coding} needs -3 ... 3"
        )
    if (rows := np.flatnonzero(abs(sentiment) > 3)).size:
        raise ValueError(
            f"{where}: sentiment is beyond -3 ... 3 in {rows.size} of {len(sentiment)} rows, row "
            f"{rows[0]} first (from {sentiment.min():g} to {sentiment.max():g}). Older files hold "
            "averages to 15/3: scale='clip' takes them for the end; scale=(0, 8) maps a file coded "
            "0 ... 8"
        )
    if coding == "regression":
        return sentiment, kept
    if coding == "acc7":
        return np.rint(sentiment).astype(np.int64) + 3, kept
    if coding == "acc2_nonzero":
        return (sentiment > 0).astype(np.int64), sentiment != 0
    return (sentiment >= 0).astype(np.int64), kept


def _rescaled(sentiment, scale, where):
    """Sentiment on our scale, by `scale` of `load`."""
    if scale is None:
        return sentiment
    if isinstance(scale, str):
        require_choice("scale", scale, ("clip",))
        return np.clip(sentiment, -3, 3)
    low, high = map(float, scale)
    if not low < high:
        raise ValueError(f"scale is {scale!r}: give (low, high)")
    if sentiment.min() < low or sentiment.max() > high:
        raise ValueError(
            f"{where}: sentiment from {sentiment.min():g} to {sentiment.max():g} is beyond the "
            f"scale {low:g} ... {high:g}"
        )
    return 6 * (sentiment - low) / (high - low) - 3


def _read(root, layout, dataset, seed, label):
    """Read the one data set that is there.

    Its splits, its files with SHA-256, their origin, ids left out by reason, and its place.
    """
    folder = dataset.lower().removeprefix("cmu-")
    place = Path(root).expanduser() if root else data_root() / folder
    every = [place] if place.is_file() else visible(place)
    there = {name: [f for f in every if f.suffix == end] for name, end in SUFFIXES.items()}
    if len(there["csd"]) < 4:
        there["csd"] = []  # one sequence alone is no data set
    wanted = [name for name in SUFFIXES if there[name] and layout in ("auto", name)]
    if not wanted:
        raise not_there(
            f"{dataset} is not at {place} (layout {layout}): {REQUEST}, put the files there", folder
        )
    files = there[wanted[0]]
    if len(wanted) > 1 or (wanted[0] != "csd" and len(files) > 1):
        names = ", ".join(f.name for name in wanted for f in there[name])
        raise ValueError(f"{place} holds several data sets ({names}): name one file as root")
    if wanted[0] == "csd":
        content, origin, left_out = layouts.read_csd_folder(place, seed, label)
        files += [file for file in every if file.name == "folds.json"]
    else:
        read = {"pickle": layouts.read_pickle, "npz": layouts.read_npz}[wanted[0]]
        content, origin, left_out, place = read(files[0], label), "as in the file", {}, files[0]
    standing = {}
    for file in files:
        digest = pooch.file_hash(file)
        name = layouts.PUBLISHED.get(digest)
        known = f"recognised: {name}" if name else "no published SHA-256"
        standing[file.name] = f"{digest} ({known})"
    return content, standing, origin, left_out, place


def _require_disjoint(content):
    seen = {}
    for split, part in content.items():
        for video in set(map(video_of, part["ids"])):
            if seen.setdefault(video, split) != split:
                raise ValueError(
                    f"video {video} stands in {seen[video]} and in {split}: the splits must not "
                    "share videos, or the test is no test"
                )


def _require_alike(content, place):
    for name in MODALITIES:
        shapes = {split: list(part[name].shape[1:]) for split, part in content.items()}
        if len({str(shape) for shape in shapes.values()}) > 1:
            listed = ", ".join(f"{split} {shape}" for split, shape in shapes.items())
            raise ValueError(
                f"{place}: {name} has other steps or features in each split ({listed}); are files "
                "or splits mixed up?"
            )


def _assemble(content, kind, provenance):
    """Leave out what the coding leaves out, and put the splits in a row."""
    arrays, splits, n = {name: [] for name in (*MODALITIES, "labels", "ids")}, {}, 0
    for split, part in content.items():
        labels, kept = part["labels"], part["kept"]
        masked = {m: _masked(part[m], part.get(f"{m}_lengths")) for m in MODALITIES}
        for name, array in (masked | {"labels": labels, "ids": part["ids"]}).items():
            arrays[name].append(array if kept.all() else array[kept])
        splits[split] = np.arange(n, n + kept.sum())
        n += int(kept.sum())
    whole = {name: np.concatenate(parts) for name, parts in arrays.items()}
    labels, ids = whole.pop("labels"), _unique(whole.pop("ids"))
    return Multimodal(whole, labels, ids, splits, kind, provenance)


def _masked(features, lengths=None):
    """Append the mask, [n, steps, d] to [n, steps, d + 1]; what is not finite in float32 becomes 0.

    A step is padding beyond the utterance's length, or where all features are 0: aligned files pad
    so, some of them at the front.
    """
    with np.errstate(over="ignore"):
        features = np.asarray(features, np.float32)
    features = np.nan_to_num(features, nan=0.0, posinf=0.0, neginf=0.0)
    measured = (features != 0).any(-1, keepdims=True)
    if lengths is not None:
        measured &= np.arange(features.shape[1])[:, None] < np.reshape(lengths, (-1, 1, 1))
    return np.concatenate([features * measured, measured], axis=-1, dtype=np.float32)


def _unique(ids):
    """Number the ids that some files repeat, by names that no other id has."""
    count, out, taken = Counter(), [], set(ids)
    for name in ids:
        count[name] += 1
        while count[name] > 1 and f"{name}#{count[name]}" in taken:
            count[name] += 1
        out.append(name if count[name] == 1 else f"{name}#{count[name]}")
    return np.array(out)
