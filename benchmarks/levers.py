"""Variants of the planners, each with one lever pulled, to measure what it pays.

Filled as levers are tried: a name and a callable from a model to a `Solution` within 1e-6. Those
that do not pay stay out of the library; the table in RESULTS.md keeps what they gave.
"""

import time
from collections.abc import Callable

from mdptheory import Solution, TabularMDP, solvers

LEVERS: dict[str, Callable[[TabularMDP], Solution]] = {
    "solve (baseline)": lambda mdp: solvers.solve(mdp, tol=1e-6),
    "value iteration": lambda mdp: solvers.value_iteration(mdp, tol=1e-6),
    "modified policy iteration": lambda mdp: solvers.modified_policy_iteration(mdp, tol=1e-6),
}


def compare(
    mdp: TabularMDP,
    levers: dict[str, Callable[[TabularMDP], Solution]],
    *,
    rounds: int = 5,
) -> list[dict[str, float | str]]:
    """Time every lever on one model in turn, A B A B, after one run of each to warm up.

    Returns
    -------
    list of dict
        ``lever``, best ``seconds``, ``ratio`` to the first lever's (below 1 is faster), ``work``
        in sweeps and the certified ``bound``.
    """
    last = {name: pull(mdp) for name, pull in levers.items()}
    best = dict.fromkeys(levers, float("inf"))
    for _ in range(rounds):
        for name, pull in levers.items():
            start = time.perf_counter()
            last[name] = pull(mdp)
            best[name] = min(best[name], time.perf_counter() - start)
    base = best[next(iter(levers))]
    return [
        {
            "lever": name,
            "seconds": best[name],
            "ratio": best[name] / base,
            "work": last[name].convergence.work,
            "bound": last[name].convergence.error_bound,
        }
        for name in levers
    ]
