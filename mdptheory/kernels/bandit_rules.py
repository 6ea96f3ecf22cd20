"""Confidence bounds of an arm, and which arm a rule plays next."""

import math

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory.kernels.bandit_records import (
    ARM,
    BURN,
    COMMIT,
    EXPLORE,
    FALLEN,
    FIXED,
    GREEDY,
    LEFT,
    NEXT,
    PESSIMISTIC,
    PRIMAL_DUAL,
    SWITCHES,
    UCB,
    Memory,
    Task,
)
from mdptheory.kernels.lean import lean, lean_inline

FEASIBLE = 1e-12


@lean_inline
def refresh(task: Task, memory: Memory, k: int) -> None:
    """Compute the bounds of an arm from its sums."""
    estimate, radius = memory.estimate, memory.radius
    for c in range(len(task.scale)):
        n = memory.weight[k, c]
        estimate[k, c], radius[k, c] = 0.0, np.inf
        if n > 0.0:
            estimate[k, c] = memory.total[k, c] / n
            log_term = task.log_term[c]
            if task.anytime:
                log_term += 2.0 * math.log(n)
            radius[k, c] = task.scale[c] * math.sqrt(2.0 * log_term / n)
            if task.bias[c] > 0.0:
                radius[k, c] += task.bias[c] * memory.epochs[k] / n
    low, high, widest = 0.0, -np.inf, 0.0
    for m in range(len(task.level)):
        value, width = -task.level[m], 0.0
        for c in range(len(task.scale)):
            if task.matrix[m, c] != 0.0:  # 0 times an infinite radius
                value += task.matrix[m, c] * estimate[k, c]
                width += abs(task.matrix[m, c]) * radius[k, c]
        memory.residual[k, m] = value - width
        low, high, widest = max(low, value - width), max(high, value + width), max(widest, width)
    memory.mean[k], memory.upper[k] = estimate[k, 0], estimate[k, 0] + radius[k, 0]
    memory.low[k], memory.high[k] = low, high
    memory.claim[k, 0] = min(task.reward_range, 2.0 * radius[k, 0])
    memory.claim[k, 1] = min(task.violation_cap, low + 2.0 * widest)


@lean
def best_within(bound: FloatArray, limit: float, value: FloatArray) -> int:
    """Return the arm with the largest value among those whose bound is within the limit, or -1."""
    best, arm = -np.inf, -1
    for k in range(len(bound)):
        if bound[k] <= limit and (arm < 0 or value[k] > best):
            best, arm = value[k], k
    return arm


@lean
def smallest(bound: FloatArray | IntArray) -> int:
    """Return the first arm with the smallest bound."""
    arm = 0
    for k in range(1, len(bound)):
        if bound[k] < bound[arm]:
            arm = k
    return arm


@lean
def lagrangian(upper: FloatArray, residual: FloatArray, dual: FloatArray) -> int:
    """Return the arm with the best upper bound less the priced lower residuals."""
    best, arm = -np.inf, 0
    for k in range(len(upper)):
        value = upper[k]
        for m in range(len(dual)):
            if dual[m] > 0.0:
                value -= dual[m] * residual[k, m]
        if value > best:
            best, arm = value, k
    return arm


@lean
def average_violation(task: Task, memory: Memory, k: int) -> float:
    """Return the largest positive residual of an arm's averages."""
    worst = 0.0
    for m in range(len(task.level)):
        value = -task.level[m]
        for c in range(len(task.scale)):
            value += task.matrix[m, c] * memory.estimate[k, c]
        worst = max(worst, value)
    return worst


@lean
def commit(task: Task, memory: Memory) -> int:
    """Return the arm with the best average among those that are feasible by their averages."""
    best, arm = -np.inf, -1
    least, fallback = np.inf, 0
    for k in range(len(memory.pulls)):
        violation = average_violation(task, memory, k)
        if violation <= FEASIBLE and memory.mean[k] > best:
            best, arm = memory.mean[k], k
        if violation < least:
            least, fallback = violation, k
    return arm if arm >= 0 else fallback


@lean_inline
def choose(task: Task, memory: Memory) -> int:
    """Return the arm of the next epoch, and note whether none looked feasible."""
    clock = memory.clock
    clock[FALLEN] = 0
    if task.rule == FIXED:
        return task.fixed
    while clock[NEXT] < len(memory.pulls):
        if memory.pulls[clock[NEXT]] == 0:
            return clock[NEXT]
        clock[NEXT] += 1
    if task.rule == EXPLORE:
        if clock[COMMIT] < 0:
            fewest = smallest(memory.pulls)
            if memory.pulls[fewest] < task.explore:
                return fewest
            clock[COMMIT] = commit(task, memory)
        return clock[COMMIT]
    if task.rule == UCB:
        return best_within(memory.low, np.inf, memory.upper)
    if task.rule == PRIMAL_DUAL:
        return lagrangian(memory.upper, memory.residual, memory.dual)
    if task.rule == PESSIMISTIC:
        arm = best_within(memory.high, FEASIBLE, memory.upper)
    elif task.rule == GREEDY:
        arm = best_within(memory.low, FEASIBLE, memory.mean)
    else:
        arm = best_within(memory.low, FEASIBLE, memory.upper)
    if arm < 0:
        clock[FALLEN] = 1
        arm = smallest(memory.high if task.rule == PESSIMISTIC else memory.low)
    return arm


@lean_inline
def begin(task: Task, memory: Memory, arm: int) -> None:
    """Start an epoch of an arm."""
    clock = memory.clock
    if clock[ARM] >= 0 and clock[ARM] != arm:
        clock[SWITCHES] += 1
    clock[ARM], clock[BURN] = arm, task.burn
    clock[LEFT] = task.burn + (max(task.first, memory.pulls[arm]) if task.doubling else 1)
    memory.decay[0] = 1.0


@lean_inline
def absorb(task: Task, memory: Memory, x: FloatArray, w: FloatArray) -> None:
    """Learn from a round of the epoch's arm, whose channels are those of the environment."""
    clock = memory.clock
    arm = clock[ARM]
    if clock[BURN] > 0:
        clock[BURN] -= 1
    else:
        memory.pulls[arm] += 1
        for c in range(len(task.pick)):
            memory.total[arm, c] += x[task.pick[c]]
            memory.weight[arm, c] += w[task.pick[c]]
    memory.decay[0] *= task.kappa
    clock[LEFT] -= 1
    if clock[LEFT] == 0:
        memory.epochs[arm] += 1
        refresh(task, memory, arm)
    if task.rule == PRIMAL_DUAL:
        for m in range(len(task.level)):
            value = observed_residual(task, m, x, w)
            if not math.isnan(value):
                price = memory.dual[m] + task.dual_step * value
                memory.dual[m] = min(max(price, 0.0), task.dual_cap)


@lean_inline
def observed_residual(task: Task, m: int, x: FloatArray, w: FloatArray) -> float:
    """Return a residual of what a round showed; nan if a rate had no trials."""
    value = -task.level[m]
    for c in range(len(task.pick)):
        if task.matrix[m, c] != 0.0:
            if w[task.pick[c]] <= 0.0:
                return np.nan
            value += task.matrix[m, c] * x[task.pick[c]] / w[task.pick[c]]
    return value
