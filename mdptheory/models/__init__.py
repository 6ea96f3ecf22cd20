"""Frozen data: what a problem is and what an answer is."""

from mdptheory.models._checks import absorbing_states
from mdptheory.models.objective import Discounted, FiniteHorizon, Objective, TotalReward
from mdptheory.models.result import BoundsCertificate, Convergence, Solution, Status, Trace
from mdptheory.models.tabular import TabularMDP

__all__ = [
    "BoundsCertificate",
    "Convergence",
    "Discounted",
    "FiniteHorizon",
    "Objective",
    "Solution",
    "Status",
    "TabularMDP",
    "TotalReward",
    "Trace",
    "absorbing_states",
]
