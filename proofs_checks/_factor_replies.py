"""Nature's reply to one factor: the library's, and broken ones."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.models import ChiSquarePenalty, FactorAmbiguity, TVPenalty
from mdptheory.operators.factors import factor_worth


@dataclass(frozen=True, slots=True, eq=False)
class Reply:
    """What nature makes of values.

    Attributes
    ----------
    worth : float
        Her row's mean, and her price.
    row : array of shape (n,)
        Her row.
    """

    worth: float
    row: FloatArray


Solve: TypeAlias = Callable[[FactorAmbiguity, FloatArray, FloatArray], Reply]


def library(ambiguity: FactorAmbiguity, m: FloatArray, v: FloatArray) -> Reply:
    """Ask the library."""
    found = factor_worth(v, m, ambiguity)
    return Reply(float(found.worth[0]), found.worst[0])


def truncation(m: FloatArray, v: FloatArray, weight: float) -> float:
    """Return alpha with alpha - E min(v, alpha) = 2 weight, at most the largest value in sight."""
    seen = np.flatnonzero(m > 0)
    order = seen[np.argsort(v[seen], kind="stable")]
    pieces = (2 * weight + np.cumsum(m[order] * v[order])) / np.cumsum(m[order])
    return min(float(pieces.min()), float(v[order[-1]]))


def dual_of_squares(alpha: float, m: FloatArray, v: FloatArray, weight: float) -> float:
    """E min(v, alpha) - Var min(v, alpha) / (4 weight)."""
    cut = np.minimum(v, alpha)
    mean = float(m @ cut)
    return mean - float(m @ (cut - mean) ** 2) / (4 * weight)


# ---- broken versions ----------------------------------------------------------------------------


def half_weight(ambiguity: FactorAmbiguity, m: FloatArray, v: FloatArray) -> Reply:
    """Take half the weight: TV for an L1 distance, or 1/(2 weight) for 1/(4 weight)."""
    if not isinstance(ambiguity, TVPenalty | ChiSquarePenalty):
        raise TypeError(f"ambiguity is of type {type(ambiguity).__name__}")
    return library(replace(ambiguity, weight=np.asarray(ambiguity.weight) / 2), m, v)


def least_dual(ambiguity: FactorAmbiguity, m: FloatArray, v: FloatArray) -> Reply:
    """Minimise the chi-square dual over truncations."""
    assert isinstance(ambiguity, ChiSquarePenalty)
    weight, true = float(ambiguity.weight), library(ambiguity, m, v)
    if np.isinf(weight):
        return replace(true, worth=float(v.min()))
    return replace(true, worth=min(dual_of_squares(float(a), m, v, weight) for a in v))


def untruncated(ambiguity: FactorAmbiguity, m: FloatArray, v: FloatArray) -> Reply:
    """Take mean less variance / (4 weight), whatever the sign of the row."""
    assert isinstance(ambiguity, ChiSquarePenalty)
    weight = float(ambiguity.weight)
    row = m * (1 + (m @ v - v) / (2 * weight))
    return Reply(dual_of_squares(np.inf, m, v, weight) if weight < np.inf else float(m @ v), row)


def zeroed(ambiguity: FactorAmbiguity, m: FloatArray, v: FloatArray) -> Reply:
    """Remove the chi-square row's mass from the truncated values by hand."""
    assert isinstance(ambiguity, ChiSquarePenalty)
    reply = library(ambiguity, m, v)
    alpha = truncation(m, v, float(ambiguity.weight)) if ambiguity.weight < np.inf else np.inf
    return replace(reply, row=np.where(v >= alpha, 0.0, reply.row))


def free_ball(ambiguity: FactorAmbiguity, m: FloatArray, v: FloatArray) -> Reply:
    """Forget "- radius * alpha" in the ball's dual."""
    return replace(library(ambiguity, m, v), worth=float(m @ v))


def from_zero(ambiguity: FactorAmbiguity, m: FloatArray, v: FloatArray) -> Reply:
    """Take 0 for the least value, fail state or not."""
    assert isinstance(ambiguity, TVPenalty)
    cut = np.minimum(v, float(ambiguity.weight))
    return replace(library(ambiguity, m, v), worth=float(m @ cut))


def friendly(ambiguity: FactorAmbiguity, m: FloatArray, v: FloatArray) -> Reply:
    """Let nature maximise, at the same price."""
    reply = library(ambiguity, m, -v)
    return replace(reply, worth=-reply.worth)


def nominal_row(ambiguity: FactorAmbiguity, m: FloatArray, v: FloatArray) -> Reply:
    """Return the factor itself as nature's row."""
    return replace(library(ambiguity, m, v), row=m)
