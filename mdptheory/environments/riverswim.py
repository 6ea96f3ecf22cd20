"""RiverSwim: swim against a current to a large reward, or drift to a small one."""

from typing import NamedTuple

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory._validation import as_float_array, check_count, check_shape, check_simplex
from mdptheory.environments._assemble import build, point_mass, transitions, uniform
from mdptheory.errors import InvalidModelError
from mdptheory.models import Discounted, TabularMDP

ACTIONS = ("left", "right")


class _Version(NamedTuple):
    bank_reward: float  # for staying in state 0 with action left
    rapids_reward: float  # for arriving in state 4 from state 3 by swimming right
    goal_stay: float  # probability of holding state 5 while swimming right
    goal_reward: float  # for holding it


VERSIONS = {
    1: _Version(5.0, 0.0, 0.3, 10_000.0),
    2: _Version(50.0, -50.0, 0.9, 200.0),
    3: _Version(30.0, 0.0, 0.9, 100.0),
}


def _river(
    swim: FloatArray,
    drift_reward: FloatArray,
    swim_reward: FloatArray,
    gamma: float,
    initial: FloatArray | None,
) -> TabularMDP:
    """Return a river from ``swim[s] = (back, hold, ahead)`` and rewards of the same shape."""
    n_states = len(swim)
    s = np.arange(n_states)
    ahead = s[:, None] + np.array([-1, 0, 1])
    moves = transitions(
        (s, 0, np.maximum(s - 1, 0), 1.0, drift_reward),
        (s[:, None], 1, np.clip(ahead, 0, n_states - 1), swim, swim_reward),
    )
    return build(n_states, moves, Discounted(gamma), initial=initial, action_names=ACTIONS)


def riverswim(version: int = 1, *, gamma: float = 0.9) -> TabularMDP:
    """RiverSwim with six states, in the three versions of the craam2 example files.

    Action 0 (left) moves one state left surely. Action 1 (right) holds state 0 with probability
    0.7 and leaves it with 0.3; in states 1 to 4 it goes left 0.1, holds 0.6, goes right 0.3; in
    state 5 it holds with 0.3 (version 1) or 0.9 (versions 2 and 3), else goes left.

    Parameters
    ----------
    version : int
        1: reward 5 for staying in state 0 with action left, 10000 for holding state 5.
        2: 50 and 200, and -50 for arriving in state 4 from state 3.
        3: 30 and 100.
    gamma : float
        Discount factor per step.

    Returns
    -------
    TabularMDP
        Model whose rewards are per transition, one a line of the source's CSV.

    Raises
    ------
    InvalidModelError
        If ``version`` is not 1, 2 or 3, or ``gamma`` lies outside [0, 1).

    Notes
    -----
    The files state no first state; ``initial`` is absent. `riverswim20` is the fourth version,
    `riverswim_chain` the one of the exploration literature, with other numbers.

    References
    ----------
    .. [1] M. Petrik et al., craam2, folder ``examples/R/riverswim`` (files ``riverswim*_mdp.csv``).
    .. [2] A. L. Strehl, M. L. Littman, "An analysis of model-based interval estimation for Markov
       decision processes", J. Comput. System Sci. 74(8), 2008 (the domain).

    Examples
    --------
    >>> mdp = riverswim()
    >>> mdp.n_states, mdp.n_actions, mdp.n_transitions
    (6, 2, 22)
    """
    chosen = VERSIONS.get(version)
    if chosen is None:
        raise InvalidModelError(f"version is {version}; expected 1, 2 or 3")
    swim = np.tile([0.1, 0.6, 0.3], (6, 1))
    swim[0] = 0.0, 0.7, 0.3
    # version 1 writes .7 and .3, the others .1 and .9; 1 - .9 is not the float .1
    swim[5] = (0.7 if chosen.goal_stay == 0.3 else 0.1), chosen.goal_stay, 0.0
    drift_reward = np.zeros(6)
    drift_reward[0] = chosen.bank_reward
    swim_reward = np.zeros((6, 3))
    swim_reward[3, 2] = chosen.rapids_reward
    swim_reward[5, 1] = chosen.goal_reward
    return _river(swim, drift_reward, swim_reward, gamma, None)


def riverswim20(
    *, swim: tuple[float, float, float] = (0.2, 0.3, 0.5), gamma: float = 0.9
) -> TabularMDP:
    """RiverSwim with twenty states and a sure reward for drifting.

    Action 0 (left) moves left surely with reward 5 in every state. Action 1 (right) goes left
    0.2, holds 0.3, goes right 0.5, clamped at both ends; reward 100 for holding state 19.

    Parameters
    ----------
    swim : tuple of three floats
        Probabilities that action 1 goes left, holds, goes right.
    gamma : float
        Discount factor per step.

    Returns
    -------
    TabularMDP
        Model with rewards per transition and a uniform first state.

    Raises
    ------
    InvalidModelError
        If ``swim`` is no distribution, or ``gamma`` lies outside [0, 1).

    References
    ----------
    .. [1] M. Petrik et al., craam2, domain script of the twenty-state RiverSwim.

    Examples
    --------
    >>> riverswim20().n_states
    20
    """
    chances = as_float_array("swim", swim)
    check_shape("swim", chances, (3,))
    check_simplex("swim", chances)
    left, hold, right = chances
    moves = np.tile(chances, (20, 1))
    moves[0] = 0.0, left + hold, right
    moves[19] = left, hold + right, 0.0
    swim_reward = np.zeros((20, 3))
    swim_reward[19, 1] = 100.0
    return _river(moves, np.full(20, 5.0), swim_reward, gamma, uniform(20))


def riverswim_chain(n_states: int = 6, *, gamma: float = 0.95) -> TabularMDP:
    """RiverSwim of any length with the numbers of the exploration literature.

    Action 0 (left) moves left surely, with reward 0.005 in state 0. Action 1 (right) holds state
    0 with 0.4 and leaves it with 0.6; in the middle it goes left 0.05, holds 0.6, goes right 0.35;
    in the last state it holds with 0.6 and reward 1, else goes left.

    Parameters
    ----------
    n_states : int
        Length of the river, at least 2; 6 is the classical one.
    gamma : float
        Discount factor per step.

    Returns
    -------
    TabularMDP
        Model with rewards per transition that starts in state 0; built row by row, so that
        ``n_states`` may be large.

    Raises
    ------
    InvalidModelError
        If ``n_states`` is less than 2, or ``gamma`` lies outside [0, 1).

    Notes
    -----
    The domain is Strehl and Littman's [1]_; the numbers are those with which posterior sampling
    was tested [2]_ and which later papers repeat, undiscounted there. Rewards lie in [0, 1].

    References
    ----------
    .. [1] A. L. Strehl, M. L. Littman, "An analysis of model-based interval estimation for Markov
       decision processes", J. Comput. System Sci. 74(8), 2008.
    .. [2] I. Osband, D. Russo, B. Van Roy, "(More) efficient reinforcement learning via posterior
       sampling", NeurIPS 2013.

    Examples
    --------
    >>> riverswim_chain(1000).n_transitions
    3998
    """
    n_states = check_count("n_states", n_states, low=2)
    swim = np.tile([0.05, 0.6, 0.35], (n_states, 1))
    swim[0] = 0.0, 0.4, 0.6
    swim[-1] = 0.4, 0.6, 0.0
    drift_reward = np.zeros(n_states)
    drift_reward[0] = 0.005
    swim_reward = np.zeros((n_states, 3))
    swim_reward[-1, 1] = 1.0
    return _river(swim, drift_reward, swim_reward, gamma, point_mass(n_states, 0))
