"""Every planner on every kind of model: true bounds, mutual agreement, stored values."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from exact_reference import optimal
from solver_models import DISCOUNTED, INTERPRETED, MODELS, SCALE, planner
from test_environments_golden import GOLDEN, POLICIES

from mdptheory import Status, environments
from mdptheory.certificates import check

SLOW_WHEN_INTERPRETED = {"garnet .999", "ragged .999"}  # many sweeps of value iteration
NAMES = [n for n in MODELS if not INTERPRETED or n not in SLOW_WHEN_INTERPRETED]


@pytest.fixture(scope="module")
def answers():
    return {
        (name, solver): planner(solver)(MODELS[name], tol=1e-6 * SCALE.get(name, 1.0))
        for name in NAMES
        for solver in DISCOUNTED
    }


@pytest.mark.parametrize("solver", DISCOUNTED)
@pytest.mark.parametrize("name", NAMES)
def test_the_certificate_is_a_theorem_and_carries_the_error_bound(answers, name, solver):
    solution, mdp = answers[name, solver], MODELS[name]
    proof, bound = solution.certificate, solution.convergence.error_bound
    assert solution.convergence.status is Status.CONVERGED
    assert bound <= 1e-6 * SCALE.get(name, 1.0)
    assert check(proof, mdp, exact=True).exact
    assert np.array_equal(proof.policy, solution.policy)
    rounding = 1e-15 * (1.0 + np.abs(solution.v).max())
    assert (solution.v <= proof.lower + bound + rounding).all()
    assert (solution.v >= proof.upper - bound - rounding).all()
    assert (solution.v >= proof.lower).all()
    assert (solution.v <= proof.upper).all()


@pytest.mark.parametrize("name", NAMES)
def test_planners_agree_within_their_bounds(answers, name):
    found = [answers[name, solver] for solver in DISCOUNTED]
    for one, other in itertools.combinations(found, 2):
        allowed = one.convergence.error_bound + other.convergence.error_bound
        rounding = 1e-15 * (1.0 + np.abs(one.v).max())
        assert np.abs(one.v - other.v).max() <= allowed + rounding


@pytest.mark.parametrize("solver", DISCOUNTED)
@pytest.mark.parametrize("name", ["islands", "ragged", "cycle", "1e9", "1e-9"])
def test_the_error_bound_holds_against_rational_arithmetic(answers, name, solver):
    solution = answers[name, solver]
    exact = optimal(MODELS[name])
    off = max(abs(Fraction(float(a)) - b) for a, b in zip(solution.v, exact, strict=True))
    assert off <= Fraction(solution.convergence.error_bound)


@pytest.mark.parametrize("solver", DISCOUNTED)
@pytest.mark.parametrize("name", NAMES)
def test_q_is_one_step_and_v_its_maximum(answers, name, solver):
    solution, mdp = answers[name, solver], MODELS[name]
    P, r = mdp.to_dense()
    q = r + mdp.gamma * (P @ solution.v)
    size = np.abs(solution.v).max() + np.abs(mdp.reward).max()
    allowed = 2 * solution.convergence.error_bound + 1e-13 * size
    there = np.isfinite(r)
    assert np.abs(solution.q[there] - q[there]).max() <= allowed
    np.testing.assert_allclose(solution.q.max(axis=1), solution.v, rtol=1e-13, atol=1e-13 * size)
    assert np.array_equal(solution.policy, solution.q.argmax(axis=1))


@pytest.mark.parametrize("solver", DISCOUNTED)
@pytest.mark.parametrize(("name", "make", "state", "value", "mean"), GOLDEN)
def test_stored_values(name, make, state, value, mean, solver):
    mdp = make()
    solution = planner(solver)(mdp, tol=1e-8 * abs(mean)).require_converged()
    assert solution.v[state] == pytest.approx(value, rel=1e-7, abs=0)
    assert solution.v.mean() == pytest.approx(mean, rel=1e-7, abs=0)
    if name in POLICIES:
        assert solution.policy.tolist() == POLICIES[name]


@pytest.mark.parametrize("solver", DISCOUNTED)
def test_a_wrong_discount_would_show(solver):
    v = planner(solver)(environments.riverswim(gamma=0.9 + 1e-6)).v
    assert v[0] != pytest.approx(1530.96399823, rel=1e-7, abs=0)
