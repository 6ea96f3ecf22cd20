"""Turns lists of transitions into a `TabularMDP` without a dense intermediate."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray, IntArray
from mdptheory.models import TabularMDP
from mdptheory.models.objective import Objective
from mdptheory.models.rows import from_triplets


class Transitions(NamedTuple):
    """Parallel lists of transitions in any order, with the reward of each."""

    state: IntArray
    action: IntArray
    next_state: IntArray
    prob: FloatArray
    reward: FloatArray


def transitions(*parts: Sequence[object]) -> Transitions:
    """Join groups ``(state, action, next_state, prob, reward)`` whose entries broadcast."""
    columns = [np.broadcast_arrays(*[np.asarray(entry) for entry in part]) for part in parts]
    joined = [np.concatenate([np.ravel(part[i]) for part in columns]) for i in range(5)]
    state, action, next_state = (column.astype(np.int64) for column in joined[:3])
    prob, reward = (column.astype(np.float64) for column in joined[3:])
    return Transitions(state, action, next_state, prob, reward)


def build(
    n_states: int,
    moves: Transitions,
    objective: Objective,
    *,
    pair_reward: FloatArray | None = None,
    initial: FloatArray | None = None,
    state_names: tuple[str, ...] | None = None,
    action_names: tuple[str, ...] | None = None,
) -> TabularMDP:
    """Return the model of a list of transitions; those of probability 0 are left out.

    With ``pair_reward``, one reward for each state-action row in order, the reward does not depend
    on the successor and ``moves.reward`` is not read.
    """
    possible = moves.prob != 0
    rows = from_triplets(n_states, *(column[possible] for column in moves))
    reward = rows.reward if pair_reward is None else pair_reward.copy()
    kept = None if pair_reward is not None else rows.transition_reward
    freeze(rows.choice_ptr, rows.action, rows.row_ptr, rows.next_state, rows.prob, reward)
    return TabularMDP(
        choice_ptr=rows.choice_ptr,
        action=rows.action,
        row_ptr=rows.row_ptr,
        next_state=rows.next_state,
        prob=rows.prob,
        reward=reward,
        transition_reward=kept,
        objective=objective,
        n_states=n_states,
        initial=initial,
        state_names=state_names,
        action_names=action_names,
    )


def freeze(*arrays: npt.NDArray[Any]) -> None:
    """Make fresh arrays read-only, so that the model keeps them without a copy."""
    for array in arrays:
        array.setflags(write=False)


def point_mass(n_states: int, state: int) -> FloatArray:
    """Return the distribution of a known first state, shape (n_states,)."""
    initial = np.zeros(n_states)
    initial[state] = 1.0
    return initial


def uniform(n_states: int) -> FloatArray:
    """Return the uniform distribution over states, shape (n_states,)."""
    return np.full(n_states, 1.0 / n_states)
