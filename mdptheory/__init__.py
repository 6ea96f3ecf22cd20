"""Reinforcement-learning theory as programs that can be run, trusted and refuted."""

from mdptheory._version import __version__
from mdptheory.models import (
    BoundsCertificate,
    Convergence,
    Discounted,
    FiniteHorizon,
    Solution,
    Status,
    TabularMDP,
    TotalReward,
)

__all__ = [
    "BoundsCertificate",
    "Convergence",
    "Discounted",
    "FiniteHorizon",
    "Solution",
    "Status",
    "TabularMDP",
    "TotalReward",
    "__version__",
]
