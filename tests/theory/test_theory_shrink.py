"""Shrinking ends at the smallest case that still breaks the claim, whatever it started from."""

import dataclasses

import numpy as np
import pytest
from toy_chains import CONTRACTION, Number, Pair, backup, with_links

from mdptheory import Discounted, FiniteHorizon, TabularMDP, TotalReward
from mdptheory.errors import InvalidModelError
from mdptheory.theory import Check, case, find_counterexample, sampling, shrink, verify_chain
from mdptheory.theory.draft import freeze, thaw, without_state
from mdptheory.theory.shrink import complexity, measure, simpler


@case
class Policies:
    mdp: TabularMDP
    chosen: np.ndarray
    pi: np.ndarray
    start: np.ndarray
    table: np.ndarray
    sizes: tuple[int, ...]


def draw_policies(seed, **options):
    rng = np.random.default_rng(seed)
    mdp = sampling.random_mdp(rng, n_states=4, n_actions=3, **options)
    return Policies(
        mdp,
        sampling.random_policy(rng, mdp),
        sampling.random_stochastic_policy(rng, mdp),
        sampling.random_row(rng, 4),
        rng.random((4, mdp.n_actions)),
        (3, 17, 100),
    )


@pytest.mark.parametrize("seed", range(6))
def test_a_false_contraction_shrinks_to_one_state(seed):
    report = verify_chain(CONTRACTION, trials=200, seed=seed)
    index = report.twins[0].index
    found = find_counterexample(CONTRACTION, "contraction", seed, index, twin="square")
    assert not found.check.holds
    mdp = found.case.mdp
    assert (mdp.n_states, mdp.n_rows, mdp.n_transitions) == (1, 1, 1)
    assert mdp.gamma == 0.5
    assert mdp.reward.tolist() == [0.0]
    assert sorted([found.case.u.item(), found.case.v.item()]) == [0.0, 1.0]


def test_a_claim_that_needs_two_states_shrinks_to_two():
    """ "The values of all states are equal" is broken by two absorbing states."""

    def flat(pair):
        v = pair.u
        for _ in range(20):
            v = backup(pair.mdp, v)
        return Check(float(v.max() - v.min()), 0.01)

    chain = with_links(CONTRACTION, contraction=flat)
    index = verify_chain(chain, trials=50).links[0].worst_index
    found = find_counterexample(chain, "contraction", 0, index)
    mdp = found.case.mdp
    assert (mdp.n_states, mdp.n_rows, mdp.n_transitions) == (2, 2, 2)
    assert set(mdp.reward.tolist()) <= {0.0, 1.0}
    assert set(found.case.u.tolist()) <= {0.0, 1.0}


def test_a_case_that_violates_nothing_is_refused():
    with pytest.raises(InvalidModelError, match="case 0 of seed 0 does not violate"):
        find_counterexample(CONTRACTION, "contraction", 0, 0)


def test_shrinking_keeps_to_admissible_cases():
    chain = dataclasses.replace(CONTRACTION, admissible=lambda pair: pair.mdp.n_states >= 2)
    for index in range(200):
        case_ = chain.sample(np.random.default_rng(index))
        if case_.mdp.n_states >= 3:
            break
    pinned = dataclasses.replace(chain, sample=lambda rng: case_, twins=())
    broken = with_links(pinned, contraction=lambda pair: Check(1.0, 0.0))
    found = find_counterexample(broken, "contraction", 0, 0)
    assert found.case.mdp.n_states == 2


def test_an_excess_does_not_shrink_into_rounding():
    def check(number):
        return Check(number.x, 0.0)

    chain = dataclasses.replace(
        with_links(CONTRACTION, contraction=check),
        sample=lambda rng: Number(0.7310585786300049),
    )
    found = find_counterexample(chain, "contraction", 0, 0)
    assert found.case.x == 1.0  # not 1e-8, which would break it too


def test_numbers_shrink_to_plain_ones():
    assert shrink(Number(7.123456), lambda c: c.x > 0.3).x == 1.0
    assert shrink(Number(7.123456), lambda c: 0.3 < c.x < 0.9).x == 0.5
    assert shrink(Number(-7.123456), lambda c: c.x < -2).x in (-3.0, -4.0, -7.0)
    order = [complexity(x) for x in (0.0, 1.0, 0.5, 2.0, 0.25, 0.1234567)]
    assert order == sorted(order)
    assert len(set(order)) == len(order)


def test_shrinking_a_claim_about_everything_reaches_the_bottom():
    small = shrink(draw_policies(0), lambda c: True, max_runs=5000)
    assert (small.mdp.n_states, small.mdp.n_rows, small.mdp.n_transitions) == (1, 1, 1)
    assert small.sizes == ()
    assert small.chosen.tolist() == [0]
    assert small.pi.tolist() == [[1.0]]
    assert small.start.tolist() == [1.0]
    assert small.table.tolist() == [[0.0]]


@pytest.mark.parametrize("seed", range(4))
def test_candidates_are_consistent(seed):
    """Arrays follow the model: shapes fit, and policies stay policies of available actions."""
    current = draw_policies(seed)
    for _ in range(25):
        candidates = list(simpler(current))
        for other in candidates:
            if other.mdp is current.mdp:
                continue
            n, width = other.mdp.n_states, other.mdp.n_actions
            assert other.chosen.size == other.start.size == n
            assert other.pi.shape == other.table.shape == (n, width)
            assert np.allclose(other.pi.sum(axis=-1), 1.0)
        smaller = [c for c in candidates if measure(c) < measure(current)]
        if not smaller:
            break
        current = smaller[seed % len(smaller)]


def test_dropping_rows_moves_policies_to_what_is_left():
    mdp = TabularMDP.from_dense(np.full((2, 2, 2), 0.5), [[0.0, 1.0], [1.0, 0.0]], 0.9)
    start = Policies(mdp, np.array([1, 1]), np.eye(2)[[1, 1]], np.eye(2)[0], np.zeros((2, 2)), ())
    dropped = [c for c in simpler(start) if c.mdp.n_rows == 3]
    assert len(dropped) == 4
    for other in dropped:
        other.mdp.policy_rows(other.chosen)  # raises if an action is not available
        allowed = other.mdp.table(np.ones(other.mdp.n_rows), missing=0.0)
        assert (other.pi[:, : allowed.shape[1]] * (allowed == 0)).sum() == 0


def test_every_accepted_step_is_strictly_simpler_and_the_budget_is_kept():
    seen = []

    def broken(candidate):
        seen.append(measure(candidate))
        return True

    shrink(draw_policies(1), broken, max_runs=9)
    assert len(seen) == 9
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == len(seen)


def test_exceptions_reject_a_candidate():
    def broken(candidate):
        if candidate.mdp.n_states < 2:
            raise ZeroDivisionError
        return True

    assert shrink(draw_policies(2), broken).mdp.n_states == 2


@pytest.mark.parametrize(
    "objective", [Discounted(0.9), FiniteHorizon(3), FiniteHorizon(2, 0.9, np.arange(4.0))]
)
def test_draft_round_trip_and_dropping_a_state(objective):
    stages = getattr(objective, "horizon", 1)
    mdp = sampling.random_mdp(
        np.random.default_rng(5), n_states=4, objective=objective, stages=stages
    )
    again = freeze(thaw(mdp))
    for name in ("choice_ptr", "action", "row_ptr", "next_state", "prob", "reward"):
        assert getattr(again, name).tolist() == getattr(mdp, name).tolist()
    for state in range(4):
        smaller = freeze(without_state(thaw(mdp), state))
        assert (smaller.n_states, smaller.n_stages) == (3, mdp.n_stages)


def test_transition_rewards_and_initial_law_survive_and_simplify():
    P = np.full((2, 1, 2), 0.5)
    mdp = TabularMDP.from_dense(P, P * [[[1.0, 3.0]], [[2.0, 0.25]]], 0.9, initial=[0.25, 0.75])
    again = freeze(thaw(mdp))
    assert again.transition_reward.tolist() == mdp.transition_reward.tolist()
    assert again.initial.tolist() == [0.25, 0.75]

    @case
    class Only:
        mdp: TabularMDP

    small = shrink(Only(mdp), lambda c: c.mdp.transition_reward is not None).mdp
    assert (small.n_states, small.n_transitions) == (1, 1)


def test_total_reward_and_horizons_shrink_within_their_objective():
    total = TabularMDP.from_dense(
        [[[0.5, 0.25, 0.25]], [[0.0, 0.5, 0.5]], [[0, 0, 1.0]]],
        [[1.0], [2.0], [0.0]],
        objective=TotalReward(),
    )
    pair = Pair(total, np.ones(3), np.zeros(3))
    small = shrink(pair, lambda c: c.mdp.reward.sum() >= 0.5)
    assert isinstance(small.mdp.objective, TotalReward)
    assert small.mdp.n_states == 2
    rng = np.random.default_rng(0)
    finite = sampling.random_mdp(rng, n_states=2, objective=FiniteHorizon(3), stages=3)
    small = shrink(Pair(finite, np.ones(2), np.ones(2)), lambda c: c.mdp.objective.horizon > 1)
    assert (small.mdp.objective.horizon, small.mdp.n_stages, small.mdp.n_states) == (2, 2, 1)
