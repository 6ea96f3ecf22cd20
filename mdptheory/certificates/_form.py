"""The form of a claim: shapes, finite numbers, a policy's rows; and where a refusal points."""

import math
from dataclasses import dataclass, replace

import numpy as np

from mdptheory._typing import BoolArray, FloatArray, IntArray
from mdptheory.errors import InvalidCertificateError, InvalidModelError
from mdptheory.models import TabularMDP


@dataclass(frozen=True, slots=True)
class Place:
    """Names the state and the action of a row."""

    mdp: TabularMDP
    states: IntArray  # of each row
    stage: int | None = None

    def at(self, stage: int) -> "Place":
        return replace(self, stage=stage)

    def state(self, name: str, state: int) -> str:
        lead = "" if self.stage is None else f"{self.stage}, "
        return f"{name}[{lead}{self.mdp.state_label(state)}]"

    def action(self, row: int) -> str:
        return f"action {self.mdp.action_label(int(self.mdp.action[row]))}"


def require(
    holds: BoolArray, name: str, have: FloatArray, relation: str, want: FloatArray, place: Place
) -> None:
    if not holds.all():
        s = int(np.argmin(holds))
        raise InvalidCertificateError(
            f"{place.state(name, s)} is {float(have[s])!r}, {relation} {float(want[s])!r}"
            f" ({int((~holds).sum())} of {len(holds)} states fail)"
        )


def bounds_array(name: str, given: FloatArray, shape: tuple[int, ...], place: Place) -> FloatArray:
    """Return finite bounds of the wanted shape, as an array with a leading stage axis."""
    array = np.asarray(given)
    if array.shape != shape:
        raise InvalidCertificateError(f"{name} has shape {array.shape}; expected {shape}")
    if array.dtype != np.float64:
        raise InvalidCertificateError(f"{name} has dtype {array.dtype}; expected float64")
    finite = np.isfinite(array)
    if not finite.all():
        *stage, s = (int(i) for i in np.argwhere(~finite)[0])
        here = place.at(stage[0]) if stage else place
        raise InvalidCertificateError(
            f"{here.state(name, s)} is {array[(*stage, s)]}; expected a finite number"
        )
    return array.reshape(-1, shape[-1])


def policy_rows(given: IntArray, mdp: TabularMDP, shape: tuple[int, ...]) -> list[IntArray]:
    """Return the row that the policy picks in each state, one array a stage."""
    policy = np.asarray(given)
    if policy.shape != shape or policy.dtype.kind not in "iu":
        raise InvalidCertificateError(
            f"policy has shape {policy.shape} and dtype {policy.dtype}; expected integers of"
            f" shape {shape}"
        )
    found = []
    for h, actions in enumerate(policy.reshape(-1, shape[-1])):
        try:
            found.append(mdp.policy_rows(actions, stage=h))
        except InvalidModelError as error:
            stage = f" at stage {h}" if len(shape) > 1 else ""
            raise InvalidCertificateError(f"{error}{stage}") from None
    return found


def largest_gap(lower: FloatArray, upper: FloatArray) -> float:
    """Return the largest difference of the bounds, rounded up."""
    with np.errstate(over="ignore"):
        gap = float(np.max(upper - lower))
    # a computed difference is 0 only if the true one is: gradual underflow
    return math.nextafter(gap, math.inf) if gap else 0.0
