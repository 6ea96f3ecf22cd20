"""The worst row of the Euclidean ball around one nominal row.

Conventions are those of `mdptheory.kernels.divergence`. For every ``eta`` and ``lam >= 0`` no row
of the ball of radius r has a smaller ``q @ z`` than ``eta + sum_i p_i y_i - r |y|_2`` with ``y_i =
min(z_i - eta, p_i / lam)``, where ``lam = 0`` stands for no minimum. (``lam`` has the unit of ``1 /
z``.)
"""

import math

import numpy as np
from numba import njit

from mdptheory._typing import FloatArray
from mdptheory.kernels.divergence import LARGEST, Answer, report, standardise


@njit(cache=True, nogil=True)
def _l2_bound(radius: float, eta: float, t: float, w: FloatArray, x: FloatArray) -> float:
    """Return ``eta + w.y - radius |y|`` with ``y = min(x - eta, w / t)``, for any eta and t.

    ``q.x >= eta + q.y``, as ``x - eta >= y``; Cauchy-Schwarz on ``(q - w).y`` does the rest.
    """
    dot, square = 0.0, 0.0
    for i in range(w.size):
        y = x[i] - eta
        if w[i] < t * y:
            y = w[i] / t
        dot += w[i] * y
        square += y * y
    return eta + dot - radius * math.sqrt(square)


@njit(cache=True, nogil=True)
def _l2_report(
    z: FloatArray, zmin: float, span: float, bound: float, q: FloatArray, t: float, eta: float
) -> Answer:
    """Do what `report` does; ``t`` has the unit of ``1 / x``."""
    value, lower, _, level = report(z, zmin, span, bound, q, 0.0, eta)
    return value, lower, t / span if span >= 1.0 or t < LARGEST * span else LARGEST, level


@njit(cache=True, nogil=True)
def _l2_piece(
    active: FloatArray, w: FloatArray, x: FloatArray
) -> tuple[float, float, int, float, float]:
    """Describe the piece of the path on which the ``active`` outcomes keep mass.

    Returns mean and squared deviation of x, the next outcome to lose its mass (-1 if none will)
    and its t, and what each active outcome gained from those that were dropped.
    """
    count, mean, dropped = 0.0, 0.0, 0.0
    for i in range(w.size):
        count += active[i]
        mean += active[i] * x[i]
        dropped += (1.0 - active[i]) * w[i]
    mean /= count
    gain, square, leaver, soonest = dropped / count, 0.0, -1, np.inf
    for i in range(w.size):
        if active[i] > 0.0:
            square += (x[i] - mean) ** 2
            if x[i] > mean and w[i] + gain < soonest * (x[i] - mean):
                soonest, leaver = (w[i] + gain) / (x[i] - mean), i
    return mean, square, leaver, soonest, gain


@njit(cache=True, nogil=True)
def l2_row(p: FloatArray, z: FloatArray, radius: float, q: FloatArray) -> Answer:
    """Minimise over ``|q - p|_2 <= radius``; mass may move to outcomes with ``p = 0``.

    The row is the projection of ``p - t x`` on the simplex. Its path in t is followed piece by
    piece, until it leaves the ball or has moved everything to the smallest x.
    """
    w, x, active = np.empty(p.size), np.empty(p.size), np.ones(p.size)
    zmin, span = standardise(p, z, True, w, x)
    if radius <= 0.0 or span <= 0.0:
        q[:] = w
        return report(z, zmin, span, (w * x).sum(), q, 0.0, 0.0)
    t, eta = 0.0, 0.0
    while True:
        mean, square, leaver, soonest, gain = _l2_piece(active, w, x)
        fixed = 0.0  # squared distance that does not depend on t
        for i in range(p.size):
            fixed += gain * gain if active[i] > 0.0 else w[i] * w[i]
        if square == 0.0:
            break
        soonest = max(soonest, t)
        room = math.sqrt(max(0.0, radius - math.sqrt(fixed))) * math.sqrt(radius + math.sqrt(fixed))
        if leaver < 0 or soonest * math.sqrt(square) >= room:
            t = max(t, room / math.sqrt(square))
            eta = mean + gain / t
            break
        t = soonest
        active[leaver] = 0.0
    for i in range(p.size):
        move = t * (x[i] - mean) if square > 0.0 else 0.0
        q[i] = max(0.0, w[i] + gain - move) if active[i] > 0.0 else 0.0
    if square == 0.0:
        return _l2_report(z, zmin, span, 0.0, q, LARGEST, 0.0)
    return _l2_report(z, zmin, span, _l2_bound(radius, eta, t, w, x), q, t, eta)
