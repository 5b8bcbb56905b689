"""The criterion: is I(teacher; student) above I(student; label), and how sure is that?"""

from .verdict import ALPHA, Verdict, assess, decide, probability_wrong, rank_teachers

__all__ = ["ALPHA", "Verdict", "assess", "decide", "probability_wrong", "rank_teachers"]
