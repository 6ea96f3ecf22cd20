"""Nature's worst row for every row of a model, with its dual variables.

These run once a solve, where the sweeps of `robust_sweeps` need the values alone. Rows are CSR;
with rewards per transition an outcome is worth ``paid + gamma v``, else ``gamma v``.
"""

import numpy as np
from numba import njit

from mdptheory._typing import FloatArray, IntArray, UIntArray
from mdptheory.kernels.divergence import burg_row, chi_square_row, kl_row
from mdptheory.kernels.euclidean import l2_row
from mdptheory.kernels.polyhedral import (
    contamination_row,
    interval_row,
    l1_row,
    wasserstein_plan,
    weighted_l1_row,
)

ONE = np.uint64(1)
L1, CONTAMINATION, WEIGHTED_L1, INTERVAL, LINF, CVAR = 0, 1, 2, 3, 4, 5
KL, BURG, CHI_SQUARE, L2 = 0, 1, 2, 3


@njit(cache=True, nogil=True)
def longest_row(row_ptr: UIntArray) -> int:
    """Return how many outcomes the longest row has."""
    longest = np.int64(0)
    for row in range(row_ptr.size - 1):
        longest = max(longest, np.int64(row_ptr[row + 1] - row_ptr[row]))
    return int(longest)


@njit(cache=True, nogil=True)
def worths(
    start: int,
    stop: int,
    next_state: UIntArray,
    paid: FloatArray,
    gamma: float,
    v: FloatArray,
    z: FloatArray,
) -> None:
    """Write what the outcomes of a row are worth into the first entries of ``z``."""
    for i in range(stop - start):
        z[i] = gamma * v[next_state[start + i]]
        if paid.size > 0:
            z[i] += paid[start + i]


@njit(cache=True, nogil=True)
def _with_sink(
    kind: int, p: FloatArray, z: FloatArray, least: float, radius: float, q: FloatArray
) -> tuple[float, float, float]:
    """Let nature use one more outcome, of worth ``least``: return value, multiplier, its mass."""
    n = p.size
    more_p, more_z, more_q = np.zeros(n + 1), np.empty(n + 1), np.empty(n + 1)
    more_p[:n], more_z[:n] = p, z
    more_z[n] = least
    if kind == L1:
        value, _, lam, _ = l1_row(more_p, more_z, radius, more_q)
    else:
        value, _, lam, _ = contamination_row(more_p, more_z, radius, more_q)
    q[:] = more_q[:n]
    return value, lam, more_q[n]


@njit(cache=True, nogil=True)
def polyhedral_reply(
    kind: int,
    row_ptr: UIntArray,
    next_state: UIntArray,
    prob: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    paid: FloatArray,
    radius: FloatArray,
    weights: FloatArray,
    sink: int,
    gamma: float,
    v: FloatArray,
    prob_out: FloatArray,
    extra: FloatArray,
    value: FloatArray,
    multiplier: FloatArray,
    level: FloatArray,
) -> None:
    """Write the worst rows of a polytope, their values and dual variables.

    With ``sink >= 0`` nature may also use that state where a row does not list it: ``extra`` gets
    its mass.
    """
    longest = longest_row(row_ptr)
    scratch, low, high = np.empty(longest), np.empty(longest), np.empty(longest)
    for row in range(value.size):
        start, stop = int(np.int64(row_ptr[row])), int(np.int64(row_ptr[row + 1]))
        n = stop - start
        p, q, z = prob[start:stop], prob_out[start:stop], scratch[:n]
        worths(start, stop, next_state, paid, gamma, v, z)
        extra[row] = multiplier[row] = level[row] = 0.0
        if kind <= CONTAMINATION:
            listed = sink < 0
            for k in range(start, stop):
                listed = listed or next_state[k] == sink
            if not listed:
                value[row], multiplier[row], extra[row] = _with_sink(
                    kind, p, z, gamma * v[sink], radius[row], q
                )
            elif kind == L1:
                value[row], _, multiplier[row], _ = l1_row(p, z, radius[row], q)
            else:
                value[row], _, _, _ = contamination_row(p, z, radius[row], q)
        elif kind == WEIGHTED_L1:
            w = weights[next_state[start:stop]]
            value[row], _, multiplier[row], _ = weighted_l1_row(p, z, w, radius[row], q)
        elif kind == INTERVAL:
            value[row], _, _, level[row] = interval_row(lower[start:stop], upper[start:stop], z, q)
        else:
            for i in range(n):
                if kind == LINF:
                    low[i], high[i] = max(p[i] - radius[row], 0.0), min(p[i] + radius[row], 1.0)
                else:
                    low[i], high[i] = 0.0, min(p[i], radius[row]) / radius[row]
            value[row], _, _, level[row] = interval_row(low[:n], high[:n], z, q)


@njit(cache=True, nogil=True)
def divergence_reply(
    kind: int,
    row_ptr: UIntArray,
    next_state: UIntArray,
    prob: FloatArray,
    paid: FloatArray,
    radius: FloatArray,
    gamma: float,
    v: FloatArray,
    prob_out: FloatArray,
    value: FloatArray,
    multiplier: FloatArray,
    level: FloatArray,
) -> float:
    """Write the worst rows of a smooth ball, values and dual variables.

    Returns the largest distance of a value to the bound that proves it.
    """
    slack, scratch = 0.0, np.empty(longest_row(row_ptr))
    for row in range(value.size):
        start, stop = int(np.int64(row_ptr[row])), int(np.int64(row_ptr[row + 1]))
        p, q, z = prob[start:stop], prob_out[start:stop], scratch[: stop - start]
        worths(start, stop, next_state, paid, gamma, v, z)
        if kind == KL:
            answer = kl_row(p, z, radius[row], q)
        elif kind == BURG:
            answer = burg_row(p, z, radius[row], q)
        elif kind == CHI_SQUARE:
            answer = chi_square_row(p, z, radius[row], q)
        else:
            answer = l2_row(p, z, radius[row], q)
        value[row], _, multiplier[row], level[row] = answer
        slack = max(slack, answer[0] - answer[1])
    return slack


@njit(cache=True, nogil=True)
def transport_reply(
    row_ptr: UIntArray,
    next_state: UIntArray,
    prob: FloatArray,
    paid: FloatArray,
    radius: FloatArray,
    cost: FloatArray,
    gamma: float,
    v: FloatArray,
    prob_out: FloatArray,
    value: FloatArray,
    multiplier: FloatArray,
    place: IntArray,
    split: IntArray,
    part: FloatArray,
) -> None:
    """Write the worst rows of a Wasserstein ball and the moves that make them.

    The mass of outcome k goes to ``place[k]``; of outcome ``split[row, 0]`` however ``part[row]``
    goes to ``split[row, 1]``.
    """
    z = np.empty(v.size)
    for row in range(value.size):
        start, stop = int(np.int64(row_ptr[row])), int(np.int64(row_ptr[row + 1]))
        worths(start, stop, next_state, paid, gamma, v, z)
        value[row], _, multiplier[row], split[row, 0], split[row, 1], part[row] = wasserstein_plan(
            prob[start:stop], z, cost, radius[row], prob_out[start:stop], place[start:stop]
        )


@njit(cache=True, nogil=True)
def best_option(
    first: int,
    last: int,
    row_options: UIntArray,
    option_ptr: UIntArray,
    next_state: UIntArray,
    prob: FloatArray,
    paid: FloatArray,
    reward: FloatArray,
    gamma: float,
    v: FloatArray,
    value: FloatArray,
    chosen: UIntArray,
) -> None:
    """Write the value of nature's best option for each row, and which it is."""
    for row in range(first, last):
        least = np.inf
        for option in range(row_options[row], row_options[row + 1]):
            mean, pay = 0.0, 0.0
            for k in range(option_ptr[option], option_ptr[option + ONE]):
                mean += prob[k] * v[next_state[k]]
                if paid.size > 0:
                    pay += prob[k] * paid[k]
            worth = pay + gamma * mean
            if worth < least:
                least, chosen[row] = worth, option
        value[row] = reward[row] + least
