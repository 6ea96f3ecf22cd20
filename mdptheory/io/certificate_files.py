"""Certificates in files: JSON whose numbers read back exactly, or a NumPy archive."""

import json
import math
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from mdptheory.errors import InvalidFileError
from mdptheory.io import offline_certificate_files, saddle_files
from mdptheory.io._common import reading
from mdptheory.io._objective import objective_fields, objective_from_fields
from mdptheory.io.npz import decode_json, encode_json, load_arrays, parse_json, save_arrays
from mdptheory.io.offline_certificate_files import offline_fields, offline_from_fields
from mdptheory.io.saddle_files import saddle_fields, saddle_from_fields
from mdptheory.models import (
    BoundsCertificate,
    FiniteHorizon,
    Objective,
    OfflineCertificate,
    SaddleCertificate,
)

FORMAT = "mdptheory bounds certificate 1"
Certificate: TypeAlias = BoundsCertificate | SaddleCertificate | OfflineCertificate
_ARRAYS = ("lower", "upper", "policy", "absorption", "terminal")
_REQUIRED = {"lower", "upper", "policy"}


class _Form(NamedTuple):
    """A kind of certificate whose arrays are packed: their names, and who builds it."""

    known: set[str]
    required: set[str]
    build: Callable[[dict[str, Any], dict[str, npt.NDArray[Any]]], Certificate]


_PACKED = {
    saddle_files.FORMAT: _Form(saddle_files.KNOWN, saddle_files.REQUIRED, saddle_from_fields),
    offline_certificate_files.FORMAT: _Form(
        offline_certificate_files.KNOWN, offline_certificate_files.REQUIRED, offline_from_fields
    ),
}


def write_certificate(certificate: Certificate, path: str | PathLike[str]) -> None:
    """Write a certificate as JSON, or as a NumPy archive if the name ends in ``.npz``.

    Parameters
    ----------
    certificate : BoundsCertificate, SaddleCertificate or OfflineCertificate
        The claim; its numbers are written so that they read back bit for bit.
    path : str or path
        The file.

    Raises
    ------
    TypeError
        If ``certificate`` is something else.
    """
    if isinstance(certificate, SaddleCertificate):
        _write_packed(*saddle_fields(certificate), Path(path))
        return
    if isinstance(certificate, OfflineCertificate):
        _write_packed(*offline_fields(certificate), Path(path))
        return
    if not isinstance(certificate, BoundsCertificate):
        raise TypeError(
            f"certificate has type {type(certificate).__name__}; expected a BoundsCertificate, a"
            " SaddleCertificate or an OfflineCertificate"
        )
    objective = certificate.objective
    terminal = objective.terminal if isinstance(objective, FiniteHorizon) else None
    arrays = {name: getattr(certificate, name) for name in _ARRAYS[:-1]} | {"terminal": terminal}
    arrays = {name: np.asarray(array) for name, array in arrays.items() if array is not None}
    head: dict[str, Any] = {"format": FORMAT, "objective": objective_fields(objective)}
    place = Path(path)
    if place.suffix.lower() == ".npz":
        save_arrays(place, arrays | {"meta": encode_json(head)})
    else:
        body = {name: array.tolist() for name, array in arrays.items()}
        place.write_text(json.dumps(head | body, allow_nan=False) + "\n", encoding="ascii")


def read_certificate(path: str | PathLike[str]) -> Certificate:
    """Read what `write_certificate` wrote; whether the claim holds is checked elsewhere.

    Parameters
    ----------
    path : str or path
        The file; a name that ends in ``.npz`` is read as a NumPy archive, any other as JSON.

    Returns
    -------
    BoundsCertificate, SaddleCertificate or OfflineCertificate
        The claim, with read-only arrays of consistent shapes.

    Raises
    ------
    InvalidFileError
        If the file is truncated, has unknown or missing fields, wrong types or shapes, or numbers
        that are not finite.
    """
    place = Path(path)
    with reading(place):
        is_archive = place.suffix.lower() == ".npz"
        head, arrays = _read_archive(place) if is_archive else _read_json(place)
        form = _form(head)
        if form is not None:
            return form.build(head, arrays)
        if head.get("format") != FORMAT:
            raise InvalidFileError(f"{place} is not a {FORMAT!r} file")
        floats = {
            name: _floats(arrays[name], name)
            for name in _ARRAYS
            if name in arrays and name != "policy"
        }
        policy = _ids(arrays["policy"])
        objective = objective_from_fields(head.get("objective"), floats.pop("terminal", None))
        for array in (*floats.values(), policy):
            array.setflags(write=False)
        certificate = BoundsCertificate(objective=objective, policy=policy, **floats)
        _check_shapes(certificate)
    return certificate


def _read_archive(path: Path) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    known = set(_ARRAYS).union(*(form.known for form in _PACKED.values()))
    arrays = load_arrays(path, known | {"meta"}, {*_REQUIRED, "meta"})
    head = decode_json(arrays.pop("meta"))
    form = _form(head)
    if form is not None:
        _require_names(path, set(arrays), form.known, form.required)
        return head, arrays
    _require_names(path, set(arrays), set(_ARRAYS), _REQUIRED)
    if not isinstance(head, dict) or set(head) != {"format", "objective"}:
        raise InvalidFileError(f"{path} is not a {FORMAT!r} file")
    return head, arrays


def _read_json(path: Path) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    content = parse_json(path.read_bytes())
    form = _form(content)
    if form is not None:
        stored = content.pop("arrays", None)
        if not isinstance(stored, dict):
            raise InvalidFileError(f"{path} has no arrays")
        _require_names(path, set(stored), form.known, form.required)
        return content, {name: _unpacked(array, name) for name, array in stored.items()}
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InvalidFileError(f"{path} is not a {FORMAT!r} file")
    unknown = set(content) - {"format", "objective", *_ARRAYS}
    missing = {"format", "objective", *_REQUIRED} - set(content)
    if unknown or missing:
        what = f"unknown fields {sorted(unknown)}" if unknown else f"no {sorted(missing)}"
        raise InvalidFileError(f"{path} has {what}")
    arrays = {name: _array(content[name], name) for name in _ARRAYS if name in content}
    return {name: content[name] for name in ("format", "objective")}, arrays


def _require_names(path: Path, have: set[str], known: set[str], required: set[str]) -> None:
    if have - known or required - have:
        unknown, missing = sorted(have - known), sorted(required - have)
        what = f"unknown entries {unknown}" if unknown else f"no {missing}"
        raise InvalidFileError(f"{path} has {what}")


def _form(head: Any) -> _Form | None:
    """Return the form of a head that names one of the packed formats."""
    name = head.get("format") if isinstance(head, dict) else None
    return _PACKED.get(name) if isinstance(name, str) else None


def _write_packed(head: dict[str, Any], arrays: dict[str, npt.NDArray[Any]], path: Path) -> None:
    if path.suffix.lower() == ".npz":
        save_arrays(path, arrays | {"meta": encode_json(head)})
        return
    body = {"arrays": {name: _packed(array) for name, array in arrays.items()}}
    path.write_text(json.dumps(head | body, allow_nan=False) + "\n", encoding="ascii")


def _packed(array: npt.NDArray[Any]) -> dict[str, Any]:
    """Return an array as type, shape and flat list; JSON has no infinity, so it is a word."""
    values = array.ravel().tolist()
    if array.dtype.kind == "f":
        values = ["inf" if x == np.inf else x for x in values]
    return {"dtype": str(array.dtype), "shape": list(array.shape), "values": values}


def _unpacked(given: Any, name: str) -> npt.NDArray[Any]:
    """Return the array that `_packed` described, or refuse it."""
    if not isinstance(given, dict) or set(given) != {"dtype", "shape", "values"}:
        raise InvalidFileError(f"{name} is not an array: expected dtype, shape and values")
    dtype, shape, values = given["dtype"], given["shape"], given["values"]
    if dtype not in ("float64", "int64", "int32"):
        raise InvalidFileError(f"{name} has dtype {dtype!r}; expected float64, int64 or int32")
    counts = isinstance(shape, list) and all(type(n) is int and n >= 0 for n in shape)
    if not counts or not isinstance(values, list) or math.prod(shape) != len(values):
        raise InvalidFileError(f"{name} has shape {str(shape)[:40]}, which its values do not fill")
    kind = float if dtype == "float64" else int
    values = [np.inf if x == "inf" and kind is float else x for x in values]
    for x in values:
        if type(x) is not kind:
            raise InvalidFileError(f"{name} holds {x!r}; expected numbers of dtype {dtype}")
    try:
        return np.array(values, dtype=dtype).reshape(shape)
    except OverflowError as error:
        raise InvalidFileError(f"{name} holds a number that is too large") from error


def _array(value: Any, name: str) -> npt.NDArray[Any]:
    """Return a list of numbers, or a list of equally long ones, as an array."""
    rows = value if isinstance(value, list) and value and isinstance(value[0], list) else [value]
    if not all(isinstance(row, list) and len(row) == len(rows[0]) for row in rows):
        raise InvalidFileError(f"{name} is not a list of numbers or of equally long lists")
    for row in rows:
        for number in row:
            if type(number) is not int and type(number) is not float:
                raise InvalidFileError(f"{name} holds {number!r}; expected numbers")
    try:
        array = np.array(value)
    except OverflowError as error:
        raise InvalidFileError(f"{name} holds a number that is too large") from error
    return array


def _floats(array: npt.NDArray[Any], name: str) -> npt.NDArray[np.float64]:
    if array.dtype.kind not in "iuf":
        raise InvalidFileError(f"{name} has dtype {array.dtype}; expected numbers")
    floats = array.astype(np.float64)
    if not np.isfinite(floats).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(floats))[0])
        raise InvalidFileError(f"{name}{list(place)} is {floats[place]}; expected a finite number")
    return floats


def _ids(array: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    if array.dtype.kind not in "iu":
        raise InvalidFileError(f"policy has dtype {array.dtype}; expected action ids")
    if array.size and not 0 <= array.min() <= array.max() < 2**31 - 1:
        raise InvalidFileError(f"policy has ids from {array.min()} to {array.max()}")
    return array.astype(np.int64)


def _check_shapes(certificate: BoundsCertificate) -> None:
    """Require (S,) for each array, or (H + 1, S) bounds and an (H, S) policy."""
    objective: Objective = certificate.objective
    n_states = certificate.lower.shape[-1] if certificate.lower.ndim else 0
    if n_states == 0:
        raise InvalidFileError(f"lower has shape {certificate.lower.shape}; expected states")
    value, policy = ((n_states,), (n_states,))
    shapes: dict[str, tuple[int, ...]] = {"lower": value, "upper": value, "policy": policy}
    if isinstance(objective, FiniteHorizon):
        bounds = (objective.horizon + 1, n_states)
        shapes = {"lower": bounds, "upper": bounds, "policy": (objective.horizon, n_states)}
        if objective.terminal is not None and objective.terminal.shape != (n_states,):
            raise InvalidFileError(
                f"terminal has shape {objective.terminal.shape}; expected ({n_states},)"
            )
    if certificate.absorption is not None:
        shapes["absorption"] = (n_states,)
    for name, expected in shapes.items():
        if getattr(certificate, name).shape != expected:
            raise InvalidFileError(
                f"{name} has shape {getattr(certificate, name).shape}; expected {expected}"
            )
