"""Saved cases: bit for bit there and back, hostile files refused."""

import enum
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_chains import CONTRACTION, SQUARES, Number, Pair

from mdptheory import Discounted, FiniteHorizon, TabularMDP, TotalReward, theory
from mdptheory.errors import InvalidFileError, InvalidModelError
from mdptheory.theory import case, register, sampling
from mdptheory.theory.codec import decode, encode


@register
class Colour(enum.Enum):
    RED = 1


@case
class Everything:
    number: float
    count: int
    flag: bool
    nothing: None
    text: str
    colour: Colour
    array: np.ndarray
    nested: tuple[Number, ...]
    table: dict[int, list[float]]
    scalar: np.float32


def round_trip(value):
    return decode(json.loads(json.dumps(encode(value), allow_nan=False)))


def bits(x):
    return np.float64(x).view(np.int64)


@given(st.floats(allow_nan=True))
def test_floats_are_exact(x):
    again = round_trip(x)
    assert type(again) is float
    assert math.isnan(again) if math.isnan(x) else bits(again) == bits(x)


@given(st.lists(st.floats(allow_nan=False), max_size=6))
def test_arrays_are_exact_and_keep_their_type(xs):
    for array in (np.array(xs), np.array(xs, dtype=np.float32) if not xs else np.array([xs, xs])):
        again = round_trip(array)
        assert (again.dtype, again.shape) == (array.dtype, array.shape)
        assert again.tobytes() == array.tobytes()
        assert not again.flags.writeable


def test_all_kinds_of_fields():
    value = Everything(
        -0.0,
        2**70,
        True,
        None,
        "é\n",
        Colour.RED,
        np.array([[1, 2]], dtype=np.int32),
        (Number(0.1), Number(math.inf)),
        {3: [1.5, math.nan]},
        np.float32(0.1),
    )
    again = round_trip(value)
    assert math.copysign(1, again.number) == -1
    assert (again.count, again.flag, again.nothing, again.text) == (2**70, True, None, "é\n")
    assert again.colour is Colour.RED
    assert again.array.dtype == np.int32
    assert again.nested[1].x == math.inf
    assert math.isnan(again.table[3][1])
    assert type(again.scalar) is np.float32
    assert encode(again) == encode(value)


@pytest.mark.parametrize(
    "objective",
    [Discounted(1 / 3), FiniteHorizon(2, 0.3, np.array([0.1, 0.2])), FiniteHorizon(3)],
)
def test_models_are_exact(objective):
    mdp = sampling.random_mdp(np.random.default_rng(1), n_states=2, objective=objective)
    again = round_trip(mdp)
    assert again.objective == mdp.objective
    for name in ("choice_ptr", "action", "row_ptr", "next_state", "prob", "reward"):
        mine, theirs = getattr(mdp, name), getattr(again, name)
        assert (mine.dtype, mine.tobytes()) == (theirs.dtype, theirs.tobytes())
    assert isinstance(round_trip(TotalReward()), TotalReward)


def test_what_a_file_cannot_hold_is_refused():
    for value in (print, object(), 1j, {1, 2}, np.array([object()]), np.array(["a"])):
        with pytest.raises(TypeError, match="a replay file cannot hold"):
            encode(value)

    class Unknown(enum.Enum):
        X = 1

    with pytest.raises(TypeError, match=r"Unknown is not registered; decorate it with"):
        encode(Unknown.X)
    with pytest.raises(TypeError, match="is not a frozen dataclass or an Enum"):
        register(dict)


HOSTILE = [
    {"$type": "os:system", "command": "true"},
    {"$type": "mdptheory.models.tabular:TabularMDP"},
    {"$type": "toy_chains:Number", "x": 1.0, "y": 2.0},
    {"$type": ["list"]},
    {"$array": "|O", "shape": [1], "data": [1]},
    {"$array": "<f8", "shape": [10**12], "data": [1.0]},
    {"$array": "<f8", "shape": "x", "data": [1.0]},
    {"$array": "nonsense", "shape": [1], "data": [1.0]},
    {"$array": "<i8", "shape": [1], "data": ["a"]},
    {"$scalar": "<f8"},
    {"$float": "1.0"},
    {"$enum": "test_theory_replay:Colour", "name": "__class__x"},
    {"$enum": "test_theory_replay:Colour", "name": "mro"},
    {"$tuple": 3},
    {"$dict": [[1]]},
    {"$dict": [[[1], 2]]},
    {"$pickle": "abc"},
    {},
]


@pytest.mark.parametrize("data", HOSTILE, ids=str)
def test_hostile_entries_end_in_an_error(data):
    with pytest.raises(InvalidFileError):
        decode(data)


def saved_case(seed=0):
    report = theory.verify_chain(CONTRACTION, trials=50, seed=seed)
    return theory.find_counterexample(
        CONTRACTION, "contraction", seed, report.twins[0].index, twin="square", max_runs=20
    )


@pytest.mark.parametrize("seed", range(3))
def test_a_saved_case_replays_bit_for_bit(tmp_path, seed):
    saved = saved_case(seed)
    path = theory.save_case(saved, tmp_path / "deep" / "case.json")
    again = theory.load_case(path)
    assert again.case.mdp.prob.tobytes() == saved.case.mdp.prob.tobytes()
    assert again.case.u.tobytes() == saved.case.u.tobytes()
    replayed = theory.replay(again, [SQUARES, CONTRACTION])
    assert replayed.same
    assert not replayed.check.holds
    second = theory.save_case(again, tmp_path / "again.json")
    assert second.read_bytes() == path.read_bytes()


def test_replay_tells_when_the_outcome_has_changed(tmp_path):
    saved = saved_case()
    healed = theory.SavedCase(
        saved.chain, saved.link, None, saved.case, saved.check, saved.seed, saved.index
    )
    replayed = theory.replay(healed, [CONTRACTION])
    assert replayed.check.holds
    assert not replayed.same


def test_replay_of_what_is_not_there(tmp_path):
    saved = saved_case()
    with pytest.raises(InvalidModelError, match=r"no chain has the id 'toy.contraction'"):
        theory.replay(saved, [SQUARES])
    for fields, text in (
        ({"link": "typo"}, "has no link 'typo'"),
        ({"twin": "typo"}, "has no twin 'typo'"),
    ):
        values = {name: getattr(saved, name) for name in saved.__dataclass_fields__}
        other = theory.SavedCase(**{**values, **fields})
        with pytest.raises(InvalidModelError, match=text):
            theory.replay(other, [CONTRACTION])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"format": "other"}',
        '{"format": "mdptheory-case-1"}',
        '{"format": "mdptheory-case-1", "saved": 3}',
        '{"format": "mdptheory-case-1", "saved": {"$type": "x:y"}}',
        "[" * 100_000,
        '{"format": "mdptheory-case-1", "saved": ' + "[" * 800 + "]" * 800 + "}",
    ],
    ids=lambda text: text[:20],
)
def test_files_that_are_no_saved_case_are_refused(tmp_path, text):
    path = tmp_path / "case.json"
    path.write_text(text)
    with pytest.raises(InvalidFileError):
        theory.load_case(path)


def test_truncated_file_is_refused(tmp_path):
    path = theory.save_case(saved_case(), tmp_path / "case.json")
    text = path.read_text()
    for share in (0.1, 0.5, 0.9):
        path.write_text(text[: int(share * len(text))])
        with pytest.raises(InvalidFileError, match="is not a JSON file"):
            theory.load_case(path)


def test_tampered_probabilities_are_refused(tmp_path):
    pair = Pair(
        TabularMDP.from_dense([[[0.25, 0.75]], [[1.0, 0.0]]], [[0.0], [0.0]], 0.5),
        np.zeros(2),
        np.ones(2),
    )
    check = theory.Check(1.0, 0.5)
    saved = theory.SavedCase("toy.contraction", "contraction", None, pair, check, 0, 0)
    path = theory.save_case(saved, tmp_path / "case.json")
    path.write_text(path.read_text().replace("0.75", "0.85"))
    with pytest.raises(InvalidFileError, match=r"P\[0, 0\] sums to 1.1"):
        theory.load_case(path)
