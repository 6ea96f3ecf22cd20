"""What values are worth to the factors of a linear MDP against nature."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray
from mdptheory._validation import as_float_array, check_finite, check_shape, check_simplex
from mdptheory.errors import InvalidModelError
from mdptheory.kernels.factor import worst_factor
from mdptheory.models.balls import KLBall
from mdptheory.models.factor_ambiguity import FactorAmbiguity, TVBall, factor_kind


@dataclass(frozen=True, slots=True, eq=False)
class FactorWorth:
    """Nature's reply to factors.

    Attributes
    ----------
    worth : array of shape (d,)
        What the values are worth to each factor, in units of reward, nature's price included.
    worst : array of shape (d, S)
        Factors that attain it.
    """

    worth: FloatArray
    worst: FloatArray


def factor_worth(
    v: npt.ArrayLike,
    m: npt.ArrayLike,
    ambiguity: FactorAmbiguity | None,
    *,
    sink: int | None = None,
) -> FactorWorth:
    """Let nature choose each factor against the values, exactly.

    Parameters
    ----------
    v : array of shape (S,)
        Values of the next states, in units of reward.
    m : array of shape (S,) or (d, S)
        Factors: distributions of the next state.
    ambiguity : FactorAmbiguity or None
        What nature may do, with one level or one a factor; None is nominal.
    sink : int, optional
        The state to which mass moves if several are worst and this is one of them.

    Returns
    -------
    FactorWorth
        Worths and worst factors.

    Raises
    ------
    InvalidModelError
        If a factor is no distribution, a value is not finite, or shapes disagree.
    TypeError
        If this is no factor ambiguity.

    Notes
    -----
    The worth is ``min E_mu v`` over a ball, or ``min E_mu v + weight D(mu, m)`` for a penalty.

    Examples
    --------
    >>> from mdptheory.models import TVPenalty
    >>> found = factor_worth([0.0, 1.0, 3.0], [0.0, 0.5, 0.5], TVPenalty(2.0))
    >>> found.worth, found.worst
    (array([1.5]), array([[0.5, 0.5, 0. ]]))
    """
    values, factors = as_float_array("v", v), as_float_array("m", m)
    check_shape("v", values, (None,))
    check_finite("v", values)
    if values.size == 0:
        raise InvalidModelError("v has no entry; expected one a state")
    check_shape("m", factors, (values.size,) if factors.ndim == 1 else (None, values.size))
    check_simplex("m", factors)
    factors = factors.reshape(-1, values.size)
    kind, level = int(factor_kind(ambiguity)), _levels(ambiguity, len(factors))
    where = _sink(sink, values.size)
    worth, worst = np.empty(len(factors)), np.empty_like(factors)
    for i, row in enumerate(factors):
        worth[i] = worst_factor(kind, float(level[i]), row, values, where, worst[i])
    return FactorWorth(worth, worst)


def _levels(ambiguity: FactorAmbiguity | None, n_factors: int) -> FloatArray:
    """Return one radius or weight a factor."""
    if ambiguity is None:
        return np.full(n_factors, np.inf)
    name = "radius" if isinstance(ambiguity, TVBall | KLBall) else "weight"
    level = np.asarray(getattr(ambiguity, name), dtype=np.float64)
    if level.ndim and level.shape != (n_factors,):
        raise InvalidModelError(
            f"ambiguity.{name} has shape {level.shape}; expected a number or ({n_factors},)"
        )
    return np.array(np.broadcast_to(level, (n_factors,)))


def _sink(sink: int | None, n_states: int) -> int:
    if sink is None:
        return -1
    if isinstance(sink, bool) or not isinstance(sink, int | np.integer):
        raise TypeError(f"sink is {sink!r} of type {type(sink).__name__}; expected a state or None")
    if not 0 <= sink < n_states:
        raise InvalidModelError(f"sink is {sink}; expected a state in 0..{n_states - 1}")
    return int(sink)
