"""Planning in linear MDPs: known numbers, a slow second way, tabular solvers, limits."""

import itertools

import numpy as np
import pytest
from linear_oracle import TINY, random_rows, slow_plan, tiny_mdp

from mdptheory import FiniteHorizon, L1Ball, TabularMDP
from mdptheory.environments import random_simplex_mdp, simulated_linear_mdp, simulated_target
from mdptheory.errors import UnderflowWarning
from mdptheory.models import (
    ChiSquarePenalty,
    KLBall,
    KLPenalty,
    LinearMDP,
    TVBall,
    TVPenalty,
)
from mdptheory.solvers import (
    backward_induction,
    expected_total,
    linear_evaluate,
    linear_occupation,
    linear_plan,
    robust_backward_induction,
    robust_operator,
)

NEAR = {"rtol": 0, "atol": 1e-10}
PENALTIES = {"tv": TVPenalty, "kl": KLPenalty, "chi2": ChiSquarePenalty}
SOFT = (0.0, 0.3)


def goal_only(kind, level):
    """The level at the goal factor of the first step; elsewhere nature may do nothing."""
    levels = np.full((3, 4), 0.0 if kind in (TVBall, KLBall) else np.inf)
    levels[0, 3] = level
    return kind(levels)


def at_start(plan):
    return plan.v[0, 0]


def mean_weight(mdp, plan):
    return plan.pi[0, 0] @ mdp.phi[0, :, 3]


# ---- known numbers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("xi", "second", "first", "switch", "q_switch"),
    [
        (0.1, 1.03976, 1.42323214, 0.48064, 0.48012),
        (0.2, 1.24975, 1.62425013, 0.37575, 0.375125),
        (0.3, 1.43976, 1.7753281, 0.28084, 0.28012),
    ],
)
def test_the_simulated_mdp_and_where_its_best_action_changes(xi, second, first, switch, q_switch):
    mdp = simulated_linear_mdp(xi)
    plan = linear_plan(mdp)
    assert plan.v[1, 1] == pytest.approx(second, abs=1e-6)
    assert at_start(plan) == pytest.approx(first, abs=1e-6)
    for below, action in ((-1e-4, 15), (1e-4, 0)):
        robust = linear_plan(mdp, goal_only(TVBall, round(switch + below, 6)))
        assert robust.policy[0, 0] == action
        aware = linear_plan(simulated_target(mdp, q_switch + below))
        assert aware.policy[0, 0] == action
    least, most = (
        [at_start(linear_evaluate(simulated_target(mdp, q), policy)) for q in (0, q_switch, 1)]
        for policy in (np.tile([[0], [15], [15]], 5), np.full((3, 5), 15))
    )
    assert least[0] < most[0]
    assert least[1] == pytest.approx(most[1], abs=2e-5)
    assert least[2] > most[2]


@pytest.mark.parametrize("q", [0.0, 0.4, 1.0])
def test_target_values_in_closed_form(q):
    mdp = simulated_linear_mdp(0.2)
    second = 2 * 0.5 + 0.5 * 0.999 * 0.5
    for u, action in ((0.1, 0), (0.5, 15)):
        value = at_start(
            linear_evaluate(simulated_target(mdp, q), np.tile([[action], [15], [15]], 5))
        )
        assert value == pytest.approx((1 - u) * second + 2 * u * (1 - q), abs=1e-12)


@pytest.mark.parametrize(
    ("kind", "level", "value", "action"),
    [
        (TVBall, 0.3, 1.32425, 15),
        (TVBall, 0.4, 1.24365, 0),
        (TVBall, 0.5, 1.22365, 0),
        (TVPenalty, 0.5, 1.17365, 0),
        (TVPenalty, 1.0, 1.22365, 0),
        (TVPenalty, 1.5, 1.37425, 15),
    ],
)
def test_an_ambiguous_goal_factor(kind, level, value, action):
    plan = linear_plan(simulated_linear_mdp(0.2), goal_only(kind, level))
    # The published digits are five; 0.999 * 1.24975 has more.
    assert at_start(plan) == pytest.approx(value, abs=1e-6)
    assert plan.policy[0, 0] == action


@pytest.mark.parametrize(
    ("ambiguity", "gap", "value"),
    [
        (None, 0.2516, 1.53801),
        (KLPenalty(0.05), -0.0782, 0.32581),
        (KLPenalty(0.2), -0.1624, 0.96320),
        (KLPenalty(0.5), 0.0534, 1.24221),
        (KLPenalty(1.0), 0.1827, 1.43444),
        (ChiSquarePenalty(0.05), -0.0671, None),
        (ChiSquarePenalty(0.1), 0.0724, None),
        (ChiSquarePenalty(0.5), 0.2124, None),
        (TVPenalty(0.5), -0.0098, None),
        (TVPenalty(1.0), -0.0196, None),
        (TVPenalty(2.0), 0.2516, None),
    ],
)
def test_a_leaky_goal_makes_the_best_action_react(ambiguity, gap, value):
    plan = linear_plan(simulated_linear_mdp(0.2, leaky=0.05), ambiguity)
    assert plan.q[0, 0, 15] - plan.q[0, 0, 0] == pytest.approx(gap, abs=5.1e-5)  # four decimals
    if value is not None:
        assert at_start(plan) == pytest.approx(value, abs=5.1e-6)  # five decimals


@pytest.mark.parametrize(
    ("leaky", "ambiguity", "tau", "value", "weight"),
    [
        (0.0, None, 0.01, 1.575772, 0.499856),
        (0.0, None, 0.05, 1.420477, 0.446927),
        (0.0, None, 0.3, 1.228278, 0.337319),
        (0.0, goal_only(TVBall, 0.5), 0.01, 1.163300, 0.144832),
        (0.0, goal_only(TVBall, 0.5), 0.05, 1.043266, 0.287761),
        (0.0, goal_only(TVBall, 0.5), 0.3, 0.907310, 0.304427),
        (0.05, KLPenalty(0.2), 0.05, 0.777174, 0.251448),
        (0.05, ChiSquarePenalty(0.1), 0.05, 1.099604, 0.369754),
        (0.05, TVPenalty(1.0), 0.05, 0.984540, 0.290208),
    ],
)
def test_soft_values(leaky, ambiguity, tau, value, weight):
    mdp = simulated_linear_mdp(0.2, leaky=leaky)
    plan = linear_plan(mdp, ambiguity, tau=tau)
    assert at_start(plan) == pytest.approx(value, abs=1e-6)
    assert mean_weight(mdp, plan) == pytest.approx(weight, abs=1e-6)


@pytest.mark.parametrize("kind", PENALTIES)
@pytest.mark.parametrize("xi", [0.1, 0.2, 0.3])
def test_one_price_for_all_factors_never_changes_the_best_first_action(kind, xi):
    """The robustness published for this environment is no property of its exact optimum."""
    for level in np.geomspace(1e-3, 1e3, 25):
        plan = linear_plan(simulated_linear_mdp(xi), PENALTIES[kind](level))
        assert plan.policy[0, 0] == 15, level
        assert plan.q[0, 0, 15] > plan.q[0, 0, :15].max(), level


def test_uniform_behaviour_never_reaches_two_of_the_first_factors():
    """The smallest eigenvalue that published bounds divide by is 0 on this environment."""
    mdp = simulated_linear_mdp(0.2)
    uniform = np.full((5, 16), 1 / 16)
    law = linear_occupation(mdp, uniform)
    grams = [np.einsum("s,sa,sai,saj->ij", law[h], uniform, mdp.phi, mdp.phi) for h in range(3)]
    smallest = [np.linalg.eigvalsh(gram)[0] for gram in grams]
    assert abs(min(smallest)) < 1e-15
    np.testing.assert_allclose(grams[0][[1, 2]], 0.0, atol=0)


# ---- a slow second way ------------------------------------------------------------------------


@pytest.mark.parametrize("tau", SOFT)
@pytest.mark.parametrize("kind", TINY)
@pytest.mark.parametrize("seed", range(3))
def test_plan_and_evaluation_agree_with_a_conic_solver(seed, kind, tau):
    pytest.importorskip("cvxpy")
    mdp = tiny_mdp(seed, stepwise=seed == 2)
    level = (0.1, 0.3, 0.7)[seed]
    ambiguity, reference = TINY[kind](level), np.array([0.3, 0.7])
    plan = linear_plan(mdp, ambiguity, tau=tau, reference=reference)
    np.testing.assert_allclose(
        plan.v, slow_plan(mdp, ambiguity, level, tau, reference), rtol=0, atol=1e-6
    )
    pi = random_rows(np.random.default_rng(seed), mdp.horizon, mdp.n_states, mdp.n_actions)
    value = linear_evaluate(mdp, pi, ambiguity, tau=tau, reference=reference)
    np.testing.assert_allclose(
        value.v, slow_plan(mdp, ambiguity, level, tau, reference, pi), rtol=0, atol=1e-6
    )


def test_costly_policies_have_negative_values_and_nature_finds_them():
    mdp = LinearMDP(np.ones((2, 2, 1)), np.zeros((3, 1)), np.tile([[[1.0, 0.0]]], (3, 1, 1)))
    pi = np.array([[0.5, 0.5], [0.0, 1.0]])  # state 1 is costly, and the nominal kernel avoids it
    value = linear_evaluate(mdp, pi, TVBall(0.5), tau=1.0)
    cost = np.log(2.0)
    np.testing.assert_allclose(value.v[2], [0.0, -cost], **NEAR)
    np.testing.assert_allclose(value.v[1], [-cost / 2, -1.5 * cost], **NEAR)
    np.testing.assert_allclose(value.v[0], [-cost, -2 * cost], **NEAR)


@pytest.mark.parametrize("kind", [None, *TINY])
@pytest.mark.parametrize("tau", SOFT)
def test_parts_of_a_plan_belong_together(kind, tau):
    mdp = random_simplex_mdp(5, 3, 4, 4, fail=True, rng=3)
    ambiguity = None if kind is None else TINY[kind](0.4)
    plan = linear_plan(mdp, ambiguity, tau=tau)
    again = linear_evaluate(mdp, plan.pi, ambiguity, tau=tau)
    np.testing.assert_allclose(again.v, plan.v, **NEAR)
    np.testing.assert_allclose(again.worst, plan.worst, rtol=0, atol=1e-6)
    np.testing.assert_allclose(plan.worst.sum(axis=2), 1.0, **NEAR)
    assert (plan.worst >= 0).all()
    onward = np.stack([mdp.known.phi_at(h) @ plan.nu[h] for h in range(4)])
    np.testing.assert_allclose(plan.q, mdp.reward + onward, **NEAR)
    np.testing.assert_allclose(robust_operator(mdp, ambiguity, plan.v), onward, **NEAR)
    np.testing.assert_array_equal(plan.policy, plan.pi.argmax(axis=2))
    assert plan.ambiguity is ambiguity
    assert plan.tau == tau
    if kind in (None, "tv ball", "kl ball"):  # her reply is worth what she makes of it
        worth = np.einsum("hds,hs->hd", plan.worst, plan.v[1:])
        np.testing.assert_allclose(plan.nu, worth, **NEAR)


def test_expectations_by_enumeration():
    mdp = tiny_mdp(4, horizon=3, stepwise=True)
    rng = np.random.default_rng(0)
    pi, cost = random_rows(rng, 3, 3, 2), rng.normal(size=(3, 3, 2))
    other = random_rows(rng, 3, 2, 3)
    for factors in (None, other):
        model = mdp if factors is None else mdp.with_factors(factors)
        law, total = np.zeros((3, 3)), np.zeros(3)
        for path in itertools.product(range(3), range(2), repeat=3):
            chance, spent = 1.0, 0.0
            for h in range(3):
                s, a = path[2 * h], path[2 * h + 1]
                chance *= pi[h, s, a] * (model.kernel(h)[s, a, path[2 * h + 2]] if h < 2 else 1.0)
                spent += cost[h, s, a]
            total[path[0]] += chance * spent
            for h in range(3):
                law[h, path[2 * h]] += chance * mdp.start[path[0]]
        np.testing.assert_allclose(linear_occupation(mdp, pi, factors), law, **NEAR)
        np.testing.assert_allclose(expected_total(mdp, pi, cost, factors), total, **NEAR)


def test_value_of_a_policy_is_its_expected_reward_and_charge():
    mdp, tau = random_simplex_mdp(4, 3, 3, 4, rng=1), 0.2
    pi = random_rows(np.random.default_rng(1), 4, 4, 3)
    plan = linear_evaluate(mdp, pi, TVBall(0.3), tau=tau)
    charge = np.where(pi > 0, np.log(np.maximum(pi, 1e-300) * 3), 0.0)
    total = expected_total(mdp, pi, mdp.reward - tau * charge, plan.worst)
    np.testing.assert_allclose(plan.v[0], total, **NEAR)


@pytest.mark.parametrize("kind", [None, *TINY])
def test_no_policy_on_a_grid_beats_the_soft_plan(kind):
    mdp = tiny_mdp(6, n_states=2, n_actions=3, horizon=2)
    ambiguity = None if kind is None else TINY[kind](0.3)
    best = linear_plan(mdp, ambiguity, tau=0.4).v[0]
    rng, found = np.random.default_rng(0), np.full(2, -np.inf)
    for weights in rng.integers(0, 11, size=(1500, 2, 2, 3)) + 1e-9:
        pi = weights / weights.sum(axis=2, keepdims=True)
        found = np.maximum(found, linear_evaluate(mdp, pi, ambiguity, tau=0.4).v[0])
    assert (best >= found - 1e-6).all()
    assert (best <= found + 0.05).all()  # the grid comes near


# ---- tabular solvers --------------------------------------------------------------------------


def tabular(seed, stages=None):
    rng = np.random.default_rng(seed)
    lead = () if stages is None else (stages,)
    P = random_rows(rng, *lead, 4, 3, 4)
    reward = rng.integers(0, 5, size=(*lead, 4, 3)) / 4
    return TabularMDP.from_dense(P, reward, objective=FiniteHorizon(4))


@pytest.mark.parametrize("stages", [None, 4])
@pytest.mark.parametrize("seed", range(3))
def test_one_hot_features_are_the_tabular_problem(seed, stages):
    mdp = tabular(seed, stages)
    linear = LinearMDP.from_tabular(mdp)
    plan, nominal = linear_plan(linear), backward_induction(mdp)
    np.testing.assert_allclose(plan.v, nominal.v, **NEAR)
    np.testing.assert_allclose(plan.q, nominal.q, **NEAR)
    for radius in (0.0, 0.1, 0.4, 1.0):
        plan = linear_plan(linear, TVBall(radius))
        robust = robust_backward_induction(mdp, L1Ball(2 * radius, "all"))
        np.testing.assert_allclose(plan.v, robust.v, **NEAR)
        plan = linear_plan(linear, KLBall(radius))
        robust = robust_backward_induction(mdp, KLBall(radius))
        np.testing.assert_allclose(plan.v, robust.v, rtol=0, atol=1e-9)


# ---- limits and relations ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", [None, *TINY])
def test_temperatures_join_the_hard_plan_and_the_reference(kind):
    mdp = random_simplex_mdp(4, 3, 3, 3, rng=5)
    ambiguity = None if kind is None else TINY[kind](0.4)
    hard = linear_plan(mdp, ambiguity)
    values = [hard.v]
    for tau in (0.005, 0.05, 0.5, 5.0):
        soft = linear_plan(mdp, ambiguity, tau=tau)
        rest = tau * np.log(3) * np.arange(3, -1, -1)[:, None]
        assert (soft.v <= values[-1] + 1e-12).all()
        assert (hard.v <= soft.v + rest + 1e-12).all()
        values.append(soft.v)
    with pytest.warns(UnderflowWarning, match="tau is 1e-09 at horizon 3: policies are numerical"):
        cold = linear_plan(mdp, ambiguity, tau=1e-9)
    np.testing.assert_allclose(cold.v, hard.v, rtol=0, atol=4e-9)
    assert np.isfinite(cold.pi).all()
    reference = np.array([0.2, 0.3, 0.5])
    hot = linear_plan(mdp, ambiguity, tau=1e9, reference=reference)
    alone = linear_evaluate(mdp, np.tile(reference, (4, 1)), ambiguity)
    np.testing.assert_allclose(hot.v, alone.v, rtol=0, atol=1e-7)
    np.testing.assert_allclose(hot.pi, np.broadcast_to(reference, hot.pi.shape), rtol=1e-8)


@pytest.mark.parametrize("tau", [1e-3, 1e-300, 5e-324])
def test_low_temperatures_neither_overflow_nor_lose_the_value(tau):
    mdp = simulated_linear_mdp(0.2)
    with pytest.warns(UnderflowWarning, match="numerically deterministic"):
        plan = linear_plan(mdp, TVBall(0.1), tau=tau)
    assert at_start(plan) == pytest.approx(at_start(linear_plan(mdp, TVBall(0.1))), abs=0.01)
    np.testing.assert_allclose(plan.pi.sum(axis=2), 1.0, **NEAR)


def test_temperatures_down_to_the_horizon_over_700_do_not_warn():
    linear_plan(simulated_linear_mdp(0.2), tau=3 / 700)


@pytest.mark.parametrize("tau", SOFT)
def test_more_freedom_for_nature_costs_and_none_is_nominal(tau):
    mdp = random_simplex_mdp(5, 2, 3, 3, fail=True, rng=2)
    nominal = linear_plan(mdp, tau=tau).v
    for kind in TINY.values():
        ball = kind in (TVBall, KLBall)
        levels = (0.0, 0.01, 0.1, 0.5, 1.0) if ball else (np.inf, 10.0, 1.0, 0.1, 0.01)
        values = [linear_plan(mdp, kind(level), tau=tau).v for level in levels]
        np.testing.assert_allclose(values[0], nominal, rtol=0, atol=1e-13)
        for more, less in itertools.pairwise(values):
            assert (less <= more + 1e-9).all()
        assert (values[-1][0] < nominal[0] - 1e-3).any()


def test_equally_bad_states_lose_to_the_fail_state():
    mdp = simulated_linear_mdp(0.2)
    plan = linear_plan(mdp, TVBall(0.5))
    assert (plan.v[3] == 0.0).all()  # all states are equally bad after the last step
    np.testing.assert_allclose(plan.worst[0, 3], [0, 0, 0, 0.5, 0.5], **NEAR)


def test_arrays_are_read_only_and_repeated_calls_give_the_same_bits():
    mdp = random_simplex_mdp(5, 3, 4, 4, rng=0)
    before = mdp.mu.tobytes(), mdp.phi.tobytes()
    for kind in TINY.values():
        first, again = (linear_plan(mdp, kind(0.3), tau=0.1) for _ in range(2))
        for name in ("v", "q", "pi", "nu", "worst"):
            array = getattr(first, name)
            assert array.tobytes() == getattr(again, name).tobytes()
            assert not array.flags.writeable
        given = np.array(first.pi)
        given.setflags(write=False)
        linear_evaluate(mdp, given, kind(0.3))
        assert given.tobytes() == first.pi.tobytes()
    assert before == (mdp.mu.tobytes(), mdp.phi.tobytes())
