"""Certificates about data as plain fields and arrays, for the formats that store certificates."""

from typing import Any

import numpy as np
import numpy.typing as npt

from mdptheory.errors import InvalidFileError
from mdptheory.models import (
    ChiSquarePenalty,
    KLBall,
    KLPenalty,
    OfflineCertificate,
    TVBall,
    TVPenalty,
)

FORMAT = "mdptheory offline certificate 1"
Arrays = dict[str, npt.NDArray[Any]]
_KINDS: dict[str, tuple[Any, str]] = {
    "TVBall": (TVBall, "radius"),
    "KLBall": (KLBall, "radius"),
    "TVPenalty": (TVPenalty, "weight"),
    "KLPenalty": (KLPenalty, "weight"),
    "ChiSquarePenalty": (ChiSquarePenalty, "weight"),
}
_VALUES = ("lower", "upper")
_WORTHS = ("lower_w", "upper_w", "beta")
_NUMBERS = ("ridge", "delta")
_HEAD = {"format", "ambiguity", "level", "kl_shift", "n_episodes", *_NUMBERS}
REQUIRED = {*_VALUES, *_WORTHS, "policy", "start"}
KNOWN = {*REQUIRED, "level"}


def offline_fields(certificate: OfflineCertificate) -> tuple[dict[str, Any], Arrays]:
    """Return what a certificate holds: fields for JSON, and arrays by name."""
    kind = type(certificate.ambiguity).__name__
    if kind not in _KINDS:
        raise TypeError(f"ambiguity has type {kind}; expected one of {', '.join(_KINDS)}")
    level = np.asarray(getattr(certificate.ambiguity, _KINDS[kind][1]), dtype=np.float64)
    number = float(level) if level.ndim == 0 else None
    head = {
        "format": FORMAT,
        "ambiguity": kind,
        "level": "inf" if number == np.inf else number,
        "kl_shift": bool(certificate.kl_shift),
        "n_episodes": int(certificate.n_episodes),
        **{name: float(getattr(certificate, name)) for name in _NUMBERS},
    }
    arrays = {name: np.asarray(getattr(certificate, name)) for name in sorted(REQUIRED)}
    return head, arrays if number is not None else arrays | {"level": level}


def offline_from_fields(head: dict[str, Any], arrays: Arrays) -> OfflineCertificate:
    """Return the certificate that `offline_fields` described, or refuse the fields."""
    if set(head) != _HEAD:
        raise InvalidFileError(f"an offline certificate has fields {sorted(head)}")
    given = {name: _checked(array, name) for name, array in arrays.items()}
    level = given.pop("level", None)
    if (level is None) == (head["level"] is None):
        raise InvalidFileError("expected level either as a number or as an array")
    stored = head["level"] if level is None else level
    for name in _NUMBERS:
        if type(head[name]) not in (int, float):
            raise InvalidFileError(f"{name} is {head[name]!r}; expected a number")
    if type(head["kl_shift"]) is not bool:
        raise InvalidFileError(f"kl_shift is {head['kl_shift']!r}; expected true or false")
    if type(head["n_episodes"]) is not int:
        raise InvalidFileError(f"n_episodes is {head['n_episodes']!r}; expected an integer")
    _check_shapes(given)
    return OfflineCertificate(
        ambiguity=_ambiguity(head["ambiguity"], stored),
        ridge=_float(head["ridge"], "ridge"),
        delta=_float(head["delta"], "delta"),
        kl_shift=head["kl_shift"],
        n_episodes=head["n_episodes"],
        **given,
    )


def _ambiguity(kind: Any, level: Any) -> Any:
    if not isinstance(kind, str) or kind not in _KINDS:
        raise InvalidFileError(f"ambiguity is {str(kind)[:80]}; expected one of {sorted(_KINDS)}")
    if isinstance(level, str) and level == "inf":
        level = np.inf
    elif not isinstance(level, np.ndarray) and type(level) not in (int, float):
        raise InvalidFileError(f"level is {str(level)[:80]}; expected a number")
    try:
        return _KINDS[kind][0](level)
    except (TypeError, OverflowError) as error:
        raise InvalidFileError(f"{kind}: {error}") from error


def _float(value: float, name: str) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise InvalidFileError(f"{name} is too large a number") from error


def _checked(array: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    """Refuse other types than the writer's; only levels may be infinite."""
    kinds = (np.int32, np.int64) if name == "policy" else (np.float64,)
    if array.dtype not in kinds:
        wanted = "whole numbers" if name == "policy" else "floats"
        raise InvalidFileError(f"{name} has dtype {array.dtype}; expected {wanted}")
    bad = np.isnan(array) | (np.isinf(array) & (name != "level"))
    if bad.any():
        place = [int(i) for i in np.argwhere(bad)[0]]
        raise InvalidFileError(f"{name}{place} is {array[tuple(place)]}; expected a finite number")
    array.setflags(write=False)
    return array


def _check_shapes(arrays: Arrays) -> None:
    """Require shapes that agree with the horizon and the numbers of states and factors."""
    steps, factors = (*arrays["beta"].shape, 0, 0)[:2]
    n_states = (*arrays["start"].shape, 0)[0]
    if 0 in (steps, factors, n_states):
        raise InvalidFileError(
            f"beta has shape {arrays['beta'].shape} and start {arrays['start'].shape}; expected"
            " (steps, factors) and (states,)"
        )
    wanted = dict.fromkeys(_VALUES, (steps + 1, n_states))
    wanted |= dict.fromkeys(_WORTHS, (steps, factors))
    wanted |= {"policy": (steps, n_states)}
    shapes: dict[str, tuple[int, ...]] = {**wanted, "start": (n_states,)}
    for name, expected in shapes.items():
        if arrays[name].shape != expected:
            raise InvalidFileError(f"{name} has shape {arrays[name].shape}; expected {expected}")
