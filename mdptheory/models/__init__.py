"""Frozen data: what a problem is and what an answer is."""

from mdptheory.models._checks import absorbing_states
from mdptheory.models.ambiguity import (
    AmbiguitySet,
    BurgBall,
    ChiSquareBall,
    ContaminationSet,
    CVaRSet,
    EVaRSet,
    FiniteSet,
    IntervalSet,
    KLBall,
    L1Ball,
    L2Ball,
    LinfBall,
    WassersteinBall,
    WeightedL1Ball,
)
from mdptheory.models.objective import Discounted, FiniteHorizon, Objective, TotalReward
from mdptheory.models.result import BoundsCertificate, Convergence, Solution, Status, Trace
from mdptheory.models.tabular import TabularMDP

__all__ = [
    "AmbiguitySet",
    "BoundsCertificate",
    "BurgBall",
    "CVaRSet",
    "ChiSquareBall",
    "ContaminationSet",
    "Convergence",
    "Discounted",
    "EVaRSet",
    "FiniteHorizon",
    "FiniteSet",
    "IntervalSet",
    "KLBall",
    "L1Ball",
    "L2Ball",
    "LinfBall",
    "Objective",
    "Solution",
    "Status",
    "TabularMDP",
    "TotalReward",
    "Trace",
    "WassersteinBall",
    "WeightedL1Ball",
    "absorbing_states",
]
