"""Backward induction against loops, closed forms and the discounted limit."""

import numpy as np
import pytest
from solver_models import MODELS, planner, ragged

from mdptheory import FiniteHorizon, Status, TabularMDP, TotalReward, environments
from mdptheory.certificates import check
from mdptheory.errors import InvalidModelError

COIN = [[[0.5, 0.5]], [[0.0, 1.0]]]


def stage_by_stage(P, r, horizon, gamma, last):
    """Loop over stages; ``P[h, s, a, s']`` and ``r[h, s, a]`` with -inf where not available."""
    v = [np.asarray(last, dtype=float)]
    for h in reversed(range(horizon)):
        v.insert(0, (r[h] + gamma * (P[h] @ v[0])).max(axis=1))
    return np.array(v)


def staged(seed, horizon, n, objective):
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.full(n, 0.4), size=(horizon, n, 3))
    return P, rng.normal(size=(horizon, n, 3)), objective


@pytest.mark.parametrize("solver", ["backward_induction", "solve"])
@pytest.mark.parametrize(("horizon", "gamma"), [(1, 1.0), (1, 0.0), (5, 1.0), (5, 0.7), (40, 0.9)])
@pytest.mark.parametrize("terminal", [False, True])
def test_stationary_rows_against_a_loop(solver, horizon, gamma, terminal):
    last = np.linspace(-3, 2, 9) if terminal else None
    base = ragged(1, 9, 0.9)
    mdp = base.with_objective(FiniteHorizon(horizon, gamma, last))
    P, r = base.to_dense()
    solution = planner(solver)(mdp)
    want = stage_by_stage([P] * horizon, [r] * horizon, horizon, gamma,
                          np.zeros(9) if last is None else last)  # fmt: skip
    np.testing.assert_allclose(solution.v, want, rtol=1e-13, atol=1e-13)
    assert np.array_equal(solution.v[-1], want[-1])
    for h in range(horizon):
        q = r + gamma * (P @ solution.v[h + 1])
        assert np.array_equal(np.isneginf(solution.q[h]), np.isneginf(r))
        np.testing.assert_allclose(solution.q[h][np.isfinite(r)], q[np.isfinite(r)], atol=1e-12)
        assert np.array_equal(solution.policy[h], solution.q[h].argmax(axis=1))


@pytest.mark.parametrize("horizon", [2, 3, 6])
@pytest.mark.parametrize("gamma", [1.0, 0.9])
def test_rows_of_each_stage_against_a_loop(horizon, gamma):
    P, r, goal = staged(horizon, horizon, 4, FiniteHorizon(horizon, gamma, np.arange(4.0)))
    mdp = TabularMDP.from_dense(P, r, objective=goal)
    solution = planner("backward_induction")(mdp)
    want = stage_by_stage(P, r, horizon, gamma, np.arange(4.0))
    np.testing.assert_allclose(solution.v, want, rtol=1e-13, atol=1e-13)
    assert check(solution.certificate, mdp, exact=True).exact


def test_ragged_stages():
    """State 0 has two actions at stage 0 and one at stage 1; state 1 has one, then two."""
    mdp = TabularMDP(
        choice_ptr=[0, 2, 3, 4, 6], action=[0, 2, 1, 1, 0, 2], row_ptr=range(7),
        next_state=[0, 1, 1, 0, 0, 1], prob=np.ones(6), reward=[1.0, 0.0, 5.0, 2.0, 7.0, 9.0],
        objective=FiniteHorizon(2), n_states=2,
    )  # fmt: skip
    solution = planner("backward_induction")(mdp)
    assert solution.v.tolist() == [[9.0, 14.0], [2.0, 9.0], [0.0, 0.0]]
    assert solution.policy.tolist() == [[2, 1], [1, 2]]
    assert check(solution.certificate, mdp, exact=True).exact


def test_horizon_1_is_the_best_reward_plus_what_arrival_pays():
    mdp = TabularMDP.from_dense(
        COIN, [[1.0], [0.0]], objective=FiniteHorizon(1, 0.5, np.array([4.0, 8.0]))
    )
    assert planner("backward_induction")(mdp).v.tolist() == [[4.0, 4.0], [4.0, 8.0]]


def test_a_long_discounted_horizon_nears_the_discounted_value():
    mdp = MODELS["ragged"]
    v = planner("backward_induction")(mdp.with_objective(FiniteHorizon(300, 0.9))).v
    np.testing.assert_allclose(v[0], planner("solve")(mdp, tol=1e-10).v, rtol=0, atol=1e-9)


def test_time_left_is_worth_at_most_the_largest_reward_a_step():
    mdp = environments.riverswim().with_objective(FiniteHorizon(30))
    v = planner("backward_induction")(mdp).v
    assert (v[:-1] >= v[1:]).all()
    assert (v[:-1] - v[1:] <= mdp.reward.max() + 1e-9).all()


def test_how_it_ended():
    mdp = ragged(1, 9, 0.9).with_objective(FiniteHorizon(7))
    solution = planner("backward_induction")(mdp)
    convergence = solution.convergence
    assert convergence.status is Status.CONVERGED
    assert (convergence.iterations, convergence.work) == (7, 7.0)
    assert 0.0 < convergence.error_bound < 1e-12
    assert solution.certificate.gap <= 2.1 * convergence.error_bound


@pytest.mark.parametrize("objective", [None, TotalReward()])
def test_another_objective_is_refused(objective):
    r = [[1.0], [0.0]]
    mdp = TabularMDP.from_dense(COIN, r, None if objective else 0.9, objective=objective)
    kind = "TotalReward" if objective else "Discounted"
    with pytest.raises(InvalidModelError, match=f"{kind}; backward_induction expects Finite"):
        planner("backward_induction")(mdp)
