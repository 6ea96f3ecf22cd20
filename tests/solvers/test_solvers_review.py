"""The smallest models on which a solver once claimed more than rational arithmetic confirms."""

import math

import numpy as np
import pytest

from mdptheory import (
    Discounted,
    FiniteHorizon,
    TabularMDP,
    TotalReward,
    linear_program,
    modified_policy_iteration,
    policy_iteration,
    solve,
    value_iteration,
)
from mdptheory.certificates import check
from mdptheory.errors import InvalidModelError
from mdptheory.models import Status, absorbing_states

PLANNERS = [solve, value_iteration, modified_policy_iteration, policy_iteration]


def chain_of_one(prob, reward, objective, transition_reward=None):
    """One state, one row that loops."""
    return TabularMDP(
        choice_ptr=[0, 1], action=[0], row_ptr=[0, 1], next_state=[0], prob=[prob],
        reward=[reward], objective=objective, n_states=1,
        transition_reward=None if transition_reward is None else [transition_reward],
    )  # fmt: skip


def leaving(stay, go, reward=-1.0):
    """State 1 leads to the absorbing state 0 with probability ``go``."""
    return TabularMDP(
        choice_ptr=[0, 1, 2], action=[0, 0], row_ptr=[0, 1, 3], next_state=[0, 0, 1],
        prob=[1.0, go, stay], reward=[0.0, reward], objective=TotalReward(), n_states=2,
    )  # fmt: skip


def confirm(mdp, solution):
    """Require the exact checker's word and an honest status."""
    assert check(solution.certificate, mdp, exact=True).exact
    assert np.isfinite(solution.v).all()
    assert math.isfinite(solution.convergence.error_bound)


# ---- rounding allowances ----------------------------------------------------------------------


@pytest.mark.parametrize("solver", PLANNERS)
@pytest.mark.parametrize(
    "mdp",
    [
        pytest.param(chain_of_one(0.999999999999, 2e-321, Discounted(0.999999995)), id="subnormal"),
        pytest.param(chain_of_one(1.0 + 9e-10, 1.0, Discounted(1 - 1.1e-9)), id="little room"),
        pytest.param(
            chain_of_one(1.0, 1.0000000005, Discounted(0.5), transition_reward=1.0),
            id="reward strays from its average",
        ),
    ],
)
def test_the_exact_check_accepts(solver, mdp):
    options = {"max_iter": 200} if solver is value_iteration else {}
    confirm(mdp, solver(mdp, tol=1e-3, **options))


@pytest.mark.parametrize(
    "mdp",
    [
        chain_of_one(1.0, -3e-321, FiniteHorizon(4, 0.5)),
        chain_of_one(1.0, -20000.00001, FiniteHorizon(2, 0.9, [2e5]), transition_reward=-2e4),
        chain_of_one(1.00000000099, 1e289, FiniteHorizon(3, 1.0, [-1e290])),
    ],
)
def test_the_exact_check_accepts_a_horizon(mdp):
    confirm(mdp, solve(mdp))


def test_rewards_of_zero_leave_no_gap():
    solution = solve(chain_of_one(1.0, 0.0, Discounted(0.9)), tol=1e-300)
    assert solution.convergence.status is Status.CONVERGED
    assert solution.convergence.error_bound == 0.0


def test_a_reward_that_is_never_paid_does_not_widen_the_bounds():
    mdp = TabularMDP(
        choice_ptr=[0, 1, 2], action=[0, 0], row_ptr=[0, 2, 3], next_state=[0, 1, 1],
        prob=[1.0, 0.0, 1.0], reward=[1.0, 0.0], objective=Discounted(0.5), n_states=2,
        transition_reward=[1.0, 1e300, 0.0],
    )  # fmt: skip
    solution = solve(mdp, tol=1e-9)
    assert solution.convergence.status is Status.CONVERGED
    confirm(mdp, solution)


# ---- statuses ---------------------------------------------------------------------------------


def test_a_horizon_admits_that_rounding_exceeds_the_tolerance():
    mdp = chain_of_one(1.0, 0.1, FiniteHorizon(3))
    assert solve(mdp, tol=1e-300).convergence.status is Status.ROUNDING
    assert solve(mdp, tol=1e-9).convergence.status is Status.CONVERGED
    with pytest.raises(InvalidModelError, match=r"tol is -1\.0"):
        solve(mdp, tol=-1.0)


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
def test_a_limit_reports_bound_and_residual_of_the_last_full_sweep(limit):
    rng = np.random.default_rng(limit)
    P = rng.dirichlet(np.ones(20), size=(20, 4))
    mdp = TabularMDP.from_dense(P, rng.random((20, 4)), 0.95, normalize=True)
    solution = value_iteration(mdp, tol=1e-12, max_iter=limit)
    assert solution.convergence.status is Status.MAX_ITER
    half = solution.certificate.gap / 2
    assert solution.convergence.error_bound == pytest.approx(half, rel=1e-9)


@pytest.mark.parametrize("solver", PLANNERS)
def test_gamma_zero_with_huge_rewards_warns_of_nothing(solver):
    mdp = chain_of_one(1.0, 1e290, Discounted(0.0))
    solution = solver(mdp, tol=1e-300)
    assert solution.v.tolist() == [1e290]
    assert solution.convergence.status is Status.ROUNDING
    confirm(mdp, solution)


@pytest.mark.parametrize("solver", [value_iteration, modified_policy_iteration])
def test_a_cycle_on_which_roundings_add_up_ends_as_rounding(solver):
    rng = np.random.default_rng(0)
    reward = rng.integers(-2, 3, (34, 1)) * (rng.random((34, 1)) < 0.2) / 3
    P = np.roll(np.eye(34), 1, axis=1)[:, None, :]
    mdp = TabularMDP.from_dense(P, reward, 0.99)
    solution = solver(mdp, tol=1e-300)
    assert solution.convergence.status is Status.ROUNDING
    assert solution.convergence.iterations < 6_000
    assert solution.convergence.error_bound < 1e-8
    confirm(mdp, solution)


# ---- overflow and no contraction --------------------------------------------------------------


@pytest.mark.parametrize("solver", PLANNERS)
def test_overflow_is_refused(solver):
    mdp = chain_of_one(1.0, 1e308, Discounted(0.9))
    with pytest.raises(InvalidModelError, match=r"values overflow .* reward is 1e\+308"):
        solver(mdp)


@pytest.mark.parametrize("objective", [FiniteHorizon(5), TotalReward()])
def test_overflow_is_refused_without_discount(objective):
    mdp = leaving(0.999, 0.001, reward=-1e308).with_objective(objective)
    with pytest.raises(InvalidModelError, match="values overflow"):
        solve(mdp)


def test_a_start_that_overflows_is_refused():
    mdp = chain_of_one(1.0, 1.0, Discounted(0.9))
    with pytest.raises(InvalidModelError, match="starting values small enough"):
        value_iteration(mdp, v0=[1.7e308])


@pytest.mark.parametrize("solver", [*PLANNERS, linear_program])
def test_rows_that_need_not_contract_are_refused(solver):
    mdp = chain_of_one(1.0 + 9e-10, 1.0, Discounted(1 - 1e-10))
    with pytest.raises(InvalidModelError, match=r"rows that sum to 1 only within 9e-10"):
        solver(mdp)


# ---- total reward -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mdp",
    [
        pytest.param(leaving(0.9999999490100024, 4.999999745050013e-08), id="slow, sum below 1"),
        pytest.param(leaving(0.999 * (1 - 9e-10), 0.001 * (1 - 9e-10)), id="sum below 1"),
        pytest.param(leaving(0.999 * (1 + 9e-10), 0.001 * (1 + 9e-10)), id="sum above 1"),
        pytest.param(leaving(0.5, 0.5, reward=-1e-15), id="small rewards"),
    ],
)
def test_absorption_weights_hold_under_both_readings(mdp):
    solution = solve(mdp)
    assert solution.convergence.error_bound < 0.2 * abs(solution.v[1])
    confirm(mdp, solution)


def test_absorption_too_rare_for_floats_is_refused():
    with pytest.raises(InvalidModelError, match="values overflow"):
        solve(leaving(1.0, 1e-17))


def test_costs_far_below_the_largest_value_still_tell_rows_apart():
    """Waiting costs 1 where values are about 1e8: no near-tie, hence certified."""
    mdp = TabularMDP(
        choice_ptr=[0, 1, 3], action=[0, 0, 1], row_ptr=[0, 1, 2, 3], next_state=[0, 0, 1],
        prob=[1.0, 1.0, 1.0], reward=[0.0, -1e8, -1.0], objective=TotalReward(), n_states=2,
    )  # fmt: skip
    solution = solve(mdp)
    assert solution.convergence.status is Status.CONVERGED
    assert solution.v.tolist() == [0.0, -1e8]
    confirm(mdp, solution)


def test_transitions_of_probability_zero_do_not_undo_absorption():
    mdp = TabularMDP(
        choice_ptr=[0, 1, 2], action=[0, 0], row_ptr=[0, 2, 3], next_state=[0, 1, 0],
        prob=[1.0, 0.0, 1.0], reward=[0.0, -2.0], objective=TotalReward(), n_states=2,
        transition_reward=[0.0, 7.0, -2.0],
    )  # fmt: skip
    assert absorbing_states(mdp).tolist() == [True, False]
    solution = solve(mdp)
    assert solution.v.tolist() == [0.0, -2.0]
    confirm(mdp, solution)


def test_rewards_that_cancel_are_not_absorption():
    mdp = TabularMDP(
        choice_ptr=[0, 1, 2], action=[0, 0], row_ptr=[0, 2, 3], next_state=[0, 1, 1],
        prob=[0.5, 0.5, 1.0], reward=[0.0, 0.0], objective=TotalReward(), n_states=2,
        transition_reward=[1.0, -1.0, 0.0],
    )  # fmt: skip
    assert absorbing_states(mdp).tolist() == [False, True]


def test_several_ends_a_dominated_exit_and_a_gaining_cycle():
    def model(cycle):
        return TabularMDP(
            choice_ptr=[0, 1, 2, 4], action=[0, 0, 0, 1], row_ptr=[0, 1, 2, 4, 5],
            next_state=[0, 1, 0, 1, 2], prob=[1.0, 1.0, 0.25, 0.75, 1.0],
            reward=[0.0, 0.0, -100.0, cycle], objective=TotalReward(), n_states=3,
        )  # fmt: skip

    solution = solve(model(-1.0))  # waiting is cheaper each step, but never ends
    assert solution.v.tolist() == [0.0, 0.0, -100.0]
    confirm(model(-1.0), solution)
    assert solve(model(0.0)).convergence.status is Status.UNCERTIFIED
    with pytest.raises(InvalidModelError, match="cycle through state 2 gains"):
        solve(model(1.0))
