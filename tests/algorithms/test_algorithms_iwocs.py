"""IWOCS on the windy walk and on the exact counterexamples."""

import re

import numpy as np
import pytest
from iwocs_models import example_a, example_b, matching_pennies, model

from mdptheory import FiniteSet, TabularMDP, policy_iteration
from mdptheory.algorithms import IWOCSOptions, IWOCSStatus, iwocs
from mdptheory.environments import windy_walk, windy_walk_family
from mdptheory.errors import StallWarning

WORST = -7.952147489722
FAMILY = windy_walk_family()


def trace(result):
    return [(step.upper, step.lower) for step in result.history]


def walk(coupled, family=FAMILY, **options):
    mdp = windy_walk(0.0, corridor_len=family.goal - 2)
    return iwocs(mdp, family.ambiguity(coupled=coupled), options=IWOCSOptions(**options), tol=1e-9)


@pytest.mark.parametrize("coupled", [True, False])
def test_windy_walk_from_no_wind(coupled):
    result = walk(coupled)
    expected = [(-4.524381, -10.294413), (WORST, WORST)]
    np.testing.assert_allclose(trace(result), expected, rtol=0, atol=5.1e-7)
    assert trace(result)[1] == pytest.approx((WORST, WORST), abs=1e-10)
    assert result.status is IWOCSStatus.CERTIFIED
    assert abs(result.gap) <= 1e-9
    assert result.upper_valid_for == ("deterministic" if coupled else "all")
    np.testing.assert_allclose(
        result.worst_kernel.to_dense()[0][result_pairs(result)],
        FAMILY.kernels[24][result_pairs(result)],
        rtol=0,
        atol=1e-15,
    )


def result_pairs(result):
    return np.arange(36), result.best_policy


def test_windy_walk_finds_the_strongest_wind():
    result = walk(True)
    assert result.kernels_found == (0, 24)
    assert [step.kernel_id for step in result.history] == [1, 1]
    straight, detour = walk(True, T0=0), walk(True, T0=24)
    assert straight.policy[0] == detour.policy[0]
    assert detour.kernels_found == (24,)


@pytest.mark.parametrize("coupled", [True, False])
@pytest.mark.parametrize("planner", ["pi", "vi"])
def test_two_iterations_from_every_wind(coupled, planner):
    for first in range(25):
        result = walk(coupled, T0=first, planner=planner)
        assert len(result.history) == (1 if first == 24 else 2)
        assert result.status is IWOCSStatus.CERTIFIED
        assert result.upper == pytest.approx(WORST, abs=1e-9)
        assert result.lower == pytest.approx(WORST, abs=1e-9)
        assert result.history[-1].upper <= result.history[0].upper + 1e-12


@pytest.mark.parametrize("coupled", [True, False])
def test_the_long_walk(coupled):
    result = walk(coupled, windy_walk_family(corridor_len=16))
    expected = [(-12.055714, -19.843398), (-14.860130, -14.860130)]
    np.testing.assert_allclose(trace(result), expected, rtol=0, atol=5.1e-7)


@pytest.mark.parametrize("selection", ["nature_greedy", "hull"])
def test_the_repaired_rules_walk_as_well(selection):
    result = walk(False, selection=selection)
    assert result.status is IWOCSStatus.CERTIFIED
    assert result.upper == pytest.approx(WORST, abs=1e-9)
    assert result.lower == pytest.approx(WORST, abs=1e-9)


def test_the_bracket_breaks_if_nature_forgets():
    """Searching only the kernels found so far, step 4 claims more than the robust value."""
    mdp = windy_walk(0.0)
    result = iwocs(mdp, FiniteSet(FAMILY.kernels[:1], coupled=True))
    assert result.lower == pytest.approx(-4.524381, abs=1e-6)
    assert result.lower > WORST + 3.0


def test_example_a_stalls():
    with pytest.warns(StallWarning, match=re.escape("stalled after 2 iterations with a gap of 27")):
        result = iwocs(*example_a())
    np.testing.assert_allclose(trace(result), [(37.0, 10.0), (37.0, 10.0)], rtol=0, atol=1e-9)
    assert result.status is IWOCSStatus.STALLED
    assert (result.upper, result.lower, result.gap) == pytest.approx((37.0, 10.0, 27.0), abs=1e-9)
    assert result.q_min[0] == pytest.approx([31.0, 37.0], abs=1e-9)
    assert result.policy[0] == result.best_policy[0] == 1
    assert [kernel[0].tolist() for kernel in result.kernels_found] == [[0, 0], [1, 1]]
    assert [step.kernel_id for step in result.history] == [1, 1]


@pytest.mark.parametrize(
    "options",
    [{"selection": "nature_greedy"}, {"selection": "hull"}, {"completion": "nominal"}],
)
def test_example_a_is_certified_in_two_iterations_otherwise(options):
    result = iwocs(*example_a(), options=IWOCSOptions(**options))
    assert result.status is IWOCSStatus.CERTIFIED
    assert len(result.history) == 2
    assert (result.upper, result.lower) == pytest.approx((31.0, 31.0), abs=1e-9)
    assert result.best_policy[0] == 0


def test_example_b_stalls_with_nominal_completion():
    with pytest.warns(StallWarning, match=re.escape("with a gap of 8.1 (tol is 1e-06)")):
        result = iwocs(*example_b(), options=IWOCSOptions(completion="nominal"))
    assert result.status is IWOCSStatus.STALLED
    assert [upper for upper, _ in trace(result)] == pytest.approx([8.1] * len(result.history))
    assert (result.upper, result.lower) == pytest.approx((8.1, 0.0), abs=1e-9)


@pytest.mark.parametrize("selection", ["policy_worst", "nature_greedy", "hull"])
def test_example_b_is_certified_otherwise(selection):
    result = iwocs(*example_b(), options=IWOCSOptions(selection=selection))
    assert result.status is IWOCSStatus.CERTIFIED
    assert len(result.history) == 2
    assert (result.upper, result.lower) == pytest.approx((5.0, 5.0), abs=1e-9)


def test_a_coupled_family_has_a_true_gap():
    """min max is 9, a randomised policy guarantees 4.5, a deterministic one 0."""
    mdp, ambiguity = matching_pennies()
    best = [iwocs(mdp, FiniteSet(ambiguity.rows[k : k + 1], coupled=True)).upper for k in range(2)]
    assert min(best) == pytest.approx(9.0, abs=1e-9)
    result = iwocs(mdp, ambiguity)
    np.testing.assert_allclose(trace(result), [(9.0, 0.0), (0.0, 0.0)], rtol=0, atol=1e-9)
    assert result.upper_valid_for == "deterministic"
    P, half = ambiguity.rows, np.full(2, 0.5)
    mixed = [np.array([half @ kernel[0], P[0, 1, 0], P[0, 2, 0]]) for kernel in P]
    values = [np.linalg.solve(np.eye(3) - 0.9 * some, [0.0, 1.0, 0.0])[0] for some in mixed]
    assert min(values) == pytest.approx(4.5, abs=1e-12)
    assert result.upper < min(values)  # which is why it is said to hold for deterministic ones


def test_the_same_family_by_pair_has_no_gap():
    result = iwocs(*matching_pennies(coupled=False))
    assert result.status is IWOCSStatus.CERTIFIED
    assert result.upper_valid_for == "all"
    assert (result.upper, result.lower) == pytest.approx((0.0, 0.0), abs=1e-9)


def small_one_action(*, coupled):
    """Two states, one action: each kernel pays 2 once, from another state."""
    kernels = np.array([[[[0.0, 1.0]], [[0.0, 1.0]]], [[[1.0, 0.0]], [[1.0, 0.0]]]])
    paid = np.array([[[0.0, 2.0]], [[2.0, 0.0]]])
    mdp = TabularMDP.from_dense(kernels.mean(axis=0), paid, 0.9, initial=[0.5, 0.5])
    return mdp, FiniteSet(kernels, coupled=coupled)


def test_coupled_kernels_and_a_random_first_state():
    """The pointwise minimum of values, 0, is no bound here: every policy earns 1."""
    result = iwocs(*small_one_action(coupled=True))
    assert (result.upper, result.lower) == pytest.approx((1.0, 1.0), abs=1e-9)
    assert result.upper_valid_for == "all"
    by_pair = iwocs(*small_one_action(coupled=False))
    assert (by_pair.upper, by_pair.lower) == pytest.approx((0.0, 0.0), abs=1e-9)
    mdp, ambiguity = small_one_action(coupled=True)
    for k, start, value in ((0, 0, 2.0), (0, 1, 0.0), (1, 0, 0.0), (1, 1, 2.0)):
        one = iwocs(mdp, FiniteSet(ambiguity.rows[k : k + 1], coupled=True), start=start)
        assert one.lower == pytest.approx(value, abs=1e-9)
        assert one.worst_kernel.transition_reward is not None


def test_the_last_policy_may_be_worse_than_the_best():
    """The published rule returns the last policy; the best one is kept beside it."""
    rng, found = np.random.default_rng(0), 0
    for _ in range(200):
        kernels = rng.dirichlet(np.full(3, 0.5), size=(3, 3, 3))
        mdp, ambiguity = model(kernels, rng.standard_normal((3, 3)), 0.9)
        options = IWOCSOptions(selection="random")
        result = iwocs(mdp, ambiguity, options=options, max_iter=4, rng=rng)
        lowers = [step.lower for step in result.history]
        assert result.lower == max(lowers)
        assert result.upper == min(step.upper for step in result.history)
        found += lowers[-1] < result.lower - 1e-6
    assert found > 0


def test_counts_and_history():
    result = walk(True)
    assert result.n_ordinary_backups == sum(step.backups for step in result.history) > 0
    assert result.n_linear_solves == sum(step.linear_solves for step in result.history) >= 50
    assert all(step.seconds >= 0 and step.standard_error == 0 for step in result.history)
    assert result.seed is None


def test_iteration_limit():
    result = iwocs(windy_walk(0.0), FAMILY.ambiguity(coupled=True), max_iter=1)
    assert result.status is IWOCSStatus.MAX_ITER
    np.testing.assert_allclose(trace(result), [(-4.524381, -10.294413)], rtol=0, atol=1e-6)


@pytest.mark.parametrize("coupled", [True, False])
def test_a_model_too_large_for_dense_elimination(coupled):
    family = windy_walk_family([0.0, 0.5], corridor_len=90)
    mdp = windy_walk(0.0, corridor_len=90)
    assert mdp.n_states > 500
    result = iwocs(mdp, family.ambiguity(coupled=coupled))
    truth = policy_iteration(windy_walk(0.5, corridor_len=90), tol=1e-10).v[0]
    assert (result.upper, result.lower) == pytest.approx((truth, truth), abs=1e-8)
