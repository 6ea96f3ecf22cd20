"""How much of the bounds about optimistic feasible search can be used: first pulls, and no more."""

import numpy as np
import pytest

from mdptheory.models import GaussianBandit
from mdptheory.theory.counterexample import link_check
from proofs_checks import ofs_epochs, ofs_infeasible, ofs_stationary, ofs_uniform_bias
from proofs_checks._bandit_runs import game_of, run_game

pytestmark = pytest.mark.theorem


def outlier(n_arms: int, size: float, least: float = 0.0) -> GaussianBandit:
    """One arm that is worth playing and shows it at once; the others lose and violate as much."""
    reward, residual = np.zeros(n_arms), np.full((n_arms, 1), size)
    reward[0], residual[0] = size, least
    return GaussianBandit(reward, residual, 1e-3, 1e-3)


DOUBLED = ofs_epochs.Case(outlier(20, 10.0), 0, 0, 20_000, 64, 64, 0)
WEAK = ofs_uniform_bias.Case(outlier(20, 10.0), 0, 0, 1000, 0)
CASES = [
    (ofs_stationary, "regret", game_of(outlier(60, 100.0), 1000, 0), 60, 0.98),
    (ofs_stationary, "violation", game_of(outlier(60, 100.0), 1000, 0), 60, 0.98),
    (ofs_infeasible, "excess", game_of(outlier(60, 100.0, 1e-3), 1000, 0), 60, 0.98),
    (ofs_epochs, "regret", DOUBLED, 20, 0.94),
    (ofs_epochs, "violation", DOUBLED, 20, 0.94),
    (ofs_uniform_bias, "regret_plain", WEAK, 20, 0.93),
    (ofs_uniform_bias, "violation_wide", WEAK, 20, 0.93),
]


@pytest.mark.parametrize(("module", "link", "case", "n_arms", "least"), CASES)
def test_first_pulls_use_the_bound_up_but_for_one_arm(module, link, case, n_arms, least):
    assert module.CHAIN.admissible(case)
    check = link_check(module.CHAIN, link, case)
    assert check.holds
    assert check.conclusive
    assert least < check.tightness <= 1 - 1 / n_arms


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0, 4.1])
def test_the_root_uses_at_most_half_of_its_constant(factor):
    """An arm loses the same in each round: its last radius counts, not the sum of all."""
    k, t, sigma = 8, 10_000, 0.1
    root = sigma * np.sqrt(2 * np.log(2 * k * 2 * t / 0.05) * k * t)
    reward = np.full(k, -factor * root / t)
    reward[-1] = 0.0
    for seed in range(3):
        trace = run_game(game_of(GaussianBandit(reward, np.zeros((k, 1)), sigma, sigma), t, seed))
        pulls = np.bincount(trace.arms, minlength=k)
        again = float((trace.case.gaps * (pulls - 1)).sum())
        assert 0.02 * 4 * root < again < 2 * root
