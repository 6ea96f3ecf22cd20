"""Episodes from given uniforms against a loop that searches distribution functions one by one."""

import numpy as np
import pytest

from mdptheory.environments import cumulative
from mdptheory.kernels.linear_rollout import cumulative_rows, draw, roll_episode, roll_episodes

BELOW_ONE = np.nextafter(1.0, 0.0)


def weights(rng, *shape):
    """Rows of small integer weights: zeros, ties and rows with a single outcome occur."""
    rows = rng.poisson(0.8, shape).astype(float)
    rows[..., 0] += rows.sum(axis=-1) == 0
    return rows / rows.sum(axis=-1, keepdims=True)


def slow_draw(p, u):
    total = 0.0
    possible = [i for i in range(len(p)) if p[i] > 0]
    for i in possible[:-1]:
        total += p[i]
        if total > u:
            return i
    return possible[-1]


def slow_episode(u, start, policy, kernel, horizon):
    states, actions = [slow_draw(start, u[0])], []
    for h in range(horizon):
        actions.append(slow_draw(policy[h % len(policy), states[-1]], u[1 + 2 * h]))
        states.append(slow_draw(kernel[h % len(kernel), states[-1], actions[-1]], u[2 + 2 * h]))
    return states, actions


@pytest.mark.parametrize(("n_states", "n_actions"), [(1, 1), (1, 3), (4, 1), (6, 3)])
@pytest.mark.parametrize("horizon", [1, 2, 5])
@pytest.mark.parametrize("shared", ["none", "policy", "kernel"])
def test_episodes_against_a_slow_loop(n_states, n_actions, horizon, shared):
    rng = np.random.default_rng([n_states, n_actions, horizon])
    start = weights(rng, n_states)
    policy = weights(rng, 1 if shared == "policy" else horizon, n_states, n_actions)
    kernel = weights(rng, 1 if shared == "kernel" else horizon, n_states, n_actions, n_states)
    u = rng.random((60, 1 + 2 * horizon))
    u[:20] = rng.integers(0, 8, (20, 1 + 2 * horizon)) / 8  # ties with the running sums
    u[20], u[21] = 0.0, BELOW_ONE
    states, actions = np.full((60, horizon + 1), -1), np.full((60, horizon), -1)
    tables = cumulative(start), cumulative(policy), cumulative(kernel)
    roll_episodes(u, *tables, states, actions)
    one_state, one_action = np.full(horizon + 1, -1), np.full(horizon, -1)
    for k in range(60):
        expected = slow_episode(u[k], start, policy, kernel, horizon)
        assert (states[k].tolist(), actions[k].tolist()) == expected
        roll_episode(u[k], *tables, one_state, one_action)
        assert (one_state.tolist(), one_action.tolist()) == expected


def test_draw_is_the_inverse_of_the_distribution_function():
    p = np.array([0.0, 0.25, 0.0, 0.5, 0.25, 0.0])
    cdf = cumulative(p)
    got = [draw(cdf, u) for u in (0.0, 0.2499, 0.25, 0.7499, 0.75, BELOW_ONE)]
    assert got == [1, 1, 3, 3, 4, 4]


def test_draw_stays_inside_where_sums_are_rounded_down():
    p = np.full(10, 0.1)
    assert np.cumsum(p)[-1] < 1.0  # ten times 0.1 is less than 1
    assert draw(np.cumsum(p), BELOW_ONE) == 9  # guarded even without the repaired table
    assert draw(cumulative(p), BELOW_ONE) == 9
    assert draw(cumulative(p), 1.0) == 9


def test_no_uniform_leads_to_an_impossible_outcome():
    p = np.append(np.full(10, 0.1), 0.0)
    plain = np.cumsum(p)
    plain[-1] = 1.0
    assert draw(plain, BELOW_ONE) == 10  # what setting the last entry alone would do
    assert draw(cumulative(p), BELOW_ONE) == 9


def test_distribution_functions_never_exceed_one_and_end_with_it():
    p = weights(np.random.default_rng(1), 400, 7)
    p[0], p[1] = [0.5 + 1e-9, 0.5, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 1]
    table = cumulative(p)
    assert (table[:, -1] == 1.0).all()
    assert (table <= 1.0).all()
    assert (np.diff(table, axis=1) >= 0).all()
    np.testing.assert_allclose(np.diff(table, axis=1, prepend=0), p, rtol=0, atol=2e-9)
    out = np.empty_like(p)
    cumulative_rows(p, out)
    np.testing.assert_array_equal(out, table)


def test_tables_are_frozen_and_keep_their_shape():
    p = weights(np.random.default_rng(2), 2, 3, 4)
    table = cumulative(p)
    assert table.shape == p.shape
    assert not table.flags.writeable
    assert p.flags.writeable
    np.testing.assert_array_equal(cumulative(np.asfortranarray(p)), table)
