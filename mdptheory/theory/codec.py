"""Cases as plain JSON and back, bit for bit: no pickle, no code in a file."""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import Any, TypeVar, dataclass_transform

import numpy as np

from mdptheory.errors import InvalidFileError
from mdptheory.models import BoundsCertificate, Discounted, FiniteHorizon, TabularMDP, TotalReward

T = TypeVar("T")

_TYPES: dict[str, type] = {}
_SPECIAL = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def register(cls: type[T]) -> type[T]:
    """Let replay files hold instances of a frozen dataclass or an `enum.Enum`.

    Parameters
    ----------
    cls : type
        A frozen dataclass whose initialiser takes its fields by name, or an Enum.

    Returns
    -------
    type
        ``cls`` itself, so that this is a decorator.

    Raises
    ------
    TypeError
        If ``cls`` is neither.
    """
    frozen = is_dataclass(cls) and cls.__dataclass_params__.frozen  # type: ignore[attr-defined]
    if not frozen and not (isinstance(cls, type) and issubclass(cls, Enum)):
        raise TypeError(f"{cls!r} is not a frozen dataclass or an Enum")
    _TYPES[type_key(cls)] = cls
    return cls


@dataclass_transform(frozen_default=True, eq_default=False)
def case(cls: type[T]) -> type[T]:
    """Make a frozen, registered dataclass: what `Chain.sample` draws.

    Parameters
    ----------
    cls : type
        A class with annotated fields: models, arrays, numbers, strings, tuples of these, or other
        registered dataclasses.

    Returns
    -------
    type
        The dataclass.
    """
    return register(dataclass(frozen=True, slots=True, eq=False)(cls))


def type_key(cls: type) -> str:
    """Return the name under which a file stores instances of ``cls``."""
    return f"{cls.__module__}:{cls.__qualname__}"


for _known in (TabularMDP, Discounted, FiniteHorizon, TotalReward, BoundsCertificate):
    register(_known)


def encode(value: Any) -> Any:
    """Return ``value`` in terms of what JSON has.

    Parameters
    ----------
    value : object
        None, bool, int, float, str, Enum, NumPy scalar or array, tuple, list, dict, or a
        registered frozen dataclass of these.

    Returns
    -------
    object
        Lists, dicts with string keys, strings, numbers, bools and None.

    Raises
    ------
    TypeError
        If something else occurs inside, naming its type.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Enum):
        return {"$enum": _known_key(type(value)), "name": value.name}
    if isinstance(value, np.generic):
        return {"$scalar": value.dtype.str, "value": encode(value.item())}
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": repr(value)}
    if isinstance(value, np.ndarray):
        return _encode_array(value)
    if isinstance(value, tuple):
        return {"$tuple": [encode(item) for item in value]}
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, dict):
        return {"$dict": [[encode(k), encode(v)] for k, v in value.items()]}
    if is_dataclass(value) and not isinstance(value, type):
        key = _known_key(type(value))
        stored = [f.name for f in fields(value) if f.init]  # the others follow from these
        return {"$type": key, **{name: encode(getattr(value, name)) for name in stored}}
    raise TypeError(f"a replay file cannot hold a {type(value).__name__}; use numbers and arrays")


def decode(data: Any) -> Any:
    """Return the object that `encode` turned into ``data``.

    Parameters
    ----------
    data : object
        What JSON gave.

    Returns
    -------
    object
        Equal to the original, floats bit for bit, array types kept.

    Raises
    ------
    InvalidFileError
        If a tag or a type is unknown or does not fit its content; nothing is imported by name.
    """
    if isinstance(data, list):
        return [decode(item) for item in data]
    if not isinstance(data, dict):
        return data
    tag = next(iter(data), "")
    reader = _READERS.get(tag)
    if reader is None:
        raise InvalidFileError(f"unknown tag {tag!r}; expected one of {', '.join(_READERS)}")
    try:
        return reader(data)
    except InvalidFileError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidFileError(f"{tag} entry does not fit its type: {error}") from error


def _known_key(cls: type) -> str:
    key = type_key(cls)
    if _TYPES.get(key) is not cls:
        raise TypeError(f"{key} is not registered; decorate it with mdptheory.theory.case")
    return key


def _encode_array(array: np.ndarray[Any, np.dtype[Any]]) -> dict[str, Any]:
    if array.dtype.kind not in "biuf":
        raise TypeError(f"a replay file cannot hold an array of dtype {array.dtype}")
    flat = [encode(item) for item in array.ravel().tolist()]
    return {"$array": array.dtype.str, "shape": list(array.shape), "data": flat}


def _decode_array(data: dict[str, Any]) -> Any:
    dtype = _numeric(data["$array"])
    values = [decode(item) for item in data["data"]]
    array = np.array(values, dtype=dtype).reshape([int(n) for n in data["shape"]])
    array.setflags(write=False)
    return array


def _numeric(name: Any) -> np.dtype[Any]:
    dtype = np.dtype(str(name))
    if dtype.kind not in "biuf":
        raise InvalidFileError(f"dtype is {name!r}; expected numbers")
    return dtype


def _decode_type(data: dict[str, Any], tag: str) -> type:
    key = data[tag]
    if key not in _TYPES:
        raise InvalidFileError(f"type {key!r} is not registered; import the module that defines it")
    return _TYPES[key]


def _decode_dataclass(data: dict[str, Any]) -> Any:
    cls = _decode_type(data, "$type")
    return cls(**{name: decode(value) for name, value in data.items() if name != "$type"})


def _decode_special(data: dict[str, Any]) -> float:
    if data["$float"] not in _SPECIAL:
        raise InvalidFileError(f"$float is {data['$float']!r}; expected nan, inf or -inf")
    return _SPECIAL[data["$float"]]


_READERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "$float": _decode_special,
    "$scalar": lambda data: _numeric(data["$scalar"]).type(decode(data["value"])),
    "$array": _decode_array,
    "$tuple": lambda data: tuple(decode(item) for item in data["$tuple"]),
    "$dict": lambda data: {decode(key): decode(value) for key, value in data["$dict"]},
    "$enum": lambda data: _decode_type(data, "$enum")[data["name"]],  # type: ignore[index]
    "$type": _decode_dataclass,
}
