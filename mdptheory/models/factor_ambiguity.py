"""What nature may do to the factor kernels of a linear MDP: balls, and penalties on divergence."""

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias, assert_never

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.errors import InvalidModelError
from mdptheory.models._radius import Radius, store_radius
from mdptheory.models.balls import KLBall

SHAPES = "(horizon,) or (horizon, n_factors)"


@dataclass(frozen=True, slots=True, eq=False)
class TVBall:
    """Factors with total variation distance ``sum_s |mu - mu0| / 2 <= radius``.

    Nature may move mass to any state. The same set of one row is ``L1Ball(2 * radius, "all")``.

    Parameters
    ----------
    radius : float or array of shape (horizon,) or (horizon, n_factors)
        In [0, 1]; 0 leaves the factor as it is.
    """

    radius: Radius

    def __post_init__(self) -> None:
        """Refuse a radius outside [0, 1]."""
        store_radius(self, "radius", high=1.0, shapes=SHAPES)


@dataclass(frozen=True, slots=True, eq=False)
class TVPenalty:
    """Any factor, at the price ``weight * sum_s |mu - mu0| / 2`` paid to the agent.

    Parameters
    ----------
    weight : float or array of shape (horizon,) or (horizon, n_factors)
        Positive, in units of reward; the smaller, the more nature dares, and ``inf`` is nominal.
    """

    weight: Radius

    def __post_init__(self) -> None:
        """Refuse a weight that is not positive."""
        store_radius(self, "weight", positive=True, shapes=SHAPES)


@dataclass(frozen=True, slots=True, eq=False)
class KLPenalty:
    """Any factor, at the price ``weight * sum_s mu log(mu / mu0)`` paid to the agent.

    Parameters
    ----------
    weight : float or array of shape (horizon,) or (horizon, n_factors)
        Positive, in units of reward; the smaller, the more nature dares, and ``inf`` is nominal.
    """

    weight: Radius

    def __post_init__(self) -> None:
        """Refuse a weight that is not positive."""
        store_radius(self, "weight", positive=True, shapes=SHAPES)


@dataclass(frozen=True, slots=True, eq=False)
class ChiSquarePenalty:
    """Any factor, at the price ``weight * sum_s (mu - mu0)^2 / mu0`` paid to the agent.

    Parameters
    ----------
    weight : float or array of shape (horizon,) or (horizon, n_factors)
        Positive, in units of reward; the smaller, the more nature dares, and ``inf`` is nominal.
    """

    weight: Radius

    def __post_init__(self) -> None:
        """Refuse a weight that is not positive."""
        store_radius(self, "weight", positive=True, shapes=SHAPES)


FactorPenalty: TypeAlias = TVPenalty | KLPenalty | ChiSquarePenalty
FactorAmbiguity: TypeAlias = TVBall | KLBall | FactorPenalty


class FactorKind(IntEnum):
    """The code by which kernels know a factor ambiguity."""

    NOMINAL = 0
    TV_BALL = 1
    KL_BALL = 2
    TV_PENALTY = 3
    KL_PENALTY = 4
    CHI_SQUARE_PENALTY = 5


def factor_kind(ambiguity: FactorAmbiguity | None) -> FactorKind:
    """Return the kernels' code; None is nominal."""
    match ambiguity:
        case None:
            return FactorKind.NOMINAL
        case TVBall():
            return FactorKind.TV_BALL
        case KLBall(rectangularity=rectangularity):
            if rectangularity != "sa":
                raise InvalidModelError(
                    f"ambiguity has rectangularity {rectangularity!r}; factors have one budget each"
                )
            return FactorKind.KL_BALL
        case TVPenalty():
            return FactorKind.TV_PENALTY
        case KLPenalty():
            return FactorKind.KL_PENALTY
        case ChiSquarePenalty():
            return FactorKind.CHI_SQUARE_PENALTY
        case _:
            if isinstance(ambiguity, FactorAmbiguity):
                assert_never(ambiguity)
            raise TypeError(
                f"ambiguity is of type {type(ambiguity).__name__}; expected TVBall, KLBall,"
                " TVPenalty, KLPenalty, ChiSquarePenalty or None"
            )


def factor_levels(
    ambiguity: FactorAmbiguity | None, horizon: int, n_factors: int
) -> tuple[FactorKind, FloatArray]:
    """Return the kernels' code and one radius or weight a factor and step.

    Parameters
    ----------
    ambiguity : FactorAmbiguity or None
        Its level is a number, one a step, or one a step and factor.
    horizon, n_factors : int
        Steps H and factors d of the model.

    Returns
    -------
    kind : FactorKind
        The code; a nominal model has infinite levels.
    levels : array of shape (horizon, n_factors)
        Radii of a ball, weights of a penalty.

    Raises
    ------
    InvalidModelError
        If the level's shape does not fit.
    TypeError
        If this is no factor ambiguity.

    Examples
    --------
    >>> factor_levels(TVPenalty([0.5, np.inf]), 2, 3)[1]
    array([[0.5, 0.5, 0.5],
           [inf, inf, inf]])
    """
    kind = factor_kind(ambiguity)
    if ambiguity is None:
        return kind, np.full((horizon, n_factors), np.inf)
    name = "radius" if isinstance(ambiguity, TVBall | KLBall) else "weight"
    level = np.asarray(getattr(ambiguity, name))
    given = level.reshape(-1, 1) if level.ndim == 1 else level  # one a step, also where H = d
    if level.ndim and given.shape not in {(horizon, 1), (horizon, n_factors)}:
        raise InvalidModelError(
            f"ambiguity.{name} has shape {level.shape}; expected a number, ({horizon},) or"
            f" ({horizon}, {n_factors})"
        )
    return kind, np.array(np.broadcast_to(given, (horizon, n_factors)), order="C")
