"""Worst rows of the ambiguity sets that are polytopes, by exact greedy or parametric algorithms.

Each kernel minimises ``q @ z`` over its set, writes a minimiser into ``q`` and returns its value, a
lower bound from weak duality, and the dual variables behind it: the price of the budget and a
level, in units of ``z``, 0 where the set has none. Inside, ``w`` is ``p`` summing to 1 and ``x = z
- zmin``, so that an offset of ``z`` costs no digits.
"""

from typing import TypeAlias

import numpy as np
from numba import njit

from mdptheory._typing import FloatArray, IntArray

Answer: TypeAlias = tuple[float, float, float, float]  # value, bound, multiplier, level

ULP = 2.3e-16
LARGEST = 1e300  # of a multiplier; any multiplier proves a bound
NEAR = 1e-12  # slopes this close count as tied: their order is rounding


@njit(cache=True, nogil=True)
def normalise(p: FloatArray, w: FloatArray) -> None:
    """Write ``p`` summing to 1 into ``w``; a sum that is off by rounding only keeps its bits."""
    total = 0.0
    for i in range(p.size):
        w[i] = max(p[i], 0.0)
        total += w[i]
    if abs(total - 1.0) > ULP * (p.size + 1):
        for i in range(p.size):
            w[i] /= total


@njit(cache=True, nogil=True)
def _shift(z: FloatArray, x: FloatArray) -> float:
    """Write ``x = z - zmin`` and return ``zmin``."""
    zmin = z[0]
    for i in range(z.size):
        zmin = min(zmin, z[i])
    for i in range(z.size):
        x[i] = z[i] - zmin
    return zmin


@njit(cache=True, nogil=True)
def _mean(q: FloatArray, x: FloatArray) -> float:
    total = 0.0
    for i in range(q.size):
        total += q[i] * x[i]
    return total


@njit(cache=True, nogil=True)
def l1_row(p: FloatArray, z: FloatArray, radius: float, q: FloatArray) -> Answer:
    """Minimise over ``sum |q - p| <= radius``: half the radius moves from the best to the worst.

    The bound is ``E_p min(x, eta) - radius / 2 eta`` at the last donor's ``eta``.
    """
    x = np.empty(p.size)
    zmin = _shift(z, x)
    normalise(p, q)
    order = np.argsort(x)
    sink = order[0]
    rest = min(0.5 * radius, 1.0)
    eta, below, moved, j = 0.0, 0.0, 0.0, p.size - 1
    while j > 0 and rest > 0.0:
        i = order[j]
        if q[i] > rest:
            eta = x[i]
            q[i] -= rest
            moved += rest
            rest = 0.0
        else:
            rest -= q[i]
            moved += q[i]
            q[i] = 0.0
            j -= 1
    if rest == 0.0 and eta == 0.0:  # the budget ended with a donor, or there was none
        eta = x[order[j]]
    if radius >= 2.0:  # every row is allowed: a budget without a price
        eta = 0.0
    q[sink] += moved
    # E_p min(x, eta): what was moved lay at eta or above, the rest of q is as it was in p
    for i in range(p.size):
        below += (q[i] - moved if i == sink else q[i]) * min(x[i], eta)
    value = zmin + _mean(q, x)
    bound = zmin + (below + (moved - min(0.5 * radius, 1.0)) * eta)
    return value, min(value, bound), 0.5 * eta, 0.0


@njit(cache=True, nogil=True)
def _receivers(x: FloatArray, weights: FloatArray, order: IntArray) -> IntArray:
    """Return, by ascending ``x``, the outcomes cheaper to raise than all that are worse or equal.

    Among equal ``x`` only the cheapest is one.
    """
    kept = np.empty(x.size, dtype=np.int64)
    count, cheapest = 0, np.inf
    for i in order:
        if weights[i] < cheapest:
            cheapest = weights[i]
            if count > 0 and x[kept[count - 1]] == x[i]:
                count -= 1
            kept[count] = i
            count += 1
    return kept[:count]


@njit(cache=True, nogil=True)
def _bases(
    x: FloatArray, weights: FloatArray, order: IntArray, kept: IntArray
) -> tuple[FloatArray, IntArray, IntArray, int]:
    """List slope, donor and receiver of all moves, those from donors at or below ``p`` first.

    In each part donors come by descending and receivers by ascending ``x``: the order of ties.
    Returns also the length of the first part.
    """
    size = (x.size + kept.size) * kept.size
    slope = np.empty(size)
    donor, receiver = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int64)
    count, first = 0, 0
    for bounce in (False, True):
        first = count
        donors = kept if bounce else order
        for i in donors[::-1]:
            for j in kept:
                if x[j] >= x[i]:
                    break
                price = weights[j] - weights[i] if bounce else weights[j] + weights[i]
                slope[count] = (x[j] - x[i]) / price
                donor[count], receiver[count] = i, j
                count += 1
    return slope[:count], donor[:count], receiver[:count], first


@njit(cache=True, nogil=True)
def _weighted_l1_bound(
    lam: float, radius: float, w: FloatArray, x: FloatArray, weights: FloatArray
) -> float:
    """Return the dual function ``e - lam radius + E min(x - e, lam weights)``."""
    e = np.inf
    for j in range(x.size):
        e = min(e, x[j] + lam * weights[j])
    total = 0.0
    for i in range(x.size):
        total += w[i] * min(x[i] - e, lam * weights[i])
    return e - lam * radius + total


@njit(cache=True, nogil=True)
def _move(
    i: int, j: int, price: float, floor: float, rest: float, q: FloatArray
) -> tuple[float, bool]:
    """Move mass from i to j down to ``floor`` or until ``rest`` is spent.

    Returns what is left to spend and whether nothing is.
    """
    available = q[i] - floor
    if available * price <= rest:
        q[i] = floor
        q[j] += available
        return rest - available * price, False
    q[i] = max(floor, q[i] - rest / price)
    q[j] += rest / price
    return 0.0, True


@njit(cache=True, nogil=True)
def weighted_l1_row(
    p: FloatArray, z: FloatArray, weights: FloatArray, radius: float, q: FloatArray
) -> Answer:
    """Minimise over ``sum weights |q - p| <= radius`` by following the solution as radius grows.

    Each piece of the path moves mass from a donor to a receiver. A donor below its ``p`` costs its
    weight, one that had received before ("bounce") refunds it. Moves of nearly equal slope are
    retried together, as one may enable another.
    """
    w, x = np.empty(p.size), np.empty(p.size)
    zmin = _shift(z, x)
    normalise(p, w)
    q[:] = w
    order = np.argsort(x)
    slope, donor, receiver, bounces = _bases(x, weights, order, _receivers(x, weights, order))
    by_slope = np.argsort(slope)
    rest, lam, done, start = radius, 0.0, False, 0
    while start < slope.size and not done:
        stop, limit = start + 1, slope[by_slope[start]] * (1.0 - NEAR)
        while stop < slope.size and slope[by_slope[stop]] <= limit:
            stop += 1
        tied = np.sort(by_slope[start:stop])
        moved, start = True, stop
        while moved and not done:
            moved = False
            for b in tied:
                i, j = donor[b], receiver[b]
                floor = w[i] if b >= bounces else 0.0
                if q[i] <= floor or (b < bounces and q[i] > w[i]):
                    continue
                price = weights[j] - weights[i] if b >= bounces else weights[j] + weights[i]
                rest, done = _move(i, j, price, floor, rest, q)
                moved = tied.size > 1
                if done:
                    lam = -slope[b]
                    break
    value = zmin + _mean(q, x)
    return value, min(value, zmin + _weighted_l1_bound(lam, radius, w, x, weights)), lam, 0.0


@njit(cache=True, nogil=True)
def interval_row(lower: FloatArray, upper: FloatArray, z: FloatArray, q: FloatArray) -> Answer:
    """Minimise over ``lower <= q <= upper``: fill the worst outcomes first.

    The bound is ``eta + sum lower (x - eta)_+ - upper (eta - x)_+`` at the last one filled.
    """
    n = z.size
    zmin, filled, top = np.inf, 0.0, 0.0
    for i in range(n):
        q[i] = lower[i]
        filled += lower[i]
        top += upper[i]
        if upper[i] > 0.0:
            zmin = min(zmin, z[i])
    rest, eta = 1.0 - filled, 0.0
    if abs(top - 1.0) <= ULP * (n + 1):  # no choice: the last one need not take the rounding
        rest = top - filled + ULP * (n + 1)
    for i in np.argsort(z):
        gap = upper[i] - lower[i]
        if gap <= 0.0:
            continue
        if rest <= 0.0:
            break
        eta = z[i] - zmin
        q[i] = upper[i] if gap <= rest else lower[i] + rest
        rest -= gap
    normalise(q, q)
    above, bound = 0.0, eta
    for i in range(n):
        if upper[i] > 0.0:
            x = z[i] - zmin
            above += q[i] * x
            bound += lower[i] * (x - eta) if x > eta else upper[i] * (x - eta)
    value = zmin + above
    return value, min(value, zmin + bound), 0.0, zmin + eta


@njit(cache=True, nogil=True)
def _hull(costs: FloatArray, x: FloatArray, edge: IntArray, slope: FloatArray) -> int:
    """Write the corners and slopes of the lower left hull of the points ``(costs, x)``.

    ``edge[0]`` is the best free corner; ``slope[k]`` leads to ``edge[k]``. Returns the count.
    """
    count = 0
    for j in np.argsort(costs):
        if count > 0 and x[j] >= x[edge[count - 1]]:
            continue
        while count > 0:
            k = edge[count - 1]
            if costs[j] > costs[k]:
                slope[count] = (x[j] - x[k]) / (costs[j] - costs[k])
                if count == 1 or slope[count] > slope[count - 1]:
                    break
            count -= 1
        edge[count] = j
        count += 1
    return count


@njit(cache=True, nogil=True)
def _wasserstein_bound(
    lam: float, radius: float, w: FloatArray, x: FloatArray, cost: FloatArray
) -> float:
    """Return the dual function ``E_i min_j (x_j + lam cost_ij) - lam radius``."""
    total = 0.0
    for i in range(x.size):
        least = x[i]
        for j in range(x.size):
            least = min(least, x[j] + lam * cost[i, j])
        total += w[i] * least
    return total - lam * radius


@njit(cache=True, nogil=True)
def _transport(
    w: FloatArray, x: FloatArray, cost: FloatArray, radius: float, place: IntArray
) -> tuple[float, int, int, float]:
    """Write where each outcome's mass goes; return the price and the one split move.

    Of the mass of outcome ``i``, ``part`` goes on to ``j``: returns price, ``i``, ``j``, ``part``.
    A fractional multiple-choice knapsack: each outcome walks down its hull of (cost, worth), and
    the steepest edges of all outcomes are bought first.
    """
    n = w.size
    edge_slope, edge = np.empty(n), np.empty(n, dtype=np.int64)
    slope = np.empty(n * n)
    source, target = np.empty(n * n, dtype=np.int64), np.empty(n * n, dtype=np.int64)
    count = 0
    for i in range(n):
        place[i] = i
        if w[i] > 0.0:
            corners = _hull(cost[i], x, edge, edge_slope)
            place[i] = i if x[edge[0]] == x[i] else edge[0]
            for k in range(1, corners):
                source[count], target[count], slope[count] = i, edge[k], edge_slope[k]
                count += 1
    rest = radius
    for b in np.argsort(slope[:count], kind="mergesort"):
        i, j = source[b], target[b]
        step = cost[i, j] - cost[i, place[i]]
        if w[i] * step > rest:
            return min(-slope[b], LARGEST), i, j, rest / step
        rest -= w[i] * step
        place[i] = j
    return 0.0, 0, 0, 0.0


@njit(cache=True, nogil=True)
def wasserstein_row(
    p: FloatArray, z: FloatArray, cost: FloatArray, radius: float, q: FloatArray
) -> Answer:
    """Minimise over the rows to which ``p`` is transported at a cost of at most ``radius``."""
    place = np.empty(p.size, dtype=np.int64)
    value, bound, lam, _, _, _ = wasserstein_plan(p, z, cost, radius, q, place)
    return value, bound, lam, 0.0


@njit(cache=True, nogil=True)
def wasserstein_plan(
    p: FloatArray,
    z: FloatArray,
    cost: FloatArray,
    radius: float,
    q: FloatArray,
    place: IntArray,
) -> tuple[float, float, float, int, int, float]:
    """Do the same and write where each outcome's mass goes.

    Returns value, bound and price; of the mass of outcome ``i``, ``part`` goes on to ``j``: these
    three come last.
    """
    w, x = np.empty(p.size), np.empty(p.size)
    zmin = _shift(z, x)
    normalise(p, w)
    lam, i, j, part = _transport(w, x, cost, radius, place)
    q[:] = 0.0
    for k in range(p.size):
        q[place[k]] += w[k]
    part = min(part, w[i])
    if part > 0.0:
        q[place[i]] = max(0.0, q[place[i]] - part)
        q[j] += part
    value = zmin + _mean(q, x)
    bound = min(value, zmin + _wasserstein_bound(lam, radius, w, x, cost))
    return value, bound, lam, i, j, part


@njit(cache=True, nogil=True)
def contamination_row(p: FloatArray, z: FloatArray, fraction: float, q: FloatArray) -> Answer:
    """Minimise over ``(1 - fraction) p + fraction u``: all of ``u`` is on a worst outcome.

    The bound ``(1 - fraction) E_p x`` holds because no ``u`` has a negative mean of ``x``.
    """
    x = np.empty(p.size)
    zmin = _shift(z, x)
    normalise(p, q)
    bound = (1.0 - fraction) * _mean(q, x)
    for i in range(p.size):
        q[i] *= 1.0 - fraction
    q[np.argmin(x)] += fraction
    value = zmin + _mean(q, x)
    return value, min(value, zmin + bound), 0.0, 0.0


@njit(cache=True, nogil=True)
def finite_row(rows: FloatArray, z: FloatArray, q: FloatArray) -> Answer:
    """Minimise over a list of rows by trying each; the best is its own proof."""
    zmin = np.inf
    for i in range(z.size):
        for k in range(rows.shape[0]):
            if rows[k, i] > 0.0:
                zmin = min(zmin, z[i])
    best, least = 0, np.inf
    for k in range(rows.shape[0]):
        normalise(rows[k], q)
        above = 0.0
        for i in range(z.size):
            if q[i] > 0.0:
                above += q[i] * (z[i] - zmin)
        if above < least:
            best, least = k, above
    normalise(rows[best], q)
    return zmin + least, zmin + least, 0.0, 0.0
