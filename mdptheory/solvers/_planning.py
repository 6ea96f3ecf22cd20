"""What the discounted planners share: greedy sweeps, certified bounds, action elimination."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray
from mdptheory._validation import (
    as_float_array,
    check_count,
    check_finite,
    check_number,
    check_shape,
)
from mdptheory.errors import InvalidModelError
from mdptheory.iterate import Step, iterate
from mdptheory.models import (
    BoundsCertificate,
    Convergence,
    FiniteHorizon,
    Solution,
    TabularMDP,
    TotalReward,
)
from mdptheory.models.rows import expected_reward, row_sums
from mdptheory.operators.backup import Backup

PATIENCE = 100  # greedy steps without progress before rounding is held to be in the way
NARROW = 0.1  # copy promising rows once they lie within this part of the largest reward
UNIT = float(np.finfo(np.float64).eps) / 2  # relative error of one rounded operation
TINY = float(np.finfo(np.float64).tiny)  # more than all underflows of a row together

Evaluator: TypeAlias = Callable[[Backup, FloatArray, float, float], FloatArray]
"""``evaluate(backup, v, span, target)`` improves ``v`` towards the value of the best rows.

``span`` is the span of the last greedy step and ``target`` the span at which the whole solve ends.
It may write into ``v`` and returns the array that holds the result.
"""

Narrowing: TypeAlias = Callable[[float, float, float], float]
"""``narrowing(gamma, before, span)``: rows further than this below the best are left out.

``before`` and ``span`` are the spans of the last two greedy steps.
"""


def require_discounted(mdp: TabularMDP, solver: str) -> None:
    """Refuse another objective, naming the solver that fits."""
    fit = {FiniteHorizon: "backward_induction", TotalReward: "policy_iteration"}
    kind = type(mdp.objective)
    if kind in fit:
        raise InvalidModelError(
            f"mdp has objective {kind.__name__}; {solver} expects Discounted"
            f" ({fit[kind]} and solve take it)"
        )


def check_options(tol: float, max_iter: int) -> None:
    """Refuse a tolerance that is not positive or an iteration limit below 1."""
    check_number("tol", tol, low=0.0, open_low=True)
    check_count("max_iter", max_iter)


def starting_value(mdp: TabularMDP, v0: npt.ArrayLike | None, constant: float | None) -> FloatArray:
    """Return a fresh copy of ``v0``, or the constant."""
    if v0 is None:
        return np.full(mdp.n_states, constant)
    v = np.array(as_float_array("v0", v0))
    check_shape("v0", v, (mdp.n_states,))
    check_finite("v0", v)
    return v


def reward_scale(mdp: TabularMDP) -> float:
    """Return the largest reward of a row in absolute value, averaging sizes per transition."""
    size = max(float(mdp.reward.max()), -float(mdp.reward.min()))
    if mdp.transition_reward is None:
        return size
    return max(size, float(row_sums(mdp.prob * np.abs(mdp.transition_reward), mdp.row_ptr).max()))


def row_rounding(mdp: TabularMDP) -> tuple[float, float]:
    """Return ``(a, b)``: one computed row value is off by at most ``a * scale + b * |v|max``.

    A row of n terms rounds n + 3 times, the bounds built on it 5 times more, and an expected reward
    n times; a row that sums to 1 only within ``mdp.row_error`` adds that much, under the reading
    as stored and under the reading divided by its sum alike. ``reward`` may stray from the average
    of ``transition_reward`` by what the model tolerates; sweeps use the one, the checker the other.
    """
    longest = int(np.diff(mdp.row_ptr).max())
    roundings = 8 if mdp.transition_reward is None else longest + 10
    stray = 2.0 * (mdp.row_error + longest * UNIT)
    per_reward = roundings * UNIT + stray
    if mdp.transition_reward is not None:
        average = expected_reward(mdp.prob, mdp.transition_reward, mdp.row_ptr)
        off = float(np.abs(average - mdp.reward).max())
        per_reward += off / reward_scale(mdp) if off > 0.0 else 0.0
    return per_reward, (longest + 8) * UNIT + stray


def contraction_room(mdp: TabularMDP) -> float:
    """Return a lower bound on ``1 - gamma * (row sum)``, or refuse rows that need not contract."""
    longest = int(np.diff(mdp.row_ptr).max())
    stray = mdp.row_error + (longest - 1) * UNIT
    room = (1.0 - mdp.gamma) - mdp.gamma * stray
    if not room > 0.0:
        raise InvalidModelError(
            f"gamma is {mdp.gamma!r}; rows that sum to 1 only within {stray:.3g} are not sure to"
            f" contract; expected a discount below 1 - {stray:.3g}, or rows normalized"
        )
    return room


def check_range(size: float, scale: float) -> None:
    """Refuse values that overflow, instead of computing with infinities."""
    if not math.isfinite(size):
        raise InvalidModelError(
            f"values overflow float64 (the largest reward is {scale:.3g} in absolute value):"
            " expected rewards and starting values small enough for their sums"
        )


def macqueen_threshold(gamma: float, before: float, span: float) -> float:
    """Return MacQueen's threshold: rows that fall short by more are proved suboptimal."""
    return gamma / (1.0 - gamma) * span


def plan(
    mdp: TabularMDP,
    evaluate: Evaluator | None,
    *,
    tol: float,
    max_iter: int,
    v0: npt.ArrayLike | None = None,
    narrowing: Narrowing | None = None,
) -> Solution:
    """Alternate greedy sweeps with policy evaluation until the enclosure is narrow enough.

    After a greedy sweep over all rows ``d = T v - v`` gives MacQueen's bounds ``T v + g/(1-g) min d
    <= v* <= T v + g/(1-g) max d``. Between such sweeps ``narrowing`` may leave rows out; the
    solve ends only with a sweep over all of them, so that nothing rests on what was left out.
    """
    check_options(tol, max_iter)
    with Backup(mdp) as backup:
        planner = _Planner(mdp, backup, evaluate, narrowing, tol, v0)
        convergence = iterate(planner.advance, tol=tol, max_iter=max_iter)
        return planner.conclude(convergence)


class _Planner:
    """The state of one solve, advanced by `iterate`."""

    def __init__(
        self,
        mdp: TabularMDP,
        backup: Backup,
        evaluate: Evaluator | None,
        narrowing: Narrowing | None,
        tol: float,
        v0: npt.ArrayLike | None,
    ) -> None:
        self.mdp, self.backup, self.tol = mdp, backup, tol
        self.evaluate, self.narrowing = evaluate, narrowing
        self.discount = mdp.gamma / (1.0 - mdp.gamma)
        self.scale = reward_scale(mdp)
        self.per_reward, self.per_value = row_rounding(mdp)
        self.room = contraction_room(mdp)
        # from a constant below v*, values only rise: good news travels along the policy
        self.constant = float(mdp.reward.min()) / (1.0 - mdp.gamma) if v0 is None else None
        check_range(self.scale * (1.0 + self.discount) * (1.0 + self.discount) * 8.0, self.scale)
        self.v = starting_value(mdp, v0, self.constant)
        self.top = np.empty(mdp.n_states)
        self.low = self.high = self.pad = 0.0
        self.certified = (math.inf, 0.0)  # half-width and pad of the last enclosure over all rows
        self.narrowest, self.stale = math.inf, 0  # smallest gap, and greedy steps since then
        self.narrowed = np.inf  # threshold at which rows were last left out

    def advance(self, i: int) -> Step:
        """Evaluate the current policy, then apply the Bellman operator once."""
        if i > 0:
            self.v, self.top = self.top, self.v
            if self.evaluate is not None:
                self.v = self.evaluate(self.backup, self.v, self.high - self.low, self.target)
                check_range(self.backup.size(self.v), self.scale)  # a sweep might skip a NaN
        before = self.high - self.low if i > 0 else np.inf
        self.sweep(constant=self.constant if i == 0 else None)
        stuck = self.is_stuck()
        done = self.gap <= self.goal or stuck
        if self.backup.reduced and done:
            self.finish()
        if not self.backup.reduced:
            stuck = stuck and self.near_rounding  # over all rows as well
            self.certified = (0.0, self.gap + self.pad) if stuck else (self.gap, self.pad)
        step = Step(self.low, self.high, *self.certified, self.backup.work)
        if not done and self.narrowing is not None and self.mdp.n_rows > self.mdp.n_states:
            self.narrow(before)
        return step

    @property
    def gap(self) -> float:
        """Half the width of MacQueen's enclosure over the current rows, before rounding."""
        return self.discount * (self.high - self.low) / 2

    @property
    def near_rounding(self) -> bool:
        """Whether roundings that add up round a cycle, over 1 / (1 - gamma) sweeps, are the gap."""
        return self.gap * self.room <= 2.0 * self.pad

    def is_stuck(self) -> bool:
        """Count greedy steps that do not narrow the gap, and whether rounding explains them."""
        if self.gap < self.narrowest:
            self.narrowest, self.stale = self.gap, 0
        else:
            self.stale += 1
        return self.stale >= PATIENCE and self.near_rounding

    @property
    def goal(self) -> float:
        """What the gap has to come down to."""
        return max(self.tol - self.pad, self.pad)

    @property
    def target(self) -> float:
        """The span of a greedy step at which the solve ends."""
        return 2.0 * self.goal / max(self.discount, 1e-300)

    def sweep(self, constant: float | None = None) -> None:
        """Apply the operator over the current rows; bound what rounding may have done."""
        if constant is None:
            self.low, self.high = self.backup.greedy(self.v, self.top)
        else:
            self.low, self.high = self.backup.best_reward(constant, self.top)
        reach = self.backup.size(self.top)
        reach += max(abs(self.low), abs(self.high)) * (1.0 + self.discount)
        error = self.per_reward * self.scale + self.per_value * reach
        self.pad = (error + TINY) / self.room if max(self.scale, reach) > 0.0 else 0.0
        check_range(reach + self.pad, self.scale)

    def narrow(self, before: float) -> None:
        """Leave rows out, if enough of them promise to go to pay for the copy."""
        assert self.narrowing is not None
        threshold = self.narrowing(self.mdp.gamma, before, self.high - self.low)
        threshold += 2.0 * self.pad
        some = self.backup.current_rows > 1.1 * self.mdp.n_states
        if some and threshold < min(0.5 * self.narrowed, NARROW * self.scale):
            self.backup.keep(self.top, threshold)
            self.narrowed = threshold

    def finish(self) -> None:
        """Sweep over all rows from where the narrowed iteration ended."""
        self.backup.restore()
        self.narrowed = self.narrowest = math.inf
        self.stale = 0
        self.top += self.discount * (self.low + self.high) / 2
        self.v, self.top = self.top, self.v
        self.sweep()

    def conclude(self, convergence: Convergence) -> Solution:
        """Assemble the solution and its certificate from a sweep over all rows."""
        if self.backup.reduced:  # stopped by the iteration limit
            self.finish()
            convergence = replace(
                convergence,
                residual=max(abs(self.low), abs(self.high)),
                error_bound=self.gap + self.pad,
            )
        low, high = self.discount * self.low, self.discount * self.high
        middle = (low + high) / 2
        policy = self.backup.policy()
        certificate = BoundsCertificate(
            objective=self.mdp.objective,
            lower=self.top + (low - self.pad),
            upper=self.top + (high + self.pad),
            policy=policy,
        )
        return Solution(
            v=self.top + middle,
            q=self.mdp.table(self.backup.q + middle),
            policy=policy,
            convergence=convergence,
            certificate=certificate,
            state_names=self.mdp.state_names,
            action_names=self.mdp.action_names,
        )
