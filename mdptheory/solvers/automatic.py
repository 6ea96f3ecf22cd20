"""The solver that picks the solver."""

from mdptheory.models import Discounted, FiniteHorizon, Solution, TabularMDP
from mdptheory.solvers.backward_induction import backward_induction
from mdptheory.solvers.modified_policy_iteration import modified_policy_iteration
from mdptheory.solvers.policy_iteration import policy_iteration


def solve(mdp: TabularMDP, *, tol: float = 1e-6) -> Solution:
    """Find an optimal policy and prove its value, by the fastest planner for this model.

    Parameters
    ----------
    mdp : TabularMDP
        A model with any objective.
    tol : float
        Largest certified error of ``v`` in the sup norm, (discounted) reward.

    Returns
    -------
    Solution
        Value, action values, policy, convergence and certificate.

    Raises
    ------
    InvalidModelError
        If ``tol`` is not positive, or the total reward of the model is not finite.

    Examples
    --------
    >>> mdp = TabularMDP.from_dense([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.9)
    >>> solution = solve(mdp)
    >>> solution.v.round(6), solution.policy
    (array([1.818182, 0.      ]), array([0, 0]))
    """
    if isinstance(mdp.objective, FiniteHorizon):
        return backward_induction(mdp)
    if isinstance(mdp.objective, Discounted):
        return modified_policy_iteration(mdp, tol=tol)
    return policy_iteration(mdp, tol=tol)
