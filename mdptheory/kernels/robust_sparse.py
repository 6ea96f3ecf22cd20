"""Values of sparse rows for the sets that nature's worst row fills or drains in order of worth.

Each kernel writes ``reward + min q.z`` for the rows from first to last. Without rewards per
transition an outcome is worth ``v`` and the discount is applied at the end; with them it is worth
``paid + gamma v``. A row keeps its outcomes in the order of the last sweep, which is nearly that of
the next, and repairs it. A row
with no room for nature keeps its stored order, so that its value is the nominal one to the last
bit.
"""

from typing import Any

import numpy as np
from numba import njit

from mdptheory._typing import FloatArray, UIntArray
from mdptheory.kernels.robust_reply import CONTAMINATION, CVAR, L1

ZERO: Any = np.uint64(0)
ONE: Any = np.uint64(1)
SHORT: Any = np.uint64(24)  # rows up to this length are sorted by counting
PATIENCE: Any = np.uint64(8)  # moves an outcome that insertion may take, on average
FEW: Any = np.uint64(16)  # fewer descents than one in so many outcomes are repaired by insertion


@njit(cache=True, nogil=True)
def insert(
    start: int,
    n: int,
    next_state: UIntArray,
    prob: FloatArray,
    paid: FloatArray,
    z: FloatArray,
) -> bool:
    """Sort a row that is nearly sorted; give up, with false, once that takes too many moves."""
    moves, limit = ZERO, PATIENCE * n
    for i in range(ONE, n):
        x, j = z[i], i
        if x >= z[i - ONE]:
            continue
        if moves > limit:
            return False
        state, mass = next_state[start + i], prob[start + i]
        reward = paid[start + i] if paid.size > 0 else 0.0
        while j > ZERO and z[j - ONE] > x:
            k = start + j
            z[j], next_state[k], prob[k] = z[j - ONE], next_state[k - ONE], prob[k - ONE]
            if paid.size > 0:
                paid[k] = paid[k - ONE]
            j -= ONE
        moves += i - j
        z[j], next_state[start + j], prob[start + j] = x, state, mass
        if paid.size > 0:
            paid[start + j] = reward
    return True


@njit(cache=True, nogil=True)
def by_rank(
    start: int,
    n: int,
    next_state: UIntArray,
    prob: FloatArray,
    paid: FloatArray,
    z: FloatArray,
    rank: UIntArray,
    states: UIntArray,
    old: FloatArray,
) -> None:
    """Sort a short row by counting: no branch depends on the worths, so none is mispredicted."""
    for i in range(n):
        states[i], old[i], old[n + i] = next_state[start + i], z[i], prob[start + i]
        x, count = z[i], ZERO
        for j in range(i):
            below = np.uint64(z[j] > x)
            rank[j] += below
            count += ONE - below
        rank[i] = count
    for i in range(n):
        k = rank[i]
        z[k], next_state[start + k], prob[start + k] = old[i], states[i], old[n + i]
    if paid.size > 0:
        for i in range(n):
            old[i] = paid[start + i]
        for i in range(n):
            paid[start + rank[i]] = old[i]


@njit(cache=True, nogil=True)
def by_order(
    start: int,
    n: int,
    next_state: UIntArray,
    prob: FloatArray,
    paid: FloatArray,
    z: FloatArray,
    states: UIntArray,
    old: FloatArray,
) -> None:
    """Sort a long row."""
    for j in range(n):
        states[j], old[j], old[n + j] = next_state[start + j], z[j], prob[start + j]
        if paid.size > 0:
            old[n + n + j] = paid[start + j]
    place = ZERO
    for k in np.argsort(old[:n]):
        i: Any = np.uint64(k)
        z[place], next_state[start + place] = old[i], states[i]
        prob[start + place] = old[n + i]
        if paid.size > 0:
            paid[start + place] = old[n + n + i]
        place += ONE


@njit(cache=True, nogil=True)
def arrange(
    start: int,
    n: int,
    falls: int,
    next_state: UIntArray,
    prob: FloatArray,
    paid: FloatArray,
    z: FloatArray,
    rank: UIntArray,
    states: UIntArray,
    old: FloatArray,
) -> None:
    """Sort a row whose worths fall ``falls`` times, in the way that suits it."""
    if falls > ONE and n <= SHORT:
        by_rank(start, n, next_state, prob, paid, z, rank, states, old)
        return
    few = falls == ONE or falls * FEW <= n
    if not (few and insert(start, n, next_state, prob, paid, z)):
        by_order(start, n, next_state, prob, paid, z, states, old)


@njit(cache=True, nogil=True)
def _drain(
    start: int, n: int, prob: FloatArray, z: FloatArray, mean: float, budget: float, floor: float
) -> float:
    """Return the mean once ``budget`` of the best mass has moved to an outcome worth ``floor``."""
    value, rest, i = mean, budget, n
    while i > ZERO and rest > 0.0:
        i -= ONE
        if z[i] <= floor:
            break
        moved = min(prob[start + i], rest)
        value -= moved * (z[i] - floor)
        rest -= moved
    return value


@njit(cache=True, nogil=True)
def _tail(start: int, n: int, prob: FloatArray, z: FloatArray, alpha: float) -> float:
    """Return the mean of the worst ``alpha`` of the mass."""
    rest, total = alpha, 0.0
    for i in range(n):
        mass = prob[start + i]
        if mass >= rest:
            total += rest * (z[i] - z[ZERO])
            break
        total += mass * (z[i] - z[ZERO])
        rest -= mass
    return z[ZERO] + total / alpha


@njit(cache=True, nogil=True)
def _ball(start: int, n: int, prob: FloatArray, z: FloatArray, radius: float) -> float:
    """Return the least mean of the rows within ``radius`` of each probability."""
    filled, total, floor = 0.0, 0.0, z[ZERO]
    for i in range(n):
        p = prob[start + i]
        low = p - radius if p > radius else 0.0
        filled += low
        total += low * (z[i] - floor)
    rest = 1.0 - filled
    for i in range(n):
        p = prob[start + i]
        room = min(p + radius, 1.0) - (p - radius if p > radius else 0.0)
        if room >= rest:
            return floor + (total + rest * (z[i] - floor))
        total += room * (z[i] - floor)
        rest -= room
    return floor + (total / (1.0 - rest) if rest > 0.0 else total)


@njit(cache=True, nogil=True)
def sparse_sweep(
    kind: int,
    first: int,
    last: int,
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
    out: FloatArray,
) -> None:
    """Write the values of rows; ``paid`` is empty without rewards per transition.

    ``sink`` is the worth of the outcome that every row may use, infinite if there is none.
    """
    z, old = np.empty(longest), np.empty(3 * longest)
    scale = 1.0 if paid.size > 0 else gamma
    rank, states = np.empty(longest, dtype=np.uint64), np.empty(longest, dtype=next_state.dtype)
    nothing = 1.0 if kind == CVAR else 0.0
    for row in range(first, last):
        start, stop = row_ptr[row], row_ptr[row + 1]
        n, size = stop - start, radius[row]
        value, floor, before, falls = 0.0, np.inf, -np.inf, ZERO
        for i in range(n):
            x = v[next_state[start + i]]
            if paid.size > 0:
                x = paid[start + i] + gamma * x
            value += prob[start + i] * x
            z[i] = x
            floor = min(floor, x)
            falls += np.uint64(x < before)
            before = x
        if size != nothing and kind == CONTAMINATION:
            value -= size * (value - min(floor, sink))
        elif size != nothing:
            if falls > ZERO:
                arrange(start, n, falls, next_state, prob, paid, z, rank, states, old)
            if kind == L1:
                budget = min(0.5 * size, 1.0)
                value = _drain(start, n, prob, z, value, budget, min(floor, sink))
            elif kind == CVAR:
                value = _tail(start, n, prob, z, size)
            else:
                value = _ball(start, n, prob, z, size)
        out[row] = reward[row] + scale * value
