"""Threshold decisions about two groups whose composition follows what was decided."""

import math
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray
from mdptheory._validation import (
    as_float_array,
    check_count,
    check_finite,
    check_flag,
    check_names,
    check_number,
    check_shape,
    place,
    read_only,
)
from mdptheory.errors import InvalidModelError
from mdptheory.models.bandit import BanditProblem
from mdptheory.models.fair_constraints import Channel

MONOTONE = 1e-12
MAX_BATCH = 10**6
"""Beyond, tables of logarithms of factorials would take longer than the rounds."""


@dataclass(frozen=True, slots=True)
class LoopDynamics:
    """How decisions change the population.

    With S[g, y] the share of group g and label y that is accepted and alpha_g the acceptance rate
    of group g, a round moves

        q_g to (1 - eta_q) q_g + eta_q clip(q0_g + c1 q_g S[g, 1] - c0 (1 - q_g) S[g, 0]),
        p to (1 - eta_p) p + eta_p clip(p0 + c_p (alpha_A - alpha_B)):

    accepting the good helps a group, accepting the bad hurts it, and applicants come from the group
    that is accepted more often.

    Parameters
    ----------
    eta_q, eta_p : float
        Speeds in [0, 1]; 0 keeps the rate as it is.
    c1, c0, c_p : float
        Strengths, at least 0.
    q_low, q_high : float
        Range of the favourable-label rates.
    p_low, p_high : float, optional
        Range of the share of the first group. If absent, within 0.25 of p0 and inside [0.05,
        0.95], and up to p0 where that lies outside.
    stochastic : bool
        Whether p follows the accepted share of the batch and not its mean.
    """

    eta_q: float = 0.1
    eta_p: float = 0.1
    c1: float = 0.1
    c0: float = 0.2
    c_p: float = 0.3
    q_low: float = 0.05
    q_high: float = 0.95
    p_low: float | None = None
    p_high: float | None = None
    stochastic: bool = False

    def __post_init__(self) -> None:
        """Refuse speeds, strengths and ranges that are none."""
        for name in ("eta_q", "eta_p"):
            check_number(name, getattr(self, name), low=0.0, high=1.0)
        for name in ("c1", "c0", "c_p"):
            check_number(name, getattr(self, name), low=0.0, open_high=True)
        for name in ("q_low", "q_high", "p_low", "p_high"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), low=0.0, high=1.0)
        for rate, low, high in (("q", self.q_low, self.q_high), ("p", self.p_low, self.p_high)):
            if low is not None and high is not None and low > high:
                raise InvalidModelError(
                    f"{rate}_low is {low} and {rate}_high is {high}; expected a range"
                )
        check_flag("stochastic", self.stochastic)

    @classmethod
    def none(cls) -> Self:
        """Return dynamics under which nothing moves: an open loop."""
        return cls(eta_q=0.0, eta_p=0.0, q_low=0.0, q_high=1.0, p_low=0.0, p_high=1.0)

    @property
    def is_open(self) -> bool:
        """Whether nothing moves."""
        return self.eta_q == 0.0 and self.eta_p == 0.0


@dataclass(frozen=True, slots=True, eq=False)
class ThresholdLoop:
    """Accept applicants whose score reaches a threshold, round by round, in a closed loop.

    The state is (p, q_A, q_B): share of the first group among applicants, and each group's rate of
    favourable labels. A round is an audit of ``batch`` applicants of each group.

    Parameters
    ----------
    survival : array of shape (2, 2, K)
        ``survival[g, y, k]`` is the probability that arm k accepts an applicant of group g with
        label y (1 is favourable); not increasing in the threshold.
    thresholds : array of shape (K,) or (K, 2)
        One increasing threshold for both groups, or a pair for each arm.
    p0 : float
        Share of the first group before the first round, in [0, 1].
    q0 : array of shape (2,)
        Rates of favourable labels before the first round.
    cost : float
        What accepting an applicant with an unfavourable label costs; accepting another earns 1.
    dynamics : LoopDynamics
        How the state moves.
    batch : int or pair of int
        Applicants a round, of each group; without ``stratified`` of both together.
    stratified : bool
        Whether each round audits fixed numbers of both groups (weighted by p), or takes ``batch``
        applicants as they come, each of the first group with probability p.
    groups : pair of str
        Names of the groups.

    Raises
    ------
    InvalidModelError
        If a table is no probability or rises with the threshold, thresholds do not increase, or the
        start is outside its range.
    """

    survival: FloatArray
    thresholds: FloatArray
    p0: float
    q0: FloatArray
    cost: float = 1.0
    dynamics: LoopDynamics = field(default_factory=LoopDynamics)
    batch: int | tuple[int, int] = 100
    stratified: bool = True
    groups: tuple[str, str] = ("A", "B")

    def __post_init__(self) -> None:
        """Check everything, fill in the range of p, freeze the arrays."""
        thresholds = check_thresholds(self.thresholds)
        k = len(thresholds)
        survival = as_float_array("survival", self.survival)
        check_shape("survival", survival, (2, 2, k))
        _check_survival(survival, thresholds)
        q0 = as_float_array("q0", self.q0)
        check_shape("q0", q0, (2,))
        check_number("cost", self.cost, low=0.0, open_high=True)
        check_flag("stratified", self.stratified)
        for name, array in (("thresholds", thresholds), ("survival", survival), ("q0", q0)):
            object.__setattr__(self, name, read_only(array))
        groups = check_names("groups", self.groups, 2)
        if groups is None:
            raise TypeError("groups is None; expected the names of two groups")
        object.__setattr__(self, "groups", groups)
        object.__setattr__(self, "batch", _checked_batch(self.batch, self.stratified))
        object.__setattr__(self, "dynamics", _with_range(self.dynamics, self.p0))
        d = self.dynamics
        _check_start("p0", self.p0, "p", d.p_low, d.p_high)
        for g, rate in enumerate(q0):
            _check_start(f"q0[{g}]", rate, "q", d.q_low, d.q_high)

    @property
    def n_arms(self) -> int:
        """Number of arms K."""
        return len(self.thresholds)

    @property
    def sizes(self) -> tuple[int, int]:
        """Applicants a round of each group; of both together, twice, without ``stratified``."""
        return self.batch if isinstance(self.batch, tuple) else (self.batch, self.batch)

    @property
    def start_state(self) -> FloatArray:
        """(p0, q0_A, q0_B)."""
        return np.array([self.p0, *self.q0])

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Reward, gap, service, then counts: rate and true-positive rate of each group.

        ``gap`` is the rate of the first group less that of the second, and is missing without
        ``stratified``, where a round may lack a group.
        """
        least = min(self.sizes)
        root, reward = math.sqrt(least), (1.0 + self.cost) / 2
        found = [Channel("reward", reward / root, -self.cost, 1.0)]
        if self.stratified:
            gap = 0.5 * math.sqrt(sum(1.0 / n for n in self.sizes))
            found.append(Channel("gap", gap, -1.0, 1.0))
        found.append(Channel("service", 0.5 / root, 0.0, 1.0))
        for kind in ("rate", "tpr"):
            for name, trials in zip(self.groups, self.sizes, strict=True):
                found.append(Channel(f"{kind}_{name}", 0.5, 0.0, 1.0, trials))
        return tuple(found)

    @property
    def problem(self) -> BanditProblem:
        """What a learner is told."""
        return BanditProblem(self.n_arms, self.channels)

    def with_group_thresholds(self, every: int = 1) -> Self:
        """Return the loop whose arms are all pairs of thresholds, one a group.

        Parameters
        ----------
        every : int
            Take each ``every``-th threshold, to keep the number of arms small.

        Returns
        -------
        ThresholdLoop
            With arm ``i * n + j`` for the i-th and j-th of n thresholds.
        """
        if self.thresholds.ndim == 2:
            raise InvalidModelError(
                f"thresholds has shape {self.thresholds.shape}: there is one a group already"
            )
        grid = np.arange(0, self.n_arms, check_count("every", every))
        first, second = np.repeat(grid, len(grid)), np.tile(grid, len(grid))
        pairs = np.column_stack([self.thresholds[first], self.thresholds[second]])
        survival = np.stack([self.survival[0][:, first], self.survival[1][:, second]])
        return replace(self, survival=survival, thresholds=pairs)

    def open(self) -> Self:
        """Return the same loop without feedback."""
        return replace(self, dynamics=LoopDynamics.none())


def check_thresholds(value: npt.ArrayLike) -> FloatArray:
    """Return finite thresholds, (K,) and increasing or (K, 2), or name the first that is wrong."""
    thresholds = as_float_array("thresholds", value)
    if (
        thresholds.ndim not in (1, 2)
        or not thresholds.size
        or thresholds.shape[1:] not in ((), (2,))
    ):
        raise InvalidModelError(
            f"thresholds has shape {thresholds.shape}; expected (K,) or (K, 2), K at least 1"
        )
    check_finite("thresholds", thresholds)
    falls = np.flatnonzero(np.diff(thresholds) <= 0) if thresholds.ndim == 1 else np.zeros(0)
    if falls.size:
        k = int(falls[0])
        raise InvalidModelError(
            f"thresholds[{k + 1}] is {thresholds[k + 1]}, not above thresholds[{k}] ="
            f" {thresholds[k]}; expected increasing thresholds"
        )
    return thresholds


def _check_survival(survival: FloatArray, thresholds: FloatArray) -> None:
    outside = ~((survival >= 0) & (survival <= 1))  # NaN is outside
    if outside.any():
        at = tuple(int(i) for i in np.argwhere(outside)[0])
        raise InvalidModelError(
            f"{place('survival', at)} is {survival[at]}; expected a probability"
            f" ({int(outside.sum())} of {survival.size} entries fail)"
        )
    for g in range(2):
        mine = thresholds if thresholds.ndim == 1 else thresholds[:, g]
        order = np.argsort(mine, kind="stable")
        for y in range(2):
            row = survival[g, y, order]
            rise = np.diff(row)
            same = np.diff(mine[order]) == 0
            wrong = np.flatnonzero((rise > MONOTONE) | (same & (np.abs(rise) > MONOTONE)))
            if wrong.size:
                a, b = (int(order[wrong[0] + i]) for i in (0, 1))
                raise InvalidModelError(
                    f"{place('survival', (g, y, b))} is {survival[g, y, b]} at threshold"
                    f" {mine[b]:g}, and {place('survival', (g, y, a))} is {survival[g, y, a]} at"
                    f" {mine[a]:g}; expected shares that do not rise with the threshold"
                )


def _checked_batch(batch: Any, stratified: bool) -> int | tuple[int, int]:
    if not isinstance(batch, tuple | list | np.ndarray):
        return _checked_size("batch", batch)
    sizes = tuple(_checked_size(f"batch[{g}]", n) for g, n in enumerate(batch))
    if len(sizes) != 2 or not stratified:
        wanted = "a number or two, one a group" if stratified else "one number without stratified"
        raise InvalidModelError(f"batch is {sizes}; expected {wanted}")
    return sizes[0], sizes[1]


def _checked_size(name: str, value: Any) -> int:
    if check_count(name, value) > MAX_BATCH:
        raise InvalidModelError(f"{name} is {value}; expected at most {MAX_BATCH}")
    return int(value)


def _with_range(dynamics: LoopDynamics, p0: float) -> LoopDynamics:
    """Fill in the range of p: it holds p0 unless the caller's own end is on the wrong side."""
    if not isinstance(dynamics, LoopDynamics):
        raise TypeError(
            f"dynamics is {dynamics!r} of type {type(dynamics).__name__}; expected LoopDynamics"
        )
    p0 = check_number("p0", p0, low=0.0, high=1.0)
    low = min(p0, max(0.05, p0 - 0.25)) if dynamics.p_low is None else dynamics.p_low
    high = max(p0, min(0.95, p0 + 0.25)) if dynamics.p_high is None else dynamics.p_high
    return replace(dynamics, p_low=low, p_high=high)


def _check_start(name: str, value: float, rate: str, low: float | None, high: float | None) -> None:
    assert low is not None
    assert high is not None  # filled in
    if not low <= value <= high:
        raise InvalidModelError(
            f"{name} is {value}; expected a number in [{low:g}, {high:g}], from {rate}_low to"
            f" {rate}_high of dynamics"
        )
