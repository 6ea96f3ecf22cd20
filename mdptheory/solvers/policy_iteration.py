"""Policy iteration with sparse evaluation: direct for small models, Krylov for large ones."""

from mdptheory.models import Solution, TabularMDP, TotalReward
from mdptheory.solvers._evaluation import evaluate_exactly
from mdptheory.solvers._planning import plan, require_discounted
from mdptheory.solvers._total_reward import plan_total_reward


def policy_iteration(mdp: TabularMDP, *, tol: float = 1e-6, max_iter: int = 1_000) -> Solution:
    """Alternate exact evaluation of a policy with greedy improvement.

    Parameters
    ----------
    mdp : TabularMDP
        A discounted model, or one with the total reward until absorption.
    tol : float
        Largest certified error of ``v`` in the sup norm, (discounted) reward.
    max_iter : int
        Limit on greedy steps.

    Returns
    -------
    Solution
        ``v`` is the midpoint of the enclosure; ``q`` is one Bellman step.

    Raises
    ------
    InvalidModelError
        If the objective has a finite horizon, or an option is out of range; for a total reward
        also if some state cannot reach absorption, or the reward of a cycle is unbounded.

    Notes
    -----
    Up to 500 states the evaluation factorises ``I - gamma P`` (sparse LU); above, it runs BiCGSTAB
    with a Gauss-Seidel sweep as preconditioner, so that sparse models stay sparse. Either way the
    greedy sweep that follows bounds the error.

    References
    ----------
    R. A. Howard, Dynamic Programming and Markov Processes, MIT Press, 1960.

    Examples
    --------
    >>> mdp = TabularMDP.from_dense([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.9)
    >>> policy_iteration(mdp).v.round(6)
    array([1.818182, 0.      ])
    """
    if isinstance(mdp.objective, TotalReward):
        return plan_total_reward(mdp, tol=tol, max_iter=max_iter)
    require_discounted(mdp, "policy_iteration")
    return plan(mdp, evaluate_exactly, tol=tol, max_iter=max_iter)
