"""Worst rows of the KL, Burg and chi-square balls around one nominal row.

Each kernel minimises ``q @ z`` over its ball, writes the minimiser into ``q`` and returns its
value, a lower bound from weak duality, and the dual variables ``lam`` and ``eta`` behind it, in
units of ``z``. Inside, ``w`` is ``p`` summing to 1 and ``x = (z - zmin) / span`` runs from 0 to 1,
so that neither an offset nor a scale of ``z`` costs digits or overflows.

For every ``lam > 0`` and ``eta``, no row of the ball of radius r has a smaller ``q @ z`` than

- KL:   ``-lam log sum_i p_i exp(-z_i / lam) - lam r``,
- Burg: ``eta + lam sum_i p_i (1 + log((z_i - eta) / lam)) - lam r`` with ``eta < z_i`` where ``p_i
  > 0`` and ``eta <= z_i`` elsewhere: minimise ``q.z + lam sum p log(p / q) + eta (1 - sum q)`` over
  ``q >= 0``, which gives ``q = lam p / (z - eta)``,
- chi2: ``eta - lam - sum_i p_i (eta - z_i)_+^2 / (4 lam) - lam r``: minimise ``q.z + lam sum (q -
  p)^2 / p + mu (1 - sum q)`` over ``q >= 0``, which gives ``q = p (eta - z)_+ / (2 lam)`` with
  ``eta = mu + 2 lam``.

``lam = 0`` stands for the smallest ``z`` nature can reach, and ``lam = inf`` for ``p @ z``, if the
radius is 0.
"""

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from numba import njit

from mdptheory._typing import FloatArray

Answer: TypeAlias = tuple[float, float, float, float]  # value, bound, lam, eta

STEPS = 300  # two to ten suffice but where the root drowns in rounding or hides between scales
NOISE = 4e-15  # a residual this small beside the terms it is the difference of is rounding
TIE = 1e-100  # an x below this counts as 0, so that products and squares do not underflow
LARGEST = 1e300  # of a multiplier; the value then is zmin to all digits
SMALLEST = 2.3e-308  # probability of an outcome that a Burg ball may not abandon


@njit(cache=True, nogil=True)
def standardise(
    p: FloatArray, z: FloatArray, everywhere: bool, w: FloatArray, x: FloatArray
) -> tuple[float, float]:
    """Write ``w`` and ``x``; ``zmin`` and ``span`` are taken where mass may be.

    Outcomes that cannot have mass get ``w = 0`` and ``x = 1``.
    """
    low, high, total = np.inf, -np.inf, 0.0
    for i in range(p.size):
        w[i] = max(p[i], 0.0)
        total += w[i]
        if everywhere or w[i] > 0.0:
            low, high = min(low, z[i]), max(high, z[i])
    span = high - low
    for i in range(p.size):
        w[i] /= total
        x[i] = 1.0
        if span > 0.0 and (everywhere or w[i] > 0.0):
            x[i] = (z[i] - low) / span if z[i] - low > TIE * span else 0.0
    return low, span


@njit(cache=True, nogil=True)
def report(
    z: FloatArray, zmin: float, span: float, bound: float, q: FloatArray, lam: float, eta: float
) -> Answer:
    """Make ``q`` sum to 1; return its value, the bound rid of rounding, and the dual variables.

    Bound, ``lam`` and ``eta`` come in units of ``x`` and are scaled back.
    """
    total = 0.0
    for i in range(q.size):
        total += q[i]
    above = 0.0
    for i in range(q.size):
        q[i] /= total
        if q[i] > 0.0:
            above += q[i] * (z[i] - zmin)
    lower = span * max(bound, 0.0)
    if above < lower <= above + 1e-11 * span:
        lower = above
    return zmin + above, zmin + lower, lam * span if 0.0 < lam < np.inf else lam, zmin + span * eta


@njit(cache=True, nogil=True)
def _no_room(radius: float) -> float:
    """Return the price of a budget that buys nothing: 0 unless there is none."""
    return np.inf if radius <= 0.0 else 0.0


@njit(cache=True, nogil=True)
def _variance(w: FloatArray, x: FloatArray) -> float:
    mean = (w * x).sum()
    return (w * (x - mean) ** 2).sum()


@njit(cache=True, nogil=True)
def _tilt(tau: float, w: FloatArray, x: FloatArray, q: FloatArray) -> tuple[float, float]:
    """Write ``q`` proportional to ``w exp(-tau x)``; return log of the sum and the mean of x."""
    total, excess = 0.0, 0.0
    for i in range(w.size):
        q[i] = w[i] * math.exp(-tau * x[i])
        total += q[i]
        if tau < 1.0:
            excess += w[i] * math.expm1(-tau * x[i])
    mean = 0.0
    for i in range(w.size):
        q[i] /= total
        mean += q[i] * x[i]
    return math.log1p(excess) if tau < 1.0 else math.log(total), mean


@njit(cache=True, nogil=True)
def _kl_root(radius: float, nearest: float, w: FloatArray, x: FloatArray, q: FloatArray) -> float:
    """Solve ``KL(q_tau || w) = radius`` by Newton steps inside a shrinking bracket.

    The divergence is at most ``tau^2 / 8`` (Hoeffding), which gives the lower end; at the upper
    end all but the smallest outcomes have underflowed. ``nearest`` is the smallest positive x.
    """
    high = 800.0 / nearest
    low = min(math.sqrt(8.0 * radius), high)
    variance = _variance(w, x)
    tau = min(max(low, math.sqrt(2.0 * radius) / math.sqrt(max(variance, 1e-280))), high)
    for step in range(STEPS):
        log_sum, mean = _tilt(tau, w, x, q)
        rest = radius + log_sum + tau * mean
        if abs(rest) <= NOISE * (tau * mean - log_sum) + 1e-14 * radius:
            return tau
        if rest > 0.0:
            low = max(low, tau)
        else:
            high = tau
        if high - low <= 4e-16 * high:
            break
        slope = tau * _variance(q, x)
        middle = math.sqrt(low) * math.sqrt(high)
        trial = tau + rest / slope if slope > abs(rest) / high else middle
        tau = trial if low < trial < high and step % 8 < 7 else middle
    return low


@njit(cache=True, nogil=True)
def kl_row(p: FloatArray, z: FloatArray, radius: float, q: FloatArray) -> Answer:
    """Minimise over ``sum q log(q / p) <= radius``; the row is ``p exp(-tau z)``, normalised.

    The bound is ``-(log E_p exp(-tau z) + radius) / tau``.
    """
    w, x = np.empty(p.size), np.empty(p.size)
    zmin, span = standardise(p, z, False, w, x)
    if radius <= 0.0 or span <= 0.0:
        q[:] = w
        return report(z, zmin, span, (w * x).sum(), q, _no_room(radius), 0.0)
    at_min, nearest = 0.0, 1.0
    for i in range(p.size):
        q[i] = w[i] if x[i] == 0.0 else 0.0
        at_min += q[i]
        if x[i] > 0.0:
            nearest = min(nearest, x[i])
    if radius >= -math.log(at_min):
        return report(z, zmin, span, 0.0, q, 0.0, 0.0)
    tau = _kl_root(radius, nearest, w, x, q)
    log_sum, _ = _tilt(tau, w, x, q)
    return report(z, zmin, span, -(log_sum + radius) / tau, q, 1.0 / tau, 0.0)


@njit(cache=True, nogil=True)
def _harmonic(s: float, w: FloatArray, x: FloatArray, q: FloatArray) -> tuple[float, float, float]:
    """Write ``q`` proportional to ``w / (1 + s x)``.

    Returns ``E log(1 + s x)``, ``log E[1 / (1 + s x)]`` and the slope of their sum in ``log s``;
    for ``s >= 1`` with ``1 / s + x`` in the place of ``1 + s x``: then ``log s``, which may dwarf
    their sum, stays out of both.
    """
    logs, mean, lost = 0.0, 0.0, 0.0
    unit, slope = (1.0, s) if s < 1.0 else (1.0 / s, 1.0)
    for i in range(w.size):
        if w[i] > 0.0:
            at = unit + slope * x[i]
            logs += w[i] * (math.log1p(s * x[i]) if s < 1.0 else math.log(at))
            mean += w[i] / at
            lost += w[i] * (slope * x[i] / at)
    spread = 0.0
    for i in range(w.size):
        if w[i] > 0.0:
            factor = unit / (unit + slope * x[i])
            spread += w[i] * (factor - unit * mean) ** 2
            q[i] = w[i] / ((unit + slope * x[i]) * mean)
        else:
            q[i] = 0.0
    return logs, math.log1p(-lost) if s < 1.0 else math.log(mean), spread / (unit * mean)


@njit(cache=True, nogil=True)
def _burg_root(radius: float, w: FloatArray, x: FloatArray, q: FloatArray) -> float:
    """Solve ``KL(w || q_s) = radius`` by Newton steps in ``log s`` inside a shrinking bracket.

    By Hoeffding's lemma the divergence is at most ``log(1 + s)^2 / 8``.
    """
    low = math.expm1(min(math.sqrt(8.0 * radius), 690.0))
    high = LARGEST
    variance = _variance(w, x)
    s = min(max(low, math.sqrt(2.0 * radius) / math.sqrt(max(variance, 1e-280))), high)
    for step in range(STEPS):
        logs, log_mean, slope = _harmonic(s, w, x, q)
        rest = radius - logs - log_mean
        if abs(rest) <= NOISE * (abs(logs) + abs(log_mean)) + 1e-14 * radius:
            return s
        if rest > 0.0:
            low = max(low, s)
        else:
            high = s
        if high - low <= 4e-16 * high:
            break
        middle = math.sqrt(low) * math.sqrt(high)
        trial = s * math.exp(rest / slope) if s < 1e280 and slope > abs(rest) / 40.0 else middle
        s = trial if low < trial < high and step % 8 < 7 else middle
    return low


@njit(cache=True, nogil=True)
def _burg_leave(radius: float, w: FloatArray, x: FloatArray, q: FloatArray) -> float:
    """Move mass to a best outcome that ``w`` does not have; return the value, or -1 if none moves.

    Mass leaves the support once ``radius >= E log x + log E[1 / x]``; what stays is ``w / x``.
    """
    logs, nearest = 0.0, 1.0
    for i in range(w.size):
        if w[i] > 0.0:
            logs += w[i] * math.log(x[i])
            nearest = min(nearest, x[i])
    mean = 0.0
    for i in range(w.size):
        if w[i] > 0.0:
            mean += w[i] * (nearest / x[i])
    if radius < logs + math.log(mean) - math.log(nearest):
        return -1.0
    best, stays = 0, 0.0
    for i in range(w.size):
        q[i] = 0.0
        if w[i] > 0.0:
            q[i] = math.exp(math.log(w[i]) + logs - radius - math.log(x[i]))
        elif x[i] == 0.0:
            best = i
        stays += q[i]
    q[best] = max(0.0, 1.0 - stays)
    return math.exp(logs - radius)


@njit(cache=True, nogil=True)
def burg_row(p: FloatArray, z: FloatArray, radius: float, q: FloatArray) -> Answer:
    """Minimise over ``sum p log(p / q) <= radius``; mass may move to outcomes with ``p = 0``.

    The row is ``p / (1 + s x)``, normalised, unless mass leaves the support of ``p``; the bound
    is ``(exp(E_p log(1 + s x) - radius) - 1) / s``.
    """
    w, x = np.empty(p.size), np.empty(p.size)
    zmin, span = standardise(p, z, True, w, x)
    at_min, farthest = 0.0, 0.0
    for i in range(p.size):
        if w[i] > 0.0:
            farthest = max(farthest, x[i])
            at_min += w[i] if x[i] == 0.0 else 0.0
    if radius <= 0.0 or span <= 0.0 or farthest == 0.0:
        q[:] = w
        return report(z, zmin, span, (w * x).sum(), q, _no_room(radius), 0.0)
    bound, lam, eta = -1.0, 0.0, 0.0
    if at_min < 1e-280:  # as good as none: s would leave the range of floats
        w[x == 0.0] = 0.0
        bound = lam = _burg_leave(radius, w, x, q)
    if bound < 0.0:
        s = _burg_root(radius, w, x, q)
        logs, _, _ = _harmonic(s, w, x, q)
        lam, eta = math.exp(logs - radius) / min(s, 1.0), -1.0 / s
        bound = math.expm1(logs - radius) / s if s < 1.0 else lam + eta
    for i in range(p.size):
        if p[i] > 0.0:
            q[i] = max(q[i], SMALLEST)
    return report(z, zmin, span, bound, q, lam, eta)


@njit(cache=True, nogil=True)
def _chi_square_bound(
    radius: float, scale: float, mean: float, w: FloatArray, x: FloatArray
) -> tuple[float, float]:
    """Return the dual ``eta - sqrt((1 + radius) E (eta - x)_+^2)`` and the price behind it.

    They are taken at ``eta = mean + scale``.
    """
    square, change = 0.0, 0.0
    for i in range(w.size):
        shift = (mean - x[i]) / scale if x[i] - mean < scale else -1.0
        square += w[i] * (1.0 + shift) ** 2
        change += w[i] * (2.0 * shift + shift * shift)
    excess = (1.0 + radius) * square - 1.0
    if radius < 1.0:
        excess = radius + (1.0 + radius) * change
    norm = math.sqrt(max(0.0, 1.0 + excess))
    return mean - scale * excess / (1.0 + norm), 0.5 * scale * norm / (1.0 + radius)


@njit(cache=True, nogil=True)
def _chi_square_prefix(
    radius: float, order: npt.NDArray[np.int64], w: FloatArray, x: FloatArray
) -> tuple[int, float, float]:
    """Find the longest prefix of ``order`` whose unconstrained minimiser is nonnegative.

    Returns its last position, what dropping the rest leaves of the radius, relative to its mass,
    and its standard deviation, summed without cancellation or underflow.
    """
    n = x.size
    mass, reach, root = np.zeros(n), np.zeros(n), np.zeros(n)
    total, mean, norm = 0.0, 0.0, 0.0
    for k in range(n):
        i = order[k]
        before, step = total, x[i] - mean
        total += w[i]
        mass[k], reach[k] = total, step * (before / total)
        norm = math.hypot(norm, math.sqrt(w[i]) * step * math.sqrt(before / total))
        root[k] = norm
        mean += step * (w[i] / total)
    tail = 0.0
    for k in range(n - 1, -1, -1):
        free, spread = max(0.0, radius * mass[k] - tail), root[k] / math.sqrt(mass[k])
        if spread >= math.sqrt(free) * reach[k]:
            break
        tail += w[order[k]]
    return k, free, spread


@njit(cache=True, nogil=True)
def chi_square_row(p: FloatArray, z: FloatArray, radius: float, q: FloatArray) -> Answer:
    """Minimise over ``sum (q - p)^2 / p <= radius``; the row is ``p (eta - x)_+``, normalised."""
    w, x = np.empty(p.size), np.empty(p.size)
    zmin, span = standardise(p, z, False, w, x)
    if radius <= 0.0 or span <= 0.0:
        q[:] = w
        return report(z, zmin, span, (w * x).sum(), q, _no_room(radius), 0.0)
    if radius >= LARGEST:  # whatever the probability of the smallest x
        q[:] = np.where(x == 0.0, w, 0.0)
        return report(z, zmin, span, 0.0, q, 0.0, 0.0)
    order = np.argsort(x)
    last, free, spread = _chi_square_prefix(radius, order, w, x)
    kept = order[: last + 1]
    heaviest = kept[np.argmax(w[kept])]
    mass, mean = 0.0, 0.0  # the mean is taken from the heaviest outcome, which may be close to it
    for i in kept:
        mass += w[i]
        mean += w[i] * (x[i] - x[heaviest])
    mean /= mass
    q[:] = 0.0
    for i in kept:
        offset = mean + (x[heaviest] - x[i])
        q[i] = w[i] * (max(0.0, 1.0 + math.sqrt(free) * offset / spread) if spread > 0.0 else 1.0)
    if spread == 0.0:
        return report(z, zmin, span, 0.0, q, 0.0, 0.0)
    mean += x[heaviest]
    scale = x[order[last + 1]] - mean if last + 1 < p.size else LARGEST  # eta <= the next x
    if spread < scale * math.sqrt(free):
        scale = spread / math.sqrt(free)
    bound, lam = _chi_square_bound(radius, scale, mean, w, x)
    return report(z, zmin, span, bound, q, lam, mean + scale)
