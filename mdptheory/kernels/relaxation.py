"""In-place sweeps and a preconditioned Krylov method, for models in which values travel slowly."""

import numpy as np
from numba import njit

from mdptheory._typing import FloatArray, UIntArray
from mdptheory.kernels.bellman import ONE


@njit(cache=True, nogil=True)
def greedy_in_place(
    backwards: bool,
    choice_ptr: UIntArray,
    row_ptr: UIntArray,
    next_state: UIntArray,
    prob: FloatArray,
    reward: FloatArray,
    gamma: float,
    v: FloatArray,
    best: UIntArray,
) -> float:
    """Update each state's value to its best row's, solving for the row's own self-loop.

    Returns the largest change of a value.
    """
    change = 0.0
    n = v.size
    for i in range(n):
        s = n - 1 - i if backwards else i
        top = -np.inf
        arg = choice_ptr[s]
        for row in range(choice_ptr[s], choice_ptr[s + 1]):
            mean = own = 0.0
            for k in range(row_ptr[row], row_ptr[row + ONE]):
                mean += prob[k] * v[next_state[k]]
                if next_state[k] == s:
                    own += prob[k]
            value = v[s] + (reward[row] + gamma * mean - v[s]) / (1.0 - gamma * own)
            if value > top:
                top, arg = value, row
        best[s] = arg
        change = max(change, abs(top - v[s]))
        v[s] = top
    return change


@njit(cache=True, nogil=True)
def diagonal(
    ptr: UIntArray, next_state: UIntArray, prob: FloatArray, gamma: float, inverse: FloatArray
) -> None:
    """Write the inverse diagonal of ``I - gamma P``."""
    for s in range(inverse.size):
        own = 0.0
        for k in range(ptr[s], ptr[s + 1]):
            if next_state[k] == s:
                own += prob[k]
        inverse[s] = 1.0 / (1.0 - gamma * own)


@njit(cache=True, nogil=True)
def gauss_seidel(
    ptr: UIntArray,
    next_state: UIntArray,
    prob: FloatArray,
    gamma: float,
    inverse: FloatArray,
    b: FloatArray,
    x: FloatArray,
) -> None:
    """Run one symmetric Gauss-Seidel sweep on ``(I - gamma P) x = b``, in place."""
    n = x.size
    for s in range(n):
        mean = 0.0
        for k in range(ptr[s], ptr[s + 1]):
            mean += prob[k] * x[next_state[k]]
        x[s] += (b[s] + gamma * mean - x[s]) * inverse[s]
    for i in range(n):
        s = n - 1 - i
        mean = 0.0
        for k in range(ptr[s], ptr[s + 1]):
            mean += prob[k] * x[next_state[k]]
        x[s] += (b[s] + gamma * mean - x[s]) * inverse[s]


@njit(cache=True, nogil=True)
def apply_system(
    ptr: UIntArray,
    next_state: UIntArray,
    prob: FloatArray,
    gamma: float,
    x: FloatArray,
    out: FloatArray,
) -> None:
    """Write ``(I - gamma P) x``."""
    for s in range(x.size):
        mean = 0.0
        for k in range(ptr[s], ptr[s + 1]):
            mean += prob[k] * x[next_state[k]]
        out[s] = x[s] - gamma * mean


@njit(cache=True, nogil=True)
def largest(x: FloatArray) -> float:
    """Return the sup norm; NaN if an entry is NaN."""
    top = 0.0
    for i in range(x.size):
        size = abs(x[i])
        if np.isnan(size):
            return size
        top = max(top, size)
    return top


@njit(cache=True, nogil=True)
def bicgstab(
    ptr: UIntArray,
    next_state: UIntArray,
    prob: FloatArray,
    gamma: float,
    inverse: FloatArray,
    b: FloatArray,
    x: FloatArray,
    goal: float,
    limit: int,
) -> tuple[int, float]:
    """Solve ``(I - gamma P) x = b`` from ``x``, preconditioned by symmetric Gauss-Seidel.

    Stops when the residual's sup norm is at most ``goal``, at a breakdown, or after ``limit``
    steps; ``x`` then is the best iterate seen. Returns the number of steps and the best residual.
    """
    n = x.size
    r, shadow, p, y = np.empty(n), np.empty(n), np.zeros(n), np.empty(n)
    ap, t = np.zeros(n), np.empty(n)
    apply_system(ptr, next_state, prob, gamma, x, r)
    r[:] = b - r
    shadow[:] = r
    keep = x.copy()
    lowest = largest(r)
    rho = alpha = omega = 1.0
    steps = 0
    while steps < limit and lowest > goal:
        steps += 1
        old, rho = rho, np.dot(shadow, r)
        if rho == 0.0 or omega == 0.0 or not np.isfinite(rho):
            break
        beta = (rho / old) * (alpha / omega)
        for i in range(n):
            p[i] = r[i] + beta * (p[i] - omega * ap[i])
            y[i] = 0.0
        gauss_seidel(ptr, next_state, prob, gamma, inverse, p, y)
        apply_system(ptr, next_state, prob, gamma, y, ap)
        scale = np.dot(shadow, ap)
        if scale == 0.0:
            break
        alpha = rho / scale
        for i in range(n):
            x[i] += alpha * y[i]
            r[i] -= alpha * ap[i]
            y[i] = 0.0
        gauss_seidel(ptr, next_state, prob, gamma, inverse, r, y)
        apply_system(ptr, next_state, prob, gamma, y, t)
        size = np.dot(t, t)
        omega = np.dot(t, r) / size if size > 0.0 else 0.0
        for i in range(n):
            x[i] += omega * y[i]
            r[i] -= omega * t[i]
        now = largest(r)
        if now < lowest:
            lowest = now
            keep[:] = x
        elif not now < 1e6 * lowest:
            break
    x[:] = keep
    return steps, lowest
