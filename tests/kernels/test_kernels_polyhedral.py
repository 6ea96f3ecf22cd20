"""The greedy and parametric kernels against linear programs, and mutants of them that must fail."""

import inspect

import numpy as np
import pytest
from scipy.optimize import linprog

from mdptheory.kernels import polyhedral

TOL = 1e-9


def minimise(z, **constraints):
    """Solve a linear program to HiGHS's accuracy."""
    answer = linprog(z, **constraints)
    assert answer.status == 0
    return answer.fun


def weighted_l1_program(p, z, weights, radius):
    n = p.size  # variables q and u >= |q - p|
    eye = np.eye(n)
    return minimise(
        np.r_[z, np.zeros(n)],
        A_ub=np.r_[np.c_[eye, -eye], np.c_[-eye, -eye], [np.r_[np.zeros(n), weights]]],
        b_ub=np.r_[p, -p, radius],
        A_eq=[np.r_[np.ones(n), np.zeros(n)]],
        b_eq=[1.0],
    )


def interval_program(lower, upper, z):
    bounds = np.c_[lower, upper]
    return minimise(z, A_eq=np.ones((1, z.size)), b_eq=[1.0], bounds=bounds)


def wasserstein_program(p, z, cost, radius):
    n = p.size
    return minimise(
        np.tile(z, n),
        A_ub=[cost.ravel()],
        b_ub=[radius],
        A_eq=np.kron(np.eye(n), np.ones(n)),
        b_eq=p,
    )


def dual_by_breakpoints(p, z, weights, radius):
    """Maximise the one-dimensional dual of the weighted L1 ball over all its breakpoints."""
    dz, dw = z[None] - z[:, None], weights[:, None] - weights[None]
    flat = (dw != 0) & (dz / np.where(dw == 0, 1, dw) > 0)
    points = np.r_[0.0, (dz / np.where(dw == 0, 1, dw))[flat]]
    points = np.r_[points, np.maximum(-dz / (weights[:, None] + weights[None]), 0).ravel()]

    def dual(lam):
        e = (z + lam * weights).min()
        return e - lam * radius + p @ np.minimum(z - e, lam * weights)

    return max(dual(lam) for lam in points)


def rows(count=150, seed=5):
    """Random rows, three of four with ties, zeros and point masses."""
    rng = np.random.default_rng(seed)
    for k in range(count):
        n = int(rng.integers(1, 8))
        p = rng.multinomial(rng.integers(1, 9), np.full(n, 1 / n)).astype(float)
        z = rng.integers(0, 4, n).astype(float)
        if k % 4 == 0:
            p, z = rng.dirichlet(np.ones(n)) * 64, rng.normal(size=n)
        yield rng, p / p.sum(), z, float(rng.choice([0.0, 0.25, 0.5, 1.0, 3.0, rng.exponential()]))


def agree(answer, q, z, reference):
    """Require a distribution that attains the value, and a bound that proves it."""
    value, bound = answer[:2]
    assert q.min() >= 0.0
    assert q.sum() == pytest.approx(1.0, abs=1e-13)
    assert q @ z == pytest.approx(value, abs=1e-13)
    assert value == pytest.approx(reference, abs=TOL)
    assert value - 1e-13 <= bound <= value


def test_l1_agrees_with_its_program():
    for _, p, z, radius in rows():
        q = np.empty(p.size)
        answer = polyhedral.l1_row(p, z, radius, q)
        agree(answer, q, z, weighted_l1_program(p, z, np.ones(p.size), radius))
        assert np.abs(q - p).sum() <= radius + 1e-14


@pytest.mark.parametrize("coarse", [True, False])
def test_weighted_l1_agrees_with_its_program_and_its_breakpoints(coarse):
    for rng, p, z, radius in rows(200):
        weights = rng.integers(1, 4, p.size) / 2 if coarse else rng.lognormal(0, 1, p.size)
        q = np.empty(p.size)
        answer = polyhedral.weighted_l1_row(p, z, weights, radius, q)
        agree(answer, q, z, weighted_l1_program(p, z, weights, radius))
        assert answer[0] == pytest.approx(dual_by_breakpoints(p, z, weights, radius), abs=1e-13)
        assert weights @ np.abs(q - p) <= radius + 1e-13


def test_weighted_l1_survives_ties_that_rounding_breaks():
    for rng, p, z, radius in rows(200, seed=8):
        weights = rng.integers(1, 4, p.size) / 10 * (1 + 4e-16 * rng.integers(-3, 4, p.size))
        q = np.empty(p.size)
        value, bound, *_ = polyhedral.weighted_l1_row(p, z / 10, weights, radius / 10, q)
        assert value - 1e-13 <= bound <= value


def test_intervals_agree_with_their_program():
    for rng, p, z, radius in rows():
        lower = np.maximum(p - radius * rng.integers(0, 3, p.size) / 8, 0)
        upper = np.minimum(p + radius * rng.integers(0, 3, p.size) / 8, 1)
        q = np.empty(p.size)
        answer = polyhedral.interval_row(lower, upper, z, q)
        agree(answer, q, z, interval_program(lower, upper, z))
        assert (q >= lower - 1e-15).all()
        assert (q <= upper + 1e-15).all()


def test_wasserstein_agrees_with_its_program():
    for rng, p, z, radius in rows(200):
        cost = rng.integers(0, 4, (p.size, p.size)).astype(float)  # no metric; free moves
        np.fill_diagonal(cost, 0.0)
        q = np.empty(p.size)
        answer = polyhedral.wasserstein_row(p, z, cost, radius, q)
        agree(answer, q, z, wasserstein_program(p, z, cost, radius))


def test_contamination_and_lists_agree_with_enumeration():
    for rng, p, z, radius in rows():
        q, fraction = np.empty(p.size), min(radius, 1.0)
        vertices = (1 - fraction) * p + fraction * np.eye(p.size)
        agree(polyhedral.contamination_row(p, z, fraction, q), q, z, (vertices @ z).min())
        listed = rng.dirichlet(np.ones(p.size), 4)
        agree(polyhedral.finite_row(listed, z, q), q, z, (listed @ z).min())
        assert (listed == q).all(axis=1).any()


def test_radius_zero_keeps_the_bits_of_the_row():
    rng = np.random.default_rng(3)
    for _ in range(50):
        p = rng.dirichlet(np.ones(6))
        z, weights, cost, q = rng.normal(size=6), np.ones(6), 1 - np.eye(6), np.empty(6)
        polyhedral.l1_row(p, z, 0.0, q)
        assert (q == p).all()
        polyhedral.weighted_l1_row(p, z, weights, 0.0, q)
        assert (q == p).all()
        polyhedral.interval_row(p, p, z, q)
        assert (q == p).all()
        polyhedral.interval_row(np.zeros(6), p, z, q)
        assert (q == p).all()
        polyhedral.wasserstein_row(p, z, cost, 0.0, q)
        assert (q == p).all()
        polyhedral.contamination_row(p, z, 0.0, q)
        assert (q == p).all()


def test_a_sum_off_by_the_tolerance_is_made_one():
    p, z, q = np.array([0.5, 0.5 + 9e-10]), np.array([1e4, 1e4 + 1]), np.empty(2)
    value, *_ = polyhedral.l1_row(p, z, 0.0, q)
    assert q.sum() == pytest.approx(1.0, abs=3e-16)
    assert value - 1e4 == pytest.approx(p[1] / p.sum(), abs=2e-12)


def mutant(old, new):
    """Return the kernels' module with one piece of its text replaced, uncompiled."""
    text = inspect.getsource(polyhedral)
    assert old in text
    text = text.replace(old, new).replace("@njit(cache=True, nogil=True)", "")
    space = {"__name__": "mutant"}
    exec(compile(text, "mutant", "exec"), space)
    return space


P, Z = np.array([0.2, 0.3, 0.5]), np.array([4.0, 1.0, 3.0])
P4, Z4, W4 = np.array([0.2, 0.3, 0.3, 0.2]), np.array([2.9, 0.9, 1.5, 0]), np.array([1.0, 1, 2, 2])
LINE = np.abs(np.subtract.outer(np.arange(3.0), np.arange(3.0)))


@pytest.mark.parametrize(
    ("old", "new", "kernel", "arguments", "truth", "wrong"),
    [
        ("0.5 * radius", "radius", "l1_row", (P, Z, 0.4), 2.0, 1.6),
        (
            "receiver[:count], first",
            "receiver[:count], count",
            "weighted_l1_row",
            (P4, Z4, W4, 0.6),
            0.72,
            0.825,
        ),
        ("in np.argsort(z)", "in np.argsort(-z)", "interval_row", (P - 0.1, P + 0.1, Z), 2.3, 2.9),
        ("argsort(slope[", "argsort(-slope[", "wasserstein_row", (P, Z, LINE, 0.3), 1.8, 2.0),
        ("np.argmin(x)", "np.argmax(x)", "contamination_row", (P, Z, 0.1), 2.44, 2.74),
    ],
)
def test_mutants_miss_the_known_answers(old, new, kernel, arguments, truth, wrong):
    q = np.empty(arguments[0].size)
    assert getattr(polyhedral, kernel)(*arguments, q)[0] == pytest.approx(truth, abs=1e-12)
    value, *_ = mutant(old, new)[kernel](*arguments, q)
    assert value == pytest.approx(wrong, abs=1e-12)
