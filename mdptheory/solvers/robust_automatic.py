"""The robust planner for users who do not want to choose one."""

from dataclasses import replace

from mdptheory.models import AmbiguitySet, FiniteHorizon, RobustSolution, Status, TabularMDP
from mdptheory.solvers._planning import check_options
from mdptheory.solvers._robust_planning import (
    RobustPlanner,
    Schedule,
    contract,
    play,
    require_robust,
)
from mdptheory.solvers.robust_backward_induction import robust_backward_induction

MAX_STEPS = 10_000
PATIENCE = 3  # steps of the safeguard in a row


class _Adaptive:
    """Residual contraction while it pays, then partial policy iteration."""

    def __init__(self) -> None:
        self.failures, self.schedule = 0, Schedule()

    def improve(self, planner: RobustPlanner) -> None:
        """Take the next step."""
        if self.failures >= PATIENCE:
            self.schedule.evaluate(planner)
        elif contract(planner):
            self.failures = 0
        else:
            self.failures += 1


def robust_solve(mdp: TabularMDP, ambiguity: AmbiguitySet, *, tol: float = 1e-6) -> RobustSolution:
    """Find a policy that is optimal against the worst rows of an ambiguity set, with its proof.

    Parameters
    ----------
    mdp : TabularMDP
        The nominal model, with a discounted reward or a finite horizon.
    ambiguity : AmbiguitySet
        Where nature picks each row from, or with ``rectangularity="s"`` the rows of each state.
    tol : float
        Largest certified error of ``v`` in the sup norm, (discounted) reward.

    Returns
    -------
    RobustSolution
        Robust value, policy, nature's reply, convergence and certificate.

    Raises
    ------
    InvalidModelError
        If the objective is a total reward, the set does not fit the model, or ``tol`` is not
        positive.

    Notes
    -----
    A finite horizon is solved by `robust_backward_induction`, a discounted reward by `rcpi`. Where
    its safeguard has stepped in three times in a row, values travel slowly and `rcpi` is no faster
    than value iteration: there `partial_policy_iteration` takes over.

    References
    ----------
    J. Badger, B. Huang and M. Petrik, "Convergence of fast policy iteration in Markov games and
    robust MDPs", AAAI 2026 (arXiv:2508.06661); G. N. Iyengar, "Robust dynamic programming",
    Mathematics of Operations Research 30, 2005.

    Examples
    --------
    >>> from mdptheory.models import L1Ball
    >>> mdp = TabularMDP.from_dense([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.9)
    >>> solution = robust_solve(mdp, L1Ball(0.2, support="nominal"))
    >>> solution.v.round(6) + 0.0, solution.policy
    (array([1.5625, 0.    ]), array([0, 0]))
    """
    if isinstance(mdp.objective, FiniteHorizon):
        check_options(tol, MAX_STEPS)
        solution = robust_backward_induction(mdp, ambiguity)
        if solution.convergence.error_bound <= tol:
            return solution
        return replace(solution, convergence=replace(solution.convergence, status=Status.ROUNDING))
    require_robust(mdp, "robust_solve")
    return play(mdp, ambiguity, _Adaptive().improve, tol=tol, max_iter=MAX_STEPS)
