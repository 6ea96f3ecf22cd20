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
STEEP = 690.0  # exp of more nears overflow
LEAST_PRICE = 1e-6
LEAST_MOMENT = 1e-6  # as published for DRVI-L
LEAST_WEIGHT = 1e-100  # of a chi-square penalty; below, squares over it overflow


@njit(cache=True, nogil=True)
def _mean(c: FloatArray, v: FloatArray, cut: float) -> float:
    """Return ``sum c min(v, cut)``."""
    total = 0.0
    for j in range(v.size):
        total += c[j] * min(v[j], cut)
    return total


@njit(cache=True, nogil=True)
def _noise(c: FloatArray) -> float:
    """Return the rounding of sums of coefficients, which large and small prices enlarge."""
    size = 1.0
    for j in range(c.size):
        size += abs(c[j])
    return ULP * (c.size + 1) * size


@njit(cache=True, nogil=True)
def _lack(c: FloatArray) -> float:
    """Return what the coefficients lack to a sum of 1, rid of rounding."""
    rest = 1.0
    for j in range(c.size):
        rest -= c[j]
    return rest if abs(rest) > _noise(c) else 0.0


@njit(cache=True, nogil=True)
def _least(c: FloatArray, v: FloatArray) -> float:
    """Return the least value that has a coefficient."""
    least = np.inf
    for j in range(v.size):
        if c[j] != 0.0:
            least = min(least, v[j])
    return least


@njit(cache=True, nogil=True)
def _fall(above: float, price: float) -> float:
    """Return ``exp(-above / price) - 1`` for ``above >= 0``."""
    return math.expm1(-above / price) if above < FAR * price else -1.0


@njit(cache=True, nogil=True)
def _kl_moment(c: FloatArray, v: FloatArray, origin: float, price: float) -> float:
    """Return ``sum c (exp(-(v - origin) / price) - 1)``; no value with a coefficient is below."""
    total = 0.0
    for j in range(v.size):
        if c[j] != 0.0:
            total += c[j] * _fall(v[j] - origin, price)
    return total


@njit(cache=True, nogil=True)
def _kl_price(c: FloatArray, v: FloatArray, price: float, cap: float, shift: bool) -> float:
    """Return ``-price log`` of the estimated moment, at most ``cap``.

    Exponents are taken from the least value with a coefficient on; what the coefficients lack to 1
    counts as a point of value 0 if ``shift``.
    """
    rest, origin = _lack(c), _least(c, v)
    if shift and (rest != 0.0 or origin == np.inf):
        origin = min(origin, 0.0)
    if origin == np.inf:
        return cap
    excess = _kl_moment(c, v, origin, price)
    excess += rest * _fall(-origin, price) if shift and rest != 0.0 else -rest
    if excess > -0.5:
        return min(origin - price * math.log1p(excess), cap)
    moment = rest * (1.0 + _fall(-origin, price)) if shift and rest != 0.0 else 0.0
    for j in range(v.size):
        if c[j] != 0.0 and v[j] - origin < FAR * price:
            moment += c[j] * math.exp(-(v[j] - origin) / price)
    return min(origin - price * math.log(moment), cap) if moment > 0.0 else cap


@njit(cache=True, nogil=True)
def _kl_dual(
    c: FloatArray, v: FloatArray, rest: float, origin: float, radius: float, price: float
) -> float:
    """Return the ball's dual at a price; ``origin`` is at most 0 and all values."""
    moment = 1.0 + _kl_moment(c, v, origin, price) + rest * _fall(-origin, price)
    worth = -price * math.log(LEAST_MOMENT)
    if moment > 0.0:
        worth = min(worth, origin - price * math.log(moment))
    return worth - price * radius


@njit(cache=True, nogil=True)
def _kl_ball(c: FloatArray, v: FloatArray, radius: float, cap: float) -> float:
    """Maximise ``-a log max(1 + sum c (exp(-v / a) - 1), 1e-6) - a rho`` over the price ``a``."""
    rest, origin, radius = _lack(c), min(0.0, _least(c, v)), min(max(radius, 1e-300), 1e200)
    high = math.log(max(cap - origin, LEAST_PRICE)) + max(0.0, -math.log(radius))
    high = min(high, STEEP)
    low = math.log(LEAST_PRICE)
    step = (high - low) / (GRID - 1)
    best, at = -np.inf, 0
    for k in range(GRID):
        value = _kl_dual(c, v, rest, origin, radius, math.exp(low + k * step))
        if value > best:
            best, at = value, k
    left, right = low + max(at - 1, 0) * step, low + min(at + 1, GRID - 1) * step
    ratio = 0.5 * (math.sqrt(5.0) - 1.0)
    a, b = right - ratio * (right - left), left + ratio * (right - left)
    fa = _kl_dual(c, v, rest, origin, radius, math.exp(a))
    fb = _kl_dual(c, v, rest, origin, radius, math.exp(b))
    for _ in range(GOLDEN):
        best = max(best, fa, fb)
        if fa >= fb:
            right, b, fb = b, a, fa
            a = right - ratio * (right - left)
            fa = _kl_dual(c, v, rest, origin, radius, math.exp(a))
        else:
            left, a, fa = a, b, fb
            b = left + ratio * (right - left)
            fb = _kl_dual(c, v, rest, origin, radius, math.exp(b))
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
    """Maximise the chi-square dual over ``[0, cap]``.

    Values are taken from the least one on, which at a small price saves the digits of their
    differences: with ``rest`` what coefficients lack to 1 and ``x = v - origin``, the dual is
    ``z + (z^2 - y) / (4 price)`` in ``x`` plus the two terms with ``rest`` in `_parabola`.
    """
    price, rest, noise = max(price, LEAST_WEIGHT), _lack(c), _noise(c)
    origin = min(max(_least(c, v), 0.0), cap)
    above = 1.0 - rest
    below, squares, best = 0.0, 0.0, -np.inf
    left, k = 0.0, 0
    while True:
        while k < v.size and v[order[k]] <= left:
            worth = v[order[k]] - origin
            below += c[order[k]] * worth
            squares += c[order[k]] * worth * worth
            above -= c[order[k]]
            k += 1
        above = above if abs(above) > noise else 0.0
        best = max(best, _parabola(left - origin, below, squares, above, origin, rest, price))
        if left >= cap:
            return best
        right = min(v[order[k]], cap) if k < v.size else cap
        if 0.0 < above < 1.0:
            top = (2.0 * price + below - rest * origin) / (1.0 - above)
            if left < top + origin < right:
                best = max(best, _parabola(top, below, squares, above, origin, rest, price))
        left = right


@njit(cache=True, nogil=True)
def _parabola(
    alpha: float,
    below: float,
    squares: float,
    above: float,
    origin: float,
    rest: float,
    price: float,
) -> float:
    """Return the chi-square dual at ``origin + alpha`` from the sums below and above it."""
    z, level = below + above * alpha, (1.0 - rest) * origin
    spread = z * z - squares - above * alpha * alpha - rest * origin * (2.0 * z + level)
    return level + z + spread / (4.0 * price)


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
