"""Reinforcement-learning theory as programs that can be run, trusted and refuted."""

from typing import TYPE_CHECKING, Any

from mdptheory._version import __version__
from mdptheory.models import (
    BoundsCertificate,
    BurgBall,
    ChiSquareBall,
    ContaminationSet,
    Convergence,
    CVaRSet,
    Discounted,
    EVaRSet,
    FactorSet,
    FiniteHorizon,
    FiniteSet,
    IntervalSet,
    KLBall,
    L1Ball,
    L2Ball,
    LinfBall,
    RobustSolution,
    SaddleCertificate,
    Solution,
    Status,
    TabularMDP,
    TotalReward,
    WassersteinBall,
    WeightedL1Ball,
)
from mdptheory.operators import WorstCase, worst_case
from mdptheory.solvers import (
    backward_induction,
    evaluate_robust,
    linear_program,
    modified_policy_iteration,
    policy_iteration,
    robust_solve,
    solve,
    value_iteration,
)

if TYPE_CHECKING:
    from mdptheory import certificates, environments, io

__all__ = [
    "BoundsCertificate",
    "BurgBall",
    "CVaRSet",
    "ChiSquareBall",
    "ContaminationSet",
    "Convergence",
    "Discounted",
    "EVaRSet",
    "FactorSet",
    "FiniteHorizon",
    "FiniteSet",
    "IntervalSet",
    "KLBall",
    "L1Ball",
    "L2Ball",
    "LinfBall",
    "RobustSolution",
    "SaddleCertificate",
    "Solution",
    "Status",
    "TabularMDP",
    "TotalReward",
    "WassersteinBall",
    "WeightedL1Ball",
    "WorstCase",
    "__version__",
    "backward_induction",
    "certificates",
    "environments",
    "evaluate_robust",
    "io",
    "linear_program",
    "modified_policy_iteration",
    "policy_iteration",
    "robust_solve",
    "solve",
    "value_iteration",
    "worst_case",
]

_ROOMS = ("certificates", "environments", "io")


def __getattr__(name: str) -> Any:
    """Import a room when it is first asked for: who only plans does not wait for file formats."""
    if name in _ROOMS:
        import importlib

        return importlib.import_module(f"mdptheory.{name}")
    raise AttributeError(f"module 'mdptheory' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted({*globals(), *__all__})
