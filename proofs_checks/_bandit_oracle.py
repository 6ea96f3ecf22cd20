"""Bandit algorithms with constraints as one would write them down: a slow loop over rounds.

Every round recomputes all indices with NumPy from counts and sums. The noise comes in, so that a
run of the library on the same normals must take the same arms.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Self, TypeAlias

import numpy as np

from mdptheory._typing import BoolArray, FloatArray, IntArray
from mdptheory.models import GaussianBandit, ResidualRows, residual_rows
from mdptheory.models.fair_constraints import FairConstraint

LOOKS_FEASIBLE = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Setup:
    """What a learner is told besides the bandit.

    Attributes
    ----------
    constraints : tuple of FairConstraint, optional
        The bandit's own ones if absent.
    delta, radius_scale : float
        Failure probability, and factor of all radii.
    anytime : bool
        Whether the log term follows the count instead of the horizon.
    first, burn : int
        Recorded rounds of a first epoch and unrecorded ones of every epoch; 0 means that every
        round chooses anew.
    bias : array of shape (C,)
        B_c, for epochs.
    step, cap : float
        Of the primal-dual prices.
    pulls : int
        Rounds of each arm before explore-then-commit commits.
    arm : int
        The fixed one.
    """

    constraints: tuple[FairConstraint, ...] | None = None
    delta: float = 0.05
    radius_scale: float = 1.0
    anytime: bool = False
    first: int = 0
    burn: int = 0
    bias: FloatArray = field(default_factory=lambda: np.zeros(0))
    step: float = 0.05
    cap: float = 10.0
    pulls: int = 1
    arm: int = 0


class Look(NamedTuple):
    """All that a rule may look at, arms by rows.

    Attributes
    ----------
    mean, radius : array of shape (K, C)
        Averages of what was seen, and how far off they may be.
    rows : ResidualRows
        The constraints.
    prices : array of shape (M,)
        Of primal-dual.
    setup : Setup
        As given.
    counts : array of int of shape (K,)
        Recorded rounds of each arm.
    """

    mean: FloatArray
    radius: FloatArray
    rows: ResidualRows
    prices: FloatArray
    setup: Setup
    counts: IntArray

    @property
    def reward(self) -> FloatArray:
        """u(k), the upper bounds of the rewards."""
        return self.mean[:, 0] + self.radius[:, 0]

    @property
    def residual(self) -> FloatArray:
        """Residuals of the averages, shape (K, M)."""
        return self.mean @ self.rows.matrix.T - self.rows.level

    @property
    def width(self) -> FloatArray:
        """How far these may be off, shape (K, M)."""
        return self.radius @ np.abs(self.rows.matrix).T

    @property
    def least(self) -> FloatArray:
        """Optimistic violation of every arm: its largest positive lower bound of a residual."""
        return positive(self.residual - self.width)


def positive(residuals: FloatArray) -> FloatArray:
    """Largest positive residual along the last axis, 0 without any."""
    worst: FloatArray = residuals.max(axis=-1, initial=0.0)
    return worst


Rule: TypeAlias = Callable[[Look], tuple[int, bool]]
"""Returns an arm, and whether nothing looked feasible."""


def first_best(values: FloatArray, allowed: BoolArray) -> int:
    """Arm of the largest value among those allowed; the lowest of ties."""
    return int(np.argmax(np.where(allowed, values, -np.inf)))


# ---- rules --------------------------------------------------------------------------------------


def optimistic(look: Look) -> tuple[int, bool]:
    """Take the largest upper bound of the reward among arms that may be feasible."""
    feasible = look.least <= LOOKS_FEASIBLE
    if feasible.any():
        return first_best(look.reward, feasible), False
    return int(np.argmin(look.least)), True


def unconstrained(look: Look) -> tuple[int, bool]:
    """Take the largest upper bound of the reward."""
    return int(np.argmax(look.reward)), False


def pessimistic(look: Look) -> tuple[int, bool]:
    """Take the largest upper bound of the reward among arms that are feasible for sure."""
    most = positive(look.residual + look.width)
    safe = most <= LOOKS_FEASIBLE
    if safe.any():
        return first_best(look.reward, safe), False
    return int(np.argmin(most)), True


def primal_dual(look: Look) -> tuple[int, bool]:
    """Take the largest upper bound of the reward less the price of optimistic residuals."""
    return int(np.argmax(look.reward - (look.residual - look.width) @ look.prices)), False


def greedy(look: Look) -> tuple[int, bool]:
    """Take the largest average reward among arms that may be feasible."""
    feasible = look.least <= LOOKS_FEASIBLE
    if feasible.any():
        return first_best(look.mean[:, 0], feasible), False
    return int(np.argmin(look.least)), True


def explore_then_commit(look: Look) -> tuple[int, bool]:
    """Go round the arms, then take the one whose averages are feasible and earn most."""
    short = look.counts < look.setup.pulls
    if short.any():
        return int(np.argmin(look.counts)), False
    if look.counts.max() > look.setup.pulls:
        return int(np.argmax(look.counts)), False
    broken = positive(look.residual)
    feasible = broken <= LOOKS_FEASIBLE
    if feasible.any():
        return first_best(look.mean[:, 0], feasible), False
    return int(np.argmin(broken)), False


def fixed(look: Look) -> tuple[int, bool]:
    """Take the same arm always."""
    return look.setup.arm, False


# ---- rules with a bug, for twins ----------------------------------------------------------------


def falls_back_on_reward(look: Look) -> tuple[int, bool]:
    """Take the largest upper bound of the reward where nothing looks feasible."""
    feasible = look.least <= LOOKS_FEASIBLE
    if feasible.any():
        return first_best(look.reward, feasible), False
    return int(np.argmax(look.reward)), True


def wrong_sign(look: Look) -> tuple[int, bool]:
    """Take residuals for slacks."""
    feasible = positive(-look.residual - look.width) <= LOOKS_FEASIBLE
    if feasible.any():
        return first_best(look.reward, feasible), False
    return int(np.argmin(look.least)), True


RULES: dict[str, Rule] = {
    "ofs": optimistic,
    "ucb": unconstrained,
    "pessimistic": pessimistic,
    "primal-dual": primal_dual,
    "greedy": greedy,
    "explore-then-commit": explore_then_commit,
    "fixed": fixed,
}


# ---- runs ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """What a run did.

    Attributes
    ----------
    arms : array of int of shape (T,)
        Arm of each round.
    fallback : array of bool of shape (T,)
        Whether nothing looked feasible when it was chosen.
    means : array of shape (T, C)
        Means of the channels in each round.
    states : array of shape (T,)
        The number that follows the arm, at the start of each round.
    radii : array of shape (T, C)
        Radii of the arm when it was chosen; infinite before its first pull.
    least : array of shape (T,)
        Its optimistic violation then.
    prices : array of shape (M,)
        Of primal-dual at the end.
    violation, observed : array of shape (T,)
        Largest positive residual of the means, and of what was seen.
    """

    arms: IntArray
    fallback: BoolArray
    means: FloatArray
    states: FloatArray
    radii: FloatArray
    least: FloatArray
    prices: FloatArray
    violation: FloatArray
    observed: FloatArray


def rows_of(bandit: GaussianBandit, setup: Setup) -> ResidualRows:
    """Residuals that a learner is told to keep."""
    told = bandit.constraints if setup.constraints is None else setup.constraints
    return residual_rows(told, bandit.channels)


def log_terms(n_arms: int, horizon: int, counts: FloatArray, setup: Setup, j: int) -> FloatArray:
    """L of every arm: by horizon, by count, or by the number of epochs of an arm."""
    if setup.first:
        epochs = 2 + max(0, int(np.floor(np.log2(horizon / setup.first))))
        return np.full(n_arms, np.log(2 * n_arms * j * epochs / setup.delta))
    if setup.anytime:
        return np.log(n_arms * j * np.pi**2 * counts**2 / (3 * setup.delta))
    return np.full(n_arms, np.log(2 * n_arms * j * horizon / setup.delta))


@dataclass(slots=True, eq=False)
class Learner:
    """Counts, sums and prices, and what to do with them."""

    bandit: GaussianBandit
    rule: Rule
    setup: Setup
    horizon: int
    rows: ResidualRows
    scales: FloatArray
    counts: IntArray
    epochs: FloatArray
    sums: FloatArray
    prices: FloatArray

    @classmethod
    def new(cls, bandit: GaussianBandit, rule: str | Rule, horizon: int, setup: Setup) -> Self:
        """Begin with nothing seen."""
        k, rows = bandit.n_arms, rows_of(bandit, setup)
        scales = np.array([c.scale for c in bandit.channels])
        sums, chosen = np.zeros((k, len(scales))), RULES[rule] if isinstance(rule, str) else rule
        zeros = np.zeros(k, dtype=np.int64), np.zeros(k), sums, np.zeros(len(rows.level))
        return cls(bandit, chosen, setup, horizon, rows, scales, *zeros)

    def look(self) -> Look:
        """Compute all indices; those of arms that were never seen mean nothing."""
        n = np.maximum(self.counts, 1).astype(np.float64)
        used = 1 + int((self.rows.matrix[:, 1:] != 0).any(axis=0).sum())
        log = log_terms(len(n), self.horizon, n, self.setup, used)
        radius = self.setup.radius_scale * self.scales * np.sqrt(2 * log / n)[:, None]
        if self.setup.bias.size:
            radius = radius + self.setup.bias * (self.epochs / n)[:, None]
        mean = self.sums / n[:, None]
        return Look(mean, radius, self.rows, self.prices, self.setup, self.counts)

    def choose(self) -> tuple[int, bool, FloatArray, float]:
        """Return an arm, whether nothing looked feasible, its radii and optimistic violation."""
        look, fresh = self.look(), np.flatnonzero(self.counts == 0)
        arm, fell = self.rule(look)
        if fresh.size and self.rule is not fixed:
            arm, fell = int(fresh[0]), False
        if self.counts[arm] == 0:
            return arm, fell, np.full(len(self.scales), np.inf), 0.0
        return arm, fell, look.radius[arm], float(look.least[arm])

    def learn(self, arm: int, value: FloatArray, recorded: bool) -> None:
        """Take in what a round showed."""
        if recorded:
            self.counts[arm] += 1
            self.sums[arm] += value
        moved = self.prices + self.setup.step * (self.rows.matrix @ value - self.rows.level)
        self.prices = np.clip(moved, 0.0, self.setup.cap)


def play(
    bandit: GaussianBandit,
    rule: str | Rule,
    horizon: int,
    noise: FloatArray,
    setup: Setup | None = None,
) -> Played:
    """Run a rule on a bandit whose channels err by ``scale * noise``.

    Parameters
    ----------
    bandit : GaussianBandit
        Means, scales, and what its state does.
    rule : str or callable
        A name in `RULES`, or a rule with a bug of its own.
    horizon : int
        Number of rounds T.
    noise : array of shape (T, C)
        Standard normals: one a channel and round.
    setup : Setup, optional
        What the learner is told.

    Returns
    -------
    Played
        The run.
    """
    told = Setup() if setup is None else setup
    learner, state, left = Learner.new(bandit, rule, horizon, told), bandit.start, 0
    length, chosen, seen = 1, (0, False, np.zeros(0), 0.0), []
    for t in range(horizon):
        if left == 0:
            chosen = learner.choose()
            recorded = max(told.first, int(learner.counts[chosen[0]]))
            length = left = told.burn + recorded if told.first else 1
        arm = chosen[0]
        reward = bandit.reward[arm] + bandit.reward_slope[arm] * state
        mean = np.array([reward, *(bandit.residuals[arm] + bandit.residual_slope[arm] * state)])
        value = mean + learner.scales * noise[t]
        seen.append((*chosen, mean, state, value))
        learner.learn(arm, value, recorded=length - left >= told.burn)
        state = bandit.inertia * state + (1 - bandit.inertia) * float(bandit.target[arm])
        left -= 1
        learner.epochs[arm] += left == 0
    arms, fallback, radii, least, means, states, values = map(np.array, zip(*seen, strict=True))
    rows = learner.rows
    violation, observed = (positive(x @ rows.matrix.T - rows.level) for x in (means, values))
    return Played(arms, fallback, means, states, radii, least, learner.prices, violation, observed)


def certificates(
    run: Played, bandit: GaussianBandit, setup: Setup | None = None, *, least: bool = True
) -> tuple[float, float]:
    """Add up what each round may have cost at most, by the radii that it was chosen with.

    Parameters
    ----------
    run : Played
        A run without epochs.
    bandit : GaussianBandit
        For the ranges of reward and residuals.
    setup : Setup, optional
        As in the run.
    least : bool
        Whether the optimistic violation is added to twice the radius.

    Returns
    -------
    tuple of float
        For regret and for violation.
    """
    rows = rows_of(bandit, Setup() if setup is None else setup)
    span, cap = ranges(bandit, rows)
    known = np.isfinite(run.radii[:, 0])
    widths = positive(run.radii[known] @ np.abs(rows.matrix).T)
    shown = run.least[known] if least else 0.0
    regret = np.minimum(span, 2 * run.radii[:, 0]).sum()
    return float(regret), float((~known).sum() * cap + np.minimum(cap, shown + 2 * widths).sum())


def ranges(bandit: GaussianBandit, rows: ResidualRows) -> tuple[float, float]:
    """Return how far rewards may be apart, and the largest violation that there may be."""
    low, high = (np.array([getattr(c, end) for c in bandit.channels]) for end in ("low", "high"))
    up, down = np.maximum(rows.matrix, 0), np.minimum(rows.matrix, 0)
    return float(high[0] - low[0]), float(positive(up @ high + down @ low - rows.level))
