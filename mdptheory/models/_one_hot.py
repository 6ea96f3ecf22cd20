"""A finite-horizon tabular MDP as arrays of a linear one, one factor a state and action."""

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory.errors import InvalidModelError
from mdptheory.models.objective import FiniteHorizon
from mdptheory.models.tabular import TabularMDP


def one_hot_actions(mdp: TabularMDP) -> IntArray:
    """Return the action ids behind the actions of ``LinearMDP.from_tabular(mdp)``.

    Parameters
    ----------
    mdp : TabularMDP
        The tabular model.

    Returns
    -------
    array of int of shape (n_stages, S, A)
        Id of the a-th available action, the last one repeated; A is the largest number of actions
        that a state has.
    """
    return np.asarray(mdp.action[_row_table(mdp)], dtype=np.int64)


def one_hot_arrays(
    mdp: TabularMDP,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray | None]:
    """Return ``phi``, ``theta``, ``mu`` and ``initial``, or refuse what one-hot cannot express."""
    if not isinstance(mdp, TabularMDP):
        raise TypeError(f"mdp is of type {type(mdp).__name__}; expected TabularMDP")
    objective = mdp.objective
    if not isinstance(objective, FiniteHorizon):
        raise InvalidModelError(
            f"mdp has objective {type(objective).__name__}; expected FiniteHorizon"
        )
    if objective.gamma != 1.0:
        raise InvalidModelError(f"mdp has discount {objective.gamma}; expected 1")
    if objective.terminal is not None and objective.terminal.any():
        raise InvalidModelError("mdp has a terminal reward; expected none")
    if mdp.transition_reward is not None:
        raise InvalidModelError(
            "mdp has rewards that depend on the next state; expected rewards of state and action"
        )
    table = _row_table(mdp)
    stages, n_states, n_actions = table.shape
    n_rows = n_states * n_actions
    mu = np.zeros((objective.horizon, n_rows, n_states))
    theta = np.zeros((objective.horizon, n_rows))
    for h in range(objective.horizon):
        for i, row in enumerate(table[h if stages > 1 else 0].ravel()):
            inside = slice(int(mdp.row_ptr[row]), int(mdp.row_ptr[row + 1]))
            mu[h, i, mdp.next_state[inside]] = mdp.prob[inside]
            theta[h, i] = mdp.reward[row]
    phi = np.eye(n_rows).reshape(n_states, n_actions, n_rows)
    return phi, theta, mu, mdp.initial


def _row_table(mdp: TabularMDP) -> IntArray:
    """Return the row of each stage, state and action position."""
    first = np.asarray(mdp.choice_ptr[:-1], dtype=np.int64)
    count = np.asarray(np.diff(mdp.choice_ptr), dtype=np.int64)
    position = np.minimum(np.arange(count.max()), count[:, None] - 1)
    return (first[:, None] + position).reshape(mdp.n_stages, mdp.n_states, -1)
