"""Models out of the transition tables of Gymnasium's toy-text environments."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import numpy as np

from mdptheory._extras import require
from mdptheory._typing import BoolArray, FloatArray, IntArray
from mdptheory._validation import as_float_array
from mdptheory.errors import InvalidModelError
from mdptheory.io._common import Extras, Transitions, build
from mdptheory.models import Discounted, TabularMDP

GYM_PREFIX = "gym:"
TERMINAL_NAME = "terminal"
_ACTION_NAMES = {
    "FrozenLakeEnv": ("left", "down", "right", "up"),
    "CliffWalkingEnv": ("up", "right", "down", "left"),
    "TaxiEnv": ("south", "north", "east", "west", "pickup", "dropoff"),
}


def from_gymnasium(env: Any, gamma: float = 0.99) -> TabularMDP:
    """Build from the table ``P[s][a] = [(probability, successor, reward, terminated), ...]``.

    Parameters
    ----------
    env : gymnasium.Env or str
        An environment with such a table (FrozenLake, CliffWalking, Taxi), or its name, for example
        ``"FrozenLake-v1"``.
    gamma : float
        Discount factor per step.

    Returns
    -------
    TabularMDP
        The model, with names where the environment is known and with ``initial`` if it has
        ``initial_state_distrib``.

    Raises
    ------
    InvalidModelError
        If Gymnasium does not know the name, or the environment has no usable table.

    Notes
    -----
    No value flows out of a terminated transition. If its successor is absorbing with reward 0 in
    the table itself, it stays as it is (FrozenLake keeps its 16 or 64 states). Otherwise it leads
    to one more absorbing state, the last one, called ``terminal`` (Taxi: 501 states).
    """
    if isinstance(env, str):
        made = _make(env, {})
        try:
            return from_gymnasium(made, gamma)
        finally:
            made.close()
    objective = Discounted(gamma)
    base = getattr(env, "unwrapped", env)
    transitions, done, n_states = _read_table(getattr(base, "P", None), base)
    escapes = done & ~_settled(transitions, n_states)[transitions.next_state]
    total = n_states + bool(escapes.any())
    actions = _action_names(base, int(transitions.action.max()) + 1)
    if total > n_states:
        transitions = _redirect(transitions, escapes, n_states)
    extras = Extras(_initial(base, n_states, total), _state_names(base, n_states, total), actions)
    return build(transitions, total, objective, extras)


def from_spec(spec: str, gamma: float) -> TabularMDP:
    """Build from ``gym:NAME[?option=value&...]``."""
    name, _, query = spec.removeprefix(GYM_PREFIX).partition("?")
    if ":" in name:  # Gymnasium would import the module before the colon
        raise InvalidModelError(f"{spec!r} names a module; expected a registered environment")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []
    except ValueError as error:
        raise InvalidModelError(f"{spec!r}: {error}; expected option=value&...") from error
    options = {key: _option(value) for key, value in pairs}
    if len(options) < len(pairs):
        raise InvalidModelError(f"{spec!r} gives an option twice")
    env = _make(name, options)
    try:
        return from_gymnasium(env, gamma)
    finally:
        env.close()


def _option(text: str) -> bool | int | float | str:
    """Return the value that the text of an option stands for."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _make(name: str, options: dict[str, Any]) -> Any:
    gymnasium = require("gymnasium", "gym")
    try:
        return gymnasium.make(name, **options)
    except (gymnasium.error.Error, TypeError, ValueError, KeyError, AssertionError) as error:
        raise InvalidModelError(f"gymnasium.make({name!r}) fails: {error}") from error


def _read_table(table: Any, env: Any) -> tuple[Transitions, BoolArray, int]:
    """Return the transitions, which of them terminate, and the number of states."""
    name = type(env).__name__
    if not isinstance(table, Mapping | list | tuple) or not len(table):
        raise InvalidModelError(f"{name} has no transition table P[s][a]; expected a tabular one")
    states = _indexed(table, "P")
    if [s for s, _ in states] != list(range(len(states))):
        raise InvalidModelError(f"{name}.P has {len(states)} states that are not 0, 1, 2, ...")
    found: list[tuple[int, int, float, int, float, bool]] = []
    for s, choices in states:
        for a, outcomes in _indexed(choices, f"P[{s}]"):
            for outcome in outcomes:
                try:
                    prob, successor, reward, done = outcome
                    found.append((s, a, float(prob), int(successor), float(reward), bool(done)))
                except (TypeError, ValueError) as error:
                    raise InvalidModelError(
                        f"P[{s}][{a}] holds {outcome!r}; expected (probability, successor, reward,"
                        " terminated)"
                    ) from error
                if a < 0 or not 0 <= found[-1][3] < len(states):
                    raise InvalidModelError(
                        f"P[{s}][{a}] leads to {successor}; expected a state below {len(states)}"
                    )
    if not found:
        raise InvalidModelError(f"{name}.P holds no transitions")
    state, action, prob, successor, reward, done = (
        np.array(column) for column in zip(*found, strict=True)
    )
    return Transitions(state, action, successor, prob, reward), done, len(states)


def _indexed(table: Any, place: str) -> list[tuple[int, Any]]:
    """Return index and entry of a mapping or a sequence, in increasing order."""
    pairs = table.items() if isinstance(table, Mapping) else enumerate(table)
    try:
        return sorted(((int(index), entry) for index, entry in pairs), key=lambda pair: pair[0])
    except (TypeError, ValueError) as error:
        raise InvalidModelError(f"{place} has an index that is no integer: {error}") from error


def _settled(transitions: Transitions, n_states: int) -> BoolArray:
    """Return which states stay put with reward 0 under every action, shape (n_states,)."""
    moves = (transitions.next_state != transitions.state) | (transitions.reward != 0)
    settled = np.ones(n_states, dtype=bool)
    settled[transitions.state[moves & (transitions.prob > 0)]] = False
    return settled


def _redirect(transitions: Transitions, escapes: BoolArray, terminal: int) -> Transitions:
    """Send terminated transitions to ``terminal``, where every action stays."""
    n_actions = int(transitions.action.max()) + 1
    stay = np.full(n_actions, terminal)
    state = np.append(transitions.state, stay)
    action = np.append(transitions.action, np.arange(n_actions))
    next_state: IntArray = np.append(np.where(escapes, terminal, transitions.next_state), stay)
    prob = np.append(transitions.prob, np.ones(n_actions))
    reward = np.append(transitions.reward, np.zeros(n_actions))
    return Transitions(state, action, next_state, prob, reward)


def _initial(env: Any, n_states: int, total: int) -> FloatArray | None:
    distribution = getattr(env, "initial_state_distrib", None)
    if distribution is None:
        return None
    initial = as_float_array("initial_state_distrib", distribution)
    if initial.shape != (n_states,):
        raise InvalidModelError(
            f"initial_state_distrib has shape {initial.shape}; expected ({n_states},)"
        )
    return np.append(initial, np.zeros(total - n_states))


def _action_names(env: Any, n_actions: int) -> tuple[str, ...] | None:
    names = _ACTION_NAMES.get(type(env).__name__)
    return names if names is not None and len(names) == n_actions else None


def _state_names(env: Any, n_states: int, total: int) -> tuple[str, ...] | None:
    """Return row and column on the grids, numbers elsewhere; None if no state was added."""
    kind = type(env).__name__
    width = {"FrozenLakeEnv": getattr(env, "ncol", 0), "CliffWalkingEnv": 12}.get(kind, 0)
    if not width and total == n_states:
        return None
    names = [f"r{s // width}c{s % width}" if width else str(s) for s in range(n_states)]
    if kind == "TaxiEnv" and n_states == 500:
        names = [_taxi_name(s) for s in range(n_states)]
    return (*names, *[TERMINAL_NAME] * (total - n_states))


def _taxi_name(state: int) -> str:
    """Return what Taxi's number encodes: ((row * 5 + column) * 5 + passenger) * 4 + destination."""
    place, destination = divmod(state, 4)
    cell, passenger = divmod(place, 5)
    row, column = divmod(cell, 5)
    stops = ("red", "green", "yellow", "blue", "taxi")
    return f"r{row}c{column}-from-{stops[passenger]}-to-{stops[destination]}"
