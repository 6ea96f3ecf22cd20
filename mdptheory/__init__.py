"""Reinforcement-learning theory as programs that can be run, trusted and refuted."""

from mdptheory import certificates, environments, io
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
from mdptheory.solvers import (
    backward_induction,
    linear_program,
    modified_policy_iteration,
    policy_iteration,
    solve,
    value_iteration,
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
    "backward_induction",
    "certificates",
    "environments",
    "io",
    "linear_program",
    "modified_policy_iteration",
    "policy_iteration",
    "solve",
    "value_iteration",
]
