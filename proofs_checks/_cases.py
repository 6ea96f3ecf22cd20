"""Seeded instances shared by the chains: small, ragged, with ties, zeros and absorbing states.

Rows are integer weights, normalised: a few per cent of Dirichlet rows would ever be deterministic
or share a zero, and those are the rows on which proofs go wrong.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mdptheory import Discounted, TabularMDP
from mdptheory._typing import FloatArray, IntArray
from mdptheory.models import Objective
from mdptheory.operators import bellman
from proofs_checks._oracles import optimal_value

GAMMAS = (0.3, 0.5, 0.75, 0.9, 0.95, 0.99)
Arm = tuple[Sequence[float], float]


def build(table: Sequence[Sequence[Arm]], objective: Objective) -> TabularMDP:
    """Build a model from ``table[s][a] = (weights over successors, reward)``.

    Stage-dependent data list the states of stage 0, then those of stage 1, and so on.
    """
    arms = [arm for state in table for arm in state]
    weights = np.array([arm[0] for arm in arms], dtype=np.float64)
    stored = weights > 0
    prob = (weights / weights.sum(axis=1, keepdims=True))[stored]
    counts = [len(state) for state in table]
    return TabularMDP(
        choice_ptr=np.concatenate([[0], np.cumsum(counts)]),
        action=np.concatenate([np.arange(count) for count in counts]),
        row_ptr=np.concatenate([[0], np.cumsum(stored.sum(axis=1))]),
        next_state=np.nonzero(stored)[1],
        prob=prob,
        reward=np.array([float(arm[1]) for arm in arms]),
        objective=objective,
        n_states=weights.shape[1],
    )


def random_table(
    rng: np.random.Generator, n_states: int, n_actions: int, *, n_blocks: int | None = None
) -> list[list[Arm]]:
    """Draw one to ``n_actions`` arms a state: weights in 0..3, rewards in eighths of [0, 1]."""
    blocks = n_states if n_blocks is None else n_blocks
    return [
        [_random_arm(rng, n_states) for _ in range(rng.integers(1, n_actions + 1))]
        for _ in range(blocks)
    ]


def _random_arm(rng: np.random.Generator, n_states: int) -> Arm:
    weights = rng.integers(0, 4, n_states) * rng.integers(0, 2, n_states)
    if weights.sum() == 0:
        weights[rng.integers(n_states)] = 1
    return weights.tolist(), float(rng.integers(0, 9)) / 8


def random_mdp(
    rng: np.random.Generator,
    *,
    max_states: int = 4,
    max_actions: int = 3,
    gammas: Sequence[float] = GAMMAS,
) -> TabularMDP:
    """Draw a discounted model with at most the given sizes."""
    table = random_table(rng, int(rng.integers(1, max_states + 1)), max_actions)
    return build(table, Discounted(float(rng.choice(np.asarray(gammas)))))


def random_values(rng: np.random.Generator, n_states: int, width: float = 2.0) -> FloatArray:
    """Draw values in eighths of [-width, width]."""
    return rng.integers(-8, 9, n_states).astype(np.float64) * (width / 8)


def random_policy(rng: np.random.Generator, mdp: TabularMDP) -> IntArray:
    """Draw an available action for each state."""
    return np.array(
        [
            rng.choice(mdp.action[i:j])
            for i, j in zip(mdp.choice_ptr, mdp.choice_ptr[1:], strict=False)
        ]
    )


def random_mixture(rng: np.random.Generator, mdp: TabularMDP) -> FloatArray:
    """Draw a stochastic policy ``pi[s, a]`` of small integer weights."""
    pi = np.zeros((mdp.n_states, mdp.n_actions))
    for s in range(mdp.n_states):
        actions = mdp.action[mdp.choice_ptr[s] : mdp.choice_ptr[s + 1]]
        pi[s, actions] = rng.integers(0, 3, len(actions))
        pi[s, actions[0]] += pi[s].sum() == 0
    pi /= pi.sum(axis=1, keepdims=True)
    return pi


def random_start(rng: np.random.Generator, n_states: int) -> FloatArray:
    """Draw a distribution of the first state from small integer weights."""
    weights = rng.integers(0, 3, n_states).astype(np.float64)
    weights[rng.integers(n_states)] += 1
    return weights / weights.sum()


def reward_span(mdp: TabularMDP) -> float:
    """Largest minus smallest reward of a row."""
    return float(mdp.reward.max() - mdp.reward.min())


def value_width(mdp: TabularMDP, *values: FloatArray) -> float:
    """Return a width that no two values, of policies or given, exceed: an order check's scale."""
    extremes = [mdp.reward.min() / (1 - mdp.gamma), mdp.reward.max() / (1 - mdp.gamma)]
    extremes += [float(x) for v in values for x in (np.min(v), np.max(v))]
    return float(max(extremes) - min(extremes))


def altered(run: Callable[[Any], Any], **changes: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a run whose traces have fields replaced: a bug planted in one quantity."""

    def broken(case: Any) -> Any:
        trace = run(case)
        return replace(trace, **{name: change(trace) for name, change in changes.items()})

    return broken


def short_sighted(trace: Any) -> FloatArray:
    """Return the optimal value for 0.9 gamma: a wrong reference for the trace's model."""
    mdp: TabularMDP = trace.case.mdp
    return optimal_value(mdp.with_objective(Discounted(0.9 * mdp.gamma)))


def is_small(mdp: TabularMDP, *values: FloatArray) -> bool:
    """Tell whether a model suits exact arithmetic and enumeration, and rounding stays below 1e-9.

    The search for tight instances and the shrinker keep to such models.
    """
    policies = math.prod(np.diff(mdp.choice_ptr).tolist())
    numbers = np.concatenate([mdp.reward, *(np.ravel(v) for v in values)])
    return mdp.n_states <= 8 and policies <= 4096 and bool(np.abs(numbers).max() <= 1e3)


def is_plain(mdp: TabularMDP, *values: FloatArray) -> bool:
    """Tell whether a discounted model is small, its rewards moderate, and gamma in [0.01, 0.99]."""
    moderate = bool(np.abs(mdp.reward).max() <= 10)
    discounted = isinstance(mdp.objective, Discounted) and 0.01 <= mdp.gamma <= 0.99
    return discounted and moderate and is_small(mdp, *values)


def span(v: FloatArray) -> float:
    """Largest minus smallest entry."""
    return float(np.max(v) - np.min(v))


def sup(v: FloatArray) -> float:
    """Largest magnitude of an entry."""
    return float(np.max(np.abs(v)))


def top(mdp: TabularMDP, v: FloatArray) -> FloatArray:
    """Apply the library's Bellman operator and maximise over actions: ``T v``."""
    return bellman(mdp, v).max(axis=1)
