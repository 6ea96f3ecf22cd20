"""The best fixed arm of a closed loop: what learners are measured by."""

import warnings
from collections.abc import Sequence

import numpy as np

from mdptheory._typing import FloatArray, RngLike
from mdptheory._validation import check_count, check_number
from mdptheory.errors import InfeasibleWarning
from mdptheory.kernels.bandit_world import sweep
from mdptheory.models import ClosedLoop
from mdptheory.models.bandit_run import BestArm
from mdptheory.models.fair_constraints import FairConstraint, ResidualRows, residual_rows
from mdptheory.operators.closed_loop import (
    channel_places,
    compiled_world,
    draw_rounds,
    loop_means,
    n_draws,
    n_places,
    scratch_desk,
    steady_states,
    violations,
)

__all__ = ["best_arm", "monte_carlo_best_arm"]

DROPPED = 0.2  # share of the rounds of a sweep in which the state may still settle


def best_arm(
    env: ClosedLoop, constraints: Sequence[FairConstraint] = (), *, tol: float = 1e-9
) -> BestArm:
    """Find the arm with the largest steady reward among those that are feasible at their own state.

    Parameters
    ----------
    env : GaussianBandit, ThresholdLoop or LendingLoop
        The environment.
    constraints : sequence of FairConstraint
        What the arm must satisfy.
    tol : float
        Largest steady violation that counts as feasible.

    Returns
    -------
    BestArm
        Ties go to the lowest index. With no feasible arm, the one with the smallest violation.

    Raises
    ------
    InvalidModelError
        If a constraint needs what the environment does not show.

    Warns
    -----
    InfeasibleWarning
        If no arm is feasible.

    Notes
    -----
    Each arm is played without noise from the environment's start until the state settles; where
    the loop is no contraction, other starts may lead elsewhere.

    References
    ----------
    .. [1] W. Du, "Optimistic Feasible Search for Closed-Loop Fair Threshold Decision-Making", arXiv
       2512.22313, 2025: the abstract's oracle is the best feasible fixed threshold.

    Examples
    --------
    >>> from mdptheory.models import GaussianBandit
    >>> bandit = GaussianBandit([0.9, 0.5], [[0.2], [0.0]])
    >>> best_arm(bandit, bandit.constraints).arm
    1
    """
    check_number("tol", tol, low=0.0, open_high=True)
    rows = residual_rows(constraints, env.channels)
    states = steady_states(env)
    means = np.stack([loop_means(env, z)[k] for k, z in enumerate(states)])
    return _best_of(means, states, rows, tol)


def monte_carlo_best_arm(
    env: ClosedLoop,
    constraints: Sequence[FairConstraint] = (),
    *,
    rounds: int = 20_000,
    tol: float = 0.01,
    rng: RngLike = None,
) -> BestArm:
    """Find the best arm by playing each one for as long, without knowing how the loop works.

    Parameters
    ----------
    env : GaussianBandit, ThresholdLoop or LendingLoop
        The environment.
    constraints : sequence of FairConstraint
        What the arm must satisfy.
    rounds : int
        Rounds of each arm, from the environment's start; the first fifth does not count.
    tol : float
        Largest violation of the averages that counts as feasible: a few standard errors, or an arm
        at its limit passes for infeasible every other time.
    rng : numpy.random.Generator, int or None
        Source of randomness.

    Returns
    -------
    BestArm
        As `best_arm`, with averages of what was seen in place of means and the last states in
        place of steady ones. An average is nan if its channel never had a trial,
        and an arm whose residual needs it counts as infeasible.

    Raises
    ------
    InvalidModelError
        If a constraint needs what the environment does not show.

    Warns
    -----
    InfeasibleWarning
        If no arm is feasible.

    Notes
    -----
    This is a cross-check of `best_arm`, and the only one of the two that says what `ThresholdLoop`
    with stochastic dynamics earns on average. The standard error of the average of a channel of
    values is at most its scale over ``sqrt(0.8 rounds)``.

    References
    ----------
    .. [1] W. Du, "Optimistic Feasible Search for Closed-Loop Fair Threshold Decision-Making", arXiv
       2512.22313, 2025: the abstract's oracle is the best feasible fixed threshold.

    Examples
    --------
    >>> from mdptheory.models import GaussianBandit
    >>> bandit = GaussianBandit([0.9, 0.5], [[0.2], [0.0]])
    >>> monte_carlo_best_arm(bandit, bandit.constraints, rng=0).arm
    1
    """
    rng = np.random.default_rng(rng)
    check_number("tol", tol, low=0.0, open_high=True)
    check_count("rounds", rounds, low=5)
    rows = residual_rows(constraints, env.channels)
    world, places, desk = compiled_world(env), channel_places(env), scratch_desk(env)
    states = np.tile(env.start_state, (env.n_arms, 1))
    total = np.zeros((env.n_arms, n_places(env)))
    weight = np.zeros_like(total)
    draws = np.empty((rounds, n_draws(env)))
    for arm in range(env.n_arms):
        draw_rounds(env, rng, draws)
        skip = int(DROPPED * rounds)
        sweep(world, states[arm], arm, desk, draws, skip, total[arm], weight[arm])
    with np.errstate(invalid="ignore"):
        return _best_of((total / weight)[:, places], states, rows, tol)


def _best_of(means: FloatArray, states: FloatArray, rows: ResidualRows, tol: float) -> BestArm:
    """Pick an arm by the means of all channels, and warn if none is feasible."""
    violation = violations(means, rows)
    violation[np.isnan(violation)] = np.inf  # a channel that never had a trial
    feasible = violation <= tol
    if feasible.any():
        arm = int(np.where(feasible, means[:, 0], -np.inf).argmax())
    else:
        arm = int(violation.argmin())
        warnings.warn(
            f"no arm satisfies the constraints; arm {arm} violates them least, by"
            f" {violation[arm]:.6g}",
            InfeasibleWarning,
            stacklevel=3,
        )
    return BestArm(
        arm=arm,
        feasible=bool(feasible.any()),
        reward=float(means[arm, 0]),
        violation=float(violation[arm]),
        means=means,
        violations=violation,
        states=states,
    )
