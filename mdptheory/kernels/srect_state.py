"""A state of an s-rectangular set around a convex distance: which distance, and its rows' data."""

import math

import numpy as np
from numba import njit

from mdptheory._typing import FloatArray, UIntArray
from mdptheory.kernels import srect_rows as one
from mdptheory.kernels.bellman import ONE
from mdptheory.kernels.srect import read_row

KL, BURG, CHI_SQUARE, WEIGHTED_L1 = 0, 1, 2, 3
STEPS = 200
ULPS = 4e-16
TIGHT = 1e-13  # relative distance from the budget at which a root is good enough
SMALL = 1e-280  # relative to the whole range, a level is as good as its lower end


@njit(cache=True, nogil=True)
def load(
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
def floor_distance(
    kind: int, gap: float, x: FloatArray, w: FloatArray, weights: FloatArray
) -> float:
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
