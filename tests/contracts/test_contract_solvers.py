"""One list of promises, kept by every public solver."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numba
import numpy as np
import pytest
from exact_reference import optimal

from mdptheory import Discounted, FiniteHorizon, Status, TabularMDP, TotalReward, solvers
from mdptheory.errors import InvalidModelError

SOLVERS = {
    "discounted": ("value_iteration", "modified_policy_iteration", "policy_iteration",
                   "linear_program", "solve"),
    "finite": ("backward_induction", "solve"),
    "total": ("policy_iteration", "solve"),
}  # fmt: skip
ROBUST = (  # their promises are in test_contract_robust.py
    "robust_value_iteration", "robust_policy_iteration", "robust_modified_policy_iteration",
    "partial_policy_iteration", "rcpi", "robust_solve", "robust_backward_induction",
    "evaluate_robust",
)  # fmt: skip
LINEAR = (  # of linear MDPs; theirs are in tests/solvers/test_solvers_linear.py
    "expected_total", "linear_evaluate", "linear_occupation", "linear_plan", "robust_operator",
)  # fmt: skip
FAIR = (  # of bandits and of acceptance policies; theirs are in their own files
    "best_arm", "demographic_parity_policy", "equal_opportunity_policy", "max_utility",
    "monte_carlo_best_arm",
)  # fmt: skip
LIMITED = ("value_iteration", "modified_policy_iteration", "policy_iteration")
INTERPRETED = bool(numba.config.DISABLE_JIT)
ARRAYS = ("choice_ptr", "action", "row_ptr", "next_state", "prob", "reward")


def random_mdp(seed, n_states, n_actions, objective, *, stages=None) -> TabularMDP:
    """Sparse rows of small integer weights, so that zeros and deterministic rows are common."""
    rng = np.random.default_rng(seed)
    shape = (n_states, n_actions) if stages is None else (stages, n_states, n_actions)
    weights = rng.integers(0, 3, size=(*shape, n_states)) * rng.integers(0, 2, (*shape, n_states))
    weights[..., 0] += weights.sum(axis=-1) == 0
    reward = rng.integers(-3, 4, size=shape) / 4
    P = weights / weights.sum(axis=-1, keepdims=True)
    return TabularMDP.from_dense(P, reward, objective=objective)


def ragged() -> TabularMDP:
    """Three named states with one, two and one of three actions."""
    return TabularMDP(
        choice_ptr=[0, 1, 3, 4], action=[1, 0, 2, 1], row_ptr=[0, 2, 3, 5, 6],
        next_state=[0, 1, 2, 0, 2, 2], prob=[0.5, 0.5, 1.0, 0.1, 0.9, 1.0],
        reward=[1.0, 2.0, 0.0, -1.0], objective=Discounted(0.9), n_states=3,
        state_names=("a", "b", "c"), action_names=("x", "y", "z"),
    )  # fmt: skip


def shortest_path(seed=0, n_states=4) -> TabularMDP:
    """Random costs; every action moves on with some chance, and one state ends it all."""
    rng = np.random.default_rng(seed)
    weights = rng.integers(0, 3, size=(n_states, 2, n_states)) + np.eye(n_states)[-1]
    P = weights / weights.sum(axis=-1, keepdims=True)
    P[-1] = np.eye(n_states)[-1]
    reward = -rng.integers(1, 5, size=(n_states, 2)) / 2
    reward[-1] = 0
    return TabularMDP.from_dense(P, reward, objective=TotalReward())


def corridor() -> TabularMDP:
    """Waiting is free and moving costs: some policies never end, the best proper one walks."""
    P = np.zeros((3, 2, 3))
    P[0, 0, 0] = P[0, 1, 1] = P[1, 0, 0] = P[1, 1, 2] = P[2, :, 2] = 1
    return TabularMDP.from_dense(
        P, [[-1.0, -2.0], [-1.0, -3.0], [0.0, 0.0]], objective=TotalReward()
    )


SINGLE = TabularMDP.from_dense([[[1.0], [1.0]]], [[0.5, 1.0]], 0.9)
MODELS = {
    "one state": ("discounted", SINGLE),
    "ragged": ("discounted", ragged()),
    "gamma 0": ("discounted", random_mdp(1, 4, 3, Discounted(0.0))),
    "random .9": ("discounted", random_mdp(2, 5, 3, Discounted(0.9))),
    "random .999": ("discounted", random_mdp(3, 4, 2, Discounted(0.999))),
    "one action": ("discounted", random_mdp(4, 5, 1, Discounted(0.95))),
    "large rewards": ("discounted", TabularMDP.from_dense(
        random_mdp(5, 4, 2, Discounted(0.5)).to_dense()[0], 1e8 * np.eye(4)[:, :2], 0.9)),
    "one state, one step": ("finite", SINGLE.with_objective(FiniteHorizon(1))),
    "horizon 6": ("finite", random_mdp(6, 4, 3, FiniteHorizon(6))),
    "discounted horizon": ("finite", random_mdp(
        7, 3, 2, FiniteHorizon(5, 0.9, terminal=np.array([1.0, -1.0, 0.5])))),
    "stages": ("finite", random_mdp(8, 3, 2, FiniteHorizon(4), stages=4)),
    "ragged horizon": ("finite", ragged().with_objective(FiniteHorizon(3))),
    "one absorbing state": ("total", TabularMDP.from_dense(
        [[[1.0]]], [[0.0]], objective=TotalReward())),
    "shortest path": ("total", shortest_path()),
    "corridor": ("total", corridor()),
}  # fmt: skip
CASES = [(name, solver) for name, (kind, _) in MODELS.items() for solver in SOLVERS[kind]]
on_all_cases = pytest.mark.parametrize(("name", "solver"), CASES)


@pytest.fixture(scope="module")
def answers():
    return {(n, s): getattr(solvers, s)(MODELS[n][1]) for n, s in CASES}


@pytest.fixture(scope="module")
def references():
    return {name: optimal(mdp) for name, (_, mdp) in MODELS.items()}


def distance(v, reference) -> Fraction:
    """Largest absolute difference, without rounding."""
    flat = [Fraction(float(x)) for x in np.ravel(v)]
    exact = [x for row in reference for x in row] if isinstance(reference[0], list) else reference
    return max(abs(a - b) for a, b in zip(flat, exact, strict=True))


def bits(solution):
    """Everything but the seconds."""
    c, proof = solution.convergence, solution.certificate
    arrays = (solution.v, solution.q, solution.policy, proof.lower, proof.upper, proof.policy,
              c.trace.work, c.trace.gap)  # fmt: skip
    return (*(a.tobytes() for a in arrays), c.status, c.iterations, c.residual, c.error_bound)


def test_every_public_solver_is_on_the_list():
    nominal = {name for names in SOLVERS.values() for name in names}
    assert nominal | set(ROBUST) | set(LINEAR) | set(FAIR) == set(solvers.__all__)


@on_all_cases
def test_error_bound_is_true_in_rational_arithmetic(answers, references, name, solver):
    solution = answers[name, solver]
    bound = solution.convergence.error_bound
    assert distance(solution.v, references[name]) <= Fraction(bound)
    if solution.convergence.status is Status.CONVERGED:
        assert bound <= 1e-6 * max(1.0, np.abs(MODELS[name][1].reward).max())


@on_all_cases
def test_certificate_passes_the_exact_check(answers, references, name, solver):
    from mdptheory.certificates import check

    mdp, solution = MODELS[name][1], answers[name, solver]
    assert check(solution.certificate, mdp, exact=True).exact
    assert check(solution.certificate, mdp).gap <= 2 * solution.convergence.error_bound + 1e-12
    lower, upper = solution.certificate.lower, solution.certificate.upper
    exact = np.array(references[name], dtype=object)
    assert all(Fraction(float(a)) <= b for a, b in zip(lower.flat, exact.flat, strict=True))
    assert all(Fraction(float(a)) >= b for a, b in zip(upper.flat, exact.flat, strict=True))


@on_all_cases
def test_shapes_names_and_greedy_policy(answers, name, solver):
    mdp, solution = MODELS[name][1], answers[name, solver]
    staged = isinstance(mdp.objective, FiniteHorizon)
    steps = (mdp.objective.horizon,) if staged else ()
    assert solution.q.shape == (*steps, mdp.n_states, mdp.n_actions)
    assert solution.policy.shape == (*steps, mdp.n_states)
    assert solution.v.shape == ((steps[0] + 1, mdp.n_states) if staged else (mdp.n_states,))
    assert np.array_equal(np.isneginf(solution.q[0] if staged else solution.q),
                          np.isneginf(mdp.table(mdp.reward)[0] if mdp.n_stages > 1
                                      else mdp.table(mdp.reward)))  # fmt: skip
    chosen = np.take_along_axis(solution.q, solution.policy[..., None], axis=-1)[..., 0]
    allowed = 2 * solution.convergence.error_bound + 1e-12
    assert (chosen >= solution.q.max(axis=-1) - allowed).all()
    assert solution.state_names == mdp.state_names
    assert solution.action_names == mdp.action_names
    assert solution.certificate.objective == mdp.objective


@on_all_cases
def test_repeated_calls_give_the_same_bits_and_leave_the_model_alone(answers, name, solver):
    mdp = MODELS[name][1]
    before = [getattr(mdp, field).tobytes() for field in ARRAYS]
    assert bits(getattr(solvers, solver)(mdp)) == bits(answers[name, solver])
    assert [getattr(mdp, field).tobytes() for field in ARRAYS] == before


@pytest.mark.parametrize("solver", SOLVERS["discounted"])
def test_read_only_and_64_bit_input(solver):
    mdp = random_mdp(2, 5, 3, Discounted(0.9))
    wide = {field: getattr(mdp, field).astype(np.int64) for field in ARRAYS[:4]}
    for array in wide.values():
        array.setflags(write=False)
    copy = TabularMDP(**wide, prob=mdp.prob, reward=mdp.reward,
                      objective=mdp.objective, n_states=5)  # fmt: skip
    assert bits(getattr(solvers, solver)(copy)) == bits(getattr(solvers, solver)(mdp))


@pytest.mark.parametrize("solver", ["value_iteration", "modified_policy_iteration"])
def test_a_start_value_is_neither_written_to_nor_believed(solver):
    mdp = random_mdp(2, 5, 3, Discounted(0.9))
    v0 = np.linspace(-50, 70, 5)
    v0.setflags(write=False)
    solution = getattr(solvers, solver)(mdp, v0=v0)
    assert np.array_equal(v0, np.linspace(-50, 70, 5))
    assert distance(solution.v, optimal(mdp)) <= Fraction(solution.convergence.error_bound)


@pytest.mark.parametrize("solver", LIMITED)
def test_max_iter_is_reported_with_a_bound_that_holds(solver):
    from mdptheory.certificates import check

    mdp = random_mdp(9, 5, 4, Discounted(0.99))
    solution = getattr(solvers, solver)(mdp, tol=1e-9, max_iter=1)
    assert solution.convergence.status is Status.MAX_ITER
    assert solution.convergence.iterations == 1
    assert solution.convergence.error_bound > 1e-9
    assert distance(solution.v, optimal(mdp)) <= Fraction(solution.convergence.error_bound)
    assert check(solution.certificate, mdp, exact=True).exact


@pytest.mark.parametrize(
    "solver", sorted(set(solvers.__all__) - {"backward_induction", *ROBUST, *LINEAR, *FAIR})
)
@pytest.mark.parametrize("tol", [0.0, -1.0, float("nan")])
def test_a_tolerance_that_is_not_positive_is_refused(solver, tol):
    with pytest.raises(InvalidModelError, match=r"tol is (0|-1|nan)"):
        getattr(solvers, solver)(SINGLE, tol=tol)


def test_four_python_threads_at_once_give_the_same_bits():
    from mdptheory.environments import garnet

    jobs = [(n, s) for n, s in CASES for _ in range(4)]
    size = 50 if INTERPRETED else 3_000  # 450 000 transitions: enough for a sweep to be shared
    large = garnet(size, 15, 10, gamma=0.95, rng=0)

    def work(job):
        return bits(getattr(solvers, job[1])(MODELS[job[0]][1]))

    def heavy(_):
        return bits(solvers.solve(large))

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(work, jobs))
        shared = list(pool.map(heavy, range(4)))
    assert found == [work(job) for job in jobs]
    assert len(set(shared)) == 1
    assert shared[0] == heavy(0)


SIGNATURES = """
import importlib, pkgutil
import numpy as np
from numba.core.types import unliteral
from test_contract_solvers import MODELS, CASES, random_mdp, SOLVERS
from mdptheory import Discounted, kernels, solvers
for name, solver in CASES:
    getattr(solvers, solver)(MODELS[name][1])
dense = random_mdp(0, 40, 3, Discounted(0.9))
P = np.full((20, 2, 20), 1 / 20)
from mdptheory import TabularMDP
for solver in SOLVERS["discounted"]:
    getattr(solvers, solver)(dense)
    full = TabularMDP.from_dense(P, np.random.default_rng(0).random((20, 2)), 0.9)
    getattr(solvers, solver)(full)
for info in pkgutil.iter_modules(kernels.__path__):
    module = importlib.import_module(f"mdptheory.kernels.{info.name}")
    for name, kernel in vars(module).items():
        if hasattr(kernel, "signatures") and kernel.py_func.__module__ == module.__name__:
            kinds = {tuple(map(unliteral, given)) for given in kernel.signatures}  # 0 is an int
            print(f"{info.name}.{name}", len(kinds))
"""


@pytest.mark.skipif(INTERPRETED, reason="plain Python has no signatures")
def test_kernels_compile_for_at_most_two_signatures():
    here = os.path.dirname(__file__)
    done = subprocess.run(
        [sys.executable, "-c", SIGNATURES],
        capture_output=True, text=True, check=True, cwd=here,
        env={**os.environ, "PYTHONPATH": here},
    )  # fmt: skip
    counts = dict(line.split() for line in done.stdout.splitlines())
    assert "bellman.greedy_sweep" in counts
    assert {name: n for name, n in counts.items() if int(n) > 2} == {}
    assert any(int(n) > 0 for n in counts.values())
