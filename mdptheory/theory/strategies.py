"""Hypothesis strategies for models, policies, kernels, values, features and data sets.

All are built from small integer weights, normalised, so that zeros, ties and point masses are
common and shrinking ends at plain numbers. This is the only module that imports hypothesis (the
extra ``checks``).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mdptheory._extras import require
from mdptheory._typing import FloatArray, IntArray
from mdptheory._validation import check_count, check_number
from mdptheory.errors import InvalidModelError
from mdptheory.models import Discounted, Objective, TabularMDP
from mdptheory.theory.draft import Arm, Draft, freeze

require("hypothesis", "checks")

from hypothesis import strategies as st  # noqa: E402 - after the message that names the extra
from hypothesis.strategies import DrawFn, SearchStrategy  # noqa: E402

GAMMAS = (0.5, 0.0, 0.9, 0.99)
QUARTERS = (0.0, 1.0, 0.5, 0.25, 0.75)


def rows(n: int, *, max_weight: int = 4, full: bool = False) -> SearchStrategy[FloatArray]:
    """Generate probability vectors.

    Parameters
    ----------
    n : int
        Length.
    max_weight : int
        Largest integer weight before normalisation.
    full : bool
        Whether every entry is positive.

    Returns
    -------
    strategy of arrays of shape (n,)
        Unless ``full``, every second vector is a point mass. Shrinks towards the uniform vector:
        ``rows(2)`` towards ``[0.5, 0.5]``.
    """
    count = check_count("n", n)
    largest = check_count("max_weight", max_weight)
    # 1 comes first, so that equal weights are simplest
    choices = tuple(range(1, largest + 1)) if full else (1, 0, *range(2, largest + 1))
    weights = st.lists(st.sampled_from(choices), min_size=count, max_size=count)
    if full:
        return weights.map(_normalise)
    # the same number of draws for both kinds, so that the uniform vector is the simplest
    return st.tuples(st.booleans(), weights.filter(any)).map(_mixed_or_point)


def _mixed_or_point(drawn: tuple[bool, Sequence[int]]) -> FloatArray:
    point, weights = drawn
    return np.eye(len(weights))[sum(weights) % len(weights)] if point else _normalise(weights)


def _normalise(weights: Sequence[int]) -> FloatArray:
    row = np.array(weights, dtype=np.float64)
    return row / row.sum()


def kernels(
    n_rows: int, n: int, *, max_weight: int = 4, full: bool = False
) -> SearchStrategy[FloatArray]:
    """Generate stochastic matrices.

    Parameters
    ----------
    n_rows, n : int
        Shape.
    max_weight, full
        As in `rows`.

    Returns
    -------
    strategy of arrays of shape (n_rows, n)
        Shrinks towards uniform rows.
    """
    count = check_count("n_rows", n_rows)
    row = rows(n, max_weight=max_weight, full=full)
    return st.lists(row, min_size=count, max_size=count).map(np.array)


def values(
    n: int, *, low: float = -1.0, high: float = 1.0, steps: int = 8
) -> SearchStrategy[FloatArray]:
    """Generate value vectors on an even grid, so that ties are common.

    Parameters
    ----------
    n : int
        Length.
    low, high : float
        Ends of the grid.
    steps : int
        Number of its steps.

    Returns
    -------
    strategy of arrays of shape (n,)
        Shrinks towards the grid point nearest to 0, in every entry.
    """
    count, parts = check_count("n", n), check_count("steps", steps)
    bottom = check_number("low", low)
    top = check_number("high", high, low=bottom)
    grid = sorted({bottom + (top - bottom) * k / parts for k in range(parts + 1)}, key=abs)
    points = st.lists(st.sampled_from(grid), min_size=count, max_size=count)
    return points.map(lambda entries: np.array(entries, dtype=np.float64))


def mdps(
    *,
    max_states: int = 4,
    max_actions: int = 3,
    min_states: int = 1,
    gammas: Sequence[float] = GAMMAS,
    objective: Objective | None = None,
    stages: int = 1,
    ragged: bool = True,
) -> SearchStrategy[TabularMDP]:
    """Generate tabular MDPs with rewards in quarters of [0, 1].

    Parameters
    ----------
    max_states, max_actions, min_states : int
        Sizes.
    gammas : sequence of float
        Discount factors, the simplest first, if no objective is given.
    objective : Discounted, FiniteHorizon or TotalReward, optional
        The objective of all models.
    stages : int
        Stages with data of their own; 1, or the horizon.
    ragged : bool
        Whether states may have different numbers of actions.

    Returns
    -------
    strategy of TabularMDP
        Shrinks towards ``min_states`` states with one action each, uniform rows, reward 0 and the
        first discount factor.
    """
    least = check_count("min_states", min_states)
    most = check_count("max_states", max_states, low=least)
    actions, blocks = check_count("max_actions", max_actions), check_count("stages", stages)
    if objective is None and not gammas:
        raise InvalidModelError("gammas is empty; expected at least one discount factor")
    goals = [objective] if objective is not None else [Discounted(gamma) for gamma in gammas]

    # one strategy a size, built once: building them anew for each example costs most of the time
    tables = {
        (n, width): _tables(n, width, n * blocks, ragged)
        for n in range(least, most + 1)
        for width in ([actions] if ragged else range(1, actions + 1))
    }
    sizes = st.tuples(
        st.integers(least, most), st.just(actions) if ragged else st.integers(1, actions)
    )
    goal = st.sampled_from(goals)

    @st.composite
    def build(draw: DrawFn) -> TabularMDP:
        size = draw(sizes)
        table = draw(tables[size])
        arms = tuple(tuple(_arm(a, *pair) for a, pair in enumerate(entry)) for entry in table)
        return freeze(Draft(arms, draw(goal), size[0]))

    return build()


def _tables(n_states: int, width: int, blocks: int, ragged: bool) -> SearchStrategy[Any]:
    arm = st.tuples(rows(n_states), st.sampled_from(QUARTERS))
    state = st.lists(arm, min_size=1 if ragged else width, max_size=width)
    return st.lists(state, min_size=blocks, max_size=blocks)


def _arm(action: int, row: FloatArray, reward: float) -> Arm:
    return Arm(action, {int(t): float(row[t]) for t in np.flatnonzero(row)}, reward)


def policies(mdp: TabularMDP) -> SearchStrategy[IntArray]:
    """Generate deterministic policies of a model (one per stage, if its data are per stage).

    Parameters
    ----------
    mdp : TabularMDP
        The model.

    Returns
    -------
    strategy of arrays of int of shape (n_states,), or (n_stages, n_states)
        Available actions; shrinks towards the first one of each state.
    """
    blocks = [st.sampled_from(ids.tolist()) for ids in _available(mdp)]
    return st.tuples(*blocks).map(lambda ids: _by_stage(mdp, np.array(ids, dtype=np.int64)))


def stochastic_policies(mdp: TabularMDP, *, max_weight: int = 4) -> SearchStrategy[FloatArray]:
    """Generate stochastic policies of a model (one per stage, if its data are per stage).

    Parameters
    ----------
    mdp : TabularMDP
        The model.
    max_weight : int
        Largest integer weight of an action.

    Returns
    -------
    strategy of arrays of shape (n_states, n_actions), or (n_stages, n_states, n_actions)
        0 on unavailable actions; shrinks towards uniform on the available ones.
    """
    available = _available(mdp)

    def spread(chosen: tuple[FloatArray, ...]) -> Any:
        pi = np.zeros((len(available), mdp.n_actions))
        for block, row in enumerate(chosen):
            pi[block, available[block]] = row
        return _by_stage(mdp, pi)

    return st.tuples(*(rows(len(ids), max_weight=max_weight) for ids in available)).map(spread)


def _available(mdp: TabularMDP) -> list[IntArray]:
    return [mdp.action[i:j] for i, j in zip(mdp.choice_ptr[:-1], mdp.choice_ptr[1:], strict=True)]


def _by_stage(mdp: TabularMDP, table: Any) -> Any:
    if mdp.n_stages == 1:
        return table
    return table.reshape(mdp.n_stages, mdp.n_states, *table.shape[1:])


def features(
    n_states: int, n_actions: int, d: int, *, one_hot: bool = False, max_weight: int = 4
) -> SearchStrategy[FloatArray]:
    """Generate feature maps whose rows are probabilities (so that a mixture is a kernel).

    Parameters
    ----------
    n_states, n_actions, d : int
        Shape.
    one_hot : bool
        Whether every feature is a unit vector.
    max_weight : int
        Largest integer weight.

    Returns
    -------
    strategy of arrays ``phi[s, a, :]`` of shape (n_states, n_actions, d)
        Shrinks towards uniform rows, or towards the first unit vector everywhere.
    """
    shape = (check_count("n_states", n_states), check_count("n_actions", n_actions))
    width, count = check_count("d", d), shape[0] * shape[1]
    if one_hot:
        eye = np.eye(width)
        picks = st.lists(st.integers(0, width - 1), min_size=count, max_size=count)
        return picks.map(lambda chosen: eye[chosen].reshape(*shape, width))
    table = kernels(count, width, max_weight=max_weight)
    return table.map(lambda flat: flat.reshape(*shape, width))


@st.composite
def _data_sets(
    draw: DrawFn, mdp: TabularMDP, low: int, high: int
) -> list[tuple[int, int, float, int]]:
    states = mdp.row_state()
    widest = int(np.diff(mdp.row_ptr).max())
    drawn = draw(st.lists(st.integers(0, mdp.n_rows - 1), min_size=low, max_size=high))
    out = []
    for row in drawn:
        cut = slice(int(mdp.row_ptr[row]), int(mdp.row_ptr[row + 1]))
        possible = np.flatnonzero(mdp.prob[cut] > 0)
        # one draw whatever the row, so that the first row is the simplest
        k = int(possible[draw(st.integers(0, widest - 1)) % len(possible)]) + cut.start
        reward = mdp.reward[row] if mdp.transition_reward is None else mdp.transition_reward[k]
        out.append((int(states[row]), int(mdp.action[row]), float(reward), int(mdp.next_state[k])))
    return out


def data_sets(
    mdp: TabularMDP, *, min_size: int = 0, max_size: int = 20
) -> SearchStrategy[list[tuple[int, int, float, int]]]:
    """Generate lists of transitions that a stationary model can produce, in any proportion.

    Parameters
    ----------
    mdp : TabularMDP
        A model with one stage of data.
    min_size, max_size : int
        Numbers of transitions.

    Returns
    -------
    strategy of lists of ``(state, action, reward, next_state)``
        Shrinks towards the fewest transitions, of the first row to its first successor.
    """
    if mdp.n_stages != 1:
        raise InvalidModelError(f"mdp has {mdp.n_stages} stages of data; expected 1")
    low = check_count("min_size", min_size, low=0)
    return _data_sets(mdp, low, check_count("max_size", max_size, low=low))
