"""Duals searched the way published programs do it, to reproduce their numbers and run times."""

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.algorithms._factor_problem import Problem
from mdptheory.models.factor_ambiguity import FactorKind

_LEAST_TEMPERATURE = _LEAST_MOMENT = 1e-6
_LARGEST = 1e100  # of a dual; the search compares differences


def published_worth(problem: Problem, weights: FloatArray) -> FloatArray:
    """Return the worth of each factor as published programs find it, which may be off.

    Parameters
    ----------
    problem : Problem
        A ball, or the chi-square penalty; ``problem.search`` says which program.
    weights : array of shape (d, n)
        Signed weights of the points in each factor's estimate.

    Returns
    -------
    array of shape (d,)
        ``"nelder-mead"``: what that search reaches from half the cap, no maximum in general.
        ``"chi-square-minimum"``: what it reaches in search of the *minimum*, which the program
        behind a published figure returns instead of the maximum.
    """
    w = np.empty(len(weights))
    for i, row in enumerate(weights):
        level = float(problem.level[i])
        w[i] = row @ problem.v if level == np.inf else _nelder_mead(problem, level, row)
    return w


def dual(problem: Problem, level: float, row: FloatArray, x: float) -> float:
    """Return the dual of one factor, which nature's reply maximises over ``x`` in [0, cap]."""
    v = problem.v
    if problem.kind == FactorKind.KL_BALL:
        least = min(0.0, float(v.min()))  # negative values at small temperatures overflow
        moment = np.exp(least / x) + row @ (np.expm1(-(v - least) / x) - np.expm1(least / x))
        worth = -x * float(np.log(_LEAST_MOMENT))
        if moment > 0.0:
            worth = min(worth, least - x * float(np.log(moment)))
        return worth - x * level
    cut = np.minimum(v, x)
    mean = float(row @ cut)
    if problem.kind == FactorKind.TV_BALL:
        return mean - level * (x - min(x, problem.floor))
    return mean + (mean * mean - float(row @ (cut * cut))) / (4.0 * level)


def _nelder_mead(problem: Problem, level: float, row: FloatArray) -> float:
    """Return what a local search without derivatives finds from half the cap on."""
    from scipy.optimize import minimize

    least = _LEAST_TEMPERATURE if problem.kind == FactorKind.KL_BALL else 0.0
    sign = 1.0 if problem.search == "chi-square-minimum" else -1.0
    found = minimize(
        lambda x: sign * min(max(dual(problem, level, row, float(x[0])), -_LARGEST), _LARGEST),
        np.array([problem.cap / 2.0]),
        method="Nelder-Mead",
        bounds=[(least, problem.cap)],
    )
    return sign * float(found.fun)
