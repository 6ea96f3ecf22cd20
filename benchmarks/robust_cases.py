"""The robust problems, the planners that solve them, and the plain loop they are measured by."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from benchmarks.contenders import TARGET
from benchmarks.problems import Floats
from mdptheory import TabularMDP, environments
from mdptheory.models import AmbiguitySet, L1Ball
from mdptheory.operators.backup import unsigned

FLOOR = "plain floor"
PLANNERS = (
    "robust_solve", "rcpi", "partial_policy_iteration", "robust_modified_policy_iteration",
    "robust_policy_iteration", "robust_value_iteration",
)  # fmt: skip
ROWS, STATES = L1Ball(0.2, support="nominal"), L1Ball(1.0, support="nominal", rectangularity="s")


@dataclass(frozen=True, slots=True)
class Case:
    """A robust problem.

    Attributes
    ----------
    name, about : str
        For the command line and for the table.
    make : callable
        From ``quick`` and the discount factor to the nominal model.
    gammas : tuple of float
        Discounts to race at.
    outside : float, optional
        How many times the plain floor craam2's best planner takes here: an outside figure.
    plain : bool
        Whether the floor can run: rewards per pair, a budget a row.
    ambiguity : AmbiguitySet
        Nature's set.
    """

    name: str
    about: str
    make: Callable[[bool, float], TabularMDP]
    gammas: tuple[float, ...] = (0.95,)
    outside: float | None = None
    plain: bool = False
    ambiguity: AmbiguitySet = ROWS


def _garnet(n: int, quick: int, n_actions: int = 10) -> Callable[[bool, float], TabularMDP]:
    def make(small: bool, gamma: float) -> TabularMDP:
        return environments.garnet(quick if small else n, n_actions, 10, gamma=gamma, rng=0)

    return make


def _warehouse(small: bool, gamma: float) -> TabularMDP:
    return environments.inventory(*((23, 6) if small else (287, 30)), gamma=gamma)


CASES = (
    Case("l1-200", "Garnet S=200 A=10 b=10", _garnet(200, 60), (0.95,), 2.5, plain=True),
    Case(
        "l1-1e3", "Garnet S=1e3 A=10 b=10", _garnet(1_000, 200), (0.95, 0.9, 0.99, 0.999), 2.9,
        plain=True,
    ),
    Case("l1-1e4", "Garnet S=1e4 A=10 b=10", _garnet(10_000, 500), (0.95,), 6.0, plain=True),
    Case("l1-1e5", "Garnet S=1e5 A=5 b=10", _garnet(100_000, 2_000, 5), plain=True),
    Case(
        "riverswim20", "riverswim, 20 states", lambda _, g: environments.riverswim20(gamma=g),
        (0.9,),
    ),
    Case(
        "machine10", "machine replacement, 10 states",
        lambda _, g: environments.machine_replacement(gamma=g), (0.9,),
    ),
    Case("inventory21", "inventory, 21 states", lambda _, g: environments.inventory(gamma=g)),
    Case("s-l1-288", "s-rectangular, inventory of 288 states", _warehouse, ambiguity=STATES),
)  # fmt: skip
BY_NAME = {case.name: case for case in CASES}
OUTSIDE_GAMMA = 0.95  # where the outside figures were taken


def find(key: str) -> tuple[Case, float, bool]:
    """Read ``NAME@GAMMA``, with ``@quick`` behind it for the small size."""
    name, gamma, *quick = key.split("@")
    return BY_NAME[name], float(gamma), bool(quick)


# ---- the plain loop ------------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def floor_sweep(  # type: ignore[no-untyped-def]
    n_actions, row_ptr, next_state, prob, reward, radius, gamma, v, out, z, p
):
    """Apply the L1 robust operator, sorting each row anew; return the extremes of the step."""
    low, high = np.inf, -np.inf
    for s in range(len(v)):
        best = -np.inf
        for k in range(s * n_actions, (s + 1) * n_actions):
            n = 0
            for i in range(row_ptr[k], row_ptr[k + 1]):
                worth, mass, j = v[next_state[i]], prob[i], n
                while j > 0 and z[j - 1] > worth:
                    z[j], p[j] = z[j - 1], p[j - 1]
                    j -= 1
                z[j], p[j] = worth, mass
                n += 1
            budget = min(radius / 2, 1.0 - p[0])
            value = budget * z[0]
            for j in range(n - 1, -1, -1):
                moved = min(p[j], budget)
                budget -= moved
                value += (p[j] - moved) * z[j]
            best = max(best, reward[k] + gamma * value)
        out[s] = best
        low, high = min(low, best - v[s]), max(high, best - v[s])
    return low, high


def floor(mdp: TabularMDP, radius: float, tol: float) -> tuple[Floats, float, int]:
    """Iterate until the span proves ``tol``; return the midpoint, the bound and the sweeps."""
    v, out = np.zeros(mdp.n_states), np.empty(mdp.n_states)
    row_ptr = unsigned(np.asarray(mdp.row_ptr, dtype=np.int64))
    next_state = unsigned(mdp.next_state)
    z, p = np.empty((2, int(np.diff(mdp.row_ptr).max())))
    factor, sweeps = mdp.gamma / (1.0 - mdp.gamma), 0
    while True:
        low, high = floor_sweep(
            mdp.n_actions, row_ptr, next_state, mdp.prob, mdp.reward, radius, mdp.gamma,
            v, out, z, p,
        )  # fmt: skip
        v, out, sweeps = out, v, sweeps + 1
        bound = factor * (high - low) / 2
        if bound <= tol:
            return v + factor * (low + high) / 2, bound, sweeps


def solve(name: str, mdp: TabularMDP, case: Case, tol: float = TARGET) -> Any:
    """Run one contender: a `RobustSolution`, or what `floor` returns."""
    from mdptheory import solvers

    if name == FLOOR:
        return floor(mdp, 0.2, tol)
    return getattr(solvers, name)(mdp, case.ambiguity, tol=tol)
