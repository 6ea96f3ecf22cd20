"""Variants of the planners, each with one lever pulled, to measure what it pays.

Filled as levers are tried: a name and a callable from a model to a `Solution` within 1e-6. Those
that do not pay stay out of the library; the table in RESULTS.md keeps what they gave.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import csgraph

from mdptheory import Solution, TabularMDP, solvers
from mdptheory._typing import FloatArray
from mdptheory.kernels import bellman as kernels
from mdptheory.operators.backup import Backup
from mdptheory.solvers._planning import macqueen_threshold, plan
from mdptheory.solvers.automatic import Adaptation

TOL = 1e-6


def sweeps_alone(mdp: TabularMDP) -> Solution:
    """Value iteration over every row in every sweep, stopped by the span."""
    return plan(mdp, None, tol=TOL, max_iter=100_000)


def promising_rows(mdp: TabularMDP) -> Solution:
    """Drop rows by the guess alone; never change over to the in-place path."""
    adapt = Adaptation()

    def stay(backup: Backup, v: FloatArray, span: float, target: float) -> FloatArray:
        return v

    return plan(mdp, stay, tol=TOL, max_iter=100_000, narrowing=adapt.narrow)


def in_place_from_the_start(mdp: TabularMDP) -> Solution:
    """Gauss-Seidel order both ways and Krylov evaluation, whatever the spans say."""
    adapt = Adaptation()
    adapt.slow = True
    return plan(mdp, adapt.evaluate, tol=TOL, max_iter=10_000)


def in_place_without_krylov(mdp: TabularMDP) -> Solution:
    """Gauss-Seidel order both ways, no evaluation of the policy."""

    def both_ways(backup: Backup, v: FloatArray, span: float, target: float) -> FloatArray:
        backup.greedy_in_place(v, backwards=True)
        backup.greedy_in_place(v, backwards=False)
        return v

    return plan(mdp, both_ways, tol=TOL, max_iter=100_000)


def reordered(mdp: TabularMDP) -> Solution:
    """Renumber the states by reverse Cuthill-McKee (timed), then solve."""
    from scipy import sparse

    size = (mdp.n_states, mdp.n_states)
    pairs = (np.repeat(mdp.row_state(), np.diff(mdp.row_ptr)), mdp.next_state)
    graph = sparse.csr_matrix((np.ones(mdp.n_transitions, dtype=np.int8), pairs), shape=size)
    order = csgraph.reverse_cuthill_mckee(graph)
    rank = np.empty_like(order)
    rank[order] = np.arange(mdp.n_states)
    kernel = sparse.csr_matrix(
        (mdp.prob, rank[mdp.next_state], mdp.row_ptr), shape=(mdp.n_rows, mdp.n_states)
    )
    renumbered = TabularMDP.from_sparse(
        kernel, mdp.reward, mdp.gamma, states=rank[mdp.row_state()], actions=mdp.action,
        validate=False,
    )  # fmt: skip
    return solvers.solve(renumbered, tol=TOL)


def anderson(mdp: TabularMDP, memory: int = 5) -> Solution:
    """Extrapolate greedy sweeps over the last few steps, if that shrinks the next step's span."""
    steps: list[tuple[FloatArray, FloatArray]] = []
    spans = [np.inf]

    def extrapolate(backup: Backup, v: FloatArray, span: float, target: float) -> FloatArray:
        image = np.empty_like(v)
        low, high = backup.greedy(v, image)
        if high - low > spans[-1]:  # the safeguard: forget the history and go on plainly
            steps.clear()
        spans.append(high - low)
        steps.append((image.copy(), image - v))
        del steps[:-memory]
        if len(steps) < 2:
            return image
        images = np.column_stack([image for image, _ in steps])
        residuals = np.column_stack([residual for _, residual in steps])
        change = np.diff(residuals, axis=1)
        weights: Any = np.linalg.lstsq(change, residuals[:, -1], rcond=None)[0]
        return images[:, -1] - np.diff(images, axis=1) @ weights

    return plan(mdp, extrapolate, tol=TOL, max_iter=100_000)


def single_precision_first(mdp: TabularMDP) -> Solution:
    """Sweep in float32 down to its rounding, then finish and certify in float64 (copies timed)."""
    backup = Backup(mdp, threads=1)
    prob, reward = mdp.prob.astype(np.float32), mdp.reward.astype(np.float32)
    v, out = np.zeros(mdp.n_states, np.float32), np.empty(mdp.n_states, np.float32)
    q = np.empty(mdp.n_rows, np.float32)
    span = np.inf
    for _ in range(10_000):
        low, high = kernels.greedy_sweep(
            0, backup.choice_ptr, backup.row_ptr, backup.next_state, prob, reward,
            np.float32(mdp.gamma), v, q, out, backup.best,
        )  # fmt: skip
        v, out = out - np.float32((low + high) / 2), v  # relative values keep their digits
        if high - low > 0.9 * span:
            break
        span = high - low
    return plan(
        mdp, None, tol=TOL, max_iter=100_000, v0=v.astype(np.float64), narrowing=macqueen_threshold
    )


LEVERS: dict[str, Callable[[TabularMDP], Solution]] = {
    "solve (baseline)": lambda mdp: solvers.solve(mdp, tol=TOL),
    "sweeps alone": sweeps_alone,
    "MacQueen's action elimination": lambda mdp: solvers.value_iteration(mdp, tol=TOL),
    "... and policy evaluation sweeps": lambda mdp: solvers.modified_policy_iteration(mdp, tol=TOL),
    "... and exact evaluation": lambda mdp: solvers.policy_iteration(mdp, tol=TOL),
    "promising rows only": promising_rows,
    "in place and Krylov throughout": in_place_from_the_start,
    "in place, no Krylov": in_place_without_krylov,
    "reverse Cuthill-McKee order first": reordered,
    "safeguarded Anderson": anderson,
    "float32 first": single_precision_first,
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
