"""Simulated data of the Modality Focusing Hypothesis: how many decisive features are shared.

The label is a linear rule on decisive features. Each modality sees some of them, among features
that are pure noise. Source: Xue et al., ICLR 2023 (arXiv 2206.06487), Section 4 and the authors'
published code; sizes are theirs.
"""

import numpy as np

from cchkd_utils.datasets import Multimodal, train_and_test

DECISIVE = 10  # decisive features that each modality sees
UNION = 2 * DECISIVE  # features that decide the label, seen or not
DIMS = {"x1": 25, "x2": 50}


def gamma(overlap):
    """Return the share of decisive features that are common to both modalities, in [0, 1]."""
    return overlap / (UNION - overlap)


def columns(overlap):
    """Return which decisive features teacher and student see, as two slices of the 20."""
    if not 0 <= overlap <= DECISIVE:
        raise ValueError(f"overlap is {overlap}: choose 0 to {DECISIVE} shared features")
    start = DECISIVE - overlap
    return slice(start, start + DECISIVE), slice(0, DECISIVE)


def load(overlap, n_train=200, n_test=1000, seed=0):
    """Draw a rule and rows that follow it.

    The label is 1 where ``a @ z > 0``, with 20 decisive features z and one rule a per seed. The
    student sees features 0 to 9; the teacher sees ten in a row, of which `overlap` are also the
    student's. The rest of the 20 is seen by nobody. In ``x1`` [n, 25] the teacher's ten stand at
    their own places, in ``x2`` [n, 50] the student's; all other columns are noise.
    Rules and features of a `seed` are the same at every `overlap`; the rule a [20] stands in the
    provenance.
    """
    splits = train_and_test(n_train, n_test)
    teacher, student = columns(overlap)
    n, rng = n_train + n_test, np.random.default_rng(seed)
    rule, z = rng.standard_normal(UNION), rng.standard_normal((n, UNION))
    x1, x2 = (rng.standard_normal((n, d)) for d in DIMS.values())
    x1[:, teacher], x2[:, student] = z[:, teacher], z[:, student]
    modalities = {"x1": x1.astype(np.float32), "x2": x2.astype(np.float32)}
    labels = (z @ rule > 0).astype(np.int64)
    provenance = {"source": "arXiv 2206.06487", "overlap": overlap, "seed": seed, "rule": rule}
    return Multimodal(modalities, labels, np.arange(n), splits, "simulated", provenance)
