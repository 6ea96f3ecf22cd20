"""Backward induction over a finite horizon."""

import time

import numpy as np

from mdptheory.errors import InvalidModelError
from mdptheory.models import (
    BoundsCertificate,
    Convergence,
    FiniteHorizon,
    Solution,
    Status,
    TabularMDP,
    Trace,
)
from mdptheory.operators.backup import Backup
from mdptheory.solvers._planning import TINY, check_range, reward_scale, row_rounding


def backward_induction(mdp: TabularMDP) -> Solution:
    """Solve a finite horizon exactly, stage by stage from the end.

    Parameters
    ----------
    mdp : TabularMDP
        A model with a `FiniteHorizon` objective; stationary or stage-dependent rows.

    Returns
    -------
    Solution
        ``v`` of shape (H + 1, S), ``q`` of shape (H, S, A) and ``policy`` of shape (H, S); exact up
        to rounding, which ``convergence.error_bound`` and the certificate account for.

    Raises
    ------
    InvalidModelError
        If the objective is not a finite horizon.

    Examples
    --------
    >>> mdp = TabularMDP.from_dense([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]],
    ...                             objective=FiniteHorizon(2))
    >>> backward_induction(mdp).v
    array([[1.5, 0. ],
           [1. , 0. ],
           [0. , 0. ]])
    """
    goal = mdp.objective
    if not isinstance(goal, FiniteHorizon):
        raise InvalidModelError(
            f"mdp has objective {type(goal).__name__}; backward_induction expects FiniteHorizon"
        )
    start = time.perf_counter()
    horizon, n = goal.horizon, mdp.n_states
    v = np.zeros((horizon + 1, n))
    q = np.full((horizon, n, mdp.n_actions), -np.inf)
    policy = np.empty((horizon, n), dtype=np.int64)
    pad = np.zeros(horizon + 1)
    if goal.terminal is not None:
        v[horizon] = goal.terminal
    scale = reward_scale(mdp)
    per_reward, per_value = row_rounding(mdp)
    growth = goal.gamma * (1.0 + 2.0 * mdp.row_error) * (1.0 + 1e-12)
    backup = Backup(mdp)
    work = 0.0
    for h in range(horizon - 1, -1, -1):
        if mdp.n_stages > 1:
            backup = Backup(mdp, stage=h)
        backup.greedy(v[h + 1], v[h])
        counts = backup.row_counts()
        q[h, np.repeat(np.arange(n), counts), mdp.action[backup.rows]] = backup.q[backup.rows]
        policy[h] = backup.policy()
        reach = max(float(np.abs(v[h]).max()), float(np.abs(v[h + 1]).max()))
        check_range(4.0 * (reach + scale), scale)
        pad[h] = growth * pad[h + 1] + per_reward * scale + per_value * (reach + pad[h + 1])
        if max(scale, reach) > 0.0:
            pad[h] += TINY
        work += backup.n_transitions / mdp.n_transitions
    error = float(pad.max())
    certificate = BoundsCertificate(
        objective=goal, lower=v - pad[:, None], upper=v + pad[:, None], policy=policy
    )
    seconds = time.perf_counter() - start
    convergence = Convergence(
        status=Status.CONVERGED,
        iterations=horizon,
        residual=0.0,
        error_bound=error,
        work=work,
        trace=Trace(np.array([work]), np.array([error]), np.array([seconds])),
    )
    return Solution(v, q, policy, convergence, certificate, mdp.state_names, mdp.action_names)
