"""Thresholds that stop learning: explore then commit, or never explore."""

import math
from collections.abc import Sequence

from mdptheory._typing import RngLike
from mdptheory._validation import check_count
from mdptheory.algorithms._bandit_learner import BanditLearner, bandit_learner
from mdptheory.algorithms._bandit_records import BanditOptions
from mdptheory.algorithms._bandit_task import Rule, problem_of
from mdptheory.errors import InvalidModelError
from mdptheory.kernels.bandit_records import EXPLORE, FIXED
from mdptheory.models import ClosedLoop
from mdptheory.models.bandit import BanditProblem
from mdptheory.models.bandit_run import BanditRun
from mdptheory.models.fair_constraints import FairConstraint

__all__ = [
    "explore_then_commit",
    "explore_then_commit_learner",
    "fixed_arm",
    "fixed_arm_learner",
]


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
