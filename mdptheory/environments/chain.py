"""Chains that are long to explore: the slippery chain and the combination lock."""

import math

import numpy as np

from mdptheory._typing import RngLike
from mdptheory._validation import check_count, check_number
from mdptheory.environments._assemble import build, point_mass, transitions
from mdptheory.models import Discounted, TabularMDP


def chain(
    n_states: int = 5,
    *,
    slip: float = 0.2,
    small: float = 2.0,
    large: float = 10.0,
    gamma: float = 0.95,
) -> TabularMDP:
    """Chain with a large reward at its end and a small one for going back.

    Action 0 (ahead) moves one state on, or stays in the last state for the reward ``large``;
    action 1 (back) returns to state 0 for the reward ``small``. With probability ``slip`` the other
    action's effect happens, reward included.

    Parameters
    ----------
    n_states : int
        Length, at least 2.
    slip : float
        Probability of the other action's effect.
    small, large : float
        Rewards for arriving in state 0 and for staying in the last state.
    gamma : float
        Discount factor per step.

    Returns
    -------
    TabularMDP
        Model with rewards per transition that starts in state 0.

    Raises
    ------
    InvalidModelError
        If ``n_states`` is less than 2, a reward is not finite, ``slip`` lies outside [0, 1] or
        ``gamma`` outside [0, 1).

    Notes
    -----
    With ``slip = 0``, always ahead is worth ``gamma^(n - 1 - s) large / (1 - gamma)`` and always
    back ``small / (1 - gamma)``; the larger of the two is optimal in state 0.

    References
    ----------
    .. [1] R. Dearden, N. Friedman, S. Russell, "Bayesian Q-learning", AAAI 1998.
    .. [2] M. Strens, "A Bayesian framework for reinforcement learning", ICML 2000 (5 states, slip
       0.2, rewards 2 and 10).

    Examples
    --------
    >>> chain(3).n_transitions
    12
    """
    n_states = check_count("n_states", n_states, low=2)
    check_number("slip", slip, low=0.0, high=1.0)
    for name, value in (("small", small), ("large", large)):
        check_number(name, value, open_low=True, open_high=True)
    s = np.arange(n_states)
    ahead = np.minimum(s + 1, n_states - 1)
    ahead_reward = np.where(s == n_states - 1, float(large), 0.0)
    moves = transitions(
        (s, 0, ahead, 1.0 - slip, ahead_reward),
        (s, 0, 0, slip, small),
        (s, 1, ahead, slip, ahead_reward),
        (s, 1, 0, 1.0 - slip, small),
    )
    return build(
        n_states,
        moves,
        Discounted(gamma),
        initial=point_mass(n_states, 0),
        action_names=("ahead", "back"),
    )


def combination_lock(
    n_states: int = 10,
    n_actions: int = 2,
    *,
    gamma: float = 0.95,
    reward: float = 1.0,
    rng: RngLike = None,
) -> TabularMDP:
    """Lock with a combination: one secret action a state leads on, all others back to the start.

    Parameters
    ----------
    n_states : int
        Number of states, at least 2; the last is the open lock, absorbing with reward 0.
    n_actions : int
        Number of actions, at least 2.
    gamma : float
        Discount factor per step.
    reward : float
        Reward for the step that opens the lock.
    rng : numpy.random.Generator, int or None
        Draws the secret, one action a state, uniformly.

    Returns
    -------
    TabularMDP
        Deterministic model that starts in state 0.

    Raises
    ------
    InvalidModelError
        If a size is less than 2, ``reward`` is not finite, or ``gamma`` lies outside [0, 1).

    Notes
    -----
    The value is ``reward * gamma^(n_states - 2 - s)`` in every closed state ``s``, while undirected
    exploration needs about ``n_actions^(n_states - 1)`` steps to open the lock once.

    References
    ----------
    .. [1] S. D. Whitehead, "Complexity and cooperation in Q-learning", ICML 1991.
    .. [2] S. Koenig, R. G. Simmons, "The effect of representation and knowledge on goal-directed
       exploration with reinforcement-learning algorithms", Machine Learning 22, 1996.

    Examples
    --------
    >>> combination_lock(4, 3, rng=0).n_rows
    12
    """
    n_states = check_count("n_states", n_states, low=2)
    n_actions = check_count("n_actions", n_actions, low=2)
    check_number("reward", reward, low=-math.inf, open_low=True, open_high=True)
    secret = np.random.default_rng(rng).integers(0, n_actions, size=n_states - 1)
    s, a = np.divmod(np.arange(n_states * n_actions), n_actions)
    closed = s < n_states - 1
    right = closed & (a == np.append(secret, 0)[s])
    target = np.where(right, s + 1, np.where(closed, 0, s))
    opens = right & (s == n_states - 2)
    moves = transitions((s, a, target, 1.0, 0.0))
    return build(
        n_states,
        moves,
        Discounted(gamma),
        pair_reward=np.where(opens, float(reward), 0.0),
        initial=point_mass(n_states, 0),
    )
