"""s-rectangular sets around convex distances: the rows of a state share a budget of divergence.

With ``xi_a(u)`` the distance at which row a is worth u or less, the value of a state is the level u
at which ``sum_a xi_a(u)`` is the budget, and the policy is proportional to ``-xi_a'(u)``. The sum F
is convex and decreasing, so that ``u + (F(u) - budget) / -F'(u)`` is a lower bound at any u; at the
solution it is what weak duality proves for the policy, and it is what the sweeps return.
"""

import math

import numpy as np
from numba import njit

from mdptheory._typing import FloatArray, UIntArray
from mdptheory.kernels import srect_rows as one
from mdptheory.kernels.bellman import ONE
from mdptheory.kernels.srect import first_largest, read_row, signed

KL, BURG, CHI_SQUARE, WEIGHTED_L1 = 0, 1, 2, 3
STEPS = 200
ULPS = 4e-16
TIGHT = 1e-13  # relative distance from the budget at which a root is good enough
SMALL = 1e-280  # relative to the whole range, a level is as good as its lower end


@njit(cache=True, nogil=True)
def _load(
    kind: int,
    row: int,
    origin: int,
    factor: float,
    row_ptr: UIntArray,
    next_state: UIntArray,
    prob: FloatArray,
    paid: FloatArray,
    weights: FloatArray,
    gamma: float,
    v: FloatArray,
    scratch: FloatArray,
) -> tuple[float, float, float]:
    """Write a row's worths above its least one, times ``factor``, its probabilities and weights.

    Returns the least worth, the nominal mean of the worths and what it is above the least.
    """
    scale = 1.0 if paid.size > 0 else gamma
    start, stop = row_ptr[row], row_ptr[row + ONE]
    x, w = scratch[0], scratch[1]
    low, mean = read_row(start, stop, origin, next_state, prob, paid, gamma, v, x)
    gap = 0.0
    for k in range(start, stop):
        i = k - origin
        x[i] = factor * (scale * (x[i] - low))
        w[i] = prob[k]
        gap += w[i] * x[i]
        if kind == WEIGHTED_L1:
            scratch[2, i] = weights[next_state[k]]
    if kind == CHI_SQUARE:
        i, j = start - origin, stop - origin
        order = np.argsort(x[i:j])
        x[i:j] = x[i:j][order]
        w[i:j] = w[i:j][order]
    return scale * low, scale * mean, gap


@njit(cache=True, nogil=True)
def _floor(kind: int, gap: float, x: FloatArray, w: FloatArray, weights: FloatArray) -> float:
    """Return the distance of a row on the least worth."""
    if gap == 0.0:
        return 0.0
    if kind == WEIGHTED_L1:
        return one.weighted_floor(x, w, weights)
    inside, outside = 0.0, 0.0
    for i in range(x.size):
        if x[i] == 0.0:
            inside += w[i]
        else:
            outside += w[i]
    if kind == BURG or inside == 0.0:
        return np.inf
    return -math.log(inside) if kind == KL else outside / inside


@njit(cache=True, nogil=True)
def _distances(
    kind: int,
    lo: int,
    hi: int,
    step: float,
    row_ptr: UIntArray,
    rows: FloatArray,
    scratch: FloatArray,
) -> tuple[float, float]:
    """Write each row's distance and slope for the level ``step`` above the largest least value.

    ``rows`` holds least value above that (negative), mean above least, distance and slope. Returns
    the sums of distances and slopes.
    """
    origin, total, rate = row_ptr[lo], 0.0, 0.0
    for row in range(lo, hi):
        a = row - lo
        i, j = row_ptr[row] - origin, row_ptr[row + ONE] - origin
        x, w, weights = scratch[0, i:j], scratch[1, i:j], scratch[2, i:j]
        beta, gap = step - rows[0, a], rows[1, a]
        if beta >= gap:
            rows[2, a], rows[3, a] = 0.0, 0.0
            continue
        if beta <= 0.0:
            rows[2, a] = _floor(kind, gap, x, w, weights)
        elif kind == KL:
            rows[2, a], rows[3, a] = one.kl_project(beta, x, w, rows[3, a])
        elif kind == BURG:
            rows[2, a], rows[3, a] = one.burg_project(beta, x, w, rows[3, a])
        elif kind == CHI_SQUARE:
            rows[2, a], rows[3, a] = one.chi_square_project(beta, x, w)
        else:
            rows[2, a], rows[3, a] = one.weighted_project(beta, gap, x, w, weights)
        total += rows[2, a]
        rate += rows[3, a]
    return total, rate


@njit(cache=True, nogil=True)
def _level(
    kind: int,
    lo: int,
    hi: int,
    kappa: float,
    top: float,
    row_ptr: UIntArray,
    rows: FloatArray,
    scratch: FloatArray,
) -> tuple[float, float]:
    """Find the level in ``(0, top)`` at which the distances sum to kappa.

    Returns the level, as weak duality has it, and the price of the budget.
    """
    low, high, step = 0.0, top, 0.5 * top
    total = rate = 0.0
    for _ in range(STEPS):
        total, rate = _distances(kind, lo, hi, step, row_ptr, rows, scratch)
        if total > kappa:
            low = step
        else:
            high = step
        if abs(total - kappa) <= TIGHT * kappa or high <= low * (1.0 + ULPS) or high < SMALL * top:
            break
        # a Newton step for the root of the distance, which is close to linear
        trial = step + 2.0 * (total - math.sqrt(kappa * total)) / rate if rate > 0.0 else low
        if not low < trial < high:
            trial = (
                0.5 * (low + high) if low > 0.1 * high else max(math.sqrt(low * high), 0.05 * high)
            )
        step = trial
    if rate <= 0.0:  # the budget is too small for a level that differs from top
        step = low
        total, rate = _distances(kind, lo, hi, step, row_ptr, rows, scratch)
    return step + (total - kappa) / rate, 1.0 / rate


@njit(cache=True, nogil=True)
def _write(
    lo: int,
    hi: int,
    kappa: float,
    u: float,
    rows: FloatArray,
    pi: FloatArray,
    share: FloatArray,
    guess: FloatArray,
    q: FloatArray,
) -> None:
    """Write the policy that the slopes make, shares within the budget, and row values."""
    rate, total = 0.0, 0.0
    for a in range(signed(hi - lo)):
        rate += rows[3, a]
        total += rows[2, a]
    cut = kappa / total if total > kappa else 1.0
    for row in range(lo, hi):
        a = row - lo
        pi[row] = rows[3, a] / rate
        share[row] = cut * rows[2, a]
        guess[row] = rows[3, a]
        q[row] = min(u, rows[4, a]) if rows[2, a] > 0.0 else rows[4, a]


@njit(cache=True, nogil=True)
def greedy_sweep(
    kind: int,
    first: int,
    choice_ptr: UIntArray,
    row_ptr: UIntArray,
    next_state: UIntArray,
    prob: FloatArray,
    reward: FloatArray,
    paid: FloatArray,
    weights: FloatArray,
    budget: FloatArray,
    gamma: float,
    v: FloatArray,
    pi: FloatArray,
    lam: FloatArray,
    share: FloatArray,
    guess: FloatArray,
    q: FloatArray,
    out: FloatArray,
    scratch: FloatArray,
    rows: FloatArray,
) -> tuple[float, float]:
    """Write ``out[s] = max_pi min_q`` with the policy, its price of budget and nature's shares.

    ``q`` takes each row's value at nature's reply. Scratch holds what `_load` and `_distances`
    write. Returns the extremes of ``out - v``.
    """
    low, high = np.inf, -np.inf
    for i in range(choice_ptr.size - 1):
        s, lo, hi = first + i, choice_ptr[i], choice_ptr[i + 1]
        m, kappa = signed(hi - lo), budget[s]
        for row in range(lo, hi):
            least, mean, rows[1, row - lo] = _load(
                kind, row, row_ptr[lo], 1.0, row_ptr, next_state, prob, paid, weights, gamma, v,
                scratch,
            )  # fmt: skip
            rows[3, row - lo] = guess[row]
            rows[0, row - lo], rows[4, row - lo] = reward[row] + least, reward[row] + mean
        base, top = -np.inf, 0.0
        for a in range(m):
            base = max(base, rows[0, a])
        for a in range(m):
            rows[0, a] -= base
            top = max(top, rows[0, a] + rows[1, a])
        u, lam[s] = base, 0.0
        if kappa == 0.0:
            best = first_largest(rows[4], m)
            u, lam[s] = rows[4, best], np.inf
            for a in range(m):
                rows[2, a], rows[3, a] = 0.0, 1.0 if a == best else 0.0
        else:
            total, _ = _distances(kind, lo, hi, 0.0, row_ptr, rows, scratch)
            if total > kappa:
                above, lam[s] = _level(kind, lo, hi, kappa, top, row_ptr, rows, scratch)
                u = base + above
            else:  # nature can bring every action to its worst outcome
                best = first_largest(rows[0], m)
                for a in range(m):
                    rows[3, a] = 1.0 if a == best else 0.0
        _write(lo, hi, kappa, u, rows, pi, share, guess, q)
        out[s] = u
        low, high = min(low, u - v[s]), max(high, u - v[s])
    return low, high


@njit(cache=True, nogil=True)
def _at_price(
    kind: int,
    lo: int,
    hi: int,
    t: float,
    row_ptr: UIntArray,
    pi: FloatArray,
    rows: FloatArray,
    scratch: FloatArray,
) -> tuple[float, float, float]:
    """Write each row's distance and level at price ``1 / t``.

    Returns the sums of means and distances, and the slope of the latter in ``log t``.
    """
    origin, mean, total, slope = row_ptr[lo], 0.0, 0.0, 0.0
    for row in range(lo, hi):
        a = row - lo
        i, j = row_ptr[row] - origin, row_ptr[row + ONE] - origin
        x, w = scratch[0, i:j], scratch[1, i:j]
        if pi[row] == 0.0:
            continue
        if rows[1, a] == 0.0:
            part = 0.0, 0.0, 0.0, 0.0 if kind == KL else (-1.0 if kind == BURG else 2.0) / t
        elif kind == KL:
            part = one.kl_price(t, x, w)
        elif kind == BURG:
            part = one.burg_price(t, x, w)
        elif kind == CHI_SQUARE:
            part = one.chi_square_price(t, x, w)
        else:
            near, used = one.weighted_price(1.0 / t, x, w, scratch[2, i:j])
            part = near, used, 0.0, 0.0
        mean += part[0]
        total += part[1]
        slope += part[2]
        rows[2, a], rows[3, a] = part[1], part[3]
    return mean, total, slope


@njit(cache=True, nogil=True)
def _price(
    kind: int,
    lo: int,
    hi: int,
    kappa: float,
    gap: float,
    guess: float,
    row_ptr: UIntArray,
    pi: FloatArray,
    rows: FloatArray,
    scratch: FloatArray,
) -> tuple[float, float]:
    """Find the price of divergence at which the rows' distances sum to kappa.

    Returns what weak duality proves, above the least worths, and the inverse price (inf if nature
    may as well have the least worths). Newton steps follow ``log distance`` in ``log t``.
    """
    low, high, t = 0.0, np.inf, guess if guess > 0.0 else 1.0 / gap
    mean = total = 0.0
    for _ in range(STEPS):
        mean, total, slope = _at_price(kind, lo, hi, t, row_ptr, pi, rows, scratch)
        if total < kappa:
            low = t
        else:
            high = t
        if abs(total - kappa) <= TIGHT * kappa or high <= low * (1.0 + ULPS):
            break
        step = 5.0 if total < kappa else -5.0
        if total > 0.0 and slope > 0.0:
            step = min(max((math.log(kappa / total)) * total / slope, -20.0), 20.0)
        trial = t * math.exp(step)
        if not low < trial < high:
            trial = math.sqrt(low) * math.sqrt(high)
        if trial * gap > 1.0 / SMALL:
            return 0.0, np.inf
        t = trial
    return mean + (total - kappa) / t, t


@njit(cache=True, nogil=True)
def _cut(
    lo: int,
    hi: int,
    kappa: float,
    gap: float,
    floor: float,
    row_ptr: UIntArray,
    pi: FloatArray,
    rows: FloatArray,
    scratch: FloatArray,
) -> tuple[float, float]:
    """Do the same for the weighted L1 distance, whose dual function is piecewise linear.

    The meeting point of two of its lines ``mean + used lam`` is either on a third or the maximum.
    """
    mean, used = 0.0, floor  # the lines at price 0 and at an infinite price
    flat, none = gap, 0.0
    lam = (flat - mean) / (used - none)
    for _ in range(STEPS):
        near, total, _ = _at_price(WEIGHTED_L1, lo, hi, 1.0 / lam, row_ptr, pi, rows, scratch)
        if mean + used * lam - (near + total * lam) <= 1e-15 * gap:
            break
        if total > kappa:
            mean, used = near, total
        else:
            flat, none = near, total
        trial = (flat - mean) / (used - none)
        if trial == lam or trial <= 0.0:
            break
        lam = trial
    # either line's distances are nature's best: the shares are a mixture that spends the budget
    part = (kappa - none) / (used - none)
    _at_price(WEIGHTED_L1, lo, hi, (1.0 - 1e-12) / lam, row_ptr, pi, rows, scratch)
    m = signed(hi - lo)
    rows[4, :m] = rows[2, :m]
    _at_price(WEIGHTED_L1, lo, hi, (1.0 + 1e-12) / lam, row_ptr, pi, rows, scratch)
    for a in range(m):
        rows[2, a] = part * rows[2, a] + (1.0 - part) * rows[4, a]
    return mean + (used - kappa) * lam, 1.0 / lam


@njit(cache=True, nogil=True)
def _report(
    kind: int,
    lo: int,
    hi: int,
    kappa: float,
    lam: float,
    pi: FloatArray,
    rows: FloatArray,
    level: FloatArray,
    share: FloatArray,
) -> None:
    """Write shares within the budget, and levels in units of the policy's worths."""
    total, count = 0.0, 0.0
    for row in range(lo, hi):
        if pi[row] > 0.0 and rows[1, row - lo] > 0.0:
            total += rows[2, row - lo]
            count += 1.0
    cut = kappa / total if total > kappa else 1.0
    more = (kappa - total) / count if lam == 0.0 and total < kappa and count > 0.0 else 0.0
    for row in range(lo, hi):
        a = row - lo
        share[row], level[row] = 0.0, 0.0
        if pi[row] > 0.0 and rows[1, a] > 0.0:
            share[row] = cut * rows[2, a] + more
        if kind in (BURG, CHI_SQUARE):
            if pi[row] > 0.0:
                level[row] = rows[5, a] + (rows[3, a] if lam > 0.0 else 0.0)
            elif lam < np.inf:
                level[row] = -lam if kind == BURG else 2.0 * lam


@njit(cache=True, nogil=True)
def evaluate_sweep(
    kind: int,
    first: int,
    choice_ptr: UIntArray,
    row_ptr: UIntArray,
    next_state: UIntArray,
    prob: FloatArray,
    reward: FloatArray,
    paid: FloatArray,
    weights: FloatArray,
    budget: FloatArray,
    gamma: float,
    v: FloatArray,
    pi: FloatArray,
    lam: FloatArray,
    level: FloatArray,
    share: FloatArray,
    guess: FloatArray,
    out: FloatArray,
    scratch: FloatArray,
    rows: FloatArray,
) -> tuple[float, float]:
    """Write ``out[s] = min_q sum_a pi_a q_a.z_a`` with the price of the budget and the levels.

    Shares of the budget are written unless ``share`` is empty. Returns extremes of ``out - v``.
    """
    low, high = np.inf, -np.inf
    for i in range(choice_ptr.size - 1):
        s, lo, hi = first + i, choice_ptr[i], choice_ptr[i + 1]
        kappa, u, nominal, gap, floor = budget[s], 0.0, 0.0, 0.0, 0.0
        for row in range(lo, hi):
            if pi[row] == 0.0:
                continue
            a, i0, j0 = row - lo, row_ptr[row] - row_ptr[lo], row_ptr[row + ONE] - row_ptr[lo]
            least, mean, rows[1, a] = _load(
                kind, row, row_ptr[lo], pi[row], row_ptr, next_state, prob, paid, weights, gamma,
                v, scratch,
            )  # fmt: skip
            rows[5, a] = pi[row] * least
            rows[2, a] = _floor(
                kind, rows[1, a], scratch[0, i0:j0], scratch[1, i0:j0], scratch[2, i0:j0]
            )
            u += pi[row] * (reward[row] + least)
            nominal += pi[row] * (reward[row] + mean)
            gap += rows[1, a]
            floor += rows[2, a]
        t = np.inf
        if kappa == 0.0:
            u, t = nominal, 0.0
            rows[2] = 0.0
        elif floor > kappa:
            if kind == WEIGHTED_L1:
                above, t = _cut(lo, hi, kappa, gap, floor, row_ptr, pi, rows, scratch)
            else:
                above, t = _price(kind, lo, hi, kappa, gap, guess[lo], row_ptr, pi, rows, scratch)
            u += above
            guess[lo] = t if t < np.inf else 0.0
        lam[s] = 1.0 / t if t > 0.0 else np.inf
        if share.size > 0:
            _report(kind, lo, hi, kappa, lam[s], pi, rows, level, share)
        out[s] = u
        low, high = min(low, u - v[s]), max(high, u - v[s])
    return low, high
