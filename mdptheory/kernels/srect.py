"""What the kernels of s-rectangular sets share: reading a state's rows, and heaps.

The rows of a state share a budget. Local row ``a`` of a state is its row ``lo + a``, and the worths
of its outcomes lie side by side in a scratch array, from the first outcome of row ``lo`` on. Worths
are ``v`` itself (the ``scale`` is then gamma, so that nominal values keep the bits of the nominal
kernels), or what an outcome pays plus ``gamma v`` (the scale is then 1).
"""

from typing import Any

import numpy as np
from numba import njit

from mdptheory._typing import FloatArray, UIntArray


@njit(cache=True, nogil=True)
def signed(i: int) -> Any:
    """Return a signed index, whose sum with a literal stays an integer."""
    return np.int64(i)


@njit(cache=True, nogil=True)
def read_row(
    start: int,
    stop: int,
    origin: int,
    next_state: UIntArray,
    prob: FloatArray,
    paid: FloatArray,
    gamma: float,
    v: FloatArray,
    x: FloatArray,
) -> tuple[float, float]:
    """Write the worths of a row's outcomes; return the least of them and their nominal mean."""
    total, low = 0.0, np.inf
    if paid.size > 0:
        for k in range(start, stop):
            worth = paid[k] + gamma * v[next_state[k]]
            x[k - origin] = worth
            total += prob[k] * worth
            low = min(low, worth)
    else:
        for k in range(start, stop):
            worth = v[next_state[k]]
            x[k - origin] = worth
            total += prob[k] * worth
            low = min(low, worth)
    return low, total


@njit(cache=True, nogil=True)
def sift(key: FloatArray, item: FloatArray, base: int, i: int, size: int) -> None:
    """Let entry i of the heap of ``size`` from ``base`` on sink below larger keys."""
    k, it = key[base + i], item[base + i]
    while True:
        child = 2 * i + 1
        if child >= size:
            break
        if child + 1 < size and key[base + child + 1] > key[base + child]:
            child += 1
        if key[base + child] <= k:
            break
        key[base + i], item[base + i] = key[base + child], item[base + child]
        i = child
    key[base + i], item[base + i] = k, it


@njit(cache=True, nogil=True)
def heapify(key: FloatArray, item: FloatArray, base: int, size: int) -> None:
    """Order entries so that the largest key comes first."""
    for i in range(size // 2 - 1, -1, -1):
        sift(key, item, base, i, size)


@njit(cache=True, nogil=True)
def pop(key: FloatArray, item: FloatArray, base: int, size: int) -> None:
    """Drop the first entry of a heap of ``size``."""
    key[base], item[base] = key[base + size - 1], item[base + size - 1]
    sift(key, item, base, 0, size - 1)


@njit(cache=True, nogil=True)
def first_largest(values: FloatArray, count: int) -> int:
    """Return the first index of the largest of the first ``count`` values."""
    best = 0
    for a in range(1, count):
        if values[a] > values[best]:
            best = a
    return best
