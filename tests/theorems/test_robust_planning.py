"""What the robust planners' chains rest on, and the instances of what is false, in numbers."""

from functools import partial
from itertools import product

import numpy as np
import pytest

from mdptheory import Discounted, FiniteHorizon, Status, TabularMDP, solve
from mdptheory.models.ambiguity import FiniteSet, KLBall, L1Ball, SignedLpBall
from mdptheory.operators.signed_lp import signed_lp_bellman
from mdptheory.solvers import (
    evaluate_robust,
    partial_policy_iteration,
    rcpi,
    robust_backward_induction,
    robust_modified_policy_iteration,
    robust_policy_iteration,
    robust_value_iteration,
)
from proofs_checks import _robust_games as games
from proofs_checks import (
    robust_partial_policy_iteration,
    robust_policy_loss,
    robust_residual_contraction,
    robust_saddle,
    robust_shared_budget,
    robust_static_dynamic,
    robust_stopping,
)
from proofs_checks._cases import build, random_mixture, random_policy
from proofs_checks._oracles import dense_policy_value

pytestmark = pytest.mark.theorem
SEEDS = range(20)


# ---- the second routes --------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_kernel_of_one_model_gives_that_models_value(seed):
    rng = np.random.default_rng(seed)
    mdp, other = games.random_pair(rng)
    pair = games.Pair.of(mdp, other)
    for policy in (random_policy(rng, mdp), random_mixture(rng, mdp)):
        mine = pair.values(pair.options, policy)
        for value, model in zip(mine, (mdp, other), strict=True):
            np.testing.assert_allclose(value, dense_policy_value(model, policy), atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_enumeration_loop_and_duals_find_one_robust_value(seed):
    mdp, other = games.random_pair(np.random.default_rng(seed))
    pair = games.Pair.of(mdp, other)
    kernels = pair.kernels()
    assert len(kernels) == 2**mdp.n_rows
    every = [pair.values(kernels, policy).min(axis=0) for policy in games.policies_of(mdp)]
    opponent = games.Opponent.of(mdp, games.both(mdp, other))
    v = opponent.optimum()
    np.testing.assert_allclose(v, np.max(every, axis=0), atol=1e-11)
    np.testing.assert_allclose(opponent.by_duals(v), v, atol=1e-11)
    np.testing.assert_allclose(pair.best(pair.reply(v), v)[0], opponent.top(v), atol=1e-12)


def test_rewards_per_transition_are_paid_by_natures_rows():
    pair = games.Pair.of(*robust_static_dynamic.two_states())
    np.testing.assert_array_equal(pair.paid, [[0.0, 2.0], [2.0, 0.0]])
    np.testing.assert_array_equal(pair.worth(np.zeros(2)), [[2.0, 0.0], [0.0, 2.0]])


# ---- coupled kernels ----------------------------------------------------------------------------


def test_coupled_kernels_are_not_as_bad_as_their_hull():
    """Each kernel lets one state move on for 2; the hull lets both stay for nothing."""
    mdp, other = robust_static_dynamic.two_states()
    pair, policy = games.Pair.of(mdp, other), np.array([0, 0])
    coupled = pair.values(pair.kernels(coupled=True), policy)
    np.testing.assert_allclose(coupled, [[2.0, 0.0], [0.0, 2.0]], atol=1e-12)
    np.testing.assert_allclose(pair.values(pair.kernels(), policy).min(axis=0), 0.0, atol=1e-12)
    hull = evaluate_robust(mdp, games.both(mdp, other), policy, tol=1e-9)
    np.testing.assert_allclose(hull.v, 0.0, atol=1e-9)


def guess():
    """Return the two-door instance at gamma = 0.9."""
    rng = np.random.default_rng(0)
    while True:
        mdp, other = robust_saddle.guess(rng)
        if mdp.gamma == 0.9:
            return mdp, other


def test_coupled_kernels_have_a_duality_gap():
    """Nature first: 9. Randomised policy first: 4.5. Deterministic policy first: 0."""
    mdp, other = guess()
    pair = games.Pair.of(mdp, other)
    kernels = pair.kernels(coupled=True)
    values = np.array([pair.values(kernels, policy) for policy in games.policies_of(mdp)])
    assert values.max(axis=0).min(axis=0)[0] == pytest.approx(9.0)
    assert values.min(axis=1).max(axis=0)[0] == pytest.approx(0.0)
    shares = np.linspace(0.0, 1.0, 101)
    mixed = [np.array([[p, 1 - p], [1.0, 0.0], [1.0, 0.0]]) for p in shares]
    worst = [pair.values(kernels, pi)[:, 0].min() for pi in mixed]
    assert max(worst) == pytest.approx(4.5)
    assert shares[int(np.argmax(worst))] == pytest.approx(0.5)


def test_the_hull_of_the_two_doors_has_no_gap():
    mdp, other = guess()
    trace = robust_saddle.run(robust_saddle.Case(mdp, other, 0.1))
    assert trace.v[0] == 0.0
    assert all(check.holds for check in robust_saddle.no_gap(trace))


# ---- finite horizon -----------------------------------------------------------------------------

ABSORBING = (0, 0, 0, 1)


def detour(end: int) -> list[list[tuple[tuple[int, ...], float]]]:
    """State 0 leads to state ``end``; 1 costs 1 and leads to 3, which pays 10 for ever; 2 to 0."""
    onward = tuple(int(t == end) for t in range(4))
    return [[(onward, 0.0)], [(ABSORBING, -1.0)], [((1, 0, 0, 0), 0.0)], [(ABSORBING, 10.0)]]


def test_over_a_finite_horizon_a_nature_that_may_change_her_rows_does_better():
    """Four steps from state 0: always 1 gives 19, always 2 gives 0, first 2 and then 1 gives -1."""
    models = [build(detour(end), FiniteHorizon(4)) for end in (1, 2)]
    P = [model.to_dense()[0][:, 0] for model in models]
    reward = models[0].reward

    def worth(plan):
        v = np.zeros(4)
        for k in reversed(plan):
            v = reward + P[k] @ v
        return v[0]

    assert [worth((k,) * 4) for k in (0, 1)] == [19.0, 0.0]
    assert min(map(worth, product((0, 1), repeat=4))) == worth((1, 0, 0, 0)) == -1.0
    kernels = np.array([model.to_dense()[0] for model in models])
    solution = robust_backward_induction(models[0], FiniteSet(kernels, coupled=False))
    assert solution.v[0, 0] == pytest.approx(-1.0, abs=1e-9)


# ---- shared budgets -----------------------------------------------------------------------------

ROWS = np.array([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]])
WORTH = np.array([[3.0, 1.0, 2.0], [4.0, 1.0, 3.0]])


@pytest.mark.parametrize(
    ("budget", "best", "even"),
    [(0.0, 2.6, 2.3), (0.2, 2.3, 2.15), (0.6, 1.9, 1.9), (1.0, 1.7, 1.7), (3.0, 1.0, 1.0)],
)
def test_a_shared_budget_by_programs_and_by_purchases(budget, best, even):
    ball = L1Ball(budget, "all", "s")
    assert robust_shared_budget.program(ROWS, WORTH, ball) == pytest.approx(best, abs=1e-9)
    half = np.array([0.5, 0.5])
    assert robust_shared_budget.purchases(ROWS, WORTH, half, ball) == pytest.approx(even)


def test_purchases_against_a_mixture_never_leave_more_than_the_programs():
    rng = np.random.default_rng(0)
    for _ in range(50):
        ball = L1Ball(float(rng.choice([0.1, 0.5, 1.0])), "nominal", "s")
        weight = rng.dirichlet([1.0, 1.0])
        left = robust_shared_budget.purchases(ROWS, WORTH, weight, ball)
        assert left <= robust_shared_budget.program(ROWS, WORTH, ball) + 1e-9


# ---- signed rows --------------------------------------------------------------------------------


def test_signed_rows_let_the_sweeps_diverge():
    """Two absorbing states: the difference grows by 1.125 a sweep, and a value falls for ever."""
    mdp = TabularMDP.from_dense([[[1.0, 0.0]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.9)
    ball = SignedLpBall(np.array([0.0, 0.5]), 1)
    v, differences = np.zeros(2), []
    for _ in range(60):
        v = signed_lp_bellman(mdp, ball, v).value
        differences.append(v[0] - v[1])
    growth = np.diff(differences)
    np.testing.assert_allclose(growth[1:] / growth[:-1], 1.125, rtol=1e-9)
    assert v[0] < 10.0
    assert v[1] < -1000.0


def test_the_twin_sweeps_as_the_library_does():
    rng = np.random.default_rng(0)
    for _ in range(10):
        mdp, _ = games.random_pair(rng)
        v = rng.integers(-4, 5, mdp.n_states) / 2
        opponent = games.Opponent.of(mdp, KLBall(0.1))
        mine = robust_stopping.signed_rows(opponent, v)
        np.testing.assert_allclose(mine, signed_lp_bellman(mdp, SignedLpBall(0.5, 1), v).value)


# ---- constants that cannot be improved ----------------------------------------------------------


@pytest.mark.parametrize("gamma", [0.5, 0.9, 0.95])
def test_both_forms_of_the_policy_loss_are_attained(gamma):
    rng = np.random.default_rng(0)
    seen = set()
    while seen != {True, False}:
        case = robust_policy_loss.betrayed(rng)
        if case.mdp.gamma != gamma:
            continue
        shifted = bool(case.v.any())
        seen.add(shifted)
        trace = robust_policy_loss.run(case)
        np.testing.assert_allclose(trace.v_star - trace.v_policy, [0.0, gamma / (1 - gamma)])
        assert robust_policy_loss.span_loss(trace).tightness == pytest.approx(1.0)
        check = robust_policy_loss.residual_loss(trace)
        assert check.measured / check.bound == pytest.approx(1.0 if shifted else 0.5)


@pytest.mark.parametrize("gamma", [0.5, 0.75, 0.9])
def test_an_unfinished_evaluation_costs_all_that_the_bound_allows(gamma):
    rng = np.random.default_rng(0)
    while (case := robust_partial_policy_iteration.misled(rng)).mdp.gamma != gamma:
        pass
    trace = robust_partial_policy_iteration.run(case)
    assert trace.losses[0] == pytest.approx(0.0, abs=1e-12)
    full = 2 * gamma * trace.errors[0] / (1 - gamma)
    assert trace.losses[1] == pytest.approx(0.999 * full)


# ---- both players frozen ------------------------------------------------------------------------


def test_naive_policy_iteration_cycles():
    """From (60, 80): 80, 20, 80, 20, while the robust value of state 1 is 61."""
    values = robust_residual_contraction.run(robust_residual_contraction.cycle(), safe=False).values
    np.testing.assert_allclose(values[:, 0], 60.0, rtol=1e-12)
    np.testing.assert_allclose(values[:, 1], [80, 20, 80, 20, 80, 20], rtol=1e-12)


def test_the_residual_of_naive_policy_iteration_does_not_shrink():
    case = robust_residual_contraction.cycle()
    trace = robust_residual_contraction.run(case, safe=False)
    np.testing.assert_allclose(trace.residuals, 3.0, rtol=1e-9)
    safe = robust_residual_contraction.run(case)
    np.testing.assert_allclose(safe.residuals, 3.0 * 0.95 ** np.arange(6), rtol=1e-9)


@pytest.mark.parametrize("limit", [10, 60, 200])
def test_naive_policy_iteration_is_reported_as_not_converged(limit):
    solution = robust_residual_contraction.naively(robust_residual_contraction.cycle(), limit)
    assert solution.convergence.status is Status.MAX_ITER
    assert solution.convergence.iterations == limit
    error = np.abs(solution.v - [60.0, 61.0]).max()
    assert error <= solution.convergence.error_bound
    assert solution.convergence.error_bound > 1.0


@pytest.mark.parametrize(
    "planner",
    [
        rcpi,
        partial_policy_iteration,
        robust_modified_policy_iteration,
        robust_policy_iteration,
        robust_value_iteration,
    ],
)
@pytest.mark.parametrize("start", [(60.0, 80.0), (60.0, 20.0), (0.0, 0.0)])
def test_the_planners_solve_what_naive_policy_iteration_cycles_on(planner, start):
    case = robust_residual_contraction.cycle()
    solution = planner(case.mdp, case.ambiguity, tol=1e-9, v0=start).require_converged()
    np.testing.assert_allclose(solution.v, [60.0, 61.0], atol=1e-8)
    np.testing.assert_array_equal(solution.policy, [0, 1])
    np.testing.assert_allclose(solve(solution.worst_case, tol=1e-9).v, [60.0, 61.0], atol=1e-8)


def test_naive_policy_iteration_converges_where_nature_breaks_the_tie_the_other_way():
    case = robust_residual_contraction.cycle()
    swapped = FiniteSet(case.ambiguity.rows[::-1], coupled=False)
    here = partial(robust_residual_contraction.Case, case.mdp)
    kind = robust_residual_contraction.naively(here(swapped, np.zeros(2)), 10)
    assert kind.convergence.status is Status.CONVERGED
    np.testing.assert_allclose(kind.v, [60.0, 61.0])
    unkind = robust_residual_contraction.naively(here(case.ambiguity, np.zeros(2)), 10)
    assert unkind.convergence.status is Status.MAX_ITER


# ---- what the chains accept ---------------------------------------------------------------------


def test_the_chains_refuse_cases_outside_their_theorem():
    mdp, other = games.random_pair(np.random.default_rng(0))
    far = build([[((1,), 0.0)]], Discounted(mdp.gamma))
    assert games.are_paired(mdp, other)
    assert not games.are_paired(mdp, far)
    assert not games.are_paired(mdp, other.with_objective(Discounted(0.1)))
    assert not robust_saddle.admissible(robust_saddle.Case(mdp, other, 0.0))
    assert games.is_game(mdp, L1Ball(0.1, "all"), np.zeros(mdp.n_states))
    assert not games.is_game(mdp, L1Ball(np.full(mdp.n_states, 0.1), "all"))
    assert not games.is_game(mdp, L1Ball(0.1, "all"), np.full(mdp.n_states, 1e6))
    assert not games.is_game(far, games.both(mdp, other))
    assert not games.is_game(mdp.with_objective(Discounted(0.99)), KLBall(0.1))
    policy = np.ones((mdp.n_states, mdp.n_actions))
    improper = robust_static_dynamic.Case(mdp, other, policy * 2, np.zeros(mdp.n_states))
    assert not robust_static_dynamic.admissible(improper)
