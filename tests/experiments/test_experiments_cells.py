import enum
import functools
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from grid_cases import Config, draw

from mdptheory.experiments.cells import canonical, cell_rng, function_name, make_cell


class Colour(enum.Enum):
    RED = 1


@dataclass(frozen=True)
class Nested:
    inner: Config
    many: tuple[float, ...]


@dataclass(frozen=True)
class Twin:
    n: int = 4
    scale: float = 1.0
    pause: float = 0.0
    mark: str = ""


DISTINCT = [
    None,
    True,
    1,
    1.0,
    "1",
    math.nan,
    math.inf,
    [1],
    {"a": 1},
    {"float": "nan"},
    Colour.RED,
    Path("1"),
    Config(),
    Twin(),
    Config(n=5),
    Nested(Config(), (1.0, 2.0)),
    np.array([1]),
    np.array([1.0]),
    np.array([[1.0]]),
    np.array([1.0], dtype=np.float32),
]


def key(config, seed=0):
    return make_cell(draw, config, seed, Path()).key


def test_different_configurations_have_different_keys_and_streams():
    assert len({key(config) for config in DISTINCT}) == len(DISTINCT)
    first = [cell_rng(config, 0).random() for config in DISTINCT]
    assert len(set(first)) == len(DISTINCT)


def test_equal_configurations_have_equal_keys():
    assert key(Config(n=2)) == key(Config(n=2))
    assert key({"a": 1, "b": 2}) == key({"b": 2, "a": 1})
    assert key((1, 2)) == key([1, 2])
    assert key(np.float64(0.1)) == key(0.1)
    assert key(np.arange(3)) == key(np.arange(6)[:3])


def test_seed_and_function_are_part_of_the_key():
    assert key(1, seed=0) != key(1, seed=1)
    assert make_cell(draw, 1, 0, Path()).key != make_cell(key, 1, 0, Path()).key


def test_key_is_pinned():
    # a change here makes every user's finished cells unreadable: it needs a CHANGELOG line
    assert canonical(Config()) == {
        "class": "Config",
        "fields": {"n": 4, "scale": 1.0, "pause": 0.0, "mark": ""},
    }
    assert cell_rng(Config(), 0).integers(1 << 60) == PINNED


PINNED = 668_881_021_840_878_999


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"a": {1}}, r"config\.a has type set; expected numbers, strings"),
        ([1, object()], r"config\[1\] has type object"),
        ({1: 2}, "config has the key 1; expected strings as keys"),
        (np.array([None]), "config is an array of objects"),
        (Config, "config has type type"),
    ],
)
def test_configurations_without_identity_are_refused(config, message):
    with pytest.raises(TypeError, match=message):
        key(config)


def test_bad_seeds_are_refused():
    with pytest.raises(ValueError, match="seed is -1; expected an integer of at least 0"):
        key(1, seed=-1)
    with pytest.raises(TypeError, match=r"seed is 1\.0 of type float"):
        key(1, seed=1.0)


def test_unnamed_functions_are_refused():
    for function in (lambda config, rng: {}, functools.partial(draw, Config())):
        with pytest.raises(TypeError, match="expected a named function"):
            function_name(function)
    assert function_name(draw).endswith("grid_cases.draw")
