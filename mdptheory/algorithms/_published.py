"""Duals searched the way published programs do it, to reproduce their numbers and run times."""

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.algorithms._worth import Problem
from mdptheory.models.factor_ambiguity import FactorKind

_LEAST_TEMPERATURE = _LEAST_MOMENT = 1e-6


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
        ``"chi-square-minimum"``: the *minimum* of the dual over ``[0, cap]``, which the program
        behind a published figure returns instead of the maximum.
    """
    w = np.empty(len(weights))
    for i, row in enumerate(weights):
        level = float(problem.level[i])
        if level == np.inf:
            w[i] = row @ problem.v
        elif problem.search == "nelder-mead":
            w[i] = _nelder_mead(problem, level, row)
        else:
            w[i] = _least_chi_square(problem.v, row, level, problem.cap)
    return w


def dual(problem: Problem, level: float, row: FloatArray, x: float) -> float:
    """Return the dual of one factor, which nature's reply maximises over ``x`` in [0, cap]."""
    v = problem.v
    if problem.kind == FactorKind.KL_BALL:
        moment = 1.0 + float(row @ np.expm1(-v / x))
        return -x * float(np.log(max(moment, _LEAST_MOMENT))) - x * level
    cut = np.minimum(v, x)
    mean = float(row @ cut)
    if problem.kind == FactorKind.TV_BALL:
        return mean - level * (x - min(x, problem.floor))
    return mean + (mean * mean - float(row @ (cut * cut))) / (4.0 * level)


def _nelder_mead(problem: Problem, level: float, row: FloatArray) -> float:
    """Return what a local search without derivatives finds."""
    from scipy.optimize import minimize

    least = _LEAST_TEMPERATURE if problem.kind == FactorKind.KL_BALL else 0.0
    found = minimize(
        lambda x: -dual(problem, level, row, float(x[0])),
        np.array([problem.cap / 2.0]),
        method="Nelder-Mead",
        bounds=[(least, problem.cap)],
    )
    return -float(found.fun)


def _least_chi_square(v: FloatArray, row: FloatArray, weight: float, cap: float) -> float:
    """Return the least value of the chi-square dual: a parabola between neighbouring values."""
    order = np.argsort(v, kind="stable")
    c, x = row[order], v[order]
    knots = np.concatenate([[0.0], np.clip(x, 0.0, cap), [cap]])
    below = np.concatenate([[0], np.searchsorted(x, knots[1:], side="right")])
    below[0] = np.searchsorted(x, 0.0, side="right")

    def prefix(terms: FloatArray) -> FloatArray:
        return np.concatenate([[0.0], np.cumsum(terms)])[below]

    a, a2 = prefix(c * x), prefix(c * x * x)
    b = c.sum() - prefix(c)
    bend, slope = (b * b - b) / (4.0 * weight), b + a * b / (2.0 * weight)
    start = a + (a * a - a2) / (4.0 * weight)
    ends = np.append(knots[1:], cap)
    with np.errstate(divide="ignore", invalid="ignore"):
        vertex = np.where(bend > 0.0, -slope / (2.0 * bend), knots)
    tried = np.stack([knots, np.clip(vertex, knots, ends), ends])
    return float((start + (slope + bend * tried) * tried).min())
