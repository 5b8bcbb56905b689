"""Cancer cohorts of TCGA: expression (mrna), copy number (cnv) and protein (rppa) of one tumour.

`load` finds a cohort in any of four layouts, or draws the simulated stand-in that comes with the
book. One row is one participant; missing values stay nan, to be filled inside the training fold.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cchkd_utils.datasets import DATA, Multimodal, not_there, require_choice
from cchkd_utils.datasets.tcga import fetch, layouts, simulated
from cchkd_utils.datasets.tcga.participants import (
    DEFAULT_LABEL,
    LABELS,
    clean_label,
    join,
    participant,
)
from cchkd_utils.paths import data_root

MODALITIES = ("mrna", "cnv", "rppa")
PARTS = {"KIPAN": ("KIRC", "KIRP", "KICH")}
COHORTS = ("BRCA", "KIPAN", "LIHC", *PARTS["KIPAN"])
LAYOUTS = ("auto", "npz", "cbioportal", "xena", "mogonet")


def load(
    cohort: str,
    modalities: Sequence[str] = MODALITIES,
    label: str | None = None,
    *,
    data: str = "real",
    root=None,
    layout: str = "auto",
    min_class: int = 10,
    seed: int = 0,
) -> Multimodal:
    """Load one cohort, joined on the participant.

    Primary tumours only (sample type 01). Of several aliquots of one participant the first by
    barcode counts; rows of one gene are averaged. Both rules are blind to labels.

    Parameters
    ----------
    cohort : {"BRCA", "KIPAN", "LIHC", "KIRC", "KIRP", "KICH"}
        KIPAN is KIRC, KIRP and KICH together, on the features that all three have.
    modalities : sequence of {"mrna", "cnv", "rppa"}
    label : {"pam50", "type", "grade", "high_grade", "stage", "vital"}, optional
        Default: pam50 in BRCA, type in KIPAN, high_grade (G1-2 or G3-4) in LIHC, grade otherwise.
    data : {"real", "embedded"}
        ``real``: found under `root`, nothing is downloaded. ``embedded``: `simulated.draw`.
    root : path-like, optional
        Folder that holds ``tcga/``, or the study's own folder; see `paths.data_root`.
    layout : {"auto", "npz", "cbioportal", "xena", "mogonet"}
        ``auto``: the first that is there, in this order. MOGONET's csv files name neither
        participants nor classes: rows are taken as filed, and so is their one label.
    min_class : int
        Classes with fewer participants are left out.
    seed : int
        Of the simulation; unused for real data.

    Returns
    -------
    Multimodal
        float32 [n, features] with nan where missing; classes as codes; split ``all``.
        ``provenance`` has classes, layout, files, and the flow table (see `flow`). cBioPortal's
        files are held against their published hashes: one that differs is named there and in a
        UserWarning.

    Raises
    ------
    ValueError
        For an unknown name, a damaged file (one line: file, row, column), fewer than two
        classes, or parts of KIPAN in different layouts or file variants, whose units differ.
    FileNotFoundError
        When the cohort, or a modality of it, is not under `root`.
    """
    require_choice("cohort", cohort, COHORTS)
    require_choice("data", data, DATA)
    require_choice("layout", layout, LAYOUTS)
    label = label or DEFAULT_LABEL.get(cohort, "grade")
    require_choice("label", label, LABELS)
    for name in modalities:
        require_choice("modality", name, MODALITIES)
    if not modalities:
        raise ValueError(f"no modality given: choose from {', '.join(MODALITIES)}")
    if data == "embedded":
        return simulated.draw(cohort, modalities, label, seed)
    sources = _sources(cohort, root, layout)
    _require_there(sources, modalities)
    matrices, entries, read = _read(sources, modalities, label)
    arrays, codes, classes, ids, steps = join(matrices, entries, min_class)
    provenance = {"cohort": cohort, "label": label, "classes": classes, "files": read}
    provenance |= {"layout": next(iter(sources.values())).layout, "flow": steps}
    provenance["source"] = "TCGA (NCI/NHGRI)"
    splits = {"all": np.arange(len(ids))}
    return Multimodal(arrays, codes, np.array(ids), splits, "real", provenance)


def available(cohort: str, root=None, layout: str = "auto") -> list[str]:
    """Return the modalities of a cohort that are under `root`; raises as `load`."""
    require_choice("cohort", cohort, COHORTS)
    sources = _sources(cohort, root, layout).values()
    return [name for name in MODALITIES if all(name in source.matrices for source in sources)]


def download(cohort: str, modalities: Sequence[str] = MODALITIES, root=None) -> None:
    """Download a cohort from UCSC Xena to ``tcga/`` under `root`, for `load`; see `fetch.xena`."""
    require_choice("cohort", cohort, COHORTS)
    for part in PARTS.get(cohort, (cohort,)):
        fetch.xena(part, modalities, data_root(root) / "tcga" / f"TCGA.{part}.sampleMap")


def _sources(cohort, root, layout):
    """Return part to Source: the cohort itself, or the parts of KIPAN."""
    folder = data_root(root)
    whole = layouts.find(folder, cohort, layout)
    if whole:
        return {cohort: whole}
    sources = {p: layouts.find(folder, p, layout) for p in PARTS.get(cohort, (cohort,))}
    for part, source in sources.items():
        if source is None:
            raise not_there(
                f"TCGA-{part} is not in {folder / 'tcga'} as npz, cBioPortal folder, Xena folder "
                f"or MOGONET csv; tcga.download({cohort!r}) fetches it", "tcga"
            )  # fmt: skip
    filed = {part: source.layout for part, source in sources.items()}
    if len(set(filed.values())) > 1:
        raise ValueError(
            f"the parts of {cohort} are in different layouts, whose units differ "
            f"({_listed(filed)}): pass the layout that has them all; "
            f"tcga.download({cohort!r}) fetches that of xena"
        )
    return sources


def _listed(by_part):
    return ", ".join(f"{part} {value}" for part, value in by_part.items())


def _require_there(sources, modalities):
    """Refuse, before anything is read, what is not there or comes in different units."""
    for name in modalities:
        for part, source in sources.items():
            if name not in source.matrices:
                there = ", ".join(source.matrices) or "none"
                raise FileNotFoundError(f"{source.place}: no {name} of {part} (found: {there})")
        variants = {part: source.variants[name] for part, source in sources.items()}
        if len(set(variants.values())) > 1:
            raise ValueError(
                f"{name} comes in different units ({_listed(variants)}): put the same kind of file "
                "in each part's folder and take the others away, or leave this modality out"
            )


def _read(sources, modalities, label):
    """Return matrices by modality; participant to class; file to its standing."""
    matrices, entries, read = {name: [] for name in modalities}, {}, {}
    for part, source in sources.items():
        for name in modalities:
            matrices[name].append(source.matrices[name]())
        paths = [source.files[name] for name in modalities]
        if label == "type" and len(sources) > 1:  # the type of a part of KIPAN is its own name
            samples = [sample for name in modalities for sample in matrices[name][-1].index]
            entries |= {participant(sample): part for sample in samples}
        else:
            path, filed = source.labels(label)
            paths.append(path)
            if source.layout != "mogonet":  # whose classes have numbers, not names
                filed = {who: clean_label(label, entry) for who, entry in filed.items()}
            entries |= filed
        for path in dict.fromkeys(paths):
            read[f"{part} {path.name}"] = fetch.standing(path, source.study)
    # Parts under each other, on the features that all have, in the first one's order.
    stacked = {name: pd.concat(blocks, join="inner") for name, blocks in matrices.items()}
    for name, matrix in stacked.items():
        if not matrix.shape[1]:
            raise ValueError(f"{name} of {', '.join(sources)} have no feature in common")
    return stacked, entries, read


def flow(dataset: Multimodal) -> pd.DataFrame:
    """Show how many samples and participants were left after each step of `load`."""
    table = pd.DataFrame(dataset.provenance["flow"], columns=["step", "count"])
    return table.set_index("step")
