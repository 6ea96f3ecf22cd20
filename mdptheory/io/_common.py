"""What every format shares: opening, errors that name the file, and building the model."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory.errors import InvalidFileError, InvalidModelError
from mdptheory.models import Discounted, Objective, TabularMDP
from mdptheory.models.rows import from_triplets

MAX_TABLE_CELLS = 10**7
"""State-action cells that any file may ask for; beyond, at most `CELLS_PER_ROW` a row."""
CELLS_PER_ROW = 100
MAX_PROBABILITY = 1 + 1e-9


class Transitions(NamedTuple):
    """A list of transitions in any order; arrays of equal length."""

    state: IntArray
    action: IntArray
    next_state: IntArray
    prob: FloatArray
    reward: FloatArray


@dataclass(frozen=True, slots=True)
class Extras:
    """What a model has besides its transitions."""

    initial: FloatArray | None = None
    state_names: tuple[str, ...] | None = None
    action_names: tuple[str, ...] | None = None


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn everything that is wrong with the file at ``path`` into an error that names it."""
    try:
        yield
    except InvalidModelError as error:
        if isinstance(error, InvalidFileError) and str(path) in str(error):
            raise
        raise InvalidFileError(f"{path}: {error}") from error
    except OSError as error:
        raise InvalidFileError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InvalidFileError(f"{path} is not UTF-8 text: {error}") from error


def open_text(path: Path) -> TextIO:
    """Open for reading, keeping line ends inside quoted fields; a byte order mark is skipped."""
    return open(path, encoding="utf-8-sig", newline="")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 with plain line ends, or say which text cannot be encoded."""
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidModelError(
            f"{text[error.start : error.end]!r} in a name cannot be written as UTF-8"
        ) from error
    path.write_bytes(data)


def choose_objective(
    path: Path, gamma: float | None, objective: Objective | None, found: Objective | None = None
) -> Objective:
    """Return the caller's objective, else the file's, else say how to give one."""
    if gamma is not None and objective is not None:
        raise InvalidModelError("give gamma or objective, not both")
    if gamma is not None:
        return Discounted(gamma)
    chosen = objective if objective is not None else found
    if chosen is None:
        raise InvalidFileError(
            f"{path} holds no discount factor; give one, such as gamma=0.95 (on the command line"
            " --gamma 0.95), or an objective"
        )
    return chosen


def count_states(state: IntArray, next_state: IntArray, declared: int | None = None) -> int:
    """Return the number of states, each of which must have a choice; no header allocates."""
    if len(state) == 0:
        raise InvalidFileError("no transitions")
    highest = int(max(state.max(), next_state.max()))
    if declared is not None and highest >= declared:
        raise InvalidFileError(
            f"state {highest} is named, but the header declares {declared} states"
        )
    n_states = highest + 1 if declared is None else declared
    if n_states > len(state) or (np.bincount(state, minlength=n_states) == 0).any():
        present = np.unique(state)
        off = np.flatnonzero(present != np.arange(len(present)))
        first = int(off[0]) if off.size else len(present)
        raise InvalidFileError(
            f"state {first} has no choice ({n_states - len(present)} of {n_states} states have"
            " none); an absorbing state needs a self loop of probability 1"
        )
    return n_states


def build(
    transitions: Transitions,
    n_states: int,
    objective: Objective,
    extras: Extras,
    *,
    keep_transition_reward: bool = False,
) -> TabularMDP:
    """Assemble a validated model.

    Rewards that are equal within every row become rewards per row with the same bits, unless
    ``keep_transition_reward``.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # rows that do not sum to 1 may overflow
        rows = from_triplets(n_states, *transitions)
        per_transition = rows.transition_reward
        assert per_transition is not None
        first = per_transition[rows.row_ptr[:-1]]
        constant = bool((per_transition == np.repeat(first, np.diff(rows.row_ptr))).all())
        if constant and not keep_transition_reward:
            rows = rows._replace(reward=first, transition_reward=None)
        for array in rows:
            if isinstance(array, np.ndarray) and array.base is None:
                array.setflags(write=False)  # fresh arrays: the model keeps them without a copy
        mdp = TabularMDP(
            choice_ptr=rows.choice_ptr,
            action=rows.action,
            row_ptr=rows.row_ptr,
            next_state=rows.next_state,
            prob=rows.prob,
            reward=rows.reward,
            transition_reward=rows.transition_reward,
            n_states=n_states,
            objective=objective,
            initial=extras.initial,
            state_names=extras.state_names,
            action_names=extras.action_names,
        )
    check_table(mdp.n_states * mdp.n_stages, mdp.n_actions, mdp.n_rows)
    return mdp


def check_table(n_states: int, n_actions: int, n_rows: int) -> None:
    """Refuse action ids so large that a table of all states and actions would exhaust memory."""
    cells = n_states * n_actions
    if cells > MAX_TABLE_CELLS + CELLS_PER_ROW * n_rows:
        raise InvalidFileError(
            f"the largest action id is {n_actions - 1} with {n_states} states but only {n_rows}"
            f" rows; a table of {cells} values is refused, number the actions from 0"
        )


def expand(mdp: TabularMDP, what: str) -> Transitions:
    """Return the transitions in stored order, with the reward of each."""
    if mdp.n_stages > 1:
        raise InvalidModelError(
            f"the model has {mdp.n_stages} stages of its own data; {what} hold stationary data only"
            " (.npz holds stages)"
        )
    size = np.diff(mdp.row_ptr)
    reward = np.repeat(mdp.reward, size) if mdp.transition_reward is None else mdp.transition_reward
    return Transitions(
        np.repeat(mdp.row_state(), size),
        np.repeat(mdp.action, size),
        mdp.next_state,
        mdp.prob,
        reward,
    )
