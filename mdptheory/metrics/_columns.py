"""Columns of labels, weights and groups as callers have them: lists, arrays, pandas, dicts."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mdptheory._typing import BoolArray, FloatArray, IntArray
from mdptheory._validation import as_array, as_float_array, check_finite
from mdptheory.errors import InvalidModelError

Column = npt.NDArray[Any]
BINARY: tuple[set[Any], ...] = ({0, 1}, {-1, 1})


class Groups(NamedTuple):
    """Which group everyone belongs to.

    Attributes
    ----------
    keys : list
        Values of the groups that occur, sorted; tuples where several columns make the groups.
    code : array of int of shape (n,)
        Position in ``keys`` of everyone's group.
    """

    keys: list[Any]
    code: IntArray


def column(name: str, values: Any) -> Column:
    """Return one entry a person, of any type, none of them missing."""
    array = _entries(name, values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise InvalidModelError(f"{name} has shape {array.shape}; expected one entry a person")
    if not len(array):
        raise InvalidModelError(f"{name} is empty; expected at least one entry")
    missing = _missing(array)
    if missing.any():
        i = int(missing.argmax())
        raise InvalidModelError(
            f"{name}[{i}] is {array[i]}; expected a value"
            f" ({int(missing.sum())} of {len(array)} entries are missing)"
        )
    return array


def _entries(name: str, values: Any) -> Column:
    """Return an array whose entries have the type that they were given with."""
    array = as_array(name, values)
    if array.ndim == 0:
        raise TypeError(f"{name} is of type {type(values).__name__}; expected a list or an array")
    if array.dtype.kind in "US" and isinstance(values, list | tuple):
        return np.asarray(values, dtype=object)  # numpy would have made words of numbers
    return array


def _missing(array: Column) -> BoolArray:
    if array.dtype.kind != "O":
        return np.asarray(array != array)
    return np.fromiter((_is_missing(entry) for entry in array), dtype=bool, count=len(array))


def _is_missing(entry: Any) -> bool:
    if entry is None or type(entry).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(entry, float | np.floating) and bool(np.isnan(entry))


def check_same_length(**columns: Sequence[Any] | npt.NDArray[Any]) -> None:
    """Require columns of one length, or name the first that differs from the first."""
    (first, entries), *others = columns.items()
    for name, values in others:
        if len(values) != len(entries):
            raise InvalidModelError(
                f"{name} has {len(values)} entries and {first} has {len(entries)};"
                " expected one entry a person in both"
            )


def coded(name: str, values: Column) -> tuple[list[Any], IntArray]:
    """Return the different values, sorted, and everyone's position among them."""
    try:
        distinct, code = np.unique(values, return_inverse=True)
    except TypeError:
        kinds = ", ".join(sorted({type(entry).__name__ for entry in values}))
        raise TypeError(f"{name} has entries of the types {kinds}; expected one type") from None
    return distinct.tolist(), code


def positives(pos_label: Any, **columns: Column) -> list[BoolArray]:
    """Say for each column who has the favourable label, and refuse what is no binary label."""
    read = {name: coded(name, values) for name, values in columns.items()}
    known: list[Any] = []
    for name, (labels, code) in read.items():
        for i, label in enumerate(labels):
            if label not in known:
                known.append(label)
                _check_labels(known, pos_label, f"{name}[{int((code == i).argmax())}]")
    if pos_label is not None and len(known) == 2 and pos_label not in known:
        raise InvalidModelError(
            f"pos_label is {pos_label!r}; expected one of the labels {known[0]!r} and {known[1]!r}"
        )
    wanted = 1 if pos_label is None else pos_label
    return [
        np.array([label == wanted for label in labels], dtype=bool)[code]
        for labels, code in read.values()
    ]


def _check_labels(known: list[Any], pos_label: Any, last: str) -> None:
    """Refuse the last of the labels met so far if it cannot stand beside the others."""
    if pos_label is None:
        if not any(set(known) <= labels for labels in BINARY):
            raise InvalidModelError(
                f"{last} is {known[-1]!r}; expected labels 0 and 1, or -1 and 1, unless pos_label"
                " says which of two labels is favourable"
            )
    elif len(known) > 2 or (pos_label == 1 and len(known) == 1 and known[0] not in (0, 1, -1, 2)):
        before = " and ".join(repr(label) for label in known[:-1])
        beside = f" beside {before}" if before else f", and pos_label is {pos_label!r}"
        raise InvalidModelError(f"{last} is {known[-1]!r}{beside}; expected binary labels")


def weights(sample_weight: Any, n: int) -> FloatArray:
    """Return everyone's weight, 1 if nothing is said."""
    if sample_weight is None:
        return np.ones(n)
    array = as_float_array("sample_weight", sample_weight)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.shape != (n,):
        raise InvalidModelError(f"sample_weight has shape {array.shape}; expected ({n},)")
    check_finite("sample_weight", array)
    if (array < 0).any():
        i = int((array < 0).argmax())
        raise InvalidModelError(f"sample_weight[{i}] is {array[i]}; expected at least 0")
    if not array.any():
        raise InvalidModelError("sample_weight is 0 everywhere; expected a positive entry")
    return array


def groups(sensitive_features: Any) -> Groups:
    """Return the groups that one or several columns make; several make intersections."""
    columns = _named(sensitive_features)
    if not columns:
        raise InvalidModelError("sensitive_features has no column; expected at least one")
    first = next(iter(columns))
    n = len(columns[first])
    mixed, values = np.zeros(n, dtype=np.int64), []
    for name, entries in columns.items():
        check_same_length(**{first: columns[first], name: entries})
        labels, code = coded(name, entries)
        mixed = mixed * len(labels) + code
        values.append(labels)
    present, code = np.unique(mixed, return_inverse=True)
    if len(values) == 1:
        return Groups([values[0][i] for i in present], code)
    places = np.unravel_index(present, [len(labels) for labels in values])
    keys = zip(
        *([labels[i] for i in place] for labels, place in zip(values, places, strict=True)),
        strict=True,
    )
    return Groups(list(keys), code)


def _named(features: Any) -> dict[str, Column]:
    """Return the columns of a dict, a table or an array under the names that messages use."""
    name = "sensitive_features"
    if isinstance(features, Mapping):
        return {f"{name}[{k!r}]": column(f"{name}[{k!r}]", v) for k, v in features.items()}
    if hasattr(features, "columns"):
        found = [(f"{name}[{k!r}]", features[k]) for k in features.columns]
        return {label: column(label, values) for label, values in found}
    array = _entries(name, features)
    if array.ndim != 2:
        return {name: column(name, array)}
    return {
        f"{name}[:, {j}]": column(f"{name}[:, {j}]", array[:, j]) for j in range(array.shape[1])
    }
