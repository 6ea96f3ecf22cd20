"""The constructors agree with each other, keep their inputs whole, and refuse by name."""

import numpy as np
import pytest
from scipy import sparse

from mdptheory.errors import InvalidModelError
from mdptheory.models import Discounted, FiniteHorizon, TabularMDP
from mdptheory.models.rows import from_triplets, index_dtype

P = np.array(
    [
        [[0.5, 0.5, 0.0], [0.0, 0.25, 0.75]],
        [[0.1, 0.2, 0.7], [0.0, 0.0, 1.0]],
        [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]],
    ]
)
R = np.array([[1.0, 0.0], [0.5, 2.0], [0.0, 0.25]])
R3 = np.arange(18.0).reshape(3, 2, 3) - 7.0


def same(one, two):
    for name in ("choice_ptr", "action", "row_ptr", "next_state", "prob"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    np.testing.assert_allclose(one.reward, two.reward, rtol=1e-15)
    assert (one.transition_reward is None) == (two.transition_reward is None)
    if one.transition_reward is not None:
        np.testing.assert_array_equal(one.transition_reward, two.transition_reward)
    assert one.objective == two.objective
    return True


def pairs(rewards, order=None):
    """All six pairs as one sparse matrix, in any order."""
    order = np.arange(6) if order is None else np.array(order)
    flat = sparse.csr_matrix(P.reshape(6, 3))[order]
    reward = rewards[order]
    return flat, reward, order // 2, order % 2


# ---- dense --------------------------------------------------------------------------------------


def test_dense_keeps_the_numbers_and_drops_the_zeros():
    mdp = TabularMDP.from_dense(P, R, 0.9)
    assert (mdp.n_states, mdp.n_actions, mdp.n_rows, mdp.n_transitions) == (3, 2, 6, 10)
    back_P, back_R = mdp.to_dense()
    np.testing.assert_array_equal(back_P, P)
    np.testing.assert_array_equal(back_R, R)
    assert mdp.objective == Discounted(0.9)


def test_dense_averages_a_reward_per_transition():
    mdp = TabularMDP.from_dense(P, R3, 0.9)
    np.testing.assert_allclose(mdp.to_dense()[1], (P * R3).sum(axis=2))
    np.testing.assert_array_equal(mdp.transition_reward, R3[P != 0])


def test_one_state():
    mdp = TabularMDP.from_dense([[[1.0]]], [[3.0]], 0.0)
    assert (mdp.n_states, mdp.n_actions, mdp.n_stages) == (1, 1, 1)
    assert mdp.policy_rows([0]).tolist() == [0]


def test_stages():
    staged = np.array([P, P[::-1]])
    mdp = TabularMDP.from_dense(staged, np.array([R, 2 * R]), objective=FiniteHorizon(2))
    assert mdp.n_stages == 2
    back_P, back_R = mdp.to_dense()
    np.testing.assert_array_equal(back_P, staged)
    np.testing.assert_array_equal(back_R, [R, 2 * R])
    assert mdp.policy_rows([1, 0, 1], stage=1).tolist() == [7, 8, 11]
    assert mdp.row_of(2, 1, stage=1) == 11
    kernel, reward = mdp.policy_matrix([1, 0, 1], stage=1)
    np.testing.assert_array_equal(kernel.toarray(), P[::-1][[0, 1, 2], [1, 0, 1]])
    np.testing.assert_array_equal(reward, 2 * R[[0, 1, 2], [1, 0, 1]])
    with pytest.raises(InvalidModelError, match=r"stage is 2; expected an index in \[0, 2\)"):
        mdp.policy_rows([0, 0, 0], stage=2)
    with pytest.raises(InvalidModelError, match=r"stage is -1"):
        mdp.row_of(0, 0, stage=-1)


def put(array, index, value):
    copy = np.array(array)
    copy[index] = value
    return copy


@pytest.mark.parametrize(
    ("kernel", "reward", "text"),
    [
        (P[0], R, r"P has shape \(2, 3\); expected \(S, A, S\), or \(H, S, A, S\) with stages"),
        (P[:2], R[:2], r"P has shape \(2, 2, 3\); expected \(\.\.\., S, A, S\) with equal"),
        (np.empty((0, 1, 0)), np.empty((0, 1)), r"P has shape \(0, 1, 0\)"),
        (P, R[:2], r"r has shape \(2, 2\); expected \(3, 2\) or \(3, 2, 3\)"),
        (put(P, (1, 0, 2), 0.67), R, r"P\[1, 0\] sums to 0\.97; expected 1 within 1e-09 \(1 of 6"),
        (put(P, (2, 1, 0), np.nan), R, r"P\[2, 1, 0\] is nan; expected a finite number"),
        (put(P, (0, 0, 0), np.inf), R, r"P\[0, 0, 0\] is inf"),
        (
            put(put(P, (1, 0, 0), -0.1), (1, 0, 1), 0.4), R,
            r"P\[1, 0, 0\] is -0\.1; expected a probability \(1 negative entries\)",
        ),
        (put(P, (2, 0), 0.0), R, r"P\[2, 0\] sums to 0; expected 1 \(1 of 6 rows are empty\)"),
        (P, put(R, (1, 1), np.nan), r"r\[1, 1\] is nan; expected a finite number"),
        (P, put(R3, (0, 1, 2), -np.inf), r"r\[0, 1, 2\] is -inf; expected a finite number"),
        ([[[1.0], [0.5, 0.5]]], R, "P is not a rectangular array"),
    ],
)  # fmt: skip
def test_dense_refusals(kernel, reward, text):
    with pytest.raises(InvalidModelError, match=text):
        TabularMDP.from_dense(kernel, reward, 0.9)


def test_worst_row_is_named_beside_the_first():
    bad = put(put(P, (0, 0, 0), 0.49), (2, 0, 2), 0.2)
    with pytest.raises(
        InvalidModelError, match=r"P\[0, 0\] sums to 0\.99.*2 of 6.*worst P\[2, 0\]"
    ):
        TabularMDP.from_dense(bad, R, 0.9)
    staged = np.array([P, bad])
    with pytest.raises(InvalidModelError, match=r"P\[1, 0, 0\] sums to 0\.99"):
        TabularMDP.from_dense(staged, np.array([R, R]), objective=FiniteHorizon(2))


@pytest.mark.parametrize("wrong", [P.astype(complex), P.astype(str), P.astype(object)])
def test_dense_refuses_other_types(wrong):
    with pytest.raises(TypeError, match=r"P has dtype .*; expected real numbers"):
        TabularMDP.from_dense(wrong, R, 0.9)


def test_one_objective_is_needed():
    for options in ({}, {"gamma": 0.9, "objective": Discounted(0.9)}):
        with pytest.raises(InvalidModelError, match="give exactly one of gamma and objective"):
            TabularMDP.from_dense(P, R, **options)
    with pytest.raises(InvalidModelError, match=r"gamma is 1\.0; expected a number in \[0, 1\)"):
        TabularMDP.from_dense(P, R, 1.0)
    with pytest.raises(TypeError, match=r"objective is 0.9; expected Discounted, FiniteHorizon"):
        TabularMDP.from_dense(P, R, objective=0.9)


# ---- sparse -------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5], [5, 0, 3, 1, 4, 2]])
@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.coo_matrix, sparse.csc_array])
def test_pairs_in_any_order(order, kind):
    flat, reward, states, actions = pairs(R.reshape(6), order)
    mdp = TabularMDP.from_sparse(kind(flat), reward, 0.9, states=states, actions=actions)
    assert same(mdp, TabularMDP.from_dense(P, R, 0.9))
    listed = TabularMDP.from_sparse(
        flat, reward.tolist(), 0.9, states=states.tolist(), actions=actions.tolist()
    )
    assert same(listed, mdp)


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5], [5, 0, 3, 1, 4, 2]])
def test_sparse_rewards_per_transition(order):
    flat, reward, states, actions = pairs(R3.reshape(6, 3), order)
    for kind in (sparse.csr_matrix, sparse.coo_matrix):
        mdp = TabularMDP.from_sparse(flat, kind(reward), 0.9, states=states, actions=actions)
        assert same(mdp, TabularMDP.from_dense(P, R3, 0.9))


def test_one_matrix_per_action():
    matrices = [sparse.csr_matrix(P[:, a]) for a in range(2)]
    assert same(TabularMDP.from_sparse(matrices, R, 0.9), TabularMDP.from_dense(P, R, 0.9))
    rewards = [sparse.coo_matrix(R3[:, a]) for a in range(2)]
    assert same(TabularMDP.from_sparse(matrices, rewards, 0.9), TabularMDP.from_dense(P, R3, 0.9))


def test_duplicates_of_a_sparse_matrix_add():
    flat = sparse.coo_matrix(([0.25, 0.5, 0.25, 1.0], ([0, 0, 0, 1], [1, 0, 1, 1])), shape=(2, 2))
    mdp = TabularMDP.from_sparse(flat, [1.0, 2.0], 0.9, states=[0, 1], actions=[0, 0])
    assert mdp.prob.tolist() == [0.5, 0.5, 1.0]


def test_unavailable_actions():
    flat, reward, states, actions = pairs(R.reshape(6))
    keep = [0, 3, 4, 5]
    mdp = TabularMDP.from_sparse(
        flat[keep], reward[keep], 0.9, states=states[keep], actions=actions[keep],
        state_names=["inn", "road", "goal"], action_names=["stay", "go"],
    )  # fmt: skip
    assert mdp.action.tolist() == [0, 1, 0, 1]
    kernel, table = mdp.to_dense()
    assert np.isneginf(table[0, 1])
    assert np.isneginf(table[1, 0])
    assert kernel[0, 1].sum() == 0
    assert mdp.policy_rows([0, 1, 1]).tolist() == [0, 1, 3]
    for policy, s, a in (([1, 1, 0], 0, "1 (go)"), ([0, 0, 0], 1, "0 (stay)"), ([0, 1, 7], 2, "7")):
        name = ["inn", "road", "goal"][s]
        with pytest.raises(InvalidModelError) as error:
            mdp.policy_rows(policy)
        assert str(error.value) == (
            f"policy[{s}] is {policy[s]}: action {a} is not available in state {s} ({name})"
        )


FLAT, REWARD, STATES, ACTIONS = pairs(R.reshape(6))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"states": None}, "states and actions are needed with a single matrix P"),
        ({"states": STATES[:5]}, r"states has shape \(5,\); expected \(6\)"),
        ({"actions": ACTIONS[:5]}, r"actions has shape \(5,\); expected \(6\)"),
        ({"states": put(STATES, 5, 3)}, r"states\[5\] is 3; expected an index in \[0, 3\)"),
        ({"states": put(STATES, 0, -1)}, r"states\[0\] is -1; expected an index in \[0, 3\)"),
        ({"actions": put(ACTIONS, 0, -2)}, r"actions\[0\] is -2; expected an index in"),
        ({"actions": put(ACTIONS, 1, 0)}, r"list the pair \(0, 0\) more than once"),
        (
            {"states": put(STATES, [4, 5], 1), "actions": [0, 1, 0, 1, 2, 3]},
            "state 2 has no action",
        ),
        ({"r": REWARD[:4]}, r"r has shape \(4,\); expected \(6\)"),
        ({"r": REWARD[:4], "states": STATES[::-1]}, r"r has shape \(4,\); expected \(6\)"),
        ({"r": sparse.csr_matrix((6, 2))}, r"r has shape \(6, 2\); expected \(6, 3\)"),
        ({"P": FLAT.multiply(np.arange(6)[:, None] < 5).tocsr()}, r"P\[2, 1\] sums to 0; .*1 of 6"),
        (
            {"P": FLAT.multiply(np.arange(6)[:, None] < 5).tocsr(), "r": FLAT},
            r"P\[2, 1\] sums to 0; expected 1 \(1 of 6 rows are empty\)",
        ),
    ],
)
def test_pair_refusals(changes, text):
    arguments = {"P": FLAT, "r": REWARD, "states": STATES, "actions": ACTIONS, **changes}
    with pytest.raises(InvalidModelError, match=text):
        TabularMDP.from_sparse(arguments.pop("P"), arguments.pop("r"), 0.9, **arguments)


def test_matrix_list_refusals():
    matrices = [sparse.csr_matrix(P[:, a]) for a in range(2)]
    for kernels, reward, text in (
        ([], R, r"len\(P\) is 0"),
        ([matrices[0], matrices[1][:2]], R, r"P\[1\] has shape \(2, 3\); expected \(3, 3\)"),
        (matrices, R.T, r"r has shape \(2, 3\); expected \(3, 2\)"),
        (matrices, matrices[:1], "r has 1 matrices; expected 2"),
        (matrices, [matrices[0], matrices[1][:2]], r"r\[1\] has shape \(2, 3\)"),
        ([matrices[0], matrices[1] * 0.5], R, r"P\[0, 1\] sums to 0\.5"),
    ):
        with pytest.raises(InvalidModelError, match=text):
            TabularMDP.from_sparse(kernels, reward, 0.9)
    with pytest.raises(InvalidModelError, match="states and actions go with a single matrix"):
        TabularMDP.from_sparse(matrices, R, 0.9, states=[0], actions=[0])


def test_sparse_refuses_other_types():
    for kernel in (P.reshape(6, 3), None, "P"):
        with pytest.raises(TypeError, match=r"P has type .*; expected a scipy sparse matrix"):
            TabularMDP.from_sparse(kernel, REWARD, 0.9, states=STATES, actions=ACTIONS)
    with pytest.raises(TypeError, match=r"P\[0\] has type ndarray"):
        TabularMDP.from_sparse([P[:, 0]], R, 0.9)
    with pytest.raises(TypeError, match=r"r\[1\] has type ndarray"):
        TabularMDP.from_sparse(
            [sparse.csr_matrix(P[:, a]) for a in range(2)],
            [sparse.csr_matrix(P[:, 0]), R3[:, 1]],
            0.9,
        )
    with pytest.raises(TypeError, match="P has dtype complex128"):
        TabularMDP.from_sparse(FLAT.astype(complex), REWARD, 0.9, states=STATES, actions=ACTIONS)
    with pytest.raises(TypeError, match="states has dtype float64; expected integers"):
        TabularMDP.from_sparse(FLAT, REWARD, 0.9, states=STATES * 1.0, actions=ACTIONS)


# ---- functions ----------------------------------------------------------------------------------


def walk(s, a):
    if s == 2 and a == 1:
        return np.empty(0, np.int64), np.empty(0), 0.0
    if a == 0:
        return np.array([s, min(s + 1, 2), s]), np.array([0.25, 0.5, 0.25]), 1.0
    return np.array([2]), np.array([1.0]), -1.0


def test_function_merges_and_leaves_out():
    mdp = TabularMDP.from_function(walk, 3, 2, 0.9)
    assert mdp.choice_ptr.tolist() == [0, 2, 4, 5]
    assert mdp.next_state.tolist() == [0, 1, 2, 1, 2, 2, 2]
    assert mdp.prob.tolist() == [0.5, 0.5, 1.0, 0.5, 0.5, 1.0, 1.0]
    assert mdp.reward.tolist() == [1.0, -1.0, 1.0, -1.0, 1.0]


def test_compiled_function_with_rewards_per_transition():
    from numba import njit

    @njit
    def step(s, a):
        return np.array([0, 1]), np.array([0.5, 0.5]), np.array([1.0, 3.0 + a])

    mdp = TabularMDP.from_function(step, 2, 2, 0.9)
    assert mdp.transition_reward.tolist() == [1.0, 3.0, 1.0, 4.0] * 2
    assert mdp.reward.tolist() == [2.0, 2.5] * 2


def different_lengths(s, a):
    return np.array([0, 1]), np.array([1.0]), 0.0


def out_of_range(s, a):
    return np.array([s + 1]), np.array([1.0]), 0.0


def fractional(s, a):
    return np.array([0.5]), np.array([1.0]), 0.0


def reward_of_another_length(s, a):
    return np.array([0, 1]), np.array([0.5, 0.5]), np.zeros(3)


def dead_end(s, a):
    return np.empty(max(0, 1 - s), np.int64), np.ones(max(0, 1 - s)), 0.0


def half(s, a):
    return np.array([s]), np.array([0.5]), 0.0


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (
            different_lengths,
            r"transitions\(0, 0\) returns successors and probabilities of different",
        ),
        (out_of_range, r"transitions\(1, 0\) names successor 2; expected an index in \[0, 2\)"),
        (fractional, r"transitions\(0, 0\) names successor 0\.5; expected an index"),
        (reward_of_another_length, "transitions returns rewards that do not fit its successors"),
        (dead_end, r"state 1 has no action; expected at least one \(1 of 2 states are empty\)"),
        (half, r"P\[0, 0\] sums to 0\.5; expected 1 within 1e-09 \(2 of 2 rows fail"),
    ],
)
def test_function_refusals(function, text):
    with pytest.raises(InvalidModelError, match=text):
        TabularMDP.from_function(function, 2, 1, 0.9)


def test_function_of_the_wrong_kind():
    with pytest.raises(
        TypeError, match="transitions does not compile with Numba; expected a function"
    ):
        TabularMDP.from_function(lambda s, a: [].sort(key=str), 2, 1, 0.9)
    with pytest.raises(TypeError, match="does not compile with Numba"):
        TabularMDP.from_function(lambda s, a: (s, 1.0, 0.0), 2, 1, 0.9)
    with pytest.raises(TypeError, match="transitions has type int; expected a function"):
        TabularMDP.from_function(3, 2, 1, 0.9)
    with pytest.raises(InvalidModelError, match="n_states is 0; expected an integer of at least 1"):
        TabularMDP.from_function(walk, 0, 1, 0.9)
    with pytest.raises(TypeError, match=r"n_actions is 1.0 of type float"):
        TabularMDP.from_function(walk, 1, 1.0, 0.9)


# ---- normalising, ownership, sizes --------------------------------------------------------------


def test_normalize_only_on_request():
    doubled = P * 2.0
    exact = np.round(P * 4) / 4  # dividing by a sum of exactly 2 changes no bit
    exact[1, 0] = [0.0, 0.25, 0.75]
    with pytest.raises(InvalidModelError, match="sums to 2"):
        TabularMDP.from_dense(doubled, R, 0.9)
    assert same(
        TabularMDP.from_dense(exact * 2, R, 0.9, normalize=True),
        TabularMDP.from_dense(exact, R, 0.9),
    )
    mdp = TabularMDP.from_dense(doubled, R3, 0.9, normalize=True)
    np.testing.assert_allclose(mdp.reward, (P * R3).sum(axis=2).ravel())
    flat, reward, states, actions = pairs(R.reshape(6))
    assert same(
        TabularMDP.from_sparse(
            flat * 3, reward, 0.9, states=states, actions=actions, normalize=True
        ),
        TabularMDP.from_dense(P * 3, R, 0.9, normalize=True),
    )
    for bad, text in (
        (-P, r"P\[0, 0\] sums to -1\.0"),
        (put(P, (1, 1, 2), np.nan), r"P\[1, 1\] sums to nan"),
    ):
        with pytest.raises(InvalidModelError, match=text + "; it cannot be normalized"):
            TabularMDP.from_dense(bad, R, 0.9, normalize=True)


def build(kind, kernel, reward):
    if kind == "dense":
        return TabularMDP.from_dense(kernel, reward, 0.9)
    return TabularMDP.from_sparse(
        kernel, reward, 0.9, states=np.arange(6) // 2, actions=np.arange(6) % 2
    )


@pytest.mark.parametrize("kind", ["dense", "sparse"])
@pytest.mark.parametrize("writeable", [True, False])
def test_inputs_stay_the_callers(kind, writeable):
    kernel = P.copy() if kind == "dense" else sparse.csr_matrix(P.reshape(6, 3))
    reward = R.copy() if kind == "dense" else R.reshape(6).copy()
    data = kernel if kind == "dense" else kernel.data
    before = data.copy(), reward.copy()
    for array in (data, reward):
        array.setflags(write=writeable)
    mdp = build(kind, kernel, reward)
    np.testing.assert_array_equal(data, before[0])
    np.testing.assert_array_equal(reward, before[1])
    assert data.flags.writeable is writeable
    assert reward.flags.writeable is writeable
    data.setflags(write=True)
    reward.setflags(write=True)
    data[...], reward[...] = 0.0, 99.0
    assert mdp.reward.tolist() == R.ravel().tolist()
    assert mdp.prob.sum() == pytest.approx(6)


def test_triplets_in_any_order_with_repeats():
    state, action, target = (
        np.array([1, 0, 0, 0, 1]),
        np.array([0, 3, 3, 3, 0]),
        np.array([1, 1, 0, 1, 0]),
    )
    prob, reward = np.array([1.0, 0.25, 0.5, 0.25, 0.0]), np.array([7.0, 1.0, 5.0, 3.0, 9.0])
    rows = from_triplets(2, state, action, target, prob, reward)
    assert rows.prob.tolist() == [0.5, 0.5, 0.0, 1.0]
    assert rows.transition_reward.tolist() == [5.0, 2.0, 9.0, 7.0]  # averaged by probability
    assert rows.reward.tolist() == [3.5, 7.0]
    assert rows.action.tolist() == [3, 0]


def test_index_type_follows_the_size():
    assert index_dtype(2**31 - 1) is np.int32
    assert index_dtype(2**31) is np.int64
    mdp = TabularMDP.from_dense(P, R, 0.9)
    assert mdp.next_state.dtype == np.int32
    assert mdp.row_ptr.dtype == np.int64
