"""A policy against nature: exactly by pair, exactly or by simulation over a coupled family."""

from typing import NamedTuple

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory.algorithms._iwocs_records import MonteCarlo
from mdptheory.algorithms._nature import FiniteNature, Nature
from mdptheory.algorithms._rows import TIE, Kernel, Rows, greedy_rows, policy_value, slack, take
from mdptheory.kernels.rollout import returns
from mdptheory.models import TabularMDP

ROUNDS = 200  # policy iteration, of either player, needs a handful


class Evaluation(NamedTuple):
    """A policy against its worst kernel."""

    v: FloatArray  # value under nature's rows
    worst: Kernel  # nature's reply to v, for every pair
    deficit: float  # the robust value is at least v - deficit
    solves: int


def evaluate_robustly(nature: Nature, rows: IntArray) -> Evaluation:
    """Value of the policy that uses ``rows``, by nature's policy iteration.

    At the end ``reply >= v - gain`` on the policy's rows, so that its robust value, a fixed point
    of a monotone contraction, is at least ``v - gain / (1 - gamma)``.
    """
    gamma = nature.gamma
    _, kernel = nature.reply(np.zeros(len(rows)))
    n_rows = len(kernel.rows.reward)
    solves = 0
    for _ in range(ROUNDS):
        solves += 1
        v = policy_value(take(kernel.rows, rows), gamma)
        value, worst = nature.reply(v)
        gain = v - value[rows]
        change = gain > slack(gamma, v)
        if not change.any():
            break
        mask = np.zeros(n_rows, dtype=np.bool_)
        mask[rows[change]] = True
        kernel = nature.splice(kernel, worst, mask)
    deficit = (max(float(gain.max()), 0.0) + nature.excess(v)) / (1.0 - gamma)
    return Evaluation(v, worst, deficit, solves)


def solve_robustly(mdp: TabularMDP, nature: Nature, rows: IntArray) -> tuple[FloatArray, int]:
    """Return row values that are at least the robust optimal ones, and the linear solves.

    Policy iteration from the policy that uses ``rows``; the last greedy step bounds what is left.
    """
    gamma, solves = mdp.gamma, 0
    for _ in range(ROUNDS):
        found = evaluate_robustly(nature, rows)
        solves += found.solves
        q, _ = nature.reply(found.v)
        best = greedy_rows(mdp, q)
        better = q[best] > q[rows] + slack(gamma, q[rows])
        if not better.any():
            break
        rows = np.where(better, best, rows)
    gain = max(float((q[best] - found.v).max()), 0.0)
    return q + gamma * gain / (1.0 - gamma), solves


def evaluate_coupled(
    nature: FiniteNature, rows: IntArray, start: FloatArray
) -> tuple[FloatArray, int, int]:
    """Return the policy's value in the kernel that is worst at the start, its index, and solves."""
    each = [policy_value(some, nature.gamma) for some in _used(nature, rows)]
    k = _lowest(np.array([start @ v for v in each]))
    return each[k], k, len(each)


def estimate_coupled(
    nature: FiniteNature,
    rows: IntArray,
    start: FloatArray,
    evaluator: MonteCarlo,
    rng: np.random.Generator,
) -> tuple[float, int, float]:
    """Return the least mean return over the kernels, its index and its standard error."""
    runs = [simulate(some, nature.gamma, start, evaluator, rng) for some in _used(nature, rows)]
    k = _lowest(np.array([out.mean() for out in runs]))
    return float(runs[k].mean()), k, float(runs[k].std(ddof=1) / np.sqrt(runs[k].size))


def simulate(
    rows: Rows,
    gamma: float,
    start: FloatArray,
    evaluator: MonteCarlo,
    rng: np.random.Generator,
) -> FloatArray:
    """Return the discounted returns of fresh runs under one row a state."""
    ends = rows.ptr[1:] - 1
    total = np.cumsum(rows.prob)
    before = np.concatenate([[0.0], total[ends[:-1]]])
    cumulative = total - np.repeat(before, np.diff(rows.ptr))
    cumulative[ends] = 1.0
    first = np.cumsum(start)
    first[np.flatnonzero(start)[-1] :] = 1.0
    out = np.empty(evaluator.n_rollouts)
    returns(
        first, rows.ptr.astype(np.uint64), rows.next_state.astype(np.uint64), cumulative,
        rows.reward, gamma, evaluator.horizon, rng, out,
    )  # fmt: skip
    return out


def _used(nature: FiniteNature, rows: IntArray) -> list[Rows]:
    """Return the policy's rows in each kernel."""
    return [take(nature.stack, k * nature.n_rows + rows) for k in range(nature.count)]


def _lowest(at_start: FloatArray) -> int:
    """Return the index of the least value, ties to the lowest."""
    low = at_start.min()
    return int(np.argmax(at_start <= low + TIE * (1.0 + abs(low))))
