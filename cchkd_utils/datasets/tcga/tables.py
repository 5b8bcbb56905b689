"""Tables of TCGA, joined on the participant: primary tumours only, one aliquot each."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from cchkd_utils.datasets import delimited

BARCODE = re.compile(  # R writes dots for dashes
    r"(TCGA[-.][A-Z0-9]{2}[-.][A-Z0-9]{4})(?:[-.](\d{2})[A-Z]?(?:[-.][A-Z0-9.-]*)?)?",
    re.ASCII | re.I,
)
SUBTYPES = ("icluster", "hoshida", "ncip")  # published ones of LIHC
LABELS = ("pam50", "type", "grade", "high_grade", "stage", "vital", *SUBTYPES)
DEFAULT_LABEL = {"BRCA": "pam50", "KIPAN": "type", "LIHC": "icluster"}  # LIHC's: our choice
_PAM50 = {"luma": "LumA", "lumb": "LumB", "basal": "Basal", "her2": "Her2", "normal": "Normal"}
_PAM50 |= {"luminala": "LumA", "luminalb": "LumB", "basallike": "Basal"}
_PAM50 |= {"her2enriched": "Her2", "normallike": "Normal"}
_HIGH_GRADE = dict.fromkeys(("g1", "g2", "g1-2"), "G1-2")
_HIGH_GRADE |= dict.fromkeys(("g3", "g4", "g3-4"), "G3-4")
_VITAL = {"alive": "alive", "living": "alive", "dead": "dead", "deceased": "dead"}


def features_by_samples(path: Path) -> pd.DataFrame:
    """Read a tab-separated matrix, a feature a row, as float32 [samples, features].

    Lines that start with # are left out. The columns before the first TCGA barcode name the
    feature; the first that is not empty counts. Rows of one name are averaged, missing cells (nan)
    left out.
    """
    lines = delimited.records(path, "\t", comment="#")
    _, header = next(lines, (0, []))
    first = next((i for i, name in enumerate(header) if BARCODE.fullmatch(name)), None)
    if not first:
        shown = ascii(", ".join(header[:3]))[1:60].rstrip("'")
        reason = (
            "the header begins with a barcode: it lacks the name of the first column"
            if first == 0
            else f"the header names no feature column followed by TCGA barcodes ({len(header)} "
            f"columns found: {shown} ...; they must be separated by tabs, a feature a row)"
        )
        raise ValueError(f"{path}: {reason}")
    samples = header[first:]
    for column, name in enumerate(samples, first + 1):
        if not BARCODE.fullmatch(name):
            raise ValueError(f"{path}: column {column}: {name[:40]!r} is no TCGA barcode")
    delimited.refuse_repeats(path, header)
    names, rows = [], []
    for number, fields in lines:
        named = (field for field in fields[:first] if field.lower() not in delimited.MISSING)
        names.append(next(named, f"row {number}"))
        rows.append(delimited.numbers(path, number, fields[first:], samples))
    if not rows:
        raise ValueError(f"{path}: a header and no rows")
    table = pd.DataFrame(np.stack(rows), names, samples)
    if not table.index.is_unique:
        table = table.astype(float).groupby(level=0, sort=False).mean().astype(np.float32)
    return table.T


def samples_by_named_features(path: Path) -> pd.DataFrame:
    """Read a comma-separated matrix with a header, a participant a row, named in the first column.

    float32 [samples, features].
    """
    lines = delimited.records(path, ",")
    _, header = next(lines, (0, []))
    delimited.refuse_repeats(path, header)
    names, rows = [], []
    for number, (name, *fields) in lines:
        if not BARCODE.fullmatch(name):
            raise ValueError(f"{path}: row {number}: {name[:40]!r} is no TCGA barcode")
        names.append(name)
        rows.append(delimited.numbers(path, number, fields, header[1:]))
    if not rows:
        raise ValueError(f"{path}: a header and no rows")
    return pd.DataFrame(np.stack(rows), names, header[1:])


def participant(barcode: str) -> str:
    """Return the first 12 characters of a barcode, in capitals; another name as it is spelt."""
    match = BARCODE.fullmatch(barcode)
    return match[1].upper().replace(".", "-") if match else barcode


def one_per_participant(samples: Iterable[str]) -> dict[str, int]:
    """Return the row of each participant's primary tumour: of several, the first by barcode.

    Its sample type is 01; a name without one counts as primary.
    """
    primary = []
    for i, name in enumerate(samples):
        match = BARCODE.fullmatch(name)
        if not match or match[2] in (None, "01"):
            primary.append((name.upper().replace(".", "-"), i, name))
    return {participant(name): i for _, i, name in sorted(primary, reverse=True)}


def clean_label(label: str, raw: str) -> str | None:
    """Bring one clinical entry to its class; None where it names none (GX, not available)."""
    text = raw.strip().lower()
    if label == "pam50":
        return _PAM50.get(re.sub(r"[\s_-]", "", text.removeprefix("brca_")))
    if label == "vital":
        return _VITAL.get(text.rpartition(":")[2])
    if label == "stage":
        match = re.fullmatch(r"(?:stage )?(i{1,3}|iv)[abc]?[12]?", text)
        return match and match[1].upper()
    if label == "grade":
        return text.upper() if re.fullmatch(r"g[1-4]", text) else None
    if label == "high_grade":
        return _HIGH_GRADE.get(text)
    if label in SUBTYPES:
        text = text.removeprefix("icluster:").removesuffix(".0")
    return None if text in delimited.MISSING else text.upper()


def join(matrices: Mapping[str, pd.DataFrame], labels: Mapping[str, str], min_class: int) -> tuple:
    """Keep the participants that have every modality and a label.

    `labels` by participant, None where the entry names no class. Classes of fewer than `min_class`
    are left out. Returns modalities, class codes [n], names of classes and participants, both in
    alphabetical order, and the flow: counts whose parts "left out" and "used" add up.
    """
    rows = {name: one_per_participant(matrix.index) for name, matrix in matrices.items()}
    flow = [step for name, matrix in matrices.items() for step in _samples(name, matrix.index)]
    everyone = sorted(set().union(*rows.values()))
    sizes = Counter(
        labels[who] for who in everyone if labels.get(who) and all(who in r for r in rows.values())
    )
    classes = sorted(name for name, size in sizes.items() if size >= min_class)
    reasons = {who: _reason(who, rows, labels, classes) for who in everyone}
    ids = [who for who in everyone if not reasons[who]]
    flow.append(("participants", len(everyone)))
    counted = Counter(filter(None, reasons.values()))
    flow += [(f"left out: {reason}", n) for reason, n in counted.items()]
    flow.append((f"used: in a class of at least {min_class}", len(ids)))
    if len(classes) < 2:
        listed = ", ".join(f"{name} {size}" for name, size in sizes.items()) or "no label"
        examples = "; ".join(f"{name} has {_example(rows[name])}" for name in rows)
        why = ", ".join(f"{reason}: {n}" for reason, n in counted.items())
        raise ValueError(
            f"fewer than two classes of at least {min_class} remain ({listed}). Of "
            f"{len(everyone)} participants left out, {why}. Names: {examples}; "
            f"the labels {_example(labels)}"
        )
    taken = {
        name: np.ascontiguousarray(matrix.iloc[[rows[name][who] for who in ids]])
        for name, matrix in matrices.items()
    }
    codes = np.array([classes.index(labels[who]) for who in ids])
    return taken, codes, classes, ids, flow


def _samples(name, samples):
    """Steps from the samples of one modality to its participants."""
    kinds = Counter()
    for sample in samples:
        match = BARCODE.fullmatch(sample)
        if match and match[2] not in (None, "01"):
            kinds[match[2]] += 1
    kept = len(one_per_participant(samples))
    yield f"{name}: samples", len(samples)
    if kinds:
        shown = ", ".join(f"{kind}: {n}" for kind, n in sorted(kinds.items()))
        yield f"{name}: left out, no primary tumour (type {shown})", kinds.total()
    if again := len(samples) - kinds.total() - kept:
        yield f"{name}: left out, another sample of a participant", again
    yield f"{name}: participants with a primary tumour", kept


def _reason(who, rows, labels, classes) -> str:
    """Why a participant is left out; empty where it is not."""
    if lacking := [name for name in rows if who not in rows[name]]:
        return f"lacks {' and '.join(lacking)}"
    if who not in labels:
        return "not in the table of labels"
    if not labels[who]:
        return "its label names no class"
    return "" if labels[who] in classes else "in a smaller class"


def _example(names) -> str:
    return f"{len(names)}, such as {next(iter(names))!a}" if names else "none"
