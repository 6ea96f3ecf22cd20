"""How answers change with the model, the start, the tolerance and the limit."""

import numpy as np
import pytest
from solver_models import DISCOUNTED, MODELS, absorbing, cycle, planner, ragged, with_rewards

from mdptheory import Discounted, FiniteHorizon, Status, TabularMDP, TotalReward
from mdptheory.certificates import check
from mdptheory.errors import InvalidModelError, NotConvergedError

STARTING = ("value_iteration", "modified_policy_iteration")
on_all = pytest.mark.parametrize("solver", DISCOUNTED)


@on_all
@pytest.mark.parametrize("seed", range(3))
def test_renaming_states_renames_the_value(solver, seed):
    rng = np.random.default_rng(seed)
    P, r = rng.dirichlet(np.full(7, 0.3), size=(7, 3)), rng.normal(size=(7, 3))
    order = rng.permutation(7)
    v = planner(solver)(TabularMDP.from_dense(P, r, 0.95), tol=1e-9).v
    renamed = TabularMDP.from_dense(P[order][:, :, order], r[order], 0.95)
    np.testing.assert_allclose(planner(solver)(renamed, tol=1e-9).v, v[order], rtol=0, atol=3e-9)


@on_all
@pytest.mark.parametrize(("c", "d"), [(3.0, -2.0), (0.25, 7.0), (1000.0, 0.0)])
def test_rewards_c_r_plus_d_map_v_to_c_v_plus_d_over_1_minus_gamma(solver, c, d):
    mdp = ragged(6, 8, 0.9)
    mapped = with_rewards(mdp, c * mdp.reward + d)
    v = planner(solver)(mdp, tol=1e-9).v
    np.testing.assert_allclose(
        planner(solver)(mapped, tol=1e-9).v, c * v + d / 0.1, rtol=0, atol=(1 + c) * 2e-9
    )


@on_all
def test_more_actions_and_more_reward_never_hurt(solver):
    mdp = ragged(7, 8, 0.9)
    v = planner(solver)(mdp, tol=1e-9).v
    better = planner(solver)(with_rewards(mdp, mdp.reward + (mdp.action == 0)), tol=1e-9).v
    assert (better >= v - 3e-9).all()
    assert better.max() > v.max() - 3e-9


@on_all
def test_closed_form_of_walking_to_the_paying_state(solver):
    """Staying pays 1 a step: 10; walking pays 1.5 a step from the third step on: 12.15."""
    solution = planner(solver)(absorbing(0.9))
    assert solution.v == pytest.approx([12.15, 13.5, 15.0], abs=1e-6)
    assert solution.policy.tolist() == [1, 0, 0]


@on_all
def test_gamma_0_takes_the_best_reward(solver):
    mdp = MODELS["gamma 0"]
    solution = planner(solver)(mdp)
    np.testing.assert_allclose(solution.v, mdp.table(mdp.reward).max(axis=1), atol=1e-12)


@on_all
@pytest.mark.parametrize("name", ["garnet .95", "ragged", "dense", "islands"])
def test_a_tolerance_below_rounding_is_said_to_be_so(solver, name):
    mdp = MODELS[name]
    solution = planner(solver)(mdp, tol=1e-17)
    convergence = solution.convergence
    assert convergence.status is Status.ROUNDING
    assert 1e-17 < convergence.error_bound < 1e-10
    assert check(solution.certificate, mdp, exact=True).gap <= 2.1 * convergence.error_bound
    with pytest.raises(NotConvergedError, match="finer than float64"):
        solution.require_converged()


@on_all
@pytest.mark.parametrize(("n", "gamma", "scale"), [(7, 0.95, 1.0), (5, 0.99, 1e6), (2, 0.99, 1.0)])
def test_roundings_that_chase_each_other_round_a_cycle_end_the_solve(solver, n, gamma, scale):
    """Half a unit a sweep is not damped: the gap hovers above what certifying alone would allow."""
    mdp = cycle(n, gamma)
    mdp = with_rewards(mdp, scale * mdp.reward)
    solution = planner(solver)(mdp, tol=1e-17)
    convergence = solution.convergence
    assert convergence.status is Status.ROUNDING
    assert convergence.iterations < (5_000 if solver == "value_iteration" else 500)
    assert convergence.error_bound < 1e-15 * scale / (1 - gamma) ** 3
    assert check(solution.certificate, mdp, exact=True).exact


@pytest.mark.parametrize("solver", ["value_iteration", "modified_policy_iteration"])
@pytest.mark.parametrize("max_iter", [1, 2, 3, 5])
@pytest.mark.parametrize("name", ["garnet .95", "ragged .999", "cycle", "dense"])
def test_max_iter_leaves_a_true_enclosure(solver, name, max_iter):
    mdp = MODELS[name]
    solution = planner(solver)(mdp, tol=1e-12, max_iter=max_iter)
    convergence, proof = solution.convergence, solution.certificate
    assert convergence.status is Status.MAX_ITER
    assert convergence.iterations == max_iter == len(convergence.trace.gap)
    assert check(proof, mdp, exact=True).exact
    assert proof.gap <= 2 * convergence.error_bound + 1e-14 * (1.0 + np.abs(solution.v).max())
    best = planner("policy_iteration")(mdp, tol=1e-9)
    assert np.abs(solution.v - best.v).max() <= convergence.error_bound + 1e-9


@pytest.mark.parametrize("solver", STARTING)
def test_the_certificate_gap_belongs_to_the_reported_residual(solver):
    """Also after a stop among narrowed rows, where one sweep over all rows ends the solve."""
    mdp = MODELS["garnet .95"]
    for max_iter in range(1, 12):
        solution = planner(solver)(mdp, tol=1e-12, max_iter=max_iter)
        convergence = solution.convergence
        span = 2 * convergence.error_bound * (1 - mdp.gamma) / mdp.gamma
        assert convergence.residual >= span / 2 * (1 - 1e-6) - 1e-12


@pytest.mark.parametrize("solver", STARTING)
def test_starting_at_the_optimum_ends_at_once(solver):
    mdp = MODELS["ragged"]
    v0 = planner("policy_iteration")(mdp, tol=1e-12).v
    solution = planner(solver)(mdp, tol=1e-6, v0=v0)
    assert solution.convergence.iterations == 1
    np.testing.assert_allclose(solution.v, v0, atol=2e-6)


@pytest.mark.parametrize("solver", STARTING)
@pytest.mark.parametrize("shift", [-1e6, 1e6])
def test_any_start_ends_at_the_optimum(solver, shift):
    mdp = MODELS["ragged"]
    want = planner("policy_iteration")(mdp, tol=1e-9).v
    v0 = shift * np.random.default_rng(0).random(9)
    solution = planner(solver)(mdp, tol=1e-6, v0=v0).require_converged()
    np.testing.assert_allclose(solution.v, want, rtol=0, atol=1.1e-6)
    assert check(solution.certificate, mdp, exact=True).exact


@pytest.mark.parametrize("solver", STARTING)
@pytest.mark.parametrize(
    ("v0", "text"),
    [
        (np.zeros(4), r"v0 has shape \(4,\); expected \(9\)"),
        (np.full(9, np.nan), r"v0\[0\] is nan; expected a finite number \(9 of 9"),
    ],
)
def test_a_bad_start_is_refused(solver, v0, text):
    with pytest.raises(InvalidModelError, match=text):
        planner(solver)(MODELS["ragged"], v0=v0)


@pytest.mark.parametrize("solver", [*STARTING, "policy_iteration"])
def test_a_bad_limit_is_refused(solver):
    with pytest.raises(InvalidModelError, match="max_iter is 0; expected an integer of at least 1"):
        planner(solver)(MODELS["ragged"], max_iter=0)
    with pytest.raises(TypeError, match=r"max_iter is 2\.5"):
        planner(solver)(MODELS["ragged"], max_iter=2.5)


REFUSED = [
    (solver, objective)
    for solver in DISCOUNTED[:4]
    for objective in (FiniteHorizon(3), TotalReward())
    if (solver, objective) != ("policy_iteration", TotalReward())
]


@pytest.mark.parametrize(("solver", "objective"), REFUSED)
def test_another_objective_is_refused_with_the_planner_that_takes_it(solver, objective):
    fit = "backward_induction" if isinstance(objective, FiniteHorizon) else "policy_iteration"
    text = f"{type(objective).__name__}; {solver} expects Discounted .{fit} and solve take it"
    P = [[[0.5, 0.5]], [[0.0, 1.0]]]
    mdp = TabularMDP.from_dense(P, [[1.0], [0.0]], objective=objective)
    with pytest.raises(InvalidModelError, match=text):
        planner(solver)(mdp)


@on_all
def test_names_travel_with_the_answer(solver):
    mdp = TabularMDP.from_dense(
        [[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.9,
        state_names=("up", "down"), action_names=("go",),
    )  # fmt: skip
    solution = planner(solver)(mdp)
    assert (solution.state_names, solution.action_names) == (("up", "down"), ("go",))


@on_all
@pytest.mark.parametrize("name", ["garnet .95", "chain", "ragged"])
def test_the_trace_ends_where_the_solution_says(solver, name):
    convergence = planner(solver)(MODELS[name]).convergence
    trace = convergence.trace
    assert len(trace.work) == len(trace.gap) == len(trace.seconds) == convergence.iterations
    assert trace.gap[-1] == convergence.error_bound
    assert trace.work[-1] == convergence.work
    assert (np.diff(trace.work) >= 0).all()
    assert (np.diff(trace.seconds) >= 0).all()


@on_all
def test_rewards_per_transition_solve_like_their_averages(solver):
    rng = np.random.default_rng(3)
    P, r = rng.dirichlet(np.ones(5), size=(5, 2)), rng.normal(size=(5, 2, 5))
    mdp = TabularMDP.from_dense(P, r, 0.9)
    solution = planner(solver)(mdp, tol=1e-9)
    want = planner(solver)(TabularMDP.from_dense(P, (P * r).sum(axis=2), 0.9), tol=1e-9).v
    np.testing.assert_allclose(solution.v, want, rtol=0, atol=3e-9)
    assert check(solution.certificate, mdp, exact=True).exact


@on_all
def test_rows_that_miss_1_by_the_tolerance_widen_the_bound(solver):
    P = np.array([[[0.5, 0.5 - 8e-10]], [[0.0, 1.0]]])
    mdp = TabularMDP.from_dense(P, [[1.0], [0.0]], objective=Discounted(0.9))
    solution = planner(solver)(mdp, tol=1e-6)
    assert solution.convergence.error_bound > 1e-9
    assert check(solution.certificate, mdp, exact=True).exact
