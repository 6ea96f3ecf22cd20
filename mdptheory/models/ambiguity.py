"""Ambiguity sets: which rows nature may put in the place of a nominal row ``p``."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray
from mdptheory._validation import (
    as_float_array,
    check_finite,
    check_number,
    check_shape,
    check_simplex,
)
from mdptheory.errors import InvalidModelError

Support: TypeAlias = Literal["nominal", "all"]


def _check_support(support: str) -> None:
    if support not in ("nominal", "all"):
        raise InvalidModelError(f"support is {support!r}; expected 'nominal' or 'all'")


def _freeze(owner: object, name: str, value: npt.ArrayLike, ndim: int) -> FloatArray:
    array = np.array(as_float_array(name, value))
    check_shape(name, array, (None,) * ndim)
    check_finite(name, array)
    array.setflags(write=False)
    object.__setattr__(owner, name, array)
    return array


@dataclass(frozen=True, slots=True, eq=False)
class L1Ball:
    """Rows with ``sum_i |q_i - p_i| <= radius`` (total variation distance ``radius / 2``).

    Parameters
    ----------
    radius : float
        At least 0; 2 reaches every row.
    support : {"nominal", "all"}
        Whether nature may move mass to outcomes of nominal probability 0.
    """

    radius: float
    support: Support

    def __post_init__(self) -> None:
        """Refuse a negative radius or an unknown support."""
        check_number("radius", self.radius, low=0.0)
        _check_support(self.support)


@dataclass(frozen=True, slots=True, eq=False)
class WeightedL1Ball:
    """Rows with ``sum_i w_i |q_i - p_i| <= radius``.

    Parameters
    ----------
    radius : float
        At least 0.
    weights : array of shape (n,)
        Positive weight of each outcome.
    support : {"nominal", "all"}
        Whether nature may move mass to outcomes of nominal probability 0.
    """

    radius: float
    weights: FloatArray
    support: Support

    def __post_init__(self) -> None:
        """Refuse a negative radius, weights that are not positive or an unknown support."""
        check_number("radius", self.radius, low=0.0)
        _check_support(self.support)
        weights = _freeze(self, "weights", self.weights, 1)
        if (weights <= 0).any():
            i = int(np.argmax(weights <= 0))
            raise InvalidModelError(f"weights[{i}] is {weights[i]}; expected a positive number")


@dataclass(frozen=True, slots=True, eq=False)
class LinfBall:
    """Rows with ``max_i |q_i - p_i| <= radius``.

    Parameters
    ----------
    radius : float
        At least 0; 1 reaches every row.
    support : {"nominal", "all"}
        Whether nature may move mass to outcomes of nominal probability 0.
    """

    radius: float
    support: Support

    def __post_init__(self) -> None:
        """Refuse a negative radius or an unknown support."""
        check_number("radius", self.radius, low=0.0)
        _check_support(self.support)


@dataclass(frozen=True, slots=True, eq=False)
class IntervalSet:
    """Rows with ``lower <= q <= upper`` (bounded-parameter model), whatever the nominal row.

    Parameters
    ----------
    lower, upper : array of shape (n,)
        Bounds on each probability; ``sum lower <= 1 <= sum upper``.
    """

    lower: FloatArray
    upper: FloatArray

    def __post_init__(self) -> None:
        """Refuse bounds that cross, leave [0, 1] or admit no row."""
        lower, upper = (_freeze(self, name, getattr(self, name), 1) for name in ("lower", "upper"))
        check_shape("upper", upper, lower.shape)
        bad = (lower < 0) | (upper > 1) | (lower > upper)
        if bad.any():
            i = int(np.argmax(bad))
            raise InvalidModelError(
                f"lower[{i}] is {lower[i]} and upper[{i}] is {upper[i]}; expected"
                " 0 <= lower <= upper <= 1"
            )
        if lower.sum() > 1 + 1e-12 or upper.sum() < 1 - 1e-12:
            raise InvalidModelError(
                f"lower sums to {lower.sum():.12g} and upper to {upper.sum():.12g}; expected"
                " sum lower <= 1 <= sum upper"
            )


@dataclass(frozen=True, slots=True, eq=False)
class L2Ball:
    """Rows with Euclidean distance ``||q - p||_2 <= radius``.

    Parameters
    ----------
    radius : float
        At least 0.
    support : {"nominal", "all"}
        Whether nature may move mass to outcomes of nominal probability 0.
    """

    radius: float
    support: Support

    def __post_init__(self) -> None:
        """Refuse a negative radius or an unknown support."""
        check_number("radius", self.radius, low=0.0)
        _check_support(self.support)


@dataclass(frozen=True, slots=True, eq=False)
class KLBall:
    """Rows with ``KL(q || p) = sum_i q_i log(q_i / p_i) <= radius``; they stay on p's support.

    Parameters
    ----------
    radius : float
        At least 0, in nats.
    """

    radius: float

    def __post_init__(self) -> None:
        """Refuse a negative radius."""
        check_number("radius", self.radius, low=0.0)


@dataclass(frozen=True, slots=True, eq=False)
class BurgBall:
    """Rows with ``KL(p || q) = sum_i p_i log(p_i / q_i) <= radius`` (likelihood set).

    Parameters
    ----------
    radius : float
        At least 0, in nats.
    support : {"nominal", "all"}
        Whether nature may move mass to outcomes of nominal probability 0.
    """

    radius: float
    support: Support

    def __post_init__(self) -> None:
        """Refuse a negative radius or an unknown support."""
        check_number("radius", self.radius, low=0.0)
        _check_support(self.support)


@dataclass(frozen=True, slots=True, eq=False)
class ChiSquareBall:
    """Rows with ``sum_i (q_i - p_i)^2 / p_i <= radius``; they stay on p's support.

    Parameters
    ----------
    radius : float
        At least 0.
    """

    radius: float

    def __post_init__(self) -> None:
        """Refuse a negative radius."""
        check_number("radius", self.radius, low=0.0)


@dataclass(frozen=True, slots=True, eq=False)
class WassersteinBall:
    """Rows to which ``p`` can be transported at a cost of at most ``radius``.

    Parameters
    ----------
    radius : float
        At least 0, in units of the cost.
    cost : array of shape (n, n)
        ``cost[i, j] >= 0`` of moving one unit of mass from i to j; zero diagonal.
    """

    radius: float
    cost: FloatArray

    def __post_init__(self) -> None:
        """Refuse a negative radius, a negative cost or a diagonal that is not zero."""
        check_number("radius", self.radius, low=0.0)
        cost = _freeze(self, "cost", self.cost, 2)
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
    alpha : float
        Tail probability in (0, 1]; 1 is the nominal mean.
    """

    alpha: float

    def __post_init__(self) -> None:
        """Refuse a tail probability outside (0, 1]."""
        check_number("alpha", self.alpha, low=0.0, high=1.0, open_low=True)


@dataclass(frozen=True, slots=True, eq=False)
class EVaRSet:
    """The KL ball of radius ``-log alpha``: the worst case is the entropic value at risk.

    Parameters
    ----------
    alpha : float
        Confidence parameter in (0, 1]; 1 is the nominal mean.
    """

    alpha: float

    def __post_init__(self) -> None:
        """Refuse a parameter outside (0, 1]."""
        check_number("alpha", self.alpha, low=0.0, high=1.0, open_low=True)


@dataclass(frozen=True, slots=True, eq=False)
class ContaminationSet:
    """Rows ``(1 - fraction) p + fraction u`` with any distribution ``u``.

    Parameters
    ----------
    fraction : float
        Contaminated share in [0, 1].
    support : {"nominal", "all"}
        Whether ``u`` may use outcomes of nominal probability 0.
    """

    fraction: float
    support: Support

    def __post_init__(self) -> None:
        """Refuse a share outside [0, 1] or an unknown support."""
        check_number("fraction", self.fraction, low=0.0, high=1.0)
        _check_support(self.support)


@dataclass(frozen=True, slots=True, eq=False)
class FiniteSet:
    """A finite list of rows, whatever the nominal row.

    Parameters
    ----------
    rows : array of shape (k, n)
        Distributions.
    """

    rows: FloatArray

    def __post_init__(self) -> None:
        """Refuse an empty list or rows that are no distributions."""
        rows = _freeze(self, "rows", self.rows, 2)
        if 0 in rows.shape:
            raise InvalidModelError(f"rows has shape {rows.shape}; expected at least one row")
        check_simplex("rows", rows)


AmbiguitySet: TypeAlias = (
    L1Ball
    | WeightedL1Ball
    | LinfBall
    | IntervalSet
    | L2Ball
    | KLBall
    | BurgBall
    | ChiSquareBall
    | WassersteinBall
    | CVaRSet
    | EVaRSet
    | ContaminationSet
    | FiniteSet
)
