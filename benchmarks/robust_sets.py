"""Ambiguity sets for timing one sweep, models to sweep over, and textbook programmes beside."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.problems import Floats
from mdptheory import TabularMDP, environments
from mdptheory.models import ambiguity as sets

GAMMA = 0.95
L1, KL, BURG, CHI = 0.2, 0.05, 0.05, 0.1
SHARED_ACTIONS = 10  # of the states whose rows share a budget


@dataclass(frozen=True, slots=True)
class Entry:
    """A kind of ambiguity set.

    Attributes
    ----------
    make : callable
        From a model to the set around its rows.
    target : float, optional
        What a sweep may cost at most, in nominal sweeps.
    shared : bool
        Whether the rows of a state share a budget.
    """

    make: Callable[[TabularMDP], Any]
    target: float | None = None
    shared: bool = False


def weights(n: int) -> Floats:
    """Return one weight an outcome, in [0.5, 1.5)."""
    return 0.5 + np.random.default_rng(1).random(n)


def distance(n: int) -> Floats:
    """Return the cost of moving mass along a line of length 1."""
    place = np.arange(n) / n
    return np.abs(place[:, None] - place)


def width(mdp: TabularMDP) -> float:
    """Return half of what a row's probabilities are on average."""
    return 0.5 * mdp.n_rows / mdp.n_transitions


def interval(mdp: TabularMDP) -> sets.IntervalSet:
    """Return bounds 40 % around each probability."""
    return sets.IntervalSet(0.6 * mdp.prob, np.minimum(1.4 * mdp.prob, 1.0), mdp.row_ptr)


def finite(mdp: TabularMDP) -> sets.FiniteSet:
    """Return the nominal kernel and four more on its support."""
    rng = np.random.default_rng(2)
    row = np.repeat(np.arange(mdp.n_rows), np.diff(mdp.row_ptr))
    kernels = np.zeros((5, mdp.n_rows, mdp.n_states))
    for k in range(5):
        kernels[k, row, mdp.next_state] = mdp.prob * (1.0 if k == 0 else rng.random(len(row)))
    kernels /= kernels.sum(axis=-1, keepdims=True)
    shape = (5, mdp.n_states, mdp.n_actions, mdp.n_states)
    return sets.FiniteSet(kernels.reshape(shape), coupled=False)


ENTRIES = {
    "L1": Entry(lambda m: sets.L1Ball(L1, support="nominal"), 3.0),
    "L1, any outcome": Entry(lambda m: sets.L1Ball(L1, support="all"), 3.0),
    "Linf": Entry(lambda m: sets.LinfBall(width(m), support="nominal"), 3.0),
    "interval": Entry(interval, 3.0),
    "CVaR": Entry(lambda m: sets.CVaRSet(0.5), 3.0),
    "contamination": Entry(lambda m: sets.ContaminationSet(0.1, support="nominal")),
    "weighted L1": Entry(lambda m: sets.WeightedL1Ball(L1, weights(m.n_states), support="nominal")),
    "L2": Entry(lambda m: sets.L2Ball(width(m), support="nominal")),
    "KL": Entry(lambda m: sets.KLBall(KL), 15.0),
    "Burg": Entry(lambda m: sets.BurgBall(BURG, support="nominal")),
    "chi2": Entry(lambda m: sets.ChiSquareBall(CHI)),
    "EVaR": Entry(lambda m: sets.EVaRSet(0.9), 15.0),
    "Wasserstein": Entry(lambda m: sets.WassersteinBall(0.05, distance(m.n_states))),
    "finite, 5 rows": Entry(finite),
    "s: L1": Entry(
        lambda m: sets.L1Ball(L1 * m.n_actions, support="nominal", rectangularity="s"), 10.0, True
    ),
    "s: weighted L1": Entry(
        lambda m: sets.WeightedL1Ball(
            L1 * m.n_actions, weights(m.n_states), support="nominal", rectangularity="s"
        ),
        shared=True,
    ),
    "s: KL": Entry(lambda m: sets.KLBall(KL * m.n_actions, rectangularity="s"), shared=True),
    "s: Burg": Entry(
        lambda m: sets.BurgBall(BURG * m.n_actions, support="nominal", rectangularity="s"),
        shared=True,
    ),
    "s: chi2": Entry(
        lambda m: sets.ChiSquareBall(CHI * m.n_actions, rectangularity="s"), shared=True
    ),
}


def model(shape: str, n: int, *, shared: bool) -> TabularMDP:
    """Return rows of ``n`` outcomes: "dense" on n states, "sparse" on more.

    Enough rows that what a sweep does once is shared as in a model of that size.
    """
    if shape == "dense":
        rng = np.random.default_rng(0)
        n_actions = SHARED_ACTIONS if shared else max(2, 2_000 // n)
        P = rng.dirichlet(np.ones(n), (n, n_actions))
        return TabularMDP.from_dense(P, rng.random((n, n_actions)), GAMMA)
    n_states = {10: 1_000, 100: 400}.get(n, n + n // 5)
    n_actions = min(SHARED_ACTIONS, max(2, 4_000 // n))
    return environments.garnet(n_states, n_actions, n, gamma=GAMMA, rng=0)


# ---- one row by a general programme ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Programme:
    """A convex programme for one row: ``solve(z)`` returns its value; it is built once."""

    name: str
    solve: Callable[[Floats], float]


def row_set(name: str, p: Floats) -> Any:
    """Return the set of that name around one row."""
    n = len(p)
    one = TabularMDP.from_dense(np.broadcast_to(p, (n, 1, n)), np.zeros((n, 1)), GAMMA)
    if name == "interval":
        return sets.IntervalSet(0.6 * p, np.minimum(1.4 * p, 1.0))
    return ENTRIES[name].make(one)


def programme(name: str, p: Floats) -> Programme:
    """Return what a user without this library would solve for the set of that name."""
    if name in ("L2", "KL", "Burg", "chi2", "EVaR"):
        return _conic(name, p)
    return _linear(name, p)


def _conic(name: str, p: Floats) -> Programme:
    import importlib

    cp: Any = importlib.import_module("cvxpy")
    n = len(p)
    q, z = cp.Variable(n, nonneg=True), cp.Parameter(n)
    inside = {
        "L2": lambda: cp.norm2(q - p) <= 0.5 / n,
        "KL": lambda: cp.sum(cp.rel_entr(q, p)) <= KL,
        "EVaR": lambda: cp.sum(cp.rel_entr(q, p)) <= -np.log(0.9),
        "Burg": lambda: cp.sum(cp.rel_entr(p, q)) <= BURG,
        "chi2": lambda: cp.sum_squares(cp.multiply(p**-0.5, q - p)) <= CHI,
    }[name]()
    problem = cp.Problem(cp.Minimize(z @ q), [cp.sum(q) == 1.0, inside])

    def solve(worth: Floats) -> float:
        z.value = worth
        return float(problem.solve(solver=cp.CLARABEL))

    return Programme("cvxpy, CLARABEL", solve)


def _linear(name: str, p: Floats) -> Programme:
    from scipy import optimize, sparse

    n = len(p)
    eye, ones = sparse.eye_array(n), np.ones((1, n))
    low, high = np.zeros(n), np.ones(n)
    more: dict[str, Any] = {"A_eq": ones, "b_eq": [1.0]}
    spread = 1  # how often z stands in the objective
    if name == "Linf":
        low, high = np.maximum(p - 0.5 / n, 0.0), np.minimum(p + 0.5 / n, 1.0)
    elif name == "interval":
        low, high = 0.6 * p, np.minimum(1.4 * p, 1.0)
    elif name == "CVaR":
        high = np.minimum(p / 0.5, 1.0)
    elif name == "contamination":
        low = 0.9 * p
    elif name == "Wasserstein":  # a plan x[i, j] >= 0 of what moves
        spread, low, high = n, np.zeros(n * n), np.full(n * n, np.inf)
        more = {
            "A_eq": sparse.kron(eye, ones, format="csr"), "b_eq": p,
            "A_ub": distance(n).reshape(1, -1), "b_ub": [0.05],
        }  # fmt: skip
    else:  # the balls of L1 norms: q and d >= |q - p|
        w = weights(n) if name == "weighted L1" else np.ones(n)
        zero = sparse.csr_array((1, n))
        more = {
            "A_eq": sparse.hstack([ones, zero]), "b_eq": [1.0],
            "A_ub": sparse.block_array([[eye, -eye], [-eye, -eye], [zero, w[None]]]),
            "b_ub": np.concatenate([p, -p, [L1]]),
        }  # fmt: skip
        low, high = np.zeros(2 * n), np.concatenate([high, np.full(n, np.inf)])
    bounds = np.stack([low, high], axis=1)

    def solve(worth: Floats) -> float:
        cost = np.tile(worth, spread)
        cost = np.concatenate([cost, np.zeros(len(bounds) - len(cost))])
        return float(optimize.linprog(cost, bounds=bounds, method="highs", **more).fun)

    return Programme("scipy, HiGHS", solve)


def shared_programme(P: Floats, r: Floats, budget: float) -> Programme:
    """Return the linear programme of one state of an s-rectangular L1 ball.

    By duality: maximise ``sum_a pi_a r_a + P_a . w_a - lam budget`` over policies ``pi`` and
    ``w_ai <= pi_a z_i``, ``w_ai <= m_a + 2 lam``, ``m_a <= pi_a z_i``; ``z`` is the same for all a.
    """
    from scipy import optimize, sparse

    m, n = P.shape
    eye = sparse.eye_array(m * n)
    group = sparse.kron(sparse.eye_array(m), np.ones((n, 1)))  # of the outcomes of each action
    lam, none = np.ones((m * n, 1)), sparse.csr_array((m * n, 1))
    cost = np.concatenate([-P.ravel(), -r, np.zeros(m), [budget]])  # w, pi, m, lam
    total = np.zeros((1, len(cost)))
    total[0, m * n : m * n + m] = 1.0
    free, least = (None, None), (0.0, None)
    bounds = [free] * (m * n) + [least] * m + [free] * m + [least]
    void = sparse.csr_array((m * n, m))

    def solve(worth: Floats) -> float:
        pays = sparse.kron(sparse.eye_array(m), worth[:, None])
        left = sparse.block_array(
            [
                [eye, -pays, void, none],
                [eye, void, -group, -2.0 * lam],
                [sparse.csr_array(eye.shape), -pays, group, none],
            ]
        )
        found = optimize.linprog(
            cost, A_ub=left, b_ub=np.zeros(3 * m * n), A_eq=total, b_eq=[1.0], bounds=bounds,
            method="highs",
        )  # fmt: skip
        return -float(found.fun)

    return Programme("scipy, HiGHS", solve)


def repeat(call: Callable[[], Any], seconds: float) -> float:
    """Call for about that many seconds, at least once; return the best time."""
    best, begin = np.inf, time.perf_counter()
    while True:
        start = time.perf_counter()
        call()
        end = time.perf_counter()
        best = min(best, end - start)
        if end - begin >= seconds:
            return best
