"""What optimistic feasible search is compared with: other rules, the same radii."""

import math
from collections.abc import Sequence

from mdptheory._typing import RngLike
from mdptheory._validation import check_count, check_number
from mdptheory.algorithms._bandit_learner import BanditLearner, bandit_learner
from mdptheory.algorithms._bandit_records import BanditOptions
from mdptheory.algorithms._bandit_task import Rule, problem_of
from mdptheory.errors import InvalidModelError
from mdptheory.kernels.bandit_records import (
    EXPLORE,
    FIXED,
    GREEDY,
    PESSIMISTIC,
    PRIMAL_DUAL,
    UCB,
)
from mdptheory.models import ClosedLoop
from mdptheory.models.bandit import BanditProblem
from mdptheory.models.bandit_run import BanditRun
from mdptheory.models.fair_constraints import FairConstraint

__all__ = [
    "explore_then_commit",
    "explore_then_commit_learner",
    "fixed_arm",
    "fixed_arm_learner",
    "greedy_feasible",
    "greedy_feasible_learner",
    "pessimistic_ucb",
    "pessimistic_ucb_learner",
    "primal_dual_ucb",
    "primal_dual_ucb_learner",
    "ucb",
    "ucb_learner",
]


def ucb(
    env: ClosedLoop,
    horizon: int,
    constraints: Sequence[FairConstraint] = (),
    *,
    options: BanditOptions | None = None,
    rng: RngLike = None,
) -> BanditRun:
    """Play the arm with the largest upper bound of the reward, whatever it violates.

    Parameters
    ----------
    env, horizon, constraints, options, rng
        As in `ofs`.

    Returns
    -------
    BanditRun
        Arms, exact means, regret and violation.

    Raises
    ------
    InvalidModelError, TypeError
        As `ofs`.

    Notes
    -----
    The unconstrained baseline: violations are counted, not avoided.
    """
    made = ucb_learner(env, horizon, constraints, options=options)
    return made.run(rng, env)


def ucb_learner(
    env: BanditProblem | ClosedLoop,
    horizon: int,
    constraints: Sequence[FairConstraint] = (),
    *,
    options: BanditOptions | None = None,
) -> BanditLearner:
    """Return `ucb` as an object, like `ofs_learner`.

    Parameters
    ----------
    env : BanditProblem, GaussianBandit, ThresholdLoop or LendingLoop
        A `BanditProblem` for rounds that take place elsewhere.
    horizon, constraints, options
        As in `ucb`.

    Returns
    -------
    BanditLearner
        Nothing has been played yet.

    Raises
    ------
    InvalidModelError, TypeError
        As `ucb`.
    """
    return bandit_learner(env, horizon, constraints, Rule(UCB), options)


def pessimistic_ucb(
    env: ClosedLoop,
    horizon: int,
    constraints: Sequence[FairConstraint] = (),
    *,
    options: BanditOptions | None = None,
    rng: RngLike = None,
) -> BanditRun:
    """Play the most promising arm among those that are surely feasible.

    Parameters
    ----------
    env, horizon, constraints, options, rng
        As in `ofs`.

    Returns
    -------
    BanditRun
        Arms, exact means, regret and violation.

    Raises
    ------
    InvalidModelError, TypeError
        As `ofs`.

    Notes
    -----
    An arm qualifies if no upper bound of its residuals is positive; if none does, the one with the
    smallest such bound is played (a fallback). It never settles on an arm that sits on its limit.
    """
    made = pessimistic_ucb_learner(env, horizon, constraints, options=options)
    return made.run(rng, env)


def pessimistic_ucb_learner(
    env: BanditProblem | ClosedLoop,
    horizon: int,
    constraints: Sequence[FairConstraint] = (),
    *,
    options: BanditOptions | None = None,
) -> BanditLearner:
    """Return `pessimistic_ucb` as an object, like `ofs_learner`.

    Parameters
    ----------
    env : BanditProblem, GaussianBandit, ThresholdLoop or LendingLoop
        A `BanditProblem` for rounds that take place elsewhere.
    horizon, constraints, options
        As in `pessimistic_ucb`.

    Returns
    -------
    BanditLearner
        Nothing has been played yet.

    Raises
    ------
    InvalidModelError, TypeError
        As `pessimistic_ucb`.
    """
    return bandit_learner(env, horizon, constraints, Rule(PESSIMISTIC), options)


def greedy_feasible(
    env: ClosedLoop,
    horizon: int,
    constraints: Sequence[FairConstraint] = (),
    *,
    options: BanditOptions | None = None,
    rng: RngLike = None,
) -> BanditRun:
    """Play the arm with the best average reward among those that may be feasible.

    Parameters
    ----------
    env, horizon, constraints, options, rng
        As in `ofs`.

    Returns
    -------
    BanditRun
        Arms, exact means, regret and violation.

    Raises
    ------
    InvalidModelError, TypeError
        As `ofs`.

    Notes
    -----
    `ofs` without optimism about rewards: an unlucky start can keep it from the best arm for ever.
    """
    made = greedy_feasible_learner(env, horizon, constraints, options=options)
    return made.run(rng, env)


def greedy_feasible_learner(
    env: BanditProblem | ClosedLoop,
    horizon: int,
    constraints: Sequence[FairConstraint] = (),
    *,
    options: BanditOptions | None = None,
) -> BanditLearner:
    """Return `greedy_feasible` as an object, like `ofs_learner`.

    Parameters
    ----------
    env : BanditProblem, GaussianBandit, ThresholdLoop or LendingLoop
        A `BanditProblem` for rounds that take place elsewhere.
    horizon, constraints, options
        As in `greedy_feasible`.

    Returns
    -------
    BanditLearner
        Nothing has been played yet.

    Raises
    ------
    InvalidModelError, TypeError
        As `greedy_feasible`.
    """
    return bandit_learner(env, horizon, constraints, Rule(GREEDY), options)


def primal_dual_ucb(
    env: ClosedLoop,
    horizon: int,
    constraints: Sequence[FairConstraint] = (),
    *,
    step: float = 0.05,
    cap: float = 10.0,
    options: BanditOptions | None = None,
    rng: RngLike = None,
) -> BanditRun:
    """Play the best upper bound of the reward less priced residuals, and move the prices.

    Parameters
    ----------
    env, horizon, constraints, options, rng
        As in `ofs`.
    step, cap : float
        Step of the prices, positive, and their largest value.

    Returns
    -------
    BanditRun
        Arms, exact means, regret and violation.

    Raises
    ------
    InvalidModelError, TypeError
        As `ofs`.

    Notes
    -----
    Each residual has a price, 0 at first, that moves by ``step`` times what was observed of it and
    stays in [0, cap]; arms are valued by their upper bound of the reward less the prices times the
    lower bounds of their residuals. It keeps the sums of *signed* residuals small, by alternating
    between arms on both sides if need be: its violations can grow linearly.
    """
    made = primal_dual_ucb_learner(env, horizon, constraints, step=step, cap=cap, options=options)
    return made.run(rng, env)


def primal_dual_ucb_learner(
    env: BanditProblem | ClosedLoop,
    horizon: int,
    constraints: Sequence[FairConstraint] = (),
    *,
    step: float = 0.05,
    cap: float = 10.0,
    options: BanditOptions | None = None,
) -> BanditLearner:
    """Return `primal_dual_ucb` as an object, like `ofs_learner`.

    Parameters
    ----------
    env : BanditProblem, GaussianBandit, ThresholdLoop or LendingLoop
        A `BanditProblem` for rounds that take place elsewhere.
    horizon, constraints, options, step, cap
        As in `primal_dual_ucb`.

    Returns
    -------
    BanditLearner
        Nothing has been played yet.

    Raises
    ------
    InvalidModelError, TypeError
        As `primal_dual_ucb`.
    """
    check_number("step", step, low=0.0, open_low=True, open_high=True)
    check_number("cap", cap, low=0.0, open_high=True)
    rule = Rule(PRIMAL_DUAL, dual_step=step, dual_cap=cap)
    return bandit_learner(env, horizon, constraints, rule, options)


def explore_then_commit(
    env: ClosedLoop,
    horizon: int,
    constraints: Sequence[FairConstraint] = (),
    *,
    pulls: int | None = None,
    options: BanditOptions | None = None,
    rng: RngLike = None,
) -> BanditRun:
    """Play every arm equally often, then the best one for ever.

    Parameters
    ----------
    env, horizon, constraints, options, rng
        As in `ofs`.
    pulls : int, optional
        Rounds of each arm before committing; if absent ``(T / K)^(2/3)`` rounded up, within
        ``T / K``.

    Returns
    -------
    BanditRun
        Arms, exact means, regret and violation.

    Raises
    ------
    InvalidModelError, TypeError
        As `ofs`; or if exploring takes longer than the horizon.

    Notes
    -----
    The best one is that with the largest average reward among those whose averages are feasible, or
    that with the smallest violation of averages.
    """
    made = explore_then_commit_learner(env, horizon, constraints, pulls=pulls, options=options)
    return made.run(rng, env)


def explore_then_commit_learner(
    env: BanditProblem | ClosedLoop,
    horizon: int,
    constraints: Sequence[FairConstraint] = (),
    *,
    pulls: int | None = None,
    options: BanditOptions | None = None,
) -> BanditLearner:
    """Return `explore_then_commit` as an object, like `ofs_learner`.

    Parameters
    ----------
    env : BanditProblem, GaussianBandit, ThresholdLoop or LendingLoop
        A `BanditProblem` for rounds that take place elsewhere.
    horizon, constraints, options, pulls
        As in `explore_then_commit`.

    Returns
    -------
    BanditLearner
        Nothing has been played yet.

    Raises
    ------
    InvalidModelError, TypeError
        As `explore_then_commit`.
    """
    n_arms = problem_of(env).n_arms
    most = max(1, check_count("horizon", horizon) // n_arms)
    wanted = min(most, math.ceil((horizon / n_arms) ** (2 / 3))) if pulls is None else pulls
    if check_count("pulls", wanted) > most:
        raise InvalidModelError(
            f"pulls is {wanted}; expected at most {most}, as there are {n_arms} arms and {horizon}"
            " rounds"
        )
    rule = Rule(EXPLORE, explore=wanted)
    return bandit_learner(env, horizon, constraints, rule, options)


def fixed_arm(
    env: ClosedLoop,
    horizon: int,
    constraints: Sequence[FairConstraint] = (),
    *,
    arm: int,
    options: BanditOptions | None = None,
    rng: RngLike = None,
) -> BanditRun:
    """Play one arm for ever.

    Parameters
    ----------
    env, horizon, constraints, options, rng
        As in `ofs`.
    arm : int
        Index of the arm.

    Returns
    -------
    BanditRun
        Arms, exact means, regret and violation.

    Raises
    ------
    InvalidModelError, TypeError
        As `ofs`; or if there is no such arm.

    Notes
    -----
    The curve of a threshold that is set once.
    """
    made = fixed_arm_learner(env, horizon, constraints, arm=arm, options=options)
    return made.run(rng, env)


def fixed_arm_learner(
    env: BanditProblem | ClosedLoop,
    horizon: int,
    constraints: Sequence[FairConstraint] = (),
    *,
    arm: int,
    options: BanditOptions | None = None,
) -> BanditLearner:
    """Return `fixed_arm` as an object, like `ofs_learner`.

    Parameters
    ----------
    env : BanditProblem, GaussianBandit, ThresholdLoop or LendingLoop
        A `BanditProblem` for rounds that take place elsewhere.
    horizon, constraints, options, arm
        As in `fixed_arm`.

    Returns
    -------
    BanditLearner
        Nothing has been played yet.

    Raises
    ------
    InvalidModelError, TypeError
        As `fixed_arm`.
    """
    if check_count("arm", arm, low=0) >= problem_of(env).n_arms:
        raise InvalidModelError(f"arm is {arm}; expected an index in [0, {problem_of(env).n_arms})")
    rule = Rule(FIXED, fixed=arm)
    return bandit_learner(env, horizon, constraints, rule, options)
