"""Values of rows that list every state, for the sets that fill or drain in order of worth.

All rows share one order of ``v``: ``order`` sorts it and ``ranked`` is ``v[order]``. Each row is
first read from end to end, so that the few reads in order of worth find it in the cache; those go
by four, so that they do not wait for each other.
"""

import numpy as np
from numba import njit

from mdptheory._typing import FloatArray, UIntArray
from mdptheory.kernels.bellman import dense_mean
from mdptheory.kernels.robust_reply import CONTAMINATION, CVAR, INTERVAL, L1


@njit(cache=True, nogil=True)
def _drain(
    start: int,
    prob: FloatArray,
    order: UIntArray,
    ranked: FloatArray,
    v: FloatArray,
    budget: float,
) -> float:
    """Return the mean once ``budget`` of the best mass has moved to the worst outcome."""
    p = prob[start : start + np.uint64(v.size)]
    value = dense_mean(start, prob, v)
    floor, rest, j = ranked[0], budget, order.size - 1
    while j >= 4:
        p0, p1, p2, p3 = p[order[j]], p[order[j - 1]], p[order[j - 2]], p[order[j - 3]]
        block = (p0 + p1) + (p2 + p3)
        if block >= rest:
            break
        near = p0 * (ranked[j] - floor) + p1 * (ranked[j - 1] - floor)
        value -= near + (p2 * (ranked[j - 2] - floor) + p3 * (ranked[j - 3] - floor))
        rest -= block
        j -= 4
    while rest > 0.0 and j > 0:
        moved = min(p[order[j]], rest)
        value -= moved * (ranked[j] - floor)
        rest -= moved
        j -= 1
    return value


@njit(cache=True, nogil=True)
def _tail(
    start: int,
    prob: FloatArray,
    order: UIntArray,
    ranked: FloatArray,
    v: FloatArray,
    alpha: float,
) -> float:
    """Return the mean of the worst ``alpha`` of the mass."""
    p = prob[start : start + np.uint64(v.size)]
    mean = dense_mean(start, prob, v)
    floor, rest, total, j = ranked[0], alpha, 0.0, 0
    while j + 4 <= order.size:
        p0, p1, p2, p3 = p[order[j]], p[order[j + 1]], p[order[j + 2]], p[order[j + 3]]
        block = (p0 + p1) + (p2 + p3)
        if block >= rest:
            break
        near = p0 * (ranked[j] - floor) + p1 * (ranked[j + 1] - floor)
        total += near + (p2 * (ranked[j + 2] - floor) + p3 * (ranked[j + 3] - floor))
        rest -= block
        j += 4
    while rest > 0.0 and j < order.size:
        mass = min(p[order[j]], rest)
        total += mass * (ranked[j] - floor)
        rest -= mass
        j += 1
    return min(mean, floor + total / alpha)  # rounding at alpha near 1


@njit(cache=True, nogil=True)
def _lower(p: FloatArray, v: FloatArray, radius: float, floor: float) -> tuple[float, float]:
    """Return ``sum l`` and ``sum l (v - floor)`` with ``l = (p - radius)_+``."""
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = 0.0
    head = v.size - v.size % 4
    for k in range(0, head, 4):
        l0 = p[k] - radius if p[k] > radius else 0.0
        l1 = p[k + 1] - radius if p[k + 1] > radius else 0.0
        l2 = p[k + 2] - radius if p[k + 2] > radius else 0.0
        l3 = p[k + 3] - radius if p[k + 3] > radius else 0.0
        a0 += l0
        a1 += l1
        a2 += l2
        a3 += l3
        b0 += l0 * (v[k] - floor)
        b1 += l1 * (v[k + 1] - floor)
        b2 += l2 * (v[k + 2] - floor)
        b3 += l3 * (v[k + 3] - floor)
    filled, total = (a0 + a1) + (a2 + a3), (b0 + b1) + (b2 + b3)
    for k in range(head, v.size):
        low = p[k] - radius if p[k] > radius else 0.0
        filled += low
        total += low * (v[k] - floor)
    return filled, total


@njit(cache=True, nogil=True)
def _around(p: float, radius: float) -> float:
    """Return the room between the bounds ``radius`` around ``p``."""
    return min(p + radius, 1.0) - (p - radius if p > radius else 0.0)


@njit(cache=True, nogil=True)
def _ball(
    start: int,
    prob: FloatArray,
    order: UIntArray,
    ranked: FloatArray,
    v: FloatArray,
    radius: float,
) -> float:
    """Return the least mean of the rows within ``radius`` of each probability."""
    p, floor = prob[start : start + np.uint64(v.size)], ranked[0]
    filled, total = _lower(p, v, radius, floor)
    rest, j = 1.0 - filled, 0
    while j + 4 <= order.size:
        p0, p1 = _around(p[order[j]], radius), _around(p[order[j + 1]], radius)
        p2, p3 = _around(p[order[j + 2]], radius), _around(p[order[j + 3]], radius)
        block = (p0 + p1) + (p2 + p3)
        if block >= rest:
            break
        near = p0 * (ranked[j] - floor) + p1 * (ranked[j + 1] - floor)
        total += near + (p2 * (ranked[j + 2] - floor) + p3 * (ranked[j + 3] - floor))
        rest -= block
        j += 4
    while rest > 0.0 and j < order.size:
        mass = min(_around(p[order[j]], radius), rest)
        total += mass * (ranked[j] - floor)
        rest -= mass
        j += 1
    return floor + (total / (1.0 - rest) if rest > 0.0 else total)


@njit(cache=True, nogil=True)
def _interval(
    start: int,
    lower: FloatArray,
    room: FloatArray,
    order: UIntArray,
    ranked: FloatArray,
    v: FloatArray,
) -> float:
    """Return the least mean of the rows between ``lower`` and ``lower + room``."""
    stop = start + np.uint64(v.size)
    floor = ranked[0]
    filled, total = _lower(lower[start:stop], v, 0.0, floor)
    w, rest, j = room[start:stop], 1.0 - filled, 0
    dense_mean(start, room, v)
    while j + 4 <= order.size:
        p0, p1, p2, p3 = w[order[j]], w[order[j + 1]], w[order[j + 2]], w[order[j + 3]]
        block = (p0 + p1) + (p2 + p3)
        if block >= rest:
            break
        near = p0 * (ranked[j] - floor) + p1 * (ranked[j + 1] - floor)
        total += near + (p2 * (ranked[j + 2] - floor) + p3 * (ranked[j + 3] - floor))
        rest -= block
        j += 4
    while rest > 0.0 and j < order.size:
        mass = min(w[order[j]], rest)
        total += mass * (ranked[j] - floor)
        rest -= mass
        j += 1
    return floor + (total / (1.0 - rest) if rest > 0.0 else total)


@njit(cache=True, nogil=True)
def dense_sweep(
    kind: int,
    first: int,
    last: int,
    row_ptr: UIntArray,
    prob: FloatArray,
    room: FloatArray,
    reward: FloatArray,
    radius: FloatArray,
    order: UIntArray,
    ranked: FloatArray,
    gamma: float,
    v: FloatArray,
    out: FloatArray,
) -> None:
    """Write ``reward + gamma min q.v`` for the rows from first to last."""
    nothing = 1.0 if kind == CVAR else 0.0
    for row in range(first, last):
        start, size = row_ptr[row], radius[row]
        if kind == INTERVAL:
            value = _interval(start, prob, room, order, ranked, v)
        elif size == nothing:
            value = dense_mean(start, prob, v)
        elif kind == CONTAMINATION:
            value = dense_mean(start, prob, v)
            value -= size * (value - ranked[0])
        elif kind == L1:
            value = _drain(start, prob, order, ranked, v, min(0.5 * size, 1.0))
        elif kind == CVAR:
            value = _tail(start, prob, order, ranked, v, size)
        else:
            value = _ball(start, prob, order, ranked, v, size)
        out[row] = reward[row] + gamma * value
