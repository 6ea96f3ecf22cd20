"""Certificates in files: JSON whose numbers read back exactly, or a NumPy archive."""

import json
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mdptheory.errors import InvalidFileError
from mdptheory.io._common import reading
from mdptheory.io._objective import objective_fields, objective_from_fields
from mdptheory.io.npz import decode_json, encode_json, load_arrays, parse_json, save_arrays
from mdptheory.models import BoundsCertificate, FiniteHorizon, Objective

FORMAT = "mdptheory bounds certificate 1"
_ARRAYS = ("lower", "upper", "policy", "absorption", "terminal")
_REQUIRED = {"lower", "upper", "policy"}


def write_certificate(certificate: BoundsCertificate, path: str | PathLike[str]) -> None:
    """Write a certificate as JSON, or as a NumPy archive if the name ends in ``.npz``.

    Parameters
    ----------
    certificate : BoundsCertificate
        The claim; its numbers are written so that they read back bit for bit.
    path : str or path
        The file.

    Raises
    ------
    TypeError
        If ``certificate`` is something else.
    """
    if not isinstance(certificate, BoundsCertificate):
        raise TypeError(
            f"certificate has type {type(certificate).__name__}; expected a BoundsCertificate"
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


def read_certificate(path: str | PathLike[str]) -> BoundsCertificate:
    """Read what `write_certificate` wrote; whether the claim holds is checked elsewhere.

    Parameters
    ----------
    path : str or path
        The file; a name that ends in ``.npz`` is read as a NumPy archive, any other as JSON.

    Returns
    -------
    BoundsCertificate
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
    arrays = load_arrays(path, {*_ARRAYS, "meta"}, {*_REQUIRED, "meta"})
    head = decode_json(arrays.pop("meta"))
    if not isinstance(head, dict) or set(head) != {"format", "objective"}:
        raise InvalidFileError(f"{path} is not a {FORMAT!r} file")
    return head, arrays


def _read_json(path: Path) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    content = parse_json(path.read_bytes())
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InvalidFileError(f"{path} is not a {FORMAT!r} file")
    unknown = set(content) - {"format", "objective", *_ARRAYS}
    missing = {"format", "objective", *_REQUIRED} - set(content)
    if unknown or missing:
        what = f"unknown fields {sorted(unknown)}" if unknown else f"no {sorted(missing)}"
        raise InvalidFileError(f"{path} has {what}")
    arrays = {name: _array(content[name], name) for name in _ARRAYS if name in content}
    return {name: content[name] for name in ("format", "objective")}, arrays


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
