"""Backward induction in a known linear MDP, against nature in each of its factors.

``nu[h, i]`` is what nature makes of ``v[h + 1]`` at factor i, ``q[h] = reward[h] + phi @ nu[h]``,
and ``v[h]`` is the largest ``q[h]``, its soft maximum ``tau log sum_a ref_a exp(q_a / tau)``, or
the worth ``sum_a pi_a (q_a - tau log(pi_a / ref_a))`` of a given policy.
"""

import math

from numba import njit

from mdptheory._typing import FloatArray
from mdptheory.kernels.factor import worst_factor

DEEP = 745.0  # exp(-DEEP) is the smallest float


@njit(cache=True, nogil=True)
def soft_maximum(q: FloatArray, reference: FloatArray, tau: float, pi: FloatArray) -> float:
    """Return ``tau log sum_a reference_a exp(q_a / tau)`` and write its weights into ``pi``."""
    top = q[0]
    for a in range(q.size):
        top = max(top, q[a])
    total, excess = 0.0, 0.0
    for a in range(q.size):
        below = q[a] - top
        x = below / tau if below > -DEEP * tau else -math.inf
        pi[a] = reference[a] * math.exp(x)
        total += pi[a]
        excess += reference[a] * math.expm1(x)
    for a in range(q.size):
        pi[a] /= total
    # The logarithm of a total near 1 is small; times a large tau its rounding would count.
    return top + tau * (math.log1p(excess) if total > 0.5 else math.log(total))


@njit(cache=True, nogil=True)
def greedy(q: FloatArray, pi: FloatArray) -> float:
    """Return the largest entry and put all of ``pi`` on the first that attains it."""
    best = 0
    for a in range(q.size):
        pi[a] = 0.0
        if q[a] > q[best]:
            best = a
    pi[best] = 1.0
    return q[best]


@njit(cache=True, nogil=True)
def charged_mean(q: FloatArray, pi: FloatArray, reference: FloatArray, tau: float) -> float:
    """Return ``sum_a pi_a (q_a - tau log(pi_a / reference_a))`` with 0 log 0 = 0."""
    mean, charge = 0.0, 0.0
    for a in range(q.size):
        if pi[a] > 0.0:
            mean += pi[a] * q[a]
            if tau > 0.0:
                charge += pi[a] * (math.log(pi[a]) - math.log(reference[a]))
    return mean - tau * charge


@njit(cache=True, nogil=True)
def action_values(phi: FloatArray, reward: FloatArray, nu: FloatArray, q: FloatArray) -> None:
    """Write ``reward + phi @ nu`` for one step."""
    for s in range(phi.shape[0]):
        for a in range(phi.shape[1]):
            total = 0.0
            for i in range(nu.size):
                total += phi[s, a, i] * nu[i]
            q[s, a] = reward[s, a] + total


@njit(cache=True, nogil=True)
def factor_worths(
    kind: int,
    level: FloatArray,
    mu: FloatArray,
    v: FloatArray,
    sink: int,
    nu: FloatArray,
    worst: FloatArray,
) -> None:
    """Write what nature makes of ``v`` at each factor of one step, and by which factors."""
    for i in range(nu.size):
        nu[i] = worst_factor(kind, level[i], mu[i], v, sink, worst[i])


@njit(cache=True, nogil=True)
def plan_backward(
    kind: int,
    level: FloatArray,
    phi: FloatArray,
    reward: FloatArray,
    mu: FloatArray,
    sink: int,
    tau: float,
    reference: FloatArray,
    given: bool,
    v: FloatArray,
    q: FloatArray,
    pi: FloatArray,
    nu: FloatArray,
    worst: FloatArray,
) -> None:
    """Write values, nature's replies and, unless ``pi`` is given, the best policy.

    ``phi`` has one leading entry if all steps share it; ``reference`` is read if tau is positive.
    """
    horizon, n_states = reward.shape[:2]
    v[horizon] = 0.0
    for h in range(horizon - 1, -1, -1):
        shared = h if phi.shape[0] > 1 else 0
        factor_worths(kind, level[h], mu[h], v[h + 1], sink, nu[h], worst[h])
        action_values(phi[shared], reward[h], nu[h], q[h])
        for s in range(n_states):
            if given:
                v[h, s] = charged_mean(q[h, s], pi[h, s], reference[h, s], tau)
            elif tau > 0.0:
                v[h, s] = soft_maximum(q[h, s], reference[h, s], tau, pi[h, s])
            else:
                v[h, s] = greedy(q[h, s], pi[h, s])


@njit(cache=True, nogil=True)
def apply_operator(
    kind: int,
    level: FloatArray,
    phi: FloatArray,
    zero: FloatArray,
    mu: FloatArray,
    sink: int,
    v: FloatArray,
    nu: FloatArray,
    worst: FloatArray,
    out: FloatArray,
) -> None:
    """Write ``phi @ nu`` of every step, each from its own ``v[h + 1]``; ``zero`` is no reward."""
    for h in range(out.shape[0]):
        shared = h if phi.shape[0] > 1 else 0
        factor_worths(kind, level[h], mu[h], v[h + 1], sink, nu[h], worst[h])
        action_values(phi[shared], zero, nu[h], out[h])
