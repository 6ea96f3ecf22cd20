"""Backward induction against nature over a finite horizon."""

import time

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory.errors import InvalidModelError
from mdptheory.models import (
    AmbiguitySet,
    Convergence,
    FiniteHorizon,
    RobustSolution,
    Status,
    TabularMDP,
    Trace,
)
from mdptheory.models.ambiguity import is_s_rectangular
from mdptheory.operators.dispatch import game
from mdptheory.solvers._planning import TINY, UNIT, check_range
from mdptheory.solvers._robust_certificate import duals, places, saddle
from mdptheory.solvers._robust_planning import CONSTANT, largest_reward, row_rounding


def robust_backward_induction(mdp: TabularMDP, ambiguity: AmbiguitySet) -> RobustSolution:
    """Solve a finite horizon against nature, stage by stage from the end.

    Parameters
    ----------
    mdp : TabularMDP
        The nominal model with a `FiniteHorizon` objective; stationary or stage-dependent rows.
    ambiguity : AmbiguitySet
        Where nature picks the rows of each stage from, stage by stage.

    Returns
    -------
    RobustSolution
        ``v`` of shape (H + 1, S), ``q`` of shape (H, S, A), ``policy`` of shape (H, S), or (H, S,
        A) where the rows of a state share a budget; exact up to rounding and the precision of
        nature's reply, which ``convergence.error_bound`` and the certificate account for.

    Raises
    ------
    InvalidModelError
        If the objective is not a finite horizon, or the set does not fit the model.

    Notes
    -----
    Nature may pick other rows at each stage, and does: with a finite horizon her best reply is not
    stationary, even against a stationary policy.

    References
    ----------
    G. N. Iyengar, "Robust dynamic programming", Mathematics of Operations Research 30, 2005.

    Examples
    --------
    >>> from mdptheory.models import L1Ball
    >>> mdp = TabularMDP.from_dense([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]],
    ...                             objective=FiniteHorizon(2))
    >>> robust_backward_induction(mdp, L1Ball(0.2, support="nominal")).v
    array([[1.4, 0. ],
           [1. , 0. ],
           [0. , 0. ]])
    """
    goal = mdp.objective
    if not isinstance(goal, FiniteHorizon):
        raise InvalidModelError(
            f"mdp has objective {type(goal).__name__}; robust_backward_induction expects"
            " FiniteHorizon"
        )
    start = time.perf_counter()
    horizon, n = goal.horizon, mdp.n_states
    top, low = np.zeros((horizon + 1, n)), np.zeros((horizon + 1, n))
    if goal.terminal is not None:
        top[horizon] = low[horizon] = goal.terminal
    error = np.zeros(horizon + 1)  # what low and upper stray from top, each
    loose = np.zeros(horizon + 1)  # by which nature's replies were not the worst
    scale, relative = largest_reward(mdp), row_rounding(mdp, ambiguity)
    q, policies, replies, variables = [], [], [], []
    board = game(mdp, ambiguity)
    for h in range(horizon - 1, -1, -1):
        if mdp.n_stages > 1:
            board = game(mdp, ambiguity, stage=h)
        *_, slack = board.greedy(top[h + 1], top[h])
        reply = board.reply(top[h + 1])
        table = np.full((n, mdp.n_actions), -np.inf)
        table[places(mdp, h)] = reply.value
        q.append(table)
        policies.append(board.policy())
        reach = max(float(np.abs(top[h]).max()), float(np.abs(top[h + 1]).max()))
        check_range(4.0 * (reach + scale), scale)
        rounding = relative * (scale + reach + error[h + 1]) + TINY
        if is_s_rectangular(ambiguity):  # shares of the budget are rounded; this is their price
            prices = reply.multiplier[np.isfinite(reply.multiplier)]
            rounding += CONSTANT * UNIT * float(prices.max(initial=0.0))
        error[h] = goal.gamma * error[h + 1] + (rounding if scale + reach > 0.0 else 0.0)
        loose[h] = goal.gamma * loose[h + 1] + slack
        replies.append(reply)
        below = top[h + 1] - error[h + 1] - loose[h + 1]
        shift = -goal.gamma * float(error[h + 1] + loose[h + 1])
        variables.append(duals(board, ambiguity, reply, below, shift, h))
    for stages in (q, policies, replies, variables):
        stages.reverse()
    bounds = (top - (error + loose)[:, None], top + error[:, None])
    policy: IntArray | FloatArray = np.stack(policies)  # type: ignore[assignment]  # one kind
    certificate = saddle(mdp, ambiguity, bounds, policy, replies, variables)
    bound = float((error + loose / 2).max())
    seconds = time.perf_counter() - start
    convergence = Convergence(
        status=Status.CONVERGED,
        iterations=horizon,
        residual=0.0,
        error_bound=bound,
        work=float(horizon),
        trace=Trace(np.array([float(horizon)]), np.array([bound]), np.array([seconds])),
    )
    return RobustSolution(
        v=top - loose[:, None] / 2,
        q=np.stack(q),
        policy=certificate.policy,
        worst_case=certificate.worst_case,
        convergence=convergence,
        certificate=certificate,
        state_names=mdp.state_names,
        action_names=mdp.action_names,
    )
