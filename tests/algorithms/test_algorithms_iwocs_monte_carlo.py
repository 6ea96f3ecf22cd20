"""IWOCS whose worst kernel is found by simulation, as published."""

import re
import warnings

import numpy as np
import pytest

from mdptheory import FiniteSet, TabularMDP
from mdptheory.algorithms import IWOCSOptions, IWOCSStatus, MonteCarlo, iwocs
from mdptheory.environments import windy_walk, windy_walk_family
from mdptheory.errors import TruncationWarning

WORST = -7.952147489722
FAMILY = windy_walk_family()
COUPLED = FAMILY.ambiguity(coupled=True)


def simulated(rng=0, *, tol=1.0, runs=300, horizon=10_000, family=COUPLED, **rest):
    options = IWOCSOptions(evaluator=MonteCarlo(runs, horizon))
    return iwocs(windy_walk(), family, options=options, tol=tol, rng=rng, **rest)


def test_the_published_run():
    result = simulated()
    assert result.status is IWOCSStatus.ESTIMATED
    assert "not a bound" in result.status.value
    assert len(result.history) == 2
    assert result.upper <= -7.87  # the optimal value in some of the strongest winds
    for step, exact in zip(result.history, (-10.294413, WORST), strict=True):
        assert step.standard_error > 0.0
        # the least of 25 estimates is biased low: neighbouring winds differ by 0.08
        assert abs(step.lower - exact) <= 8 * step.standard_error + 0.2


@pytest.mark.parametrize("alpha", [0.0, 0.25, 0.5])
def test_estimates_within_six_standard_errors(alpha):
    """One kernel, so that nothing is biased: its own optimal policy."""
    family = windy_walk_family([alpha]).ambiguity(coupled=True)
    result = simulated(3, family=family, runs=4000)
    (step,) = result.history
    # the bias of the horizon is below 1e-200, and without wind nothing is random
    assert abs(step.lower - step.upper) <= 6 * step.standard_error + 1e-9
    assert (step.standard_error == pytest.approx(0.0, abs=1e-12)) == (alpha == 0.0)


def test_standard_error_of_the_robust_policy():
    result = simulated(5, family=windy_walk_family([0.5]).ambiguity(coupled=True), runs=30_000)
    assert result.history[0].standard_error * 10 == pytest.approx(0.053, rel=0.15)


def outcome(result):
    return [(s.upper, s.lower, s.kernel_id, s.standard_error) for s in result.history]


def test_seeds():
    assert outcome(simulated(1)) == outcome(simulated(1))
    assert outcome(simulated(1)) == outcome(simulated(np.random.default_rng(1)))
    assert outcome(simulated(1)) != outcome(simulated(2))
    assert outcome(simulated(None)) == outcome(simulated(0))
    assert (simulated(None).seed, simulated(4).seed) == (0, 4)
    assert simulated(np.random.default_rng(1)).seed is None


def test_each_iteration_draws_fresh_runs():
    result = simulated(1, tol=1e-9, max_iter=6)
    lowers = [step.lower for step in result.history]
    assert len(set(lowers)) == len(lowers)
    assert result.status is IWOCSStatus.MAX_ITER  # noise is no proof of a stall


def test_short_runs_are_warned_of():
    with pytest.warns(TruncationWarning, match=re.escape("runs of 20 steps may miss 7.17 of")):
        simulated(horizon=20)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        simulated(horizon=200)


def test_a_random_first_state():
    P = np.array([[[[0.5, 0.5]], [[0.0, 1.0]]]])
    mdp = TabularMDP.from_dense(P[0], [[1.0], [2.0]], 0.5, initial=[0.25, 0.75])
    options = IWOCSOptions(evaluator=MonteCarlo(5000, 60))
    result = iwocs(mdp, FiniteSet(P, coupled=True), options=options, tol=0.5, rng=0)
    v = np.linalg.solve(np.eye(2) - 0.5 * P[0, :, 0], [1.0, 2.0])
    (step,) = result.history
    assert step.upper == pytest.approx(mdp.initial @ v, abs=1e-9)
    assert abs(step.lower - step.upper) <= 6 * step.standard_error
