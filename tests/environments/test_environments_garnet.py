"""Garnet: distinct successors, the two conventions' distributions, chunks, memory."""

import importlib
import itertools
import tracemalloc

import numpy as np
import pytest
from scipy import stats

from mdptheory.environments import garnet

ALARM = 1e-9  # false-alarm probability of a test, before its number of comparisons
module = importlib.import_module("mdptheory.environments.garnet")


def shaped(mdp, branching):
    return mdp.next_state.reshape(-1, branching), mdp.prob.reshape(-1, branching)


@pytest.mark.parametrize(
    ("n_states", "branching"), [(1000, 4), (1000, 12), (30, 20), (9, 9), (5, 1), (100, 1), (1, 1)]
)
@pytest.mark.parametrize("spacing", [True, False])
def test_successors_are_distinct_and_rows_sum_to_one(n_states, branching, spacing):
    mdp = garnet(n_states, 3, branching, spacing=spacing, rng=0)
    successors, prob = shaped(mdp, branching)
    assert successors.shape == (3 * n_states, branching)
    assert (np.diff(successors, axis=1) > 0).all()
    assert successors.min() >= 0
    assert successors.max() < n_states
    np.testing.assert_allclose(prob.sum(axis=1), 1.0, rtol=0, atol=1e-14)
    if branching == 1:
        assert (prob == 1).all()


@pytest.mark.parametrize("draw", ["_subsets_by_floyd", "_subsets_by_rank"])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_each_subset_is_equally_likely(draw, size):
    sample = getattr(module, draw)(np.random.default_rng(0), 60_000, 5, size)
    subsets = list(itertools.combinations(range(5), size))
    codes = (1 << sample).sum(axis=1)
    counts = [int((codes == sum(1 << i for i in subset)).sum()) for subset in subsets]
    assert sum(counts) == 60_000
    if len(subsets) > 1:
        assert stats.chisquare(counts).pvalue > ALARM


@pytest.mark.parametrize("branching", [2, 4, 10])
def test_spacings_are_uniform_on_the_simplex(branching):
    """A gap is Beta(1, b - 1); the smallest exceeds t with probability (1 - b t)^(b - 1)."""
    _, prob = shaped(garnet(2000, 10, branching, rng=0), branching)
    for column in (0, branching // 2, branching - 1):
        assert stats.kstest(prob[:, column], stats.beta(1, branching - 1).cdf).pvalue > ALARM
    survival = np.clip(1 - branching * prob.min(axis=1), 0, 1) ** (branching - 1)
    assert stats.kstest(survival, "uniform").pvalue > ALARM


@pytest.mark.parametrize("branching", [2, 4, 10])
def test_normalised_uniforms_are_another_distribution(branching):
    _, prob = shaped(garnet(2000, 10, branching, spacing=False, rng=0), branching)
    assert stats.kstest(prob[:, 0], stats.beta(1, branching - 1).cdf).pvalue < ALARM


def test_normalised_uniforms_of_two_have_their_distribution():
    """For two uniforms, U / (U + W) <= x with probability x / (2 (1 - x)) up to one half."""

    def cdf(x):
        low = np.minimum(x, 1 - x)
        below = low / (2 * (1 - low))
        return np.where(x <= 0.5, below, 1 - below)

    _, prob = shaped(garnet(2000, 10, 2, spacing=False, rng=0), 2)
    assert stats.kstest(prob[:, 0], cdf).pvalue > ALARM


@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_rewards_are_uniform_up_to_the_scale(scale):
    reward = garnet(2000, 10, 2, reward_scale=scale, rng=0).reward
    assert reward.min() >= 0
    assert reward.max() < scale
    assert stats.kstest(reward / scale, "uniform").pvalue > ALARM


def test_successors_and_probabilities_are_independent_of_order():
    """Sorting the successors does not sort the probabilities."""
    _, prob = shaped(garnet(2000, 10, 3, rng=0), 3)
    first, last = prob[:, 0], prob[:, 2]
    assert stats.ks_2samp(first, last).pvalue > ALARM


@pytest.mark.parametrize(("n_states", "branching"), [(200, 4), (20, 5)])
def test_chunks_join_without_a_seam(monkeypatch, n_states, branching):
    monkeypatch.setattr(module, "CHUNK", 7 * n_states)
    mdp = garnet(n_states, 3, branching, rng=0)
    successors, prob = shaped(mdp, branching)
    assert (np.diff(successors, axis=1) > 0).all()
    np.testing.assert_allclose(prob.sum(axis=1), 1.0, rtol=0, atol=1e-14)
    assert len(np.unique(prob[:, 0])) == len(prob)


def test_same_rows_whatever_the_convention_of_rewards():
    one, two = (garnet(50, 2, 3, reward_scale=scale, rng=4) for scale in (1.0, 2.0))
    assert one.prob.tobytes() == two.prob.tobytes()
    np.testing.assert_array_equal(2 * one.reward, two.reward)


@pytest.mark.slow
def test_a_million_states_stay_within_three_times_the_model():
    tracemalloc.start()
    mdp = garnet(1_000_000, 4, 4, rng=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    kept = sum(
        getattr(mdp, name).nbytes
        for name in ("choice_ptr", "action", "row_ptr", "next_state", "prob", "reward")
    )
    assert mdp.next_state.dtype == np.int32
    assert peak < 3 * kept
