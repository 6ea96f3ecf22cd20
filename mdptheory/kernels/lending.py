"""One round of lending: an applicant, a decision, and the credit cluster that moves with it.

A state holds the cluster distributions of both groups, one after the other, then the cash.
"""

from typing import NamedTuple

from numba import njit

from mdptheory._typing import FloatArray, IntArray

# Channels: reward, service, then the counts of both groups
SERVICE, RATE = 1, 2


class Lending(NamedTuple):
    """Two groups over C credit clusters, and from which cluster on an arm accepts."""

    success: FloatArray  # (C,)
    group_probs: FloatArray  # (2,)
    lowest: IntArray  # (2, K): C accepts nobody
    shift: float
    interest: float
    loan: float


@njit(cache=True, nogil=True)
def lending_means(it: Lending, z: FloatArray, arm: int, out: FloatArray) -> None:
    """Write the mean of every channel; without cash for a loan nobody is accepted."""
    n = len(it.success)
    out[:] = 0.0
    if z[2 * n] < it.loan:
        return
    for g in range(2):
        rate = profit = 0.0
        for c in range(it.lowest[g, arm], n):
            rate += z[g * n + c]
            profit += z[g * n + c] * (it.success[c] * (1.0 + it.interest) - 1.0)
        out[0] += it.group_probs[g] * profit
        out[SERVICE] += it.group_probs[g] * rate
        out[RATE + g] = rate


@njit(cache=True, nogil=True)
def applicant(it: Lending, z: FloatArray, arm: int, u: FloatArray) -> tuple[int, int, bool, bool]:
    """Return group, cluster, whether accepted, and whether the loan is repaid."""
    n = len(it.success)
    g = 0 if u[0] < it.group_probs[0] else 1
    c, rest = 0, u[1] - z[g * n]
    while rest >= 0.0 and c < n - 1:  # masses sum to 1 but for rounding
        c += 1
        rest -= z[g * n + c]
    while z[g * n + c] <= 0.0 and c > 0:  # the last cluster may be empty
        c -= 1
    accepted = z[2 * n] >= it.loan and c >= it.lowest[g, arm]
    return g, c, accepted, u[2] < it.success[c]


@njit(cache=True, nogil=True)
def lending_round(
    it: Lending, z: FloatArray, arm: int, u: FloatArray, x: FloatArray, w: FloatArray
) -> None:
    """Draw an applicant from three uniforms; ``x`` gets values and hits, ``w`` ones and trials."""
    g, _, accepted, repaid = applicant(it, z, arm, u)
    x[:] = 0.0
    w[:] = 0.0
    w[0] = w[SERVICE] = w[RATE + g] = 1.0
    if accepted:
        x[0] = it.interest if repaid else -1.0
        x[SERVICE] = x[RATE + g] = 1.0


@njit(cache=True, nogil=True)
def lending_advance(it: Lending, z: FloatArray, arm: int, u: FloatArray) -> None:
    """Move the state by the applicant that the same uniforms gave `lending_round`."""
    n = len(it.success)
    g, c, accepted, repaid = applicant(it, z, arm, u)
    if not accepted:
        return
    z[2 * n] += it.loan * it.interest if repaid else -it.loan
    to = min(c + 1, n - 1) if repaid else max(c - 1, 0)
    mass = min(it.shift, z[g * n + c])
    z[g * n + c] -= mass
    z[g * n + to] += mass


@njit(cache=True, nogil=True)
def lending_drift(it: Lending, z: FloatArray, arm: int, out: FloatArray) -> None:
    """Write the next state without noise.

    It is the mean of the next state while every accepted cluster that has applicants holds at
    least ``shift``; linear in the clusters, where the mean itself is not.
    """
    n = len(it.success)
    for i in range(len(z)):
        out[i] = z[i]
    if z[2 * n] < it.loan:
        return
    for g in range(2):
        for c in range(it.lowest[g, arm], n):
            mass = it.group_probs[g] * z[g * n + c]
            up, moved = it.success[c], it.shift * mass
            out[g * n + c] -= moved
            out[g * n + min(c + 1, n - 1)] += moved * up
            out[g * n + max(c - 1, 0)] += moved * (1.0 - up)
            out[2 * n] += it.loan * mass * (up * (1.0 + it.interest) - 1.0)
