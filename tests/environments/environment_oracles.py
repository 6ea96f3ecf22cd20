"""Slow second routes to the optimal value: dense policy iteration and a linear program."""

import numpy as np
from scipy.optimize import linprog

from mdptheory import TotalReward
from mdptheory.models import absorbing_states


def dense(mdp):
    """``P[s, a, s']``, ``r[s, a]`` (-inf if unavailable) and the states whose value is 0."""
    n_states, n_actions = mdp.n_states, int(mdp.action.max()) + 1
    P = np.zeros((n_states, n_actions, n_states))
    r = np.full((n_states, n_actions), -np.inf)
    for s in range(n_states):
        for row in range(mdp.choice_ptr[s], mdp.choice_ptr[s + 1]):
            a = mdp.action[row]
            r[s, a] = mdp.reward[row]
            for k in range(mdp.row_ptr[row], mdp.row_ptr[row + 1]):
                P[s, a, mdp.next_state[k]] += mdp.prob[k]
    total = isinstance(mdp.objective, TotalReward)
    ended = absorbing_states(mdp) if total else np.zeros(n_states, dtype=bool)
    return P, r, ended


def policy_iteration(mdp):
    """Optimal value and a greedy policy by Howard's method with dense solves.

    The first policy must be proper for a total-reward model.
    """
    P, r, ended = dense(mdp)
    free = ~ended
    every = np.arange(mdp.n_states)
    policy = np.argmax(r > -np.inf, axis=1)
    while True:
        chosen, gain = P[every, policy], r[every, policy]
        v = np.zeros(mdp.n_states)
        system = np.eye(int(free.sum())) - mdp.gamma * chosen[np.ix_(free, free)]
        v[free] = np.linalg.solve(system, gain[free])
        q = r + mdp.gamma * P @ v
        slack = 1e-10 * (1 + np.abs(v))
        better = free & (q.max(axis=1) > q[every, policy] + slack)
        if not better.any():
            return v, np.argmax(q >= q.max(axis=1, keepdims=True) - slack[:, None], axis=1), q
        policy = np.where(better, q.argmax(axis=1), policy)


def linear_program(mdp):
    """Optimal value as the smallest v with ``v(s) >= r(s, a) + gamma P(s, a) v``."""
    P, r, ended = dense(mdp)
    available = np.isfinite(r) & ~ended[:, None]
    s, a = np.nonzero(available)
    rows = mdp.gamma * P[s, a]
    rows[np.arange(len(s)), s] -= 1.0
    bounds = [(0, 0) if stop else (None, None) for stop in ended]
    answer = linprog(np.ones(mdp.n_states), A_ub=rows, b_ub=-r[s, a], bounds=bounds, method="highs")
    assert answer.status == 0, answer.message
    return answer.x
