"""Simulated cohorts in place of TCGA's: their sizes, columns and class balance, no patient.

Generative model, per participant of class k:

- a latent subtype l = centre_k + e, with e normal: why no modality separates the classes fully;
- each modality m sees its own noisy copy l_m = l + s_m e_m; s_m is the modality's blur;
- x_m = l_m A_m + z B_m + v_m C_m + noise, with z normal [4] shared by all modalities and unrelated
  to the class, v_m normal [6] private to m, and Student's t noise of 5 degrees of freedom;
- the loadings of cnv are smooth over neighbouring columns, as bins of one chromosome arm move
  together, and 1 % of all cells are missing.

The blurs are set by hand so that undistilled students are about as accurate as on the real data.
"""

import numpy as np

from cchkd_utils.datasets import Multimodal
from cchkd_utils.datasets.tcga.tables import DEFAULT_LABEL

CLASSES = {
    "BRCA": {"Basal": 104, "Her2": 41, "LumA": 328, "LumB": 121, "Normal": 26},
    "KIPAN": {"KICH": 63, "KIRC": 286, "KIRP": 205},
    "LIHC": {"1": 55, "2": 41, "3": 48},
}
COLUMNS = {
    "BRCA": {"mrna": 200, "cnv": 286, "rppa": 216},
    "KIPAN": {"mrna": 200, "cnv": 286, "rppa": 178},
    "LIHC": {"mrna": 45, "cnv": 286, "rppa": 219},
}
SPREAD = {"BRCA": 0.5, "KIPAN": 0.25, "LIHC": 0.8}  # of e, around centres at distance 2
BLUR = {
    "BRCA": {"mrna": 0.25, "cnv": 0.6, "rppa": 0.4},
    "KIPAN": {"mrna": 0.1, "cnv": 0.3, "rppa": 0.3},
    "LIHC": {"mrna": 0.1, "cnv": 2.2, "rppa": 1.2},
}
SHARED, PRIVATE, NOISE, MISSING = 4, 6, 1.5, 0.01
_SMOOTH = 12  # neighbouring columns of cnv that move together


def draw(cohort, modalities, label, seed=0):
    """Draw one simulated cohort, as `tcga.load` returns it.

    What one modality holds does not depend on which others are asked for.
    """
    if cohort not in CLASSES or label != DEFAULT_LABEL[cohort]:
        known = ", ".join(f"{name} ({DEFAULT_LABEL[name]})" for name in CLASSES)
        raise ValueError(f"no simulated {cohort} with label {label!r}: choose one of {known}")
    if strange := [name for name in modalities if name not in COLUMNS[cohort]]:
        raise ValueError(f"no simulated {strange[0]}: choose from {', '.join(COLUMNS[cohort])}")
    sizes = CLASSES[cohort]
    number = list(CLASSES).index(cohort)
    rng = np.random.default_rng([seed, number])
    codes = rng.permutation(np.repeat(np.arange(len(sizes)), list(sizes.values())))
    n, k = len(codes), len(sizes)
    centres = np.sqrt(2) * np.eye(k)  # at distance 2 of each other
    latent = centres[codes] + SPREAD[cohort] * rng.standard_normal((n, k))
    shared = rng.standard_normal((n, SHARED))
    taken = {
        name: _modality(cohort, name, latent, shared, np.random.default_rng([seed, number, i]))
        for i, name in enumerate(COLUMNS[cohort])
    }
    chosen = {name: taken[name] for name in modalities}
    ids = np.array([f"SIM-{cohort}-{i:04d}" for i in range(n)])
    provenance = {"cohort": cohort, "label": label, "classes": list(sizes), "seed": seed}
    provenance |= {"layout": "simulated", "files": {}, "source": "simulated"}
    provenance["flow"] = [("simulated participants", n)]
    return Multimodal(chosen, codes, ids, {"all": np.arange(n)}, "simulated", provenance)


def _modality(cohort, name, latent, shared, rng):
    n, p = len(latent), COLUMNS[cohort][name]
    seen = latent + BLUR[cohort][name] * rng.standard_normal(latent.shape)
    factors = np.hstack([seen, shared, rng.standard_normal((n, PRIVATE))])
    loadings = rng.standard_normal((factors.shape[1], p))
    if name == "cnv":
        kernel = np.full(_SMOOTH, _SMOOTH**-0.5)
        loadings = np.apply_along_axis(np.convolve, 1, loadings, kernel, "same")
    x = factors @ loadings / 2 + NOISE * rng.standard_t(5, (n, p))
    x[rng.random((n, p)) < MISSING] = np.nan
    return x.astype(np.float32)
