"""The criterion: its verdict with intervals and checks, and its rivals."""

from .checks import Check
from .expected_gain import Forecast, OutOfRange, forecast
from .uncertainty import ALPHA, decide, probability_wrong
from .verdict import Verdict, assess, rank_teachers

__all__ = [
    "ALPHA",
    "Check",
    "Forecast",
    "OutOfRange",
    "Verdict",
    "assess",
    "decide",
    "forecast",
    "probability_wrong",
    "rank_teachers",
]
