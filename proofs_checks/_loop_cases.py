"""Closed loops in small numbers, and their dynamics written out from the definitions."""

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.models import GaussianBandit, LoopConstants, LoopDynamics, ThresholdLoop
from mdptheory.theory.codec import register

Loop: TypeAlias = GaussianBandit | ThresholdLoop

for _kind in (GaussianBandit, ThresholdLoop, LoopDynamics):
    register(_kind)

SPEEDS = (0.0, 0.1, 0.5, 1.0)
PULLS = ((0.0, 0.0), (0.1, 0.2), (0.9, 0.0), (0.0, 0.9), (0.4, 0.5))
LEVERS = (0.0, 0.3, 0.49)
INERTIAS = (0.0, 0.5, 0.9, 0.95, 0.99, 0.999)


def random_loop(rng: np.random.Generator) -> ThresholdLoop:
    """Draw one to four arms with shares in tenths; often the first accepts all, the last none."""
    k = int(rng.integers(1, 5))
    survival = -np.sort(-rng.integers(0, 11, (2, 2, k)) / 10.0, axis=-1)
    if rng.integers(2):
        survival[..., 0] = 1.0
        survival[..., 1:][..., -1:] = 0.0
    c1, c0 = PULLS[rng.integers(len(PULLS))]
    speeds = rng.choice(SPEEDS, 2, p=(0.1, 0.5, 0.2, 0.2))
    dynamics = LoopDynamics(float(speeds[0]), float(speeds[1]), c1, c0, float(rng.choice(LEVERS)))
    p0, *q0 = np.clip(rng.integers(0, 11, 3) / 10.0, 0.05, 0.95)
    return ThresholdLoop(
        survival, np.arange(float(k)), float(p0), np.array(q0), float(rng.integers(0, 4)), dynamics
    )


def random_drift(
    rng: np.random.Generator, *, inertias: tuple[float, ...] = INERTIAS
) -> GaussianBandit:
    """Draw one to four arms with all numbers in eighths; slopes and targets often differ."""
    k, m = int(rng.integers(1, 5)), int(rng.integers(0, 3))
    reward, slope = rng.integers(-8, 9, (2, k)) / 8.0
    residuals, slopes = rng.integers(-8, 9, (2, k, m)) / 8.0
    return GaussianBandit(
        reward,
        residuals,
        0.1,
        np.full(m, 0.1),
        slope,
        slopes,
        rng.integers(0, 3, k) / 2.0,
        float(rng.choice(inertias)),
        float(rng.integers(0, 3)) / 2.0,
    )


def mild_drift(
    rng: np.random.Generator, *, infeasible: float = 0.4, slack: float = 0.0
) -> GaussianBandit:
    """Draw a drifting bandit, mostly little feedback, one arm feasible by ``slack`` or none."""
    weights = (0.2, 0.4, 0.25, 0.05, 0.05, 0.05)
    env = random_drift(rng, inertias=(float(rng.choice(INERTIAS, p=weights)),))
    weak = float(rng.choice([1, 8, 64], p=(0.1, 0.2, 0.7)))
    slope, slopes = env.reward_slope / weak, env.residual_slope / weak
    residuals = np.array(env.residuals)
    if not residuals.size and rng.integers(4):
        residuals, slopes = rng.integers(-8, 9, (2, env.n_arms, 1)) / 8.0
        slopes = slopes / weak
    if rng.random() < infeasible:
        residuals = np.abs(residuals) + np.abs(slopes) + 0.125
    else:
        arm = int(rng.integers(env.n_arms))
        settled = residuals[arm] + slopes[arm] * env.target[arm]
        residuals[arm] -= np.maximum(settled + slack, 0.0)
    sigma = float(rng.choice([0.01, 0.1]))
    return replace(
        env,
        reward_slope=slope,
        residuals=residuals,
        residual_slope=slopes,
        sigma_reward=sigma,
        sigma_residuals=np.full(residuals.shape[1], sigma),
    )


def trap(inertia: float = 0.95, sigma: float = 0.1) -> GaussianBandit:
    """Return two arms of which the better one looks bad as long as the other one is played."""
    return GaussianBandit(
        reward=np.array([0.8, 0.5]),
        residuals=np.array([[-1.0], [-1.0]]),
        sigma_reward=sigma,
        sigma_residuals=np.array([sigma]),
        reward_slope=np.array([-0.6, 0.0]),
        residual_slope=np.array([[0.6], [0.6]]),
        target=np.array([0.0, 1.0]),
        inertia=inertia,
        start=1.0,
    )


def lull() -> GaussianBandit:
    """Return two arms of which the better one is feasible at first only, for long."""
    return GaussianBandit(
        reward=np.array([1.0, 0.0]),
        residuals=np.array([[0.5], [-2.0]]),
        sigma_reward=1e-3,
        sigma_residuals=np.array([1e-3]),
        residual_slope=np.array([[-1.5], [0.0]]),
        target=np.zeros(2),
        inertia=0.999,
        start=1.0,
    )


def shy() -> GaussianBandit:
    """Return two arms of which the better one is feasible only once it has been played for long."""
    return replace(
        trap(),
        reward=np.array([1.0, 0.5]),
        reward_slope=np.zeros(2),
        residuals=np.array([[0.0], [-1.0]]),
        residual_slope=np.array([[0.5], [0.0]]),
    )


def is_moderate(env: Loop) -> bool:
    """Tell whether a loop is small, contracts, and has numbers that leave floats their digits."""
    if isinstance(env, ThresholdLoop):
        d = env.dynamics
        mild = d.c1 + d.c0 <= 0.95 and 2 * d.c_p <= 0.999 and env.cost <= 10
        speeds = all(speed == 0 or speed >= 0.01 for speed in (d.eta_q, d.eta_p))
        return bool(mild and speeds and env.n_arms <= 30 and not d.stochastic and env.stratified)
    arrays = (env.reward, env.residuals, env.reward_slope, env.residual_slope, env.target)
    large = max(np.abs(array).max(initial=0.0) for array in arrays)
    return bool(large <= 10 and abs(env.start) <= 10 and env.inertia <= 0.9991 and env.n_arms <= 30)


# ---- the definitions ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """What an arm does to both groups at a state.

    Attributes
    ----------
    good, bad : array of shape (2,)
        Shares of each group that are accepted with each label.
    """

    good: FloatArray
    bad: FloatArray

    @classmethod
    def at(cls, env: ThresholdLoop, q: FloatArray, arm: int) -> "Rates":
        """Compute them at the rates q of favourable labels."""
        return cls(q * env.survival[:, 1, arm], (1.0 - q) * env.survival[:, 0, arm])

    @property
    def accepted(self) -> FloatArray:
        """Acceptance rates."""
        return self.good + self.bad


def moved(env: Loop, z: FloatArray, arm: int) -> FloatArray:
    """Return the next state."""
    if isinstance(env, GaussianBandit):
        return env.inertia * z + (1.0 - env.inertia) * env.target[arm]
    d, rates = env.dynamics, Rates.at(env, z[1:], arm)
    q = np.clip(env.q0 + d.c1 * rates.good - d.c0 * rates.bad, d.q_low, d.q_high)
    first, second = rates.accepted
    p = np.clip(env.p0 + d.c_p * (first - second), d.p_low or 0.0, d.p_high or 0.0)
    speeds = np.array([d.eta_p, d.eta_q, d.eta_q])
    return (1.0 - speeds) * z + speeds * np.array([p, *q])


def seen(env: Loop, z: FloatArray, arm: int) -> FloatArray:
    """Return the mean of every channel."""
    if isinstance(env, GaussianBandit):
        reward = env.reward[arm] + env.reward_slope[arm] * z[0]
        return np.append(reward, env.residuals[arm] + env.residual_slope[arm] * z[0])
    rates, weights = Rates.at(env, z[1:], arm), np.array([z[0], 1.0 - z[0]])
    a = rates.accepted
    reward = weights @ (rates.good - env.cost * rates.bad)
    return np.array([reward, a[0] - a[1], weights @ a, *a, *env.survival[:, 1, arm]])


def settled(env: Loop, arm: int) -> FloatArray:
    """Return the steady state of an arm, solved for."""
    if isinstance(env, GaussianBandit):
        return env.target[arm : arm + 1].copy()
    d, s = env.dynamics, env.survival[:, :, arm]
    q, p = env.q0.copy(), env.p0
    if d.eta_q:
        line = (env.q0 - d.c0 * s[:, 0]) / (1.0 - d.c1 * s[:, 1] - d.c0 * s[:, 0])
        q = np.clip(line, d.q_low, d.q_high)
    if d.eta_p:
        first, second = Rates.at(env, q, arm).accepted
        p = float(np.clip(env.p0 + d.c_p * (first - second), d.p_low or 0.0, d.p_high or 0.0))
    return np.array([p, *q])


def inside(constants: LoopConstants, where: FloatArray) -> FloatArray:
    """Return states of the box from places in the unit cube, shape (..., d)."""
    low, high = constants.box.T
    return low + (high - low) * where[..., : len(low)]


def places(rng: np.random.Generator, count: int) -> FloatArray:
    """Draw places in the unit cube, often corners, that often differ in one coordinate only."""
    where = np.where(rng.integers(2, size=(count, 3)), rng.random((count, 3)), 0.0)
    where = np.where(rng.integers(2, size=(count, 3)), where, rng.integers(2, size=(count, 3)))
    if count > 1 and rng.integers(2):
        where[1] = where[0]
        i = int(rng.integers(3))
        where[1, i] = 1.0 - where[0, i]
    return where
