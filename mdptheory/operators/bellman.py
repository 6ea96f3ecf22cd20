"""Bellman operators, policies' values and occupancies, for users and checks."""

from typing import Any

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray, IntArray
from mdptheory._validation import as_array, as_float_array, check_finite, check_shape, check_simplex
from mdptheory.errors import InvalidModelError
from mdptheory.models import Discounted, TabularMDP
from mdptheory.operators.backup import Backup


def _values(mdp: TabularMDP, v: npt.ArrayLike) -> FloatArray:
    values = np.array(as_float_array("v", v))
    check_shape("v", values, (mdp.n_states,))
    check_finite("v", values)
    return values


def _row_states(backup: Backup) -> IntArray:
    counts = backup.row_counts()
    return np.repeat(np.arange(backup.mdp.n_states), counts)


def bellman(mdp: TabularMDP, v: npt.ArrayLike, *, stage: int = 0) -> FloatArray:
    """Apply the Bellman operator to ``v`` for every action.

    Parameters
    ----------
    mdp : TabularMDP
        The model.
    v : array of shape (n_states,)
        Value of each successor, discounted reward.
    stage : int
        Which stage's rows, for stage-dependent data.

    Returns
    -------
    array of shape (n_states, n_actions)
        ``q[s, a] = r[s, a] + gamma sum_s' P[s, a, s'] v[s']``; ``-inf`` where ``a`` is not
        available.

    Raises
    ------
    InvalidModelError
        If ``v`` has another shape or an entry that is not finite.

    Examples
    --------
    >>> mdp = TabularMDP.from_dense([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.9)
    >>> bellman(mdp, [1.0, 2.0])
    array([[2.35],
           [1.8 ]])
    """
    backup = Backup(mdp, stage=stage)
    values = _values(mdp, v)
    backup.greedy(values, np.empty_like(values))
    q = np.full((mdp.n_states, mdp.n_actions), -np.inf)
    rows = backup.rows
    q[_row_states(backup), mdp.action[rows]] = backup.q[rows]
    return q


def greedy(mdp: TabularMDP, v: npt.ArrayLike, *, stage: int = 0) -> IntArray:
    """Return the greedy action ids for ``v``, ties to the lowest id.

    Parameters
    ----------
    mdp : TabularMDP
        The model.
    v : array of shape (n_states,)
        Value of each successor, discounted reward.
    stage : int
        Which stage's rows, for stage-dependent data.

    Returns
    -------
    array of int of shape (n_states,)
        A maximising action of each state.
    """
    backup = Backup(mdp, stage=stage)
    values = _values(mdp, v)
    backup.greedy(values, np.empty_like(values))
    return backup.policy()


def policy_kernel(
    mdp: TabularMDP, policy: npt.ArrayLike, *, stage: int = 0
) -> tuple[Any, FloatArray]:
    """Return the transition matrix and the expected reward of a policy.

    Parameters
    ----------
    mdp : TabularMDP
        The model.
    policy : array of int of shape (n_states,), or array of shape (n_states, n_actions)
        Action ids, or the probability of each action.
    stage : int
        Which stage's rows, for stage-dependent data.

    Returns
    -------
    P : scipy CSR matrix of shape (n_states, n_states)
        Transition probabilities under the policy.
    r : array of shape (n_states,)
        Expected reward per step.

    Raises
    ------
    InvalidModelError
        If the policy is no distribution or uses an action that is not available.
    """
    from scipy import sparse

    array = as_array("policy", policy)
    if array.ndim != 2:
        return mdp.policy_matrix(array, stage)
    pi = as_float_array("pi", policy)
    check_shape("pi", pi, (mdp.n_states, mdp.n_actions))
    check_simplex("pi", pi)
    backup = Backup(mdp, stage=stage)
    states, rows = _row_states(backup), backup.rows
    action, choice_ptr = mdp.action[rows], backup.choice_ptr.astype(np.int64) - rows.start
    available = np.zeros_like(pi, dtype=bool)
    available[states, action] = True
    stray = (pi > 0) & ~available
    if stray.any():
        s, a = (int(i) for i in np.argwhere(stray)[0])
        raise InvalidModelError(
            f"pi[{s}, {a}] is {pi[s, a]}: action {mdp.action_label(a)} is not available in state"
            f" {mdp.state_label(s)}"
        )
    weight = pi[states, action]
    mix = sparse.csr_matrix(
        (weight, np.arange(backup.n_rows), choice_ptr), shape=(mdp.n_states, backup.n_rows)
    )
    kernel = sparse.csr_matrix(
        (mdp.prob, mdp.next_state, mdp.row_ptr), shape=(mdp.n_rows, mdp.n_states)
    )
    return (mix @ kernel[rows]).tocsr(), mix @ mdp.reward[rows]


def policy_bellman(
    mdp: TabularMDP, policy: npt.ArrayLike, v: npt.ArrayLike, *, stage: int = 0
) -> FloatArray:
    """Apply one policy's Bellman operator to ``v``.

    Parameters
    ----------
    mdp : TabularMDP
        The model.
    policy : array of int of shape (n_states,), or array of shape (n_states, n_actions)
        Action ids, or the probability of each action.
    v : array of shape (n_states,)
        Value of each successor, discounted reward.
    stage : int
        Which stage's rows, for stage-dependent data.

    Returns
    -------
    array of shape (n_states,)
        ``r_pi + gamma P_pi v``.
    """
    values = _values(mdp, v)
    P, r = policy_kernel(mdp, policy, stage=stage)
    return r + mdp.gamma * (P @ values)


def policy_value(mdp: TabularMDP, policy: npt.ArrayLike) -> FloatArray:
    """Solve for the value of a stationary policy by sparse elimination.

    Parameters
    ----------
    mdp : TabularMDP
        A discounted model.
    policy : array of int of shape (n_states,), or array of shape (n_states, n_actions)
        Action ids, or the probability of each action.

    Returns
    -------
    array of shape (n_states,)
        Expected discounted reward from each state.

    Raises
    ------
    InvalidModelError
        If the model is not discounted.
    """
    return _resolvent(mdp, policy, None)


def occupancy(mdp: TabularMDP, policy: npt.ArrayLike, mu0: npt.ArrayLike) -> FloatArray:
    """Return the normalised discounted occupancy of states.

    Parameters
    ----------
    mdp : TabularMDP
        A discounted model.
    policy : array of int of shape (n_states,), or array of shape (n_states, n_actions)
        Action ids, or the probability of each action.
    mu0 : array of shape (n_states,)
        Distribution of the first state.

    Returns
    -------
    array of shape (n_states,)
        ``(1 - gamma) sum_t gamma^t P(s_t = s)``, a distribution.
    """
    start = as_float_array("mu0", mu0)
    check_shape("mu0", start, (mdp.n_states,))
    check_simplex("mu0", start)
    return _resolvent(mdp, policy, start)


def _resolvent(mdp: TabularMDP, policy: npt.ArrayLike, mu0: FloatArray | None) -> FloatArray:
    """Solve ``(I - gamma P) v = r``, or its transpose for an initial distribution."""
    from scipy import sparse
    from scipy.sparse.linalg import splu

    if not isinstance(mdp.objective, Discounted):
        raise InvalidModelError(
            f"mdp has objective {type(mdp.objective).__name__}; the value and the occupancy of a"
            " stationary policy expect Discounted"
        )
    P, r = policy_kernel(mdp, policy)
    factor = splu((sparse.eye(mdp.n_states, format="csr") - mdp.gamma * P).tocsc())
    if mu0 is None:
        return factor.solve(r)
    return (1.0 - mdp.gamma) * factor.solve(mu0, trans="T")
