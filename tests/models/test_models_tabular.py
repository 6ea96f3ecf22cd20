"""The initialiser's rules, views, names and absorbing states of a tabular MDP."""

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from mdptheory.errors import InvalidModelError
from mdptheory.models import (
    Discounted,
    FiniteHorizon,
    TabularMDP,
    TotalReward,
    absorbing_states,
)

RAGGED = {
    "choice_ptr": [0, 1, 3],
    "action": [4, 0, 7],
    "row_ptr": [0, 2, 3, 5],
    "next_state": [0, 1, 1, 0, 1],
    "prob": [0.25, 0.75, 1.0, 0.5, 0.5],
    "reward": [1.0, 2.0, 3.0],
    "objective": Discounted(0.9),
    "n_states": 2,
}


def ragged(**changes):
    return TabularMDP(**{**RAGGED, **changes})


def test_sizes_and_views_of_ragged_actions():
    mdp = ragged()
    assert (mdp.n_states, mdp.n_actions, mdp.n_rows, mdp.n_transitions) == (2, 8, 3, 5)
    assert mdp.gamma == 0.9
    assert mdp.row_state().tolist() == [0, 1, 1]
    assert mdp.policy_rows([4, 7]).tolist() == [0, 2]
    assert mdp.row_of(1, 0) == 1
    table = mdp.table(np.array([1.0, 2.0, 3.0]), missing=0.0)
    assert table.shape == (2, 8)
    assert (table[0, 4], table[1, 0], table[1, 7], table.sum()) == (1.0, 2.0, 3.0, 6.0)
    kernel, reward = mdp.policy_matrix([4, 7])
    assert kernel.toarray().tolist() == [[0.25, 0.75], [0.5, 0.5]]
    assert reward.tolist() == [1.0, 3.0]
    assert mdp.row_error == 0.0


def test_table_of_ragged_stages():
    mdp = ragged(
        choice_ptr=[0, 1, 2, 3, 5], action=[0, 1, 1, 0, 1], row_ptr=[0, 1, 2, 3, 4, 5],
        next_state=[0, 1, 0, 1, 0], prob=[1.0] * 5, reward=[1.0, 2.0, 3.0, 4.0, 5.0],
        objective=FiniteHorizon(2),
    )  # fmt: skip
    assert mdp.n_stages == 2
    table = mdp.table(mdp.reward, missing=0.0)
    assert table.tolist() == [[[1.0, 0.0], [0.0, 2.0]], [[0.0, 3.0], [4.0, 5.0]]]
    kernel, reward = mdp.to_dense()
    assert kernel.shape == (2, 2, 2, 2)
    assert np.isneginf(reward[0, 0, 1])
    assert mdp.row_state().tolist() == [0, 1, 0, 1, 1]
    assert mdp.policy_rows([1, 1], stage=1).tolist() == [2, 4]
    with pytest.raises(InvalidModelError, match=r"policy\[0\] is 0: action 0 is not available in"):
        mdp.policy_rows([0, 1], stage=1)


def test_table_refuses_another_length():
    with pytest.raises(InvalidModelError, match=r"rows has shape \(2,\); expected \(3\)"):
        ragged().table(np.zeros(2))


def test_arrays_are_read_only_and_the_model_frozen():
    mdp = ragged(transition_reward=[1.0, 1.0, 2.0, 3.0, 3.0], initial=[0.5, 0.5])
    for name in ("choice_ptr", "action", "row_ptr", "next_state", "prob", "reward",
                 "transition_reward", "initial"):  # fmt: skip
        with pytest.raises(ValueError, match="read-only"):
            getattr(mdp, name)[0] = 0
    with pytest.raises(FrozenInstanceError):
        mdp.n_states = 3


def test_views_and_foreign_memory_are_copied():
    big = np.array([1.0, 2.0, 3.0, 4.0])
    view = big[:3]
    view.setflags(write=False)
    mdp = ragged(reward=view, prob=np.frombuffer(np.array(RAGGED["prob"]).tobytes()))
    big[0] = 99.0
    assert mdp.reward[0] == 1.0
    assert mdp.prob.tolist() == RAGGED["prob"]
    shared = replace(mdp, objective=Discounted(0.5))
    assert shared.prob is mdp.prob  # frozen memory is shared, not copied


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"n_states": 0}, "n_states is 0; expected an integer of at least 1"),
        ({"n_states": -2}, "n_states is -2; expected an integer of at least 1"),
        ({"n_states": 3}, "choice_ptr has 2 states; expected a multiple of n_states = 3"),
        ({"n_states": 1}, "P holds 2 stages; only a finite horizon has stages"),
        ({"choice_ptr": [0, 1]}, r"choice_ptr runs from 0 to 1; expected 0 to 3 \(rows\)"),
        ({"choice_ptr": [1, 2, 3]}, "choice_ptr runs from 1 to 3"),
        ({"choice_ptr": [0]}, r"choice_ptr has shape \(1,\); expected at least two entries"),
        ({"choice_ptr": [[0, 1, 3]]}, r"choice_ptr has shape \(1, 3\)"),
        ({"choice_ptr": [0, 0, 3]}, r"state 0 has no action; .* \(1 of 2 states are empty\)"),
        ({"choice_ptr": [0, 3, 3]}, "state 1 has no action"),
        ({"choice_ptr": [0, 4, 3]}, r"choice_ptr\[2\] is 3, less than choice_ptr\[1\] = 4"),
        ({"row_ptr": [0, 2, 3, 4]}, r"row_ptr runs from 0 to 4; expected 0 to 5 \(transitions\)"),
        ({"row_ptr": [0, 2, 2, 5]}, r"P\[1, 0\] sums to 0; expected 1 \(1 of 3 rows are empty\)"),
        ({"row_ptr": [0, 3, 2, 5]}, r"row_ptr\[2\] is 2, less than row_ptr\[1\] = 3"),
        ({"row_ptr": [[0, 2, 3, 5]]}, r"row_ptr has shape \(1, 4\); expected \(any\)"),
        ({"action": [4, 0]}, r"action has shape \(2,\); expected \(3\)"),
        ({"action": [4, 7, 0]}, r"action\[2\] is 0 after 7; expected increasing order"),
        ({"action": [4, 7, 7]}, r"action\[2\] is 7 after 7"),
        ({"action": [-1, 0, 7]}, r"action\[0\] is -1; expected an id of at least 0"),
        (
            {"next_state": [0, 1, 1, 0, 2]},
            r"next_state\[4\] is 2 in P\[1, 7\]; expected an index in",
        ),
        ({"next_state": [-1, 1, 1, 0, 1]}, r"next_state\[0\] is -1 in P\[0, 4\]"),
        ({"next_state": [1, 0, 1, 0, 1]}, r"next_state\[1\] is 0 after 1; expected increasing"),
        ({"next_state": [0, 1, 1, 1, 1]}, r"next_state\[4\] is 1 after 1; .*without repeats"),
        ({"next_state": [[0, 1, 1, 0, 1]]}, r"next_state has shape \(1, 5\); expected \(any\)"),
        ({"prob": [1.0]}, r"prob has shape \(1,\); expected \(5\)"),
        ({"prob": [0.5, 0.25, 1, 0.5, 0.5]}, r"P\[0, 4\] sums to 0\.75; .*\(1 of 3 rows fail"),
        ({"prob": [1.5, -0.5, 1, 0.5, 0.5]}, r"P\[0, 4, 1\] is -0\.5; expected a probability"),
        ({"prob": [0.25, 0.75, 1, np.nan, 0.5]}, r"P\[1, 7, 0\] is nan; expected a finite number"),
        ({"reward": [1.0, 2.0]}, r"reward has shape \(2,\); expected \(3\)"),
        ({"reward": [1.0, np.inf, 2.0]}, r"r\[1, 0\] is inf; expected a finite number"),
        ({"transition_reward": np.zeros(6)}, r"transition_reward has shape \(6,\); expected \(5\)"),
        ({"transition_reward": np.full(6, np.nan)}, r"transition_reward has shape \(6,\)"),
        (
            {"transition_reward": [1.0, 1.0, 2.0, np.nan, 3.0]},
            r"r\[1, 7, 0\] is nan; expected a finite number",
        ),
        (
            {"transition_reward": [1.0, 1.0, 2.0, 3.0, 4.0]},
            r"reward\[1, 7\] is 3; expected the average of transition_reward, 3\.5",
        ),
        ({"initial": [1.0]}, r"initial has shape \(1,\); expected \(2\)"),
        ({"initial": [0.5, 0.25]}, r"initial sums to 0\.75; expected 1 within 1e-09"),
        ({"initial": [1.5, -0.5]}, r"initial\[1\] is -0\.5; expected a probability"),
        ({"initial": [np.nan, 1.0]}, r"initial\[0\] is nan; expected a finite number"),
        ({"state_names": ["a"]}, "state_names has 1 entries; expected 2"),
        (
            {"state_names": ["a", "a"]},
            r"state_names\[1\] is 'a', which is already state_names\[0\]",
        ),
        ({"action_names": ["a", "b"]}, "action_names has 2 entries; expected 8"),
        (
            {"objective": TotalReward()},
            "no state is absorbing with reward 0; the total reward needs",
        ),
        (
            {"objective": FiniteHorizon(2, terminal=[1.0])},
            r"terminal has shape \(1,\); expected \(2\)",
        ),
    ],
)
def test_initialiser_refusals(changes, text):
    with pytest.raises(InvalidModelError, match=text):
        ragged(**changes)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"choice_ptr": [0.0, 1.0, 3.0]}, "choice_ptr has dtype float64; expected integers"),
        ({"action": ["a", "b", "c"]}, "action has dtype <U1; expected integers"),
        ({"action": [True, False, True]}, "action has dtype bool; expected integers"),
        ({"prob": ["1"] * 5}, "prob has dtype <U1; expected real numbers"),
        ({"reward": [1j, 0, 0]}, "reward has dtype complex128; expected real numbers"),
        ({"n_states": 2.0}, r"n_states is 2\.0 of type float; expected an integer"),
        ({"objective": "discounted"}, "objective is 'discounted'; expected Discounted"),
        ({"objective": Discounted}, "expected Discounted, FiniteHorizon or TotalReward"),
        ({"state_names": "ab"}, "state_names is 'ab' of type str; expected a sequence of names"),
    ],
)
def test_wrong_types(changes, text):
    with pytest.raises(TypeError, match=text):
        ragged(**changes)


def test_errors_name_the_stage():
    staged = {
        "choice_ptr": [0, 1, 2], "action": [0, 0], "row_ptr": [0, 1, 2], "next_state": [0, 0],
        "prob": [1.0, 0.5], "reward": [0.0, 0.0], "objective": FiniteHorizon(2), "n_states": 1,
    }  # fmt: skip
    with pytest.raises(InvalidModelError, match=r"P\[1, 0, 0\] sums to 0\.5"):
        TabularMDP(**staged)
    staged.update(prob=[1.0, 1.0], objective=FiniteHorizon(3))
    with pytest.raises(InvalidModelError, match="P holds 2 stages; expected 1 or the horizon, 3"):
        TabularMDP(**staged)


def test_names_are_kept_and_used():
    mdp = ragged(
        state_names=["inn", "road"], action_names=[f"go{a}" for a in range(8)], initial=[1.0, 0.0]
    )
    assert mdp.state_names == ("inn", "road")
    assert mdp.state_label(1) == "1 (road)"
    assert mdp.action_label(7) == "7 (go7)"
    assert mdp.action_label(9) == "9"
    assert mdp.state_label(5) == "5"
    assert ragged().state_label(1) == "1"
    again = mdp.with_objective(FiniteHorizon(3))
    assert (again.state_names, again.action_names) == (mdp.state_names, mdp.action_names)
    with pytest.raises(InvalidModelError) as error:
        mdp.row_of(0, 0)
    assert str(error.value) == "action 0 (go0) is not available in state 0 (inn)"
    with pytest.raises(InvalidModelError, match=r"state is 2; expected an index in \[0, 2\)"):
        mdp.row_of(2, 0)
    with pytest.raises(InvalidModelError, match=r"state 0 \(inn\) has no action"):
        ragged(state_names=["inn", "road"], choice_ptr=[0, 0, 3])


def test_policy_refusals():
    mdp = ragged()
    with pytest.raises(InvalidModelError, match=r"policy has shape \(3,\); expected \(2\)"):
        mdp.policy_rows([4, 7, 0])
    with pytest.raises(InvalidModelError, match=r"policy\[1\] is -7: action -7 is not available"):
        mdp.policy_rows([4, -7])
    with pytest.raises(TypeError, match="policy has dtype float64; expected integers"):
        mdp.policy_rows([4.0, 7.0])


def test_validate_false_skips_the_numbers_but_not_the_types():
    mdp = ragged(prob=[0.5, 0.25, 1.0, 0.5, 0.5], validate=False)
    assert mdp.row_error == 0.25
    assert not mdp.prob.flags.writeable
    with pytest.raises(InvalidModelError, match=r"sums to 0\.75"):
        mdp.with_objective(Discounted(0.5))
    with pytest.raises(TypeError, match="prob has dtype"):
        ragged(prob=["x"] * 5, validate=False)
    with pytest.raises(InvalidModelError, match="state_names has 1 entries"):
        ragged(state_names=["x"], validate=False)


def test_row_sums_may_be_off_by_rounding_only():
    assert ragged(prob=[0.25, 0.75 + 9e-10, 1.0, 0.5, 0.5]).row_error == pytest.approx(9e-10)
    with pytest.raises(InvalidModelError, match="worst"):
        ragged(prob=[0.25, 0.75 + 2e-9, 1.0, 0.5, 0.5])


def ending(**changes):
    arrays = {
        "choice_ptr": [0, 1, 3, 4], "action": [0, 0, 1, 0], "row_ptr": [0, 1, 2, 3, 4],
        "next_state": [1, 1, 1, 2], "prob": [1.0] * 4, "reward": [0.0] * 4,
        "objective": TotalReward(), "n_states": 3,
    }  # fmt: skip
    return TabularMDP(**{**arrays, **changes})


def test_absorbing_states():
    assert absorbing_states(ending()).tolist() == [False, True, True]
    assert absorbing_states(ending(reward=[0.0, 0.0, 1.0, 0.0])).tolist() == [False, False, True]
    assert absorbing_states(ending(next_state=[0, 1, 0, 2])).tolist() == [True, False, True]
    paid = ending(transition_reward=[0.0, 1e-10, 0.0, 0.0])
    assert absorbing_states(paid).tolist() == [False, False, True]


def test_absorbing_states_with_stages():
    P = np.zeros((2, 2, 1, 2))
    P[0, 0, 0, 0] = P[0, 1, 0, 1] = P[1, 0, 0, 1] = P[1, 1, 0, 1] = 1.0
    mdp = TabularMDP.from_dense(P, np.zeros((2, 2, 1)), objective=FiniteHorizon(2))
    assert absorbing_states(mdp).tolist() == [False, True]
    swapped = TabularMDP.from_dense(P[::-1], np.zeros((2, 2, 1)), objective=FiniteHorizon(2))
    assert absorbing_states(swapped).tolist() == [False, True]
