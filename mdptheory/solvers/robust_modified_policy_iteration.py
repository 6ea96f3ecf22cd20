"""Robust modified policy iteration: some sweeps of a policy against nature, then improvement."""

import numpy.typing as npt

from mdptheory.models import AmbiguitySet, RobustSolution, TabularMDP
from mdptheory.solvers._robust_planning import RobustPlanner, play, require_robust

FORCING = 0.1  # evaluate until the policy's residual span is this part of the greedy step's
MAX_SWEEPS = 200


def _sweep(planner: RobustPlanner) -> None:
    goal = max(FORCING * (planner.high - planner.low), 0.3 * planner.target)
    held = planner.game.hold()
    v, _, low, high = held.sweeps(planner.top.copy(), goal=goal, limit=MAX_SWEEPS)
    planner.v = v + planner.discount * (low + high) / 2
    planner.sweep()


def robust_modified_policy_iteration(
    mdp: TabularMDP,
    ambiguity: AmbiguitySet,
    *,
    tol: float = 1e-6,
    max_iter: int = 10_000,
    v0: npt.ArrayLike | None = None,
) -> RobustSolution:
    """Alternate greedy steps with as many evaluation sweeps against nature as still pay.

    Parameters
    ----------
    mdp : TabularMDP
        The nominal model, discounted.
    ambiguity : AmbiguitySet
        Where nature picks each row from, or with ``rectangularity="s"`` the rows of each state.
    tol : float
        Largest certified error of ``v`` in the sup norm, discounted reward.
    max_iter : int
        Limit on greedy steps.
    v0 : array of shape (n_states,), optional
        Where to start; a constant below the robust value if absent.

    Returns
    -------
    RobustSolution
        ``v`` is the midpoint of the enclosure; ``policy`` is greedy, randomised where the rows of a
        state share a budget; ``worst_case`` is nature's reply.

    Raises
    ------
    InvalidModelError
        If the objective is not discounted, the set does not fit the model, or an option is out of
        range.

    Notes
    -----
    Nature replies anew in every sweep: with both players held fixed the iteration can cycle.
    Evaluation of a policy stops once the span of its residual is a tenth of the last greedy step's.


    References
    ----------
    D. L. Kaufman and A. J. Schaefer, "Robust modified policy iteration", INFORMS Journal on
    Computing 25, 2013.

    Examples
    --------
    >>> from mdptheory.models import L1Ball
    >>> mdp = TabularMDP.from_dense([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.9)
    >>> ball = L1Ball(0.2, support="nominal")
    >>> robust_modified_policy_iteration(mdp, ball, tol=1e-9).v.round(6) + 0.0
    array([1.5625, 0.    ])
    """
    require_robust(mdp, "robust_modified_policy_iteration")
    return play(mdp, ambiguity, _sweep, tol=tol, max_iter=max_iter, v0=v0)
