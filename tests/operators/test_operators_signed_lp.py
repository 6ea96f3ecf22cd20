"""Closed forms of signed rows: examples, programs, and where they must not be iterated."""

import numpy as np
import pytest
from operator_models import full, ragged

from mdptheory import TabularMDP
from mdptheory.errors import InvalidModelError
from mdptheory.models import FiniteHorizon, SignedLpBall
from mdptheory.operators.bellman import bellman
from mdptheory.operators.signed_lp import (
    best_mixture,
    direction,
    dispersion,
    signed_lp_bellman,
)
from mdptheory.solvers.signed_lp_value_iteration import signed_lp_value_iteration

ORDERS = (1.0, 1.3, 2.0, 3.0, 10.0, np.inf)


def conjugate(p):
    return np.inf if p == 1 else 1.0 if np.isinf(p) else p / (p - 1)


@pytest.mark.parametrize(
    ("loss", "order", "value", "pi"),
    [
        (2.0, 1, 1.75, (0.5, 0.5, 0)),
        (2.0, 2, 1.3580589, (0.5898027, 0.4101973, 0)),
        (2.0, 3, 1.2019632, None),
        (2.0, np.inf, 1.0, (1, 0, 0)),
        *[(0.4, p, 2.6, (1, 0, 0)) for p in ORDERS],
        *[(0.0, p, 3.0, (1, 0, 0)) for p in ORDERS],
    ],
)
def test_examples_of_mixtures(loss, order, value, pi):
    found, mixture = best_mixture(np.array([3, 2.5, 1]), loss, order)
    assert found == pytest.approx(value, abs=1e-7)
    if pi is not None:
        np.testing.assert_allclose(mixture, pi, atol=1e-7)


def test_examples_of_dispersion():
    v = [1, 2, 4, 7]
    assert [dispersion(v, p) for p in (np.inf, 2, 1)] == pytest.approx([8, 4.5825757, 3])
    assert dispersion([5.0, 5.0], 3) == dispersion([5.0], 1) == 0.0


@pytest.mark.parametrize("order", ORDERS)
def test_mixtures_attain_their_value_and_no_other_beats_it(order):
    rng, q = np.random.default_rng(0), conjugate(order)
    for k in range(60):
        m, loss = int(rng.integers(1, 6)), float(rng.exponential())
        values = rng.integers(0, 3, m).astype(float) if k % 2 else rng.normal(size=m)
        value, pi = best_mixture(values, loss, order)
        assert pi @ values - loss * np.linalg.norm(pi, q) == pytest.approx(value, abs=1e-12)
        others = rng.dirichlet(np.ones(m), 200)
        worth = others @ values - loss * np.linalg.norm(others, q, axis=1)
        assert worth.max() <= value + 1e-12
        short = np.maximum(values - value, 0.0)
        assert np.linalg.norm(short, order) == pytest.approx(loss, abs=1e-11)


@pytest.mark.parametrize("order", ORDERS)
def test_directions_attain_the_dispersion(order):
    rng = np.random.default_rng(1)
    for k in range(60):
        n = int(rng.integers(1, 7))
        v = rng.integers(0, 3, n).astype(float) if k % 2 else rng.normal(size=n)
        c = direction(rng.dirichlet(np.ones(n)), v, order)
        assert c.sum() == pytest.approx(0.0, abs=1e-12)
        assert c @ v == pytest.approx(-dispersion(v, order), abs=1e-12)
        assert np.linalg.norm(c, order) <= 1 + 1e-12


@pytest.mark.parametrize("order", [1, 2, 3, np.inf])
@pytest.mark.parametrize("rectangularity", ["sa", "s"])
def test_the_closed_form_is_the_program_and_below_the_simplex(order, rectangularity):
    import cvxpy as cp

    rng = np.random.default_rng(2)
    for _ in range(6):
        P, r, v = rng.dirichlet(np.ones(4), (1, 3)), rng.normal(size=(1, 3)), rng.normal(size=4)
        radius = float(rng.uniform(0, 0.6))
        mdp = TabularMDP.from_dense(
            np.concatenate([P, np.tile(np.eye(4)[1:, None], (1, 3, 1))]),
            np.concatenate([r, np.zeros((3, 3))]), 0.9,
        )  # fmt: skip
        step = signed_lp_bellman(mdp, SignedLpBall(radius, order, rectangularity), v)
        found = []
        for simplex in (False, True):
            c, u = cp.Variable((3, 4)), cp.Variable()
            limits = [cp.sum(c, axis=1) == 0]
            limits += [r[0] + 0.9 * (P[0] @ v) + 0.9 * (c @ v) <= u]
            if simplex:
                limits.append(P[0] + c >= 0)
            if rectangularity == "s":
                limits.append(cp.pnorm(cp.vec(c, order="C"), order) <= radius)
            else:
                limits += [cp.pnorm(c[a], order) <= radius for a in range(3)]
            found.append(cp.Problem(cp.Minimize(u), limits).solve(solver=cp.CLARABEL))
        assert step.value[0] == pytest.approx(found[0], abs=2e-6)
        assert step.value[0] <= found[1] + 2e-6


def test_equality_where_the_minimiser_is_a_distribution():
    """The Euclidean ball: radius (z_i - mean) / |z - mean| <= p_i for all i."""
    import cvxpy as cp

    p, v = np.array([0.3, 0.4, 0.3]), np.array([1.0, 0.2, -0.5])
    mdp = TabularMDP.from_dense(np.tile(p, (3, 1, 1)), np.zeros((3, 1)), 0.9)
    q = cp.Variable(3, nonneg=True)
    limits = [cp.sum(q) == 1, cp.norm2(q - p) <= 0.2]
    exact = cp.Problem(cp.Minimize(q @ (0.9 * v)), limits).solve(solver=cp.CLARABEL)
    step = signed_lp_bellman(mdp, SignedLpBall(0.2, 2), v)
    np.testing.assert_allclose(step.value, exact, atol=1e-6)


def test_radius_zero_is_nominal_and_rewards_lose_their_radius():
    mdp, v = ragged(1, gamma=0.8), np.linspace(0, 1, 7)
    nominal = bellman(mdp, v)
    for rectangularity in ("sa", "s"):
        step = signed_lp_bellman(mdp, SignedLpBall(0.0, 2, rectangularity), v)
        np.testing.assert_array_equal(step.value, nominal.max(axis=1))
        np.testing.assert_array_equal(step.q, nominal)
    both = np.linspace(0.1, 0.4, 7), np.linspace(0.5, 0.2, 7)
    step = signed_lp_bellman(mdp, SignedLpBall(both[0], 2), v, reward_radius=both[1])
    loss = both[1] + 0.8 * both[0] * np.linalg.norm(v - v.mean())
    np.testing.assert_allclose(step.value, nominal.max(axis=1) - loss, atol=1e-14)
    step = signed_lp_bellman(mdp, SignedLpBall(both[0], np.inf, "s"), v, reward_radius=both[1])
    loss = both[1] + 0.8 * both[0] * np.abs(v - np.median(v)).sum()
    np.testing.assert_allclose(step.value, nominal.max(axis=1) - loss, atol=1e-14)


def frightened():
    """Both states stay where they are; nature's signed rows push the worse one down for ever."""
    return TabularMDP.from_dense(np.eye(2)[:, None], [[1.0], [0.0]], 0.9)


def test_signed_rows_may_expand_without_bound():
    mdp, ball, v = frightened(), SignedLpBall([0.0, 0.5], 1), np.zeros(2)
    gaps = []
    for _ in range(300):
        v = signed_lp_bellman(mdp, ball, v).value
        gaps.append(v[0] - v[1])
    # v_2' = .9 (v_2 - .25 (v_1 - v_2)), so that the difference grows by .9 * 1.25 = 1.125
    assert np.diff(gaps)[-1] / np.diff(gaps)[-2] == pytest.approx(1.125, abs=1e-9)
    assert v[1] < -1e10
    with pytest.raises(InvalidModelError, match=r"nature's row\[1, 0, 0\] is -0.25: without"):
        signed_lp_value_iteration(mdp, ball)


@pytest.mark.parametrize("rectangularity", ["sa", "s"])
@pytest.mark.parametrize("order", ORDERS)
def test_value_iteration_over_true_distributions(order, rectangularity):
    mdp = full(6)
    ball = SignedLpBall(1e-3, order, rectangularity)
    v, step, convergence = signed_lp_value_iteration(mdp, ball, tol=1e-9)
    assert convergence.error_bound <= 1e-9
    again = signed_lp_bellman(mdp, ball, v)
    np.testing.assert_allclose(again.value, v, atol=1e-9)
    nominal = np.zeros(6)
    for _ in range(400):
        nominal = bellman(mdp, nominal).max(axis=1)
    assert (v < nominal).all()
    assert step.value.shape == (6,)


def test_bad_arguments_are_refused():
    mdp, ball, v = full(4), SignedLpBall(0.1, 2), np.zeros(4)
    with pytest.raises(InvalidModelError, match=r"v has shape \(3,\)"):
        signed_lp_bellman(mdp, ball, np.zeros(3))
    with pytest.raises(TypeError, match="expected a SignedLpBall"):
        signed_lp_bellman(mdp, 0.1, v)
    with pytest.raises(InvalidModelError, match="reward_radius is -1"):
        signed_lp_bellman(mdp, ball, v, reward_radius=-1.0)
    with pytest.raises(InvalidModelError, match=r"radius has shape \(3,\)"):
        signed_lp_bellman(mdp, SignedLpBall(np.ones(3), 2, "s"), v)
    with pytest.raises(InvalidModelError, match=r"radius has shape \(3,\)"):
        signed_lp_bellman(mdp, SignedLpBall(np.ones(3), 2), v)
    paying = TabularMDP.from_dense(np.full((2, 1, 2), 0.5), np.arange(4.0).reshape(2, 1, 2), 0.9)
    with pytest.raises(InvalidModelError, match="rewards per transition"):
        signed_lp_bellman(paying, ball, np.zeros(2))
    with pytest.raises(InvalidModelError, match="expects Discounted"):
        signed_lp_value_iteration(mdp.with_objective(FiniteHorizon(2)), ball)
    with pytest.raises(InvalidModelError, match=r"order is 0\.5"):
        dispersion([1.0, 2.0], 0.5)
