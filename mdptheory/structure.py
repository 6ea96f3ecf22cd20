"""How a model hangs together: components, recurrent classes, absorbing states, diameter."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mdptheory._typing import BoolArray, IntArray
from mdptheory._validation import check_count
from mdptheory.errors import InvalidModelError
from mdptheory.models import TabularMDP, TotalReward, absorbing_states

DIAMETER_STATES = 1_000
DIAMETER_TRANSITIONS = 200_000
EXPECTED_DIAMETER_STATES = 50  # what `mdptheory info` is willing to wait for


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """Communicating structure of the graph of all transitions with positive probability.

    Stage-dependent data are read as one graph: the union of the stages.

    Attributes
    ----------
    component : array of int of shape (n_states,)
        Strongly connected component of each state; two states share one when each can be reached
        from the other under some policy.
    n_components : int
        Number of strongly connected components.
    closed : array of bool of shape (n_components,)
        Components that no action leaves: where every run ends up if it can get there.
    end_component : array of int of shape (n_states,)
        Maximal end component of each state, -1 outside: sets in which some policy can stay for
        ever with probability one.
    n_end_components : int
        Number of maximal end components.
    absorbing : array of bool of shape (n_states,)
        States that stay put with reward 0 under every action.
    unreachable : array of bool of shape (n_states,), optional
        States that no policy reaches from the initial distribution; None without one.
    diameter : int, optional
        Largest number of steps that separates a state from another one under the luckiest draws,
        a lower bound on `expected_diameter`; None if some state cannot be reached from another
        one or if the model is too large.
    """

    component: IntArray
    n_components: int
    closed: BoolArray
    end_component: IntArray
    n_end_components: int
    absorbing: BoolArray
    unreachable: BoolArray | None
    diameter: int | None

    @property
    def communicating(self) -> bool:
        """Whether every state can be reached from every other one under some policy."""
        return self.n_components == 1

    @property
    def weakly_communicating(self) -> bool:
        """Whether all end components share a component: the rest is always transient."""
        inside = self.end_component >= 0
        return len(np.unique(self.component[inside])) == 1


def analyse(mdp: TabularMDP, *, diameter_states: int = DIAMETER_STATES) -> Structure:
    """Analyse which states reach which.

    Parameters
    ----------
    mdp : TabularMDP
        The model.
    diameter_states : int
        Skip the diameter above this number of states (it costs a search from every state), and
        above 200 000 transitions.

    Returns
    -------
    Structure
        Components, end components, absorbing and unreachable states, diameter.

    Notes
    -----
    Maximal end components by repeated deletion: drop every row that leaves its component, split
    the rest into strongly connected components, and stop when no row is dropped [1]_.

    References
    ----------
    .. [1] L. de Alfaro, "Formal Verification of Probabilistic Systems", PhD thesis, Stanford
       University, 1997, section 3.3.

    Examples
    --------
    >>> from mdptheory import TabularMDP
    >>> chain = TabularMDP.from_dense([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.9)
    >>> found = analyse(chain)
    >>> found.n_components, found.n_end_components, found.absorbing.tolist()
    (2, 1, [False, True])
    """
    limit = check_count("diameter_states", diameter_states, low=0)
    edges = _edges(mdp)
    adjacency = _adjacency(edges, mdp.n_states)
    n_components, component = _components(adjacency)
    closed = np.ones(n_components, dtype=bool)
    closed[component[edges.tail[component[edges.tail] != component[edges.head]]]] = False
    end_component, n_end = _end_components(mdp, edges)
    small = mdp.n_states <= limit and adjacency.nnz <= DIAMETER_TRANSITIONS
    return Structure(
        component=component,
        n_components=n_components,
        closed=closed,
        end_component=end_component,
        n_end_components=n_end,
        absorbing=absorbing_states(mdp),
        unreachable=None if mdp.initial is None else ~_reached(adjacency, mdp.initial > 0),
        diameter=_diameter(adjacency) if small and n_components == 1 else None,
    )


def expected_diameter(mdp: TabularMDP) -> float:
    """Return the diameter of an MDP as the regret bounds of online learning use it.

    Parameters
    ----------
    mdp : TabularMDP
        The model, with stationary rows; costs one total-reward problem a state.

    Returns
    -------
    float
        ``max over s != t of min over policies of E[steps from s to t]``; ``inf`` unless the model
        is communicating.

    Raises
    ------
    InvalidModelError
        If the rows depend on the stage.

    References
    ----------
    T. Jaksch, R. Ortner, P. Auer, "Near-optimal Regret Bounds for Reinforcement Learning", JMLR 11,
    2010, Definition 1.

    Examples
    --------
    >>> from mdptheory import TabularMDP
    >>> swap = TabularMDP.from_dense([[[0.5, 0.5]], [[1.0, 0.0]]], [[0.0], [0.0]], 0.9)
    >>> round(expected_diameter(swap), 9)
    2.0
    """
    from mdptheory.solvers import policy_iteration

    if mdp.n_stages > 1:
        raise InvalidModelError(
            f"P holds {mdp.n_stages} stages; the diameter needs stationary rows"
        )
    if not analyse(mdp, diameter_states=0).communicating:
        return float("inf")
    targets = range(mdp.n_states)
    return max(float(-policy_iteration(_hurry(mdp, t), tol=1e-8).v.min()) for t in targets)


def _hurry(mdp: TabularMDP, target: int) -> TabularMDP:
    """Return the model in which every step costs 1 until ``target`` is reached."""
    first, last = int(mdp.choice_ptr[target]), int(mdp.choice_ptr[target + 1])
    start, stop = int(mdp.row_ptr[first]), int(mdp.row_ptr[last])
    after = np.arange(mdp.n_states + 1) > target
    row_ptr = np.append(mdp.row_ptr[: first + 1], mdp.row_ptr[last:] - (stop - start - 1))
    reward = np.full(len(row_ptr) - 1, -1.0)
    reward[first] = 0.0
    return TabularMDP(
        choice_ptr=np.where(after, mdp.choice_ptr - (last - first - 1), mdp.choice_ptr),
        action=np.delete(mdp.action, slice(first + 1, last)),
        row_ptr=row_ptr,
        next_state=np.concatenate([mdp.next_state[:start], [target], mdp.next_state[stop:]]),
        prob=np.concatenate([mdp.prob[:start], [1.0], mdp.prob[stop:]]),
        reward=reward,
        objective=TotalReward(),
        n_states=mdp.n_states,
    )


def graph(mdp: TabularMDP) -> Any:
    """Return the model as a `networkx.MultiDiGraph`, for drawing and for networkx's algorithms.

    Parameters
    ----------
    mdp : TabularMDP
        The model; its state and action names become the labels.

    Returns
    -------
    networkx.MultiDiGraph
        One node a state, one edge a transition of positive probability, with attributes
        ``action``, ``probability`` and ``reward`` (the row's expected reward).

    Examples
    --------
    >>> from mdptheory import TabularMDP
    >>> chain = TabularMDP.from_dense([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.9)
    >>> sorted(graph(chain).edges(data="probability"))
    [(0, 0, 0.5), (0, 1, 0.5), (1, 1, 1.0)]
    """
    import networkx as nx

    states, actions = mdp.state_names, mdp.action_names
    network = nx.MultiDiGraph()
    network.add_nodes_from(states or range(mdp.n_states))
    edges = _edges(mdp)
    for row, tail, head, k in zip(edges.row, edges.tail, edges.head, edges.index, strict=True):
        action = int(mdp.action[row])
        network.add_edge(
            states[tail] if states else int(tail),
            states[head] if states else int(head),
            action=actions[action] if actions else action,
            probability=float(mdp.prob[k]),
            reward=float(mdp.reward[row]),
        )
    return network


@dataclass(frozen=True, slots=True, eq=False)
class _Edges:
    """Transitions of positive probability: their row, both ends, and place in the model."""

    row: IntArray
    tail: IntArray
    head: IntArray
    index: IntArray


def _edges(mdp: TabularMDP) -> _Edges:
    index = np.flatnonzero(mdp.prob > 0)
    row = np.repeat(np.arange(mdp.n_rows), np.diff(mdp.row_ptr))[index]
    return _Edges(row, mdp.row_state()[row], mdp.next_state[index], index)


def _adjacency(edges: _Edges, n_states: int) -> Any:
    from scipy import sparse

    ones = np.ones(len(edges.tail), dtype=np.int8)
    matrix = sparse.csr_matrix((ones, (edges.tail, edges.head)), shape=(n_states, n_states))
    matrix.data[:] = 1  # parallel edges were added up
    return matrix


def _components(adjacency: Any) -> tuple[int, IntArray]:
    from scipy.sparse import csgraph

    count, label = csgraph.connected_components(adjacency, connection="strong")
    return int(count), label


def _end_components(mdp: TabularMDP, edges: _Edges) -> tuple[IntArray, int]:
    kept = np.ones(mdp.n_rows, dtype=bool)
    row_state = mdp.row_state()
    while True:
        alive = kept[edges.row]
        subset = _Edges(*(a[alive] for a in (edges.row, edges.tail, edges.head, edges.index)))
        _, label = _components(_adjacency(subset, mdp.n_states))
        leaving = subset.row[label[subset.tail] != label[subset.head]]
        if not leaving.size:
            break
        kept[leaving] = False
    inside = np.zeros(mdp.n_states, dtype=bool)
    inside[row_state[kept]] = True
    numbers, renamed = np.unique(label[inside], return_inverse=True)
    end_component = np.full(mdp.n_states, -1, dtype=np.int64)
    end_component[inside] = renamed
    return end_component, len(numbers)


def _reached(adjacency: Any, start: BoolArray) -> BoolArray:
    reached = start.copy()
    frontier = np.flatnonzero(start)
    while frontier.size:
        found = np.unique(adjacency[frontier].indices)
        frontier = found[~reached[found]]
        reached[frontier] = True
    return reached


def _diameter(adjacency: Any) -> int:
    from scipy.sparse import csgraph

    distance = csgraph.shortest_path(adjacency, unweighted=True)
    return int(distance.max())
