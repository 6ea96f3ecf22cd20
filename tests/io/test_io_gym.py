"""Gymnasium tables against plain value iteration on the tables themselves."""

import numpy as np
import pytest

from mdptheory import Discounted, FiniteHorizon, io
from mdptheory.errors import InvalidModelError
from mdptheory.models import absorbing_states

gymnasium = pytest.importorskip("gymnasium")

NAMES = [
    "FrozenLake-v1",
    "FrozenLake8x8-v1",
    "CliffWalking-v1",
    "CliffWalkingSlippery-v1",
    "Taxi-v4",
]
SIZES = dict(zip(NAMES, (16, 64, 49, 49, 501), strict=True))


def oracle(env, gamma, sweeps):
    """Value iteration in plain Python: nothing is added after a terminated transition."""
    table = env.unwrapped.P
    v = [0.0] * len(table)
    for _ in range(sweeps):
        v = [
            max(
                sum(p * (r + (0.0 if done else gamma * v[t])) for p, t, r, done in outcomes)
                for outcomes in table[s].values()
            )
            for s in range(len(table))
        ]
    return np.array(v)


def dense_optimum(mdp):
    """Policy iteration with dense linear solves."""
    P, r = mdp.to_dense()
    states = np.arange(mdp.n_states)
    policy = r.argmax(axis=1)
    while True:
        v = np.linalg.solve(np.eye(mdp.n_states) - mdp.gamma * P[states, policy], r[states, policy])
        q = r + mdp.gamma * P @ v
        better = q.max(axis=1) > q[states, policy] + 1e-10
        if not better.any():
            return v
        policy = np.where(better, q.argmax(axis=1), policy)


@pytest.mark.parametrize("name", NAMES)
def test_values_agree_with_the_table_itself(name):
    gamma = 0.9
    with gymnasium.make(name) as env:
        mdp = io.from_gymnasium(env, gamma)
        expected = oracle(env, gamma, 230)
        initial = env.unwrapped.initial_state_distrib
    assert mdp.n_states == SIZES[name]
    v = dense_optimum(mdp)
    # after 230 sweeps the oracle is within 0.9 ** 230 * 100 / 0.1 < 1e-7 of the optimum
    np.testing.assert_allclose(v[: len(expected)], expected, atol=1e-7)
    assert mdp.initial[: len(initial)].tolist() == initial.tolist()
    assert mdp.initial[len(initial) :].sum() == 0
    if mdp.n_states > len(expected):
        assert v[-1] == 0
        assert absorbing_states(mdp)[-1]
        assert mdp.state_names[-1] == "terminal"


def test_ignoring_the_flags_would_be_caught():
    """The oracle tells a model in which value flows out of terminated transitions."""
    with gymnasium.make("Taxi-v4") as env:
        table = env.unwrapped.P
        leaky = {
            s: {a: [(*o[:3], False) for o in out] for a, out in row.items()}
            for s, row in table.items()
        }
        mdp = io.from_gymnasium(FakeEnv(leaky), 0.9)
        assert mdp.n_states == 500
        assert np.abs(dense_optimum(mdp) - oracle(env, 0.9, 230)).max() > 1


class FakeEnv:
    """The part of an environment that is read."""

    def __init__(self, table, **fields):
        self.P = table
        self.__dict__.update(fields)

    @property
    def unwrapped(self):
        return self


def test_a_terminated_transition_to_an_absorbing_state_stays():
    table = {
        0: {0: [(0.5, 1, 1.0, True), (0.5, 0, 0.0, False)]},
        1: {0: [(1.0, 1, 0, True)]},
    }
    mdp = io.from_gymnasium(FakeEnv(table), 0.5)
    assert mdp.n_states == 2
    assert mdp.state_names is None
    assert mdp.initial is None


def test_a_terminated_transition_elsewhere_is_redirected():
    table = [[[(1.0, 1, 5.0, True)]], [[(1.0, 0, 3.0, False)], [(1.0, 1, 1.0, True)]]]
    mdp = io.from_gymnasium(FakeEnv(table), 0.5)
    assert mdp.state_names == ("0", "1", "terminal")
    # the self loop of state 1 pays 1, so that it is left as well
    assert mdp.next_state.tolist() == [2, 0, 2, 2, 2]
    assert dense_optimum(mdp).tolist() == [5.0, 5.5, 0.0]


@pytest.mark.parametrize(
    ("env", "message"),
    [
        (object(), r"object has no transition table P\[s\]\[a\]"),
        (FakeEnv({}), "no transition table"),
        (FakeEnv({1: {0: []}}), "1 states that are not 0, 1, 2"),
        (FakeEnv({"x": {}}), "index that is no integer"),
        (FakeEnv({0: {}}), "holds no transitions"),
        (FakeEnv({0: {0: [(1.0, 0, 0.0)]}}), r"P\[0\]\[0\] holds .*; expected \(probability"),
        (FakeEnv({0: {0: [("x", 0, 0.0, False)]}}), r"P\[0\]\[0\] holds"),
        (
            FakeEnv({0: {0: [(1.0, 3, 0.0, False)]}}),
            r"P\[0\]\[0\] leads to 3; expected a state bel",
        ),
        (FakeEnv({0: {0: [(0.5, 0, 0.0, False)]}}), r"P\[0, 0\] sums to 0.5"),
        (FakeEnv({0: {0: [(np.nan, 0, 0.0, False)]}}), r"P\[0, 0, 0\] is nan"),
        (
            FakeEnv({0: {0: [(1.0, 0, 0.0, True)]}}, initial_state_distrib=[0.5, 0.5]),
            r"initial_state_distrib has shape \(2,\); expected \(1,\)",
        ),
    ],
)
def test_bad_tables(env, message):
    with pytest.raises(InvalidModelError, match=message):
        io.from_gymnasium(env)


def test_names_of_states_and_actions():
    lake = io.from_gymnasium("FrozenLake-v1")
    assert lake.gamma == 0.99
    assert lake.action_names == ("left", "down", "right", "up")
    assert lake.state_names[6] == "r1c2"
    with gymnasium.make("Taxi-v4") as env:
        taxi = io.from_gymnasium(env)
        for state in (0, 123, 499):
            row, column, passenger, destination = env.unwrapped.decode(state)
            stops = ["red", "green", "yellow", "blue", "taxi"]
            expected = f"r{row}c{column}-from-{stops[passenger]}-to-{stops[destination]}"
            assert taxi.state_names[state] == expected


def test_load_takes_options():
    deterministic = io.load("gym:FrozenLake-v1?map_name=8x8&is_slippery=false", gamma=0.5)
    assert deterministic.n_states == 64
    assert deterministic.n_transitions == 256
    assert io.load("gym:FrozenLake-v1?success_rate=0.8").objective == Discounted(0.99)
    assert io.load("gym:Taxi-v4", objective=FiniteHorizon(5)).objective == FiniteHorizon(5)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("gym:NoSuchEnv-v0", r"gymnasium.make\('NoSuchEnv-v0'\) fails"),
        ("gym:", "fails"),
        ("gym:os:FrozenLake-v1", "names a module; expected a registered environment"),
        ("gym:FrozenLake-v1?size=9", "fails: .*size"),
        ("gym:FrozenLake-v1?map_name=9x9", "fails"),
        ("gym:FrozenLake-v1?map_name", "expected option=value"),
        ("gym:FrozenLake-v1?is_slippery=true&is_slippery=true", "gives an option twice"),
        ("gym:CartPole-v1", "no transition table"),
    ],
)
def test_bad_specs(spec, message):
    with pytest.raises(InvalidModelError, match=message):
        io.load(spec)


def test_load_wants_one_objective_and_reads_files(tmp_path):
    with pytest.raises(InvalidModelError, match="give gamma or objective, not both"):
        io.load("gym:FrozenLake-v1", gamma=0.5, objective=FiniteHorizon(2))
    io.write(io.load("gym:FrozenLake-v1"), tmp_path / "lake.tra")
    again = io.load(tmp_path / "lake.tra", gamma=0.99)
    assert again.action_names == ("left", "down", "right", "up")
    assert np.array_equal(again.prob, io.load("gym:FrozenLake-v1").prob)
