"""Linear environments against closed forms; collected data against exact laws of the model."""

import itertools
import re

import numpy as np
import pytest
from scipy import stats

from mdptheory.environments import (
    LINEAR_CATALOGUE,
    collect,
    collect_real,
    collect_statistics,
    random_simplex_mdp,
    simulated_linear_mdp,
    simulated_target,
)
from mdptheory.errors import InvalidModelError
from mdptheory.models import LinearMDP, SampledLinearMDP

RARE = 1e-7  # a correct law fails a test with this probability


def refuses(text, kind=InvalidModelError):
    return pytest.raises(kind, match=re.escape(text))


def backward(mdp, policy=None):
    """Nominal values and action values by backward induction; the best policy if none is given."""
    v, q = np.zeros((mdp.horizon + 1, mdp.n_states)), []
    for h in range(mdp.horizon - 1, -1, -1):
        q.insert(0, mdp.reward[h] + mdp.kernel(h) @ v[h + 1])
        v[h] = q[0].max(axis=1) if policy is None else q[0][np.arange(mdp.n_states), policy[h]]
    return v, np.array(q)


def pair_law(mdp, pi):
    """Probability of each state, action and next state at each step, (H, S, A, S)."""
    law, here = [], mdp.start
    for h in range(mdp.horizon):
        law.append(here[:, None, None] * pi[h][:, :, None] * mdp.kernel(h))
        here = law[-1].sum(axis=(0, 1))
    return np.array(law)


def inverse(p, u):
    return int(next(i for i in range(len(p)) if p[: i + 1].sum() > u or p[i + 1 :].sum() == 0))


def sampled(mdp):
    return SampledLinearMDP(mdp.known, lambda h, s, a, u: inverse(mdp.kernel(h)[s, a], u))


def random_policy(rng, *shape):
    counts = rng.poisson(1.0, shape) + np.eye(shape[-1])[rng.integers(shape[-1], size=shape[:-1])]
    return counts / counts.sum(axis=-1, keepdims=True)


# ---- the simulated linear MDP -----------------------------------------------------------------

PUBLISHED = {0.1: (1.03976, 1.42323214), 0.2: (1.24975, 1.62425013), 0.3: (1.43976, 1.7753281)}


@pytest.mark.parametrize("xi", sorted(PUBLISHED))
def test_values_of_the_simulated_mdp(xi):
    v, q = backward(simulated_linear_mdp(xi))
    second, first = PUBLISHED[xi]
    top = 0.3 + xi
    assert v[1, 1] == pytest.approx(second, abs=1e-12)
    assert v[0, 0] == pytest.approx(first, abs=6e-9)  # printed with eight decimals
    assert v[2, 2] == pytest.approx(top, abs=1e-12)
    assert v[1, 4] == 2.0
    u = 0.3 + xi * np.array([sum(a) for a in itertools.product((-1, 1), repeat=4)]) / 4
    np.testing.assert_allclose(q[0, 0], (1 - u) * 0.999 * v[1, 1] + 2 * u, rtol=0, atol=1e-12)
    assert second == pytest.approx(2 * top + (1 - top) * 0.999 * top, abs=1e-12)


def test_weights_of_the_actions_take_five_values_in_the_order_of_the_product():
    u = simulated_linear_mdp(0.2).phi[0, :, 3]
    np.testing.assert_allclose(np.unique(u.round(12)), [0.1, 0.2, 0.3, 0.4, 0.5], atol=1e-12)
    assert u.argmin() == 0
    assert u.argmax() == 15
    np.testing.assert_allclose(u[[1, 2, 4, 8]], 0.2, atol=1e-12)  # one plus each


@pytest.mark.parametrize("xi", sorted(PUBLISHED))
@pytest.mark.parametrize("q", [0.0, 0.3, 1.0])
def test_values_in_the_target(xi, q):
    mdp = simulated_linear_mdp(xi)
    best = backward(mdp)[0][1, 1]
    _, worth = backward(simulated_target(mdp, q))
    u = mdp.phi[0, :, 3]
    np.testing.assert_allclose(worth[0, 0], (1 - u) * best + 2 * u * (1 - q), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("xi", "switch"), [(0.1, 0.48012), (0.2, 0.375125), (0.3, 0.28012)])
def test_the_best_action_of_the_target_switches_where_it_should(xi, switch):
    mdp = simulated_linear_mdp(xi)
    for q, best in ((switch - 1e-6, 15), (switch + 1e-6, 0)):
        _, worth = backward(simulated_target(mdp, q))
        assert worth[0, 0].argmax() == best


def test_the_target_changes_the_first_step_only():
    mdp = simulated_linear_mdp(leak=0.01, leaky=0.05)
    target = simulated_target(mdp, 0.25)
    np.testing.assert_array_equal(target.mu[1:], mdp.mu[1:])
    np.testing.assert_array_equal(target.mu[0, [1, 2]], mdp.mu[0, [1, 2]])
    assert target.mu[0, 0].tolist() == [0, 1, 0, 0, 0]
    assert target.mu[0, 3].tolist() == [0, 0, 0, 0.25, 0.75]
    assert target.fail_state == mdp.fail_state == 3


def test_values_of_the_leaky_mdp():
    v, q = backward(simulated_linear_mdp(0.2, leaky=0.05))
    assert v[0, 0] == pytest.approx(1.53801, abs=5e-6)
    assert q[0, 0, 15] - q[0, 0, 0] == pytest.approx(0.2516, abs=5e-5)


def test_at_the_first_step_only_two_factors_are_ever_weighted():
    """So no policy makes the first Gram matrix grow in all directions."""
    mdp = simulated_linear_mdp(0.3)
    gram = np.einsum("ai,aj->ij", mdp.phi[0], mdp.phi[0])
    assert np.linalg.matrix_rank(gram) == 2
    assert not gram[[1, 2]].any()


def test_simulated_refusals():
    with refuses("xi is 0.4 with delta 0.3; expected delta - xi >= 0 and delta + xi <= 1"):
        simulated_linear_mdp(0.4)
    with refuses("xi is -0.1; expected a number in [0, inf]"):
        simulated_linear_mdp(-0.1)
    for name in ("delta", "leak", "leaky"):
        with refuses(f"{name} is 1.5; expected a number in [0, 1]"):
            simulated_linear_mdp(**{name: 1.5})
    with refuses("q is nan; expected a number in [0, 1]"):
        simulated_target(simulated_linear_mdp(), np.nan)
    with refuses("mdp has factors of shape (3, 2, 5) and fail state None"):
        simulated_target(random_simplex_mdp(5, 2, 2, 3, rng=0), 0.5)


# ---- random simplex MDPs ----------------------------------------------------------------------


def test_zeros_and_deterministic_rows_occur():
    rows = np.concatenate(
        [random_simplex_mdp(6, 3, 4, 4, rng=i).mu.reshape(-1, 6) for i in range(9)]
    )
    assert 0.2 < (rows == 0).mean() < 0.8
    deterministic = (rows == 1).any(axis=1)
    assert 0 < deterministic.sum() < len(rows) / 2


@pytest.mark.parametrize("seed", range(10))
def test_the_fail_state_is_absorbing_under_its_own_factor(seed):
    mdp = random_simplex_mdp(5, 2, 3, 4, fail=True, rng=seed)
    assert mdp.fail_state == 4
    assert (mdp.phi[4] == [0, 0, 1]).all()
    assert not mdp.reward[:, 4].any()
    for h in range(4):
        assert (mdp.kernel(h)[4] == np.eye(5)[4]).all()


def test_the_fail_state_can_be_reached():
    models = (random_simplex_mdp(5, 2, 3, 4, fail=True, rng=seed) for seed in range(10))
    pi = np.full((4, 5, 2), 0.5)
    assert max(pair_law(mdp, pi)[-1, ..., 4].sum() for mdp in models) > 0.1


@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (1, 3, 2, 2), (4, 1, 1, 3)])
def test_smallest_sizes(sizes):
    mdp = random_simplex_mdp(*sizes, rng=0)
    assert (mdp.n_states, mdp.n_actions, mdp.n_factors, mdp.horizon) == sizes
    assert mdp.fail_state is None


def test_concentration_goes_from_unit_vectors_to_nearly_uniform():
    crisp = random_simplex_mdp(6, 3, 4, 4, concentration=0.0, rng=0)
    assert set(np.unique(crisp.phi)) | set(np.unique(crisp.mu)) == {0.0, 1.0}
    assert len({int(i) for i in crisp.mu.argmax(axis=-1).ravel()}) > 1
    smooth = random_simplex_mdp(6, 3, 4, 4, concentration=1e6, rng=0)
    np.testing.assert_allclose(smooth.mu, 1 / 6, atol=2e-3)


def test_random_refusals():
    with refuses("n_factors is 1; expected at least 2 with a fail state"):
        random_simplex_mdp(3, 2, 1, 2, fail=True)
    with refuses("n_states is 1; expected at least 2 with a fail state"):
        random_simplex_mdp(1, 2, 2, 2, fail=True)
    with refuses("horizon is 0; expected an integer of at least 1"):
        random_simplex_mdp(3, 2, 2, 0)
    with refuses("concentration is -1.0; expected a number in [0, 1e+06]"):
        random_simplex_mdp(3, 2, 2, 2, concentration=-1.0)
    with refuses("n_actions is 2.0 of type float; expected an integer", TypeError):
        random_simplex_mdp(3, 2.0, 2, 2)


@pytest.mark.parametrize("name", sorted(LINEAR_CATALOGUE))
def test_two_calls_give_the_same_bits(name):
    first, second = LINEAR_CATALOGUE[name](), LINEAR_CATALOGUE[name]()
    for field in ("phi", "theta", "mu"):
        assert getattr(first, field).tobytes() == getattr(second, field).tobytes()
        assert not getattr(first, field).flags.writeable


def test_another_seed_is_another_model():
    one, same, other = (random_simplex_mdp(6, 3, 4, 4, rng=seed) for seed in (1, 1, 2))
    assert one.mu.tobytes() == same.mu.tobytes()
    assert one.theta.tobytes() == same.theta.tobytes()
    assert one.mu.tobytes() != other.mu.tobytes()


# ---- collecting -------------------------------------------------------------------------------


def small(seed=3):
    mdp = random_simplex_mdp(4, 2, 3, 3, fail=True, concentration=1.5, rng=seed)
    start = [0.5, 0.25, 0.25, 0.0]
    return LinearMDP(mdp.phi, mdp.theta, mdp.mu, start, mdp.fail_state)


@pytest.mark.parametrize("seed", range(4))
def test_a_sampler_with_the_same_inverse_gives_the_same_episodes(seed):
    mdp = small(seed)
    pi = random_policy(np.random.default_rng(seed), 3, 4, 2)
    fast, slow = (collect(model, pi, 200, rng=seed) for model in (mdp, sampled(mdp)))
    np.testing.assert_array_equal(fast.states, slow.states)
    np.testing.assert_array_equal(fast.actions, slow.actions)


def test_episodes_are_made_of_the_documented_uniforms():
    mdp, pi = small(), random_policy(np.random.default_rng(0), 3, 4, 2)
    data = collect(mdp, pi, 50, rng=11)
    u = np.random.default_rng(11).random((50, 1 + 2 * 3))
    for k in range(50):
        s = inverse(mdp.start, u[k, 0])
        for h in range(3):
            a = inverse(pi[h, s], u[k, 1 + 2 * h])
            assert (data.states[k, h], data.actions[k, h]) == (s, a)
            s = inverse(mdp.kernel(h)[s, a], u[k, 2 + 2 * h])
        assert data.states[k, 3] == s


def test_drawing_in_chunks_changes_nothing(monkeypatch):
    whole = collect(small(), None, 100, rng=5)
    monkeypatch.setattr("mdptheory.environments.collecting.CHUNK", 50)
    parts = collect(small(), None, 100, rng=5)
    np.testing.assert_array_equal(whole.states, parts.states)
    np.testing.assert_array_equal(whole.actions, parts.actions)


def test_policies_of_both_shapes_and_the_uniform_one():
    mdp, pi = small(), random_policy(np.random.default_rng(1), 4, 2)
    for one, other in ((pi, np.stack([pi] * 3)), (None, np.full((4, 2), 0.5))):
        a, b = collect(mdp, one, 40, rng=2), collect(mdp, other, 40, rng=2)
        np.testing.assert_array_equal(a.states, b.states)
        x, y = (collect_statistics(mdp, p, 40, rng=2).counts for p in (one, other))
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("how", ["episodes", "statistics"])
@pytest.mark.parametrize("seed", range(3))
def test_counts_follow_the_exact_law_of_the_model(how, seed):
    mdp, pi = small(seed), random_policy(np.random.default_rng(seed), 3, 4, 2)
    n, law = 20_000, pair_law(mdp, pi)
    if how == "episodes":
        counts = collect(mdp, pi, n, rng=seed).statistics(mdp.known).counts
    else:
        counts = collect_statistics(mdp, pi, n, rng=seed).counts
    assert (counts.sum(axis=(1, 2, 3)) == n).all()
    assert not counts[law == 0].any()
    for count, p in zip(counts[law > 0], law[law > 0], strict=True):
        if p < 1 - 1e-12:
            assert stats.binomtest(int(count), n, p).pvalue > RARE


def test_the_law_test_sees_a_wrong_law():
    """One probability that is off by 0.06 is found: the tolerance above is no blanket."""
    mdp = simulated_linear_mdp(0.2)
    other = simulated_target(mdp, 0.2)
    pi = np.full((3, 5, 16), 1 / 16)
    counts = collect_statistics(other, pi, 20_000, rng=0).counts[0, 0].sum(axis=0)
    p = pair_law(mdp, pi)[0, 0].sum(axis=0)
    assert stats.binomtest(int(counts[4]), 20_000, p[4]).pvalue < RARE


def test_both_collectors_have_the_same_joint_law_over_steps():
    """How many of 8 episodes are in each state at steps 1 and 3: jointly, not step by step."""
    mdp, n = small(), 3000
    episodes = collect(mdp, None, 8 * n, rng=1).states.reshape(n, 8, 4)
    direct = np.random.default_rng(2)
    tables = []
    for both in (
        [(int((e[:, 1] == 0).sum()), int((e[:, 3] == 3).sum())) for e in episodes],
        [
            (int(c[1, 0].sum()), int(c[2, :, :, 3].sum()))
            for c in (collect_statistics(mdp, None, 8, rng=direct).counts for _ in range(n))
        ],
    ):
        table = np.zeros((9, 9), dtype=int)
        np.add.at(table, tuple(np.transpose(both)), 1)
        tables.append(table.ravel())
    common = np.add(*tables) >= 20
    cells = np.array([[*t[common], t[~common].sum()] for t in tables])
    cells = cells[:, cells.sum(axis=0) > 0]
    assert cells.shape[1] > 10
    assert stats.chi2_contingency(cells).pvalue > RARE


def test_statistics_of_a_huge_number_of_episodes_avoid_impossible_outcomes():
    """Ten times 0.1 is rounded down; what is missing must not go to the state of probability 0."""
    mu = np.append(np.full(10, 0.1), 0.0)
    mdp = LinearMDP(np.ones((11, 1, 1)), np.zeros((1, 1)), mu[None, None], mu)
    n = 4 * 10**18
    counts = collect_statistics(mdp, None, n, rng=0).counts
    assert counts.sum() == n
    assert not counts[..., 10].any()
    assert not counts[0, 10].any()
    np.testing.assert_allclose(counts[0, :10, 0, :10] / n, 0.01, rtol=1e-6)


def test_same_seed_same_bits_and_another_seed_other_data():
    mdp = small()
    a, b, c = (collect(mdp, None, 100, rng=seed) for seed in (1, np.random.default_rng(1), 2))
    assert a.states.tobytes() == b.states.tobytes()
    assert a.actions.tobytes() == b.actions.tobytes()
    assert a.states.tobytes() != c.states.tobytes()
    x, y, z = (collect_statistics(mdp, None, 100, rng=seed).counts for seed in (1, 1, 2))
    assert x.tobytes() == y.tobytes()
    assert x.tobytes() != z.tobytes()


def test_features_that_depend_on_the_step():
    one = small()
    phi = np.stack([one.phi, one.phi[:, ::-1], one.phi])
    mdp = LinearMDP(phi, one.theta, one.mu, one.initial, one.fail_state)
    counts = collect(mdp, None, 20_000, rng=0).statistics(mdp.known).counts
    law = pair_law(mdp, np.full((3, 4, 2), 0.5))
    assert not counts[law == 0].any()
    for count, p in zip(counts[law > 0], law[law > 0], strict=True):
        assert stats.binomtest(int(count), 20_000, p).pvalue > RARE


def test_collect_refusals():
    mdp, pi = small(), np.full((4, 2), 0.5)
    for collector in (collect, collect_statistics):
        with refuses("pi has shape (2, 4); expected (4, 2)"):
            collector(mdp, pi.T, 3)
        with refuses("pi has shape (2, 4, 2); expected (3, 4, 2)"):
            collector(mdp, np.stack([pi, pi]), 3)
        with refuses("pi[0] sums to 1.2"):
            collector(mdp, pi * 1.2, 3)
        with refuses("n_episodes is 0; expected an integer of at least 1"):
            collector(mdp, pi, 0)
        loose = LinearMDP(2 * mdp.phi, mdp.theta, mdp.mu, check=False)
        with refuses("phi @ mu[0, 0, 0] sums to 2"):
            collector(loose, pi, 3)
    with refuses("mdp is of type KnownModel; expected LinearMDP or SampledLinearMDP", TypeError):
        collect(mdp.known, pi, 3)
    with refuses("mdp is of type SampledLinearMDP; counts are drawn from the kernel", TypeError):
        collect_statistics(sampled(mdp), pi, 3)


@pytest.mark.parametrize("came", [4, -1, 1.0, None])
def test_a_sampler_that_leaves_the_state_space_is_refused(came):
    broken = SampledLinearMDP(small().known, lambda h, s, a, u: came)
    with refuses(f"returned {came!r}; expected a state in [0, 4)"):
        collect(broken, None, 3, rng=0)


def test_a_process_is_no_finite_model():
    with refuses("mdp is of type function; expected LinearMDP", TypeError):
        collect(collect_real, None, 3)
