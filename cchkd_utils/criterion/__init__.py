"""The criterion: its verdict with intervals and checks, and its rivals."""

from .assessment import assess, rank_teachers
from .checks import Check
from .expected_gain import Forecast, OutOfRange, forecast
from .uncertainty import ALPHA, decide, probability_wrong
from .verdict import Verdict

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
