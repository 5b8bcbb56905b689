"""Cancer cohorts of TCGA: expression (mrna), copy number (cnv) and protein (rppa) of one tumour.

`load` finds a cohort in any of four layouts, or draws the simulated stand-in that comes with the
book. One row is one participant; missing values stay nan, to be filled inside the training fold.
"""

import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pooch

from cchkd_utils.datasets import DATA, Multimodal, fetch, not_there, require_choice, visible
from cchkd_utils.datasets.tcga import layouts, simulated, tables
from cchkd_utils.paths import data_root

MODALITIES = ("mrna", "cnv", "rppa")
PARTS = {"KIPAN": ("KIRC", "KIRP", "KICH")}
COHORTS = ("BRCA", "KIPAN", "LIHC", *PARTS["KIPAN"])
LAYOUTS = ("auto", "npz", "cbioportal", "xena", "mogonet")
HOSTS = (
    "https://tcga-xena-hub.s3.us-east-1.amazonaws.com/download/TCGA.{part}.sampleMap%2F{name}",
    "https://tcga.xenahubs.net/download/TCGA.{part}.sampleMap/{name}",
)
PINS = Path(__file__).with_name("cbioportal_pins.tsv")  # study, file, sha256, size


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

    Returns
    -------
    Multimodal
        float32 [n, features] with nan where missing; classes as codes; split ``all``.
        ``provenance`` has classes, layout, the flow table (see `flow`), and files: those of
        cBioPortal that differ from the published ones are named in a UserWarning too.

    Raises
    ------
    ValueError
        For a damaged file (one line: file, row, column), fewer than two classes, or parts of KIPAN
        in different layouts or file variants, whose units differ.
    FileNotFoundError
        When the cohort, or a modality of it, is not under `root`.
    """
    require_choice("cohort", cohort, COHORTS)
    require_choice("data", data, DATA)
    require_choice("layout", layout, LAYOUTS)
    label = label or tables.DEFAULT_LABEL.get(cohort, "grade")
    require_choice("label", label, tables.LABELS)
    for name in modalities:
        require_choice("modality", name, MODALITIES)
    if not modalities:
        raise ValueError(f"no modality given: choose from {', '.join(MODALITIES)}")
    if data == "embedded":
        return simulated.draw(cohort, modalities, label, seed)
    sources = _sources(cohort, root, layout)
    _require_there(sources, modalities)
    matrices, entries, read, given = _read(sources, modalities, label)
    try:
        arrays, codes, classes, ids, steps = tables.join(matrices, entries, min_class)
    except ValueError as error:
        places = ", ".join(str(source.place) for source in sources.values())
        raise ValueError(f"{places}: {error}") from None
    provenance = {"cohort": cohort, "label": label, "classes": classes, "files": read}
    provenance |= {"layout": next(iter(sources.values())).layout, "flow": given + steps}
    provenance["source"] = "TCGA (NCI/NHGRI)"
    splits = {"all": np.arange(len(ids))}
    return Multimodal(arrays, codes, np.array(ids), splits, "real", provenance)


def available(cohort: str, root=None) -> list[str]:
    """Return the modalities of a cohort that are under `root`; raises as `load`."""
    require_choice("cohort", cohort, COHORTS)
    sources = _sources(cohort, root, "auto").values()
    return [name for name in MODALITIES if all(name in source.matrices for source in sources)]


def download(cohort: str, modalities: Sequence[str] = MODALITIES, root=None) -> None:
    """Download a cohort from UCSC Xena to ``tcga/`` under `root`, for `load`.

    Xena publishes no hashes: each is recorded at the first download and checked from then on.
    """
    require_choice("cohort", cohort, COHORTS)
    for part in PARTS.get(cohort, (cohort,)):
        wanted = [[f"{name}.gz" for name in layouts.XENA[m]] for m in modalities]
        wanted.append([f"{part}_clinicalMatrix", f"{part}_clinicalMatrix.gz"])
        for names in wanted:
            _fetch_first(part, names, data_root(root) / "tcga" / f"TCGA.{part}.sampleMap")


def _fetch_first(part, names, folder):
    """Fetch a file under the first of its names that the servers do not deny having.

    An outage must not put RPPA, of other units, in RPPA_RBN's place.
    """
    reasons = []
    for name in names:
        try:
            return fetch.fetch([host.format(part=part, name=name) for host in HOSTS], folder, name)
        except fetch.DownloadError as error:
            reasons.append(str(error))
            if not error.missing:
                break
    raise fetch.DownloadError("; ".join(reasons))


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
                f"or MOGONET csv ({_seen(folder, part)}); tcga.download({cohort!r}) fetches it",
                "tcga",
            )
    _refuse_mixed(
        {part: source.layout for part, source in sources.items()},
        f"the parts of {cohort} are in different layouts, whose units differ",
        f"pass the layout that has them all; tcga.download({cohort!r}) fetches that of xena",
    )
    return sources


def _seen(folder, part):
    """Say what was looked for and what is there."""
    looked = "; ".join(f"{k}: {', '.join(names)}" for k, names in layouts.wanted(part).items())
    place = folder / "tcga" if (folder / "tcga").is_dir() else folder
    inside = [p.name for p in visible(place)] if place.is_dir() else []
    inside += [f"{p.name}/{q.name}" for p in place.glob("*") if p.is_dir() for q in visible(p)]
    there = ascii(", ".join(inside[:12]))[1:-1] or "nothing"
    return f"looked for {looked}, each with or without .gz; found {there}"


def _refuse_mixed(by_part, problem, advice):
    if len(set(by_part.values())) > 1:
        listed = ", ".join(f"{part} {value}" for part, value in by_part.items())
        raise ValueError(f"{problem} ({listed}): {advice}")


def _require_there(sources, modalities):
    """Refuse, before anything is read, what is not there or comes in different units."""
    for name in modalities:
        for part, source in sources.items():
            if name not in source.matrices:
                there = ", ".join(source.matrices) or "none"
                names = {"xena": layouts.XENA, "cbioportal": layouts.CBIOPORTAL}.get(source.layout)
                looked = f"; looked for {' or '.join(names[name])}" if names else ""
                raise FileNotFoundError(
                    f"{source.place}: no {name} of {part} (found: {there}{looked})"
                )
        _refuse_mixed(
            {part: source.variants[name] for part, source in sources.items()},
            f"{name} comes in different units",
            "put the same kind of file in each part's folder and take the others away, or leave "
            "this modality out",
        )


def _read(sources, modalities, label):
    """Return matrices by modality; participant to class; file to its standing; steps of labels."""
    matrices, entries, read = {name: [] for name in modalities}, {}, {}
    given = Counter()
    for part, source in sources.items():
        for name in modalities:
            matrices[name].append(source.matrices[name]())
        paths = [source.files[name] for name in modalities]
        if label == "type" and len(sources) > 1:  # the type of a part of KIPAN is its own name
            samples = [sample for name in modalities for sample in matrices[name][-1].index]
            entries |= {tables.participant(sample): part for sample in samples}
        else:
            path, filed, columns = source.labels(label)
            paths.append(path)
            entries |= filed
            given.update({f"labels from {column}": n for column, n in columns.items()})
        for path in dict.fromkeys(paths):
            read[f"{part} {path.name}"] = _standing(path, source.study)
    # Parts under each other, on the features that all have, in the first one's order.
    stacked = {name: pd.concat(blocks, join="inner") for name, blocks in matrices.items()}
    for name, matrix in stacked.items():
        if not matrix.shape[1]:
            raise ValueError(f"{name} of {', '.join(sources)} have no feature in common")
    return stacked, entries, read, list(given.items())


def _standing(path, study):
    """Say how a file stands to the published one of a cBioPortal study; warn where it differs."""
    pins = pd.read_csv(PINS, sep="\t").set_index(["study", "file"])["sha256"]
    expected = pins.get((study, path.name))
    if expected is None:
        return "as found"  # no published hash is known
    if pooch.file_hash(path) == expected:
        return "sha256 as published"
    warnings.warn(
        f"{path} differs from the published file of {study}: fetch it again, "
        "unless you know how it was changed",
        stacklevel=4,  # who called `tcga.load`
    )
    return "differs from the published file"


def flow(dataset: Multimodal) -> pd.DataFrame:
    """Show how many samples and participants were left after each step of `load`."""
    return pd.DataFrame(dataset.provenance["flow"], columns=["step", "count"]).set_index("step")
