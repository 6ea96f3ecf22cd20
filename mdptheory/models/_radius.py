"""What the ambiguity sets share: radii that are checked once and then read-only."""

from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray
from mdptheory._validation import as_array, as_float_array, check_finite, check_number, place
from mdptheory.errors import InvalidModelError

Support: TypeAlias = Literal["nominal", "all"]
Rectangularity: TypeAlias = Literal["sa", "s"]
Radius: TypeAlias = float | FloatArray
"""One number, or one a state, or one a state-action pair."""

S_RECTANGULAR = "L1Ball, WeightedL1Ball, KLBall, BurgBall, ChiSquareBall, SignedLpBall"


def check_support(support: str) -> None:
    """Refuse anything but the two supports."""
    if support not in ("nominal", "all"):
        raise InvalidModelError(f"support is {support!r}; expected 'nominal' or 'all'")


def check_rectangularity(owner: object, radius: Radius, rectangularity: str) -> None:
    """Refuse another rectangularity, or radii a pair where nature has one budget a state."""
    if rectangularity not in ("sa", "s"):
        raise InvalidModelError(f"rectangularity is {rectangularity!r}; expected 'sa' or 's'")
    if rectangularity == "s" and type(owner).__name__ not in S_RECTANGULAR.split(", "):
        raise NotImplementedError(
            f"{type(owner).__name__} has no s-rectangular algorithm; these sets have one:"
            f" {S_RECTANGULAR}"
        )
    if rectangularity == "s" and np.ndim(radius) == 2:
        raise InvalidModelError(
            f"radius has shape {np.shape(radius)}; with rectangularity='s' the rows of a state"
            " share one budget: expected a number or shape (n_states,)"
        )


def store_radius(
    owner: object,
    name: str,
    *,
    high: float = np.inf,
    positive: bool = False,
    shapes: str = "(n_states,) or (n_states, n_actions)",
) -> Radius:
    """Check a radius and keep it: as a float, or as a read-only array."""
    given = getattr(owner, name)
    if not isinstance(given, np.ndarray) and as_array(name, given).ndim == 0:
        number = check_number(name, given, low=0.0, high=high, open_low=positive)
        object.__setattr__(owner, name, number)
        return number
    array = np.array(as_float_array(name, given))
    if array.ndim not in (1, 2) or 0 in array.shape:
        raise InvalidModelError(f"{name} has shape {array.shape}; expected a number, {shapes}")
    fine = (array >= 0.0) & (array <= high) & ((array > 0.0) | (not positive))
    if not fine.all():
        where = tuple(int(i) for i in np.argwhere(~fine)[0])
        check_number(place(name, where), array[where], low=0.0, high=high, open_low=positive)
    array.setflags(write=False)
    object.__setattr__(owner, name, array)
    return array


def freeze(owner: object, name: str, value: npt.ArrayLike, *ndim: int) -> FloatArray:
    """Keep a finite, read-only array with one of the numbers of axes ``ndim``."""
    array = np.array(as_float_array(name, value))
    if array.ndim not in ndim:
        shapes = " or ".join(f"{n} axes" for n in ndim)
        raise InvalidModelError(f"{name} has shape {array.shape}; expected {shapes}")
    check_finite(name, array)
    array.setflags(write=False)
    object.__setattr__(owner, name, array)
    return array
