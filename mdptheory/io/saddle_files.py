"""Saddle certificates as plain fields and arrays, for the formats that store certificates."""

from dataclasses import fields
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from mdptheory.errors import InvalidFileError, InvalidModelError
from mdptheory.io._common import check_table
from mdptheory.io._objective import objective_fields, objective_from_fields
from mdptheory.models import (
    FactorSet,
    FiniteHorizon,
    Objective,
    RowAmbiguity,
    SaddleCertificate,
    TabularMDP,
    TransportPlan,
)

FORMAT = "mdptheory saddle certificate 1"
HEAD = {"format", "objective", "ambiguity", "worst_case", "fixed"}
MAX_SET_ARRAYS = 10_000  # that the sets of one certificate may hold
Arrays = dict[str, npt.NDArray[Any]]

_KINDS: dict[str, Any] = {kind.__name__: kind for kind in (*get_args(RowAmbiguity), FactorSet)}
_OWN = ("lower", "upper", "policy", "multiplier", "level", "factors")
_MODEL = (
    "choice_ptr", "action", "row_ptr", "next_state", "prob", "reward", "transition_reward",
    "initial",
)  # fmt: skip
_PLAN = ("row_ptr", "source", "target", "mass")
_WHOLE = {"worst.choice_ptr", "worst.action", "worst.row_ptr", "worst.next_state"} | {
    "plan.row_ptr", "plan.source", "plan.target",
}  # fmt: skip
KNOWN = {
    *_OWN, "terminal", "worst.terminal", *(f"worst.{name}" for name in _MODEL),
    *(f"plan.{name}" for name in _PLAN), *(f"set.{k}" for k in range(MAX_SET_ARRAYS)),
}  # fmt: skip
REQUIRED = {*_OWN[:-1], *(f"worst.{name}" for name in _MODEL[:-2])}


def saddle_fields(certificate: SaddleCertificate) -> tuple[dict[str, Any], Arrays]:
    """Return what a certificate holds: fields for JSON, and arrays by name."""
    arrays: dict[str, Any] = {name: getattr(certificate, name) for name in _OWN}
    worst, plan = certificate.worst_case, certificate.plan
    arrays |= {f"worst.{name}": getattr(worst, name) for name in _MODEL}
    arrays |= {} if plan is None else {f"plan.{name}": getattr(plan, name) for name in _PLAN}
    arrays["terminal"] = _terminal(certificate.objective)
    arrays["worst.terminal"] = _terminal(worst.objective)
    sets: Arrays = {}
    head = {
        "format": FORMAT,
        "objective": objective_fields(certificate.objective),
        "ambiguity": _set_fields(certificate.ambiguity, sets),
        "worst_case": {
            "n_states": worst.n_states,
            "objective": objective_fields(worst.objective),
            "state_names": worst.state_names,
            "action_names": worst.action_names,
        },
        "fixed": certificate.fixed,
    }
    found = {name: np.asarray(array) for name, array in arrays.items() if array is not None}
    return head, found | sets


def saddle_from_fields(head: dict[str, Any], arrays: Arrays) -> SaddleCertificate:
    """Return the certificate that `saddle_fields` described, or refuse the fields."""
    if set(head) != HEAD:
        raise InvalidFileError(f"a saddle certificate has fields {sorted(head)}")
    given = {name: _numbers(array, name) for name, array in arrays.items()}
    objective = objective_from_fields(head["objective"], given.pop("terminal", None))
    plan = [given.pop(f"plan.{name}", None) for name in _PLAN]
    if len({part is None for part in plan}) > 1:
        raise InvalidFileError("plan lacks some of its arrays")
    if not isinstance(head["fixed"], bool):
        raise InvalidFileError(f"fixed is {head['fixed']!r}; expected true or false")
    sets = {name: given.pop(name) for name in list(given) if name.startswith("set.")}
    ambiguity = _set_from_fields(head["ambiguity"], sets)
    if sets:
        raise InvalidFileError(f"no set uses the array {min(sets)}")
    worst = _model(
        head["worst_case"], {n: given.pop(n) for n in list(given) if n.startswith("worst.")}
    )
    certificate = SaddleCertificate(
        objective=objective,
        ambiguity=ambiguity,
        worst_case=worst,
        plan=None
        if plan[0] is None
        else TransportPlan(*(part for part in plan if part is not None)),
        fixed=head["fixed"],
        **given,
    )
    _check_shapes(certificate)
    return certificate


def _terminal(objective: Objective) -> Any:
    return objective.terminal if isinstance(objective, FiniteHorizon) else None


def _set_fields(ambiguity: Any, arrays: Arrays) -> dict[str, Any]:
    """Describe a set; its arrays are stored apart and named by number."""
    kind = type(ambiguity).__name__
    if kind not in _KINDS:
        raise TypeError(f"ambiguity has type {kind}; expected an ambiguity set")
    out: dict[str, Any] = {"kind": kind}
    for entry in fields(ambiguity):
        value = getattr(ambiguity, entry.name)
        if isinstance(value, tuple):
            out[entry.name] = [_set_fields(one, arrays) for one in value]
        elif isinstance(value, np.ndarray):
            if len(arrays) == MAX_SET_ARRAYS:
                raise InvalidModelError(
                    f"ambiguity holds more than {MAX_SET_ARRAYS} arrays; a file holds no more"
                )
            out[entry.name] = {"array": len(arrays)}
            arrays[f"set.{len(arrays)}"] = value
        elif isinstance(value, float) and np.isinf(value):
            out[entry.name] = "inf"
        else:
            out[entry.name] = value
    return out


def _set_from_fields(given: Any, arrays: Arrays) -> Any:
    """Build a set with its constructor, which checks it; take its arrays out of ``arrays``."""
    if not isinstance(given, dict) or given.get("kind") not in _KINDS:
        raise InvalidFileError(f"ambiguity is {str(given)[:80]}; expected one of {sorted(_KINDS)}")
    kind = _KINDS[given["kind"]]
    names = {entry.name for entry in fields(kind)}
    if set(given) != names | {"kind"}:
        raise InvalidFileError(
            f"{kind.__name__} has fields {sorted(given)}; expected {sorted(names | {'kind'})}"
        )
    values = {name: _set_value(name, given[name], arrays) for name in names}
    try:
        return kind(**values)
    except (TypeError, NotImplementedError) as error:
        raise InvalidFileError(f"{kind.__name__}: {error}") from error


def _set_value(name: str, value: Any, arrays: Arrays) -> Any:
    if isinstance(value, dict):
        key = f"set.{value.get('array')}"
        if set(value) != {"array"} or type(value["array"]) is not int or key not in arrays:
            raise InvalidFileError(f"{name} is {value!r}; expected the number of a stored array")
        return arrays.pop(key)
    if isinstance(value, list):
        if name != "sets":
            raise InvalidFileError(f"{name} is a list; expected the number of a stored array")
        if any(isinstance(one, dict) and one.get("kind") == "FactorSet" for one in value):
            raise InvalidFileError("sets holds a FactorSet; expected sets of rows")
        return tuple(_set_from_fields(one, arrays) for one in value)
    return np.inf if value == "inf" else value


def _model(given: Any, arrays: Arrays) -> TabularMDP:
    wanted = {"n_states", "objective", "state_names", "action_names"}
    if not isinstance(given, dict) or set(given) != wanted:
        raise InvalidFileError("worst_case lacks its fields")
    if type(given["n_states"]) is not int:
        raise InvalidFileError(f"n_states is {given['n_states']!r}; expected an integer")
    names: dict[str, Any] = {}
    for name in ("state_names", "action_names"):
        value = given[name]
        if value is not None and not (
            isinstance(value, list) and all(isinstance(label, str) for label in value)
        ):
            raise InvalidFileError(f"{name} is not a list of strings")
        names[name] = value
    objective = objective_from_fields(given["objective"], arrays.pop("worst.terminal", None))
    parts: dict[str, Any] = {key.removeprefix("worst."): array for key, array in arrays.items()}
    with np.errstate(over="ignore", invalid="ignore"):
        mdp = TabularMDP(n_states=given["n_states"], objective=objective, **names, **parts)
    check_table(mdp.n_states * mdp.n_stages, mdp.n_actions, mdp.n_rows)
    return mdp


def _numbers(array: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    """Refuse other types than the writer's; only multipliers and radii may be infinite."""
    whole = array.dtype in (np.int32, np.int64)
    wanted = "whole numbers" if name in _WHOLE else "floats"
    if whole != (name in _WHOLE) and not (whole and (name == "policy" or name.startswith("set."))):
        raise InvalidFileError(f"{name} has dtype {array.dtype}; expected {wanted}")
    if not whole and array.dtype != np.float64:
        raise InvalidFileError(f"{name} has dtype {array.dtype}; expected {wanted}")
    endless = name == "multiplier" or name.startswith("set.")
    bad = np.isnan(array) | (np.isinf(array) & (not endless))
    if bad.any():
        place = [int(i) for i in np.argwhere(bad)[0]]
        raise InvalidFileError(f"{name}{place} is {array[tuple(place)]}; expected a finite number")
    array.setflags(write=False)
    return array


def _check_shapes(certificate: SaddleCertificate) -> None:
    """Require shapes that agree with the number of states, stages and rows."""
    worst, objective = certificate.worst_case, certificate.objective
    lead = (objective.horizon,) if isinstance(objective, FiniteHorizon) else ()
    bounds = (*(h + 1 for h in lead), worst.n_states)
    shapes = {"lower": bounds, "upper": bounds}
    policy = (*lead, worst.n_states)
    if certificate.policy.dtype.kind == "f":
        policy = (*policy, worst.n_actions)
    shapes["policy"] = policy
    if not isinstance(certificate.ambiguity, FactorSet):
        shapes |= {"multiplier": (worst.n_rows,), "level": (worst.n_rows,)}
    for name, expected in shapes.items():
        have = getattr(certificate, name).shape
        if have != expected:
            raise InvalidFileError(f"{name} has shape {have}; expected {expected}")
    if certificate.level.shape != certificate.multiplier.shape:
        raise InvalidFileError(
            f"level has shape {certificate.level.shape}; expected {certificate.multiplier.shape}"
        )
