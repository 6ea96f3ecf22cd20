"""The search for tight instances, and the seeded samplers."""

import dataclasses

import numpy as np
import pytest
from toy_chains import CONTRACTION, SQUARES, Number, Pair, with_links

from mdptheory import FiniteHorizon, TabularMDP, TotalReward
from mdptheory.errors import InvalidModelError
from mdptheory.theory import Check, sampling, simplify, tighten, verify_chain
from mdptheory.theory.tighten import mutate, real_parts, score, with_real_parts


def narrow(number):
    """Tight only at x = 1/2, which sampling never hits."""
    return Check(1.0 - abs(number.x - 0.5), 1.0)


@pytest.mark.parametrize("polish", [False, True])
def test_climbing_beats_sampling(polish):
    def gap(pair):
        return Check(float(np.abs(pair.u - 0.3).sum() < 0.2) + 0.5 / (1 + np.ptp(pair.v)), 2.0)

    chain = with_links(CONTRACTION, contraction=gap)
    drawn = verify_chain(chain, trials=100).links[0].max_tightness
    found = tighten(chain, "contraction", budget=400, seed=1, polish=polish)
    assert found.check.tightness >= drawn
    assert found.check.tightness == pytest.approx(score(found.check))


def test_a_peak_is_climbed_and_made_plain():
    chain = with_links(SQUARES, square=narrow)
    found = tighten(chain, "square", budget=500, seed=0)
    assert found.check.tightness > 0.99
    plain = simplify(chain, found, keep=0.99)
    assert plain.case.x == 0.5
    assert plain.check.tightness == 1.0


def test_the_search_is_seeded():
    first, second, other = (
        tighten(CONTRACTION, "contraction", budget=60, seed=s) for s in (2, 2, 3)
    )
    assert first.case.u.tobytes() == second.case.u.tobytes()
    assert first.case.mdp.prob.tobytes() == second.case.mdp.prob.tobytes()
    assert first.case.u.tobytes() != other.case.u.tobytes()


def test_a_violation_ends_on_top():
    chain = with_links(SQUARES, square=lambda n: Check(n.x, 0.999))
    found = tighten(chain, "square", budget=300, seed=0)
    assert not found.check.holds
    assert score(found.check) == np.inf


def test_the_search_keeps_to_admissible_cases_and_survives_exceptions():
    chain = dataclasses.replace(SQUARES, admissible=lambda n: 0 <= n.x <= 0.75, twins=())
    found = tighten(chain, "square", budget=300, seed=0)
    assert 0.7 < found.check.tightness <= 0.75

    def fragile(number):
        if number.x > 0.6:
            raise RuntimeError
        return Check(number.x, 1.0)

    assert tighten(with_links(SQUARES, square=fragile), "square", budget=200).case.x <= 0.6


def test_nothing_conclusive_is_said():
    chain = with_links(SQUARES, square=lambda n: Check(n.x, 5.0, trivial=1.0))
    with pytest.raises(InvalidModelError, match="none of 4 cases was conclusive"):
        tighten(chain, "square", budget=20)
    with pytest.raises(InvalidModelError, match="has no link 'typo'"):
        tighten(SQUARES, "typo")
    with pytest.raises(InvalidModelError, match="budget is 1"):
        tighten(SQUARES, "square", budget=1)


@pytest.mark.parametrize("seed", range(3))
def test_mutants_are_valid_neighbours(seed):
    rng = np.random.default_rng(seed)
    mdp = sampling.random_mdp(rng, n_states=3, n_actions=2)
    current, changed = Pair(mdp, np.zeros(3), np.full(3, 1 / 3)), 0
    for _ in range(200):
        other = mutate(current, rng)
        if other is None:
            continue
        changed += other is not current
        assert other.mdp.n_rows == mdp.n_rows
        assert other.mdp.reward.min() >= 0.0
        assert other.mdp.reward.max() <= 1.0
        assert other.v.sum() == pytest.approx(1.0)  # a row of probabilities stays one
        current = other
    assert changed > 150
    assert mutate(Number(1.0), rng) is not None
    assert mutate((1, 2), rng) is None
    total = TabularMDP.from_dense(
        [[[0.5, 0.5]], [[0, 1.0]]], [[1.0], [0.0]], objective=TotalReward()
    )
    assert any(mutate(total, rng) is None for _ in range(50))  # reward on the absorbing state


def test_real_parts_round_trip():
    rng = np.random.default_rng(0)
    pair = Pair(sampling.random_mdp(rng, n_states=3), np.arange(3.0), np.full(3, 1 / 3))
    numbers = np.concatenate(list(real_parts(pair)))
    again = with_real_parts(pair, numbers)
    assert np.concatenate(list(real_parts(again))) == pytest.approx(numbers)
    moved = with_real_parts(pair, numbers - 0.3)
    assert moved.v.sum() == pytest.approx(1.0)
    assert moved.mdp.reward.min() >= 0.0


# ---- samplers -----------------------------------------------------------------------------------


def test_rows_are_often_degenerate():
    rng = np.random.default_rng(0)
    rows = [sampling.random_row(rng, 3) for _ in range(500)]
    assert all(row.sum() == pytest.approx(1.0) and (row >= 0).all() for row in rows)
    assert np.mean([row.max() == 1.0 for row in rows]) > 0.3
    assert np.mean([row.min() == 0.0 for row in rows]) > 0.6
    assert np.mean([row.min() > 0.0 for row in rows]) > 0.05


def test_models_cover_ragged_ids_ties_and_sizes():
    rng = np.random.default_rng(1)
    models = [sampling.random_mdp(rng) for _ in range(200)]
    assert {m.n_states for m in models} == {1, 2, 3, 4, 5}
    assert {m.gamma for m in models} == set(sampling.GAMMAS)
    counts = [np.diff(m.choice_ptr) for m in models]
    assert sum(c.min() < c.max() for c in counts) > 50
    assert any(m.action[m.choice_ptr[0]] > 0 for m in models)  # state 0 lacks action 0
    assert sum(len(set(m.reward.tolist())) < m.n_rows for m in models) > 50
    full = sampling.random_mdp(rng, n_states=3, n_actions=2, ragged=False)
    assert (full.n_states, full.n_rows) == (3, 6)


@pytest.mark.parametrize("stages", [1, 3])
def test_policies_are_available(stages):
    rng = np.random.default_rng(2)
    for _ in range(30):
        mdp = sampling.random_mdp(rng, objective=FiniteHorizon(3), stages=stages)
        policy = np.atleast_2d(sampling.random_policy(rng, mdp))
        for stage, chosen in enumerate(policy):
            mdp.policy_rows(chosen, stage)
        pi = sampling.random_stochastic_policy(rng, mdp)
        assert pi.shape == (*([3] if stages == 3 else []), mdp.n_states, mdp.n_actions)
        allowed = mdp.table(np.ones(mdp.n_rows), missing=0.0).reshape(pi.shape)
        assert pi.sum(axis=-1) == pytest.approx(np.ones(pi.shape[:-1]))
        assert (pi[allowed == 0] == 0).all()


def test_samplers_are_seeded_and_values_lie_on_the_grid():
    draws = [sampling.random_mdp(np.random.default_rng(s)).prob.tolist() for s in (3, 3, 4)]
    assert draws[0] == draws[1] != draws[2]
    v = sampling.random_values(np.random.default_rng(0), 50, low=0.0, high=2.0)
    assert set(v.tolist()) <= {k / 4 for k in range(9)}
    with pytest.raises(InvalidModelError, match="n is 0"):
        sampling.random_row(np.random.default_rng(0), 0)
