"""Seeded random instances from small integer weights: ties, zeros and point masses are frequent.

Rows drawn from a continuous distribution almost never contain a zero or a tie, and those are the
rows on which proofs go wrong. `mdptheory.theory.strategies` has the same for Hypothesis.
"""

from collections.abc import Sequence

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory._validation import check_count
from mdptheory.models import Discounted, Objective, TabularMDP
from mdptheory.theory.draft import Arm, Draft, freeze

GAMMAS = (0.1, 0.5, 0.9, 0.95, 0.99)


def random_row(rng: np.random.Generator, n: int, *, max_weight: int = 4) -> FloatArray:
    """Draw a probability vector of small integer weights.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    n : int
        Length.
    max_weight : int
        Largest weight.

    Returns
    -------
    array of shape (n,)
        One in four is a point mass; half of the other weights are 0.
    """
    check_count("n", n)
    weights = rng.integers(1, check_count("max_weight", max_weight) + 1, n).astype(np.float64)
    weights *= rng.integers(0, 2, n)
    if rng.integers(4) == 0 or not weights.any():
        weights[:] = 0.0
        weights[rng.integers(n)] = 1.0
    return weights / weights.sum()


def random_mdp(
    rng: np.random.Generator,
    *,
    n_states: int | None = None,
    n_actions: int | None = None,
    gammas: Sequence[float] = GAMMAS,
    objective: Objective | None = None,
    stages: int = 1,
    ragged: bool = True,
) -> TabularMDP:
    """Draw a small MDP with rewards in quarters of [0, 1].

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    n_states, n_actions : int, optional
        Sizes; by default 1 to 5 states and 1 to 3 actions.
    gammas : sequence of float
        Discount factors to choose from, if no objective is given.
    objective : Discounted, FiniteHorizon or TotalReward, optional
        The objective.
    stages : int
        Stages with data of their own; 1, or the horizon.
    ragged : bool
        Whether states may have fewer actions than ``n_actions``, under any ids.

    Returns
    -------
    TabularMDP
        The model.
    """
    states = int(rng.integers(1, 6)) if n_states is None else check_count("n_states", n_states)
    actions = int(rng.integers(1, 4)) if n_actions is None else check_count("n_actions", n_actions)
    goal = Discounted(float(rng.choice(np.asarray(gammas)))) if objective is None else objective
    blocks = []
    for _ in range(states * check_count("stages", stages)):
        count = int(rng.integers(1, actions + 1)) if ragged else actions
        ids = np.sort(rng.choice(actions, count, replace=False))
        blocks.append(tuple(_random_arm(rng, int(a), states) for a in ids))
    return freeze(Draft(tuple(blocks), goal, states))


def _random_arm(rng: np.random.Generator, action: int, n_states: int) -> Arm:
    row = random_row(rng, n_states)
    prob = {int(t): float(row[t]) for t in np.flatnonzero(row)}
    return Arm(action, prob, float(rng.integers(0, 5)) / 4)


def random_policy(rng: np.random.Generator, mdp: TabularMDP) -> IntArray:
    """Draw an available action for each state.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    mdp : TabularMDP
        The model.

    Returns
    -------
    array of int of shape (n_states,), or (n_stages, n_states)
        Action ids.
    """
    first, last = mdp.choice_ptr[:-1], mdp.choice_ptr[1:]
    chosen = mdp.action[first + rng.integers(0, last - first)]
    return chosen if mdp.n_stages == 1 else chosen.reshape(mdp.n_stages, mdp.n_states)


def random_stochastic_policy(rng: np.random.Generator, mdp: TabularMDP) -> FloatArray:
    """Draw ``pi[s, a]`` of small integer weights on the available actions.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    mdp : TabularMDP
        The model.

    Returns
    -------
    array of shape (n_states, n_actions), or (n_stages, n_states, n_actions)
        Probabilities; point masses are frequent.
    """
    pi = np.zeros((len(mdp.choice_ptr) - 1, mdp.n_actions))
    for block, (i, j) in enumerate(zip(mdp.choice_ptr[:-1], mdp.choice_ptr[1:], strict=True)):
        pi[block, mdp.action[i:j]] = random_row(rng, int(j - i))
    shape = (mdp.n_states, mdp.n_actions)
    return pi if mdp.n_stages == 1 else pi.reshape(mdp.n_stages, *shape)


def random_values(
    rng: np.random.Generator, n: int, *, low: float = -1.0, high: float = 1.0
) -> FloatArray:
    """Draw values on an even grid of nine points; ties are frequent.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    n : int
        Length.
    low, high : float
        Ends of the grid.

    Returns
    -------
    array of shape (n,)
        Values.
    """
    steps = rng.integers(0, 9, check_count("n", n)).astype(np.float64)
    return low + (high - low) * steps / 8.0
