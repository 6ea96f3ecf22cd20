"""The best fixed arm of a closed loop: what learners are measured by."""

import warnings
from collections.abc import Sequence

import numpy as np

from mdptheory._validation import check_number
from mdptheory.errors import InfeasibleWarning
from mdptheory.models import ClosedLoop
from mdptheory.models.bandit_run import BestArm
from mdptheory.models.fair_constraints import FairConstraint, residual_rows
from mdptheory.operators.closed_loop import loop_means, steady_states, violations

__all__ = ["best_arm"]


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
    violation = violations(means, rows)
    feasible = violation <= tol
    if feasible.any():
        arm = int(np.where(feasible, means[:, 0], -np.inf).argmax())
    else:
        arm = int(violation.argmin())
        warnings.warn(
            f"no arm satisfies the constraints; arm {arm} violates them least, by"
            f" {violation[arm]:.6g}",
            InfeasibleWarning,
            stacklevel=2,
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
