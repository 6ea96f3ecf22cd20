"""Planning with a known model; every answer carries its proof."""

from mdptheory.solvers.automatic import solve
from mdptheory.solvers.backward_induction import backward_induction
from mdptheory.solvers.best_arm import best_arm, monte_carlo_best_arm
from mdptheory.solvers.delayed_impact import (
    demographic_parity_policy,
    equal_opportunity_policy,
    max_utility,
)
from mdptheory.solvers.evaluate_robust import evaluate_robust
from mdptheory.solvers.linear_planning import (
    expected_total,
    linear_evaluate,
    linear_occupation,
    linear_plan,
    robust_operator,
)
from mdptheory.solvers.linear_program import linear_program
from mdptheory.solvers.modified_policy_iteration import modified_policy_iteration
from mdptheory.solvers.partial_policy_iteration import partial_policy_iteration
from mdptheory.solvers.policy_iteration import policy_iteration
from mdptheory.solvers.rcpi import rcpi
from mdptheory.solvers.robust_automatic import robust_solve
from mdptheory.solvers.robust_backward_induction import robust_backward_induction
from mdptheory.solvers.robust_modified_policy_iteration import robust_modified_policy_iteration
from mdptheory.solvers.robust_policy_iteration import robust_policy_iteration
from mdptheory.solvers.robust_value_iteration import robust_value_iteration
from mdptheory.solvers.value_iteration import value_iteration

__all__ = [
    "backward_induction",
    "best_arm",
    "demographic_parity_policy",
    "equal_opportunity_policy",
    "evaluate_robust",
    "expected_total",
    "linear_evaluate",
    "linear_occupation",
    "linear_plan",
    "linear_program",
    "max_utility",
    "modified_policy_iteration",
    "monte_carlo_best_arm",
    "partial_policy_iteration",
    "policy_iteration",
    "rcpi",
    "robust_backward_induction",
    "robust_modified_policy_iteration",
    "robust_operator",
    "robust_policy_iteration",
    "robust_solve",
    "robust_value_iteration",
    "solve",
    "value_iteration",
]
