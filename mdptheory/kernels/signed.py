"""Nature's reply to ridge estimates: duals with coefficients of either sign.

A ridge estimate of ``E_mu g`` is ``sum_j c_j g(v_j)`` with coefficients that may be negative and
need not sum to 1. Duals are then neither concave nor unimodal, and are maximised over all their
breakpoints. Between two sorted values, with ``B`` the sum of the coefficients above and ``A``,
``A2`` those below times value and squared value,

- the ball's ``z(a) - rho (a - min(a, floor))`` with ``z(a) = A + B a`` is linear,
- the chi-square ``z(a) + (z(a)^2 - A2 - B a^2) / (4 lam)`` is a parabola, with its vertex at
  ``(2 lam + A) / (1 - B)``, a maximum if ``0 < B < 1``.
"""

import math

import numpy as np
from numba import njit

from mdptheory._typing import FloatArray, IntArray
from mdptheory.kernels.factor import (
    CHI_SQUARE_PENALTY,
    FAR,
    KL_BALL,
    KL_PENALTY,
    LARGEST,
    NOMINAL,
    TV_BALL,
    TV_PENALTY,
)

ULP = 2.3e-16
GRID = 64  # prices tried for a KL ball, evenly in the logarithm
GOLDEN = 48  # steps of the golden section around the best of them: 1e-10 of the bracket
STEEP = 700.0  # exp of more overflows
LEAST_PRICE = 1e-6
LEAST_MOMENT = 1e-6  # as published for DRVI-L


@njit(cache=True, nogil=True)
def _mean(c: FloatArray, v: FloatArray, cut: float) -> float:
    """Return ``sum c min(v, cut)``."""
    total = 0.0
    for j in range(v.size):
        total += c[j] * min(v[j], cut)
    return total


@njit(cache=True, nogil=True)
def _kl_moment(c: FloatArray, v: FloatArray, origin: float, price: float) -> float:
    """Return ``sum c (exp(-(v - origin) / price) - 1)``."""
    total = 0.0
    for j in range(v.size):
        above = v[j] - origin
        if c[j] == 0.0:
            continue
        if above < -STEEP * price:
            return np.inf  # a value below 0 at a price too small for it
        if above < FAR * price:
            total += c[j] * math.expm1(-above / price)
        else:
            total -= c[j]
    return total


@njit(cache=True, nogil=True)
def _kl_price(c: FloatArray, v: FloatArray, price: float, cap: float, shift: bool) -> float:
    """Return ``-price log`` of the estimated moment, at most ``cap``.

    Exponents are taken from the least value with a coefficient on; what the coefficients lack to 1
    counts as a point of value 0 if ``shift``.
    """
    rest, size, origin = 1.0, 0.0, np.inf
    for j in range(v.size):
        rest -= c[j]
        size += abs(c[j])
        if c[j] != 0.0:
            origin = min(origin, v[j])
    if abs(rest) <= ULP * (v.size + 1) * (1.0 + size):  # rounding, which a large price enlarges
        rest = 0.0
    if origin == np.inf or (shift and rest != 0.0):
        origin = 0.0
    excess = _kl_moment(c, v, origin, price) - (0.0 if shift else rest)
    if excess > -0.5:
        return min(origin - price * math.log1p(excess), cap)
    moment = rest if shift else 0.0
    for j in range(v.size):
        if c[j] != 0.0 and v[j] - origin < FAR * price:
            moment += c[j] * math.exp(-(v[j] - origin) / price)
    return min(origin - price * math.log(moment), cap) if moment > 0.0 else cap


@njit(cache=True, nogil=True)
def _kl_dual(c: FloatArray, v: FloatArray, radius: float, price: float) -> float:
    moment = max(1.0 + _kl_moment(c, v, 0.0, price), LEAST_MOMENT)
    return -price * math.log(moment) - price * radius


@njit(cache=True, nogil=True)
def _kl_ball(c: FloatArray, v: FloatArray, radius: float, cap: float) -> float:
    """Maximise ``-a log max(1 + sum c (exp(-v / a) - 1), 1e-6) - a rho`` over the price ``a``."""
    high = math.log(max(cap, LEAST_PRICE) * max(1.0, 1.0 / radius))
    low = math.log(LEAST_PRICE)
    step = (high - low) / (GRID - 1)
    best, at = -np.inf, 0
    for k in range(GRID):
        value = _kl_dual(c, v, radius, math.exp(low + k * step))
        if value > best:
            best, at = value, k
    left, right = low + max(at - 1, 0) * step, low + min(at + 1, GRID - 1) * step
    ratio = 0.5 * (math.sqrt(5.0) - 1.0)
    a, b = right - ratio * (right - left), left + ratio * (right - left)
    fa, fb = _kl_dual(c, v, radius, math.exp(a)), _kl_dual(c, v, radius, math.exp(b))
    for _ in range(GOLDEN):
        best = max(best, fa, fb)
        if fa >= fb:
            right, b, fb = b, a, fa
            a = right - ratio * (right - left)
            fa = _kl_dual(c, v, radius, math.exp(a))
        else:
            left, a, fa = a, b, fb
            b = left + ratio * (right - left)
            fb = _kl_dual(c, v, radius, math.exp(b))
    return best


@njit(cache=True, nogil=True)
def _tv_ball(
    c: FloatArray, v: FloatArray, order: IntArray, radius: float, floor: float, cap: float
) -> float:
    """Maximise the ball's dual over ``[0, cap]``."""
    above = 0.0
    for j in range(v.size):
        above += c[j]
    below, best = 0.0, -np.inf
    left, k = 0.0, 0
    while True:
        while k < v.size and v[order[k]] <= left:
            below += c[order[k]] * v[order[k]]
            above -= c[order[k]]
            k += 1
        best = max(best, below + above * left - radius * (left - min(left, floor)))
        right = min(v[order[k]], cap) if k < v.size else cap
        if left < floor < right:
            best = max(best, below + above * floor)
        if left >= cap:
            return best
        left = right


@njit(cache=True, nogil=True)
def _chi_square(c: FloatArray, v: FloatArray, order: IntArray, price: float, cap: float) -> float:
    """Maximise the chi-square dual over ``[0, cap]``."""
    above = 0.0
    for j in range(v.size):
        above += c[j]
    below, squares, best = 0.0, 0.0, -np.inf
    left, k = 0.0, 0
    while True:
        while k < v.size and v[order[k]] <= left:
            worth = v[order[k]]
            below += c[order[k]] * worth
            squares += c[order[k]] * worth * worth
            above -= c[order[k]]
            k += 1
        best = max(best, _parabola(left, below, squares, above, price))
        if left >= cap:
            return best
        right = min(v[order[k]], cap) if k < v.size else cap
        if 0.0 < above < 1.0:
            top = (2.0 * price + below) / (1.0 - above)
            if left < top < right:
                best = max(best, _parabola(top, below, squares, above, price))
        left = right


@njit(cache=True, nogil=True)
def _parabola(alpha: float, below: float, squares: float, above: float, price: float) -> float:
    """Return the chi-square dual at ``alpha`` from the sums below and above it."""
    z = below + above * alpha
    return z + (z * z - squares - above * alpha * alpha) / (4.0 * price)


@njit(cache=True, nogil=True)
def signed_worth(
    kind: int,
    level: FloatArray,
    coef: FloatArray,
    v: FloatArray,
    order: IntArray,
    floor: float,
    cap: float,
    shift: bool,
    w: FloatArray,
) -> None:
    """Write what the values of n points are worth to each estimated factor against nature.

    Parameters
    ----------
    kind : int
        Code of the ambiguity, see `FactorKind`.
    level : array of shape (d,)
        Radii of balls, prices of penalties.
    coef : array of shape (d, n)
        Coefficients of the estimates, of either sign.
    v : array of shape (n,)
        Finite values.
    order : array of int of shape (n,)
        Sorts ``v``.
    floor : float
        The least value that nature can reach.
    cap : float
        Largest value; duals are maximised up to it, KL worths are at most it.
    shift : bool
        Estimate KL moments as one minus the moment of ``1 - exp(-v / price)``.
    w : array of shape (d,)
        The worths, not clipped.
    """
    for i in range(w.size):
        c, at = coef[i], level[i]
        if kind == TV_BALL:
            w[i] = _tv_ball(c, v, order, at, floor, cap)
        elif kind == NOMINAL or at >= LARGEST or (kind == KL_BALL and at <= 0.0):
            w[i] = _mean(c, v, np.inf)
        elif kind == KL_BALL:
            w[i] = _kl_ball(c, v, at, cap)
        elif kind == TV_PENALTY:
            w[i] = _mean(c, v, floor + at)
        elif kind == KL_PENALTY:
            w[i] = _kl_price(c, v, at, cap, shift)
        elif kind == CHI_SQUARE_PENALTY:
            w[i] = _chi_square(c, v, order, at, cap)
