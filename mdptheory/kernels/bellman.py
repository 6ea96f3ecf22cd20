"""Sweeps of the Bellman operators over state-action rows.

Index arrays are unsigned (`uint32` columns, `uint64` pointers): a signed index costs a wrap-around
test at each load, which halves the speed. Every kernel releases the GIL and works on a range of
states, so that Python threads can share a sweep; nothing is reduced across states except minima and
maxima, so results do not depend on the number of threads.
"""

import numpy as np
from numba import njit

ONE = np.uint64(1)


@njit(cache=True, nogil=True)
def greedy_sweep(
    first, last, choice_ptr, rows, row_ptr, next_state, prob, reward, gamma, v, q, out, best
):
    """Apply ``out[s] = max_a r + gamma P v`` to states ``first..last`` over the listed rows.

    Writes each listed row's value into ``q`` and the first maximising row into ``best``; returns
    the smallest and the largest ``out - v``.
    """
    low, high = np.inf, -np.inf
    for s in range(first, last):
        top = -np.inf
        arg = rows[choice_ptr[s]]
        for j in range(choice_ptr[s], choice_ptr[s + 1]):
            row = rows[j]
            mean = 0.0
            for k in range(row_ptr[row], row_ptr[row + ONE]):
                mean += prob[k] * v[next_state[k]]
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
    first, last, choice_ptr, rows, row_ptr, next_state, prob, reward, gamma, v, q, out, best
):
    """Do the same when every row stores every state: eight partial sums let the loop vectorise."""
    low, high = np.inf, -np.inf
    n = v.size
    head = n - n % 8
    for s in range(first, last):
        top = -np.inf
        arg = rows[choice_ptr[s]]
        for j in range(choice_ptr[s], choice_ptr[s + 1]):
            row = rows[j]
            p = prob[row_ptr[row] : row_ptr[row + ONE]]
            value = reward[row] + gamma * dense_dot(p, v, n, head)
            q[row] = value
            if value > top:
                top, arg = value, row
        out[s] = top
        best[s] = arg
        step = top - v[s]
        low, high = min(low, step), max(high, step)
    return low, high


@njit(cache=True, nogil=True)
def dense_dot(p, v, n, head):
    """Dot product with eight fixed partial sums (the same bits on every machine width)."""
    a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = 0.0
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
    for k in range(head, n):
        total += p[k] * v[k]
    return total


@njit(cache=True, nogil=True)
def best_reward(choice_ptr, rows, reward, q, out, best):
    """Greedy sweep for ``v = 0``: no transition is read."""
    low, high = np.inf, -np.inf
    for s in range(out.size):
        top = -np.inf
        arg = rows[choice_ptr[s]]
        for j in range(choice_ptr[s], choice_ptr[s + 1]):
            row = rows[j]
            q[row] = reward[row]
            if reward[row] > top:
                top, arg = reward[row], row
        out[s] = top
        best[s] = arg
        low, high = min(low, top), max(high, top)
    return low, high


@njit(cache=True, nogil=True)
def keep_rows(choice_ptr, rows, q, top, threshold, kept_ptr, kept):
    """List the rows whose value is within ``threshold`` of their state's best; return how many."""
    count = 0
    kept_ptr[0] = 0
    for s in range(top.size):
        for j in range(choice_ptr[s], choice_ptr[s + 1]):
            row = rows[j]
            if q[row] >= top[s] - threshold:
                kept[count] = row
                count += 1
        kept_ptr[s + 1] = count
    return count


@njit(cache=True, nogil=True)
def copy_rows(chosen, row_ptr, next_state, prob, reward, out_ptr, out_next, out_prob, out_reward):
    """Copy one row a state into a compact CSR, which evaluation sweeps stream in order."""
    k = np.uint64(0)
    out_ptr[0] = k
    for s in range(chosen.size):
        row = chosen[s]
        for j in range(row_ptr[row], row_ptr[row + ONE]):
            out_next[k] = next_state[j]
            out_prob[k] = prob[j]
            k += ONE
        out_ptr[s + 1] = k
        out_reward[s] = reward[row]


@njit(cache=True, nogil=True)
def policy_sweep(first, last, ptr, next_state, prob, reward, gamma, v, out):
    """Apply one policy's ``out = r + gamma P v`` to states ``first..last``; return the extremes."""
    low, high = np.inf, -np.inf
    for s in range(first, last):
        mean = 0.0
        for k in range(ptr[s], ptr[s + 1]):
            mean += prob[k] * v[next_state[k]]
        value = reward[s] + gamma * mean
        out[s] = value
        step = value - v[s]
        low, high = min(low, step), max(high, step)
    return low, high


@njit(cache=True, nogil=True)
def policy_sweep_dense(first, last, ptr, next_state, prob, reward, gamma, v, out):
    """Do the same when every row stores every state."""
    low, high = np.inf, -np.inf
    n = v.size
    head = n - n % 8
    for s in range(first, last):
        value = reward[s] + gamma * dense_dot(prob[ptr[s] : ptr[s + 1]], v, n, head)
        out[s] = value
        step = value - v[s]
        low, high = min(low, step), max(high, step)
    return low, high


@njit(cache=True, nogil=True)
def gauss_seidel_sweep(order, ptr, next_state, prob, reward, gamma, v):
    """Update one policy's values in place, state by state in the given order."""
    for i in range(order.size):
        s = order[i]
        mean = 0.0
        for k in range(ptr[s], ptr[s + ONE]):
            mean += prob[k] * v[next_state[k]]
        v[s] = reward[s] + gamma * mean


@njit(cache=True, nogil=True)
def gauss_seidel_from_zero(ptr, next_state, prob, gamma, b, x):
    """Run one in-place sweep on ``(I - gamma P) x = b`` from ``x = 0``: a triangular solve."""
    for s in range(b.size):
        mean = 0.0
        own = 0.0
        for k in range(ptr[s], ptr[s + 1]):
            if next_state[k] == s:
                own += prob[k]
            else:
                mean += prob[k] * x[next_state[k]]
        x[s] = (b[s] + gamma * mean) / (1.0 - gamma * own)
