"""Runs of fair bandit algorithms with everything that their proofs talk about, by definition."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import NamedTuple, TypeAlias

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory.algorithms import BanditOptions, ofs, ofs_epochs
from mdptheory.errors import GuaranteeWarning, InfeasibleWarning
from mdptheory.kernels.bandit_world import observe
from mdptheory.models import (
    BanditRun,
    DemographicParity,
    FairConstraint,
    GaussianBandit,
    LinearResidual,
    LoopConstants,
    ResidualRows,
    ServiceRate,
    residual_rows,
)
from mdptheory.operators import certify
from mdptheory.operators.closed_loop import compiled_world, n_places
from mdptheory.theory.codec import register
from proofs_checks._loop_cases import Loop, seen, settled

FEASIBLE = 1e-9

for _kind in (DemographicParity, ServiceRate, LinearResidual):
    register(_kind)

Constraints: TypeAlias = tuple[FairConstraint, ...]


class Told(NamedTuple):
    """What a learner is told.

    Attributes
    ----------
    horizon : int
        Rounds T.
    delta : float
        Failure probability.
    first, burn : int
        Of epochs; 0 and 0 for choosing anew in every round.
    bias : str
        ``"theory"`` or ``"none"``.
    radius_scale : float
        Factor of all radii.
    """

    horizon: int
    delta: float
    first: int = 0
    burn: int = 0
    bias: str = "theory"
    radius_scale: float = 1.0


def play(env: Loop, constraints: Constraints, told: Told, seed: int) -> BanditRun:
    """Run `ofs_epochs`, or `ofs` without epochs; warnings are part of the plan."""
    options = BanditOptions(delta=told.delta, radius_scale=told.radius_scale)
    with warnings.catch_warnings():
        for kind in (GuaranteeWarning, InfeasibleWarning):
            warnings.simplefilter("ignore", kind)
        if not told.first:
            return ofs(env, told.horizon, constraints, options=options, rng=seed)
        return ofs_epochs(
            env,
            told.horizon,
            constraints,
            first=told.first,
            burn=told.burn,
            bias="theory" if told.bias == "theory" else "none",
            options=options,
            rng=seed,
        )


def noise_of(env: Loop, run: BanditRun, seed: int) -> FloatArray:
    """Return what was seen less its mean, shape (T, C): the run's random numbers, drawn again."""
    rng = np.random.default_rng(seed)
    if isinstance(env, GaussianBandit):
        scales = np.array([channel.scale for channel in env.channels])
        return scales * rng.standard_normal((len(run.arms), len(scales)))
    world, count = compiled_world(env), n_places(env)
    x, w, mean = np.zeros(count), np.zeros(count), np.zeros(count)
    shown = []
    for arm, z, u in zip(run.arms, run.states, rng.random((len(run.arms), 6)), strict=True):
        observe(world, z, int(arm), mean, u, x, w)
        shown.append(x / np.maximum(w, 1.0))
    return np.array(shown) - run.means


@dataclass(frozen=True, eq=False)
class Story:
    """A run, and what is true of its environment.

    Attributes
    ----------
    env : GaussianBandit or ThresholdLoop
        The environment.
    rows : ResidualRows
        What arms must satisfy.
    told : Told
        What the learner knew.
    run : BanditRun
        The library's.
    noise : array of shape (T, C)
        What was seen less its mean.
    """

    env: Loop
    rows: ResidualRows
    told: Told
    run: BanditRun
    noise: FloatArray

    @classmethod
    def of(cls, env: Loop, constraints: Constraints, told: Told, seed: int) -> "Story":
        """Run, and draw the same random numbers once more."""
        run = play(env, constraints, told, seed)
        rows = residual_rows(constraints, env.channels)
        return cls(env, rows, told, run, noise_of(env, run, seed))

    @cached_property
    def loop(self) -> LoopConstants:
        """Certified constants."""
        return certify(self.env)

    @cached_property
    def used(self) -> IntArray:
        """Channels that the learner looks at."""
        read = (self.rows.matrix != 0).any(axis=0)
        read[0] = True
        return np.flatnonzero(read)

    @cached_property
    def scales(self) -> FloatArray:
        """Sub-Gaussian scale of every channel."""
        return np.array([channel.scale for channel in self.env.channels])

    @cached_property
    def steady(self) -> FloatArray:
        """Means of every arm at its own steady state, shape (K, C)."""
        return np.array([seen(self.env, settled(self.env, k), k) for k in range(self.env.n_arms)])

    @cached_property
    def corners(self) -> FloatArray:
        """Means of every arm at the corners of the box, where all extremes are, (n, K, C)."""
        arms = range(self.env.n_arms)
        return np.array(
            [[seen(self.env, np.array(z), k) for k in arms] for z in product(*self.loop.box)]
        )

    def residuals(self, means: FloatArray) -> FloatArray:
        """Return residuals of means, shape (..., M)."""
        return means @ self.rows.matrix.T - self.rows.level

    def violations(self, means: FloatArray) -> FloatArray:
        """Return the largest positive residual of means."""
        return self.residuals(means).max(axis=-1, initial=0.0)

    @cached_property
    def best(self) -> int:
        """Best arm of those that are feasible at their steady state; -1 if none is."""
        feasible = self.violations(self.steady) <= FEASIBLE
        values = np.where(feasible, self.steady[:, 0], -np.inf)
        return int(values.argmax()) if feasible.any() else -1

    @property
    def feasible(self) -> bool:
        """Whether some arm is feasible at its steady state."""
        return self.best >= 0

    @property
    def least(self) -> float:
        """Least steady violation; 0 if some arm is feasible."""
        return 0.0 if self.feasible else float(self.violations(self.steady).min())

    def gaps(self, means: FloatArray) -> FloatArray:
        """Compare means with the best feasible arm's steady reward; what is above counts as 0."""
        return np.maximum(self.steady[self.best, 0] - means[..., 0], 0.0)

    @property
    def lost(self) -> FloatArray:
        """The gap of each round, shape (T,)."""
        return self.gaps(self.run.means)

    @property
    def violated(self) -> FloatArray:
        """The violation of each round, shape (T,)."""
        return self.violations(self.run.means)

    @property
    def widest(self) -> FloatArray:
        """Largest scale of rewards, and of residuals, shape (2,)."""
        return np.array([self.scales[0], (np.abs(self.rows.matrix) @ self.scales).max(initial=0.0)])

    @property
    def steepest(self) -> FloatArray:
        """Lipschitz constants of rewards, and of residuals, shape (2,)."""
        slopes = self.loop.lipschitz
        return np.array([slopes[0], (np.abs(self.rows.matrix) @ slopes).max(initial=0.0)])


class Epoch(NamedTuple):
    """A stretch of rounds with one arm.

    Attributes
    ----------
    arm, start : int
        Which arm, from which round.
    skip, keep : int
        Unrecorded rounds, then recorded ones; fewer than planned at the horizon.
    before, number : int
        Recorded rounds and epochs of the arm so far.
    whole : bool
        Whether it was not cut.
    """

    arm: int
    start: int
    skip: int
    keep: int
    before: int
    number: int
    whole: bool

    @property
    def rounds(self) -> slice:
        """All its rounds."""
        return slice(self.start, self.start + self.skip + self.keep)

    @property
    def recorded(self) -> slice:
        """Rounds that are recorded."""
        return slice(self.start + self.skip, self.start + self.skip + self.keep)


def epochs_of(arms: Sequence[int] | IntArray, n_arms: int, first: int, burn: int) -> list[Epoch]:
    """Cut a run into the epochs of its plan."""
    before, number = [0] * n_arms, [0] * n_arms
    start, found, horizon = 0, [], len(arms)
    while start < horizon:
        arm = int(arms[start])
        planned = max(first, before[arm])
        skip = min(burn, horizon - start)
        keep = min(planned, horizon - start - skip)
        whole = keep == planned
        found.append(Epoch(arm, start, skip, keep, before[arm], number[arm], whole))
        before[arm] += keep
        number[arm] += 1
        start += skip + keep
    return found
