"""Colours and names that the planning figures share."""

PLANNERS = {
    "value_iteration": ("value iteration", "#0072B2"),
    "modified_policy_iteration": ("modified policy iteration", "#009E73"),
    "policy_iteration": ("policy iteration", "#D55E00"),
    "linear_program": ("linear program", "#AA4499"),
    "solve": ("solve", "#222222"),
}
