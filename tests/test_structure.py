"""The structure analysis against networkx and against enumeration of policies."""

import itertools

import networkx as nx
import numpy as np
import pytest

from mdptheory import FiniteHorizon, TabularMDP
from mdptheory.environments import riverswim_chain
from mdptheory.errors import InvalidModelError
from mdptheory.structure import analyse, expected_diameter, graph


def random_mdp(rng: np.random.Generator, n_states: int = 5, n_actions: int = 2) -> TabularMDP:
    weights = rng.integers(0, 2, size=(n_states, n_actions, n_states)) * rng.integers(
        0, 2, size=(n_states, n_actions, n_states)
    )
    alone = weights.sum(axis=-1) == 0
    weights[alone, rng.integers(n_states)] = 1
    P = weights / weights.sum(axis=-1, keepdims=True)
    initial = np.eye(n_states)[0]
    return TabularMDP.from_dense(P, rng.random((n_states, n_actions)), 0.9, initial=initial)


def recurrent_sets(mdp: TabularMDP) -> set[frozenset[int]]:
    """Closed classes of every randomised policy's chain: one support of actions a state."""
    P, _ = mdp.to_dense()
    supports = [
        [set(c) for r in (1, 2) for c in itertools.combinations(range(mdp.n_actions), r)]
    ] * mdp.n_states
    found: set[frozenset[int]] = set()
    for choice in itertools.product(*supports):
        chain = nx.DiGraph()
        chain.add_nodes_from(range(mdp.n_states))
        for s, actions in enumerate(choice):
            heads = np.flatnonzero(P[s, sorted(actions)].sum(axis=0))
            chain.add_edges_from((s, int(t)) for t in heads)
        found |= {frozenset(c) for c in nx.attracting_components(chain)}
    return found


@pytest.mark.parametrize("seed", range(12))
def test_components_reachability_and_diameter_agree_with_networkx(seed):
    mdp = random_mdp(np.random.default_rng(seed), n_states=6)
    found, network = analyse(mdp), nx.DiGraph(graph(mdp))
    mine = {frozenset(np.flatnonzero(found.component == c)) for c in range(found.n_components)}
    assert mine == {frozenset(c) for c in nx.strongly_connected_components(network)}
    closed = {frozenset(np.flatnonzero(found.component == c)) for c in np.flatnonzero(found.closed)}
    assert closed == {frozenset(c) for c in nx.attracting_components(network)}
    reached = nx.descendants(network, 0) | {0}
    assert set(np.flatnonzero(~found.unreachable)) == reached
    strongly = nx.is_strongly_connected(network)
    assert found.communicating == strongly
    assert found.diameter == (nx.diameter(network) if strongly else None)


@pytest.mark.parametrize("seed", range(12))
def test_end_components_are_the_largest_recurrent_sets_of_all_policies(seed):
    mdp = random_mdp(np.random.default_rng(100 + seed), n_states=4)
    found = analyse(mdp)
    mine = {
        frozenset(np.flatnonzero(found.end_component == c)) for c in range(found.n_end_components)
    }
    recurrent = recurrent_sets(mdp)
    assert mine == {c for c in recurrent if not any(c < other for other in recurrent)}
    components = {int(found.component[next(iter(c))]) for c in mine}
    assert found.weakly_communicating == (len(components) == 1)


def test_an_end_component_needs_a_second_pass():
    # 0 <-> 1 is one component, but the only way back from 1 may leak to 2
    P = np.zeros((3, 1, 3))
    P[0, 0, 1] = 1
    P[1, 0, [0, 2]] = 0.5
    P[2, 0, 2] = 1
    found = analyse(TabularMDP.from_dense(P, np.zeros((3, 1)), 0.9))
    assert found.n_components == 2
    assert found.end_component.tolist() == [-1, -1, 0]
    assert found.absorbing.tolist() == [False, False, True]
    assert found.weakly_communicating
    assert not found.communicating
    assert found.unreachable is None


def test_a_stored_zero_is_no_edge():
    mdp = TabularMDP(
        choice_ptr=[0, 1, 2], action=[0, 0], row_ptr=[0, 2, 3], next_state=[0, 1, 1],
        prob=[1.0, 0.0, 1.0], reward=[0.0, 0.0], objective=FiniteHorizon(2), n_states=2,
    )  # fmt: skip
    assert analyse(mdp).n_components == 2
    assert analyse(mdp).n_end_components == 2


def test_stages_are_read_as_one_graph():
    P = np.zeros((2, 2, 1, 2))
    P[0, :, 0, 1] = 1
    P[1, :, 0, 0] = 1
    found = analyse(TabularMDP.from_dense(P, np.zeros((2, 2, 1)), objective=FiniteHorizon(2)))
    assert found.communicating
    assert found.absorbing.tolist() == [False, False]
    assert found.diameter == 1


def test_diameter_is_skipped_above_the_limit():
    ring = np.roll(np.eye(5), 1, axis=1)[:, None, :]
    mdp = TabularMDP.from_dense(ring, np.zeros((5, 1)), 0.9)
    assert analyse(mdp).diameter == 4
    assert analyse(mdp, diameter_states=4).diameter is None


def test_graph_carries_names_actions_probabilities_and_rewards():
    mdp = TabularMDP.from_dense(
        [[[0.25, 0.75]], [[0, 1]]], [[2.0], [0.0]], 0.9,
        state_names=["a", "b"], action_names=["go"],
    )  # fmt: skip
    edges = sorted(graph(mdp).edges(data=True), key=lambda e: e[:2])
    assert edges[1] == ("a", "b", {"action": "go", "probability": 0.75, "reward": 2.0})
    assert len(edges) == 3


def hitting_times(P: np.ndarray, target: int) -> np.ndarray:
    """Expected steps to ``target`` in a Markov chain; inf where it may be missed."""
    others = [s for s in range(len(P)) if s != target]
    chain = nx.DiGraph([(int(s), int(t)) for s, t in np.argwhere(P > 0) if s != target])
    chain.add_nodes_from(range(len(P)))
    sure = nx.ancestors(chain, target)
    times = np.full(len(P), np.inf)
    if sure == set(others):
        inside = P[np.ix_(others, others)]
        times[others] = np.linalg.solve(np.eye(len(others)) - inside, np.ones(len(others)))
    times[target] = 0
    return times


def brute_force_diameter(mdp: TabularMDP) -> float:
    P, _ = mdp.to_dense()
    states = np.arange(mdp.n_states)
    policies = itertools.product(range(mdp.n_actions), repeat=mdp.n_states)
    chains = [P[states, list(policy)] for policy in policies]
    best = [np.min([hitting_times(c, t) for c in chains], axis=0).max() for t in states]
    return float(max(best))


def test_expected_diameter_of_riverswim():
    mdp = riverswim_chain(6)
    assert expected_diameter(mdp) == pytest.approx(brute_force_diameter(mdp), abs=1e-7)
    assert expected_diameter(mdp) == pytest.approx(14.72, abs=0.005)


@pytest.mark.parametrize("seed", range(20))
def test_expected_diameter_agrees_with_enumeration(seed):
    mdp = random_mdp(np.random.default_rng(seed), n_states=4)
    if analyse(mdp).communicating:
        found = expected_diameter(mdp)
        assert found == pytest.approx(brute_force_diameter(mdp), abs=1e-7)
        assert found >= analyse(mdp).diameter - 1e-7
    else:
        assert expected_diameter(mdp) == np.inf


def test_expected_diameter_needs_stationary_rows():
    P = np.ones((2, 1, 1, 1))
    mdp = TabularMDP.from_dense(P, np.zeros((2, 1, 1)), objective=FiniteHorizon(2))
    with pytest.raises(InvalidModelError, match="P holds 2 stages; the diameter needs"):
        expected_diameter(mdp)
