"""The robust Bellman operators, one step at a time, for users and checks."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray, IntArray
from mdptheory._validation import as_float_array, check_finite, check_shape
from mdptheory.errors import InvalidModelError
from mdptheory.models import AmbiguitySet, FactorSet, TabularMDP
from mdptheory.models.ambiguity import is_s_rectangular
from mdptheory.operators.dispatch import game
from mdptheory.operators.robust_backup import RobustBackup
from mdptheory.operators.robust_rows import places


@dataclass(frozen=True, slots=True, eq=False)
class RobustStep:
    """One step of a robust Bellman operator.

    Attributes
    ----------
    value : array of shape (n_states,)
        Value of each state.
    q : array of shape (n_states, n_actions)
        Value of each action against nature's row for it; ``-inf`` where it is not available.
    policy : array of int of shape (n_states,), or of float of shape (n_states, n_actions)
        Best action ids, ties to the lowest; probabilities if the rows of a state share a budget.
    """

    value: FloatArray
    q: FloatArray
    policy: IntArray | FloatArray


def robust_bellman(
    mdp: TabularMDP,
    ambiguity: AmbiguitySet,
    v: npt.ArrayLike,
    *,
    nature: Literal["adversarial", "cooperative"] = "adversarial",
    stage: int = 0,
) -> RobustStep:
    """Apply the robust Bellman operator to ``v``.

    Parameters
    ----------
    mdp : TabularMDP
        The nominal model.
    ambiguity : AmbiguitySet
        Where nature picks her rows from.
    v : array of shape (n_states,)
        Value of each successor, discounted reward.
    nature : {"adversarial", "cooperative"}
        Whether nature minimises or maximises the agent's value. A cooperative nature needs rows
        with budgets of their own.
    stage : int
        Which stage's rows, for stage-dependent data.

    Returns
    -------
    RobustStep
        Value, value of each action and greedy policy.

    Raises
    ------
    InvalidModelError
        If ``v`` has another shape or an entry that is not finite, or the set does not fit.
    NotImplementedError
        If nature is cooperative and the rows share budgets or factors.
    TypeError
        If ``ambiguity`` is no ambiguity set.

    Notes
    -----
    ``value[s] = max_a min_{q in U[s, a]} sum_s' q[s'] (r[s, a, s'] + gamma v[s'])``; with shared
    budgets the maximum is over distributions of actions, in front of the minimum.

    Examples
    --------
    >>> from mdptheory import L1Ball, TabularMDP
    >>> mdp = TabularMDP.from_dense([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.9)
    >>> robust_bellman(mdp, L1Ball(0.4, support="all"), [1.0, 2.0]).q
    array([[2.17],
           [1.62]])
    """
    values = _values(mdp, v)
    if nature not in ("adversarial", "cooperative"):
        raise InvalidModelError(f"nature is {nature!r}; expected 'adversarial' or 'cooperative'")
    if nature == "cooperative":
        return _cooperative(mdp, ambiguity, values, stage)
    board = game(mdp, ambiguity, stage=stage, threads=1)
    out = np.empty_like(values)
    board.greedy(values, out)
    return RobustStep(out, _table(mdp, board.q, stage), board.policy())


def robust_policy_bellman(
    mdp: TabularMDP,
    ambiguity: AmbiguitySet,
    policy: npt.ArrayLike,
    v: npt.ArrayLike,
    *,
    stage: int = 0,
) -> FloatArray:
    """Apply the robust Bellman operator of one policy to ``v``.

    Parameters
    ----------
    mdp : TabularMDP
        The nominal model.
    ambiguity : AmbiguitySet
        Where nature picks her rows from.
    policy : array of int of shape (n_states,), or array of shape (n_states, n_actions)
        Action ids, or the probability of each action.
    v : array of shape (n_states,)
        Value of each successor, discounted reward.
    stage : int
        Which stage's rows, for stage-dependent data.

    Returns
    -------
    array of shape (n_states,)
        ``min_q sum_a pi[s, a] sum_s' q[s, a, s'] (r[s, a, s'] + gamma v[s'])``.

    Raises
    ------
    InvalidModelError
        If ``v`` or the policy does not fit the model, or the set does not.
    TypeError
        If ``ambiguity`` is no ambiguity set.

    Examples
    --------
    >>> from mdptheory import L1Ball, TabularMDP
    >>> mdp = TabularMDP.from_dense([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.9)
    >>> robust_policy_bellman(mdp, L1Ball(0.4, support="all"), [0, 0], [1.0, 2.0])
    array([2.17, 1.62])
    """
    values = _values(mdp, v)
    board = game(mdp, ambiguity, stage=stage, threads=1)
    held = board.hold(np.asarray(policy))
    out, _, _, _ = held.sweeps(values, goal=0.0, limit=1)
    return out


def _values(mdp: TabularMDP, v: npt.ArrayLike) -> FloatArray:
    values = np.array(as_float_array("v", v))
    check_shape("v", values, (mdp.n_states,))
    check_finite("v", values)
    return values


def _table(mdp: TabularMDP, q: FloatArray, stage: int) -> FloatArray:
    """Spread row values to pairs."""
    table = np.full((mdp.n_states, mdp.n_actions), -np.inf)
    table[places(mdp, stage)] = q
    return table


def _cooperative(mdp: TabularMDP, ambiguity: AmbiguitySet, v: FloatArray, stage: int) -> RobustStep:
    """Let nature maximise: ``max q.z = -min q.(-z)`` over the same rows."""
    if isinstance(ambiguity, FactorSet) or is_s_rectangular(ambiguity):
        raise NotImplementedError(
            "nature is 'cooperative'; expected rows with budgets of their own (rectangularity='sa')"
        )
    board = RobustBackup(mdp, ambiguity, stage=stage, threads=1)
    q = board.optimistic(v)
    table = _table(mdp, q, stage)
    return RobustStep(table.max(axis=1), table, table.argmax(axis=1))
