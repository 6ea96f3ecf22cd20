"""What optimistic feasible search is compared with: other rules, the same radii."""

from collections.abc import Sequence

from mdptheory._typing import RngLike
from mdptheory._validation import check_number
from mdptheory.algorithms._bandit_learner import BanditLearner, bandit_learner
from mdptheory.algorithms._bandit_records import BanditOptions
from mdptheory.algorithms._bandit_task import Rule
from mdptheory.kernels.bandit_records import (
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
