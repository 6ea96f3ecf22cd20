"""s-rectangular L1 sets: the rows of a state share ``sum_a |q_a - p_a|_1 <= budget``.

Nature moves mass from the best outcomes of a row (donors) to its worst one; a unit of mass costs 2
of the budget. Only the donors that are touched are ever ordered: each row's candidates are those
above a threshold guessed from the last sweep, in a heap, and a wrong guess costs another look.
"""

from typing import Any

import numpy as np
from numba import njit

from mdptheory._typing import FloatArray, UIntArray
from mdptheory.kernels.bellman import ONE
from mdptheory.kernels.srect import first_largest, heapify, pop, read_row, sift, signed

TINY = 1e-300  # worths this close are equal
NEAR = 0.9  # of the last sweep's marginal donor: where the candidates begin


@njit(cache=True, nogil=True)
def collect(
    start: int,
    stop: int,
    origin: int,
    prob: FloatArray,
    x: FloatArray,
    low: float,
    scale: float,
    floor: float,
    ceiling: float,
    key: FloatArray,
    mass: FloatArray,
    base: int,
    count: int,
) -> int:
    """Append the donors with ``floor <= scale (x - low) < ceiling``; return the new count."""
    for k in range(start, stop):
        above = scale * (x[k - origin] - low)
        if floor <= above < ceiling and prob[k] > 0.0:
            key[base + count] = above
            mass[base + count] = prob[k]
            count += 1
    return count


@njit(cache=True, nogil=True)
def lower_floor(floor: float, guess: float) -> float:
    """Return where to look next for donors after those above ``floor`` have been used up."""
    if guess <= TINY:
        return TINY
    if floor == np.inf:
        return NEAR * guess
    return 0.5 * floor if floor == NEAR * guess else TINY


@njit(cache=True, nogil=True)
def _next_donor(
    row: int,
    origin: int,
    row_ptr: UIntArray,
    prob: FloatArray,
    scale: float,
    x: FloatArray,
    low: float,
    guess: float,
    limits: FloatArray,
    key: FloatArray,
    mass: FloatArray,
) -> float:
    """Return the height of the row's best donor left, or 0 if there is none.

    ``limits`` holds the threshold above which donors were collected and how many are left.
    """
    start, stop = row_ptr[row], row_ptr[row + ONE]
    base = signed(start - origin)
    while limits[1] == 0.0 and limits[0] > TINY:
        ceiling = limits[0]
        limits[0] = lower_floor(ceiling, guess)
        count = collect(
            start, stop, origin, prob, x, low, scale, limits[0], ceiling, key, mass, base, 0
        )
        heapify(key, mass, base, count)
        limits[1] = count
    return key[base] if limits[1] > 0.0 else 0.0


@njit(cache=True, nogil=True)
def _descend(
    lo: int,
    hi: int,
    row_ptr: UIntArray,
    prob: FloatArray,
    kappa: float,
    scale: float,
    x: FloatArray,
    least: FloatArray,
    value: FloatArray,
    guess: FloatArray,
    theta: FloatArray,
    used: FloatArray,
    level: FloatArray,
    who: FloatArray,
    limits: FloatArray,
    key: FloatArray,
    mass: FloatArray,
) -> float:
    """Lower the largest row value until the budget is spent; ``value`` holds the last knots.

    ``theta`` is the height of each row's marginal donor (0 if nature leaves the row alone), and
    ``used`` what its knot has cost. Returns the level reached, or -inf if some row has no mass
    left to move.
    """
    m, origin, spent, rate = signed(hi - lo), row_ptr[lo], 0.0, 0.0
    for a in range(m):
        level[a], who[a], theta[a], used[a] = value[a], a, 0.0, 0.0
        limits[a, 0], limits[a, 1] = np.inf, 0.0
    heapify(level, who, 0, m)
    u = level[0]
    while True:
        need = (u - level[0]) * rate
        if spent + need >= kappa:
            return u
        spent, u, a = spent + need, level[0], signed(who[0])
        row: Any = lo + np.uint64(a)
        base = signed(row_ptr[row] - origin)
        if theta[a] > 0.0:
            rate -= 2.0 / theta[a]
            value[a] -= theta[a] * mass[base]
            used[a] += 2.0 * mass[base]
            pop(key, mass, base, signed(limits[a, 1]))
            limits[a, 1] -= 1.0
        theta[a] = _next_donor(
            row, origin, row_ptr, prob, scale, x, least[a], guess[row], limits[a], key, mass
        )
        if theta[a] == 0.0:
            return -np.inf
        rate += 2.0 / theta[a]
        level[0] = value[a] - theta[a] * mass[base]
        sift(level, who, 0, 0, m)


@njit(cache=True, nogil=True)
def _trim(lo: int, hi: int, kappa: float, theta: FloatArray, share: FloatArray) -> None:
    """Cut shares that exceed the budget together where that changes values least.

    Where a row's drops drown in the rounding of its value, what they cost was not noticed.
    """
    excess = -kappa
    for row in range(lo, hi):
        excess += share[row]
    while excess > 0.0:
        cut, lowest = lo, np.inf
        for row in range(lo, hi):
            if share[row] > 0.0 and theta[row - lo] < lowest:
                cut, lowest = row, theta[row - lo]
        if lowest == np.inf:
            return
        step = min(excess, share[cut])
        share[cut] -= step
        excess -= step


@njit(cache=True, nogil=True)
def _settle(
    lo: int,
    hi: int,
    kappa: float,
    u: float,
    value: FloatArray,
    theta: FloatArray,
    used: FloatArray,
    guess: FloatArray,
    pi: FloatArray,
    share: FloatArray,
    q: FloatArray,
) -> tuple[float, float]:
    """Interpolate between knots near ``u``; write policy, shares and row values.

    Returns the value and the price of the budget.
    """
    rate, rest = 0.0, kappa
    for a in range(signed(hi - lo)):
        if theta[a] > 0.0:
            rate += 2.0 / theta[a]
            rest -= used[a] + (value[a] - u) * (2.0 / theta[a])
    u -= rest / rate
    for a in range(signed(hi - lo)):
        row: Any = lo + np.uint64(a)
        slope = 2.0 / theta[a] if theta[a] > 0.0 else 0.0
        pi[row] = slope / rate
        share[row] = max(0.0, used[a] + (value[a] - u) * slope)
        q[row] = u if slope > 0.0 else value[a]
        guess[row] = theta[a]
    _trim(lo, hi, kappa, theta, share)
    return u, 1.0 / rate


@njit(cache=True, nogil=True)
def _point(
    lo: int,
    hi: int,
    kappa: float,
    best: int,
    u: float,
    value: FloatArray,
    theta: FloatArray,
    used: FloatArray,
    guess: FloatArray,
    pi: FloatArray,
    share: FloatArray,
    q: FloatArray,
) -> None:
    """Write what holds if one action alone is taken, at level ``u``."""
    for a in range(signed(hi - lo)):
        row: Any = lo + np.uint64(a)
        slope = 2.0 / theta[a] if theta[a] > 0.0 else 0.0
        pi[row] = 1.0 if a == best else 0.0
        share[row] = max(0.0, used[a] + (value[a] - u) * slope)
        q[row] = u if slope > 0.0 else min(u, value[a])
        guess[row] = theta[a]
    _trim(lo, hi, kappa, theta, share)


@njit(cache=True, nogil=True)
def l1_greedy(
    first: int,
    choice_ptr: UIntArray,
    row_ptr: UIntArray,
    next_state: UIntArray,
    prob: FloatArray,
    reward: FloatArray,
    paid: FloatArray,
    budget: FloatArray,
    gamma: float,
    v: FloatArray,
    pi: FloatArray,
    lam: FloatArray,
    share: FloatArray,
    guess: FloatArray,
    q: FloatArray,
    out: FloatArray,
    outcomes: FloatArray,
    rows: FloatArray,
) -> tuple[float, float]:
    """Write ``out[s] = max_pi min_q`` with the policy, its price of budget and nature's shares.

    ``q`` takes each row's value at nature's reply. ``outcomes`` of shape (3, outcomes of a state)
    and ``rows`` of shape (8, rows of a state) are scratch. Returns the extremes of ``out - v``.
    """
    x, key, mass = outcomes[0], outcomes[1], outcomes[2]
    least, value, theta, used, top, who = rows[0], rows[1], rows[2], rows[3], rows[4], rows[5]
    limits = rows[6:8].reshape((-1, 2))
    scale, low, high = 1.0 if paid.size > 0 else gamma, np.inf, -np.inf
    for i in range(choice_ptr.size - 1):
        s, lo, hi = first + i, choice_ptr[i], choice_ptr[i + 1]
        m = signed(hi - lo)
        for row in range(lo, hi):
            least[row - lo], mean = read_row(
                row_ptr[row], row_ptr[row + ONE], row_ptr[lo], next_state, prob, paid, gamma, v, x
            )
            value[row - lo] = reward[row] + scale * mean
        u, lam[s] = -np.inf, 0.0
        if budget[s] > 0.0:
            u = _descend(
                lo, hi, row_ptr, prob, budget[s], scale, x, least, value, guess, theta, used,
                top, who, limits, key, mass,
            )  # fmt: skip
        if u > -np.inf:
            u, lam[s] = _settle(lo, hi, budget[s], u, value, theta, used, guess, pi, share, q)
        elif budget[s] > 0.0:  # nature can bring every action to its worst outcome
            for a in range(m):
                top[a] = reward[lo + np.uint64(a)] + scale * least[a]
            best = first_largest(top, m)
            u = top[best]
            _point(lo, hi, budget[s], best, u, value, theta, used, guess, pi, share, q)
        else:
            best = first_largest(value, m)
            u, lam[s] = value[best], np.inf
            theta[:m] = 0.0
            used[:m] = 0.0
            _point(lo, hi, budget[s], best, u, value, theta, used, guess, pi, share, q)
        out[s] = u
        low, high = min(low, u - v[s]), max(high, u - v[s])
    return low, high
