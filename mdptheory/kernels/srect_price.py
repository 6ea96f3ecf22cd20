"""s-rectangular sets around convex distances against a given policy.

With x the worths of a row's outcomes times the policy's probability of the row, nature minimises
the sum of the rows' means of x plus a price times their distances; the price is the one at which
the distances sum to the budget. Every price proves a lower bound, which is what the sweeps return.
"""

import math

import numpy as np
from numba import njit

from mdptheory._typing import FloatArray, UIntArray
from mdptheory.kernels import srect_rows as one
from mdptheory.kernels.bellman import ONE
from mdptheory.kernels.srect import signed
from mdptheory.kernels.srect_state import (
    BURG,
    CHI_SQUARE,
    KL,
    SMALL,
    STEPS,
    TIGHT,
    ULPS,
    WEIGHTED_L1,
    floor_distance,
    load,
)

APART = 2e-15  # relative distance of a Burg level from the least worth


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
                if kind == BURG and lam > 0.0:  # stays below the worths, whatever rounding does
                    level[row] -= APART * abs(rows[5, a])
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
            least, mean, rows[1, a] = load(
                kind, row, row_ptr[lo], pi[row], row_ptr, next_state, prob, paid, weights, gamma,
                v, scratch,
            )  # fmt: skip
            rows[5, a] = pi[row] * least
            rows[2, a] = floor_distance(
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
