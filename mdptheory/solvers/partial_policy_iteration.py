"""Partial policy iteration: evaluation against nature to a shrinking tolerance."""

import numpy.typing as npt

from mdptheory.models import AmbiguitySet, RobustSolution, TabularMDP
from mdptheory.solvers._robust_planning import (
    Schedule,
    play,
    require_robust,
)


def partial_policy_iteration(
    mdp: TabularMDP,
    ambiguity: AmbiguitySet,
    *,
    tol: float = 1e-6,
    max_iter: int = 10_000,
    v0: npt.ArrayLike | None = None,
) -> RobustSolution:
    """Evaluate each policy against nature to a tolerance that shrinks faster than the error.

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
    The residual allowed after evaluation k is at most ``min(gamma^2, 0.95)`` times the one before,
    and times half the residual of the last greedy step, but not below what rounding leaves. Nature
    replies by policy iteration of her own.


    References
    ----------
    C. P. Ho, M. Petrik and W. Wiesemann, "Partial policy iteration for L1-robust Markov decision
    processes", Journal of Machine Learning Research 22, 2021.

    Examples
    --------
    >>> from mdptheory.models import L1Ball
    >>> mdp = TabularMDP.from_dense([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.9)
    >>> partial_policy_iteration(mdp, L1Ball(0.2, support="nominal"), tol=1e-9).v.round(6) + 0.0
    array([1.5625, 0.    ])
    """
    require_robust(mdp, "partial_policy_iteration")
    schedule = Schedule()
    return play(mdp, ambiguity, schedule.evaluate, tol=tol, max_iter=max_iter, v0=v0)
