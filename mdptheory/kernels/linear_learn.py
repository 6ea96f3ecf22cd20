"""Learning a linear MDP online: fit all steps backwards, play an episode, absorb what was seen.

Per step h, with ridge ``g``: ``Lambda = g I + sum phi phi'``, its inverse by rank-one updates, and
``M = sum phi 1{next state}``, so that ``Lambda^-1 M`` stands in for the unknown factors. The fit::

    q[h] = clip(r + phi @ nu + sign * width, 0, ceiling)      nu = worth of v[h + 1] to each factor
    width = sum_i phi_i beta_i sqrt(Lambda^-1_ii)              (l1)

is followed greedily (``tau = 0``) or softly: ``pi`` is proportional to ``reference exp(q / tau)``.
"""

import math

import numpy as np
from numba import njit

from mdptheory._typing import FloatArray, IntArray
from mdptheory.kernels.linear_policy import act_greedily, act_softly, write_spread, write_widths
from mdptheory.kernels.linear_records import Desk, Fit, Log, Memory, Snap, Task, World
from mdptheory.kernels.linear_rollout import cumulative_rows, roll_episode
from mdptheory.kernels.signed import signed_worth


@njit(cache=True, nogil=True)
def ascending(v: FloatArray, order: IntArray) -> None:
    """Write the ascending order of ``v``: insertion with shrinking strides, quick for a handful."""
    stride = 1
    while 3 * stride < v.size:
        stride = 3 * stride + 1
    for i in range(v.size):
        order[i] = i
    while stride > 0:
        for i in range(stride, v.size):
            moved, j = order[i], i
            while j >= stride and v[order[j - stride]] > v[moved]:
                order[j] = order[j - stride]
                j -= stride
            order[j] = moved
        stride //= 3


@njit(cache=True, nogil=True)
def regress(inverse: FloatArray, moments: FloatArray, coef: FloatArray) -> None:
    """Write the ridge estimate of the factors, ``inverse @ moments``."""
    n_factors, n_states = coef.shape
    for i in range(n_factors):
        for s in range(n_states):
            coef[i, s] = 0.0
        for j in range(n_factors):
            for s in range(n_states):
                coef[i, s] += inverse[i, j] * moments[j, s]


@njit(cache=True, nogil=True)
def write_q(
    phi: FloatArray,
    reward: FloatArray,
    nu: FloatArray,
    width: FloatArray,
    sign: float,
    low: float,
    high: float,
    q: FloatArray,
) -> None:
    """Write the clipped values of all actions of a step; ``phi`` is (d, S, A)."""
    n_factors, n_states, n_actions = phi.shape
    for s in range(n_states):
        for a in range(n_actions):
            q[s, a] = reward[s, a]
        for i in range(n_factors):
            for a in range(n_actions):
                q[s, a] += phi[i, s, a] * nu[i]
        for a in range(n_actions):
            q[s, a] = max(min(q[s, a] + sign * width[s, a], high), low)


@njit(cache=True, nogil=True)
def write_worths(
    kind: int,
    level: FloatArray,
    floor: float,
    cap: float,
    shift: bool,
    coef: FloatArray,
    v: FloatArray,
    order: IntArray,
    nu: FloatArray,
) -> None:
    """Write the estimated worth of ``v`` to each factor, between 0 and ``cap``."""
    ascending(v, order)
    signed_worth(kind, level, coef, v, order, floor, cap, shift, nu)
    for i in range(nu.size):
        nu[i] = min(max(nu[i], 0.0), cap)


@njit(cache=True, nogil=True)
def write_weights(
    inverse: FloatArray,
    reward_moments: FloatArray,
    coef: FloatArray,
    v: FloatArray,
    nu: FloatArray,
) -> None:
    """Write the estimated weights of reward and ``v``, if the reward is not known."""
    for i in range(nu.size):
        nu[i] = 0.0
        for s in range(v.size):
            nu[i] += coef[i, s] * v[s]
        for j in range(nu.size):
            nu[i] += inverse[i, j] * reward_moments[j]


@njit(cache=True, nogil=True, inline="always")
def fit_policy(task: Task, memory: Memory, desk: Desk, fit: Fit) -> None:
    """Fit worths, widths, values and policy of all steps, from the last to the first."""
    n_steps = fit.nu.shape[0]
    low = 0.0 if task.clip_zero else -np.inf
    spread, coef, sink = desk.spread, desk.coef, task.sink
    fit.v[n_steps] = 0.0
    for h in range(n_steps - 1, -1, -1):
        phi, inverse = task.phi[h if task.phi.shape[0] > 1 else 0], memory.inverse[h]
        q, pi, v, width = fit.q[h], fit.pi[h], fit.v[h], fit.width[h]
        nu, after, cap = fit.nu[h], fit.v[h + 1], float(n_steps - 1 - h)
        if h < n_steps - 1 or not task.reward_known:
            regress(inverse, memory.moments[h], coef)
        if not task.reward_known:
            write_weights(inverse, memory.reward_moments[h], coef, after, nu)
        elif h < n_steps - 1:
            floor = 0.0 if sink >= 0 and task.keep == 0.0 else after.min()
            level, shift = task.level[h], task.shift
            write_worths(task.kind, level, floor, cap, shift, coef, after, desk.order, nu)
        if h < n_steps - 1 or task.bonus_last:
            size = math.sqrt(0.25 * memory.log_det[h] + task.log_term[h])
            write_spread(task.bonus, inverse, size, task.slope[h], task.offset[h], spread)
            write_widths(task.bonus, phi, inverse, spread, width)
        write_q(phi, task.seen[h], nu, width, task.sign, low, task.ceiling[h], q)
        if sink >= 0:
            width[sink] = 0.0
            q[sink] = 0.0
        if task.tau > 0.0:
            reference, log_pi = task.log_reference[h], fit.log_pi[h]
            act_softly(q, reference, task.tau, task.keep, desk.scratch, log_pi, pi, v)
        else:
            act_greedily(q, pi, v)
        if sink >= 0:
            v[sink] = 0.0
        cumulative_rows(pi, fit.cdf[h])
    memory.fitted[:] = memory.log_det


@njit(cache=True, nogil=True, inline="always")
def absorb(task: Task, memory: Memory, states: IntArray, actions: IntArray, x: FloatArray) -> None:
    """Add an episode: rank-one updates of statistics, inverse and determinant; ``x`` is space."""
    n_factors = memory.gram.shape[1]
    for h in range(actions.size):
        s, a, after = states[h], actions[h], states[h + 1]
        phi = task.phi[h if task.phi.shape[0] > 1 else 0, :, s, a]
        inverse = memory.inverse[h]
        norm = 0.0
        for i in range(n_factors):
            x[i] = 0.0
            for j in range(n_factors):
                x[i] += inverse[i, j] * phi[j]
            norm += x[i] * phi[i]
        scale = 1.0 / (1.0 + norm)
        for i in range(n_factors):
            for j in range(n_factors):
                inverse[i, j] -= scale * (x[i] * x[j])
                memory.gram[h, i, j] += phi[i] * phi[j]
            memory.moments[h, i, after] += phi[i]
            memory.reward_moments[h, i] += phi[i] * task.reward[h, s, a]
        memory.log_det[h] += math.log1p(norm)


@njit(cache=True, nogil=True)
def needs_fit(memory: Memory, doubling: bool) -> bool:
    """Whether to fit again: always, or once some determinant has doubled since the last fit."""
    return not doubling or bool((memory.log_det > memory.fitted + math.log(2.0)).any())


@njit(cache=True, nogil=True, inline="always")
def prepare(
    task: Task,
    doubling: bool,
    k: int,
    slot: IntArray,
    memory: Memory,
    desk: Desk,
    fit: Fit,
    snaps: Snap,
    log: Log,
) -> None:
    """Fit before an episode if it is due, log that in row k, and keep the fit in its slot."""
    log.refitted[k] = needs_fit(memory, doubling)
    if log.refitted[k]:
        fit_policy(task, memory, desk, fit)
    log.optimistic[k] = 0.0
    for s in range(task.start.size):
        log.optimistic[k] += task.start[s] * fit.v[0, s]
    if slot[k] >= 0:
        snaps.v[slot[k]] = fit.v
        snaps.pi[slot[k]] = fit.pi
        snaps.nu[slot[k]] = fit.nu
        snaps.width[slot[k]] = fit.width


@njit(cache=True, nogil=True, inline="always")
def run_episodes(
    task: Task,
    world: World,
    doubling: bool,
    slot: IntArray,
    memory: Memory,
    desk: Desk,
    fit: Fit,
    snaps: Snap,
    draws: FloatArray,
    log: Log,
) -> None:
    """Play an episode for each row of ``draws``; overwrite ``memory``, ``fit`` and ``log``.

    The fit of episode k is kept in ``snaps`` at ``slot[k]``, unless that is negative.
    """
    for k in range(draws.shape[0]):
        prepare(task, doubling, k, slot, memory, desk, fit, snaps, log)
        states, actions = log.states[k], log.actions[k]
        roll_episode(draws[k], world.start, fit.cdf, world.kernel, states, actions)
        absorb(task, memory, states, actions, desk.spread)


@njit(cache=True, nogil=True)
def run_seeds(
    task: Task,
    world: World,
    doubling: bool,
    slot: IntArray,
    memories: Memory,
    desk: Desk,
    fits: Fit,
    snaps: Snap,
    draws: FloatArray,
    logs: Log,
) -> None:
    """Run independent learners; memories, fits, snaps, draws and logs have an axis for them."""
    for i in range(draws.shape[0]):
        memory = Memory(
            memories.gram[i],
            memories.inverse[i],
            memories.log_det[i],
            memories.moments[i],
            memories.reward_moments[i],
            memories.fitted[i],
        )
        fit = Fit(
            fits.v[i],
            fits.q[i],
            fits.pi[i],
            fits.cdf[i],
            fits.log_pi[i],
            fits.nu[i],
            fits.width[i],
        )
        log = Log(
            logs.states[i],
            logs.actions[i],
            logs.optimistic[i],
            logs.refitted[i],
            logs.regret[i],
            logs.certificate[i],
            logs.event[i],
        )
        snap = Snap(snaps.v[i], snaps.pi[i], snaps.nu[i], snaps.width[i])
        run_episodes(task, world, doubling, slot, memory, desk, fit, snap, draws[i], log)
