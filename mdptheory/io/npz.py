"""Models in NumPy archives: every array and name bit for bit, never a pickle."""

import json
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mdptheory.errors import InvalidFileError
from mdptheory.io._common import check_table, choose_objective, reading
from mdptheory.io._objective import objective_fields, objective_from_fields
from mdptheory.models import FiniteHorizon, Objective, TabularMDP

FORMAT = "mdptheory model 1"
_INDEX_ARRAYS = ("choice_ptr", "action", "row_ptr", "next_state")
_FLOAT_ARRAYS = ("prob", "reward", "transition_reward", "initial", "terminal")
_REQUIRED = {*_INDEX_ARRAYS, "prob", "reward", "meta"}
_META_FIELDS = {"format", "n_states", "objective", "state_names", "action_names"}

MAX_FREE_BYTES = 64 * 2**20
"""Uncompressed bytes that any archive may hold; beyond, at most `MAX_RATIO` times its size."""
MAX_RATIO = 50
_MAX_HEADER = 10_000


def write_npz(mdp: TabularMDP, path: Path) -> None:
    """Write every array of the model, uncompressed, and its names and objective as JSON."""
    arrays: dict[str, npt.NDArray[Any] | None] = {
        name: getattr(mdp, name) for name in (*_INDEX_ARRAYS, *_FLOAT_ARRAYS[:-1])
    }
    if isinstance(mdp.objective, FiniteHorizon):
        arrays["terminal"] = mdp.objective.terminal
    meta = {
        "format": FORMAT,
        "n_states": mdp.n_states,
        "objective": objective_fields(mdp.objective),
        "state_names": mdp.state_names,
        "action_names": mdp.action_names,
    }
    arrays["meta"] = encode_json(meta)
    save_arrays(path, {name: array for name, array in arrays.items() if array is not None})


def read_npz(
    path: Path, *, gamma: float | None = None, objective: Objective | None = None
) -> TabularMDP:
    """Read what `write_npz` wrote, with every size checked before it is allocated."""
    with reading(path):
        arrays = load_arrays(path, {*_REQUIRED, *_FLOAT_ARRAYS}, _REQUIRED)
        meta = decode_json(arrays.pop("meta"))
        if not isinstance(meta, dict) or meta.get("format") != FORMAT:
            raise InvalidFileError(f"{path} is not a {FORMAT!r} archive")
        if set(meta) != _META_FIELDS:
            raise InvalidFileError(f"{path}: meta has fields {sorted(meta)}")
        terminal = _floats(arrays.pop("terminal", None), "terminal")
        found = objective_from_fields(meta["objective"], terminal)
    goal = choose_objective(path, gamma, objective, found)
    with reading(path), np.errstate(over="ignore", invalid="ignore"):
        fields: dict[str, Any] = {name: _indices(arrays[name], name) for name in _INDEX_ARRAYS}
        fields |= {name: _floats(arrays.get(name), name) for name in _FLOAT_ARRAYS[:-1]}
        fields |= {name: _names(meta[name], name) for name in ("state_names", "action_names")}
        mdp = TabularMDP(objective=goal, n_states=_count(meta["n_states"]), **fields)
        check_table(mdp.n_states * mdp.n_stages, mdp.n_actions, mdp.n_rows)
    return mdp


def save_arrays(path: Path, arrays: dict[str, npt.NDArray[Any]]) -> None:
    """Write arrays to ``path`` as it is named (`np.savez` would append a suffix)."""
    with open(path, "wb") as file:
        save: Any = np.savez  # numbers only, so nothing is pickled
        save(file, **arrays)


def load_arrays(path: Path, known: set[str], required: set[str]) -> dict[str, npt.NDArray[Any]]:
    """Read the arrays of an archive after checking names and sizes against its entries."""
    with open(path, "rb") as file:
        try:
            names = _check_archive(file, path.stat().st_size, known)
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in names}
        except InvalidFileError as error:
            raise InvalidFileError(f"{path}: {error}") from error
        except Exception as error:  # hostile bytes reach zipfile, zlib and NumPy's header parser
            raise InvalidFileError(
                f"{path} is not a readable .npz archive ({type(error).__name__}: {error})"
            ) from error
    missing = required - set(arrays)
    if missing:
        raise InvalidFileError(f"{path} lacks {', '.join(sorted(missing))}")
    return arrays


def _check_archive(file: Any, size: int, known: set[str]) -> list[str]:
    """Return the names of the arrays, none of which is larger than its entry."""
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        names = [entry.filename.removesuffix(".npy") for entry in entries]
        for entry, name in zip(entries, names, strict=True):
            if name not in known or not entry.filename.endswith(".npy"):
                raise InvalidFileError(f"unknown entry {entry.filename!r}")
        if len(set(names)) < len(names):
            raise InvalidFileError("an entry occurs twice")
        total = sum(entry.file_size for entry in entries)
        if total > MAX_FREE_BYTES + MAX_RATIO * size:
            raise InvalidFileError(f"{size} bytes claim to hold {total} bytes of arrays")
        for entry in entries:
            _check_entry(archive, entry)
    return names


def _check_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """Compare the shape that an array's header claims with the bytes that follow it."""
    with archive.open(entry) as stream:
        version = np.lib.format.read_magic(stream)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read_header is None:
            raise InvalidFileError(f"{entry.filename} has array format {version}")
        shape, _, dtype = read_header(stream, max_header_size=_MAX_HEADER)
        header = stream.tell()
    if dtype.hasobject:
        raise InvalidFileError(f"{entry.filename} holds Python objects, which are never unpickled")
    if dtype.kind not in "iuf":
        raise InvalidFileError(f"{entry.filename} has dtype {dtype}; expected numbers")
    if any(length < 0 for length in shape):
        raise InvalidFileError(f"{entry.filename} claims shape {shape}")
    claimed = math.prod(shape) * dtype.itemsize
    if claimed != entry.file_size - header:
        raise InvalidFileError(
            f"{entry.filename} claims shape {shape} of {dtype}, {claimed} bytes, but"
            f" {entry.file_size - header} bytes are stored"
        )


def encode_json(value: Any) -> npt.NDArray[Any]:
    """Return JSON text as bytes, so that names keep every character."""
    return np.frombuffer(json.dumps(value, allow_nan=False).encode("ascii"), dtype=np.uint8)


def decode_json(array: npt.NDArray[Any]) -> Any:
    """Return what `encode_json` stored."""
    if array.dtype != np.uint8 or array.ndim != 1:
        raise InvalidFileError(f"meta has dtype {array.dtype}; expected bytes of JSON")
    return parse_json(array.tobytes())


def parse_json(data: bytes) -> Any:
    """Parse JSON without NaN, infinity or repeated fields."""
    try:
        return json.loads(data, parse_constant=_no_constant, object_pairs_hook=_distinct)
    except InvalidFileError:
        raise
    except (ValueError, RecursionError) as error:
        raise InvalidFileError(f"not JSON: {error}") from error


def _no_constant(text: str) -> float:
    raise InvalidFileError(f"the JSON holds {text}; expected finite numbers")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise InvalidFileError(f"a JSON object repeats a field among {sorted(fields)}")
    return fields


def _indices(array: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    if array.dtype not in (np.int32, np.int64):
        raise InvalidFileError(f"{name} has dtype {array.dtype}; expected int32 or int64")
    return array


def _floats(array: npt.NDArray[Any] | None, name: str) -> npt.NDArray[Any] | None:
    if array is not None and array.dtype != np.float64:
        raise InvalidFileError(f"{name} has dtype {array.dtype}; expected float64")
    return array


def _count(value: Any) -> int:
    if type(value) is not int:
        raise InvalidFileError(f"n_states is {value!r}; expected an integer")
    return value


def _names(value: Any, name: str) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(label, str) for label in value):
        raise InvalidFileError(f"{name} is not a list of strings")
    return tuple(value)
