"""The true error of a value, by a second route: NumPy and scipy only, no solver is trusted."""

from dataclasses import dataclass

import numpy as np

from benchmarks.problems import Floats, Problem

UNIT_ROUNDOFF = float(np.finfo(float).eps) / 2


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """An enclosure of the optimal value: ``|v* - middle| <= radius`` in every state."""

    middle: Floats
    radius: float


def backup(problem: Problem, v: Floats) -> Floats:
    """Apply the Bellman operator with a scipy sparse product, shape (n_states,)."""
    from scipy import sparse

    matrix = sparse.csr_matrix(
        (problem.prob, problem.next_state, problem.row_ptr),
        shape=(problem.n_states * problem.n_actions, problem.n_states),
    )
    q = problem.reward + problem.gamma * (matrix @ v)
    return q.reshape(problem.n_states, problem.n_actions).max(axis=1)


def enclose(problem: Problem, v: Floats) -> Truth:
    """Bound the optimal value from one Bellman application.

    With ``d = T v - v``, monotonicity and the shift by constants give
    ``T v + c min d <= v* <= T v + c max d`` where ``c = gamma / (1 - gamma)``. Rounding of the
    backup itself is allowed for with a pad of ``branching + 4`` roundings of the largest value.
    """
    step = backup(problem, v)
    low, high = float((step - v).min()), float((step - v).max())
    factor = problem.gamma / (1.0 - problem.gamma)
    width = int(np.diff(problem.row_ptr).max()) + 4
    size = float(np.abs(v).max() + np.abs(problem.reward).max())
    pad = width * UNIT_ROUNDOFF * size / (1.0 - problem.gamma)
    return Truth(step + factor * (low + high) / 2.0, factor * (high - low) / 2.0 + pad)


def refine(problem: Problem, v: Floats, *, radius: float, max_sweeps: int = 100_000) -> Truth:
    """Sweep on from ``v`` until the enclosure is as narrow as wanted.

    Raises
    ------
    RuntimeError
        If rounding or the limit on sweeps ends it before.
    """
    best = enclose(problem, v)
    for _ in range(max_sweeps):
        if best.radius <= radius:
            return best
        best = enclose(problem, best.middle)
    raise RuntimeError(f"the reference stayed {best.radius:.2g} wide; expected {radius:.2g}")


def error_of(v: Floats, truth: Truth) -> float:
    """Return the sup-norm distance to the enclosure's middle; inf for a wrong shape or NaN."""
    if v.shape != truth.middle.shape or not np.isfinite(v).all():
        return float("inf")
    return float(np.abs(v - truth.middle).max())


def reached(error: float, truth: Truth, target: float) -> bool:
    """Tell whether the error may be within the target; the enclosure's width is granted."""
    return error - truth.radius <= target
