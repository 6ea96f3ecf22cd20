"""Models in UMB, the binary archive that PRISM and Storm exchange, through the ``umbi`` package.

The format holds transitions, rewards, action names and initial states, but no discount factor.
State names and an initial distribution on several states are kept as annotations of the group
``mdptheory``, which other tools skip. Several initial states without it name no distribution.

References
----------
.. [1] umbi, https://pypi.org/project/umbi/
"""

import bz2
import gzip
import io
import json
import logging
import lzma
import tarfile
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

import numpy as np

from mdptheory._extras import require
from mdptheory._typing import BoolArray, FloatArray, IntArray
from mdptheory.errors import InvalidFileError, InvalidModelError
from mdptheory.io._choices import name_choices
from mdptheory.io._common import (
    Extras,
    Transitions,
    build,
    choose_objective,
    count_states,
    expand,
    reading,
)
from mdptheory.models import Objective, TabularMDP

GROUP = "mdptheory"
MAX_FREE_BYTES = 4 * 2**20
"""Unpacked bytes that any archive may hold; beyond, at most `MAX_RATIO` times its size."""
MAX_RATIO = 50


def write_umb(mdp: TabularMDP, path: Path) -> None:
    """Write a discrete-time, one-player system with rewards on choices or on branches."""
    umb = _umb()
    starts = mdp.initial > 0 if mdp.initial is not None else np.zeros(mdp.n_states, dtype=bool)
    model = umb.ExplicitUmb(
        state_is_initial=starts.tolist(),
        state_to_choices=mdp.choice_ptr.tolist(),
        choice_to_branches=mdp.row_ptr.tolist(),
        branch_to_target=mdp.next_state.tolist(),
        branch_to_probability=expand(mdp, ".umb files").prob.tolist(),
        choice_to_choice_action=mdp.action.tolist(),
    )
    for kind, names in (("state_names", mdp.state_names), ("action_names", mdp.action_names)):
        if names is not None and not any(names):  # umbi cannot tell an empty text from no text
            raise InvalidModelError(f"{kind}[0] is ''; .umb files need a name that is not empty")
    if mdp.action_names is not None:
        model.choice_action_to_string = list(mdp.action_names)
    _describe(model, mdp, starts)
    umb.write(model, path)


def _umb() -> ModuleType:
    """Import umbi, whose log messages then go nowhere unless the caller set up logging."""
    logging.getLogger("umbi").addHandler(logging.NullHandler())
    return require("umbi.umb", "umb")


def _describe(model: Any, mdp: TabularMDP, starts: BoolArray) -> None:
    """Fill the index and the annotations."""
    index, datatypes = require("umbi.umb.index", "umb"), require("umbi.datatypes", "umb")
    version = require("umbi.version", "umb")
    sized_type = require("umbi.binary", "umb").SizedType
    double = sized_type.for_type(datatypes.NumericPrimitiveType.DOUBLE)
    string = sized_type.for_type(datatypes.PrimitiveType.STRING)
    model.index.format_version = version.__format_version__
    model.index.format_revision = version.__format_revision__
    model.index.transition_system = index.TransitionSystem(
        time="discrete",
        num_players=1,
        num_states=mdp.n_states,
        num_initial_states=int(starts.sum()),
        num_choices=mdp.n_rows,
        num_choice_actions=mdp.n_actions,
        num_branches=mdp.n_transitions,
        branch_probability_type=double,
    )
    model.index.annotations, model.annotations = {}, {}
    for group, name, entity, values in _annotations(mdp, starts):
        kind = string if isinstance(values[0], str) else double
        description = index.AnnotationDescription(applies_to=[entity], type=kind)
        model.index.annotations.setdefault(group, {})[name] = description
        model.annotations.setdefault(group, {})[name] = {entity: values}


def _annotations(mdp: TabularMDP, starts: BoolArray) -> list[tuple[str, str, str, list[Any]]]:
    """Return group, name, entity and values of each annotation of the model."""
    per_branch = mdp.transition_reward is not None
    rewards = mdp.transition_reward if mdp.transition_reward is not None else mdp.reward
    found: list[tuple[str, str, str, list[Any]]] = [
        ("rewards", "reward", "branches" if per_branch else "choices", rewards.tolist())
    ]
    if mdp.initial is not None and not (starts.sum() == 1 and mdp.initial.max() == 1.0):
        found.append((GROUP, "initial", "states", mdp.initial.tolist()))
    if mdp.state_names is not None:
        found.append((GROUP, "state-names", "states", list(mdp.state_names)))
    return found


def read_umb(
    path: Path, *, gamma: float | None = None, objective: Objective | None = None
) -> TabularMDP:
    """Read a discrete-time system of at most one player; sizes are checked before unpacking."""
    goal = choose_objective(path, gamma, objective)
    umb = _umb()
    with reading(path):
        try:
            with open(path, "rb") as file:
                _check_archive(file, path.stat().st_size)
            model = umb.read(path)
        except (InvalidFileError, OSError) as error:
            if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
                raise
            raise InvalidFileError(f"{path}: {error}") from error
        except Exception as error:  # umbi signals damage by asserts, lookups and its own errors
            raise InvalidFileError(
                f"{path} is not a readable .umb archive ({type(error).__name__}: {error})"
            ) from error
        return _convert(model, goal)


def _convert(model: Any, goal: Objective) -> TabularMDP:
    system = model.index.transition_system
    if system.time != "discrete" or system.num_players > 1 or system.num_observations:
        raise InvalidFileError(
            f"a system of {system.time} time with {system.num_players} players and"
            f" {system.num_observations} observations; expected a Markov decision process"
        )
    n_states, n_choices = system.num_states, system.num_choices
    choice_ptr = _pointer(model.state_to_choices, n_states, n_choices, "state-to-choices")
    row_ptr = _pointer(
        model.choice_to_branches, n_choices, system.num_branches, "choice-to-branches"
    )
    row_of = np.repeat(np.arange(n_choices), np.diff(row_ptr))
    state_of = np.repeat(np.arange(n_states), np.diff(choice_ptr))
    target = _ids(model.branch_to_target, system.num_branches, "branch-to-target")
    state = state_of[row_of]
    count_states(state, target, n_states)
    choice = row_of - choice_ptr[state]
    action, names = _actions(model, state_of, choice_ptr, n_choices)
    reward, per_branch = _rewards(model, state, row_of)
    transitions = Transitions(state, action[row_of], target, _probabilities(model, choice), reward)
    extras = Extras(_initial(model, n_states), _state_names(model, n_states), names)
    return build(transitions, n_states, goal, extras, keep_transition_reward=per_branch)


def _pointer(values: list[int] | None, count: int, total: int, name: str) -> IntArray:
    """Return checked offsets; without the file each of ``count`` owners has one item."""
    pointer = _ids(list(range(count + 1)) if values is None else values, count + 1, name)
    stays = pointer[1:] <= pointer[:-1]
    if pointer[0] != 0 or pointer[-1] != total or stays.any():
        raise InvalidFileError(
            f"{name} does not rise from 0 to {total}; every state needs a choice, every choice a"
            " branch"
        )
    return pointer


def _ids(values: list[int] | None, count: int, name: str) -> IntArray:
    if values is None or len(values) != count:
        raise InvalidFileError(f"{name} has {len(values or [])} entries; expected {count}")
    if values and max(values) >= 2**62:
        raise InvalidFileError(f"{name} holds {max(values)}")
    return np.array(values, dtype=np.int64)


def _numbers(values: list[Any], count: int, name: str) -> FloatArray:
    """Return floats; a fraction becomes the nearest one, an interval is refused."""
    if len(values) != count:
        raise InvalidFileError(f"{name} has {len(values)} entries; expected {count}")
    for value in values:
        if not isinstance(value, int | float | Fraction):
            raise InvalidFileError(f"{name} holds {value}; expected numbers")
    try:
        return np.array([float(value) for value in values])
    except OverflowError as error:
        raise InvalidFileError(f"{name} holds a number too large for float64") from error


def _probabilities(model: Any, choice: IntArray) -> FloatArray:
    if model.branch_to_probability is None:  # a plain transition system: every branch is certain
        return np.ones(len(choice))
    return _numbers(model.branch_to_probability, len(choice), "branch-to-probability")


def _actions(
    model: Any, state_of: IntArray, choice_ptr: IntArray, n_choices: int
) -> tuple[IntArray, tuple[str, ...] | None]:
    """Return the action id of each choice, and names; repeats within a state are told apart."""
    numbers = np.arange(n_choices) - choice_ptr[state_of]
    if model.choice_to_choice_action is None:
        return numbers, None
    ids = _ids(model.choice_to_choice_action, n_choices, "actions/choices/values")
    if ids.size and ids.max() >= 2**31 - 1:
        raise InvalidFileError(f"actions/choices/values holds {ids.max()}")
    strings = model.choice_action_to_string
    if strings is not None and ids.max() >= len(strings):
        raise InvalidFileError(f"action {ids.max()} has no name among {len(strings)}")
    used = strings[: int(ids.max()) + 1] if strings is not None else None
    distinct = len(np.unique(np.stack([state_of, ids]), axis=1).T) == n_choices
    if distinct and (used is None or len(set(used)) == len(used)):
        return ids, None if used is None else tuple(used)
    labels = [str(a) if strings is None else strings[a] for a in ids.tolist()]
    return name_choices(state_of, numbers, labels)


def _rewards(model: Any, state: IntArray, row_of: IntArray) -> tuple[FloatArray, bool]:
    """Return the reward of each branch and whether the file holds it per branch."""
    structures = (model.annotations or {}).get("rewards", {})
    if len(structures) > 1:
        raise InvalidFileError(f"several reward structures ({', '.join(structures)}); expected one")
    system = model.index.transition_system
    reward = np.zeros(len(row_of))
    sizes = {"states": system.num_states, "choices": system.num_choices, "branches": len(row_of)}
    owners = {"states": state, "choices": row_of, "branches": np.arange(len(row_of))}
    parts: dict[str, list[Any]] = next(iter(structures.values()), {})
    for k, entity in enumerate(entity for entity in owners if entity in parts):
        part = _numbers(parts[entity], sizes[entity], f"rewards of {entity}")[owners[entity]]
        reward = part if k == 0 else reward + part
    return reward, "branches" in parts


def _initial(model: Any, n_states: int) -> FloatArray | None:
    """Return our own annotation, else the one marked state; several name no distribution."""
    starts = np.flatnonzero(model.state_is_initial)
    counted = model.index.transition_system.num_initial_states
    if len(model.state_is_initial) != n_states or len(starts) != counted:
        raise InvalidFileError(
            f"state-is-initial marks {len(starts)} of {len(model.state_is_initial)} states;"
            f" expected {counted} of {n_states}"
        )
    own = (model.annotations or {}).get(GROUP, {}).get("initial", {}).get("states")
    if own is not None:
        return _numbers(own, n_states, "initial")
    return np.eye(1, n_states, int(starts[0]))[0] if len(starts) == 1 else None


def _state_names(model: Any, n_states: int) -> tuple[str, ...] | None:
    names = (model.annotations or {}).get(GROUP, {}).get("state-names", {}).get("states")
    return None if names is None else tuple(str(name) for name in names)


# ---- what is checked before umbi unpacks --------------------------------------------------------


def _check_archive(file: BinaryIO, size: int) -> None:
    """Refuse an archive that claims or unpacks to far more than its size."""
    limit = MAX_FREE_BYTES + MAX_RATIO * size
    content = _unpack(file, limit)
    if len(content) > limit:
        raise InvalidFileError(f"{size} bytes unpack to more than {limit}")
    sizes: dict[str, int] = {}
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
        index = None
        for member in archive:
            if not member.isfile():
                continue
            if member.issparse() or member.size > len(content) or member.name in sizes:
                raise InvalidFileError(f"entry {member.name!r} is sparse, too large or repeated")
            sizes[member.name] = member.size
            if member.name == "index.json":
                stream = archive.extractfile(member)
                index = json.loads(stream.read()) if stream is not None else None
    _check_counts(index, sizes)


def _unpack(file: BinaryIO, limit: int) -> bytes:
    """Return at most ``limit + 1`` unpacked bytes."""
    magic = file.read(6)
    file.seek(0)
    if magic.startswith(b"\xfd7zXZ"):
        return lzma.LZMADecompressor(memlimit=2**28).decompress(file.read(), max_length=limit + 1)
    if magic.startswith(b"\x1f\x8b"):
        with gzip.GzipFile(fileobj=file) as packed:
            return packed.read(limit + 1)
    if magic.startswith(b"BZh"):
        with bz2.BZ2File(file) as packed_bz2:
            return packed_bz2.read(limit + 1)
    return file.read(limit + 1)


def _check_counts(index: Any, sizes: dict[str, int]) -> None:
    """Compare the counts of the index with the branches that are stored, and bits with counts."""
    system = index["transition-system"]
    branches = sizes.get("branch-to-target.bin", 0) // 8
    counts = {name: system[f"#{name}"] for name in ("states", "choices", "branches")}
    for name, count in counts.items():
        if type(count) is not int or not 0 < count <= branches:
            raise InvalidFileError(
                f"the index counts {count} {name}, but {branches} branches are stored; every state"
                " needs a choice, every choice a branch"
            )
    longest = 8 * (max(counts.values()) // 64 + 1)
    for group in (index.get("annotations") or {}).items():
        for name, description in group[1].items():
            if description["type"]["type"] == "bool":
                for entity in description["applies-to"]:
                    path = f"annotations/{group[0]}/{name}/{entity}/values.bin"
                    _check_bits(path, sizes.get(path, 0), longest)
    for path in ("state-is-initial.bin", "state-is-markovian.bin"):
        _check_bits(path, sizes.get(path, 0), longest)


def _check_bits(path: str, size: int, longest: int) -> None:
    if size > longest:
        raise InvalidFileError(f"{path} has {size} bytes of bits; expected at most {longest}")
