"""One cell of a grid: its identity, its random numbers and its file."""

import dataclasses
import enum
import hashlib
import json
import math
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mdptheory._validation import check_count
from mdptheory.errors import InvalidFileError, InvalidModelError
from mdptheory.experiments.storage import Arrays, decode_arrays, encode_arrays, read_arrays

CellFunction = Callable[[Any, np.random.Generator], Mapping[str, Any]]


@dataclasses.dataclass(frozen=True, slots=True)
class Cell:
    """One (configuration, seed) pair of a grid and the file that holds its result.

    Attributes
    ----------
    config : dataclass or dict
        As given to `run_grid`.
    seed : int
        As given to `run_grid`.
    key : str
        Hash of function name, configuration and seed; names the file.
    path : Path
        The cell's ``.npz`` file.
    record : dict
        What identifies the cell, as JSON; stored inside the file too.
    """

    config: Any
    seed: int
    key: str
    path: Path
    record: dict[str, Any]

    def arrays(self) -> Arrays:
        """Read the named arrays from disk."""
        return read_arrays(self.path)[0]

    def is_done(self) -> bool:
        """Tell whether the file is there, whole, and this cell's own."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return False
        try:
            return decode_arrays(content)[1] == self.record
        except InvalidFileError:
            return False

    def compute(self, function: CellFunction) -> bytes:
        """Run the function on this cell's own random stream and return the file's bytes."""
        arrays = function(self.config, cell_rng(self.config, self.seed))
        if not isinstance(arrays, Mapping):
            raise TypeError(
                f"{self.record['function']} returned {type(arrays).__name__}; expected a dict of"
                " named arrays"
            )
        return encode_arrays(arrays, self.record)


def make_cell(function: CellFunction, config: Any, seed: int, folder: Path) -> Cell:
    """Give a (configuration, seed) pair its identity."""
    number = check_count("seed", seed, low=0)
    record = {
        "function": function_name(function),
        "config": canonical(config),
        "seed": number,
    }
    key = hashlib.sha256(_canonical_text(record)).hexdigest()[:32]
    return Cell(config, number, key, folder / f"{key}.npz", record)


def cell_rng(config: Any, seed: int) -> np.random.Generator:
    """Make a generator from the seed and the configuration's content, and nothing else."""
    digest = hashlib.sha256(_canonical_text(canonical(config))).digest()
    words = [int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4)]
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=words))


def canonical(value: Any, where: str = "config") -> Any:
    """Turn a configuration into JSON that is equal exactly when the configuration is."""
    match value:
        case np.generic():
            return canonical(value.item(), where)
        case np.ndarray():
            if value.dtype.hasobject:
                raise TypeError(f"{where} is an array of objects; expected numbers or strings")
            return {"dtype": value.dtype.str, "values": canonical(value.tolist(), where)}
        case enum.Enum():
            return {"enum": type(value).__qualname__, "member": value.name}
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else {"float": repr(value)}
        case os.PathLike():
            return {"path": os.fspath(value)}
        case list() | tuple():
            return [canonical(item, f"{where}[{i}]") for i, item in enumerate(value)]
        case dict():
            return {"dict": _canonical_items(value, where)}
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
            name = type(value).__qualname__
            return {"class": name, "fields": _canonical_items(fields, where)}
    raise TypeError(
        f"{where} has type {type(value).__name__}; expected numbers, strings, arrays, lists,"
        " dicts or dataclasses of them"
    )


def function_name(function: CellFunction) -> str:
    """Name a function in a way that survives a restart, or refuse it."""
    name = getattr(function, "__qualname__", None)
    if name is None or "<lambda>" in name:
        raise TypeError(
            f"function is {function!r}; expected a named function (a cell's file is named after"
            " it; put its parameters into the configurations)"
        )
    module = function.__module__
    if module == "__main__":  # the same script imported has the same cells
        main = sys.modules["__main__"]
        spec = getattr(main, "__spec__", None)
        module = spec.name if spec else Path(getattr(main, "__file__", "__main__")).stem
    return f"{module}.{name}"


def check_distinct(cells: list[Cell]) -> None:
    """Refuse a grid that names one cell twice."""
    seen: dict[str, Cell] = {}
    for cell in cells:
        if cell.key in seen:
            raise InvalidModelError(
                f"configs and seeds name a cell twice: {describe(cell)}; expected distinct ones"
            )
        seen[cell.key] = cell


def describe(cell: Cell) -> str:
    """Say which cell, in the caller's words."""
    return f"config {cell.config!r}, seed {cell.seed}"


def _canonical_items(items: Mapping[Any, Any], where: str) -> dict[str, Any]:
    for name in items:
        if not isinstance(name, str):
            raise TypeError(f"{where} has the key {name!r}; expected strings as keys")
    return {name: canonical(item, f"{where}.{name}") for name, item in items.items()}


def _canonical_text(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
