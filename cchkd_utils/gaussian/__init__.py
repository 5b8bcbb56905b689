"""The exact theory of a jointly Gaussian teacher, student and label."""

from .covariances import admissible_g, block_mi, q_for_gap
from .joint import JointGaussian

__all__ = ["JointGaussian", "admissible_g", "block_mi", "q_for_gap"]
