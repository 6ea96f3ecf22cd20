"""What a threshold must satisfy, as linear residuals of what is observed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory._validation import check_count, check_number, read_only
from mdptheory.errors import InvalidModelError


@dataclass(frozen=True, slots=True)
class Channel:
    """One number that a round shows, and how it errs.

    A value channel shows a number whose mean is the quantity; a count channel shows ``hits`` among
    ``trials``, and the quantity is the rate.

    Parameters
    ----------
    name : str
        How constraints refer to it; ``"reward"`` is the first channel of every environment.
    scale : float
        Sub-Gaussian scale of one observed value, or of one trial (1/2 for a count channel).
    low, high : float
        Between which its mean lies.
    trials : int
        0 for a value channel; for a count channel the most trials that one round can show.
    """

    name: str
    scale: float
    low: float = -np.inf
    high: float = np.inf
    trials: int = 0

    def __post_init__(self) -> None:
        """Refuse a scale that is not positive, or an empty range."""
        if not isinstance(self.name, str):
            raise TypeError(
                f"name is {self.name!r} of type {type(self.name).__name__}; expected a str"
            )
        check_number("scale", self.scale, low=0.0, open_low=True, open_high=True)
        check_number("low", self.low)
        if check_number("high", self.high) < self.low:
            raise InvalidModelError(
                f"low is {self.low} and high is {self.high}; expected low <= high"
            )
        check_count("trials", self.trials, low=0)


@dataclass(frozen=True, slots=True)
class DemographicParity:
    """Acceptance rates of the groups differ by at most ``tol``.

    Parameters
    ----------
    tol : float
        Largest difference between the largest and the smallest rate, in [0, 1].
    """

    tol: float = 0.1

    def __post_init__(self) -> None:
        """Refuse a tolerance that is no difference of rates."""
        object.__setattr__(self, "tol", check_number("tol", self.tol, low=0.0, high=1.0))


@dataclass(frozen=True, slots=True)
class EqualOpportunity:
    """Acceptance rates among those with a favourable label differ by at most ``tol``.

    Labels must be revealed: the environment has channels ``tpr_<group>``.

    Parameters
    ----------
    tol : float
        Largest difference between the largest and the smallest rate, in [0, 1].
    """

    tol: float = 0.1

    def __post_init__(self) -> None:
        """Refuse a tolerance that is no difference of rates."""
        object.__setattr__(self, "tol", check_number("tol", self.tol, low=0.0, high=1.0))


@dataclass(frozen=True, slots=True)
class ServiceRate:
    """At least a share ``min_rate`` of all applicants is accepted.

    Parameters
    ----------
    min_rate : float
        In [0, 1].
    """

    min_rate: float = 0.3

    def __post_init__(self) -> None:
        """Refuse what is no rate."""
        rate = check_number("min_rate", self.min_rate, low=0.0, high=1.0)
        object.__setattr__(self, "min_rate", rate)


@dataclass(frozen=True, slots=True)
class LinearResidual:
    """``sum_c coefficients[c] * channel[c] <= offset``, for named channels.

    Parameters
    ----------
    coefficients : mapping from channel name to float
        Not all of them 0.
    offset : float
        Right side.
    """

    coefficients: Mapping[str, float]
    offset: float = 0.0

    def __post_init__(self) -> None:
        """Refuse coefficients that are no numbers or that are all 0; keep a copy."""
        if not isinstance(self.coefficients, Mapping):
            raise TypeError(
                f"coefficients is of type {type(self.coefficients).__name__}; expected a mapping"
                " from names of channels to numbers"
            )
        kept = {
            name: check_number(f"coefficients[{name!r}]", value, low=-1e300, high=1e300)
            for name, value in self.coefficients.items()
        }
        if not any(kept.values()):
            raise InvalidModelError(f"coefficients is {kept}; expected one other than 0")
        object.__setattr__(self, "coefficients", kept)
        check_number("offset", self.offset, low=-1e300, high=1e300)


FairConstraint: TypeAlias = DemographicParity | EqualOpportunity | ServiceRate | LinearResidual
"""Everything that `residual_rows` can turn into residuals."""


class ResidualRows(NamedTuple):
    """Residuals ``matrix @ channels - level``: a constraint is met where none is positive.

    Attributes
    ----------
    matrix : array of shape (M, C)
        One row a residual, one column a channel; the reward's may be used too.
    level : array of shape (M,)
        Right sides.
    owner : tuple of int
        Which constraint each residual belongs to.
    """

    matrix: FloatArray
    level: FloatArray
    owner: tuple[int, ...]


def residual_rows(
    constraints: Sequence[FairConstraint], channels: Sequence[Channel]
) -> ResidualRows:
    """Turn constraints into linear residuals of an environment's channels.

    Parameters
    ----------
    constraints : sequence of FairConstraint
        Any number; none means that every arm is feasible.
    channels : sequence of Channel
        What the environment shows.

    Returns
    -------
    ResidualRows
        A difference between two rates makes two residuals, one among G rates ``G (G - 1)``.

    Raises
    ------
    InvalidModelError
        If a constraint needs a channel that is not there.
    TypeError
        If ``constraints`` is no sequence of constraints.

    Notes
    -----
    Demographic parity reads the channel ``gap``, a signed difference, where there is one, and
    otherwise the counts of all channels ``rate_<group>``; equal opportunity those of
    ``tpr_<group>``; the service rate reads ``service``. The absolute value of an observed
    difference is never averaged: its mean is positive even between equal groups.

    Examples
    --------
    >>> channels = [Channel("reward", 1.0), Channel("gap", 0.1), Channel("service", 0.1)]
    >>> rows = residual_rows([DemographicParity(0.1), ServiceRate(0.3)], channels)
    >>> rows.matrix.tolist()
    [[0.0, 1.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]]
    >>> rows.level.tolist()
    [0.1, 0.1, -0.3]
    """
    if not isinstance(constraints, Sequence):
        raise TypeError(
            f"constraints is {constraints!r} of type {type(constraints).__name__}; expected a"
            " sequence of constraints, perhaps of one"
        )
    names = [channel.name for channel in channels]
    rows: list[tuple[dict[str, float], float, int]] = []
    for i, constraint in enumerate(constraints):
        match constraint:
            case DemographicParity(tol):
                if "gap" in names:
                    rows += [({"gap": 1.0}, tol, i), ({"gap": -1.0}, tol, i)]
                else:
                    rows += _spread(names, "rate_", tol, i, constraint)
            case EqualOpportunity(tol):
                rows += _spread(names, "tpr_", tol, i, constraint)
            case ServiceRate(min_rate):
                rows.append(({"service": -1.0}, -min_rate, i))
            case LinearResidual(coefficients, offset):
                rows.append((dict(coefficients), offset, i))
            case _:
                raise TypeError(
                    f"constraints[{i}] is {constraint!r} of type {type(constraint).__name__};"
                    " expected DemographicParity, EqualOpportunity, ServiceRate or LinearResidual"
                )
    matrix, level = np.zeros((len(rows), len(names))), np.zeros(len(rows))
    for row, (coefficients, right, i) in enumerate(rows):
        level[row] = right
        for name, value in coefficients.items():
            if name not in names:
                raise InvalidModelError(
                    f"constraints[{i}] needs the channel {name!r}; this environment shows"
                    f" {', '.join(names)}"
                )
            matrix[row, names.index(name)] = value
    return ResidualRows(read_only(matrix), read_only(level), tuple(i for _, _, i in rows))


def _spread(
    names: Sequence[str], prefix: str, tol: float, i: int, constraint: FairConstraint
) -> list[tuple[dict[str, float], float, int]]:
    """Return one residual for every ordered pair of the groups' rates."""
    rates = [name for name in names if name.startswith(prefix)]
    if len(rates) < 2:
        raise InvalidModelError(
            f"constraints[{i}] is {constraint!r}, which needs channels {prefix}<group> of two"
            f" groups or more; this environment shows {', '.join(names)}"
        )
    return [({a: 1.0, b: -1.0}, tol, i) for a in rates for b in rates if a != b]
