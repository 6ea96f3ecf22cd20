"""What the discounted planners share: greedy sweeps, certified bounds, action elimination."""

from collections.abc import Callable
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
from mdptheory.operators import Backup

UNIT = np.finfo(np.float64).eps / 2  # relative error of one rounded operation

Evaluator: TypeAlias = Callable[[Backup, FloatArray, float, float], FloatArray]
"""``evaluate(backup, v, span, target)`` improves ``v`` towards the value of ``backup.best``.

``span`` is the span of the last greedy step and ``target`` the span at which the whole solve ends.
It may write into ``v`` and returns the array that holds the result.
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


def starting_value(mdp: TabularMDP, v0: npt.ArrayLike | None) -> FloatArray:
    """Return a fresh copy of ``v0``, or zeros."""
    if v0 is None:
        return np.zeros(mdp.n_states)
    v = np.array(as_float_array("v0", v0))
    check_shape("v0", v, (mdp.n_states,))
    check_finite("v0", v)
    return v


def reward_scale(mdp: TabularMDP) -> float:
    """Return the largest reward in absolute value, per transition where given."""
    rewards = mdp.reward if mdp.transition_reward is None else mdp.transition_reward
    return max(float(rewards.max()), -float(rewards.min()))


def row_rounding(mdp: TabularMDP) -> tuple[float, float]:
    """Return ``(a, b)``: one computed row value is off by at most ``a * scale + b * |v|max``.

    A row of n terms rounds n + 3 times, the bounds built on it 5 times more, and an expected reward
    n times; a row that sums to 1 only within ``mdp.row_error`` adds that much, under the reading
    as stored and under the reading divided by its sum alike.
    """
    longest = int(np.diff(mdp.row_ptr).max())
    per_reward = 8 if mdp.transition_reward is None else longest + 10
    stray = 2.0 * (mdp.row_error + longest * UNIT)
    return per_reward * UNIT + stray, (longest + 8) * UNIT + stray


def plan(
    mdp: TabularMDP,
    evaluate: Evaluator | None,
    *,
    tol: float,
    max_iter: int,
    v0: npt.ArrayLike | None = None,
) -> Solution:
    """Alternate greedy sweeps over the actions that may be optimal with policy evaluation.

    After a greedy sweep ``d = T v - v`` gives MacQueen's bounds ``T v + g/(1-g) min d <= v* <=
    T v + g/(1-g) max d``. Actions whose value falls short by more than ``g/(1-g) span(d)`` are
    proved suboptimal and skipped; the last sweep lists every action again, so that ``q`` is whole.
    """
    check_options(tol, max_iter)
    discount = mdp.gamma / (1.0 - mdp.gamma)
    backup = Backup(mdp)
    v, top = starting_value(mdp, v0), np.empty(mdp.n_states)
    scale = reward_scale(mdp)
    per_reward, per_value = row_rounding(mdp)
    last = {"low": 0.0, "high": 0.0, "pad": 0.0}

    def pad_for(low: float, high: float) -> float:
        reach = max(abs(float(top.max())), abs(float(top.min())))
        reach += max(abs(low), abs(high)) * (1.0 + discount)
        return (per_reward * scale + per_value * reach) / (1.0 - mdp.gamma)

    def advance(i: int) -> Step:
        nonlocal v, top
        if i > 0:
            v, top = top, v
            if evaluate is not None:
                span = last["high"] - last["low"]
                target = 2.0 * max(tol - last["pad"], last["pad"]) / max(discount, 1e-300)
                v = evaluate(backup, v, span, target)
        low, high = sweep(i == 0 and v0 is None)
        pad = pad_for(low, high)
        if backup.reduced and discount * (high - low) / 2 <= max(tol - pad, pad):
            backup.restore()
            top += discount * (low + high) / 2
            v, top = top, v
            low, high = sweep(False)
            pad = pad_for(low, high)
        elif mdp.n_actions > 1:
            # twice the rounding of a row on either side keeps the comparison safe
            backup.eliminate(top, discount * (high - low) + 4.0 * pad * (1.0 - mdp.gamma))
        last.update(low=low, high=high, pad=pad)
        return Step(low, high, discount * (high - low) / 2, pad, backup.work)

    def sweep(zero: bool) -> tuple[float, float]:
        return backup.best_reward(top) if zero else backup.greedy(v, top)

    convergence = iterate(advance, tol=tol, max_iter=max_iter)
    return conclude(mdp, backup, top, discount, last, convergence)


def conclude(
    mdp: TabularMDP,
    backup: Backup,
    top: FloatArray,
    discount: float,
    last: dict[str, float],
    convergence: Convergence,
) -> Solution:
    """Assemble the solution and its certificate from the last greedy sweep."""
    low, high, pad = discount * last["low"], discount * last["high"], last["pad"]
    middle = (low + high) / 2
    policy = backup.policy()
    certificate = BoundsCertificate(
        objective=mdp.objective, lower=top + (low - pad), upper=top + (high + pad), policy=policy
    )
    return Solution(
        v=top + middle,
        q=mdp.table(backup.q + middle),
        policy=policy,
        convergence=convergence,
        certificate=certificate,
        state_names=mdp.state_names,
        action_names=mdp.action_names,
    )
