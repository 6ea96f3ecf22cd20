"""Balls around the nominal row, and the risk measures that are one."""

from dataclasses import dataclass

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory._validation import check_number, check_shape
from mdptheory.errors import InvalidModelError
from mdptheory.models._radius import (
    Radius,
    Rectangularity,
    Support,
    check_rectangularity,
    check_support,
    freeze,
    store_radius,
)


@dataclass(frozen=True, slots=True, eq=False)
class L1Ball:
    """Rows with ``sum_i |q_i - p_i| <= radius`` (total variation distance ``radius / 2``).

    Parameters
    ----------
    radius : float or array of shape (n_states,) or (n_states, n_actions)
        At least 0; 2 reaches every row.
    support : {"nominal", "all"}
        Whether nature may move mass to outcomes of nominal probability 0.
    rectangularity : {"sa", "s"}
        Whether each row has the radius to itself or the rows of a state share it.
    """

    radius: Radius
    support: Support
    rectangularity: Rectangularity = "sa"

    def __post_init__(self) -> None:
        """Refuse a negative radius or an unknown support or rectangularity."""
        check_rectangularity(self, store_radius(self, "radius"), self.rectangularity)
        check_support(self.support)


@dataclass(frozen=True, slots=True, eq=False)
class WeightedL1Ball:
    """Rows with ``sum_i w_i |q_i - p_i| <= radius``.

    Parameters
    ----------
    radius : float or array of shape (n_states,) or (n_states, n_actions)
        At least 0.
    weights : array of shape (n,)
        Positive weight of each outcome.
    support : {"nominal", "all"}
        Whether nature may move mass to outcomes of nominal probability 0.
    rectangularity : {"sa", "s"}
        Whether each row has the radius to itself or the rows of a state share it.
    """

    radius: Radius
    weights: FloatArray
    support: Support
    rectangularity: Rectangularity = "sa"

    def __post_init__(self) -> None:
        """Refuse a negative radius, weights that are not positive or an unknown support."""
        check_rectangularity(self, store_radius(self, "radius"), self.rectangularity)
        check_support(self.support)
        weights = freeze(self, "weights", self.weights, 1)
        if (weights <= 0).any():
            i = int(np.argmax(weights <= 0))
            raise InvalidModelError(f"weights[{i}] is {weights[i]}; expected a positive number")


@dataclass(frozen=True, slots=True, eq=False)
class LinfBall:
    """Rows with ``max_i |q_i - p_i| <= radius``.

    Parameters
    ----------
    radius : float or array of shape (n_states,) or (n_states, n_actions)
        At least 0; 1 reaches every row.
    support : {"nominal", "all"}
        Whether nature may move mass to outcomes of nominal probability 0.
    rectangularity : {"sa", "s"}
        Whether each row has the radius to itself or the rows of a state share it.
    """

    radius: Radius
    support: Support
    rectangularity: Rectangularity = "sa"

    def __post_init__(self) -> None:
        """Refuse a negative radius or an unknown support or rectangularity."""
        check_rectangularity(self, store_radius(self, "radius"), self.rectangularity)
        check_support(self.support)


@dataclass(frozen=True, slots=True, eq=False)
class L2Ball:
    """Rows with Euclidean distance ``||q - p||_2 <= radius``.

    Parameters
    ----------
    radius : float or array of shape (n_states,) or (n_states, n_actions)
        At least 0.
    support : {"nominal", "all"}
        Whether nature may move mass to outcomes of nominal probability 0.
    rectangularity : {"sa", "s"}
        Whether each row has the radius to itself or the rows of a state share it.
    """

    radius: Radius
    support: Support
    rectangularity: Rectangularity = "sa"

    def __post_init__(self) -> None:
        """Refuse a negative radius or an unknown support or rectangularity."""
        check_rectangularity(self, store_radius(self, "radius"), self.rectangularity)
        check_support(self.support)


@dataclass(frozen=True, slots=True, eq=False)
class KLBall:
    """Rows with ``KL(q || p) = sum_i q_i log(q_i / p_i) <= radius``; they stay on p's support.

    Parameters
    ----------
    radius : float or array of shape (n_states,) or (n_states, n_actions)
        At least 0, in nats.
    rectangularity : {"sa", "s"}
        Whether each row has the radius to itself or the rows of a state share it.
    """

    radius: Radius
    rectangularity: Rectangularity = "sa"

    def __post_init__(self) -> None:
        """Refuse a negative radius."""
        check_rectangularity(self, store_radius(self, "radius"), self.rectangularity)


@dataclass(frozen=True, slots=True, eq=False)
class BurgBall:
    """Rows with ``KL(p || q) = sum_i p_i log(p_i / q_i) <= radius`` (likelihood set).

    Parameters
    ----------
    radius : float or array of shape (n_states,) or (n_states, n_actions)
        At least 0, in nats.
    support : {"nominal", "all"}
        Whether nature may move mass to outcomes of nominal probability 0.
    rectangularity : {"sa", "s"}
        Whether each row has the radius to itself or the rows of a state share it.
    """

    radius: Radius
    support: Support
    rectangularity: Rectangularity = "sa"

    def __post_init__(self) -> None:
        """Refuse a negative radius or an unknown support or rectangularity."""
        check_rectangularity(self, store_radius(self, "radius"), self.rectangularity)
        check_support(self.support)


@dataclass(frozen=True, slots=True, eq=False)
class ChiSquareBall:
    """Rows with ``sum_i (q_i - p_i)^2 / p_i <= radius``; they stay on p's support.

    Parameters
    ----------
    radius : float or array of shape (n_states,) or (n_states, n_actions)
        At least 0.
    rectangularity : {"sa", "s"}
        Whether each row has the radius to itself or the rows of a state share it.
    """

    radius: Radius
    rectangularity: Rectangularity = "sa"

    def __post_init__(self) -> None:
        """Refuse a negative radius."""
        check_rectangularity(self, store_radius(self, "radius"), self.rectangularity)


@dataclass(frozen=True, slots=True, eq=False)
class WassersteinBall:
    """Rows to which ``p`` can be transported at a cost of at most ``radius``.

    Parameters
    ----------
    radius : float or array of shape (n_states,) or (n_states, n_actions)
        At least 0, in units of the cost.
    cost : array of shape (n, n)
        ``cost[i, j] >= 0`` of moving one unit of mass from i to j; zero diagonal.
    rectangularity : {"sa", "s"}
        Whether each row has the radius to itself or the rows of a state share it.
    """

    radius: Radius
    cost: FloatArray
    rectangularity: Rectangularity = "sa"

    def __post_init__(self) -> None:
        """Refuse a negative radius, a negative cost or a diagonal that is not zero."""
        check_rectangularity(self, store_radius(self, "radius"), self.rectangularity)
        cost = freeze(self, "cost", self.cost, 2)
        check_shape("cost", cost, (cost.shape[0], cost.shape[0]))
        bad = cost < 0
        bad |= np.diag(np.diag(cost) != 0)
        if bad.any():
            i, j = (int(k) for k in np.argwhere(bad)[0])
            raise InvalidModelError(
                f"cost[{i}, {j}] is {cost[i, j]}; expected costs of at least 0 with zero diagonal"
            )


@dataclass(frozen=True, slots=True, eq=False)
class CVaRSet:
    """Rows with ``q <= p / alpha``: the worst case is the mean of the worst alpha-tail.

    Parameters
    ----------
    alpha : float or array of shape (n_states,) or (n_states, n_actions)
        Tail probability in (0, 1]; 1 is the nominal mean.
    """

    alpha: Radius

    def __post_init__(self) -> None:
        """Refuse a tail probability outside (0, 1]."""
        store_radius(self, "alpha", high=1.0, positive=True)


@dataclass(frozen=True, slots=True, eq=False)
class EVaRSet:
    """The KL ball of radius ``-log alpha``: the worst case is the entropic value at risk.

    Parameters
    ----------
    alpha : float or array of shape (n_states,) or (n_states, n_actions)
        Confidence parameter in (0, 1]; 1 is the nominal mean.
    """

    alpha: Radius

    def __post_init__(self) -> None:
        """Refuse a parameter outside (0, 1]."""
        store_radius(self, "alpha", high=1.0, positive=True)


@dataclass(frozen=True, slots=True, eq=False)
class ContaminationSet:
    """Rows ``(1 - fraction) p + fraction u`` with any distribution ``u``.

    Parameters
    ----------
    fraction : float or array of shape (n_states,) or (n_states, n_actions)
        Contaminated share in [0, 1].
    support : {"nominal", "all"}
        Whether ``u`` may use outcomes of nominal probability 0.
    """

    fraction: Radius
    support: Support

    def __post_init__(self) -> None:
        """Refuse a share outside [0, 1] or an unknown support."""
        store_radius(self, "fraction", high=1.0)
        check_support(self.support)


@dataclass(frozen=True, slots=True, eq=False)
class SignedLpBall:
    """Signed rows ``p + c`` with ``sum c = 0`` and ``||c||_p <= radius``: not the simplex.

    Rows may have negative entries, so that the worst case is a lower bound on that over true
    distributions, and the operator need not contract or be monotone.
    `mdptheory.operators.signed_lp_bellman` has its closed forms.

    Parameters
    ----------
    radius : float or array of shape (n_states,) or (n_states, n_actions)
        At least 0.
    order : float
        The p of the norm, in [1, inf].
    rectangularity : {"sa", "s"}
        Whether each row has the radius to itself or the rows of a state share it: with "s" the
        norm is that of all entries of a state's rows.

    References
    ----------
    N. Kumar, K. Wang, K. Levy and S. Mannor, "Efficient value iteration for s-rectangular robust
    Markov decision processes", ICML 2024.
    """

    radius: Radius
    order: float
    rectangularity: Rectangularity = "sa"

    def __post_init__(self) -> None:
        """Refuse a negative radius, an order below 1 or an unknown rectangularity."""
        check_rectangularity(self, store_radius(self, "radius"), self.rectangularity)
        object.__setattr__(self, "order", check_number("order", self.order, low=1.0))
