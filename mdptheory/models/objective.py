"""What a policy is judged by: three objectives over the same transition rows."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory._validation import as_float_array, check_count, check_finite, check_number


@dataclass(frozen=True, slots=True)
class Discounted:
    """Expected discounted reward over an infinite horizon.

    Parameters
    ----------
    gamma : float
        Discount factor per step, in [0, 1).
    """

    gamma: float

    def __post_init__(self) -> None:
        """Refuse a discount factor outside [0, 1)."""
        check_number("gamma", self.gamma, low=0.0, high=1.0, open_high=True)
        object.__setattr__(self, "gamma", float(self.gamma))


@dataclass(frozen=True, slots=True, eq=False)
class FiniteHorizon:
    """Expected (discounted) reward over ``horizon`` steps, plus a terminal reward.

    Parameters
    ----------
    horizon : int
        Number of decisions, at least 1.
    gamma : float
        Discount factor per step, in [0, 1]; 1 by default.
    terminal : array of shape (n_states,), optional
        Reward received on arrival at the end, undiscounted at stage ``horizon``; 0 if absent.
    """

    horizon: int
    gamma: float = 1.0
    terminal: FloatArray | None = None

    def __post_init__(self) -> None:
        """Refuse an empty horizon, a discount outside [0, 1] or a terminal reward that is NaN."""
        object.__setattr__(self, "horizon", check_count("horizon", self.horizon))
        object.__setattr__(self, "gamma", check_number("gamma", self.gamma, low=0.0, high=1.0))
        if self.terminal is not None:
            terminal = np.array(as_float_array("terminal", self.terminal))
            check_finite("terminal", terminal)
            terminal.setflags(write=False)
            object.__setattr__(self, "terminal", terminal)

    def __eq__(self, other: object) -> bool:
        """Compare horizon, discount and the terminal reward's entries."""
        if not isinstance(other, FiniteHorizon):
            return NotImplemented
        mine, theirs = self.terminal, other.terminal
        same_terminal = (
            mine is theirs
            if mine is None or theirs is None
            else mine.shape == theirs.shape and bool((mine == theirs).all())
        )
        return (self.horizon, self.gamma) == (other.horizon, other.gamma) and same_terminal

    def __hash__(self) -> int:
        """Hash what two equal horizons share."""
        return hash((self.horizon, self.gamma))


@dataclass(frozen=True, slots=True)
class TotalReward:
    """Expected undiscounted reward until absorption (stochastic shortest path).

    The optimal value is the best among policies that reach the absorbing, reward-free states with
    probability one from every state (*proper* policies).
    """

    @property
    def gamma(self) -> float:
        """Discount factor per step: 1."""
        return 1.0


Objective: TypeAlias = Discounted | FiniteHorizon | TotalReward
