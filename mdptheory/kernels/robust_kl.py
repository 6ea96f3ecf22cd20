"""Values of rows against nature in a Kullback-Leibler ball, from the dual problem.

With ``x = z - zmin`` the least ``q.x`` is the largest ``-(log E_p exp(-tau x) + r) / tau``. Every
``tau`` gives a lower bound whose error is of second order, so a few Newton steps from the last
sweep's ``tau`` do. The tilted row, drawn towards ``p`` where it leaves the ball, shows from above
how far off the bound may be.
"""

import math

import numpy as np
from numba import njit

from mdptheory._typing import FloatArray, IntArray, UIntArray
from mdptheory.kernels.divergence import kl_row

LOG2E = 1.4426950408889634
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
MAGIC = 6755399441055744.0  # 1.5 2^52: a small number added to it is rounded to an integer
SMALL = 1e-3  # radii below this take the kernel that sums without cancellation
CLOSE = 1e-12  # of the span: how far the bound may be from the tilted row's value
STEPS = 12


@njit(cache=True, nogil=True)
def decay(tau: float, x: FloatArray, power: FloatArray, bits: IntArray, out: FloatArray) -> None:
    """Write ``exp(-tau x)`` for ``tau x >= 0``, at least ``exp(-700)``, in loops that vectorise.

    ``bits`` is a view of ``power``: the powers of two are put together from their exponents.
    """
    for i in range(x.size):
        a = -tau * x[i]
        a = a if a > -700.0 else -700.0
        shifted = a * LOG2E + MAGIC
        k = shifted - MAGIC
        power[i] = shifted
        r = (a - k * LN2_HIGH) - k * LN2_LOW
        s = 1.0 + r * (1.0 / 12.0)
        s = 1.0 + r * (1.0 / 11.0) * s
        s = 1.0 + r * (1.0 / 10.0) * s
        s = 1.0 + r * (1.0 / 9.0) * s
        s = 1.0 + r * (1.0 / 8.0) * s
        s = 1.0 + r * (1.0 / 7.0) * s
        s = 1.0 + r * (1.0 / 6.0) * s
        s = 1.0 + r * (1.0 / 5.0) * s
        s = 1.0 + r * (1.0 / 4.0) * s
        s = 1.0 + r * (1.0 / 3.0) * s
        s = 1.0 + r * (1.0 / 2.0) * s
        out[i] = 1.0 + r * s
    for i in range(x.size):
        bits[i] = (bits[i] + 1023) << 52
    for i in range(x.size):
        out[i] *= power[i]


@njit(cache=True, nogil=True)
def moments(p: FloatArray, x: FloatArray, weight: FloatArray) -> tuple[float, float, float]:
    """Return the sums of ``p weight``, ``p weight x`` and ``p weight x^2``."""
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = c0 = c1 = c2 = c3 = 0.0
    head = x.size - x.size % 4
    for k in range(0, head, 4):
        y0, y1 = p[k] * weight[k], p[k + 1] * weight[k + 1]
        y2, y3 = p[k + 2] * weight[k + 2], p[k + 3] * weight[k + 3]
        a0 += y0
        a1 += y1
        a2 += y2
        a3 += y3
        y0 *= x[k]
        y1 *= x[k + 1]
        y2 *= x[k + 2]
        y3 *= x[k + 3]
        b0 += y0
        b1 += y1
        b2 += y2
        b3 += y3
        c0 += y0 * x[k]
        c1 += y1 * x[k + 1]
        c2 += y2 * x[k + 2]
        c3 += y3 * x[k + 3]
    a, b, c = (a0 + a1) + (a2 + a3), (b0 + b1) + (b2 + b3), (c0 + c1) + (c2 + c3)
    for k in range(head, x.size):
        y = p[k] * weight[k]
        a += y
        b += y * x[k]
        c += y * x[k] * x[k]
    return a, b, c


@njit(cache=True, nogil=True)
def tilted_value(
    p: FloatArray,
    x: FloatArray,
    span: float,
    radius: float,
    tau: float,
    power: FloatArray,
    bits: IntArray,
    weight: FloatArray,
) -> tuple[float, float, float]:
    """Return the least ``q.x`` within the ball, how far off it may be, and ``tau``.

    Newton's method on the square root of the divergence, which is nearly linear in a small
    ``tau``; the distance is infinite if it did not settle.
    """
    weight[:] = 1.0
    _, mean, square = moments(p, x, weight)
    if tau <= 0.0:
        tau = math.sqrt(2.0 * radius) / math.sqrt(max(square - mean * mean, 1e-280))
    low, high = 0.0, np.inf
    for _ in range(STEPS):
        decay(tau, x, power, bits, weight)
        total, first, second = moments(p, x, weight)
        log_total, tilted = math.log(total), first / total
        divergence = -log_total - tau * tilted
        share = 1.0 - radius / divergence if divergence > radius else 0.0
        gap = (radius - divergence) / tau + share * (mean - tilted)
        if gap <= CLOSE * span and abs(radius - divergence) <= 1e-5 * radius:
            return -(log_total + radius) / tau, max(gap, 0.0), tau
        if divergence < radius:
            low = tau
        else:
            high = tau
        slope = tau * (second / total - tilted * tilted)
        root = math.sqrt(max(divergence, 0.0))
        step = 2.0 * root * (math.sqrt(radius) - root) / slope if slope > 0.0 else np.inf
        tau += step
        if not low < tau < high:
            tau = 0.5 * (low + high) if high < np.inf else 4.0 * low
    return 0.0, np.inf, 0.0


@njit(cache=True, nogil=True)
def kl_sweep(
    first: int,
    last: int,
    longest: int,
    row_ptr: UIntArray,
    next_state: UIntArray,
    prob: FloatArray,
    paid: FloatArray,
    reward: FloatArray,
    radius: FloatArray,
    gamma: float,
    v: FloatArray,
    tau: FloatArray,
    out: FloatArray,
) -> float:
    """Write ``reward + min q.z`` for the rows from first to last; return how far off it may be.

    ``tau`` keeps each row's, times the span of its worths.
    """
    worth, power, weight = np.empty(longest), np.empty(longest), np.empty(longest)
    bits, slack = power.view(np.int64), 0.0
    scale = 1.0 if paid.size > 0 else gamma
    known, room = -1.0, 0.0  # a radius and the mass that it leaves to abandon
    for row in range(first, last):
        start, stop = row_ptr[row], row_ptr[row + 1]
        n, size = np.int64(stop - start), radius[row]
        p, x = prob[start:stop], worth[:n]
        mean, least, most = 0.0, np.inf, -np.inf
        for i in range(n):
            z = v[next_state[start + np.uint64(i)]]
            if paid.size > 0:
                z = paid[start + np.uint64(i)] + gamma * z
            x[i] = z
            mean += p[i] * z
            least, most = min(least, z), max(most, z)
        at_least = 0.0
        for i in range(n):
            x[i] -= least
            at_least += p[i] if x[i] == 0.0 else 0.0
        if size != known:
            known, room = size, math.exp(-size)
        value, gap = least, 0.0
        if size == 0.0:
            value = mean
        elif most > least and at_least < room:
            above, gap = 0.0, np.inf
            if size >= SMALL:
                span = most - least
                above, gap, root = tilted_value(
                    p, x, span, size, tau[row] / span, power[:n], bits[:n], weight[:n]
                )
                tau[row] = root * span
            if gap == np.inf:
                above, below, _, _ = kl_row(p, x, size, weight[:n])
                gap = above - below
            value = least + above
        slack = max(slack, scale * gap)
        out[row] = reward[row] + scale * value
    return slack
