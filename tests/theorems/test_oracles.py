"""The slow second routes against each other and against values known in closed form."""

from fractions import Fraction

import numpy as np
import pytest

from mdptheory import Discounted, FiniteHorizon, TabularMDP
from proofs_checks import _oracles as oracles
from proofs_checks._cases import build, random_mdp, random_mixture, random_table

SEEDS = range(25)


def two_states(gamma: float = 0.5) -> TabularMDP:
    """State 0 is paid 1 and leaves; state 1 is paid nothing and comes back, or stays for 1/4."""
    table = [[((0, 1), 1.0)], [((1, 0), 0.0), ((0, 1), 0.25)]]
    return build(table, Discounted(gamma))


def test_exact_value_of_a_cycle_is_a_fraction():
    value = oracles.exact_policy_value(two_states(), (0, 0))
    assert value == [Fraction(4, 3), Fraction(2, 3)]


def test_exact_policy_iteration_finds_the_cycle():
    value, policy, improvements = oracles.exact_policy_iteration(two_states())
    assert value == [Fraction(4, 3), Fraction(2, 3)]
    assert policy == [0, 0]
    assert improvements == 0


def test_rows_are_the_stored_floats():
    mdp = TabularMDP.from_dense([[[0.1, 0.9]], [[0.0, 1.0]]], [[0.3], [0.0]], 0.9)
    row = oracles.exact_rows(mdp)[0][0]
    assert row.reward == Fraction(0.3)
    assert row.successors == ((0, Fraction(0.1)), (1, Fraction(0.9)))


@pytest.mark.parametrize("seed", SEEDS)
def test_four_routes_find_one_optimum(seed):
    mdp = random_mdp(np.random.default_rng(seed))
    exact = oracles.optimal_value(mdp)
    np.testing.assert_allclose(oracles.best_of_all_policies(mdp), exact, atol=1e-10)
    np.testing.assert_allclose(oracles.linear_program_value(mdp), exact, rtol=1e-6, atol=1e-6)
    fractions = [oracles.exact_policy_value(mdp, policy) for policy in oracles.all_policies(mdp)]
    best = [float(max(values)) for values in zip(*fractions, strict=True)]
    np.testing.assert_array_equal(best, exact)


@pytest.mark.parametrize("seed", SEEDS)
def test_dense_value_of_a_mixture_solves_its_equation(seed):
    rng = np.random.default_rng(seed)
    mdp = random_mdp(rng)
    pi = random_mixture(rng, mdp)
    P, r = oracles.policy_matrix(mdp, pi)
    value = oracles.dense_policy_value(mdp, pi)
    np.testing.assert_allclose(P.sum(axis=1), 1.0)
    np.testing.assert_allclose(r + mdp.gamma * P @ value, value)


def test_a_point_mixture_is_the_deterministic_policy():
    mdp = two_states()
    pi = np.array([[1.0, 0.0], [0.0, 1.0]])
    for mixed, plain in zip(
        oracles.policy_matrix(mdp, pi), oracles.policy_matrix(mdp, np.array([0, 1])), strict=True
    ):
        np.testing.assert_array_equal(mixed, plain)


def test_solve_exactly_swaps_rows_when_a_pivot_is_zero():
    matrix = [[Fraction(0), Fraction(2)], [Fraction(4), Fraction(1)]]
    assert oracles.solve_exactly(matrix, [Fraction(2), Fraction(9)]) == [Fraction(2), Fraction(1)]


# ---- finite horizon -----------------------------------------------------------------------------


def small_horizon(seed: int) -> TabularMDP:
    rng = np.random.default_rng(seed)
    table = random_table(rng, 2, 2, n_blocks=4)
    return build(table, FiniteHorizon(2, 0.9, rng.integers(0, 5, 2)))


@pytest.mark.parametrize("seed", SEEDS)
def test_tree_markov_policies_and_remembering_policies_agree(seed):
    mdp = small_horizon(seed)
    tree = oracles.expectimax(mdp)
    markov = [
        oracles.stage_policy_value(mdp, policy)[0] for policy in oracles.all_stage_policies(mdp)
    ]
    remembering = [max(oracles.history_policy_values(mdp, s)) for s in range(2)]
    np.testing.assert_allclose(np.max(markov, axis=0), tree, atol=1e-12)
    np.testing.assert_allclose([float(x) for x in remembering], tree, atol=1e-12)


def test_number_of_listed_policies():
    arms = [((1, 1), 0.0), ((1, 0), 1.0)]
    mdp = build([arms, arms], FiniteHorizon(2))
    assert sum(1 for _ in oracles.all_stage_policies(mdp)) == 2**4
    # histories from one state: itself, then (a=0: two successors) + (a=1: one successor)
    assert sum(1 for _ in oracles.history_policy_values(mdp, 0)) == 2 ** (1 + 3)


def test_one_step_is_the_best_reward_plus_the_discounted_end():
    table = [[((0, 1), 1.0), ((1, 0), 3.0)], [((1, 0), 0.0)]]
    mdp = build(table, FiniteHorizon(1, 0.5, np.array([0.0, 10.0])))
    np.testing.assert_array_equal(oracles.expectimax(mdp), [6.0, 0.0])


def test_horizon_of_a_discounted_model_is_refused():
    with pytest.raises(TypeError, match="expected FiniteHorizon"):
        oracles.expectimax(two_states())
