"""Objectives as plain fields, for the formats that store them."""

from typing import Any

from mdptheory._typing import FloatArray
from mdptheory.errors import InvalidFileError
from mdptheory.models import Discounted, FiniteHorizon, Objective, TotalReward

_FIELDS = {
    "discounted": {"kind", "gamma"},
    "finite_horizon": {"kind", "horizon", "gamma"},
    "total_reward": {"kind"},
}


def objective_fields(objective: Objective) -> dict[str, Any]:
    """Return the objective's kind and numbers; a terminal reward is stored apart."""
    match objective:
        case Discounted(gamma=gamma):
            return {"kind": "discounted", "gamma": gamma}
        case FiniteHorizon(horizon=horizon, gamma=gamma):
            return {"kind": "finite_horizon", "horizon": horizon, "gamma": gamma}
        case TotalReward():
            return {"kind": "total_reward"}
    raise TypeError(f"objective has type {type(objective).__name__}; expected an Objective")


def objective_from_fields(fields: Any, terminal: FloatArray | None) -> Objective:
    """Return the objective that `objective_fields` described, or refuse the fields."""
    if not isinstance(fields, dict) or not isinstance(fields.get("kind"), str):
        raise InvalidFileError("objective has no kind; expected an object with a string 'kind'")
    kind = fields["kind"]
    if kind not in _FIELDS:
        raise InvalidFileError(f"objective kind is {kind!r}; expected one of {sorted(_FIELDS)}")
    if set(fields) != _FIELDS[kind]:
        raise InvalidFileError(
            f"objective of kind {kind!r} has fields {sorted(fields)}; expected"
            f" {sorted(_FIELDS[kind])}"
        )
    if terminal is not None and kind != "finite_horizon":
        raise InvalidFileError(f"objective of kind {kind!r} has a terminal reward")
    try:
        if kind == "discounted":
            return Discounted(fields["gamma"])
        if kind == "finite_horizon":
            return FiniteHorizon(fields["horizon"], fields["gamma"], terminal)
    except TypeError as error:
        raise InvalidFileError(f"objective: {error}") from error
    return TotalReward()
