"""Robust policy iteration: exact evaluation against nature, then improvement."""

import numpy.typing as npt

from mdptheory.models import AmbiguitySet, RobustSolution, TabularMDP
from mdptheory.solvers._robust_planning import (
    RobustPlanner,
    evaluate_held,
    play,
    require_robust,
)

ROUNDS = 200  # of nature's


def _evaluate(planner: RobustPlanner) -> None:
    goal = (1.0 - planner.gamma) * max(0.05 * planner.tol, planner.pad)
    planner.v = evaluate_held(
        planner.game.hold(), planner.top.copy(), planner.gamma, goal=goal, rounds=ROUNDS
    )
    planner.sweep()


def robust_policy_iteration(
    mdp: TabularMDP,
    ambiguity: AmbiguitySet,
    *,
    tol: float = 1e-6,
    max_iter: int = 1_000,
    v0: npt.ArrayLike | None = None,
) -> RobustSolution:
    """Alternate exact evaluation of a policy against nature with greedy improvement.

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
    A policy is evaluated by policy iteration of nature's: solve a linear system with her reply held
    fixed, let her reply again. Values rise from one policy to the next.


    References
    ----------
    A. J. Hoffman and R. M. Karp, "On nonterminating stochastic games", Management Science 12,
    1966; G. N. Iyengar, "Robust dynamic programming", Mathematics of Operations Research 30, 2005.

    Examples
    --------
    >>> from mdptheory.models import L1Ball
    >>> mdp = TabularMDP.from_dense([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.9)
    >>> robust_policy_iteration(mdp, L1Ball(0.2, support="nominal"), tol=1e-9).v.round(6) + 0.0
    array([1.5625, 0.    ])
    """
    require_robust(mdp, "robust_policy_iteration")
    return play(mdp, ambiguity, _evaluate, tol=tol, max_iter=max_iter, v0=v0)
