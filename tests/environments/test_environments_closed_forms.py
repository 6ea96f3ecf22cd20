"""Environments whose optimal value is known on paper."""

import math

import numpy as np
import pytest
from environment_oracles import dense, policy_iteration

from mdptheory import TotalReward
from mdptheory import environments as env
from mdptheory.models import absorbing_states


def bold_play(x, capital, win):
    """Dubins and Savage's recursion for the probability of success from ``x``."""
    if x in (0, capital):
        return x / capital
    if 2 * x <= capital:
        return win * bold_play(2 * x, capital, win)
    return win + (1 - win) * bold_play(2 * x - capital, capital, win)


@pytest.mark.parametrize("win", [0.1, 0.25, 0.4])
@pytest.mark.parametrize("capital", [2, 16, 32])
def test_unfair_game_is_played_boldly(capital, win):
    v, _, _ = policy_iteration(env.gamblers_ruin_total(capital, win))
    bold = [bold_play(x, capital, win) for x in range(capital)]
    np.testing.assert_allclose(v[:-1], bold, rtol=1e-9, atol=1e-12)
    assert v[-1] == 0  # the reward is paid on arrival


@pytest.mark.parametrize("win", [0.55, 0.8])
@pytest.mark.parametrize("capital", [3, 10])
def test_favourable_game_is_played_timidly(capital, win):
    v, _, _ = policy_iteration(env.gamblers_ruin_total(capital, win))
    z = (1 - win) / win
    timid = (1 - z ** np.arange(capital)) / (1 - z**capital)
    np.testing.assert_allclose(v[:-1], timid, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("capital", [1, 2, 7, 20])
def test_fair_game_is_a_martingale_under_every_bet(capital):
    v, _, q = policy_iteration(env.gamblers_ruin_total(capital, 0.5))
    share = np.arange(capital + 1) / capital
    np.testing.assert_allclose(v[:-1], share[:-1], rtol=1e-9, atol=1e-12)
    for s in range(1, capital):
        offered = q[s][np.isfinite(q[s])]
        assert len(offered) == min(s, capital - s)
        np.testing.assert_allclose(offered, share[s], rtol=1e-9)


def test_discounted_gambler_who_always_wins_doubles():
    gamma, capital = 0.9, 10
    v, _, _ = policy_iteration(env.gamblers_ruin(capital, 1.0, gamma=gamma))
    steps = [math.ceil(math.log2(capital / s)) for s in range(1, capital + 1)]
    np.testing.assert_allclose(v[1:], gamma ** np.array(steps) / (1 - gamma), rtol=1e-9)
    assert v[0] == 0


def test_discounted_gambler_who_never_wins_gets_nothing():
    v, _, _ = policy_iteration(env.gamblers_ruin(6, 0.0))
    np.testing.assert_allclose(v[:-1], 0, atol=1e-12)


def test_gambler_may_bet_what_he_holds():
    mdp = env.gamblers_ruin(6)
    assert np.diff(mdp.choice_ptr).tolist() == [1, 2, 3, 4, 5, 6, 1]
    assert mdp.reward.tolist() == [0.0] * (mdp.n_rows - 1) + [1.0]


def test_chain_without_slip_is_the_better_of_two_plans():
    for gamma in (0.5, 0.9, 0.99):
        v, _, _ = policy_iteration(env.chain(6, slip=0.0, small=2, large=10, gamma=gamma))
        ahead = gamma ** (5 - np.arange(6)) * 10 / (1 - gamma)
        back = np.full(6, 2 / (1 - gamma))
        # each state may also go ahead first; never better than the better of the two here
        np.testing.assert_allclose(v, np.maximum(ahead, back), rtol=1e-9)


def test_chain_slipping_surely_exchanges_the_actions():
    P, r, _ = dense(env.chain(slip=0.0))
    P_slip, r_slip, _ = dense(env.chain(slip=1.0))
    np.testing.assert_array_equal(P[:, ::-1], P_slip)
    np.testing.assert_array_equal(r[:, ::-1], r_slip)


def test_chain_rewards_follow_the_effect():
    _, r, _ = dense(env.chain(5, slip=0.2, small=2, large=10))
    np.testing.assert_allclose(r[:4], np.tile([0.4, 1.6], (4, 1)), rtol=1e-12)
    np.testing.assert_allclose(r[4], [0.8 * 10 + 0.2 * 2, 0.2 * 10 + 0.8 * 2], rtol=1e-12)


@pytest.mark.parametrize(("n_states", "n_actions"), [(2, 2), (10, 2), (30, 5)])
def test_combination_lock(n_states, n_actions):
    gamma = 0.9
    mdp = env.combination_lock(n_states, n_actions, gamma=gamma, reward=3.0, rng=0)
    v, _, _ = policy_iteration(mdp)
    np.testing.assert_allclose(
        v[:-1], 3.0 * gamma ** (n_states - 2 - np.arange(n_states - 1)), rtol=1e-9
    )
    assert v[-1] == 0
    P, _, _ = dense(mdp)
    closed = np.arange(n_states - 1)
    assert (P[closed, :, closed + 1].sum(axis=1) == 1).all()
    assert absorbing_states(mdp).tolist() == [False] * (n_states - 1) + [True]


@pytest.mark.parametrize("side", [2, 3, 6])
def test_grid_without_slip_counts_steps(side):
    gamma = 0.95
    mdp = env.gridworld(side, slip=0.0, gamma=gamma)
    row, column = np.divmod(np.arange(side * side), side)
    distance = (side - 1 - row) + (side - 1 - column)
    v, _, _ = policy_iteration(mdp)
    np.testing.assert_allclose(v, -(1 - gamma**distance) / (1 - gamma), rtol=1e-9, atol=1e-12)


def test_grid_serves_as_a_shortest_path_problem():
    mdp = env.gridworld(4).with_objective(TotalReward())
    assert absorbing_states(mdp).tolist() == [False] * 15 + [True]


def test_slippery_grid_is_symmetric_and_worse_with_slip():
    side = 5
    values = [policy_iteration(env.gridworld(side, slip=slip))[0] for slip in (0.0, 0.2, 0.5)]
    for v in values:
        np.testing.assert_allclose(v.reshape(side, side), v.reshape(side, side).T, rtol=1e-9)
    assert values[0][0] > values[1][0] > values[2][0]


def test_slippery_grid_moves():
    P, r, _ = dense(env.gridworld(3, slip=0.2))
    middle = {1: 0.8, 3: 0.1, 5: 0.1}  # up: 1 ahead, 3 to the left, 5 to the right
    assert {t: p for t, p in enumerate(P[4, 0]) if p} == pytest.approx(middle)
    corner = {0: 0.9, 1: 0.1}  # up from the first cell: two walls, or a slip to the right
    assert {t: p for t, p in enumerate(P[0, 0]) if p} == pytest.approx(corner)
    assert (P[8, :, 8] == 1).all()
    assert r.tolist() == [[-1] * 4] * 8 + [[0] * 4]


@pytest.mark.parametrize("side", [3, 4, 7])
@pytest.mark.parametrize("seed", [0, 1])
def test_still_torus_counts_steps_around(side, seed):
    """Each return to the cell takes two steps: 1 pays gamma^(d-1) + gamma^(d+1) + ..."""
    gamma = 0.9
    mdp = env.gridworld_torus(side, 0.0, gamma=gamma, rng=seed)
    goal = mdp.next_state[mdp.transition_reward == 1]
    assert len(goal) == 4
    assert len(set(goal.tolist())) == 1
    row, column = np.divmod(np.arange(side * side), side)
    away = [abs(x - y) for x, y in zip((row, column), divmod(int(goal[0]), side), strict=True)]
    distance = sum(np.minimum(d, side - d) for d in away)
    distance[goal[0]] = 2
    v, _, _ = policy_iteration(mdp)
    np.testing.assert_allclose(v, gamma ** (distance - 1) / (1 - gamma**2), rtol=1e-9)


def test_windy_torus_rows():
    P, _, _ = dense(env.gridworld_torus(4, 0.3, rng=0))
    up = {12: 0.7, 1: 0.1, 4: 0.1, 3: 0.1}  # from the first cell, around the edges
    assert {t: p for t, p in enumerate(P[0, 0]) if p} == pytest.approx(up)
    small, _, _ = dense(env.gridworld_torus(2, 0.3, rng=0))
    assert small[0, 0] == pytest.approx([0, 0.2, 0.8, 0])


def test_grid_of_five_rows():
    P, r, _ = dense(env.gridworld_5x5())
    rows = {
        (12, 1): {13: 0.7, 7: 0.1, 17: 0.1, 11: 0.1},  # interior: nothing stays
        (2, 2): {7: 0.7, 1: 0.1, 3: 0.1, 2: 0.1},  # upper edge, inwards
        (2, 0): {7: 0.1, 1: 0.1, 3: 0.1, 2: 0.7},  # upper edge, outwards
        (0, 1): {1: 0.7, 5: 0.1, 0: 0.2},  # corner, along the edge
        (24, 1): {19: 0.1, 23: 0.1, 24: 0.8},  # corner, outwards
    }
    for (s, a), row in rows.items():
        assert {t: p for t, p in enumerate(P[s, a]) if p} == pytest.approx(row)
    assert r[:, 0].tolist() == [0.0] + [-0.2] * 23 + [-10.0]


def test_large_models_are_built_without_a_dense_kernel():
    """Dense kernels of these would take 1.6 GB and more."""
    river, grid = env.riverswim_chain(10_000), env.gridworld(100)
    assert river.n_transitions == 39_998
    assert grid.n_states == 10_000
    assert grid.n_transitions < 3 * grid.n_rows
