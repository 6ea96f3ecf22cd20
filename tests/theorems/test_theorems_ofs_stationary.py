"""The named bandits: what optimistic feasible search loses on them, and what other rules lose."""

import math

import numpy as np
import pytest

from mdptheory import algorithms
from mdptheory.algorithms import BanditOptions
from mdptheory.algorithms.fair_bounds import (
    infeasible_bound,
    log_term,
    pull_bound,
    stationary_bound,
)
from mdptheory.models import GaussianBandit
from proofs_checks._bandit_runs import DELTA, Game, game_of, named_game
from proofs_checks.ofs_certificates import many_arms

pytestmark = [
    pytest.mark.theorem,
    pytest.mark.filterwarnings("ignore::UserWarning"),  # no feasible arm, or radii too small
]
SEEDS = range(3)


def runs(game: Game, name: str = "ofs", seeds=SEEDS):
    options = BanditOptions(delta=DELTA, record_every=game.horizon)
    rule = getattr(algorithms, name)
    return [
        rule(game.bandit, game.horizon, game.constraints, options=options, rng=seed)
        for seed in seeds
    ]


def test_eight_arms():
    game = named_game(0)
    log = log_term(8, 3, game.horizon, DELTA)
    bound = stationary_bound(8, game.horizon, log, scale=0.25, worst=0.6)
    assert round(bound) == 7817
    found = runs(game)
    assert max(run.regret[-1] for run in found) < 150
    assert max(run.violation[-1] for run in found) < 30
    assert all(run.fallback_rounds == 0 for run in found)
    assert runs(game, "ucb", [0])[0].violation[-1] > 119_000
    stuck = runs(game, "pessimistic_ucb")
    assert max(run.regret[-1] for run in stuck) > 119_000
    assert max(run.violation[-1] for run in stuck) < 2


def test_eight_arms_that_all_violate():
    game = named_game(0, shift=0.1)
    log = log_term(8, 3, game.horizon, DELTA)
    bound = infeasible_bound(8, game.horizon, log, scale=0.25, worst=0.7)
    for run in runs(game):
        excess = run.violation[-1] - 0.1 * game.horizon
        assert 0 < excess < 60 < bound
        assert run.certificate_regret is None
        assert 20_000 < run.certificate_violation < 0.1 * game.horizon + bound


def test_an_arm_that_earns_more_and_violates():
    bandit = GaussianBandit([0.9, 0.5], [[0.2], [0.0]], 0.25, 0.25)
    game = game_of(bandit, 50_000, 0)
    log = log_term(2, 2, game.horizon, DELTA)
    most = pull_bound(game.gaps, game.residuals, log, scale=0.25, scales=game.widths)
    assert math.floor(most[0]) == 199
    assert max(run.counts[0] for run in runs(game)) < 120
    assert runs(game, "ucb", [0])[0].counts[0] > 49_900


def test_optimism_about_rewards_is_needed():
    game = game_of(GaussianBandit([0.5, 0.6], [[-0.1], [-0.1]], 0.25, 0.25), 1_000_000, 0)
    assert max(run.regret[-1] for run in runs(game, seeds=range(2))) < 80
    lost = [run.regret[-1] for run in runs(game, "greedy_feasible", range(6))]
    assert max(lost) > 99_000
    assert min(lost) < 1_000


def test_one_feasible_arm_among_fifty():
    game = many_arms(np.random.default_rng(0))
    for run in runs(game):
        assert run.regret[-1] == 0
        assert 0.3 * run.certificate_violation < run.violation[-1] < run.certificate_violation
