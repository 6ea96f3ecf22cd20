"""One list of promises, kept by every robust solver on the models of the nominal ones."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numba
import numpy as np
import pytest
from exact_reference import optimal
from test_contract_solvers import ARRAYS, MODELS, ROBUST, bits, distance

from mdptheory import BurgBall, KLBall, L1Ball, Status, solvers
from mdptheory.certificates import check
from mdptheory.errors import InvalidModelError

PLANNERS = [n for n in ROBUST if n not in ("robust_backward_induction", "evaluate_robust")]
DISCOUNTED = [name for name, (kind, _) in MODELS.items() if kind == "discounted"]
FINITE = [name for name, (kind, _) in MODELS.items() if kind == "finite"]
SETS = {
    "l1": L1Ball(0.3, "nominal"),
    "l1-all": L1Ball(0.3, "all"),
    "kl": KLBall(0.1),
    "shared l1": L1Ball(0.3, "nominal", "s"),
    "shared burg": BurgBall(0.1, "nominal", "s"),
}
on_all_models = pytest.mark.parametrize("name", DISCOUNTED)
by_all_planners = pytest.mark.parametrize("planner", PLANNERS)


@on_all_models
@by_all_planners
def test_with_radius_zero_the_error_bound_is_true_in_rational_arithmetic(planner, name):
    mdp = MODELS[name][1]
    reference = optimal(mdp)
    for rectangularity in ("sa", "s"):
        solution = getattr(solvers, planner)(mdp, L1Ball(0.0, "nominal", rectangularity))
        assert distance(solution.v, reference) <= Fraction(solution.convergence.error_bound)
        assert check(solution.certificate, mdp, exact=True).exact


@pytest.mark.parametrize("name", FINITE)
def test_backward_induction_with_radius_zero(name):
    mdp = MODELS[name][1]
    solution = solvers.robust_backward_induction(mdp, L1Ball(0.0, "nominal"))
    assert distance(solution.v, optimal(mdp)) <= Fraction(solution.convergence.error_bound)
    assert check(solution.certificate, mdp, exact=True).exact


@on_all_models
@pytest.mark.parametrize("kind", SETS)
def test_shapes_names_and_bounds(kind, name):
    mdp = MODELS[name][1]
    solution = solvers.robust_solve(mdp, SETS[kind])
    shared = kind.startswith("shared")
    wide = (mdp.n_states, mdp.n_actions)
    assert solution.v.shape == (mdp.n_states,)
    assert solution.q.shape == wide
    assert solution.policy.shape == (wide if shared else wide[:1])
    assert solution.policy.dtype == (np.float64 if shared else np.int64)
    assert np.array_equal(np.isneginf(solution.q), np.isneginf(mdp.table(mdp.reward)))
    assert (solution.state_names, solution.action_names) == (mdp.state_names, mdp.action_names)
    assert solution.worst_case.n_rows == mdp.n_rows
    assert solution.certificate.objective == mdp.objective
    assert (solution.v >= solution.certificate.lower).all()
    assert (solution.v <= solution.certificate.upper).all()


@by_all_planners
@pytest.mark.parametrize("kind", SETS)
def test_repeated_calls_give_the_same_bits_and_leave_the_model_alone(kind, planner):
    mdp = MODELS["random .9"][1]
    before = [getattr(mdp, field).tobytes() for field in ARRAYS]
    first, again = (getattr(solvers, planner)(mdp, SETS[kind]) for _ in range(2))
    assert bits(first) == bits(again)
    assert first.worst_case.prob.tobytes() == again.worst_case.prob.tobytes()
    assert [getattr(mdp, field).tobytes() for field in ARRAYS] == before


@by_all_planners
@pytest.mark.parametrize("tol", [0.0, -1.0, float("nan")])
def test_a_tolerance_that_is_not_positive_is_refused(planner, tol):
    with pytest.raises(InvalidModelError, match=r"tol is (0|-1|nan)"):
        getattr(solvers, planner)(MODELS["ragged"][1], SETS["l1"], tol=tol)


@pytest.mark.parametrize("planner", [name for name in PLANNERS if name != "robust_solve"])
def test_a_start_value_is_neither_written_to_nor_believed(planner):
    mdp = MODELS["random .9"][1]
    v0 = np.linspace(-50, 70, 5)
    v0.setflags(write=False)
    solution = getattr(solvers, planner)(mdp, SETS["l1"], v0=v0)
    assert solution.convergence.status is Status.CONVERGED
    reference = solvers.robust_solve(mdp, SETS["l1"], tol=1e-9).v
    assert np.abs(solution.v - reference).max() <= 1.1e-6


def test_four_python_threads_at_once_give_the_same_bits():
    jobs = [(planner, kind) for planner in PLANNERS for kind in SETS] * 2
    mdp = MODELS["random .9"][1]

    def work(job):
        return bits(getattr(solvers, job[0])(mdp, SETS[job[1]]))

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(work, jobs))
    assert found == [work(job) for job in jobs]


SIGNATURES = """
import importlib, pkgutil
import numpy as np
from numba.core.types import unliteral
from test_contract_robust import DISCOUNTED, MODELS, PLANNERS, SETS
from mdptheory import TabularMDP, kernels, models, solvers
sets = [*SETS.values(), models.LinfBall(0.1, "all"), models.CVaRSet(0.5), models.L2Ball(0.1, "all"),
        models.ContaminationSet(0.1, "all"), models.BurgBall(0.1, "all"), models.ChiSquareBall(0.1),
        models.KLBall(0.1, "s"), models.ChiSquareBall(0.1, "s")]
P, rng = np.full((20, 2, 20), 1 / 20), np.random.default_rng(0)
full = TabularMDP.from_dense(P, rng.random((20, 2)), 0.9)
paid = TabularMDP.from_dense(P, rng.random((20, 2, 20)), 0.9)
for ambiguity in sets:
    for planner in PLANNERS:
        for mdp in [full, paid, *(MODELS[name][1] for name in DISCOUNTED)]:
            getattr(solvers, planner)(mdp, ambiguity, tol=1e-3)
for info in pkgutil.iter_modules(kernels.__path__):
    module = importlib.import_module(f"mdptheory.kernels.{info.name}")
    for name, kernel in vars(module).items():
        if hasattr(kernel, "signatures") and kernel.py_func.__module__ == module.__name__:
            kinds = {tuple(map(unliteral, given)) for given in kernel.signatures}  # 0 is an int
            print(f"{info.name}.{name}", len(kinds))
"""


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="plain Python has no signatures")
def test_kernels_compile_for_at_most_two_signatures():
    here = os.path.dirname(__file__)
    done = subprocess.run(
        [sys.executable, "-c", SIGNATURES],
        capture_output=True, text=True, check=False, cwd=here,
        env={**os.environ, "PYTHONPATH": here},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    counts = dict(line.split() for line in done.stdout.splitlines())
    assert {name: n for name, n in counts.items() if int(n) > 2} == {}
    assert sum(int(n) > 0 for n in counts.values()) > 10
