"""Discounted return of one policy's runs."""

import numpy as np
from numba import njit

from mdptheory._typing import FloatArray, UIntArray


@njit(cache=True, nogil=True)
def returns(
    start: FloatArray,
    ptr: UIntArray,
    next_state: UIntArray,
    cumulative: FloatArray,
    reward: FloatArray,
    gamma: float,
    horizon: int,
    rng: np.random.Generator,
    out: FloatArray,
) -> None:
    """Fill ``out`` with one discounted return a run of at most ``horizon`` steps.

    ``start`` and the rows of ``cumulative`` are distribution functions that end with exactly 1. A
    run ends early in a state without reward that leads to itself only.
    """
    for i in range(out.size):
        s = np.uint64(np.searchsorted(start, rng.random(), side="right"))
        total, weight = 0.0, 1.0
        for _ in range(horizon):
            low, high = ptr[s], ptr[s + np.uint64(1)]
            total += weight * reward[s]
            weight *= gamma
            if high - low == np.uint64(1):
                if np.uint64(next_state[low]) == s and reward[s] == 0.0:
                    break
                s = np.uint64(next_state[low])
                continue
            u = rng.random()
            while cumulative[low] <= u:
                low += np.uint64(1)
            s = np.uint64(next_state[low])
        out[i] = total
