"""Threshold bandits in a closed loop in plain NumPy: the loop that ours are timed against.

The rules as one would write them from the formulas: bounds of all arms by array operations in every
round, batches by `Generator.binomial`. Not part of the package.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mdptheory.models import ThresholdLoop

Floats = npt.NDArray[np.float64]


class Limits(NamedTuple):
    """What a threshold must satisfy; a bound of 1 on a difference of rates is none."""

    gap: float
    service: float
    opportunity: float = 1.0


class Played(NamedTuple):
    """Arms of all rounds, and the sums of the exact means."""

    arms: npt.NDArray[np.int64]
    reward: float
    violation: float


def means(loop: ThresholdLoop, z: Floats, k: int) -> tuple[float, float, float, float]:
    """Return mean reward, gap, service and difference of true-positive rates."""
    p, q = z[0], z[1:]
    good, bad = q * loop.survival[:, 1, k], (1 - q) * loop.survival[:, 0, k]
    weights = np.array([p, 1 - p])
    rates = good + bad
    reward = float(weights @ (good - loop.cost * bad))
    opportunity = float(loop.survival[0, 1, k] - loop.survival[1, 1, k])
    return reward, float(rates[0] - rates[1]), float(weights @ rates), opportunity


def batch(loop: ThresholdLoop, z: Floats, k: int, rng: np.random.Generator) -> Floats:
    """Draw reward, gap, service, then hits and trials of the true-positive rates."""
    n, s = np.array(loop.sizes), loop.survival[:, :, k]
    good = rng.binomial(n, z[1:])
    hits = rng.binomial(good, s[:, 1])
    bad = rng.binomial(n - good, s[:, 0])
    weights = np.array([z[0], 1 - z[0]])
    rates = (hits + bad) / n
    reward = weights @ ((hits - loop.cost * bad) / n)
    return np.array([reward, rates[0] - rates[1], weights @ rates, *hits, *good])


def move(loop: ThresholdLoop, z: Floats, k: int) -> Floats:
    """Return the next state."""
    d, q = loop.dynamics, z[1:]
    good, bad = q * loop.survival[:, 1, k], (1 - q) * loop.survival[:, 0, k]
    aim_q = np.clip(loop.q0 + d.c1 * good - d.c0 * bad, d.q_low, d.q_high)
    rates = good + bad
    aim_p = np.clip(loop.p0 + d.c_p * (rates[0] - rates[1]), d.p_low, d.p_high)
    out = np.empty(3)
    out[0] = (1 - d.eta_p) * z[0] + d.eta_p * aim_p
    out[1:] = (1 - d.eta_q) * q + d.eta_q * aim_q
    return out


def play(
    loop: ThresholdLoop, rule: str, limits: Limits, horizon: int, rng: np.random.Generator
) -> Played:
    """Play ``"ofs"``, ``"ucb"`` or ``"primal-dual"``, whose radii and rules are those of ours."""
    n_arms, z = loop.n_arms, loop.start_state
    tpr = limits.opportunity < 1
    scales = np.array([channel.scale for channel in loop.channels[:3]])
    n_signals = 5 if tpr else 3
    log_term = math.log(2 * n_arms * n_signals * horizon / 0.05)
    log_count = log_term + math.log(max(loop.sizes))
    total, pulls = np.zeros((n_arms, 7)), np.zeros(n_arms)
    prices = np.zeros(3)
    arms, reward, violation = np.empty(horizon, dtype=np.int64), 0.0, 0.0
    for t in range(horizon):
        if t < n_arms:
            k = t
        else:
            average = total[:, :3] / pulls[:, None]
            radius = scales * np.sqrt(2 * log_term / pulls)[:, None]
            low = np.abs(average[:, 1]) - radius[:, 1] - limits.gap
            low = np.maximum(low, limits.service - average[:, 2] - radius[:, 2])
            if tpr:
                rates = total[:, 3:5] / total[:, 5:]
                widths = 0.5 * np.sqrt(2 * log_count / total[:, 5:])
                apart = np.abs(rates[:, 0] - rates[:, 1]) - widths.sum(axis=1)
                low = np.maximum(low, apart - limits.opportunity)
            upper = average[:, 0] + radius[:, 0]
            if rule == "ucb":
                k = int(upper.argmax())
            elif rule == "primal-dual":
                signed = average[:, 1]
                residuals = np.column_stack(
                    [
                        signed - limits.gap - radius[:, 1],
                        -signed - limits.gap - radius[:, 1],
                        limits.service - average[:, 2] - radius[:, 2],
                    ]
                )
                k = int((upper - residuals @ prices).argmax())
            else:
                fits = low <= 1e-12
                k = int(np.where(fits, upper, -np.inf).argmax() if fits.any() else low.argmin())
        seen = batch(loop, z, k, rng)
        r, gap, service, opportunity = means(loop, z, k)
        excess = max(abs(gap) - limits.gap, limits.service - service)
        excess = max(excess, abs(opportunity) - limits.opportunity) if tpr else excess
        reward, violation = reward + r, violation + max(0.0, excess)
        shown = np.array([seen[1] - limits.gap, -seen[1] - limits.gap, limits.service - seen[2]])
        prices = np.clip(prices + 0.05 * shown, 0.0, 10.0)
        total[k] += seen
        pulls[k] += 1
        arms[t], z = k, move(loop, z, k)
    return Played(arms, reward, violation)
