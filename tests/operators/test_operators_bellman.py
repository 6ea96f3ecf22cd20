"""The public operators against dense NumPy."""

import numpy as np
import pytest
from operator_models import (
    MODELS,
    dense_policy,
    first_actions,
    full,
    mixed,
    one_hot,
    ragged,
    staged,
)

from mdptheory import FiniteHorizon, TabularMDP, TotalReward
from mdptheory.errors import InvalidModelError
from mdptheory.operators import (
    bellman,
    greedy,
    occupancy,
    policy_bellman,
    policy_kernel,
    policy_value,
)

on_all = pytest.mark.parametrize("name", MODELS)


def values(mdp, seed=0):
    return np.random.default_rng(seed).normal(size=mdp.n_states)


@on_all
def test_bellman_and_greedy(name):
    mdp = MODELS[name]
    (P, r), v = mdp.to_dense(), values(mdp)
    q = bellman(mdp, v)
    assert np.array_equal(np.isneginf(q), np.isneginf(r))
    there = np.isfinite(r)
    np.testing.assert_allclose(q[there], (r + mdp.gamma * (P @ v))[there], rtol=0, atol=1e-13)
    assert np.array_equal(greedy(mdp, v), q.argmax(axis=1))


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_each_stage_has_its_own_rows(stage):
    mdp, v = staged(), np.arange(4.0)
    P, r = mdp.to_dense()
    want = r[stage] + 0.8 * (P[stage] @ v)
    np.testing.assert_allclose(bellman(mdp, v, stage=stage), want, rtol=0, atol=1e-14)
    assert np.array_equal(greedy(mdp, v, stage=stage), want.argmax(axis=1))
    pi = np.full((4, 2), 0.5)
    kernel, reward = policy_kernel(mdp, pi, stage=stage)
    np.testing.assert_allclose(kernel.toarray(), P[stage].mean(axis=1), rtol=0, atol=1e-15)
    np.testing.assert_allclose(reward, r[stage].mean(axis=1), rtol=0, atol=1e-15)
    one = policy_bellman(mdp, [1, 0, 1, 0], v, stage=stage)
    np.testing.assert_allclose(one, want[np.arange(4), [1, 0, 1, 0]], rtol=0, atol=1e-14)


@pytest.mark.parametrize("stage", [0, 5])
def test_stationary_rows_serve_every_stage(stage):
    mdp = ragged().with_objective(FiniteHorizon(6, 0.9))
    v = values(mdp)
    assert np.array_equal(bellman(mdp, v, stage=stage), bellman(ragged(), v))


@pytest.mark.parametrize("operator", [bellman, greedy])
@pytest.mark.parametrize("stage", [-1, 3, 7])
def test_a_stage_that_is_not_there_is_refused(operator, stage):
    with pytest.raises(
        InvalidModelError, match=rf"stage is {stage}; expected an index in \[0, 3\)"
    ):
        operator(staged(), np.zeros(4), stage=stage)
    with pytest.raises(InvalidModelError, match=f"stage is {stage}"):
        policy_kernel(staged(), np.full((4, 2), 0.5), stage=stage)


def test_ties_go_to_the_lowest_id_and_names_need_not_start_at_0():
    mdp = TabularMDP(
        choice_ptr=[0, 2], action=[2, 5], row_ptr=[0, 1, 2], next_state=[0, 0], prob=[1, 1],
        reward=[1, 1], objective=MODELS["ragged"].objective, n_states=1,
    )  # fmt: skip
    assert greedy(mdp, [0.0]).tolist() == [2]
    assert bellman(mdp, [10.0]).tolist() == [[-np.inf] * 2 + [10.0] + [-np.inf] * 2 + [10.0]]


@on_all
@pytest.mark.parametrize("seed", range(3))
def test_stochastic_policies(name, seed):
    mdp = MODELS[name]
    pi, v = mixed(mdp, seed), values(mdp, seed)
    P, r = dense_policy(mdp, pi)
    kernel, reward = policy_kernel(mdp, pi)
    np.testing.assert_allclose(kernel.toarray(), P, rtol=0, atol=1e-15)
    np.testing.assert_allclose(reward, r, rtol=0, atol=1e-14)
    np.testing.assert_allclose(policy_bellman(mdp, pi, v), r + mdp.gamma * P @ v, atol=1e-13)
    v_pi = np.linalg.solve(np.eye(mdp.n_states) - mdp.gamma * P, r)
    np.testing.assert_allclose(policy_value(mdp, pi), v_pi, rtol=1e-10, atol=1e-11)


@on_all
def test_deterministic_policies_are_point_masses(name):
    mdp = MODELS[name]
    policy, v = greedy(mdp, values(mdp)), values(mdp)
    pi = one_hot(mdp, policy)
    assert np.array_equal(
        policy_kernel(mdp, policy)[0].toarray(), policy_kernel(mdp, pi)[0].toarray()
    )
    np.testing.assert_allclose(
        policy_bellman(mdp, policy, v), bellman(mdp, v).max(axis=1), rtol=0, atol=1e-13
    )
    np.testing.assert_allclose(policy_value(mdp, policy), policy_value(mdp, pi), rtol=1e-12)


@on_all
@pytest.mark.parametrize("stochastic", [False, True])
def test_occupancy(name, stochastic):
    mdp = MODELS[name]
    policy = mixed(mdp) if stochastic else first_actions(mdp)
    mu0 = np.random.default_rng(4).dirichlet(np.ones(mdp.n_states))
    d = occupancy(mdp, policy, mu0)
    P, r = dense_policy(mdp, policy if stochastic else one_hot(mdp, policy))
    want = (1 - mdp.gamma) * np.linalg.solve(np.eye(mdp.n_states) - mdp.gamma * P.T, mu0)
    np.testing.assert_allclose(d, want, rtol=1e-9, atol=1e-14)
    assert d.sum() == pytest.approx(1.0, abs=1e-12)
    assert (d >= 0).all()
    # the value of the start is the reward met on the way
    assert mu0 @ policy_value(mdp, policy) == pytest.approx(d @ r / (1 - mdp.gamma), abs=1e-9)


def test_occupancy_of_a_deterministic_walk():
    P = np.zeros((3, 1, 3))
    P[0, 0, 1] = P[1, 0, 2] = P[2, 0, 2] = 1.0
    mdp = TabularMDP.from_dense(P, np.zeros((3, 1)), 0.5)
    assert occupancy(mdp, [0, 0, 0], [1.0, 0.0, 0.0]).tolist() == [0.5, 0.25, 0.25]


def test_nothing_is_written_to():
    mdp = full(16)
    v, pi = values(mdp), mixed(mdp)
    for array in (v, pi):
        array.setflags(write=False)
    before = (v.tobytes(), pi.tobytes(), mdp.prob.tobytes())
    bellman(mdp, v), greedy(mdp, v), policy_bellman(mdp, pi, v), policy_value(mdp, pi)
    assert (v.tobytes(), pi.tobytes(), mdp.prob.tobytes()) == before


NAMED = TabularMDP(
    choice_ptr=[0, 2, 3], action=[0, 1, 1], row_ptr=[0, 1, 2, 3], next_state=[0, 1, 1],
    prob=[1, 1, 1], reward=[0, 1, 2], objective=MODELS["ragged"].objective, n_states=2,
    state_names=("a", "b"), action_names=("stay", "go"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: bellman(NAMED, [0.0]), r"v has shape \(1,\); expected \(2\)"),
        (lambda: greedy(NAMED, [0.0, np.inf]), r"v\[1\] is inf; expected a finite number \(1 of 2"),
        (lambda: bellman(NAMED, np.zeros((2, 1))), r"v has shape \(2, 1\)"),
        (lambda: policy_bellman(NAMED, [0, 1], [np.nan, 0.0]), r"v\[0\] is nan"),
        (lambda: policy_value(NAMED, [0, 0]),
         r"policy\[1\] is 0: action 0 \(stay\) is not available in state 1 \(b\)"),
        (lambda: policy_value(NAMED, [0, 7]), r"policy\[1\] is 7: action 7 is not available"),
        (lambda: policy_value(NAMED, [0]), r"policy has shape \(1,\); expected \(2\)"),
        (lambda: policy_kernel(NAMED, [[1, 0], [0.5, 0.5]]),
         r"pi\[1, 0\] is 0\.5: action 0 \(stay\) is not available in state 1 \(b\)"),
        (lambda: policy_kernel(NAMED, [[0.5, 0.4], [0, 1]]), r"pi\[0\] sums to 0\.9; expected 1"),
        (lambda: policy_kernel(NAMED, [[1.5, -0.5], [0, 1]]), r"pi\[0, 1\] is -0\.5; expected a p"),
        (lambda: policy_kernel(NAMED, [[1.0], [1.0]]), r"pi has shape \(2, 1\); expected \(2, 2\)"),
        (lambda: policy_kernel(NAMED, [[1.0], [0.0, 1.0]]), "policy is not a rectangular array"),
        (lambda: occupancy(NAMED, [0, 1], [1.0, 1.0]), r"mu0 sums to 2; expected 1"),
        (lambda: occupancy(NAMED, [0, 1], [1.0]), r"mu0 has shape \(1,\); expected \(2\)"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_by_name_place_and_value(call, text):
    with pytest.raises(InvalidModelError, match=text):
        call()


def test_wrong_types_are_refused():
    with pytest.raises(TypeError, match="policy has dtype float64; expected integers"):
        policy_value(NAMED, [0.0, 1.0])
    with pytest.raises(TypeError, match="v has dtype"):
        bellman(NAMED, ["x", "y"])


@pytest.mark.parametrize("objective", [FiniteHorizon(3), FiniteHorizon(3, 0.9), TotalReward()])
def test_stationary_values_need_a_discounted_model(objective):
    P = [[[0.5, 0.5]], [[0.0, 1.0]]]
    mdp = TabularMDP.from_dense(P, [[1.0], [0.0]], objective=objective)
    kind = type(objective).__name__
    with pytest.raises(InvalidModelError, match=f"{kind}.* Discounted"):
        policy_value(mdp, [0, 0])
    with pytest.raises(InvalidModelError, match=f"{kind}.* Discounted"):
        occupancy(mdp, [0, 0], [1.0, 0.0])
