"""The loop of every bandit algorithm: choose, observe, measure, learn, move on."""

from mdptheory._typing import FloatArray
from mdptheory.kernels.bandit_records import (
    ARM,
    CLAIM_REWARD,
    CLAIM_VIOLATION,
    FALLBACKS,
    FALLEN,
    LEFT,
    OBSERVED,
    REGRET,
    REWARD,
    SUMS,
    VIOLATION,
    Desk,
    Log,
    Memory,
    Task,
    World,
)
from mdptheory.kernels.bandit_rules import absorb, begin, choose, observed_residual
from mdptheory.kernels.bandit_world import advance, means, observe
from mdptheory.kernels.lean import lean, lean_inline


@lean_inline
def measure(
    task: Task, memory: Memory, arm: int, mean: FloatArray, x: FloatArray, w: FloatArray
) -> None:
    """Add a round to the sums: what its means are, and what was claimed of them."""
    sums = memory.sums
    worst = seen = 0.0
    for m in range(len(task.level)):
        value = -task.level[m]
        for c in range(len(task.pick)):
            value += task.matrix[m, c] * mean[task.pick[c]]
        sums[SUMS + m] += value
        worst = max(worst, value)
        shown = observed_residual(task, m, x, w)
        if shown > seen:  # nan is not
            seen = shown
    sums[REWARD] += mean[0]
    sums[VIOLATION] += worst
    if task.comparator > mean[0]:  # nan is not
        sums[REGRET] += task.comparator - mean[0]
    sums[OBSERVED] += seen
    sums[CLAIM_REWARD] += memory.claim[arm, 0] + task.drift_reward * memory.decay[0]
    sums[CLAIM_VIOLATION] += memory.claim[arm, 1] + task.drift_violation * memory.decay[0]
    memory.clock[FALLBACKS] += memory.clock[FALLEN]


@lean_inline
def copy_row(row: FloatArray, out: FloatArray, i: int) -> None:
    """Copy entry by entry: a slice may allocate."""
    for j in range(len(row)):
        out[i, j] = row[j]


@lean
def play(
    task: Task,
    world: World,
    memory: Memory,
    desk: Desk,
    draws: FloatArray,
    done: int,
    every: int,
    log: Log,
) -> None:
    """Play as many rounds as there are draws, after ``done`` earlier ones."""
    mean, x, w = desk.mean, desk.x, desk.w
    for t in range(done, done + len(draws)):
        if memory.clock[LEFT] == 0:
            begin(task, memory, choose(task, memory))
        arm, draw = memory.clock[ARM], draws[t - done]
        means(world, memory.state, arm, mean)
        observe(world, memory.state, arm, mean, draw, x, w)
        measure(task, memory, arm, mean, x, w)
        log.arms[t] = arm
        if (t + 1) % every == 0 or t + 1 == len(log.arms):
            row = t // every
            copy_row(mean, log.means, row)
            copy_row(memory.state, log.states, row)
            copy_row(memory.sums, log.sums, row)
        absorb(task, memory, x, w)
        advance(world, memory.state, arm, mean, draw, x, w)
