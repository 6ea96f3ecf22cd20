"""The best fixed arm by playing all of them, against the exact one."""

from dataclasses import replace

import numpy as np
import pytest
from solver_models import INTERPRETED

from mdptheory.environments import threshold_preset
from mdptheory.errors import InfeasibleWarning, InvalidModelError
from mdptheory.models import (
    DemographicParity,
    EqualOpportunity,
    GaussianBandit,
    LendingLoop,
    LoopDynamics,
    ThresholdLoop,
)
from mdptheory.solvers import best_arm, monte_carlo_best_arm

ROUNDS = 1_000 if INTERPRETED else 10_000
NAMES = ["compas_decile"] if INTERPRETED else ["synthetic", "german", "compas", "compas_decile"]


def trap() -> GaussianBandit:
    slopes, target = np.array([-0.6, 0.0]), np.array([0.0, 1.0])
    return GaussianBandit(
        np.array([0.8, 0.5]), reward_slope=slopes, target=target, inertia=0.95, start=1.0
    )


@pytest.mark.parametrize("name", NAMES)
def test_presets_agree_within_three_standard_errors(name):
    env, constraints = threshold_preset(name)
    exact = best_arm(env, constraints)
    played = monte_carlo_best_arm(env, constraints, rounds=ROUNDS, rng=0)
    scales = [c.scale / np.sqrt(max(c.trials, 1)) for c in env.channels]  # of tpr: too small
    error = np.abs(played.means - exact.means)[:, :5] / np.array(scales[:5]) * np.sqrt(0.8 * ROUNDS)
    assert (error <= 3).mean() >= 0.97
    assert error.max() <= 4.5  # of a hundred numbers
    assert np.allclose(played.states, exact.states, atol=1e-9)
    assert (played.arm, played.feasible) == (exact.arm, True)
    assert played.reward == played.means[played.arm, 0]


def test_a_normal_bandit_agrees_and_forgets_its_start():
    exact, played = best_arm(trap()), monte_carlo_best_arm(trap(), rounds=ROUNDS, rng=1)
    assert played.arm == exact.arm == 0
    assert np.abs(played.means - exact.means).max() <= 3 * 0.25 / np.sqrt(0.8 * ROUNDS)


def test_count_channels_are_averaged_over_trials():
    """An arm at the limit of equal opportunity: rates of labels, of which a batch has few."""
    survival = np.array([[[0.5, 0.2], [0.9, 0.6]], [[0.5, 0.2], [0.9, 0.3]]])
    env = ThresholdLoop(survival, np.arange(2.0), 0.5, np.array([0.2, 0.7]), batch=20)
    played = monte_carlo_best_arm(env, (EqualOpportunity(0.1),), rounds=ROUNDS, tol=0.02, rng=0)
    trials = 0.8 * ROUNDS * 20 * np.array([0.1, 0.4])  # q settles above these
    spread = 3 * 0.5 / np.sqrt(trials)
    assert (np.abs(played.means[:, 5:] - survival[:, 1].T) <= spread).all()
    assert played.violations == pytest.approx([0.0, 0.2], abs=0.03)
    assert played.arm == 0


def test_noise_that_the_state_follows_is_part_of_what_is_played():
    env, constraints = threshold_preset("compas_decile")
    noisy = replace(env, batch=2, dynamics=replace(env.dynamics, stochastic=True))
    exact = best_arm(noisy, constraints)
    played = monte_carlo_best_arm(noisy, constraints, rounds=2_000, tol=0.1, rng=0)
    assert not np.allclose(played.states[:, 0], exact.states[:, 0], atol=1e-3)
    assert np.allclose(played.states[:, 1:], exact.states[:, 1:], atol=1e-9)


def test_same_seed_same_bits():
    one, two, other = (monte_carlo_best_arm(trap(), rounds=50, rng=seed) for seed in (0, 0, 1))
    assert one.means.tolist() == two.means.tolist()
    assert one.means.tolist() != other.means.tolist()


def test_lending_is_played_though_nothing_is_known_of_its_steady_states():
    env = LendingLoop(np.array([[0.5, 0.5], [0.0, 1.0]]), np.array([0.5, 0.9]))
    played = monte_carlo_best_arm(env, rounds=500, rng=0)
    assert played.means.shape == (env.n_arms, len(env.channels))
    assert played.means[-1, 1] == 0.0  # nobody is accepted


def test_rates_that_were_never_seen_make_an_arm_infeasible():
    survival = np.full((2, 2, 1), 0.5)
    still = LoopDynamics(eta_q=0.0, q_low=0.0)
    env = ThresholdLoop(survival, [0.0], 0.5, np.array([0.0, 0.5]), dynamics=still)
    with pytest.warns(InfeasibleWarning, match="by inf"):
        played = monte_carlo_best_arm(env, (EqualOpportunity(0.1),), rounds=50, rng=0)
    assert np.isnan(played.means[0, 5])
    assert not played.feasible


def test_nothing_feasible_is_said():
    env, _ = threshold_preset("compas_decile")
    narrow = (DemographicParity(0.0), EqualOpportunity(0.0))
    few = replace(env, survival=env.survival[..., 3:6], thresholds=env.thresholds[3:6])
    with pytest.warns(InfeasibleWarning, match="no arm satisfies the constraints; arm 0"):
        played = monte_carlo_best_arm(few, narrow, rounds=500, rng=0)
    assert not played.feasible
    assert played.violation == played.violations.min()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"rounds": 4}, "rounds is 4; expected an integer of at least 5"), ({"tol": -1.0}, "tol")],
)
def test_refusals(options, message):
    with pytest.raises(InvalidModelError, match=message):
        monte_carlo_best_arm(trap(), **options)
