"""What planners of linear MDPs are given: models, policies, references, factors."""

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray
from mdptheory._validation import (
    as_array,
    as_float_array,
    as_index_array,
    check_shape,
    check_simplex,
    place,
    read_only,
)
from mdptheory.errors import InvalidModelError
from mdptheory.models.factor_ambiguity import FactorAmbiguity
from mdptheory.models.linear import LinearMDP


def sink(mdp: LinearMDP) -> int:
    """Return the state that nature prefers among equals, or -1."""
    return -1 if mdp.fail_state is None else int(mdp.fail_state)


def check_linear(mdp: LinearMDP, ambiguity: FactorAmbiguity | None) -> None:
    """Refuse another model, and features with which nature's least worths make no least sum."""
    if not isinstance(mdp, LinearMDP):
        raise TypeError(f"mdp is of type {type(mdp).__name__}; expected LinearMDP")
    if ambiguity is None or mdp.known.simplex:
        return
    phi = mdp.phi
    if (phi < 0.0).any():
        index = tuple(int(i) for i in np.argwhere(phi < 0.0)[0])
        raise InvalidModelError(
            f"{place('phi', index)} is {phi[index]}; nature's reply needs nonnegative features"
        )


def action_reference(mdp: LinearMDP, reference: npt.ArrayLike | None) -> FloatArray:
    """Return positive probabilities of actions at each step and state."""
    shape = (mdp.horizon, mdp.n_states, mdp.n_actions)
    if reference is None:
        return read_only(np.full(shape, 1.0 / mdp.n_actions))
    given = as_float_array("reference", reference)
    if given.shape not in (shape, shape[1:], shape[2:]):
        raise InvalidModelError(
            f"reference has shape {given.shape}; expected {shape[2:]}, {shape[1:]} or {shape}"
        )
    check_simplex("reference", given)
    if (given == 0.0).any():
        index = tuple(int(i) for i in np.argwhere(given == 0.0)[0])
        raise InvalidModelError(
            f"{place('reference', index)} is 0.0; expected a positive probability"
        )
    return read_only(np.broadcast_to(given, shape))


def action_chances(mdp: LinearMDP, pi: npt.ArrayLike) -> FloatArray:
    """Return a writable copy of a policy as probabilities at each step and state."""
    shape = (mdp.horizon, mdp.n_states, mdp.n_actions)
    given = as_array("pi", pi)
    if given.dtype.kind in "iu" and given.ndim < 3:
        actions = as_index_array("pi", given)
        if actions.shape not in (shape[:2], shape[1:2]):
            raise InvalidModelError(
                f"pi has shape {actions.shape}; expected actions of shape {shape[:2]} or"
                f" {shape[1:2]}"
            )
        off = (actions < 0) | (actions >= shape[2])
        if off.any():
            index = tuple(int(i) for i in np.argwhere(off)[0])
            raise InvalidModelError(
                f"{place('pi', index)} is {actions[index]}; expected an action in [0, {shape[2]})"
            )
        return np.array(np.broadcast_to(np.eye(shape[2])[actions], shape), order="C")
    chances = as_float_array("pi", given)
    if chances.shape not in (shape, shape[1:]):
        raise InvalidModelError(
            f"pi has shape {chances.shape}; expected probabilities of shape {shape} or {shape[1:]},"
            " or integer actions"
        )
    check_simplex("pi", chances)
    return np.array(np.broadcast_to(chances, shape), order="C")


def own_factors(mdp: LinearMDP, factors: npt.ArrayLike | None) -> FloatArray:
    """Return factors of the model's shape."""
    if factors is None:
        return mdp.mu
    given = as_float_array("factors", factors)
    check_shape("factors", given, mdp.mu.shape)
    check_simplex("factors", given)
    return given
