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
from mdptheory.kernels.srect import first_largest, signed
from mdptheory.kernels.srect_state import (
    BURG,
    CHI_SQUARE,
    KL,
    SMALL,
    STEPS,
    TIGHT,
    ULPS,
    floor_distance,
    load,
)


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
            rows[2, a] = floor_distance(kind, gap, x, w, weights)
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
            trial = 0.5 * (low + high) if low > 0.1 * high else math.sqrt(low * high)
            if low == 0.0:
                trial = 1e-3 * high
        step = trial
    if high < SMALL * top:  # all but the worst outcomes of some action are abandoned
        best = first_largest(rows[0], signed(hi - lo))
        for row in range(lo, hi):
            rows[3, row - lo] = 1.0 if signed(row - lo) == best else 0.0
        return 0.0, 0.0
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

    ``q`` takes each row's value at nature's reply. Scratch holds what `load` and `_distances`
    write. Returns the extremes of ``out - v``.
    """
    low, high = np.inf, -np.inf
    for i in range(choice_ptr.size - 1):
        s, lo, hi = first + i, choice_ptr[i], choice_ptr[i + 1]
        m, kappa = signed(hi - lo), budget[s]
        for row in range(lo, hi):
            least, mean, rows[1, row - lo] = load(
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
