"""Sweeps of the Bellman operators over state-action rows.

A row set covers consecutive states from ``first`` on: state ``first + i`` owns the rows
``choice_ptr[i]:choice_ptr[i + 1]``. Index arrays are unsigned (`uint32` columns, `uint64`
pointers): a signed index costs a wrap-around test at each load, which halves the speed. Kernels
release the GIL, so that Python threads can share a sweep; across states they reduce minima and
maxima only, so results do not depend on the number of threads.
"""

import numpy as np
from numba import njit

from mdptheory._typing import FloatArray, UIntArray

ONE = np.uint64(1)


@njit(cache=True, nogil=True)
def dense_mean(start: int, prob: FloatArray, v: FloatArray) -> float:
    """Return ``P v`` of a row that stores every state; eight partial sums let it vectorise."""
    p = prob[start : start + np.uint64(v.size)]
    a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = 0.0
    head = v.size - v.size % 8
    for k in range(0, head, 8):
        a0 += p[k] * v[k]
        a1 += p[k + 1] * v[k + 1]
        a2 += p[k + 2] * v[k + 2]
        a3 += p[k + 3] * v[k + 3]
        a4 += p[k + 4] * v[k + 4]
        a5 += p[k + 5] * v[k + 5]
        a6 += p[k + 6] * v[k + 6]
        a7 += p[k + 7] * v[k + 7]
    total = ((a0 + a1) + (a2 + a3)) + ((a4 + a5) + (a6 + a7))
    for k in range(head, v.size):
        total += p[k] * v[k]
    return total


@njit(cache=True, nogil=True)
def greedy_sweep(
    first: int,
    choice_ptr: UIntArray,
    row_ptr: UIntArray,
    next_state: UIntArray,
    prob: FloatArray,
    reward: FloatArray,
    gamma: float,
    v: FloatArray,
    q: FloatArray,
    out: FloatArray,
    best: UIntArray,
) -> tuple[float, float]:
    """Write ``out[s] = max_a r + gamma P v``, each row's value and the first maximising row.

    Returns the smallest and the largest ``out - v``.
    """
    low, high = np.inf, -np.inf
    for i in range(choice_ptr.size - 1):
        s = first + i
        top = -np.inf
        arg = choice_ptr[i]
        start = row_ptr[arg]
        for row in range(choice_ptr[i], choice_ptr[i + 1]):
            stop = row_ptr[row + ONE]
            mean = 0.0
            for k in range(start, stop):
                mean += prob[k] * v[next_state[k]]
            start = stop
            value = reward[row] + gamma * mean
            q[row] = value
            if value > top:
                top, arg = value, row
        out[s] = top
        best[s] = arg
        step = top - v[s]
        low, high = min(low, step), max(high, step)
    return low, high


@njit(cache=True, nogil=True)
def greedy_sweep_dense(
    first: int,
    choice_ptr: UIntArray,
    row_ptr: UIntArray,
    next_state: UIntArray,
    prob: FloatArray,
    reward: FloatArray,
    gamma: float,
    v: FloatArray,
    q: FloatArray,
    out: FloatArray,
    best: UIntArray,
) -> tuple[float, float]:
    """Do the same when every row stores every state."""
    low, high = np.inf, -np.inf
    for i in range(choice_ptr.size - 1):
        s = first + i
        top = -np.inf
        arg = choice_ptr[i]
        for row in range(choice_ptr[i], choice_ptr[i + 1]):
            value = reward[row] + gamma * dense_mean(row_ptr[row], prob, v)
            q[row] = value
            if value > top:
                top, arg = value, row
        out[s] = top
        best[s] = arg
        step = top - v[s]
        low, high = min(low, step), max(high, step)
    return low, high


@njit(cache=True, nogil=True)
def best_reward(
    first: int,
    choice_ptr: UIntArray,
    reward: FloatArray,
    shift: float,
    q: FloatArray,
    out: FloatArray,
    best: UIntArray,
) -> tuple[float, float]:
    """Do the greedy sweep of a constant ``v``, with ``gamma v = shift``: no transition is read."""
    low, high = np.inf, -np.inf
    for i in range(choice_ptr.size - 1):
        s = first + i
        top = -np.inf
        arg = choice_ptr[i]
        for row in range(choice_ptr[i], choice_ptr[i + 1]):
            q[row] = reward[row] + shift
            if q[row] > top:
                top, arg = q[row], row
        out[s] = top
        best[s] = arg
        low, high = min(low, top), max(high, top)
    return low, high


@njit(cache=True, nogil=True)
def pack_rows(
    first: int,
    choice_ptr: UIntArray,
    row_ptr: UIntArray,
    next_state: UIntArray,
    prob: FloatArray,
    reward: FloatArray,
    origin: UIntArray,
    q: FloatArray,
    out: FloatArray,
    threshold: float,
    best: UIntArray,
    k_choice: UIntArray,
    k_row: UIntArray,
    k_next: UIntArray,
    k_prob: FloatArray,
    k_reward: FloatArray,
    k_origin: UIntArray,
) -> tuple[int, int]:
    """Copy the rows within ``threshold`` of their state's best into a row set of their own.

    ``best`` is renumbered to the copy; returns how many rows and transitions were kept.
    """
    rows = np.uint64(0)
    size = np.uint64(0)
    k_choice[0] = rows
    k_row[0] = size
    for i in range(choice_ptr.size - 1):
        s = first + i
        arg = best[s]
        limit = out[s] - threshold
        for row in range(choice_ptr[i], choice_ptr[i + 1]):
            if q[row] < limit and row != arg:
                continue
            for k in range(row_ptr[row], row_ptr[row + ONE]):
                k_next[size] = next_state[k]
                k_prob[size] = prob[k]
                size += ONE
            k_reward[rows] = reward[row]
            k_origin[rows] = origin[row]
            if row == arg:
                best[s] = rows
            rows += ONE
            k_row[rows] = size
        k_choice[i + 1] = rows
    return int(rows), int(size)


@njit(cache=True, nogil=True)
def copy_rows(
    first: int,
    chosen: UIntArray,
    row_ptr: UIntArray,
    next_state: UIntArray,
    prob: FloatArray,
    reward: FloatArray,
    out_ptr: UIntArray,
    out_next: UIntArray,
    out_prob: FloatArray,
    out_reward: FloatArray,
) -> int:
    """Copy one chosen row a state into a compact CSR, which evaluation sweeps stream in order."""
    k = np.uint64(0)
    out_ptr[0] = k
    for i in range(out_reward.size):
        row = chosen[first + i]
        for j in range(row_ptr[row], row_ptr[row + ONE]):
            out_next[k] = next_state[j]
            out_prob[k] = prob[j]
            k += ONE
        out_ptr[i + 1] = k
        out_reward[i] = reward[row]
    return int(k)


@njit(cache=True, nogil=True)
def policy_sweep(
    first: int,
    ptr: UIntArray,
    next_state: UIntArray,
    prob: FloatArray,
    reward: FloatArray,
    gamma: float,
    v: FloatArray,
    out: FloatArray,
) -> tuple[float, float]:
    """Write one policy's ``out = r + gamma P v``; return the extremes of ``out - v``."""
    low, high = np.inf, -np.inf
    start = ptr[0]
    for i in range(reward.size):
        stop = ptr[i + 1]
        mean = 0.0
        for k in range(start, stop):
            mean += prob[k] * v[next_state[k]]
        start = stop
        value = reward[i] + gamma * mean
        s = first + i
        out[s] = value
        step = value - v[s]
        low, high = min(low, step), max(high, step)
    return low, high


@njit(cache=True, nogil=True)
def policy_sweep_dense(
    first: int,
    ptr: UIntArray,
    next_state: UIntArray,
    prob: FloatArray,
    reward: FloatArray,
    gamma: float,
    v: FloatArray,
    out: FloatArray,
) -> tuple[float, float]:
    """Do the same when every row stores every state."""
    low, high = np.inf, -np.inf
    for i in range(reward.size):
        value = reward[i] + gamma * dense_mean(ptr[i], prob, v)
        s = first + i
        out[s] = value
        step = value - v[s]
        low, high = min(low, step), max(high, step)
    return low, high


@njit(cache=True, nogil=True)
def policy_sweeps(
    ptr: UIntArray,
    next_state: UIntArray,
    prob: FloatArray,
    reward: FloatArray,
    gamma: float,
    v: FloatArray,
    other: FloatArray,
    goal: float,
    limit: int,
) -> tuple[int, float, float]:
    """Sweep until the span of the step is at most ``goal``; the result is left in ``v``.

    Returns the number of sweeps and the extremes of the last step.
    """
    low, high = 0.0, 0.0
    for count in range(1, limit + 1):
        if count % 2:
            low, high = policy_sweep(0, ptr, next_state, prob, reward, gamma, v, other)
        else:
            low, high = policy_sweep(0, ptr, next_state, prob, reward, gamma, other, v)
        if high - low <= goal or count == limit:
            break
    if count % 2:
        v[:] = other
    return count, low, high
