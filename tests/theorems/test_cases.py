"""The seeded instances: what they reach, and which models the search may not visit."""

import numpy as np
import pytest

from mdptheory import Discounted, FiniteHorizon, TabularMDP
from proofs_checks import _cases as cases
from proofs_checks import (
    absorption,
    elimination,
    finite_horizon,
    modified_policy_iteration,
    policy_loss,
    simulation,
)

RNG_SEEDS = range(200)


def test_build_normalises_weights_and_keeps_ragged_actions():
    mdp = cases.build([[((1, 3), 0.5), ((0, 2), 1.0)], [((1, 0), 0.0)]], Discounted(0.5))
    np.testing.assert_array_equal(mdp.choice_ptr, [0, 2, 3])
    np.testing.assert_array_equal(mdp.prob, [0.25, 0.75, 1.0, 1.0])
    np.testing.assert_array_equal(mdp.next_state, [0, 1, 1, 0])


def test_random_models_have_ties_point_masses_and_ragged_states():
    drawn = [cases.random_mdp(np.random.default_rng(seed)) for seed in RNG_SEEDS]
    assert any(len(set(np.diff(mdp.choice_ptr))) > 1 for mdp in drawn)
    assert np.mean([(mdp.prob == 1.0).any() for mdp in drawn]) > 0.3
    assert {mdp.n_states for mdp in drawn} == {1, 2, 3, 4}


@pytest.mark.parametrize("seed", range(20))
def test_random_policies_are_available(seed):
    rng = np.random.default_rng(seed)
    mdp = cases.random_mdp(rng)
    mdp.policy_rows(cases.random_policy(rng, mdp))
    pi = cases.random_mixture(rng, mdp)
    np.testing.assert_allclose(pi.sum(axis=1), 1.0)
    assert cases.random_start(rng, 3).sum() == pytest.approx(1.0)


def plain(gamma: float = 0.5, reward: float = 1.0) -> TabularMDP:
    return cases.build([[((1,), reward)]], Discounted(gamma))


def test_plain_models_only():
    assert cases.is_plain(plain())
    assert not cases.is_plain(plain(gamma=0.999))
    assert not cases.is_plain(plain(gamma=0.0))
    assert not cases.is_plain(plain(reward=11.0))
    assert not cases.is_plain(plain(), np.array([1e4]))
    assert not cases.is_plain(plain().with_objective(FiniteHorizon(2)))


def test_models_with_too_many_policies_are_not_small():
    arms = [((1,) * 7, 0.0)] * 4
    assert not cases.is_small(cases.build([arms] * 7, Discounted(0.5)))


def test_chains_refuse_cases_outside_their_theorem():
    zero = np.zeros(1)
    mismatched = simulation.Case(plain(), plain(gamma=0.9), np.zeros(1, dtype=np.int64))
    assert not simulation.admissible(mismatched)
    assert not modified_policy_iteration.admissible(
        modified_policy_iteration.Case(plain(), 1, -1.0, 1.0)
    )
    assert not elimination.admissible(elimination.Case(plain(gamma=0.999), zero))
    assert not policy_loss.admissible(policy_loss.Case(plain(), zero + 1e6))
    long = cases.build([[((1, 1), 0.0)], [((1, 1), 0.0)]], FiniteHorizon(30))
    still = np.zeros((30, 2), dtype=np.int64)
    assert not finite_horizon.admissible(
        finite_horizon.Case(long, still, still, np.array([1.0, 0.0]))
    )


def test_a_discounted_model_is_no_case_of_absorption():
    zero = np.zeros(1)
    case = absorption.Case(plain(), np.zeros(1, dtype=np.int64), zero, zero, zero)
    assert not absorption.admissible(case)


def test_scales():
    mdp = cases.build([[((1,), 0.0), ((1,), 2.0)]], Discounted(0.5))
    assert cases.reward_span(mdp) == 2.0
    assert cases.value_width(mdp) == 4.0
    assert cases.value_width(mdp, np.array([-3.0])) == 7.0
    assert cases.span(np.array([1.0, 4.0])) == 3.0
    assert cases.sup(np.array([1.0, -4.0])) == 4.0
    np.testing.assert_array_equal(cases.top(mdp, np.array([2.0])), [3.0])
