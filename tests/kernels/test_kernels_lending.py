"""Rounds of lending against plain Python, and the mean-field step against its matrix."""

import numpy as np
import pytest
from lending_oracle import (
    birth_death_law,
    compiled,
    mean_field,
    outcomes,
    random_loop,
    uniforms,
)

from mdptheory.kernels.lending import lending_advance, lending_drift, lending_means, lending_round
from mdptheory.models import LendingLoop

RNG_SEEDS = range(25)


def means(it, z, arm):
    out = np.full(4, np.nan)
    lending_means(it, z, arm, out)
    return out


def drifted(it, z, arm):
    out = np.full_like(z, np.nan)
    lending_drift(it, z, arm, out)
    return out


@pytest.mark.parametrize("seed", RNG_SEEDS)
def test_every_outcome_of_a_round_and_its_mean(seed):
    rng = np.random.default_rng(seed)
    loop = random_loop(rng)
    it, z = compiled(loop), loop.start_state
    for arm in range(loop.n_arms):
        expected = np.zeros(4)
        for chance, g, c, repaid, values, trials, after in outcomes(loop, z, arm):
            if chance == 0.0:
                continue
            u = uniforms(loop, z, g, c, repaid)
            x, w, moved = np.full(4, np.nan), np.full(4, np.nan), z.copy()
            lending_round(it, z, arm, u, x, w)
            lending_advance(it, moved, arm, u)
            np.testing.assert_array_equal(x, values)
            np.testing.assert_array_equal(w, trials)
            np.testing.assert_allclose(moved, after, atol=1e-15)
            expected += chance * values
        expected[2:] /= loop.group_probs
        np.testing.assert_allclose(means(it, z, arm), expected, atol=1e-14)


@pytest.mark.parametrize("seed", RNG_SEEDS)
def test_drift_is_the_mean_of_the_next_state_where_clusters_hold_a_shift(seed):
    rng = np.random.default_rng(seed)
    loop = random_loop(rng, shift=0.125)  # clusters come in eighths
    it, z = compiled(loop), loop.start_state
    for arm in range(loop.n_arms):
        expected = sum(chance * after for chance, *_, after in outcomes(loop, z, arm))
        np.testing.assert_allclose(drifted(it, z, arm), expected, atol=1e-13)


def test_drift_exceeds_the_mean_where_a_cluster_holds_less_than_a_shift():
    loop = LendingLoop(cluster_probs=[[0.5, 0.5]] * 2, success=[1.0, 1.0], shift=1.0)
    z = loop.start_state
    mean = sum(chance * after for chance, *_, after in outcomes(loop, z, 0))
    np.testing.assert_allclose(mean[:2], [0.5 - 0.5 * 0.5 * 0.5, 0.5 + 0.5 * 0.5 * 0.5])
    np.testing.assert_allclose(drifted(compiled(loop), z, 0)[:2], [0.5 - 0.25, 0.5 + 0.25])


@pytest.mark.parametrize("seed", RNG_SEEDS)
def test_drift_is_a_stochastic_tridiagonal_matrix(seed):
    rng = np.random.default_rng(seed)
    loop = random_loop(rng, cash=10.0)
    it, z, n = compiled(loop), loop.start_state, loop.n_clusters
    for arm in range(loop.n_arms):
        after = drifted(it, z, arm)
        for g in range(2):
            M = mean_field(loop, g, arm)
            np.testing.assert_allclose(M.sum(axis=1), 1.0)
            assert (M >= 0).all()
            assert not np.triu(M, 2).any()
            assert not np.tril(M, -2).any()
            mine = slice(g * n, (g + 1) * n)
            np.testing.assert_allclose(after[mine], z[mine] @ M, atol=1e-15)
        assert after[-1] == pytest.approx(z[-1] + loop.loan * means(it, z, arm)[0], abs=1e-13)


def test_accepting_everybody_settles_at_the_birth_and_death_law():
    loop = LendingLoop(shift=1.0, cash=1e9)
    law = birth_death_law(loop.success)
    assert law[0] > 0.5  # most end where loans are repaid least
    it, n = compiled(loop), loop.n_clusters
    still = np.concatenate([law, law, [1e9]])
    np.testing.assert_allclose(drifted(it, still, 0)[:-1], still[:-1], atol=1e-16)
    z = loop.start_state
    for _ in range(6000):
        z = drifted(it, z, 0)
    np.testing.assert_allclose(z[:n], law, atol=1e-9)
    np.testing.assert_allclose(z[n : 2 * n], law, atol=1e-9)


def test_one_threshold_has_many_fixed_points():
    """Whoever is rejected stays, so two starts that differ there never meet: no contraction."""
    loop = LendingLoop()
    it, n = compiled(loop), loop.n_clusters
    points = []
    for share in (0.25, 0.75):
        z = np.zeros(2 * n + 1)
        z[[0, n]], z[[1, n + 1]], z[-1] = share, 1 - share, loop.cash
        np.testing.assert_array_equal(drifted(it, z, 2), z)
        points.append(z)
    assert np.abs(points[0] - points[1]).max() == 0.5


@pytest.mark.parametrize("cash", [0.0, 0.999])
def test_nobody_is_accepted_without_cash_for_a_loan(cash):
    loop = LendingLoop(cash=cash)
    it, z = compiled(loop), loop.start_state
    x, w = np.full(4, np.nan), np.full(4, np.nan)
    lending_round(it, z, 0, np.array([0.1, 0.5, 0.0]), x, w)
    assert (x.tolist(), w.tolist()) == ([0, 0, 0, 0], [1, 1, 1, 0])
    assert not means(it, z, 0).any()
    moved = z.copy()
    lending_advance(it, moved, 0, np.array([0.1, 0.5, 0.0]))
    np.testing.assert_array_equal(moved, z)
    np.testing.assert_array_equal(drifted(it, z, 0), z)


@pytest.mark.parametrize("last", [0.0, 0.1])
def test_a_uniform_beyond_the_rounded_sum_takes_the_last_cluster_with_people(last):
    loop = LendingLoop(cluster_probs=[[0.1] * 10 + [0.0]] * 2, success=[0.5] * 11)
    z = loop.start_state
    z[10] = last
    z[9] -= last
    u = np.array([0.0, np.nextafter(1.0, 0.0), 0.9])
    lending_advance(compiled(loop), z, 0, u)
    assert z[9 if last == 0.0 else 10] == pytest.approx(0.09)


def test_masses_stay_distributions_for_a_long_run():
    loop = LendingLoop(shift=0.03)
    it, z, n = compiled(loop), loop.start_state, loop.n_clusters
    draws = np.random.default_rng(0).random((5000, 3))
    for t, u in enumerate(draws):
        lending_advance(it, z, t % loop.n_arms, u)
    assert (z >= 0).all()
    np.testing.assert_allclose(z[: 2 * n].reshape(2, n).sum(axis=1), 1.0, atol=1e-12)
    assert z[-1] != loop.cash
