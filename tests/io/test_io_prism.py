"""PRISM's and Storm's explicit files: headers, labels, rewards, names, and refusals."""

import numpy as np
import pytest
from io_models import example_mdp

from mdptheory import TabularMDP, io
from mdptheory.errors import InvalidFileError

# a walk with choices labelled by actions, as PRISM prints it: some labels are missing
TRA = """\
4 6 8
0 0 1 0.1 b
0 0 2 0.9 b
0 1 3 1 a
1 0 1 1
2 0 0 0.5 b
2 0 2 0.5 b
2 1 3 1 a
3 0 3 1
"""
LAB = '0="init" 1="deadlock" 2="goal"\n0: 0\n1: 1\n3: 1 2\n'
DTMC = "3 4\n0 1 0.5\n0 2 0.5\n1 1 1\n2 2 1\n"


def model(tmp_path, tra=TRA, **beside):
    (tmp_path / "m.tra").write_text(tra)
    for suffix, text in beside.items():
        (tmp_path / f"m.{suffix.replace('_', '.')}").write_text(text)
    return tmp_path / "m.tra"


def read(tmp_path, tra=TRA, **beside):
    return io.read(model(tmp_path, tra, **beside), gamma=0.9)


def test_prism_files(tmp_path):
    mdp = read(
        tmp_path,
        lab=LAB,
        srew='# Reward structure "steps"\n# State rewards\n4 2\n0 1\n2 0.25\n',
        trew="# Reward structure\n# Transition rewards\n4 6 2\n0 0 2 10\n2 1 3 -1.5\n",
        sta="(x,ok)\n0:(0,true)\n1:(1,true)\n2:(2,false)\n3:(3,true)\n",
    )
    assert mdp.n_states == 4
    assert mdp.action_names == ("b", "a", "choice0")
    assert mdp.state_names == ("0,true", "1,true", "2,false", "3,true")
    assert mdp.initial.tolist() == [1.0, 0.0, 0.0, 0.0]
    P, r = mdp.to_dense()
    assert P[0, 0].tolist() == [0.0, 0.1, 0.9, 0.0]
    assert P[2, 1].tolist() == [0.0, 0.0, 0.0, 1.0]
    expected = [[1 + 0.9 * 10, 1, -np.inf], [-np.inf, -np.inf, 0], [0.25, -1.25, -np.inf]]
    np.testing.assert_allclose(r[:3], expected, rtol=1e-15)


def test_rewards_default_to_zero_and_initial_to_none(tmp_path):
    mdp = read(tmp_path)
    assert not mdp.reward.any()
    assert mdp.transition_reward is None
    assert mdp.initial is None


@pytest.mark.parametrize(
    "tra", [TRA, TRA.partition("\n")[2], "mdp\n" + TRA.partition("\n")[2]], ids=str.split
)
def test_header_is_optional_as_in_storm(tmp_path, tra):
    rows = read(tmp_path, tra, trans_rew="0 0 2 10\n", state_rew="2 0.25\n")
    assert rows.n_transitions == 8
    assert rows.reward.sum() == 9.0 + 0.5


@pytest.mark.parametrize(
    "tra",
    [DTMC, "dtmc\n" + DTMC.partition("\n")[2], DTMC.replace("1 1 1", "1 1 1 x")],
)
def test_a_chain_has_one_action(tmp_path, tra):
    mdp = read(tmp_path, tra, trew="3 2\n0 1 4\n0 2 8\n", srew="1 1\n")
    assert mdp.n_actions == 1
    assert mdp.reward.tolist() == [6.0, 1.0, 0.0]
    assert mdp.action_names is None


def test_storm_labels(tmp_path):
    lab = "#DECLARATION\ninit done\n#END\n1 init\n3 done\n"
    assert read(tmp_path, lab=lab).initial.tolist() == [0.0, 1.0, 0.0, 0.0]


def test_several_initial_states_name_no_distribution(tmp_path):
    assert read(tmp_path, lab='0="init"\n0: 0\n1: 0\n').initial is None


def test_equal_labels_in_one_state_are_told_apart(tmp_path):
    tra = "1 2 2\n0 0 0 1 go\n0 1 0 1 go\n"
    assert read(tmp_path, tra).action_names == ("go", "go#2")
    with pytest.raises(InvalidFileError, match="two choices of state 0 would be called 'go#2'"):
        read(tmp_path, "1 3 3\n0 0 0 1 go\n0 1 0 1 go#2\n0 2 0 1 go\n")


@pytest.mark.parametrize(
    ("tra", "message"),
    [
        ("", "no transitions"),
        ("99999999999 1 1\n", "line 1: a count in the header is '99999999999'"),
        ("999999999 1 1\n0 0 0 1\n", "state 1 has no choice"),
        ("2 2 2\n", "no transitions"),
        ("2 2 2\n0 0 1 1\n", r"state 1 has no choice \(1 of 2 .* self loop"),
        ("2 2 3\n0 0 1 1\n1 0 1 1\n", "declares 2 2 3, the lines hold 2 states, 2 choices, 2 tran"),
        ("1 2 2\n0 0 1 1\n1 0 1 1\n", "state 1 is named, but the header declares 1 states"),
        ("2 2 2\n0 0 1 1\n1 1 1 1\n", "state 1 has choice 1 first; expected 0, 1, 2"),
        ("1 2 2\n0 0 0 1\n0 2 0 1\n", "state 0 has choice 2 after choice 0; expected 0, 1, 2"),
        ("1 1 1\n0 0 0 1 a b\n", "line 2: 6 words; expected state choice successor probability"),
        ("1 1 1\n0 0 0\n", "line 2: 3 words; expected state choice successor probability"),
        ("1 1 1\n0 0 0 nan\n", "line 2: probability is 'nan'; expected a finite number"),
        ("1 1 1\n0 0 0 -1\n", "line 2: probability is -1; expected 0 to 1"),
        ("1 1 1\n0 0 0 2\n", "line 2: probability is 2; expected 0 to 1"),
        ("1 1 1\n0 0 -1 1\n", "line 2: successor is '-1'; expected an integer"),
        ("1 1 1\n0 x 0 1\n", "line 2: choice is 'x'; expected an integer"),
        ("1 1 1\n0 0 0 0.5\n", r"P\[0, 0\] sums to 0.5"),
        ("1 1 1\n0 0 0 1_0\n", "line 2: probability is '1_0'"),
        ("1 1 2\n0 0 0 .5 a\n0 0 0 .5 b\n", "choice 0 of state 0 is labelled 'a' and 'b'"),
        ("ctmc\n0 1 0.5\n", "words; expected state choice successor"),
    ],
)
def test_bad_transitions(tmp_path, tra, message):
    with pytest.raises(InvalidFileError, match=message):
        read(tmp_path, tra)


@pytest.mark.parametrize(
    ("suffix", "text", "message"),
    [
        ("trew", "4 6 2\n0 0 2 10\n", "m.trew: the header declares 2 rewards, 1 are listed"),
        ("trew", "0 0 3 10\n", "m.trew, line 1: a reward on state 0, choice 0, successor 3, which"),
        ("trew", "0 7 1 10\n", "line 1: a reward on state 0, choice 7"),
        ("trew", "9 0 1 10\n", "line 1: a reward on state 9, choice 0"),
        ("trew", "0 0 1 1\n0 0 1 1\n", "line 2: a second reward on the same transition"),
        ("trew", "0 0 1 nan\n", "line 1: reward is 'nan'; expected a finite number"),
        ("trew", "0 0 1\n", "line 1: 3 words; expected 3 ids and a reward"),
        ("trew", "0 0 y 1\n", "line 1: an id is 'y'; expected an integer"),
        ("srew", "4 2\n0 1\n", "m.srew: the header declares 2 rewards, 1 are listed"),
        ("srew", "5 1\n", "line 1: state is 5; expected below 4"),
        ("srew", "0 1\n0 1\n", "line 2: state is 0; a second reward"),
        ("lab", "0 init\n", "m.lab, line 1: no labels such as"),
        ("lab", '0="init"\n9: 0\n', "m.lab, line 2: state 9 is not declared"),
        ("lab", '0="init"\n0: 3\n', "m.lab, line 2: label '3' is not declared"),
        ("sta", "(x)\n0:(1)\n", "m.sta names 1 states; expected 4"),
        ("sta", "(x)\n0:1\n", "m.sta, line 2: expected <state>:"),
        ("sta", "(x)\n0:(1)\n0:(2)\n", "line 3: state is 0; expected each once"),
        ("names.csv", "kind,id,name\n", "action 'b'; expected a<id>, because m.names.csv names"),
    ],
)
def test_bad_files_beside(tmp_path, suffix, text, message):
    model(tmp_path)
    (tmp_path / f"m.{suffix}").write_text(text)
    with pytest.raises(InvalidFileError, match=message):
        io.read(tmp_path / "m.tra", gamma=0.9)


def test_action_numbers_of_a_names_file_are_bounded(tmp_path):
    names = {"names_csv": "kind,id,name\n"}
    with pytest.raises(
        InvalidFileError, match="action a3000000000; expected an id below 2147483647"
    ):
        read(tmp_path, "1 1 1\n0 0 0 1 a3000000000\n", **names)
    with pytest.raises(InvalidFileError, match="largest action id is 2000000000"):
        read(tmp_path, "1 1 1\n0 0 0 1 a2000000000\n", **names)


def test_rewards_must_be_unambiguous(tmp_path):
    model(tmp_path)
    (tmp_path / "m1.srew").write_text("0 1\n")
    with pytest.raises(InvalidFileError, match=r"several reward structures \(m1.srew, ...\); copy"):
        io.read(tmp_path / "m.tra", gamma=0.9)
    with pytest.raises(InvalidFileError, match=r"has both m.srew and m.state.rew; expected one"):
        read(tmp_path, srew="0 1\n", state_rew="0 1\n")


def test_plain_models_are_written_as_prism_would_print_them(tmp_path):
    mdp = TabularMDP.from_dense(
        [[[0.5, 0.5], [0, 1]], [[0, 1], [1, 0]]],
        [[1.0, 0.0], [0.0, 2.5]],
        0.9,
        initial=[1, 0],
        action_names=["go", "stop"],
        state_names=["x=0", "x=1"],
    )
    io.write(mdp, tmp_path / "m.tra")
    files = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert files == {
        "m.tra": "2 4 5\n0 0 0 0.5 go\n0 0 1 0.5 go\n0 1 1 1.0 stop\n"
        "1 0 1 1.0 go\n1 1 0 1.0 stop\n",
        "m.trew": "2 4 3\n0 0 0 1.0\n0 0 1 1.0\n1 1 0 2.5\n",
        "m.lab": '0="init" 1="deadlock"\n0: 0\n',
        "m.sta": "(name)\n0:(x=0)\n1:(x=1)\n",
    }


def test_what_prism_cannot_say_lies_beside(tmp_path):
    io.write(example_mdp(), tmp_path / "m.tra")
    assert (tmp_path / "m.tra").read_text().splitlines()[1] == "0 0 0 0.1 a0"
    assert (tmp_path / "m.names.csv").exists()
    assert (tmp_path / "m.initial.csv").exists()
