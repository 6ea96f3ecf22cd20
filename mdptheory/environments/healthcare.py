"""Healthcare: three doses that trade a patient's comfort against decline."""

import numpy as np

from mdptheory._validation import check_count
from mdptheory.environments._assemble import build, transitions
from mdptheory.models import Discounted, TabularMDP

ACTIONS = ("low dose", "medium dose", "high dose")


def healthcare(n_states: int = 20, *, gamma: float = 0.95) -> TabularMDP:
    """Healthcare with a scale of health states and three doses.

    State 0 is the best, the last is absorbing with reward 0. Elsewhere the condition stays with
    0.4, worsens by one with 0.3, 0.2, 0.1 and improves by one with 0.3, 0.4, 0.5 for the three
    doses (from state 0 it stays instead); rewards 5, 4, 3.

    Parameters
    ----------
    n_states : int
        Number of health states, at least 2.
    gamma : float
        Discount factor per step.

    Returns
    -------
    TabularMDP
        Model with a reward per state-action pair.

    Raises
    ------
    InvalidModelError
        If ``n_states`` is less than 2, or ``gamma`` lies outside [0, 1).

    Notes
    -----
    The source has 20 states and divides the rewards by their maximum; here they are 5, 4, 3.

    References
    ----------
    .. [1] J. Grand-Clement, M. Petrik, N. Vieille, "Beyond discounted returns: robust Markov
       decision processes with average and Blackwell optimality", 2023, and its public code.

    Examples
    --------
    >>> healthcare(5).reward.reshape(5, 3)[[0, 4]]
    array([[5., 4., 3.],
           [0., 0., 0.]])
    """
    n_states = check_count("n_states", n_states, low=2)
    s, a = np.divmod(np.arange(3 * (n_states - 1)), 3)
    worse = np.array([0.3, 0.2, 0.1])
    better = np.array([0.3, 0.4, 0.5])
    moves = transitions(
        (s, a, s, 0.4, 0.0),
        (s, a, s + 1, worse[a], 0.0),
        (s, a, np.maximum(s - 1, 0), better[a], 0.0),
        (n_states - 1, [0, 1, 2], n_states - 1, 1.0, 0.0),
    )
    pair_reward = np.tile([5.0, 4.0, 3.0], n_states)
    pair_reward[-3:] = 0.0
    return build(n_states, moves, Discounted(gamma), pair_reward=pair_reward, action_names=ACTIONS)
