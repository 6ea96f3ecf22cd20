"""Nature's reply to one factor of a linear MDP: balls, and prices on divergence.

For a factor ``m`` and values ``v``, nature minimises ``E_mu v`` over a ball around ``m``, or ``E_mu
v`` plus a price times the divergence of ``mu`` from ``m`` over all distributions. Balls are those
of the tabular rows: total variation ``rho`` is an L1 ball of radius ``2 rho``.

Closed forms, with ``w`` the factor summing to 1 and ``lam`` the price:

- TV:   ``sum w min(v, vmin + lam)``; mass above that moves to a worst state.
- KL:   ``-lam log sum w exp(-v / lam)``; the factor is ``w exp(-v / lam)``, normalised.
- chi2: ``e - sum w min(v - e, 2 lam)^2 / (4 lam)`` with ``e = min_j (C_j + 2 lam R_j) / W_j``;
  ``W_j``, ``C_j`` are mass and mass times value of the j worst outcomes and ``R_j = 1 - W_j``; the
  factor is ``w (1 + (e - v) / (2 lam))_+``.
"""

import math

import numpy as np
from numba import njit

from mdptheory._typing import FloatArray, IntArray
from mdptheory.kernels.divergence import kl_row
from mdptheory.kernels.polyhedral import l1_row, normalise

NOMINAL, TV_BALL, KL_BALL, TV_PENALTY, KL_PENALTY, CHI_SQUARE_PENALTY = range(6)  # FactorKind

LARGEST = 1e300  # a price that no nature pays
FAR = 800.0  # exp(-FAR) is 0


@njit(cache=True, nogil=True)
def _mean(q: FloatArray, v: FloatArray) -> float:
    """Return ``q @ v``, ignoring states without mass."""
    total = 0.0
    for i in range(q.size):
        if q[i] > 0.0:
            total += q[i] * v[i]
    return total


@njit(cache=True, nogil=True)
def _least(m: FloatArray, v: FloatArray, everywhere: bool) -> float:
    """Return the least value, of all states or of those with mass."""
    least = np.inf
    for i in range(v.size):
        if everywhere or m[i] > 0.0:
            least = min(least, v[i])
    return least


@njit(cache=True, nogil=True)
def _sink(v: FloatArray, vmin: float, sink: int) -> int:
    """Return a worst state, the preferred one if it is."""
    return sink if sink >= 0 and v[sink] == vmin else int(np.argmin(v))


@njit(cache=True, nogil=True)
def _gather(m: FloatArray, v: FloatArray, sink: int, q: FloatArray) -> None:
    """Bring what moved to other worst states to the preferred one."""
    if sink < 0 or v[sink] > _least(m, v, True):
        return
    total = 0.0
    for i in range(m.size):
        total += max(m[i], 0.0)
    for i in range(v.size):
        if i != sink and v[i] == v[sink] and q[i] > m[i] / total:
            q[sink] += q[i] - m[i] / total
            q[i] = m[i] / total


@njit(cache=True, nogil=True)
def _tv_price(price: float, v: FloatArray, sink: int, q: FloatArray) -> float:
    """Minimise ``E_mu v + price TV`` from ``q``, in place."""
    vmin = _least(q, v, True)
    least, value, moved = _sink(v, vmin, sink), 0.0, 0.0
    for i in range(v.size):
        if v[i] - vmin > price:
            value += q[i] * price
            moved += q[i]
            q[i] = 0.0
        else:
            value += q[i] * (v[i] - vmin)
    q[least] += moved
    return vmin + value


@njit(cache=True, nogil=True)
def _kl_price(price: float, v: FloatArray, q: FloatArray) -> float:
    """Minimise ``E_mu v + price KL`` from ``q``, in place."""
    vmin, mass, excess = _least(q, v, False), 0.0, 0.0
    for i in range(v.size):
        if q[i] > 0.0:
            above = v[i] - vmin
            x = above / price if above < FAR * price else FAR
            excess += q[i] * math.expm1(-x)
            q[i] *= math.exp(-x)
            mass += q[i]
    for i in range(v.size):
        q[i] /= mass
    return vmin - price * (math.log1p(excess) if excess > -0.5 else math.log(mass))


@njit(cache=True, nogil=True)
def _chi_square_level(price: float, x: FloatArray, q: FloatArray, order: IntArray) -> float:
    """Return the mean ``e`` of the values cut off at ``e + 2 price``; see the module's text.

    Masses above are summed from the top: none is left above the last outcome, however large the
    price that would multiply what rounding leaves.
    """
    above = np.zeros(q.size)
    for j in range(q.size - 1, 0, -1):
        above[j - 1] = above[j] + q[order[j]]
    mass, cost, level = 0.0, 0.0, np.inf
    for j in range(q.size):
        i = order[j]
        if q[i] > 0.0:
            mass += q[i]
            cost += q[i] * x[i]
            level = min(level, (cost + 2.0 * price * above[j]) / mass)
    return level


@njit(cache=True, nogil=True)
def _chi_square_price(price: float, v: FloatArray, q: FloatArray) -> float:
    """Minimise ``E_mu v + price chi2`` from ``q``, in place."""
    vmin = _least(q, v, False)
    x = np.zeros(v.size)
    for i in range(v.size):
        if q[i] > 0.0:
            x[i] = v[i] - vmin
    level = _chi_square_level(price, x, q, np.argsort(x))
    spread, mass = 0.0, 0.0
    for i in range(v.size):
        if q[i] > 0.0:
            off = min(x[i] - level, 2.0 * price)
            spread += q[i] * off * (off / (4.0 * price))
            q[i] *= 1.0 - off / (2.0 * price)
            mass += q[i]
    for i in range(v.size):
        q[i] /= mass
    return vmin + level - spread


@njit(cache=True, nogil=True)
def worst_factor(
    kind: int, level: float, m: FloatArray, v: FloatArray, sink: int, q: FloatArray
) -> float:
    """Return what ``v`` is worth to a factor against nature, and write nature's factor into ``q``.

    Parameters
    ----------
    kind : int
        Code of the ambiguity, see `FactorKind`.
    level : float
        Radius of a ball, price of a penalty.
    m : array of shape (S,)
        The factor, a distribution.
    v : array of shape (S,)
        Finite values.
    sink : int
        Where mass goes if several states are worst and this is one of them; -1 for any.
    q : array of shape (S,)
        Nature's factor.

    Returns
    -------
    float
        The least ``q @ v``, the price included.
    """
    ball = kind in (TV_BALL, KL_BALL)
    if kind == NOMINAL or (ball and level <= 0.0) or (not ball and level >= LARGEST):
        normalise(m, q)
        return _mean(q, v)
    if kind == TV_BALL:
        value = l1_row(m, v, 2.0 * level, q)[0]
        _gather(m, v, sink, q)
        return value
    if kind == KL_BALL:
        return kl_row(m, v, level, q)[0]
    normalise(m, q)
    if kind == TV_PENALTY:
        return _tv_price(level, v, sink, q)
    if kind == KL_PENALTY:
        return _kl_price(level, v, q)
    return _chi_square_price(level, v, q)
