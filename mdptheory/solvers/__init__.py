"""Planning with a known model; every answer carries its proof."""

from mdptheory.solvers.automatic import solve
from mdptheory.solvers.backward_induction import backward_induction
from mdptheory.solvers.linear_program import linear_program
from mdptheory.solvers.modified_policy_iteration import modified_policy_iteration
from mdptheory.solvers.policy_iteration import policy_iteration
from mdptheory.solvers.value_iteration import value_iteration

__all__ = [
    "backward_induction",
    "linear_program",
    "modified_policy_iteration",
    "policy_iteration",
    "solve",
    "value_iteration",
]
