"""What every environment keeps: rows, seeds, names, tables as published, refusals by name."""

import functools
import re

import numpy as np
import pytest
from environment_oracles import dense

from mdptheory import environments as env
from mdptheory.errors import InvalidModelError

ARRAYS = (
    "choice_ptr",
    "action",
    "row_ptr",
    "next_state",
    "prob",
    "reward",
    "transition_reward",
    "initial",
)
NO_CONSTRUCTORS = {  # of a single finite model, that is
    "CATALOGUE",
    "LINEAR_CATALOGUE",
    "AmericanPut",
    "collect",
    "collect_real",
    "collect_statistics",
    "cumulative",
    "put_value",
    "simulated_target",
    "windy_walk_family",
}
CLOSED_LOOPS = {  # thresholds and lending, tested in files of their own
    "PRESETS",
    "ScoredPeople",
    "compas_decile_threshold_loop",
    "compas_threshold_loop",
    "german_threshold_loop",
    "lending_loop",
    "load_compas",
    "load_german",
    "survival_from_scores",
    "synthetic_threshold_loop",
    "threshold_loop_from_csv",
    "threshold_loop_from_scores",
    "threshold_preset",
}


def constructor(entry):
    return entry.func if isinstance(entry, functools.partial) else entry


def test_the_catalogue_offers_every_constructor():
    others = NO_CONSTRUCTORS | CLOSED_LOOPS
    assert others <= set(env.__all__)
    public = {getattr(env, name) for name in env.__all__ if name not in others}
    entries = [*env.CATALOGUE.values(), *env.LINEAR_CATALOGUE.values()]
    assert {constructor(entry) for entry in entries} == public


def test_the_catalogue_cannot_be_changed():
    with pytest.raises(TypeError):
        env.CATALOGUE["mine"] = env.chain


@pytest.mark.parametrize("name", sorted(env.CATALOGUE))
def test_two_calls_give_the_same_bits(name):
    first, second = env.CATALOGUE[name](), env.CATALOGUE[name]()
    assert first.objective == second.objective
    for field in ARRAYS:
        one, two = getattr(first, field), getattr(second, field)
        assert (one is None) == (two is None)
        if one is not None:
            assert one.dtype == two.dtype
            assert one.tobytes() == two.tobytes()
            assert not one.flags.writeable


@pytest.mark.parametrize("name", sorted(env.CATALOGUE))
def test_rows_are_distributions_without_zeros(name):
    mdp = env.CATALOGUE[name]()
    assert (mdp.prob > 0).all()
    sums = [mdp.prob[i:j].sum() for i, j in zip(mdp.row_ptr, mdp.row_ptr[1:], strict=False)]
    np.testing.assert_allclose(sums, 1.0, rtol=0, atol=1e-12)
    for i, j in zip(mdp.row_ptr, mdp.row_ptr[1:], strict=False):
        assert (np.diff(mdp.next_state[i:j]) > 0).all()
    if mdp.initial is not None:
        assert mdp.initial.sum() == pytest.approx(1.0, abs=1e-12)


SEEDED = [
    lambda rng: env.garnet(20, 3, 4, rng=rng),
    lambda rng: env.combination_lock(40, 4, rng=rng),
    lambda rng: env.gridworld_torus(100, rng=rng),
]


@pytest.mark.parametrize("make", SEEDED)
def test_seeds(make):
    def signature(mdp):
        reward = mdp.reward if mdp.transition_reward is None else mdp.transition_reward
        return mdp.next_state.tobytes() + mdp.prob.tobytes() + reward.tobytes()

    assert signature(make(7)) == signature(make(7))
    assert signature(make(7)) == signature(make(np.random.default_rng(7)))
    assert signature(make(7)) != signature(make(8))
    shared = np.random.default_rng(7)
    assert signature(make(shared)) != signature(make(shared))


@pytest.mark.parametrize("version", [1, 2, 3])
def test_riverswim_tables(version):
    """Entries as printed in the three files, against the dense arrays."""
    bank, rapids, stay, leave, goal = {
        1: (5, 0, 0.3, 0.7, 10000),
        2: (50, -50, 0.9, 0.1, 200),
        3: (30, 0, 0.9, 0.1, 100),
    }[version]
    lines = {(0, 0, 0): (1, bank), (0, 1, 0): (0.7, 0), (0, 1, 1): (0.3, 0)}
    for s in range(1, 6):
        lines[s, 0, s - 1] = (1, 0)
    for s in range(1, 5):
        lines[s, 1, s - 1] = (0.1, 0)
        lines[s, 1, s] = (0.6, 0)
        lines[s, 1, s + 1] = (0.3, rapids if s == 3 else 0)
    lines[5, 1, 5] = (stay, goal)
    lines[5, 1, 4] = (leave, 0)
    assert listing(env.riverswim(version)) == lines


def test_machine_rewards_belong_to_the_arrival():
    cost = {7: -20.0, 8: -10.0, 9: -2.0}
    lines = listing(env.machine_replacement())
    assert len(lines) == 45
    assert all(reward == cost.get(arrival, 0.0) for (_, _, arrival), (_, reward) in lines.items())
    assert lines[6, 1, 7] == (0.3, -20.0)
    assert lines[7, 1, 7] == (0.3, -20.0)
    assert lines[8, 1, 9] == (0.6, -2.0)


def listing(mdp):
    """``{(s, a, s'): (probability, reward)}``, one entry a transition."""
    rows = np.repeat(np.arange(mdp.n_rows), np.diff(mdp.row_ptr))
    states = np.repeat(np.arange(mdp.n_states), np.diff(mdp.choice_ptr))[rows]
    keys = zip(states.tolist(), mdp.action[rows].tolist(), mdp.next_state.tolist(), strict=True)
    entries = zip(mdp.prob.tolist(), mdp.transition_reward.tolist(), strict=True)
    return dict(zip(keys, entries, strict=True))


def test_riverswim_chain_of_six_is_the_classical_one():
    lines = listing(env.riverswim_chain())
    assert lines[0, 0, 0] == (1.0, 0.005)
    assert (lines[0, 1, 0], lines[0, 1, 1]) == ((0.4, 0.0), (0.6, 0.0))
    assert [lines[2, 1, t][0] for t in (1, 2, 3)] == [0.05, 0.6, 0.35]
    assert (lines[5, 1, 4], lines[5, 1, 5]) == ((0.4, 0.0), (0.6, 1.0))
    assert sum(reward for _, reward in lines.values()) == 1.005


@pytest.mark.parametrize("name", ["healthcare", "population", "gridworld", "gridworld_5x5"])
def test_rewards_of_pairs_stay_with_the_pair(name):
    assert env.CATALOGUE[name]().transition_reward is None


@pytest.mark.parametrize("max_backlog", [0, 3])
def test_inventory_against_a_loop_over_demands(max_backlog):
    capacity, max_order, mean = 8, 5, 4.0
    weight = [1.0]
    for k in range(1, 31):
        weight.append(weight[-1] * mean / k)
    n_states = capacity + max_backlog + 1
    P = np.zeros((n_states, max_order + 1, n_states))
    gain = np.zeros((n_states, max_order + 1))
    for i in range(n_states):
        for a in range(max_order + 1):
            stock = i - max_backlog
            order = min(a, capacity - stock)
            for demand, w in enumerate(weight):
                p = w / sum(weight)
                sold = min(demand, stock + order + max_backlog)
                left = stock + order - sold
                profit = 4.99 * sold - 2.49 * order - (0.49 if order else 0.0)
                profit -= 0.05 * left if left > 0 else -0.15 * left
                P[i, a, left + max_backlog] += p
                gain[i, a] += p * profit
    mdp = env.inventory(capacity, max_order, max_backlog=max_backlog, mean_demand=mean)
    have_P, have_r, _ = dense(mdp)
    np.testing.assert_allclose(have_P, P, rtol=0, atol=1e-13)
    np.testing.assert_allclose(have_r, gain, rtol=1e-12, atol=1e-12)
    assert mdp.initial.tolist() == np.eye(n_states)[max_backlog].tolist()


@pytest.mark.parametrize(
    ("x", "action"), [(0, 0), (1, 0), (10, 0), (10, 1), (25, 4), (49, 2), (50, 3)]
)
def test_population_against_simulation(x, action):
    """The Dvoretzky-Kiefer-Wolfowitz bound holds with probability 1 - 1e-9 a case."""
    n, rng = 200_000, np.random.default_rng(0)
    mean = 2.0 if action == 0 else 0.2 + (x - 25) ** 2 / 625
    growth = np.maximum(0, rng.normal(mean, (0.6, 0.6, 0.5, 0.4, 0.3)[action], n))
    inner = np.clip(np.rint(x + (growth - 1) * x * (50 - x) / 50), 0, 50)
    arrivals = np.rint(np.maximum(0, rng.normal(3, 1.5, n)))
    after = np.clip(inner + arrivals, 0, 50).astype(int)
    empirical = np.cumsum(np.bincount(after, minlength=51)) / n
    P, r, _ = dense(env.population())
    gap = np.abs(np.cumsum(P[x, action]) - empirical).max()
    assert gap <= np.sqrt(np.log(2 / 1e-9) / (2 * n))
    assert r[x, action] == 1000 - x * x - (0, 800, 840, 880, 920)[action]


def test_healthcare_scales():
    P, r, _ = dense(env.healthcare(2))
    np.testing.assert_allclose(P[0], [[0.7, 0.3], [0.8, 0.2], [0.9, 0.1]], atol=1e-15)
    assert (P[1, :, 1] == 1).all()
    assert r.tolist() == [[5, 4, 3], [0, 0, 0]]


REFUSED = [
    (lambda: env.riverswim(4), "version is 4; expected 1, 2 or 3"),
    (lambda: env.riverswim(gamma=1.0), "gamma is 1.0; expected a number in [0, 1)"),
    (lambda: env.riverswim20(gamma=-0.1), "gamma is -0.1; expected a number in [0, 1)"),
    (lambda: env.riverswim20(swim=(0.2, 0.3, 0.4)), "swim sums to 0.9; expected 1 within 1e-09"),
    (lambda: env.riverswim_chain(1), "n_states is 1; expected an integer of at least 2"),
    (lambda: env.machine_replacement(gamma=float("nan")), "gamma is nan"),
    (lambda: env.healthcare(1), "n_states is 1; expected an integer of at least 2"),
    (lambda: env.population(gamma=2), "gamma is 2.0; expected a number in [0, 1)"),
    (lambda: env.inventory(0), "capacity is 0; expected an integer of at least 1"),
    (lambda: env.inventory(5, 0), "max_order is 0; expected an integer of at least 1"),
    (lambda: env.inventory(max_backlog=-1), "max_backlog is -1; expected an integer of at least 0"),
    (lambda: env.inventory(mean_demand=0), "mean_demand is 0.0; expected a number in (0, inf)"),
    (lambda: env.garnet(0, 1, 1), "n_states is 0"),
    (lambda: env.garnet(5, 0, 1), "n_actions is 0"),
    (lambda: env.garnet(5, 1, 0), "branching is 0"),
    (lambda: env.garnet(5, 1, 6), "branching is 6; expected at most n_states = 5"),
    (lambda: env.garnet(5, 1, 2, reward_scale=-1), "reward_scale is -1.0"),
    (lambda: env.garnet(5, 1, 2, gamma=1), "gamma is 1.0"),
    (lambda: env.gamblers_ruin(0), "capital is 0"),
    (lambda: env.gamblers_ruin(5, 1.5), "win_probability is 1.5; expected a number in [0, 1]"),
    (lambda: env.gamblers_ruin_total(0), "capital is 0"),
    (lambda: env.gamblers_ruin_total(5, -1), "win_probability is -1.0"),
    (lambda: env.gridworld(1), "side is 1; expected an integer of at least 2"),
    (lambda: env.gridworld(slip=2), "slip is 2.0; expected a number in [0, 1]"),
    (lambda: env.gridworld_5x5(gamma=1), "gamma is 1.0"),
    (lambda: env.gridworld_torus(1), "side is 1"),
    (lambda: env.gridworld_torus(5, -0.5), "wind is -0.5; expected a number in [0, 1]"),
    (lambda: env.chain(1), "n_states is 1"),
    (lambda: env.chain(slip=-1), "slip is -1.0"),
    (lambda: env.chain(large=float("inf")), "large is inf"),
    (lambda: env.combination_lock(1), "n_states is 1"),
    (lambda: env.combination_lock(5, 1), "n_actions is 1"),
    (lambda: env.combination_lock(reward=float("nan")), "reward is nan"),
]


@pytest.mark.parametrize(("make", "text"), REFUSED)
def test_refusals_name_argument_and_value(make, text):
    with pytest.raises(InvalidModelError, match=re.escape(text)):
        make()


@pytest.mark.parametrize(
    "make", [lambda: env.garnet(5.0, 1, 1), lambda: env.chain("5"), lambda: env.gridworld(slip="x")]
)
def test_wrong_types(make):
    with pytest.raises(TypeError, match="expected"):
        make()
