"""Widths of a fit, and the policies that follow its values: greedy, soft, mirrored."""

import math

from numba import njit

from mdptheory._typing import FloatArray
from mdptheory.kernels.exponential import exp_below
from mdptheory.kernels.linear_records import ELLIPTIC, L1, L2


@njit(cache=True, nogil=True)
def write_spread(
    bonus: int,
    inverse: FloatArray,
    size: float,
    slope: FloatArray,
    offset: FloatArray,
    spread: FloatArray,
) -> None:
    """Write the width of each factor; without its standard error for elliptic widths."""
    for i in range(spread.size):
        spread[i] = slope[i] * size + offset[i]
        if bonus != ELLIPTIC:
            spread[i] *= math.sqrt(max(inverse[i, i], 0.0))


@njit(cache=True, nogil=True)
def l1_widths(phi: FloatArray, spread: FloatArray, width: FloatArray) -> None:
    """Write ``phi @ spread``; ``phi`` is (d, S, A), so that actions are next to each other."""
    for s in range(width.shape[0]):
        for a in range(width.shape[1]):
            width[s, a] = phi[0, s, a] * spread[0]
        for i in range(1, spread.size):
            for a in range(width.shape[1]):
                width[s, a] += phi[i, s, a] * spread[i]


@njit(cache=True, nogil=True)
def l2_widths(phi: FloatArray, spread: FloatArray, width: FloatArray) -> None:
    """Write the root of the sum of squares of the terms of ``phi @ spread``."""
    for s in range(width.shape[0]):
        width[s] = 0.0
        for i in range(spread.size):
            for a in range(width.shape[1]):
                term = phi[i, s, a] * spread[i]
                width[s, a] += term * term
        for a in range(width.shape[1]):
            width[s, a] = math.sqrt(width[s, a])


@njit(cache=True, nogil=True)
def elliptic_widths(
    phi: FloatArray, inverse: FloatArray, spread: FloatArray, width: FloatArray
) -> None:
    """Write the norm of ``spread * phi`` in the metric of ``inverse``."""
    for s in range(width.shape[0]):
        width[s] = 0.0
        for i in range(spread.size):
            for j in range(i + 1):
                pair = spread[i] * inverse[i, j] * spread[j] * (1.0 if i == j else 2.0)
                for a in range(width.shape[1]):
                    width[s, a] += phi[i, s, a] * phi[j, s, a] * pair
        for a in range(width.shape[1]):
            width[s, a] = math.sqrt(max(width[s, a], 0.0))


@njit(cache=True, nogil=True)
def write_widths(
    bonus: int, phi: FloatArray, inverse: FloatArray, spread: FloatArray, width: FloatArray
) -> None:
    """Write the width of each state and action."""
    if bonus == L1:
        l1_widths(phi, spread, width)
    elif bonus == L2:
        l2_widths(phi, spread, width)
    else:
        elliptic_widths(phi, inverse, spread, width)


@njit(cache=True, nogil=True)
def act_greedily(q: FloatArray, pi: FloatArray, v: FloatArray) -> None:
    """Put all mass on the first best action of each state; write its value."""
    for s in range(q.shape[0]):
        best = 0
        for a in range(q.shape[1]):
            pi[s, a] = 0.0
            if q[s, a] > q[s, best]:
                best = a
        pi[s, best] = 1.0
        v[s] = q[s, best]


@njit(cache=True, nogil=True)
def act_softly(
    q: FloatArray,
    log_reference: FloatArray,
    tau: float,
    keep: float,
    scratch: FloatArray,
    log_pi: FloatArray,
    pi: FloatArray,
    v: FloatArray,
) -> None:
    """Write policy and values of each state.

    With ``keep = 0``, ``pi`` maximises ``pi @ q - tau KL(pi || reference)``; otherwise there is a
    further charge of ``keep KL(pi || old pi)``, which the value does not count.
    """
    scale = 1.0 / (tau + keep)
    for s in range(v.size):
        if keep > 0.0:
            for a in range(q.shape[1]):
                x = tau * log_reference[s, a] + keep * log_pi[s, a] + q[s, a]
                log_pi[s, a] = scale * x
        else:
            for a in range(q.shape[1]):
                log_pi[s, a] = log_reference[s, a] + scale * q[s, a]
        v[s] = log_pi[s, 0]
        for a in range(q.shape[1]):
            v[s] = max(v[s], log_pi[s, a])
        for a in range(q.shape[1]):
            log_pi[s, a] -= v[s]
    exp_below(log_pi.reshape(-1), scratch, pi.reshape(-1))
    for s in range(v.size):
        total = 0.0
        for a in range(q.shape[1]):
            total += pi[s, a]
        log_total, share = math.log(total), 1.0 / total
        for a in range(q.shape[1]):
            pi[s, a] *= share
            log_pi[s, a] -= log_total
        v[s] = tau * (v[s] + log_total)
        if keep > 0.0:
            v[s] = 0.0
            for a in range(q.shape[1]):
                v[s] += pi[s, a] * (q[s, a] - tau * (log_pi[s, a] - log_reference[s, a]))
