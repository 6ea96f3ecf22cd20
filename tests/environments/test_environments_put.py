"""The American put: oracle values, a second route over all paths, features, data."""

import itertools
import re

import numpy as np
import pytest
from scipy import stats

from mdptheory.environments import AmericanPut, collect_real, put_value
from mdptheory.errors import InvalidModelError

RARE = 1e-7  # a correct law fails a test with this probability
FIRST = 99.17022004702574  # the first price of the published tests


def refuses(text, kind=InvalidModelError):
    return pytest.raises(kind, match=re.escape(text))


def by_paths(put, p, policy):
    """Expected payoff of a stopping rule: the sum over all 2^(H - 1) price paths."""
    total = 0.0
    for moves in itertools.product((put.up, put.down), repeat=put.horizon - 1):
        prices = put.start * np.cumprod([1.0, *moves])
        chance = np.prod([p if move == put.up else 1 - p for move in moves])
        stops = [h for h in range(put.horizon) if policy(h, prices[h : h + 1])[0]]
        total += chance * max(0.0, put.strike - prices[stops[0]]) if stops else 0.0
    return total


def by_recursion(put, price, h, low, high):
    """Best stopping under the worst probability on a grid of the interval, without a lattice."""
    if h == put.horizon:
        return 0.0
    up, down = (by_recursion(put, price * f, h + 1, low, high) for f in (put.up, put.down))
    on = min(p * up + (1 - p) * down for p in np.linspace(low, high, 5))
    return max(put.strike - price, 0.0, on)


# ---- exact values -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("p_up", "printed"),
    [(0.2, 21.160), (0.4, 8.833), (0.5, 3.905), (0.6, 1.926), (0.8, 0.830), (1.0, 0.830)],
)
def test_optimal_stopping_values(p_up, printed):
    put = AmericanPut(horizon=20, start=FIRST)
    assert put_value(put, p_up) == pytest.approx(printed, abs=5.001e-4)


@pytest.mark.parametrize("p", [0.0, 0.3, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("bound", [0.0, 97.0, 99.5, 200.0])
def test_values_of_stopping_rules_against_the_sum_over_paths(p, bound):
    put = AmericanPut(horizon=7, start=FIRST)

    def policy(step, prices):
        return prices < bound + step

    assert put_value(put, p, policy) == pytest.approx(by_paths(put, p, policy), abs=1e-12)


@pytest.mark.parametrize("radius", [0.0, 0.1, 0.3, 1.0])
@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_robust_values_against_a_recursion_over_all_paths(p, radius):
    put = AmericanPut(horizon=7, start=FIRST)
    expected = by_recursion(put, FIRST, 0, max(0.0, p - radius), min(1.0, p + radius))
    assert put_value(put, p, radius=radius) == pytest.approx(expected, abs=1e-12)


def test_nature_may_do_its_worst_against_a_rule_as_well():
    put = AmericanPut(horizon=5, start=100.0)

    def last(step, prices):
        return np.full(prices.size, step == 4)

    assert put_value(put, 0.5, last, radius=0.5) == 0.0
    assert put_value(put, 0.5, last, radius=0.1) == pytest.approx(put_value(put, 0.6, last))

    def crossed(step, prices):  # cash in at step 1 below 100, else wait: nature wants it to rise
        return np.full(prices.size, True) & (prices < 99) if step == 1 else prices < 0

    for radius in (0.0, 0.2):
        assert put_value(put, 0.5, crossed, radius=radius) == pytest.approx((0.5 - radius) * 2.0)


def test_robustness_costs_and_a_rule_earns_no_more_than_the_best():
    put = AmericanPut(start=FIRST)
    values = [put_value(put, 0.5, radius=radius) for radius in (0.0, 0.05, 0.1, 0.2, 0.5)]
    assert all(a >= b for a, b in itertools.pairwise(values))
    assert values[-1] == pytest.approx(100 - FIRST)  # nature forces the price up: exercise at once
    assert put_value(put, 0.5, lambda step, prices: prices < 95) < values[0]


def test_a_robust_value_lies_below_every_fixed_chance_in_its_interval():
    put = AmericanPut(start=FIRST)
    worst = put_value(put, 0.5, radius=0.2)
    assert all(worst <= put_value(put, p) + 1e-12 for p in np.linspace(0.3, 0.7, 9))


def test_the_chance_of_the_put_is_the_default():
    put = AmericanPut(p_up=0.4, start=FIRST)
    assert put_value(put) == put_value(put, 0.4)


def test_exercise_after_the_last_decision_pays_nothing():
    put = AmericanPut(horizon=1, start=90.0)
    assert put_value(put) == 10.0
    assert put_value(put, policy=lambda step, prices: prices < 0) == 0.0


# ---- features ---------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [1, 7, 20, 30, 120])
def test_features_are_weights_only_between_the_first_and_the_last_anchor(d):
    """The linear model is misspecified wherever prices leave that range."""
    put, spacing = AmericanPut(n_features=d), 100 / d
    last = 80 + (d - 1) * spacing
    assert put.anchors[0] == 80
    assert put.anchors[-1] == pytest.approx(last)
    inside = put.feature_sums(np.linspace(80, last, 101))
    np.testing.assert_allclose(inside, 1.0, rtol=0, atol=1e-12)
    below = put.feature_sums(80 - spacing * np.array([0.1, 0.5, 0.9]))
    np.testing.assert_allclose(below, [0.9, 0.5, 0.1], rtol=0, atol=1e-12)
    above = put.feature_sums(last + spacing * np.array([0.25, 0.75]))
    np.testing.assert_allclose(above, [0.75, 0.25], rtol=0, atol=1e-12)
    assert not put.feature_sums(np.array([79.999 - spacing, 180.001, np.inf])).any()


def test_prices_below_80_are_met_within_the_horizon():
    """Then features do not add up, and a price that goes on falling leaves the support of all."""
    put = AmericanPut()
    data = collect_real(AmericanPut(p_up=0.2), 0, 200, rng=0)
    sums = put.feature_sums(data.states[:, :-1].ravel())
    assert (sums < 1 - 1e-9).any()
    assert (sums == 0).any()
    assert put.feature_sums(np.array([105 * 0.98**19]))[0] == 0


def test_features_by_hand():
    put = AmericanPut(n_features=20)  # spacing 5
    phi = put.features(3, np.array([80.0, 86.0, np.inf]))
    assert phi.shape == (3, 2, 20)
    expected = np.zeros((3, 20))
    expected[0, 0], expected[1, 1], expected[1, 2] = 1.0, 0.8, 0.2
    np.testing.assert_allclose(phi[:, 0], expected, atol=1e-12)
    assert not phi[:, 1].any()


# ---- the process and its data -----------------------------------------------------------------


def test_moves_and_rewards_by_hand():
    put = AmericanPut(start=(90.0, 110.0), p_up=0.25)
    np.testing.assert_allclose(put.first(np.array([0.0, 0.5])), [90.0, 100.0])
    np.testing.assert_allclose(AmericanPut(start=99.0).first(np.array([0.0, 0.5])), 99.0)
    prices = np.array([100.0, 100.0, 100.0, np.inf])
    came = put.sample(0, prices, np.array([0, 0, 1, 0]), np.array([0.2499, 0.25, 0.1, 0.1]))
    np.testing.assert_allclose(came, [102.0, 98.0, np.inf, np.inf])
    reward = put.rewards(0, np.array([93.0, 100.0, 120.0, np.inf]))
    np.testing.assert_allclose(reward, [[0, 7], [0, 0], [0, 0], [0, 0]])
    assert (put.n_actions, put.n_factors, put.horizon) == (2, 30, 20)


@pytest.mark.parametrize("p_up", [0.0, 0.3, 1.0])
def test_the_sampled_price_moves_as_often_as_it_should(p_up):
    data = collect_real(AmericanPut(p_up=p_up), 0, 2000, rng=0)
    ratio = data.states[:, 1:] / data.states[:, :-1]
    ups = np.isclose(ratio, 1.02)
    assert (ups | np.isclose(ratio, 0.98)).all()
    if 0 < p_up < 1:
        assert stats.binomtest(int(ups.sum()), ups.size, p_up).pvalue > RARE
    else:
        assert ups.mean() == p_up
    assert stats.kstest(data.states[:, 0], "uniform", (95, 10)).pvalue > RARE


def test_the_mean_payoff_of_a_rule_is_its_lattice_value():
    put, n = AmericanPut(start=FIRST, p_up=0.5), 20_000

    def policy(step, prices):
        return prices < 92.0

    data = collect_real(put, policy, n, rng=0)
    payoff = np.zeros(n)
    for h in range(put.horizon):
        chosen = data.actions[:, h]
        payoff += put.rewards(h, data.states[:, h])[np.arange(n), chosen]
    error = stats.norm.isf(RARE) * payoff.std() / np.sqrt(n)
    assert payoff.mean() == pytest.approx(put_value(put, 0.5, policy), abs=error)
    assert error < 0.2


def test_the_state_stays_infinite_after_exercise():
    data = collect_real(AmericanPut(), None, 100, rng=1)
    over = np.isinf(data.states)
    assert (over[:, 1:] >= over[:, :-1]).all()
    exercised = data.actions == 1
    assert (over[:, 1:] == (np.cumsum(exercised, axis=1) > 0)).all()
    assert stats.binomtest(int(exercised[:, 0].sum()), 100, 0.5).pvalue > RARE


def test_episodes_are_made_of_the_documented_uniforms():
    put = AmericanPut(horizon=3, p_up=0.4)
    pi = np.array([0.7, 0.3])
    data = collect_real(put, lambda step, prices: np.tile(pi, (prices.size, 1)), 30, rng=4)
    u = np.random.default_rng(4).random((30, 7))
    for k in range(30):
        price = 95 + 10 * u[k, 0]
        for h in range(3):
            assert data.states[k, h] == pytest.approx(price)
            action = int(u[k, 1 + 2 * h] >= 0.7)
            assert data.actions[k, h] == action
            price *= 1.02 if u[k, 2 + 2 * h] < 0.4 else 0.98
            price = np.inf if action else price
        assert data.states[k, 3] == pytest.approx(price)


def test_policies_of_all_kinds():
    put = AmericanPut(horizon=4)
    always = collect_real(put, 0, 5, rng=0)
    assert not always.actions.any()
    for same in (np.zeros(4, dtype=int), lambda h, s: s < 0, lambda h, s: np.eye(2)[s.size * [0]]):
        np.testing.assert_array_equal(collect_real(put, same, 5, rng=0).states, always.states)
    late = collect_real(put, [0, 0, 1, 0], 5, rng=0)
    np.testing.assert_array_equal(late.actions, np.tile([0, 0, 1, 0], (5, 1)))
    np.testing.assert_array_equal(late.states[:, :3], always.states[:, :3])


def test_a_policy_cannot_change_the_data():
    def vandal(step, prices):
        prices[:] = -1.0
        return np.zeros(prices.size, dtype=int)

    np.testing.assert_array_equal(
        collect_real(AmericanPut(), vandal, 5, rng=0).states,
        collect_real(AmericanPut(), 0, 5, rng=0).states,
    )


def test_same_seed_same_bits():
    a, b, c = (collect_real(AmericanPut(), 0, 20, rng=seed).states for seed in (1, 1, 2))
    assert a.tobytes() == b.tobytes()
    assert a.tobytes() != c.tobytes()


# ---- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"horizon": 0}, "horizon is 0; expected an integer of at least 1"),
        ({"n_features": 0}, "n_features is 0; expected an integer of at least 1"),
        ({"p_up": 1.5}, "p_up is 1.5; expected a number in [0, 1]"),
        ({"start": 0.0}, "start is 0.0; expected a number in (0, inf)"),
        ({"start": (95.0, np.inf)}, "start[1] is inf; expected a number in (0, inf)"),
        ({"start": (105.0, 95.0)}, "start is (105.0, 95.0); expected an increasing pair"),
        ({"strike": np.nan}, "strike is nan; expected a number in (0, inf)"),
        ({"down": 1.03}, "down is 1.03; expected a number in (0, 1.02]"),
        ({"up": -1.0}, "up is -1.0; expected a number in (0, inf)"),
    ],
)
def test_put_refusals(arguments, text):
    with refuses(text):
        AmericanPut(**arguments)


def test_put_type_refusals():
    with refuses("start has 3 entries; expected a number or a pair", TypeError):
        AmericanPut(start=(1.0, 2.0, 3.0))
    with refuses("start is '99' of type str; expected a number", TypeError):
        AmericanPut(start="99")


def test_value_refusals():
    with refuses("put.start is (95.0, 105.0); expected one first price"):
        put_value(AmericanPut())
    put = AmericanPut(start=100.0)
    with refuses("p_up is -0.5; expected a number in [0, 1]"):
        put_value(put, -0.5)
    with refuses("radius is 2.0; expected a number in [0, 1]"):
        put_value(put, radius=2.0)
    with refuses("policy(0, prices) has dtype float64; expected booleans, or 0 and 1", TypeError):
        put_value(put, policy=lambda step, prices: prices)
    with refuses("policy(0, prices) holds 2; expected 0 (continue) or 1 (exercise)"):
        put_value(put, policy=lambda step, prices: np.full(prices.size, 2))
    with refuses("policy(1, prices) has shape (1,); expected (2)"):
        put_value(put, policy=lambda step, prices: np.zeros(1, dtype=int))


def test_collect_refusals():
    put = AmericanPut(horizon=2)
    with refuses("n_episodes is 0; expected an integer of at least 1"):
        collect_real(put, 0, 0)
    with refuses("policy has shape (3,); expected (2)"):
        collect_real(put, [0, 0, 0], 5)
    with refuses("policy has dtype float64; expected integers", TypeError):
        collect_real(put, 0.5, 5)
    with refuses("policy(0, states)[0] is 2; expected an action in [0, 2)"):
        collect_real(put, 2, 5)
    with refuses("policy(1, states) has shape (1,); expected (5)"):
        collect_real(put, lambda h, s: np.zeros(1 if h else 5, dtype=int), 5)
    with refuses("policy(0, states)[0] sums to 2"):
        collect_real(put, lambda h, s: np.ones((s.size, 2)), 5)
    with refuses("policy(0, states) has shape (5, 3); expected (5, 2)"):
        collect_real(put, lambda h, s: np.full((s.size, 3), 1 / 3), 5)
