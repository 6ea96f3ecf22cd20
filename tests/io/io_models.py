"""Small MDPs of every kind that a file must give back, and how to compare them."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from mdptheory import Discounted, FiniteHorizon, TabularMDP, TotalReward

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
REWARDS = st.floats(allow_nan=False, allow_infinity=False, width=64, min_value=-1e6, max_value=1e6)
PLAIN_NAMES = st.text("abcxyz019_", min_size=1, max_size=5)
ANY_NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)


def assert_same(one: TabularMDP, two: TabularMDP, objective: bool = True) -> None:
    """Require equal bits in every array, and equal names."""
    for name in ARRAYS:
        a, b = getattr(one, name), getattr(two, name)
        assert (a is None) == (b is None), name
        if a is not None:
            assert a.shape == b.shape, name
            assert a.astype(b.dtype).tobytes() == b.tobytes(), (name, a, b)
    assert one.n_states == two.n_states
    assert one.state_names == two.state_names
    assert one.action_names == two.action_names
    if objective:
        assert one.objective == two.objective


def _distribution(draw: Any, size: int) -> np.ndarray:
    """Return integer weights, normalised: they reach zeros and shrink to a point."""
    weights = np.array(draw(st.lists(st.integers(0, 9), min_size=size, max_size=size)))
    weights[0] += not weights.any()
    return weights / weights.sum()


@st.composite
def mdps(
    draw: Any, *, stages: bool = False, objectives: bool = True, degenerate: bool = True
) -> TabularMDP:
    """Ragged models; shrink to one state, one action.

    ``degenerate`` allows rewards per transition that are equal on every row, which text formats
    without a place for the difference read as rewards per row.
    """
    n_states = draw(st.integers(1, 4))
    horizon = draw(st.integers(1, 3))
    n_stages = horizon if stages and draw(st.booleans()) else 1
    choice_ptr, action, row_ptr, target, prob = [0], [], [0], [], []
    for _ in range(n_stages * n_states):
        ids = sorted(draw(st.sets(st.integers(0, 4), min_size=1, max_size=3)))
        action += ids
        choice_ptr.append(len(action))
        for _ in ids:
            row = _distribution(draw, n_states)
            support = np.flatnonzero(row)
            target += support.tolist()
            prob += row[support].tolist()
            row_ptr.append(len(target))
    sizes = np.diff(row_ptr)
    per_transition = draw(st.booleans()) and (degenerate or bool((sizes > 1).any()))
    transition_reward = None
    if per_transition:
        transition_reward = np.array([draw(REWARDS) for _ in target])
        if not degenerate:  # one row holds two rewards
            first = int(np.argmax(sizes > 1))
            transition_reward[row_ptr[first]] = transition_reward[row_ptr[first] + 1] + 1.0
        reward = np.add.reduceat(np.array(prob) * transition_reward, row_ptr[:-1])
    else:
        reward = np.array([draw(REWARDS) for _ in action])
    objective: Any = Discounted(draw(st.floats(0, 1, exclude_max=True)))
    if n_stages > 1 or (objectives and draw(st.booleans())):
        terminal = [draw(REWARDS) for _ in range(n_states)] if draw(st.booleans()) else None
        objective = FiniteHorizon(horizon, draw(st.floats(0, 1)), terminal)
    kind = draw(st.sampled_from([PLAIN_NAMES, ANY_NAMES]))
    n_actions = max(action) + 1

    def names(count: int) -> tuple[str, ...] | None:
        chosen = st.lists(kind, min_size=count, max_size=count, unique=True)
        return tuple(draw(chosen)) if draw(st.booleans()) else None

    return TabularMDP(
        choice_ptr=np.array(choice_ptr),
        action=np.array(action, dtype=np.int32),
        row_ptr=np.array(row_ptr),
        next_state=np.array(target, dtype=np.int32),
        prob=np.array(prob),
        reward=reward,
        transition_reward=transition_reward,
        initial=_distribution(draw, n_states) if draw(st.booleans()) else None,
        n_states=n_states,
        objective=objective,
        state_names=names(n_states),
        action_names=names(n_actions),
    )


def example_mdp(objective: Any = None) -> TabularMDP:
    """Three states, ragged actions, rewards per transition, names with blanks."""
    return TabularMDP(
        choice_ptr=[0, 2, 3, 4],
        action=[0, 2, 1, 0],
        row_ptr=[0, 2, 3, 5, 6],
        next_state=[0, 1, 2, 0, 2, 2],
        prob=[0.1, 0.9, 1.0, 1 / 3, 2 / 3, 1.0],
        reward=[0.1 * 1.5 + 0.9 * -0.25, 7.0, 1 / 3 * 0.1 + 2 / 3 * 0.2, 0.0],
        transition_reward=[1.5, -0.25, 7.0, 0.1, 0.2, 0.0],
        initial=[0.25, 0.75, 0.0],
        n_states=3,
        objective=objective or Discounted(0.95),
        state_names=["start", "mid way", 'the "end", or so'],
        action_names=["go", "stay put", "jump"],
    )


def absorbing_mdp() -> TabularMDP:
    """A shortest path with two states."""
    return TabularMDP.from_dense(
        [[[0.5, 0.5]], [[0.0, 1.0]]], [[-1.0], [0.0]], objective=TotalReward()
    )
