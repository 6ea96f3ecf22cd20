"""Total reward until absorption: closed forms, cycles of every sign, states without a way out."""

import numpy as np
import pytest
from solver_models import planner

from mdptheory import Status, TabularMDP, TotalReward, environments
from mdptheory.certificates import check
from mdptheory.errors import InvalidModelError, NotConvergedError

both = pytest.mark.parametrize("solver", ["policy_iteration", "solve"])


def total(rows, n, **names):
    """Build from ``rows[s] = [(reward, {successor: probability}), ...]``."""
    flat = [row for choices in rows for row in choices]
    return TabularMDP(
        choice_ptr=np.cumsum([0, *map(len, rows)]),
        action=[a for choices in rows for a in range(len(choices))],
        row_ptr=np.cumsum([0, *(len(p) for _, p in flat)]),
        next_state=[t for _, p in flat for t in sorted(p)],
        prob=[p[t] for _, p in flat for t in sorted(p)],
        reward=[r for r, _ in flat], objective=TotalReward(), n_states=n, **names,
    )  # fmt: skip


END = [(0.0, {0: 1.0})]


@both
@pytest.mark.parametrize("p", [1.0, 0.5, 0.01])
def test_waiting_for_a_coin_takes_1_over_p_steps(solver, p):
    row = {0: p, 1: 1 - p} if p < 1 else {0: 1.0}
    mdp = total([END, [(-1.0, row)]], 2)
    solution = planner(solver)(mdp).require_converged()
    np.testing.assert_allclose(solution.v, [0.0, -1 / p], rtol=1e-12)
    assert check(solution.certificate, mdp, exact=True).exact


@both
def test_a_fair_walk_between_two_ends_takes_s_times_n_minus_s_steps(solver):
    n = 12
    rows = [[(-1.0, {s - 1: 0.5, s + 1: 0.5})] for s in range(1, n)]
    mdp = total([END, *rows, [(0.0, {n: 1.0})]], n + 1)
    solution = planner(solver)(mdp).require_converged()
    s = np.arange(n + 1)
    np.testing.assert_allclose(solution.v, -s * (n - s), rtol=1e-12, atol=1e-12)
    assert check(solution.certificate, mdp, exact=True).exact


@both
def test_bold_play_is_optimal_at_bad_odds(solver):
    def bold(x):
        if x in (0.0, 1.0):
            return x
        return 0.4 * bold(2 * x) if x <= 0.5 else 0.4 + 0.6 * bold(2 * x - 1)

    mdp = environments.gamblers_ruin_total(16, 0.4)
    solution = planner(solver)(mdp).require_converged()
    want = [0.0, *(bold(s / 16) for s in range(1, 16)), 0.0]
    np.testing.assert_allclose(solution.v, want, rtol=0, atol=1e-9)
    assert check(solution.certificate, mdp, exact=True).exact


@both
def test_timid_play_is_optimal_at_good_odds(solver):
    mdp = environments.gamblers_ruin_total(8, 0.6)
    z, s = 2 / 3, np.arange(1, 8)
    v = planner(solver)(mdp).require_converged().v
    np.testing.assert_allclose(v[1:8], (1 - z**s) / (1 - z**8), rtol=1e-12)


@both
def test_the_shorter_of_two_roads(solver):
    """Three steps of cost 1, or one step of cost 2.5."""
    mdp = total([END, [(-1.0, {0: 1.0})], [(-1.0, {1: 1.0})],
                 [(-1.0, {2: 1.0}), (-2.5, {0: 1.0})]], 4)  # fmt: skip
    solution = planner(solver)(mdp).require_converged()
    assert solution.v == pytest.approx([0, -1, -2, -2.5])
    assert solution.policy[3] == 1


@both
@pytest.mark.parametrize("cost", [-1.0, -1e-3])
def test_cycles_that_cost_are_left_and_certified(solver, cost):
    """Some policies go round for ever; they pay without end, so the answer is still proved."""
    mdp = total([END, [(cost, {2: 1.0}), (-5.0, {0: 1.0})], [(cost, {1: 1.0})]], 3)
    solution = planner(solver)(mdp).require_converged()
    assert solution.v == pytest.approx([0.0, -5.0, -5.0 + cost])
    assert solution.policy[1] == 1
    assert check(solution.certificate, mdp, exact=True).exact


@both
@pytest.mark.parametrize("reward", [1.0, 0.0, -1.0])
def test_free_cycles_leave_the_upper_bound_open(solver, reward):
    """Staying costs nothing, so rounding could hide that a cycle gains."""
    mdp = total([END, [(0.0, {1: 1.0}), (reward, {0: 1.0})]], 2)
    solution = planner(solver)(mdp)
    assert solution.convergence.status is Status.UNCERTIFIED
    assert solution.convergence.error_bound == np.inf
    assert solution.v == pytest.approx([0.0, reward])
    assert solution.policy[1] == 1
    assert np.isposinf(solution.certificate.upper).any()
    with pytest.raises(NotConvergedError, match="no bound could be proved"):
        solution.require_converged()


@both
def test_cycles_that_gain_are_refused(solver):
    mdp = total([END, [(1.0, {2: 1.0}), (-5.0, {0: 1.0})], [(-0.5, {1: 1.0})]], 3,
                state_names=("end", "x", "y"))  # fmt: skip
    with pytest.raises(InvalidModelError, match=r"unbounded: a cycle through state (1 .x|2 .y)"):
        planner(solver)(mdp)


@both
def test_a_state_without_a_way_out_is_refused(solver):
    mdp = total([END, [(-1.0, {0: 1.0})], [(-1.0, {3: 1.0})], [(-1.0, {2: 1.0})]], 4,
                state_names=("end", "a", "b", "c"))  # fmt: skip
    with pytest.raises(InvalidModelError, match=r"state 2 .b. cannot reach .* .2 of 4 states fail"):
        planner(solver)(mdp)


@both
def test_a_way_out_that_has_probability_0_is_none(solver):
    mdp = total([END, [(-1.0, {0: 0.0, 1: 1.0})]], 2)
    with pytest.raises(InvalidModelError, match="state 1 cannot reach an absorbing state"):
        planner(solver)(mdp)


@both
def test_a_way_out_that_rounding_swallows_is_not_certified(solver):
    """1 - p rounds to 1: the expected time is finite, but no float can show it."""
    mdp = total([END, [(-1.0, {0: 1e-17, 1: 1.0})]], 2)
    try:
        solution = planner(solver)(mdp)
    except InvalidModelError:
        return
    assert solution.convergence.status is not Status.CONVERGED


@both
@pytest.mark.parametrize("seed", range(6))
def test_random_shortest_paths_against_value_iteration(solver, seed):
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.full(9, 0.3), size=(9, 3))
    P[..., 0] += 0.05
    P /= P.sum(axis=-1, keepdims=True)
    P[0] = np.eye(9)[0]
    r = -rng.random((9, 3)) * 10.0 ** rng.integers(-3, 4)
    r[0] = 0.0
    mdp = TabularMDP.from_dense(P, r, objective=TotalReward())
    solution = planner(solver)(mdp, tol=1e-6 * max(1.0, np.abs(r).max())).require_converged()
    v = np.zeros(9)
    for _ in range(2000):
        v = (r + P @ v).max(axis=1)
    np.testing.assert_allclose(solution.v, v, rtol=1e-9, atol=1e-12)
    assert check(solution.certificate, mdp, exact=True).exact


@both
def test_a_tolerance_below_rounding(solver):
    mdp = total([END, [(-1.0, {0: 0.3, 1: 0.7})]], 2)
    solution = planner(solver)(mdp, tol=1e-300)
    assert solution.convergence.status is Status.ROUNDING
    assert 0 < solution.convergence.error_bound < 1e-12
    assert check(solution.certificate, mdp, exact=True).exact


def test_max_iter_before_the_policy_settles():
    mdp = total([END, [(-1.0, {0: 1.0})], [(-1.0, {1: 1.0}), (-9.0, {0: 1.0})],
                 [(-1.0, {2: 1.0}), (-20.0, {0: 1.0})]], 4)  # fmt: skip
    solution = planner("policy_iteration")(mdp, max_iter=1)
    assert solution.convergence.status is Status.MAX_ITER
    assert solution.convergence.error_bound == np.inf
    assert planner("policy_iteration")(mdp, max_iter=9).convergence.status is Status.CONVERGED


def test_the_largest_policy_class_is_searched():
    """Every absorbing state counts as an end, wherever it stands."""
    mdp = total([[(1.0, {1: 1.0}), (3.0, {2: 1.0})], [(0.0, {1: 1.0})], [(0.0, {2: 1.0})]], 3)
    assert planner("policy_iteration")(mdp).require_converged().v.tolist() == [3.0, 0.0, 0.0]
