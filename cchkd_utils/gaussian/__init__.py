"""The exact theory of a jointly Gaussian teacher, student and label."""

from .covariances import (
    admissible_g,
    block_mi,
    covariance_from_correlations,
    q_for_gap,
    random_rotation,
)
from .joint import JointGaussian

__all__ = [
    "JointGaussian",
    "admissible_g",
    "block_mi",
    "covariance_from_correlations",
    "q_for_gap",
    "random_rotation",
]
