"""What the paper shows of R2PVI on the simulated linear MDP: 20 seeds, exact values."""

import functools

import numpy as np
import pytest

from mdptheory.algorithms import OfflineOptions, drpvi, pevi, r2pvi
from mdptheory.environments import (
    collect,
    simulated_linear_mdp,
    simulated_target,
)
from mdptheory.models import ChiSquarePenalty, OfflineStatistics, TVBall, TVPenalty
from mdptheory.solvers import linear_evaluate

SEEDS = 20
GRID = np.arange(11) / 10


def learners():
    published = OfflineOptions.reproduction()
    no_floor = OfflineOptions.reproduction(vmin="zero")
    made = {"pevi": lambda data, known: pevi(data, known, options=published)}
    for weight in (0.1, 0.2, 0.3, 0.6, 1e6):
        made[f"tv {weight:g}"] = functools.partial(
            lambda data, known, weight: r2pvi(data, known, TVPenalty(weight), options=published),
            weight=weight,
        )
    for radius in (0.0, 0.3, 0.5, 1.0):
        made[f"ball {radius:g}"] = functools.partial(
            lambda data, known, radius: drpvi(data, known, TVBall(radius), options=no_floor),
            radius=radius,
        )
    minimum = OfflineOptions.reproduction(chi_square_minimum=True)
    made["chi2 minimum"] = lambda data, known: r2pvi(
        data, known, ChiSquarePenalty(0.1), options=minimum
    )
    return made


@functools.cache
def rewards(xi):
    """Expected rewards of shape (SEEDS, 11) in the perturbed environments, by learner."""
    mdp = simulated_linear_mdp(xi)
    targets = [simulated_target(mdp, q) for q in (0.0, 1.0)]
    made = {name: np.empty((SEEDS, GRID.size)) for name in learners()}
    for seed in range(SEEDS):
        data = collect(mdp, None, 100, rng=seed)
        for name, learn in learners().items():
            policy = learn(data, mdp.known).policy
            calm, perturbed = (linear_evaluate(target, policy).v[0, 0] for target in targets)
            made[name][seed] = (1.0 - GRID) * calm + GRID * perturbed  # linear: q acts once
    return made


def mean(xi, name):
    return rewards(xi)[name].mean(axis=0)


@pytest.mark.parametrize(
    ("weight", "calm", "perturbed"),
    [(0.1, 1.574, 1.094), (0.2, 1.612, 0.997), (0.3, 1.671, 0.846), (0.6, 1.734, 0.684)],
)
def test_mean_rewards_are_those_computed_with_other_seeds(weight, calm, perturbed):
    sample = rewards(0.3)[f"tv {weight:g}"]
    error = sample.std(axis=0, ddof=1) / np.sqrt(SEEDS)
    for column, other in ((0, calm), (-1, perturbed)):
        # two independent means over 20 seeds: their difference has sqrt(2) times the error
        assert abs(sample[:, column].mean() - other) < 3 * np.sqrt(2) * error[column] + 1e-3


@pytest.mark.parametrize(
    ("name", "calm", "perturbed"),
    [("pevi", 1.554, 0.744), ("tv 0.1", 1.400, 1.000), ("chi2 minimum", 1.325, 1.125)],
)
def test_published_programs_come_close_with_other_seeds(name, calm, perturbed):
    assert mean(0.2, name)[0] == pytest.approx(calm, abs=0.05)
    assert mean(0.2, name)[-1] == pytest.approx(perturbed, abs=0.08)


def test_rewards_are_linear_in_the_perturbation():
    mdp = simulated_linear_mdp(0.2)
    policy = np.tile([3, 15, 0, 0, 0], (3, 1))
    values = [linear_evaluate(simulated_target(mdp, q), policy).v[0, 0] for q in (0.0, 0.4, 1.0)]
    assert values[1] == pytest.approx(0.6 * values[0] + 0.4 * values[2], abs=1e-12)


def test_robust_wins_when_perturbed_and_loses_when_not():
    robust, plain = mean(0.2, "tv 0.1"), mean(0.2, "pevi")
    assert plain[0] > robust[0]
    assert robust[-1] > plain[-1]
    better = robust > plain
    crossing = GRID[int(better.argmax())]
    assert better[int(better.argmax()) :].all()
    assert 0.2 < crossing <= 0.5


@pytest.mark.parametrize("xi", [0.2, 0.3])
def test_larger_weights_pay_when_calm_and_cost_when_perturbed(xi):
    calm, perturbed = zip(
        *((mean(xi, f"tv {w:g}")[0], mean(xi, f"tv {w:g}")[-1]) for w in (0.1, 0.2, 0.3, 0.6)),
        strict=True,
    )
    assert (np.diff(calm) > 0).all()
    assert (np.diff(perturbed) < 0).all()


@pytest.mark.parametrize("xi", [0.2, 0.3])
def test_larger_radii_work_the_other_way(xi):
    perturbed = [mean(xi, f"ball {radius:g}")[-1] for radius in (0.0, 0.3, 0.5, 1.0)]
    assert (np.diff(perturbed) > 0).all()


def test_without_robustness_penalty_and_ball_agree_in_the_limit_and_are_close_on_data():
    mdp = simulated_linear_mdp(0.2)
    expected = np.stack([np.rint(1e6 * mdp.kernel(h)).astype(int) for h in range(3)])
    many = OfflineStatistics(mdp.known, expected)  # every pair alike, as often as expected
    options = OfflineOptions(beta=0.0, ridge=1e-4)
    penalty = r2pvi(many, mdp.known, TVPenalty(1e6), options=options)
    ball = drpvi(many, mdp.known, TVBall(0.0), options=options)
    np.testing.assert_allclose(penalty.v, ball.v, atol=1e-8)
    assert penalty.v[0, 0] == pytest.approx(1.62425013, abs=1e-8)
    gap = np.abs(mean(0.2, "tv 1e+06") - mean(0.2, "ball 0"))
    assert gap.max() < 0.05


def test_with_the_bounds_of_theory_the_weight_changes_nothing_here():
    """With l1 widths and a known least value the lambda of the figure has no effect."""
    mdp = simulated_linear_mdp(0.2)
    targets = [simulated_target(mdp, q) for q in (0.0, 1.0)]
    for seed in range(5):
        data = collect(mdp, None, 100, rng=seed)
        for weight in (0.05, 0.2, 1.0):
            fit = r2pvi(data, mdp.known, TVPenalty(weight), options=OfflineOptions(ridge=0.1))
            values = [linear_evaluate(target, fit.policy).v[0, 0] for target in targets]
            np.testing.assert_allclose(values, [1.325, 1.125], atol=1e-3)
