"""Multimodal sets of any field in one layout: an array per modality, and the class of each row.

A set is an ``.npz`` file with one array [n, ...] of numbers per modality and ``labels`` [n]; where
there are such, also ``ids`` [n] and ``groups`` [n], the independent unit (patient, video) of each
row. Or it is a folder with one table per modality, csv, tsv or parquet, joined on their column
``id`` (else their first), and a table ``labels`` with the columns id, label and perhaps group.
"""

import contextlib
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from cchkd_utils.datasets import Multimodal, delimited, require_choice, visible
from cchkd_utils.datasets.pairs import originals
from cchkd_utils.paths import data_root
from cchkd_utils.untrusted import npz

SPECIAL = ("labels", "ids", "groups")
MIN_CLASS = 10  # rows; smaller classes are left out, and said
ENDINGS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".parquet")
NAMES = {  # columns of the table of labels
    "labels": ("label", "labels", "class", "target", "y"),
    "groups": ("group", "groups", "unit", "units"),
}
EMBEDDED = tuple(originals.EMBEDDED)
COHORTS = {f"TCGA-{name}": name for name in ("BRCA", "KIPAN", "LIHC")}
MOSI = "MOSI"
KNOWN = (*EMBEDDED, *originals.PUBLISHED, *COHORTS, MOSI)


def read(path: Path | str, min_class: int = MIN_CLASS) -> Multimodal:
    """Read a set that somebody else wrote, a file or a folder, without trusting it.

    Rows without a label or in a class of fewer than `min_class` rows, and rows that not every table
    has, are left out with a UserWarning that counts them. Missing values stay nan. ``provenance``
    has name, classes and left_out.

    Raises
    ------
    ValueError
        One line: no labels, fewer than two modalities, lengths that differ, ids that repeat, labels
        that are no classes, numbers that are infinite, a damaged or pickled file.
    """
    path = Path(path)
    if not path.exists():
        raise ValueError(f"{path}: there is no such file or folder")
    name = path.name.removesuffix(".npz")
    try:
        arrays, dropped = _tables(path) if path.is_dir() else (_npz(path), {})
        return assemble(name, arrays, dropped=dropped, min_class=min_class)
    except ValueError as error:
        text = str(error)
        raise ValueError(text if str(path) in text else f"{path}: {text}") from None


def load(name: str, root=None) -> Multimodal:
    """Load a set by name: ``pairs/<name>.npz`` or folder under `root`, else as published.

    The names are `EMBEDDED`, which come with scikit-learn, those of `originals.PUBLISHED`, the
    `COHORTS` and `MOSI` (its test videos), and whatever lies in ``pairs/``. FileNotFoundError says
    how to get what is not there.
    """
    if name in EMBEDDED:
        return assemble(name, originals.EMBEDDED[name]())
    if name in COHORTS:
        from cchkd_utils.datasets import tcga  # loaders of these need the extra `book`

        cohort = COHORTS[name]
        return _renamed(tcga.load(cohort, tcga.available(cohort, root), root=root), name)
    if name == MOSI:
        return _mosi(root)
    folder = data_root(root) / "pairs"
    for place in (folder / f"{name}.npz", folder / name):
        if place.exists() and name != "original":
            return read(place)
    require_choice("set", name, (*KNOWN, *available(root)))
    published = originals.PUBLISHED[name]
    data = assemble(name, published.read(folder / "original"))
    known = {"source": published.source, "licence": published.licence}
    return replace(data, provenance={**data.provenance, **known})


def available(root=None) -> list[str]:
    """Return the names of all sets that `load` finds, the embedded ones first."""
    from cchkd_utils.datasets import tcga

    folder = data_root(root) / "pairs"
    own = [p.stem if p.suffix == ".npz" else p.name for p in visible(folder) if _is_set(p)]
    ready = [name for name, p in originals.PUBLISHED.items() if not p.lacking(folder / "original")]
    if (data_root(root) / "mosi").is_dir():
        ready.append(MOSI)
    for name, cohort in COHORTS.items():
        with contextlib.suppress(FileNotFoundError):
            ready += [name] if len(tcga.available(cohort, root)) > 1 else []
    return [*EMBEDDED, *sorted({*own, *ready})]


def _renamed(dataset, name):
    return replace(dataset, provenance={**dataset.provenance, "name": name})


def _mosi(root):
    """Utterances of the 31 test videos: the features of the others saw their labels."""
    from cchkd_utils.datasets import mosei

    folder = data_root(root) / "mosi"
    data = mosei.load("real", folder, "npz", "given", "CMU-MOSI", ("test",))
    mean = {
        name: np.nan_to_num((x[..., :-1] * x[..., -1:]).sum(1) / x[..., -1:].sum(1))
        for name, x in data.modalities.items()
    }
    known = {"classes": np.unique(data.labels).tolist()}
    data = replace(data, modalities=mean, provenance={**data.provenance, **known})
    return _renamed(replace(data, units=mosei.videos(data)), MOSI)


def _is_set(path):
    return path.suffix == ".npz" or (path.is_dir() and path.name != "original")


def _npz(path):
    kinds = dict.fromkeys(SPECIAL, npz.NUMBERS + npz.TEXT)
    again = "write it again with numpy.savez(file, <modality>=..., labels=...)"
    return npz.read(path, kinds=lambda name: kinds.get(name, npz.NUMBERS), again=again)


def assemble(
    name: str, arrays: dict, *, dropped: dict | None = None, min_class: int = MIN_CLASS
) -> Multimodal:
    """Check arrays by name, `SPECIAL` ones among them, and make a set of them; see `read`."""
    if "labels" not in arrays:
        held = ascii(", ".join(sorted(arrays)))[1:60]
        raise ValueError(f"lacks labels (it holds {held}): save the class of each row as labels")
    sizes = {key: np.shape(a)[0] if np.ndim(a) else 0 for key, a in arrays.items()}
    if len(set(sizes.values())) > 1:
        told = ", ".join(f"{key} {size}" for key, size in sizes.items())
        raise ValueError(
            f"rows differ ({told[:200]}): every array needs one row per unit, in order"
        )
    modalities = {
        key: _modality(key, np.asarray(a)) for key, a in arrays.items() if key not in SPECIAL
    }
    if len(modalities) < 2:
        told = ", ".join(modalities) or "none"
        raise ValueError(f"has one modality or none ({told}): a pair needs two arrays of numbers")
    names = _classes(np.asarray(arrays["labels"]))
    dropped = dict(dropped or {})
    classes, counts = np.unique(names[names != ""], return_counts=True)
    small = classes[counts < min_class]
    if missing := int((names == "").sum()):
        dropped["without a label"] = missing
    if small.size:
        said = ", ".join(map(str, small[:5])) + (" ..." if small.size > 5 else "")
        rows = int(np.isin(names, small).sum())
        dropped[f"in {small.size} classes of fewer than {min_class} rows ({said})"] = rows
    classes = classes[counts >= min_class]
    if len(classes) < 2:
        raise ValueError(
            f"{len(classes)} class has {min_class} rows or more (of {counts.size}): two are needed"
        )
    keep = np.isin(names, classes)
    if dropped:
        told = "; ".join(f"{n} {why}" for why, n in dropped.items())
        warnings.warn(f"{name}: rows left out: {told}", stacklevel=2)
    ids = np.asarray(arrays.get("ids", np.arange(len(names)))).astype(str)
    units = arrays.get("groups")
    if units is not None:
        units = _text(np.asarray(units), "groups")
        if (bare := np.flatnonzero(units == "")).size:
            raise ValueError(f"groups has no name in {bare.size} rows, row {bare[0]} first")
        units = units[keep]
    return Multimodal(
        {key: x[keep] for key, x in modalities.items()},
        np.searchsorted(classes, names[keep]), ids[keep], {"all": np.arange(int(keep.sum()))},
        "real", {"name": name, "classes": classes.tolist(), "left_out": dropped}, units,
    )  # fmt: skip


def _modality(name, array):
    """Return float32 [n, d]; images and sequences are flattened."""
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} is of type {array.dtype}, not numbers")
    with np.errstate(over="ignore"):
        flat = array.reshape(len(array), -1).astype(np.float32)
    if (rows := np.flatnonzero(np.isinf(flat).any(axis=1))).size:
        raise ValueError(f"{name} has infinite numbers in {rows.size} rows, row {rows[0]} first")
    if not flat.shape[1] or np.isnan(flat).all():
        raise ValueError(f"{name} has no number in it")
    return flat


def _classes(labels):
    """Return the class of each row as text [n], empty where it has none."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    numeric = labels.dtype.kind in "fiub"
    if labels.ndim == 2 and numeric and np.isin(labels, (0, 1)).all():
        if (labels.sum(axis=1) != 1).any():
            raise ValueError("labels are several per row (multi-label): give one class per row [n]")
        labels = labels.argmax(axis=1)  # one-hot
    if labels.ndim != 1:
        raise ValueError(f"labels are {list(labels.shape)}: one class per row [n] is needed")
    if labels.dtype.kind == "f":
        held = labels[~np.isnan(labels)]
        if (held != np.round(held)).any():
            example = held[held != np.round(held)][0]
            raise ValueError(f"labels are real targets such as {example:.4g}: bin them to classes")
        width = len(str(int(abs(held).max(initial=0))))
        return np.array(["" if np.isnan(v) else f"{int(v):0{width}d}" for v in labels])
    if labels.dtype.kind in "iu":
        width = len(str(abs(labels).max(initial=0)))
        return np.array([f"{int(v):0{width}d}" for v in labels])  # in the order of the numbers
    return _text(labels, "labels")


def _text(array, name):
    if array.ndim != 1:
        raise ValueError(f"{name} are {list(array.shape)}: one per row [n] is needed")
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "replace")
    text = np.char.strip(array.astype(str))
    return np.where(np.isin(np.char.lower(text), [*delimited.MISSING, "none", "<na>"]), "", text)


def _tables(folder):
    """Read the tables of a folder and join them on their ids; arrays, and rows left out."""
    tables = {}
    for path in visible(folder):
        ending = next(
            (e for e in sorted(ENDINGS, key=len, reverse=True) if path.name.endswith(e)), ""
        )
        if not ending:
            continue
        name = path.name.removesuffix(ending)
        if name in tables:
            raise ValueError(f"{folder} has two tables {name}: leave one of them")
        tables[name] = _table(path, is_text=name in SPECIAL)
    if "labels" not in tables:
        raise ValueError(f"{folder} lacks a table labels (labels.csv) with the columns id, label")
    labels = tables.pop("labels")
    arrays = {"labels": _column(labels, "labels", folder)}
    if (groups := _column(labels, "groups", folder)) is not None:
        arrays["groups"] = groups
    elif "groups" in tables:
        arrays["groups"] = tables.pop("groups").iloc[:, 0]
    shared = labels.index
    for table in tables.values():
        shared = shared[shared.isin(table.index)]
    if not len(shared):
        told = "; ".join(
            f"{k} has {t.index[0]!a}" for k, t in [("labels", labels), *tables.items()]
        )
        raise ValueError(f"{folder}: no id is in every table ({told})"[:300])
    every = labels.index.append([table.index for table in tables.values()]).nunique()
    arrays = {
        key: column.reindex(shared, fill_value="").to_numpy(str) for key, column in arrays.items()
    }
    arrays |= {key: table.loc[shared].to_numpy(np.float32) for key, table in tables.items()}
    dropped = {"not in every table": every - len(shared)} if every > len(shared) else {}
    return arrays | {"ids": shared.to_numpy(str)}, dropped


def _column(labels, which, folder):
    names = {str(column).lower(): column for column in labels}
    known = next((names[name] for name in NAMES[which] if name in names), None)
    if known is None and which == "labels":
        if labels.shape[1] != 1:
            raise ValueError(f"{folder}: the table labels needs a column named label")
        known = labels.columns[0]
    return None if known is None else labels[known]


def _table(path, is_text):
    """Read one table as float32, or text where `is_text`, indexed by its ids."""
    if path.suffix == ".parquet":
        table = _parquet(path)
        header, rows = [str(c) for c in table], None
    else:
        delimiter = "," if ".csv" in path.name else "\t"
        lines = delimited.records(path, delimiter)
        _, header = next(lines, (0, []))
        delimited.refuse_repeats(path, header)
        rows = list(lines)
    if len(header) < 2:
        raise ValueError(f"{path}: {len(header)} column: an id and at least one more are needed")
    at = next((i for i, c in enumerate(header) if c.strip().lower() in ("id", "ids")), 0)
    columns = header[:at] + header[at + 1 :]
    if rows is None:
        ids, values = table.iloc[:, at].astype(str), table.drop(columns=table.columns[at])
        if is_text:
            values = values.astype(object).where(values.notna(), "").astype(str)
        elif bad := [c for c in values if not pd.api.types.is_numeric_dtype(values[c])]:
            raise ValueError(f"{path}: column {bad[0]!a} is not of numbers")
        else:
            values = values.astype(np.float32)
    else:
        ids = [fields[at].strip() for _, fields in rows]
        cells = [(number, fields[:at] + fields[at + 1 :]) for number, fields in rows]
        values = (
            [fields for _, fields in cells]
            if is_text
            else [delimited.numbers(path, number, fields, columns) for number, fields in cells]
        )
    out = pd.DataFrame(np.asarray(values), list(ids), columns)
    if not len(out):
        raise ValueError(f"{path}: a header and no rows")
    if out.index.has_duplicates:
        raise ValueError(f"{path}: the id {out.index[out.index.duplicated()][0]!a} is there twice")
    return out


def _parquet(path):
    try:
        return pd.read_parquet(path)
    except Exception as error:  # pyarrow raises many kinds on damaged files
        reason = " ".join(str(error).split())[:80]
        raise ValueError(f"{path}: not a whole parquet table ({reason})") from None
