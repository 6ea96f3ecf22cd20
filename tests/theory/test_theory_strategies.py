"""Strategies reach the rows on which proofs go wrong, and shrink to plain ones."""

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from mdptheory import Discounted, FiniteHorizon, TabularMDP
from mdptheory.errors import InvalidModelError
from mdptheory.theory import strategies as own

SETTINGS = settings(max_examples=100, derandomize=True, database=None, deadline=None)
REACH = settings(SETTINGS, max_examples=500, phases=(Phase.generate,))
EACH = settings(SETTINGS, max_examples=100)


def reaches(strategy, condition):
    try:
        find(strategy, condition, settings=REACH)
    except NoSuchExample:
        return False
    return True


def minimal(strategy, condition=lambda value: True):
    return find(strategy, condition, settings=SETTINGS)


def two_states(**options):
    P = [[[0.5, 0.5], [1.0, 0.0]], [[0.0, 1.0], [0.25, 0.75]]]
    return TabularMDP.from_dense(P, [[0.0, 1.0], [0.5, 0.25]], 0.9, **options)


@pytest.mark.parametrize(
    "condition",
    [
        lambda row: row.max() == 1.0,
        lambda row: row.min() == 0.0,
        lambda row: 0 < row.min() < row.max(),
        lambda row: row[0] == row[1] != row[2],
        lambda row: row[2] == 1.0,
        lambda row: row.tolist() == [0.25, 0.25, 0.5],
    ],
    ids=("point", "zero", "uneven", "tie", "last", "quarters"),
)
def test_rows_reach(condition):
    assert reaches(own.rows(3), condition)


def test_rows_shrink_to_uniform_and_to_what_is_asked():
    assert minimal(own.rows(2)).tolist() == [0.5, 0.5]
    assert minimal(own.rows(3)).tolist() == [1 / 3] * 3
    assert minimal(own.rows(2), lambda row: row[0] < 0.5).tolist() == [1 / 3, 2 / 3]
    assert minimal(own.rows(2), lambda row: row[1] == 1.0).tolist() == [0.0, 1.0]
    assert minimal(own.rows(2, full=True), lambda row: row[0] < 0.5).tolist() == [1 / 3, 2 / 3]
    assert minimal(own.kernels(2, 2)).tolist() == [[0.5, 0.5]] * 2


@EACH
@given(st.data())
def test_all_rows_are_probabilities(data):
    n = data.draw(st.integers(1, 5))
    full = data.draw(st.booleans())
    table = data.draw(own.kernels(3, n, full=full))
    assert table.shape == (3, n)
    assert (table >= 0).all()
    assert np.abs(table.sum(axis=1) - 1).max() < 1e-15 * n
    assert not full or (table > 0).all()


@pytest.mark.parametrize(
    "condition",
    [
        lambda m: m.n_states == 1,
        lambda m: m.n_states == 4,
        lambda m: m.n_rows > 2 * m.n_states,
        lambda m: np.ptp(np.diff(m.choice_ptr)) > 0,  # ragged
        lambda m: (np.diff(m.row_ptr) == 1).all() and m.n_states > 2,  # deterministic
        lambda m: (np.diff(m.row_ptr) == m.n_states).all() and m.n_states > 2,  # full support
        lambda m: m.n_rows > 2 and np.ptp(m.reward) == 0,  # ties
        lambda m: m.gamma == 0.0,
        lambda m: m.gamma == 0.99 and m.reward.max() == 1.0,
        lambda m: m.n_states > 1 and m.next_state[0] == 0 and m.prob[0] == 1.0,  # absorbing
    ],
)
def test_models_reach(condition):
    assert reaches(own.mdps(), condition)


def test_models_shrink_to_one_state_and_to_what_is_asked():
    small = minimal(own.mdps())
    assert (small.n_states, small.n_rows, small.gamma) == (1, 1, 0.5)
    assert small.reward.tolist() == [0.0]
    small = minimal(own.mdps(max_states=2, max_actions=2), lambda m: m.n_rows > m.n_states)
    assert (small.n_states, small.n_rows) == (1, 2)
    small = minimal(own.mdps(min_states=2, max_states=3, max_actions=2))
    assert small.prob.tolist() == [0.5] * 4


@EACH
@given(own.mdps(ragged=False, gammas=(0.3,), max_states=3), own.mdps(objective=Discounted(0.7)))
def test_model_options(full, fixed):
    assert full.n_rows == full.n_states * full.n_actions
    assert full.gamma == 0.3
    assert fixed.gamma == 0.7


@EACH
@given(st.data())
def test_stages_policies_and_data_fit_their_model(data):
    mdp = data.draw(own.mdps(objective=FiniteHorizon(2), stages=data.draw(st.sampled_from((1, 2)))))
    policy = np.atleast_2d(data.draw(own.policies(mdp)))
    assert policy.shape == (mdp.n_stages, mdp.n_states)
    for stage, chosen in enumerate(policy):
        mdp.policy_rows(chosen, stage)
    pi = data.draw(own.stochastic_policies(mdp))
    allowed = mdp.table(np.ones(mdp.n_rows), missing=0.0).reshape(pi.shape)
    assert (pi[allowed == 0] == 0).all()
    assert np.allclose(pi.sum(axis=-1), 1.0)
    if mdp.n_stages == 1:
        for state, action, reward, successor in data.draw(own.data_sets(mdp, max_size=5)):
            row = mdp.row_of(state, action)
            assert reward == mdp.reward[row]
            assert successor in mdp.next_state[mdp.row_ptr[row] : mdp.row_ptr[row + 1]]


def test_policies_reach_and_shrink():
    mdp = two_states()
    assert reaches(own.policies(mdp), lambda p: p.tolist() == [1, 1])
    assert minimal(own.policies(mdp)).tolist() == [0, 0]
    stochastic = own.stochastic_policies(mdp)
    assert reaches(stochastic, lambda pi: pi.tolist() == [[0.0, 1.0], [1.0, 0.0]])
    assert minimal(stochastic).tolist() == [[0.5, 0.5]] * 2


def test_values_reach_ties_and_shrink_to_zero():
    assert reaches(own.values(3), lambda v: v[0] == v[1] != 0)
    assert reaches(own.values(3), lambda v: np.ptp(v) == 2.0)
    assert minimal(own.values(3)).tolist() == [0.0] * 3
    assert minimal(own.values(2, low=0.5, high=1.0)).tolist() == [0.5] * 2
    small = minimal(own.values(2), lambda v: v[0] < v[1])
    assert sorted(np.abs(small).tolist()) == [0.0, 0.25]


def test_features_reach_and_shrink():
    strategy = own.features(2, 1, 3)
    assert minimal(strategy).tolist() == [[[1 / 3] * 3]] * 2
    assert reaches(strategy, lambda phi: phi[1, 0, 2] == 1.0)
    unit = own.features(2, 2, 3, one_hot=True)
    assert minimal(unit).tolist() == [[[1.0, 0.0, 0.0]] * 2] * 2
    assert reaches(unit, lambda phi: phi.shape == (2, 2, 3) and phi[1, 1, 2] == 1.0)


def test_data_sets_reach_and_shrink():
    mdp = two_states()
    strategy = own.data_sets(mdp, min_size=1)
    assert minimal(strategy) == [(0, 0, 0.0, 0)]
    assert minimal(own.data_sets(mdp)) == []
    assert reaches(strategy, lambda data: len(data) > 10)
    assert reaches(strategy, lambda data: len(set(data)) < len(data))
    assert reaches(strategy, lambda data: (1, 1, 0.25, 0) in data)
    assert minimal(strategy, lambda data: any(s == 1 for s, *_ in data)) == [(1, 0, 0.5, 1)]


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: own.rows(0), InvalidModelError, "n is 0; expected an integer of at least 1"),
        (lambda: own.rows(2.0), TypeError, "n is 2.0 of type float; expected an integer"),
        (lambda: own.rows(2, max_weight=0), InvalidModelError, "max_weight is 0"),
        (lambda: own.kernels(0, 2), InvalidModelError, "n_rows is 0"),
        (lambda: own.values(2, low=1.0, high=0.0), InvalidModelError, r"high is 0.0"),
        (lambda: own.values(2, steps=0), InvalidModelError, "steps is 0"),
        (lambda: own.mdps(min_states=3, max_states=2), InvalidModelError, "max_states is 2"),
        (lambda: own.mdps(gammas=()), InvalidModelError, "gammas is empty"),
        (lambda: own.mdps(gammas=(1.5,)), InvalidModelError, "gamma is 1.5"),
        (lambda: own.mdps(stages=0), InvalidModelError, "stages is 0"),
        (lambda: own.features(1, 1, 0), InvalidModelError, "d is 0"),
        (lambda: own.data_sets(two_states(), min_size=-1), InvalidModelError, "min_size is -1"),
        (
            lambda: own.data_sets(two_states(), min_size=3, max_size=2),
            InvalidModelError,
            "max_size is 2",
        ),
        (lambda: own.rows(2, 4), TypeError, "positional"),
    ],
)
def test_options_are_refused_at_once(make, error, text):
    with pytest.raises(error, match=text):
        make()
