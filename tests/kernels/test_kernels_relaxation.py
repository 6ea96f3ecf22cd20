"""In-place sweeps, Gauss-Seidel and BiCGSTAB against loops and dense solves."""

import numpy as np
import pytest
from kernel_rows import SIZES, build, full_rows, one_row_each, random_rows, whole_numbers

from mdptheory.kernels import relaxation

# ---- greedy updates in place ------------------------------------------------------------------


def in_place(rows, gamma, v, *, backwards):
    """Update ``v`` in a Python loop: each value solves its best row's own equation."""
    P, v = rows.kernel(), v.copy()
    best, change = np.empty(rows.n, dtype=int), 0.0
    for s in sorted(range(rows.n), reverse=backwards):
        values = []
        for row in rows.of(s):
            others = sum(P[row, t] * v[t] for t in range(rows.n) if t != s)
            values.append((rows.reward[row] + gamma * others) / (1.0 - gamma * P[row, s]))
        best[s] = rows.of(s)[int(np.argmax(np.round(values, 11)))]
        change = max(change, abs(max(values) - v[s]))
        v[s] = max(values)
    return v, best, change


def run_in_place(rows, gamma, v, *, backwards):
    v, best = v.copy(), np.full(rows.n, 99, dtype=np.uint64)
    change = relaxation.greedy_in_place(backwards, *rows, gamma, v, best)
    return v, best, change


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.99])
def test_greedy_in_place_against_a_loop(n, backwards, gamma):
    rows = full_rows(n, n)
    start = np.random.default_rng(n).normal(size=n)
    v, best, change = run_in_place(rows, gamma, start, backwards=backwards)
    want, want_best, want_change = in_place(rows, gamma, start, backwards=backwards)
    np.testing.assert_allclose(v, want, rtol=1e-12, atol=1e-12)
    assert np.array_equal(best, want_best)
    assert change == pytest.approx(want_change, rel=1e-12, abs=1e-12)


def test_the_directions_carry_values_along_a_chain_in_one_sweep():
    n = 9
    right = [[(0.0, {s + 1: 1.0})] for s in range(n - 1)] + [[(1.0, {n - 1: 1.0})]]
    rows = build(n, right)
    v, _, change = run_in_place(rows, 0.5, np.zeros(n), backwards=True)
    assert v.tolist() == [2.0 ** (s - n + 2) for s in range(n)]
    assert change == 2.0
    v, _, _ = run_in_place(rows, 0.5, np.zeros(n), backwards=False)
    assert v.tolist() == [0.0] * (n - 1) + [2.0]


def test_ties_in_place_go_to_the_first_row():
    rows = build(2, [[(0.0, {0: 1.0}), (1.0, {1: 1.0}), (1.0, {1: 1.0})], [(0.0, {1: 1.0})] * 2])
    _, best, _ = run_in_place(rows, 0.5, np.zeros(2), backwards=False)
    assert best.tolist() == [1, 3]


def test_repeated_sweeps_in_place_reach_the_fixed_point():
    rows = random_rows(4, 8)
    v = np.zeros(8)
    for i in range(200):
        v, best, change = run_in_place(rows, 0.9, v, backwards=bool(i % 2))
    q = rows.reward + 0.9 * (rows.kernel() @ v)
    np.testing.assert_allclose([max(q[row] for row in rows.of(s)) for s in range(8)], v, atol=1e-12)
    np.testing.assert_allclose(q[best], v, atol=1e-12)
    assert change < 1e-12


# ---- one policy's linear system ---------------------------------------------------------------


def system(rows, gamma):
    """Return ``I - gamma P`` and the arrays that the kernels take before ``b`` and ``x``."""
    A = np.eye(rows.n) - gamma * rows.kernel()
    inverse = np.empty(rows.n)
    parts = (rows.row_ptr, rows.next_state, rows.prob)
    relaxation.diagonal(*parts, gamma, inverse)
    return A, (*parts, gamma, inverse)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.99])
def test_diagonal_and_apply_system(n, gamma):
    rows, x = one_row_each(n, n), whole_numbers(n, n)
    A, (*parts, _, inverse) = system(rows, gamma)
    np.testing.assert_allclose(inverse, 1.0 / np.diag(A), rtol=1e-14)
    out = np.empty(n)
    relaxation.apply_system(*parts, gamma, x, out)
    np.testing.assert_allclose(out, A @ x, rtol=0, atol=1e-13)


@pytest.mark.parametrize("n", SIZES)
def test_gauss_seidel_solves_with_the_triangles_one_after_the_other(n):
    rows, b, start = one_row_each(n, n), whole_numbers(n, n), whole_numbers(n + 1, n)
    A, parts = system(rows, 0.9)
    lower, upper = np.tril(A), np.triu(A)
    forth = np.linalg.solve(lower, b - (A - lower) @ start)
    back = np.linalg.solve(upper, b - (A - upper) @ forth)
    x = start.copy()
    relaxation.gauss_seidel(*parts, b, x)
    np.testing.assert_allclose(x, back, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("x", [[0.0], [-3.0, 2.0], [np.inf, 1.0], [1e-300, 0.0]])
def test_largest_is_the_sup_norm(x):
    assert relaxation.largest(np.array(x)) == np.abs(x).max()


@pytest.mark.parametrize("place", [0, 1, 2])
def test_largest_shows_a_nan_wherever_it_stands(place):
    x = np.array([1.0, 5.0, 2.0])
    x[place] = np.nan
    assert np.isnan(relaxation.largest(x))


def solve(parts, b, start, *, goal=1e-12, limit=100):
    x = np.array(start, dtype=np.float64)
    steps, residual = relaxation.bicgstab(*parts, b, x, goal, limit)
    return x, steps, residual


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("seed", range(3))
def test_bicgstab_agrees_with_a_dense_solve(n, gamma, seed):
    rows = one_row_each(seed + 10 * n, n)
    A, parts = system(rows, gamma)
    b = np.random.default_rng(seed).normal(size=n)
    x, steps, residual = solve(parts, b, np.ones(n), goal=1e-11)
    assert residual <= 1e-11
    assert steps <= 2 * n + 2
    np.testing.assert_allclose(A @ x, b, rtol=0, atol=2e-11)
    np.testing.assert_allclose(x, np.linalg.solve(A, b), rtol=0, atol=2e-11 / (1.0 - gamma))


def test_bicgstab_returns_the_residual_of_the_x_it_leaves():
    rows = full_rows(3, 13, most=1)
    A, parts = system(rows, 0.99)
    b = np.random.default_rng(3).normal(size=13)
    for limit in (1, 2, 3):
        x, steps, residual = solve(parts, b, np.zeros(13), limit=limit)
        assert steps == limit
        assert residual == pytest.approx(np.abs(b - A @ x).max(), rel=1e-6, abs=1e-14)
        assert residual < np.abs(b).max()


def test_bicgstab_with_nothing_to_do():
    rows = one_row_each(5, 8)
    A, parts = system(rows, 0.5)
    x, steps, residual = solve(parts, np.zeros(8), np.zeros(8), goal=0.0)
    assert (steps, residual, x.tolist()) == (0, 0.0, [0.0] * 8)
    exact = whole_numbers(5, 8)  # A holds sixteenths: the product is exact
    x, steps, residual = solve(parts, A @ exact, exact, goal=0.0)
    assert (steps, residual) == (0, 0.0)
    assert np.array_equal(x, exact)
    x, steps, residual = solve(parts, np.ones(8), np.zeros(8), limit=0)
    assert (steps, residual, x.tolist()) == (0, 1.0, [0.0] * 8)
    x, steps, _ = solve(parts, np.ones(8), np.zeros(8), goal=1.0)
    assert steps == 0


def test_bicgstab_at_gamma_0_is_done_after_one_step():
    _, parts = system(one_row_each(5, 8), 0.0)
    b = whole_numbers(9, 8)
    x, steps, residual = solve(parts, b, np.zeros(8), goal=0.0)
    assert np.array_equal(x, b)
    assert residual == 0.0
    assert steps == 1


@pytest.mark.parametrize("b", [np.nan, np.inf, 1e200, 1e-200])
def test_bicgstab_breaks_down_without_spoiling_x(b):
    """Sums of squares overflow, underflow or are no numbers: x stays, its residual is told."""
    _, parts = system(one_row_each(6, 8), 0.5)
    right = np.zeros(8)
    right[3] = b
    with np.errstate(over="ignore"):  # compiled code does not warn of it
        x, steps, residual = solve(parts, right, np.zeros(8), goal=0.0)
    assert steps <= 1
    assert x.tolist() == [0.0] * 8
    assert residual == b or (np.isnan(b) and np.isnan(residual))


def test_bicgstab_breaks_down_with_a_preconditioner_that_yields_nothing():
    rows = one_row_each(6, 8)
    _, (*parts, gamma, _) = system(rows, 0.5)
    start = np.full(8, 3.0)  # leaves the residual 1 - 3 / 2
    x, steps, residual = solve((*parts, gamma, np.zeros(8)), np.ones(8), start)
    assert steps == 1
    assert np.array_equal(x, start)
    assert residual == 0.5


def test_bicgstab_below_rounding_ends_with_the_best_x_seen():
    rows = one_row_each(8, 13)
    A, parts = system(rows, 0.999)
    b = np.random.default_rng(8).normal(size=13)
    x, _, residual = solve(parts, b, np.zeros(13), goal=0.0, limit=300)
    assert np.abs(b - A @ x).max() < 1e-9
    assert residual < 1e-9
