"""The one place where models meet the Bellman kernels."""

from mdptheory.operators.bellman import (
    bellman,
    greedy,
    occupancy,
    policy_bellman,
    policy_kernel,
    policy_value,
)
from mdptheory.operators.worst_case import WorstCase, worst_case

__all__ = [
    "WorstCase",
    "bellman",
    "greedy",
    "occupancy",
    "policy_bellman",
    "policy_kernel",
    "policy_value",
    "worst_case",
]
