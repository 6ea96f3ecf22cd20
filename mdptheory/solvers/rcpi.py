"""Residual-contracting policy iteration: both players held fixed, with a safeguard."""

import numpy.typing as npt

from mdptheory.models import AmbiguitySet, RobustSolution, TabularMDP
from mdptheory.solvers._robust_planning import (
    contract,
    play,
    require_robust,
)


def rcpi(
    mdp: TabularMDP,
    ambiguity: AmbiguitySet,
    *,
    tol: float = 1e-6,
    max_iter: int = 10_000,
    v0: npt.ArrayLike | None = None,
) -> RobustSolution:
    """Solve with both players' greedy choices held fixed, where that contracts the residual.

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
    From the greedy policy and nature's reply at ``v`` a linear system gives ``u``. If the residual
    of ``u`` is at most ``gamma`` times that of ``v``, go on from ``u``, else from ``L v``. So the
    residual shrinks by ``gamma`` a step at least, as in value iteration, and mostly as fast as in
    policy iteration; without the safeguard the iteration can cycle.


    References
    ----------
    J. Badger, B. Huang and M. Petrik, "Convergence of fast policy iteration in Markov games and
    robust MDPs", AAAI 2026 (arXiv:2508.06661).

    Examples
    --------
    >>> from mdptheory.models import L1Ball
    >>> mdp = TabularMDP.from_dense([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.9)
    >>> rcpi(mdp, L1Ball(0.2, support="nominal"), tol=1e-9).v.round(6) + 0.0
    array([1.5625, 0.    ])
    """
    require_robust(mdp, "rcpi")
    return play(mdp, ambiguity, contract, tol=tol, max_iter=max_iter, v0=v0)
