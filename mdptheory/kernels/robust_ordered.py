"""Nature's rows for the sets that she fills or drains in order of worth, from sweeps' own order.

What `robust_reply.polyhedral_reply` does for any polytope, with a sort of every row, this does for
rows that a sweep has left in order, or that share one order. Without rewards per transition worths
are ``v``; values, multipliers and levels are discounted at the end.
"""

from typing import Any

import numpy as np
from numba import njit

from mdptheory._typing import FloatArray, UIntArray
from mdptheory.kernels.robust_reply import CONTAMINATION, CVAR, INTERVAL, L1
from mdptheory.kernels.robust_sparse import ONE, SHORT, ZERO, arrange


@njit(cache=True, nogil=True)
def _drained(n: int, p: FloatArray, z: FloatArray, budget: float, floor: float) -> float:
    """Take ``budget`` of the best mass out of ``p``; return the worth of the last donor."""
    rest, i, donor = budget, n, z[n - 1]
    while i > 0 and rest > 0.0:
        i -= 1
        if z[i] <= floor:
            return floor
        donor = z[i]
        moved = min(p[i], rest)
        p[i] -= moved
        rest -= moved
    return donor if rest <= 0.0 and budget < 1.0 else floor


@njit(cache=True, nogil=True)
def _filled(n: int, low: FloatArray, high: FloatArray, z: FloatArray) -> float:
    """Fill ``low`` up to ``high`` from the worst on, until its sum is 1; return the last worth."""
    rest, level = 1.0, z[0]
    for i in range(n):
        rest -= low[i]
    for i in range(n):
        if high[i] <= low[i]:
            continue
        if rest <= 0.0:
            break
        level = z[i]
        moved = min(high[i] - low[i], rest)
        low[i] = high[i] if moved == high[i] - low[i] else low[i] + moved
        rest -= moved
    return level


@njit(cache=True, nogil=True)
def _set_row(
    kind: int, n: int, radius: float, sink: float, z: FloatArray, q: FloatArray, high: FloatArray
) -> tuple[float, float, float]:
    """Turn the nominal row (or lower bounds) in ``q`` into nature's; the worths rise.

    Returns multiplier and level, and the mass that goes to an outcome beyond the row.
    """
    floor = min(z[0], sink)
    if kind == L1:
        before, after = 0.0, 0.0
        for i in range(n):
            before += q[i]
        donor = _drained(n, q, z, min(0.5 * radius, 1.0), floor)
        for i in range(n):
            after += q[i]
        moved = before - after
        if sink < z[0]:
            return 0.5 * (donor - floor), 0.0, moved
        q[0] += moved
        return 0.5 * (donor - floor), 0.0, 0.0
    if kind == CONTAMINATION:
        for i in range(n):
            q[i] *= 1.0 - radius
        if sink < z[0]:
            return 0.0, 0.0, radius
        q[0] += radius
        return 0.0, 0.0, 0.0
    if kind != INTERVAL:
        for i in range(n):
            p = q[i]
            if kind == CVAR:
                q[i], high[i] = 0.0, min(p, radius) / radius
            else:
                q[i], high[i] = max(p - radius, 0.0), min(p + radius, 1.0)
    return 0.0, _filled(n, q, high, z), 0.0


@njit(cache=True, nogil=True)
def _report(n: int, extra: float, sink: float, z: FloatArray, q: FloatArray) -> float:
    """Return nature's mean, summed from the least worth."""
    floor = min(z[0], sink) if extra > 0.0 else z[0]
    total = 0.0
    for i in range(n):
        total += q[i] * (z[i] - floor)
    return floor + total


@njit(cache=True, nogil=True)
def sparse_reply(
    kind: int,
    longest: int,
    row_ptr: UIntArray,
    next_state: UIntArray,
    prob: FloatArray,
    paid: FloatArray,
    reward: FloatArray,
    radius: FloatArray,
    sink: float,
    gamma: float,
    v: FloatArray,
    by_state: bool,
    out_next: UIntArray,
    out_prob: FloatArray,
    value: FloatArray,
    multiplier: FloatArray,
    level: FloatArray,
    extra: FloatArray,
) -> None:
    """Write nature's rows of sparse rows, whose order is repaired in place.

    ``sink`` is the worth of the outcome that every row may use, infinite if there is none;
    ``extra`` gets its mass. ``by_state`` asks for outcomes by state rather than by worth.
    """
    z, old, q = np.empty(longest), np.empty(3 * longest), np.empty(longest)
    scale = 1.0 if paid.size > 0 else gamma
    high = np.empty(longest)
    rank, states = np.empty(longest, dtype=np.uint64), np.empty(longest, dtype=next_state.dtype)
    for row in range(reward.size):
        start, stop = row_ptr[row], row_ptr[row + 1]
        n, falls, before = stop - start, ZERO, -np.inf
        for i in range(n):
            x = v[next_state[start + i]]
            if paid.size > 0:
                x = paid[start + i] + gamma * x
            z[i] = x
            falls += np.uint64(x < before)
            before = x
        if falls > ZERO:
            arrange(start, n, falls, next_state, prob, paid, z, rank, states, old)
        for i in range(n):
            q[i] = prob[start + i]
        count = int(np.int64(n))
        lam, eta, beyond = _set_row(kind, count, radius[row], sink, z, q, high)
        value[row] = reward[row] + scale * _report(count, beyond, sink, z, q)
        multiplier[row], level[row], extra[row] = scale * lam, scale * eta, beyond
        for i in range(n):
            out_next[start + i], out_prob[start + i] = next_state[start + i], q[i]
        if by_state:
            _sort_states(start, n, out_next, out_prob, rank, states, old)


@njit(cache=True, nogil=True)
def _sort_states(
    start: int,
    n: int,
    next_state: UIntArray,
    prob: FloatArray,
    rank: UIntArray,
    states: UIntArray,
    old: FloatArray,
) -> None:
    """Sort the outcomes of a row by state."""
    for i in range(n):
        states[i], old[i] = next_state[start + i], prob[start + i]
    if n <= SHORT:
        for i in range(n):
            count = ZERO
            for j in range(i):
                below = np.uint64(states[j] > states[i])
                rank[j] += below
                count += ONE - below
            rank[i] = count
        for i in range(n):
            next_state[start + rank[i]], prob[start + rank[i]] = states[i], old[i]
        return
    place: Any = ZERO
    for i in np.argsort(states[:n]):
        next_state[start + place], prob[start + place] = states[i], old[i]
        place += ONE


@njit(cache=True, nogil=True)
def dense_reply(
    kind: int,
    row_ptr: UIntArray,
    prob: FloatArray,
    upper: FloatArray,
    reward: FloatArray,
    radius: FloatArray,
    order: UIntArray,
    ranked: FloatArray,
    gamma: float,
    out_prob: FloatArray,
    value: FloatArray,
    multiplier: FloatArray,
    level: FloatArray,
) -> None:
    """Write nature's rows of rows that list every state; ``ranked`` is ``v`` in its order.

    ``prob`` holds the lower bounds of an interval set.
    """
    n = order.size
    q, high = np.empty(n), np.empty(n)
    for row in range(reward.size):
        start = row_ptr[row]
        for i in range(n):
            q[i] = prob[start + order[i]]
            if kind == INTERVAL:
                high[i] = upper[start + order[i]]
        lam, eta, _ = _set_row(kind, n, radius[row], np.inf, ranked, q, high)
        value[row] = reward[row] + gamma * _report(n, 0.0, np.inf, ranked, q)
        multiplier[row], level[row] = gamma * lam, gamma * eta
        for i in range(n):
            out_prob[start + order[i]] = q[i]
