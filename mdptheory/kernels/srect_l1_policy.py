"""s-rectangular L1 sets against a given policy: the best donors of all rows, weighted, go first."""

import numpy as np
from numba import njit

from mdptheory._typing import FloatArray, UIntArray
from mdptheory.kernels.bellman import ONE
from mdptheory.kernels.srect import heapify, pop, read_row
from mdptheory.kernels.srect_l1 import TINY, collect, lower_floor


@njit(cache=True, nogil=True)
def _spend(
    lo: int,
    hi: int,
    row_ptr: UIntArray,
    prob: FloatArray,
    kappa: float,
    scale: float,
    x: FloatArray,
    least: FloatArray,
    guess: float,
    pi: FloatArray,
    key: FloatArray,
    mass: FloatArray,
) -> tuple[float, float]:
    """Spend the budget on the best donors of all rows, weighted by the policy.

    Returns what the policy loses and the height of the marginal donor (0 if none is left).
    """
    origin, rest, lost = row_ptr[lo], 0.5 * kappa, 0.0
    count, floor, ceiling = 0, np.inf, np.inf
    while rest > 0.0:
        if count == 0:
            if floor <= TINY:
                return lost, 0.0
            ceiling, floor = floor, lower_floor(floor, guess)
            for row in range(lo, hi):
                if pi[row] > 0.0:
                    count = collect(
                        row_ptr[row], row_ptr[row + ONE], origin, prob, x, least[row - lo],
                        scale * pi[row], floor, ceiling, key, mass, 0, count,
                    )  # fmt: skip
            heapify(key, mass, 0, count)
            continue
        if mass[0] >= rest:
            return lost + rest * key[0], key[0]
        lost += mass[0] * key[0]
        rest -= mass[0]
        pop(key, mass, 0, count)
        count -= 1
    return lost, np.inf


@njit(cache=True, nogil=True)
def _divide(
    lo: int,
    hi: int,
    row_ptr: UIntArray,
    prob: FloatArray,
    kappa: float,
    scale: float,
    x: FloatArray,
    least: FloatArray,
    height: float,
    pi: FloatArray,
    share: FloatArray,
) -> None:
    """Write each row's share of the budget if ``height`` is the marginal donor's."""
    origin, rest = row_ptr[lo], kappa
    for row in range(lo, hi):
        share[row] = 0.0
        if pi[row] == 0.0:
            continue
        for k in range(row_ptr[row], row_ptr[row + ONE]):
            if scale * pi[row] * (x[k - origin] - least[row - lo]) > height:
                share[row] += 2.0 * prob[k]
        rest -= share[row]
    for row in range(lo, hi):
        if pi[row] == 0.0 or rest <= 0.0:
            continue
        for k in range(row_ptr[row], row_ptr[row + ONE]):
            if rest > 0.0 and scale * pi[row] * (x[k - origin] - least[row - lo]) == height:
                moved = min(rest, 2.0 * prob[k])
                share[row] += moved
                rest -= moved


@njit(cache=True, nogil=True)
def l1_evaluate(
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
    level: FloatArray,
    share: FloatArray,
    guess: FloatArray,
    out: FloatArray,
    outcomes: FloatArray,
    rows: FloatArray,
) -> tuple[float, float]:
    """Write ``out[s] = min_q sum_a pi_a q_a.z_a`` and the price of the budget.

    Shares of the budget are written unless ``share`` is empty. Scratch and returns are those of
    `l1_greedy`.
    """
    x, key, mass = outcomes[0], outcomes[1], outcomes[2]
    least = rows[0]
    scale, low, high = 1.0 if paid.size > 0 else gamma, np.inf, -np.inf
    for i in range(choice_ptr.size - 1):
        s, lo, hi = first + i, choice_ptr[i], choice_ptr[i + 1]
        u = 0.0
        for row in range(lo, hi):
            if pi[row] > 0.0:
                least[row - lo], mean = read_row(
                    row_ptr[row], row_ptr[row + ONE], row_ptr[lo], next_state, prob, paid, gamma,
                    v, x,
                )  # fmt: skip
                u += pi[row] * (reward[row] + scale * mean)
        lost, height = _spend(
            lo, hi, row_ptr, prob, budget[s], scale, x, least, guess[lo], pi, key, mass
        )
        lam[s] = 0.5 * height
        if share.size > 0:
            _divide(lo, hi, row_ptr, prob, budget[s], scale, x, least, height, pi, share)
        guess[lo] = height if height < np.inf else 0.0
        u -= lost
        out[s] = u
        low, high = min(low, u - v[s]), max(high, u - v[s])
    return low, high
