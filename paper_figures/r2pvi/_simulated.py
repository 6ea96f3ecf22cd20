"""Episodes of the simulated linear MDP from the published seeds, and exact values of policies."""

from collections.abc import Iterable

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.environments import simulated_target
from mdptheory.models import LinearMDP, OfflineData, OfflineStatistics
from mdptheory.solvers.linear_planning import linear_evaluate

LOW, HIGH = 0, 15
"""Actions of the least and the largest weight: ``u-`` and ``u+``."""


def published_episodes(mdp: LinearMDP, seed: int, n_episodes: int = 100) -> OfflineStatistics:
    """Return the episodes that the published program draws for a seed.

    NumPy's old generator, object and not global: for each step one integer for the action, then
    one uniform for the next state, by the inverse of its distribution function.
    """
    old = np.random.RandomState(seed)
    cdf = np.stack([mdp.kernel(h) for h in range(mdp.horizon)]).cumsum(axis=-1)
    states = np.zeros((n_episodes, mdp.horizon + 1), dtype=np.int64)
    actions = np.zeros((n_episodes, mdp.horizon), dtype=np.int64)
    for k in range(n_episodes):
        for h in range(mdp.horizon):
            actions[k, h] = old.randint(mdp.n_actions)
            row = cdf[h, states[k, h], actions[k, h]]
            came = np.searchsorted(row / row[-1], old.random_sample(), side="right")
            states[k, h + 1] = came
    return OfflineData(states, actions).statistics(mdp.known)


def target_values(mdp: LinearMDP, policies: Iterable[FloatArray], shifts: FloatArray) -> FloatArray:
    """Return exact values (n policies, n shifts) at the start of the perturbed environments."""
    targets = [simulated_target(mdp, float(q)) for q in shifts]
    return np.array([[linear_evaluate(t, pi).v[0] @ t.start for t in targets] for pi in policies])


def first_action_lines(mdp: LinearMDP, shifts: FloatArray) -> FloatArray:
    """Return values (2, n shifts) of ``u-`` and of ``u+`` at the first step, ``u+`` later."""
    policies = np.full((2, mdp.horizon, mdp.n_states), HIGH)
    policies[0, 0] = LOW
    return target_values(mdp, policies, shifts)
