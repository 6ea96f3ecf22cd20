"""Bandits whose arms have means of their own, and a state that follows the arm if asked to."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray
from mdptheory._validation import (
    as_float_array,
    check_count,
    check_finite,
    check_number,
    check_shape,
    place,
    read_only,
)
from mdptheory.errors import InvalidModelError
from mdptheory.models.fair_constraints import Channel, LinearResidual


@dataclass(frozen=True, slots=True, eq=False)
class BanditProblem:
    """What a learner is told before the first round.

    Parameters
    ----------
    n_arms : int
        Number of arms K.
    channels : sequence of Channel
        What a round shows; the first is the reward, a value channel.
    """

    n_arms: int
    channels: Sequence[Channel]

    def __post_init__(self) -> None:
        """Refuse no arms, no reward, or two channels of one name."""
        check_count("n_arms", self.n_arms)
        channels = tuple(self.channels)
        for i, channel in enumerate(channels):
            if not isinstance(channel, Channel):
                raise TypeError(
                    f"channels[{i}] is {channel!r} of type {type(channel).__name__}; expected a"
                    " Channel"
                )
        names = [channel.name for channel in channels]
        if not names or names[0] != "reward" or channels[0].trials:
            raise InvalidModelError(
                f"channels are {names}; expected the first to be the value channel 'reward'"
            )
        if len(set(names)) < len(names):
            raise InvalidModelError(f"channels are {names}; expected distinct names")
        object.__setattr__(self, "channels", channels)


def _absent() -> FloatArray:
    return np.zeros(0)


@dataclass(frozen=True, slots=True, eq=False)
class GaussianBandit:
    """Arms with normal rewards and residuals, whose means may lean on a number that follows them.

    At state z arm k has the means ``reward[k] + reward_slope[k] z`` and ``residuals[k] +
    residual_slope[k] z``; then z moves to ``inertia z + (1 - inertia) target[k]``. Without slopes
    this is a bandit with constraints.

    Parameters
    ----------
    reward : array of shape (K,)
        Mean rewards.
    residuals : array of shape (K, M), optional
        Mean residuals; an arm is feasible where none is positive. Absent means no constraints.
    sigma_reward : float
        Standard deviation of an observed reward, positive.
    sigma_residuals : float or array of shape (M,)
        Those of the residuals.
    reward_slope : array of shape (K,), optional
        What a unit of z adds to the rewards.
    residual_slope : array of shape (K, M), optional
        What a unit of z adds to the residuals.
    target : array of shape (K,), optional
        Where z settles under each arm.
    inertia : float
        Share of z that a round keeps, in [0, 1).
    start : float
        z before the first round.

    Raises
    ------
    InvalidModelError
        If shapes differ, or an entry or a mean that can be reached is not finite.
    """

    reward: FloatArray
    residuals: FloatArray = field(default_factory=_absent)
    sigma_reward: float = 0.25
    sigma_residuals: npt.ArrayLike = 0.25
    reward_slope: FloatArray = field(default_factory=_absent)
    residual_slope: FloatArray = field(default_factory=_absent)
    target: FloatArray = field(default_factory=_absent)
    inertia: float = 0.0
    start: float = 0.0

    def __post_init__(self) -> None:
        """Check and freeze the arrays."""
        reward = as_float_array("reward", self.reward)
        if reward.ndim != 1 or not reward.size:
            raise InvalidModelError(f"reward has shape {reward.shape}; expected (K,), K at least 1")
        k = len(reward)
        residuals = as_float_array("residuals", self.residuals)
        residuals = residuals if residuals.size else np.zeros((k, 0))
        check_shape("residuals", residuals, (k, None))
        m = residuals.shape[1]
        arrays = {
            "reward": (reward, (k,)),
            "residuals": (residuals, (k, m)),
            "reward_slope": (self.reward_slope, (k,)),
            "residual_slope": (self.residual_slope, (k, m)),
            "target": (self.target, (k,)),
        }
        for name, (value, shape) in arrays.items():
            array = as_float_array(name, value)
            array = array if array.size else np.zeros(shape)
            check_shape(name, array, shape)
            check_finite(name, array)
            object.__setattr__(self, name, read_only(array))
        check_number("sigma_reward", self.sigma_reward, low=0.0, open_low=True, open_high=True)
        sigma = as_float_array("sigma_residuals", self.sigma_residuals)
        sigma = sigma if np.ndim(self.sigma_residuals) else np.full(m, sigma[0])
        check_shape("sigma_residuals", sigma, (m,))
        for j, value in enumerate(sigma):
            check_number(f"sigma_residuals[{j}]", value, low=0.0, open_low=True, open_high=True)
        object.__setattr__(self, "sigma_residuals", read_only(sigma))
        check_number("inertia", self.inertia, low=0.0, high=1.0, open_high=True)
        check_number("start", self.start, low=-1e300, high=1e300)
        self._check_means()

    def _check_means(self) -> None:
        """Refuse slopes so steep that a mean overflows at an end of what z reaches."""
        for name in ("reward", "residual"):
            base = self.reward if name == "reward" else self.residuals
            slope = getattr(self, f"{name}_slope")
            for z in self.ends:
                with np.errstate(over="ignore"):
                    mean = base + slope * z
                if not np.isfinite(mean).all():
                    at = tuple(int(i) for i in np.argwhere(~np.isfinite(mean))[0])
                    raise InvalidModelError(
                        f"{place(f'{name}_slope', at)} is {slope[at]}; expected finite means, also"
                        f" at z = {z}, which can be reached"
                    )

    @property
    def n_arms(self) -> int:
        """Number of arms K."""
        return len(self.reward)

    @property
    def ends(self) -> tuple[float, float]:
        """Least and largest z that can be reached."""
        return min(self.start, float(self.target.min())), max(self.start, float(self.target.max()))

    @property
    def channels(self) -> tuple[Channel, ...]:
        """``reward`` and ``residual_0``, ``residual_1``, ..."""
        ends = np.array(self.ends)
        rewards = self.reward[:, None] + self.reward_slope[:, None] * ends
        found = [Channel("reward", self.sigma_reward, float(rewards.min()), float(rewards.max()))]
        sigmas = np.asarray(self.sigma_residuals)
        for j in range(self.residuals.shape[1]):
            means = self.residuals[:, j, None] + self.residual_slope[:, j, None] * ends
            low, high = float(means.min()), float(means.max())
            found.append(Channel(f"residual_{j}", float(sigmas[j]), low, high))
        return tuple(found)

    @property
    def problem(self) -> BanditProblem:
        """What a learner is told."""
        return BanditProblem(self.n_arms, self.channels)

    @property
    def constraints(self) -> tuple[LinearResidual, ...]:
        """One `LinearResidual` a residual."""
        return tuple(LinearResidual({f"residual_{j}": 1.0}) for j in range(self.residuals.shape[1]))

    @property
    def start_state(self) -> FloatArray:
        """The state before the first round, shape (1,)."""
        return np.array([self.start])
