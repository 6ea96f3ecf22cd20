"""Gridworlds: slippery with a goal, the 5 x 5 of robust policy gradients, and the windy torus."""

import numpy as np

from mdptheory._typing import FloatArray, IntArray, RngLike
from mdptheory._validation import check_count, check_number
from mdptheory.environments._assemble import Transitions, build, point_mass, transitions, uniform
from mdptheory.models import Discounted, TabularMDP

ACTIONS = ("up", "right", "down", "left")
ROW_STEP = np.array([-1, 0, 1, 0])
COLUMN_STEP = np.array([0, 1, 0, -1])


def _targets(side: int) -> tuple[IntArray, IntArray]:
    """Rows and columns one step on from each cell in each direction, walls ignored, (S, 4)."""
    row, column = np.divmod(np.arange(side * side), side)
    return row[:, None] + ROW_STEP, column[:, None] + COLUMN_STEP


def gridworld(side: int = 10, *, slip: float = 0.2, gamma: float = 0.99) -> TabularMDP:
    """Slippery grid: each step costs 1 until the goal in the last cell.

    A move goes in its direction with probability ``1 - slip`` and to either side with ``slip / 2``;
    a move into the wall stays. Cells are numbered row by row; the last one is absorbing with
    reward 0.

    Parameters
    ----------
    side : int
        Cells a side, at least 2.
    slip : float
        Probability of going to a side.
    gamma : float
        Discount factor per step.

    Returns
    -------
    TabularMDP
        Model with a reward of -1 in every cell but the goal, starting in cell 0; built row by row,
        so that ``side`` may be large. ``with_objective(TotalReward())`` makes it a shortest path.

    Raises
    ------
    InvalidModelError
        If ``side`` is less than 2, ``slip`` lies outside [0, 1] or ``gamma`` outside [0, 1).

    Notes
    -----
    Our benchmark instance. With ``slip = 0`` the value is ``-(1 - gamma^d) / (1 - gamma)`` at
    distance ``d`` from the goal.

    References
    ----------
    .. [1] S. Russell, P. Norvig, "Artificial intelligence: a modern approach", chapter on complex
       decisions (the slip to both sides).

    Examples
    --------
    >>> gridworld(3).n_rows
    36
    """
    side = check_count("side", side, low=2)
    check_number("slip", slip, low=0.0, high=1.0)
    n_states = side * side
    row, column = _targets(side)
    target = np.clip(row, 0, side - 1) * side + np.clip(column, 0, side - 1)
    target[-1] = n_states - 1
    s, a = np.divmod(np.arange(4 * n_states), 4)
    moves = transitions(
        (s, a, target[s, a], 1.0 - slip, 0.0),
        (s, a, target[s, (a + 1) % 4], slip / 2, 0.0),
        (s, a, target[s, (a + 3) % 4], slip / 2, 0.0),
    )
    pair_reward = np.where(s < n_states - 1, -1.0, 0.0)
    return build(
        n_states,
        moves,
        Discounted(gamma),
        pair_reward=pair_reward,
        initial=point_mass(n_states, 0),
        action_names=ACTIONS,
    )


def gridworld_5x5(*, gamma: float = 0.9) -> TabularMDP:
    """Grid of 5 x 5 cells from the study of robust policy gradients, its costs negated to rewards.

    Being in the first cell (the goal) costs 0, in the last 10, elsewhere 0.2. A move goes in its
    direction with 0.7 and to each other neighbouring cell with 0.1, else it stays. If there is no
    cell in its direction, it goes to each neighbour with 0.1, else it stays.

    Parameters
    ----------
    gamma : float
        Discount factor per step.

    Returns
    -------
    TabularMDP
        Model with a reward per state-action pair and a uniform first state.

    Raises
    ------
    InvalidModelError
        If ``gamma`` lies outside [0, 1).

    Notes
    -----
    The goal is not absorbing: no such rule is stated, and its cost is 0 anyway.

    References
    ----------
    .. [1] M. Li, D. Kuhn, T. Sutter, "Policy gradient algorithms for robust MDPs with
       non-rectangular uncertainty sets" (GridWorld).

    Examples
    --------
    >>> gridworld_5x5().reward[[0, 4, 99]]
    array([  0. ,  -0.2, -10. ])
    """
    side, n_states = 5, 25
    row, column = _targets(side)
    inside = (row >= 0) & (row < side) & (column >= 0) & (column < side)
    target = row * side + column
    s, a, direction = (index.ravel() for index in np.indices((n_states, 4, 4)))
    prob = np.where(a == direction, 0.7, 0.1)[inside[s, direction]]
    s, a, direction = (index[inside[s, direction]] for index in (s, a, direction))
    leaving = np.zeros((n_states, 4))
    np.add.at(leaving, (s, a), prob)
    cell, action = (index.ravel() for index in np.indices((n_states, 4)))
    moves = transitions(
        (s, a, target[s, direction], prob, 0.0),
        (cell, action, cell, _remainder(leaving).ravel(), 0.0),
    )
    cost = np.full(n_states, 0.2)
    cost[0], cost[-1] = 0.0, 10.0
    return build(
        n_states,
        moves,
        Discounted(gamma),
        pair_reward=-cost[cell] + 0.0,  # + 0.0 turns -0.0 into 0.0
        initial=uniform(n_states),
        action_names=ACTIONS,
    )


def _remainder(leaving: FloatArray) -> FloatArray:
    """Return what is missing to 1, with a rounding error counted as nothing."""
    rest = 1.0 - leaving
    rest[np.abs(rest) < 1e-12] = 0.0
    return rest


def gridworld_torus(
    side: int = 5, wind: float = 0.2, *, gamma: float = 0.95, rng: RngLike = None
) -> TabularMDP:
    """Grid without borders, wind in all directions, and one rewarding cell drawn at random.

    A move goes in its direction with probability ``1 - wind`` and in each of the three others with
    ``wind / 3``; leaving at one edge enters at the opposite one. Arriving in the drawn cell pays 1.

    Parameters
    ----------
    side : int
        Cells a side, at least 2.
    wind : float
        Probability of going in another direction.
    gamma : float
        Discount factor per step.
    rng : numpy.random.Generator, int or None
        Draws the rewarding cell uniformly.

    Returns
    -------
    TabularMDP
        Model with rewards per transition and a uniform first state.

    Raises
    ------
    InvalidModelError
        If ``side`` is less than 2, ``wind`` lies outside [0, 1] or ``gamma`` outside [0, 1).

    References
    ----------
    .. [1] K. Badger, M. Huang, M. Petrik, "Convergence of fast policy iteration in Markov games and
       robust MDPs", AAAI 2026 (the domain; the default sizes are ours).

    Examples
    --------
    >>> gridworld_torus(4, rng=0).n_transitions
    256
    """
    side = check_count("side", side, low=2)
    check_number("wind", wind, low=0.0, high=1.0)
    n_states = side * side
    row, column = _targets(side)
    target = (row % side) * side + column % side
    goal = int(np.random.default_rng(rng).integers(n_states))
    moves = _windy(target, wind)
    return build(
        n_states,
        moves._replace(reward=np.where(moves.next_state == goal, 1.0, 0.0)),
        Discounted(gamma),
        initial=uniform(n_states),
        action_names=ACTIONS,
    )


def _windy(target: IntArray, wind: float) -> Transitions:
    s, a = np.divmod(np.arange(4 * len(target)), 4)
    others = [(s, a, target[s, (a + turn) % 4], wind / 3, 0.0) for turn in (1, 2, 3)]
    return transitions((s, a, target[s, a], 1.0 - wind, 0.0), *others)
