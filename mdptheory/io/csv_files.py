"""Models as comma-separated tables, with small files beside them for what a table cannot hold.

``model.csv`` has the columns ``idstatefrom,idaction,idstateto,probability,reward``. Beside it may
lie

- ``model.parameters.csv``: rows ``parameter,value`` with ``discount``, ``horizon`` (a finite
  horizon), ``objective`` (``total_reward``) or ``rewards`` (``transition``: keep them per
  transition, even where all of a row are equal);
- ``model.initial.csv``: rows ``idstate,probability``; states that are not listed have 0;
- ``model.terminal.csv``: rows ``idstate,reward`` of a finite horizon;
- ``model.names.csv``: rows ``kind,id,name`` with kind ``state`` or ``action``.

If none of these exists, ``parameters.csv`` and ``initial.csv`` in the same folder are used.
"""

import csv
import io
import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.errors import InvalidFileError
from mdptheory.io._common import (
    MAX_PROBABILITY,
    Extras,
    Transitions,
    build,
    choose_objective,
    count_states,
    expand,
    open_text,
    reading,
    write_text,
)
from mdptheory.models import Discounted, FiniteHorizon, Objective, TabularMDP, TotalReward

COLUMNS = ("idstatefrom", "idaction", "idstateto", "probability", "reward")
_PARAMETERS = ("discount", "horizon", "objective", "rewards")
_BESIDE = ("parameters", "initial", "terminal", "names")
_MAX_ID = 2**31 - 2


def read_csv(
    path: Path, *, gamma: float | None = None, objective: Objective | None = None
) -> TabularMDP:
    """Read ``path`` and the files beside it; errors name file, line and value."""
    beside = _files_beside(path)
    with reading(path):
        transitions = _read_transitions(path)
        n_states = count_states(transitions.state, transitions.next_state)
    parameters = _read_parameters(beside["parameters"])
    terminal = read_state_values(beside["terminal"], "reward", n_states)
    goal = choose_objective(path, gamma, objective, _objective(path, parameters, terminal))
    states, actions = read_names(beside["names"])
    with reading(path):
        initial = read_state_values(beside["initial"], "probability", n_states)
        keep = parameters.get("rewards") == "transition"
        return build(
            transitions,
            n_states,
            goal,
            Extras(initial, states, actions),
            keep_transition_reward=keep,
        )


def write_csv(mdp: TabularMDP, path: Path) -> None:
    """Write ``path`` and the files beside it, and remove those that this model does not need."""
    rows = zip(*(column.tolist() for column in expand(mdp, "CSV files")), strict=True)
    parameters, terminal = _parameters(mdp)
    beside = {
        "parameters": to_csv(("parameter", "value"), parameters),
        "initial": _state_values("probability", mdp.initial),
        "terminal": _state_values("reward", terminal),
        "names": names_to_csv(mdp.state_names, mdp.action_names),
    }
    write_text(path, to_csv(COLUMNS, rows))
    for kind, text in beside.items():
        replace_beside(path, kind, text)


def to_csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table as text; floats are written so that reading returns the same bits."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    if "name" in header:  # Python before 3.13 leaves a carriage return without quotes
        writer = csv.writer(buffer, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue()


def beside_path(path: Path, kind: str) -> Path:
    """Return ``model.kind.csv`` for ``model.csv`` or ``model.tra``."""
    return path.with_name(f"{path.stem}.{kind}.csv")


def replace_beside(path: Path, kind: str, text: str | None) -> None:
    """Write a file beside the model, or remove an old one that would be read with this model."""
    target = beside_path(path, kind)
    if text is None:
        target.unlink(missing_ok=True)
    else:
        write_text(target, text)


def names_to_csv(
    state_names: tuple[str, ...] | None, action_names: tuple[str, ...] | None
) -> str | None:
    """Return the names file's text, or None if there is no name."""
    if state_names is None and action_names is None:
        return None
    rows = [("state", i, name) for i, name in enumerate(state_names or ())]
    rows += [("action", i, name) for i, name in enumerate(action_names or ())]
    return to_csv(("kind", "id", "name"), rows)


def read_names(path: Path | None) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    """Return the state names and the action names of a names file."""
    names: dict[str, list[str]] = {"state": [], "action": []}
    if path is not None:
        with reading(path):
            for line, (kind, index, name) in read_table(path, ("kind", "id", "name")):
                if kind not in names:
                    raise _bad(path, line, "kind", kind, "'state' or 'action'")
                expected = len(names[kind])
                if parse_id(path, line, "id", index) != expected:
                    raise _bad(path, line, "id", index, f"{expected}, the next {kind}")
                names[kind].append(name)
    return tuple(names["state"]) or None, tuple(names["action"]) or None


def read_state_values(path: Path | None, column: str, n_states: int) -> FloatArray | None:
    """Return the values of a file with rows ``idstate,column``; 0 where no row is given."""
    if path is None:
        return None
    with reading(path):
        values, seen = np.zeros(n_states), np.zeros(n_states, dtype=bool)
        for line, (state_text, value_text) in read_table(path, ("idstate", column)):
            state = parse_id(path, line, "idstate", state_text)
            if state >= n_states or seen[state]:
                problem = "each state once" if state < n_states else f"a state below {n_states}"
                raise _bad(path, line, "idstate", state_text, problem)
            seen[state], values[state] = True, parse_number(path, line, column, value_text)
    return values


def read_table(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and fields of each row after an optional header, without blank lines."""
    with open_text(path) as handle:
        reader = csv.reader(handle, strict=True)
        order: list[int] | None = None
        try:
            for fields in reader:
                if not fields:
                    continue
                if order is None:
                    order = _header_order(path, fields, columns)
                    if order is not None:
                        continue
                    order = list(range(len(columns)))
                if len(fields) != len(columns):
                    raise InvalidFileError(
                        f"{path}, line {reader.line_num}: {len(fields)} fields; expected"
                        f" {len(columns)} ({','.join(columns)})"
                    )
                yield reader.line_num, [fields[i] for i in order]
        except csv.Error as error:
            raise InvalidFileError(f"{path}, line {reader.line_num}: {error}") from error


def parse_id(path: Path, line: int, column: str, text: str) -> int:
    """Return a non-negative integer, or name file, line, column and value."""
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20) or int(digits) > _MAX_ID:
        raise _bad(path, line, column, text, f"an integer from 0 to {_MAX_ID}")
    return int(digits)


def parse_number(path: Path, line: int, column: str, text: str) -> float:
    """Return a finite number, or name file, line, column and value."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or "_" in text:
        raise _bad(path, line, column, text, "a finite number")
    return number


def _bad(path: Path, line: int, column: str, text: str, expected: str) -> InvalidFileError:
    shown = text if len(text) < 60 else text[:57] + "..."
    return InvalidFileError(f"{path}, line {line}: {column} is {shown!r}; expected {expected}")


def _header_order(path: Path, fields: list[str], columns: Sequence[str]) -> list[int] | None:
    """Return where each column stands if the first row is a header, else None."""
    names = [field.strip().lower() for field in fields]
    if sorted(names) == sorted(columns):
        return [names.index(column) for column in columns]
    if any(name in columns for name in names):
        raise InvalidFileError(
            f"{path}, line 1: header {','.join(fields)}; expected {','.join(columns)}"
        )
    return None


def _read_transitions(path: Path) -> Transitions:
    ids = array("I"), array("I"), array("I")
    prob, reward = array("d"), array("d")
    for line, fields in read_table(path, COLUMNS):
        try:
            for column, text in zip(ids, fields[:3], strict=True):
                column.append(int(text))
            p, r = float(fields[3]), float(fields[4])
            plain = 0.0 <= p <= MAX_PROBABILITY and r - r == 0.0 and "_" not in "".join(fields)
        except (ValueError, OverflowError):
            plain = False
        if not plain:
            _explain(path, line, fields)
        prob.append(p)
        reward.append(r)
    state, action, next_state = (np.array(column, dtype=np.int64) for column in ids)
    if len(action) and action.max() > _MAX_ID:
        raise InvalidFileError(f"idaction is {action.max()}; expected at most {_MAX_ID}")
    return Transitions(state, action, next_state, np.array(prob), np.array(reward))


def _explain(path: Path, line: int, fields: list[str]) -> None:
    """Say which field of a row is wrong."""
    for column, text in zip(COLUMNS[:3], fields[:3], strict=True):
        parse_id(path, line, column, text)
    if not 0.0 <= parse_number(path, line, COLUMNS[3], fields[3]) <= MAX_PROBABILITY:
        raise _bad(path, line, COLUMNS[3], fields[3], "a probability from 0 to 1")
    parse_number(path, line, COLUMNS[4], fields[4])
    raise InvalidFileError(f"{path}, line {line}: {','.join(fields)!r} is not a row of numbers")


def _files_beside(path: Path) -> dict[str, Path | None]:
    """Return the model's own small files, or the folder's if the model has none."""
    own = {kind: beside_path(path, kind) for kind in _BESIDE}
    if not any(file.exists() for file in own.values()):
        own |= {kind: path.with_name(f"{kind}.csv") for kind in ("parameters", "initial")}
    return {kind: file if file.exists() else None for kind, file in own.items()}


def _read_parameters(path: Path | None) -> dict[str, str]:
    parameters: dict[str, str] = {}
    if path is not None:
        with reading(path):
            for line, (name, value) in read_table(path, ("parameter", "value")):
                if name not in _PARAMETERS or name in parameters:
                    expected = f"each of {', '.join(_PARAMETERS)} at most once"
                    raise _bad(path, line, "parameter", name, expected)
                if name in ("discount", "horizon"):
                    parse_number(path, line, name, value)
                elif value != {"objective": "total_reward", "rewards": "transition"}[name]:
                    raise _bad(path, line, name, value, "'total_reward' or 'transition'")
                parameters[name] = value
    return parameters


def _objective(
    path: Path, parameters: dict[str, str], terminal: FloatArray | None
) -> Objective | None:
    with reading(beside_path(path, "parameters")):
        if "objective" in parameters:
            if "horizon" in parameters or "discount" in parameters:
                raise InvalidFileError(f"{path}: total_reward goes with no discount or horizon")
            return TotalReward()
        discount = float(parameters["discount"]) if "discount" in parameters else None
        if "horizon" in parameters:
            horizon = parse_id(path, 1, "horizon", parameters["horizon"])
            return FiniteHorizon(horizon, 1.0 if discount is None else discount, terminal)
        if terminal is not None:
            raise InvalidFileError(f"{path}: terminal rewards need a parameter 'horizon'")
        return None if discount is None else Discounted(discount)


def _parameters(mdp: TabularMDP) -> tuple[list[tuple[str, Any]], FloatArray | None]:
    rows: list[tuple[str, Any]] = []
    terminal: FloatArray | None = None
    match mdp.objective:
        case Discounted(gamma=gamma):
            rows.append(("discount", gamma))
        case FiniteHorizon(horizon=horizon, gamma=gamma):
            terminal = mdp.objective.terminal
            rows += [("discount", gamma), ("horizon", horizon)]
        case TotalReward():
            rows.append(("objective", "total_reward"))
    if mdp.transition_reward is not None:
        rows.append(("rewards", "transition"))
    return rows, terminal


def _state_values(column: str, values: FloatArray | None) -> str | None:
    if values is None:
        return None
    return to_csv(("idstate", column), enumerate(values.tolist()))
