"""The lending preset: its numbers, where its arms end, and that nothing is certified for it."""

import numpy as np
import pytest

from mdptheory.algorithms import ofs, ofs_epochs
from mdptheory.environments import lending_loop
from mdptheory.errors import NotContractiveError
from mdptheory.models import DelayedImpact, DemographicParity, LendingLoop, ServiceRate
from mdptheory.operators import certify, policy_impact
from mdptheory.operators.closed_loop import loop_means, loop_step, steady_state


def still(loop, share):
    """Return a state with everybody in the lowest two clusters."""
    clusters = np.zeros((2, loop.n_clusters))
    clusters[:, 0], clusters[:, 1] = share, 1 - share
    return np.append(clusters.ravel(), loop.cash)


def test_numbers():
    loop = lending_loop()
    assert (loop.n_arms, loop.interest, loop.cash) == (8, 1.0, 1e4)
    pairs = lending_loop(interest=0.3, group_thresholds=True)
    assert (pairs.n_arms, pairs.interest) == (64, 0.3)
    np.testing.assert_array_equal(pairs.lowest[:, 8 * 2 + 5], [2, 5])
    means = loop_means(loop, loop.start_state)
    np.testing.assert_allclose(means[:, 1], [1.0, 0.95, 0.85, 0.7, 0.45, 0.15, 0.0, 0.0])
    assert means[:, 0].argmax() == 3  # where repaying is likelier than not


def test_nothing_is_certified():
    with pytest.raises(NotContractiveError, match="kappa is 1: applicants"):
        certify(lending_loop())


def test_one_threshold_keeps_two_states_apart_for_ever():
    loop = lending_loop()
    for share in (0.25, 0.75):
        np.testing.assert_array_equal(loop_step(loop, still(loop, share), 2), still(loop, share))
        np.testing.assert_array_equal(
            steady_state(loop, 2, start=still(loop, share)), still(loop, share)
        )


def test_a_round_moves_mean_clusters_as_one_decision_would():
    """Away from the ends a loan moves its cluster by 1 up or down: delayed impact, once a round."""
    loop = lending_loop()
    model = DelayedImpact(
        loop.cluster_probs, loop.success, c_plus=1.0, c_minus=-1.0, group_probs=loop.group_probs
    )
    clusters = np.arange(7)
    for arm in range(1, 8):  # arm 0 accepts the lowest cluster, which cannot fall
        outcomes = policy_impact(model, (clusters >= arm).astype(float)).outcomes
        moved = loop_step(loop, loop.start_state, arm)[:14].reshape(2, 7) - loop.cluster_probs
        np.testing.assert_allclose(moved @ clusters, 0.01 * 0.5 * outcomes, atol=1e-15)


def test_every_threshold_but_the_lowest_ends_with_nobody_above_it():
    fast = LendingLoop(shift=1.0)
    for arm in (1, 3):
        end = steady_state(fast, arm)
        np.testing.assert_allclose(end[:14].reshape(2, 7)[:, arm:], 0.0, atol=1e-9)
        np.testing.assert_allclose(loop_means(fast, end)[arm], 0.0, atol=1e-9)


def test_search_runs_but_promises_nothing():
    loop, wanted = LendingLoop(thresholds=[0, 3, 5]), [ServiceRate(0.3), DemographicParity(0.3)]
    run = ofs(loop, 1000, wanted, rng=0)
    assert run.certificate_regret is None
    assert run.certificate_violation is None
    assert run.counts.sum() == 1000
    assert (run.arms == ofs(loop, 1000, wanted, rng=0).arms).all()
    clusters = run.states[:, :14].reshape(-1, 2, 7)
    assert (clusters >= 0).all()
    np.testing.assert_allclose(clusters.sum(axis=2), 1.0, atol=1e-12)
    for t in (0, 500, 999):  # what is recorded is the mean at the state of the round
        np.testing.assert_allclose(run.means[t], loop_means(loop, run.states[t])[run.arms[t]])


def test_epochs_need_a_loop_that_forgets():
    with pytest.raises(NotContractiveError, match="kappa is 1"):
        ofs_epochs(lending_loop(), 1000, rng=0)
    run = ofs_epochs(LendingLoop(thresholds=[0, 3, 5]), 1000, bias="none", rng=0)
    assert run.certificate_regret is None
