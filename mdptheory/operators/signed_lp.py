"""Closed forms for rows that may be negative: Lp balls without the simplex.

Nature adds ``c`` with ``sum c = 0`` and ``||c||_p <= radius`` to nominal rows, and ``p + c`` need
not be a distribution. What she gains per unit of radius is then the same for every row,
``min_w ||v - w||_q`` with ``1/p + 1/q = 1``.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray, IntArray
from mdptheory._validation import as_float_array, check_finite, check_number, check_shape
from mdptheory.errors import InvalidModelError
from mdptheory.models import SignedLpBall, TabularMDP
from mdptheory.models.ambiguity import Radius
from mdptheory.operators.backup import Backup
from mdptheory.operators.nature import per_row

BISECTIONS = 200


class SignedLpStep(NamedTuple):
    """One step of the operator with signed rows.

    Attributes
    ----------
    value : array of shape (n_states,)
        The operator's value: at most that over the true distributions of the ball.
    q : array of shape (n_states, n_actions)
        Nominal value of each action, or with radii of its own its worst; ``-inf`` where an action
        is not available.
    policy : array of int of shape (n_states,), or of float of shape (n_states, n_actions)
        Action ids (ties: lowest), or probabilities if the rows of a state share the radius.
    share : array of shape (n_rows,)
        Radius that nature spends on each row.
    """

    value: FloatArray
    q: FloatArray
    policy: IntArray | FloatArray
    share: FloatArray


def dispersion(v: npt.ArrayLike, order: float) -> float:
    """Return what nature gains per unit of an Lp radius: ``min_w ||v - w||_q``, ``1/p + 1/q = 1``.

    Parameters
    ----------
    v : array of shape (n,)
        Values.
    order : float
        The p of nature's norm, in [1, inf].

    Returns
    -------
    float
        Half the span for p = 1, ``||v - mean||_2`` for p = 2, ``sum |v - median|`` for p = inf.

    Examples
    --------
    >>> [round(dispersion([1, 2, 4, 7], p), 7) for p in (1, 2, float("inf"))]
    [3.0, 4.5825757, 8.0]
    """
    values = as_float_array("v", v)
    check_shape("v", values, (None,))
    check_finite("v", values)
    p = check_number("order", order, low=1.0)
    away = values - _centre(values, p)
    largest = float(np.abs(away).max())
    if largest == 0.0 or p == 1.0:
        return largest
    q = 1.0 if math.isinf(p) else p / (p - 1.0)
    return largest * float(((np.abs(away) / largest) ** q).sum() ** (1.0 / q))


def _centre(v: FloatArray, p: float) -> float:
    """Return the w that is nearest to ``v`` in the dual norm."""
    low, high = float(v.min()), float(v.max())
    if p == 1.0:
        return low + 0.5 * (high - low)
    if p == 2.0:
        return low + float((v - low).mean())
    if math.isinf(p):
        return float(np.median(v))
    span, power = high - low, 1.0 / (p - 1.0)
    if span == 0.0:
        return low
    x, left, right = (v - low) / span, 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = 0.5 * (left + right)
        if (np.sign(x - middle) * np.abs(x - middle) ** power).sum() > 0.0:
            left = middle
        else:
            right = middle
    return low + span * 0.5 * (left + right)


def direction(prob: FloatArray, v: FloatArray, order: float) -> FloatArray:
    """Return nature's best ``c`` of norm 1; ties of p = 1 take mass where the row has it.

    Parameters
    ----------
    prob : array of shape (n,)
        The nominal row.
    v : array of shape (n,)
        Values.
    order : float
        The p of nature's norm.

    Returns
    -------
    array of shape (n,)
        ``c`` with ``sum c = 0`` and ``c @ v = -dispersion(v, order)``; 0 if ``v`` is constant.
    """
    away = v - _centre(v, order)
    largest = float(np.abs(away).max())
    if largest == 0.0:
        return np.zeros(len(v))
    if order == 1.0:
        c = np.zeros(len(v))
        c[int(np.argmin(v))] = 0.5
        best = np.flatnonzero(v == v.max())
        mass = prob[best].sum()
        c[best] -= 0.5 * (prob[best] / mass if mass > 0.0 else 1.0 / len(best))
        return c
    if math.isinf(order):
        sign = np.sign(away)
        if (away == 0.0).any():
            sign[away == 0.0] = -sign.sum() / (away == 0.0).sum()
        return -sign
    g = np.sign(away) * (np.abs(away) / largest) ** (1.0 / (order - 1.0))
    nearest = v == v[int(np.argmin(np.abs(away)))]  # a steep power there: let the others say
    g[nearest] = -g[~nearest].sum() / nearest.sum()
    return -g / float((np.abs(g) ** order).sum() ** (1.0 / order))


def best_mixture(values: FloatArray, loss: float, order: float) -> tuple[float, FloatArray]:
    """Maximise ``pi @ values - loss ||pi||_q`` over distributions ``pi``, ``1/p + 1/q = 1``.

    Parameters
    ----------
    values : array of shape (m,)
        Nominal value of each action.
    loss : float
        At least 0.
    order : float
        The p of nature's norm.

    Returns
    -------
    float
        The maximum: the x with ``sum (values - x)_+^p = loss^p``.
    array of shape (m,)
        A maximiser, proportional to ``(values - x)_+^(p-1)``.
    """
    top, pi = float(values.max()), np.zeros(len(values))
    pi[int(np.argmax(values))] = 1.0
    if loss == 0.0 or math.isinf(order):
        return top - loss, pi
    below = (top - values) / loss  # the equation is sum (depth - below)_+^p = 1
    if order == 1.0:
        ranked = np.sort(below)
        depth = float(((1.0 + np.cumsum(ranked)) / np.arange(1, len(ranked) + 1)).min())
        pi = (below < depth).astype(np.float64)
        return top - loss * depth, pi / pi.sum()
    left, right = 0.0, 1.0
    for _ in range(BISECTIONS):
        depth = 0.5 * (left + right)
        if (np.maximum(depth - below, 0.0) ** order).sum() < 1.0:
            left = depth
        else:
            right = depth
    if order == 2.0:
        kept = below[below < right]
        mean = float(kept.mean())
        variance = float(((kept - mean) ** 2).mean())
        right = mean + math.sqrt(max(0.0, 1.0 / len(kept) - variance))
    pi = (np.maximum(right - below, 0.0) / right) ** (order - 1.0)
    return top - loss * right, pi / pi.sum()


def signed_lp_bellman(
    mdp: TabularMDP,
    ball: SignedLpBall,
    v: npt.ArrayLike,
    *,
    reward_radius: Radius = 0.0,
) -> SignedLpStep:
    """Apply the robust Bellman operator of signed rows once.

    Parameters
    ----------
    mdp : TabularMDP
        The nominal model, with one reward a row.
    ball : SignedLpBall
        Radius, order and rectangularity.
    v : array of shape (n_states,)
        Value of each successor, discounted reward.
    reward_radius : float or array
        Radius of the rewards in the same norm, of the shapes of the ball's radius.

    Returns
    -------
    SignedLpStep
        Value, row values, policy and nature's shares of the radius.

    Raises
    ------
    InvalidModelError
        If ``v`` or a radius does not fit, or rewards are per transition.
    TypeError
        If ``ball`` is no `SignedLpBall`.

    Notes
    -----
    The value is a lower bound on that over true distributions, equal to it where nature's best
    ``p + c`` is one. The operator is not monotone in general and need not contract.

    References
    ----------
    N. Kumar, K. Wang, K. Levy and S. Mannor, "Efficient value iteration for s-rectangular robust
    Markov decision processes", ICML 2024.

    Examples
    --------
    >>> mdp = TabularMDP.from_dense([[[0.5, 0.5]], [[0.5, 0.5]]], [[1.0], [0.0]], 0.9)
    >>> signed_lp_bellman(mdp, SignedLpBall(0.2, 1), [2.0, 1.0]).value
    array([2.26, 1.26])
    """
    values = as_float_array("v", v)
    check_shape("v", values, (mdp.n_states,))
    check_finite("v", values)
    if not isinstance(ball, SignedLpBall):
        raise TypeError(f"ball is of type {type(ball).__name__}; expected a SignedLpBall")
    if mdp.transition_reward is not None:
        raise InvalidModelError(
            "mdp has rewards per transition; the closed forms expect one reward a row"
        )
    backup = Backup(mdp)
    backup.greedy(values, np.empty(mdp.n_states))
    gain = mdp.gamma * dispersion(values, ball.order)
    nominal = backup.q[backup.rows]
    if ball.rectangularity == "sa":
        radius = per_row(mdp, "radius", ball.radius)
        return _each_row(backup, nominal - _reward_loss(mdp, reward_radius) - gain * radius, radius)
    budget, loss = _per_state(mdp, "radius", ball.radius), gain * np.ones(mdp.n_states)
    loss = loss * budget + _per_state(mdp, "reward_radius", reward_radius)
    return _shared(backup, nominal, budget, loss, ball.order)


def _reward_loss(mdp: TabularMDP, radius: Radius) -> FloatArray:
    return per_row(mdp, "reward_radius", _checked("reward_radius", radius))


def _per_state(mdp: TabularMDP, name: str, radius: Radius) -> FloatArray:
    array = _checked(name, radius)
    if array.ndim and array.shape != (mdp.n_states,):
        raise InvalidModelError(
            f"{name} has shape {array.shape}; expected a number or ({mdp.n_states},)"
        )
    return np.array(np.broadcast_to(array, (mdp.n_states,)))


def _checked(name: str, radius: Radius) -> FloatArray:
    """Return finite radii of at least 0."""
    array = np.asarray(radius, dtype=np.float64)
    bad = ~((array >= 0.0) & np.isfinite(array))
    if bad.any():
        worst = array[bad].flat[0] if array.ndim else float(array)
        raise InvalidModelError(f"{name} is {worst}; expected finite numbers of at least 0")
    return array


def _states(backup: Backup) -> tuple[IntArray, IntArray]:
    """Return the state and the action of each row."""
    states = np.repeat(np.arange(backup.mdp.n_states), backup.row_counts())
    return states, backup.mdp.action[backup.rows].astype(np.int64)


def _table(backup: Backup, rows: FloatArray, missing: float) -> FloatArray:
    table = np.full((backup.mdp.n_states, backup.mdp.n_actions), missing)
    table[_states(backup)] = rows
    return table


def _each_row(backup: Backup, values: FloatArray, radius: FloatArray) -> SignedLpStep:
    q = _table(backup, values, -np.inf)
    return SignedLpStep(q.max(axis=1), q, q.argmax(axis=1), radius)


def _shared(
    backup: Backup, nominal: FloatArray, budget: FloatArray, loss: FloatArray, order: float
) -> SignedLpStep:
    """Mix the actions of each state."""
    n = backup.mdp.n_states
    value, weight, share = np.empty(n), np.zeros(len(nominal)), np.zeros(len(nominal))
    edges = np.concatenate([[0], np.cumsum(backup.row_counts())])
    for s in range(n):
        rows = slice(int(edges[s]), int(edges[s + 1]))
        value[s], weight[rows] = best_mixture(nominal[rows], float(loss[s]), order)
        if loss[s] > 0.0:  # nature's loss of each action is what brings it down to the value
            part = np.maximum(nominal[rows] - value[s], 0.0) / loss[s]
            share[rows] = budget[s] * np.where(weight[rows] > 0.0, np.minimum(part, 1.0), 0.0)
    q = _table(backup, nominal, -np.inf)
    return SignedLpStep(value, q, _table(backup, weight, 0.0), share)
