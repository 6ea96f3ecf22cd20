"""How good a learner of a linear MDP is, by exact backward passes through the true factors."""

import math

import numpy as np
from numba import njit

from mdptheory._typing import BoolArray, FloatArray, IntArray
from mdptheory.kernels.linear_plan import factor_worths
from mdptheory.kernels.linear_records import Snap, Task, Truth

SLACK = 1e-9  # rounding that an event may show


@njit(cache=True, nogil=True)
def _within(task: Task, fit: Snap, h: int, nu: FloatArray) -> bool:
    """Whether the estimates of a step err by at most their widths, but in the fail state."""
    phi = task.phi[h if task.phi.shape[0] > 1 else 0]
    for s in range(phi.shape[1]):
        if s == task.sink:
            continue
        for a in range(phi.shape[2]):
            error = 0.0 if task.reward_known else task.reward[h, s, a]
            for i in range(nu.size):
                error += phi[i, s, a] * (nu[i] - fit.nu[h, i])
            if not abs(error) <= fit.width[h, s, a] + SLACK:
                return False
    return True


@njit(cache=True, nogil=True)
def _charge(task: Task, fit: Snap, h: int, s: int) -> float:
    """Return what the policy's distance to the reference costs in a state."""
    cost = 0.0
    if task.tau > 0.0:
        for a in range(task.reward.shape[2]):
            p = fit.pi[h, s, a]
            if p > 0.0:
                cost += p * (math.log(p) - task.log_reference[h, s, a])
    return task.tau * cost


@njit(cache=True, nogil=True)
def _back(
    task: Task,
    fit: Snap,
    h: int,
    nu: FloatArray,
    onward: FloatArray,
    v: FloatArray,
    cost: FloatArray,
) -> None:
    """Write the policy's values at a step, and its widths summed from there on."""
    phi = task.phi[h if task.phi.shape[0] > 1 else 0]
    for s in range(v.size):
        v[s], cost[s] = -_charge(task, fit, h, s), 0.0
        for a in range(phi.shape[2]):
            worth, widths = task.reward[h, s, a], fit.width[h, s, a]
            for i in range(nu.size):
                worth += phi[i, s, a] * nu[i]
                widths += phi[i, s, a] * onward[i]
            v[s] += fit.pi[h, s, a] * worth
            cost[s] += fit.pi[h, s, a] * widths


@njit(cache=True, nogil=True)
def track_fit(task: Task, truth: Truth, fit: Snap) -> tuple[float, float, bool]:
    """Return regret, certificate and event of a fit.

    The regret is the best value less that of ``fit.pi`` at the start, both against nature and
    less the temperature's charge; the certificate is twice the sum of widths that ``fit.pi`` is
    expected to meet under nature's reply to it; the event is that no width was exceeded.
    """
    n_steps, n_states = task.reward.shape[:2]
    n_factors = task.level.shape[1]
    nu, onward = np.empty(n_factors), np.empty(n_factors)
    worst = np.empty((n_factors, n_states))
    v, cost = np.zeros(n_states), np.zeros(n_states)
    event = True
    for h in range(n_steps - 1, -1, -1):
        level, mu = task.level[h], truth.mu[h]
        factor_worths(task.kind, level, mu, fit.v[h + 1], task.sink, nu, worst)
        event = event and _within(task, fit, h, nu)
        factor_worths(task.kind, level, mu, v, task.sink, nu, worst)
        for i in range(n_factors):
            onward[i] = 0.0
            for s in range(n_states):
                onward[i] += worst[i, s] * cost[s]
        _back(task, fit, h, nu, onward, v, cost)
    value, widths = 0.0, 0.0
    for s in range(n_states):
        value += truth.start[s] * v[s]
        widths += truth.start[s] * cost[s]
    return truth.optimum - value, 2.0 * widths, event


@njit(cache=True, nogil=True)
def track_seeds(
    task: Task,
    truth: Truth,
    slot: IntArray,
    snaps: Snap,
    regret: FloatArray,
    certificate: FloatArray,
    event: BoolArray,
) -> None:
    """Measure the fits that runs kept: that of episode k is in place ``slot[k]``, if any."""
    for i in range(regret.shape[0]):
        for k in range(slot.size):
            j = slot[k]
            if j >= 0:
                fit = Snap(snaps.v[i, j], snaps.pi[i, j], snaps.nu[i, j], snaps.width[i, j])
                regret[i, k], certificate[i, k], event[i, k] = track_fit(task, truth, fit)
