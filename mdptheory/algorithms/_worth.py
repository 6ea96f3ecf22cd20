"""What nature makes of estimated factors: the signed duals, by the cheapest way that is exact."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.algorithms._factor_problem import Problem
from mdptheory.kernels.factor import LARGEST
from mdptheory.kernels.signed import signed_worth
from mdptheory.models.factor_ambiguity import FactorKind

Solve: TypeAlias = Callable[[FloatArray], FloatArray]


def worth_of_factors(
    problem: Problem, moments: FloatArray, gram_inverse: FloatArray, solve: Solve
) -> FloatArray:
    """Return the estimated worth of each factor, not clipped.

    Parameters
    ----------
    problem : Problem
        The question.
    moments : array of shape (d, n)
        See `Step`.
    gram_inverse : array of shape (d, d)
        ``Lambda^-1``.
    solve : callable
        ``solve(rhs)`` returns ``Lambda^-1 rhs``.

    Returns
    -------
    array of shape (d,)
        Worths, in units of reward.

    Notes
    -----
    Penalties on total variation and KL divergence with one weight for all factors ask for the
    moments of one function: one product with ``moments``, one solve. All else needs the weights
    ``Lambda^-1 moments`` that estimates give to points.
    """
    kind, v = problem.kind, problem.v
    level = problem.level[0] if (problem.level == problem.level[0]).all() else None
    if kind == FactorKind.NOMINAL:
        return solve(moments @ v)
    if level is not None and kind == FactorKind.TV_PENALTY:
        return solve(moments @ np.minimum(v, problem.floor + level))
    if level is not None and level < LARGEST and kind == FactorKind.KL_PENALTY:
        return _kl_worth(problem, float(level), moments, solve)
    weights = np.ascontiguousarray(gram_inverse @ moments)
    if problem.search != "breakpoints":
        from mdptheory.algorithms._published import published_worth

        return published_worth(problem, weights)
    w = np.empty(len(weights))
    order = np.argsort(v, kind="stable")
    signed_worth(
        int(kind), problem.level, weights, v, order, problem.floor, problem.cap, problem.kl_shift, w
    )
    return w


def _kl_worth(problem: Problem, weight: float, moments: FloatArray, solve: Solve) -> FloatArray:
    """Return ``-weight log`` of the moment of ``exp(-v / weight)``, which is at least that of cap.

    Exponents are taken from the least value in the data on, so that not all of them underflow.
    """
    v, seen = problem.v, moments.any(axis=0)
    least = float(v[seen].min()) if seen.any() else 0.0
    v = np.maximum(v, least)  # points without data have no moment
    shift = problem.kl_shift
    if shift:
        least = min(least, 0.0)  # what estimates lack to 1 counts as a point of value 0
    with np.errstate(over="ignore"):  # a tiny weight sends every exponent but that of least away
        exponent = -(v - least) / weight
        origin = least / weight
    if shift:
        estimate = np.exp(origin) + solve(moments @ (np.expm1(exponent) - np.expm1(origin)))
    else:
        estimate = solve(moments @ np.exp(exponent))
    positive = np.where(estimate > 0.0, estimate, 1.0)
    worth = np.minimum(least - weight * np.log(positive), problem.cap)
    return np.asarray(np.where(estimate > 0.0, worth, problem.cap))
