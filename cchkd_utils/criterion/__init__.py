"""The criterion: its verdict with intervals and checks, and its rivals."""

from .checks import Check
from .uncertainty import ALPHA, decide, probability_wrong
from .verdict import Verdict, assess, rank_teachers

__all__ = [
    "ALPHA",
    "Check",
    "Verdict",
    "assess",
    "decide",
    "probability_wrong",
    "rank_teachers",
]
