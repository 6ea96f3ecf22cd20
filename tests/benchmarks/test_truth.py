"""The verifying logic: true errors must be right before any time means anything."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from benchmarks import contenders, limits, problems, truth
from benchmarks.problems import Problem
from mdptheory import TabularMDP, environments


def exact_optimum(problem: Problem) -> list[Fraction]:
    """Solve by trying every policy in rational arithmetic."""
    n, gamma = problem.n_states, Fraction(problem.gamma)
    P = contenders.matrix(problem).toarray().reshape(n, problem.n_actions, n)
    best: list[Fraction] | None = None
    for policy in product(range(problem.n_actions), repeat=n):
        system = [
            [Fraction(int(s == t)) - gamma * Fraction(P[s, policy[s], t]) for t in range(n)]
            + [Fraction(problem.reward[s * problem.n_actions + policy[s]])]
            for s in range(n)
        ]
        v = eliminate(system)
        best = v if best is None else [max(a, b) for a, b in zip(best, v, strict=True)]
    assert best is not None
    return best


def eliminate(system: list[list[Fraction]]) -> list[Fraction]:
    """Solve a square system given with its right-hand side (diagonally dominant: no pivoting)."""
    n = len(system)
    for i in range(n):
        system[i] = [x / system[i][i] for x in system[i]]
        for j in range(n):
            if j != i:
                factor = system[j][i]
                system[j] = [x - factor * y for x, y in zip(system[j], system[i], strict=True)]
    return [row[-1] for row in system]


@pytest.fixture(params=[0.5, 0.95, 0.999])
def small(request: pytest.FixtureRequest) -> Problem:
    return problems.garnet(4, 2, 3, request.param)


def test_enclosure_contains_the_rational_optimum(small: Problem):
    optimum = exact_optimum(small)
    for v in (np.zeros(4), np.array([5.0, -3.0, 0.0, 1.0]), np.array([float(x) for x in optimum])):
        found = truth.enclose(small, v)
        errors = [abs(x - Fraction(m)) for x, m in zip(optimum, found.middle, strict=True)]
        assert max(errors) <= Fraction(found.radius)


def test_refine_narrows_to_the_optimum(small: Problem):
    found = truth.refine(small, np.zeros(4), radius=1e-9)
    optimum = np.array([float(x) for x in exact_optimum(small)])
    assert found.radius <= 1e-9
    np.testing.assert_allclose(found.middle, optimum, rtol=0, atol=2e-9)


def test_refine_says_when_it_cannot(small: Problem):
    with pytest.raises(RuntimeError, match=r"the reference stayed .* wide; expected 0"):
        truth.refine(small, np.zeros(4), radius=0.0, max_sweeps=50)


def test_error_of_wrong_values(small: Problem):
    known = truth.refine(small, np.zeros(4), radius=1e-9)
    off = known.middle.copy()
    off[2] -= 0.25
    assert truth.error_of(off, known) == pytest.approx(0.25)
    assert truth.error_of(np.full(4, np.nan), known) == np.inf
    assert truth.error_of(np.zeros(3), known) == np.inf
    assert truth.reached(1e-6, known, 1e-6)
    assert not truth.reached(1e-6 + 1e-8, known, 1e-6)


def test_backup_equals_the_dense_formula(small: Problem):
    v = np.array([1.0, 2.0, -1.0, 0.5])
    P = contenders.matrix(small).toarray().reshape(4, 2, 4)
    expected = (small.reward.reshape(4, 2) + small.gamma * P @ v).max(axis=1)
    np.testing.assert_allclose(truth.backup(small, v), expected, rtol=1e-14)


@pytest.mark.parametrize("row", problems.ROWS, ids=lambda row: row.name)
def test_quick_rows_are_models(row: problems.Row, tmp_path):
    problem = row.quick(row.gammas[0])
    mdp = contenders.load_ours(problem)  # validates: probabilities, indices, order
    assert mdp.n_transitions == problem.n_transitions
    problem.save(tmp_path / "problem.npz")
    again = Problem.open(tmp_path / "problem.npz")
    for name in Problem.__slots__:
        np.testing.assert_array_equal(getattr(problem, name), getattr(again, name))


def test_ragged_actions_are_refused():
    ragged = TabularMDP.from_function(
        lambda s, a: (np.arange(1 - a * s), np.ones(1 - a * s), 0.0), 2, 2, 0.9
    )
    with pytest.raises(ValueError, match="the same actions in every state"):
        problems.of_model(ragged)


def test_nested_lists_keep_ragged_rows():
    problem = problems.of_model(environments.riverswim_chain(4))
    lists = contenders.nested(problem, problem.prob)
    assert [len(row) for state in lists for row in state] == np.diff(problem.row_ptr).tolist()
    assert lists[1][1] == problem.prob[problem.row_ptr[3] : problem.row_ptr[4]].tolist()


def test_limit_kernels_read_everything():
    rng = np.random.default_rng(0)
    v, index = rng.random(50), rng.integers(50, size=1003, dtype=np.uint32)
    assert limits.gather_vector(v, index) == pytest.approx(v[index].sum())
    assert limits.gather_unrolled(v, index) == pytest.approx(v[index].sum())
    assert limits.stream_floats(v) == pytest.approx(v.sum())
    assert limits.stream_ints(index) == np.bitwise_xor.reduce(index)
