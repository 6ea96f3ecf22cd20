"""The ways through the planners: narrowed rows, values in place and Krylov, threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from solver_models import (
    DISCOUNTED,
    INTERPRETED,
    MODELS,
    cycle,
    dense,
    planner,
    ragged,
    with_rewards,
)

from mdptheory import Discounted, TabularMDP, environments
from mdptheory.certificates import check
from mdptheory.operators import crew
from mdptheory.operators.backup import Backup, PolicyRows

PATIENT = ("value_iteration", "modified_policy_iteration", "solve")  # these leave rows out


def bits(solution):
    c, proof = solution.convergence, solution.certificate
    arrays = (solution.v, solution.q, solution.policy, proof.lower, proof.upper, c.trace.gap)
    return (*(a.tobytes() for a in arrays), c.status, c.iterations, c.error_bound, c.residual)


def counted(monkeypatch, owner, name):
    """Record the calls of a method, which still does its work."""
    calls, original = [], getattr(owner, name)

    def wrapper(self, *args, **options):
        result = original(self, *args, **options)
        calls.append((self, args, result))
        return result

    monkeypatch.setattr(owner, name, wrapper)
    return calls


# ---- rows left out on the way -----------------------------------------------------------------


def delayed_reward() -> TabularMDP:
    """State 0 gets .004 now, or .9^3 * .01 through two doors that open one time in ten.

    News of the reward shrinks tenfold a sweep; for one sweep the way through the doors looks
    worse than what such small news could mend, and is dropped.
    """
    return TabularMDP(
        choice_ptr=[0, 2, 3, 4, 5, 6], action=[0, 1, 0, 0, 0, 0], row_ptr=[0, 1, 2, 4, 6, 7, 8],
        next_state=[4, 1, 2, 4, 3, 4, 4, 4], prob=[1, 1, 0.1, 0.9, 0.1, 0.9, 1, 1],
        reward=[0.004, 0, 0, 0, 1, 0], objective=Discounted(0.9),
        n_states=5,
    )  # fmt: skip


def test_an_optimal_row_that_was_dropped_comes_back(monkeypatch):
    kept = counted(monkeypatch, Backup, "keep")
    rows_kept = []
    original = Backup.keep

    def keep(self, *args):
        original(self, *args)
        rows_kept.append(np.concatenate([rows.origin[: rows.n_rows] for rows in self.sets]))

    monkeypatch.setattr(Backup, "keep", keep)
    mdp = delayed_reward()
    solution = planner("solve")(mdp, tol=1e-9).require_converged()
    assert kept
    assert any(1 not in rows for rows in rows_kept)  # row 1 is the way through the doors
    assert solution.policy[0] == 1
    assert solution.v[:4] == pytest.approx([0.9**3 * 0.01, 0.0081, 0.09, 1.0], abs=1e-9)
    assert check(solution.certificate, mdp, exact=True).exact


@pytest.mark.parametrize("solver", PATIENT)
@pytest.mark.parametrize("gamma", [0.5, 0.9])
def test_the_last_sweep_covers_every_row(monkeypatch, solver, gamma):
    mdp = environments.garnet(40, 6, 8, gamma=gamma, rng=5)
    reduced = []
    original = Backup.greedy

    def greedy(self, v, out):
        reduced.append(self.reduced)
        return original(self, v, out)

    monkeypatch.setattr(Backup, "greedy", greedy)
    planner(solver)(mdp, tol=1e-8).require_converged()
    assert any(reduced)
    assert not reduced[-1]


@pytest.mark.parametrize("solver", PATIENT)
@pytest.mark.parametrize("seed", range(4))
def test_narrowed_rows_lose_no_optimum(solver, seed):
    """Rewards that only pay in a few states: most rows look alike for a while."""
    rng = np.random.default_rng(seed)
    mdp = environments.garnet(25, 5, 3, gamma=0.9, rng=seed)
    P, r = mdp.to_dense()
    sparse = np.where(rng.random(r.shape) < 0.05, r * 100.0, 0.0)
    model = TabularMDP.from_dense(P, sparse, 0.9)
    want = planner("policy_iteration")(model, tol=1e-10).v
    v = planner(solver)(model, tol=1e-9).require_converged().v
    np.testing.assert_allclose(v, want, rtol=0, atol=1.2e-9)


@pytest.mark.parametrize("max_iter", range(1, 9))
def test_a_stop_among_narrowed_rows_still_reports_all_of_them(max_iter):
    mdp = environments.garnet(20, 6, 8, gamma=0.9, rng=5)
    solution = planner("value_iteration")(mdp, tol=1e-12, max_iter=max_iter)
    assert check(solution.certificate, mdp, exact=True).exact
    assert np.isfinite(solution.q).all()
    assert np.array_equal(solution.policy, solution.q.argmax(axis=1))


# ---- values that travel slowly ----------------------------------------------------------------


def slow_models():
    size = 60 if INTERPRETED else 300
    side = 6 if INTERPRETED else 12
    return {
        "river": environments.riverswim_chain(size, gamma=0.999),
        "grid": environments.gridworld(side, gamma=0.999),
        "cycle": cycle(31, 0.999),
    }


@pytest.mark.parametrize("name", ["river", "grid", "cycle"])
def test_chains_and_grids_are_solved_in_place_and_by_krylov(monkeypatch, name):
    mdp = slow_models()[name]
    krylov = counted(monkeypatch, PolicyRows, "krylov")
    in_place = counted(monkeypatch, Backup, "greedy_in_place")
    solution = planner("solve")(mdp, tol=1e-6).require_converged()
    assert krylov
    assert len(in_place) == 2 * len(krylov)
    assert solution.convergence.iterations <= 60  # value iteration needs thousands
    best = planner("linear_program")(mdp, tol=1e-6).require_converged()
    assert np.abs(solution.v - best.v).max() <= 2e-6
    assert check(solution.certificate, mdp, exact=True).exact


def rare_rewards(seed: int) -> TabularMDP:
    """Ragged rows with a reward in one row of ten, at a discount near 1."""
    rng = np.random.default_rng(seed)
    mdp = ragged(seed, int(rng.integers(4, 20)), 0.9999)
    return with_rewards(mdp, np.where(rng.random(mdp.n_rows) < 0.1, mdp.reward, 0.0))


@pytest.mark.parametrize("seed", [203, 396])
def test_policies_that_take_turns_are_evaluated_exactly_in_the_end(seed):
    """With loose evaluation alone, the same two policies alternate until the limit."""
    mdp = rare_rewards(seed)
    solution = planner("solve")(mdp, tol=1e-4).require_converged()
    assert solution.convergence.iterations < 100
    best = planner("policy_iteration")(mdp, tol=1e-4)
    assert np.abs(solution.v - best.v).max() <= 2e-4
    assert check(solution.certificate, mdp, exact=True).exact


def test_fast_models_are_solved_by_sweeps_alone(monkeypatch):
    krylov = counted(monkeypatch, PolicyRows, "krylov")
    planner("solve")(environments.garnet(40, 6, 8, gamma=0.95, rng=0)).require_converged()
    assert not krylov


@pytest.mark.parametrize("name", ["garnet .95", "ragged .999", "chain", "grid", "islands"])
def test_policy_iteration_by_krylov_meets_policy_iteration_by_elimination(monkeypatch, name):
    from mdptheory.solvers import _evaluation

    mdp = MODELS[name]
    direct = planner("policy_iteration")(mdp, tol=1e-8)
    krylov = counted(monkeypatch, PolicyRows, "krylov")
    monkeypatch.setattr(_evaluation, "DIRECT_STATES", 0)
    solution = planner("policy_iteration")(mdp, tol=1e-8).require_converged()
    assert krylov
    np.testing.assert_allclose(solution.v, direct.v, rtol=0, atol=2.1e-8)
    assert check(solution.certificate, mdp, exact=True).exact


def test_a_krylov_breakdown_only_costs_time(monkeypatch):
    monkeypatch.setattr(PolicyRows, "krylov", lambda self, v, *, goal, limit: np.inf)
    mdp = environments.chain(30, gamma=0.95)
    solution = planner("solve")(mdp).require_converged()
    assert check(solution.certificate, mdp, exact=True).exact
    np.testing.assert_allclose(solution.v, planner("policy_iteration")(mdp).v, rtol=0, atol=2.1e-6)


# ---- threads ----------------------------------------------------------------------------------

SHARED = {
    "garnet": environments.garnet(40, 6, 8, gamma=0.95, rng=7),
    "dense": dense(24, 0.9),
    "chain": environments.chain(40, gamma=0.99),
    "ragged": MODELS["ragged"],
    "one state": MODELS["one state"],
}


@pytest.mark.parametrize("solver", DISCOUNTED)
@pytest.mark.parametrize("name", sorted(SHARED))
def test_any_number_of_threads_gives_the_same_bits(monkeypatch, name, solver):
    monkeypatch.setattr(crew, "PARALLEL_TRANSITIONS", 0)
    found = set()
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("NUMBA_NUM_THREADS", threads)
        with Backup(SHARED[name]) as backup:
            assert backup.threads == int(threads)
        found.add(bits(planner(solver)(SHARED[name], tol=1e-8)))
    assert len(found) == 1


@pytest.mark.parametrize("solver", PATIENT)
def test_python_threads_that_share_sweeps_do_not_disturb_each_other(monkeypatch, solver):
    monkeypatch.setattr(crew, "PARALLEL_TRANSITIONS", 0)
    monkeypatch.setenv("NUMBA_NUM_THREADS", "2")
    mdp = environments.garnet(30 if INTERPRETED else 400, 6, 8, gamma=0.95, rng=8)

    def work(_):
        return bits(planner(solver)(mdp))

    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(work, range(8)))
    assert found == {work(0)}
