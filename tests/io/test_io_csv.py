"""CSV: headers, files beside it, duplicates, and errors that name file, line and value."""

import numpy as np
import pytest
from io_models import example_mdp

from mdptheory import FiniteHorizon, TotalReward, io
from mdptheory.errors import InvalidFileError

HEADER = "idstatefrom,idaction,idstateto,probability,reward\n"
TWO = "0,0,0,0.5,1\n0,0,1,0.5,3\n1,0,1,1,0\n"


def write(tmp_path, text, name="m.csv", **beside):
    (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
    for kind, content in beside.items():
        (tmp_path / f"{kind}.csv").write_text(content)
    return tmp_path / name


@pytest.mark.parametrize(
    "text",
    [
        TWO,
        HEADER + TWO,
        '"idstatefrom","idaction","idstateto","probability","reward"\n' + TWO,
        "\ufeff" + HEADER.upper() + TWO,
        HEADER + "\n" + TWO.replace("\n", "\r\n") + "\n\n",
        "reward,idstatefrom,idaction,idstateto,probability\n1,0,0,0,0.5\n3,0,0,1,0.5\n0,1,0,1,1\n",
        "1,0,1,1,0\n0,0,1,0.5,3\n0,0,0,0.5,1",
    ],
    ids=["bare", "header", "quoted", "bom", "crlf", "permuted", "any order"],
)
def test_headers_and_orders(tmp_path, text):
    mdp = io.read(write(tmp_path, text), gamma=0.9)
    P, r = mdp.to_dense()
    assert P.tolist() == [[[0.5, 0.5]], [[0.0, 1.0]]]
    assert r.tolist() == [[2.0], [0.0]]
    assert mdp.transition_reward.tolist() == [1.0, 3.0, 0.0]


def test_duplicates_add_probabilities_and_average_rewards(tmp_path):
    text = "0,0,0,0.25,1\n0,0,1,0.5,2\n0,0,0,0.25,4\n1,0,1,1,0\n"
    mdp = io.read(write(tmp_path, text), gamma=0.9)
    assert mdp.prob.tolist() == [0.5, 0.5, 1.0]
    assert mdp.transition_reward.tolist() == [2.5, 2.0, 0.0]


def test_discount_and_initial_from_the_folder_or_beside(tmp_path):
    folder = {
        "parameters": "parameter,value\ndiscount,0.75\n",
        "initial": "idstate,probability\n1,1",
    }
    path = write(tmp_path, TWO, **folder)
    mdp = io.read(path)
    assert mdp.gamma == 0.75
    assert mdp.initial.tolist() == [0.0, 1.0]
    (tmp_path / "m.parameters.csv").write_text("discount,0.5\n")
    mdp = io.read(path)  # the model's own files win, all of them
    assert mdp.gamma == 0.5
    assert mdp.initial is None


def test_other_objectives_beside(tmp_path):
    path = write(tmp_path, TWO)
    (tmp_path / "m.parameters.csv").write_text("horizon,3\n")
    (tmp_path / "m.terminal.csv").write_text("idstate,reward\n1,2.5\n")
    assert io.read(path).objective == FiniteHorizon(3, 1.0, [0.0, 2.5])
    (tmp_path / "m.terminal.csv").unlink()
    (tmp_path / "m.parameters.csv").write_text("objective,total_reward\n")
    assert io.read(path).objective == TotalReward()


def test_missing_discount_says_how_to_give_one(tmp_path):
    with pytest.raises(InvalidFileError, match=r"m.csv holds no discount factor; .*gamma=0.95"):
        io.read(write(tmp_path, TWO))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("x,0,1,1,0", r"m.csv, line 4: idstatefrom is 'x'; expected an integer from 0"),
        ("0,1.5,1,1,0", r"line 4: idaction is '1.5'; expected an integer"),
        ("0,1,-1,1,0", r"line 4: idstateto is '-1'; expected an integer"),
        ("1_0,1,1,1,0", r"line 4: idstatefrom is '1_0'"),
        ("1,4294967296,1,1,0", r"line 4: idaction is '4294967296'"),
        ("1,1,1,nan,0", r"line 4: probability is 'nan'; expected a finite number"),
        ("1,1,1,-0.5,0", r"line 4: probability is '-0.5'; expected a probability from 0 to 1"),
        ("1,1,1,1.5,0", r"line 4: probability is '1.5'; expected a probability from 0 to 1"),
        ("1,1,1,one,0", r"line 4: probability is 'one'; expected a finite number"),
        ("1,1,1,1,inf", r"line 4: reward is 'inf'; expected a finite number"),
        ("1,1,1,1,1e999", r"line 4: reward is '1e999'; expected a finite number"),
        ("1,1,1,1", r"line 4: 4 fields; expected 5 \(idstatefrom,idaction"),
        ("1,1,1,1,0,7", r"line 4: 6 fields; expected 5"),
        ('1,1,1,1,"0', r"line 4: unexpected end of data"),
        ("1,1,1,0.9,0", r"m.csv: P\[1, 1\] sums to 0.9; expected 1"),
        ("3,0,3,1,0", r"m.csv: state 2 has no choice \(1 of 4 states have none\)"),
        ("4000000000,0,1,1,0", r"state 2 has no choice \(3999999998 of 4000000001"),
        ("1,99999999999999999999999,1,1,0", r"line 4: idaction is '9999"),
        ("1,3000000000,1,1,0", r"m.csv: idaction is 3000000000; expected at most 2147483646"),
        ("1,2000000000,1,1,0", r"largest action id is 2000000000 .* number the actions from 0"),
    ],
)
def test_errors_name_file_line_and_value(tmp_path, line, message):
    with pytest.raises(InvalidFileError, match=message):
        io.read(write(tmp_path, TWO + line + "\n"), gamma=0.9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no transitions"),
        (HEADER, "no transitions"),
        ("idstatefrom,idaction,idstateto,prob,reward\n", "header idstatefrom.*; expected idstate"),
        (b"\xff\xfe0,0", "not UTF-8 text"),
        ("0,0,0,1,0\x00\n", "line 1"),
    ],
)
def test_bad_files(tmp_path, text, message):
    with pytest.raises(InvalidFileError, match=message):
        io.read(write(tmp_path, text), gamma=0.9)


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("parameters", "discont,0.9\n", "parameter is 'discont'; expected each of discount"),
        ("parameters", "discount,0.9\ndiscount,0.9\n", "line 2: parameter is 'discount'"),
        ("parameters", "discount,x\n", "line 1: discount is 'x'; expected a finite number"),
        ("parameters", "discount,1\n", r"m.parameters.csv: gamma is 1.0; expected .* \[0, 1\)"),
        ("parameters", "horizon,1.5\n", "horizon is '1.5'; expected an integer"),
        ("parameters", "horizon,0\n", "horizon is 0; expected an integer of at least 1"),
        ("parameters", "objective,max\n", "objective is 'max'"),
        ("parameters", "objective,total_reward\ndiscount,0.9\n", "no discount or horizon"),
        ("initial", "0,0.5\n", "initial sums to 0.5"),
        ("initial", "0,0.5\n0,0.5\n", "line 2: idstate is '0'; expected each state once"),
        ("initial", "7,1\n", "line 1: idstate is '7'; expected a state below 2"),
        ("initial", "0,x\n", "line 1: probability is 'x'"),
        ("terminal", "0,1\n", "terminal rewards need a parameter 'horizon'"),
        ("names", "actor,0,x\n", "kind is 'actor'; expected 'state' or 'action'"),
        ("names", "state,1,x\n", "id is '1'; expected 0, the next state"),
        ("names", "state,0,x\n", "state_names has 1 entries; expected 2"),
        ("names", "state,0,x\nstate,1,x\n", r"state_names\[1\] is 'x', which is already"),
    ],
)
def test_files_beside_are_checked(tmp_path, kind, text, message):
    path = write(tmp_path, TWO)
    (tmp_path / "m.parameters.csv").write_text("discount,0.9\n")
    (tmp_path / f"m.{kind}.csv").write_text(text)
    with pytest.raises(InvalidFileError, match=message):
        io.read(path)


def test_large_tables_stream(tmp_path):
    n = 20_000
    lines = (f"{s},0,{(s + 1) % n},1,{s / 7!r}" for s in range(n))
    mdp = io.read(write(tmp_path, HEADER + "\n".join(lines)), gamma=0.9)
    assert mdp.n_transitions == n
    assert np.array_equal(mdp.reward, np.arange(n) / 7)


def test_written_text_is_the_documented_format(tmp_path):
    io.write(example_mdp(), tmp_path / "m.csv")
    lines = (tmp_path / "m.csv").read_text().splitlines()
    assert lines[:3] == [HEADER.strip(), "0,0,0,0.1,1.5", "0,0,1,0.9,-0.25"]
    assert (tmp_path / "m.parameters.csv").read_text().splitlines()[:2] == [
        "parameter,value",
        "discount,0.95",
    ]
