"""The criterion: is I(teacher; student) above I(student; label), and how sure is that?"""

from cchkd_utils.criterion.verdict import (
    ALPHA,
    DECISIONS,
    Verdict,
    assess,
    decide,
    probability_wrong,
    rank_teachers,
)

__all__ = [
    "ALPHA",
    "DECISIONS",
    "Verdict",
    "assess",
    "decide",
    "probability_wrong",
    "rank_teachers",
]
