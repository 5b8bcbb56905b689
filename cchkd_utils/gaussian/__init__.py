"""The exact theory of a jointly Gaussian teacher, student and label."""

from cchkd_utils.gaussian.joint import (
    JointGaussian,
    admissible_g,
    block_mi,
    covariance_from_correlations,
    q_for_gap,
    random_rotation,
)

__all__ = [
    "JointGaussian",
    "admissible_g",
    "block_mi",
    "covariance_from_correlations",
    "q_for_gap",
    "random_rotation",
]
