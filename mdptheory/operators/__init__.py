"""The one place where models meet the Bellman kernels."""

from mdptheory.operators.bellman import (
    bellman,
    greedy,
    occupancy,
    policy_bellman,
    policy_kernel,
    policy_value,
)

__all__ = [
    "bellman",
    "greedy",
    "occupancy",
    "policy_bellman",
    "policy_kernel",
    "policy_value",
]
