"""The worst (or best) row of an ambiguity set, with a bound that proves it."""

import math
from dataclasses import dataclass
from typing import Literal, assert_never, get_args

import numpy as np
import numpy.typing as npt

from mdptheory._typing import BoolArray, FloatArray
from mdptheory._validation import as_float_array, check_finite, check_shape, check_simplex
from mdptheory.errors import InvalidModelError
from mdptheory.kernels import divergence, euclidean, polyhedral
from mdptheory.models.ambiguity import (
    BurgBall,
    ChiSquareBall,
    ContaminationSet,
    CVaRSet,
    EVaRSet,
    FiniteSet,
    IntervalSet,
    KLBall,
    L1Ball,
    L2Ball,
    LinfBall,
    Radius,
    RowAmbiguity,
    WassersteinBall,
    WeightedL1Ball,
)

LARGEST = 1e300  # what an infinite radius is to the kernels, where 0 inf would be no number


@dataclass(frozen=True, slots=True, eq=False)
class WorstCase:
    """Nature's reply to one row.

    Attributes
    ----------
    value : float
        ``row @ z``.
    row : array of shape (n,)
        A row of the set that attains ``value``.
    bound : float
        What no row of the set can go beyond, from the dual problem: below ``value`` for an
        adversarial nature, above it for a cooperative one, by rounding only.
    """

    value: float
    row: FloatArray
    bound: float


def worst_case(
    p: npt.ArrayLike,
    z: npt.ArrayLike,
    ambiguity: RowAmbiguity,
    *,
    nature: Literal["adversarial", "cooperative"] = "adversarial",
) -> WorstCase:
    """Minimise ``q @ z`` over the ambiguity set of ``p`` (maximise for a cooperative nature).

    Parameters
    ----------
    p : array of shape (n,)
        Nominal distribution.
    z : array of shape (n,)
        What each outcome is worth: reward plus discounted value of the successor.
    ambiguity : AmbiguitySet
        Which rows nature may choose.
    nature : {"adversarial", "cooperative"}
        Whether nature minimises or maximises.

    Returns
    -------
    WorstCase
        Value, row and dual bound.

    Raises
    ------
    InvalidModelError
        If ``p`` is no distribution, ``z`` is not finite, or their lengths or the set's disagree.
    TypeError
        If ``ambiguity`` is no ambiguity set.

    Examples
    --------
    >>> from mdptheory.models.ambiguity import L1Ball
    >>> worst_case([0.2, 0.3, 0.5], [4.0, 1.0, 3.0], L1Ball(0.4, support="all")).row
    array([0. , 0.5, 0.5])
    """
    nominal, worth = as_float_array("p", p), as_float_array("z", z)
    check_shape("p", nominal, (None,))
    check_simplex("p", nominal)
    check_shape("z", worth, nominal.shape)
    check_finite("z", worth)
    if nature not in ("adversarial", "cooperative"):
        raise InvalidModelError(f"nature is {nature!r}; expected 'adversarial' or 'cooperative'")
    if not isinstance(ambiguity, get_args(RowAmbiguity)):
        kind = type(ambiguity).__name__
        raise TypeError(f"ambiguity is of type {kind}; expected an ambiguity set")
    _check_one_row(ambiguity)
    _check_lengths(nominal.size, ambiguity)
    sign = 1.0 if nature == "adversarial" else -1.0
    value, row, bound = _minimise(nominal, sign * worth, ambiguity)
    return WorstCase(sign * value + 0.0, row, sign * bound + 0.0)  # no negative zeros


def _check_one_row(ambiguity: RowAmbiguity) -> None:
    """Refuse radii a state or a pair: there is one row here."""
    for name in ("radius", "alpha", "fraction"):
        shape = np.shape(getattr(ambiguity, name, 0.0))
        if shape:
            raise InvalidModelError(
                f"{name} has shape {shape}; worst_case takes one row: expected a number"
            )


def _check_lengths(n: int, ambiguity: RowAmbiguity) -> None:
    """Refuse weights, costs, bounds or rows of another length than ``p``."""
    shape: tuple[int, ...]
    match ambiguity:
        case WeightedL1Ball(weights=array):
            name, shape = "weights", (n,)
        case IntervalSet(lower=array):
            name, shape = "lower", (n,)
        case WassersteinBall(cost=array):
            name, shape = "cost", (n, n)
        case FiniteSet(rows=array):
            name, shape = "rows", (array.shape[0], n)
        case _:
            return
    if array.shape != shape:
        raise InvalidModelError(
            f"{name} has shape {array.shape}; expected {shape}, as p has {n} entries"
        )


def _admissible(p: FloatArray, ambiguity: RowAmbiguity) -> BoolArray:
    """Return which outcomes the set's rows may use."""
    match ambiguity:
        case (
            L1Ball(support=support)
            | WeightedL1Ball(support=support)
            | LinfBall(support=support)
            | L2Ball(support=support)
            | BurgBall(support=support)
            | ContaminationSet(support=support)
        ):
            return p > 0 if support == "nominal" else np.full(p.size, True)
        case KLBall() | ChiSquareBall() | CVaRSet() | EVaRSet():
            return p > 0
        case IntervalSet() | WassersteinBall() | FiniteSet():
            return np.full(p.size, True)
        case _:
            assert_never(ambiguity)


def _minimise(
    p: FloatArray, z: FloatArray, ambiguity: RowAmbiguity
) -> tuple[float, FloatArray, float]:
    """Return the least ``q @ z``, a row that attains it and a lower bound."""
    keep = _admissible(p, ambiguity)
    q = np.empty(int(keep.sum()))
    value, bound, _, _ = _kernel(p[keep], z[keep], ambiguity, keep, q)
    row = np.zeros(p.size)
    row[keep] = q
    return value, row, bound


def _kernel(
    p: FloatArray, z: FloatArray, ambiguity: RowAmbiguity, keep: BoolArray, q: FloatArray
) -> tuple[float, float, float, float]:
    """Call the set's kernel on the admissible outcomes: value, bound and dual variables."""
    match ambiguity:
        case L1Ball(radius=radius):
            return polyhedral.l1_row(p, z, _capped(radius), q)
        case WeightedL1Ball(radius=radius, weights=weights):
            return polyhedral.weighted_l1_row(p, z, weights[keep], _capped(radius), q)
        case LinfBall(radius=radius):
            w = _normalised(p)
            lower, upper = np.maximum(w - radius, 0.0), np.minimum(w + radius, 1.0)
            return polyhedral.interval_row(lower, upper, z, q)
        case IntervalSet(lower=lower, upper=upper):
            return polyhedral.interval_row(lower, upper, z, q)
        case CVaRSet(alpha=alpha):
            upper = np.minimum(_normalised(p), alpha) / alpha
            return polyhedral.interval_row(np.zeros(p.size), upper, z, q)
        case (  # the nominal row alone, to the last bit
            L2Ball(radius=0.0)
            | KLBall(radius=0.0)
            | EVaRSet(alpha=1.0)
            | BurgBall(radius=0.0)
            | ChiSquareBall(radius=0.0)
        ):
            return polyhedral.finite_row(p[None], z, q)
        case L2Ball(radius=radius):
            return euclidean.l2_row(p, z, _capped(radius), q)
        case KLBall(radius=radius):
            return divergence.kl_row(p, z, _capped(radius), q)
        case EVaRSet(alpha=alpha):
            return divergence.kl_row(p, z, -math.log(float(alpha)), q)
        case BurgBall(radius=radius):
            return divergence.burg_row(p, z, _capped(radius), q)
        case ChiSquareBall(radius=radius):
            return divergence.chi_square_row(p, z, _capped(radius), q)
        case WassersteinBall(radius=radius, cost=cost):
            return polyhedral.wasserstein_row(p, z, cost, _capped(radius), q)
        case ContaminationSet(fraction=fraction):
            return polyhedral.contamination_row(p, z, float(fraction), q)
        case FiniteSet(rows=rows):
            return polyhedral.finite_row(rows, z, q)
        case _:
            assert_never(ambiguity)


def _capped(radius: Radius) -> float:
    return min(float(radius), LARGEST)


def _normalised(p: FloatArray) -> FloatArray:
    """Return ``p`` summing to 1; a sum that is off by rounding only keeps its bits."""
    w = np.empty(p.size)
    polyhedral.normalise(p, w)
    return w
