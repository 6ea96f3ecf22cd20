"""A bandit algorithm's numbers, from the problem, the constraints and the options."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory._validation import check_count, read_only
from mdptheory.algorithms._bandit_records import BanditOptions
from mdptheory.errors import GuaranteeWarning, InvalidModelError
from mdptheory.kernels.bandit_records import Task
from mdptheory.models import ClosedLoop
from mdptheory.models.bandit import BanditProblem
from mdptheory.models.bandit_run import LoopConstants
from mdptheory.models.fair_constraints import Channel, FairConstraint, ResidualRows, residual_rows
from mdptheory.models.threshold_loop import ThresholdLoop
from mdptheory.operators.closed_loop import is_open_loop
from mdptheory.operators.loop_constants import certify

Bias = Literal["theory", "none"]


@dataclass(frozen=True, slots=True)
class Rule:
    """Which arm to play, and for how long.

    Attributes
    ----------
    kind : int
        One of the rules of `kernels.bandit_records`.
    doubling : bool
        Whether an arm is played as often as in all its earlier epochs together.
    first, burn : int
        Length of the first epoch, and rounds at the start of each that are not recorded.
    bias : {"theory", "none"}
        Whether bounds allow for states that have not settled yet.
    explore : int
        Rounds of each arm before committing.
    fixed : int
        The only arm.
    dual_step, dual_cap : float
        Step and largest value of the prices.
    """

    kind: int
    doubling: bool = False
    first: int = 1
    burn: int = 0
    bias: Bias = "none"
    explore: int = 1
    fixed: int = 0
    dual_step: float = 0.0
    dual_cap: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A task for compiled code, and what it was made of.

    Attributes
    ----------
    task : Task
        For compiled code; ``pick`` counts the problem's channels.
    rows : ResidualRows
        Of all the problem's channels.
    proved : bool
        Whether the sums of claims are certificates.
    """

    task: Task
    rows: ResidualRows
    proved: bool


def problem_of(source: BanditProblem | ClosedLoop) -> BanditProblem:
    """Return what a learner is told, from an environment or as given."""
    if isinstance(source, BanditProblem):
        return source
    problem = getattr(source, "problem", None)
    if not isinstance(problem, BanditProblem):
        raise TypeError(
            f"env is {source!r} of type {type(source).__name__}; expected a BanditProblem, a"
            " GaussianBandit, a ThresholdLoop or a LendingLoop"
        )
    return problem


def bandit_plan(
    source: BanditProblem | ClosedLoop,
    horizon: int,
    constraints: Sequence[FairConstraint],
    rule: Rule,
    options: BanditOptions,
) -> Plan:
    """Put all numbers together, and warn of what proves nothing."""
    problem = problem_of(source)
    _check_horizon(problem.n_arms, check_count("horizon", horizon), rule)
    rows = residual_rows(constraints, problem.channels)
    used = np.flatnonzero((rows.matrix != 0).any(axis=0) | (np.arange(len(problem.channels)) == 0))
    channels = [problem.channels[int(c)] for c in used]
    matrix = rows.matrix[:, used]
    constants = _constants(source, rule)
    drift, bias = np.zeros(len(used)), np.zeros(len(used))
    if constants is not None:
        drift = constants.lipschitz[used] * constants.diameter
        bias = drift * constants.kappa**rule.burn / (1.0 - constants.kappa)
        # rounds weigh by their trials: all of them may fall into those that are furthest off
        bias *= [max(1, channel.trials) for channel in channels]
    is_open = not isinstance(source, BanditProblem) and is_open_loop(source)
    if options.radius_scale < 1.0:
        warnings.warn(
            f"radius_scale is {options.radius_scale:g}; below 1 nothing is proved, and the run has"
            " no certificates",
            GuaranteeWarning,
            stacklevel=4,
        )
    task = Task(
        rule=rule.kind,
        pick=read_only(used, np.int64),
        scale=read_only([options.radius_scale * channel.scale for channel in channels]),
        log_term=read_only(_log_terms(problem.n_arms, channels, horizon, rule, options)),
        anytime=options.anytime,
        matrix=read_only(matrix),
        level=rows.level,
        bias=read_only(bias),
        doubling=rule.doubling,
        first=rule.first,
        burn=rule.burn,
        explore=rule.explore,
        fixed=rule.fixed,
        dual_step=float(rule.dual_step),
        dual_cap=float(rule.dual_cap),
        reward_range=float(problem.channels[0].high - problem.channels[0].low),
        violation_cap=violation_cap(channels, matrix, rows.level),
        drift_reward=float(drift[0]),
        drift_violation=float((np.abs(matrix) @ drift).max(initial=0.0)),
        kappa=0.0 if constants is None else constants.kappa,
        comparator=math.nan,
    )
    proved = options.radius_scale >= 1.0 and (is_open or constants is not None)
    return Plan(task, rows, proved)


def violation_cap(channels: Sequence[Channel], matrix: FloatArray, level: FloatArray) -> float:
    """Return the largest violation that the channels' ranges allow."""
    most = 0.0
    for row, right in zip(matrix, level, strict=True):
        ends = [
            max(a * channel.low, a * channel.high)
            for a, channel in zip(row, channels, strict=True)
            if a != 0.0
        ]
        most = max(most, sum(ends) - float(right))
    return most


def _log_terms(
    n_arms: int, channels: Sequence[Channel], horizon: int, rule: Rule, options: BanditOptions
) -> list[float]:
    """Return L of each channel; a count channel's bounds are read at any number of trials."""
    share = options.delta / (2.0 * n_arms * len(channels))
    if options.anytime:
        return [math.log(math.pi**2 / (6.0 * share))] * len(channels)
    epochs = 2 + max(0, math.floor(math.log2(horizon / rule.first)))
    times = epochs if rule.doubling else horizon
    return [math.log((horizon * c.trials if c.trials else times) / share) for c in channels]


def _check_horizon(n_arms: int, horizon: int, rule: Rule) -> None:
    if horizon < n_arms:
        raise InvalidModelError(
            f"horizon is {horizon}; expected at least one round for each of {n_arms} arms"
        )
    if rule.doubling and horizon < n_arms * (rule.burn + rule.first):
        warnings.warn(
            f"horizon is {horizon}; some of {n_arms} arms is never tried, as the first epochs take"
            f" {rule.burn + rule.first} rounds each",
            GuaranteeWarning,
            stacklevel=5,
        )


def _constants(source: BanditProblem | ClosedLoop, rule: Rule) -> LoopConstants | None:
    """Return what the theory's bias is made of; None without it."""
    if rule.bias == "none":
        return None
    if rule.bias != "theory":
        raise InvalidModelError(f"bias is {rule.bias!r}; expected 'theory' or 'none'")
    if isinstance(source, BanditProblem):
        raise InvalidModelError(
            "bias is 'theory', which needs an environment with known dynamics; expected 'none' for"
            " a BanditProblem"
        )
    if isinstance(source, ThresholdLoop) and source.dynamics.stochastic:
        raise InvalidModelError(
            "bias is 'theory', which is proved for deterministic feedback only; expected 'none', or"
            " dynamics without stochastic"
        )
    return certify(source)
