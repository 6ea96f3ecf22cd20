"""Smaller cases that still break a claim: the smallest counterexample one can read.

The order in which a case counts as simpler: fewer states, fewer rows, fewer transitions, smaller
arrays, then simpler numbers (0 before 1 before 1/2 before short decimals). A candidate is kept only
if it is strictly simpler, so shrinking ends.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from mdptheory.models import Discounted, FiniteHorizon, TabularMDP, TotalReward
from mdptheory.theory.draft import freeze, normalized, renormalized_rows, thaw, with_gamma
from mdptheory.theory.draft import without_state as draft_without_state

MAX_ENTRIES = 64  # arrays up to this size are also simplified entry by entry
Size = tuple[int, int, int, int, int]


def shrink(case: Any, still_broken: Callable[[Any], bool], *, max_runs: int = 2000) -> Any:
    """Return the simplest case found that is still broken.

    Parameters
    ----------
    case : object
        A broken case: a frozen dataclass of models, arrays and numbers.
    still_broken : callable
        Tells whether a candidate breaks the same claim; an exception counts as no.
    max_runs : int
        Calls of ``still_broken``, at most.

    Returns
    -------
    object
        A case of the same type, for which ``still_broken`` is true.
    """
    current, size, runs = case, measure(case), 0
    improved = True
    while improved:
        improved = False
        for candidate in simpler(current):
            smaller = measure(candidate)
            if not smaller < size:
                continue
            if runs >= max_runs:
                return current
            runs += 1
            if _accepts(still_broken, candidate):
                current, size, improved = candidate, smaller, True
                break
    return current


def _accepts(still_broken: Callable[[Any], bool], candidate: Any) -> bool:
    try:
        return bool(still_broken(candidate))
    except Exception:  # the candidate leaves the theorem's domain
        return False


# ---- how simple a case is -----------------------------------------------------------------------


def measure(value: Any) -> Size:
    """Return ``(states, rows, transitions, array entries, complexity of the numbers)``."""
    if isinstance(value, TabularMDP):
        numbers = [*value.prob.tolist(), *value.reward.tolist(), value.gamma]
        if value.transition_reward is not None:
            numbers += value.transition_reward.tolist()
        if isinstance(value.objective, FiniteHorizon):
            numbers.append(value.objective.horizon)
            if value.objective.terminal is not None:
                numbers += value.objective.terminal.tolist()
        if value.initial is not None:
            numbers += value.initial.tolist()
        blocks = value.n_states * value.n_stages
        return blocks, value.n_rows, value.n_transitions, 0, sum(map(complexity, numbers))
    if isinstance(value, np.ndarray):
        return 0, 0, 0, value.size, sum(map(complexity, value.ravel().tolist()))
    if isinstance(value, bool | int | float | np.generic):
        return 0, 0, 0, 0, complexity(float(value))
    if isinstance(value, tuple | list):
        return _total([(0, 0, 0, len(value), 0), *map(measure, value)])
    if is_dataclass(value):
        return _total([measure(getattr(value, f.name)) for f in fields(value)])
    return 0, 0, 0, 0, 0


def _total(sizes: list[Size]) -> Size:
    columns = [sum(column) for column in zip(*sizes, strict=True)] or [0] * 5
    return columns[0], columns[1], columns[2], columns[3], columns[4]


def complexity(number: float) -> int:
    """Return how much there is to read in a number: 0, 1 and 1/2 first, then by its digits."""
    number = float(number)
    if not math.isfinite(number):
        return 50
    if number in (0.0, 1.0, 0.5):
        return {0.0: 0, 1.0: 1, 0.5: 2}[number]
    if number == int(number):
        return 3 + 2 * len(str(abs(int(number)))) + (number < 0) + min(int(abs(number)), 9)
    simple = min(len(repr(abs(number))), _ratio_length(number))
    return 6 + 2 * simple + (number < 0)


def _ratio_length(number: float) -> int:
    for denominator in range(2, 10):
        scaled = number * denominator
        if abs(scaled - round(scaled)) < 1e-12:
            return 2 + denominator // 3
    return 99


# ---- simpler cases ------------------------------------------------------------------------------


def simpler(case: Any) -> Iterator[Any]:
    """Yield candidates: whole states and actions first, then single fields.

    Parameters
    ----------
    case : object
        A frozen dataclass, or a model, array or number by itself.
    """
    if is_dataclass(case) and not isinstance(case, TabularMDP):
        yield from _jointly(case)
        for field in fields(case):
            for value in simpler(getattr(case, field.name)):
                yield from _replaced(case, field.name, value)
    elif isinstance(case, TabularMDP):
        yield from _simpler_mdp(case)
    elif isinstance(case, np.ndarray):
        yield from _simpler_array(case)
    elif isinstance(case, tuple):
        for k, item in enumerate(case):
            yield case[:k] + case[k + 1 :]
            for value in simpler(item):
                yield (*case[:k], value, *case[k + 1 :])
    elif isinstance(case, int) and not isinstance(case, bool):
        yield from (n for n in dict.fromkeys((0, 1, case // 2, case - 1)) if abs(n) < abs(case))
    elif isinstance(case, float):
        yield from _simpler_numbers(case)


def _replaced(case: Any, name: str, value: Any) -> Iterator[Any]:
    try:
        yield replace(case, **{name: value})
    except Exception:  # a case that refuses its fields is no candidate
        return


def _simpler_numbers(number: float) -> Iterator[float]:
    if not math.isfinite(number):
        return
    options = (0.0, 1.0, 0.5, float(round(number)), round(number, 1), round(number, 2), number / 2)
    yield from (x for x in dict.fromkeys(options) if complexity(x) < complexity(number))


def _jointly(case: Any) -> Iterator[Any]:
    """Drop a state, an action or a row of the model together with its entries elsewhere."""
    models = [f.name for f in fields(case) if isinstance(getattr(case, f.name), TabularMDP)]
    if not models:
        return
    sizes = {getattr(case, name).n_states for name in models}
    n_actions = max(getattr(case, name).n_actions for name in models)
    if len(sizes) == 1 and (n := sizes.pop()) > 1:
        for state in reversed(range(n)):
            for other in _with_all(case, partial(_drop_state, state=state, n_states=n)):
                width = max(getattr(other, name).n_actions for name in models)
                yield from _with_all(other, partial(_cut, shape=(n - 1, n_actions), width=width))
    for action in reversed(range(n_actions if n_actions > 1 else 0)):
        yield from _with_all(case, partial(_drop_action, action=action, n_actions=n_actions))
    for name in models:
        mdp = getattr(case, name)
        draft = thaw(mdp)
        for block, k, arm in draft.arms():
            if len(draft.blocks[block]) > 1:
                place = (block % mdp.n_states, arm.action)
                for smaller in _frozen(draft.with_arm(block, k, None)):
                    yield from _with_all(case, partial(_forget, place=place, old=mdp, new=smaller))


def _with_all(case: Any, change: Callable[[Any], Any]) -> Iterator[Any]:
    try:
        yield replace(case, **{f.name: change(getattr(case, f.name)) for f in fields(case)})
    except Exception:  # a case that refuses the change is no candidate
        return


def is_simplex(array: np.ndarray[Any, np.dtype[Any]]) -> bool:
    """Return whether the last axis of a float array holds probabilities."""
    floats = array.dtype.kind == "f" and array.ndim > 0 and array.size > 0
    return bool(floats and (array >= 0).all() and np.allclose(array.sum(axis=-1), 1.0, atol=1e-9))


def _drop_state(value: Any, state: int, n_states: int) -> Any:
    """Remove a state's entries; in a square table the first axis is that of states."""
    if isinstance(value, TabularMDP):
        return freeze(draft_without_state(thaw(value), state))
    if not isinstance(value, np.ndarray) or n_states not in value.shape:
        return value
    axis = value.shape.index(n_states)
    kept = np.delete(value, state, axis=axis)
    return renormalized_rows(kept) if is_simplex(value) and axis == value.ndim - 1 else kept


def _cut(value: Any, shape: tuple[int, int], width: int) -> Any:
    """Cut the last axis of an array over (states, actions) to the actions that are left."""
    if isinstance(value, np.ndarray) and value.ndim >= 2 and value.shape[-2:] == shape:
        return renormalized_rows(value[..., :width]) if is_simplex(value) else value[..., :width]
    return value


def _drop_action(value: Any, action: int, n_actions: int) -> Any:
    """Remove an action everywhere; policies that took it take the first action instead."""
    if isinstance(value, TabularMDP):
        draft = thaw(value)
        blocks = tuple(
            tuple(
                replace(arm, action=arm.action - (arm.action > action))
                for arm in arms
                if arm.action != action
            )
            for arms in draft.blocks
        )
        return freeze(replace(draft, blocks=blocks))
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.kind in "iu":
        return np.where(value == action, 0, value - (value > action))
    if value.ndim >= 2 and value.shape[-1] == n_actions:
        kept = np.delete(value, action, axis=-1)
        return renormalized_rows(kept) if is_simplex(value) else kept
    return value


def _forget(value: Any, place: tuple[int, int], old: TabularMDP, new: TabularMDP) -> Any:
    """Put the smaller model in, and let policies avoid the action that the state lost."""
    if value is old:
        return new
    if not isinstance(value, np.ndarray):
        return value
    state, action = place
    left = int(new.action[new.choice_ptr[state]])
    changed = value.copy()
    if value.dtype.kind in "iu" and value.shape[-1:] == (new.n_states,):
        changed[..., state] = np.where(value[..., state] == action, left, value[..., state])
    elif value.ndim >= 2 and value.shape[-2:] == (new.n_states, old.n_actions):
        if is_simplex(value):
            changed[..., state, left] += changed[..., state, action]
        changed[..., state, action] = 0.0
        changed = changed[..., : new.n_actions]
    return changed


def _frozen(draft: Any) -> Iterator[TabularMDP]:
    try:
        yield freeze(draft)
    except Exception:  # a draft that is no model is no candidate
        return


def _simpler_mdp(mdp: TabularMDP) -> Iterator[TabularMDP]:
    """Fewer transitions, plainer probabilities, plainer rewards, plainer objective."""
    draft = thaw(mdp)
    for block, k, arm in draft.arms():
        for prob in _simpler_rows(arm.prob):
            yield from _frozen(draft.with_arm(block, k, arm.with_prob(prob)))
    for block, k, arm in draft.arms():
        if arm.rewards is not None:
            plain = [[replace(a, rewards=None) for a in arms] for arms in draft.blocks]
            yield from _frozen(replace(draft, blocks=tuple(map(tuple, plain))))
            break
        for reward in _simpler_numbers(arm.reward):
            yield from _frozen(draft.with_arm(block, k, replace(arm, reward=reward)))
    for gamma in (0.5, 0.0, round(mdp.gamma, 1), round(mdp.gamma, 2)):
        if not isinstance(mdp.objective, TotalReward) and gamma != mdp.gamma:
            yield from _frozen_gamma(draft, gamma)
    if isinstance(mdp.objective, FiniteHorizon):
        yield from _simpler_horizon(mdp, mdp.objective)
    if mdp.initial is not None:
        for initial in _simpler_rows(dict(enumerate(mdp.initial.tolist()))):
            dense = tuple(initial.get(s, 0.0) for s in range(mdp.n_states))
            yield from _frozen(replace(draft, initial=dense))


def _frozen_gamma(draft: Any, gamma: float) -> Iterator[TabularMDP]:
    if 0 < gamma < 1 or (gamma == 0 and isinstance(draft.objective, Discounted)):
        yield from _frozen(with_gamma(draft, gamma))


def _simpler_horizon(mdp: TabularMDP, objective: FiniteHorizon) -> Iterator[TabularMDP]:
    draft = thaw(mdp)
    for horizon in (1, objective.horizon // 2, objective.horizon - 1):
        if 1 <= horizon < objective.horizon:
            count = mdp.n_states * (horizon if mdp.n_stages > 1 else 1)
            shorter = replace(objective, horizon=horizon)
            yield from _frozen(replace(draft, blocks=draft.blocks[-count:], objective=shorter))
    if objective.terminal is not None:
        for terminal in (None, *_simpler_array(objective.terminal)):
            yield from _frozen(replace(draft, objective=replace(objective, terminal=terminal)))


def _simpler_rows(prob: dict[int, float]) -> Iterator[dict[int, float]]:
    """Point masses, fewer successors, even weights, weights in quarters and tenths."""
    support = [t for t, p in prob.items() if p > 0]
    if len(support) < len(prob):
        yield {t: prob[t] for t in support}
    if len(support) > 1:
        yield from ({t: 1.0} for t in support)
        for lost in support:
            yield normalized({t: prob[t] for t in support if t != lost})
        yield {t: 1.0 / len(support) for t in support}
        for parts in (2, 3, 4, 10):
            weights = {t: float(round(prob[t] * parts)) for t in support if round(prob[t] * parts)}
            if weights:
                yield normalized(weights)


def _simpler_array(array: np.ndarray[Any, np.dtype[Any]]) -> Iterator[Any]:
    """Rows of probabilities stay probabilities; other arrays go to zeros, integers, decimals."""
    if array.dtype.kind == "f" and is_simplex(array):
        rows = array.reshape(-1, array.shape[-1])
        for k, row in enumerate(rows if array.size <= MAX_ENTRIES else rows[:0]):
            for prob in _simpler_rows(dict(enumerate(row.tolist()))):
                changed = rows.copy()
                changed[k] = [prob.get(t, 0.0) for t in range(rows.shape[1])]
                yield changed.reshape(array.shape)
        return
    if array.dtype.kind not in "iuf":
        return
    yield from (np.zeros_like(array), np.ones_like(array))
    if array.dtype.kind == "f":
        yield from (np.round(array, digits) for digits in (0, 1, 2))
    flat = array.ravel()
    for k in range(flat.size if flat.size <= MAX_ENTRIES else 0):
        entry = flat[k].item()
        for value in simpler(entry):
            other = flat.copy()
            other[k] = value
            yield other.reshape(array.shape)
