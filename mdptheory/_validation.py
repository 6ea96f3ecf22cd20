"""Checks of single arguments: each message names the argument, the place and the value."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray, IntArray
from mdptheory.errors import InvalidModelError

ROW_SUM_TOLERANCE = 1e-9


def place(name: str, index: Sequence[int] | int) -> str:
    """Return ``name[i, j]`` for an index tuple, or ``name`` for a scalar argument."""
    indices = (index,) if isinstance(index, int | np.integer) else tuple(index)
    return f"{name}[{', '.join(str(int(i)) for i in indices)}]" if indices else name


def as_array(name: str, value: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return an array of any type, or refuse nested lists of unequal lengths."""
    try:
        return np.asarray(value)
    except ValueError as error:  # ragged nested lists
        raise InvalidModelError(f"{name} is not a rectangular array: {error}") from None


def as_float_array(name: str, value: npt.ArrayLike) -> FloatArray:
    """Return a C-contiguous float64 array or raise `TypeError` naming the argument."""
    array = as_array(name, value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} has dtype {array.dtype}; expected real numbers")
    return np.ascontiguousarray(array, dtype=np.float64)


def as_index_array(name: str, value: npt.ArrayLike) -> IntArray:
    """Return a C-contiguous signed integer array or raise `TypeError` naming the argument."""
    array = as_array(name, value)
    if array.size == 0 and array.dtype.kind == "f":
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} has dtype {array.dtype}; expected integers")
    if array.dtype.kind == "u":
        array = array.astype(np.int64)
    return np.ascontiguousarray(array)


def read_only(array: npt.ArrayLike, dtype: type[np.generic] | None = None) -> npt.NDArray[Any]:
    """Return a C-contiguous copy that cannot be written to."""
    kept = np.array(array, dtype=dtype, order="C")
    kept.setflags(write=False)
    return kept


def check_shape(name: str, array: npt.NDArray[np.generic], shape: tuple[int | None, ...]) -> None:
    """Require a shape; ``None`` stands for any length."""
    fits = array.ndim == len(shape) and all(
        want is None or have == want for have, want in zip(array.shape, shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if length is None else str(length) for length in shape)
        raise InvalidModelError(f"{name} has shape {array.shape}; expected ({wanted})")


def check_finite(name: str, array: FloatArray) -> None:
    """Require every entry to be finite, or name the first that is not."""
    bad = ~np.isfinite(array)
    if bad.any():
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        raise InvalidModelError(
            f"{place(name, index)} is {array[index]}; expected a finite number"
            f" ({int(bad.sum())} of {array.size} entries fail)"
        )


def check_number(
    name: str,
    value: float,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    open_low: bool = False,
    open_high: bool = False,
) -> float:
    """Return ``value`` as a float inside an interval, or name the interval it misses."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{name} is {value!r} of type {type(value).__name__}; expected a number")
    number = float(value)
    too_low = number <= low if open_low else number < low
    too_high = number >= high if open_high else number > high
    if math.isnan(number) or too_low or too_high:
        left, right = "(" if open_low else "[", ")" if open_high else "]"
        raise InvalidModelError(
            f"{name} is {number}; expected a number in {left}{low:g}, {high:g}{right}"
        )
    return number


def check_flag(name: str, value: bool) -> bool:
    """Return ``value`` as a bool, or refuse what is none though it has a truth value."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} is {value!r} of type {type(value).__name__}; expected a bool")
    return bool(value)


def check_count(name: str, value: int, *, low: int = 1) -> int:
    """Return ``value`` as an int that is at least ``low``."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} is {value!r} of type {type(value).__name__}; expected an integer")
    if value < low:
        raise InvalidModelError(f"{name} is {int(value)}; expected an integer of at least {low}")
    return int(value)


def check_simplex(name: str, array: FloatArray, *, tolerance: float = ROW_SUM_TOLERANCE) -> None:
    """Require the last axis of ``array`` to hold probabilities that sum to 1."""
    check_finite(name, array)
    negative = array < 0
    if negative.any():
        index = tuple(int(i) for i in np.argwhere(negative)[0])
        raise InvalidModelError(
            f"{place(name, index)} is {array[index]}; expected a probability"
            f" ({int(negative.sum())} negative entries)"
        )
    sums = array.sum(axis=-1)
    off = np.abs(sums - 1.0)
    if (off > tolerance).any():
        failing = np.argwhere(np.atleast_1d(off > tolerance))
        worst = np.unravel_index(int(np.argmax(off)), np.shape(off))
        first = tuple(int(i) for i in failing[0]) if np.ndim(off) else ()
        raise InvalidModelError(
            f"{place(name, first)} sums to {np.asarray(sums)[first]:.12g}; expected 1 within"
            f" {tolerance:g} ({len(failing)} of {np.size(off)} rows fail, worst"
            f" {place(name, [int(i) for i in worst])})"
        )


def check_names(name: str, names: Sequence[str] | None, count: int) -> tuple[str, ...] | None:
    """Return distinct names, one an index, or None."""
    if names is None:
        return None
    if isinstance(names, str):  # its letters would pass for names
        raise TypeError(f"{name} is {names!r} of type str; expected a sequence of names")
    labels = tuple(str(label) for label in names)
    if len(labels) != count:
        raise InvalidModelError(f"{name} has {len(labels)} entries; expected {count}")
    if len(set(labels)) != count:
        seen: dict[str, int] = {}
        for i, label in enumerate(labels):
            if label in seen:
                raise InvalidModelError(
                    f"{name}[{i}] is {label!r}, which is already {name}[{seen[label]}];"
                    " expected distinct names"
                )
            seen[label] = i
    return labels
