"""Garnet: random sparse MDPs of any size."""

import math

import numpy as np

from mdptheory._typing import FloatArray, IntArray, RngLike
from mdptheory._validation import check_count, check_number
from mdptheory.environments._assemble import freeze
from mdptheory.errors import InvalidModelError
from mdptheory.models import Discounted, TabularMDP
from mdptheory.models.rows import index_dtype

CHUNK = 1 << 22  # transitions drawn at once; bounds the working memory, and is part of the stream
DENSE_FACTOR = 8  # below this many states a successor, ranking a key for each state is cheaper


def garnet(
    n_states: int,
    n_actions: int,
    branching: int,
    *,
    gamma: float = 0.95,
    spacing: bool = True,
    reward_scale: float = 1.0,
    rng: RngLike = None,
) -> TabularMDP:
    """Garnet: each state-action pair has a few random successors with random probabilities.

    Parameters
    ----------
    n_states, n_actions : int
        Sizes.
    branching : int
        Number of distinct successors of each state-action pair, drawn without replacement.
    gamma : float
        Discount factor per step.
    spacing : bool
        True: probabilities are the gaps that ``branching - 1`` sorted uniforms leave in [0, 1],
        that is uniform on the simplex (Archibald et al. [1]_). False: ``branching`` uniforms
        divided by their sum, which is closer to the centre (as other papers do [2]_).
    reward_scale : float
        Rewards ``r[s, a]`` are uniform on [0, ``reward_scale``).
    rng : numpy.random.Generator, int or None
        Source of randomness; the same seed gives the same bits.

    Returns
    -------
    TabularMDP
        Model with a reward per state-action pair, built as sparse rows in chunks.

    Raises
    ------
    InvalidModelError
        If a size is less than 1, ``branching`` exceeds ``n_states``, ``reward_scale`` is negative
        or ``gamma`` lies outside [0, 1).

    Notes
    -----
    [2]_ uses ``spacing=False``, ``reward_scale=5`` and gamma 0.95. Successors are drawn by Floyd's
    sampling, or by ranking one random key a state where there are few states: both give each
    subset the same probability.

    References
    ----------
    .. [1] T. W. Archibald, K. I. M. McKinnon, L. C. Thomas, "On the generation of Markov decision
       processes", J. Oper. Res. Soc. 46(3), 1995.
    .. [2] Q. Wang, C. P. Ho, M. Petrik, "Policy gradient in robust MDPs with global convergence
       guarantee", ICML 2023, and its public code.

    Examples
    --------
    >>> mdp = garnet(100, 4, 3, rng=0)
    >>> mdp.n_rows, mdp.n_transitions
    (400, 1200)
    """
    n_states = check_count("n_states", n_states)
    n_actions = check_count("n_actions", n_actions)
    branching = check_count("branching", branching)
    if branching > n_states:
        raise InvalidModelError(
            f"branching is {branching}; expected at most n_states = {n_states}, because successors"
            " are distinct"
        )
    scale = check_number("reward_scale", reward_scale, low=0.0, high=math.inf, open_high=True)
    objective = Discounted(gamma)
    rng = np.random.default_rng(rng)
    n_rows = n_states * n_actions
    next_state, prob = _rows(rng, n_rows, n_states, branching, spacing)
    choice_ptr = np.arange(0, n_rows + 1, n_actions, dtype=np.int64)
    action = np.resize(np.arange(n_actions, dtype=np.int32), n_rows)
    row_ptr = np.arange(0, n_rows * branching + 1, branching, dtype=np.int64)
    reward = scale * rng.random(n_rows)
    freeze(choice_ptr, action, row_ptr, next_state, prob, reward)
    return TabularMDP(
        choice_ptr=choice_ptr,
        action=action,
        row_ptr=row_ptr,
        next_state=next_state,
        prob=prob,
        reward=reward,
        objective=objective,
        n_states=n_states,
    )


def _rows(
    rng: np.random.Generator, n_rows: int, n_states: int, branching: int, spacing: bool
) -> tuple[IntArray, FloatArray]:
    """Successors and probabilities of all rows, each of shape (n_rows * branching,)."""
    next_state = np.empty(n_rows * branching, dtype=index_dtype(n_states))
    prob = np.empty(n_rows * branching)
    ranked = n_states < DENSE_FACTOR * branching
    step = max(1, CHUNK // (n_states if ranked else branching))
    for first in range(0, n_rows, step):
        count = min(step, n_rows - first)
        part = slice(first * branching, (first + count) * branching)
        draw = _subsets_by_rank if ranked else _subsets_by_floyd
        next_state[part] = draw(rng, count, n_states, branching).ravel()
        weights = (
            _spacings(rng, count, branching) if spacing else _normalised(rng, count, branching)
        )
        prob[part] = weights.ravel()
    return next_state, prob


def _subsets_by_floyd(rng: np.random.Generator, count: int, n_states: int, size: int) -> IntArray:
    """Sorted uniform random subsets, shape (count, size), by Floyd's algorithm on all rows."""
    chosen = np.empty((size, count), dtype=index_dtype(n_states))
    for i in range(size):
        newest = n_states - size + i  # draw from 0..newest; a repeat is replaced by newest itself
        drawn = rng.integers(0, newest + 1, size=count, dtype=chosen.dtype)
        repeated = np.zeros(count, dtype=bool)
        for j in range(i):
            repeated |= chosen[j] == drawn
        drawn[repeated] = newest
        chosen[i] = drawn
    return np.sort(chosen.T, axis=1)


def _subsets_by_rank(rng: np.random.Generator, count: int, n_states: int, size: int) -> IntArray:
    """Sorted uniform random subsets, shape (count, size): the states of the smallest keys."""
    keys = rng.random((count, n_states))
    return np.sort(np.argpartition(keys, size - 1, axis=1)[:, :size], axis=1)


def _spacings(rng: np.random.Generator, count: int, size: int) -> FloatArray:
    """Gaps between 0, ``size - 1`` sorted uniforms and 1, shape (count, size)."""
    cuts = np.zeros((count, size + 1))
    cuts[:, -1] = 1.0
    cuts[:, 1:-1] = np.sort(rng.random((count, size - 1)), axis=1)
    return np.diff(cuts, axis=1)


def _normalised(rng: np.random.Generator, count: int, size: int) -> FloatArray:
    """Uniforms on (0, 1] divided by their sum, shape (count, size)."""
    weights = 1.0 - rng.random((count, size))
    return weights / weights.sum(axis=1, keepdims=True)
