"""A tabular MDP taken apart, so that states, actions, transitions and numbers can be changed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.models import Discounted, FiniteHorizon, Objective, TabularMDP


@dataclass(frozen=True, slots=True)
class Arm:
    """One state-action row.

    Attributes
    ----------
    action : int
        Action id.
    prob : dict from successor to probability
        In increasing order of successors.
    reward : float
        Expected immediate reward.
    rewards : dict from successor to reward, optional
        Reward per transition; its average is ``reward``.
    """

    action: int
    prob: dict[int, float]
    reward: float
    rewards: dict[int, float] | None = None

    def with_prob(self, prob: dict[int, float]) -> "Arm":
        """Return the arm with other probabilities; rewards of lost successors go."""
        if self.rewards is None:
            return replace(self, prob=prob)
        rewards = {t: self.rewards.get(t, 0.0) for t in prob}
        mean = sum(p * rewards[t] for t, p in prob.items())
        return Arm(self.action, prob, mean, rewards)


@dataclass(frozen=True, slots=True)
class Draft:
    """An MDP as nested Python data; see `thaw` and `freeze`.

    Attributes
    ----------
    blocks : tuple of tuples of Arm
        Arms of each (stage and) state.
    objective : Discounted, FiniteHorizon or TotalReward
        The objective.
    n_states : int
        Number of states.
    initial : tuple of float, optional
        Distribution of the first state.
    """

    blocks: tuple[tuple[Arm, ...], ...]
    objective: Objective
    n_states: int
    initial: tuple[float, ...] | None = None

    def with_arm(self, block: int, k: int, arm: Arm | None) -> "Draft":
        """Return the draft with one arm replaced, or dropped if None."""
        arms = list(self.blocks[block])
        arms[k : k + 1] = [] if arm is None else [arm]
        blocks = list(self.blocks)
        blocks[block] = tuple(arms)
        return replace(self, blocks=tuple(blocks))

    def arms(self) -> Iterator[tuple[int, int, Arm]]:
        """Yield ``(block, position, arm)`` for every row."""
        for block, arms in enumerate(self.blocks):
            for k, arm in enumerate(arms):
                yield block, k, arm


def thaw(mdp: TabularMDP) -> Draft:
    """Take a model apart.

    Parameters
    ----------
    mdp : TabularMDP
        The model; names are not kept.
    """
    blocks = []
    for first, last in zip(mdp.choice_ptr[:-1], mdp.choice_ptr[1:], strict=True):
        blocks.append(tuple(_arm(mdp, row) for row in range(int(first), int(last))))
    initial = None if mdp.initial is None else tuple(mdp.initial.tolist())
    return Draft(tuple(blocks), mdp.objective, mdp.n_states, initial)


def _arm(mdp: TabularMDP, row: int) -> Arm:
    cut = slice(int(mdp.row_ptr[row]), int(mdp.row_ptr[row + 1]))
    successors = mdp.next_state[cut].tolist()
    rewards = None
    if mdp.transition_reward is not None:
        rewards = dict(zip(successors, mdp.transition_reward[cut].tolist(), strict=True))
    prob = dict(zip(successors, mdp.prob[cut].tolist(), strict=True))
    return Arm(int(mdp.action[row]), prob, float(mdp.reward[row]), rewards)


def freeze(draft: Draft) -> TabularMDP:
    """Put a model together; it is validated.

    Parameters
    ----------
    draft : Draft
        What `thaw` gave, possibly changed.

    Raises
    ------
    InvalidModelError
        If the draft is not a model.
    """
    arms = [arm for _, _, arm in draft.arms()]
    rewards = None
    if arms and all(arm.rewards is not None for arm in arms):
        rewards = np.array([x for arm in arms for x in (arm.rewards or {}).values()])
    return TabularMDP(
        choice_ptr=np.cumsum([0, *(len(block) for block in draft.blocks)]),
        action=np.array([arm.action for arm in arms], dtype=np.int64),
        row_ptr=np.cumsum([0, *(len(arm.prob) for arm in arms)]),
        next_state=np.array([t for arm in arms for t in arm.prob], dtype=np.int64),
        prob=np.array([p for arm in arms for p in arm.prob.values()], dtype=np.float64),
        reward=np.array([arm.reward for arm in arms], dtype=np.float64),
        objective=draft.objective,
        n_states=draft.n_states,
        transition_reward=rewards,
        initial=None if draft.initial is None else np.array(draft.initial),
    )


def normalized(prob: dict[int, float]) -> dict[int, float]:
    """Return probabilities divided by their sum, successors in order."""
    total = sum(prob.values())
    return {t: prob[t] / total for t in sorted(prob)}


def without_state(draft: Draft, state: int) -> Draft:
    """Return the draft without a state; arms that led only there stay where they are.

    Parameters
    ----------
    draft : Draft
        At least two states.
    state : int
        The state to drop; later states move down by one.
    """
    blocks = []
    for block, arms in enumerate(draft.blocks):
        here = block % draft.n_states
        if here != state:
            blocks.append(tuple(_rerouted(arm, state, here) for arm in arms))
    objective = draft.objective
    if isinstance(objective, FiniteHorizon) and objective.terminal is not None:
        objective = replace(objective, terminal=np.delete(objective.terminal, state))
    initial = None
    if draft.initial is not None:
        kept = np.delete(np.array(draft.initial), state)
        initial = tuple(renormalized_rows(kept).tolist())
    return Draft(tuple(blocks), objective, draft.n_states - 1, initial)


def _rerouted(arm: Arm, state: int, here: int) -> Arm:
    kept = {t: p for t, p in arm.prob.items() if t != state and p > 0} or {here: 1.0}
    kept = normalized(kept)
    moved = arm.with_prob(kept)
    prob = {t - (t > state): p for t, p in moved.prob.items()}
    if moved.rewards is None:
        return replace(moved, prob=prob)
    return replace(moved, prob=prob, rewards={t - (t > state): x for t, x in moved.rewards.items()})


def renormalized_rows(rows: FloatArray) -> FloatArray:
    """Divide the last axis by its sum; rows without mass become uniform."""
    total = rows.sum(axis=-1, keepdims=True)
    even = np.full_like(rows, 1.0 / rows.shape[-1])
    return np.where(total > 0, rows / np.where(total > 0, total, 1.0), even)


def with_gamma(draft: Draft, gamma: float) -> Draft:
    """Return the draft with another discount factor (total reward has none and stays)."""
    if isinstance(draft.objective, Discounted | FiniteHorizon):
        return replace(draft, objective=replace(draft.objective, gamma=gamma))
    return draft
