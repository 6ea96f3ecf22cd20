"""The one place where models meet the Bellman kernels."""

from mdptheory.operators.bellman import (
    bellman,
    greedy,
    occupancy,
    policy_bellman,
    policy_kernel,
    policy_value,
)
from mdptheory.operators.closed_loop import (
    is_open_loop,
    loop_means,
    loop_step,
    steady_state,
    steady_states,
    violations,
)
from mdptheory.operators.delayed_impact import (
    OutcomeCurve,
    outcome_curve,
    policy_impact,
    threshold_policy,
)
from mdptheory.operators.factors import FactorWorth, factor_worth
from mdptheory.operators.loop_constants import certify
from mdptheory.operators.robust import RobustStep, robust_bellman, robust_policy_bellman
from mdptheory.operators.signed_lp import SignedLpStep, signed_lp_bellman
from mdptheory.operators.worst_case import WorstCase, worst_case

__all__ = [
    "FactorWorth",
    "OutcomeCurve",
    "RobustStep",
    "SignedLpStep",
    "WorstCase",
    "bellman",
    "certify",
    "factor_worth",
    "greedy",
    "is_open_loop",
    "loop_means",
    "loop_step",
    "occupancy",
    "outcome_curve",
    "policy_bellman",
    "policy_impact",
    "policy_kernel",
    "policy_value",
    "robust_bellman",
    "robust_policy_bellman",
    "signed_lp_bellman",
    "steady_state",
    "steady_states",
    "threshold_policy",
    "violations",
    "worst_case",
]
