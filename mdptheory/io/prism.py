"""Models as PRISM's and Storm's explicit text files.

``model.tra`` lists ``state choice successor probability [action]`` under a header ``states choices
transitions`` (PRISM), under a line ``mdp`` (Storm), or bare; a Markov chain lists ``state successor
probability`` under ``states transitions`` or ``dtmc``. Beside it may lie

- ``model.lab``: the states labelled ``init``; one such state is the first state, several name no
  distribution, so that ``initial`` stays absent;
- ``model.trew`` (or ``.trans.rew``, ``.trans.rews``) and ``model.srew`` (``.state.rew``,
  ``.state.rews``): rewards, with PRISM's header or without; a state reward is added to every
  choice of its state, and what is not listed is 0;
- ``model.sta``: states' variables, whose values name the states;
- ``model.names.csv`` and ``model.initial.csv``, ours, where the other files cannot hold the names,
  action ids or initial distribution: the actions in ``.tra`` are then called ``a<id>``.

Action labels become action names, with ids in order of first use. A choice without a label is
called ``choice<number>``, a label's second use in one state ``label#2``. Files without any label
have the choice numbers as action ids. Rewards equal on all transitions of a choice are read as
the reward of that choice.

References
----------
.. [1] PRISM manual, appendix "Explicit model files",
   https://www.prismmodelchecker.org/manual/Appendices/ExplicitModelFiles
"""

import itertools
import re
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory.errors import InvalidFileError
from mdptheory.io._choices import name_choices
from mdptheory.io._common import (
    MAX_PROBABILITY,
    Extras,
    Transitions,
    build,
    choose_objective,
    count_states,
    open_text,
    reading,
)
from mdptheory.io.csv_files import (
    beside_path,
    parse_id,
    parse_number,
    read_names,
    read_state_values,
)
from mdptheory.models import Objective, TabularMDP

TRANSITION_REWARDS = (".trew", ".trans.rew", ".trans.rews")
STATE_REWARDS = (".srew", ".state.rew", ".state.rews")
Line = tuple[int, list[str]]


class _Table(NamedTuple):
    """The lines of a ``.tra`` file, and whether they are a chain's."""

    state: IntArray
    choice: IntArray
    next_state: IntArray
    prob: FloatArray
    labels: list[str]
    n_states: int
    chain: bool


def read_prism(
    path: Path, *, gamma: float | None = None, objective: Objective | None = None
) -> TabularMDP:
    """Read ``path`` and the files beside it; errors name file, line and value."""
    goal = choose_objective(path, gamma, objective)
    with reading(path):
        table = _read_transitions(path)
        reward = _rewards(path, table)
        names_file = beside_path(path, "names")
        if names_file.exists():
            states, actions = read_names(names_file)
            action = _numbered_actions(path, table.labels)
        else:
            action, actions = name_choices(table.state, table.choice, table.labels)
            states = _state_names(path.with_suffix(".sta"), table.n_states)
        initial_file = beside_path(path, "initial")
        initial = (
            read_state_values(initial_file, "probability", table.n_states)
            if initial_file.exists()
            else _initial(path.with_suffix(".lab"), table.n_states)
        )
        transitions = Transitions(table.state, action, table.next_state, table.prob, reward)
        return build(transitions, table.n_states, goal, Extras(initial, states, actions))


def _lines(path: Path) -> Iterator[Line]:
    """Yield number and words of each line that is neither blank nor a comment."""
    with open_text(path) as handle:
        for number, line in enumerate(handle, 1):
            words = line.split()
            if words and not words[0].startswith("#"):
                yield number, words


def _read_transitions(path: Path) -> _Table:
    lines = _lines(path)
    chain, counts, lines = _header(path, lines)
    columns, prob, labels = (array("I"), array("I"), array("I")), array("d"), []
    for number, words in lines:
        if chain:
            words = [words[0], "0", *words[1:4]]
        try:
            for column, word in zip(columns, words[:3], strict=True):
                column.append(int(word))
            p = float(words[3])
            plain = 0.0 <= p <= MAX_PROBABILITY and len(words) < 6 and "_" not in "".join(words[:4])
        except (ValueError, OverflowError, IndexError):
            plain = False
        if not plain:
            _explain(path, number, words, chain)
        prob.append(p)
        labels.append(words[4] if len(words) == 5 and not chain else "")
    state, choice, next_state = (np.array(column, dtype=np.int64) for column in columns)
    n_states = count_states(state, next_state, counts[0] if counts else None)
    n_choices = _check_choices(state, choice)
    if counts and counts[1:] != ([len(prob)] if chain else [n_choices, len(prob)]):
        held = (
            f"{len(prob)} transitions" if chain else f"{n_choices} choices, {len(prob)} transitions"
        )
        raise InvalidFileError(
            f"{path}: the header declares {' '.join(map(str, counts))}, the lines hold {n_states}"
            f" states, {held}"
        )
    return _Table(state, choice, next_state, np.array(prob), labels, n_states, chain)


def _header(path: Path, lines: Iterator[Line]) -> tuple[bool, list[int] | None, Iterator[Line]]:
    """Return whether the lines are a chain's, the declared counts if any, and the lines."""
    start = list(itertools.islice(lines, 1))
    kind = start[0][1][0].lower() if start and len(start[0][1]) == 1 else ""
    if kind in ("mdp", "dtmc"):
        start = list(itertools.islice(lines, 1))
    width = len(start[0][1]) if start else 0
    chain = width == 2 or kind == "dtmc"
    counts = None
    if width == 2 or (width == 3 and not chain):
        number, words = start.pop(0)
        counts = [parse_id(path, number, "a count in the header", word) for word in words]
    return chain, counts, itertools.chain(start, lines)


def _explain(path: Path, number: int, words: list[str], chain: bool) -> None:
    """Say which word of a line is wrong."""
    expected = "state successor probability" if chain else "state choice successor probability"
    if not 4 <= len(words) <= 5:
        raise InvalidFileError(
            f"{path}, line {number}: {len(words) - chain} words; expected {expected} [action]"
        )
    for name, word in zip(("state", "choice", "successor"), words[:3], strict=True):
        parse_id(path, number, name, word)
    if not 0.0 <= parse_number(path, number, "probability", words[3]) <= MAX_PROBABILITY:
        raise InvalidFileError(f"{path}, line {number}: probability is {words[3]}; expected 0 to 1")
    raise InvalidFileError(f"{path}, line {number}: {' '.join(words)!r}; expected {expected}")


def _check_choices(state: IntArray, choice: IntArray) -> int:
    """Return the number of choices; each state numbers its own 0, 1, 2, ..."""
    order = np.lexsort((choice, state))
    s, c = state[order], choice[order]
    new_state = np.append(True, s[1:] != s[:-1])
    step = np.where(new_state, c, np.diff(c, prepend=0))
    bad = np.where(new_state, step != 0, step > 1)
    if bad.any():
        k = int(np.argmax(bad))
        after = "first" if new_state[k] else f"after choice {c[k - 1]}"
        raise InvalidFileError(
            f"state {s[k]} has choice {c[k]} {after}; expected 0, 1, 2, ... without gaps"
        )
    return int((new_state | (step > 0)).sum())


def _numbered_actions(path: Path, labels: list[str]) -> IntArray:
    """Return the ids of actions called ``a<id>``, as in files that a names file explains."""
    for label in labels:
        if not re.fullmatch(r"a[0-9]{1,10}", label):
            raise InvalidFileError(
                f"{path}: action {label!r}; expected a<id>, because"
                f" {beside_path(path, 'names').name} names the ids"
            )
    ids = np.array([int(label[1:]) for label in labels], dtype=np.int64)
    if ids.max() >= 2**31 - 1:
        raise InvalidFileError(f"{path}: action a{ids.max()}; expected an id below {2**31 - 1}")
    return ids


# ---- rewards ------------------------------------------------------------------------------------


def _rewards(path: Path, table: _Table) -> FloatArray:
    """Return the reward of each line of the transitions file."""
    transition_file = _one_of(path, TRANSITION_REWARDS)
    state_file = _one_of(path, STATE_REWARDS)
    if transition_file is None and state_file is None:
        for numbered in (path.with_name(f"{path.stem}1{end}") for end in (".srew", ".trew")):
            if numbered.exists():
                raise InvalidFileError(
                    f"{path} has several reward structures ({numbered.name}, ...); copy the wanted"
                    f" one to {path.stem}.srew and {path.stem}.trew"
                )
    reward = np.zeros(len(table.prob))
    if transition_file is not None:
        with reading(transition_file):
            reward = _transition_rewards(transition_file, table)
    if state_file is not None:
        with reading(state_file):
            reward = reward + _state_rewards(state_file, table.n_states)[table.state]
    return reward


def _one_of(path: Path, suffixes: Sequence[str]) -> Path | None:
    files = [path.with_name(path.stem + suffix) for suffix in suffixes]
    there = [file for file in files if file.exists()]
    if len(there) > 1:
        raise InvalidFileError(f"{path} has both {there[0].name} and {there[1].name}; expected one")
    return there[0] if there else None


def _reward_lines(path: Path, n_ids: int, n_states: int, header_width: int) -> Iterator[Line]:
    """Yield the lines below the header, if there is one, and check the count that it declares."""
    declared = None
    held = 0
    for k, (number, words) in enumerate(_lines(path)):
        # a header of state rewards is as wide as a line, but no state is called n_states
        if k == 0 and len(words) == header_width and words[0] == str(n_states):
            declared = parse_id(path, number, "a count in the header", words[-1])
            continue
        if len(words) != n_ids + 1:
            raise InvalidFileError(
                f"{path}, line {number}: {len(words)} words; expected {n_ids} ids and a reward"
            )
        held += 1
        yield number, words
    if declared is not None and held != declared:
        raise InvalidFileError(f"{path}: the header declares {declared} rewards, {held} are listed")


def _transition_rewards(path: Path, table: _Table) -> FloatArray:
    """Return the listed reward of each line of the transitions file, 0 where none is listed."""
    ids, value, at = _read_reward_triples(path, table)
    if not at:
        return np.zeros(len(table.prob))
    s, c, t = (np.array(column, dtype=np.int64) for column in ids)
    count = np.zeros(table.n_states, dtype=np.int64)
    np.maximum.at(count, table.state, table.choice + 1)
    offset = np.cumsum(count) - count
    known = (s < table.n_states) & (t < table.n_states)
    known &= c < count[np.where(known, s, 0)]
    codes = (offset[np.where(known, s, 0)] + c) * table.n_states + t
    own = (offset[table.state] + table.choice) * table.n_states + table.next_state
    listed = np.sort(own)
    known &= listed[np.minimum(np.searchsorted(listed, codes), len(listed) - 1)] == codes
    if not known.all():
        k = int(np.argmin(known))
        raise InvalidFileError(
            f"{path}, line {at[k]}: a reward on state {s[k]}, choice {c[k]}, successor {t[k]},"
            " which is no transition"
        )
    order = np.argsort(codes, kind="stable")
    codes, values = codes[order], np.array(value)[order]
    twice = np.flatnonzero(codes[1:] == codes[:-1])
    if twice.size:
        k = int(order[twice[0] + 1])
        raise InvalidFileError(f"{path}, line {at[k]}: a second reward on the same transition")
    place = np.minimum(np.searchsorted(codes, own), len(codes) - 1)
    return np.where(codes[place] == own, values[place], 0.0)


def _read_reward_triples(
    path: Path, table: _Table
) -> tuple[list["array[int]"], "array[float]", "array[int]"]:
    """Return states, choices and successors, rewards, and line numbers."""
    n_ids = 2 if table.chain else 3
    ids, value, at = [array("I") for _ in range(3)], array("d"), array("Q")
    for number, words in _reward_lines(path, n_ids, table.n_states, n_ids):
        if table.chain:
            words.insert(1, "0")
        try:
            for column, word in zip(ids, words, strict=False):
                column.append(int(word))
            r = float(words[3])
            plain = r - r == 0.0 and "_" not in "".join(words)
        except (ValueError, OverflowError):
            plain = False
        if not plain:
            for word in words[:3]:
                parse_id(path, number, "an id", word)
            parse_number(path, number, "reward", words[3])
            raise InvalidFileError(f"{path}, line {number}: {' '.join(words)!r} is no reward")
        value.append(r)
        at.append(number)
    return ids, value, at


def _state_rewards(path: Path, n_states: int) -> FloatArray:
    rewards, seen = np.zeros(n_states), np.zeros(n_states, dtype=bool)
    for number, words in _reward_lines(path, 1, n_states, 2):
        state = parse_id(path, number, "state", words[0])
        if state >= n_states or seen[state]:
            problem = "a second reward" if state < n_states else f"expected below {n_states}"
            raise InvalidFileError(f"{path}, line {number}: state is {state}; {problem}")
        rewards[state] = parse_number(path, number, "reward", words[1])
        seen[state] = True
    return rewards


# ---- labels and names ---------------------------------------------------------------------------


def _initial(path: Path, n_states: int) -> FloatArray | None:
    """Return the distribution on the one state labelled ``init``, or None."""
    if not path.exists():
        return None
    with reading(path), open_text(path) as handle:
        initial_states = {
            state for state, labels in _label_lines(path, handle, n_states) if "init" in labels
        }
    if len(initial_states) != 1:
        return None
    initial = np.zeros(n_states)
    initial[initial_states.pop()] = 1.0
    return initial


def _label_lines(
    path: Path, handle: Iterator[str], n_states: int
) -> Iterator[tuple[int, list[str]]]:
    """Yield states and labels, of PRISM's ``0="init"`` tables and of Storm's ``#DECLARATION``."""
    names: dict[str, str] | None = None
    storm = False
    for number, line in enumerate(handle, 1):
        words = line.split()
        if not words or words[0] == "#END":
            continue
        if words[0] == "#DECLARATION":
            storm = True
        elif names is None:
            pairs = re.findall(r'(\d+)="([^"]*)"', line)
            names = {word: word for word in words} if storm else dict(pairs)
            if not names:
                raise InvalidFileError(f'{path}, line {number}: no labels such as 0="init"')
        else:
            state = parse_id(path, number, "state", words[0].removesuffix(":"))
            unknown = [word for word in words[1:] if word not in names]
            if state >= n_states or unknown:
                what = f"label {unknown[0]!r}" if unknown else f"state {state}"
                raise InvalidFileError(f"{path}, line {number}: {what} is not declared")
            yield state, [names[word] for word in words[1:]]


def _state_names(path: Path, n_states: int) -> tuple[str, ...] | None:
    """Return the values between the parentheses of a states file, or None without a file."""
    if not path.exists():
        return None
    names: dict[int, str] = {}
    with reading(path), open_text(path) as handle:
        for number, line in enumerate(handle, 1):
            text = line.rstrip("\r\n")
            found = re.fullmatch(r"(\d+):\((.*)\)", text)
            if found is None:
                if number > 1 and text.strip():
                    raise InvalidFileError(f"{path}, line {number}: expected <state>:(<values>)")
                continue
            state = parse_id(path, number, "state", found[1])
            if state >= n_states or state in names:
                raise InvalidFileError(
                    f"{path}, line {number}: state is {state}; expected each once"
                )
            names[state] = found[2]
    if len(names) != n_states:
        raise InvalidFileError(f"{path} names {len(names)} states; expected {n_states}")
    return tuple(names[state] for state in range(n_states))
