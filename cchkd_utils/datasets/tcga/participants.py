"""From samples to participants: primary tumours, one aliquot each, joined, labelled, counted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cchkd_utils.datasets.tcga.tables import BARCODE

LABELS = ("pam50", "type", "grade", "high_grade", "stage", "vital")
DEFAULT_LABEL = {"BRCA": "pam50", "KIPAN": "type", "LIHC": "high_grade"}  # LIHC's: our choice
_PAM50 = {"luma": "LumA", "lumb": "LumB", "basal": "Basal", "her2": "Her2", "normal": "Normal"}
_PAM50 |= {"luminala": "LumA", "luminalb": "LumB", "basallike": "Basal"}
_PAM50 |= {"her2enriched": "Her2", "normallike": "Normal"}
_VITAL = {"alive": "alive", "living": "alive", "dead": "dead", "deceased": "dead"}


def participant(barcode: str) -> str:
    """Return the first 12 characters of a barcode, in capitals; another name as it is spelt."""
    return barcode[:12].upper() if BARCODE.fullmatch(barcode) else barcode


def one_per_participant(samples: Iterable[str]) -> dict[str, int]:
    """Return the row of each participant's primary tumour: of several, the first by barcode.

    Its sample type is 01; a name without one counts as primary.
    """
    primary = []
    for i, name in enumerate(samples):
        match = BARCODE.fullmatch(name)
        if not match or match[2] in (None, "01"):
            primary.append((name.upper(), i, name))
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
    if label in ("grade", "high_grade"):
        if not re.fullmatch(r"g[1-4]", text):
            return None
        return text.upper() if label == "grade" else "G1-2" if text in ("g1", "g2") else "G3-4"
    return text.upper() or None


def join(
    matrices: Mapping[str, pd.DataFrame], labels: Mapping[str, str], min_class: int
) -> tuple[dict[str, NDArray], NDArray, list[str], list[str], list[tuple[str, int]]]:
    """Keep the participants that have every modality and a label.

    `matrices` are [samples, features]; `labels` are classes by participant, of which those with
    fewer than `min_class` are left out. Returns modalities, class codes [n], names of classes and
    participants, both in alphabetical order, and the flow from samples to participants.
    """
    rows = {name: one_per_participant(matrix.index) for name, matrix in matrices.items()}
    flow = []
    for name, matrix in matrices.items():
        flow.append((f"{name}: samples", len(matrix)))
        flow.append((f"{name}: participants with a primary tumour", len(rows[name])))
    joined = sorted(set.intersection(*map(set, rows.values())))
    labelled = [who for who in joined if labels.get(who)]
    sizes = Counter(labels[who] for who in labelled)
    classes = sorted(name for name, size in sizes.items() if size >= min_class)
    ids = [who for who in labelled if labels[who] in classes]
    flow += [("joined: in every modality", len(joined)), ("labelled", len(labelled))]
    flow.append((f"used: in a class of at least {min_class}", len(ids)))
    if len(classes) < 2:
        counted = ", ".join(f"{name} {size}" for name, size in sizes.items()) or "no label"
        raise ValueError(f"fewer than two classes of at least {min_class} remain ({counted})")
    taken = {
        name: np.ascontiguousarray(matrix.iloc[[rows[name][who] for who in ids]])
        for name, matrix in matrices.items()
    }
    codes = np.array([classes.index(labels[who]) for who in ids])
    return taken, codes, classes, ids, flow
