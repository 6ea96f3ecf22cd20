"""One row of an s-rectangular set: how far it must move for a level, and how far at a price.

A row has worths ``x >= 0`` above its least one and nominal probabilities ``w``. Its distance
``xi(beta)`` is the least divergence from ``w`` at which its mean worth is ``beta`` or less; at the
price ``1 / t`` of divergence nature picks the row that minimises mean plus divergence over ``t``.
"""

import math

import numpy as np
from numba import njit

from mdptheory._typing import FloatArray

STEPS = 200
ULPS = 4e-16


@njit(cache=True, nogil=True)
def tilt(t: float, x: FloatArray, w: FloatArray) -> tuple[float, float, float]:
    """Return ``log E exp(-t x)`` and the mean and variance of x under ``w exp(-t x)``."""
    total, excess, first, second = 0.0, 0.0, 0.0, 0.0
    for i in range(x.size):
        weight = w[i] * math.exp(-t * x[i])
        total += weight
        first += weight * x[i]
        if t * x[i] < 1.0:
            excess += w[i] * math.expm1(-t * x[i])
        else:
            excess += weight - w[i]
    mean = first / total
    for i in range(x.size):
        second += w[i] * math.exp(-t * x[i]) * (x[i] - mean) ** 2
    return math.log1p(excess) if excess > -0.5 else math.log(total), mean, second / total


@njit(cache=True, nogil=True)
def kl_project(beta: float, x: FloatArray, w: FloatArray, guess: float) -> tuple[float, float]:
    """Return ``xi(beta)`` of the KL divergence and minus its slope, by Newton steps in log t."""
    low, high = 0.0, np.inf
    t, log_sum = guess if guess > 0.0 else 1.0 / beta, 0.0
    for _ in range(STEPS):
        log_sum, mean, variance = tilt(t, x, w)
        if mean > beta:
            low = t
        else:
            high = t
        if abs(mean - beta) <= 1e-14 * beta or high <= low * (1.0 + ULPS):
            break
        trial = t + (mean - beta) / variance if variance > 0.0 else np.inf
        if mean > beta and low > 0.0:  # the mean falls ever more slowly: aim at its logarithm
            trial = t + math.log(mean / beta) * mean / variance if variance > 0.0 else np.inf
        if not low < trial < high or trial > 32.0 * t or trial < t / 32.0:
            middle = math.sqrt(low) * math.sqrt(high) if low > 0.0 else t / 8.0
            trial = 8.0 * t if high == np.inf else middle
        if trial > 1e300 or trial < 1e-300:
            break
        t = trial
    return max(0.0, -beta * t - log_sum), t


@njit(cache=True, nogil=True)
def kl_price(t: float, x: FloatArray, w: FloatArray) -> tuple[float, float, float, float]:
    """Return mean, divergence, its slope in log t and the level (there is none)."""
    log_sum, mean, variance = tilt(t, x, w)
    return mean, max(0.0, -t * mean - log_sum), t * t * variance, 0.0


@njit(cache=True, nogil=True)
def harmonic(nu: float, x: FloatArray, w: FloatArray) -> tuple[float, float]:
    """Return ``E[1 / (x + nu)]`` and the variance of ``1 / (x + nu)`` relative to its square."""
    first, second = 0.0, 0.0
    for i in range(x.size):
        if w[i] > 0.0:
            first += w[i] / (x[i] + nu)
    for i in range(x.size):
        if w[i] > 0.0:
            second += w[i] * (1.0 / ((x[i] + nu) * first) - 1.0) ** 2
    return first, second


@njit(cache=True, nogil=True)
def log_mean(nu: float, scale: float, x: FloatArray, w: FloatArray) -> float:
    """Return ``E log((x + nu) / scale)``."""
    total = 0.0
    for i in range(x.size):
        if w[i] > 0.0:
            ratio = (x[i] + nu - scale) / scale
            total += w[i] * (math.log1p(ratio) if ratio > -0.5 else math.log((x[i] + nu) / scale))
    return total


@njit(cache=True, nogil=True)
def floor_mass(x: FloatArray, w: FloatArray) -> float:
    """Return the nominal probability of the least worth."""
    total = 0.0
    for i in range(x.size):
        if x[i] == 0.0:
            total += w[i]
    return total


@njit(cache=True, nogil=True)
def burg_project(beta: float, x: FloatArray, w: FloatArray, guess: float) -> tuple[float, float]:
    """Return ``xi(beta)`` of the Burg divergence and minus its slope ``1 / (beta + nu)``.

    The row is ``w / (x + nu)``, normalised; ``1 / E[1 / (x + nu)] - nu`` is concave in nu, so that
    Newton steps for its value beta come from below. Where ``nu = 0`` already has a mean above beta,
    mass leaves the support of w.
    """
    inside = floor_mass(x, w)
    low = inside * beta / (1.0 - inside) if inside < 1.0 else 0.0
    if inside == 0.0 and harmonic(0.0, x, w)[0] * beta <= 1.0:
        return max(0.0, log_mean(0.0, beta, x, w)), 1.0 / beta
    nu = max(low, 1.0 / guess - beta) if guess > 0.0 else max(low, beta)
    for _ in range(STEPS):
        first, spread = harmonic(nu, x, w)
        lack = 0.0
        for i in range(x.size):
            if w[i] > 0.0:
                lack -= w[i] * ((x[i] - beta) / (x[i] + nu))
        step = lack / first / spread if spread > 0.0 else 0.0
        trial = max(nu + step, low, 1e-3 * nu)
        if abs(trial - nu) <= 1e-14 * nu:
            break
        nu = trial
    return max(0.0, log_mean(nu, beta + nu, x, w)), 1.0 / (beta + nu)


@njit(cache=True, nogil=True)
def burg_price(t: float, x: FloatArray, w: FloatArray) -> tuple[float, float, float, float]:
    """Return mean, divergence, its slope in log t and ``-nu``, with ``E[1 / (x + nu)] = t``."""
    lam, inside, mean = 1.0 / t, 0.0, 0.0
    for i in range(x.size):
        inside += w[i] if x[i] == 0.0 else 0.0
        mean += w[i] * x[i]
    if inside == 0.0 and harmonic(0.0, x, w)[0] <= t:
        return lam, max(0.0, log_mean(0.0, lam, x, w)), 1.0, 0.0
    nu = max(lam - mean, lam * inside)
    first, spread = harmonic(nu, x, w)
    for _ in range(STEPS):
        step = lam * ((first - t) / first) / (1.0 + spread)
        if step <= 1e-15 * nu:
            break
        nu += step
        first, spread = harmonic(nu, x, w)
    above = 0.0
    for i in range(x.size):
        if w[i] > 0.0:
            above += w[i] * (x[i] / (x[i] + nu))
    return lam * above, max(0.0, log_mean(nu, lam, x, w)), spread / (1.0 + spread), -nu


@njit(cache=True, nogil=True)
def chi_square_project(beta: float, x: FloatArray, w: FloatArray) -> tuple[float, float]:
    """Return ``xi(beta)`` of the chi-square divergence and minus its slope; x ascends.

    The row is ``w (c - t x)_+``: the shortest prefix whose successor it leaves out is the one.
    """
    mass, mean, square, last, t = 0.0, 0.0, 0.0, 0, 0.0
    for k in range(x.size):
        step = x[k] - mean
        square += w[k] * (mass / (mass + w[k])) * step * step
        mass += w[k]
        mean += step * (w[k] / mass)
        if mean > beta and square > 0.0:
            last, t = k, (mean - beta) / square
            if k + 1 == x.size or t * (x[k + 1] - mean) * mass >= 1.0:
                break
    tail = 0.0
    for i in range(last + 1, x.size):
        tail += w[i]
    return tail / mass + t * t * square, 2.0 * t


@njit(cache=True, nogil=True)
def chi_square_price(t: float, x: FloatArray, w: FloatArray) -> tuple[float, float, float, float]:
    """Return mean, divergence, its slope in log t and the level ``c / (t / 2)``; x ascends."""
    half, mass, mean, square, last = 0.5 * t, 0.0, 0.0, 0.0, 0
    for k in range(x.size):
        step = x[k] - mean
        square += w[k] * (mass / (mass + w[k])) * step * step
        mass += w[k]
        mean += step * (w[k] / mass)
        last = k
        if k + 1 == x.size or half * (x[k + 1] - mean) * mass >= 1.0:
            break
    tail = 0.0
    for i in range(last + 1, x.size):
        tail += w[i]
    spread = half * half * square
    return mean - half * square, tail / mass + spread, 2.0 * spread, mean + 1.0 / (mass * half)


@njit(cache=True, nogil=True)
def weighted_price(
    lam: float, x: FloatArray, w: FloatArray, weights: FloatArray
) -> tuple[float, float]:
    """Return mean and weighted L1 distance of nature's row at price ``lam`` of distance."""
    sink, least = 0, np.inf
    for j in range(x.size):
        cost = x[j] + lam * weights[j]
        if cost < least:
            sink, least = j, cost
    mean, used = 0.0, 0.0
    for i in range(x.size):
        if x[i] - lam * weights[i] > least:
            mean += w[i] * x[sink]
            used += w[i] * (weights[i] + weights[sink])
        else:
            mean += w[i] * x[i]
    return mean, used


@njit(cache=True, nogil=True)
def weighted_floor(x: FloatArray, w: FloatArray, weights: FloatArray) -> float:
    """Return the least weighted L1 distance of a row on the least worth."""
    cheapest, total = np.inf, 0.0
    for j in range(x.size):
        if x[j] == 0.0:
            cheapest = min(cheapest, weights[j])
    for i in range(x.size):
        if x[i] > 0.0:
            total += w[i] * (weights[i] + cheapest)
    return total


@njit(cache=True, nogil=True)
def weighted_project(
    beta: float, gap: float, x: FloatArray, w: FloatArray, weights: FloatArray
) -> tuple[float, float]:
    """Return ``xi(beta)`` of the weighted L1 distance and minus its slope.

    It is the maximum over t of the concave, piecewise linear ``used + t (mean - beta)`` at price
    ``1 / t``: the meeting point of two of its lines is either on a third one or the maximum.
    """
    rise, start = gap - beta, 0.0
    fall, stop = -beta, weighted_floor(x, w, weights)
    t = (stop - start) / (rise - fall)
    for _ in range(STEPS):
        mean, used = weighted_price(1.0 / t, x, w, weights)
        top, found = start + t * rise, used + t * (mean - beta)
        if top - found <= 1e-15 * (abs(used) + t * (gap + beta)):
            break
        if mean > beta:
            rise, start = mean - beta, used
        else:
            fall, stop = mean - beta, used
        trial = (stop - start) / (rise - fall)
        if trial == t or trial <= 0.0:
            break
        t = trial
    return max(0.0, start + t * rise), t
