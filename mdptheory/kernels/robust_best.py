"""From row values to state values: the greedy choice and a policy's mixture."""

import numpy as np
from numba import njit

from mdptheory._typing import FloatArray, UIntArray


@njit(cache=True, nogil=True)
def best_rows(
    first: int,
    last: int,
    choice_ptr: UIntArray,
    q: FloatArray,
    v: FloatArray,
    out: FloatArray,
    best: UIntArray,
) -> tuple[float, float]:
    """Write the largest row value of each state and the first row that has it.

    Returns the smallest and the largest ``out - v``.
    """
    low, high = np.inf, -np.inf
    for s in range(first, last):
        top = -np.inf
        arg = choice_ptr[s]
        for row in range(choice_ptr[s], choice_ptr[s + 1]):
            if q[row] > top:
                top, arg = q[row], row
        out[s] = top
        best[s] = arg
        low, high = min(low, top - v[s]), max(high, top - v[s])
    return low, high


@njit(cache=True, nogil=True)
def mixed_rows(
    first: int,
    last: int,
    choice_ptr: UIntArray,
    weight: FloatArray,
    q: FloatArray,
    v: FloatArray,
    out: FloatArray,
) -> tuple[float, float]:
    """Write the weighted sum of each state's row values; return the extremes of ``out - v``."""
    low, high = np.inf, -np.inf
    for s in range(first, last):
        total = 0.0
        for row in range(choice_ptr[s], choice_ptr[s + 1]):
            total += weight[row] * q[row]
        out[s] = total
        low, high = min(low, total - v[s]), max(high, total - v[s])
    return low, high
